"""`exec`: any command with `.env` loaded and Git logged in, for that command alone."""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from private_packages import environment, findings, large_files
from private_packages.credentials import (
    MissingVariables,
    index_variables,
    login,
    missing,
    no_value,
    with_helper,
)
from private_packages.errors import Failure, WrongUsage
from private_packages.names import COMMAND
from private_packages.project import manager_of, source_of

if TYPE_CHECKING:
    from private_packages.app import App

SUMMARY = "run any command with .env loaded and Git logged in"
DESCRIPTION = f"""\
Run any command with the values of .env in its environment and Git logged in
to the hosts of the private packages, for that command alone:

    {COMMAND} exec git pull --recurse-submodules
    {COMMAND} exec pip install -r requirements.txt
    {COMMAND} exec viktor-cli start

It runs in the folder where you are, and its exit code is the exit code here.
The app's virtual environment comes first on PATH, activated or not. If
variables have no value, you are told, and the command runs anyway: it may not
need them.

Git asks this app for the login of these hosts, and none of your own helpers
stores it. uv gets the login of the private index as UV_INDEX_PRIVATE_USERNAME
and UV_INDEX_PRIVATE_PASSWORD; where it is the app's installer, it looks there
first, whatever it looks for. Poetry gets it as
POETRY_HTTP_BASIC_PRIVATE_USERNAME and POETRY_HTTP_BASIC_PRIVATE_PASSWORD, and
is told to use your Git, which can log in, and the app's .venv. Variables that
you have set stay. `viktor-cli install`, `start` and `run` get `--env
NAME=value` for each variable: they take it in no other way, and other users
of this computer may see it in the list of processes.

Options of `exec` itself stand before the command: `exec --quiet git pull`."""

_VIKTOR = ("viktor-cli", "viktor-cli.exe")
_TAKES_VARIABLES = ("install", "start", "run")
# Its own Git asks no helper for a login, and its own folder for environments is not known to `status`.
_POETRY = {
    "POETRY_SYSTEM_GIT_CLIENT": "true",
    "POETRY_VIRTUALENVS_IN_PROJECT": "true",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command and what belongs to it, whatever that looks like."""
    parser.usage = "%(prog)s [-h] [--quiet] [--] COMMAND ..."
    parser.add_argument(
        "words",
        nargs=argparse.REMAINDER,
        metavar="COMMAND ...",
        help="the command, with its own options",
    )


def run(app: App, options: argparse.Namespace) -> int:
    """Run the command; on POSIX this process becomes it."""
    words: list[str] = options.words
    command = words[1:] if words[:1] == ["--"] else words
    if not command:
        raise WrongUsage(
            "exec needs a command, as in"
            f" `{COMMAND} exec git pull --recurse-submodules`."
        )
    without = app.missing_variables()
    if without:
        app.output.say(
            f"{no_value(without)}, which {command[0]} may need;"
            f" type `{findings.LOGIN}`."
        )
    if (
        app.config.installer == "uv"
        and Path(command[0]).stem == "uv"
        and "add" in command
    ):
        return _add(app, command)
    env = _environment(app)
    if "lfs" in command:
        # Nothing else reads these settings, and in no other case does one hold a login.
        env = large_files.with_logins(env, app.config.packages, app.environ)
    return _start(_for_viktor(command, app), env)


def _add(app: App, command: list[str]) -> int:
    """Run `uv add`, and put right what it writes of the private index, which a variable names to it."""
    from private_packages import uv_project  # as below

    env = _environment(app)
    program = shutil.which(command[0], path=env.get("PATH"))
    if program is None:
        raise _no_program(command[0])
    before = uv_project.text_of(app)
    code = subprocess.call([program, *command[1:]], env=env)
    written = uv_project.text_of(app)
    if before and written != before:
        uv_project.put_right(app, before)
        if uv_project.text_of(app) != written and "--frozen" not in command:
            # uv.lock says what pyproject.toml said.
            code = code or subprocess.call([program, "lock", "--quiet"], env=env)
    return code


def _no_program(name: str) -> Failure:
    return Failure(
        f"No program {name} was found; install it, or look for a typing error."
    )


def _environment(app: App) -> dict[str, str]:
    """Return the person's own environment, completed; their Git may ask questions."""
    env = with_helper(app.environ, app.config.packages, app.folder)
    manager = manager_of(app)
    ours = dict(_POETRY) if manager == "poetry" else {}
    index = app.config.index
    if index:
        # pip fills in the variables in its addresses by itself.
        with contextlib.suppress(MissingVariables):
            pair = login(index.user_info, app.environ)
            name = source_of(app, manager)[0]
            ours |= index_variables(name, pair, "UV_INDEX")
            if manager == "poetry":
                ours |= index_variables(name, pair, "POETRY_HTTP_BASIC")
    if app.config.installer == "uv":
        # With all that it loads 80 ms, which nobody else waits for.
        from private_packages.project_uv import index_environment

        ours |= index_environment(app)
    env = {**ours, **env}
    if index and manager == "pdm":
        # It fills them in, too, and encodes them itself.
        names = [name for name in index.variables if name in env]
        env |= {name: unquote(env[name], errors="surrogateescape") for name in names}
    found = environment.find(app.folder, env)
    return environment.entered(env, found) if found else env


def _for_viktor(command: list[str], app: App) -> list[str]:
    """Return a command of VIKTOR's command line with `--env` for each variable.

    Values stay percent-encoded: pip finds them in addresses.
    """
    subcommand = next(
        (place for place, word in enumerate(command) if place and word[:1] != "-"), 0
    )
    is_viktor = Path(command[0]).name.lower() in _VIKTOR
    if not is_viktor or command[subcommand] not in _TAKES_VARIABLES:
        return command
    names = app.config.variables
    without = missing(names, app.environ)
    given = [f"{name}={app.environ[name]}" for name in names if name not in without]
    place = subcommand + 1
    options = [word for pair in given for word in ("--env", pair)]
    return [*command[:place], *options, *command[place:]]


def _start(command: list[str], env: Mapping[str, str]) -> int:
    """Start a program with its arguments, and return its exit code. Raises `Failure`."""
    program = shutil.which(command[0], path=env.get("PATH"))
    if sys.platform == "win32" and program is None:
        # Python 3.11 completes no name that has a folder.
        program = shutil.which(f"{command[0]}.exe", path=env.get("PATH"))
    if program is None:
        raise _no_program(command[0])
    try:
        if sys.platform == "win32":
            # The console tells both processes of Ctrl-C: this one waits for the other.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGBREAK, signal.SIG_IGN)
            return subprocess.call([program, *command[1:]], env=env)
        # Python ignores both, and the program would inherit that.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        os.execve(program, command, env)
    except (OSError, ValueError) as error:
        # No environment variable may hold a NUL.
        reason = error.strerror if isinstance(error, OSError) else error
        raise Failure(f"{command[0]} cannot be started: {reason}.") from error
