"""Running Git commands that talk to a server: they may neither prompt nor hang."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from git import GitError


class Network:
    """Runs Git commands that talk to a server, and can end all of them at once."""

    def __init__(self, silence: int) -> None:
        """``silence``: a command that prints nothing for this many seconds is ended.

        Git is asked for `--progress`, so a transfer that moves is never silent.
        """
        self.silence = silence
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._stopped = False

    def git(self, *arguments: str, cwd: Path, env: Mapping[str, str]) -> None:
        """Run one command; raises `GitError` when it fails, stalls or is not installed."""
        with self._lock:
            if self._stopped:
                raise GitError("interrupted")
            try:
                # A session of its own: ssh finds no terminal to ask questions on.
                process = subprocess.Popen(
                    ["git", *arguments],
                    cwd=cwd,
                    env=env,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    start_new_session=True,
                )
            except FileNotFoundError as error:
                raise GitError("git: command not found") from error
            self._running.add(process)
        try:
            stderr, stalled = self._listen(process)
        finally:
            with self._lock:
                self._running.discard(process)
        if stalled:
            raise GitError(stderr, stalled_after=self.silence)
        if process.returncode:
            raise GitError("interrupted" if self._stopped else stderr)

    def stop(self) -> None:
        """End what is running; Git removes its own half-made clone on SIGTERM."""
        with self._lock:
            self._stopped = True
            running = list(self._running)
        for process in running:
            _terminate(process)

    def _listen(self, process: subprocess.Popen[bytes]) -> tuple[str, bool]:
        """Collect standard error until the process ends; (text, whether it had to be ended)."""
        chunks: list[bytes] = []
        last_word = time.monotonic()

        def read() -> None:
            nonlocal last_word
            assert process.stderr is not None
            while chunk := os.read(process.stderr.fileno(), 65536):
                chunks.append(chunk)
                last_word = time.monotonic()

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        stalled = False
        while process.poll() is None:
            # Git's own low-speed limit speaks first and says more; this one is for everything else.
            if time.monotonic() - last_word > self.silence + 2:
                stalled = True
                _terminate(process)
            # The end of its standard error is seen at once; `wait` alone would poll, up to 50 ms late.
            reader.join(timeout=0.1)
            if not reader.is_alive():
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=0.1)
        reader.join(timeout=2)
        if process.stderr is not None:
            process.stderr.close()
        return b"".join(chunks).decode(errors="replace"), stalled


def _terminate(process: subprocess.Popen[bytes]) -> None:
    """End a Git process and its helpers, politely first."""
    try:
        if sys.platform == "win32":
            process.terminate()
        else:
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=3)
    except ProcessLookupError:
        pass
    except subprocess.TimeoutExpired:
        process.kill()
