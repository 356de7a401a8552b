"""A terminal session as one SVG: still frames of a terminal emulator's screen, shown in turn by CSS.

No script, no font and no address of its own, so it moves on a page that shows it as an image. It plays once and
holds its last frame, which also stands where nothing moves because a person or a program prefers it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from xml.sax.saxutils import escape

import pyte
from pyte.screens import Char

CELL, LINE, MARGIN, BAR = 8, 18, 16, 34
# A character of the usual fonts is 0.602 of its size wide, which is a cell here: nothing is stretched or cut.
SIZE = 13.29
FONT = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
GROUND, EDGE, TEXT, FAINT = "#0d1117", "#3d444d", "#d1d7e0", "#9198a1"
# The emulator's names of the eight colours; others come as six hexadecimal digits.
COLOURS = {
    "default": TEXT,
    "black": "#656c76",
    "red": "#ff7b72",
    "green": "#3fb950",
    "brown": "#d29922",
    "blue": "#58a6ff",
    "magenta": "#bc8cff",
    "cyan": "#56d4dd",
    "white": "#f0f6fc",
}


@dataclass(frozen=True)
class Run:
    """Neighbouring characters of one look: where they start, how many cells they fill."""

    column: int
    cells: int
    text: str
    colour: str
    bold: bool
    ground: str


@dataclass(frozen=True)
class Frame:
    """One still picture: what is told above it, for how many seconds, the rows, and the cursor's cell if it shows."""

    title: str
    seconds: float
    rows: tuple[tuple[Run, ...], ...]
    cursor: tuple[int, int] | None

    @property
    def text(self) -> str:
        """The words on it, a line a row."""
        return "\n".join("".join(f"{run.text} " for run in row) for row in self.rows)


def frame_of(screen: pyte.Screen, title: str, seconds: float) -> Frame:
    """Take the emulator's screen as it is now."""
    rows = tuple(
        tuple(_runs([screen.buffer[line][column] for column in range(screen.columns)]))
        for line in range(screen.lines)
    )
    cursor = None if screen.cursor.hidden else (screen.cursor.x, screen.cursor.y)
    return Frame(title, seconds, rows, cursor)


def _runs(cells: Sequence[Char]) -> Iterator[Run]:
    """Cut a row into runs. Blanks are left out, and a character of two cells stands alone: its width is the font's."""
    column = 0
    for (look, wide), group in groupby(
        enumerate(cells), key=lambda one: (_look(one[1]), _is_wide(cells, one[0]))
    ):
        pieces = [cell.data for _, cell in group]
        colour, bold, ground = look
        if wide:
            yield Run(column, len(pieces), pieces[0], colour, bold, ground)
        elif ground:
            yield Run(column, len(pieces), "".join(pieces), colour, bold, ground)
        else:
            for word in re.finditer(r"\S+(?: \S+)*", "".join(pieces)):
                yield Run(column + word.start(), len(word[0]), word[0], colour, bold, "")
        column += len(pieces)


def _is_wide(cells: Sequence[Char], column: int) -> bool:
    """Whether a cell is one of the two of a wide character: the emulator leaves the second one empty."""
    return not cells[column].data or (column + 1 < len(cells) and not cells[column + 1].data)


def _look(cell: Char) -> tuple[str, bool, str]:
    """Colour, weight and ground of a cell; an empty ground is the terminal's own."""
    colour = COLOURS.get(cell.fg, f"#{cell.fg}")
    ground = "" if cell.bg == "default" else COLOURS.get(cell.bg, f"#{cell.bg}")
    if cell.reverse:
        colour, ground = ground or GROUND, colour
    return colour, bool(cell.bold), ground


def draw(frames: Sequence[Frame], columns: int, description: str) -> str:
    """Return the SVG of all frames; the last one also stands where nothing moves.

    Every run has its place and length in cells, so the rows line up in whatever font the reader has.
    """
    lines = max(len(frame.rows) for frame in frames)
    width, height = columns * CELL + 2 * MARGIN, lines * LINE + BAR + 2 * MARGIN - 6
    whole = sum(frame.seconds for frame in frames)
    moves, bodies, start = [], [], 0.0
    for number, frame in enumerate(frames):
        end = start + frame.seconds
        steps = [("0", 0)] if start else []
        steps += [(f"{100 * start / whole:.2f}", 1)]
        steps += [(f"{100 * end / whole:.2f}", 0)] if number + 1 < len(frames) else []
        keys = "".join(f"{at}%{{opacity:{opacity}}}" for at, opacity in steps)
        moves.append(
            f"@keyframes f{number}{{{keys}}}#f{number}{{animation:f{number} {whole:g}s step-end both}}"
        )
        bodies.append(_body(number, frame, hidden=number + 1 < len(frames), middle=width // 2))
        start = end
    style = "\n".join(
        [
            f"text{{font:{SIZE}px {FONT};white-space:pre;fill:{TEXT}}}",
            f".t{{font-size:13px;fill:{FAINT};text-anchor:middle}}.b{{font-weight:bold}}",
            f"@media (prefers-reduced-motion:no-preference){{{''.join(moves)}}}",
        ]
    )
    dots = "".join(
        f'<circle cx="{MARGIN + 4 + 18 * dot}" cy="{BAR / 2:g}" r="5" fill="{EDGE}"/>' for dot in range(3)
    )
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
            f'height="{height}" role="img" aria-labelledby="title">',
            f'<title id="title">{escape(description)}</title>',
            f"<style>{style}</style>",
            f'<rect x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="8" fill="{GROUND}" stroke="{EDGE}"/>',
            f'<path d="M0.5 {BAR}.5h{width - 1}" stroke="{EDGE}"/>{dots}',
            *bodies,
            "</svg>",
            "",
        ]
    )


def _body(number: int, frame: Frame, *, hidden: bool, middle: int) -> str:
    opacity = ' opacity="0"' if hidden else ""
    parts = [
        f'<g id="f{number}"{opacity}>',
        f'<text class="t" x="{middle}" y="22">{escape(frame.title)}</text>',
    ]
    for line, row in enumerate(frame.rows):
        top = BAR + MARGIN - 4 + line * LINE
        parts += [_drawn(run, top) for run in row]
    if frame.cursor:
        column, line = frame.cursor
        place = f'x="{MARGIN + column * CELL}" y="{BAR + MARGIN - 4 + line * LINE}"'
        parts.append(f'<rect {place} width="{CELL}" height="{LINE}" fill="{TEXT}" opacity="0.7"/>')
    return "\n".join([*parts, "</g>"])


def _drawn(run: Run, top: int) -> str:
    left, width = MARGIN + run.column * CELL, run.cells * CELL
    ground = (
        f'<rect x="{left}" y="{top}" width="{width}" height="{LINE}" fill="{run.ground}"/>'
        if run.ground
        else ""
    )
    look = ' class="b"' if run.bold else ""
    look += f' style="fill:{run.colour}"' if run.colour != TEXT else ""
    if not run.text.strip():
        return ground
    length = f' textLength="{width}" lengthAdjust="spacingAndGlyphs"'
    return f'{ground}<text x="{left}" y="{top + 13}"{length}{look}>{escape(run.text)}</text>'
