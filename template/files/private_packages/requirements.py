"""The app's requirements.txt: the block that the command writes, and reading the file as installers do."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from private_packages.blocks import block_in
from private_packages.errors import Failure, Unreadable
from private_packages.file_lines import needed_lines
from private_packages.files import read_exactly, sides_of
from private_packages.package_files import is_installable
from private_packages.project import file_of, manager_of
from private_packages.strategies import strategy_of

if TYPE_CHECKING:
    from private_packages.app import App
    from private_packages.lock import Lock

_ITSELF = "-e ."
_COMMENT = re.compile(r"(?:^|\s+)#.*$")


def body(
    app: App, lock: Lock, former: list[str] | None = None
) -> tuple[list[str], list[tuple[str, str]]]:
    """Return the lines of the block, and for each package that could not be read its name and why.

    ``former`` is the block as it stands; None reads it. An app that uv installs, or another manager, has none. Raises
    `Failure` when the block is damaged.
    """
    if app.config.installer == "uv" or manager_of(app):
        return [], []
    before = block_in(file_of(app.folder)) if former is None else former
    # Of two branches, ours: what a package needed stays until that is fetched.
    before = sides_of("\n".join(before))[0].splitlines()
    lines = [*option_lines(app), *_app_itself(app, before)]
    failed: list[tuple[str, str]] = []
    seen: set[str] = set()
    for package in app.config.packages:
        try:
            found = strategy_of(package).lines(app, package, lock, before)
        except Unreadable as error:
            failed.append((package.name, str(error)))
            continue
        # Two packages may need the same.
        lines += [line for line in found if line.startswith("#") or line not in seen]
        seen.update(found)
    if app.config.index and app.config.index.scope == "files":
        try:
            needed = list(needed_lines(app.config.index, lock))
        except Unreadable as error:
            failed.append(("the private index", str(error)))
            needed = []
        lines += ["# needed by them:", *needed] if needed else []
    return lines, failed


def _app_itself(app: App, former: Sequence[str]) -> list[str]:
    """Return the line that installs the app, where its pyproject.toml alone says what it needs (PEP 621).

    Once it is there it stays: a person may add lines of their own below it.
    """
    if not app.config.packages:
        return []
    if _ITSELF in former:
        return [_ITSELF]
    if app.config.platform == "viktor" or file_of(app.folder).exists():
        return []
    try:
        return [_ITSELF] if is_installable(app.folder) else []
    except Unreadable:
        return []


def option_lines(app: App) -> list[str]:
    """Return the line that names the private index to pip and uv; none where files are named."""
    index = app.config.index
    if index is None or index.scope == "files":
        return []
    return [
        f"{'--index-url' if index.scope == 'only' else '--extra-index-url'} {index.url}"
    ]


@dataclass(frozen=True)
class Line:
    """One logical line: comments are gone, continued lines are joined; ``place`` is ``requirements.txt:3``."""

    text: str
    place: str


def read(folder: Path) -> Iterator[Line]:
    """Yield the lines that an installer reads, those of included files in their place (pip, "Requirements File Format").

    Only files inside the app are included. Raises `Failure`.
    """
    yield from _read(folder, file_of(folder), frozenset())


def _read(folder: Path, path: Path, above: frozenset[Path]) -> Iterator[Line]:
    place = path.name if path.parent == folder else path.relative_to(folder).as_posix()
    try:
        text, _ = read_exactly(path)
    except FileNotFoundError as error:
        raise Failure(
            f"There is no {place}; take it back with `git checkout -- {place}`."
        ) from error
    except OSError as error:
        raise Failure(f"{place} cannot be read: {error.strerror}.") from error
    coding = re.match(r"(?:.*\n)?#.*coding[:=]\s*(?!utf-?8\b)", text, re.IGNORECASE)
    if coding or "\0" in text:
        # pip would decode it in another way than uv.
        raise Failure(f"{place} is no UTF-8; save it as UTF-8, without `coding:`.")
    for number, joined in _joined(text.removeprefix("\ufeff")):
        line = _COMMENT.sub("", joined).strip()
        if not line:
            continue
        included = re.fullmatch(r"(?:-r|--requirement)(?:\s+|=)?(\S+)", line)
        if included is None:
            yield Line(line, f"{place}:{number}")
            continue
        target = (path.parent / included[1]).resolve()
        if (
            not target.is_relative_to(folder.resolve())
            or target in above
            or target == path.resolve()
        ):
            raise Failure(
                f"{place}:{number} includes {included[1]}, which is not a file of its own inside the app; write its lines here."
            )
        yield from _read(
            folder,
            folder / target.relative_to(folder.resolve()),
            above | {path.resolve()},
        )


def _joined(text: str) -> Iterator[tuple[int, str]]:
    """Yield logical lines with the number of their first line: a backslash at the end joins the next."""
    start = 1
    parts: list[str] = []
    # As pip separates them: also at a form feed.
    for number, line in enumerate(text.splitlines(), start=1):
        if not parts:
            start = number
        # A comment ends a line, whatever stands at its end.
        if line.endswith("\\") and not _COMMENT.search(line):
            parts.append(line.removesuffix("\\"))
            continue
        yield start, "".join([*parts, line])
        parts = []
    if parts:
        yield start, "".join(parts)
