"""What is not as it should be: the one form in which every command tells it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from private_packages.errors import Failure
from private_packages.names import COMMAND

LOGIN = f"{COMMAND} login"
INSTALL = f"{COMMAND} install"
SYNC = f"{COMMAND} sync"
# Where the lines of the packages are changed.
ANSWER = "copier update --vcs-ref :current: --trust"
# A command that comes first makes those behind it possible; `install` does what `sync` does.
_ORDER = (
    LOGIN,
    f"{COMMAND} exec git",
    f"{COMMAND} move",
    SYNC,
    INSTALL,
    "git ",
    "copier ",
)


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    ``kind`` is a word for machines, ``package`` a name or empty, ``text`` a clause that says what is wrong,
    ``cure`` the one command that mends it, or empty where a person has to decide.
    """

    kind: str
    package: str
    text: str
    cure: str = ""

    @property
    def sentence(self) -> str:
        """What a person reads."""
        return f"{self.package}: {self.text}" if self.package else self.text


def first_cure(findings: Sequence[Finding]) -> str:
    """Return the command to type first; `install` where it mends what `sync` would, too."""
    cures = [finding.cure for finding in findings if finding.cure]
    for start in _ORDER:
        for cure in cures:
            if cure.startswith(start):
                return INSTALL if start == SYNC and INSTALL in cures else cure
    return cures[0] if cures else ""


class Stop(Failure):
    """Something is wrong; the message says what, for which package, and what to do."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        """Say every finding in a line of its own, and the command to type first."""
        cure = first_cure(findings)
        lines = [f"STOP {finding.sentence}." for finding in findings]
        super().__init__("\n".join(lines + ([f"Type: {cure}"] if cure else [])))
