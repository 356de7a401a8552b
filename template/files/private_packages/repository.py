"""Where the app's Git repository is, or a new one."""

from __future__ import annotations

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
    """Where things are: ``top`` of the work tree, ``git_dir``, and the app's ``prefix`` below the top.

    The prefix is empty, or such as ``apps/one/``. Paths of submodules start at the top, with forward slashes.
    """

    top: Path
    git_dir: Path
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
        top, git_dir = git.run(
            "rev-parse", "--show-toplevel", "--absolute-git-dir", cwd=app
        ).splitlines()
    except GitError as error:
        if "not found" in error.stderr or "dubious ownership" in error.stderr:
            raise
        return None
    folder = app.resolve()
    if folder == Path(top).resolve():
        return Repository(top=app, git_dir=Path(git_dir), prefix="", git=git)
    if _is_ignored(app, git):
        return None
    prefix = folder.relative_to(Path(top).resolve()).as_posix() + "/"
    return Repository(top=Path(top), git_dir=Path(git_dir), prefix=prefix, git=git)


def _is_ignored(app: Path, git: Git) -> bool:
    try:
        git.run("check-ignore", "--quiet", ".", cwd=app)
    except GitError:
        return False
    return True


def init_repository(app: Path, git: Git) -> Repository:
    """Make a repository in the app's folder; raises `GitError`."""
    git.run("init", "--quiet", cwd=app)
    return Repository(top=app, git_dir=app / ".git", prefix="", git=git)
