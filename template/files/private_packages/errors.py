"""What goes wrong in a way that a person can mend."""

from __future__ import annotations


class Failure(Exception):
    """A sentence for a person: what happened, to which package, and what to type next."""


class WrongUsage(Failure):
    """The command line asks for something that does not exist; the exit code is 2."""


class Unreadable(Failure):
    """A package's file cannot be used; the message is a clause about that package."""


class GitError(Exception):
    """A Git command failed; `diagnosis.explain` says why in words for a person."""

    def __init__(self, stderr: str, *, stalled_after: int | None = None) -> None:
        """Keep Git's own text, and the seconds of silence that ended it, if that is why."""
        super().__init__(stderr)
        self.stderr = stderr
        self.stalled_after = stalled_after
