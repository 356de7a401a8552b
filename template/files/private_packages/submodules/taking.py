"""Taking a submodule over that Git keeps under another name: its repository comes to stand where its path says.

A copy is made whole and moved into place before anything leads to it, so that at every moment the work tree has a
repository. What is left of the old one stands in `TAKING` until it is gone.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from private_packages.errors import GitError
from private_packages.files import read_text, remove, rename, write_text
from private_packages.submodules.gitdir import read_link, relative_path, write_link
from private_packages.submodules.state import TAKING

if TYPE_CHECKING:
    from private_packages.repository import Repository


def take_over(repository: Repository, path: str) -> None:
    """Do it, or finish what a killed run began.

    Raises `FileExistsError` with the repository that is in the way, `GitError` and OSError.
    """
    folder, new = repository.top / path, repository.module(path)
    journal = new / TAKING
    old = read_link(folder)
    if old is not None and not _is_same(old, new):
        if new.resolve().is_relative_to(old.resolve()):
            raise FileExistsError(old)
        if new.exists():
            if not journal.exists():
                raise FileExistsError(new)
            # Nothing has led to it yet.
            remove(new)
        _put_copy(repository, old, new)
        write_link(folder, new)
    old = repository.git_dir / read_text(journal).strip()
    for nested, place in _nested(repository, old):
        write_link(place, new / nested.relative_to(old))
    remove(old)
    remove(journal)


def _is_same(one: Path, other: Path) -> bool:
    return one.resolve() == other.resolve()


def _put_copy(repository: Repository, old: Path, new: Path) -> None:
    """Copy a repository with what is nested in it, and let each copy know its work tree."""
    beside = repository.scratch / "taking"
    remove(beside)
    shutil.copytree(old, beside, copy_function=_link_or_copy, symlinks=True)
    for module, place in [
        (old, _work_tree(repository, old)),
        *_nested(repository, old),
    ]:
        inside = module.relative_to(old)
        if place is not None:
            worktree = relative_path(place, new / inside)
            file = str(beside / inside / "config")
            repository.run("config", "--file", file, "core.worktree", worktree)
    name = Path(os.path.relpath(old.resolve(), repository.git_dir.resolve()))
    write_text(beside / TAKING, f"{name.as_posix()}\n")
    new.parent.mkdir(parents=True, exist_ok=True)
    rename(beside, new)


def _link_or_copy(source: str, target: str) -> None:
    """Take an object, which never changes, as it is; copy everything else."""
    if "objects" in Path(source).parts:
        with contextlib.suppress(OSError):
            os.link(source, target)
            return
    shutil.copy2(source, target)


def _nested(repository: Repository, module: Path) -> Iterator[tuple[Path, Path]]:
    """Yield the repositories of a submodule's own submodules, each with its work tree."""
    for config in sorted((module / "modules").rglob("config")):
        place = _work_tree(repository, config.parent)
        if (config.parent / "HEAD").is_file() and place is not None and place.is_dir():
            yield config.parent, place


def _work_tree(repository: Repository, module: Path) -> Path | None:
    file = str(module / "config")
    try:
        value = repository.run("config", "--file", file, "core.worktree")
    except GitError:
        return None
    return Path(os.path.normpath(module / value.rstrip("\n")))
