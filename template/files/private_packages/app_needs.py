"""What the app itself says that it needs, as its installer reads it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from private_packages import requirements
from private_packages.requirements import Line

if TYPE_CHECKING:
    from private_packages.app import App


def read(app: App) -> Iterator[Line]:
    """Yield the lines of requirements.txt, or the requirements of pyproject.toml where uv installs.

    Raises `Failure`.
    """
    if app.config.installer == "uv":
        # 4 of the milliseconds of `check`, which is held to a limit, and of no use to an app with another installer.
        from private_packages import uv_project

        yield from (Line(one, uv_project.FILE) for one in uv_project.dependencies(app))
    else:
        yield from requirements.read(app.folder)
