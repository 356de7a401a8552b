"""Timing commands side by side, with pyperf; counting Git processes and requests; memory of a process tree."""

from __future__ import annotations

import base64
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pyperf
import uv

from demo import runs
from demo.git_host import GitHost


class CommandFailed(Exception):
    """A command that was to be measured ended with an error; the message has its last lines."""


def nothing() -> None:
    """Prepare nothing."""


@dataclass(frozen=True)
class Case:
    """One command to be measured.

    ``prepare`` runs before each measurement and is not timed; ``count`` is the number of packages or
    files, for the fit; ``variables`` are added to the environment.
    """

    name: str
    command: Sequence[str | Path]
    cwd: Path
    prepare: Callable[[], object] = nothing
    count: int = 0
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The name of this case in pyperf's file."""
        return f"{self.name} ({self.count})"


@dataclass
class Measured:
    """The results of one case: seconds by round, and the requests of the last round with those refused (401)."""

    seconds: list[float] = field(default_factory=list)
    requests: int = 0
    refused: int = 0

    @property
    def median(self) -> float:
        """The median in seconds."""
        return statistics.median(self.seconds)

    def ratio(self, other: Measured) -> float:
        """How many times as long as ``other``: the median of the rounds' own ratios."""
        return statistics.median(
            mine / theirs for mine, theirs in zip(self.seconds, other.seconds, strict=True)
        )


def environment(home: Path, variables: Mapping[str, str]) -> dict[str, str]:
    """An environment for what is measured: no settings of the user's, no virtual environment; byte code is kept.

    The uv that comes first is the one that is measured by itself: a version manager's would start a shell.
    """
    (home / "settings.yml").write_text("{}\n", encoding="utf-8")
    (home / "gitconfig").write_text("[user]\n\tname = Bench\n\temail = bench@localhost.invalid\n")
    kept = {name: value for name, value in runs.outside().items() if not name.startswith(("GIT_", "COPIER_"))}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    return {
        **kept,
        "PATH": os.pathsep.join([str(Path(uv.find_uv_bin()).parent), kept.get("PATH", os.defpath)]),
        "GIT_CONFIG_GLOBAL": str(home / "gitconfig"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "COPIER_SETTINGS_PATH": str(home / "settings.yml"),
        "COPIER_CACHE_DIR": str(home / "copier"),
        "UV_CACHE_DIR": str(home / "uv"),
        "PRIVATE_PACKAGES_STRICT": "1",
        **variables,
    }


def login(host: GitHost, user: str, token: str) -> dict[str, str]:
    """Variables that log Git's own commands in at once, so that no rival pays for a 401."""
    header = base64.b64encode(f"{user}:{token}".encode()).decode("ascii")
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"http.{host.url}/.extraHeader",
        "GIT_CONFIG_VALUE_0": f"Authorization: Basic {header}",
    }


@dataclass
class Stopwatch:
    """Times cases with `pyperf command`, one value at a time, and keeps them in pyperf's JSON ``file``."""

    file: Path
    env: Mapping[str, str]
    host: GitHost
    say: Callable[[str], None]

    def side_by_side(self, cases: Sequence[Case], rounds: int) -> dict[str, Measured]:
        """Measure the cases in turn, ``rounds`` times over, so that a busy moment hits all of them alike.

        Raises `CommandFailed`.
        """
        measured = {case.key: Measured() for case in cases}
        for number in range(1, rounds + 1):
            for case in cases:
                case.prepare()
                self.host.clear()
                seconds = self._time(case)
                one = measured[case.key]
                one.seconds.append(seconds)
                one.requests = len(self.host.requests)
                one.refused = sum(request.status == 401 for request in self.host.requests)
                self.say(f"{case.key}, round {number} of {rounds}: {seconds:.2f} s")
        return measured

    def _time(self, case: Case) -> float:
        command = [str(part) for part in case.command]
        pyperf_command = [sys.executable, "-m", "pyperf", "command", "--quiet", "--copy-env"]
        pyperf_command += ["--processes", "1", "--values", "1", "--warmups", "0", "--loops", "1"]
        done = subprocess.run(
            [*pyperf_command, "--name", case.key, "--append", str(self.file), "--", *command],
            cwd=case.cwd,
            env={**self.env, **case.variables},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            # pyperf keeps what the command says to itself: once more, to hear it.
            run(command, case.cwd, {**self.env, **case.variables})
            raise CommandFailed(f"{case.key}: {done.stderr.strip().splitlines()[-1]}")
        values = pyperf.BenchmarkSuite.load(str(self.file)).get_benchmark(case.key).get_values()
        return float(values[-1])


def fit(points: Mapping[int, float]) -> tuple[float, float]:
    """Least squares through seconds by count: (seconds at zero, seconds for each one more)."""
    line = statistics.linear_regression(list(points), list(points.values()))
    return line.intercept, line.slope


def git_wrapper(folder: Path, log: Path) -> Path:
    """Make a `git` in ``folder`` that writes its arguments to ``log``, a line a process, and becomes Git.

    Put the folder first on PATH. POSIX only. Returns the folder.
    """
    real = shutil.which("git")
    if real is None:
        raise FileNotFoundError("git is not on PATH")
    folder.mkdir(parents=True, exist_ok=True)
    script = folder / "git"
    script.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$*" >>{shlex.quote(str(log))}\nexec {shlex.quote(real)} "$@"\n'
    )
    script.chmod(0o755)
    return folder


def count_git(command: Sequence[str | Path], cwd: Path, env: Mapping[str, str], scratch: Path) -> list[str]:
    """Run a command and return the arguments of each Git process that it started. Raises `CommandFailed`."""
    log = scratch / "git.log"
    log.write_text("")
    wrapper = git_wrapper(scratch / "git-wrapper", log)
    path = f"{wrapper}{os.pathsep}{env.get('PATH', os.defpath)}"
    run(command, cwd, {**env, "PATH": path})
    return log.read_text(encoding="utf-8").splitlines()


def run(command: Sequence[str | Path], cwd: Path, env: Mapping[str, str]) -> None:
    """Run a command that is not measured. Raises `CommandFailed`."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        tail = "\n".join(done.stdout.splitlines()[-10:])
        raise CommandFailed(f"{Path(command[0]).name} exits with {done.returncode}:\n{tail}")


def peak_memory(command: Sequence[str | Path], cwd: Path, env: Mapping[str, str]) -> tuple[int, int]:
    """Run a command and watch its process tree: peak bytes of all together, and of the first process alone.

    Bytes are resident set sizes, seen every 10 ms; pages that processes share count once for each, so
    the first number is an upper bound. Raises `CommandFailed`.
    """
    together = alone = 0
    with psutil.Popen(
        [str(part) for part in command],
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        while process.poll() is None:
            first = _resident(process)
            alone = max(alone, first)
            together = max(together, first + sum(map(_resident, _children(process))))
            time.sleep(0.01)
        if process.returncode:
            raise CommandFailed(f"{Path(command[0]).name} exits with {process.returncode}")
    return together, alone


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return list(process.children(recursive=True))
    except psutil.NoSuchProcess:
        return []


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0
