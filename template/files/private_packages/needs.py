"""What a package in a folder needs, read as data from a stranger.

Only requirements of plain form come out: a name, extras, a specifier and a marker (PEP 508), never an address, a `$`
or an option.
"""

from __future__ import annotations

import re
from pathlib import Path

from private_packages.errors import Unreadable
from private_packages.markers import is_marker
from private_packages.names import NAME_FORM
from private_packages.older_files import dynamic_lines
from private_packages.package_files import parsed, read_file, read_pyproject

# PEP 440, appendix B; a wildcard goes with `==` and `!=` alone, and with a bare release.
_RELEASE = r"v?(?:[0-9]+!)?[0-9]+(?:\.[0-9]+)*"
_VERSION = (
    rf"{_RELEASE}(?:[-_.]?(?:alpha|a|beta|b|preview|pre|c|rc)[-_.]?[0-9]*)?"
    r"(?:-[0-9]+|[-_.]?(?:post|rev|r)[-_.]?[0-9]*)?"
)
_DEV = r"(?:[-_.]?dev[-_.]?[0-9]*)?"
_LOCAL = r"(?:\+[a-z0-9]+(?:[-_.][a-z0-9]+)*)?"
_CLAUSE = (
    rf"(?:(?:==|!=)\s*(?:{_RELEASE}\.\*|{_VERSION}{_DEV}{_LOCAL})"
    rf"|~=\s*v?(?:[0-9]+!)?[0-9]+\.[0-9]+[0-9.a-z]*|(?:<=|>=|<|>)\s*{_VERSION}{_DEV})"
)
_SPECIFIER = rf"(?:{_CLAUSE}(?:\s*,\s*{_CLAUSE})*\s*,?)"
_REQUIREMENT = (
    rf"({NAME_FORM})\s*(\[\s*(?:{NAME_FORM}(?:\s*,\s*{NAME_FORM})*)?\s*\])?\s*"
    rf"(\(\s*{_SPECIFIER}\s*\)|{_SPECIFIER})?\s*(?:;\s*(.+))?"
)


def requirements_of(root: Path) -> list[str] | None:
    """Return what a package says that it needs, in plain form: in `[project] dependencies` (PEP 621), else where its
    build backend looks for it.

    None: only building it would tell. Raises `Unreadable`.
    """
    data = read_pyproject(root)
    project = data.get("project")
    dynamic = project.get("dynamic", []) if isinstance(project, dict) else []
    if isinstance(project, dict) and not (
        isinstance(dynamic, list) and "dependencies" in dynamic
    ):
        lines = project.get("dependencies", [])
    else:
        lines = dynamic_lines(root, data)
    if lines is None:
        return None
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise Unreadable("its list of dependencies is no list of requirements")
    return [plain(line) for line in lines]


def build_requirements_of(root: Path) -> list[str]:
    """Return what a package says that it is built with (`[build-system] requires`, PEP 518), in plain form.

    What it names by an address of its own is left out. Raises `Unreadable`.
    """
    return build_requirements_in(read_file(root, "pyproject.toml"))


def build_requirements_in(text: str | None) -> list[str]:
    """Return the same of a pyproject.toml's text; None: there is no such file. Raises `Unreadable`."""
    system = parsed(text).get("build-system", {})
    lines = system.get("requires") if isinstance(system, dict) else None
    if lines is None:
        # What PEP 518 has installers assume.
        return ["setuptools"]
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise Unreadable("its list of build requirements is no list of requirements")
    return [plain(line) for line in lines if "@" not in line]


def plain(line: str) -> str:
    """Return a requirement of plain form, with single spaces. Raises `Unreadable` for any other."""
    shown = re.sub(r"[^\x20-\x7e]", "?", line)[:80]
    found = (
        re.fullmatch(_REQUIREMENT, line.strip(), re.IGNORECASE)
        if len(line) <= 1000 and re.fullmatch(r"[\t\x20-\x7e]*", line)
        else None
    )
    if found is None or (found[4] and not is_marker(found[4])):
        raise Unreadable(
            f"it needs `{shown}`, which is not a plain name with a version; write it yourself"
        )
    return " ".join(line.split())


def name_of(line: str) -> str:
    """Return the name in a requirement of plain form."""
    found = re.match(NAME_FORM, line)
    return found[0] if found else ""
