"""What a person reads: progress while it works, then what is there, what is missing and what to type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

from git import GitError
from plan import Action, Add, Move, Populate, Replace
from repository import Repository

if TYPE_CHECKING:
    from apply import Outcome


class Report:
    """Collects what happened and writes it."""

    def __init__(self, *, quiet: bool, stream: TextIO) -> None:
        """``quiet`` leaves only the problems."""
        self.quiet = quiet
        self.stream = stream
        self.source = ""
        self.repository: Repository | None = None
        self.problems: list[str] = []
        self._finished: list[Outcome] = []
        self._line_open = False

    def start(self, actions: Sequence[Action]) -> None:
        """Say that the network is asked now."""
        fetches = sum(isinstance(action, Add | Move | Replace | Populate) for action in actions)
        if fetches and not self.quiet:
            self._write(f"Fetching {fetches} private package{'s' if fetches > 1 else ''} …")

    def progress(self, outcome: Outcome, number: int, total: int) -> None:
        """One package is finished: a line that is overwritten on a terminal, lines of their own elsewhere."""
        if self.quiet or total < 2:
            return
        text = f"  {number}/{total} {outcome.name}"
        if self.stream.isatty():
            self.stream.write(f"\r\033[K{text}")
            self._line_open = True
            self.stream.flush()
        else:
            self._write(text)

    def outcome(self, outcome: Outcome) -> None:
        """Keep one outcome for the end."""
        if outcome.done:
            self._finished.append(outcome)
        else:
            self.problem(f"{outcome.name}: {outcome.text}.")

    def problem(self, sentence: str) -> None:
        """Keep one sentence about something that is missing."""
        self.problems.append(sentence)

    def close(self) -> None:
        """Write what is there, what is missing, and the commands that finish it."""
        if self._line_open:
            self.stream.write("\r\033[K")
        if not self.quiet:
            for outcome in sorted(self._finished, key=lambda one: one.name):
                self._write(f"  {outcome.name}: {outcome.text}")
        if not self.problems:
            return
        self._write("The app is complete, but its private packages are not:")
        for sentence in self.problems:
            self._write(f"  {sentence}")
        self._write("When that is mended, type in the app's folder:")
        for command in self._finishing_commands():
            self._write(f"  {command}")

    def _finishing_commands(self) -> list[str]:
        """An update wants a clean work tree; before the first commit it has nothing to compare with."""
        committed = False
        if self.repository is not None:
            try:
                committed = bool(self.repository.git("rev-parse", "--verify", "--quiet", "HEAD"))
            except GitError:
                committed = False
        if committed:
            commit = ["git add --all", 'git commit -m "Save what is there"']
            return [*commit, "copier update --vcs-ref :current: --defaults --trust"]
        import shlex

        return [f"copier copy --defaults --overwrite --trust {shlex.quote(self.source)} ."]

    def _write(self, line: str) -> None:
        if self._line_open:
            self.stream.write("\r\033[K")
            self._line_open = False
        print(line, file=self.stream, flush=True)
