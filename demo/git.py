"""Git without the user's settings: what the demo makes is the same on every machine."""

import os
import subprocess
from pathlib import Path


def git_environment() -> dict[str, str]:
    """Return the environment for a git process: no configuration of the user's or the system's, no prompt."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return kept | {
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
    }


def run_git(*arguments: str | Path, stdin: bytes = b"") -> str:
    """Run git with `arguments` and return what it printed, without the white space around it.

    Raises RuntimeError with git's own message when it fails.
    """
    done = subprocess.run(["git", *arguments], input=stdin, capture_output=True, env=git_environment())
    if done.returncode:
        raise RuntimeError(f"git {arguments[0]} failed: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout.decode().strip()


def work_tree_files(root: Path) -> list[str]:
    """The files of a work tree as Git sees them, untracked ones included and ignored ones not, by their paths in it."""
    listed = run_git("-C", root, "ls-files", "--cached", "--others", "--exclude-standard", "-z")
    return [name for name in filter(None, listed.split("\0")) if (root / name).is_file()]
