"""Reviewed exemptions: private-packages.allow.toml, written by people, a reason each.

[[build]]            # may be built from its source distribution
name = "legacy-tool"
reason = "No wheel; reviewed at 1.4.2."

[[options]]          # a line of requirements.txt that may stand there
line = "--pre"
reason = "…"

[[secrets]]          # looks like a login and is none
file = "docs/example.md"
line = "postgres://test:…@localhost"
reason = "…"
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from private_packages.errors import Failure
from private_packages.names import normalised

FILE = "private-packages.allow.toml"


@dataclass(frozen=True)
class Allowed:
    """``build``: normalised names; ``options``: whole lines; ``secrets``: files with the text that stands there."""

    build: frozenset[str] = frozenset()
    options: frozenset[str] = frozenset()
    secrets: frozenset[tuple[str, str]] = frozenset()


def load(folder: Path) -> Allowed:
    """Read a folder's exemptions; none without the file. Raises `Failure`."""
    try:
        data = tomllib.loads((folder / FILE).read_text(encoding="utf-8"))
        unknown = set(data) - {"build", "options", "secrets"}
        if unknown:
            raise ValueError(f"[[{min(unknown)}]] is not one of its tables")
        return Allowed(
            build=frozenset(
                normalised(_text(one, "name")) for one in data.get("build", [])
            ),
            options=frozenset(_text(one, "line") for one in data.get("options", [])),
            secrets=frozenset(
                (_text(one, "file"), _text(one, "line"))
                for one in data.get("secrets", [])
            ),
        )
    except FileNotFoundError:
        return Allowed()
    except (OSError, ValueError, RecursionError, AttributeError, TypeError) as error:
        raise Failure(f"{FILE} cannot be used: {error}; correct it.") from error


def _text(table: dict[str, Any], key: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"a table has no `{key}`")
    if not str(table.get("reason", "")).strip():
        raise ValueError(f"`{value}` has no reason")
    return value.strip()
