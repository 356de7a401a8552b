"""Git's question for a login: a credential helper (gitcredentials(7), git-credential(1)).

No command for people: `credentials.with_helper` tells Git to start it. Git prints what
stands on standard error here, and asks nobody after ``quit=1``.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO
from urllib.parse import unquote, urlsplit

from private_packages import config as configuration
from private_packages import dotenv, findings
from private_packages.credentials import (
    MissingVariables,
    has_login,
    login,
    no_value,
    place_of,
)
from private_packages.errors import Failure
from private_packages.output import Output

if TYPE_CHECKING:
    from private_packages.config import Package

# What would end a line of the protocol, or a string of Git's.
_ENDS = "\r\n\0"


def answer(
    arguments: Sequence[str],
    folder: Path,
    environ: Mapping[str, str],
    questions: TextIO,
    answers: TextIO,
) -> int:
    """Answer `get` with the login of the package that Git asks about.

    `store`, `erase` and what a later Git may say are heard and nothing else: the login
    is kept in `.env`.
    """
    if list(arguments[:1]) != ["get"]:
        return 0
    for stream in (questions, answers):
        if isinstance(stream, io.TextIOWrapper):
            # Git's own bytes, on every system.
            stream.reconfigure(encoding="utf-8", errors="surrogateescape", newline="\n")
    try:
        given = _answer(_read(questions), folder, environ)
        reason = ""
    except MissingVariables as error:
        reason = f"{no_value(error.names)}; type `{findings.LOGIN}`."
    except Failure as error:
        reason = str(error)
    except (OSError, ValueError) as error:
        # Its own text may hold a part of a secret.
        reason = f"The login cannot be read ({type(error).__name__})."
    except KeyboardInterrupt:
        return 130
    if reason:
        Output(sys.stderr, environ).problem(reason, "bad")
        given = {"quit": "1"}
    answers.write("".join(f"{key}={value}\n" for key, value in given.items()))
    answers.flush()
    return 0


def _read(questions: TextIO) -> dict[str, str]:
    """Return the attributes up to an empty line."""
    question = {}
    for line in questions:
        key, _, value = line.rstrip("\r\n").partition("=")
        if not key:
            break
        question[key] = value
    return question


def _answer(
    question: Mapping[str, str], folder: Path, environ: Mapping[str, str]
) -> dict[str, str]:
    """Return user and password, or nothing about a host that is not ours.

    Raises `Failure`.
    """
    config = configuration.load(folder)
    package = _asked_for(config.packages, question)
    if package is None:
        return {}
    complete = dotenv.with_values(environ, dotenv.read(folder))
    user, password = login(package.user_info, complete)
    if any(sign in user + password for sign in _ENDS):
        raise Failure(
            f"The login of {package.name} has a line break in it, which Git refuses;"
            " correct it in .env."
        )
    return {"username": user, "password": password}


def _asked_for(
    packages: Iterable[Package], question: Mapping[str, str]
) -> Package | None:
    """Return the package on the host that Git asks about; None where there is none.

    Of several it is the one whose path has the most in common with the path that Git
    names, so that the submodule of a package gets the login of its neighbours.
    """
    place = place_of(f"{question.get('protocol', '')}://{question.get('host', '')}")
    path = _folders(question.get("path", ""))
    there = [one for one in packages if has_login(one) and place_of(one.url) == place]
    return max(there, key=lambda one: _common(_path_of(one), path), default=None)


def _path_of(package: Package) -> list[str]:
    # Git decodes what it asks about.
    return _folders(unquote(urlsplit(package.url).path))


def _folders(path: str) -> list[str]:
    """Return the parts of a path, alike for hosts with and without `.git`."""
    return [part.removesuffix(".git").lower() for part in path.strip("/").split("/")]


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """Return how many parts two paths share from their beginning."""
    equal = [a == b for a, b in zip(one, other, strict=False)]
    return [*equal, False].index(False)
