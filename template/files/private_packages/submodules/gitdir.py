"""The ``.git`` file in a submodule's work tree, which leads to its repository (gitrepository-layout(5))."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from private_packages.files import remove, rename, write_text

if TYPE_CHECKING:
    from private_packages.repository import Repository

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def read_link(folder: Path) -> Path | None:
    """Return where the work tree's repository is, made absolute; None when there is no such file."""
    link = folder / ".git"
    if not link.is_file():
        return None
    target = link.read_text(encoding="utf-8", errors="surrogateescape").strip()
    return Path(os.path.normpath(folder / target.removeprefix("gitdir:").strip()))


def write_link(folder: Path, module: Path, *, stands_at: Path | None = None) -> None:
    """Lead from a work tree to its repository, by a relative path, so that the app can be moved.

    ``stands_at`` is where the work tree will stand, if that is elsewhere. Raises OSError.
    """
    write_text(
        folder / ".git", f"gitdir: {relative_path(module, stands_at or folder)}\n"
    )


def relative_path(target: Path, start: Path) -> str:
    """Return a relative path with forward slashes, as `git submodule` writes it.

    Between two drives of Windows there is none: then it is the whole path, as Git's own worktrees have it.
    """
    try:
        return Path(os.path.relpath(target.resolve(), start.resolve())).as_posix()
    except ValueError:
        return target.resolve().as_posix()


def take_away(repository: Repository, path: str) -> None:
    """Remove a submodule's work tree and its repository, which were found to hold nothing of the user's.

    In this order a killed run leaves what the next one takes for half-made, not for the user's work: the repository
    is whole, but for its index, until the work tree is gone, and then goes in one step. Raises OSError.
    """
    folder, module = repository.top / path, repository.module(path)
    remove(module / "index")
    for entry in folder.iterdir() if folder.is_dir() else ():
        if entry.name != ".git":
            remove(entry)
    remove(folder)
    if module.exists():
        gone = repository.scratch / f"{path.replace('/', '-')}.gone"
        remove(gone)
        rename(module, gone)
        remove(gone)


def is_detached(module: Path) -> bool:
    """Tell whether a repository's HEAD is at a commit and on no branch; read without Git."""
    try:
        head = (module / "HEAD").read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return False
    return _COMMIT.fullmatch(head) is not None


def head_of(module: Path) -> str:
    """Return the commit that a repository's HEAD is at, or the empty string; read without Git.

    A branch is followed to its file; where refs are kept in another form, the answer is empty.
    """
    try:
        head = (module / "HEAD").read_text(encoding="ascii").strip()
        if head.startswith("ref: refs/"):
            head = (
                (module / head.removeprefix("ref: "))
                .read_text(encoding="ascii")
                .strip()
            )
    except (OSError, UnicodeDecodeError):
        return ""
    return head if _COMMIT.fullmatch(head) else ""
