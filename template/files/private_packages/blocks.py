"""Marked blocks in files that are the user's: everything outside the marks stays as it is, byte for byte."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from private_packages.errors import Failure
from private_packages.files import read_text, write_text

BEGIN = "# >>> private packages: written by `python -m private_packages sync` >>>"
END = "# <<< private packages <<<"


def read_block(text: str) -> list[str] | None:
    """Return the lines between the marks, or None where there is no block. Raises ValueError for broken marks."""
    lines = text.split("\n")
    found = _find(lines)
    return None if found is None else lines[found[0] + 1 : found[1]]


def with_block(text: str, body: Sequence[str]) -> str:
    """Return ``text`` with its block replaced, or with a new one at its end; without a body there is none.

    A blank line parts a new block from what is above; it goes with the block. Raises ValueError for broken marks.
    """
    # Only at line feeds: what else Python takes for the end of a line is the user's.
    lines = text.split("\n")
    found = _find(lines)
    block = [BEGIN, *body, END]
    if found is None:
        if not body:
            return text
        above = text.removesuffix("\n") + "\n\n" if text else ""
        return above + "\n".join([*block, ""])
    before, after = lines[: found[0]], lines[found[1] + 1 :]
    if body:
        return "\n".join([*before, *block, *after])
    after = after or [""]
    if before and not before[-1] and not after[0]:
        before = before[:-1]
    return "\n".join([*before, *after])


def write_block(path: Path, body: Sequence[str]) -> bool:
    """Bring a file's block up to date; tell whether the file changed. A missing file is made for a body.

    Raises `Failure` for broken marks and merge conflicts, which change nothing, and OSError.
    """
    if not path.exists() and not body:
        return False
    text = read_text(path) if path.exists() else ""
    if any(line.startswith("<<<<<<< ") for line in text.split("\n")):
        raise Failure(
            f"{path.name} has merge conflicts; resolve them, then type `python -m private_packages sync`."
        )
    try:
        changed = with_block(text, body)
    except ValueError as error:
        raise broken_marks(path.name, error) from error
    if changed == text:
        return False
    write_text(path, changed)
    return True


def broken_marks(name: str, error: ValueError) -> Failure:
    """Return what is said of a file whose marks are broken."""
    return Failure(
        f"{name} holds {error} of the block that `python -m private_packages sync` writes;"
        " delete what is left of the block, then type that command."
    )


def _find(lines: Sequence[str]) -> tuple[int, int] | None:
    """Return where the marks stand. Raises ValueError when there is not one pair in the right order."""
    begins = [number for number, line in enumerate(lines) if line.rstrip() == BEGIN]
    ends = [number for number, line in enumerate(lines) if line.rstrip() == END]
    if not begins and not ends:
        return None
    if len(begins) + len(ends) == 1:
        raise ValueError("only one end")
    if len(begins) != 1 or len(ends) != 1 or begins > ends:
        raise ValueError("more than one pair of marks")
    return begins[0], ends[0]
