"""What kind of project an app is: which file lists what it needs, and which program looks after it.

Where that is Poetry, PDM or uv, their own commands add a package, and install it.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from private_packages.blocks import BEGIN
from private_packages.errors import Unreadable
from private_packages.files import read_exactly
from private_packages.names import COMMAND, normalised, without_login
from private_packages.package_files import is_installable, read_pyproject

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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
# The name that the private index gets in their settings, and the array of tables that holds it.
SOURCE = "private"
_SOURCES = {"uv": "index", "poetry": "source", "pdm": "source"}
_LOCKS = {"uv": "uv.lock", "poetry": "poetry.lock", "pdm": "pdm.lock"}
_INSTALL = {"uv": "uv sync", "poetry": "poetry install", "pdm": "pdm sync"}
# What stands in their tables and is no sign of them: `uv pip`, and build backends that go with any installer.
_OF_OTHERS = {"uv": {"pip", "build-backend"}, "pdm": {"build", "version"}}
# Build backends for which PDM writes the path of a folder as it is on this machine, or a form of Hatch's own.
_WITHOUT_RELATIVE = (
    "setuptools.build_meta",
    "flit_core.buildapi",
    "hatchling.build",
)


def file_of(folder: Path) -> Path:
    """Return the file that lists what an app needs, and that holds the block; it may have to be made.

    An app may keep several in a folder; the block stays where it stands.
    """
    there = [folder / name for name in _PLACES if (folder / name).is_file()]
    with_mark = (one for one in there if BEGIN in read_exactly(one)[0])
    return next(with_mark, there[0] if there else folder / _PLACES[0])


def manager_of(app: App) -> str:
    """Return ``uv``, ``poetry`` or ``pdm``; empty where requirements.txt says what the app needs.

    A lock tells more than settings do: beside it requirements.txt is an export, unless it holds the block. Where `uv`
    is the answer, it is no other one that looks after the app.
    """
    if app.config.installer == "uv":
        return ""
    if app.config.platform == "viktor" or not (app.folder / "pyproject.toml").is_file():
        return ""
    file = file_of(app.folder)
    is_listed = file.exists()
    if is_listed and BEGIN in read_exactly(file)[0]:
        return ""
    project = _pyproject(app.folder)
    signs = {
        name: ((app.folder / lock).is_file(), _is_set_up(project, name))
        for name, lock in _LOCKS.items()
        if name != "uv" or table(project, "tool", "uv").get("managed", True)
    }
    name = max(signs, key=lambda one: signs[one])
    locked, is_set_up = signs[name]
    return name if locked or (is_set_up and not is_listed) else ""


def _is_set_up(project: dict[str, Any], name: str) -> bool:
    """Tell whether a project has settings of a manager's, or the build backend that goes with Poetry alone."""
    settings = table(project, "tool").get(name)
    if isinstance(settings, dict):
        return not settings or not settings.keys() <= _OF_OTHERS.get(name, set())
    return name == "poetry" and _backend(project).startswith("poetry.")


def install_command(manager: str) -> str:
    """Return what installs such a project, with the logins of the packages."""
    return f"{COMMAND} exec {_INSTALL[manager]}"


def adding(app: App, manager: str) -> Iterator[tuple[Package, str]]:
    """Yield what adds the packages that such a project does not name yet, in the order in which it is typed.

    One command adds all that come in the same way, so that they find each other; those of the index come first, and
    submodules last: no manager looks for what a package needs anywhere but among what it knows. A step that starts
    with ``#`` is one that no command does. Each step comes with a package that waits for it, the first one with the
    first package of all. No login is in any of them.
    """
    missing = [one for one in app.config.packages if not declares(app.folder, one)]
    hopeless = [one for one in missing if _is_hopeless(app.folder, one)]
    first = missing[:1]
    for strategy in ("index", "git", "submodule"):
        found = [one for one in missing if one.strategy == strategy]
        found = [one for one in found if one not in hopeless]
        for step in _ADD[manager](app, strategy, found) if found else ():
            yield (first or found)[0], step
            first = []
    for one in hopeless:
        yield (
            one,
            f"# {one.name}: {manager} cannot install it; its repository needs a pyproject.toml",
        )


def source_of(app: App, manager: str) -> tuple[str, str]:
    """Return name and address of the private index in a project's settings.

    Where they do not know it yet, it is the name that it will get, and nothing.
    """
    wanted = app.config.index.address.rstrip("/") if app.config.index else ""
    tables = table(_pyproject(app.folder), "tool", manager).get(
        _SOURCES.get(manager, "")
    )
    for one in tables if isinstance(tables, list) else ():
        url = without_login(str(one.get("url", ""))) if isinstance(one, dict) else ""
        if wanted and url.rstrip("/") == wanted:
            return str(one.get("name", SOURCE)), url
    return SOURCE, ""


def _typed(*words: str) -> str:
    """Return a command as every shell takes it: double quotes group, and single ones are letters in them."""
    plain = [word.replace('"', "'") for word in words]
    quoted = [word if shlex.quote(word) == word else f'"{word}"' for word in plain]
    return " ".join([COMMAND, "exec", *quoted])


def _is_hopeless(folder: Path, package: Package) -> bool:
    """Tell whether a submodule is here, and is nothing that an installer can install."""
    try:
        is_here = package.path and (folder / package.path / ".git").exists()
        return bool(is_here) and not is_installable(folder / package.root)
    except Unreadable:
        return True


def _folders(packages: Sequence[Package]) -> list[str]:
    return [f"./{one.root}" for one in packages]


def _wanted(packages: Sequence[Package]) -> list[str]:
    return [one.requirement for one in packages]


def _direct(package: Package) -> str:
    """Return a Git line without its login."""
    return package.requirement.replace(f"://{package.user_info}@", "://", 1)


def _uv(app: App, strategy: str, packages: Sequence[Package]) -> Iterator[str]:
    if strategy == "submodule":
        # As members of a workspace they would bring what their developers need into the app's lock.
        add = ("uv", "add", "--no-workspace", "--editable")
        yield _typed(*add, *_folders(packages))
    elif strategy == "git":
        yield _typed("uv", "add", *map(_direct, packages))
    elif app.config.index:
        name, url = source_of(app, "uv")
        option = "--default-index" if app.config.index.scope == "only" else "--index"
        source = (option, f"{name}={url or app.config.index.address}")
        yield _typed("uv", "add", *source, *_wanted(packages))


def _poetry(app: App, strategy: str, packages: Sequence[Package]) -> Iterator[str]:
    if strategy == "submodule":
        project = table(_pyproject(app.folder), "project")
        if not project.keys() & {"dependencies", "optional-dependencies"}:
            yield _typed("poetry", "add", "--editable", *_folders(packages))
            return
        # There `poetry add` writes the path of the folder on this machine.
        names = ", ".join(f'"{one.key}"' for one in packages)
        yield f"# in pyproject.toml, in dependencies of [project]: {names}"
        for one in packages:
            line = f'{one.key} = {{ path = "{one.root}", develop = true }}'
            yield f"# in pyproject.toml, below [tool.poetry.dependencies]: {line}"
        yield _typed("poetry", "lock")
    elif strategy == "git":
        lines = {one: _poetry_line(one) for one in packages}
        for marker in dict.fromkeys(marker for _, marker in lines.values()):
            option = ("--markers", marker) if marker else ()
            urls = [url for url, other in lines.values() if other == marker]
            yield _typed("poetry", "add", *option, *urls)
    elif app.config.index:
        name, url = source_of(app, "poetry")
        if not url:
            # An explicit one is asked for nothing else; a primary one stands in for PyPI.
            is_only = app.config.index.scope == "only"
            priority = f"--priority={'primary' if is_only else 'explicit'}"
            add = ("poetry", "source", "add", priority, name)
            yield _typed(*add, app.config.index.address)
        yield _typed("poetry", "add", "--source", name, *_wanted(packages))


def _poetry_line(package: Package) -> tuple[str, str]:
    """Return a Git line in Poetry's own form, and its marker.

    `name @ address` loses the subdirectory, and is not understood where a digit follows an `@` in the address.
    """
    name, _, address = _direct(package).partition("@")
    address, _, marker = address.strip().partition(" ;")
    extras = re.search(r"\[.*\]", name)
    return f"{address.strip()}{extras[0] if extras else ''}", marker.strip()


def _pdm(app: App, strategy: str, packages: Sequence[Package]) -> Iterator[str]:
    if strategy == "submodule":
        if _backend(_pyproject(app.folder)) not in _WITHOUT_RELATIVE:
            yield _typed("pdm", "add", *_folders(packages))
            return
        members = ", ".join(f'"{one.root}"' for one in packages)
        yield f"# in pyproject.toml, below [tool.pdm.workspace]: members = [{members}]"
        yield _typed("pdm", "lock")
    elif strategy == "git":
        yield _typed("pdm", "add", *map(_direct, packages))
    elif app.config.index:
        if not source_of(app, "pdm")[1]:
            yield _pdm_source(app)
        yield _typed("pdm", "add", *_wanted(packages))


def _pdm_source(app: App) -> str:
    """Return what tells PDM of the private index. It takes the highest version of all indexes that it may ask."""
    index = app.config.index
    assert index is not None
    user = index.user_info
    # A token alone is a user without a password, which PDM has to see.
    url = index.url if ":" in user else index.url.replace(f"{user}@", f"{user}:@", 1)
    settings = {"name": f'"{SOURCE}"', "url": f'"{url}"'}
    if index.scope == "only":
        # The source of this name takes the place of PyPI.
        settings["name"] = '"pypi"'
    else:
        ours = [one.key for one in app.config.of("index")]
        ours += [f"{prefix}*" for prefix in app.config.private_prefixes]
        names = ", ".join(f'"{name}"' for name in ours)
        settings |= {"include_packages": f"[{names}]", "exclude_packages": '["*"]'}
    lines = ", ".join(f"{key} = {value}" for key, value in settings.items())
    return f"# in pyproject.toml, below a new [[tool.pdm.source]]: {lines}"


_ADD = {"uv": _uv, "poetry": _poetry, "pdm": _pdm}


def declares(folder: Path, package: Package) -> bool:
    """Tell whether a project's pyproject.toml names a package among what it needs."""
    project = _pyproject(folder)
    members = table(project, "tool", "pdm", "workspace").get("members")
    if package.path and isinstance(members, list) and package.root in members:
        return True
    return package.key in {normalised(name) for name in _names(project)}


def _pyproject(folder: Path) -> dict[str, Any]:
    """Return a project's pyproject.toml; empty where there is none that can be read."""
    try:
        return read_pyproject(folder)
    except Unreadable:
        return {}


def table(data: dict[str, Any], *keys: str) -> dict[str, Any]:
    """Return a table in a table of a TOML file, empty where there is none."""
    for key in keys:
        inner = data.get(key)
        data = inner if isinstance(inner, dict) else {}
    return data


def _backend(project: dict[str, Any]) -> str:
    return str(table(project, "build-system").get("build-backend", ""))


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
        # An editable line of PDM's has its name at the end.
        name = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", value) or re.search(
            r"(?<=[#&]egg=)[A-Za-z0-9][A-Za-z0-9._-]*", value
        )
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
