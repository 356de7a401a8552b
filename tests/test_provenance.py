"""Whose commits are in a submodule: the user's are never lost, and what came from the server never stands in the way."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from apps import change_wanted, render

from demo.git_host import GitHost
from demo.samples import commit, make_repository

BEAMS = "app/submodules/acme-beams"
COMMAND = (sys.executable, "-m", "private_packages")


@dataclass(frozen=True)
class App:
    """An app with acme-beams, and the repository on the server."""

    folder: Path
    server: Path

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.folder,
            env={**os.environ, "ACME_TOKEN": "any"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def git(self, *arguments: str) -> str:
        done = self.run("git", *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def on_server(self, *arguments: str) -> str:
        return self.git("-C", str(self.server), *arguments)

    def sync(self, *, fails: bool = False) -> str:
        done = self.run(*COMMAND, "sync")
        assert done.returncode == int(fails), done.stderr
        return done.stderr

    def drop(self) -> None:
        """Want the package no more."""
        toml = self.folder / "private-packages.toml"
        toml.write_text(toml.read_text().partition("[[packages]]")[0])

    def move(self, ref: str, to: str) -> None:
        change_wanted(self.folder, f'.git@{ref}"', f'.git@{to}"')
        change_wanted(self.folder, f'ref = "{ref}"', f'ref = "{to}"')

    def look(self) -> None:
        """Let Git hear of what became of the server's branches and tags."""
        self.git("-C", BEAMS, "fetch", "--quiet", "--prune", "--prune-tags", "origin")

    def has_gone(self) -> bool:
        return not (self.folder / BEAMS).exists() and not (self.folder / ".git/modules" / BEAMS).exists()


@pytest.fixture
def host(isolated: Path, tmp_path: Path) -> Iterator[GitHost]:
    """acme-beams, open to everybody: v1, v2 on a branch that is not the default one, and main."""
    root = tmp_path / "git"
    (root / "acme").mkdir(parents=True)
    repository = make_repository(root / "acme", "acme-beams", {"acme_beams.py": "V = 1\n"}, tags=["v1"])
    commit(repository, {"acme_beams.py": "V = 2\n"}, branch="feature", tag="v2")
    commit(repository, {"acme_beams.py": "V = 3\n"})
    with GitHost(root, "any") as running:
        running.tokens["acme-beams"] = None
        yield running


@pytest.fixture
def make(host: GitHost, questionnaire: Path, tmp_path: Path) -> Callable[[str], App]:
    """An app, committed, with acme-beams at a ref."""

    def make(ref: str) -> App:
        lines = f"acme-beams @ git+{host.url_of('acme-beams')}@{ref}"
        folder = render(questionnaire, tmp_path / "app", strategies=["submodule"], submodule_packages=lines)
        app = App(folder, host.path_of("acme-beams"))
        app.git("init", "--quiet")
        app.sync()
        app.git("add", "--all")
        app.git("commit", "--quiet", "-m", "Start")
        return app

    return make


def delete_tag(app: App) -> None:
    """v2 and its branch are gone, so nothing on the server names the commit."""
    app.on_server("tag", "--delete", "v2")
    app.on_server("update-ref", "-d", "refs/heads/feature")


def force_push(app: App) -> None:
    delete_tag(app)
    tree = app.on_server("rev-parse", "v1^{tree}")
    other = app.on_server(
        *("-c", "user.name=T", "-c", "user.email=t@localhost.invalid", "commit-tree", tree, "-m", "Anew")
    )
    for branch in ("main", "feature"):
        app.on_server("update-ref", f"refs/heads/{branch}", other)


def squash(app: App) -> None:
    tree = app.on_server("rev-parse", "feature^{tree}")
    delete_tag(app)
    merged = app.on_server(
        *("-c", "user.name=T", "-c", "user.email=t@localhost.invalid"),
        *("commit-tree", tree, "-p", "main", "-m", "Squashed"),
    )
    app.on_server("update-ref", "refs/heads/main", merged)


UPSTREAM = {"its tag is deleted": delete_tag, "it is force-pushed": force_push, "it is squash-merged": squash}


def ours(app: App, folder: Path) -> App:
    """What the command made."""
    return app


def colleague(app: App, folder: Path) -> App:
    """A clone that Git alone filled, which leaves a local branch."""
    app.git("clone", "--quiet", "--recurse-submodules", str(app.folder), str(folder))
    return App(folder, app.server)


def shallow(app: App, folder: Path) -> App:
    """As in CI: the newest commit of everything."""
    options = ("--quiet", "--depth=1", "--recurse-submodules", "--shallow-submodules")
    app.git("clone", *options, app.folder.as_uri(), str(folder))
    assert (folder / ".git" / "modules" / BEAMS / "shallow").exists()
    return App(folder, app.server)


CLONES = {one.__name__: one for one in (ours, colleague, shallow)}


@pytest.mark.parametrize("clone", CLONES)
@pytest.mark.parametrize("ref", ["v2", "feature", "COMMIT"])
@pytest.mark.parametrize("upstream", UPSTREAM)
def test_what_the_server_had_once_never_counts_as_the_users_work(
    make: Callable[[str], App], host: GitHost, tmp_path: Path, upstream: str, ref: str, clone: str
):
    """The user committed nothing; whatever became of branches and tags there, the package moves on and goes."""
    if ref == "COMMIT":
        ref = subprocess.run(
            ["git", "rev-parse", "v2^{commit}"],
            cwd=host.path_of("acme-beams"),
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    made = make(ref)
    app = CLONES[clone](made, tmp_path / "clone")
    if clone == "ours":
        assert app.git("-C", BEAMS, "for-each-ref", "refs/heads") == ""
    UPSTREAM[upstream](app)
    app.look()
    if ref != "v2":
        app.move(ref, "v1")
        app.sync()
        assert app.git("-C", BEAMS, "rev-parse", "HEAD") == app.on_server("rev-parse", "v1^{commit}")
    app.drop()
    app.sync()
    assert app.has_gone()


def test_a_default_branch_that_git_s_own_clone_left_is_not_the_users(
    make: Callable[[str], App], tmp_path: Path
):
    """`git submodule update` leaves `main` where it was; after a force-push no server has that commit."""
    app = colleague(make("v1"), tmp_path / "clone")
    assert "refs/heads/main" in app.git("-C", BEAMS, "for-each-ref", "refs/heads")
    force_push(app)
    app.look()
    app.drop()
    app.sync()
    assert app.has_gone()


@pytest.mark.parametrize("pinned", [True, False], ids=["and pinned it", "and did not pin it"])
@pytest.mark.parametrize("where", ["on no branch", "on a branch", "on the default branch"])
@pytest.mark.parametrize("clone", CLONES)
def test_a_commit_of_the_users_is_kept_in_every_kind_of_clone(
    make: Callable[[str], App], tmp_path: Path, clone: str, where: str, pinned: bool
):
    app = CLONES[clone](make("v1"), tmp_path / "clone")
    if where != "on no branch":
        branch = "mine" if where == "on a branch" else "main"
        app.git("-C", BEAMS, "checkout", "--quiet", "-B", branch)
    app.git("-C", BEAMS, "commit", "--quiet", "--allow-empty", "-m", "Mine")
    mine = app.git("-C", BEAMS, "rev-parse", "HEAD")
    if pinned:
        app.git("add", BEAMS)
        app.git("commit", "--quiet", "-m", "Pin it")
    elif where != "on no branch":
        app.git("-C", BEAMS, "checkout", "--quiet", "--detach", "HEAD~")
    app.drop()
    assert "commits that are on no server" in app.sync(fails=True)
    assert app.git("-C", BEAMS, "cat-file", "-t", mine) == "commit"
    shutil.rmtree(app.folder / BEAMS)
    assert "commits that are on no server" in app.sync(fails=True)


# ---------------------------------------------------------------------------
# Files that Git does not know
# ---------------------------------------------------------------------------


def test_a_file_that_git_does_not_know_stays_where_it_is_when_a_package_moves(make: Callable[[str], App]):
    app = make("v1")
    mine = {
        app.folder / BEAMS / name: f"{name}\n" for name in ("notes.txt", "data/mine.csv", "build/log.txt")
    }
    for path, text in mine.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    app.move("v1", "v2")
    app.sync()
    assert app.git("-C", BEAMS, "rev-parse", "HEAD") == app.on_server("rev-parse", "v2^{commit}")
    assert {path: path.read_text() for path in mine} == mine
    # Where the folder itself goes, they would be lost.
    app.drop()
    assert "it is not wanted any more, but app/submodules/acme-beams holds uncommitted changes" in app.sync(
        fails=True
    )
    assert {path: path.read_text() for path in mine} == mine


@pytest.mark.parametrize(
    ("mine", "brought"),
    [
        ("notes.txt", "notes.txt"),
        ("data", "data/table.csv"),
        ("data/mine.csv", "data"),
        ("Notes.txt", "notes.txt"),
    ],
    ids=[
        "the same name",
        "a folder of that name",
        "a file of its folder's name",
        "the same name on some disks",
    ],
)
def test_a_file_that_git_does_not_know_is_named_where_the_wanted_commit_brings_one(
    make: Callable[[str], App], host: GitHost, mine: str, brought: str
):
    app = make("v1")
    commit(host.path_of("acme-beams"), {brought: "theirs\n"}, tag="v3")
    path = app.folder / BEAMS / mine
    path.parent.mkdir(exist_ok=True)
    path.write_text("mine\n")
    app.move("v1", "v3")
    before = app.git("-C", BEAMS, "rev-parse", "HEAD")
    assert (
        f"acme-beams: app/submodules/acme-beams/{mine} is not in Git, and v3 brings a file of that name; move yours away"
        in app.sync(fails=True)
    )
    assert path.read_text() == "mine\n"
    assert app.git("-C", BEAMS, "rev-parse", "HEAD") == before
    path.rename(app.folder / "kept")
    app.sync()
    assert (app.folder / BEAMS / brought).read_text() == "theirs\n"
