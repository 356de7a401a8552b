"""The ``.git`` file in a submodule's work tree, which leads to its repository (gitrepository-layout(5))."""

from __future__ import annotations

import os
from pathlib import Path

from files import write_text


def read_link(folder: Path) -> Path | None:
    """Where the work tree's repository is, made absolute; None when there is no such file."""
    link = folder / ".git"
    if not link.is_file():
        return None
    target = (
        link.read_text(encoding="utf-8", errors="surrogateescape").strip().removeprefix("gitdir:").strip()
    )
    return Path(os.path.normpath(folder / target))


def write_link(folder: Path, module: Path, *, stands_at: Path | None = None) -> None:
    """Lead from a work tree to its repository, by a relative path, so that the app can be moved.

    ``stands_at`` is where the work tree will stand, if that is elsewhere.
    """
    write_text(folder / ".git", f"gitdir: {relative_path(module, stands_at or folder)}\n")


def relative_path(target: Path, start: Path) -> str:
    """A relative path with forward slashes, as `git submodule` writes it."""
    return Path(os.path.relpath(target.resolve(), start.resolve())).as_posix()
