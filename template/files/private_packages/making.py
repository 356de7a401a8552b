"""Make what is wanted: the submodules in Git, and what the lock does not know yet."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from private_packages.errors import Failure
from private_packages.lock import Lock, Locked, is_needed_only
from private_packages.remote import AT_ONCE
from private_packages.strategies import strategy_of
from private_packages.submodules.bring import bring

if TYPE_CHECKING:
    from private_packages.app import App
    from private_packages.config import Package
    from private_packages.report import Report
    from private_packages.repository import Repository


def make(
    app: App,
    repository: Repository | None,
    lock: Lock,
    report: Report,
    *,
    at_pins: bool,
) -> None:
    """Make every package, each by itself, and let the lock know.

    ``at_pins``: submodules whose pin a pull moved are brought there, too. Raises `GitError` and OSError about
    the app as a whole.
    """
    if repository is not None:
        bring(app, repository, lock, report, at_pins=at_pins)
    _learn(app, lock, report)
    _forget(app, lock)


def _learn(app: App, lock: Lock, report: Report) -> None:
    """Ask the hosts of Git lines and the index what is wanted and the lock does not know, side by side."""
    packages = [
        package
        for package in app.config.packages
        if package.strategy != "submodule"
        and not strategy_of(package).is_made(app, package, lock)
    ]
    if not packages:
        return

    def ask(package: Package) -> Locked | Failure | None:
        try:
            return strategy_of(package).learn(app, package)
        except Failure as error:
            return error

    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool, app.git.stopping():
        for number, (package, learned) in enumerate(
            zip(packages, pool.map(ask, packages), strict=True), start=1
        ):
            app.output.progress(f"  {number}/{len(packages)} {package.name}")
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
