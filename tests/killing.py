"""Ending a command at a moment of one's choice: before the n-th thing that it changes or starts.

A `sitecustomize` of the tests' own counts what Python audits (PEP 578): files opened for writing, renamed and
removed, folders made and removed, programs started. So kills are spread by stage, and not by luck.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

if sys.platform != "win32":
    import fcntl

_WATCHER = """
import os, signal, sys, threading, time

_CHANGING = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.chmod"}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_me, _lock = os.getpid(), threading.Lock()
_at, _delay, _how = int(os.environ["KILL_AT"]), float(os.environ["KILL_DELAY"]), os.environ["KILL_HOW"]
_log = os.open(os.environ["KILL_LOG"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
_count = 0


def _children():
    for task in os.listdir("/proc/self/task"):
        with open(f"/proc/self/task/{task}/children") as file:
            yield from map(int, file.read().split())


def _die():
    if _how.endswith("all"):
        for child in list(_children()):
            try:
                os.killpg(child, signal.SIGKILL)
            except ProcessLookupError:
                pass
    if _how.startswith("SIGKILL"):
        os.kill(_me, signal.SIGKILL)
    os.killpg(os.getpgrp(), getattr(signal, _how))


def _die_later():
    time.sleep(_delay)
    _die()


def _watch(event, arguments):
    global _count
    if event == "subprocess.Popen":
        what = " ".join(map(str, arguments[1][:12]))
    elif event == "open":
        path, _, flags = arguments
        if isinstance(path, int) or not flags & _WRITING or str(path).startswith("/dev/"):
            return
        what = str(path)
    elif event in _CHANGING:
        what = str(arguments[0])
    else:
        return
    if os.getpid() != _me:
        return
    with _lock:
        number, _count = _count, _count + 1
    os.write(_log, f"{event} {what}\\n".encode("utf-8", "surrogateescape"))
    if number == _at:
        if _delay:
            threading.Thread(target=_die_later, daemon=True).start()
        else:
            _die()


if any(word == "private_packages" or os.path.basename(word) == "sync.py" for word in sys.orig_argv):
    sys.addaudithook(_watch)
"""
HOWS = ("SIGKILL", "SIGKILL all", "SIGTERM", "SIGINT")
NEVER = -1


@dataclass(frozen=True)
class Kill:
    """Before event `at`, or `delay` seconds after it, which starts a program.

    `SIGKILL` leaves Git to itself, `SIGKILL all` is a loss of power; the others reach the process group, as from
    a terminal, which Git's own sessions are not part of.
    """

    at: int
    how: str = "SIGKILL"
    delay: float = 0.0


def install_watcher(folder: Path) -> Path:
    """Write the `sitecustomize`; return the folder for PYTHONPATH."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(_WATCHER)
    return folder


def run_until(
    kill: Kill, command: Sequence[str], cwd: Path, environment: Mapping[str, str], watcher: Path, log: Path
) -> tuple[int, str, list[str]]:
    """Run a command that is ended so; return its exit code, what it said, and the events by then."""
    log.unlink(missing_ok=True)
    log.touch()
    path = os.pathsep.join(filter(None, (str(watcher), environment.get("PYTHONPATH"))))
    watched = {"KILL_AT": str(kill.at), "KILL_DELAY": str(kill.delay), "KILL_HOW": kill.how}
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env={**environment, "PYTHONPATH": path, "KILL_LOG": str(log), **watched},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        # Its own process group: a signal to that is not one to the tests.
        start_new_session=True,
    )
    try:
        # Not to the end of the stream: a Git that lives on keeps no pipe of ours, but may keep another's.
        _, said = process.communicate(timeout=60)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return process.returncode, said, log.read_text().splitlines()


def wait_for_git(app: Path) -> None:
    """Wait until no Git of a killed run lives: each inherits the lock that the run held."""
    if sys.platform == "win32":
        return
    folder = os.open(app / ".git", os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    os.close(folder)
