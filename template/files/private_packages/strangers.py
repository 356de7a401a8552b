"""Who would come in the place of a private package: what uv resolved, against the answers and the lock."""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import TYPE_CHECKING

from private_packages.findings import INSTALL, Finding
from private_packages.names import normalised
from private_packages.resolution import Pinned, Resolution, is_in
from private_packages.strategies.submodule import root_of
from private_packages.versions import is_same

if TYPE_CHECKING:
    from private_packages.allow import Allowed
    from private_packages.app import App
    from private_packages.config import Package
    from private_packages.lock import Lock

ATTACKED = "Do not install. Tell your security team: somebody may be attacking the name"


def strangers(
    app: App,
    lock: Lock,
    known: Container[str],
    resolution: Resolution,
    allowed: Allowed,
) -> Iterator[Finding]:
    """Find private names that would not come from their own repository or index, and what would be built unasked."""
    for one in resolution.pinned:
        key = normalised(one.name)
        owned = key in known or key.startswith(app.config.private_prefixes)
        package, locked = app.config.named(one.name), lock.version_of(one.name)
        if package is not None and package.strategy != "index":
            yield from _not_from_repository(app, package, one)
        elif locked and not is_same(one.version, locked.version):
            text = f"{one.version or one.place} would be installed, and the lock says {locked.version}"
            yield Finding("stranger", one.name, text, INSTALL)
        elif locked and not set(one.hashes) & set(locked.files.values()):
            text = f"{one.version} would come from {one.place}, and no file of it is in the lock. {ATTACKED}"
            yield Finding("stranger", one.name, text)
        elif not locked and (package or owned):
            text = f"{one.version} would come from {one.place}, and the private index does not have it. {ATTACKED}"
            yield Finding("stranger", one.name, text.lstrip())
        elif one.is_source and key not in allowed.build:
            yield built_from_source(one)


def built_from_source(one: Pinned) -> Finding:
    """Return what is said of a package that would be built although nobody allowed it."""
    text = (
        f"it would be built from {one.place}, which runs its code; if you want that, allow it in"
        f" private-packages.allow.toml: a table [[build]] with its name and a reason"
    )
    return Finding("built-from-source", one.name, text)


def _not_from_repository(app: App, package: Package, one: Pinned) -> Iterator[Finding]:
    url = one.source.removeprefix("@ ")
    root = root_of(app, package) if package.strategy == "submodule" else None
    if one.version or (root and not one.is_editable and not is_in(url, root)):
        text = f"{one.version} would come from {one.place}, not from its repository. {ATTACKED}"
        yield Finding("stranger", one.name, text.lstrip())
    elif root and app.config.platform == "viktor" and one.needed_by:
        text = "another package needs it, and VIKTOR would look for it on PyPI; make it a Git line or an index package"
        yield Finding("not-on-viktor", one.name, text)
