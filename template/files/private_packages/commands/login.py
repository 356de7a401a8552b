"""`login`: asks for values, keeps them in `.env`, and tries each login on its host."""

from __future__ import annotations

import argparse
import getpass
import os
import re
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import quote

from private_packages import dotenv, hosts, index, remote
from private_packages.credentials import host_of, missing
from private_packages.errors import Failure, GitError, WrongUsage
from private_packages.files import why_not
from private_packages.findings import INSTALL, LOGIN
from private_packages.git import Git
from private_packages.names import listed, variables_of

if TYPE_CHECKING:
    from private_packages.app import App
    from private_packages.config import Config
    from private_packages.output import Output

SUMMARY = "ask for user names and tokens, keep them in .env, and try them"
DESCRIPTION = """\
Ask for each variable that has no value, write the values into .env, and try
each login on its host. What you type stays hidden, unless it is a user name.

Type a value as you got it. It becomes part of a URL, so `login`
percent-encodes it. A value that is percent-encoded already, such as a%40b,
stays as it is. Spaces around it are removed. You are not asked for a variable
that is set in the environment: it wins over .env.
"""

_ENCODED = re.compile(r"(?:[A-Za-z0-9._~-]|%[0-9A-Fa-f]{2})+")
# So many packages are named where a sentence tells what a variable is for.
_NAMED = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--again",
        action="append",
        default=[],
        metavar="NAME",
        help="ask for this variable although it has a value, such as an expired token",
    )
    parser.add_argument(
        "--no-try", action="store_true", help="ask no host whether it accepts the login"
    )


def run(app: App, options: argparse.Namespace) -> int:
    """Ask, write and try; return 1 when a value is missing or refused.

    Raises `Failure` where nobody can be asked, or Git would take `.env`.
    """
    variables = app.config.variables
    unknown = [name for name in options.again if name not in variables]
    if unknown:
        known = (
            f"the variables are {listed(variables)}" if variables else "there is none"
        )
        raise WrongUsage(f"No package line names {listed(unknown)}; {known}.")
    if not variables:
        app.output.say(
            "No package line names a variable; Git's own credential helper or your SSH key logs in."
        )
        return 0
    wanted = [
        name
        for name in variables
        if name in options.again or name in app.missing_variables()
    ]
    given: dict[str, str] = {}
    try:
        if wanted:
            _refuse_without_terminal(app, wanted)
            _refuse_to_leak(app)
            try:
                _ask_for(app, wanted, given)
            finally:
                # Also after Ctrl-C: nobody likes to look for a token twice.
                _keep(app, given)
        else:
            app.output.say(f"Nothing to ask for: {_has(variables, 'a value')}.")
        return _judge(app, given, is_tried=not options.no_try)
    except KeyboardInterrupt:
        kept = f".env keeps {listed(list(given))}" if given else "nothing was written"
        app.output.problem(f"Interrupted; {kept}. `{LOGIN}` goes on from here.", "bad")
        return 130


def _refuse_without_terminal(app: App, wanted: list[str]) -> None:
    if sys.stdin is not None and sys.stdin.isatty():
        return
    without = app.missing_variables()
    why = (
        f"{_has(without, 'no value')}, and there is no terminal to ask on."
        if without
        else f"There is no terminal to ask for {listed(wanted)} on."
    )
    it = "it" if len(without or wanted) == 1 else "them"
    raise Failure(f"{why} Set {it} in the environment, or write {it} into .env.")


def _refuse_to_leak(app: App) -> None:
    """Raise `Failure` unless Git ignores `.env`, or there is no repository."""
    if (app.folder / dotenv.FILE).is_dir():
        raise Failure(
            f".env is a folder in {app.folder}, and the values go into a file of that name;"
            " rename the folder."
        )
    try:
        if app.git.run("ls-files", "--", dotenv.FILE, cwd=app.folder):
            raise Failure(
                ".env is tracked by Git, so its values would be published; type"
                " `git rm --cached .env`, and replace each secret that it held."
            )
        app.git.run("check-ignore", "--quiet", "--", dotenv.FILE, cwd=app.folder)
    except GitError as error:
        if re.search("command not found|not a git repository", error.stderr):
            return
        if error.stderr:
            raise
        raise Failure(
            ".env is not ignored by Git; add a line `.env` to .gitignore first."
        ) from error


@dataclass(frozen=True)
class _Use:
    """What a variable is for at one host; ``kind`` is ``git`` or ``index``."""

    role: str
    host: str
    kind: str

    @property
    def is_user_name(self) -> bool:
        return self.role == "user name"


def _uses(config: Config, variable: str) -> dict[_Use, list[str]]:
    """Return what a variable is for, with the names of the packages."""
    logins = [
        (one.user_info, host_of(one.url).partition("://")[2], "git", one.name)
        for one in config.packages
    ]
    if config.index:
        login = (config.index.user_info, config.index.host, "index")
        logins += [(*login, one.name) for one in config.of("index")] or [(*login, "")]
    uses: dict[_Use, list[str]] = {}
    for user_info, host, kind, name in logins:
        if variable in variables_of(user_info):
            use = _Use(_role(user_info, variable), host, kind)
            uses.setdefault(use, []).extend([name] if name else [])
    return uses


def _role(user_info: str, variable: str) -> str:
    user, _, password = user_info.partition(":")
    if password and variable in variables_of(user):
        return "user name"
    return "password or token" if variables_of(user) and password else "token"


def _ask_for(app: App, wanted: Sequence[str], given: dict[str, str]) -> None:
    """Ask for variables, and put what is typed into ``given`` at once."""
    for name in wanted:
        uses = _uses(app.config, name)
        for use, packages in uses.items():
            _tell(app.output, name, use, packages)
        is_shown = all(use.is_user_name for use in uses)
        typed = _typed(name, app.output, _read_shown if is_shown else _read_hidden)
        if not typed:
            if name not in app.missing_variables():
                app.output.say("  It keeps the value that it has.")
            continue
        if "%" in typed and _ENCODED.fullmatch(typed):
            app.output.say(
                "  Taken as percent-encoded already; if it is not, give it again"
                " with %25 in place of each %."
            )
            given[name] = typed
        else:
            given[name] = quote(typed, safe="")


def _tell(output: Output, name: str, use: _Use, packages: list[str]) -> None:
    """Say what a variable is for, and what it must be allowed."""
    named = packages
    if len(packages) > _NAMED + 1:
        named = [*packages[:_NAMED], f"{len(packages) - _NAMED} more"]
    come = "comes" if len(packages) == 1 else "come"
    source = f", where {listed(named)} {come} from" if named else ""
    output.say(f"{name} is the {use.role} for {use.host}{source}.")
    if use.is_user_name:
        return
    host = hosts.of(use.host, use.kind)
    if host is None:
        what = "repositories" if use.kind == "git" else "packages"
        output.say(f"  It must be allowed to read these {what}, and nothing else.")
        return
    output.say(f"  What it needs: {host.scopes.replace('`', '')}.")
    if host.command:
        output.say(f"  `{host.token_command(use.host)}` prints one.")


def _typed(name: str, output: Output, read: Callable[[str, Output], str]) -> str:
    """Return what a person types for a variable, without blanks around it; maybe nothing."""
    while True:
        try:
            typed = read(name, output).strip()
        except EOFError:
            typed = ""
        except KeyboardInterrupt:
            # Off the line of the question.
            output.problem("")
            raise
        except UnicodeError:
            # What it says may hold a part of the secret.
            raise Failure(
                f"What was typed for {name} is no UTF-8 text; type it percent-encoded."
            ) from None
        if typed.isprintable():
            return typed
        # Ctrl-V arrives as a character on a Windows console.
        output.problem(
            "  That holds a character that cannot be seen; paste with the right mouse button,"
            " or type it."
        )


def _read_shown(name: str, output: Output) -> str:
    output.stream.write(f"{name}: ")
    output.stream.flush()
    return sys.stdin.readline()


def _read_hidden(name: str, output: Output) -> str:
    with warnings.catch_warnings():
        # It would go on, and show what is typed.
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            return getpass.getpass(f"{name} (hidden): ")
        except getpass.GetPassWarning:
            raise Failure(
                f"This terminal cannot hide what is typed for {name}; use another one,"
                " or write the value into .env."
            ) from None


def _keep(app: App, given: Mapping[str, str]) -> None:
    if not given:
        return
    try:
        dotenv.write(app.folder, given)
    except OSError as error:
        raise Failure(
            f".env cannot be written: {why_not(error, str(app.folder))}."
        ) from error
    have = "has the value" if len(given) == 1 else "has the values"
    app.output.say(
        f".env {have} of {listed(list(given))} now; that file stays on this machine."
    )


def _judge(app: App, given: Mapping[str, str], *, is_tried: bool) -> int:
    """Try the logins, tell everything that is missing or wrong, and return the exit code."""
    environ = {**app.environ, **given}
    fresh = replace(app, environ=environ, git=Git(environ))
    is_good = _try_all(fresh) if is_tried else True
    without = fresh.missing_variables()
    if without:
        app.output.problem(f"{_has(without, 'no value')}; `{LOGIN}` asks again.", "bad")
    outdone = [name for name in given if _is_set_outside(app, name)]
    if outdone:
        app.output.problem(
            f"{_has(outdone, 'an older value in the environment')}, which still wins over"
            " .env; open a new terminal, or take it out of this one.",
            "bad",
        )
    if not is_good or without or outdone:
        return 1
    app.output.say("Next, type:")
    app.output.say(f"  {INSTALL}", "command")
    return 0


def _is_set_outside(app: App, name: str) -> bool:
    """Tell whether a variable's value came from the environment, which `.env` completes."""
    return bool(os.environ.get(name)) and os.environ[name] == app.environ.get(name)


@dataclass(frozen=True)
class _Trial:
    """One login that is tried, on one package; ``ask`` raises `Failure` when the host refuses."""

    host: str
    variables: list[str]
    package: str
    ask: Callable[[], object]


def _trials(app: App) -> list[_Trial]:
    """Return a trial for each login whose variables have values."""
    trials: dict[tuple[str, str], _Trial] = {}
    for one in app.config.packages:
        host = host_of(one.url).partition("://")[2]
        ask: Callable[[], object] = partial(remote.commit_of, app, one, "")
        trials.setdefault(
            (host, one.user_info), _Trial(host, one.variables, one.name, ask)
        )
    if app.config.index:
        for one in app.config.of("index")[:1]:
            host, names = app.config.index.host, app.config.index.variables
            ask = partial(index.files_of, app, one.name)
            trials["index", ""] = _Trial(host, names, one.name, ask)
    return [
        trial
        for trial in trials.values()
        if trial.variables and not missing(trial.variables, app.environ)
    ]


def _try_all(app: App) -> bool:
    """Try each login once, and say how it went; return whether all were accepted."""
    refused: list[str] = []
    for trial in _trials(app):
        app.output.progress(f"Trying the login on {trial.host} ...")
        try:
            trial.ask()
        except Failure as error:
            app.output.problem(f"{trial.package}: {error}.", "bad")
            refused += trial.variables
        else:
            login = listed(trial.variables)
            app.output.say(f"{trial.host} accepts the login of {login}.", "good")
    if refused:
        again = " ".join(f"--again {name}" for name in dict.fromkeys(refused))
        app.output.problem(
            f"`{LOGIN}` tries again; `{LOGIN} {again}` asks for another value first."
        )
    return not refused


def _has(names: Sequence[str], what: str) -> str:
    return f"{listed(list(names))} {'has' if len(names) == 1 else 'have'} {what}"
