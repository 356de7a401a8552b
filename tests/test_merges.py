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
from private_packages import config
from private_packages import lock as locking
from private_packages.files import sides_of
from templates import ANSWERS, TOML, files_for

from demo.git_host import GitHost
from demo.http_host import Faults
from demo.samples import commit, make_repository

TOKEN = "SENTINEL-git-token-2290"
A = "app/submodules/acme-a"
BEAMS, UNITS = "app/submodules/acme-beams", "app/submodules/acme-units"
SYNC = "python -m private_packages sync"
COMMAND = (sys.executable, "-m", "private_packages")
# `sync` reads it, too, and writes it again.
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

    def at(self, ref: str, name: str = "acme-beams") -> str:
        """The commit of a ref on the server."""
        done = self.run("git", "-C", str(self.host.path_of(name)), "rev-parse", f"{ref}^{{commit}}")
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
    for name in ("acme-beams", "acme-units", "acme-a", "acme-b", "acme-c"):
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


def wish(app: App, wants: str) -> None:
    """Want these packages, such as `acme-beams@v1 acme-units@v2`, as an update's answers do."""
    address = app.host.url.replace("://", "://x-access-token:${ACME_TOKEN}@")
    pairs = [want.split("@") for want in wants.split()]
    lines = "\n".join(f"{name} @ git+{address}/acme/{name}.git@{ref}" for name, ref in pairs)
    base = {"git_packages": "", "index_packages": "", "index_url": "", "index_scope": "extra"}
    answers = {"strategies": ["submodule"], "submodule_packages": lines, "private_prefixes": []}
    for name, text in files_for(TOML, ANSWERS, **base, **answers).items():
        app.write(".copier-answers.yml" if name == ANSWERS else name, text)


def wished(app: App) -> str:
    """What the answers want; private-packages.toml must say the same."""
    text = app.read(".copier-answers.yml").partition("submodule_packages: |-\n")[2]
    lines = [line.split() for line in text.splitlines() if line.startswith("  ")]
    found = " ".join(f"{line[0]}@{line[-1].rpartition('@')[2]}" for line in lines)
    written = " ".join(f"{one.name}@{one.ref}" for one in config.load(app.folder).packages)
    assert written == found
    return found


def on_branches(app: App, start: str, one: str, two: str) -> list[str]:
    """Merge two branches that want different things; the files in conflict."""
    wish(app, start)
    app.sync()
    app.commit("Begin")
    app.git("branch", "--force", "begin")
    for name, wants in (("one", one), ("two", two)):
        app.git("checkout", "--quiet", "-B", name, "begin")
        app.sync()
        app.git("submodule", "--quiet", "update", "--init")
        wish(app, wants)
        app.sync()
        app.commit(name)
    return app.merge("one")


RESOLVED = {
    "both added one": (
        "acme-a@v1",
        "acme-a@v1 acme-b@v1",
        "acme-a@v1 acme-c@v1",
        "acme-a@v1 acme-c@v1 acme-b@v1",
    ),
    "one moved, the other added": ("acme-a@v1", "acme-a@v2", "acme-a@v1 acme-c@v1", "acme-a@v2 acme-c@v1"),
    "neighbours moved": (
        "acme-a@v1 acme-b@v1",
        "acme-a@v2 acme-b@v1",
        "acme-a@v1 acme-b@v2",
        "acme-a@v2 acme-b@v2",
    ),
    "one dropped, the other moved": ("acme-a@v1 acme-b@v1", "acme-a@v1", "acme-a@v2 acme-b@v1", "acme-a@v2"),
    "both did the same, and more": (
        "acme-a@v1",
        "acme-a@v2 acme-b@v1",
        "acme-a@v2 acme-c@v2",
        "acme-a@v2 acme-c@v2 acme-b@v1",
    ),
    "one became another": (
        "acme-a@v1 acme-b@v1",
        "acme-a@v1 acme-c@v1",
        "acme-a@v2 acme-b@v1",
        "acme-a@v2 acme-c@v1",
    ),
}


@pytest.mark.parametrize("case", RESOLVED)
def test_wishes_in_conflict_are_resolved_where_each_branch_changed_another_package(app: App, case: str):
    start, one, two, both = RESOLVED[case]
    conflicts = on_branches(app, start, one, two)
    assert ".copier-answers.yml" in conflicts
    own = ("config", "--file", ".gitmodules")
    app.sync()
    assert wished(app) == both
    for name in (TOML, ".copier-answers.yml", ".gitmodules", "private-packages.lock"):
        assert "<<<<<<<" not in app.read(name)
    app.git("submodule", "--quiet", "update", "--init")
    assert "Everything agrees" in app.sync()
    wants = dict(want.split("@") for want in both.split())
    for name, ref in wants.items():
        path = f"app/submodules/{name}"
        assert {app.pin(path), app.head(path), app.locked(name)} == {app.at(ref, name)}
        assert app.git(*own, f"submodule.{path}.branch") == ref
    assert sorted(path.name for path in (app.folder / "app/submodules").glob("acme-*")) == sorted(wants)
    written = {name: app.read(name) for name in (TOML, ".copier-answers.yml")}
    wish(app, both)
    assert {name: app.read(name) for name in written} == written


@pytest.mark.parametrize("side", ["ours", "theirs"])
def test_wishes_for_the_same_package_are_decided_by_a_person_with_the_commands_that_are_named(
    app: App, side: str
):
    on_branches(app, "acme-a@v1", "acme-a@v2 acme-b@v1", "acme-a@side acme-c@v1")
    before = {name: app.read(name) for name in (TOML, ".copier-answers.yml")}
    done = app.command("sync")
    assert done.returncode == 1
    assert done.stderr == (
        "private-packages.toml has merge conflicts; both branches changed acme-a (side here, v2 there): take one side of"
        " the wishes with `git checkout --ours -- private-packages.toml .copier-answers.yml`, or with `--theirs`, then"
        " type `python -m private_packages sync`; of acme-b and acme-c, make again with `python -m private_packages"
        " move` or `copier update` what that side lacks.\n"
    )
    assert {name: app.read(name) for name in before} == before
    app.git("checkout", f"--{side}", "--", TOML, ".copier-answers.yml")
    app.sync()
    assert wished(app) == ("acme-a@side acme-c@v1" if side == "ours" else "acme-a@v2 acme-b@v1")
    app.git("submodule", "--quiet", "update", "--init")
    assert "Everything agrees" in app.sync()
    ref = "side" if side == "ours" else "v2"
    assert {app.pin(A), app.head(A), app.locked("acme-a")} == {app.at(ref, "acme-a")}


def test_a_file_in_conflict_that_a_person_has_begun_to_resolve_is_left_to_them(app: App):
    on_branches(app, *RESOLVED["both added one"][:3])
    for name in (TOML, ".gitmodules"):
        mine = app.read(name).replace("<<<<<<< HEAD\n", "# My decision.\n<<<<<<< HEAD\n")
        app.write(name, mine)
        done = app.command("sync")
        assert done.returncode == 1
        assert f"{name} has" in done.stderr
        assert app.read(name) == mine
        app.write(name, sides_of(mine)[0])


def test_a_submodule_of_ones_own_is_kept_as_the_branch_has_it_that_changed_it(app: App, tmp_path: Path):
    wish(app, "acme-a@v1")
    app.sync()
    app.git("config", "--file", ".gitmodules", "submodule.theirs.path", "theirs")
    app.git("config", "--file", ".gitmodules", "submodule.theirs.url", "https://git.acme.example/theirs.git")
    app.commit("Their own")
    app.git("branch", "one")
    wish(app, "acme-a@v1 acme-b@v1")
    app.sync()
    app.git("config", "--file", ".gitmodules", "submodule.third.path", "third")
    app.git("config", "--file", ".gitmodules", "submodule.third.url", "https://git.acme.example/third.git")
    app.commit("two")
    app.git("branch", "two")
    app.git("checkout", "--quiet", "one")
    app.git("config", "--file", ".gitmodules", "submodule.theirs.url", "https://git.acme.example/other.git")
    app.git("config", "--file", ".gitmodules", "submodule.more.path", "more")
    app.git("config", "--file", ".gitmodules", "submodule.more.url", "https://git.acme.example/more.git")
    app.commit("one")
    assert ".gitmodules" in app.merge("two")
    app.sync()
    listed = app.git("config", "--file", ".gitmodules", "--get-regexp", "url").splitlines()
    found = {line.split()[0].removesuffix(".url"): line.split()[1].rpartition("/")[2] for line in listed}
    assert found == {
        "submodule.theirs": "other.git",
        "submodule.more": "more.git",
        "submodule.third": "third.git",
        "submodule.app/submodules/acme-a": "acme-a.git",
        "submodule.app/submodules/acme-b": "acme-b.git",
    }
    assert app.git("ls-files", "--unmerged", ".gitmodules") == ""


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
