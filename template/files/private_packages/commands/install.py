"""`install`: the one line for a fresh clone, after a pull, in CI and in an image."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from private_packages import probe
from private_packages.agreement import disagreements, read_view
from private_packages.app import App
from private_packages.commands import check, status, sync
from private_packages.config import SUBMODULES
from private_packages.environment import find, python_of
from private_packages.errors import Failure
from private_packages.files import remove, write_text
from private_packages.lock import Lock
from private_packages.needs import is_installable
from private_packages.resolution import Resolution, install
from private_packages.strategies.submodule import root_of
from private_packages.uv import Uv, find_uv

SUMMARY = "fetch, check and install everything that the app needs"
DESCRIPTION = """\
Fetch, check and install everything that the app needs: after a clone, after a pull, in CI, in an image.

The submodules are fetched at their pins, everything is checked (see `check`), and exactly what was checked is
installed, into the app's virtual environment; one is made in .venv where there is none. The first thing
wrong stops it, before anything is installed.
"""
# Makes a repository that no installer can install importable (site, "path configuration files").
PTH = "private_packages_submodules.pth"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument(
        "--locked",
        action="store_true",
        help="private-packages.lock must fit and is not changed (for CI)",
    )


def run(app: App, options: argparse.Namespace) -> int:
    """Install, then say how everything stands."""
    check.stop_at(check.variables(app))
    if options.locked:
        check.stop_at(disagreements(read_view(app)))
        report = sync.fetch_pins(app)
    else:
        report = sync.synchronise(app)
    sync.show(app, report)
    if report.problems:
        app.output.problem("Nothing was installed.", "bad")
        return 1
    uv = find_uv(app)
    python = python_of(find(app.folder, app.environ) or _make_environment(app, uv))
    app.output.progress("  checking …")
    uv, resolution, lock = check.prove(app, locked=options.locked, uv=uv, full=False)
    app.output.progress("  installing …")
    _uninstall_leftovers(app, uv, python)
    install(app, uv, lock, resolution)
    _make_importable(app, python)
    app.output.clear()
    _say(app, lock, resolution)
    return status.report(app)


def _make_environment(app: App, uv: Uv) -> Path:
    """Make the app's `.venv`, with the Python that runs this where it is new enough."""
    wanted = tuple(int(part) for part in app.config.python.split("."))
    python = sys.executable if sys.version_info[:2] >= wanted else app.config.python
    uv.run("venv", "--quiet", "--python", python, ".venv")
    app.output.say("  made the virtual environment .venv")
    found = find(app.folder, app.environ)
    if found is None:
        raise Failure("uv made no virtual environment; look at the folder .venv.")
    return found


def _uninstall_leftovers(app: App, uv: Uv, python: Path) -> None:
    """Uninstall what was installed from a submodule that is not wanted as one any more: it would be imported."""
    wanted = (
        {one.key for one in app.config.of("submodule")}
        if app.config.platform == "python"
        else set()
    )
    below = (app.folder / SUBMODULES).resolve()
    try:
        here = probe.look(python, app.folder, ()).distributions
    except (OSError, ValueError):
        return
    gone = [
        name
        for name, one in here.items()
        if one.folder and one.folder.is_relative_to(below) and name not in wanted
    ]
    if gone:
        uv.run("pip", "uninstall", "--quiet", "--python", str(python), *gone)


def _make_importable(app: App, python: Path) -> None:
    """Write the search paths of submodules that no installer can install; without any there is no such file."""
    roots = sorted(_uninstallable(app))
    folder = _site_packages(python)
    if roots:
        write_text(folder / PTH, "".join(f"{root}\n" for root in roots))
    else:
        remove(folder / PTH)


def _uninstallable(app: App) -> Iterator[str]:
    if app.config.platform != "python":
        return
    for package in app.config.of("submodule"):
        root = root_of(app, package)
        if not is_installable(root):
            yield str((root / "src" if (root / "src").is_dir() else root).resolve())


def _site_packages(python: Path) -> Path:
    """Return the folder of installed packages of a virtual environment."""
    environment = python.parents[1]
    if sys.platform == "win32":
        return environment / "Lib" / "site-packages"
    return next(environment.glob("lib/python3*/site-packages"))


def _say(app: App, lock: Lock, resolution: Resolution) -> None:
    private = [
        one
        for one in resolution.pinned
        if one.name and (app.config.named(one.name) or lock.version_of(one.name))
    ]
    app.output.say(
        f"  installed {len(resolution.pinned)} packages, {len(private)} of them private"
    )
