"""`install`: the one line for a fresh clone, after a pull, in CI and in an image."""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import sys
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import url2pathname

from private_packages import app_needs, proof, uv_export, uv_lock, uv_proof
from private_packages import lock as locking
from private_packages.agreement import disagreements, read_view
from private_packages.commands import status
from private_packages.config import SUBMODULES
from private_packages.environment import find, python_of
from private_packages.errors import Failure
from private_packages.files import read_text, remove, write_text
from private_packages.findings import INSTALL
from private_packages.large_files import has_git_lfs
from private_packages.names import normalised
from private_packages.package_files import is_installable, source_of
from private_packages.pointers import is_pointer
from private_packages.project import adding, install_command, manager_of
from private_packages.resolution import Pinned, build_lines, install
from private_packages.strategies.submodule import distribution_of, root_of
from private_packages.submodules.bring import fetch_pins
from private_packages.synchronise import synchronise
from private_packages.uv import Uv, UvFailed, find_uv

if TYPE_CHECKING:
    from private_packages.app import App
    from private_packages.config import Package
    from private_packages.lock import Lock

SUMMARY = "fetch, check and install everything that the app needs"
DESCRIPTION = """\
Fetch, check and install everything that the app needs: after a clone, after a
pull, in CI, in an image.

It fetches the submodules at their pins, checks everything (see `check`), and
installs exactly what it checked into the app's virtual environment. Where
there is none, it makes one in .venv. It stops at the first thing that is
wrong, before anything is installed.
"""
# Makes a repository that no installer can install importable (site, "path configuration files").
PTH = "private_packages_submodules.pth"
# What the last installation was: the commits of submodules, and for what it was seen what other systems need.
RECORD = "private_packages.json"
# What `sync` would follow or undo, and a change request may have brought.
_ALTERED = {"gitmodules", "moved-by-hand"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument(
        "--locked",
        action="store_true",
        help="private-packages.lock must fit and is not changed (for CI)",
    )


def run(app: App, options: argparse.Namespace) -> int:
    """Install, then say how everything stands."""
    proof.stop_at(proof.variables(app))
    uv = find_uv(app)
    proof.stop_at(
        [
            one
            for one in disagreements(read_view(app))
            if options.locked or one.kind in _ALTERED
        ]
    )
    report = fetch_pins(app) if options.locked else synchronise(app, at_pins=True)
    report.show(app.output)
    if report.problems:
        app.output.problem("Nothing was installed.", "bad")
        return 1
    manager = manager_of(app)
    if manager:
        return _leave_to(manager, app)
    _make_environment(app, uv)
    app.output.progress("  checking …")
    by_uv = app.config.installer == "uv"
    (_with_project if by_uv else _with_lines)(app, uv, locked=options.locked)
    return status.report(app)


def _with_lines(app: App, uv: Uv, *, locked: bool) -> None:
    """Install what requirements.txt says, as soon as it is proved."""
    python = _python(app)
    place = _site_packages(python)
    uv, resolution, lock = proof.prove(
        app,
        locked=locked,
        uv=uv,
        full=False,
        unchanged=_is_unchanged(app, place),
    )
    app.output.progress("  installing …")
    install(app, uv, lock, resolution, anew=_moved(app, place, lock))
    _uninstall_leftovers(app, uv, python, place)
    _finish(app, place, lock)
    _say(app, lock, resolution.pinned)


def _with_project(app: App, uv: Uv, *, locked: bool) -> None:
    """Let uv install what uv.lock says, as soon as it is proved."""
    place = _site_packages(_python(app))
    uv, pinned, lock = uv_proof.prove(
        app,
        locked=locked,
        uv=uv,
        full=False,
        unchanged=_is_unchanged(app, place),
    )
    app.output.progress("  installing …")
    # A file of the same version that is installed already may be a stranger's.
    again = [one.name for one in pinned if lock.version_of(one.name)]
    again += _moved(app, place, lock)
    try:
        uv_proof.sync(app, uv, again)
    except uv_proof.Stale:
        if locked:
            raise
        uv, pinned, lock = uv_proof.prove(app, locked=False, uv=uv)
        uv_proof.sync(app, uv, again)
    if not locked and uv_export.is_kept(app):
        uv_export.write(app, uv)
    _finish(app, place, lock)
    _say(app, lock, pinned)


def _python(app: App) -> Path:
    """Return the Python of the app's environment, which is there. Raises `Failure`."""
    found = find(app.folder, app.environ)
    if found is None:
        raise Failure("uv made no virtual environment; look at the folder .venv.")
    return python_of(found)


def _moved(app: App, place: Path, lock: Lock) -> list[str]:
    """Return what is installed anew: version and scripts of a submodule are of the commit at which it was installed.

    So is a Git line that was installed with pointers in the place of its large files.
    """
    record, commits = _read_record(place), _commits(app, lock)
    moved = [
        one
        for one in app.config.of("submodule")
        if commits.get(one.name) != record.get(one.name)
    ]
    anew = _names_of(app, place, moved) if moved else []
    return [*anew, *_with_pointers(app, place)]


def _finish(app: App, place: Path, lock: Lock) -> None:
    """Make importable what no installer can install, and write down what was installed."""
    _make_importable(app, place)
    record = {**_commits(app, lock), "wants": _wants(app, lock)}
    write_text(place / RECORD, json.dumps(record, indent=2) + "\n")
    app.output.clear()


def _leave_to(manager: str, app: App) -> int:
    """Say how another program installs the app, whose lock is its own."""
    app.output.say(f"{manager} looks after this app. Next:", "good")
    for _, step in adding(app, manager):
        app.output.say(f"  {step}", "aside" if step.startswith("#") else "command")
    app.output.say(f"  {install_command(manager)}", "command")
    return 0


def _make_environment(app: App, uv: Uv) -> None:
    """Make the app's `.venv` where it has none, with the Python that runs this if it is new enough. Raises `Failure`."""
    if find(app.folder, app.environ):
        return
    if (app.folder / ".venv" / "pyvenv.cfg").exists():
        raise Failure(
            ".venv is there, and its Python does not run on this machine; delete the folder, then type"
            f" `{INSTALL}` again."
        )
    wanted = tuple(int(part) for part in app.config.python.split("."))
    here = sys.version_info[:2] >= wanted
    python = sys.executable if here else app.config.python
    try:
        uv.run("venv", "--quiet", "--python", python, ".venv")
    except UvFailed as error:
        if here:
            raise
        raise Failure(
            f"The app needs Python {app.config.python} or newer, this is {platform.python_version()}, and uv found"
            f" no other: install one, then type `{INSTALL}` again. {error}"
        ) from error
    app.output.say("  made the virtual environment .venv")


def _commits(app: App, lock: Lock) -> dict[str, str]:
    """Return the commits of the submodules that are installed, by name."""
    if app.config.platform != "python":
        return {}
    return {
        one.name: locked.commit
        for one in app.config.of("submodule")
        if (locked := lock.commit_of(one.name, "submodule"))
    }


def _read_record(place: Path) -> dict[str, str]:
    """Return what the last `install` wrote into an environment; nothing where it wrote none."""
    try:
        record = json.loads(read_text(place / RECORD))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _is_unchanged(app: App, place: Path) -> bool:
    """Tell whether all that is wanted is what the last `install` proved and installed."""
    return _read_record(place).get("wants") == _wants(app, locking.load(app.folder))


def _wants(app: App, lock: Lock) -> str:
    """Return a hash of the locks, of what the app needs and of what the submodules are built with."""
    lines = [line.text for line in app_needs.read(app)]
    if app.config.installer == "uv":
        lines.append(uv_lock.text_of(app.folder) or "")
    builds = [" ".join(one) for one in build_lines(app)]
    text = "\n".join([locking.dump(lock.values()), *lines, "", *builds])
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _editable(app: App, place: Path) -> dict[str, Path]:
    """Return the folders of submodules that are installed, by the names under which they are."""
    below = (app.folder / SUBMODULES).resolve()
    found = {}
    for one in metadata.distributions(path=[str(place)]):
        try:
            direct = json.loads(one.read_text("direct_url.json") or "{}")
            path = Path(url2pathname(urlsplit(str(direct.get("url", ""))).path))
        except (ValueError, AttributeError):
            continue
        if "dir_info" in direct and path.is_relative_to(below):
            found[one.name] = path.resolve()
    return found


def _names_of(app: App, place: Path, packages: Sequence[Package]) -> list[str]:
    """Return the names under which submodules are installed; one that only its build names is known by its folder."""
    roots = {root_of(app, one).resolve() for one in packages}
    installed = _editable(app, place)
    found = {distribution_of(app, one) for one in packages}
    found |= {name for name, folder in installed.items() if folder in roots}
    return sorted(found)


def _with_pointers(app: App, place: Path) -> list[str]:
    """Return the Git packages that were installed without their files in Git LFS, where these can be had by now."""
    names = {one.name for one in app.config.of("git")}
    if not names or not has_git_lfs(app.environ):
        return []
    return [
        one.name
        for one in metadata.distributions(path=[str(place)])
        if normalised(one.name) in names
        and any(is_pointer(Path(str(file.locate()))) for file in one.files or ())
    ]


def _uninstall_leftovers(app: App, uv: Uv, python: Path, place: Path) -> None:
    """Uninstall what is installed from a submodule that is not wanted as one any more: it would be imported."""
    wanted = (
        {root_of(app, one).resolve() for one in app.config.of("submodule")}
        if app.config.platform == "python"
        else set()
    )
    installed = _editable(app, place)
    gone = [name for name, folder in installed.items() if folder not in wanted]
    if gone:
        uv.run("pip", "uninstall", "--quiet", "--python", str(python), *gone)


def _make_importable(app: App, place: Path) -> None:
    """Write the search paths of submodules that no installer can install; without any there is no such file."""
    roots = sorted(_uninstallable(app))
    if roots:
        write_text(place / PTH, "".join(f"{root}\n" for root in roots))
    else:
        remove(place / PTH)


def _uninstallable(app: App) -> Iterator[str]:
    if app.config.platform != "python":
        return
    for package in app.config.of("submodule"):
        root = root_of(app, package)
        if not is_installable(root):
            yield str(source_of(root).resolve())


def _site_packages(python: Path) -> Path:
    """Return the folder of installed packages of a virtual environment."""
    environment = python.parents[1]
    if sys.platform == "win32":
        return environment / "Lib" / "site-packages"
    return next(environment.glob("lib/python3*/site-packages"))


def _say(app: App, lock: Lock, pinned: Sequence[Pinned]) -> None:
    private = [
        one
        for one in pinned
        if one.name and (app.config.named(one.name) or lock.version_of(one.name))
    ]
    number = len(pinned)
    app.output.say(
        f"  installed {number} package{'s' * (number != 1)}, {len(private)} of them private"
    )
