"""Let Git, the marked blocks and the lock agree with private-packages.toml: what `sync`, `install` and `move` do."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from private_packages import lock as locking
from private_packages import merging, moving
from private_packages.config import SUBMODULES
from private_packages.errors import GitError
from private_packages.files import has_conflict, read_text
from private_packages.lock import Lock, LockedCommit
from private_packages.report import Report
from private_packages.repository import Repository, init_repository, open_repository
from private_packages.shared_files import write_blocks

if TYPE_CHECKING:
    from private_packages.app import App

# No ref can be called so (git-check-ref-format(1)).
_ASKED_ANEW = "?"


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
    moving.finish(app)
    answers = app.folder / app.config.answers_file
    if answers.exists() and has_conflict(read_text(answers)):
        # Rare, and not worth the time of every copy and update.
        from private_packages.conflicts import resolve_answers

        if problem := resolve_answers(app):
            report.problems.append(problem)
        else:
            report.written.append(app.config.answers_file)
    lock = merging.load(app)
    before = lock.pop(anew, None)
    if isinstance(before, LockedCommit):
        lock.put(replace(before, ref=_ASKED_ANEW))
    try:
        repository = _repository(app, lock, make_repository)
        if app.config.packages or lock or _has_submodules(app, repository):
            # It loads 20 modules: 30 ms that a copy and an update without packages need not wait for.
            from private_packages.making import make

            make(app, repository, lock, report, at_pins=at_pins)
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


def _has_submodules(app: App, repository: Repository | None) -> bool:
    """Tell whether there may be submodules that are not wanted any more, without asking Git."""
    if repository is None:
        return False
    declared = repository.gitmodules
    return (
        (app.folder / SUBMODULES).exists()
        or (repository.git_dir / "modules").exists()
        or (declared.exists() and "[submodule" in read_text(declared))
    )
