"""Public packages that a private one needs: whoever has such a name in public is installed with it.

Nobody can tell a public library from a name that the company uses and never took. So `check` shows each such name
once, for a person to decide; the lock remembers which were shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from private_packages import app_needs
from private_packages.blocks import block_in
from private_packages.names import listed, normalised
from private_packages.needs import name_of
from private_packages.project import file_of

if TYPE_CHECKING:
    from private_packages.app import App
    from private_packages.lock import Lock
    from private_packages.resolution import Pinned, Resolution


def needed(app: App, lock: Lock, *resolutions: Resolution) -> dict[str, list[str]]:
    """Return the private packages that need a public one, by its normalised name.

    What a person wrote into requirements.txt or pyproject.toml was decided there.
    """
    lines = Counter(line.text for line in app_needs.read(app))
    in_block = Counter(block_in(file_of(app.folder)))
    block, by_hand = _names(in_block), _names(lines - in_block)
    found: dict[str, list[str]] = {}
    for one in (one for each in resolutions for one in each.pinned):
        key = normalised(one.name)
        if not _is_public(app, lock, one) or key in by_hand:
            continue
        users = [name for name in one.needed_by if _is_private(app, lock, name)]
        # VIKTOR's block has what the submodules need.
        if users or key in block:
            found.setdefault(key, users or ["a submodule"])
    return dict(sorted(found.items()))


def question(found: dict[str, list[str]]) -> str:
    """Return what is asked of a person about names that were not shown yet."""
    users = sorted({user for names in found.values() for user in names})
    one = len(found) == 1
    return (
        f"note: {listed(list(found))}, which {listed(users)} {'need' if len(users) > 1 else 'needs'},"
        f" {'comes' if one else 'come'} from a public index, from whoever holds the name there."
        f" If {'it' if one else 'any of them'} is your company's own, publish it on the private index, or make it one of"
        " the answers, with `copier update --vcs-ref :current: --trust`. Else there is nothing to do: this is said"
        " once, and private-packages.lock keeps it."
    )


def _names(lines: Iterable[str]) -> set[str]:
    return {normalised(name_of(line)) for line in lines}


def _is_public(app: App, lock: Lock, one: Pinned) -> bool:
    """Tell whether a package is of a public index; what the private one has is in the lock."""
    index = app.config.index
    # Of an index that stands in for PyPI nobody knows.
    alone = index is not None and index.scope == "only"
    return bool(one.version) and not alone and not _is_private(app, lock, one.name)


def _is_private(app: App, lock: Lock, name: str) -> bool:
    return app.config.named(name) is not None or lock.version_of(name) is not None
