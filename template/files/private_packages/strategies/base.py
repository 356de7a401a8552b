"""What a strategy has to know; each of its files is a module with these functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from private_packages.app import App
    from private_packages.config import Package
    from private_packages.findings import Finding
    from private_packages.lock import Lock, Locked
    from private_packages.probe import Probe
    from private_packages.repository import Repository
    from private_packages.submodules.plan import Current


@dataclass(frozen=True)
class View:
    """The app as it stands, read without a network.

    ``repository`` and ``current`` are None where the app is in no Git repository; ``probe`` says what the
    app's environment holds, and is None where nobody asked it or where there is no environment.
    """

    app: App
    lock: Lock
    repository: Repository | None
    current: Current | None
    environment: Path | None = None
    probe: Probe | None = None


class Strategy(Protocol):
    """A way of getting a package into the app."""

    def is_its_line(self, package: Package) -> bool:
        """Tell whether a line of the answers is of the strategy's form and says what the other fields say."""

    def lines(
        self, app: App, package: Package, lock: Lock, former: Sequence[str]
    ) -> list[str]:
        """Return the package's lines in the block of requirements.txt; ``former`` is the block as it stands.

        Raises `errors.Unreadable`.
        """

    def learn(self, app: App, package: Package) -> Locked | None:
        """Ask the package's host what it stands for now; None when only an installer can tell.

        Raises `errors.Failure` with one clause.
        """

    def is_made(self, app: App, package: Package, lock: Lock) -> bool:
        """Tell whether the lock is about what is wanted."""

    def disagreements(self, view: View, package: Package) -> list[Finding]:
        """Say what of the lock and of Git does not fit what is wanted."""

    def use(self, view: View, package: Package) -> list[Finding]:
        """Say why the app does not run the package that is wanted; ``view.probe`` is there."""

    def prove(self, app: App, package: Package, lock: Lock) -> list[Finding]:
        """Ask the package's host, with one request, whether what the lock says still stands there."""

    def newer(self, app: App, package: Package) -> list[str]:
        """Ask the package's host for the refs or versions that are newer, the newest first.

        Raises `errors.Failure` with one clause.
        """

    def at(self, package: Package, ref: str) -> Package:
        """Return the package at another ref or version. Raises `errors.Failure`."""
