"""The only place that starts Git: it never prompts, never hangs, and ends with all that it started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from private_packages.errors import GitError

# What a server may be silent, in seconds; PRIVATE_PACKAGES_TIMEOUT says otherwise.
SILENCE = 15
# What a process that is to end gets for that, in seconds, before it is killed with all that it started.
_POLITE = 0.5
# Variables of the caller's own repository would send Git to the wrong one.
_REPOSITORY = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_PREFIX",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
    "GIT_NAMESPACE",
)
# Into a trace that is switched on Git writes neither a setting nor a variable, and so no login, whatever the
# environment or the configuration say (git(1), "ENVIRONMENT VARIABLES"); empty ones would count as not set.
NO_LOGIN_IN_TRACES = {
    "GIT_TRACE2_CONFIG_PARAMS": "none",
    "GIT_TRACE2_ENV_VARS": "none",
    "GIT_TRACE_REDACT": "1",
}
# Paths come as the system has them: in UTF-8 on Windows, whatever its code page is.
_ENCODING = "utf-8" if sys.platform == "win32" else sys.getfilesystemencoding()


def silence_allowed(environ: Mapping[str, str]) -> int:
    """Return the seconds that a server may be silent."""
    given = environ.get("PRIVATE_PACKAGES_TIMEOUT", "")
    return max(1, int(given)) if given.isdecimal() else SILENCE


def git_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of one Git process without a login of its own: no prompt, no hang.

    What the caller has in GIT_CONFIG_COUNT/KEY/VALUE (git-config(1), "ENVIRONMENT") stays.
    """
    env = {name: value for name, value in environ.items() if name not in _REPOSITORY}
    # `true` answers every password prompt with nothing; without it SSH_ASKPASS opens a window.
    env.update(
        LC_ALL="C",
        GIT_TERMINAL_PROMPT="0",
        GIT_ASKPASS="true",
        SSH_ASKPASS_REQUIRE="never",
        **NO_LOGIN_IN_TRACES,
    )
    return with_settings(
        env,
        # A package's files may lie deeper than the 260 characters of Windows' old calls.
        ("core.longPaths", "true"),
        # What lives on in the background would hold the lock of a killed run (submodules/alone.py).
        ("gc.auto", "0"),
        ("maintenance.auto", "false"),
        ("core.fsmonitor", "false"),
        # A hook that the user has for all repositories may refuse, and a checkout fails with it.
        ("core.hooksPath", "/dev/null"),
        ("http.lowSpeedLimit", "1"),
        ("http.lowSpeedTime", str(silence_allowed(environ))),
    )


def with_settings(env: Mapping[str, str], *settings: tuple[str, str]) -> dict[str, str]:
    """Return ``env`` with more settings in GIT_CONFIG_COUNT/KEY/VALUE, appended to what is there."""
    given = env.get("GIT_CONFIG_COUNT", "")
    # Git itself refuses what is no number, in words.
    count = int(given) if given.isdecimal() else 0
    configured = {**env, "GIT_CONFIG_COUNT": str(count + len(settings))}
    for number, (key, setting) in enumerate(settings, start=count):
        configured[f"GIT_CONFIG_KEY_{number}"] = key
        configured[f"GIT_CONFIG_VALUE_{number}"] = setting
    return configured


class Git:
    """Runs Git, from several threads at once if need be, and can end all of it."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """``environ`` is the caller's environment, with the values of `.env`."""
        self.environ = environ
        # A checkout leaves pointers to files in Git LFS, and so asks no server (large_files.py).
        self.env = {**git_environment(environ), "GIT_LFS_SKIP_SMUDGE": "1"}
        self.silence = silence_allowed(environ)
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._stopped = False
        # What each process inherits, so that it is open as long as one of them lives; POSIX only.
        self.inherited: tuple[int, ...] = ()

    def run(
        self,
        *arguments: str,
        cwd: Path,
        stdin: str = "",
        env: Mapping[str, str] | None = None,
    ) -> str:
        """Run a command that asks no server, in `env` or another environment; return its standard output.

        Raises `GitError` when Git fails or is not installed.
        """
        given = stdin.encode(_ENCODING, "surrogateescape")
        return self._run(arguments, cwd, self.env if env is None else env, given, None)

    def ask(self, *arguments: str, cwd: Path, env: Mapping[str, str]) -> str:
        """Run a command that talks to a server, with the environment that logs it in; return its standard output.

        Raises `GitError`; ``stalled_after`` says that Git printed nothing for `silence` seconds. With
        ``--progress`` a transfer that moves is never silent.
        """
        # Git's own low-speed limit speaks first and says more; this one is for everything else.
        return self._run(arguments, cwd, env, b"", self.silence + 2)

    def stop(self) -> None:
        """End what is running, and start nothing more; Git removes its own half-made clone on SIGTERM."""
        with self._lock:
            self._stopped = True
            running = list(self._running)
        for process in running:
            end(process)

    def go_on(self) -> None:
        """Start programs again, once whoever would have started more has seen the end."""
        self._stopped = False

    @contextlib.contextmanager
    def stopping(self) -> Iterator[None]:
        """End what is running when an exception, such as that of Ctrl-C, leaves the block."""
        try:
            yield
        except BaseException:
            self.stop()
            raise

    def _run(
        self,
        arguments: tuple[str, ...],
        cwd: Path,
        env: Mapping[str, str],
        stdin: bytes,
        patience: float | None,
    ) -> str:
        with self._lock:
            if self._stopped:
                raise GitError("interrupted")
            try:
                process = start(("git", *arguments), cwd, env, self.inherited)
            except FileNotFoundError as error:
                if not cwd.is_dir():
                    raise
                raise GitError("git: command not found") from error
            self._running.add(process)
        try:
            stdout, stderr, stalled = _listen(process, stdin, patience)
        except BaseException:
            end(process)
            raise
        finally:
            with self._lock:
                self._running.discard(process)
        if stalled:
            raise GitError(stderr, stalled_after=self.silence)
        if process.returncode:
            raise GitError("interrupted" if self._stopped else stderr)
        return stdout


def start(
    command: Sequence[str],
    cwd: Path,
    env: Mapping[str, str],
    inherited: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start a program that `end` can end with all that it starts."""
    flags = 0
    if sys.platform == "win32":
        flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
    return subprocess.Popen(
        command,
        cwd=cwd,
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        creationflags=flags,
        pass_fds=inherited,
        # A session of its own: ssh finds no terminal to ask questions on, and Ctrl-C reaches us alone.
        start_new_session=True,
    )


def _listen(
    process: subprocess.Popen[bytes], stdin: bytes, patience: float | None
) -> tuple[str, str, bool]:
    """Collect both streams until the process ends; return them, and whether it had to be ended."""
    assert process.stdin and process.stdout and process.stderr
    chunks: tuple[list[bytes], list[bytes]] = ([], [])
    last_word = time.monotonic()

    def read(stream: IO[bytes], into: list[bytes]) -> None:
        nonlocal last_word
        while chunk := os.read(stream.fileno(), 65536):
            into.append(chunk)
            last_word = time.monotonic()

    readers = [
        threading.Thread(target=read, args=(stream, into), daemon=True)
        for stream, into in zip((process.stdout, process.stderr), chunks, strict=True)
    ]
    for reader in readers:
        reader.start()
    with contextlib.suppress(BrokenPipeError, OSError):
        process.stdin.write(stdin)
        process.stdin.close()
    stalled = False
    while process.poll() is None:
        if patience is not None and time.monotonic() - last_word > patience:
            stalled = True
            end(process)
        # The end of its streams is seen at once; `wait` alone would poll, up to 50 ms late.
        readers[1].join(timeout=0.1)
        if not readers[1].is_alive():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.1)
    for reader in readers:
        # A process that Git left behind may hold its end of a pipe for ever.
        reader.join(timeout=2)
    if not any(reader.is_alive() for reader in readers):
        process.stdout.close()
        process.stderr.close()
    stdout, stderr = (b"".join(list(pieces)) for pieces in chunks)
    return (
        stdout.decode(_ENCODING, "surrogateescape"),
        stderr.decode("utf-8", "replace"),
        stalled,
    )


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process of `start` and all that it started, politely first."""
    if sys.platform == "win32":
        # Git's own children outlive a terminated git.exe, and keep the pipe.
        tree = ("taskkill", "/T", "/F", "/PID", str(process.pid))
        subprocess.run(tree, capture_output=True, check=False)
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=_POLITE)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def contents(said: str) -> list[str]:
    """Return the objects that ``git cat-file --batch`` printed: a line that ends with the size, the object, a line end."""
    found, rest = [], said.encode(_ENCODING, "surrogateescape")
    while rest:
        head, _, rest = rest.partition(b"\n")
        size = int(head.rpartition(b" ")[2])
        found.append(rest[:size].decode(_ENCODING, "surrogateescape"))
        rest = rest[size + 1 :]
    return found


def quoted(value: str) -> str:
    """Return a value as it stands between quotes in Git's configuration (git-config(1), "Syntax")."""
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
