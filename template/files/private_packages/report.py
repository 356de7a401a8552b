"""What a sync came to, and how it is said."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from private_packages.output import Output


@dataclass(frozen=True)
class Outcome:
    """What became of one package: ``done`` or not, and a clause that says so."""

    name: str
    done: bool
    text: str


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

    def show(self, output: Output) -> None:
        """Say what was done, then what is missing."""
        for outcome in sorted(self.outcomes, key=lambda one: one.name):
            output.say(f"  {outcome.name}: {outcome.text}")
        for sentence in self.problems:
            output.problem(f"  {sentence}")
