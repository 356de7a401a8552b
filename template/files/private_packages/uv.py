"""Running uv, which resolves and installs: found on PATH or as a module, with nothing of the machine's that overrules."""

from __future__ import annotations

import contextlib
import importlib.util
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from private_packages import large_files
from private_packages.credentials import at_their_hosts, hide, with_helper
from private_packages.diagnosis import explain
from private_packages.errors import Failure, GitError
from private_packages.git import (
    end,
    git_environment,
    silence_allowed,
    start,
    with_settings,
)
from private_packages.lock import load
from private_packages.machine import certificates, login_of
from private_packages.submodules import copied

if TYPE_CHECKING:
    from private_packages.app import App

OLDEST = (0, 9)
# What of uv's own variables says where and how, and never what.
_KEPT = re.compile(
    r"UV_(?:CACHE_DIR|NO_CACHE|OFFLINE|GIT_LFS|NATIVE_TLS|SYSTEM_CERTS|HTTP_TIMEOUT|HTTP_RETRIES|LINK_MODE|DEFAULT_INDEX"
    r"|CONCURRENT_[A-Z]+|PYTHON_INSTALL_DIR|PYTHON_DOWNLOADS|INSECURE_HOST)"
)


# What uv says in many words (its own, of the versions 0.9 to 0.13), and what that means for a person.
_MEANINGS = (
    (
        r"([\w.-]+?)(?:==\S+)? has no (?:usable )?wheels(?! with)|[Bb]uilding source distributions for `([^`]+)`",
        "{0} has no wheel, and building it from source runs its code. If you want that, allow it in"
        ' private-packages.allow.toml: a table [[build]] with `name = "{0}"` and a `reason`.',
    ),
    (
        r"[Pp]ackage metadata name `([^`]+)` does not match given name",
        "The repository holds a package called {0}: let its line begin with that name, as in `{0} @ git+https://…`"
        " (`copier update --vcs-ref :current: --trust`). {said}",
    ),
    (
        r"conflicting URLs for package `([^`]+)`",
        "{0} is wanted from two places: from that in the answers, and from another by a line of requirements.txt"
        " or by a package that needs it; keep the one in the answers.",
    ),
    (
        r"Hash mismatch for `([^`]+)`",
        "What is offered as {0} is not the file that was checked, so it stays out."
        " Do not install it by other means, and tell your security team.",
    ),
    (
        r"An index(?: URL)? \((\S+?)\) (?:could not be queried|returned a 403)",
        "The index {0} refuses the login; set a valid one with `python -m private_packages login`.",
    ),
    (
        r"Failed to fetch: `?(\S+?)`? |error sending request for url \((\S+?)\)",
        "{0} does not answer as it should; try again when it works. {said}",
    ),
    (
        r"Because ([\w.-]+) was not found in the package registry",
        "No index has a package {0}; correct its name in requirements.txt, or, if it is private, add its line with"
        " `copier update --vcs-ref :current: --trust`.",
    ),
)


class UvFailed(Failure):
    """uv ended with an error; ``said`` is its own text in one line, without a secret."""

    def __init__(self, said: str, known: str = "") -> None:
        """Say what it means, where that is known, or else what uv says."""
        words = re.sub(r"[│╰╭├─▶×]|\s+", " ", said)
        self.said = re.sub(" +", " ", words).strip()
        # A hint of uv's would name the option that undoes the order of the indexes.
        shown = self.said.partition(" hint: ")[0].removeprefix("error: ")[:400]
        shown = f"uv says: {shown}"
        for pattern, meaning in _MEANINGS:
            if found := re.search(pattern, self.said):
                about = next(group for group in found.groups() if group)
                shown = meaning.format(about, said=shown)
                break
        super().__init__(known or shown)


def _about_git(app: App, said: str) -> str:
    """Return what it means that uv's Git failed for a package of the app; empty where that is not known."""
    named = re.search(r"`([\w.-]+) @\s+git\+", said)
    package = app.config.named(named[1]) if named else None
    _, failed, words = said.partition("--- stderr")
    if package is None or not failed:
        return ""
    error = GitError(re.sub(r"(?m)^[\s│╰╭├─▶×]+", "", words))
    why = explain(error, url=package.url, variables=package.variables)
    return "" if why.startswith("Git says") else f"{package.name}: {why}."


@dataclass(frozen=True)
class Uv:
    """uv as it is on this machine: the beginning of its command line, and its environment."""

    command: tuple[str, ...]
    env: Mapping[str, str]
    app: App
    secrets: tuple[str, ...] = field(default=(), repr=False)
    running: set[subprocess.Popen[bytes]] = field(default_factory=set, repr=False)
    # Lasts as long as this.
    settings: tempfile.TemporaryDirectory[str] | None = None

    def run(self, *arguments: str | Path, stdin: str = "") -> str:
        """Run uv in the app's folder; return its standard output. Raises `UvFailed`."""
        command = [*self.command, *map(str, arguments)]
        process = start(command, self.app.folder, self.env)
        self.running.add(process)
        try:
            stdout, stderr = process.communicate(stdin.encode())
        except BaseException:
            end(process)
            raise
        finally:
            self.running.discard(process)
        if process.returncode:
            said = hide(stderr.decode("utf-8", "replace"), self.secrets)
            raise UvFailed(said, _about_git(self.app, said))
        return stdout.decode("utf-8", "replace")

    @contextlib.contextmanager
    def stopping(self) -> Iterator[None]:
        """End what is running, its Git included, when an exception leaves the block."""
        try:
            yield
        except BaseException:
            for process in list(self.running):
                end(process)
            raise


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
    env = _environment(app)
    settings = _settings(app)
    if settings:
        env["UV_CONFIG_FILE"] = str(Path(settings.name, "uv.toml"))
    uv = Uv(command, env, app, _secrets(app, env), settings=settings)
    version = uv.run("--version")
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if numbers < OLDEST:
        raise Failure(
            f"{version.strip()} is too old; 0.9 or newer is needed. Type `python -m pip install --upgrade uv`."
        )
    return uv


def _settings(app: App) -> tempfile.TemporaryDirectory[str] | None:
    """Write a `uv.toml` with the versions of submodules that have no history; None where there is none to tell.

    setuptools-scm and hatch-vcs read the variable, which here is each package's own (uv, "extra-build-variables").
    """
    versions = copied.versions(app, load(app.folder))
    if not versions:
        return None
    lines = [
        f'{name} = {{ SETUPTOOLS_SCM_PRETEND_VERSION = "{version}" }}\n'
        for name, version in versions.items()
    ]
    folder = tempfile.TemporaryDirectory()
    text = "".join(["[extra-build-variables]\n", *lines])
    Path(folder.name, "uv.toml").write_text(text, encoding="utf-8")
    return folder


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
    env.setdefault("UV_HTTP_TIMEOUT", str(silence_allowed(app.environ)))
    if trusted := certificates(app.environ):
        env["SSL_CERT_FILE"] = trusted
    env |= {"UV_NO_CONFIG": "1", "UV_NO_PROGRESS": "1", "NO_COLOR": "1"}
    # What Git said stays in lines of its own, whatever the width of a terminal.
    env["COLUMNS"] = "10000"
    index = app.config.index
    if index is not None and (known := login_of(index, app.environ)):
        env |= {
            "UV_INDEX_PRIVATE_USERNAME": known.user,
            "UV_INDEX_PRIVATE_PASSWORD": known.password,
        }
    env = with_helper(git_environment(env), app.config.packages, app.folder)
    env = at_their_hosts(env, app.config.packages)
    if large_files.has_git_lfs(env):
        # Else uv tells git-lfs to leave pointers, in silence.
        env = {"UV_GIT_LFS": "1", **env, **large_files.FETCH}
        env = large_files.with_logins(env, app.config.packages, app.environ)
        env = with_settings(env, *large_files.SETUP)
    # In Git's locale, `C`, Python could not read an umlaut in the path of an editable package.
    own = {name: value for name, value in app.environ.items() if name == "LC_ALL"}
    return {name: env[name] for name in env if name != "LC_ALL"} | own


def _secrets(app: App, env: Mapping[str, str]) -> tuple[str, ...]:
    values = (app.environ.get(name, "") for name in app.config.variables)
    # It may be one that the machine keeps.
    return (*values, env.get("UV_INDEX_PRIVATE_PASSWORD", ""))


def names_option(option: str, names: Sequence[str]) -> list[str]:
    """Return an option of uv's once for each name."""
    return [part for name in names for part in (option, name)]
