"""An update of this folder, file by file, so that at every moment there is a command that can be typed.

Copier's hook lays the new files down in `COMING`, and the manifest last: from then on the folder becomes the new
release, by the hook, or by the next command where that was killed. Before, it stays the old one.

Nothing of this folder is imported here: after a kill any other file may be of the other release.
"""

import shutil
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

# Git ignores it, it is on the same disk, and `git stash` leaves it alone.
COMING = "__pycache__/coming"
# Which release the files are of: the answers file, from the app's folder, and the line that says so there.
RELEASE = "release"
MANIFEST = "manifest.txt"
# What has to be there for the rest to be finished.
_FIRST = ("renewal.py", "__main__.py")
# How long Windows' refusals are outwaited, in seconds.
_PATIENCE = 2.0


def finish(folder: Path) -> None:
    """Copy what is coming into the folder, if it is all there and still wanted. Raises OSError."""
    coming = folder / COMING
    if (coming / MANIFEST).is_file() and _is_wanted(folder):
        old, new = _names(folder / MANIFEST), _names(coming / MANIFEST)
        for name in sorted(new, key=lambda name: (name not in _FIRST, name)):
            # What did not change does not come.
            if (coming / name).is_file():
                _copy(coming / name, folder / name, folder)
        for name in old - new:
            _again(partial((folder / name).unlink, missing_ok=True))
        _copy(coming / MANIFEST, folder / MANIFEST, folder)
        # Without it the rest is nothing that could be finished.
        _again((coming / MANIFEST).unlink)
        shutil.rmtree(coming, ignore_errors=True)
    elif not is_broken_off(folder):
        shutil.rmtree(coming, ignore_errors=True)


def is_broken_off(folder: Path) -> bool:
    """Tell whether a killed update has left the old release here, while the answers are the new one's."""
    coming = folder / COMING
    return (
        (coming / RELEASE).is_file()
        and not (coming / MANIFEST).exists()
        and _is_wanted(folder)
    )


def _is_wanted(folder: Path) -> bool:
    """Tell whether the answers are still of that release; who discards an update has the old ones again."""
    try:
        release = (folder / COMING / RELEASE).read_text(encoding="utf-8")
        name, _, line = release.rstrip("\n").partition("\n")
        return (
            not line
            or line in (folder.parent / name).read_text(encoding="utf-8").splitlines()
        )
    except (OSError, UnicodeDecodeError):
        return False


def _names(manifest: Path) -> set[str]:
    try:
        lines = manifest.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return set()
    names = {line.partition("  ")[2] for line in lines}
    return {
        name
        for name in names
        if name and not name.startswith("/") and ".." not in name.split("/")
    }


def _copy(source: Path, target: Path, folder: Path) -> None:
    """Replace a file in one step."""
    beside = folder / COMING / "next"
    shutil.copyfile(source, beside)
    target.parent.mkdir(parents=True, exist_ok=True)
    _again(lambda: beside.replace(target))


def _again(act: Callable[[], object]) -> None:
    limit = time.monotonic() + _PATIENCE
    while True:
        try:
            act()
            return
        except PermissionError:
            if time.monotonic() > limit:
                raise
            time.sleep(0.05)
