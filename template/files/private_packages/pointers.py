"""What stands in the place of a file that was not fetched from Git LFS (its specification): a pointer."""

from __future__ import annotations

from pathlib import Path

# How each begins, whatever the version of the specification.
HEAD = "version https://git-lfs.github.com/spec/"
# In bytes: its hash alone makes it larger than the one, and by its specification it is smaller than the other.
_SMALLEST, _LARGEST = 100, 1024


def is_pointer(path: Path) -> bool:
    """Tell whether a file is a pointer and not what it stands for; what cannot be read is none."""
    try:
        if path.is_symlink() or not _SMALLEST <= path.stat().st_size <= _LARGEST:
            return False
        with path.open("rb") as file:
            return file.read(len(HEAD)) == HEAD.encode()
    except OSError:
        return False
