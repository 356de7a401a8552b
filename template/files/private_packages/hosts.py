"""What is known of Git hosts and package indexes: the table in hosts.json, which the questionnaire reads too.

kind: ``git`` or ``index``. match: how a host is recognised, where it can be. users: the host's constants,
written literally as user names. scopes: what the token must be allowed, as Markdown. command: what prints a
token, where a command does; ``\\1`` is the first group of ``match``.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from private_packages.files import own_text


@dataclass(frozen=True)
class Host:
    """One kind of host."""

    key: str
    kind: str
    match: str
    command: str
    users: tuple[str, ...]
    scopes: str

    def token_command(self, host: str) -> str:
        """Return what prints a token for a host of this kind; empty where no command does."""
        return re.sub(self.match, self.command, host) if self.command else ""


def table() -> list[Host]:
    """Return all kinds of hosts. Raises `Failure`."""
    text = own_text("hosts.json")
    rows = json.loads(text)
    return [Host(**{**row, "users": tuple(row["users"])}) for row in rows]


def of(host: str, kind: str) -> Host | None:
    """Return the kind of a host, such as ``github.com``; None where its name does not tell."""
    return next(
        (
            one
            for one in table()
            if one.kind == kind and one.match and re.search(one.match, host)
        ),
        None,
    )
