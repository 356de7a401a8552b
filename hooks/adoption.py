"""Whether the unit can be put into an app that exists already; if not, what Copier has rendered goes again."""

from __future__ import annotations

import stat
from pathlib import Path

from private_packages import lock, manifest
from private_packages.app import App
from private_packages.blocks import block_in
from private_packages.diagnosis import explain_local
from private_packages.errors import Failure, GitError
from private_packages.files import has_conflict, read_exactly, remove, why_not
from private_packages.names import listed
from private_packages.project import file_of
from private_packages.removal import RENDERED, remove_empty
from private_packages.repository import Repository, open_repository
from private_packages.shared_files import BLOCKS
from private_packages.viktor import finder_of, is_foreign, is_wanted


class Refused(Exception):
    """The unit cannot be put into this app; the message says why, and what to do."""


def is_first(folder: Path) -> bool:
    """Tell whether the app has no unit yet."""
    return not manifest.recorded(folder / "private_packages")


def look_at(app: App) -> None:
    """Raise `Refused`, with everything as it was before, when the app cannot take the unit as it stands."""
    rendered = (*RENDERED, app.config.answers_file)
    try:
        repository = open_repository(app.folder, app.git)
        _refuse_foreign(app)
        _refuse_shared(app, repository)
        if repository is not None:
            _refuse_uncommitted(app, rendered)
            _refuse_ignored(app, rendered)
    except (Failure, GitError, OSError) as error:
        for name in rendered:
            remove(app.folder / name)
            remove_empty((app.folder / name).parent, app.folder)
        raise Refused(_why(error)) from error


def _why(error: Exception) -> str:
    if isinstance(error, GitError):
        return f"{explain_local(error)}."
    return f"{why_not(error, str(error.filename))}." if isinstance(error, OSError) else str(error)


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
    for path in shared:
        block_in(path)
        if path.exists() and has_conflict(read_exactly(path)[0]):
            raise Failure(f"{path.name} has merge conflicts: resolve them, then type the same command again.")
    if repository is not None and app.config.of("submodule"):
        shared.append(repository.gitmodules)
    for path in (*shared, app.folder):
        # By its mode: an administrator could write all the same, and would not expect it.
        if path.exists() and not path.stat().st_mode & stat.S_IWUSR:
            name = path.name if path != app.folder else "The app's folder"
            raise Failure(f"{name} is read-only: make it writable, then type the same command again.")


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
