"""Running uv, which resolves and installs: found on PATH or as a module, with nothing of the machine's that overrules."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from private_packages.app import App
from private_packages.credentials import login, with_helper
from private_packages.errors import Failure
from private_packages.git import git_environment

OLDEST = (0, 9)
# What of uv's own variables says where and how, and never what.
_KEPT = re.compile(
    r"UV_(?:CACHE_DIR|NO_CACHE|OFFLINE|NATIVE_TLS|SYSTEM_CERTS|HTTP_TIMEOUT|HTTP_RETRIES|LINK_MODE|DEFAULT_INDEX"
    r"|CONCURRENT_[A-Z]+|PYTHON_INSTALL_DIR|PYTHON_DOWNLOADS|INSECURE_HOST)"
)


class UvFailed(Failure):
    """uv ended with an error; ``said`` is its own text, without a secret."""

    def __init__(self, said: str) -> None:
        """Keep uv's words, in one line."""
        self.said = said
        words = re.sub(r"[│╰╭├─▶×]|\s+", " ", said)
        super().__init__(f"uv says: {re.sub(' +', ' ', words).strip()[:600]}")


@dataclass(frozen=True)
class Uv:
    """uv as it is on this machine: the beginning of its command line, and its environment."""

    command: tuple[str, ...]
    env: Mapping[str, str]
    app: App
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def run(self, *arguments: str | Path, stdin: str = "") -> str:
        """Run uv in the app's folder; return its standard output. Raises `UvFailed`."""
        done = subprocess.run(
            [*self.command, *map(str, arguments)],
            cwd=self.app.folder,
            env=self.env,
            input=stdin.encode(),
            capture_output=True,
            check=False,
        )
        if done.returncode:
            raise UvFailed(
                self._without_secrets(done.stderr.decode("utf-8", "replace"))
            )
        return done.stdout.decode("utf-8", "replace")

    def _without_secrets(self, text: str) -> str:
        for secret in self.secrets:
            text = text.replace(secret, "****")
        return text


def find_uv(app: App) -> Uv:
    """Return uv with the app's logins in its environment alone. Raises `Failure` when it is missing or too old."""
    on_path = shutil.which("uv", path=app.environ.get("PATH"))
    if on_path:
        command: tuple[str, ...] = (on_path,)
    elif importlib.util.find_spec("uv"):
        command = (sys.executable, "-m", "uv")
    else:
        raise Failure(
            "uv is not here, and it resolves and installs. Type `python -m pip install uv`."
        )
    uv = Uv(command, _environment(app), app, _secrets(app))
    version = uv.run("--version")
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if numbers < OLDEST:
        raise Failure(
            f"{version.strip()} is too old; 0.9 or newer is needed. Type `python -m pip install --upgrade uv`."
        )
    return uv


def index_options(app: App) -> list[str]:
    """Return the options that put the private index first, or in PyPI's place."""
    index = app.config.index
    if index is None:
        return []
    option = "--default-index" if index.scope == "only" else "--index"
    return [option, f"private={index.address}"]


def _environment(app: App) -> dict[str, str]:
    """Return uv's environment: what would overrule a command line is left out, and no login is in an address."""
    env = {
        name: value
        for name, value in app.environ.items()
        if not name.startswith(("UV_", "PIP_")) or _KEPT.fullmatch(name)
    }
    # Who has a mirror of PyPI told pip of it.
    mirror = app.environ.get("UV_INDEX_URL") or app.environ.get("PIP_INDEX_URL")
    if mirror:
        env.setdefault("UV_DEFAULT_INDEX", mirror)
    env |= {"UV_NO_CONFIG": "1", "UV_NO_PROGRESS": "1", "NO_COLOR": "1"}
    index = app.config.index
    if index is not None and index.user_info:
        user, password = login(index.user_info, app.environ)
        env |= {
            "UV_INDEX_PRIVATE_USERNAME": user,
            "UV_INDEX_PRIVATE_PASSWORD": password,
        }
    return with_helper(git_environment(env), app.config.packages, app.folder)


def _secrets(app: App) -> tuple[str, ...]:
    values = [app.environ.get(name, "") for name in app.config.variables]
    return tuple(
        sorted((value for value in values if len(value) > 3), key=len, reverse=True)
    )


def names_option(option: str, names: Sequence[str]) -> list[str]:
    """Return an option of uv's once for each name."""
    return [part for name in names for part in (option, name)]
