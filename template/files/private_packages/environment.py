"""The app's virtual environment: where it is, and what a program needs to run in it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path


def find(app_folder: Path, environ: Mapping[str, str]) -> Path | None:
    """Return the app's virtual environment, absolute; None where there is none.

    It is the first of these that is one: `.venv` in the app's folder,
    UV_PROJECT_ENVIRONMENT (from the app's folder, as uv reads it), VIRTUAL_ENV, the one
    that runs this Python.
    """
    candidates = [app_folder / ".venv"]
    if of_uv := environ.get("UV_PROJECT_ENVIRONMENT"):
        candidates.append(app_folder / of_uv)
    if active := environ.get("VIRTUAL_ENV"):
        candidates.append(Path(active))
    candidates.append(Path(sys.prefix))
    return next((one.absolute() for one in candidates if _is_one(one)), None)


def of_project(app_folder: Path, environ: Mapping[str, str]) -> Path:
    """Return the environment that uv uses for a project, absolute, whether it is there or not."""
    named = app_folder / (environ.get("UV_PROJECT_ENVIRONMENT") or ".venv")
    own = app_folder / ".venv"
    return (own if _is_one(own) else named).absolute()


def _is_one(folder: Path) -> bool:
    """Tell whether a folder is a virtual environment that this system can use.

    One that was made on another system, or whose Python is gone, has no such file.
    """
    return (folder / "pyvenv.cfg").is_file() and python_of(folder).is_file()


def python_of(environment: Path) -> Path:
    """Return the path of an environment's Python."""
    name = "python.exe" if sys.platform == "win32" else "python"
    return scripts_of(environment) / name


def scripts_of(environment: Path) -> Path:
    """Return the folder of an environment's programs."""
    scripts = environment / "Scripts"
    # MSYS2's Python makes `bin` on Windows, too.
    if sys.platform == "win32" and scripts.is_dir():
        return scripts
    return environment / "bin"


def entered(environ: Mapping[str, str], environment: Path) -> dict[str, str]:
    """Return the environment variables of a program that runs in an environment.

    They are what its activation script would set.
    """
    scripts = str(scripts_of(environment))
    path = environ.get("PATH") or os.defpath
    others = [one for one in path.split(os.pathsep) if one != scripts]
    kept = {name: value for name, value in environ.items() if name != "PYTHONHOME"}
    return {
        **kept,
        "PATH": os.pathsep.join([scripts, *others]),
        "VIRTUAL_ENV": str(environment),
    }
