"""One run at a time in a repository, and what is left of one that was killed.

A run holds a lock on the folder of Git's, which the programs that it starts inherit. So the next one knows whether
the Git of a killed run is still at work, and once it is not, that the locks which that took are nobody's.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from private_packages.errors import Failure
from private_packages.files import UNFINISHED, read_text, remove, write_text
from private_packages.findings import SYNC
from private_packages.names import listed

if TYPE_CHECKING:
    from private_packages.app import App
    from private_packages.repository import Repository

# The end of the names of files that say where Git may leave a lock when it is killed.
_NOTE = ".locks"


@contextlib.contextmanager
def alone(app: App, repository: Repository) -> Iterator[None]:
    """Keep other runs off, and wait for the Git of a killed one; then clear up behind that.

    Raises `Failure` when the other one takes longer than a server may be silent, and OSError.
    """
    with _locked(app, repository):
        _clear_up(repository)
        yield
        remove(repository.scratch)


if sys.platform == "win32":

    @contextlib.contextmanager
    def _locked(app: App, repository: Repository) -> Iterator[None]:
        """Windows has no lock that programs inherit: there two runs at once are the person's care."""
        yield

else:
    import fcntl

    # What Git starts in the background on a user's wish; gc and maintenance are switched off in our runner.
    _DAEMON = re.compile(r"credential-cache--daemon|fsmonitor--daemon")

    @contextlib.contextmanager
    def _locked(app: App, repository: Repository) -> Iterator[None]:
        """Hold the lock, and let Git inherit it."""
        folder = os.open(repository.common_dir, os.O_RDONLY)
        try:
            _wait(app, folder)
            app.git.inherited = (folder,)
            yield
            # What Git left in the background, such as its housekeeping, would hold it on. After a kill or Ctrl-C
            # that is as it should be.
            fcntl.flock(folder, fcntl.LOCK_UN)
        finally:
            app.git.inherited = ()
            os.close(folder)

    def _wait(app: App, folder: int) -> None:
        limit = time.monotonic() + app.git.silence + 2
        look = 0.0
        while True:
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError as error:
                if time.monotonic() >= look:
                    holders = _holders(folder)
                    look = time.monotonic() + 0.5
                # Such a one touches no repository, and may live for days.
                if holders and all(_DAEMON.search(one) for one in holders.values()):
                    return
                if time.monotonic() > limit:
                    raise Failure(_at_work(holders)) from error
                app.output.progress("  waiting for another run …")
                time.sleep(0.02)
            except OSError:
                # Some file systems of a network have no locks.
                return

    def _holders(folder: int) -> dict[str, str]:
        """Return the command lines of those who hold the folder's lock, by process id; Linux tells."""
        found = {}
        for process in Path("/proc").glob("[0-9]*"):
            # Those of other people, and those that end meanwhile.
            with contextlib.suppress(OSError):
                place = Path(f"/proc/self/fd/{folder}").readlink()
                if any(
                    one.readlink() == place
                    and b"FLOCK" in (process / "fdinfo" / one.name).read_bytes()
                    for one in (process / "fd").iterdir()
                ):
                    line = (process / "cmdline").read_bytes().replace(b"\0", b" ")
                    found[process.name] = line.decode("utf-8", "replace")
        return found

    def _at_work(holders: Mapping[str, str]) -> str:
        """Say who holds the lock; of a command line no more than the program, since it may hold a secret."""
        named = [
            f"process {number}, {Path(line.split(' ')[0]).name}"
            for number, line in sorted(holders.items())
        ]
        those = f" ({listed(named)})" if named else ""
        return (
            f"Another run is at work here, or the Git of one that was killed{those}; once it has ended,"
            f" type `{SYNC}`."
        )


def _clear_up(repository: Repository) -> None:
    """Remove what a killed run left: the locks of its Git, and everything half-made."""
    for git_dir in {repository.git_dir, repository.common_dir}:
        for left in git_dir.glob(f"{UNFINISHED}.*.new"):
            remove(left)
    for note in repository.scratch.glob(f"*{_NOTE}"):
        for name in read_text(note).splitlines():
            place = repository.git_dir / name
            for lock in place.rglob("*.lock") if place.is_dir() else [place]:
                remove(lock)
    remove(repository.scratch)


def note_locks(repository: Repository, note: str, *places: str) -> None:
    """Write down which locks Git may leave when it is killed; a folder stands for all that are in it.

    What is there already is somebody else's. The places start at Git's folder.
    """
    ours = [
        place
        for place in places
        if not place.endswith(".lock") or not (repository.git_dir / place).exists()
    ]
    repository.scratch.mkdir(exist_ok=True)
    write_text(
        repository.scratch / f"{note}{_NOTE}", "".join(f"{place}\n" for place in ours)
    )


@contextlib.contextmanager
def noted(repository: Repository, lock: str) -> Iterator[None]:
    """Note one lock for as long as Git may hold it."""
    note = lock.replace("/", "-")
    note_locks(repository, note, lock)
    yield
    # Git removes its lock when it fails, or is ended politely.
    remove(repository.scratch / f"{note}{_NOTE}")
