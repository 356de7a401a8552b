"""`sync`: make Git, the marked blocks and the lock agree with private-packages.toml. Copier's hook runs it, too."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from private_packages import lock as locking
from private_packages import requirements, shared_files
from private_packages.app import App
from private_packages.blocks import write_block
from private_packages.config import Package
from private_packages.errors import Failure, GitError
from private_packages.findings import INSTALL, SYNC
from private_packages.lock import Lock, Locked, LockedCommit, is_needed_only
from private_packages.names import listed, normalised
from private_packages.remote import AT_ONCE
from private_packages.repository import Repository, init_repository, open_repository
from private_packages.strategies import STRATEGIES
from private_packages.submodules import apply as applying
from private_packages.submodules.apply import Outcome
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

SUMMARY = "make Git, requirements.txt and the lock agree with what is wanted"
DESCRIPTION = """\
Make Git, the marked blocks and private-packages.lock agree with private-packages.toml.

Submodules are added, moved, replaced and dropped. The network is asked only for
what changed. Your own work is never lost: a submodule that holds some stays as it
is, and a sentence says so. It can be stopped at any moment and run again.
"""
# No ref can be called so (git-check-ref-format(1)).
_ASKED_ANEW = "?"


@dataclass
class Report:
    """What a sync came to: outcomes by package, files that it wrote, and sentences about what is missing."""

    outcomes: list[Outcome] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    written: list[str] = field(default_factory=list)

    def fail(self, name: str, clause: str) -> None:
        """Keep a clause about a package."""
        self.problems.append(f"{name}: {clause}.")

    def take(self, outcomes: Iterable[Outcome]) -> None:
        """Keep what became of submodules."""
        for outcome in outcomes:
            if outcome.done:
                self.outcomes.append(outcome)
            else:
                self.fail(outcome.name, outcome.text)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take no argument of its own."""


def run(app: App, options: argparse.Namespace) -> int:
    """Sync and say what was done."""
    report = synchronise(app)
    show(app, report)
    if report.problems:
        app.output.problem(f"Then type `{SYNC}` again.", "command")
    elif report.outcomes or report.written:
        if report.written:
            app.output.say(f"  wrote {listed(report.written)}")
        app.output.say(f"Next: {INSTALL}", "command")
    else:
        app.output.say("Everything agrees with private-packages.toml.", "good")
    return 1 if report.problems else 0


def show(app: App, report: Report) -> None:
    """Say what was done, then what is missing."""
    for outcome in sorted(report.outcomes, key=lambda one: one.name):
        if outcome.done:
            app.output.say(f"  {outcome.name}: {outcome.text}")
    for sentence in report.problems:
        app.output.problem(f"  {sentence}")


def synchronise(
    app: App, *, make_repository: bool = False, anew: str = "", at_pins: bool = False
) -> Report:
    """Make everything agree; each package fails or succeeds by itself.

    ``make_repository``: a new app gets a Git repository even without submodules. ``anew``: the normalised name
    of a package whose host is asked again although nothing about it changed. ``at_pins``: submodules whose pin
    a pull moved are brought there, too. Raises `Failure`, `GitError` and OSError about the app as a whole; what
    was finished by then stays, and the next sync goes on.
    """
    report = Report()
    lock = locking.load(app.folder)
    before = lock.pop(anew, None)
    if isinstance(before, LockedCommit):
        lock.put(replace(before, ref=_ASKED_ANEW))
    try:
        repository = _repository(app, lock, make_repository)
        if repository is not None:
            _submodules(app, repository, lock, report, at_pins)
        _learn(app, lock, report)
        _forget(app, lock)
    finally:
        after = lock.get(anew)
        if before and (
            after is None
            or (isinstance(after, LockedCommit) and after.ref == _ASKED_ANEW)
        ):
            lock.put(before)
        # What is staged by now must not be without its entry.
        if locking.save(app.folder, lock):
            report.written.append(locking.FILE)
    write_blocks(app, report)
    return report


def _repository(app: App, lock: Lock, make: bool) -> Repository | None:
    """Return the app's repository; without submodules none is needed."""
    needed = bool(app.config.of("submodule")) or any(
        one.strategy == "submodule" for one in lock.values()
    )
    try:
        found = open_repository(app.folder, app.git)
        return (
            init_repository(app.folder, app.git)
            if found is None and (make or needed)
            else found
        )
    except GitError:
        if needed or make:
            raise
        return None


def _submodules(
    app: App, repository: Repository, lock: Lock, report: Report, at_pins: bool
) -> None:
    wanted = wanted_submodules(app.config, repository)
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
    result = applying.apply(app, repository, actions, current)
    by_path = {one.path: one.package for one in wanted}
    for path, commit in result.commits.items():
        package = by_path[path]
        lock.put(
            LockedCommit(package.name, "submodule", package.url, package.ref, commit)
        )
    for one in wanted:
        commit = current.gitlinks.get(one.path, "")
        if commit and not lock.commit_of(one.name, "submodule"):
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


def _learn(app: App, lock: Lock, report: Report) -> None:
    """Ask the hosts of Git lines and the index what is wanted and the lock does not know."""
    unknown = [
        package
        for package in app.config.packages
        if package.strategy != "submodule"
        and not STRATEGIES[package.strategy].is_made(package, lock)
    ]
    if not unknown:
        return

    def learn(package: Package) -> Locked | Failure | None:
        try:
            return STRATEGIES[package.strategy].learn(app, package)
        except Failure as error:
            return error

    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool, app.git.stopping():
        for number, (package, learned) in enumerate(
            zip(unknown, pool.map(learn, unknown), strict=True), start=1
        ):
            app.output.progress(f"  {number}/{len(unknown)} {package.name}")
            if isinstance(learned, Failure):
                report.fail(package.name, str(learned))
            elif learned is not None:
                lock.put(learned)
            else:
                # Only an installer can tell; what stood there is about another line.
                lock.pop(package.key, None)
    app.output.clear()


def _forget(app: App, lock: Lock) -> None:
    """Remove from the lock what is not wanted any more; a submodule that could not be dropped stays in it."""
    for key, locked in list(lock.items()):
        package = app.config.named(locked.name)
        by_another = package is not None and package.strategy != locked.strategy
        needed = is_needed_only(locked) and app.config.index is not None
        if locked.strategy != "submodule" and (
            by_another or (package is None and not needed)
        ):
            del lock[key]


def write_blocks(app: App, report: Report) -> None:
    """Bring the marked blocks up to date, each by itself."""
    try:
        lines, failed = requirements.body(app)
        for name, clause in failed:
            report.fail(name, clause)
        if write_block(app.folder / requirements.FILE, lines):
            report.written.append(requirements.FILE)
    except Failure as error:
        report.problems.append(str(error))
    for name, lines_of in shared_files.BLOCKS.items():
        try:
            if write_block(app.folder / name, lines_of(app)):
                report.written.append(name)
        except Failure as error:
            report.problems.append(str(error))


def _behind(
    repository: Repository, wanted: Sequence[Wanted], current: Current
) -> list[Populate]:
    """Return what checks pinned commits out; a submodule that is on a branch is the user's."""
    return [
        one
        for one in behind(wanted, current)
        if is_detached(repository.module(one.wanted.path))
    ]


def fetch_pins(app: App) -> Report:
    """Bring the submodules to their pins, and change nothing else; one that is on a branch is the user's.

    Raises `GitError` and OSError.
    """
    report = Report()
    lock = locking.load(app.folder)
    repository = (
        open_repository(app.folder, app.git) if app.config.of("submodule") else None
    )
    if repository is None:
        return report
    wanted = wanted_submodules(app.config, repository)
    current = read_current(repository, wanted, lock)
    planned = [one for one in plan(wanted, current) if isinstance(one, Populate)]
    actions = [*planned, *_behind(repository, wanted, current)]
    report.take(applying.apply(app, repository, actions, current).outcomes)
    return report
