"""The app's whole life: copy, update, recopy, changed answers, and the user's own work kept through all of it."""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from apps import HOOK, ROOT, copier, data, questions, release, snapshot
from dependencies import BEGIN, read_block, with_block

from demo.git import run_git
from demo.hosts import DemoHosts
from demo.http_host import Faults
from demo.samples import commit, make_repository

BEAMS, LOADS, UNITS = (f"app/submodules/acme-{name}" for name in ("beams", "loads", "units"))
OWN = "app/submodules/their-own"
RELEASED = sorted(
    path.name.removesuffix(".answers.yml") for path in (ROOT / "tests" / "released").glob("*.answers.yml")
)


def run(folder: Path, *command: str | Path, **environment: str) -> str:
    """Run a command that must succeed; its standard output."""
    done = subprocess.run(
        list(map(str, command)),
        cwd=folder,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


RECIPES = {
    title: re.findall(r"(?ms)^```sh\n(.*?)^```", text)
    for title, text in re.findall(
        r"(?ms)^## (.*?)\n(.*?)(?=^## |\Z)", (ROOT / "docs" / "lifecycle.md").read_text(encoding="utf-8")
    )
}


@dataclass(frozen=True)
class Book:
    """docs/lifecycle.md, with the demo's hosts in place of the company's and the tests' template in place of the real one."""

    hosts: DemoHosts
    template: Path

    def follow(self, title: str, folder: Path, block: int = 0) -> str:
        """Run a recipe's commands as they stand in the document; what they wrote to standard error."""
        commands = RECIPES[title][block]
        host = self.hosts.git_url.partition("//")[2]
        for written, real in {
            "https://x-access-token:${ACME_TOKEN}@git.acme.example": f"http://x-access-token:${{ACME_TOKEN}}@{host}",
            "https://git.acme.example": self.hosts.git_url,
            "https://${ACME_USER}:${ACME_PASSWORD}@packages.acme.example/simple/": self.hosts.index_answer(),
            "gh:OWNER/copier-private-packages": f"'{self.template}'",
        }.items():
            commands = commands.replace(written, real)
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-euc", commands],
            cwd=folder,
            env={**os.environ, **login(self.hosts), "PATH": path},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stderr


@pytest.fixture(scope="module")
def book(hosts: DemoHosts, releases: Path) -> Book:
    """The recipes."""
    return Book(hosts, releases)


def login(hosts: DemoHosts) -> dict[str, str]:
    """The environment with which a person's own Git commands reach the host."""
    basic = base64.b64encode(f"x:{hosts.variables['ACME_TOKEN']}".encode()).decode()
    setting = (f"http.{hosts.git_url}/.extraHeader", f"Authorization: Basic {basic}")
    return {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": setting[0], "GIT_CONFIG_VALUE_0": setting[1]}


@dataclass(frozen=True)
class App:
    """An app in `folder`, which may be a folder of a larger repository."""

    folder: Path

    def git(self, *arguments: str) -> str:
        return run(self.folder, "git", *arguments).strip()

    def commit(self, message: str = "Work") -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", message)

    def update(self, *options: str, **answers: object) -> str:
        """Run `copier update` as a CI job would; what it wrote to standard error."""
        done = copier("update", "--trust", "--defaults", *options, *data(answers), cwd=self.folder)
        assert done.returncode == 0, done.stderr
        return done.stderr

    def sync(self, **environment: str) -> str:
        """Run the hook alone; what it wrote."""
        done = subprocess.run(
            HOOK,
            cwd=self.folder,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stderr

    def read(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8")

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def append(self, name: str, text: str) -> None:
        self.write(name, self.read(name) + text)

    def gitlinks(self) -> dict[str, str]:
        """Commit by path, from the index."""
        entries = [line.split(maxsplit=3) for line in self.git("ls-files", "--stage").splitlines()]
        return {path: commit for mode, commit, _, path in entries if mode == "160000"}

    def heads(self) -> dict[str, str]:
        """The commit that is checked out in each submodule."""
        heads = {}
        for path in self.gitlinks():
            if (self.folder / path / ".git").exists():
                heads[path] = self.git("-C", path, "rev-parse", "HEAD")
        return heads

    def sections(self) -> list[str]:
        """The names of the sections of .gitmodules."""
        return re.findall(r'(?m)^\[submodule "(.*)"\]$', self.read(".gitmodules"))

    def status(self) -> list[str]:
        return self.git("status", "--short").splitlines()

    def files(self) -> dict[str, object]:
        """The whole app: text by path, the gitlinks, and the two parts of requirements.txt; `_commit` left out."""
        names = self.git("ls-files", "--cached", "--others", "--exclude-standard").splitlines()
        found: dict[str, object] = {name: self.read(name) for name in names if (self.folder / name).is_file()}
        answers = yaml.safe_load(self.read(".copier-answers.yml"))
        requirements = self.read("requirements.txt")
        return found | {
            ".copier-answers.yml": {name: value for name, value in answers.items() if name != "_commit"},
            "requirements.txt": with_block(requirements, {}),
            "the block": read_block(requirements),
            "the gitlinks": self.gitlinks(),
            "what is checked out": self.heads(),
        }

    def copy_to(self, folder: Path) -> App:
        """The same app elsewhere, with its repository: everything in it is relative."""
        return App(Path(shutil.copytree(self.folder, folder, symlinks=True)))


@pytest.fixture(scope="module")
def releases(isolated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template as it stands, as release 1, and a release 2 that changes, adds and removes rendered lines."""
    folder = snapshot(tmp_path_factory.mktemp("releases") / "copier-private-packages", "v1.0.0")
    template = folder / "template" / "files"
    for name in ("requirements.txt.jinja", ".gitmodules.jinja", ".env.example.jinja"):
        path = template / name
        path.write_text("# Release 2 says more.\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    (template / "CHANGES.md").write_text("Release 2.\n", encoding="utf-8")
    release(folder, "v2.0.0")
    return folder


@pytest.fixture(scope="module")
def own(hosts: DemoHosts) -> str:
    """The address of a public repository that the user adds as a submodule of their own."""
    repository = make_repository(hosts.git.path_of("their-own").parent, "their-own", {"their_own.py": ""})
    commit(repository, {"their_own.py": "VERSION = 1\n"})
    hosts.git.tokens["their-own"] = None
    return hosts.git.url_of("their-own")


@pytest.fixture(scope="module", autouse=True)
def credentials(hosts: DemoHosts) -> Any:
    """The variables of the package lines, set for the whole module."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in hosts.variables.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(autouse=True)
def fresh_log(hosts: DemoHosts) -> Any:
    """Each test reads only its own requests, and leaves the hosts without faults."""
    hosts.git.clear()
    yield
    hosts.git.faults_of.clear()


@pytest.fixture(scope="module")
def answers_of(hosts: DemoHosts) -> dict[str, dict[str, object]]:
    """One package, acme-beams, by each strategy."""
    return {
        "submodule": {"strategies": ["submodule"], "submodule_packages": hosts.git_line("acme-beams")},
        "git": {"strategies": ["git"], "git_packages": hosts.git_line("acme-beams")},
        "index": {
            "strategies": ["index"],
            "index_packages": hosts.index_lines("acme-beams")[0],
            "index_url": hosts.index_answer(),
        },
    }


def copy(template: Path, folder: Path, ref: str = "v1.0.0", **answers: object) -> App:
    """A copy, without a commit of the user's."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    options = ("--trust", "--defaults", "--vcs-ref", ref, *data(answers))
    done = copier("copy", *options, template, folder, cwd=folder.parent)
    assert done.returncode == 0, done.stderr
    return App(folder)


def make_theirs(app: App, own: str) -> App:
    """What a user does in the first week: a submodule, requirements, code and documents of their own; committed."""
    app.git("submodule", "--quiet", "add", own, OWN)
    requirements = app.read("requirements.txt")
    head, block, tail = requirements.partition(f"\n{BEGIN}")
    app.write("requirements.txt", f"{head.rstrip()}\nrequests==2.32.5\n{block}{tail}rich==14.2.0\n")
    app.append("app/__init__.py", "\nTHEIRS = True\n")
    app.append(".gitignore", "/theirs/\n")
    app.append(".env.example", "DATABASE_URL=\n")
    app.append("tests/test_app.py", "\n# theirs\n")
    app.write("app/theirs.py", "VALUE = 1\n")
    if (app.folder / "README.md").exists():
        app.append("README.md", "\n## Theirs\n\nWords of their own.\n")
    app.commit("Start")
    return app


@pytest.fixture(scope="module")
def theirs(
    releases: Path,
    hosts: DemoHosts,
    answers_of: dict[str, dict[str, object]],
    own: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., App]:
    """An app of release 1 with one package by a strategy, lived in and committed; each is made once and copied."""
    made: dict[tuple[str, str], App] = {}
    folder = tmp_path_factory.mktemp("Größe 1 mit Leerzeichen")

    def make(strategy: str, to: Path, ref: str = "v1.0.0") -> App:
        if (strategy, ref) not in made:
            made[strategy, ref] = make_theirs(
                copy(releases, folder / strategy / ref / "my-app", ref, **answers_of[strategy]),
                own,
            )
        hosts.git.clear()
        return made[strategy, ref].copy_to(to / "Mein Träger 1")

    return make


def copy_into_monorepo(app: App, top: Path) -> App:
    """The app's files as the folder `apps/one` of a larger repository that has a history."""
    inner = app.copy_to(top / "apps" / "one")
    shutil.rmtree(inner.folder / ".git")
    shutil.rmtree(inner.folder / "app" / "submodules")
    (inner.folder / ".gitmodules").unlink()
    run(top, "git", "init", "--quiet")
    App(top).commit("A larger repository")
    return inner


def fresh(releases: Path, folder: Path, own: str, **answers: object) -> App:
    """A new app of release 2 with the same edits."""
    return make_theirs(copy(releases, folder / "my-app", "v2.0.0", **answers), own)


@pytest.fixture(scope="module")
def installed(hosts: DemoHosts, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """A PYTHONPATH with what `pip install -r requirements.txt` installs for a strategy, each made once."""
    folders: dict[str, Path] = {}

    def install(strategy: str) -> str:
        if strategy not in folders:
            folders[strategy] = tmp_path_factory.mktemp(f"installed-{strategy}")
            line = os.path.expandvars(hosts.git_line("acme-beams"))
            wanted = {"submodule": [], "git": [line], "index": hosts.index_lines("acme-beams")}[strategy]
            index = os.path.expandvars(hosts.index_answer())
            uv = (
                sys.executable,
                "-m",
                "uv",
                "pip",
                "install",
                "--quiet",
                "--no-deps",
                "--python",
                sys.executable,
            )
            run(
                ROOT,
                *uv,
                "--target",
                folders[strategy],
                "--extra-index-url",
                index,
                "acme-units==2.1.0",
                *wanted,
            )
        return str(folders[strategy])

    return install


# ---------------------------------------------------------------------------
# Changed answers: an update equals a fresh copy plus the user's edits
# ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "target"),
    [(a, b) for a in ("submodule", "git", "index") for b in ("submodule", "git", "index") if a != b],
)
def test_a_package_changes_its_strategy_and_the_app_is_as_if_it_had_always_been_so(
    releases: Path,
    theirs: Callable[..., App],
    installed: Callable[[str], str],
    answers_of: dict[str, dict[str, object]],
    tmp_path: Path,
    source: str,
    target: str,
):
    app = theirs(source, tmp_path / "updated")
    own_commit = app.gitlinks()[OWN]
    app.update(**answers_of[target])
    assert app.files() == theirs(target, tmp_path / "fresh", "v2.0.0").files()
    assert app.gitlinks()[OWN] == own_commit
    assert not list(app.folder.rglob("*.rej"))
    assert not [line for line in app.status() if line.startswith(("U", "AA", "DD", " m"))]
    run(app.folder, sys.executable, "-m", "unittest", PYTHONPATH=installed(target))
    app.commit("Update")
    assert app.status() == []


CHANGES: dict[str, Callable[[DemoHosts], dict[str, object]]] = {
    "a package is added, and another gets another address": lambda hosts: {
        "submodule_packages": hosts.git_line("acme-beams").replace("acme-beams.git", "acme-girders.git")
        + "\n"
        + hosts.git_line("acme-units")
    },
    "a package is renamed, with another ref": lambda hosts: {
        "submodule_packages": hosts.git_line("acme-beams", "v1.1.0").replace("acme-beams @", "acme-girders @")
    },
    "the platform changes, and the strategy becomes a mixture": lambda hosts: {
        "platform": "viktor",
        "ci": "gitlab",
        **hosts.answers("mixed"),
    },
    "no strategy is left": lambda hosts: {"strategies": []},
}


@pytest.mark.parametrize("change", CHANGES)
def test_an_update_equals_a_fresh_copy_with_the_new_answers_and_the_edits(
    releases: Path, theirs: Callable[..., App], hosts: DemoHosts, own: str, tmp_path: Path, change: str
):
    if not hosts.git.path_of("acme-girders").exists():
        shutil.copytree(hosts.git.path_of("acme-beams"), hosts.git.path_of("acme-girders"))
    app = theirs("submodule", tmp_path / "updated")
    answers = {"strategies": ["submodule"]} | CHANGES[change](hosts)
    app.update(**answers)
    assert app.files() == fresh(releases, tmp_path / "fresh", own, **answers).files()
    assert not list(app.folder.rglob("*.rej"))
    assert OWN in app.sections()


def test_every_recipe_of_the_document_is_followed_here():
    followed = re.findall(r'book\.follow\(\s*"(.*?)"', Path(__file__).read_text(encoding="utf-8"))
    assert {title for title, blocks in RECIPES.items() if blocks} == set(followed)


def test_an_app_by_the_book_is_committed_and_changes_its_strategy(book: Book, tmp_path: Path):
    book.follow("Start an app", tmp_path)
    app = App(tmp_path / "my-app")
    assert app.status() == []
    assert list(app.gitlinks()) == [BEAMS]
    assert app.gitlinks() == app.heads()
    book.follow("Change a package's strategy", app.folder)
    assert app.gitlinks() == {}
    assert "acme-beams==1.2.3" in app.read("requirements.txt").splitlines()


@pytest.mark.parametrize("version", RELEASED)
def test_an_app_of_every_release_is_updated_to_today(
    hosts: DemoHosts, own: str, tmp_path: Path, version: str
):
    """The template of that release where its tag is at hand, today's where it is not released yet."""
    template = tmp_path / "copier-private-packages"
    if run(ROOT, "git", "tag", "--list", version):
        template.mkdir()
        run(tmp_path, "git", "clone", "--quiet", ROOT, template)
        run(template, "git", "checkout", "--quiet", version)
    else:
        snapshot(template, version)
    frozen = (ROOT / "tests" / "released" / f"{version}.answers.yml").read_text(encoding="utf-8")
    frozen = frozen.replace(
        "https://x-access-token:${ACME_TOKEN}@git.acme.example",
        "http://x-access-token:${ACME_TOKEN}@" + hosts.git_url.partition("//")[2],
    )
    frozen = frozen.replace(
        "https://${ACME_USER}:${ACME_PASSWORD}@packages.acme.example/simple/", hosts.index_answer()
    )
    answers = {name: value for name, value in yaml.safe_load(frozen).items() if not name.startswith("_")}
    app = make_theirs(copy(template, tmp_path / "my-app", version, **answers), own)
    written = yaml.safe_load(app.read(".copier-answers.yml"))
    assert {name: value for name, value in written.items() if not name.startswith("_")} == answers
    for path in (ROOT / "template", ROOT / "hooks"):
        shutil.rmtree(template / path.name)
    snapshot(template, "v1000.0.0")
    before = app.files()
    app.update()
    assert app.read(".copier-answers.yml").count("_commit: v1000.0.0\n") == 1
    after = app.files()
    assert {name: after[name] for name in ("the gitlinks", "the block", ".copier-answers.yml")} == {
        name: before[name] for name in ("the gitlinks", "the block", ".copier-answers.yml")
    }
    assert not list(app.folder.rglob("*.rej"))
    assert set(written) - {"_commit", "_src_path"} <= set(questions())


# ---------------------------------------------------------------------------
# The hook: in the real destination only, once, after the merge
# ---------------------------------------------------------------------------


def test_an_update_that_changes_no_package_sends_no_request(
    theirs: Callable[..., App], book: Book, hosts: DemoHosts, tmp_path: Path
):
    app = theirs("submodule", tmp_path)
    before = app.gitlinks()
    book.follow("Get what is new in the template", app.folder)
    assert hosts.git.requests == []
    assert app.gitlinks() == before
    # What release 2 changes, and nothing else.
    changed = [".copier-answers.yml", ".env.example", ".gitmodules", "CHANGES.md", "requirements.txt"]
    assert sorted(line.split()[-1] for line in app.status()) == changed


def test_an_update_with_a_new_package_asks_for_that_one_once(
    theirs: Callable[..., App], book: Book, hosts: DemoHosts, tmp_path: Path
):
    """Copier renders three times; two of them are temporary copies, which Git's network commands never touch."""
    app = theirs("submodule", tmp_path)
    book.follow("Add, drop or move a package", app.folder)
    assert sorted(app.gitlinks()) == [UNITS, OWN]
    assert app.gitlinks()[UNITS] == app.heads()[UNITS] == app.git("-C", UNITS, "rev-parse", "v2.0.0^{commit}")
    assert {hosts.git.name_of(request.path) for request in hosts.git.requests} == {"acme-units"}
    assert [request.method for request in hosts.git.requests].count("GET") == 1


@pytest.mark.parametrize(
    ("stage", "operation"),
    [("task", "update"), ("before", "update"), ("after", "copy"), ("", ""), ("task", "recopy")],
)
def test_at_any_other_stage_the_hook_does_nothing(
    theirs: Callable[..., App], tmp_path: Path, stage: str, operation: str
):
    app = theirs("submodule", tmp_path)
    app.git("rm", "--quiet", "--cached", BEAMS)
    app.sync(STAGE=stage, COPIER_OPERATION=operation)
    assert BEAMS not in app.gitlinks()


@pytest.mark.parametrize("cloned", [False, True])
def test_a_sync_with_nothing_to_do_needs_at_most_five_git_processes_whatever_the_size(
    theirs: Callable[..., App], hosts: DemoHosts, tmp_path: Path, cloned: bool
):
    """In the clone that made the app, and in one that remembers nothing; in a folder of a larger repository."""
    app = copy_into_monorepo(theirs("submodule", tmp_path), tmp_path / "mono")
    lines = [hosts.git_line("acme-units").replace("acme-units @", f"acme-units-{n} @") for n in range(12)]
    app.write(
        ".copier-answers.yml",
        yaml.safe_dump({"strategies": ["submodule"], "submodule_packages": "\n".join(lines)}),
    )
    app.sync()
    app.commit()
    if cloned:
        (Path(app.git("rev-parse", "--absolute-git-dir")) / "private-packages.json").unlink()
    hosts.git.clear()
    traces = tmp_path / "traces"
    traces.mkdir()
    assert app.sync(GIT_TRACE2_EVENT=str(traces)) == ""
    assert len(list(traces.iterdir())) <= 5
    assert hosts.git.requests == []


# ---------------------------------------------------------------------------
# Nothing of the user's is lost
# ---------------------------------------------------------------------------


def test_a_pin_moved_by_hand_stays_as_long_as_its_answer_stays(
    theirs: Callable[..., App], book: Book, hosts: DemoHosts, tmp_path: Path
):
    """Also where a robot has written `branch =`; when the answer changes, the answer counts."""
    app = theirs("submodule", tmp_path)
    book.follow("Move a pin by hand", app.folder)
    pin = app.gitlinks()[BEAMS]
    app.git("config", "--file", ".gitmodules", f"submodule.{BEAMS}.branch", "v1.0.0")
    app.commit("A robot's")
    hosts.git.clear()
    app.update()
    assert hosts.git.requests == []
    assert app.gitlinks()[BEAMS] == app.heads()[BEAMS] == pin
    assert "branch = v1.0.0" in app.read(".gitmodules")
    answer(app, hosts.git_line("acme-beams", "v1.1.0"))
    app.sync()
    assert app.gitlinks()[BEAMS] == app.heads()[BEAMS] == app.git("-C", BEAMS, "rev-parse", "v1.1.0^{commit}")


def test_a_pin_moved_by_hand_stays_in_a_new_clone_that_remembers_nothing(
    theirs: Callable[..., App], hosts: DemoHosts, tmp_path: Path
):
    app = theirs("submodule", tmp_path)
    app.git("-C", BEAMS, "checkout", "--quiet", "v1.0.0")
    app.git("config", "--file", ".gitmodules", f"submodule.{BEAMS}.branch", "v1.0.0")
    app.commit("Move the pin")
    run(
        tmp_path,
        "git",
        "clone",
        "--quiet",
        "--recurse-submodules",
        app.folder,
        tmp_path / "clone",
        **login(hosts),
    )
    clone = App(tmp_path / "clone")
    hosts.git.clear()
    assert clone.sync() == ""
    assert hosts.git.requests == []
    assert clone.gitlinks()[BEAMS] == clone.heads()[BEAMS] == app.gitlinks()[BEAMS]


def answer(app: App, *lines: str) -> None:
    """Change the answer `submodule_packages` in the answers file, as an update does, without an update."""
    answers = yaml.safe_load(app.read(".copier-answers.yml")) | {"submodule_packages": "\n".join(lines)}
    app.write(".copier-answers.yml", yaml.safe_dump(answers))


def test_a_pin_that_a_colleague_moved_after_an_update_stays_when_it_is_pulled(
    theirs: Callable[..., App], hosts: DemoHosts, tmp_path: Path
):
    """This clone remembers the ref before the colleague's update."""
    app = theirs("submodule", tmp_path)
    colleague = app.copy_to(tmp_path / "colleague")
    answer(colleague, hosts.git_line("acme-beams", "v1.1.0"))
    colleague.sync()
    colleague.commit("Update")
    colleague.git("-C", BEAMS, "checkout", "--quiet", "v1.0.0")
    colleague.commit("Move the pin")
    app.git("pull", "--quiet", str(colleague.folder))
    app.git("submodule", "--quiet", "update", BEAMS)
    hosts.git.clear()
    assert app.sync() == ""
    assert hosts.git.requests == []
    assert app.gitlinks()[BEAMS] == app.heads()[BEAMS] == colleague.gitlinks()[BEAMS]


def test_an_update_that_was_discarded_can_be_repeated(
    theirs: Callable[..., App], hosts: DemoHosts, tmp_path: Path
):
    app = theirs("submodule", tmp_path)
    line = hosts.git_line("acme-beams", "v1.1.0")
    answer(app, line)
    app.sync()
    moved = app.gitlinks()[BEAMS]
    app.git("reset", "--quiet", "--hard")
    app.git("submodule", "--quiet", "update", BEAMS)
    assert app.status() == []
    answer(app, line)
    app.sync()
    assert app.gitlinks()[BEAMS] == app.heads()[BEAMS] == moved


def test_an_update_that_could_not_fetch_is_made_good_by_the_next(
    theirs: Callable[..., App], hosts: DemoHosts, tmp_path: Path
):
    """Also when the new answers were committed meanwhile, beside the old gitlink."""
    app = theirs("submodule", tmp_path)
    old = app.gitlinks()[BEAMS]
    hosts.git.faults_of["acme-beams"] = Faults(status=503)
    answer(app, hosts.git_line("acme-beams", "v1.1.0"))
    assert "acme-beams" in app.sync()
    assert app.gitlinks()[BEAMS] == old
    app.commit("Update")
    hosts.git.faults_of.clear()
    app.sync()
    assert app.gitlinks()[BEAMS] == app.heads()[BEAMS] == app.git("-C", BEAMS, "rev-parse", "v1.1.0^{commit}")


@pytest.mark.parametrize("work", ["uncommitted", "unpushed", "unpushed with a tag"])
def test_work_in_a_dropped_submodule_is_kept_and_reported_and_goes_once_it_is_safe(
    theirs: Callable[..., App], book: Book, hosts: DemoHosts, tmp_path: Path, work: str
):
    app = theirs("submodule", tmp_path)
    app.write(f"{BEAMS}/theirs.py", "VALUE = 1\n")
    if work != "uncommitted":
        app.git("-C", BEAMS, "add", "theirs.py")
        app.git("-C", BEAMS, "commit", "--quiet", "-m", "Theirs")
        app.commit("Pin it")
    if work == "unpushed with a tag":
        app.git("-C", BEAMS, "tag", "theirs")
    pin = app.gitlinks()[BEAMS]
    said = app.update(submodule_packages="")
    assert f"{BEAMS} holds" in said
    assert "so it is kept; push or discard" in said
    app.commit("Update")
    assert app.gitlinks()[BEAMS] == pin
    assert BEAMS in app.sections()
    assert app.read(f"{BEAMS}/theirs.py") == "VALUE = 1\n"
    if work != "uncommitted":
        book.follow("Rescue work from a submodule that was dropped", app.folder)
        run_git("-C", hosts.git.path_of("acme-beams"), "branch", "--delete", "--force", "rescued")
    else:
        (app.folder / BEAMS / "theirs.py").unlink()
    app.sync()
    assert list(app.gitlinks()) == app.sections() == [OWN]
    assert not (app.folder / BEAMS).exists()
    assert not (app.folder / ".git" / "modules" / BEAMS).exists()
    assert BEAMS not in app.git("config", "--local", "--list")
    hosts.git.clear()
    assert app.sync() == ""


def test_files_that_took_the_place_of_a_dropped_submodule_are_kept(
    theirs: Callable[..., App], tmp_path: Path
):
    app = theirs("submodule", tmp_path)
    shutil.rmtree(app.folder / BEAMS)
    app.write(f"{BEAMS}/theirs.py", "VALUE = 1\n")
    answer(app)
    assert "files that are no submodule" in app.sync()
    assert app.read(f"{BEAMS}/theirs.py") == "VALUE = 1\n"


def test_a_recopy_keeps_the_pin_and_the_submodules_of_the_user(
    theirs: Callable[..., App], book: Book, hosts: DemoHosts, own: str, tmp_path: Path
):
    app = theirs("submodule", tmp_path)
    app.git("submodule", "--quiet", "add", own, "vendor/their-own")
    app.git("-C", BEAMS, "checkout", "--quiet", "v1.0.0")
    app.commit("Move the pin")
    before = app.gitlinks()
    hosts.git.clear()
    book.follow("Start over from the template", app.folder)
    assert app.gitlinks() == app.heads() == before
    assert sorted(app.sections()) == [BEAMS, OWN, "vendor/their-own"]
    assert hosts.git.requests == []
    assert app.git("submodule", "status").count("\n") == 2


def test_a_block_with_one_end_left_is_reported_and_no_line_is_lost(
    theirs: Callable[..., App], tmp_path: Path
):
    app = theirs("submodule", tmp_path)
    text = (
        "\n".join(line for line in app.read("requirements.txt").splitlines() if not line.startswith("# <<<"))
        + "\n"
    )
    app.write("requirements.txt", text)
    assert "only one end of the block" in app.sync()
    assert app.read("requirements.txt") == text


def test_a_submodule_that_the_user_takes_for_their_own_is_kept(
    theirs: Callable[..., App], book: Book, tmp_path: Path
):
    app = theirs("submodule", tmp_path)
    before = app.gitlinks()
    book.follow("Keep a submodule of the template's as your own", app.folder)
    assert app.sync() == ""
    app.update(strategies="[]")
    assert "UU .gitmodules" in app.status()
    marked = app.read(".gitmodules")
    app.write(".gitmodules", re.sub(r"(?s)<<<<<<< [^\n]*\n(.*?)=======.*?>>>>>>> [^\n]*\n", r"\1", marked))
    app.commit("Update")
    app.sync()
    assert app.gitlinks() == app.heads() == before
    assert app.sections() == [BEAMS, OWN]


# ---------------------------------------------------------------------------
# Places
# ---------------------------------------------------------------------------


def test_an_app_in_a_folder_of_a_larger_repository_writes_to_the_top_gitmodules(
    book: Book, answers_of: dict[str, dict[str, object]], hosts: DemoHosts, own: str, tmp_path: Path
):
    """What others wrote there, comments included, stays; every path has the folder's name in front."""
    top = App(tmp_path / "Größe eins")
    top.folder.mkdir()
    top.git("init", "--quiet")
    top.git("submodule", "--quiet", "add", own, "vendor/their-own")
    top.commit("A larger repository")
    (top.folder / "answers.yml").write_text(yaml.safe_dump(answers_of["submodule"]))
    book.follow("Start an app in a folder of a larger repository", top.folder)
    app = App(top.folder / "apps" / "one")
    assert sorted(top.sections()) == [f"apps/one/{BEAMS}", "vendor/their-own"]
    assert top.gitlinks() == top.heads()
    top.append(".gitmodules", "# What stands here is somebody else's.\n")
    top.commit("Start")
    app.update(submodule_packages=hosts.git_line("acme-units"))
    assert sorted(top.sections()) == [f"apps/one/{UNITS}", "vendor/their-own"]
    assert sorted(top.gitlinks()) == [f"apps/one/{UNITS}", "vendor/their-own"]
    assert "# What stands here is somebody else's.\n" in top.read(".gitmodules")
    assert not (app.folder / BEAMS).exists()
    assert not (app.folder / ".git").exists()
    # The ref goes from the section with the answer.
    answer(app, hosts.git_line("acme-units").rpartition("@")[0])
    app.sync()
    assert "branch" not in top.read(".gitmodules")


def test_files_and_history_that_were_there_before_the_app_stay(
    releases: Path, hosts: DemoHosts, tmp_path: Path
):
    there = App(tmp_path / "my-app")
    there.write("notes.txt", "Mine.\n")
    there.git("init", "--quiet")
    there.commit("History")
    head = there.git("rev-parse", "HEAD")
    app = copy(
        releases, there.folder, strategies=["submodule"], submodule_packages=hosts.git_line("acme-beams")
    )
    assert app.read("notes.txt") == "Mine.\n"
    assert app.git("rev-parse", "HEAD") == head
    assert app.gitlinks() == app.heads()
    assert "A  app/submodules/acme-beams" in app.status()


def test_an_app_works_and_is_updated_in_a_worktree(
    theirs: Callable[..., App], hosts: DemoHosts, tmp_path: Path
):
    app = theirs("submodule", tmp_path)
    before = app.git("rev-parse", "HEAD"), app.gitlinks(), app.heads()
    app.git("worktree", "add", "--quiet", "-b", "side", str(tmp_path / "side"))
    side = App(tmp_path / "side")
    side.update(submodule_packages="\n".join(hosts.submodule_lines("acme-beams", "acme-units")))
    side.git("submodule", "--quiet", "update", "--init", OWN)
    assert side.gitlinks() == side.heads()
    assert sorted(side.gitlinks()) == [BEAMS, UNITS, OWN]
    assert (app.git("rev-parse", "HEAD"), app.gitlinks(), app.heads()) == before


def test_the_app_still_works_after_its_folder_was_moved(theirs: Callable[..., App], tmp_path: Path):
    app = theirs("submodule", tmp_path)
    moved = App(app.folder.rename(tmp_path / "moved"))
    assert moved.gitlinks() == moved.heads()
    assert moved.sync() == ""
    assert moved.status() == []


def test_files_in_a_packages_place_are_reported_and_once_moved_away_the_package_comes(
    theirs: Callable[..., App], hosts: DemoHosts, tmp_path: Path
):
    app = theirs("submodule", tmp_path)
    app.write(f"{UNITS}/theirs.py", "VALUE = 1\n")
    app.commit("Files, tracked")
    answer(app, *hosts.submodule_lines("acme-beams", "acme-units"))
    assert f"{UNITS} holds files that are no submodule; move them away" in app.sync()
    assert app.read(f"{UNITS}/theirs.py") == "VALUE = 1\n"
    shutil.move(app.folder / UNITS, tmp_path / "away")
    app.sync()
    assert sorted(app.gitlinks()) == [BEAMS, UNITS, OWN]
    assert app.gitlinks() == app.heads()


# ---------------------------------------------------------------------------
# Copier's options
# ---------------------------------------------------------------------------


def test_without_trust_the_app_is_complete_and_is_finished_by_hand_or_by_an_update(
    book: Book, answers_of: dict[str, dict[str, object]], hosts: DemoHosts, tmp_path: Path
):
    (tmp_path / "answers.yml").write_text(yaml.safe_dump(answers_of["submodule"]))
    book.follow("Start without trust", tmp_path)
    app = App(tmp_path / "my-app")
    assert hosts.git.requests == []
    assert app.gitlinks() == {}
    by_hand = app.copy_to(tmp_path / "by-hand")
    book.follow("Start without trust", by_hand.folder, block=1)
    app.commit("Start")
    book.follow("Finish what could not be fetched", app.folder)
    assert list(app.gitlinks()) == [BEAMS]
    assert app.gitlinks() == app.heads() == by_hand.gitlinks() == by_hand.heads()
    assert by_hand.sections() == [BEAMS]
    hosts.git.clear()
    by_hand.sync()
    assert hosts.git.requests == []
    assert by_hand.gitlinks() == app.gitlinks()


def test_an_update_without_tasks_leaves_git_alone_and_the_next_sync_catches_up(
    theirs: Callable[..., App], hosts: DemoHosts, tmp_path: Path
):
    app = theirs("submodule", tmp_path)
    before = app.gitlinks()
    app.update("--skip-tasks", submodule_packages=hosts.git_line("acme-units"))
    assert hosts.git.requests == []
    assert app.gitlinks() == before
    app.commit("Update")
    app.sync()
    assert sorted(app.gitlinks()) == [UNITS, OWN]
    assert app.gitlinks() == app.heads()


def test_pretending_and_a_trial_change_nothing(
    theirs: Callable[..., App], book: Book, releases: Path, hosts: DemoHosts, tmp_path: Path
):
    done = copier("copy", "--pretend", "--trust", "--defaults", releases, tmp_path / "new", cwd=tmp_path)
    assert done.returncode == 0
    assert "requirements.txt" in done.stderr
    assert not (tmp_path / "new").exists()
    app = theirs("submodule", tmp_path)
    app.update("--pretend", submodule_packages="")
    assert hosts.git.requests == []
    before = app.git("rev-parse", "HEAD"), app.gitlinks(), app.heads(), app.git("branch", "--list")
    book.follow("See what an update would do", app.folder)
    assert (app.git("rev-parse", "HEAD"), app.gitlinks(), app.heads(), app.git("branch", "--list")) == before
    assert app.status() == []
    assert not (tmp_path / "trial").exists()


def test_a_quiet_update_that_skips_answered_questions_says_and_asks_nothing(
    theirs: Callable[..., App], hosts: DemoHosts, tmp_path: Path
):
    app = theirs("submodule", tmp_path)
    assert copier("check-update", "--quiet", cwd=app.folder).returncode == 2
    line = data({"submodule_packages": hosts.git_line("acme-beams", "v1.1.0")})
    options = ("--trust", "--quiet", "--skip-answered", "--vcs-ref", "v2.0.0", *line)
    done = copier("update", *options, cwd=app.folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert app.gitlinks()[BEAMS] == app.git("-C", BEAMS, "rev-parse", "v1.1.0^{commit}")
    app.commit("Update")
    assert copier("check-update", "--quiet", cwd=app.folder).returncode == 0


# ---------------------------------------------------------------------------
# Adopting and conflicts
# ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", [BEAMS, "beams"])
def test_a_submodule_that_is_there_already_is_taken_over(
    book: Book, hosts: DemoHosts, own: str, tmp_path: Path, name: str
):
    """Whatever its section is called; the user's other submodules stay."""
    there = App(tmp_path / "my-app")
    there.folder.mkdir()
    there.git("init", "--quiet")
    url = hosts.git.url_of("acme-beams")
    run(there.folder, "git", "submodule", "--quiet", "add", "--name", name, url, BEAMS, **login(hosts))
    book.follow("Add a submodule of your own", there.folder)
    there.commit("History")
    answers = {"strategies": ["submodule"], "submodule_packages": hosts.git_line("acme-beams", "v1.1.0")}
    (tmp_path / "answers.yml").write_text(yaml.safe_dump(answers))
    book.follow("Take over what is there already", there.folder)
    app = there
    assert app.sections() == [BEAMS, OWN]
    assert app.gitlinks() == app.heads()
    assert app.gitlinks()[BEAMS] == app.git("-C", BEAMS, "rev-parse", "v1.1.0^{commit}")
    assert app.git("submodule", "status").count("\n") == 1
    assert not (app.folder / ".git" / "modules" / "beams").exists()
    assert app.sync() == ""
    # From now on the template's: it goes with its answer.
    answer(app)
    app.sync()
    assert app.sections() == [OWN]


def test_a_submodule_of_the_users_that_an_update_names_is_taken_over(
    theirs: Callable[..., App], own: str, tmp_path: Path
):
    """The merge leaves their section beside the rendered one; one stays."""
    app = theirs("index", tmp_path)
    before = app.gitlinks()
    app.update(strategies=["submodule", "index"], submodule_packages=f"their-own @ git+{own}")
    assert app.sections() == [OWN]
    assert app.read(".gitmodules").count("url = ") == 1
    assert app.gitlinks() == app.heads() == before
    app.commit("Update")
    assert app.sync() == ""
    answer(app)
    app.sync()
    assert app.gitlinks() == {}
    assert app.sections() == []


@pytest.mark.parametrize("name", ["one/" + BEAMS, "beams"])
def test_in_a_larger_repository_a_submodule_is_taken_over_in_the_top_gitmodules(
    theirs: Callable[..., App], hosts: DemoHosts, tmp_path: Path, name: str
):
    app = copy_into_monorepo(theirs("submodule", tmp_path), tmp_path / "mono")
    top = App(tmp_path / "mono")
    url, path = hosts.git.url_of("acme-beams"), f"apps/one/{BEAMS}"
    run(
        top.folder,
        "git",
        "submodule",
        "--quiet",
        "add",
        "--name",
        name,
        "-b",
        "main",
        url,
        path,
        **login(hosts),
    )
    top.commit("History")
    before = top.gitlinks()
    answer(app, hosts.git_line("acme-beams", "main"))
    app.sync()
    assert top.sections() == [path]
    assert top.gitlinks() == top.heads() == before
    assert app.sync() == ""
    answer(app)
    app.sync()
    assert top.sections() == []


@pytest.mark.parametrize("conflict", ["inline", "rej"])
def test_a_conflict_in_gitmodules_stops_the_hook_until_it_is_resolved(
    theirs: Callable[..., App], book: Book, hosts: DemoHosts, tmp_path: Path, conflict: str
):
    app = theirs("submodule", tmp_path)
    app.git("config", "--file", ".gitmodules", f"submodule.{BEAMS}.branch", "develop")
    app.commit("Follow develop")
    before = app.gitlinks()
    said = app.update("--conflict", conflict, strategies="[]")
    assert (
        ".gitmodules has a merge conflict, so nothing was changed. Resolve it, `git add .gitmodules`" in said
    )
    assert ("remove .gitmodules.rej" in said) == (conflict == "rej")
    assert app.gitlinks() == before
    assert hosts.git.requests == []
    text = app.read(".gitmodules")
    if conflict == "inline":
        text = re.sub(r"(?s)<<<<<<< .*?=======\n(.*?)>>>>>>> [^\n]*\n", r"\1", text)
    else:
        (app.folder / ".gitmodules.rej").unlink()
    app.write(".gitmodules", text)
    if OWN not in app.sections():
        app.git("config", "--file", ".gitmodules", f"submodule.{OWN}.path", OWN)
        app.git("config", "--file", ".gitmodules", f"submodule.{OWN}.url", hosts.git.url_of("their-own"))
    assert app.sections() == [OWN]
    book.follow("Resolve a conflict in .gitmodules", app.folder)
    assert list(app.gitlinks()) == app.sections() == [OWN]
    assert not (app.folder / BEAMS).exists()


# ---------------------------------------------------------------------------
# Killed runs
# ---------------------------------------------------------------------------


def test_a_run_that_was_killed_while_it_fetched_is_healed_by_the_next(
    theirs: Callable[..., App], hosts: DemoHosts, tmp_path: Path
):
    app = theirs("submodule", tmp_path)
    answer(app, *hosts.submodule_lines("acme-beams", "acme-units", "acme-loads"))
    hosts.git.faults_of["acme-units"] = Faults(stall_after=64)
    hook = subprocess.Popen(
        HOOK,
        cwd=app.folder,
        env={**os.environ, "PRIVATE_PACKAGES_TIMEOUT": "1"},
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 20
    while not hosts.git.requests_of("acme-units") or not (app.folder / LOADS / ".git").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    hook.kill()
    hook.wait()
    hosts.git.faults_of.clear()
    app.sync()
    assert sorted(app.gitlinks()) == [BEAMS, LOADS, UNITS, OWN]
    assert app.gitlinks() == app.heads()
    assert not (app.folder / ".git" / "private-packages.tmp").exists()
    assert app.sync() == ""


def _no_index(app: App) -> None:
    (app.folder / ".git" / "modules" / BEAMS / "index").unlink()


def _no_gitlink(app: App) -> None:
    app.git("rm", "--quiet", "--cached", BEAMS)


def _no_index_and_no_gitlink(app: App) -> None:
    _no_index(app)
    _no_gitlink(app)


def _no_folder(app: App) -> None:
    shutil.rmtree(app.folder / BEAMS)


def test_files_whose_repository_is_gone_are_reported_and_kept(theirs: Callable[..., App], tmp_path: Path):
    app = theirs("submodule", tmp_path)
    shutil.rmtree(app.folder / ".git" / "modules" / BEAMS)
    app.write(f"{BEAMS}/theirs.py", "VALUE = 1\n")
    assert f"{BEAMS} holds files that are no submodule" in app.sync()
    answer(app)
    assert f"{BEAMS} holds files that are no submodule" in app.sync()
    assert app.read(f"{BEAMS}/theirs.py") == "VALUE = 1\n"


def test_commits_are_not_lost_with_a_dropped_submodule_whose_folder_is_gone(
    theirs: Callable[..., App], tmp_path: Path
):
    app = theirs("submodule", tmp_path)
    app.git("-C", BEAMS, "commit", "--quiet", "--allow-empty", "-m", "Theirs")
    commit_of_theirs = app.heads()[BEAMS]
    shutil.rmtree(app.folder / BEAMS)
    answer(app)
    assert "commits that are on no server" in app.sync()
    assert app.git(
        "--git-dir", f".git/modules/{BEAMS}", "--work-tree=.", "log", "-1", "--format=%H", commit_of_theirs
    )


def _half_a_module(app: App) -> None:
    _no_index(app)
    shutil.rmtree(app.folder / ".git" / "modules" / BEAMS / "objects")


def _scratch(app: App) -> None:
    _no_gitlink(app)
    (app.folder / ".git" / "private-packages.tmp" / "1" / BEAMS / ".git").mkdir(parents=True)


def _damaged_memory(app: App) -> None:
    app.write(".git/private-packages.json", '{"app')
    _no_folder(app)


BROKEN = (
    _no_index,
    _no_gitlink,
    _no_index_and_no_gitlink,
    _no_folder,
    _half_a_module,
    _scratch,
    _damaged_memory,
)


@pytest.mark.parametrize("broken", BROKEN, ids=lambda one: one.__name__.strip("_"))
def test_what_a_killed_run_left_is_healed(
    theirs: Callable[..., App], tmp_path: Path, broken: Callable[[App], None]
):
    app = theirs("submodule", tmp_path)
    before = app.files()
    broken(app)
    said = app.sync()
    assert app.files() == before, said
    assert app.status() == []
    assert app.sync() == ""


@pytest.mark.parametrize("broken", [*BROKEN[:1], *BROKEN[3:5]], ids=lambda one: one.__name__.strip("_"))
def test_what_a_killed_run_left_can_be_dropped(
    theirs: Callable[..., App], tmp_path: Path, broken: Callable[[App], None]
):
    app = theirs("submodule", tmp_path)
    broken(app)
    answer(app)
    said = app.sync()
    assert list(app.gitlinks()) == app.sections() == [OWN], said
    assert not (app.folder / BEAMS).exists()
