"""Running Git: local commands."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path


class GitError(Exception):
    """A Git command failed; `causes.explain` says why in words for a person."""

    def __init__(self, stderr: str, *, stalled_after: int | None = None) -> None:
        """``stderr`` is Git's own text, ``stalled_after`` the silence in seconds that ended it."""
        super().__init__(stderr)
        self.stderr = stderr
        self.stalled_after = stalled_after

    @property
    def is_redirect(self) -> bool:
        """Whether the server redirects and Git was told not to follow."""
        return re.search(r"returned error: 3\d\d", self.stderr) is not None

    @property
    def is_missing_ref(self) -> bool:
        """Whether `git clone --branch` found neither a branch nor a tag of that name."""
        return re.search(r"Remote branch .* not found in upstream", self.stderr) is not None


def git(*arguments: str, cwd: Path, env: Mapping[str, str], stdin: str = "") -> str:
    """Run a local Git command and return its standard output.

    Raises `GitError` when Git fails or is not installed.
    """
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=cwd, env=env, input=stdin.encode(), capture_output=True, check=False
        )
    except FileNotFoundError as error:
        raise GitError("git: command not found") from error
    if done.returncode:
        raise GitError(done.stderr.decode(errors="replace"))
    return done.stdout.decode(errors="surrogateescape")


def escaped(value: str) -> str:
    """A value as it stands between quotes in Git's configuration (git-config(1), "Syntax")."""
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
