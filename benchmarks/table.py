"""The Markdown that the benchmarks print, and where it goes in docs/performance.md."""

from __future__ import annotations

import os
import platform
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from benchmarks.measure import Case, Measured

BEGIN = "<!-- benchmark: the lines below are written by `python -m benchmarks --write` -->"
END = "<!-- benchmark: end -->"


@dataclass(frozen=True)
class Row:
    """One line: what, how many, seconds, what came of it, and what was wanted."""

    name: str
    count: str
    seconds: str
    result: str
    wanted: str


@dataclass(frozen=True)
class Section:
    """One table with the sentences below it."""

    title: str
    rows: Sequence[Row]
    notes: Sequence[str]


def plain_row(case: Case, measured: Measured, result: str, wanted: str = "") -> Row:
    """A row with a result in words."""
    count = str(case.count) if case.count or wanted else ""
    return Row(case.name, count, seconds(measured), result, wanted)


def rows(
    cases: Sequence[Case],
    measured: Mapping[str, Measured],
    *,
    against: Case,
    wanted: Mapping[str, str] | None = None,
) -> list[Row]:
    """Rows whose result is how many times as long as the case ``against``."""
    base = measured[against.key]
    return [
        Row(
            case.name,
            str(case.count) if case.count else "",
            seconds(measured[case.key]),
            "1" if case is against else f"{measured[case.key].ratio(base):.2f}",
            (wanted or {}).get(case.key, ""),
        )
        for case in cases
    ]


def compared(case: Case, measured: Mapping[str, Measured], first: Case | None, limit: float) -> list[Row]:
    """The row that compares a case with the first version; none where that was not measured."""
    if first is None:
        return []
    ratio = f"{measured[case.key].ratio(measured[first.key]):.2f}"
    return [Row(f"{case.name}, against {first.name}", str(case.count or ""), "", ratio, f"≤ {limit}")]


def fetch_rows(
    cases: Sequence[Case], measured: Mapping[str, Measured], wanted: Mapping[int, str]
) -> list[Row]:
    """Rows of one number of packages; the first case is the hook, and each other one is compared with it."""
    hook = measured[cases[0].key]
    found = []
    for number, case in enumerate(cases):
        one = measured[case.key]
        requests = f"{one.requests / case.count:.1f} requests a package, {one.refused} refused"
        ratio = f"; {one.ratio(hook):.1f} times as long as the hook" if number else ""
        limit = wanted.get(number, "") if number else "≤ 3.0 requests, 0 refused"
        found.append(Row(case.name, str(case.count), seconds(one), requests + ratio, limit))
    return found


def seconds(measured: Measured) -> str:
    """The median in seconds, with the number of rounds and their spread."""
    low, high = min(measured.seconds), max(measured.seconds)
    spread = f" ({low:.2f} to {high:.2f})" if len(measured.seconds) > 1 else ""
    return f"{measured.median:.2f}{spread}"


def slope(what: str, line: tuple[float, float], unit: str) -> str:
    """A sentence about a straight line through the times: seconds at zero, seconds for each one more."""
    start, each = line
    return f"{what}: {start:.2f} s + {each * 1000:.1f} ms {unit} (least squares)."


def machine() -> list[str]:
    """The facts about this machine that times depend on; neither names nor paths."""
    git = subprocess.run(["git", "--version"], capture_output=True, text=True, check=True).stdout.split()[2]
    return [
        time.strftime("%Y-%m-%d"),
        f"{os.cpu_count()} CPUs",
        f"{platform.system()} {platform.machine()}",
        f"Python {platform.python_version()}",
        f"Git {git}",
        *(f"{name} {version(name)}" for name in ("copier", "uv", "pip", "pyperf")),
        *mood("at the start"),
    ]


def mood(when: str) -> list[str]:
    """What changes from hour to hour: the load average of the last minute, where known, and what a new file costs."""
    load = [f"load {os.getloadavg()[0]:.1f}"] if hasattr(os, "getloadavg") else []
    return [*load, f"{new_file() * 1000:.2f} ms for a new file or folder {when}"]


def new_file() -> float:
    """The seconds that a small file or a folder takes where scratch files are: much of what Git does is that."""
    folders, files = 40, 5
    with tempfile.TemporaryDirectory() as scratch:
        started = time.perf_counter()
        for folder in range(folders):
            place = Path(scratch) / str(folder)
            place.mkdir()
            for file in range(files):
                (place / str(file)).write_bytes(bytes(1000))
        return (time.perf_counter() - started) / (folders * (files + 1))


def markdown(sections: Sequence[Section], facts: Sequence[str]) -> str:
    """All tables; seconds are medians, with the fastest and slowest round in brackets."""
    lines = [
        ", ".join(facts) + ".",
        "Seconds are medians, with the fastest and the slowest round in brackets.",
    ]
    for section in sections:
        lines += [
            "",
            f"### {section.title}",
            "",
            "| what | N | seconds | result | wanted |",
            "|---|--:|--:|---|---|",
        ]
        lines += [
            f"| {row.name} | {row.count} | {row.seconds} | {row.result} | {row.wanted} |"
            for row in section.rows
        ]
        if section.notes:
            lines += ["", *(f"- {note}" for note in section.notes)]
    return "\n".join(lines) + "\n"


def replaced(document: str, text: str) -> str:
    """The document with what stands between the two markers replaced. Raises ValueError when one is missing."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError("docs/performance.md has lost its markers")
    return f"{before}{BEGIN}\n\n{text}\n{END}{after}"
