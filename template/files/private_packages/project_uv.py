"""uv at work on the app as a project of its own, where it is the app's installer."""

from __future__ import annotations

import contextlib
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from private_packages import environment, uv_project
from private_packages.credentials import MissingVariables, index_variables
from private_packages.machine import login_of
from private_packages.project import source_of, table
from private_packages.resolution import own_name
from private_packages.strategies.submodule import distribution_of
from private_packages.uv import Uv, names_option

if TYPE_CHECKING:
    from private_packages.allow import Allowed
    from private_packages.app import App


def of_project(app: App, uv: Uv) -> Uv:
    """Return uv for the app as a project of its own: pyproject.toml counts, and the private index is asked first.

    In pyproject.toml that index is for the packages alone that name it. What these need, and what is built with what,
    would be looked for on PyPI (uv, "Searching across multiple indexes").
    """
    dropped = ("UV_NO_CONFIG", "UV_CONFIG_FILE", "UV_DEFAULT_INDEX")
    env = {name: value for name, value in uv.env.items() if name not in dropped}
    env |= index_environment(app)
    if default := app.environ.get("UV_DEFAULT_INDEX"):
        env.setdefault("UV_DEFAULT_INDEX", default)
    of_app = environment.of_project(app.folder, app.environ)
    env["UV_PROJECT_ENVIRONMENT"] = str(of_app)
    if uv.settings:
        env["UV_CONFIG_FILE"] = str(_with_indexes(app, Path(uv.settings.name)))
    return replace(uv, env=env)


def _with_indexes(app: App, folder: Path) -> Path:
    """Write settings for a build without history (see `uv.find_uv`), with the project's indexes: they take its place."""
    text = (folder / "uv.toml").read_text(encoding="utf-8")
    data = tomllib.loads(uv_project.text_of(app).removeprefix("\ufeff"))
    for one in table(data, "tool", "uv").get("index", []):
        text += "\n".join(["[[index]]", *uv_project.pairs(one), ""])
    path = folder / "project.toml"
    path.write_text(text, encoding="utf-8")
    return path


def index_environment(app: App) -> dict[str, str]:
    """Return the variables that let uv ask the private index first, or in PyPI's place, with its login if it is known."""
    index = app.config.index
    if index is None:
        return {}
    name = source_of(app, "uv")[0]
    variable = "UV_DEFAULT_INDEX" if index.scope == "only" else "UV_INDEX"
    env = {variable: f"{name}={index.address}"}
    with contextlib.suppress(MissingVariables):
        if known := login_of(index, app.environ):
            env |= index_variables(name, (known.user, known.password), "UV_INDEX")
    return env


def lock_options(app: App, allowed: Allowed) -> list[str]:
    """Return the options with which uv builds what may be built, and nothing else."""
    built = [one.name for one in app.config.of("git")]
    built += [distribution_of(app, one) for one in app.config.of("submodule")]
    built += [*own_name(app), *sorted(allowed.build)]
    return ["--no-build", *names_option("--no-binary-package", built)]
