"""VIKTOR, which runs an app's folder and installs nothing from it: there a finder serves the submodules."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from private_packages import requirements
from private_packages.errors import Failure
from private_packages.files import own_text, read_text, remove, write_text
from private_packages.findings import INSTALL, Finding
from private_packages.needs import name_of
from private_packages.probe import modules_in
from private_packages.strategies.submodule import not_on_viktor

if TYPE_CHECKING:
    from private_packages.app import App
    from private_packages.config import Package
    from private_packages.probe import Probe
    from private_packages.strategies.base import View

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


def start(view: View, probe: Probe) -> list[Finding]:
    """Say why the app does not serve its submodules, by what Python said when it started it."""
    why, folder = probe.entry, view.app.folder
    if not why:
        return []
    if not imports_finder(folder):
        text = f"{entry_of(folder)} does not import the finder; let its first line of code be `{import_line(folder)}`"
        return [Finding("no-finder", "", text)]
    found = re.search(r"ModuleNotFoundError: No module named '([^']+)'", why)
    if found or "PackageNotFoundError" in why:
        # After an installation it is not the installation that is missing.
        if missing := _not_installed(view, probe):
            return [
                Finding(
                    "does-not-start", "", f"{why}; {missing} is not installed", INSTALL
                )
            ]
        return [_without(view, probe, found[1] if found else "")]
    return [Finding("does-not-start", "", why)]


def _not_installed(view: View, probe: Probe) -> str:
    """Return a package that requirements.txt names and the environment does not have."""
    for line in requirements.read(view.app.folder):
        name = name_of(line.text)
        if name and probe.applies(line.text) and not probe.installed(name):
            return name
    return ""


def _without(view: View, probe: Probe, module: str) -> Finding:
    """Say what the app lacks that no installation brings: a module, or the metadata of a package."""
    package = _led_by(view, probe)
    if package is None:
        needed = f"write what provides {module} into requirements.txt"
        text = f"{probe.entry}; {needed}" if module else probe.entry
        return Finding("does-not-start", "", text)
    own = module.partition(".")[0] in modules_in(view.app.folder / package.root)
    if module and not own:
        text = (
            f"it imports {module}, which it does not name among what it needs;"
            " write what provides it into requirements.txt"
        )
        return Finding("does-not-start", package.name, text)
    lacking = (
        f"{module} is made when it is built"
        if module
        else "it asks for the version or the entry points that an installation has"
    )
    return not_on_viktor(package, lacking)


def _led_by(view: View, probe: Probe) -> Package | None:
    """Return the submodule whose code was the last that ran."""
    for file in reversed(probe.led_by):
        for package in view.app.config.of("submodule"):
            if file.is_relative_to((view.app.folder / package.path).resolve()):
                return package
    return None


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
