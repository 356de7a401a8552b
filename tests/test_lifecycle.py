"""The app's whole life: copy, update, recopy, changed wishes, and the user's own work kept through all of it."""

from __future__ import annotations

import base64
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from apps import HOOK, RENDERED, ROOT, change_wanted, copier, data, pack, questions, release, snapshot
from private_packages import lock as locking
from private_packages.blocks import read_block, with_block
from uv import find_uv_bin

from demo.git import run_git
from demo.hosts import DemoHosts
from demo.http_host import Faults
from demo.samples import commit, make_repository

BEAMS, LOADS, UNITS = (f"app/submodules/acme-{name}" for name in ("beams", "loads", "units"))
OWN = "app/submodules/their-own"
COMMAND = (sys.executable, "-m", "private_packages")
AGREES = "Everything agrees with private-packages.toml.\n"
RELEASED = sorted(
    path.name.removesuffix(".answers.yml") for path in (ROOT / "tests" / "released").glob("*.answers.yml")
)
# The user's from the first copy on; in some of them a block between marks is the command's.
ONCE = yaml.safe_load((ROOT / "copier.yml").read_text(encoding="utf-8"))["_skip_if_exists"]
SHARED = ("requirements.txt", ".gitignore", ".env.example", ".viktorignore")


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
    title: re.findall(r"(?ms)^```(yaml|sh)\n(.*?)^```", text)
    for title, text in re.findall(
        r"(?ms)^## (.*?)\n(.*?)(?=^## |\Z)", (ROOT / "docs" / "lifecycle.md").read_text(encoding="utf-8")
    )
}


@dataclass(frozen=True)
class Book:
    """docs/lifecycle.md, with the demo's hosts in place of the company's and the tests' template in place of the real one."""

    hosts: DemoHosts
    template: Path

    def follow(self, title: str, folder: Path, block: int = 0, **environment: str) -> None:
        """Write a recipe's files and run its commands as they stand in the document, one by one and without a shell."""
        for text in [text for kind, text in RECIPES[title] if kind == "yaml"]:
            name = text.partition("\n")[0].removeprefix("# ")
            (folder / name).write_text(self.here(text), encoding="utf-8")
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        for line in [text for kind, text in RECIPES[title] if kind == "sh"][block].splitlines():
            words = shlex.split(self.here(line))
            if words[0] == "cd":
                folder = Path(os.path.normpath(folder / words[1]))
            else:
                run(folder, *words, PATH=path, **environment)

    def here(self, text: str) -> str:
        """A text of the document, with the hosts and the template of this machine."""
        host = self.hosts.git_url.partition("//")[2]
        for written, real in {
            "https://x-access-token:${ACME_TOKEN}@git.acme.example": f"http://x-access-token:${{ACME_TOKEN}}@{host}",
            "https://git.acme.example": self.hosts.git_url,
            "https://${ACME_USER}:${ACME_PASSWORD}@packages.acme.example/simple/": self.hosts.index_answer(),
            "gh:OWNER/copier-private-packages": f"'{self.template}'",
        }.items():
            text = text.replace(written, real)
        return text


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

    def sync(self, *, fails: bool = False) -> str:
        """Run the app's own `sync`; what it wrote."""
        return self.command("sync", fails=fails)

    def command(self, *words: str, fails: bool = False) -> str:
        """Run the app's own command, with the virtual environment `.venv` where it has one."""
        kept = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
        done = subprocess.run(
            [*COMMAND, *words], cwd=self.folder, env=kept, capture_output=True, text=True, check=False
        )
        assert done.returncode == int(fails), done.stderr
        return done.stderr

    def findings(self, package: str = "acme-beams") -> dict[str, str | None]:
        """What `status` finds about a package: kind, and the command that mends it."""
        done = subprocess.run(
            [*COMMAND, "status", "--json"], cwd=self.folder, capture_output=True, text=True, check=False
        )
        problems = json.loads(done.stdout)["problems"]
        return {one["kind"]: one["command"] for one in problems if (one["package"] or "") == package}

    def read(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8")

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def append(self, name: str, text: str) -> None:
        self.write(name, self.read(name) + text)

    def want(self, *lines: str) -> None:
        """Let private-packages.toml name these submodules, as an update does, without an update."""
        head = self.read("private-packages.toml").partition("[[packages]]")[0].rstrip()
        tables = []
        for line in lines:
            name, scheme, user_info, address, ref = re.fullmatch(
                r"(\S+) @ git\+(\w+://)(?:([^@/]*)@)?([^@]+)(?:@([^@]+))?", line
            ).groups(default="")
            pairs = {"name": name, "strategy": "submodule", "requirement": line, "url": scheme + address}
            pairs |= {"user-info": user_info, "ref": ref}
            tables.append("[[packages]]\n" + "".join(f"{key} = {json.dumps(pairs[key])}\n" for key in pairs))
        self.write("private-packages.toml", "\n\n".join([head, *tables]) + "\n")

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

    def at(self, ref: str, path: str = BEAMS) -> str:
        """The commit of a submodule's ref."""
        return self.git("-C", path, "rev-parse", f"{ref}^{{commit}}")

    def locked(self) -> dict[str, str]:
        """The commit of each submodule in the lock, by path."""
        entries = locking.load(self.folder).values()
        return {f"app/submodules/{one.name}": one.commit for one in entries if one.strategy == "submodule"}

    def sections(self) -> list[str]:
        """The names of the sections of .gitmodules, which goes with its last one."""
        if not (self.folder / ".gitmodules").exists():
            return []
        return re.findall(r'(?m)^\[submodule "(.*)"\]$', self.read(".gitmodules"))

    def changes(self) -> list[str]:
        return self.git("status", "--short").splitlines()

    def owned(self) -> dict[str, object]:
        """What is the template's and the command's: files, blocks, and what Git knows of submodules; no `_commit`."""
        names = self.git("ls-files", "--cached", "--others", "--exclude-standard").splitlines()
        files = {
            name: self.read(name) for name in names if (self.folder / name).is_file() and name not in ONCE
        }
        answers = yaml.safe_load(self.read(".copier-answers.yml"))
        return {
            **files,
            ".copier-answers.yml": {name: value for name, value in answers.items() if name != "_commit"},
            "the blocks": {
                name: read_block(self.read(name)) for name in SHARED if (self.folder / name).is_file()
            },
            "the sections": sorted(self.git("config", "--file", ".gitmodules", "--list").splitlines()),
            "the gitlinks": self.gitlinks(),
            "what is checked out": self.heads(),
        }

    def kept(self) -> dict[str, str]:
        """What is the user's in the files that were rendered once: all but the blocks."""
        names = [name for name in ONCE if name != ".gitmodules" and (self.folder / name).is_file()]
        found = {name: with_block(self.read(name), []) for name in names}
        return {name: text for name, text in found.items() if text}

    def copy_to(self, folder: Path) -> App:
        """The same app elsewhere, with its repository: everything in it is relative."""
        return App(Path(shutil.copytree(self.folder, folder, symlinks=True)))

    def clone_to(self, folder: Path) -> App:
        """What a colleague gets, filled by the command."""
        run(folder.parent, "git", "clone", "--quiet", self.folder, folder)
        clone = App(folder)
        clone.sync()
        return clone


@pytest.fixture(scope="module")
def releases(isolated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template as it stands, as release 1, and a release 2 that changes files of both kinds, and adds one."""
    folder = snapshot(tmp_path_factory.mktemp("releases") / "copier-private-packages", "v1.0.0")
    template = folder / RENDERED
    for name in (
        "README.md.jinja",
        "requirements.txt.jinja",
        ".gitmodules.jinja",
        ".env.example.jinja",
        "app/versions.py",
        "docs/private-packages.md.jinja",
    ):
        path = template / name
        path.write_text("# Release 2 says more.\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    (template / "CHANGES.md").write_text("Release 2.\n", encoding="utf-8")
    release(folder, "v2.0.0")
    pack(folder)
    return folder


@pytest.fixture(scope="module")
def own(hosts: DemoHosts) -> str:
    """The address of a public repository that the user adds as a submodule of their own."""
    repository = make_repository(hosts.git.path_of("their-own").parent, "their-own", {"their_own.py": ""})
    commit(repository, {"their_own.py": "VERSION = 1\n"})
    hosts.git.tokens["their-own"] = None
    return hosts.git.url_of("their-own")


@pytest.fixture(scope="module", autouse=True)
def credentials(hosts: DemoHosts) -> Iterator[None]:
    """The variables of the package lines, set for the whole module."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in hosts.variables.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(autouse=True)
def fresh_log(hosts: DemoHosts) -> Iterator[None]:
    """Each test reads only its own requests, and leaves the hosts without faults."""
    hosts.git.clear()
    yield
    hosts.git.faults_of.clear()


@pytest.fixture(scope="module")
def answers_of(hosts: DemoHosts) -> dict[str, dict[str, object]]:
    """One package, acme-beams, by each strategy; and all three packages by each."""
    return {
        "submodule": {"strategies": ["submodule"], "submodule_packages": hosts.git_line("acme-beams")},
        "index": {
            "strategies": ["index"],
            "index_packages": hosts.index_lines("acme-beams")[0],
            "index_url": hosts.index_answer(),
        },
        **{f"all {strategy}": hosts.answers(strategy) for strategy in ("submodule", "git", "index")},
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
    app.write("requirements.txt", f"rich==14.2.0\n{app.read('requirements.txt')}packaging==25.0\n")
    app.append("app/__init__.py", "\nTHEIRS = True\n")
    app.append(".gitignore", "/theirs/\n")
    app.append(".env.example", "DATABASE_URL=\n")
    app.append("tests/test_app.py", "\n# theirs\n")
    app.write("app/theirs.py", "VALUE = 1\n")
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
    """An app of release 1 with packages by a strategy, lived in and committed; each is made once and copied."""
    made: dict[tuple[str, str], App] = {}
    folder = tmp_path_factory.mktemp("Größe 1 mit Leerzeichen")

    def make(strategy: str, to: Path, ref: str = "v1.0.0") -> App:
        if (strategy, ref) not in made:
            made[strategy, ref] = make_theirs(
                copy(releases, folder / strategy / ref / "my-app", ref, **answers_of[strategy]),
                own,
            )
        hosts.git.clear()
        return made[strategy, ref].copy_to(to / "Mein Träger 1" / "my-app")

    return make


def copy_into_monorepo(app: App, top: Path) -> App:
    """The app's files as the folder `apps/one` of a larger repository that has a history."""
    inner = app.copy_to(top / "apps" / "one")
    shutil.rmtree(inner.folder / ".git")
    shutil.rmtree(inner.folder / "app" / "submodules")
    for name in (".gitmodules", locking.FILE):
        (inner.folder / name).unlink()
    run(top, "git", "init", "--quiet")
    App(top).commit("A larger repository")
    return inner


def fresh(releases: Path, folder: Path, own: str, **answers: object) -> App:
    """A new app of release 2 with the same edits."""
    return make_theirs(copy(releases, folder / "my-app", "v2.0.0", **answers), own)


# ---------------------------------------------------------------------------
# Changed answers: an update equals a fresh copy plus the user's edits
# ---------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "target"),
    [(a, b) for a in ("submodule", "git", "index") for b in ("submodule", "git", "index") if a != b],
)
def test_packages_change_their_strategy_and_the_app_is_as_if_it_had_always_been_so(
    theirs: Callable[..., App],
    answers_of: dict[str, dict[str, object]],
    tmp_path: Path,
    source: str,
    target: str,
):
    """Also what is installed; and the user's own lines are what they were."""
    app = theirs(f"all {source}", tmp_path / "updated")
    run(app.folder, find_uv_bin(), "venv", "--quiet", "--python", sys.executable, ".venv")
    app.command("install")
    before, own_commit = app.kept(), app.gitlinks()[OWN]
    app.update(**answers_of[f"all {target}"])
    assert app.owned() == theirs(f"all {target}", tmp_path / "fresh", "v2.0.0").owned()
    assert app.kept() == before
    assert app.gitlinks()[OWN] == own_commit
    assert not [line for line in app.changes() if line.startswith(("U", "AA", "DD", " m"))]
    app.command("install")
    assert "OK" in app.command("exec", "python", "-m", "unittest")
    app.commit("Update")
    assert app.changes() == []


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
    before = app.kept()
    answers = {"strategies": ["submodule"]} | CHANGES[change](hosts)
    app.update(**answers)
    assert app.owned() == fresh(releases, tmp_path / "fresh", own, **answers).owned()
    assert app.kept() == before
    assert OWN in app.sections()


def test_on_viktor_the_app_starts_whatever_its_packages_come_to_be(
    releases: Path, hosts: DemoHosts, own: str, tmp_path: Path
):
    """What the user wrote into app/__init__.py stays, so the line that makes submodules importable is there at once."""
    pytest.importorskip("viktor")
    app = make_theirs(copy(releases, tmp_path / "my-app", platform="viktor", strategies=[]), own)
    run(app.folder, sys.executable, "-c", "import app")
    app.update(**hosts.answers("submodule"))
    found = run(app.folder, sys.executable, "-c", "import app, acme_beams; print(acme_beams.__file__)")
    assert BEAMS in Path(found).as_posix()
    app.commit("Update")
    app.update(**hosts.answers("index"))
    run(app.folder, sys.executable, "-c", "import app")


def test_an_app_that_moves_to_viktor_is_told_which_line_its_own_code_lacks(
    theirs: Callable[..., App], tmp_path: Path
):
    app = theirs("submodule", tmp_path)
    app.update(platform="viktor")
    assert app.findings("") == {"no-finder": None}
    app.write("app/__init__.py", f"from app import _submodules\n{app.read('app/__init__.py')}")
    assert app.findings("") == app.findings() == {}


@pytest.mark.parametrize("conflict", ["inline", "rej"])
def test_what_was_rendered_once_is_the_users_to_rewrite_and_to_delete(
    theirs: Callable[..., App], tmp_path: Path, conflict: str
):
    """Also where the platform changes, which renders other files; only a recopy brings back what is not there."""
    app = theirs("submodule", tmp_path)
    gone = ["app/versions.py", "tests/test_app.py"]
    for name in gone:
        (app.folder / name).unlink()
    for name in set(ONCE) - {*gone, ".gitmodules", ".viktorignore"}:
        app.write(name, "Theirs alone.\n")
    app.commit("All anew")
    before = app.kept()
    app.update("--conflict", conflict, platform="viktor")
    assert app.kept() == before
    assert not [name for name in gone if (app.folder / name).exists()]
    assert not list(app.folder.rglob("*.rej"))
    assert not [line for line in app.changes() if line.startswith(("U", "AA", "DD"))]
    app.commit("Update")
    assert copier("recopy", "--trust", "--defaults", "--overwrite", cwd=app.folder).returncode == 0
    assert {name: text for name, text in app.kept().items() if name in before} == before
    assert all((app.folder / name).is_file() for name in gone)


def test_every_recipe_of_the_document_is_followed_here():
    followed = re.findall(
        r'book\.follow\(\s*"(.*?)"[^)]*?(?:block=(\d))?\)', Path(__file__).read_text(encoding="utf-8")
    )
    blocks = {
        (title, block)
        for title, found in RECIPES.items()
        for block in range([kind for kind, _ in found].count("sh"))
    }
    assert {(title, int(block or 0)) for title, block in followed} == blocks


def test_the_recipes_are_the_same_words_in_every_shell():
    commands = [text for blocks in RECIPES.values() for kind, text in blocks if kind == "sh"]
    assert re.fullmatch(r"[\w\n .,:/@\"-]*", "".join(commands))
    words = {line.split()[0] for line in "".join(commands).splitlines()}
    assert words == {"cd", "copier", "git", "python"}


def test_an_app_by_the_book_is_committed_and_changes_its_strategy(book: Book, tmp_path: Path):
    book.follow("Start an app", tmp_path)
    app = App(tmp_path / "my-app")
    assert app.changes() == []
    assert list(app.gitlinks()) == [BEAMS]
    assert app.gitlinks() == app.heads() == app.locked()
    book.follow("Change a package's strategy", app.folder)
    assert app.gitlinks() == {}
    assert "acme-beams==1.2.3" in app.read("requirements.txt").splitlines()


@pytest.mark.parametrize("platform", ["python", "viktor"])
def test_ten_releases_pass_over_edits_in_every_file_without_a_conflict(
    hosts: DemoHosts,
    answers_of: dict[str, dict[str, object]],
    own: str,
    tmp_path: Path,
    platform: str,
):
    """The template changes the beginning of all its files with each release; the user has something in each."""
    template = snapshot(tmp_path / "copier-private-packages", "v1.0.0")
    app = copy(template, tmp_path / "my-app", platform=platform, **answers_of["submodule"])
    make_theirs(app, own)
    tracked = [name for name in app.git("ls-files").splitlines() if (app.folder / name).is_file()]
    written = [
        name for name in tracked if name not in ONCE and name.endswith((".toml", ".yml", ".md", ".py"))
    ]
    # The unit's own files are the template's.
    unit = (".copier", "private", "app/_submodules")
    others = [name for name in written if not name.startswith(unit)]
    for name in others:
        app.append(name, "\n# A line of theirs.\n")
    app.commit()
    kept, rendered = app.kept(), template / RENDERED
    for number in range(2, 12):
        for path in (one for one in rendered.rglob("*") if one.is_file() and "answers_file" not in one.name):
            if not path.name.startswith("renovate"):
                text = re.sub(
                    r"\A(# Release .*\n)?", f"# Release {number}.\n", path.read_text(encoding="utf-8")
                )
                path.write_text(text, encoding="utf-8")
        release(template, f"v{number}.0.0")
        said = app.update("--vcs-ref", f"v{number}.0.0")
        assert "onflict" not in said
        app.commit(f"Release {number}")
    assert app.kept() == kept
    for name in others:
        assert app.read(name).endswith("\n# A line of theirs.\n"), name
    news = [name for name in others if "# Release 11." in app.read(name)]
    assert "docs/private-packages.md" in news and "pyproject.toml" in news
    every = [path for path in app.folder.rglob("*") if path.is_file() and ".git" not in path.parts]
    assert [path for path in every if path.name.endswith((".rej", ".orig"))] == []
    assert [path for path in every if re.search(rb"(?m)^<<<<<<< ", path.read_bytes())] == []


@pytest.mark.parametrize("version", RELEASED)
def test_an_app_of_every_release_is_updated_to_today(book: Book, own: str, tmp_path: Path, version: str):
    """The template of that release where its tag is at hand, today's where it is not released yet."""
    template = tmp_path / "copier-private-packages"
    if run(ROOT, "git", "tag", "--list", version):
        template.mkdir()
        run(tmp_path, "git", "clone", "--quiet", ROOT, template)
        run(template, "git", "checkout", "--quiet", version)
    else:
        snapshot(template, version)
    frozen = book.here((ROOT / "tests" / "released" / f"{version}.answers.yml").read_text(encoding="utf-8"))
    answers = {name: value for name, value in yaml.safe_load(frozen).items() if not name.startswith("_")}
    app = make_theirs(copy(template, tmp_path / "my-app", version, **answers), own)
    written = yaml.safe_load(app.read(".copier-answers.yml"))
    # `start` came with the first question; an app of an earlier template is a new one.
    asked = {name: value for name, value in written.items() if not name.startswith("_")}
    assert asked == {"start": "new", **answers}
    for path in (ROOT / "template", ROOT / "hooks"):
        shutil.rmtree(template / path.name)
    snapshot(template, "v1000.0.0")
    before, kept = app.owned(), app.kept()
    app.update()
    assert app.read(".copier-answers.yml").count("_commit: v1000.0.0\n") == 1
    after = app.owned()
    for name in ("the gitlinks", "the sections", "the blocks", ".copier-answers.yml", locking.FILE):
        assert after[name] == before[name]
    assert app.kept() == kept
    assert not list(app.folder.rglob("*.rej"))
    assert set(written) - {"_commit", "_src_path"} <= set(questions())


# ---------------------------------------------------------------------------
# The hook: in the real destination only, once, after the merge
# ---------------------------------------------------------------------------


def test_an_update_that_changes_no_package_sends_no_request(
    theirs: Callable[..., App], book: Book, hosts: DemoHosts, tmp_path: Path
):
    app = theirs("submodule", tmp_path)
    before = app.gitlinks(), app.kept()
    book.follow("Get what is new in the template", app.folder)
    assert hosts.git.requests == []
    assert (app.gitlinks(), app.kept()) == before
    # What release 2 changes of the template's own files, and nothing else.
    changed = [".copier-answers.yml", "CHANGES.md", "docs/private-packages.md"]
    assert sorted(line.split()[-1] for line in app.changes()) == changed


def test_an_update_with_a_new_package_asks_for_that_one_once_and_a_move_takes_it_further(
    theirs: Callable[..., App], book: Book, hosts: DemoHosts, tmp_path: Path
):
    """Copier renders three times; two of them are temporary copies, which Git's network commands never touch."""
    app = theirs("submodule", tmp_path)
    book.follow("Add, drop or move a package", app.folder)
    assert sorted(app.gitlinks()) == [UNITS, OWN]
    assert app.gitlinks()[UNITS] == app.heads()[UNITS] == app.locked()[UNITS] == app.at("v2.0.0", UNITS)
    assert {hosts.git.name_of(request.path) for request in hosts.git.requests} == {"acme-units"}
    assert [request.method for request in hosts.git.requests].count("GET") == 1
    app.commit("Update")
    book.follow("Add, drop or move a package", app.folder, block=1)
    assert app.gitlinks()[UNITS] == app.heads()[UNITS] == app.locked()[UNITS] == app.at("v2.1.0", UNITS)
    app.commit("Move")
    hosts.git.clear()
    # The answers say it as well, so an update keeps it.
    app.update()
    assert app.gitlinks()[UNITS] == app.at("v2.1.0", UNITS)
    assert hosts.git.requests == []


@pytest.mark.parametrize(
    ("stage", "operation"),
    [("task", "update"), ("before", "update"), ("after", "copy"), ("", ""), ("task", "recopy")],
)
def test_at_any_other_stage_the_hook_does_nothing(
    theirs: Callable[..., App], tmp_path: Path, stage: str, operation: str
):
    app = theirs("submodule", tmp_path)
    app.git("rm", "--quiet", "--cached", BEAMS)
    run(app.folder, *HOOK, STAGE=stage, COPIER_OPERATION=operation)
    assert BEAMS not in app.gitlinks()
    run(app.folder, *HOOK, STAGE="task", COPIER_OPERATION="copy")
    assert BEAMS in app.gitlinks()


def test_a_sync_with_nothing_to_do_needs_at_most_five_git_processes_whatever_the_size(
    theirs: Callable[..., App], hosts: DemoHosts, tmp_path: Path
):
    """Where it needs most: in a folder of a larger repository."""
    app = copy_into_monorepo(theirs("submodule", tmp_path), tmp_path / "mono")
    app.want(*(hosts.git_line("acme-units").replace("acme-units @", f"acme-units-{n} @") for n in range(12)))
    app.sync()
    app.commit()
    hosts.git.clear()
    traces = tmp_path / "traces"
    traces.mkdir()
    run(app.folder, *COMMAND, "sync", GIT_TRACE2_EVENT=str(traces))
    assert len(list(traces.iterdir())) <= 5
    assert hosts.git.requests == []


# ---------------------------------------------------------------------------
# Nothing of the user's is lost
# ---------------------------------------------------------------------------


def test_a_pin_moved_by_hand_stays_as_long_as_its_ref_stays(
    theirs: Callable[..., App], book: Book, hosts: DemoHosts, tmp_path: Path
):
    """Also where a robot has written `branch =`; when the wanted ref changes, that counts."""
    app = theirs("submodule", tmp_path)
    book.follow("Move a pin by hand", app.folder)
    pin = app.at("v1.0.0")
    app.git("config", "--file", ".gitmodules", f"submodule.{BEAMS}.branch", "v1.0.0")
    app.commit("A robot's")
    hosts.git.clear()
    app.update()
    assert hosts.git.requests == []
    assert app.gitlinks()[BEAMS] == app.heads()[BEAMS] == pin
    assert app.locked()[BEAMS] == app.at("v1.2.3")
    assert "branch = v1.0.0" in app.read(".gitmodules")
    change_wanted(app.folder, "v1.2.3", "v1.1.0")
    app.sync()
    assert app.gitlinks()[BEAMS] == app.heads()[BEAMS] == app.locked()[BEAMS] == app.at("v1.1.0")


@pytest.mark.parametrize("by", ["the command that status names", "the book"])
def test_status_names_the_command_that_makes_a_pin_moved_by_hand_what_is_wanted(
    theirs: Callable[..., App], book: Book, tmp_path: Path, by: str
):
    app = theirs("submodule", tmp_path)
    book.follow("Move a pin by hand", app.folder)
    pin = app.gitlinks()[BEAMS]
    assert app.findings()["moved-by-hand"] == f"python -m private_packages move acme-beams {pin}"
    if by == "the book":
        book.follow("Move a pin by hand", app.folder, block=1)
    else:
        app.command(*str(app.findings()["moved-by-hand"]).split()[3:])
    ref = "v1.0.0" if by == "the book" else pin
    assert app.gitlinks()[BEAMS] == app.heads()[BEAMS] == app.locked()[BEAMS] == pin
    assert f"@{ref}" in yaml.safe_load(app.read(".copier-answers.yml"))["submodule_packages"]
    assert f'ref = "{ref}"' in app.read("private-packages.toml")
    assert "moved-by-hand" not in app.findings()
    app.commit("Keep it")
    app.update()
    assert app.gitlinks()[BEAMS] == pin


def test_a_pin_moved_by_hand_stays_in_a_new_clone(
    theirs: Callable[..., App], hosts: DemoHosts, tmp_path: Path
):
    app = theirs("submodule", tmp_path)
    app.git("-C", BEAMS, "checkout", "--quiet", "v1.0.0")
    app.commit("Move the pin")
    clone = app.clone_to(tmp_path / "clone")
    assert clone.gitlinks()[BEAMS] == clone.heads()[BEAMS] == app.at("v1.0.0")
    assert "moved-by-hand" in clone.findings()
    assert clone.changes() == []
    hosts.git.clear()
    assert clone.sync() == AGREES
    assert hosts.git.requests == []


def test_a_pin_that_a_colleague_moved_after_an_update_stays_when_it_is_pulled(
    theirs: Callable[..., App], hosts: DemoHosts, tmp_path: Path
):
    app = theirs("submodule", tmp_path)
    colleague = app.copy_to(tmp_path / "colleague")
    change_wanted(colleague.folder, "v1.2.3", "v1.1.0")
    colleague.sync()
    colleague.commit("Update")
    colleague.git("-C", BEAMS, "checkout", "--quiet", "v1.0.0")
    colleague.commit("Move the pin")
    app.git("pull", "--quiet", str(colleague.folder))
    app.command(*str(app.findings()["other-commit"]).split()[3:])
    hosts.git.clear()
    assert app.sync() == AGREES
    assert hosts.git.requests == []
    assert app.gitlinks()[BEAMS] == app.heads()[BEAMS] == colleague.gitlinks()[BEAMS]


def test_an_update_that_was_discarded_can_be_repeated(theirs: Callable[..., App], tmp_path: Path):
    app = theirs("submodule", tmp_path)
    change_wanted(app.folder, "v1.2.3", "v1.1.0")
    app.sync()
    moved = app.gitlinks()[BEAMS]
    app.git("reset", "--quiet", "--hard")
    app.git("submodule", "--quiet", "update", BEAMS)
    assert app.changes() == []
    assert app.gitlinks()[BEAMS] == app.heads()[BEAMS] == app.locked()[BEAMS] == app.at("v1.2.3")
    change_wanted(app.folder, "v1.2.3", "v1.1.0")
    app.sync()
    assert app.gitlinks()[BEAMS] == app.heads()[BEAMS] == moved == app.at("v1.1.0")


@pytest.mark.parametrize("where", ["here", "in a colleague's clone"])
def test_an_update_that_could_not_fetch_is_made_good_by_the_next_sync(
    theirs: Callable[..., App], book: Book, hosts: DemoHosts, tmp_path: Path, where: str
):
    """Also when all was committed meanwhile: toml and lock say what is still to be made."""
    app = theirs("submodule", tmp_path)
    old = app.gitlinks()[BEAMS]
    hosts.git.faults_of["acme-beams"] = Faults(status=503)
    said = app.update(submodule_packages=hosts.git_line("acme-beams", "v1.1.0"))
    assert "acme-beams: " in said
    assert said.rstrip().endswith("python -m private_packages sync")
    app.commit("Update")
    assert app.gitlinks()[BEAMS] == app.locked()[BEAMS] == old
    hosts.git.faults_of.clear()
    if where != "here":
        run(tmp_path, "git", "clone", "--quiet", app.folder, "clone")
        app = App(tmp_path / "clone")
    assert app.findings() == {"change-not-made": "python -m private_packages sync"}
    book.follow("Finish what could not be fetched", app.folder)
    assert app.gitlinks()[BEAMS] == app.heads()[BEAMS] == app.locked()[BEAMS] == app.at("v1.1.0")
    assert "change-not-made" not in app.findings()


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
    assert "not-dropped" in app.findings()
    assert app.read(f"{BEAMS}/theirs.py") == "VALUE = 1\n"
    if work != "uncommitted":
        book.follow("Rescue work from a submodule that was dropped", app.folder, **login(hosts))
        run_git("-C", hosts.git.path_of("acme-beams"), "branch", "--delete", "--force", "rescued")
    else:
        (app.folder / BEAMS / "theirs.py").unlink()
        app.sync()
    assert list(app.gitlinks()) == app.sections() == [OWN]
    assert app.locked() == {}
    assert not (app.folder / BEAMS).exists()
    assert not (app.folder / ".git" / "modules" / BEAMS).exists()
    assert BEAMS not in app.git("config", "--local", "--list")
    assert app.sync() == AGREES


def test_files_that_took_the_place_of_a_dropped_submodule_are_kept(
    theirs: Callable[..., App], tmp_path: Path
):
    app = theirs("submodule", tmp_path)
    shutil.rmtree(app.folder / BEAMS)
    app.write(f"{BEAMS}/theirs.py", "VALUE = 1\n")
    app.want()
    assert "files that are no submodule" in app.sync(fails=True)
    assert app.read(f"{BEAMS}/theirs.py") == "VALUE = 1\n"


def test_a_recopy_keeps_the_pin_and_the_submodules_of_the_user(
    theirs: Callable[..., App], book: Book, hosts: DemoHosts, own: str, tmp_path: Path
):
    """Also when they deleted .gitmodules to get it anew."""
    app = theirs("submodule", tmp_path)
    app.git("submodule", "--quiet", "add", own, "vendor/their-own")
    app.git("-C", BEAMS, "checkout", "--quiet", "v1.0.0")
    app.commit("Move the pin")
    before = app.gitlinks()
    hosts.git.clear()
    (app.folder / ".gitmodules").unlink()
    book.follow("Start over from the template", app.folder)
    assert app.gitlinks() == app.heads() == before
    assert sorted(app.sections()) == [BEAMS, OWN, "vendor/their-own"]
    assert hosts.git.requests == []
    assert app.git("submodule", "status").count("\n") == 2


def test_a_submodule_that_the_user_takes_for_their_own_is_kept(
    theirs: Callable[..., App], book: Book, tmp_path: Path
):
    app = theirs("submodule", tmp_path)
    before = app.gitlinks()
    book.follow("Keep a submodule of the template's as your own", app.folder)
    assert app.sync() == AGREES
    app.update(strategies="[]")
    assert app.gitlinks() == app.heads() == before
    assert app.sections() == [BEAMS, OWN]
    assert app.locked() == {}
    assert app.findings() == {}


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
    top.write("answers.yml", yaml.safe_dump(answers_of["submodule"]))
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
    # Without a ref there is no branch in the section.
    app.want(hosts.git_line("acme-units").rpartition("@")[0])
    app.sync()
    assert "branch" not in top.read(".gitmodules")
    assert app.locked() == {UNITS: top.gitlinks()[f"apps/one/{UNITS}"]}


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
    assert "A  app/submodules/acme-beams" in app.changes()


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
    assert moved.sync() == AGREES
    assert moved.changes() == []


def test_files_in_a_packages_place_are_reported_and_once_moved_away_the_package_comes(
    theirs: Callable[..., App], hosts: DemoHosts, tmp_path: Path
):
    app = theirs("submodule", tmp_path)
    app.write(f"{UNITS}/theirs.py", "VALUE = 1\n")
    app.commit("Files, tracked")
    app.want(*hosts.submodule_lines("acme-beams", "acme-units"))
    assert f"{UNITS} holds files that are no submodule; move them away" in app.sync(fails=True)
    assert app.read(f"{UNITS}/theirs.py") == "VALUE = 1\n"
    shutil.move(app.folder / UNITS, tmp_path / "away")
    app.sync()
    assert sorted(app.gitlinks()) == [BEAMS, UNITS, OWN]
    assert app.gitlinks() == app.heads()


# ---------------------------------------------------------------------------
# Copier's options
# ---------------------------------------------------------------------------


def test_without_trust_the_app_is_complete_and_its_command_fetches(
    book: Book, answers_of: dict[str, dict[str, object]], releases: Path, hosts: DemoHosts, tmp_path: Path
):
    (tmp_path / "answers.yml").write_text(yaml.safe_dump(answers_of["submodule"]))
    options = ("--skip-tasks", "--defaults", "--data-file", "answers.yml", releases, "bare")
    assert copier("copy", *options, cwd=tmp_path).returncode == 0
    assert hosts.git.requests == []
    assert not (tmp_path / "bare" / ".git").exists()
    book.follow("Start without trust", tmp_path)
    app = App(tmp_path / "my-app")
    assert list(app.gitlinks()) == app.sections() == [BEAMS]
    assert app.gitlinks() == app.heads() == app.locked()
    hosts.git.clear()
    assert app.sync() == AGREES
    assert hosts.git.requests == []


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
    assert app.changes() == []
    assert not (app.folder.parent / "trial").exists()


def test_a_quiet_update_that_skips_answered_questions_says_and_asks_nothing(
    theirs: Callable[..., App], hosts: DemoHosts, tmp_path: Path
):
    app = theirs("submodule", tmp_path)
    assert copier("check-update", "--quiet", cwd=app.folder).returncode == 2
    line = data({"submodule_packages": hosts.git_line("acme-beams", "v1.1.0")})
    options = ("--trust", "--quiet", "--skip-answered", "--vcs-ref", "v2.0.0", *line)
    done = copier("update", *options, cwd=app.folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert app.gitlinks()[BEAMS] == app.at("v1.1.0")
    app.commit("Update")
    assert copier("check-update", "--quiet", cwd=app.folder).returncode == 0


# ---------------------------------------------------------------------------
# The user's own submodules that come to be wanted, and conflicts
# ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", [OWN, "own"])
def test_a_submodule_of_the_users_that_comes_to_be_wanted_is_taken_over_as_it_stands(
    book: Book, releases: Path, answers_of: dict[str, dict[str, object]], own: str, tmp_path: Path, name: str
):
    """Whatever its section is called; nothing is fetched again, and from now on it goes when it is not wanted."""
    app = copy(releases, tmp_path / "my-app", **answers_of["index"])
    if name == OWN:
        book.follow("Add a submodule of your own", app.folder)
    else:
        app.git("submodule", "--quiet", "add", "--name", name, own, OWN)
    app.git("-C", OWN, "branch", "theirs")
    app.commit("Start")
    before = app.gitlinks()
    app.update(strategies=["submodule", "index"], submodule_packages=f"their-own @ git+{own}")
    assert app.sections() == [OWN]
    assert app.read(".gitmodules").count("url = ") == 1
    assert app.gitlinks() == app.heads() == app.locked() == before
    assert "theirs" in app.git("-C", OWN, "branch", "--list")
    assert not (app.folder / ".git" / "modules" / "own").exists()
    app.commit("Update")
    assert app.sync() == AGREES
    app.want()
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
    app.command("exec", "git", "submodule", "--quiet", "add", "--name", name, "-b", "main", url, BEAMS)
    top.commit("History")
    before = top.gitlinks()
    app.want(hosts.git_line("acme-beams", "main"))
    app.sync()
    assert top.sections() == [path]
    assert top.gitlinks() == top.heads() == before
    assert app.sync() == AGREES
    app.want()
    app.sync()
    assert top.sections() == []


def test_another_address_for_a_submodule_of_the_users_that_cannot_be_fetched_is_known_to_every_clone(
    releases: Path, answers_of: dict[str, dict[str, object]], hosts: DemoHosts, own: str, tmp_path: Path
):
    """What stands there is not taken for what is wanted."""
    app = copy(releases, tmp_path / "my-app", **answers_of["index"])
    app.git("submodule", "--quiet", "add", own, BEAMS)
    app.commit("Start")
    hosts.git.faults_of["acme-beams"] = Faults(status=503)
    app.want(hosts.git_line("acme-beams"))
    app.sync(fails=True)
    app.commit("Update")
    run(tmp_path, "git", "clone", "--quiet", app.folder, "clone")
    clone = App(tmp_path / "clone")
    assert clone.findings() == {"change-not-made": "python -m private_packages sync"}
    hosts.git.faults_of.clear()
    clone.sync()
    assert clone.gitlinks()[BEAMS] == clone.heads()[BEAMS] == clone.locked()[BEAMS] == clone.at("v1.2.3")


def test_two_branches_that_changed_packages_are_merged(
    theirs: Callable[..., App], book: Book, hosts: DemoHosts, tmp_path: Path
):
    app = theirs("submodule", tmp_path)
    start = app.git("branch", "--show-current")
    app.git("checkout", "--quiet", "-b", "one")
    app.update(submodule_packages="\n".join(hosts.submodule_lines("acme-beams", "acme-units")))
    app.commit("One")
    app.git("checkout", "--quiet", "-b", "two", start)
    # What the other branch had stays in the folder.
    app.sync()
    app.update(submodule_packages="\n".join(hosts.submodule_lines("acme-beams", "acme-loads")))
    app.commit("Two")
    done = subprocess.run(
        ["git", "merge", "--quiet", "one"], cwd=app.folder, capture_output=True, check=False
    )
    assert done.returncode == 1
    conflicts = app.git("diff", "--name-only", "--diff-filter=U").splitlines()
    assert {".copier-answers.yml", ".gitmodules", "private-packages.toml", locking.FILE} <= set(conflicts)
    book.follow("Resolve a conflict between two branches", app.folder)
    assert sorted(app.gitlinks()) == sorted(app.sections()) == [BEAMS, LOADS, UNITS, OWN]
    assert app.gitlinks() == app.heads()
    assert sorted(app.locked()) == [BEAMS, LOADS, UNITS]
    assert app.changes() == []
    assert app.sync() == AGREES


def test_a_conflict_in_gitmodules_stops_the_change_of_submodules_until_it_is_resolved(
    theirs: Callable[..., App], hosts: DemoHosts, tmp_path: Path
):
    app = theirs("submodule", tmp_path)
    text, before = app.read(".gitmodules"), app.gitlinks()
    app.write(".gitmodules", f"<<<<<<< ours\n{text}=======\n>>>>>>> theirs\n")
    app.want(hosts.git_line("acme-units"))
    said = app.sync(fails=True)
    assert (
        ".gitmodules has a merge conflict, so no submodule was changed. Resolve it, `git add .gitmodules`."
        in said
    )
    assert app.findings("")["conflict"] == "python -m private_packages sync"
    assert hosts.git.requests == []
    app.write(".gitmodules", text)
    assert app.gitlinks() == before
    app.sync()
    assert sorted(app.sections()) == sorted(app.gitlinks()) == [UNITS, OWN]


# ---------------------------------------------------------------------------
# Killed runs
# ---------------------------------------------------------------------------


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
    assert f"{BEAMS} holds files that are no submodule" in app.sync(fails=True)
    app.want()
    assert f"{BEAMS} holds files that are no submodule" in app.sync(fails=True)
    assert app.read(f"{BEAMS}/theirs.py") == "VALUE = 1\n"


def test_commits_are_not_lost_with_a_dropped_submodule_whose_folder_is_gone(
    theirs: Callable[..., App], tmp_path: Path
):
    app = theirs("submodule", tmp_path)
    app.git("-C", BEAMS, "commit", "--quiet", "--allow-empty", "-m", "Theirs")
    commit_of_theirs = app.heads()[BEAMS]
    shutil.rmtree(app.folder / BEAMS)
    app.want()
    assert "commits that are on no server" in app.sync(fails=True)
    assert app.git(
        "--git-dir", f".git/modules/{BEAMS}", "--work-tree=.", "log", "-1", "--format=%H", commit_of_theirs
    )


def _half_a_module(app: App) -> None:
    _no_index(app)
    shutil.rmtree(app.folder / ".git" / "modules" / BEAMS / "objects")


def _scratch(app: App) -> None:
    _no_gitlink(app)
    (app.folder / ".git" / "private-packages.tmp" / "1" / BEAMS / ".git").mkdir(parents=True)


def _no_lock(app: App) -> None:
    (app.folder / locking.FILE).unlink()
    _no_folder(app)


BROKEN = (
    _no_index,
    _no_gitlink,
    _no_index_and_no_gitlink,
    _no_folder,
    _half_a_module,
    _scratch,
    _no_lock,
)


@pytest.mark.parametrize("broken", BROKEN, ids=lambda one: one.__name__.strip("_"))
def test_what_a_killed_run_left_is_healed(
    theirs: Callable[..., App], tmp_path: Path, broken: Callable[[App], None]
):
    app = theirs("submodule", tmp_path)
    before = app.owned()
    broken(app)
    said = app.sync()
    assert app.owned() == before, said
    assert app.changes() == []
    assert app.sync() == AGREES


@pytest.mark.parametrize("broken", [*BROKEN[:1], *BROKEN[3:5]], ids=lambda one: one.__name__.strip("_"))
def test_what_a_killed_run_left_can_be_dropped(
    theirs: Callable[..., App], tmp_path: Path, broken: Callable[[App], None]
):
    app = theirs("submodule", tmp_path)
    broken(app)
    app.want()
    said = app.sync()
    assert list(app.gitlinks()) == app.sections() == [OWN], said
    assert app.locked() == {}
    assert not (app.folder / BEAMS).exists()
