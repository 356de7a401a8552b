"""What a package says of itself where PEP 621 does not: setup.cfg, Poetry's table, and files that setuptools reads.

All is read as data from a stranger. A setup.py is a program: only running it would tell.
"""

from __future__ import annotations

import configparser
import re
from pathlib import Path
from typing import Any

from private_packages.errors import Unreadable
from private_packages.names import NAME_FORM
from private_packages.package_files import is_installable, read_file, read_pyproject

# A path inside the repository, as it is written there.
_PATH = r"(?!.*\.\.)[\w][\w .-]*(?:/[\w][\w .-]*)*"
_RELEASE = r"[0-9]+(?:\.[0-9]+)*"


def name_of_project(root: Path) -> str:
    """Return what a package calls itself (`[project] name`, PEP 621, Poetry's table or setup.cfg); empty where only
    building it would tell. Raises `Unreadable`.
    """
    data = read_pyproject(root)
    names = [
        _table(data, "project").get("name"),
        _table(data, "tool", "poetry").get("name"),
    ]
    if not any(names):
        names.append(_setup_cfg(root).get("metadata", "name", fallback="").strip())
    for name in names:
        if isinstance(name, str) and re.fullmatch(NAME_FORM, name):
            return name
    return ""


def dynamic_lines(root: Path, pyproject: dict[str, Any]) -> list[str] | None:
    """Return what a package needs that says it beside `[project]`; None where only building it would tell.

    The lines are as they are written. Raises `Unreadable`.
    """
    setuptools = _table(pyproject, "tool", "setuptools", "dynamic", "dependencies")
    if "file" in setuptools:
        return _of_files(root, setuptools["file"])
    poetry = _table(pyproject, "tool", "poetry")
    if poetry:
        return _of_poetry(_table(poetry, "dependencies"))
    backend = str(_table(pyproject, "build-system").get("build-backend", "setuptools."))
    if not backend.startswith("setuptools."):
        return None
    program = read_file(root, "setup.py") or ""
    if re.search(r"install_requires|\*\*", program):
        return None
    if _setup_cfg(root).has_option("options", "install_requires"):
        return _of_setup_cfg(root)
    # Who announces a list leaves it to a program; who announces none, and can be installed, needs nothing.
    return [] if is_installable(root) and "project" not in pyproject else None


def _setup_cfg(root: Path) -> configparser.RawConfigParser:
    found = configparser.RawConfigParser(strict=False)
    try:
        found.read_string(read_file(root, "setup.cfg") or "")
    except configparser.Error as error:
        raise Unreadable("its setup.cfg cannot be read") from error
    return found


def _of_setup_cfg(root: Path) -> list[str] | None:
    value = _setup_cfg(root).get("options", "install_requires", fallback="").strip()
    if value.startswith("file:"):
        return _of_files(root, value.removeprefix("file:").split(","))
    if value.startswith("attr:"):
        return None
    lines = value.splitlines() if "\n" in value else value.split(";")
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def _of_files(root: Path, names: object) -> list[str]:
    """Return the requirements in files of the package (setuptools, "Dynamic metadata")."""
    found: list[str] = []
    for name in names if isinstance(names, list) else [names]:
        path = name.strip() if isinstance(name, str) else ""
        inside = re.fullmatch(_PATH, path) and (root / path).resolve().is_relative_to(
            root.resolve()
        )
        text = read_file(root, path) if inside else None
        if text is None:
            raise Unreadable("its list of dependencies is in a file that is not there")
        lines = (re.sub(r"(?:^|\s)#.*", "", line).strip() for line in text.splitlines())
        found += [line for line in lines if line]
    return found


def _of_poetry(dependencies: dict[str, Any]) -> list[str] | None:
    """Return Poetry's table as requirements; None where it says what those cannot, such as an address."""
    found = []
    for name, wanted in dependencies.items():
        if name == "python":
            continue
        table = wanted if isinstance(wanted, dict) else {"version": wanted}
        if table.get("optional"):
            continue
        specifier = _specifier(table.get("version"))
        extras, marker = table.get("extras", []), table.get("markers", "")
        known = table.keys() <= {"version", "extras", "markers", "optional"}
        if specifier is None or not known or not isinstance(extras, list):
            return None
        extra = f"[{','.join(map(str, extras))}]" if extras else ""
        found.append(f"{name}{extra}{specifier}" + (f" ; {marker}" if marker else ""))
    return found


def _specifier(constraint: object) -> str | None:
    """Return a constraint of Poetry's as PEP 440 writes it; None where it cannot."""
    if not isinstance(constraint, str):
        return None
    if constraint.strip() == "*":
        return ""
    parts = [_clause(part.strip()) for part in constraint.split(",")]
    return None if None in parts else ",".join(filter(None, parts))


def _clause(part: str) -> str | None:
    if found := re.fullmatch(rf"([~^])\s*({_RELEASE})", part):
        numbers = [int(number) for number in found[2].split(".")]
        if found[1] == "~":
            at = min(1, len(numbers) - 1)
        else:
            # The first that is not 0 stays (Poetry, "Caret requirements").
            last = len(numbers) - 1
            at = next((n for n, number in enumerate(numbers) if number), last)
        below = [*numbers[:at], numbers[at] + 1]
        return f">={found[2]},<{'.'.join(map(str, below))}"
    if re.fullmatch(rf"{_RELEASE}(?:\.\*)?", part):
        return f"=={part}"
    return part if re.match(r"(?:[<>]=?|[=!~]=)\s*[0-9]", part) else None


def _table(data: dict[str, Any], *keys: str) -> dict[str, Any]:
    for key in keys:
        inner = data.get(key)
        data = inner if isinstance(inner, dict) else {}
    return data
