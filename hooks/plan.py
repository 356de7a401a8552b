"""From what is wanted and what is there to what is to be done: a pure function.

Paths are relative to the top of the repository, with forward slashes. The records are named tuples,
because importing `dataclasses` takes longer than all that a sync without work does.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Any, NamedTuple

_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Wanted(NamedTuple):
    """One submodule of the answers."""

    name: str
    path: str
    url: str
    ref: str
    user_info: str


class Section(NamedTuple):
    """One section of a ``.gitmodules`` (gitmodules(5)); `managed` says that the template made it."""

    name: str
    path: str
    settings: tuple[tuple[str, str], ...]

    def get(self, key: str) -> str:
        """The value of a key (lower case), or the empty string."""
        return dict(self.settings).get(key, "")

    @property
    def managed(self) -> bool:
        """Whether the template made this section."""
        return self.get("managedby") == "copier-private-packages"


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


class Applied(NamedTuple):
    """The URL and ref that were last put in place; the user's own pin may have moved since.

    ``commit`` is what the gitlink named then; empty where only the committed answers are known.
    """

    url: str
    ref: str
    commit: str = ""


class Current(NamedTuple):
    """The state of the repository.

    ``gitlinks``: commit by path, from the index. ``declared``: sections of ``.gitmodules`` in the
    work tree, ``recorded``: those of the index, both by path. ``folders`` and ``modules`` hold
    every wanted path; ``applied`` is what earlier runs put in place (see `in_place`), ``made`` is
    all that this clone has put in place and not removed. ``below`` is the app's own folder of
    submodules. ``unmerged``: Git or Copier left a conflict in ``.gitmodules``.
    """

    below: str
    gitlinks: Mapping[str, str] = _NOTHING
    declared: Mapping[str, Section] = _NOTHING
    recorded: Mapping[str, Section] = _NOTHING
    folders: Mapping[str, Folder] = _NOTHING
    modules: Mapping[str, Module] = _NOTHING
    applied: Mapping[str, Applied] = _NOTHING
    made: Mapping[str, Applied] = _NOTHING
    unmerged: bool = False


class Add(NamedTuple):
    """Fetch a package that has no gitlink yet and check its ref out."""

    wanted: Wanted


class Move(NamedTuple):
    """The ref in the answers changed: fetch and check it out."""

    wanted: Wanted


class Replace(NamedTuple):
    """The URL in the answers changed: fetch the other repository; ``keep`` is the commit to stay at, or empty."""

    wanted: Wanted
    keep: str


class Populate(NamedTuple):
    """The gitlink is there, its content is not: fetch if needed and check the gitlink's commit out."""

    wanted: Wanted
    commit: str
    fetch: bool


class TakeOver(NamedTuple):
    """The same submodule under another name: move its module to where the section's name says."""

    wanted: Wanted


class Drop(NamedTuple):
    """The template made it and the answers do not name it any more."""

    path: str


class Declare(NamedTuple):
    """``.gitmodules`` lacks this section, or says something else."""

    section: Section


class Undeclare(NamedTuple):
    """``.gitmodules`` names a submodule of the template's that is neither wanted nor there."""

    section: Section


Action = Add | Move | Replace | Populate | TakeOver | Drop | Declare | Undeclare


def section_for(wanted: Wanted) -> Section:
    """The section that the template renders for a submodule; named by its path, as `git submodule` expects."""
    settings = [("path", wanted.path), ("url", wanted.url)]
    if wanted.ref:
        settings.append(("branch", wanted.ref))
    settings += [("ignore", "untracked"), ("managedby", "copier-private-packages")]
    return Section(name=wanted.path, path=wanted.path, settings=tuple(settings))


def in_place(
    remembered: Mapping[str, Applied], committed: Mapping[str, Applied], gitlinks: Mapping[str, str]
) -> dict[str, Applied]:
    """What the gitlinks stand for, by path.

    This clone's memory counts as long as the gitlink is the one it remembers: an update that could not
    fetch leaves new answers beside an old gitlink. A gitlink that is another one by now (pulled,
    another branch, a discarded update, the user's own pin) came with the ``committed`` answers.
    """
    sure = {path: one for path, one in remembered.items() if one.commit == gitlinks.get(path)}
    return {**{path: one for path, one in committed.items() if path in gitlinks}, **sure}


def plan(wanted: tuple[Wanted, ...], current: Current) -> list[Action]:
    """The actions that lead from ``current`` to ``wanted``; none when they agree.

    A submodule that the template did not make is never touched; its section comes back when a
    rendered ``.gitmodules`` has lost it.
    """
    actions: list[Action] = []
    paths = {one.path for one in wanted}
    for one in wanted:
        fetching = _fetching(one, current)
        declared = current.declared.get(one.path)
        expected = section_for(one)
        # A branch that the user or an update robot wrote stays as long as the answer stays.
        answered = any(isinstance(action, Add | Move | Replace | TakeOver) for action in fetching)
        # A submodule of the user's own that the answers name from now on.
        adopted = one.path in current.gitlinks and one.path not in current.applied
        if declared is not None and declared.name != expected.name:
            actions += [Undeclare(declared), Declare(expected)]
        elif declared is None or ((answered or adopted) and declared != expected):
            actions.append(Declare(expected))
        actions += fetching
    for path in current.gitlinks:
        section = current.recorded.get(path) or current.declared.get(path)
        if path in paths:
            continue
        # Without a section only the memory knows whose it is: a person resolved a conflict so.
        managed = section.managed if section else path in current.made
        if managed and path.startswith(current.below):
            actions.append(Drop(path))
        elif section and path not in current.declared:
            actions.append(Declare(section))
    for path, section in current.declared.items():
        ours = section.managed and path.startswith(current.below)
        if ours and path not in paths and path not in current.gitlinks:
            actions.append(Undeclare(section))
    return actions


def strays(wanted: tuple[Wanted, ...], current: Current) -> list[str]:
    """The gitlinks below the app's folder of submodules of which nothing says whose they are."""
    known = (
        {one.path for one in wanted} | current.made.keys() | current.recorded.keys() | current.declared.keys()
    )
    return [path for path in current.gitlinks if path not in known]


def _fetching(one: Wanted, current: Current) -> list[Action]:
    """What has to be fetched or checked out for one submodule."""
    commit = current.gitlinks.get(one.path)
    if commit is None:
        return [Add(one)]
    if current.folders.get(one.path) is Folder.ELSEWHERE:
        return [TakeOver(one), *_moving(one, commit, current)]
    return _moving(one, commit, current) or _populating(one, commit, current)


def applied_to(one: Wanted, current: Current) -> Applied:
    """What the gitlink of a wanted submodule stands for: as known, as its section says, as remembered, or as wanted."""
    known = current.applied.get(one.path)
    if known:
        return known
    section = current.recorded.get(one.path)
    if section:
        return Applied(section.get("url"), section.get("branch"))
    return current.made.get(one.path) or Applied(one.url, one.ref)


def _moving(one: Wanted, commit: str, current: Current) -> list[Action]:
    applied = applied_to(one, current)
    if applied.url != one.url:
        return [Replace(one, keep=commit if applied.ref == one.ref else "")]
    if applied.ref != one.ref:
        return [Move(one)]
    return []


def _populating(one: Wanted, commit: str, current: Current) -> list[Action]:
    ready = current.modules.get(one.path) is Module.READY
    if ready and current.folders.get(one.path) is Folder.LINKED:
        return []
    return [Populate(one, commit=commit, fetch=not ready)]
