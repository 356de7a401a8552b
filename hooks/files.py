"""Files and folders alike on every system: line endings stay as they are, and read-only files go."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path


def read_text(path: Path) -> str:
    """A text with line feeds only; bytes that are no UTF-8 survive until `write_text`. Raises OSError."""
    return path.read_bytes().decode("utf-8", "surrogateescape").replace("\r\n", "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text with the line endings that the file has; a new one gets line feeds, as Copier writes them.

    Python's own text mode would write those of the system, and the next update would take every line for
    a change of the user's. Raises OSError.
    """
    ending = b"\r\n" if path.exists() and b"\r\n" in path.read_bytes() else b"\n"
    path.write_bytes(text.encode("utf-8", "surrogateescape").replace(b"\n", ending))


def explain_failure(error: OSError, place: str) -> str:
    """One clause, cause and cure, for a file or folder at ``place`` that could not be read or written."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return "the disk is full; make room"
    return f"{error.strerror or error}; make {place} writable"


def remove(folder: Path) -> None:
    """Remove a folder and what is in it, as far as that goes.

    Git makes its packs read-only, and Windows deletes no read-only file.
    """

    def retry(function: Callable[..., object], path: str, _: object) -> None:
        if function is os.unlink:
            with contextlib.suppress(OSError):
                Path(path).chmod(stat.S_IWRITE)
                Path(path).unlink()

    if not folder.exists():
        return
    # Only where something is removed: it imports three kinds of compression.
    import shutil

    if sys.version_info >= (3, 12):
        shutil.rmtree(folder, onexc=retry)
    else:
        shutil.rmtree(folder, onerror=retry)
