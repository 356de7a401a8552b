"""What is wanted: private-packages.toml, of which this is the only reader.

The template renders it from the answers. Whoever changes it, by hand or in a change request, may have made
a mistake or mean harm: what is read here goes to Git, pip and uv, so only plain values are taken.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from private_packages import hosts
from private_packages.errors import Failure
from private_packages.files import has_conflict
from private_packages.names import COMMAND, NAME_FORM, normalised, variables_of
from private_packages.strategies import NAMES, strategy_of

FILE = "private-packages.toml"
FORMAT = 1
SUBMODULES = "app/submodules"
SCOPES = ("extra", "only", "files")
# It is not repeated: it may hold a secret.
NO_VALUE = "is nothing that Git, pip and uv should see"

_PLAIN_HOST = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_HOST = rf"(?:{_PLAIN_HOST}|\[[0-9A-Fa-f:]+\])(?::[0-9]{{1,5}})?"
_LOOPBACK = r"(?:localhost|127(?:\.[0-9]{1,3}){3}|\[::1\])(?::[0-9]{1,5})?"
# No part is `.` or `..`, also not in percent-encoding, which hosts read in different ways.
_PARTS = r"(?!(?:.*/)?(?:\.|%2[Ee]){1,2}(?:/|\Z))"
_PATH = rf"{_PARTS}(?:/[A-Za-z0-9._~%+-]+)+/?"
_USER = r"[A-Za-z0-9_][A-Za-z0-9._-]*"
_GIT_URL = (
    rf"https://{_HOST}{_PATH}|http://{_LOOPBACK}{_PATH}|ssh://(?:{_USER}@)?{_HOST}{_PATH}"
    rf"|{_USER}@{_PLAIN_HOST}:(?!/){_PARTS}[A-Za-z0-9._~+/-]+"
)
_VARIABLE = r"\$\{[A-Z0-9_]+\}"
_LOGIN = r"(?:[A-Za-z0-9_.${}:-]+@)?"
_INDEX_URL = rf"(?:https://{_LOGIN}{_HOST}|http://{_LOGIN}{_LOOPBACK})(?:{_PARTS}/[A-Za-z0-9._~%/+-]*)?"
# git-check-ref-format(1), and narrower: what no shell gives a meaning to.
_REF = r"(?!.*(?:\.\.|//|/\.|\.lock(?:/|\Z)))[A-Za-z0-9_](?:[A-Za-z0-9._/+-]*[A-Za-z0-9_+-])?"
_SUBDIRECTORY = r"[A-Za-z0-9_][A-Za-z0-9._+-]*(?:/[A-Za-z0-9_][A-Za-z0-9._+-]*)*"
_ANSWERS_FILE = r"(?![A-Za-z]:|/|(?:.*/)?\.\.(?:/|\Z))[^\x00-\x1f\x7f\\]+"
_LINE = r"[\x20-\x7e]+"


class InConflict(Failure):
    """A merge left its marks in the file."""


@dataclass(frozen=True)
class Package:
    """One private package that is wanted.

    ``requirement`` is its line, and ``typed`` what was pasted in its place, or empty. ``url`` has neither ``git+`` nor the user-info of https;
    ``user_info`` is what stands before the host (``x-access-token:${TOKEN}``); ``ref`` is a tag, branch or
    commit, or empty for the default branch; ``path`` is a submodule's folder from the app's.
    """

    name: str
    strategy: str
    requirement: str
    url: str = ""
    user_info: str = ""
    ref: str = ""
    path: str = ""
    subdirectory: str = ""
    typed: str = ""

    @property
    def key(self) -> str:
        """The normalised name (PEP 503)."""
        return normalised(self.name)

    @property
    def root(self) -> str:
        """The folder with a submodule's pyproject.toml, from the app's folder."""
        return "/".join(filter(None, (self.path, self.subdirectory)))

    @property
    def variables(self) -> list[str]:
        """The environment variables that its own line names."""
        return variables_of(self.user_info)


@dataclass(frozen=True)
class Index:
    """The private index. ``url`` names variables for the login; ``scope`` is ``extra``, ``only`` or ``files``."""

    url: str
    scope: str

    @property
    def user_info(self) -> str:
        """What stands before the host, with its variables; empty without a login."""
        return urlsplit(self.url).netloc.rpartition("@")[0]

    @property
    def address(self) -> str:
        """The URL without the login."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}/"

    @property
    def host(self) -> str:
        """The host, with its port."""
        return urlsplit(self.url).netloc.rpartition("@")[2]

    @property
    def variables(self) -> list[str]:
        """The environment variables that the login names."""
        return variables_of(self.url)


@dataclass(frozen=True)
class Config:
    """All that is wanted.

    ``start`` is ``new`` or ``existing``: whether the app was there before the unit. ``platform`` is ``python`` or ``viktor``; ``python`` the oldest version that the app runs on, such as
    ``3.13``; ``installer`` is ``pip``, where requirements.txt says what is installed, or ``uv``; ``answers_file`` where Copier keeps the answers, from the app's folder; ``left_out`` the names
    of a pasted requirements.txt that are no private packages.
    """

    start: str
    platform: str
    python: str
    answers_file: str
    private_prefixes: tuple[str, ...]
    index: Index | None
    packages: tuple[Package, ...]
    left_out: tuple[str, ...] = ()
    installer: str = "pip"

    @property
    def variables(self) -> list[str]:
        """The environment variables that the packages and the index name, each once, in order."""
        names = [name for package in self.packages for name in package.variables]
        names += self.index.variables if self.index else []
        return list(dict.fromkeys(names))

    def of(self, strategy: str) -> list[Package]:
        """Return the packages of one strategy, in the order of the answers."""
        return [package for package in self.packages if package.strategy == strategy]

    def named(self, name: str) -> Package | None:
        """Return the package of that name, however it is spelled."""
        return next(
            (package for package in self.packages if package.key == normalised(name)),
            None,
        )


def load(folder: Path) -> Config:
    """Read a folder's private-packages.toml. Raises `Failure`."""
    try:
        text = (folder / FILE).read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise Failure(
            f"There is no {FILE} in {folder}; go to the folder of an app that was made with the template."
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"{FILE} cannot be read: {error}.") from error
    return parse(text)


def parse(text: str) -> Config:
    """Read the text of a private-packages.toml. Raises `Failure`."""
    if has_conflict(text):
        raise InConflict(
            f"{FILE} has merge conflicts; `{COMMAND} sync` resolves what is clear, and says who decides the rest."
        )
    try:
        data = tomllib.loads(text)
    # A table in a table in a table ends in the parser's own depth.
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise Failure(
            f"{FILE} is no TOML file ({error}); take it back with `git checkout -- {FILE}`."
        ) from error
    if data.get("format") != FORMAT:
        raise Failure(
            f"{FILE} is of format {data.get('format')!r}, and this command reads format {FORMAT};"
            " update the app with `copier update --trust --defaults`."
        )
    index = _index(data.get("index"))
    packages = data.get("packages", [])
    if not isinstance(packages, list) or not all(
        isinstance(one, dict) for one in packages
    ):
        raise _wrong("packages", "are no list of tables")
    config = Config(
        start=_one_of(data, "start", ("new", "existing"), "new"),
        platform=_one_of(data, "platform", ("python", "viktor"), "python"),
        python=_matching(data, "python", r"3\.[0-9]{1,2}", default="3.11"),
        answers_file=_matching(
            data,
            "answers-file",
            _ANSWERS_FILE,
            default=".copier-answers.yml",
        ),
        private_prefixes=_prefixes(data),
        index=index,
        packages=tuple(_package(one) for one in packages),
        left_out=_left_out(data),
        installer=_one_of(data, "installer", ("pip", "uv"), "pip"),
    )
    keys = [package.key for package in config.packages]
    twice = next((key for key in keys if keys.count(key) > 1), "")
    if twice:
        raise _wrong(
            f"the package {twice}", "stands there twice; keep one of its tables"
        )
    if config.of("index") and index is None:
        raise _wrong("[index]", "is missing, and a package comes from the index")
    return config


def _wrong(what: str, why: str) -> Failure:
    return Failure(
        f"{FILE}: {what} {why}; take the file back with `git checkout -- {FILE}`,"
        " or correct the answers with `copier update --vcs-ref :current: --trust`."
    )


def _index(table: Any) -> Index | None:
    if table is None:
        return None
    if not isinstance(table, dict):
        raise _wrong("index", "is no table")
    url = _matching(table, "url", _INDEX_URL, what="the index")
    index = Index(url=url, scope=_one_of(table, "scope", SCOPES, "extra"))
    if not _is_address(url) or not _is_login(index.user_info, alone=True):
        raise _wrong("url of the index", NO_VALUE)
    return index


def _package(table: Mapping[str, Any]) -> Package:
    name = _matching(table, "name", NAME_FORM, what="a package")
    strategy = _one_of(table, "strategy", NAMES, "", what=name)
    requirement = _matching(table, "requirement", _LINE, what=name)
    typed = _matching(table, "typed", _LINE, what=name, default="")
    if strategy == "index":
        package = Package(
            name=name, strategy=strategy, requirement=requirement, typed=typed
        )
        if not strategy_of(package).is_its_line(package):
            raise _wrong(f"the requirement of {name}", "is no `name==version`")
        return package
    package = Package(
        name=name,
        strategy=strategy,
        requirement=requirement,
        url=_matching(table, "url", _GIT_URL, what=name),
        user_info=_matching(table, "user-info", _LINE, what=name, default=""),
        ref=_matching(table, "ref", _REF, what=name, default=""),
        path=f"{SUBMODULES}/{name}" if strategy == "submodule" else "",
        subdirectory=_matching(
            table, "subdirectory", _SUBDIRECTORY, what=name, default=""
        ),
        typed=typed,
    )
    if not _is_address(package.url):
        raise _wrong(f"url of {name}", NO_VALUE)
    if not _is_login(package.user_info):
        raise _wrong(f"user-info of {name}", "is not `user:${VARIABLE}`")
    if strategy == "submodule" and table.get("path", package.path) != package.path:
        raise _wrong(f"the path of {name}", f"is not {package.path}")
    if not strategy_of(package).is_its_line(package):
        raise _wrong(f"the requirement of {name}", "says something else than its table")
    return package


def _is_address(url: str) -> bool:
    """Tell whether the host of a URL is one, its port included."""
    try:
        return urlsplit(url).port != 0
    except ValueError:
        return False


def _is_login(user_info: str, *, alone: bool = False) -> bool:
    """Tell whether a user-info holds no literal secret: a user name is a variable, or a constant that hosts document.

    ``alone``: one variable without a colon will do.
    """
    user, _, password = user_info.partition(":")
    is_user = user in _constants() or re.fullmatch(_VARIABLE, user)
    if not user_info or (alone and re.fullmatch(_VARIABLE, user_info)):
        return True
    return bool(is_user and re.fullmatch(_VARIABLE, password))


@functools.cache
def _constants() -> frozenset[str]:
    return frozenset(user for host in hosts.table() for user in host.users)


def _prefixes(data: Mapping[str, Any]) -> tuple[str, ...]:
    prefixes = data.get("private-prefixes", [])
    plain = isinstance(prefixes, list) and all(
        isinstance(one, str) and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", one)
        for one in prefixes
    )
    if not plain:
        raise _wrong("private-prefixes", "is no list of beginnings of names")
    return tuple(re.sub(r"[-_.]+", "-", one).lower() for one in prefixes)


def _left_out(data: Mapping[str, Any]) -> tuple[str, ...]:
    names = data.get("left-out", [])
    plain = isinstance(names, list) and all(
        isinstance(one, str) and re.fullmatch(NAME_FORM, one) for one in names
    )
    if not plain:
        raise _wrong("left-out", "is no list of names")
    return tuple(names)


def _matching(
    table: Mapping[str, Any],
    key: str,
    pattern: str,
    *,
    what: str = "",
    default: str | None = None,
) -> str:
    value = table.get(key, default)
    if not isinstance(value, str) or (
        value != default and not re.fullmatch(pattern, value)
    ):
        place = f"{key} of {what}" if what else key
        raise _wrong(place, "is missing" if value is None else NO_VALUE)
    return value


def _one_of(
    table: Mapping[str, Any],
    key: str,
    values: tuple[str, ...],
    default: str,
    *,
    what: str = "",
) -> str:
    value = table.get(key, default)
    if value not in values:
        raise _wrong(
            f"{key} of {what}" if what else key, f"is none of {', '.join(values)}"
        )
    return str(value)
