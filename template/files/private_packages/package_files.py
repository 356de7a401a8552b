"""The files of a package in a folder, read as data from a stranger: none of its code runs.

Only regular files inside the package's folder are read, at most 1 MB of each.
"""

from __future__ import annotations

import os
import sys
import tomllib
from pathlib import Path
from typing import Any

from private_packages.errors import Unreadable

LARGEST = 1_000_000
# What is in a repository beside the package: never imported from there.
NOT_PACKAGES = frozenset(
    {
        "app",
        "benchmarks",
        "build",
        "conftest",
        "dist",
        "docs",
        "examples",
        "noxfile",
        "scripts",
        "setup",
        "tasks",
        "test",
        "tests",
        "tools",
    }
)


def read_file(root: Path, name: str) -> str | None:
    """Return the text of a package's file, or None where there is none. Raises `Unreadable`.

    A link that leads out of the package, a device and a file over 1 MB are not read.
    """
    path = root / name
    try:
        if not path.exists() and not path.is_symlink():
            return None
        outside = path.is_symlink() and not path.resolve().is_relative_to(
            root.resolve()
        )
        if outside:
            raise Unreadable(f"its {name} leads out of its repository")
        if not path.is_file():
            raise Unreadable(f"its {name} is no file")
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise Unreadable(f"its {name} is larger than 1 MB")
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Unreadable(f"its {name} is no UTF-8") from error
    except (OSError, RuntimeError) as error:
        # Python 3.11 and 3.12 say so of a link to itself.
        why = getattr(error, "strerror", None) or "a link leads back to itself"
        raise Unreadable(f"its {name} cannot be read ({why})") from error


def read_pyproject(root: Path) -> dict[str, Any]:
    """Return a package's pyproject.toml; empty without one. Raises `Unreadable`."""
    return parsed(read_file(root, "pyproject.toml"))


def parsed(text: str | None) -> dict[str, Any]:
    """Return what the text of a pyproject.toml says; None is a package without one. Raises `Unreadable`."""
    if text is None:
        return {}
    try:
        return tomllib.loads(text)
    # Nested too deep, or a number too long to convert.
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise Unreadable("its pyproject.toml is no TOML") from error


def is_installable(root: Path) -> bool:
    """Tell whether an installer can install a folder: it has a pyproject.toml with a project or a build system,
    or a setup.py (PEP 517, PEP 621). Raises `Unreadable`.
    """
    if (root / "setup.py").is_file():
        return True
    data = read_pyproject(root)
    return "project" in data or "build-system" in data


def source_of(root: Path) -> Path:
    """Return the folder of a package's modules: `src` where there is one, and no link, which may lead anywhere."""
    inside = root / "src"
    return inside if inside.is_dir() and not inside.is_symlink() else root


def modules_in(root: Path) -> set[str]:
    """Return the importable names of a package's folder: in `src` where there is one, else at its top.

    Links are left out: they may lead anywhere.
    """
    source = source_of(root)
    found: set[str] = set()
    if not source.is_dir():
        return found
    with os.scandir(source) as entries:
        for entry in entries:
            folder = entry.is_dir(follow_symlinks=False)
            name = entry.name if folder else entry.name.removesuffix(".py")
            named = name.isidentifier() and name not in sys.stdlib_module_names
            if not named or name in NOT_PACKAGES or entry.is_symlink():
                continue
            if folder:
                # Without its own `__init__.py` a folder in `src` is part of a namespace (PEP 420).
                package = source != root or (source / name / "__init__.py").is_file()
            else:
                package = entry.name.endswith(".py")
            if package:
                found.add(name)
    return found
