"""Where the app's repository is, or a new one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from git import GitError, git

# In a repository of `.git/modules`: its work tree may be gone, and in a damaged one Git would go up
# to the superproject's.
IN_MODULE = ("--git-dir=.", "--work-tree=.")


class Repository:
    """Where things are.

    ``top`` of the work tree, ``git_dir``, and the app's ``prefix`` below the top ("" or "apps/one/").
    """

    def __init__(self, *, top: Path, git_dir: Path, prefix: str, env: Mapping[str, str]) -> None:
        """``env`` is the environment for Git's processes."""
        self.top = top
        self.git_dir = git_dir
        self.prefix = prefix
        self.env = env

    def git(self, *arguments: str, stdin: str = "") -> str:
        """Run a local Git command at the top of the work tree; raises `GitError`."""
        return git(*arguments, cwd=self.top, env=self.env, stdin=stdin)

    def module(self, path: str) -> Path:
        """The folder of a submodule's repository (gitsubmodules(7))."""
        return self.git_dir / "modules" / path

    def in_module(self, path: str, *arguments: str, stdin: str = "") -> str:
        """Run a local Git command in a submodule's own repository; raises `GitError`."""
        return git(*IN_MODULE, *arguments, cwd=self.module(path), env=self.env, stdin=stdin)

    @property
    def gitmodules(self) -> Path:
        """The file that counts is the one at the top (gitmodules(5))."""
        return self.top / ".gitmodules"


def open_repository(app: Path, env: Mapping[str, str]) -> Repository | None:
    """The repository that holds the app, or None when there is none or when it ignores the app's folder."""
    try:
        top, git_dir = git(
            "rev-parse", "--show-toplevel", "--absolute-git-dir", cwd=app, env=env
        ).splitlines()
    except GitError as error:
        if "not found" in error.stderr:
            raise
        return None
    folder = app.resolve()
    if folder == Path(top).resolve():
        return Repository(top=app, git_dir=Path(git_dir), prefix="", env=env)
    if _ignored(app, env):
        return None
    prefix = folder.relative_to(Path(top).resolve()).as_posix() + "/"
    return Repository(top=Path(top), git_dir=Path(git_dir), prefix=prefix, env=env)


def _ignored(app: Path, env: Mapping[str, str]) -> bool:
    try:
        git("check-ignore", "--quiet", ".", cwd=app, env=env)
    except GitError:
        return False
    return True


def init_repository(app: Path, env: Mapping[str, str]) -> Repository:
    """Make a repository in the app's folder; raises `GitError`."""
    git("init", "--quiet", cwd=app, env=env)
    return Repository(top=app, git_dir=app / ".git", prefix="", env=env)
