"""Measure what a person waits for, beside the alternatives, and print a Markdown table.

Everything runs against a Git host and a package index on this machine; where a table says so, each of their
answers is delayed by 40 ms, as if they were far away. The parts `install` and `look` need PyPI.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
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
from benchmarks.stage import FIRST, HISTORY, Kind, Stage, empty, fresh, remove, save
from demo import runs
from demo.hosts import DemoHosts
from demo.http_host import Faults

DELAY = 0.04
# A file system in memory (tmpfs(5)), and what has to be free there: several times what the largest size takes, in bytes.
MEMORY = Path("/dev/shm")
ROOM = 2_000_000_000
# As many questions as the command asks at once (private_packages/proof.py).
AT_ONCE = 16
MINE = "this template, hook included"
THE_FIRST = f"its first version ({FIRST}), hook included"
AT_MOST = 1.15
# Prints the seconds of the first import that the finder does not know, and of a later one.
MISS = """
import sys, time, timeit
sys.path.insert(0, "app")
import _submodules
finder = sys.meta_path[0]
started = time.perf_counter()
finder.find_spec("of_nobody")
print(time.perf_counter() - started)
print(min(timeit.repeat(lambda: finder.find_spec("of_nobody"), number=1000, repeat=5)) / 1000)
"""
DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "performance.md"


@dataclass(frozen=True)
class Size:
    """How much is measured: rounds by number of packages, and rounds of everything that is quick.

    ``alone``: numbers of packages that only the hook fetches, because its rivals take minutes. ``many``: the number
    of packages where one is enough. ``kinds``: the kinds of refs that are fetched by themselves.
    """

    fetches: dict[int, int]
    alone: tuple[int, ...]
    kinds: tuple[str, ...]
    many: int
    updates: dict[int, int]
    rounds: int

    @property
    def counts(self) -> list[int]:
        """All numbers of packages that are fetched."""
        return [*self.fetches, *self.alone]


SIZES = {
    "small": Size(fetches={1: 1, 10: 1}, alone=(), kinds=(), many=10, updates={0: 1, 10: 1}, rounds=1),
    "default": Size(
        fetches={1: 7, 10: 3, 50: 1}, alone=(200,), kinds=(), many=50, updates={0: 3, 50: 3}, rounds=5
    ),
    "full": Size(
        fetches={1: 15, 10: 5, 50: 3, 200: 1},
        alone=(),
        kinds=("tag", "branch", "commit"),
        many=50,
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
        """Copies without packages against the smallest template and the first version, and how a copy grows."""
        stage, app = self.stage, self.stage.folder / "copied"

        def case(name: str, template: Path, *options: str) -> Case:
            command = stage.copy(template, app, *options)
            return Case(name, command, stage.folder, partial(remove, app))

        floor = case("a template of one file", stage.small_template(1))
        first = case(THE_FIRST, stage.first) if stage.first else None
        mine = case(MINE, stage.template)
        half = case("this template with --skip-tasks", stage.template, "--skip-tasks")
        cases = [floor, *([first] if first else []), mine, half]
        measured = self.watch.side_by_side(cases, self.size.rounds)
        rows = table.rows(cases, measured, against=floor)
        rows += table.compared(mine, measured, first, AT_MOST)
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
                stage.copy(stage.template, app, "--skip-tasks", "--data-file", stage.data_file(Kind(count))),
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
            cases = self._fetch_cases(Kind(count))
            measured = self._delayed(cases, rounds)
            for case in cases:
                curves.setdefault(case.name, {})[count] = measured[case.key].median
            wanted = {1: {1: "≥ 1"}, 50: {1: "≥ 5", 2: "≥ 1.5"}}.get(count, {})
            rows += table.fetch_rows(cases, measured, wanted)
        for count in self.size.alone:
            hook, _, _ = self._fetch_cases(Kind(count))
            measured = self._delayed([hook], 1)
            curves[hook.name][count] = measured[hook.key].median
            rows += table.fetch_rows([hook], measured, {})
        for kind in self.size.kinds:
            hook, _, clone = self._fetch_cases(Kind(self.size.many, (kind,)))
            measured = self._delayed([hook, clone], self.size.fetches[self.size.many])
            rows += table.fetch_rows([hook, clone], measured, {1: "≥ 1.5"})
        notes = [table.slope(f"Fetching, {name}", fit(curve), "a package") for name, curve in curves.items()]
        return table.Section(
            "Fetching N submodules, 40 ms added to each request", rows, [*notes, self._memory()]
        )

    def _fetch_cases(self, kind: Kind) -> tuple[Case, Case, Case]:
        stage, app = self.stage, self.stage.folder / "fetched"
        refs = "" if len(kind.refs) > 1 else f", only {kind.refs[0]} refs"
        clone = ["git", "clone", "--quiet", "--recurse-submodules", "-j8", "--shallow-submodules"]
        return (
            Case(
                f"the hook{refs}",
                stage.sync(),
                app,
                partial(fresh, stage.rendered(kind), app, stage.env),
                kind.count,
            ),
            Case(
                f"`git submodule add` one by one{refs}",
                ["sh", stage.one_by_one(kind)],
                app,
                partial(empty, app, stage.env),
                kind.count,
                stage.login,
            ),
            Case(
                f"`git clone --recurse-submodules -j8 --shallow-submodules`{refs}",
                [*clone, stage.published(kind), app],
                stage.folder,
                partial(remove, app),
                kind.count,
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
        fresh(stage.rendered(Kind(count)), app, stage.env)
        self.watch.say(f"memory of the hook at {count} packages")
        together, alone = peak_memory(stage.sync(), app, stage.env)
        return (
            f"Memory at N = {count}: {together / 1e6:.0f} MB at most for the hook and all its Git processes "
            f"together, {alone / 1e6:.0f} MB of it the hook itself (resident set sizes, shared pages counted again)."
        )

    def history(self) -> table.Section:
        """Fetching a package with a long history, whole, as plain Git does: in a new app, and in a clone of one."""
        stage, kind, app = self.stage, Kind(1, HISTORY), self.stage.folder / "fetched"
        clone = ("git", "clone", "--quiet", stage.finished(kind), app)

        def cloned() -> None:
            remove(app)
            run(clone, stage.folder, stage.env)

        update = ["git", "submodule", "--quiet", "update", "--init"]
        hook, add, _ = self._fetch_cases(kind)
        pairs = (
            (replace(add, name="`git submodule add`"), replace(hook, name="the hook")),
            (
                Case("`git submodule update --init`", update, app, cloned, 1, stage.login),
                Case("`sync` in a clone of the app", stage.command("sync"), app, cloned, 1),
            ),
        )
        rows: list[table.Row] = []
        for pair in pairs:
            measured = self._delayed(pair, (self.size.rounds + 1) // 2)
            rows += table.rows(pair, measured, against=pair[0], wanted={pair[1].key: "≤ 1.1"})
        remove(app)
        return table.Section(
            "Fetching a submodule with 200 MB of history, 40 ms added to each request", rows, []
        )

    def sync(self) -> table.Section:
        """A sync that has nothing to do, against starting Python."""
        stage, counts = self.stage, [0, *self.size.counts]
        start = Case("`python -c pass`", [sys.executable, "-c", "pass"], stage.folder)
        cases = [
            Case("the hook, nothing to do", stage.sync(), stage.finished(Kind(count)), count=count)
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

    def look(self) -> table.Section:
        """What a person and an app do all day: `status`, and an import that the finder does not know."""
        stage, many = self.stage, self.size.many
        case = Case("`status`", stage.command("status"), stage.installed(Kind(many)), count=many)
        # Python keeps the byte code of the first run.
        run(case.command, case.cwd, stage.env)
        measured = self.watch.side_by_side([case], self.size.rounds)[case.key]
        rows = [
            table.plain_row(case, measured, f"{measured.requests} requests", "< 0.3 s, 0 requests"),
            self._miss(stage.finished(Kind(many, platform="viktor")), many),
        ]
        return table.Section("Looking, N submodules", rows, [])

    def _miss(self, app: Path, count: int) -> table.Row:
        """What an import costs that the finder of a VIKTOR app does not know."""
        self.watch.say(f"the finder at {count} packages")
        done = subprocess.run(
            [runs.PYTHON, "-c", MISS], cwd=app, env=self.stage.env, capture_output=True, text=True, check=True
        )
        first, later = (float(number) * 1000 for number in done.stdout.split())
        return table.Row(
            "an import that the finder does not know",
            str(count),
            f"{later / 1000:.7f}",
            f"{later:.4f} ms, the first {first:.1f} ms",
            "< 0.1 ms",
        )

    def check(self) -> table.Section:
        """`check` of many packages against asking for their refs with `git ls-remote` alone."""
        stage, many = self.stage, self.size.many
        rows: list[table.Row] = []
        for strategy, name in (("submodule", "submodules"), ("git", "Git lines that uv's cache knows")):
            kind = Kind(many, strategy=strategy)
            app = stage.finished(kind)
            asking = f"`git ls-remote`, {AT_ONCE} at a time"
            bare = Case(asking, stage.all_refs(kind, AT_ONCE), app, count=many, variables=stage.login)
            mine = Case(f"`check`, {name}", stage.command("check"), app, count=many)
            run(mine.command, app, stage.env)
            measured = self._delayed([bare, mine], self.size.rounds)
            for case in (bare, mine):
                one = measured[case.key]
                ratio = f"; {one.ratio(measured[bare.key]):.2f} times as long" if case is mine else ""
                result = f"{one.requests} requests, {one.refused} refused{ratio}"
                # With a few packages the command's own start counts most.
                ratio_wanted = "; ≤ 2.0" if many >= 50 else ""
                wanted = f"{many} requests, 0 refused{ratio_wanted}" if case is mine else ""
                rows.append(table.plain_row(case, one, result, wanted))
        return table.Section("Proving where N packages come from, 40 ms added to each request", rows, [])

    def update(self) -> table.Section:
        """Updates that change nothing, against a bare template of equal size and against the first version."""
        stage = self.stage
        rows: list[table.Row] = []
        ours: dict[int, float] = {}
        for count, rounds in self.size.updates.items():
            kind = Kind(count)
            bare = Case("a bare template of equal size", stage.update(), stage.adopted(count), count=count)
            old = stage.of_the_first(kind)
            first = Case(THE_FIRST, stage.update(), old, count=count) if old else None
            mine = Case(MINE, stage.update(), stage.finished(kind), count=count)
            skip = [*stage.update(), "--skip-tasks"]
            half = Case("this template with --skip-tasks", skip, stage.finished(kind), count=count)
            cases = [bare, *([first] if first else []), mine, half]
            measured = self.watch.side_by_side(cases, rounds)
            ours[count] = measured[mine.key].median
            rows += table.rows(cases, measured, against=bare)
            rows += table.compared(mine, measured, first, AT_MOST)
        return table.Section(
            "`copier update` without changes, N submodules",
            rows,
            [table.slope("Updating", fit(ours), "a package")],
        )

    def install(self) -> table.Section:
        """Installing an app with a package of each kind and one of PyPI: the app's command, uv and pip."""
        stage = self.stage
        app = stage.folder / "installed"
        run(stage.copy(stage.template, app, "--data-file", self._mixed_answers()), stage.folder, stage.env)
        with (app / "requirements.txt").open("a", encoding="utf-8") as requirements:
            requirements.write("requests==2.32.5\n")
        save(app, stage.env)
        rows: list[table.Row] = []
        for state in ("cold", "warm"):
            cases = [self._install_case(app, installer, state) for installer in ("uv", "pip", "install")]
            measured = self.watch.side_by_side(cases, 1 if state == "cold" else self.size.rounds)
            rows += table.rows(cases, measured, against=cases[0])
        filled, _, mine = cases
        done = stage.folder / "done"
        shutil.copytree(app, done, symlinks=True, ignore=shutil.ignore_patterns(".venv"))
        run(mine.command, done, {**stage.env, **mine.variables})
        nothing = Case("uv, nothing to do", filled.command, app, variables=filled.variables)
        again = Case("`install`, nothing to do", mine.command, done, variables=mine.variables)
        measured = self.watch.side_by_side([filled, nothing, again], self.size.rounds)
        rows += table.rows([nothing, again], measured, against=filled, wanted={again.key: "≤ 2.5"})
        rows += self._project(filled.variables)
        return table.Section("Installing an app with a package of each kind and `requests`", rows, [])

    def _project(self, variables: Mapping[str, str]) -> list[table.Row]:
        """The same app with uv as its installer, when all is there."""
        stage = self.stage
        app = stage.folder / "project"
        answers = self._mixed_answers(installer="uv")
        run(stage.copy(stage.template, app, "--data-file", answers), stage.folder, stage.env)
        pyproject = app / "pyproject.toml"
        text = pyproject.read_text(encoding="utf-8")
        pyproject.write_text(text.replace("dependencies = [", "dependencies = [\n    'requests==2.32.5',", 1))
        run(stage.command("install"), app, {**stage.env, **variables})
        save(app, stage.env)
        user, password = (stage.hosts.variables[name] for name in ("ACME_USER", "ACME_PASSWORD"))
        login = {"UV_INDEX_PRIVATE_USERNAME": user, "UV_INDEX_PRIVATE_PASSWORD": password}
        bare = [uv.find_uv_bin(), "sync", "--locked"]
        sync = Case("`uv sync --locked`, nothing to do", bare, app, variables={**variables, **login})
        again = Case(
            "`install` with `installer: uv`, nothing to do",
            stage.command("install"),
            app,
            variables=variables,
        )
        measured = self.watch.side_by_side([sync, again], self.size.rounds)
        return table.rows([sync, again], measured, against=sync, wanted={again.key: "≤ 2"})

    def _mixed_answers(self, installer: str = "pip") -> Path:
        path = self.stage.folder / f"answers-{installer}.yml"
        answers = {**self.stage.hosts.answers("mixed"), "python_version": "3.11", "installer": installer}
        path.write_text(yaml.safe_dump(answers), encoding="utf-8")
        return path

    def _install_case(self, app: Path, installer: str, state: str) -> Case:
        cache = self.stage.folder / "cache" / installer

        def prepare() -> Path:
            remove(app / ".venv")
            if state == "cold":
                remove(cache)
            return runs.make_environment(app)

        python = prepare()
        commands: dict[str, list[str | Path]] = {
            "uv": [uv.find_uv_bin(), "pip", "install", "--python", python, "-r", "requirements.txt"],
            "pip": [python, "-m", "pip", "install", "--disable-pip-version-check", "-r", "requirements.txt"],
            "install": self.stage.command("install"),
        }
        name = "`install`" if installer == "install" else installer
        caches = {f"{which}_CACHE_DIR": str(cache) for which in ("UV", "PIP")}
        return Case(f"{name}, {state} cache", commands[installer], app, prepare, variables=caches)


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
    "history": Bench.history,
    "sync": Bench.sync,
    "look": Bench.look,
    "check": Bench.check,
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
        help="small: a minute; default: some five minutes; full: a quarter of an hour",
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
