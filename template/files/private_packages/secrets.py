"""Literal logins in tracked files: looked for by Git, in the shapes that hosts give out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from private_packages.allow import load
from private_packages.errors import GitError
from private_packages.files import own_text
from private_packages.findings import Finding
from private_packages.repository import open_repository

if TYPE_CHECKING:
    from private_packages.app import App
    from private_packages.strategies.base import View

# Logins in addresses (a POSIX extended regular expression, as `git grep -E` takes it); `...` stands for one.
_IN_AN_ADDRESS = (
    r"[a-z+]+://[^/@:[:space:]\"'`<>$]*:([.]?[^/@[:space:]\"'`<>$*.…]){3,}@[A-Za-z0-9]"
)


def patterns() -> list[str]:
    """Return what a literal login looks like: in an address, or a token whose shape says where it comes from.

    The table of tokens is in tokens.json, which the questionnaire reads too; `begins` and `rest` mean the same to
    Python, Jinja and Git. Raises `Failure`.
    """
    text = own_text("tokens.json")
    rows = json.loads(text)
    tokens = [f"{row['begins']}{row['rest']}{{{row['length']}}}" for row in rows]
    return [_IN_AN_ADDRESS, *tokens]


def find(app: App, view: View) -> list[Finding]:
    """Return the lines of tracked files that hold a literal login, unless private-packages.allow.toml names them.

    Where the app is in no repository nothing is tracked. Raises `Failure`, and `GitError` when Git cannot look.
    """
    if view.repository is None:
        _see_why_not(app)
        return []
    sought = [part for pattern in patterns() for part in ("-e", pattern)]
    try:
        listed = app.git.run(
            "grep", "-nIE", "--full-name", "-z", *sought, "--", ".", cwd=app.folder
        )
    except GitError as error:
        # Nothing found is exit 1 without a word (git-grep(1)).
        if error.stderr.strip():
            raise
        return []
    allowed = load(app.folder).secrets
    found = []
    for line in filter(None, listed.split("\n")):
        name, number, text = [*line.split("\0", 2), "", ""][:3]
        name = name.removeprefix(view.repository.prefix)
        if not any(file == name and part in text for file, part in allowed):
            found.append(
                Finding(
                    "secret",
                    "",
                    f"{name}:{number} holds a literal login; take it out and have it revoked, or allow it with a reason in private-packages.allow.toml",
                )
            )
    return found


def _see_why_not(app: App) -> None:
    """Do nothing where the app is in no repository, or Git is not here. Raises `GitError` where Git refuses to look."""
    try:
        open_repository(app.folder, app.git)
    except GitError as error:
        if "command not found" not in error.stderr:
            raise
        note = "note: Git is not here, so nobody looked for logins in the app's files."
        app.output.say(note, "aside")
