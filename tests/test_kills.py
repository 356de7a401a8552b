"""A command that is killed at any moment: `sync` alone, typed once, makes exactly what was wanted."""

from __future__ import annotations

import compileall
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uv
from apps import data, release, render, write_manifest
from killing import HOWS, NEVER, Kill, install_watcher, run_until, wait_for_git
from private_packages import renewal
from wheels import BACKEND

from demo import runs
from demo.git import run_git
from demo.git_host import GitHost
from demo.index_host import IndexHost
from demo.samples import commit, make_repository

if sys.platform != "win32":
    import fcntl

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")

TOKEN = "SENTINEL-git-token-1147"
BELOW = "app/submodules"
COMMAND = (sys.executable, "-m", "private_packages")
LARGE = 6_000
# A package that is built without any index.
BUILD = "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n"
# How many kills: every moment of every scenario, by every signal, with PRIVATE_PACKAGES_KILLS=all.
ALL = os.environ.get("PRIVATE_PACKAGES_KILLS") == "all"


@dataclass(frozen=True)
class Scenario:
    """From packages that are made and committed to what is wanted next; `command` is what is killed.

    `notes` is a package in whose folder lies a file of a person's that Git does not know.
    """

    before: tuple[str, ...]
    after: tuple[str, ...]
    command: tuple[str, ...] = (*COMMAND, "sync")
    notes: str = ""
    kills: int = 21
    delays: tuple[float, ...] = (0.01, 0.03)


ONE, TWO, THREE, LARGE_ONE = "acme-one", "acme-two", "acme-three", "acme-large"
SCENARIOS = {
    "a package is added by a tag": Scenario((), ("acme-one@v1",)),
    "a package is added by a branch": Scenario((), ("acme-one@main",)),
    "a package is added by a commit": Scenario((), ("acme-one@COMMIT",)),
    "three packages are added at once": Scenario((), ("acme-one@v1", "acme-two@main", "acme-three@COMMIT")),
    "a large package is moved": Scenario(
        ("acme-large@v1",), ("acme-large@v2",), notes=LARGE_ONE, kills=12, delays=(0.02, 0.08, 0.2)
    ),
    "a package gets another address": Scenario(("acme-one@v1",), ("acme-one=acme-mirror@v1",)),
    "a package is dropped": Scenario(("acme-one@v1", "acme-two@v1"), ("acme-two@v1",)),
    "one is added, one is moved, one is dropped, and the index is asked": Scenario(
        ("acme-one@v1", "acme-two@v1"), ("acme-two@v2", "acme-three@v1", "acme-units==2.1.0"), notes=TWO
    ),
    "the command moves a package": Scenario(
        ("acme-one@v1",), ("acme-one@v2",), (*COMMAND, "move", "acme-one", "v2"), notes=ONE
    ),
}


@dataclass(frozen=True)
class Made:
    """A scenario's app before the command, what comes of it unkilled, and the events on the way."""

    begin: Path
    state: dict[str, Any]
    begin_state: dict[str, Any]
    events: list[str]


@dataclass
class Place:
    """The hosts, and the scenarios that were made by now."""

    host: GitHost
    index: IndexHost
    template: Path
    releases: Path
    folder: Path
    watcher: Path
    made: dict[str, Made] = field(default_factory=dict)
    logins: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        logins = {"ACME_TOKEN": TOKEN, "ACME_USER": "builder", "ACME_PASSWORD": TOKEN}
        kept = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
        return {**kept, **logins, **self.logins, "PRIVATE_PACKAGES_STRICT": "0"}

    def answers(self, wants: Sequence[str]) -> dict[str, Any]:
        """The answers for packages such as `acme-one@v1`, `acme-one=acme-mirror@v1` and `acme-units==2.1.0`."""
        lines = [self.line(one) for one in wants if "==" not in one]
        index = [one for one in wants if "==" in one]
        answers: dict[str, Any] = {"app_name": "An app", "python_version": "3.11"}
        answers |= {"strategies": ["submodule"], "submodule_packages": "\n".join(lines)}
        if index:
            answers["strategies"] = ["submodule", "index"]
            answers |= {
                "index_packages": "\n".join(index),
                "index_url": self.index.simple_url.replace("://", "://${ACME_USER}:${ACME_PASSWORD}@"),
            }
        return answers

    def line(self, want: str) -> str:
        name, _, ref = want.partition("@")
        name, _, repository = name.partition("=")
        if ref == "COMMIT":
            ref = run_git("-C", self.host.path_of(name), "rev-parse", "v1^{commit}")
        address = self.host.url_of(repository or name).replace("://", "://x-access-token:${ACME_TOKEN}@")
        return f"{name} @ git+{address}@{ref}"

    def run(self, app: Path, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=app,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def git(self, folder: Path, *arguments: str) -> str:
        done = self.run(folder, "git", *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def make(self, name: str) -> Made:
        """Make a scenario's app, once."""
        if name not in self.made:
            self.made[name] = self._make(SCENARIOS[name], self.folder / f"{len(self.made)}")
        return self.made[name]

    def _make(self, scenario: Scenario, folder: Path) -> Made:
        begin = render(self.template, folder / "begin", **self.answers(scenario.before))
        compileall.compile_dir(begin / "private_packages", quiet=1)
        (begin / "requirements.txt").write_text(
            f"rich==14.2.0\n{(begin / 'requirements.txt').read_text()}packaging==25.0\n"
        )
        self.git(begin, "init", "--quiet")
        done = self.run(begin, *COMMAND, "sync")
        assert done.returncode == 0, done.stderr
        self.git(begin, "add", "--all")
        self.git(begin, "commit", "--quiet", "-m", "Start")
        for link in (begin / BELOW).glob("*/.git"):
            # What an installer leaves; Git ignores it there.
            (link.parent / "build").mkdir()
            (link.parent / "build" / "theirs.txt").write_text("kept\n")
        if scenario.notes:
            (begin / BELOW / scenario.notes / "notes.txt").write_text("Mine.\n")
        (begin / "theirs.txt").write_text("Nobody has added it yet.\n")
        if "move" not in scenario.command:
            wanted = render(self.template, folder / "wanted", **self.answers(scenario.after))
            for one in ("private-packages.toml", ".copier-answers.yml"):
                shutil.copyfile(wanted / one, begin / one)
        whole = copied(begin, folder / "whole")
        code, said, events = self.kill(Kill(NEVER), scenario.command, whole)
        assert code == 0, said
        assert events, "the watcher saw nothing"
        return Made(begin, self.state(whole), self.state(begin), events)

    def kill(self, kill: Kill, command: Sequence[str], app: Path) -> tuple[int, str, list[str]]:
        return run_until(kill, command, app, self.environment, self.watcher, app.parent / "events.log")

    def gitlinks(self, app: Path) -> dict[str, str]:
        staged = [line.split() for line in self.git(app, "ls-files", "--stage").splitlines()]
        return {path: commit for mode, commit, _, path in staged if mode == "160000"}

    def state(self, app: Path) -> dict[str, Any]:
        """All that a run may change: files, gitlinks, what is checked out, Git's settings, and leftovers."""
        modules = app / ".git" / "modules"
        found: dict[str, Any] = {
            path.relative_to(app).as_posix(): path.read_bytes()
            for path in walk(app)
            if path.relative_to(app).parts[0] not in (".git", "private_packages")
        }
        found["gitlinks"] = self.gitlinks(app)
        found["settings"] = sorted(
            line for line in self.git(app, "config", "--local", "--list").splitlines() if "submodule" in line
        )
        found["in .git"] = sorted(
            {one.name for one in (app / ".git").iterdir()}
            - {"COMMIT_EDITMSG", "ORIG_HEAD", "logs", "modules"}
        )
        found["locks"] = [path.name for path in (app / ".git").rglob("*.lock")]
        found["modules"] = {}
        for link in sorted((app / BELOW).glob("*/.git")):
            name = link.parent.name
            module = modules / BELOW / name
            found["modules"][name] = (
                (module / "HEAD").read_text(),
                self.git(link.parent, "status", "--porcelain"),
                self.git(link.parent, "for-each-ref", "refs/heads"),
                (module / "private-packages.checkout").exists(),
                (module / "index").exists(),
            )
        found["all modules"] = sorted(one.name for one in (modules / BELOW).glob("*"))
        return found


def walk(app: Path) -> Iterator[Path]:
    """The files of an app; of submodules only what leads to their repository: Git tells of the rest."""
    for folder, folders, files in os.walk(app):
        here = Path(folder)
        if here == app:
            folders[:] = [one for one in folders if one not in (".git", ".venv", "private_packages")]
        if here.parent == app / BELOW:
            yield from (
                here / one
                for one in files
                if (one.startswith((".git.", ".git")) and "modules" not in one) or one == "notes.txt"
            )
            folders[:] = [one for one in folders if one == "build"]
            continue
        folders[:] = [one for one in folders if one != "__pycache__"]
        yield from (here / one for one in files)


def copied(app: Path, to: Path) -> Path:
    """A copy with the times of its files: neither Git nor Python has to read them anew."""
    subprocess.run(["cp", "-a", str(app), str(to)], check=True)
    return to


@pytest.fixture(scope="module")
def place(
    isolated: Path, questionnaire: Path, template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    root = tmp_path_factory.mktemp("git")
    (root / "acme").mkdir()
    for name in (ONE, TWO, THREE, LARGE_ONE):
        module = name.replace("-", "_")
        files = {
            "backend.py": BACKEND,
            "pyproject.toml": f'{BUILD}[project]\nname = "{name}"\nversion = "1.0"\n',
            f"{module}/__init__.py": "V = 1\n",
        }
        if name == LARGE_ONE:
            files |= {
                f"{module}/part_{number % 60}/f{number}.py": f"N = {number}\n" for number in range(LARGE)
            }
        repository = make_repository(root / "acme", name, files, tags=["v1"])
        second = {path: f"{text}# two\n" for number, (path, text) in enumerate(files.items()) if number % 2}
        second |= {
            "pyproject.toml": f'{BUILD}[project]\nname = "{name}"\nversion = "2.0"\n',
            f"{module}/new.py": "NEW = 1\n",
        }
        # Some go with it, which a checkout that broke off must not leave behind.
        gone = dict.fromkeys(path for number, path in enumerate(files) if number % 14 == 4)
        commit(repository, {**second, **gone}, tag="v2")
        commit(repository, {"README.md": "Ahead of all tags.\n"})
    shutil.copytree(root / "acme" / f"{ONE}.git", root / "acme" / "acme-mirror.git")
    index = tmp_path_factory.mktemp("index")
    (index / "acme_units-2.1.0-py3-none-any.whl").write_bytes(b"a wheel")
    watcher = install_watcher(tmp_path_factory.mktemp("watcher") / "site")
    with GitHost(root, TOKEN) as host, IndexHost(index, "builder", TOKEN) as packages:
        yield Place(host, packages, questionnaire, template, tmp_path_factory.mktemp("kills"), watcher)


def moments(scenario: Scenario, events: Sequence[str]) -> list[Kill]:
    """Before each event, and while Git does what takes long; of those so many, evenly spread. The signals take turns."""
    found = [(at, 0.0) for at in range(len(events))]
    for at, event in enumerate(events):
        if any(f" {verb} " in event for verb in ("clone", "fetch", "checkout", "update-index")):
            found += [(at, delay) for delay in scenario.delays]
    found.sort()
    if ALL:
        return [Kill(at, how, delay) for at, delay in found for how in HOWS]
    few = min(scenario.kills, len(found))
    chosen = [found[(number * len(found) + len(found) // 2) // few] for number in range(few)]
    return [Kill(at, HOWS[number % len(HOWS)], delay) for number, (at, delay) in enumerate(chosen)]


MINE = "# mine\n"


def edit(app: Path) -> list[Path]:
    """A person writes into a package between the kill and the next sync: into a file of it, and a new one."""
    edited = []
    for link in sorted((app / BELOW).glob("*/.git")):
        for path in (link.parent / "pyproject.toml", link.parent / "mine.py"):
            before = path.read_text() if path.exists() else ""
            path.write_text(before + MINE)
            edited.append(path)
    return edited


def differences(state: dict[str, Any], wanted: dict[str, Any]) -> str:
    """Where two states differ."""
    return "".join(
        f"{key}: {state.get(key)!r} instead of {wanted.get(key)!r}\n"
        for key in sorted({*state, *wanted})
        if state.get(key) != wanted.get(key)
    )


def problem(place: Place, made: Made, command: Sequence[str], between: str, app: Path) -> str:
    """What is wrong after a kill, what a person did then, and one sync; nothing: the empty string."""
    if between == "a commit":
        place.run(app, "git", "add", "--all")
        place.run(app, "git", "commit", "--quiet", "-m", "In between")
        for path, pin in place.gitlinks(app).items():
            known = {state["gitlinks"].get(path) for state in (made.begin_state, made.state)}
            if pin not in known:
                return f"{path} was committed at {pin}"
    edited = []
    if between == "an edit":
        # A Git that lives on writes files still, and nobody could keep it off what a person writes meanwhile.
        wait_for_git(app)
        edited = edit(app)
    done = place.run(app, *COMMAND, "sync")
    if edited:
        lost = [path for path in edited if not path.exists() or not path.read_text().endswith(MINE)]
        if lost:
            return f"lost {lost}: {done.stderr}"
        if done.returncode and not any(path.parent.name in done.stderr for path in edited):
            return f"not named: {done.stderr}"
        for path in edited:
            path.unlink()
            subprocess.run(
                ["git", "checkout", "--", path.name], cwd=path.parent, capture_output=True, check=False
            )
        done = place.run(app, *COMMAND, "sync")
    if done.returncode:
        return f"exit {done.returncode}: {done.stderr}"
    state = place.state(app)
    # A `move` had not begun, or took back what it did, or is made.
    wanted = [made.state, *([made.begin_state] if "move" in command else [])]
    found = min((differences(state, one) for one in wanted), key=len)
    if found:
        return f"{found}said: {done.stderr}"
    again = place.run(app, *COMMAND, "sync")
    return "" if "Everything agrees" in again.stderr else f"not at rest: {again.stderr}"


def kill_and_judge(place: Place, app: Path, command: Sequence[str], kill: Kill) -> int:
    """Kill a command that works in `app`, or makes it; its exit code."""
    cwd = app if app.exists() else app.parent
    code, said, _ = run_until(
        kill, command, cwd, place.environment, place.watcher, app.parent / f"{app.name}.log"
    )
    assert TOKEN not in said
    return code


def some(events: int, count: int) -> list[Kill]:
    return [
        Kill(number * events // count, HOWS[number % len(HOWS)])
        for number in range(4 * count if ALL else count)
    ]


def count_events(place: Place, app: Path, command: Sequence[str]) -> int:
    cwd = app if app.exists() else app.parent
    code, said, events = run_until(
        Kill(NEVER), command, cwd, place.environment, place.watcher, app.parent / "count.log"
    )
    assert code == 0, said
    return len(events)


def test_a_copy_that_is_killed_leaves_nothing_or_an_app_that_one_sync_completes(place: Place, tmp_path: Path):
    """Copier takes a new app away whose hook was killed; where the command is there, it does the rest."""

    def copy(app: Path) -> list[str]:
        answers = data(place.answers(("acme-one@v1",)))
        options = ("--trust", "--defaults", "--overwrite", "--vcs-ref", "HEAD", *answers)
        return [sys.executable, "-m", "copier", "copy", *options, str(place.releases), str(app)]

    events = count_events(place, tmp_path / "whole", copy(tmp_path / "whole"))
    whole = place.state(tmp_path / "whole")
    for number, kill in enumerate(some(events, 6)):
        app = tmp_path / f"{number}"
        code = kill_and_judge(place, app, copy(app), kill)
        there = (app / "private_packages").exists()
        done = place.run(tmp_path, *(copy(app) if not there else ("true",)))
        assert done.returncode == 0, done.stderr
        done = place.run(app, *COMMAND, "sync")
        assert done.returncode == 0, done.stderr
        assert place.state(app) == whole, (kill, code, there)


def test_an_update_that_is_killed_is_completed_by_one_sync(place: Place, tmp_path: Path):
    """Its hook brings a new release of the command, adds a package and moves one."""
    releases = copied(place.releases, tmp_path / "releases")
    package = releases / "template" / "files" / "private_packages"
    (package / "new.py").write_text("NEW = 1\n")
    (package / "names.py").write_text((package / "names.py").read_text() + "\n# Another release.\n")
    write_manifest(releases)
    release(releases, "v1001.0.0")
    begin = tmp_path / "begin"
    answers = data(place.answers(("acme-one@v1",)))
    options = ("--trust", "--defaults", "--vcs-ref", "v1000.0.0", *answers)
    done = place.run(tmp_path, sys.executable, "-m", "copier", "copy", *options, str(releases), str(begin))
    assert done.returncode == 0, done.stderr
    release(begin, "start")
    wanted = data(place.answers(("acme-one@v2", "acme-two@v1")))
    update = (sys.executable, "-m", "copier", "update", "--trust", "--defaults", *wanted)
    events = count_events(place, copied(begin, tmp_path / "whole"), update)
    whole = place.state(tmp_path / "whole")
    command = command_files(tmp_path / "whole")
    for number, kill in enumerate(some(events, 8)):
        app = copied(begin, tmp_path / f"{number}")
        code = kill_and_judge(place, app, update, kill)
        done = place.run(app, *COMMAND, "sync")
        assert done.returncode == 0, (kill, code, done.stderr)
        assert place.state(app) == whole, (kill, code)
        assert command_files(app) in (command, command_files(begin))


def test_a_hook_that_is_killed_while_it_renews_the_command_leaves_one_that_works_and_becomes_whole(
    place: Place, tmp_path: Path
):
    """Every moment of it: the folder is the new release's after one `sync`, or the old one's, and `status` says so."""
    releases = copied(place.releases, tmp_path / "releases")
    package = releases / "template" / "files" / "private_packages"
    for name in ("files.py", "cli.py", "hosts.json"):
        (package / name).write_text((package / name).read_text() + "\n")
    # Modules of the new release alone: a mixture of both releases could not be imported.
    for name in ("names.py", "errors.py"):
        (package / name).rename(package / f"new_{name}")
        text = f"from private_packages.new_{name.removesuffix('.py')} import *  # noqa: F403\n"
        if name == "names.py":
            (package / name).write_text(text)
    for path in (*package.rglob("*.py"), *(releases / "hooks").glob("*.py")):
        path.write_text(path.read_text().replace("private_packages.errors", "private_packages.new_errors"))
    write_manifest(releases)
    begin = render(place.template, tmp_path / "begin", strategies=[])
    answers = begin / ".copier-answers.yml"
    answers.write_text(f"_commit: v1000.0.0\n{answers.read_text()}")
    assert place.run(begin, *COMMAND, "sync").returncode == 0
    release(begin, "start")
    answers.write_text(answers.read_text().replace("_commit: v1000.0.0", "_commit: v1001.0.0"))
    old, new = command_files(begin), command_files(package.parent)
    hook = (sys.executable, str(releases / "hooks" / "sync.py"))
    after = {"STAGE": "after", "COPIER_OPERATION": "update"}

    def killed(kill: Kill, app: Path) -> list[str]:
        environment = place.environment | after
        return run_until(kill, hook, app, environment, place.watcher, tmp_path / "log")[2]

    whole = copied(begin, tmp_path / "whole")
    events = killed(Kill(NEVER), whole)
    assert command_files(whole) == new
    stages = [at for at, event in enumerate(events) if "private_packages" in event]
    assert len(stages) > 100
    results = set()
    for number, at in enumerate(stages if ALL else stages[:: max(1, len(stages) // 15)]):
        kill = Kill(at, HOWS[number % len(HOWS)])
        app = copied(begin, tmp_path / f"{number}")
        killed(kill, app)
        # Before that nobody can know here that the answers are ahead of the command.
        begun = (app / "private_packages" / renewal.COMING / renewal.RELEASE).exists()
        between = ("nothing", "a commit", "discarded")[number % 3]
        if between == "a commit":
            release(app, "between")
        elif between == "discarded":
            place.git(app, "checkout", "--quiet", "--", ".")
            place.git(app, "clean", "--quiet", "-d", "--force")
        done = place.run(app, *COMMAND, "sync")
        assert done.returncode == 0, (kill, between, events[at], done.stderr)
        found, said = command_files(app), place.run(app, *COMMAND, "status").stdout
        broke_off = "the update was killed before its command was here" in said
        results.add((between, found == new, broke_off) if begun else ())
        assert found in (old, new), (kill, between, events[at])
        assert broke_off == (begun and found == old and between != "discarded"), (kill, between, said)
        if broke_off:
            assert "Type: copier recopy --trust --defaults --overwrite --vcs-ref :current:" in said
        assert not (app / "private_packages" / "__pycache__" / "coming").exists() or broke_off
        shutil.rmtree(app)
    # Discarded, the old one is what is wanted.
    assert results == {
        *((between, True, False) for between in ("nothing", "a commit")),
        *((between, False, True) for between in ("nothing", "a commit")),
        ("discarded", False, False),
        (),
    }


def command_files(app: Path) -> dict[str, bytes]:
    """The files of the app's command."""
    folder = app / "private_packages"
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_an_installation_in_a_fresh_clone_that_is_killed_is_completed(place: Place, tmp_path: Path):
    begin = place.make("a package is added by a tag").begin
    origin = copied(begin, tmp_path / "origin")
    assert place.run(origin, *COMMAND, "sync").returncode == 0
    place.git(origin, "add", "--all")
    place.git(origin, "commit", "--quiet", "-m", "Made")
    (tmp_path / "home").mkdir()
    install = (runs.PYTHON, "-m", "private_packages", "install")
    place.logins |= {"PATH": f"{Path(uv.find_uv_bin()).parent}{os.pathsep}{os.environ['PATH']}"}

    def clone(name: str) -> Path:
        place.git(tmp_path, "clone", "--quiet", str(origin), name)
        return tmp_path / name

    # What the rest of it needs is not fetched from anywhere here.
    for one in ("requirements.txt",):
        text = (origin / one).read_text().replace("rich==14.2.0\n", "").replace("packaging==25.0\n", "")
        (origin / one).write_text(text)
    place.git(origin, "commit", "--quiet", "--all", "-m", "Nothing public")
    whole = clone("whole")
    events = count_events(place, whole, install)
    state = place.state(whole)
    for number, kill in enumerate(some(events, 6)):
        app = clone(f"{number}")
        kill_and_judge(place, app, install, kill)
        done = place.run(app, *COMMAND, "sync")
        assert done.returncode == 0, (kill, done.stderr)
        found = place.state(app)
        differing = {key for key in {*found, *state} if found.get(key) != state.get(key)}
        assert {key for key in differing if not key.startswith(".venv")} == set(), kill
        if number % 2:
            done = place.run(app, *install)
            assert "acme-one" not in done.stderr, done.stderr


def spread(events: Sequence[str], count: int, *words: str) -> list[Kill]:
    """Kills before events that have one of the words in them, evenly spread."""
    found = [at for at, event in enumerate(events) if any(word in event for word in words)]
    chosen = found if ALL else [found[number * len(found) // count] for number in range(count)]
    return [Kill(at, how) for at, how in zip(chosen, HOWS * len(chosen), strict=False)]


def test_taking_a_submodule_of_the_users_over_is_completed_after_a_kill(place: Place, tmp_path: Path):
    """Git keeps it by another name; it has a submodule of its own, and a commit that no server has."""
    begin = render(place.template, tmp_path / "begin", strategies=[])
    wanted = render(place.template, tmp_path / "wanted", **place.answers(("acme-one@main",)))
    place.git(begin, "init", "--quiet")
    add = ("-c", "protocol.file.allow=always", "submodule", "--quiet", "add")
    place.git(begin, *add, "--name", "theirs", str(place.host.path_of(ONE)), f"{BELOW}/{ONE}")
    place.git(begin / BELOW / ONE, *add, str(place.host.path_of(TWO)), "nested")
    place.git(begin / BELOW / ONE, "commit", "--quiet", "-m", "Mine")
    for key, value in (("url", place.host.url_of(ONE)), ("branch", "main")):
        place.git(begin, "config", "--file", ".gitmodules", f"submodule.theirs.{key}", value)
    release(begin, "start")
    for one in ("private-packages.toml", ".copier-answers.yml"):
        shutil.copyfile(wanted / one, begin / one)
    sync = (*COMMAND, "sync")
    whole = copied(begin, tmp_path / "whole")
    code, said, events = place.kill(Kill(NEVER), sync, whole)
    assert code == 0, said
    state = place.state(whole)
    assert state["all modules"] == [ONE] and not (whole / ".git/modules/theirs").exists()
    mine = place.git(begin / BELOW / ONE, "rev-parse", "HEAD")
    for number, kill in enumerate(spread(events, 12, "taking", "theirs", f"{BELOW}/{ONE}/")):
        app = copied(begin, tmp_path / f"{number}")
        place.kill(kill, sync, app)
        folder = app / BELOW / ONE
        # There is a repository at every moment, so that no commit takes the files for the app's own.
        place.git(folder, "status")
        if number % 2:
            release(app, "between")
        (folder / "mine.txt").write_text("mine\n")
        done = place.run(app, *sync)
        assert done.returncode == 0, (kill, events[kill.at], done.stderr)
        assert (folder / "mine.txt").read_text() == "mine\n"
        (folder / "mine.txt").unlink()
        assert differences(place.state(app), state) == "", (kill, events[kill.at])
        assert place.git(folder, "rev-parse", "HEAD") == mine
        assert place.git(folder / "nested", "status", "--porcelain") == ""
        assert not (app / ".git/modules/theirs").exists()
        assert "Everything agrees" in place.run(app, *sync).stderr
        shutil.rmtree(app)


def test_a_run_in_a_linked_work_tree_that_is_killed_is_completed_there(place: Place, tmp_path: Path):
    """`git worktree add`: Git's folder of that is elsewhere, and its configuration is shared."""
    made = place.make("a package is added by a tag")
    (tmp_path / "begin").mkdir()
    main = copied(made.begin, tmp_path / "begin" / "main")
    place.git(main, "worktree", "add", "--quiet", "-b", "trial", "../tree")
    tree = tmp_path / "begin" / "tree"
    for one in ("private-packages.toml", ".copier-answers.yml"):
        shutil.copyfile(made.begin / one, tree / one)

    def both(name: str) -> Path:
        """A copy of both work trees, which know each other by whole paths."""
        folder = copied(tmp_path / "begin", tmp_path / name)
        (folder / "tree" / ".git").write_text(f"gitdir: {folder}/main/.git/worktrees/tree\n")
        (folder / "main/.git/worktrees/tree/gitdir").write_text(f"{folder}/tree/.git\n")
        return folder

    def found(folder: Path) -> dict[str, Any]:
        app, git_dir = folder / "tree", folder / "main/.git/worktrees/tree"
        left = [path.name for path in (folder / "main/.git").rglob("*.lock")]
        left += [path.name for path in (folder / "main/.git").rglob("private-packages.*")]
        link = app / BELOW / ONE
        return {
            "status": place.git(app, "status", "--porcelain"),
            "files": {path.name: path.read_bytes() for path in walk(app) if path.name != ".git"},
            "gitlinks": place.gitlinks(app),
            "head": place.git(link, "rev-parse", "HEAD"),
            "clean": place.git(link, "status", "--porcelain"),
            "modules": sorted(path.name for path in (git_dir / "modules" / BELOW).iterdir()),
            "left": left,
        }

    sync = (*COMMAND, "sync")
    whole = both("whole")
    code, said, events = place.kill(Kill(NEVER), sync, whole / "tree")
    assert code == 0, said
    state = found(whole)
    assert state["left"] == [] and state["modules"] == [ONE]
    wanted = {"private-packages.toml", "private-packages.lock"}
    written = [at for at, event in enumerate(events) if event.startswith("os.rename") and ".new" in event]
    for number, kill in enumerate([*spread(events, 6, ""), *map(Kill, written[-3:])]):
        folder = both(f"{number}")
        app = folder / "tree"
        place.kill(kill, sync, app)
        wait_for_git(folder / "main")
        # Nothing that is half-written lies where a person would commit it.
        names = {Path(line[3:]).name for line in place.git(app, "status", "--porcelain").splitlines()}
        assert {name for name in names if name.startswith("private-packages.")} <= wanted, kill
        done = place.run(app, *sync)
        assert done.returncode == 0, (kill, events[kill.at], done.stderr)
        assert differences(found(folder), state) == "", (kill, events[kill.at])
        shutil.rmtree(folder)
    # As Git leaves it that was killed while it wrote the configuration, which is not in the work tree's own folder.
    folder, at = both("locked"), next(n for n, one in enumerate(events) if " config submodule." in one)
    place.kill(Kill(at, "SIGKILL all"), sync, folder / "tree")
    (folder / "main/.git/config.lock").touch()
    done = place.run(folder / "tree", *sync)
    assert done.returncode == 0, done.stderr
    assert differences(found(folder), state) == ""


def test_git_s_housekeeping_is_not_started_by_the_command(place: Place, tmp_path: Path):
    """It would live on in the background, and hold the lock of a run that is killed."""
    app = copied(place.make("a package gets another address").begin, tmp_path / "app")
    wanted = render(place.template, tmp_path / "wanted", **place.answers(("acme-one@v2",)))
    for one in ("private-packages.toml", ".copier-answers.yml"):
        shutil.copyfile(wanted / one, app / one)
    module = app / ".git" / "modules" / BELOW / ONE
    for key, value in (("gc.autoPackLimit", "1"), ("fetch.unpackLimit", "1"), ("gc.autoDetach", "false")):
        place.git(module, "--git-dir=.", "config", key, value)
    commit(place.host.path_of(ONE), {"README.md": "Newer than the clone.\n"})
    done = place.run(app, *COMMAND, "sync")
    assert done.returncode == 0, done.stderr
    # Git itself would have made one of them.
    assert len(list((module / "objects" / "pack").glob("*.pack"))) == 2
    place.git(module, "--git-dir=.", "gc", "--auto", "--quiet")
    assert len(list((module / "objects" / "pack").glob("*.pack"))) == 1


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="only Linux tells who holds a lock")
def test_a_daemon_of_git_s_that_a_killed_run_left_is_not_waited_for(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """`credential.helper = cache`, the user's own: Git starts its daemon, which inherits what Git did."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PRIVATE_PACKAGES_TIMEOUT", "1")
    (tmp_path / "logins").write_text(place.host.url.replace("://", f"://any:{TOKEN}@") + "\n")
    helpers = {0: f"store --file {tmp_path / 'logins'}", 1: "cache"}
    monkeypatch.setenv("GIT_CONFIG_COUNT", "2")
    for number, helper in helpers.items():
        monkeypatch.setenv(f"GIT_CONFIG_KEY_{number}", "credential.helper")
        monkeypatch.setenv(f"GIT_CONFIG_VALUE_{number}", helper)
    answers = place.answers(("acme-one@v1",))
    answers["submodule_packages"] = answers["submodule_packages"].replace("x-access-token:${ACME_TOKEN}@", "")
    begin = render(place.template, tmp_path / "begin", **answers)
    place.git(begin, "init", "--quiet")
    app = copied(begin, tmp_path / "app")
    _, _, events = place.kill(Kill(NEVER), (*COMMAND, "sync"), copied(begin, tmp_path / "whole"))
    place.run(tmp_path, "git", "credential-cache", "exit")
    at = next(number for number, event in enumerate(events) if "update-index" in event)
    place.kill(Kill(at), (*COMMAND, "sync"), app)
    try:
        held = os.open(app / ".git", os.O_RDONLY)
        with pytest.raises(BlockingIOError):
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        done = place.run(app, *COMMAND, "sync")
        assert done.returncode == 0, done.stderr
        assert "Everything agrees" in place.run(app, *COMMAND, "sync").stderr
    finally:
        os.close(held)
        place.run(tmp_path, "git", "credential-cache", "exit")


def test_who_is_waited_for_in_vain_is_named(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PRIVATE_PACKAGES_TIMEOUT", "1")
    app = copied(place.make("a package is added by a tag").begin, tmp_path / "app")
    held = os.open(app / ".git", os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    with subprocess.Popen(["sleep", "60"], pass_fds=(held,)) as other:
        os.close(held)
        done = place.run(app, *COMMAND, "sync")
        other.kill()
    assert done.returncode == 1
    said = f" (process {other.pid}, sleep)" if Path("/proc/self/fd").exists() else ""
    assert done.stderr == (
        f"Another run is at work here, or the Git of one that was killed{said}; once it has ended,"
        " type `python -m private_packages sync`.\n"
    )


BETWEEN = ("nothing", "a commit", "an edit")
PARTS = 4


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("name", SCENARIOS)
def test_after_a_kill_at_any_moment_one_sync_makes_what_was_wanted(
    place: Place, tmp_path: Path, name: str, part: int
):
    scenario, made = SCENARIOS[name], place.make(name)
    wrong = []
    kills = list(enumerate(moments(scenario, made.events)))[part::PARTS]
    for number, kill in kills:
        # Four signals and three things between: after twelve kills each pair was there.
        between = BETWEEN[number % len(BETWEEN)]
        app = copied(made.begin, tmp_path / f"{number}")
        code, said, _ = place.kill(kill, scenario.command, app)
        assert TOKEN not in said
        found = problem(place, made, scenario.command, between, app)
        with Path(os.environ.get("KILLS_REPORT", os.devnull)).open("a") as report:
            print(
                json.dumps([name, kill.how, kill.delay, between, code, made.events[kill.at], found]),
                file=report,
            )
        if found:
            at = made.events[kill.at]
            wrong.append(f"{kill}, then {between} ({at}; exit {code})\n{found}")
        else:
            shutil.rmtree(app)
    assert not wrong, f"{len(wrong)} of {len(kills)}:\n" + "\n\n".join(wrong)
