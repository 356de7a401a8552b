"""Where the app's Git repository is, or a new one."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from private_packages.config import SUBMODULES
from private_packages.errors import GitError

if TYPE_CHECKING:
    from private_packages.git import Git

# In a repository of `.git/modules`: its work tree may be gone, and in a damaged one Git would go up
# to the superproject's.
IN_MODULE = ("--git-dir=.", "--work-tree=.")


@dataclass(frozen=True)
class Repository:
    """Where things are: ``top`` of the work tree, its ``git_dir``, and the app's ``prefix`` below the top.

    ``common_dir`` is what all work trees of the repository share (git-worktree(1)): mostly the same as ``git_dir``.

    The prefix is empty, or such as ``apps/one/``. Paths of submodules start at the top, with forward slashes.
    """

    top: Path
    git_dir: Path
    common_dir: Path
    prefix: str
    git: Git

    def run(self, *arguments: str, stdin: str = "") -> str:
        """Run a local Git command at the top of the work tree; raises `GitError`."""
        return self.git.run(*arguments, cwd=self.top, stdin=stdin)

    def in_module(self, path: str, *arguments: str, stdin: str = "") -> str:
        """Run a local Git command in a submodule's own repository; raises `GitError`."""
        return self.git.run(*IN_MODULE, *arguments, cwd=self.module(path), stdin=stdin)

    def module(self, path: str) -> Path:
        """Return the folder of a submodule's repository (gitsubmodules(7))."""
        return self.git_dir / "modules" / path

    @property
    def scratch(self) -> Path:
        """Where a run keeps what is half-made; one that came to its end leaves no such folder."""
        return self.git_dir / "private-packages.tmp"

    @property
    def config_lock(self) -> str:
        """The lock of Git's configuration, which all work trees share, from ``git_dir``."""
        common, git_dir = self.common_dir.resolve(), self.git_dir.resolve()
        return Path(os.path.relpath(common / "config.lock", git_dir)).as_posix()

    @property
    def gitmodules(self) -> Path:
        """The file that counts is the one at the top (gitmodules(5))."""
        return self.top / ".gitmodules"

    @property
    def below(self) -> str:
        """The app's own folder of submodules, with a slash at its end."""
        return f"{self.prefix}{SUBMODULES}/"


def open_repository(app: Path, git: Git) -> Repository | None:
    """Return the repository that holds the app; None where there is none, or where it ignores the app's folder.

    Raises `GitError` when Git is missing or refuses to work there.
    """
    try:
        asked = ("--show-toplevel", "--absolute-git-dir", "--git-common-dir")
        top, git_dir, common = git.run("rev-parse", *asked, cwd=app).splitlines()
    except GitError as error:
        if "not found" in error.stderr or "dubious ownership" in error.stderr:
            raise
        return None
    folder = app.resolve()
    # The last may start at the app's folder.
    dirs = (Path(git_dir), app / common)
    if folder == Path(top).resolve():
        return Repository(app, *dirs, prefix="", git=git)
    if _is_ignored(app, git):
        return None
    prefix = folder.relative_to(Path(top).resolve()).as_posix() + "/"
    return Repository(Path(top), *dirs, prefix=prefix, git=git)


def _is_ignored(app: Path, git: Git) -> bool:
    try:
        git.run("check-ignore", "--quiet", ".", cwd=app)
    except GitError:
        return False
    return True


def init_repository(app: Path, git: Git) -> Repository:
    """Make a repository in the app's folder; raises `GitError`."""
    git.run("init", "--quiet", cwd=app)
    return Repository(app, app / ".git", app / ".git", prefix="", git=git)
