"""What earlier runs put in place: a file in ``.git``, private to this clone and work tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from plan import Applied, Current, Wanted, applied_to

_FILE = "private-packages.json"


def recall(git_dir: Path) -> dict[str, Applied]:
    """What earlier runs put in place, by path; a damaged file counts as none."""
    try:
        text = (git_dir / _FILE).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return {}
    # A new app does not wait for this import.
    import json

    try:
        found = json.loads(text)
        return {
            path: Applied(url=one["url"], ref=one["ref"], commit=one["commit"]) for path, one in found.items()
        }
    except (ValueError, TypeError, KeyError, AttributeError):
        return {}


def remember(
    git_dir: Path,
    wanted: Sequence[Wanted],
    current: Current,
    applied: Mapping[str, Applied],
    gitlinks: Mapping[str, str | None],
) -> None:
    """Write down what is in place: ``applied`` by this run, and what was there before it.

    Other apps of the same repository keep what is known of theirs.
    """
    dropped = {path for path, commit in gitlinks.items() if commit is None}
    before = recall(git_dir)
    known = {
        path: one
        for path, one in before.items()
        if not path.startswith(current.below) or (path in current.gitlinks and path not in dropped)
    }
    for one in wanted:
        if one.path in applied:
            known[one.path] = applied[one.path]
        elif one.path in current.gitlinks:
            known[one.path] = applied_to(one, current)._replace(commit=current.gitlinks[one.path])
    if known != before:
        _write(git_dir, known)


def _write(git_dir: Path, known: Mapping[str, Applied]) -> None:
    """Replace the file in one step, so that a killed run leaves the old one."""
    import json

    text = json.dumps({path: one._asdict() for path, one in sorted(known.items())}, indent=1)
    beside = (git_dir / _FILE).with_suffix(".new")
    beside.write_text(text + "\n", encoding="utf-8")
    beside.replace(git_dir / _FILE)
