"""Marked blocks in files that are the user's: everything outside the marks stays as it is, byte for byte."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from private_packages.errors import Failure
from private_packages.files import has_conflict, read_exactly, remove, write_exactly

BEGIN = "# >>> private packages: written by `python -m private_packages sync` >>>"
# What begins a file that is written as a whole: an export of uv.lock.
GENERATED = "# Generated from uv.lock by `python -m private_packages sync`; change pyproject.toml instead."
END = "# <<< private packages <<<"


def read_block(text: str) -> list[str] | None:
    """Return the lines between the marks, or None where there is no block. Raises ValueError for broken marks."""
    found = _find(text)
    if found is None:
        return None
    inside = text[found[0] : found[1]].rstrip("\r\n").split("\n")[1:-1]
    return [line.removesuffix("\r") for line in inside]


def block_in(path: Path) -> list[str]:
    """Return the lines of a file's block; none where there is no block or no file.

    Raises `Failure` for broken marks, and OSError.
    """
    try:
        return read_block(read_exactly(path)[0]) or []
    except FileNotFoundError:
        return []
    except ValueError as error:
        raise broken_marks(path.name, error) from error


def with_block(text: str, body: Sequence[str]) -> str:
    """Return ``text`` with its block replaced, or with a new one at its end; without a body there is none.

    A blank line parts a new block from what is above; it goes with the block. Where a file has no line ending at
    its end, the block has none either, so that the text comes back as it was. Raises ValueError for broken marks.
    """
    # Only at line feeds: what else Python takes for the end of a line is the user's.
    found = _find(text)
    ending = "\r\n" if 2 * text.count("\r\n") > text.count("\n") else "\n"
    block = ending.join([BEGIN, *body, END])
    if found is None:
        if not body:
            return text
        if text.strip("\ufeff") and not text.endswith("\n"):
            return f"{text}{ending}{ending}{block}"
        return f"{text}{ending if text else ''}{block}{ending}"
    above, below = text[: found[0]], text[found[1] :]
    last = text[found[0] : found[1]]
    if body:
        end = last[len(last.rstrip("\r\n")) :]
        return f"{above}{block}{end}{below}"
    if below and not re.match(r"\r?\n", below):
        return above + below
    parting = above
    if _ends_blank(parting):
        parting = re.sub(r"\r?\n\Z", "", parting)
        if not below and not last.endswith("\n"):
            parting = re.sub(r"\r?\n\Z", "", parting)
    return parting + below


def write_block(path: Path, body: Sequence[str]) -> bool:
    """Bring a file's block up to date; tell whether the file changed.

    A missing file is made for a body, and removed with it when there is nothing else in it. Raises `Failure` for
    broken marks and merge conflicts, which change nothing, and OSError.
    """
    there = path.exists()
    if not there and not body:
        return False
    text, encoding = read_exactly(path) if there else ("", "utf-8")
    if has_conflict(text) and not _is_in_block(text):
        raise Failure(
            f"{path.name} has merge conflicts; resolve them, then type `python -m private_packages sync`."
        )
    try:
        # An empty file of the user's is told from one that was made for the block: the block begins with a blank line.
        changed = (
            with_block(text, body) if text or not there else f"\n{with_block('', body)}"
        )
    except ValueError as error:
        raise broken_marks(path.name, error) from error
    if changed == text or (there and not text and not body):
        return False
    if not changed and text.startswith(BEGIN):
        remove(path)
    else:
        write_exactly(path, changed, encoding)
    return True


def _is_in_block(text: str) -> bool:
    """Tell whether all conflicts of a text lie in its block, which is written anew anyway."""
    try:
        found = _find(text)
    except ValueError:
        return False
    if found is None:
        return False
    inside = text[found[0] : found[1]]
    whole = len(re.findall("(?m)^<<<<<<< ", inside)) == len(
        re.findall("(?m)^>>>>>>> ", inside)
    )
    return whole and not has_conflict(f"{text[: found[0]]}{text[found[1] :]}")


def broken_marks(name: str, error: ValueError) -> Failure:
    """Return what is said of a file whose marks are broken."""
    return Failure(
        f"{name} holds {error} of the block that `python -m private_packages sync` writes;"
        " delete what is left of the block, then type that command."
    )


def _ends_blank(text: str) -> bool:
    """Tell whether a text's last line is blank."""
    return re.search(r"(?:\A|\n)\r?\n\Z", text) is not None


def _find(text: str) -> tuple[int, int] | None:
    """Return where the block begins and ends, its last line ending included.

    Raises ValueError when there is not one pair of marks in the right order.
    """
    begins, ends = _places(text, BEGIN), _places(text, END)
    if not begins and not ends:
        return None
    if len(begins) + len(ends) == 1:
        raise ValueError("only one end")
    if len(begins) != 1 or len(ends) != 1 or begins[0] > ends[0]:
        raise ValueError("more than one pair of marks")
    return begins[0][0], ends[0][1]


def _places(text: str, mark: str) -> list[tuple[int, int]]:
    """Return where each line begins and ends that is a mark."""
    pattern = rf"(?m)^{re.escape(mark)}[^\S\n]*(?:\n|\Z)"
    return [one.span() for one in re.finditer(pattern, text)]
