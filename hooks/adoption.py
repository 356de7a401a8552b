"""Whether the unit can be put into an app that exists already; if not, what Copier has rendered goes again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from private_packages import manifest
from private_packages.app import open_app
from private_packages.config import load
from private_packages.diagnosis import explain_local
from private_packages.errors import Failure, GitError
from private_packages.files import remove, why_not
from private_packages.output import Output


class Refused(Exception):
    """The unit cannot be put into this app; the message says why, and what to do."""


def is_first(folder: Path) -> bool:
    """Tell whether the app has no unit yet."""
    return not manifest.recorded(folder / "private_packages")


def look_at(folder: Path, environ: Mapping[str, str], output: Output) -> None:
    """Raise `Refused`, with everything as it was before, when the app cannot take the unit as it stands.

    Raises `Failure` when its private-packages.toml cannot be read.
    """
    # They load six modules: 12 ms that a new app, and an update, need not wait for.
    from obstacles import refuse
    from private_packages.removal import RENDERED, remove_empty

    rendered = (*RENDERED, load(folder).answers_file)
    try:
        refuse(open_app(folder, environ, output), rendered)
    except (Failure, GitError, OSError) as error:
        for name in rendered:
            remove(folder / name)
            remove_empty((folder / name).parent, folder)
        raise Refused(_why(error)) from error


def _why(error: Exception) -> str:
    if isinstance(error, GitError):
        return f"{explain_local(error)}."
    return f"{why_not(error, str(error.filename))}." if isinstance(error, OSError) else str(error)
