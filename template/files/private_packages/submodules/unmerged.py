"""A ``.gitmodules`` in which Git found a conflict, by its meaning.

Sections of the template's follow from private-packages.toml. Those of the user's own submodules are taken as the side
has them that changed them; where both did, a person decides.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from private_packages.conflicts import Unclear, sides_in_index, three_way
from private_packages.errors import GitError
from private_packages.files import write_text
from private_packages.git import quoted
from private_packages.submodules.alone import noted
from private_packages.submodules.plan import OURS, Wanted

if TYPE_CHECKING:
    from private_packages.repository import Repository

_SECTION = re.compile(r"(?ms)^\[.*?(?=^\[|\Z)")
_MANAGED = re.compile(rf"(?im)^\s*managedBy\s*=\s*{OURS}\s*$")


def resolve(repository: Repository, wanted: Sequence[Wanted]) -> bool:
    """Resolve and stage it; False, with nothing changed, where a person has to. Raises OSError."""
    ours_are = {f'[submodule "{quoted(one.path)}"]' for one in wanted}

    def decide(key: str) -> str | None:
        below = key.startswith(f'[submodule "{quoted(repository.below)}')
        if below and all(_MANAGED.search(side[key]) for side in sides if key in side):
            # The plan writes it again if it is wanted.
            return None
        raise Unclear

    try:
        texts = sides_in_index(repository.top, ".gitmodules", repository.git)
        sides = [_sections(text) for text in texts]
        merged = three_way(sides, decide)
        differing = {key for key in ours_are if sides[1].get(key) != sides[2].get(key)}
        kept = [section for key, section in merged.items() if key not in differing]
        write_text(repository.gitmodules, "".join(kept))
        with noted(repository, "index.lock"):
            repository.run("update-index", "--add", "--", ".gitmodules")
    except (Unclear, GitError):
        return False
    return True


def _sections(text: str) -> dict[str, str]:
    """Return what stands above the sections, and each section by its header. Raises `Unclear`."""
    first = _SECTION.search(text)
    found = {"": text[: first.start()] if first else text}
    for section in _SECTION.findall(text):
        key = section.splitlines()[0].strip()
        if key in found:
            raise Unclear
        found[key] = section if section.endswith("\n") else f"{section}\n"
    return found
