"""What a person reads: sentences, progress while something is waited for, colour on a terminal only."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TextIO

# Select Graphic Rendition (ECMA-48): readable on dark and on light grounds.
_COLOURS = {"good": "1;32", "bad": "1;31", "command": "36", "aside": "2"}
# What a terminal would act on: controls but tab and line feed, and marks that turn the direction of text.
_CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)


class Output:
    """Writes to one stream."""

    def __init__(
        self, stream: TextIO, environ: Mapping[str, str], *, quiet: bool = False
    ) -> None:
        """``quiet`` leaves out everything but problems; ``environ`` says what the terminal is."""
        self.stream = stream
        self.quiet = quiet
        self._environ = environ
        self._open_line = ""

    def say(self, text: str = "", kind: str = "") -> None:
        """Write a line, unless quiet; ``kind`` is ``good``, ``bad``, ``command``, ``aside`` or empty."""
        if not self.quiet:
            self._write(text, kind)

    def problem(self, text: str, kind: str = "") -> None:
        """Write a line about something that is wrong, also when quiet."""
        self._write(text, kind)

    def progress(self, text: str) -> None:
        """Show what is waited for: on a terminal a line that the next one overwrites, elsewhere nothing."""
        if self.quiet or not self.is_terminal:
            return
        text = _plain(text)
        # Blanks instead of an escape code: the same on every terminal.
        self.stream.write(f"\r{text:{len(self._open_line)}}")
        self.stream.flush()
        self._open_line = text

    @property
    def is_terminal(self) -> bool:
        """Whether a person looks at it."""
        return self.stream.isatty() and self._environ.get("TERM") != "dumb"

    @property
    def _is_coloured(self) -> bool:
        """On a terminal, unless NO_COLOR has a value (no-color.org); a bare Windows console may not know colours."""
        able = os.name != "nt" or bool(
            self._environ.get("WT_SESSION") or self._environ.get("TERM")
        )
        return able and self.is_terminal and not self._environ.get("NO_COLOR")

    def clear(self) -> None:
        """Take the line of progress off the terminal."""
        if self._open_line:
            self.stream.write(f"\r{'':{len(self._open_line)}}\r")
            self._open_line = ""

    def _write(self, text: str, kind: str) -> None:
        self.clear()
        text = _plain(text)
        if kind and text and self._is_coloured:
            bare = text.lstrip(" ")
            text = f"{text[: -len(bare)]}\033[{_COLOURS[kind]}m{bare}\033[0m"
        encoding = self.stream.encoding or "utf-8"
        print(
            text.encode(encoding, "replace").decode(encoding),
            file=self.stream,
            flush=True,
        )


def in_columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield a line for each row, the cells of a column below each other."""
    wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = zip(row, wide, strict=True)
        yield "  ".join(f"{cell:{width}}" for cell, width in cells).rstrip()


def _plain(text: str) -> str:
    """Return a text without what a terminal would act on: parts of it may come from a server or a package."""
    return _CONTROLS.sub("�", text)
