"""From what is wanted and what is there to what is to be done: a pure function.

Paths are relative to the top of the repository, with forward slashes. The lock says what a gitlink stands
for: as long as it names the address and the ref that are wanted, the gitlink stays, wherever it was moved.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from private_packages.config import Package
    from private_packages.lock import LockedCommit

OURS = "copier-private-packages"


@dataclass(frozen=True)
class Wanted:
    """One submodule that is wanted, with its path from the top of the repository."""

    package: Package
    path: str

    @property
    def name(self) -> str:
        """The package's name."""
        return self.package.name


@dataclass(frozen=True)
class Section:
    """One section of a ``.gitmodules`` (gitmodules(5))."""

    name: str
    path: str
    settings: tuple[tuple[str, str], ...]

    def get(self, key: str) -> str:
        """Return the value of a key (lower case), or the empty string."""
        return dict(self.settings).get(key, "")

    @property
    def managed(self) -> bool:
        """Whether the template made this section."""
        return self.get("managedby") == OURS


class Folder(Enum):
    """What stands at a submodule's path."""

    EMPTY = "nothing, or an empty folder"
    LINKED = "a work tree of this repository's module"
    ELSEWHERE = "a work tree of a module under another name"
    OCCUPIED = "other files"


class Module(Enum):
    """What stands in ``.git/modules``."""

    ABSENT = "nothing"
    HALF = "what a killed run left"
    READY = "a repository with an index"


@dataclass(frozen=True)
class Current:
    """The state of the repository.

    ``below`` is the app's own folder of submodules. ``gitlinks``: commit by path, from the index.
    ``declared``: sections of ``.gitmodules`` in the work tree, ``recorded``: those of the index, both by path.
    ``folders``, ``modules`` and ``heads`` (the commit that is checked out, or empty) hold every wanted path.
    ``locked``: the lock's entries by path. ``left``: work trees of ours without a gitlink. ``unmerged``: Git left a conflict in ``.gitmodules``.
    ``unsettled``: paths of which two branches pinned different commits.
    """

    below: str
    gitlinks: Mapping[str, str] = field(default_factory=dict)
    declared: Mapping[str, Section] = field(default_factory=dict)
    recorded: Mapping[str, Section] = field(default_factory=dict)
    folders: Mapping[str, Folder] = field(default_factory=dict)
    modules: Mapping[str, Module] = field(default_factory=dict)
    heads: Mapping[str, str] = field(default_factory=dict)
    locked: Mapping[str, LockedCommit] = field(default_factory=dict)
    left: Sequence[str] = ()
    unmerged: bool = False
    unsettled: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Add:
    """Fetch a package that has no gitlink yet; ``commit`` is what the lock says, or empty: the ref's."""

    wanted: Wanted
    commit: str = ""


@dataclass(frozen=True)
class Move:
    """Another ref is wanted: fetch and check it out."""

    wanted: Wanted


@dataclass(frozen=True)
class Replace:
    """Another address is wanted: fetch the other repository; ``keep`` is the commit to stay at, or empty."""

    wanted: Wanted
    keep: str


@dataclass(frozen=True)
class Populate:
    """The gitlink is there, its content is not: fetch if needed and check the gitlink's commit out."""

    wanted: Wanted
    commit: str
    fetch: bool


@dataclass(frozen=True)
class Adopt:
    """The submodule is there as wanted, and the lock does not know it: it stays as it is."""

    wanted: Wanted
    commit: str


@dataclass(frozen=True)
class TakeOver:
    """The same submodule under another name: move its module to where the section's name says."""

    wanted: Wanted


@dataclass(frozen=True)
class Drop:
    """The template made it and it is not wanted any more."""

    path: str


@dataclass(frozen=True)
class Declare:
    """``.gitmodules`` lacks this section, or says something else."""

    section: Section


@dataclass(frozen=True)
class Undeclare:
    """``.gitmodules`` names a submodule of the template's that is neither wanted nor there."""

    section: Section


Fetching = Add | Move | Replace | Populate
Action = Fetching | Adopt | TakeOver | Drop | Declare | Undeclare


def section_for(wanted: Wanted) -> Section:
    """Return the section for a submodule; it is named by its path, as `git submodule` expects."""
    settings = [("path", wanted.path), ("url", wanted.package.url)]
    if wanted.package.ref:
        settings.append(("branch", wanted.package.ref))
    settings += [
        ("ignore", "untracked"),
        # A plain `git pull` would fetch a submodule whose pin moved, and fail without a login.
        ("fetchrecursesubmodules", "no"),
        ("managedby", OURS),
    ]
    return Section(name=wanted.path, path=wanted.path, settings=tuple(settings))


def fits(package: Package, locked: LockedCommit | None) -> bool:
    """Tell whether a lock's entry is about the address and the ref that are wanted."""
    return locked is not None and (locked.url, locked.ref) == (package.url, package.ref)


def plan(wanted: Sequence[Wanted], current: Current) -> list[Action]:
    """Return the actions that lead from ``current`` to ``wanted``; none when they agree.

    A submodule that the template did not make is never touched; its section comes back when it was lost.
    """
    actions: list[Action] = []
    paths = {one.path for one in wanted}
    for one in wanted:
        changing = _changing(one, current)
        if _declares_anew(one, current, changing):
            declared = current.declared.get(one.path)
            if declared is not None and declared.name != one.path:
                actions.append(Undeclare(declared))
            actions.append(Declare(section_for(one)))
        actions += changing
    for path in current.gitlinks:
        if path in paths:
            continue
        section = current.recorded.get(path) or current.declared.get(path)
        # Without a section the lock knows whose it is: a person resolved a conflict so.
        managed = section.managed if section else path in current.locked
        if managed and path.startswith(current.below):
            actions.append(Drop(path))
        elif section and path not in current.declared:
            actions.append(Declare(section))
    actions += [Drop(path) for path in current.left]
    for path, section in current.declared.items():
        ours = section.managed and path.startswith(current.below)
        if ours and path not in paths and path not in current.gitlinks:
            actions.append(Undeclare(section))
    return actions


def _declares_anew(one: Wanted, current: Current, changing: Sequence[Action]) -> bool:
    """Tell whether a submodule's section has to be written.

    A branch that the user or a robot wrote stays as long as what is wanted stays.
    """
    declared, expected = current.declared.get(one.path), section_for(one)
    if declared is None or declared.name != expected.name:
        return True
    if declared.get("url") != expected.get("url"):
        return True
    changes = any(
        isinstance(action, Add | Move | Replace | Adopt | TakeOver)
        for action in changing
    )
    return changes and declared != expected


def behind(wanted: Sequence[Wanted], current: Current) -> list[Populate]:
    """Return what checks the pinned commits out where others are: a pull moves pins, and leaves the files.

    Only `install` does that: to `sync`, a commit that a person checked out is a pin that they may stage yet.
    """
    return [
        Populate(one, commit=pin, fetch=False)
        for one in wanted
        if (pin := current.gitlinks.get(one.path))
        and current.folders.get(one.path) is Folder.LINKED
        and current.modules.get(one.path) is Module.READY
        and current.heads.get(one.path) not in (None, "", pin)
    ]


def strays(wanted: Sequence[Wanted], current: Current) -> list[str]:
    """Return the gitlinks below the app's folder of submodules of which nothing says whose they are."""
    known = {one.path for one in wanted} | {
        *current.locked,
        *current.recorded,
        *current.declared,
    }
    return [
        path
        for path in current.gitlinks
        if path.startswith(current.below) and path not in known
    ]


def _changing(one: Wanted, current: Current) -> list[Action]:
    """Return what has to be fetched or checked out for one submodule."""
    commit, locked = current.gitlinks.get(one.path), current.locked.get(one.path)
    if commit is None:
        return [Add(one, locked.commit if locked and fits(one.package, locked) else "")]
    if one.path in current.unsettled:
        ready = current.modules.get(one.path) is Module.READY
        known = locked is not None and fits(one.package, locked)
        return (
            [Populate(one, locked.commit, fetch=not ready)]
            if locked and known
            else [Move(one)]
        )
    taken: list[Action] = []
    if current.folders.get(one.path) is Folder.ELSEWHERE:
        taken = [TakeOver(one)]
    url, ref = stands_for(one, current)
    if url != one.package.url:
        return [*taken, Replace(one, keep=commit if ref == one.package.ref else "")]
    if ref != one.package.ref:
        return [*taken, Move(one)]
    here = taken or _populating(one, commit, current)
    return here if locked else [*here, Adopt(one, commit)]


def stands_for(one: Wanted, current: Current) -> tuple[str, str]:
    """Return the address and the ref that a gitlink came with: the lock knows, or else its section says."""
    locked = current.locked.get(one.path)
    if locked:
        return locked.url, locked.ref
    section = current.recorded.get(one.path) or current.declared.get(one.path)
    if section:
        return section.get("url"), section.get("branch")
    return one.package.url, one.package.ref


def _populating(one: Wanted, commit: str, current: Current) -> list[Action]:
    ready = current.modules.get(one.path) is Module.READY
    if ready and current.folders.get(one.path) is Folder.LINKED:
        return []
    return [Populate(one, commit=commit, fetch=not ready)]
