"""The blocks in the app's shared files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from private_packages import lock as locking
from private_packages import requirements
from private_packages.blocks import BEGIN, GENERATED, write_block
from private_packages.errors import Failure
from private_packages.files import read_exactly
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


def is_of_uv(app: App) -> bool:
    """Tell whether pyproject.toml has, or has to get, entries of the private packages."""
    path = app.folder / "pyproject.toml"
    return app.config.installer == "uv" or (
        path.is_file() and BEGIN in read_exactly(path)[0]
    )


def _pyproject(app: App) -> list[str]:
    """Bring the entries in pyproject.toml up to date; return the files that changed. Raises `Failure`."""
    listed = app.folder / "requirements.txt"
    # Without the file, or with an export in its place, uv was the installer until now.
    was = not listed.is_file() or read_exactly(listed)[0].startswith(GENERATED)
    if not is_of_uv(app) and not was:
        return []
    # With all that it loads 30 ms, which nobody else waits for.
    from private_packages import switching, uv_project

    written = switching.carry_over(app)
    changed = [uv_project.FILE] if uv_project.write(app) else []
    return list(dict.fromkeys([*written, *changed]))


def write_blocks(app: App, report: Report) -> None:
    """Bring the marked blocks and VIKTOR's finder up to date, each by itself."""
    # First: what a change of the installer carries over may be all of the other file.
    try:
        report.written += _pyproject(app)
    except Failure as error:
        report.problems.append(str(error))
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
