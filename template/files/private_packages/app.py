"""What every command works on: one app, its wishes, and the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from private_packages import config as configuration
from private_packages import dotenv
from private_packages.credentials import (
    at_their_hosts,
    missing,
    with_helper,
    with_login,
)
from private_packages.git import Git

if TYPE_CHECKING:
    from private_packages.config import Config, Package
    from private_packages.output import Output


@dataclass(frozen=True)
class App:
    """``folder`` is the app's, ``environ`` the caller's environment completed by `.env`."""

    folder: Path
    config: Config
    environ: Mapping[str, str]
    git: Git
    output: Output

    def missing_variables(self) -> list[str]:
        """Return all variables that have no value, at once."""
        return missing(self.config.variables, self.environ)

    def git_login(self, package: Package) -> dict[str, str]:
        """Return the environment in which Git may read a package's repository, and what that has as submodules.

        Raises `credentials.MissingVariables`.
        """
        others = with_helper(self.git.env, self.config.packages, self.folder)
        others = at_their_hosts(others, [package])
        return with_login(others, package.url, package.user_info, self.environ)


def open_app(folder: Path, environ: Mapping[str, str], output: Output) -> App:
    """Read what a folder's app wants, and its `.env`. Raises `errors.Failure`."""
    config = configuration.load(folder)
    complete = dotenv.with_values(environ, dotenv.read(folder))
    return App(
        folder=folder, config=config, environ=complete, git=Git(complete), output=output
    )
