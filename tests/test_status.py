"""`status` sees what is wrong with the private packages, and the one command that it prints mends it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from apps import change_wanted, typed
from private_packages.environment import python_of

from demo import runs
from demo.git import run_git
from demo.git_host import GitHost
from demo.hosts import DemoHosts, git_line
from demo.samples import commit, make_repository, source_files

pytestmark = pytest.mark.slow

STATUS = "python -m private_packages status"
INSTALL = "python -m private_packages install"
SYNC = "python -m private_packages sync"
LOGIN = "python -m private_packages login"
BEAMS = "app/submodules/acme-beams"

Done = subprocess.CompletedProcess[str]
Git = Callable[..., str]


@dataclass(frozen=True)
class Installed:
    """An app that is committed and installed: acme-beams a submodule, acme-loads a Git line, acme-units of the index."""

    folder: Path
    git: Git

    def type(self, command: str, **environment: str) -> Done:
        """Type a command in the app's folder."""
        done = typed(self.folder, command, **environment)
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def types(self, command: str) -> str:
        """Type a command that has to succeed; what it printed, both streams."""
        done = self.type(command)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def problems(self) -> list[tuple[str, str | None, str | None]]:
        """What `status --json` finds: kind, package and command of each."""
        found = self.json()["problems"]
        return [(one["kind"], one["package"], one["command"]) for one in found]

    def json(self) -> dict[str, Any]:
        """What `status --json` says."""
        done = self.type(f"{STATUS} --json")
        answer: dict[str, Any] = json.loads(done.stdout)
        assert done.returncode == (0 if answer["ok"] else 1)
        return answer

    def says(self) -> str:
        """What `status` says of an app that is not as it should be, in words for a person."""
        done = self.type(STATUS)
        assert done.returncode == 1, done.stdout
        return done.stdout

    def is_mended_by(self, command: str) -> None:
        """`status` says to type this command; typed, everything is as wanted."""
        assert self.says().rstrip().endswith(f"\nType: {command}")
        self.types(command)
        assert self.type(STATUS).stdout.rstrip().endswith("Everything is as it should be."), self.says()

    def commit(self) -> None:
        """Commit everything."""
        self.git(self.folder, "add", "--all")
        self.git(self.folder, "commit", "--quiet", "-m", "All")


@pytest.fixture(scope="module")
def prepared(template: Path, hosts: DemoHosts, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Where the app stands, and a copy of it as it was made."""
    app = tmp_path_factory.mktemp("status") / "my-app"
    runs.generate(
        template,
        app,
        {"python_version": "3.11", **hosts.answers("mixed")},
        hosts.variables,
    )
    runs.install(app, hosts.variables)
    for arguments in (["add", "--all"], ["commit", "--quiet", "-m", "Start"]):
        subprocess.run(["git", *arguments], cwd=app, check=True)
    return app, Path(shutil.copytree(app, app.parent / "as made", symlinks=True))


@pytest.fixture
def app(prepared: tuple[Path, Path], variables: dict[str, str], git: Git) -> Installed:
    """The app as it was made, where it was made: an editable installation names its folder."""
    folder, as_made = prepared
    shutil.rmtree(folder)
    shutil.copytree(as_made, folder, symlinks=True)
    return Installed(folder, git)


@pytest.fixture
def colleague(app: Installed, hosts: DemoHosts, tmp_path: Path, git: Git) -> Installed:
    """Somebody else's clone of the app, with its submodule."""
    git(app.folder, "clone", "--quiet", str(app.folder), str(tmp_path / "theirs"))
    theirs = Installed(tmp_path / "theirs", git)
    theirs.types(SYNC)
    return theirs


# ---------------------------------------------------------------------------
# All is well
# ---------------------------------------------------------------------------


def test_of_each_package_it_says_what_it_stands_for_and_asks_nobody(app: Installed, hosts: DemoHosts):
    hosts.git.clear()
    hosts.index.clear()
    done = app.type(STATUS)
    assert (done.returncode, done.stderr) == (0, "")
    assert [re.sub(r"\(\w{10}\)", "(commit)", line).split() for line in done.stdout.splitlines()] == [
        ["acme-beams", "submodule", "v1.2.3", "(commit)", "ok"],
        ["acme-loads", "git", "v0.9.0", "(commit)", "ok"],
        ["acme-units", "index", "2.1.0", "ok"],
        ["Everything", "is", "as", "it", "should", "be."],
    ]
    assert hosts.git.requests == []
    assert hosts.index.requests == []


def test_without_a_command_it_is_status_also_from_elsewhere_and_quiet_says_nothing(
    app: Installed, tmp_path: Path
):
    expected = app.types(STATUS)
    assert app.types("python -m private_packages") == expected
    elsewhere = typed(tmp_path, f"python '{app.folder / 'private_packages'}'")
    assert (elsewhere.returncode, elsewhere.stdout) == (0, expected)
    assert app.types(f"{STATUS} --quiet") == ""


def test_the_answer_for_machines_keeps_its_shape(app: Installed):
    answer = app.json()
    assert list(answer) == [
        "ok",
        "packages",
        "variables",
        "environment",
        "problems",
        "command",
    ]
    assert (answer["ok"], answer["problems"], answer["command"]) == (True, [], None)
    assert answer["variables"] == {
        "needed": ["ACME_TOKEN", "ACME_USER", "ACME_PASSWORD"],
        "missing": [],
    }
    assert Path(answer["environment"]) == app.folder / ".venv"
    beams, loads, units = answer["packages"]
    for package in (beams, loads, units):
        assert list(package) == [
            *(
                "name",
                "strategy",
                "wanted",
                "locked",
                "pinned",
                "checked_out",
                "installed",
            ),
            *("imported_from", "problems"),
        ]
        assert list(package["wanted"]) == ["requirement", "url", "ref"]
        assert list(package["locked"]) == ["ref", "commit", "version"]
        assert list(package["installed"]) == ["version", "from", "commit"]
        assert package["problems"] == []
    head = app.git(app.folder / BEAMS, "rev-parse", "HEAD")
    assert beams["pinned"] == beams["checked_out"] == beams["locked"]["commit"] == head
    assert Path(beams["imported_from"]["acme_beams"]).is_relative_to(app.folder / BEAMS)
    assert loads["installed"]["commit"] == loads["locked"]["commit"]
    assert (units["locked"]["version"], units["installed"]["version"]) == (
        "2.1.0",
        "2.1.0",
    )
    assert "127.0.0.1" in beams["wanted"]["url"]
    assert "${ACME_TOKEN}" not in beams["wanted"]["url"]


def test_values_that_the_next_install_needs_are_told_and_nothing_is_wrong(
    app: Installed,
):
    done = app.type(STATUS, ACME_USER="", ACME_PASSWORD="")
    assert done.returncode == 0
    assert done.stdout.endswith(
        f"Everything is as it should be.\nThe next install needs ACME_USER and ACME_PASSWORD: {LOGIN}\n"
    )


# ---------------------------------------------------------------------------
# What a pull leaves behind
# ---------------------------------------------------------------------------


def test_a_folder_that_a_package_left_when_it_became_a_git_line(
    app: Installed, colleague: Installed, hosts: DemoHosts
):
    """Git leaves a submodule's folder behind when a pull takes its gitlink away."""
    change_wanted(colleague.folder, 'strategy = "submodule"', 'strategy = "git"')
    change_wanted(colleague.folder, f'path = "{BEAMS}"\n', "")
    colleague.types(SYNC)
    colleague.commit()
    app.git(app.folder, "pull", "--quiet", str(colleague.folder))
    assert (app.folder / BEAMS / "pyproject.toml").is_file()
    assert ("leftover", "acme-beams", SYNC) in app.problems()
    app.is_mended_by(INSTALL)
    assert not (app.folder / BEAMS).exists()
    where = app.types(
        "python -m private_packages exec python -c 'import acme_beams; print(acme_beams.__file__)'"
    )
    assert "site-packages" in where


def test_a_pin_that_a_colleague_moved_and_a_pull_did_not_check_out(app: Installed, colleague: Installed):
    colleague.types("python -m private_packages move acme-beams v1.1.0")
    colleague.commit()
    app.git(app.folder, "pull", "--quiet", str(colleague.folder))
    assert [kind for kind, *_ in app.problems()] == ["other-commit"]
    assert "the next commit of all files would move the pin" in app.says()
    app.is_mended_by(f"python -m private_packages exec git submodule update --init {BEAMS}")
    assert app.git(app.folder / BEAMS, "describe", "--tags") == "v1.1.0"


def test_a_plain_pull_of_a_pin_that_only_the_server_has_needs_no_login(
    app: Installed, colleague: Installed, hosts: DemoHosts
):
    """Git would fetch the submodule by itself, and fail without merging anything."""
    repository = hosts.git.path_of("acme-beams")
    commit(repository, {"NEWS.md": "New.\n"}, branch="news")
    try:
        colleague.types("python -m private_packages move acme-beams news")
        colleague.commit()
        hosts.git.clear()
        app.git(app.folder, "pull", "--quiet", str(colleague.folder))
        assert hosts.git.requests == []
        assert "acme-beams: fetched at news" in app.types(INSTALL)
    finally:
        run_git("-C", repository, "branch", "--delete", "--force", "news")
    assert (app.folder / BEAMS / "NEWS.md").is_file()


def test_an_install_after_a_pull_checks_the_new_pins_out(app: Installed, colleague: Installed):
    colleague.types("python -m private_packages move acme-beams v1.1.0")
    colleague.commit()
    app.git(app.folder, "pull", "--quiet", str(colleague.folder))
    assert "acme-beams: fetched at v1.1.0" in app.types(INSTALL)
    assert app.git(app.folder / BEAMS, "describe", "--tags") == "v1.1.0"
    assert app.git(app.folder, "status", "--porcelain") == ""


@pytest.mark.parametrize(
    ("work", "words"),
    [
        (
            [],
            "acme-beams: it holds uncommitted changes, so it stays as it is although another commit is pinned",
        ),
        (
            ["commit", "-am", "Mine"],
            "acme-beams: it holds commits that are on no server, so it stays as it is",
        ),
        (["switch", "--create", "mine"], "STOP acme-beams: .* is checked out, and .* is pinned"),
    ],
    ids=["an edit", "a commit", "a branch"],
)
def test_an_install_after_a_pull_leaves_a_person_s_work_where_it_is(
    app: Installed, colleague: Installed, work: list[str], words: str
):
    colleague.types("python -m private_packages move acme-beams v1.1.0")
    colleague.commit()
    edited = app.folder / BEAMS / "pyproject.toml"
    edited.write_text(f"{edited.read_text()}\n# mine\n")
    if work:
        app.git(app.folder / BEAMS, *work)
    before = app.git(app.folder / BEAMS, "log", "-1", "--format=%H%D")
    app.git(app.folder, "pull", "--quiet", str(colleague.folder))
    done = app.type(INSTALL)
    assert done.returncode == 1
    assert re.search(words, done.stderr), done.stderr
    assert app.git(app.folder / BEAMS, "log", "-1", "--format=%H%D") == before
    assert edited.read_text().endswith("# mine\n")


def test_a_clone_that_has_no_more_than_its_files(app: Installed, tmp_path: Path):
    app.git(app.folder, "clone", "--quiet", str(app.folder), str(tmp_path / "clone"))
    clone = Installed(tmp_path / "clone", app.git)
    assert f"acme-beams: {BEAMS} is empty." in clone.says()
    assert "acme-loads: it is not installed: the app has no virtual environment yet." in clone.says()
    clone.is_mended_by(INSTALL)


# ---------------------------------------------------------------------------
# What is wanted, locked and pinned
# ---------------------------------------------------------------------------


def test_a_change_that_was_not_made_yet(app: Installed):
    change_wanted(app.folder, "v1.2.3", "v1.1.0")
    assert "acme-beams: the change from v1.2.3 to v1.1.0 was not made yet." in app.says()
    assert ("change-not-made", "acme-beams", SYNC) in app.problems()
    app.is_mended_by(SYNC)
    assert app.git(app.folder / BEAMS, "describe", "--tags") == "v1.1.0"


def test_changes_of_all_packages_are_made_by_one_command(app: Installed):
    for old, new in (("v1.2.3", "v1.1.0"), ("v0.9.0", "v0.8.0"), ("2.1.0", "2.0.0")):
        change_wanted(app.folder, old, new)
    said = app.says()
    for change in (
        "v1.2.3 to v1.1.0",
        "v0.9.0 to v0.8.0",
        "2.1.0 to acme-units==2.0.0",
    ):
        assert f"the change from {change} was not made yet" in said
    app.is_mended_by(INSTALL)


def test_a_pin_that_was_moved_by_hand(app: Installed):
    old, older = (app.git(app.folder / BEAMS, "rev-parse", f"{tag}^{{}}") for tag in ("v1.2.3", "v1.1.0"))
    app.git(app.folder / BEAMS, "checkout", "--quiet", "v1.1.0")
    app.git(app.folder, "add", BEAMS)
    assert f"its pin was moved by hand to {older[:10]}; v1.2.3 stood for {old[:10]}" in app.says()
    app.is_mended_by(f"python -m private_packages move acme-beams {older}")
    assert app.git(app.folder, "ls-files", "--stage", BEAMS).split()[1] == older


def test_another_commit_that_was_checked_out_by_hand(app: Installed):
    app.git(app.folder / BEAMS, "checkout", "--quiet", "v1.1.0")
    app.is_mended_by(f"python -m private_packages exec git submodule update --init {BEAMS}")


def test_an_address_in_gitmodules_that_is_not_the_wanted_one(app: Installed):
    app.git(
        app.folder,
        "config",
        "--file",
        ".gitmodules",
        f"submodule.{BEAMS}.url",
        "https://evil.example/x.git",
    )
    assert "acme-beams: .gitmodules fetches it from https://evil.example/x.git" in app.says()
    app.is_mended_by(SYNC)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("requirements.txt", "acme-units==2.1.0", "acme-units>=2"),
        ("requirements.txt", f"-e ./{BEAMS}\n", ""),
        (".gitignore", "\n.env\n", "\n"),
        (".env.example", "ACME_USER=", "ACME_USER=me"),
    ],
)
def test_a_block_that_was_edited_by_hand(app: Installed, file: str, old: str, new: str):
    path = app.folder / file
    before = path.read_text()
    assert old in before
    path.write_text(f"# mine\n{before.replace(old, new)}# mine, too\n")
    assert app.problems() == [("block", None, SYNC)]
    assert f"the block in {file} is not what sync writes" in app.says()
    app.is_mended_by(SYNC)
    assert path.read_text() == f"# mine\n{before}# mine, too\n"


def test_an_edited_line_is_shown_without_a_login(app: Installed):
    requirements = app.folder / "requirements.txt"
    requirements.write_text(
        re.sub(
            r"(acme-loads.*)\$\{ACME_TOKEN\}(.*)@v0.9.0",
            r"\1secret\2@main",
            requirements.read_text(),
        )
    )
    said = app.says()
    assert "`acme-loads @ git+http://127.0.0.1" in said
    assert "secret" not in said


# ---------------------------------------------------------------------------
# What is installed and imported
# ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("installed", "wrong"),
    [
        (
            "acme-loads @ git+{url}@v0.8.0",
            r"commit \w{10} is installed, and \w{10} \(v0\.9\.0\) is wanted",
        ),
        (
            "acme-loads==0.8.0",
            "it was installed from an index, not from its repository",
        ),
        ("acme-units==2.0.0", r"version 2\.0\.0 is installed, and 2\.1\.0 is wanted"),
        (
            "acme-units @ file://{units}",
            "it was installed from .*units, not from the index",
        ),
        (
            "acme-beams==1.2.3",
            f"version 1.2.3 is installed from an index, not from {BEAMS}",
        ),
    ],
)
def test_an_installation_of_something_else(
    app: Installed, hosts: DemoHosts, tmp_path: Path, installed: str, wrong: str
):
    app.git(tmp_path, "clone", "--quiet", str(hosts.git.path_of("acme-units")), "units")
    url = hosts.git.url_of("acme-loads").replace("://", f"://x-access-token:{hosts.variables['ACME_TOKEN']}@")
    login = f"://{hosts.variables['ACME_USER']}:{hosts.variables['ACME_PASSWORD']}@"
    pip = [
        "uv",
        "pip",
        "install",
        "--quiet",
        "--python",
        python_of(app.folder / ".venv"),
        "--no-deps",
    ]
    index = ["--index-url", hosts.index_url.replace("://", login), "--reinstall"]
    runs.run(
        [*pip, *index, installed.format(url=url, units=tmp_path / "units")],
        app.folder,
        {"UV_NO_CACHE": "1"},
    )
    name = installed.partition("=")[0].partition(" ")[0]
    assert re.search(rf"\n{name}: {wrong}\.\n  {INSTALL}\n", app.says()), app.says()
    app.is_mended_by(INSTALL)


def test_an_app_that_was_moved_with_its_environment(app: Installed, tmp_path: Path):
    moved = Installed(
        Path(shutil.copytree(app.folder, tmp_path / "moved app", symlinks=True)),
        app.git,
    )
    assert f"is installed from {app.folder / BEAMS}, not from {BEAMS}" in moved.says()
    moved.is_mended_by(INSTALL)


def test_a_package_that_is_not_installed(app: Installed):
    python = python_of(app.folder / ".venv")
    runs.run(
        ["uv", "pip", "uninstall", "--quiet", "--python", python, "acme-loads"],
        app.folder,
        {},
    )
    assert app.problems() == [("not-installed", "acme-loads", INSTALL)]
    app.is_mended_by(INSTALL)


def test_an_environment_whose_python_is_gone(app: Installed):
    python = python_of(app.folder / ".venv")
    python.unlink()
    python.symlink_to(app.folder / "nowhere")
    said = app.says()
    assert (
        f"the Python of .venv does not run on this machine; delete that folder, then type `{INSTALL}`" in said
    )
    assert "Type:" not in said
    shutil.rmtree(app.folder / ".venv")
    app.is_mended_by(INSTALL)


def test_a_package_that_is_imported_from_elsewhere(app: Installed):
    """No command knows whose the other file is."""
    (site,) = (app.folder / ".venv").rglob("site-packages")
    (site / "acme_beams.py").write_text("# an old copy\n")
    (app.folder / "acme_units.py").write_text("# a scratch file\n")
    said = app.says()
    assert (
        f"acme-beams: `import acme_beams` takes {site / 'acme_beams.py'}, not {BEAMS}; remove that." in said
    )
    assert (
        f"acme-units: `import acme_units` takes {app.folder / 'acme_units.py'}, not what is installed" in said
    )
    assert "Type:" not in said
    (site / "acme_beams.py").unlink()
    (app.folder / "acme_units.py").unlink()
    assert app.problems() == []


def test_another_python_than_the_app_s_own(app: Installed, tmp_path: Path):
    """The doctor among the app's tests asks about the Python that runs the tests, and `install` does not fill that."""
    another = runs.make_environment(tmp_path)
    done = app.type(f"{STATUS} --python {another}")
    assert done.returncode == 1
    assert f"acme-loads: it is not installed for {another}, which is not the app's own Python." in done.stdout
    assert done.stdout.endswith("Type: python -m private_packages exec python -m unittest\n")
    assert "OK" in app.types("python -m private_packages exec python -m unittest")


# ---------------------------------------------------------------------------
# The unit itself, and the variables
# ---------------------------------------------------------------------------


TAKE_BACK = "git checkout HEAD -- private_packages"
RECOPY = "copier recopy --trust --defaults --overwrite --vcs-ref :current:"


def test_a_file_of_the_unit_that_was_edited(app: Installed):
    names = app.folder / "private_packages" / "names.py"
    before = names.read_text()
    names.write_text(before + "# mine\n")
    (app.folder / "private_packages" / "mine.py").write_text("# beside them\n")
    assert app.problems() == [("edited-file", None, TAKE_BACK)]
    assert "names.py: edited in private_packages, which is the template's." in app.says()
    app.is_mended_by(TAKE_BACK)
    assert names.read_text() == before


def test_a_file_of_the_unit_whose_edit_is_committed(app: Installed):
    """Then the template alone has it as it was."""
    names = app.folder / "private_packages" / "names.py"
    before = names.read_text()
    names.write_text(before + "# mine\n")
    app.commit()
    app.is_mended_by(RECOPY)
    assert names.read_text() == before


@pytest.mark.parametrize("name", ["inside.py", "hosts.json", "blocks.py", "manifest.txt"])
def test_a_file_of_the_unit_that_is_missing(app: Installed, name: str):
    """Even one without which the command cannot work."""
    (app.folder / "private_packages" / name).unlink()
    done = app.type(STATUS)
    assert done.returncode == 1
    assert TAKE_BACK in done.stdout + done.stderr
    app.types(TAKE_BACK)
    assert app.types(STATUS).endswith("Everything is as it should be.\n")


def test_every_variable_without_a_value_is_named_at_once_and_comes_first(
    app: Installed,
):
    change_wanted(app.folder, "v0.9.0", "v0.8.0")
    done = app.type(STATUS, ACME_TOKEN="", ACME_USER="", ACME_PASSWORD="")
    assert done.returncode == 1
    assert f"\nACME_TOKEN, ACME_USER and ACME_PASSWORD have no value.\n  {LOGIN}\n" in done.stdout
    assert done.stdout.endswith(f"\nType: {LOGIN}\n")
    # What `login` writes is what counts from then on.
    values = dict.fromkeys(("ACME_TOKEN", "ACME_USER", "ACME_PASSWORD"), "")
    (app.folder / ".env").write_text("ACME_TOKEN=t\nACME_USER=u\nACME_PASSWORD=p\n")
    assert app.type(STATUS, **values).stdout.endswith(f"\nType: {SYNC}\n")


# ---------------------------------------------------------------------------
# A tag that moved
# ---------------------------------------------------------------------------


@pytest.fixture
def moving(template: Path, tmp_path: Path, git: Git) -> Iterator[tuple[Installed, Path, dict[str, str]]]:
    """An app whose tag somebody moves, as a submodule: the app, the repository, the variables."""
    repository = make_repository(
        tmp_path / "git" / "acme",
        "acme-units",
        source_files("acme-units", "1.0.0"),
        tags=["v1"],
    )
    with GitHost(tmp_path / "git", "token") as host:
        answers = {
            "python_version": "3.11",
            "submodule_packages": git_line(host, "acme-units", "v1"),
        }
        runs.generate(template, tmp_path / "app", answers, {"ACME_TOKEN": "token"})
        yield Installed(tmp_path / "app", git), repository, {"ACME_TOKEN": "token"}


def test_a_tag_that_moved_is_told_by_check_and_the_pin_stays_until_it_is_moved(
    moving: tuple[Installed, Path, dict[str, str]],
):
    app, repository, variables = moving
    units = "app/submodules/acme-units"
    before = app.git(app.folder / units, "rev-parse", "HEAD")
    after = commit(repository, {"NEW.md": "new"}, tag="v1")
    checked = app.type("python -m private_packages check", **variables)
    assert checked.returncode == 0
    told = f"`v1` is commit {after[:10]} by now, and the lock says {before[:10]}, which stays. To take it: "
    assert f"note: acme-units: {told}" in checked.stderr
    assert app.git(app.folder / units, "rev-parse", "HEAD") == before
    (command,) = re.findall(r"To take it: (.*)", checked.stderr)
    assert command == "python -m private_packages move acme-units v1"
    assert app.type(command, **variables).returncode == 0
    assert app.git(app.folder / units, "rev-parse", "HEAD") == after
    assert "note:" not in app.type("python -m private_packages check", **variables).stderr
