"""Bring the submodules to what is wanted: read, plan, apply, and let the lock know."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from private_packages import lock as locking
from private_packages.lock import Lock, LockedCommit
from private_packages.names import normalised
from private_packages.report import Report
from private_packages.repository import Repository, open_repository
from private_packages.submodules import unmerged
from private_packages.submodules.alone import alone
from private_packages.submodules.apply import apply
from private_packages.submodules.gitdir import is_detached
from private_packages.submodules.plan import (
    Current,
    Fetching,
    Populate,
    Wanted,
    behind,
    plan,
    stands_for,
    strays,
)
from private_packages.submodules.state import read_current, wanted_submodules

if TYPE_CHECKING:
    from private_packages.app import App


def bring(
    app: App, repository: Repository, lock: Lock, report: Report, *, at_pins: bool
) -> None:
    """Add, move, replace and drop submodules; each fails or succeeds by itself.

    ``at_pins``: those whose pin a pull moved are brought there, too. Raises `Failure`, `GitError` and OSError about
    the app as a whole.
    """
    with alone(app, repository):
        _bring(app, repository, lock, report, at_pins=at_pins)


def _bring(
    app: App, repository: Repository, lock: Lock, report: Report, *, at_pins: bool
) -> None:
    wanted = wanted_submodules(app.config, repository)
    current = read_current(repository, wanted, lock)
    if current.unmerged and unmerged.resolve(repository, wanted):
        current = read_current(repository, wanted, lock)
    if current.unmerged:
        report.problems.append(
            ".gitmodules has a merge conflict, so no submodule was changed. Resolve it, `git add .gitmodules`."
        )
        return
    actions = plan(wanted, current)
    if at_pins:
        changing = {one.wanted for one in actions if isinstance(one, Fetching)}
        pins = _behind(repository, wanted, current)
        actions += [one for one in pins if one.wanted not in changing]
    result = apply(app, repository, actions, current)
    by_path = {one.path: one.package for one in wanted}
    for path, commit in result.commits.items():
        package = by_path[path]
        lock.put(
            LockedCommit(package.name, "submodule", package.url, package.ref, commit)
        )
    for one in wanted:
        commit = current.gitlinks.get(one.path, "")
        known = one.path in current.unsettled or lock.commit_of(one.name, "submodule")
        if commit and not known:
            # It could not be fetched: any clone has to know what is there instead.
            url, ref = stands_for(one, current)
            lock.put(LockedCommit(one.name, "submodule", url, ref, commit))
    sections = {**current.declared, **current.recorded}
    gone = {
        *result.dropped,
        *(path for path in current.locked if path not in current.gitlinks),
        *(path for path, section in sections.items() if not section.managed),
    }
    for path in gone & current.locked.keys() - by_path.keys():
        del lock[normalised(current.locked[path].name)]
    report.take(result.outcomes)
    for path in strays(wanted, current):
        report.problems.append(
            f"{path} has a gitlink and no section in .gitmodules; give it its section,"
            f" or remove it with `git rm --cached {path}`."
        )


def fetch_pins(app: App) -> Report:
    """Bring the submodules to their pins, and change nothing else; one that is on a branch is the user's.

    Raises `Failure`, `GitError` and OSError.
    """
    report = Report()
    lock = locking.load(app.folder)
    repository = (
        open_repository(app.folder, app.git) if app.config.of("submodule") else None
    )
    if repository is None:
        return report
    wanted = wanted_submodules(app.config, repository)
    with alone(app, repository):
        current = read_current(repository, wanted, lock)
        planned = [one for one in plan(wanted, current) if isinstance(one, Populate)]
        actions = [*planned, *_behind(repository, wanted, current)]
        report.take(apply(app, repository, actions, current).outcomes)
    return report


def _behind(
    repository: Repository, wanted: Sequence[Wanted], current: Current
) -> list[Populate]:
    """Return what checks pinned commits out; a submodule that is on a branch is the user's."""
    return [
        one
        for one in behind(wanted, current)
        if is_detached(repository.module(one.wanted.path))
    ]
