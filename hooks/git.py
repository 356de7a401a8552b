"""Running Git: its environment, and local commands."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

# Variables of the caller's own repository would send Git to the wrong one.
_REPOSITORY_VARIABLES = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_PREFIX",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
    "GIT_NAMESPACE",
)


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


def git_environment(environ: Mapping[str, str], *, silence: int = 15) -> dict[str, str]:
    """The environment for one Git process without a login of its own: no prompt, no hang.

    ``silence`` is in seconds. What the caller has in GIT_CONFIG_COUNT/KEY/VALUE (git-config(1),
    "ENVIRONMENT") stays.
    """
    env = {name: value for name, value in environ.items() if name not in _REPOSITORY_VARIABLES}
    # `true` answers every password prompt with nothing; without it SSH_ASKPASS opens a window.
    env.update(LC_ALL="C", GIT_TERMINAL_PROMPT="0", GIT_ASKPASS="true", SSH_ASKPASS_REQUIRE="never")
    return with_settings(env, ("http.lowSpeedLimit", "1"), ("http.lowSpeedTime", str(silence)))


def with_settings(env: Mapping[str, str], *settings: tuple[str, str]) -> dict[str, str]:
    """``env`` with more settings in GIT_CONFIG_COUNT/KEY/VALUE, appended to what is there."""
    count = int(env.get("GIT_CONFIG_COUNT") or 0)
    configured = {**env, "GIT_CONFIG_COUNT": str(count + len(settings))}
    for number, (key, setting) in enumerate(settings, start=count):
        configured[f"GIT_CONFIG_KEY_{number}"] = key
        configured[f"GIT_CONFIG_VALUE_{number}"] = setting
    return configured


def git(*arguments: str, cwd: Path, env: Mapping[str, str], stdin: str = "") -> str:
    """Run a local Git command and return its standard output.

    Raises `GitError` when Git fails or is not installed.
    """
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=cwd,
            env=env,
            input=stdin.encode("utf-8", "surrogateescape"),
            capture_output=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise GitError("git: command not found") from error
    if done.returncode:
        raise GitError(done.stderr.decode(errors="replace"))
    return done.stdout.decode(errors="surrogateescape")


def escaped(value: str) -> str:
    """A value as it stands between quotes in Git's configuration (git-config(1), "Syntax")."""
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
