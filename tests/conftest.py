"""What every test stands on: an isolated Git and Copier, the template as it is now, the demo hosts."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import builder
import pytest
from apps import Apps, snapshot
from plumbum import local
from world import World, new_world

from demo.hosts import DemoHosts


def pytest_xdist_auto_num_workers() -> int:
    """One process more than processors: half of the time a test waits for a server, or for a program to end."""
    return (os.cpu_count() or 1) + 1


@pytest.fixture(scope="session", autouse=True)
def isolated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home of the tests' own: nobody's Git configuration, Copier settings or caches are read or written."""
    home = tmp_path_factory.mktemp("home")
    (home / "settings.yml").write_text("{}\n")
    (home / "gitconfig").write_text("[user]\n\tname = Test\n\temail = test@localhost.invalid\n")
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # As in the background of a script; what the tests start and interrupt would inherit it.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_CONFIG_GLOBAL", str(home / "gitconfig"))
        patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        patch.setenv("COPIER_SETTINGS_PATH", str(home / "settings.yml"))
        patch.setenv("COPIER_CACHE_DIR", str(home / "copier"))
        patch.setenv("PYTHONDONTWRITEBYTECODE", "1")
        for name in ("STAGE", "COPIER_OPERATION", "PRIVATE_PACKAGES_STRICT", "PRIVATE_PACKAGES_TIMEOUT"):
            patch.delenv(name, raising=False)
        # Copier's tasks get the environment that plumbum saw when it was imported.
        with local.env(**{name: value for name, value in os.environ.items() if local.env.get(name) != value}):
            yield home


@pytest.fixture(scope="session")
def template(isolated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template as it stands in the work tree, uncommitted changes included, as a release of its own."""
    return snapshot(tmp_path_factory.mktemp("template") / "copier-private-packages", "v1000.0.0")


@pytest.fixture(scope="session")
def questionnaire(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template without its history: Copier need not clone it, so asking is quick."""
    return Path(
        shutil.copytree(template, tmp_path_factory.mktemp("q") / "t", ignore=shutil.ignore_patterns(".git"))
    )


@pytest.fixture(scope="session")
def hosts(isolated: Path) -> Iterator[DemoHosts]:
    """The Git host and the package index of the demo, one pair for all tests of a process."""
    with DemoHosts() as running:
        yield running


@pytest.fixture(scope="session")
def docker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[builder.Docker]:
    """A builder with BuildKit of its own, where one can be had: one for all tests of a process."""
    if reason := builder.reason_without():
        pytest.skip(reason)
    with builder.docker(tmp_path_factory.mktemp("docker")) as running:
        yield running


@pytest.fixture(scope="module")
def shared(isolated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A small world for all tests of a module; `World.reset` leaves nothing of the test before."""
    with new_world(tmp_path_factory.mktemp("world")) as made:
        yield made


@pytest.fixture
def variables(hosts: DemoHosts, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """The hosts' credentials, set in the environment."""
    for name, value in hosts.variables.items():
        monkeypatch.setenv(name, value)
    with local.env(**hosts.variables):
        yield hosts.variables


@pytest.fixture
def apps(template: Path, tmp_path: Path, copie) -> Apps:
    """Makes apps from the template; an unknown answer or a failed copy raises."""
    return Apps(template=template, copie=copie)


@pytest.fixture
def git():
    """Run Git in a folder and get its output."""

    def run(folder: Path, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=folder, env=os.environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return run
