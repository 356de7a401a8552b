"""What a person reads: progress while it works, then what is there, what is missing and what to type."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from git import GitError
from repository import Repository

# As `typing.TYPE_CHECKING` is; importing that takes longer than the rest of this file.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

    from apply import Outcome

# Select Graphic Rendition (ECMA-48): readable on dark and on light grounds.
_COLOURS = {"good": "1;32", "bad": "1;31", "command": "36", "aside": "2"}


class Report:
    """Collects what happened and writes it."""

    def __init__(self, *, quiet: bool, stream: TextIO, environ: Mapping[str, str]) -> None:
        """``quiet`` leaves only the problems; ``environ`` says what the terminal and the shell are."""
        self.quiet = quiet
        self.stream = stream
        self.environ = environ
        self.source = ""
        self.repository: Repository | None = None
        self.problems: list[str] = []
        self._finished: list[Outcome] = []
        self._open_line = ""

    def start(self, fetches: int) -> None:
        """Say that the network is asked now, for so many packages."""
        if fetches and not self.quiet:
            self._write(f"Fetching {fetches} private package{'s' if fetches > 1 else ''} …")

    def progress(self, outcome: Outcome, number: int, total: int) -> None:
        """One package is finished: a line that is overwritten on a terminal, lines of their own elsewhere."""
        if self.quiet or total < 2:
            return
        text = f"  {number}/{total} {outcome.name}"
        if self._is_terminal():
            # Blanks instead of an escape code: the same on every terminal.
            self.stream.write(f"\r{text:{len(self._open_line)}}")
            self.stream.flush()
            self._open_line = text
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
        """Write what is there, then what is missing and the commands that finish it, or else what comes next."""
        self._end_line()
        if not self.quiet:
            for outcome in sorted(self._finished, key=lambda one: one.name):
                self._write(f"  {outcome.name}: {outcome.text}")
        if not self.problems:
            self._say_what_comes_next()
            return
        self._write("The app is complete, but its private packages are not:", "bad")
        for sentence in self.problems:
            self._write(f"  {sentence}")
        self._write("When that is mended, type in the app's folder:")
        for command in self._finishing_commands():
            self._write(f"  {command}", "command")

    def _say_what_comes_next(self) -> None:
        """After a copy or an update by Copier; a run by hand says nothing more."""
        operation = self.environ.get("COPIER_OPERATION")
        if self.quiet or not operation or self.repository is None:
            return
        # Imported here: a quiet run does not wait for it.
        from steps import next_steps

        inside = bool(self.repository.prefix)
        try:
            app = Path.cwd()
            steps = next_steps(app, operation, self.environ, inside=inside, windows=os.name == "nt")
        except OSError:
            # The app is as it should be; a list that cannot be made must not cost it.
            return
        self._write(f"{app.name} is {'up to date' if operation == 'update' else 'ready'}. Next:", "good")
        self._write("")
        for step in steps:
            self._write(f"  {step}", "aside" if step.startswith("#") else "command")

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
        from shell import quote, shell_in_use

        shell = shell_in_use(self.environ, windows=os.name == "nt")
        source = quote(self.source, shell) if self.source else "ADDRESS-OF-THE-TEMPLATE"
        return [f"copier copy --defaults --overwrite --trust {source} ."]

    def _is_terminal(self) -> bool:
        return self.stream.isatty() and self.environ.get("TERM") != "dumb"

    def _is_coloured(self) -> bool:
        """On a terminal, unless NO_COLOR has a value (no-color.org); a bare Windows console may not know colours."""
        able = os.name != "nt" or bool(self.environ.get("WT_SESSION") or self.environ.get("TERM"))
        return able and self._is_terminal() and not self.environ.get("NO_COLOR")

    def _end_line(self) -> None:
        """Take the progress line off the terminal."""
        if self._open_line:
            self.stream.write(f"\r{'':{len(self._open_line)}}\r")
            self._open_line = ""

    def _write(self, line: str, kind: str = "") -> None:
        self._end_line()
        if kind and line and self._is_coloured():
            text = line.lstrip(" ")
            line = f"{line[: -len(text)]}\033[{_COLOURS[kind]}m{text}\033[0m"
        print(line, file=self.stream, flush=True)
