"""Measure what a person waits for, beside the alternatives, and print a Markdown table.

Everything runs against a Git host and a package index on this machine; each of their answers is
delayed by 40 ms, as if they were far away. Only the part `install` needs PyPI.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import uv
import yaml

from benchmarks import table
from benchmarks.measure import (
    Case,
    CommandFailed,
    Measured,
    Stopwatch,
    count_git,
    environment,
    fit,
    peak_memory,
    run,
)
from benchmarks.stage import MIXED, Stage, empty, fresh, remove
from demo import runs
from demo.hosts import DemoHosts
from demo.http_host import Faults

DELAY = 0.04
# A file system in memory (tmpfs(5)), and what has to be free there: several times what the largest size takes, in bytes.
MEMORY = Path("/dev/shm")
ROOM = 1_000_000_000
DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "performance.md"


@dataclass(frozen=True)
class Size:
    """How much is measured: rounds by number of packages, and rounds of everything that is quick.

    ``alone``: numbers of packages that only the hook fetches, because its rivals take minutes.
    """

    fetches: dict[int, int]
    alone: tuple[int, ...]
    kinds: tuple[str, ...]
    kinds_at: int
    updates: dict[int, int]
    rounds: int

    @property
    def counts(self) -> list[int]:
        """All numbers of packages that are fetched."""
        return [*self.fetches, *self.alone]


SIZES = {
    "small": Size(fetches={1: 1, 10: 1}, alone=(), kinds=(), kinds_at=10, updates={0: 1, 10: 1}, rounds=1),
    "default": Size(
        fetches={1: 7, 10: 3, 50: 1}, alone=(200,), kinds=(), kinds_at=50, updates={0: 3, 50: 3}, rounds=5
    ),
    "full": Size(
        fetches={1: 15, 10: 5, 50: 3, 200: 1},
        alone=(),
        kinds=("tag", "branch", "commit"),
        kinds_at=50,
        updates={0: 9, 50: 7, 200: 1},
        rounds=15,
    ),
}


@dataclass(frozen=True)
class Bench:
    """What the parts of the benchmark share."""

    stage: Stage
    watch: Stopwatch
    size: Size

    def copy(self) -> table.Section:
        """Copies without packages against the smallest template, and how a copy grows."""
        stage, app = self.stage, self.stage.folder / "copied"
        floor = stage.small_template(1)
        cases = [
            Case("a template of one file", stage.copy(floor, app), stage.folder, partial(remove, app)),
            Case(
                "this template, hook included",
                stage.copy(stage.template, app),
                stage.folder,
                partial(remove, app),
            ),
            Case(
                "this template with --skip-tasks",
                stage.copy(stage.template, app, "--skip-tasks"),
                stage.folder,
                partial(remove, app),
            ),
        ]
        measured = self.watch.side_by_side(cases, self.size.rounds)
        rows = table.rows(cases, measured, against=cases[0], wanted={cases[1].key: "≤ 1.6"})
        return table.Section("`copier copy --defaults` without packages", rows, self._growth())

    def _growth(self) -> list[str]:
        """The slopes of rendering: a file more in a small template, a package more in this one."""
        stage, app = self.stage, self.stage.folder / "copied"
        rounds = max(1, self.size.rounds // 2)
        files = [
            Case(
                "files",
                stage.copy(stage.small_template(count), app),
                stage.folder,
                partial(remove, app),
                count,
            )
            for count in (1, 50, 200)
        ]
        packages = [
            Case(
                "packages",
                stage.copy(stage.template, app, "--skip-tasks", "--data-file", stage.data_file(count, MIXED)),
                stage.folder,
                partial(remove, app),
                count,
            )
            for count in self.size.counts
        ]
        measured = self.watch.side_by_side([*files, *packages], rounds)
        return [
            table.slope("Rendering, one more file in a small template", fitted(files, measured), "a file"),
            table.slope(
                "Rendering, one more package in this template", fitted(packages, measured), "a package"
            ),
        ]

    def fetch(self) -> table.Section:
        """Fetching submodules: the hook, `git submodule add` in a row, a recursive clone of the finished app."""
        rows: list[table.Row] = []
        curves: dict[str, dict[int, float]] = {}
        for count, rounds in self.size.fetches.items():
            cases = self._fetch_cases(count, MIXED)
            measured = self._delayed(cases, rounds)
            for case in cases:
                curves.setdefault(case.name, {})[count] = measured[case.key].median
            wanted = {1: {1: "≥ 1"}, 50: {1: "≥ 5", 2: "≥ 1.5"}}.get(count, {})
            rows += table.fetch_rows(cases, measured, wanted)
        for count in self.size.alone:
            hook, _, _ = self._fetch_cases(count, MIXED)
            measured = self._delayed([hook], 1)
            curves[hook.name][count] = measured[hook.key].median
            rows += table.fetch_rows([hook], measured, {})
        for kind in self.size.kinds:
            hook, _, clone = self._fetch_cases(self.size.kinds_at, (kind,))
            measured = self._delayed([hook, clone], self.size.fetches[self.size.kinds_at])
            rows += table.fetch_rows([hook, clone], measured, {1: "≥ 1.5"})
        notes = [table.slope(f"Fetching, {name}", fit(curve), "a package") for name, curve in curves.items()]
        return table.Section(
            "Fetching N submodules, 40 ms added to each request", rows, [*notes, self._memory()]
        )

    def _fetch_cases(self, count: int, kinds: Sequence[str]) -> tuple[Case, Case, Case]:
        stage = self.stage
        app = stage.folder / "fetched"
        refs = "" if kinds == MIXED else f", only {kinds[0]} refs"
        clone = ["git", "clone", "--quiet", "--recurse-submodules", "-j8", "--shallow-submodules"]
        app_url = stage.published(count, kinds)
        return (
            Case(
                f"the hook{refs}",
                stage.sync(count),
                app,
                partial(fresh, stage.rendered(count, kinds), app, stage.env),
                count,
            ),
            Case(
                f"`git submodule add` one by one{refs}",
                ["sh", stage.one_by_one(count, kinds)],
                app,
                partial(empty, app, stage.env),
                count,
                stage.login,
            ),
            Case(
                f"`git clone --recurse-submodules -j8 --shallow-submodules`{refs}",
                [*clone, app_url, app],
                stage.folder,
                partial(remove, app),
                count,
                stage.login,
            ),
        )

    def _delayed(self, cases: Sequence[Case], rounds: int) -> dict[str, Measured]:
        """Measure with the delay of a host that is far away."""
        self.stage.hosts.git.faults = Faults(delay=DELAY)
        try:
            return self.watch.side_by_side(cases, rounds)
        finally:
            self.stage.hosts.git.faults = Faults()

    def _memory(self) -> str:
        """The peak memory of the hook's process tree at the largest number of packages."""
        stage, app, count = self.stage, self.stage.folder / "fetched", max(self.size.counts)
        fresh(stage.rendered(count), app, stage.env)
        self.watch.say(f"memory of the hook at {count} packages")
        together, alone = peak_memory(stage.sync(count), app, stage.env)
        return (
            f"Memory at N = {count}: {together / 1e6:.0f} MB at most for the hook and all its Git processes "
            f"together, {alone / 1e6:.0f} MB of it the hook itself (resident set sizes, shared pages counted again)."
        )

    def sync(self) -> table.Section:
        """A sync that has nothing to do, against starting Python."""
        stage, counts = self.stage, [0, *self.size.counts]
        start = Case("`python -c pass`", [sys.executable, "-c", "pass"], stage.folder)
        cases = [
            Case("the hook, nothing to do", stage.sync(count), stage.finished(count), count=count)
            for count in counts
        ]
        measured = self.watch.side_by_side([start, *cases], self.size.rounds)
        rows = [table.plain_row(start, measured[start.key], "")]
        for case in cases:
            started = count_git(case.command, case.cwd, stage.env, stage.folder)
            text = f"{measured[case.key].requests} requests, {len(started)} Git processes"
            rows.append(table.plain_row(case, measured[case.key], text, "0 requests, ≤ 5 Git processes"))
        notes = [table.slope("A sync with nothing to do", fitted(cases, measured), "a package")]
        return table.Section("A sync that has nothing to do, N submodules", rows, notes)

    def update(self) -> table.Section:
        """Updates that change nothing, against a bare template that renders the same files into the same app."""
        stage = self.stage
        rows: list[table.Row] = []
        ours: dict[int, float] = {}
        for count, rounds in self.size.updates.items():
            bare = Case("a bare template of equal size", stage.update(), stage.adopted(count), count=count)
            app = stage.finished(count)
            mine = Case("this template, hook included", stage.update(), app, count=count)
            half = Case(
                "this template with --skip-tasks", [*stage.update(), "--skip-tasks"], app, count=count
            )
            measured = self.watch.side_by_side([bare, mine, half], rounds)
            ours[count] = measured[mine.key].median
            rows += table.rows([bare, mine, half], measured, against=bare, wanted={mine.key: "≤ 1.3"})
        return table.Section(
            "`copier update` without changes, N submodules",
            rows,
            [table.slope("Updating", fit(ours), "a package")],
        )

    def install(self) -> table.Section:
        """Installing an app that has a package of each kind, with uv and with pip, caches cold and warm."""
        stage = self.stage
        app = stage.folder / "installed"
        run(stage.copy(stage.template, app, "--data-file", self._mixed_answers()), stage.folder, stage.env)
        rows: list[table.Row] = []
        for state in ("cold", "warm"):
            cases = [self._install_case(app, installer, state) for installer in ("pip", "uv")]
            measured = self.watch.side_by_side(cases, 1 if state == "cold" else max(1, self.size.rounds // 2))
            rows += table.rows(cases, measured, against=cases[0])
        return table.Section("Installing an app with a package of each kind", rows, [])

    def _mixed_answers(self) -> Path:
        path = self.stage.folder / "answers-mixed.yml"
        path.write_text(yaml.safe_dump(self.stage.hosts.answers("mixed")), encoding="utf-8")
        return path

    def _install_case(self, app: Path, installer: str, state: str) -> Case:
        cache = self.stage.folder / "cache" / installer
        remove(app / ".venv")
        python = runs.make_environment(app, installer).python
        command = [uv.find_uv_bin(), "pip"] if installer == "uv" else [python, "-m", "pip"]
        options = ["--python", python] if installer == "uv" else ["--disable-pip-version-check"]

        def prepare() -> None:
            remove(app / ".venv")
            if state == "cold":
                remove(cache)
            runs.make_environment(app, installer)

        return Case(
            f"{installer}, {state} cache",
            [*command, "install", *options, "-r", "requirements.txt"],
            app,
            prepare,
            variables={f"{installer.upper()}_CACHE_DIR": str(cache)},
        )


def goes_into_memory() -> bool:
    """Whether scratch files are written to memory: unless TMPDIR says where, or there is too little of it."""
    if "TMPDIR" in os.environ or not os.access(MEMORY, os.W_OK | os.X_OK):
        return False
    return shutil.disk_usage(MEMORY).free > ROOM


def fitted(cases: Sequence[Case], measured: dict[str, Measured]) -> tuple[float, float]:
    """The fit through the medians of some cases."""
    return fit({case.count: measured[case.key].median for case in cases})


PARTS: dict[str, Callable[[Bench], table.Section]] = {
    "copy": Bench.copy,
    "fetch": Bench.fetch,
    "sync": Bench.sync,
    "update": Bench.update,
    "install": Bench.install,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, measure, print; 0 when everything could be measured."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--size",
        choices=SIZES,
        default="default",
        help="small: half a minute; default: under five minutes; full: a quarter of an hour",
    )
    parser.add_argument("--only", choices=PARTS, action="append", help="only this part; can be repeated")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep every value in a new file for pyperf")
    parser.add_argument("--write", action="store_true", help=f"put the table into docs/{DOCUMENT.name}")
    options = parser.parse_args(arguments)
    if options.json and options.json.exists():
        parser.error(f"{options.json} exists; name a new file")
    started = time.monotonic()

    def say(text: str) -> None:
        print(f"[{time.monotonic() - started:5.0f} s] {text}", file=sys.stderr, flush=True)

    in_memory = goes_into_memory()
    if in_memory:
        # For this process, and for Copier and Git, which it measures.
        tempfile.tempdir = os.environ["TMPDIR"] = str(MEMORY)
    say("starting the hosts, publishing the packages")
    try:
        with tempfile.TemporaryDirectory() as scratch, DemoHosts() as hosts:
            folder = Path(scratch).resolve()
            env = environment(folder, hosts.variables)
            stage = Stage(folder, hosts, env)
            values = options.json.resolve() if options.json else folder / "values.json"
            bench = Bench(stage, Stopwatch(values, env, hosts.git, say), SIZES[options.size])
            run([sys.executable, "-m", "copier", "--version"], folder, env)
            facts = [*table.machine(), *(["scratch files in memory"] if in_memory else [])]
            sections = [PARTS[part](bench) for part in options.only or PARTS]
    except KeyboardInterrupt:
        say("stopped")
        return 130
    except (CommandFailed, runs.StepFailed) as error:
        say(str(error))
        return 1
    minutes = (time.monotonic() - started) / 60
    text = table.markdown(
        sections, [*facts, *table.mood("at the end"), f"size `{options.size}`, {minutes:.1f} minutes"]
    )
    print(text)
    if options.write:
        DOCUMENT.write_text(table.replaced(DOCUMENT.read_text(encoding="utf-8"), text), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
