"""What stands in the way of the unit in an app that exists already."""

from __future__ import annotations

import json
import stat

from private_packages import lock, uv_project
from private_packages.app import App
from private_packages.blocks import read_block
from private_packages.errors import Failure, GitError
from private_packages.files import has_conflict, read_exactly
from private_packages.names import listed
from private_packages.package_files import modules_in, read_pyproject
from private_packages.project import file_of, manager_of
from private_packages.repository import Repository, open_repository
from private_packages.shared_files import BLOCKS
from private_packages.viktor import finder_of, is_foreign, is_wanted


def refuse(app: App, rendered: tuple[str, ...]) -> None:
    """Raise `Failure`, `GitError` or OSError for the first thing that is in the way of the unit.

    ``rendered`` are the files that Copier has just made.
    """
    repository = open_repository(app.folder, app.git)
    _refuse_foreign(app)
    _refuse_shared(app, repository)
    _refuse_project(app)
    _refuse_discovery(app)
    if repository is not None:
        _refuse_uncommitted(app, rendered)
        _refuse_ignored(app, rendered)


def _refuse_foreign(app: App) -> None:
    folder = app.folder / "private_packages"
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Failure(
            "private_packages/ is here already, and is not this template's: rename it, then type the same command again."
        )
    finder = finder_of(app.folder)
    if is_wanted(app) and is_foreign(finder):
        name = finder.relative_to(app.folder).as_posix()
        raise Failure(
            f"{name} is your own file, and the finder of the submodules has to stand there: rename yours,"
            " then type the same command again."
        )


def _refuse_shared(app: App, repository: Repository | None) -> None:
    """Refuse files that the command will write into, and cannot."""
    shared = [file_of(app.folder), *(app.folder / name for name in BLOCKS)]
    if app.config.installer == "uv":
        shared.append(app.folder / "pyproject.toml")
    for path in shared:
        text = read_exactly(path)[0] if path.exists() else ""
        if has_conflict(text):
            raise Failure(f"{path.name} has merge conflicts: resolve them, then type the same command again.")
        try:
            read_block(text)
        except ValueError as error:
            raise Failure(
                f"{path.name} holds {error} of a block of this template's: delete what is left of it,"
                " then type the same command again."
            ) from error
    if repository is not None and app.config.of("submodule"):
        shared.append(repository.gitmodules)
    for path in (*shared, app.folder):
        # By its mode: an administrator could write all the same, and would not expect it.
        if path.exists() and not path.stat().st_mode & stat.S_IWUSR:
            name = path.name if path != app.folder else "The app's folder"
            raise Failure(f"{name} is read-only: make it writable, then type the same command again.")


def _refuse_project(app: App) -> None:
    """Refuse a pyproject.toml of uv's into which the private packages cannot be written."""
    if app.config.installer == "uv":
        try:
            uv_project.is_written(app)
        except Failure as error:
            words = str(error).rpartition(";")[0] or str(error)
            raise Failure(f"{words}, then type the same command again.") from error


def _refuse_discovery(app: App) -> None:
    """Refuse where setuptools looks for the packages by itself: beside the unit's folders it finds too many.

    (setuptools, "Package Discovery and Namespace Packages", flat layout.)
    """
    data = read_pyproject(app.folder)
    tools, build = data.get("tool", {}), data.get("build-system", {})
    told = isinstance(tools, dict) and {"packages", "py-modules"} & set(tools.get("setuptools", {}))
    if (manager_of(app) or app.config.installer == "uv") and not build:
        # Then nobody builds the project.
        return
    backend = build.get("build-backend", "setuptools") if isinstance(build, dict) else ""
    by_itself = "project" in data and str(backend).startswith("setuptools") and not told
    if not by_itself or (app.folder / "src").is_dir() or (app.folder / "setup.py").exists():
        return
    found = sorted(modules_in(app.folder) - {"private_packages"})
    packages = [f"{name}*" for name in found if (app.folder / name).is_dir()]
    table = "[tool.setuptools.packages.find] include" if packages else "[tool.setuptools] py-modules"
    if found:
        raise Failure(
            "setuptools would take private_packages/ for a part of the project, because pyproject.toml does not say"
            f" what belongs to it: write {table} = {json.dumps(packages or found)} there, then type the same command"
            " again."
        )


def _refuse_uncommitted(app: App, rendered: tuple[str, ...]) -> None:
    command = (
        "status",
        "--porcelain",
        "--untracked-files=all",
        "--ignore-submodules=untracked",
        "-z",
        "--",
        ".",
    )
    entries = app.git.run(*command, cwd=app.folder).split("\0")
    top = app.git.run("rev-parse", "--show-prefix", cwd=app.folder).strip()
    changed = [entry[3:].removeprefix(top) for entry in entries if entry[3:]]
    others = [name for name in changed if name not in rendered]
    if others:
        more = f" and {len(others) - 2} more" if len(others) > 2 else ""
        shown = f"{', '.join(others[:2])}{more}" if more else listed(others)
        raise Failure(
            f"There are uncommitted changes ({shown}): commit or stash them, then type the same command again."
        )


def _refuse_ignored(app: App, rendered: tuple[str, ...]) -> None:
    """Refuse where Git would not take what every clone needs."""
    needed = [*rendered, lock.FILE, "private_packages/__main__.py"]
    try:
        ignored = app.git.run("check-ignore", "--no-index", "--", *needed, cwd=app.folder).splitlines()
    except GitError:
        # Its exit code says that nothing is ignored.
        return
    raise Failure(f"Git ignores {listed(ignored)}: change .gitignore, then type the same command again.")
