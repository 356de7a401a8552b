"""What only an installer can tell, put into the lock: versions of open wants, and private packages that others need."""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from private_packages import index
from private_packages.errors import Failure
from private_packages.findings import Finding, Stop
from private_packages.lock import Lock, LockedCommit, LockedVersion, is_needed_only
from private_packages.names import normalised
from private_packages.remote import AT_ONCE
from private_packages.strategies.index import locked_at

if TYPE_CHECKING:
    from private_packages.app import App
    from private_packages.resolution import Pinned, Resolution

_COMMIT = re.compile(r"@([0-9a-f]{40,64})(?:#|\Z)")


def complete(
    app: App,
    lock: Lock,
    known: Container[str],
    resolution: Resolution,
    everywhere: Resolution | None = None,
    builds: Resolution | None = None,
) -> Lock:
    """Return the lock with what resolving told.

    ``known`` are the names that were private before. ``everywhere`` is what other systems need, too; without it
    nothing is taken out of the lock. ``builds`` is what the submodules are built with. Raises `Failure`.
    """
    completed = Lock(lock)
    for package in app.config.packages:
        pinned = resolution.named(package.name)
        if package.key in completed or pinned is None:
            continue
        if package.strategy == "index" and pinned.version:
            completed.put(_ask(app, package.name, pinned.version, package.requirement))
        elif package.strategy == "git" and (found := _COMMIT.search(pinned.source)):
            completed.put(
                LockedCommit(package.name, "git", package.url, package.ref, found[1])
            )
    pinned_anywhere = [
        one
        for found in (resolution, everywhere, builds)
        if found is not None
        for one in found.pinned
    ]
    needed: dict[str, Pinned] = {}
    for one in pinned_anywhere:
        if _may_be_private(app, completed, known, one):
            needed.setdefault(normalised(one.name), one)
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        for entry in pool.map(lambda one: _needed(app, one), needed.values()):
            if entry is not None:
                completed.put(entry)
    if everywhere is not None:
        _forget(completed, pinned_anywhere)
    return completed


def _forget(lock: Lock, pinned: Sequence[Pinned]) -> None:
    """Take out what only another package needed, and needs no more."""
    names = {normalised(one.name) for one in pinned}
    for key, entry in list(lock.items()):
        if is_needed_only(entry) and key not in names:
            del lock[key]


def _may_be_private(app: App, lock: Lock, known: Container[str], one: Pinned) -> bool:
    """Tell whether the private index has to be asked about a package that is not among the answers."""
    private_index = app.config.index
    if private_index is None or app.config.named(one.name) or one.is_editable:
        return False
    if normalised(one.name) in lock and one.version:
        return False
    name = normalised(one.name)
    if name in known or name.startswith(app.config.private_prefixes):
        return True
    # An index that stands in for PyPI has everything.
    if private_index.scope == "only":
        return False
    return not one.version or (
        one.index.rstrip("/") == private_index.address.rstrip("/")
    )


def _needed(app: App, one: Pinned) -> LockedVersion | None:
    """Return what is locked of a package, or None where the private index does not have it. Raises `Stop`."""
    try:
        if one.version:
            return _ask(app, one.name, one.version, "")
        index.files_of(app, one.name)
    except index.NotThere:
        # Some send such questions on to a public index.
        return None
    except Failure as error:
        raise Stop([Finding("cannot-ask", one.name, str(error))]) from error
    text = f"it would come from {one.place}, and the private index has it; make it one of the answers"
    raise Stop([Finding("stranger", one.name, text)])


def _ask(app: App, name: str, version: str, requirement: str) -> LockedVersion:
    try:
        return locked_at(app, name, version, requirement)
    except index.NotThere:
        raise
    except Failure as error:
        raise Stop([Finding("cannot-ask", name, str(error))]) from error
