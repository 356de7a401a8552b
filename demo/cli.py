"""The `demo` command: the whole way from questions to a tested app, for every strategy and platform."""

from __future__ import annotations

import argparse
import platform as machine
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from rich.console import Console
from rich.table import Table

from demo import existing, runs
from demo.hosts import DemoHosts

STRATEGIES = ("submodule", "git", "index", "mixed")
# Not made, but there before; plain Python, so that it is quick and runs everywhere.
EXISTING = "existing"
PLATFORMS = ("python", "viktor")
# Any Python that this project runs with will do.
APP = {"python_version": "3.11", "ci": "github"}
STEPS = ("generate", "install", "run", "test")


@dataclass
class Row:
    """What happened to one app: seconds by step, and the step that failed, if one did."""

    platform: str
    strategy: str
    seconds: dict[str, float] = field(default_factory=dict)
    failure: str = ""
    left_out: str = ""


def viktor_has_wheels() -> bool:
    """Whether VIKTOR publishes its SDK for this machine (Linux x86-64 and Windows)."""
    return sys.platform == "win32" or (sys.platform == "linux" and machine.machine() == "x86_64")


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and run; 0 when every app works."""
    parser = argparse.ArgumentParser(
        prog="demo",
        description="Start a private Git host and a private package index on this machine. Make an app with "
        "each strategy, and add a package to an app that existed before. Then log in, install, run and test "
        "each app.",
    )
    parser.add_argument("--keep", metavar="DIR", type=Path, help="leave the apps in this new or empty folder")
    parser.add_argument(
        "--serve", action="store_true", help="keep the hosts running, to follow docs/tutorial.md"
    )
    parser.add_argument(
        "--platform", choices=PLATFORMS, action="append", help="only this one; can be repeated"
    )
    parser.add_argument(
        "--strategy",
        choices=(*STRATEGIES, EXISTING),
        action="append",
        help=f"only this one; can be repeated. {EXISTING} is the app that existed before, on plain Python",
    )
    options = parser.parse_args(arguments)
    if options.strategy == [EXISTING] and options.platform == ["viktor"]:
        parser.error("the existing app of the demo is plain Python; leave out --platform")
    console = Console(stderr=True)
    if options.keep and options.keep.exists() and (not options.keep.is_dir() or any(options.keep.iterdir())):
        parser.error(f"{options.keep} holds something already; name a new folder")
    if not shutil.which("git"):
        parser.error("Git is not installed or not on PATH; install it")
    try:
        console.print("Starting a Git host and a package index, publishing the sample packages …")
        with DemoHosts() as hosts:
            console.print(f"  Git host {hosts.git_url}, package index {hosts.index_url}, both behind a login")
            if options.serve:
                return serve(hosts)
            with tempfile.TemporaryDirectory() as scratch:
                folder = options.keep.resolve() if options.keep else Path(scratch)
                folder.mkdir(parents=True, exist_ok=True)
                rows = [
                    show(console, hosts, folder, platform, strategy)
                    for platform in options.platform or PLATFORMS
                    for strategy in options.strategy or (*STRATEGIES, EXISTING)
                    if strategy != EXISTING or platform == "python"
                ]
    except KeyboardInterrupt:
        console.print("Stopped.")
        return 130
    except (RuntimeError, OSError) as error:
        console.print(f"The hosts cannot start: {error}", markup=False, highlight=False)
        console.print("Their packages are built with tools from PyPI; see whether this machine reaches it.")
        return 1
    return finish(console, rows, options.keep)


def show(console: Console, hosts: DemoHosts, folder: Path, platform: str, strategy: str) -> Row:
    """Take one app the whole way, saying each step while it works."""
    row = Row(platform, strategy)
    if platform == "viktor" and not viktor_has_wheels():
        row.left_out = "VIKTOR has no SDK for this machine"
        return row
    app = folder / f"{platform}-{strategy}"
    said: list[str] = []
    if strategy == EXISTING:
        steps, came = existing_steps(hosts, app, said), "there before"
    else:
        steps, came = new_steps(hosts, app, platform, strategy), "generated"
    for step in STEPS:
        started = time.perf_counter()
        with console.status(f"{app.name}: {step} …"):
            try:
                steps[step]()
            except (runs.StepFailed, subprocess.TimeoutExpired, RuntimeError) as error:
                row.failure = f"{step}: {error}"
                return row
        row.seconds[step] = time.perf_counter() - started
    console.print(f"  {app.name}: {came}, installed, run and tested", highlight=False)
    for line in said:
        console.print(f"    {line}", markup=False, highlight=False)
    return row


def new_steps(hosts: DemoHosts, app: Path, platform: str, strategy: str) -> dict[str, Callable[[], object]]:
    """The steps of an app that the template makes."""
    answers = {**APP, "platform": platform, **hosts.answers(strategy)}
    return {
        "generate": lambda: runs.generate(runs.TEMPLATE, app, answers, hosts.variables),
        "install": lambda: runs.install(app, hosts.variables),
        "run": lambda: runs.start(app, platform),
        "test": lambda: runs.test(app),
    }


def existing_steps(hosts: DemoHosts, app: Path, said: list[str]) -> dict[str, Callable[[], object]]:
    """The same for an app that is there before; what became of its lines goes to ``said``."""
    answers = {
        "start": "existing",
        "python_version": APP["python_version"],
        "strategies": ["submodule"],
        "submodule_packages": hosts.git_line(existing.PACKAGE),
    }

    def put_into() -> None:
        existing.write(app)
        runs.generate(runs.TEMPLATE, app, answers, hosts.variables)
        said.append(existing.became_of(app))

    return {
        "generate": put_into,
        "install": lambda: runs.install(app, hosts.variables),
        "run": lambda: existing.start(app),
        "test": lambda: runs.test(app),
    }


def finish(console: Console, rows: Sequence[Row], kept: Path | None) -> int:
    """Print the table, then every failure in full."""
    table = Table(title="Seconds a step took; every step is a real command")
    for heading in ("platform", "strategy", *STEPS, "result"):
        table.add_column(heading, justify="right" if heading in STEPS else "left")
    for row in rows:
        times = [f"{row.seconds[step]:.1f}" if step in row.seconds else "–" for step in STEPS]
        result = "failed" if row.failure else row.left_out or "works"
        table.add_row(row.platform, row.strategy, *times, result)
    Console().print(table)
    for row in rows:
        if row.failure:
            console.print(f"{row.platform}-{row.strategy} failed at {row.failure}", style="red", markup=False)
    if kept:
        console.print(f"The apps are in {kept}; the hosts are gone, so only what was installed works there.")
    return 1 if any(row.failure for row in rows) else 0


def serve(hosts: DemoHosts) -> int:
    """Keep the hosts up until Ctrl-C, with what to type in another terminal, whatever its shell is."""
    answers = hosts.folder / "answers.yml"
    given = {**APP, **hosts.answers("mixed")}
    answers.write_text(yaml.safe_dump(given, sort_keys=False), encoding="utf-8")
    # This Python has Copier, whatever the other terminal has on its PATH.
    copy = f"{_in_quotes(sys.executable)} -m copier copy --trust --vcs-ref HEAD"
    ending = f"{_in_quotes(runs.TEMPLATE)} my-app"
    print("\nMake a folder my-app, and in it a file .env with the login:\n")
    for name, value in hosts.variables.items():
        print(f"  {name}={value}")
    print("\nBeside that folder, answer the questions yourself:\n")
    print(f"  {copy} {ending}\n")
    print("Lines to paste as submodules or as packages from Git:\n")
    for line in hosts.git_lines():
        print(f"  {line}")
    print("\nLines for the index, and its address:\n")
    for line in hosts.index_lines():
        print(f"  {line}")
    print(f"  {hosts.index_answer()}\n\nOr let them be answered:\n")
    print(f"  {copy} --defaults --data-file {_in_quotes(answers)} {ending}")
    print("\nThen type what the copy says. Ctrl-C ends the hosts.", flush=True)
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        print("\nThe hosts have stopped.")
    return 0


def _in_quotes(path: str | Path) -> str:
    """A path as bash, zsh and cmd.exe read it; PowerShell wants an `&` before a quoted program."""
    return f'"{path}"' if " " in str(path) else str(path)


if __name__ == "__main__":
    sys.exit(main())
