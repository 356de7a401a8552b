"""A small world: an app that holds the unit alone, its private hosts, and a public index that strangers fill."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
import uv
from apps import ROOT
from private_packages import manifest
from wheels import BACKEND, wheel

from demo import runs
from demo.git_host import GitHost
from demo.http_host import Faults
from demo.index_host import IndexHost
from demo.samples import make_repository

PASSWORD = "SENTINEL-index-password-4711"
TOKEN = "SENTINEL-git-token-0815"
LOGINS = {"ACME_USER": "builder", "ACME_PASSWORD": PASSWORD, "ACME_TOKEN": TOKEN}
HEAD = 'format = 1\nplatform = "{platform}"\npython = "3.11"\nprivate-prefixes = {prefixes}\n'
UV_PROJECT = """\
[project]
name = "gauge"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = [
    # Harmless.
    "harmless>=1", # why
]

[tool.uv]
package = false

[tool.ruff]
line-length = 100
"""
# Of the person who runs the tests: what installers listen to, and the environment that runs them.
_OF_THE_MACHINE = ("PIP_", "UV_", "ACME_", "NETRC", "VIRTUAL_ENV")

Done = subprocess.CompletedProcess[str]


class PrivateIndex(IndexHost):
    """A private index that may have pages of another software's, or merge a public one.

    pages: HTML by name, in place of pypiserver's own, for what that cannot say.
    merged: a folder whose files it offers as if they were its own.
    """

    pages: dict[str, str]
    merged: Path | None

    def application(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        page = self.pages.get(self.name_of(environ["PATH_INFO"]))
        if page and environ["PATH_INFO"].startswith("/simple/") and "HTTP_AUTHORIZATION" in environ:
            start_response("200 OK", [("Content-Type", "text/html")])
            return [page.encode()]
        if self.merged:
            for file in self.merged.iterdir():
                if not (self.folder / file.name).exists():
                    shutil.copy(file, self.folder)
        return super().application(environ, start_response)


@dataclass(frozen=True)
class World:
    """An app with a virtual environment of its own, its hosts, and the index that plays PyPI."""

    app: Path
    private: PrivateIndex
    public: IndexHost
    git: GitHost
    scratch: Path
    variables: dict[str, str] = field(default_factory=lambda: dict(LOGINS))
    installer: str = "pip"

    def reset(self) -> None:
        """Leave nothing of a test: the first files on the indexes, no repository, an app that wants nothing."""
        for host in (self.private, self.public, self.git):
            host.faults, host.faults_of = Faults(), {}
            host.start()
            host.clear()
        for folder in (self.private.folder, self.public.folder, self.git.root, self.app):
            shutil.rmtree(folder)
            folder.mkdir()
        self.git.tokens = {}
        self.private.pages, self.private.merged = {}, None
        for version in ("2.0.0", "2.1.0"):
            wheel(self.private.folder, "acme-units", version, "private")
        wheel(self.public.folder, "harmless", "1.0", "public")
        unit = ROOT / "template" / "files" / "private_packages"
        copy = shutil.copytree(
            unit, self.app / "private_packages", ignore=shutil.ignore_patterns("__pycache__")
        )
        lines = "".join(f"{line}\n" for line in manifest.lines(copy))
        (copy / manifest.FILE).write_text(lines)
        self.requirements.touch()
        subprocess.run(["git", "init", "--quiet"], cwd=self.app, check=True)
        self.make_environment()

    # --- what is wanted ---

    def index(self, scope: str = "extra") -> str:
        """The table of the private index."""
        url = self.private.simple_url.replace("://", "://${ACME_USER}:${ACME_PASSWORD}@")
        return f'[index]\nurl = "{url}"\nscope = "{scope}"\n'

    def from_index(self, requirement: str) -> str:
        """The table of an index package."""
        name = re.split(r"[^\w.-]", requirement)[0]
        return f'[[packages]]\nname = "{name}"\nstrategy = "index"\nrequirement = "{requirement}"\n'

    def from_git(self, name: str, ref: str = "v1", strategy: str = "git", subdirectory: str = "") -> str:
        """The table of a repository, as a Git line or as a submodule."""
        url = self.git.url_of(name)
        line = f"{name} @ git+{url.replace('://', '://x-access-token:${ACME_TOKEN}@')}@{ref}"
        line += f"#subdirectory={subdirectory}" if subdirectory else ""
        table = (
            f'[[packages]]\nname = "{name}"\nstrategy = "{strategy}"\nrequirement = "{line}"\nurl = "{url}"\n'
        )
        table += f'user-info = "x-access-token:${{ACME_TOKEN}}"\nref = "{ref}"\n'
        return table + (f'subdirectory = "{subdirectory}"\n' if subdirectory else "")

    def submodule(self, name: str, ref: str = "v1", subdirectory: str = "") -> str:
        """The table of a submodule."""
        return self.from_git(name, ref, "submodule", subdirectory)

    def want(
        self,
        *tables: str,
        platform: str = "python",
        prefixes: Sequence[str] = (),
    ) -> World:
        """Write private-packages.toml and let `sync` make the rest."""
        head = HEAD.format(platform=platform, prefixes=list(prefixes)).replace("'", '"')
        head += f'installer = "{self.installer}"\n' if self.installer != "pip" else ""
        (self.app / "private-packages.toml").write_text(head + "\n".join(["", *tables]))
        done = self.command("sync")
        assert done.returncode == 0, done.stderr
        return self

    def by_uv(self) -> World:
        """The same world whose app uv installs; its public index is that of the project's own settings."""
        self.requirements.unlink()
        (self.app / "pyproject.toml").write_text(UV_PROJECT)
        public = {"UV_DEFAULT_INDEX": self.public.simple_url, "UV_NO_CONFIG": "false"}
        return replace(self, installer="uv", variables={**self.variables, **public})

    def write(self, *lines: str) -> None:
        """Add lines of the user's own to what the app needs."""
        if self.installer == "uv":
            path = self.app / "pyproject.toml"
            # What it installs of itself needs no line.
            lines = tuple(line for line in lines if line and line != "-e .")
            needs = "".join(f"\n    {line.partition('  #')[0]!r}," for line in lines)
            path.write_text(path.read_text().replace("dependencies = [", f"dependencies = [{needs}", 1))
            return
        with self.requirements.open("a") as file:
            file.write("".join(f"{line}\n" for line in lines))

    @property
    def requirements(self) -> Path:
        return self.app / "requirements.txt"

    @property
    def lock(self) -> str:
        """The text of private-packages.lock."""
        return (self.app / "private-packages.lock").read_text()

    # --- what is published ---

    def repository(
        self,
        name: str,
        *,
        ref: str = "v1",
        needs: Sequence[str] = (),
        built_with: Sequence[str] = (),
        version: str = "1.0",
    ) -> Path:
        """A repository of the private Git host, with a release."""
        files = source(name, version, "private", needs, built_with)
        return make_repository(self.git.root / "acme", name, files, tags=[ref])

    # --- what runs ---

    @property
    def environment(self) -> dict[str, str]:
        """No configuration of the machine's: PyPI is the stranger's index."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_OF_THE_MACHINE)}
        return kept | {
            "HOME": str(self.scratch),
            "USERPROFILE": str(self.scratch),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_INDEX_URL": self.public.simple_url,
            "PIP_NO_CACHE_DIR": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_TIMEOUT": "1",
            "PIP_RETRIES": "0",
            "UV_NO_CONFIG": "1",
            "UV_NO_CACHE": "1",
            "UV_HTTP_TIMEOUT": "1",
            "UV_HTTP_RETRIES": "0",
            "PRIVATE_PACKAGES_TIMEOUT": "1",
            "PATH": os.pathsep.join([str(Path(uv.find_uv_bin()).parent), os.environ["PATH"]]),
            **self.variables,
        }

    def run(self, *command: str | Path, **environment: str) -> Done:
        return subprocess.run(
            list(map(str, command)),
            cwd=self.app,
            env=self.environment | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def command(self, *arguments: str, **environment: str) -> Done:
        """The app's own command; whatever it says, it says no secret."""
        # That of the tests runs in an environment, which would be taken for the app's.
        done = self.run(runs.PYTHON, "-m", "private_packages", *arguments, **environment)
        assert "Traceback" not in done.stderr, done.stderr
        for secret in (PASSWORD, TOKEN):
            assert secret not in done.stdout + done.stderr
        return done

    def installs(self, *arguments: str) -> str:
        """Run `install`, which must succeed; return what it says."""
        done = self.command("install", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stderr

    def stops(self, command: str, *arguments: str, **environment: str) -> str:
        """Run a command that must stop and leave the environment as it was; return what it says."""
        before = self.environment_files()
        done = self.command(command, *arguments, **environment)
        assert done.returncode == 1, done.stderr
        assert self.environment_files() == before
        return done.stderr

    def make_environment(self) -> None:
        """Give the app a virtual environment with nothing in it."""
        make = (uv.find_uv_bin(), "venv", "--quiet", "--clear", "--python", sys.executable, ".venv")
        assert self.run(*make).returncode == 0

    def environment_files(self) -> dict[str, bytes]:
        """Every file of the app's virtual environment that an installation would touch."""
        return {
            path.relative_to(self.app).as_posix(): path.read_bytes()
            for path in self.site_packages.rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }

    @property
    def python(self) -> Path:
        """The Python of the app's virtual environment."""
        return self.app / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    @property
    def site_packages(self) -> Path:
        lib = self.app / ".venv" / ("Lib" if os.name == "nt" else "lib")
        return next(iter([*lib.glob("python3*/site-packages"), lib / "site-packages"]))

    def origin(self, name: str) -> str:
        """Where the app's package comes from: "private", "public", or "nothing"."""
        module = name.replace("-", "_")
        done = self.run(self.python, "-c", f"import {module}; print({module}.ORIGIN)")
        assert done.returncode == 0 or "ModuleNotFoundError" in done.stderr, done.stderr
        return done.stdout.strip() or "nothing"

    def put(self, path: Path) -> None:
        """Install a file into the app's environment, past everything."""
        done = self.run(
            uv.find_uv_bin(), "pip", "install", "--quiet", "--no-deps", "--python", self.python, path
        )
        assert done.returncode == 0, done.stderr

    def commit(self) -> None:
        """Commit everything but the environment, as a person does."""
        (self.app / ".git" / "info" / "exclude").write_text(".venv/\n")
        for command in (["add", "--all"], ["commit", "--quiet", "--allow-empty", "--message", "work"]):
            assert self.run("git", *command).returncode == 0

    def clone(self, name: str = "clone") -> World:
        """A fresh clone of what is committed, without an environment and without submodules."""
        folder = self.scratch / name
        shutil.rmtree(folder, ignore_errors=True)
        assert self.run("git", "clone", "--quiet", self.app, folder).returncode == 0
        return replace(self, app=folder)

    def outside(self, **variables: str) -> World:
        """The same world with other values of the variables."""
        return replace(self, variables=variables)


def source(
    name: str, version: str, origin: str, needs: Sequence[str] = (), built_with: Sequence[str] = ()
) -> dict[str, str]:
    """The files of a repository whose one module has `ORIGIN = origin`; it builds without any index.

    Its build imports what it is built with.
    """
    module = name.replace("-", "_")
    project = f'[project]\nname = "{name}"\nversion = "{version}"\ndependencies = {list(needs)}\n'
    build = (
        f"[build-system]\nrequires = {list(built_with)}\nbuild-backend = 'backend'\nbackend-path = ['.']\n"
    )
    imports = "".join(f"import {one.replace('-', '_')}\n" for one in built_with)
    return {
        "pyproject.toml": build + project,
        "backend.py": imports + BACKEND,
        f"{module}.py": f"ORIGIN = {origin!r}\nVERSION = {version!r}\n",
    }


@contextmanager
def new_world(folder: Path) -> Iterator[World]:
    """An app that wants nothing yet; acme-units 2.0.0 and 2.1.0 are on the private index, harmless 1.0 is public."""
    for name in ("private", "public", "git", "app"):
        (folder / name).mkdir()
    with ExitStack() as open_, pytest.MonkeyPatch.context() as patch:
        public = open_.enter_context(IndexHost(folder / "public"))
        # The private index sends the names that it does not have on to there, as GitLab's does.
        patch.setenv("PIP_INDEX_URL", public.simple_url)
        private = open_.enter_context(PrivateIndex(folder / "private", LOGINS["ACME_USER"], PASSWORD))
        git = open_.enter_context(GitHost(folder / "git", TOKEN))
        world = World(app=folder / "app", private=private, public=public, git=git, scratch=folder)
        world.reset()
        yield world
