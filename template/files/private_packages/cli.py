"""The command line: reads the arguments, hands over to one of the commands, turns failures into sentences."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from private_packages import findings
from private_packages.app import App, open_app
from private_packages.commands import (
    check,
    credential,
    install,
    login,
    move,
    status,
    sync,
)
from private_packages.commands import exec as exec_command
from private_packages.config import FILE, InConflict
from private_packages.diagnosis import explain_local
from private_packages.errors import Failure, GitError, WrongUsage
from private_packages.files import why_not
from private_packages.git import Git
from private_packages.names import COMMAND
from private_packages.output import Output


class Command(Protocol):
    """One file in `commands/`."""

    @property
    def SUMMARY(self) -> str:  # noqa: N802  constants of a module
        """What it does, in half a line."""

    @property
    def DESCRIPTION(self) -> str:  # noqa: N802
        """What it does, in a few lines."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare what the command takes."""

    def run(self, app: App, options: argparse.Namespace) -> int:
        """Do it; return the exit code. Raises `errors.Failure`, `errors.GitError` and OSError."""


COMMANDS: Mapping[str, Command] = {
    "status": status,
    "login": login,
    "install": install,
    "sync": sync,
    "check": check,
    "move": move,
    "exec": exec_command,
}
# Of the app that holds this package; Copier's hook and tests name another one.
HERE = Path(__file__).resolve().parents[1]


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog=COMMAND,
        description="Get, check and install the private packages of this app. Without a command: status.",
        epilog=f"`{COMMAND} COMMAND --help` explains a command.",
    )
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--quiet", action="store_true", help="print only what is wrong")
    commands = parser.add_subparsers(
        dest="command", metavar="COMMAND", title="commands"
    )
    for name, command in COMMANDS.items():
        one = commands.add_parser(
            name,
            help=command.SUMMARY,
            description=command.DESCRIPTION,
            parents=[shared],
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_arguments(one)
    return parser


def _open(
    command: str, folder: Path, environ: Mapping[str, str], output: Output
) -> App:
    """Read the app; `sync` first resolves what two branches wanted. Raises `Failure` and OSError."""
    try:
        return open_app(folder, environ, output)
    except InConflict:
        if command != "sync":
            raise
        # Nobody else needs it, and every command would wait for it.
        from private_packages.conflicts import resolve

        resolve(folder, Git(environ))
        output.say(f"  {FILE}: resolved as both branches want it")
        return open_app(folder, environ, output)


def main(
    arguments: Sequence[str],
    folder: Path = HERE,
    environ: Mapping[str, str] | None = None,
) -> int:
    """Run one command in an app's folder.

    The exit code is 0, 1 when anything is missing or wrong, 2 for wrong usage, 130 after Ctrl-C.
    """
    environ = os.environ if environ is None else environ
    if arguments[:1] == ["credential"]:
        # Git's own question, not a person's.
        return credential.answer(arguments[1:], folder, environ, sys.stdin, sys.stdout)
    # Without a command, or with options alone, it is `status`.
    given = list(arguments)
    if not given or (given[0].startswith("-") and given[0] not in ("-h", "--help")):
        given.insert(0, "status")
    options = make_parser().parse_args(given)
    output = Output(sys.stderr, environ, quiet=options.quiet)
    try:
        if sys.platform != "win32":
            signal.signal(signal.SIGTERM, signal.default_int_handler)
        app = _open(options.command, folder, environ, output)
        return COMMANDS[options.command].run(app, options)
    except WrongUsage as error:
        output.problem(str(error), "bad")
        return 2
    except Failure as error:
        output.problem(str(error), "bad")
    except GitError as error:
        output.problem(f"{explain_local(error)}.", "bad")
    except OSError as error:
        output.problem(f"{why_not(error, str(error.filename or 'the app'))}.", "bad")
    except KeyboardInterrupt:
        output.problem(f"Interrupted; `{findings.SYNC}` goes on from here.", "bad")
        return 130
    return 1
