"""The blocks in the app's shared files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from private_packages import lock as locking
from private_packages import requirements
from private_packages.blocks import write_block
from private_packages.errors import Failure
from private_packages.project import file_of
from private_packages.viktor import finder_of, write_finder

if TYPE_CHECKING:
    from private_packages.app import App
    from private_packages.report import Report


def gitignore(app: App) -> list[str]:
    """Return what Git must not take: the values of the variables, and byte code."""
    return [".env", ".env.*", "!.env.example", "private_packages/**/__pycache__/"]


def env_example(app: App) -> list[str]:
    """Return the names of the variables."""
    if not app.config.variables:
        return []
    return [
        "# `python -m private_packages login` asks for the values and writes them to .env,",
        "# which stays on this machine. docs/private-packages.md says where they come from.",
        *(f"{name}=" for name in app.config.variables),
    ]


def viktorignore(app: App) -> list[str]:
    """Return what must not be uploaded to VIKTOR."""
    return (
        [".env", ".env.*", ".git", ".venv/"] if app.config.platform == "viktor" else []
    )


BLOCKS = {
    ".gitignore": gitignore,
    ".env.example": env_example,
    ".viktorignore": viktorignore,
}


def write_blocks(app: App, report: Report) -> None:
    """Bring the marked blocks and VIKTOR's finder up to date, each by itself."""
    try:
        lines, failed = requirements.body(app, locking.load(app.folder))
        for name, clause in failed:
            report.fail(name, clause)
        file = file_of(app.folder)
        if write_block(file, lines):
            report.written.append(file.relative_to(app.folder).as_posix())
    except Failure as error:
        report.problems.append(str(error))
    try:
        if write_finder(app):
            report.written.append(
                finder_of(app.folder).relative_to(app.folder).as_posix()
            )
    except Failure as error:
        report.problems.append(str(error))
    for name, lines_of in BLOCKS.items():
        try:
            if write_block(app.folder / name, lines_of(app)):
                report.written.append(name)
        except Failure as error:
            report.problems.append(str(error))
