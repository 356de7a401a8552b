"""What was wanted travels: through a clone, CI and a merge of two branches that both changed packages."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from apps import HOOK, render
from private_packages import lock as locking
from private_packages.merging import sides_of

from demo.git_host import GitHost
from demo.http_host import Faults
from demo.samples import commit, make_repository

TOKEN = "SENTINEL-git-token-2290"
BEAMS, UNITS = "app/submodules/acme-beams", "app/submodules/acme-units"
SYNC = "python -m private_packages sync"
COMMAND = (sys.executable, "-m", "private_packages")
# `sync` reads it, too, and writes it anew.
LOCK_READERS = ("status", "check", "install", "install --locked")

Done = subprocess.CompletedProcess[str]


@dataclass(frozen=True)
class App:
    """An app with acme-beams as a submodule, in a repository."""

    folder: Path
    host: GitHost

    def run(self, *command: str, **environment: str) -> Done:
        kept = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
        return subprocess.run(
            command,
            cwd=self.folder,
            env={**kept, "ACME_TOKEN": TOKEN, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def git(self, *arguments: str) -> str:
        done = self.run("git", *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def command(self, words: str, **environment: str) -> Done:
        done = self.run(*COMMAND, *words.split(), **environment)
        assert "Traceback" not in done.stderr
        return done

    def sync(self) -> str:
        done = self.command("sync")
        assert done.returncode == 0, done.stderr
        return done.stderr

    def commit(self, message: str) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "-m", message)

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text, encoding="utf-8")

    def read(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8")

    def want(self, ref: str, old: str = "v1") -> None:
        """Want another ref of acme-beams, as an update does."""
        toml = self.read("private-packages.toml")
        beams, units, rest = toml.partition('name = "acme-units"')
        beams = beams.replace(f'.git@{old}"', f'.git@{ref}"').replace(f'ref = "{old}"', f'ref = "{ref}"')
        self.write("private-packages.toml", beams + units + rest)

    def branch(self, name: str, *refs: str, start: str = "start") -> None:
        """Make a branch on which acme-beams moved through these refs, with what belongs to it."""
        self.git("checkout", "--quiet", "-B", name, start)
        self.git("submodule", "--quiet", "update", "--init")
        old = "v1"
        for ref in refs:
            self.want(ref, old)
            self.sync()
            old = ref
        self.commit(name)

    def merge(self, name: str) -> list[str]:
        """Merge a branch; the files in conflict."""
        self.run("git", "merge", "--quiet", "--no-edit", name)
        return self.git("diff", "--name-only", "--diff-filter=U").splitlines()

    def pin(self, path: str = BEAMS) -> str:
        """The commit in the index, which must be the only one."""
        entries = self.git("ls-files", "--stage", path).splitlines()
        assert len(entries) == 1, entries
        return entries[0].split()[1]

    def head(self, path: str = BEAMS) -> str:
        return self.git("-C", path, "rev-parse", "HEAD")

    def locked(self, name: str = "acme-beams") -> str:
        entry = locking.load(self.folder).commit_of(name, "submodule")
        return entry.commit if entry else ""

    def at(self, ref: str) -> str:
        """The commit of a ref on the server."""
        done = self.run("git", "-C", str(self.host.path_of("acme-beams")), "rev-parse", f"{ref}^{{commit}}")
        return done.stdout.strip()

    def is_at(self, ref: str) -> bool:
        """Whether pin, files and lock are at a ref, and everything is at rest."""
        agree = {self.pin(), self.head(), self.locked()} == {self.at(ref)}
        clean = self.git("-C", BEAMS, "status", "--porcelain") == ""
        return agree and clean and "Everything agrees" in self.sync()

    def clone(self, folder: Path) -> App:
        self.run("git", "clone", "--quiet", str(self.folder), str(folder))
        return App(folder, self.host)


@pytest.fixture(scope="module")
def host(isolated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitHost]:
    """acme-beams with v1, v2, v3 in a row, `side` beside them; and acme-units."""
    root = tmp_path_factory.mktemp("git")
    (root / "acme").mkdir()
    for name in ("acme-beams", "acme-units"):
        module = name.replace("-", "_")
        files = {"pyproject.toml": f'[project]\nname = "{name}"\n', f"{module}/__init__.py": "V = 1\n"}
        repository = make_repository(root / "acme", name, files, tags=["v1"])
        commit(repository, {f"{module}/side.py": ""}, branch="side")
        for number in (2, 3):
            commit(repository, {f"{module}/__init__.py": f"V = {number}\n"}, tag=f"v{number}")
    with GitHost(root, TOKEN) as running:
        yield running


@pytest.fixture(scope="module")
def start(host: GitHost, questionnaire: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The app with both packages at v1, committed on the branch `start`."""
    address = "{} @ git+" + host.url.replace("://", "://x-access-token:${{ACME_TOKEN}}@") + "/acme/{}.git@v1"
    lines = "\n".join(address.format(name, name) for name in ("acme-beams", "acme-units"))
    folder = tmp_path_factory.mktemp("start") / "my-app"
    app = App(render(questionnaire, folder, strategies=["submodule"], submodule_packages=lines), host)
    app.git("init", "--quiet", "--initial-branch=start")
    app.sync()
    app.commit("Start")
    return folder


@pytest.fixture
def app(start: Path, host: GitHost, tmp_path: Path) -> Iterator[App]:
    subprocess.run(["cp", "-a", str(start), str(tmp_path / "my-app")], check=True)
    yield App(tmp_path / "my-app", host)
    host.faults_of.clear()


# ---------------------------------------------------------------------------
# A change that could not be made
# ---------------------------------------------------------------------------

UNABLE: dict[str, Callable[[App], dict[str, str]]] = {
    "the host is down": lambda app: app.host.faults_of.update({"acme-beams": Faults(status=503)}) or {},
    "there is no login": lambda app: {"ACME_TOKEN": ""},
}


@pytest.fixture(params=UNABLE)
def unmade(request: pytest.FixtureRequest, app: App, tmp_path: Path) -> App:
    """A clone of an app in which v2 is wanted and could not be fetched, and all of that was committed."""
    app.want("v2")
    environment = UNABLE[request.param](app)
    assert app.command("sync", **environment).returncode == 1
    app.commit("Update")
    app.host.faults_of.clear()
    return app.clone(tmp_path / "clone")


@pytest.mark.parametrize("command", ["status", "check", "install --locked"])
def test_a_change_that_could_not_be_made_is_told_in_every_clone_with_the_command_to_type(
    unmade: App, command: str
):
    done = unmade.command(command)
    assert done.returncode == 1
    said = done.stdout + done.stderr
    assert "acme-beams: the change from v1 to v2 was not made yet" in said
    assert re.search(r"(?m)^Type: python -m private_packages (sync|install)$", said), said


def test_a_change_that_could_not_be_made_is_made_by_sync_in_any_clone(unmade: App):
    unmade.sync()
    assert unmade.is_at("v2")


def test_a_change_that_could_not_be_made_fails_the_hook_in_strict_mode(app: App):
    app.want("v2")
    app.host.faults_of["acme-beams"] = Faults(status=503)
    copy = {"STAGE": "after", "COPIER_OPERATION": "update"}
    assert app.run(*HOOK, **copy).returncode == 0
    assert app.run(*HOOK, **copy, PRIVATE_PACKAGES_STRICT="1").returncode == 1


# ---------------------------------------------------------------------------
# Two branches that both moved packages
# ---------------------------------------------------------------------------


def resolve(app: App, ref: str) -> None:
    """What a person does: they say which version they want, and take both sides of what is only written from it."""
    toml = app.read("private-packages.toml")
    mine, theirs = sides_of(toml)
    app.write("private-packages.toml", mine if f'ref = "{ref}"' in mine else theirs)
    for name in (".gitmodules", ".copier-answers.yml"):
        mine, theirs = sides_of(app.read(name))
        app.write(name, mine if f'ref = "{ref}"' in toml.partition("=======")[0] else theirs)
    app.git("add", ".gitmodules")


@pytest.mark.parametrize(
    ("name", "command"),
    [
        *(("private-packages.toml", command) for command in (*LOCK_READERS, "move --list", "sync")),
        *(("private-packages.lock", command) for command in LOCK_READERS),
    ],
)
def test_a_conflict_is_explained_by_every_command_in_one_sentence(app: App, name: str, command: str):
    text = app.read(name)
    app.write(name, f"<<<<<<< HEAD\n{text}=======\n{text}# Theirs.\n>>>>>>> theirs\n")
    before = app.git("status", "--porcelain")
    done = app.command(command)
    assert done.returncode == 1
    said = (done.stdout + done.stderr).strip()
    assert said.startswith(f"{name} has merge conflicts; ")
    assert said.endswith(".") and "\n" not in said
    assert app.git("status", "--porcelain") == before


@pytest.mark.parametrize("wanted", ["v2", "side"])
def test_a_conflict_in_the_lock_and_the_pin_is_resolved_by_what_is_wanted(app: App, wanted: str):
    app.branch("one", "v2")
    app.branch("two", "side")
    conflicts = app.merge("one")
    assert {"private-packages.lock", "private-packages.toml", BEAMS} <= set(conflicts)
    resolve(app, wanted)
    app.sync()
    assert app.is_at(wanted)


@pytest.mark.parametrize("wanted", ["v2", "v3"])
def test_a_pin_that_git_took_from_one_side_follows_what_a_person_decided(app: App, wanted: str):
    """v3 comes after v2, so Git takes its commit without asking."""
    app.branch("one", "v2")
    app.branch("two", "v3")
    app.merge("one")
    resolve(app, wanted)
    app.sync()
    assert app.is_at(wanted)


def test_two_branches_that_moved_different_packages_merge_by_one_sync(app: App):
    app.branch("one", "v2")
    app.git("checkout", "--quiet", "-b", "two", "start")
    app.git("submodule", "--quiet", "update")
    app.run(*COMMAND, "move", "acme-units", "v2")
    app.commit("two")
    units = app.pin(UNITS)
    app.merge("one")
    for name in ("private-packages.toml", ".gitmodules", ".copier-answers.yml"):
        assert "<<<<<<<" not in app.read(name)
    app.sync()
    # The files follow the pins, which Git merged, with the next `install`, or so:
    app.git("submodule", "--quiet", "update")
    assert app.is_at("v2")
    assert app.pin(UNITS) == app.head(UNITS) == app.locked("acme-units") == units


def test_a_branch_that_both_took_at_different_times_is_taken_as_git_merged_it(
    app: App, host: GitHost, tmp_path: Path
):
    """Both sides of the lock are about what is wanted, and differ."""
    original = tmp_path / "original"
    shutil.copytree(host.path_of("acme-beams"), original)
    app.branch("one", "main")
    newer = commit(host.path_of("acme-beams"), {"README.md": "Newer.\n"})
    app.branch("two", "main")
    shutil.rmtree(host.path_of("acme-beams"))
    shutil.copytree(original, host.path_of("acme-beams"))
    assert app.merge("one") == ["private-packages.lock"]
    app.sync()
    assert app.pin() == app.head() == app.locked() == newer


def test_a_pin_in_conflict_is_told_and_the_hook_fails_in_strict_mode(app: App):
    app.branch("one", "v2")
    app.branch("two", "side")
    app.merge("one")
    app.git("checkout", "--quiet", "--ours", "private-packages.toml", "private-packages.lock")
    for name in (".gitmodules", ".copier-answers.yml"):
        app.git("checkout", "--quiet", "--ours", name)
    app.git("add", ".gitmodules")
    done = app.command("status")
    assert "acme-beams: two branches pinned different commits of it" in done.stdout
    assert f"Type: {SYNC}" in done.stdout
    assert app.command("install --locked").returncode == 1
    app.write("private-packages.toml", f"<<<<<<< HEAD\n{app.read('private-packages.toml')}>>>>>>> one\n")
    after = {"STAGE": "after", "COPIER_OPERATION": "update", "PRIVATE_PACKAGES_STRICT": "1"}
    assert app.run(*HOOK, **after).returncode == 1


def test_a_package_that_one_branch_dropped_and_the_other_moved_goes_or_stays_as_decided(app: App):
    app.branch("one", "v2")
    app.git("checkout", "--quiet", "-b", "two", "start")
    toml = app.read("private-packages.toml")
    head, beams, units = toml.split("[[packages]]")
    app.write("private-packages.toml", f"{head}[[packages]]{units}")
    assert "acme-beams" in beams
    app.sync()
    app.commit("two")
    app.merge("one")
    app.git("checkout", "--quiet", "--ours", "private-packages.toml")
    for name in (".gitmodules", ".copier-answers.yml"):
        app.write(name, sides_of(app.read(name))[0])
    app.git("add", ".gitmodules")
    app.sync()
    assert app.git("ls-files", "--stage", BEAMS) == ""
    assert not (app.folder / BEAMS).exists()
    assert "Everything agrees" in app.sync()
