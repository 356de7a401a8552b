"""What kind of project an app is: which file lists what it needs, and which program looks after it.

Where that is Poetry, PDM or uv, their own commands add a package, and install it.
"""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from private_packages.blocks import BEGIN
from private_packages.errors import Unreadable
from private_packages.files import read_exactly
from private_packages.names import COMMAND, normalised
from private_packages.needs import read_pyproject

if TYPE_CHECKING:
    from collections.abc import Iterator

    from private_packages.app import App
    from private_packages.config import Package

# Where apps keep the list of what they need to run.
_PLACES = (
    "requirements.txt",
    *(
        f"requirements/{name}.txt"
        for name in ("base", "requirements", "main", "common")
    ),
    *(f"requirements/{name}.txt" for name in ("production", "prod", "default")),
)
# The name of the private index in their settings; `exec` gives them the login under it.
SOURCE = "private"
_LOCKS = {"uv": "uv.lock", "poetry": "poetry.lock", "pdm": "pdm.lock"}
_INSTALL = {"uv": "uv sync", "poetry": "poetry install", "pdm": "pdm sync"}


def file_of(folder: Path) -> Path:
    """Return the file that lists what an app needs, and that holds the block; it may have to be made.

    An app may keep several in a folder; the block stays where it stands.
    """
    there = [folder / name for name in _PLACES if (folder / name).is_file()]
    with_mark = (one for one in there if BEGIN in read_exactly(one)[0])
    return next(with_mark, there[0] if there else folder / _PLACES[0])


def manager_of(app: App) -> str:
    """Return ``uv``, ``poetry`` or ``pdm``; empty where requirements.txt says what the app needs."""
    if app.config.platform == "viktor" or file_of(app.folder).exists():
        return ""
    try:
        tools = read_pyproject(app.folder).get("tool", {})
    except Unreadable:
        tools = {}
    for name, lock in _LOCKS.items():
        settings = tools.get(name) if isinstance(tools, dict) else None
        managed = not isinstance(settings, dict) or settings.get("managed", True)
        if managed and (settings is not None or (app.folder / lock).exists()):
            return name
    return ""


def install_command(manager: str) -> str:
    """Return what installs such a project, with the logins of the packages."""
    return f"{COMMAND} exec {_INSTALL[manager]}"


def adding(app: App, manager: str) -> Iterator[tuple[Package, str]]:
    """Yield each package that such a project does not name yet, with what adds it, without a login.

    A step that starts with ``#`` is one that no command does.
    """
    for package in app.config.packages:
        if declares(app.folder, package):
            continue
        words = _ADD[manager](app, package)
        step = f"{COMMAND} exec {' '.join(map(_quoted, words))}"
        if package.strategy == "index" and (source := _source(app, manager)):
            yield package, source
        yield package, step


def _quoted(word: str) -> str:
    """Return a word as every shell takes it."""
    return word if shlex.quote(word) == word else f'"{word}"'


def _folder(package: Package) -> str:
    return (
        f"./{package.path}{'/' if package.subdirectory else ''}{package.subdirectory}"
    )


def _direct(package: Package) -> str:
    scp = "://" not in package.url
    url = "ssh://" + package.url.replace(":", "/", 1) if scp else package.url
    ref = f"@{package.ref}" if package.ref else ""
    below = f"#subdirectory={package.subdirectory}" if package.subdirectory else ""
    return f"{package.name} @ git+{url}{ref}{below}"


def _uv(app: App, package: Package) -> list[str]:
    if package.strategy == "submodule":
        return ["uv", "add", "--editable", _folder(package)]
    if package.strategy == "git":
        return ["uv", "add", _direct(package)]
    index = app.config.index
    source = ["--index", f"{SOURCE}={index.address}"] if index else []
    return ["uv", "add", *source, package.requirement]


def _poetry(app: App, package: Package) -> list[str]:
    if package.strategy == "submodule":
        return ["poetry", "add", "--editable", _folder(package)]
    if package.strategy == "git":
        return ["poetry", "add", _direct(package)]
    return ["poetry", "add", "--source", SOURCE, package.requirement]


def _pdm(app: App, package: Package) -> list[str]:
    if package.strategy == "submodule":
        return ["pdm", "add", _folder(package)]
    if package.strategy == "git":
        return ["pdm", "add", _direct(package)]
    return ["pdm", "add", package.requirement]


_ADD = {"uv": _uv, "poetry": _poetry, "pdm": _pdm}


def _source(app: App, manager: str) -> str:
    """Return what tells such a project of the private index; empty where it knows it, or `uv add` tells it."""
    index = app.config.index
    if index is None or manager == "uv" or _knows(app.folder, index.address):
        return ""
    if manager == "poetry":
        add = f"poetry source add --priority=explicit {SOURCE}"
        return f"{COMMAND} exec {add} {index.address}"
    return (
        f'# in pyproject.toml: [[tool.pdm.source]] with name = "{SOURCE}"'
        f' and url = "{index.url}"'
    )


def _knows(folder: Path, address: str) -> bool:
    try:
        text = (folder / "pyproject.toml").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    return address.rstrip("/").partition("://")[2] in text


def declares(folder: Path, package: Package) -> bool:
    """Tell whether a project's pyproject.toml names a package among what it needs."""
    try:
        data = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return package.key in {normalised(name) for name in _names(data)}


def _names(data: Any) -> set[str]:
    """Return all names that stand where a project says what it needs (PEP 621, PEP 735, Poetry, PDM)."""
    found: set[str] = set()
    if isinstance(data, dict):
        for key, value in data.items():
            if key in ("dependencies", "dev-dependencies", "dependency-groups") or (
                key == "optional-dependencies"
            ):
                found |= _requirements(value)
            else:
                found |= _names(value)
    return found


def _requirements(value: Any) -> set[str]:
    if isinstance(value, str):
        name = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", value)
        return {name[0]} if name else set()
    if isinstance(value, list):
        return {name for one in value for name in _requirements(one)}
    if isinstance(value, dict):
        # Poetry has the names as keys, groups have lists.
        lists = [one for one in value.values() if isinstance(one, list)]
        return {
            *map(str, value),
            *(name for one in lists for name in _requirements(one)),
        }
    return set()
