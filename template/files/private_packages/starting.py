"""Why an app on VIKTOR does not start: what Python said, and what it means for the submodules that the finder serves."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from private_packages import app_needs
from private_packages.findings import INSTALL, Finding
from private_packages.needs import name_of
from private_packages.package_files import modules_in
from private_packages.strategies.submodule import not_on_viktor
from private_packages.viktor import entry_of, import_line, imports_finder

if TYPE_CHECKING:
    from private_packages.config import Package
    from private_packages.probe import Probe
    from private_packages.strategies.base import View


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
    """Return a package that the app names and the environment does not have."""
    for line in app_needs.read(view.app):
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
