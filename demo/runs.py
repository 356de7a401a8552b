"""The steps of an app's first hour, each a real command: generate, check, install, run, test.

The `demo` command shows them, and the tests use the same functions.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import uv
import yaml

TEMPLATE = Path(__file__).resolve().parents[1]
INSTALLERS = ("uv", "pip")


class StepFailed(Exception):
    """A command of a step ended with an error; the message has the command's own last lines."""


@dataclass(frozen=True)
class Virtual:
    """A virtual environment: its Python, and the installer that fills it."""

    python: Path
    installer: str


def run(
    command: Sequence[str | Path], cwd: Path, variables: Mapping[str, str], *, patience: float = 600
) -> str:
    """Run a command with ``variables`` added to the environment; return its output, both streams.

    ``patience`` is in seconds. Raises `StepFailed`.
    """
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        timeout=patience,
        check=False,
    )
    if done.returncode:
        tail = "\n".join(done.stdout.splitlines()[-15:])
        raise StepFailed(f"`{Path(command[0]).name} {command[1]} …` exits with {done.returncode}:\n{tail}")
    return done.stdout


def generate(template: Path, app: Path, answers: Mapping[str, object], variables: Mapping[str, str]) -> str:
    """`copier copy` the template with a data file; returns what Copier and the hook print.

    Strict: a package that cannot be fetched is an error. Raises `StepFailed`.
    """
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder, "answers.yml")
        data.write_text(yaml.safe_dump(dict(answers), sort_keys=False), encoding="utf-8")
        command: list[str | Path] = [sys.executable, "-m", "copier", "copy", "--trust", "--defaults"]
        # HEAD takes the work tree as it is; without it Copier would render the newest tag.
        command += ["--vcs-ref", "HEAD", "--data-file", data, template, app]
        return run(command, template, {**variables, "PRIVATE_PACKAGES_STRICT": "1"})


def make_environment(app: Path, installer: str) -> Virtual:
    """Make a virtual environment in the app's ``.venv``, seeded with pip, which the check needs.

    Raises `StepFailed`.
    """
    folder = app / ".venv"
    run([uv.find_uv_bin(), "venv", "--quiet", "--seed", "--python", sys.executable, folder], app, {})
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    return Virtual(python=python, installer=installer)


def check(app: Path, virtual: Virtual, variables: Mapping[str, str]) -> str:
    """Run the app's ``check_private_packages.py``. Raises `StepFailed`."""
    return run([virtual.python, "check_private_packages.py"], app, variables)


def install(app: Path, virtual: Virtual, variables: Mapping[str, str]) -> str:
    """Install ``requirements.txt`` with uv or pip. Raises `StepFailed`."""
    if virtual.installer == "uv":
        command: list[str | Path] = [uv.find_uv_bin(), "pip", "install", "--python", virtual.python]
    else:
        command = [virtual.python, "-m", "pip", "install", "--disable-pip-version-check"]
    return run([*command, "-r", "requirements.txt"], app, variables)


def start(app: Path, virtual: Virtual, platform: str) -> str:
    """Run the app: ``python -m app``, or import the controller where only VIKTOR can run it. Raises `StepFailed`."""
    command = ["-m", "app"] if platform == "python" else ["-c", "import app; print(app.Controller.__name__)"]
    return run([virtual.python, *command], app, {})


def test(app: Path, virtual: Virtual) -> str:
    """Run the app's own tests, without any of the variables set. Raises `StepFailed`."""
    return run([virtual.python, "-m", "unittest", "--verbose"], app, {})
