"""Reading and writing files alike on every system: the one writer of the command.

Line endings stay as they are. A file is replaced in one step, so that a killed run leaves the old one or
the new one. Windows refuses a rename or a removal while a virus scanner has the file open: both are tried
again for two seconds. It also refuses to re-create a hidden file: that one is written in place.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import stat
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from private_packages.errors import Failure
from private_packages.names import TAKE_BACK

# How long Windows' refusals are outwaited, in seconds.
PATIENCE = 2.0
# How the name of a file begins that is not yet in its place.
UNFINISHED = "private-packages"
# The byte order marks of UTF-16 (the encodings keep them at the text's beginning).
_MARKS = ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))


def read_text(path: Path) -> str:
    """Return a text with line feeds only; bytes that are no UTF-8 survive until `write_text`.

    Raises OSError.
    """
    return path.read_bytes().decode("utf-8", "surrogateescape").replace("\r\n", "\n")


def read_if_there(path: Path) -> str | None:
    """Return a text file's content as `read_text` does, None where there is none. Raises `Failure`."""
    try:
        return read_text(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Failure(f"{path.name} cannot be read: {error.strerror}.") from error


def read_exactly(path: Path) -> tuple[str, str]:
    """Return a text with its own line endings, and its encoding; a byte order mark stays at the text's beginning.

    UTF-8, or UTF-16 with its mark, as PowerShell 5.1 writes it; bytes that are neither survive `write_exactly`.
    Raises OSError.
    """
    content = path.read_bytes()
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return content.decode(encoding, "surrogatepass"), encoding
    return content.decode("utf-8", "surrogateescape"), "utf-8"


def own_text(name: str) -> str:
    """Return the text of a file that belongs to the command. Raises `Failure`."""
    try:
        return read_text(Path(__file__).with_name(name))
    except OSError as error:
        raise Failure(
            f"private_packages/{name} cannot be read; take it back with `{TAKE_BACK}`."
        ) from error


def write_exactly(path: Path, text: str, encoding: str = "utf-8") -> None:
    """Replace a file's text as it is, as `read_exactly` returned it. Raises OSError."""
    errors = "surrogateescape" if encoding == "utf-8" else "surrogatepass"
    _write(path, text.encode(encoding, errors))


def has_conflict(text: str) -> bool:
    """Tell whether a merge left its marks in a text."""
    return re.search(r"(?m)^(?:<<<<<<<|>>>>>>>) ", text) is not None


def sides_of(text: str) -> tuple[str, str]:
    """Return what a text with conflicts is on our side, and on theirs; a common ancestor between is left out."""
    ours: list[str] = []
    theirs: list[str] = []
    into: tuple[list[str], ...] = (ours, theirs)
    for line in text.splitlines(keepends=True):
        mark = line[:7]
        if mark == "<" * 7:
            into = (ours,)
        elif mark == "|" * 7:
            into = ()
        elif mark == "=" * 7:
            into = (theirs,)
        elif mark == ">" * 7:
            into = (ours, theirs)
        else:
            for side in into:
                side.append(line)
    return "".join(ours), "".join(theirs)


def write_text(path: Path, text: str, *, private: bool = False) -> None:
    """Replace a file's text, with the line endings that it has; a new file gets line feeds.

    ``private``: nobody else may read it (mode 0600). Raises OSError.
    """
    before = path.read_bytes() if path.exists() else b""
    ending = b"\r\n" if b"\r\n" in before else b"\n"
    content = text.encode("utf-8", "surrogateescape").replace(b"\n", ending)
    _write(path, content, private=private)


def _write(path: Path, content: bytes, *, private: bool = False) -> None:
    if path.is_symlink() or _is_hidden(path):
        with path.open("r+b") as file:
            file.write(content)
            file.truncate()
        return
    ending = f"{os.getpid()}.{threading.get_ident()}.new"
    beside = path.with_name(f"{UNFINISHED}.{path.name}.{ending}")
    unseen = half_written(path, ending)
    if unseen != beside:
        # Git's folder may lie on another disk, or be closed to us.
        with contextlib.suppress(OSError):
            _replace(path, content, unseen, private=private)
            return
    _replace(path, content, beside, private=private)


def half_written(path: Path, ending: str) -> Path:
    """Return where a file is kept that is not in its place yet: in Git's folder, if there is one.

    There `git add --all` does not take what a killed run leaves for a file of the app's.
    """
    for folder in path.parents:
        git_dir = _git_dir(folder)
        # What leads from a submodule to its repository is part of the app's.
        if git_dir is not None and folder / ".git" != path:
            name = "-".join(path.relative_to(folder).parts)
            return git_dir / f"{UNFINISHED}.{name}.{ending}"
    return path.with_name(f"{UNFINISHED}.{path.name}.{ending}")


def _git_dir(folder: Path) -> Path | None:
    """Return Git's folder of a work tree's top, also where a file leads to it (gitrepository-layout(5))."""
    place = folder / ".git"
    if place.is_dir():
        return place
    try:
        target = place.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return None
    found = folder / target.removeprefix("gitdir:").strip()
    return found if found.is_dir() else None


def _replace(path: Path, content: bytes, beside: Path, *, private: bool) -> None:
    try:
        mode = 0o600 if private else 0o666
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        if path.exists() and not private:
            beside.chmod(stat.S_IMODE(path.stat().st_mode))
        again(lambda: beside.replace(path))
    except BaseException as error:
        with contextlib.suppress(OSError):
            beside.unlink()
        if isinstance(error, OSError):
            # A person knows the file by its own name.
            error.filename, error.filename2 = str(path), None
        raise


def rename(source: Path, target: Path) -> None:
    """Move a file or a folder within one disk, outwaiting who has it open. Raises OSError."""
    again(lambda: source.replace(target))


def remove(path: Path) -> None:
    """Remove a file or a folder with what is in it, as far as that goes; a missing one is no error.

    Git makes its packs read-only, and Windows deletes no read-only file.
    """
    if path.is_dir() and not path.is_symlink():
        if sys.version_info >= (3, 12):
            shutil.rmtree(path, onexc=_remove_read_only)
        else:
            shutil.rmtree(path, onerror=_remove_read_only)
    elif path.is_symlink() or path.exists():
        with contextlib.suppress(OSError):
            again(path.unlink)


def again(act: Callable[[], object]) -> None:
    """Do something that Windows may refuse for a moment, until it works or `PATIENCE` is over. Raises OSError."""
    limit = time.monotonic() + PATIENCE
    while True:
        try:
            act()
            return
        except PermissionError:
            if sys.platform != "win32" or time.monotonic() > limit:
                raise
            time.sleep(0.05)


def why_not(error: OSError, place: str) -> str:
    """Return one clause, cause and cure, for a file or folder at ``place`` that cannot be read or written."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return "the disk is full; make room"
    return f"{error.strerror or error}; make {place} writable"


def _is_hidden(path: Path) -> bool:
    """Tell whether Windows hides a file, as Git for Windows does with those whose names start with a dot."""
    try:
        attributes: int = getattr(path.stat(), "st_file_attributes", 0)
    except OSError:
        return False
    return bool(attributes & stat.FILE_ATTRIBUTE_HIDDEN)


def _remove_read_only(function: Callable[..., object], path: str, _: object) -> None:
    """Go on where `shutil.rmtree` was refused."""
    with contextlib.suppress(OSError):
        Path(path).chmod(stat.S_IRWXU)
        again(lambda: function(path))
