"""`move` brings one package to another ref or version, everywhere in one step; `move --list` shows what is newer."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from apps import Apps, render, typed
from private_packages import cli
from private_packages.commands import move
from private_packages.config import Package
from private_packages.errors import Failure
from private_packages.strategies import index, strategy_of

from demo import runs
from demo.git_host import GitHost
from demo.hosts import DemoHosts, git_line
from demo.http_host import Faults
from demo.samples import commit, make_repository, source_files

MOVE = "python -m private_packages move"
BEAMS = "app/submodules/acme-beams"
# Each strategy's package, where it is, what is newest, and what nobody has.
BY_STRATEGY = {
    "submodule": ("acme-beams", "v1.1.0", "v1.2.3", "v9"),
    "git": ("acme-loads", "v0.8.0", "v0.9.0", "v9"),
    "index": ("acme-units", "2.0.0", "2.1.0", "9.9"),
}
EVERY = pytest.mark.parametrize("strategy", BY_STRATEGY)

Done = subprocess.CompletedProcess[str]
Git = Callable[..., str]


@dataclass(frozen=True)
class Movable:
    """An app that is committed: what it wants, locks and pins."""

    folder: Path
    git: Git
    variables: Mapping[str, str]

    def move(self, *words: str, **environment: str) -> Done:
        """Type `move`."""
        done = typed(self.folder, f"{MOVE} {' '.join(words)}", **{**self.variables, **environment})
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def moves(self, *words: str) -> str:
        """Type `move`, which has to succeed; what it says."""
        done = self.move(*words)
        assert done.returncode == 0, done.stderr
        return done.stderr

    def changed(self) -> list[str]:
        """The files that differ from the last commit, staged ones included."""
        return self.git(self.folder, "diff", "--name-only", "HEAD").splitlines()

    def lines_about(self, name: str) -> dict[str, list[str]]:
        """In each file, the changed lines."""
        found = {}
        for file in self.changed():
            if file != BEAMS:
                diff = self.git(self.folder, "diff", "--unified=0", "HEAD", "--", file)
                found[file] = re.findall(r"(?m)^\+(?!\+)(.*)$", diff)
        return found

    def head(self) -> str:
        """What is checked out in the submodule."""
        return self.git(self.folder / BEAMS, "rev-parse", "HEAD")

    def pin(self) -> str:
        """What Git's index says that is to be checked out."""
        return self.git(self.folder, "ls-files", "--stage", BEAMS).split()[1]

    def read(self, name: str) -> str:
        """A file of the app's."""
        return (self.folder / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def made(template: Path, hosts: DemoHosts, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An app whose packages are all one release behind, committed."""
    app = tmp_path_factory.mktemp("move") / "my-app"
    answers = yaml.safe_dump(hosts.answers("mixed"))
    for _, older, newest, _ in BY_STRATEGY.values():
        answers = answers.replace(newest, older)
    runs.generate(template, app, yaml.safe_load(answers), hosts.variables)
    for arguments in (["add", "--all"], ["commit", "--quiet", "-m", "Start"]):
        subprocess.run(["git", *arguments], cwd=app, check=True)
    return app


@pytest.fixture
def app(made: Path, hosts: DemoHosts, tmp_path: Path, git: Git) -> Iterator[Movable]:
    """A copy of it."""
    hosts.git.clear()
    hosts.index.clear()
    yield Movable(Path(shutil.copytree(made, tmp_path / "my-app", symlinks=True)), git, hosts.variables)
    hosts.git.faults = hosts.index.faults = Faults()


# ---------------------------------------------------------------------------
# One step
# ---------------------------------------------------------------------------


@EVERY
@pytest.mark.parametrize("named", [True, False], ids=["to a version", "to the newest"])
def test_answers_toml_requirements_pin_and_lock_move_together(app: Movable, strategy: str, named: bool):
    name, older, newest, _ = BY_STRATEGY[strategy]
    said = app.moves(name, *([newest] if named else []))
    assert re.search(rf"(?m)^  {name}: moved to {newest}( \(\w{{10}}\))?$", said), said
    assert said.endswith("\nNext: python -m private_packages install\n")
    files = {".copier-answers.yml", "private-packages.toml", "private-packages.lock"}
    files |= {".gitmodules", BEAMS} if strategy == "submodule" else {"requirements.txt"}
    assert set(app.changed()) == files
    for file, lines in app.lines_about(name).items():
        assert any(newest in line for line in lines), file
        assert not any(older in line for line in lines), file
    if strategy == "submodule":
        assert app.head() == app.pin() == app.git(app.folder / BEAMS, "rev-parse", f"{newest}^{{}}")
        assert app.pin() in app.read("private-packages.lock")
    status = typed(app.folder, "python -m private_packages status --json", **app.variables)
    # It is not installed; nothing else is left to do.
    assert set(re.findall(r'"kind": "([\w-]+)"', status.stdout)) == {"not-installed"}


def test_what_is_written_is_what_the_template_writes_for_these_answers(
    app: Movable, questionnaire: Path, tmp_path: Path
):
    for name, *_ in BY_STRATEGY.values():
        app.moves(name)
    answers = yaml.safe_load(app.read(".copier-answers.yml"))
    given = {key: value for key, value in answers.items() if not key.startswith("_")}
    again = render(questionnaire, tmp_path / "again", **given)
    for file in ("private-packages.toml", "requirements.txt", ".gitmodules"):
        assert app.read(file) == (again / file).read_text(encoding="utf-8")


def test_a_name_may_be_spelled_in_every_way(app: Movable):
    app.moves("Acme_Loads", "v0.9.0")
    assert "acme-loads @ git+" in app.read("requirements.txt")
    assert "@v0.9.0" in app.read("requirements.txt")


@EVERY
def test_what_is_newest_already_stays_and_nothing_changes(app: Movable, strategy: str):
    name, _, newest, _ = BY_STRATEGY[strategy]
    app.moves(name)
    app.git(app.folder, "commit", "--quiet", "--all", "-m", "Newest")
    said = app.moves(name)
    assert f"{name}: stays at {newest}" in said
    assert "Next:" not in said
    assert app.changed() == []


def test_a_commit_may_be_named(app: Movable):
    commit_id = app.git(app.folder / BEAMS, "rev-parse", "v1.0.0^{}")
    app.moves("acme-beams", commit_id)
    assert app.head() == app.pin() == commit_id
    assert f"acme-beams.git@{commit_id}\n" in app.read(".copier-answers.yml")


def test_older_ones_may_be_named_too(app: Movable):
    app.moves("acme-beams", "v1.0.0")
    assert app.git(app.folder / BEAMS, "describe", "--tags") == "v1.0.0"


@EVERY
def test_a_wrong_ref_of_a_first_copy_is_put_right(
    apps: Apps, hosts: DemoHosts, variables: dict[str, str], git: Git, strategy: str
):
    """As the message about it says; by then nothing of the package is there."""
    name, older, newest, nobody = BY_STRATEGY[strategy]
    answers = yaml.safe_dump(hosts.answers("mixed")).replace(newest, nobody)
    app = Movable(apps.make(**yaml.safe_load(answers)), git, variables)
    assert f'name = "{name}"' not in app.read("private-packages.lock")
    assert f"{name}: moved to {older}" in app.moves(name, older)
    lock = app.read("private-packages.lock")
    assert f'name = "{name}"' in lock
    assert older in lock


def test_a_change_of_another_package_that_is_open_is_made_as_well(app: Movable):
    """`move` syncs; what it moves is one package."""
    wanted = app.folder / "private-packages.toml"
    wanted.write_text(wanted.read_text().replace("v1.1.0", "v1.0.0"))
    said = app.moves("acme-loads")
    assert "acme-beams: moved to v1.0.0" in said
    assert "acme-loads: moved to v0.9.0" in said


class TestABranch:
    """Its newest commit is what it stands for."""

    @pytest.fixture
    def repository(self, tmp_path: Path) -> Path:
        return make_repository(
            tmp_path / "git" / "acme", "acme-units", source_files("acme-units", "1.0.0"), tags=["v1"]
        )

    @pytest.fixture(params=["submodule", "git"])
    def on_branch(
        self, request: pytest.FixtureRequest, template: Path, repository: Path, tmp_path: Path, git: Git
    ) -> Iterator[Movable]:
        """An app at the branch main of a repository that has a newer commit there since."""
        with GitHost(tmp_path / "git", "token") as host:
            answers = {
                "strategies": [request.param],
                f"{request.param}_packages": git_line(host, "acme-units", "v1"),
            }
            app = Movable(tmp_path / "app", git, {"ACME_TOKEN": "token"})
            runs.generate(template, app.folder, answers, app.variables)
            app.moves("acme-units", "main")
            yield app

    @pytest.mark.parametrize("words", [("acme-units", "main"), ("acme-units",)], ids=" ".join)
    def test_is_taken_at_its_newest_commit_each_time(
        self, on_branch: Movable, repository: Path, words: tuple[str, ...]
    ):
        assert "@main" in on_branch.read(".copier-answers.yml")
        newer = commit(repository, {"NEW.md": "new"})
        assert f"acme-units: moved to main ({newer[:10]})" in on_branch.moves(*words)
        assert f'commit = "{newer}"' in on_branch.read("private-packages.lock")
        assert f"acme-units: stays at main ({newer[:10]})" in on_branch.moves(*words)


# ---------------------------------------------------------------------------
# What cannot be
# ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words", [("acme-nothing",), ("acme-nothing", "v1"), ("--list", "acme-nothing")], ids=" ".join
)
def test_an_unknown_name_is_a_wrong_usage_that_names_the_known_ones(app: Movable, words: tuple[str, ...]):
    done = app.move(*words)
    assert done.returncode == 2
    assert done.stderr == (
        "There is no package acme-nothing. The app has acme-beams, acme-loads and acme-units.\n"
    )
    assert app.changed() == []


def test_without_a_name_it_says_which_there_are(app: Movable):
    done = app.move()
    assert done.returncode == 2
    assert done.stderr == (
        "Which package? The app has acme-beams, acme-loads and acme-units."
        " `python -m private_packages move --list` shows what is newer.\n"
    )


@EVERY
def test_a_ref_that_does_not_exist_changes_nothing(app: Movable, strategy: str):
    name, older, _, nobody = BY_STRATEGY[strategy]
    before = app.read("requirements.txt"), app.read(".gitmodules"), app.head()
    done = app.move(name, nobody)
    assert done.returncode == 1
    reason = {
        "submodule": f"its repository has no tag, branch or commit `{nobody}` (newest tags: v1.2.3, v1.1.0, v1.0.0)",
        "git": f"its repository has no tag, branch or commit `{nobody}` (newest tags: v0.9.0, v0.8.0)",
        "index": f"the private index offers no file of version {nobody}; it has 2.1.0, 2.0.0",
    }
    assert f"{name}: {reason[strategy]}" in done.stderr
    assert done.stderr.endswith(f"{name} stays where it was.\n")
    assert app.changed() == []
    assert (app.read("requirements.txt"), app.read(".gitmodules"), app.head()) == before
    assert app.git(app.folder, "status", "--porcelain") == ""
    assert older in app.read("private-packages.lock")


@pytest.mark.parametrize("version", ["latest", ">=2", "2.*", "../2"])
def test_what_is_no_version_is_refused_before_anybody_is_asked(app: Movable, hosts: DemoHosts, version: str):
    done = app.move("acme-units", f"'{version}'")
    assert done.returncode == 1
    assert app.changed() == []
    assert f"acme-units: `{version}` is no version; write it as in `2.1.0`." in done.stderr
    assert hosts.index.requests == []


@pytest.mark.parametrize("ref", ["--upload-pack=x", "a..b", "-c", "$(id)", "v1;id", "v1.lock"])
@pytest.mark.parametrize("name", ["acme-beams", "acme-loads"])
def test_a_ref_that_no_line_may_hold_is_refused_before_anybody_is_asked(
    app: Movable, hosts: DemoHosts, name: str, ref: str
):
    """What is written goes to Git and pip."""
    done = app.move("--", name, f"'{ref}'")
    assert done.returncode == 1
    assert done.stderr == f"{name}: `{ref}` cannot stand in a package line; name another.\n"
    assert hosts.git.requests == []
    assert app.changed() == []


@EVERY
@pytest.mark.parametrize("fault", [Faults(status=503), Faults(status=403)], ids=["down", "refused"])
def test_when_a_host_does_not_answer_everything_stays_as_it_was(
    app: Movable, hosts: DemoHosts, strategy: str, fault: Faults
):
    name, _, newest, _ = BY_STRATEGY[strategy]
    hosts.git.faults = hosts.index.faults = fault
    for words in ((name, newest), (name,)):
        done = app.move(*words, PRIVATE_PACKAGES_TIMEOUT="2")
        assert done.returncode == 1
        assert f"{name}: " in done.stderr
        assert app.git(app.folder, "status", "--porcelain") == ""
    hosts.git.faults = hosts.index.faults = Faults()
    app.moves(name)


def test_without_the_login_it_says_what_to_type(app: Movable):
    done = app.move("acme-units", "2.1.0", ACME_USER="", ACME_PASSWORD="")
    assert done.returncode == 1
    assert "ACME_USER and ACME_PASSWORD have no value; type `python -m private_packages login`" in done.stderr
    assert app.changed() == []


@pytest.mark.parametrize("work", ["an edit", "a commit"])
def test_a_package_with_work_in_it_stays(app: Movable, work: str):
    readme = app.folder / BEAMS / "README.md"
    readme.write_text("mine\n")
    if work == "a commit":
        app.git(app.folder / BEAMS, "commit", "--quiet", "--all", "-m", "Mine")
    before = app.head()
    done = app.move("acme-beams")
    assert done.returncode == 1
    held = {"an edit": "uncommitted changes", "a commit": "commits that are on no server"}[work]
    assert f"acme-beams: it holds {held}, so it stays as it is" in done.stderr
    assert (readme.read_text(), app.head()) == ("mine\n", before)
    assert [file for file in app.changed() if file != BEAMS] == []
    assert app.pin() == app.git(app.folder / BEAMS, "rev-parse", "v1.1.0^{}")


@EVERY
def test_a_line_that_the_answers_do_not_hold_is_not_guessed_at(app: Movable, strategy: str):
    name, older, newest, _ = BY_STRATEGY[strategy]
    answers = app.folder / ".copier-answers.yml"
    answers.write_text(answers.read_text().replace(older, "v0"))
    app.git(app.folder, "commit", "--quiet", "--all", "-m", "By hand")
    done = app.move(name, newest)
    assert done.returncode == 1
    assert f"{name}: its line does not stand in .copier-answers.yml as `{name}" in done.stderr
    assert app.changed() == []


def test_an_interrupted_move_takes_back_what_it_wrote(
    app: Movable, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def interrupted(*_: object, **__: object) -> None:
        assert "v1.2.3" in app.read(".copier-answers.yml")
        raise KeyboardInterrupt

    monkeypatch.setattr(move, "synchronise", interrupted)
    assert cli.main(["move", "acme-beams", "v1.2.3"], app.folder, {**os.environ, **app.variables}) == 130
    assert "Interrupted" in capsys.readouterr().err
    assert app.changed() == []


# ---------------------------------------------------------------------------
# What is newer
# ---------------------------------------------------------------------------


def test_the_list_says_of_each_package_what_is_newer_with_one_request_each(app: Movable, hosts: DemoHosts):
    done = app.move("--list")
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split() for line in done.stdout.splitlines()] == [
        ["acme-beams", "v1.1.0", "newer:", "v1.2.3"],
        ["acme-loads", "v0.8.0", "newer:", "v0.9.0"],
        ["acme-units", "2.0.0", "newer:", "2.1.0"],
    ]
    assert app.changed() == []
    assert [len(hosts.git.requests_of(name)) for name in ("acme-beams", "acme-loads")] == [1, 1]
    assert len(hosts.index.requests) == 1


def test_the_list_is_of_one_package_where_one_is_named(app: Movable):
    app.moves("acme-units")
    done = app.move("--list", "acme-units")
    assert done.stdout.split() == ["acme-units", "2.1.0", "newest"]


def test_the_list_names_a_package_whose_host_does_not_answer_and_lists_the_others(
    app: Movable, hosts: DemoHosts
):
    hosts.index.faults = Faults(status=503)
    done = app.move("--list")
    assert done.returncode == 1
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["acme-beams", "acme-loads"]
    assert re.fullmatch(r"acme-units: .* answers with 503; .*\n", done.stderr)


def test_an_app_without_packages_has_nothing_to_list(template: Path, tmp_path: Path, git: Git):
    runs.generate(template, tmp_path / "app", {"strategies": []}, {})
    app = Movable(tmp_path / "app", git, {})
    assert app.move("--list").returncode == 0
    done = app.move("acme-beams")
    assert (done.returncode, done.stderr) == (
        2,
        "There is no package acme-beams. The app has no private package.\n",
    )


# ---------------------------------------------------------------------------
# The line
# ---------------------------------------------------------------------------

URL = "https://x-access-token:${T}@github.com/acme/beams.git"


@pytest.mark.parametrize(
    ("strategy", "line", "ref", "to", "moved"),
    [
        ("git", f"b @ git+{URL}@v1", "v1", "v2", f"b @ git+{URL}@v2"),
        ("git", f"b @ git+{URL}", "", "v2", f"b @ git+{URL}@v2"),
        ("git", f"b[plot] @ git+{URL}@v1 ; python_version < '3.13'", "v1", "v2",
         f"b[plot] @ git+{URL}@v2 ; python_version < '3.13'"),
        ("git", f"b @ git+{URL}@v1#subdirectory=packages/b", "v1", "v2",
         f"b @ git+{URL}@v2#subdirectory=packages/b"),
        ("git", "b @ git+ssh://git@github.com/acme/b.git@release/1.x", "release/1.x", "main",
         "b @ git+ssh://git@github.com/acme/b.git@main"),
        ("submodule", "b @ git@github.com:acme/b.git", "", "v2", "b @ git@github.com:acme/b.git@v2"),
        ("index", "b==1", "", "2", "b==2"),
        ("index", "b == 1.0", "", "v2", "b == 2"),
        ("index", "b (==1)", "", "2", "b (==2)"),
        ("index", "b[si]==1 ; python_version < '3.13'", "", "2!1.0rc1", "b[si]==2!1.0rc1 ; python_version < '3.13'"),
    ],
)  # fmt: skip
def test_a_line_keeps_everything_but_its_version(strategy: str, line: str, ref: str, to: str, moved: str):
    package = Package("b", strategy, line, url="https://github.com/acme/beams.git", ref=ref)
    there = strategy_of(package).at(package, to)
    assert there.requirement == moved
    if strategy != "index":
        assert there.ref == to
    assert strategy_of(there).at(there, ref or "1").requirement != moved


@pytest.mark.parametrize("line", ["b>=1", "b~=1.0", "b==1.*", "b", "b==1,!=1.1"])
def test_a_line_that_is_no_pin_has_nothing_to_move(line: str):
    with pytest.raises(Failure, match=re.escape(f"`{line}` is no pin, so there is nothing to move")):
        index.at(Package("b", "index", line), "2")
