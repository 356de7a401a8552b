"""VIKTOR, which runs an app's folder and installs nothing from it: there a finder serves the submodules."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from private_packages.errors import Failure
from private_packages.files import own_text, read_text, remove, write_text

if TYPE_CHECKING:
    from private_packages.app import App

_NAME = "_submodules.py"
# The beginning of each finder that `sync` wrote.
_OURS = '"""Make the packages in app/submodules importable'
_FOLDER = 'SUBMODULES = Path(__file__).resolve().parent / "submodules"\n'
_PACKAGES = "PACKAGES: dict[str, str] = {}\n"


def finder_of(folder: Path) -> Path:
    """Return where an app's finder stands: in its package `app`, or beside its `app.py`."""
    if (folder / "app" / "__init__.py").exists():
        return folder / "app" / _NAME
    return folder / _NAME


def entry_of(folder: Path) -> str:
    """Return the file that VIKTOR imports first, from the app's folder."""
    in_package = finder_of(folder).parent != folder
    return "app/__init__.py" if in_package else "app.py"


def import_line(folder: Path) -> str:
    """Return the line that a person writes first into `entry_of`."""
    in_package = finder_of(folder).parent != folder
    return "from app import _submodules" if in_package else "import _submodules"


def imports_finder(folder: Path) -> bool:
    """Tell whether the text of the entry point says so; `status` lets Python say it, too."""
    try:
        text = read_text(folder / entry_of(folder))
    except OSError:
        return False
    return bool(re.search(r"(?m)^\s*(?:from|import)\s.*\b_submodules\b", text))


def is_wanted(app: App) -> bool:
    """Tell whether there is to be a finder: also where the code of an app without submodules imports it still."""
    if app.config.platform != "viktor":
        return False
    return bool(app.config.of("submodule")) or imports_finder(app.folder)


def finder(app: App) -> str:
    """Return the text of the finder. Raises `Failure`."""
    text = own_text("finder.py")
    rows = [
        f"    {json.dumps(one.name)}: {json.dumps(one.subdirectory)},\n"
        for one in app.config.of("submodule")
    ]
    if finder_of(app.folder).parent == app.folder:
        text = text.replace(_FOLDER, _FOLDER.replace('/ "', '/ "app" / "'))
    known = "".join(["PACKAGES: dict[str, str] = {\n", *rows, "}\n"])
    return text.replace(_PACKAGES, known) if rows else text


def is_foreign(path: Path) -> bool:
    """Tell whether a file of the finder's name is the user's own. Raises OSError."""
    return path.exists() and not read_text(path).startswith(_OURS)


def write_finder(app: App) -> bool:
    """Bring the finder up to date, or take it away; tell whether it changed. Raises `Failure` and OSError."""
    path = finder_of(app.folder)
    wanted = is_wanted(app)
    name = path.relative_to(app.folder).as_posix()
    if is_foreign(path):
        if not wanted:
            return False
        raise Failure(
            f"{name} is your own file, and the finder of the submodules has to stand there; rename yours."
        )
    if not wanted:
        there = path.exists()
        remove(path)
        return there
    text = finder(app)
    if path.exists() and read_text(path) == text:
        return False
    write_text(path, text)
    return True


def is_written(app: App) -> bool:
    """Tell whether the finder is as `sync` writes it. Raises `Failure` and OSError."""
    path = finder_of(app.folder)
    if not is_wanted(app):
        return not path.exists() or is_foreign(path)
    return path.exists() and read_text(path) == finder(app)
