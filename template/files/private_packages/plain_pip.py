"""What a host that runs plain pip on requirements.txt by itself might take of a private name: a public namesake."""

from __future__ import annotations

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from private_packages.findings import Finding
from private_packages.remote import AT_ONCE
from private_packages.resolution import Pinned, Resolution, read_compiled
from private_packages.uv import Uv, UvFailed

if TYPE_CHECKING:
    from private_packages.app import App
    from private_packages.lock import Lock, LockedVersion

_OPTIONS = (
    *("--quiet", "-", "--no-deps", "--no-build", "--prerelease", "allow"),
    *("--generate-hashes", "--no-header", "--no-annotate"),
)


def namesakes(
    app: App, uv: Uv, lock: Lock, resolution: Resolution, python: Path
) -> list[Finding]:
    """Find the packages of the private index for whose lines a public index has a file, too."""
    index = app.config.index
    if index is None or index.scope in ("only", "files"):
        return []

    def ask(one: Pinned) -> Finding | None:
        locked, package = lock.version_of(one.name), app.config.named(one.name)
        if locked is None:
            return None
        requirement = package.requirement if package else one.name
        try:
            return _namesake(app, uv, python, locked, requirement)
        except UvFailed as error:
            text = f"nobody can say whether a public index offers it, too: {error}"
            return Finding("cannot-ask", one.name, text.rstrip("."))

    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool, uv.stopping():
        return [one for one in pool.map(ask, resolution.pinned) if one]


def _namesake(
    app: App, uv: Uv, python: Path, locked: LockedVersion, requirement: str
) -> Finding | None:
    ours = set(locked.files.values())
    offered = _offered(app, uv, python, requirement)
    if offered is None or (offered and all(set(one.hashes) <= ours for one in offered)):
        return None
    # Who publishes the very file there, too, owns the name there.
    same = _offered(app, uv, python, f"{locked.name}=={locked.version}")
    if same and any(ours & set(one.hashes) for one in same):
        return None
    version = f" {offered[0].version}" if offered else ""
    text = (
        f"a public index offers{version} under this name, and plain pip might take that"
    )
    return Finding("public-namesake", locked.name, text)


def _offered(
    app: App, uv: Uv, python: Path, requirement: str
) -> Sequence[Pinned] | None:
    """Return what a public index has for a requirement; nothing where it has sources alone, None where it has none.

    Raises `UvFailed` when it cannot be asked.
    """
    try:
        output = uv.run(
            "pip", "compile", *_OPTIONS, "--python", python, stdin=f"{requirement}\n"
        )
    except UvFailed as error:
        if re.search(r"has no (?:usable )?wheels", error.said):
            return ()
        if "No solution found" in error.said and "could not be" not in error.said:
            return None
        raise
    return tuple(read_compiled(output, app)) or None
