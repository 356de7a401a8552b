"""The steps of an app's first hour, each a real command: generate, install, run, test.

The `demo` command shows them, and the tests use the same functions. A person types `python` for the Python of
their machine; here it is the one below this project's environment, so that an app makes and fills its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import uv
import yaml

TEMPLATE = Path(__file__).resolve().parents[1]
PYTHON = str(getattr(sys, "_base_executable", sys.executable))
# What an app's command is called with behind the name of a Python.
COMMAND = ("-m", "private_packages")


class StepFailed(Exception):
    """A command of a step ended with an error; the message has the command's own last lines."""


def run(
    command: Sequence[str | Path], cwd: Path, variables: Mapping[str, str], *, patience: float = 600
) -> str:
    """Run a command with ``variables`` added to the environment; return its output, both streams.

    It does not see the environment that this Python runs in, but for uv. ``patience`` is in seconds.
    Raises `StepFailed`.
    """
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**outside(), **variables},
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
        words = " ".join(str(part) for part in command[1:4])
        raise StepFailed(f"`{Path(command[0]).name} {words} …` exits with {done.returncode}:\n{tail}")
    return done.stdout


def outside() -> dict[str, str]:
    """Return the environment of a person who has uv and no virtual environment."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT")
    }
    folders = [os.environ.get("PATH", os.defpath), str(Path(uv.find_uv_bin()).parent)]
    return kept | {"PATH": os.pathsep.join(folders)}


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


def install(app: Path, variables: Mapping[str, str], *options: str) -> str:
    """Fetch, check and install everything: the app's one line. Raises `StepFailed`."""
    return run([PYTHON, *COMMAND, "install", *options], app, variables)


def execute(app: Path, variables: Mapping[str, str], *command: str) -> str:
    """Run a command in the app's environment. Raises `StepFailed`."""
    return run([PYTHON, *COMMAND, "exec", *command], app, variables)


def start(app: Path, platform: str) -> str:
    """Run the app: ``python -m app``, or import the controller where only VIKTOR can run it. Raises `StepFailed`."""
    command = ["-m", "app"] if platform == "python" else ["-c", "import app; print(app.Controller.__name__)"]
    return execute(app, {}, "python", *command)


def test(app: Path) -> str:
    """Run the app's own tests, without any of the variables set. Raises `StepFailed`."""
    return execute(app, {}, "python", "-m", "unittest", "--verbose")


def make_environment(folder: Path) -> Path:
    """Make a virtual environment in a folder's ``.venv``, with pip in it; return its Python. Raises `StepFailed`."""
    environment = folder / ".venv"
    run([uv.find_uv_bin(), "venv", "--quiet", "--seed", "--python", PYTHON, environment], folder, {})
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
