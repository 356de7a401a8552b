"""A lock in which Git found a conflict, written anew by what it means.

private-packages.toml says what is wanted. Of the two sides, the entry that is about just that counts; where both
are and differ, neither does, and the pin that Git merged, or the host, says what it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from private_packages import lock as locking
from private_packages.files import has_conflict, sides_of
from private_packages.lock import Lock, Locked, LockedCommit
from private_packages.strategies import strategy_of

if TYPE_CHECKING:
    from private_packages.app import App


def load(app: App) -> Lock:
    """Read the app's lock, with a conflict in it resolved. Raises `Failure`."""
    text = locking.read(app.folder)
    if text is None:
        return Lock()
    if not has_conflict(text):
        return locking.parse(text)
    sides = [locking.parse(side) for side in sides_of(text)]
    merged = Lock()
    merged.public = frozenset().union(*(side.public for side in sides))
    for key in sorted({key for side in sides for key in side}):
        entries = [side[key] for side in sides if key in side]
        meant = [
            side[key] for side in sides if key in side and _is_meant(app, key, side)
        ]
        if meant and all(one == meant[0] for one in meant):
            merged[key] = meant[0]
        if len(set(map(_commit_of, entries))) > 1:
            merged.contested[key] = frozenset(map(_commit_of, entries))
    return merged


def _is_meant(app: App, key: str, side: Lock) -> bool:
    """Tell whether a side's entry is about what is wanted; of what is not wanted, it is all that is known."""
    package = app.config.named(key)
    return package is None or strategy_of(package).is_made(app, package, side)


def _commit_of(entry: Locked) -> str:
    return entry.commit if isinstance(entry, LockedCommit) else entry.version
