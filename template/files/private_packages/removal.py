"""`sync --remove`: take the unit out of an app that was there before it; the rest stays as the user has it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from private_packages import config, lock, shared_files
from private_packages.blocks import write_block
from private_packages.errors import Failure
from private_packages.files import remove
from private_packages.names import COMMAND
from private_packages.project import file_of
from private_packages.synchronise import synchronise
from private_packages.viktor import entry_of, import_line, imports_finder

if TYPE_CHECKING:
    from pathlib import Path

    from private_packages.app import App

# What Copier renders over an existing app, beside the answers and this folder.
RENDERED = (
    config.FILE,
    "docs/private-packages.md",
    f"{config.SUBMODULES}/conftest.py",
)


def remove_unit(app: App) -> int:
    """Drop every package, then take the unit away; 1 when something of the user's keeps it there.

    Raises `Failure`, with nothing changed, where the app's code still needs it.
    """
    if app.config.start != "existing":
        raise Failure(
            "This app was made with its private packages; drop them with"
            " `copier update --vcs-ref :current: --trust`."
        )
    if app.config.platform == "viktor" and imports_finder(app.folder):
        raise Failure(
            f"{entry_of(app.folder)} still imports the finder: delete its line"
            f" `{import_line(app.folder)}`, then type `{COMMAND} sync --remove` again."
        )
    nothing = replace(app.config, packages=(), index=None)
    report = synchronise(replace(app, config=nothing))
    report.show(app.output)
    if report.problems:
        app.output.problem(
            f"The private packages stay. Then type `{COMMAND} sync --remove` again.",
            "bad",
        )
        return 1
    for path in (
        file_of(app.folder),
        *(app.folder / name for name in shared_files.BLOCKS),
    ):
        write_block(path, [])
    for name in (*RENDERED, lock.FILE, app.config.answers_file):
        remove(app.folder / name)
        remove_empty((app.folder / name).parent, app.folder)
    remove(app.folder / "private_packages")
    app.output.say("The app is as it was without private packages.", "good")
    if (app.folder / ".env").exists():
        app.output.problem(
            "  .env holds values, and Git does not ignore it for this template any more: delete what you do not need."
        )
    app.output.say("Next: git status", "command")
    return 0


def remove_empty(folder: Path, app: Path) -> None:
    """Remove an empty folder below the app, and those above it that are empty then."""
    while folder != app and folder.is_relative_to(app):
        if folder.is_dir():
            if any(folder.iterdir()):
                return
            folder.rmdir()
        folder = folder.parent
