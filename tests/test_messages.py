"""What a person reads after a copy and an update: the same words in every shell, and they work when they are typed."""

from __future__ import annotations

import io
import itertools
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import messages
import pytest
import sync
from apps import HOOK, copier, data, release, render
from private_packages.app import App, open_app
from private_packages.output import Output

from demo import runs
from demo.hosts import DemoHosts
from template import cannot_be_updated

ESCAPE = "\x1b"
LOGIN = "python -m private_packages login"
SYNC = "python -m private_packages sync"
INSTALL = "python -m private_packages install"
TEST = "python -m private_packages exec python -m unittest"
RUN = "python -m private_packages exec python -m app"
LINES = {
    "submodule_packages": "acme-beams @ https://x-access-token:${ACME_TOKEN}@git.acme.example/a/beams.git@v1",
    "git_packages": "acme-loads @ git+https://x-access-token:${ACME_TOKEN}@git.acme.example/a/loads.git@v1",
    "index_packages": "acme-units==2.1.0",
    "index_url": "https://${ACME_USER}:${ACME_PASSWORD}@packages.acme.example/simple/",
}
SUBMODULE = {"strategies": ["submodule"], "submodule_packages": LINES["submodule_packages"]}


def rendered(template: Path, app: Path, *strategies: str, **answers: object) -> Path:
    """An app with one package of each strategy, without the hook's work."""
    wanted = {name: line for name, line in LINES.items() if name.partition("_")[0] in strategies}
    return render(template, app, strategies=list(strategies), **wanted, **answers)


def opened(app: Path, **environ: str) -> App:
    """The app for a person whose environment has these variables only."""
    return open_app(app, environ, Output(io.StringIO(), environ))


def steps(app: Path, *, update: bool = False, **environ: str) -> list[str]:
    """The list for a person who stands beside the app, and who has uv."""
    environ = {"PWD": str(app.parent), "PATH": runs.outside()["PATH"], **environ}
    return list(messages.commands(opened(app, **environ), environ, update=update))


def shown(said: str) -> list[str]:
    """The commands that a message lists, without colours and comments."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", said).replace("\r\n", "\n")
    block = re.search(r"(?:Next:\n|type:)\n((?:  .*\n)+)", plain)
    assert block, said
    return [line[2:] for line in block[1].splitlines() if not line.startswith("  #")]


# ---------------------------------------------------------------------------
# The list
# ---------------------------------------------------------------------------


def test_an_app_without_packages_is_installed_tested_run_and_committed(questionnaire: Path, tmp_path: Path):
    assert steps(rendered(questionnaire, tmp_path / "my-app")) == [
        *("cd my-app", INSTALL, TEST, RUN, "git add --all ."),
        'git commit -m "Start from the template"',
    ]


@pytest.mark.parametrize(
    "strategies", [["submodule"], ["git"], ["index"], ["submodule", "git", "index"]], ids=str
)
def test_variables_without_a_value_are_asked_for_by_login_before_anything_is_installed(
    questionnaire: Path, tmp_path: Path, strategies: list[str]
):
    app = rendered(questionnaire, tmp_path / "my-app", *strategies)
    assert steps(app)[:3] == ["cd my-app", LOGIN, INSTALL]


def test_variables_that_have_values_are_not_asked_for(questionnaire: Path, tmp_path: Path):
    """Whoever gave them: the environment, `.env`, or both."""
    app = rendered(questionnaire, tmp_path / "my-app", "index")
    assert LOGIN in steps(app, ACME_USER="u")
    assert LOGIN not in steps(app, ACME_USER="u", ACME_PASSWORD="p")
    (app / ".env").write_text("ACME_PASSWORD=p\n")
    assert LOGIN in steps(app)
    assert LOGIN not in steps(app, ACME_USER="u")


def test_a_viktor_app_is_started_by_viktor_s_own_tool(questionnaire: Path, tmp_path: Path):
    found = steps(rendered(questionnaire, tmp_path / "my-app", platform="viktor"))
    assert found[3:5] == [
        "python -m private_packages exec viktor-cli install",
        "python -m private_packages exec viktor-cli start",
    ]
    assert RUN not in found


def test_in_a_folder_of_a_larger_repository_it_is_said_which_files_belong_to_the_top(
    questionnaire: Path, tmp_path: Path
):
    app = rendered(questionnaire, tmp_path / "apps" / "one", ci="github")
    assert not [step for step in steps(app) if step.startswith("# move")]
    (tmp_path / ".git").mkdir()
    wanted = "# move .github/workflows/ci.yml and renovate.json to the top of the repository, and let its steps run in apps/one"
    assert wanted in steps(app)


def test_an_existing_app_is_installed_and_committed_and_its_own_way_to_run_is_its_own(
    questionnaire: Path, tmp_path: Path
):
    app = tmp_path / "my-app"
    app.mkdir()
    (app / "app.py").write_text("import viktor\n")
    rendered(questionnaire, app, "submodule", start="existing", platform="viktor")
    assert steps(app, ACME_TOKEN="x") == [
        "cd my-app",
        "# let the first line of code in app.py be: import _submodules",
        INSTALL,
        "git add --all .",
        'git commit -m "Add private packages"',
    ]
    (app / "app.py").write_text("import _submodules\nimport viktor\n")
    assert "# let" not in "".join(steps(app, ACME_TOKEN="x"))


def test_who_has_no_uv_gets_it_first(questionnaire: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    app = rendered(questionnaire, tmp_path / "my-app", "index")
    monkeypatch.setattr(messages.importlib.util, "find_spec", lambda name: None)
    assert "python -m pip install uv" not in steps(app)
    assert steps(app, PATH=str(tmp_path))[:3] == ["cd my-app", "python -m pip install uv", LOGIN]


def test_after_an_update_one_looks_installs_tests_and_commits_what_is_the_app_s(
    questionnaire: Path, tmp_path: Path
):
    """Also in a folder of a larger repository."""
    app = rendered(questionnaire, tmp_path / "my-app", "git")
    assert steps(app, update=True, PWD=str(app), ACME_TOKEN="t") == [
        *("git diff", INSTALL, TEST, "git add --all ."),
        'git commit -m "Update from the template"',
    ]
    # Without PWD nobody knows where the person is: most probably in the app.
    assert steps(app, update=True, PWD="", ACME_TOKEN="t")[0] == "git diff"


@pytest.mark.parametrize("platform", ["python", "viktor"])
def test_with_heading_and_last_line_it_is_never_longer_than_sixteen_lines(
    questionnaire: Path, tmp_path: Path, platform: str, monkeypatch: pytest.MonkeyPatch
):
    app = rendered(questionnaire, tmp_path / "my-app", "submodule", "git", "index", platform=platform)
    monkeypatch.setattr(messages.importlib.util, "find_spec", lambda name: None)
    heading_and_readme = 4
    assert len(steps(app, PATH="")) + heading_and_readme <= 16


# ---------------------------------------------------------------------------
# Every shell
# ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("platform", "update"), list(itertools.product(["python", "viktor"], [False, True])), ids=str
)
def test_no_line_has_anything_that_two_shells_read_in_two_ways(
    questionnaire: Path, tmp_path: Path, platform: str, update: bool, monkeypatch: pytest.MonkeyPatch
):
    """bash, zsh, fish, PowerShell 5.1 and 7, and cmd.exe, in a folder with a blank."""
    app = rendered(questionnaire, tmp_path / "my app", "submodule", "git", "index", platform=platform)
    monkeypatch.setattr(messages.importlib.util, "find_spec", lambda name: None)
    said = [*steps(app, update=update, PATH="")]
    said += [line.strip() for line, kind in messages.finish(app, opened(app), {"PWD": str(tmp_path)}) if kind]
    assert len(said) > 7
    for line in said:
        bare = re.sub(r'"[\w ]+"', "word", line)
        assert re.fullmatch(r"[\w ./:-]+", bare), line
        assert bare.split()[0] in ("cd", "python", "git"), line


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("my-app_1.0", "cd my-app_1.0"),
        ("my app", 'cd "my app"'),
        ("it's", 'cd "it\'s"'),
        ("a;b&c|d", 'cd "a;b&c|d"'),
        ("#1", 'cd "#1"'),
        ("@x", 'cd "@x"'),
        ("a,b(c)", 'cd "a,b(c)"'),
        ("über", "cd über"),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="asks a POSIX shell")
def test_the_way_to_a_folder_is_one_that_a_shell_understands(tmp_path: Path, name: str, command: str):
    (tmp_path / name).mkdir()
    assert list(messages.way_to(tmp_path / name, {"PWD": str(tmp_path)}, update=False)) == [command]
    done = subprocess.run(
        ["sh", "-c", f"{command} && pwd"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{tmp_path / name}\n"


@pytest.mark.parametrize("name", ["a$HOME", "a`x`", "100%", "a!b", "app[1]", "a”b", "-x", "~x"])
def test_a_folder_that_no_one_line_enters_in_every_shell_is_told_in_words(tmp_path: Path, name: str):
    (tmp_path / name).mkdir()
    said = list(messages.way_to(tmp_path / name, {"PWD": str(tmp_path)}, update=False))
    assert said == [f"# go to the folder {name}"]


def test_a_path_of_windows_keeps_its_backslashes_in_every_shell():
    """Bare ones a POSIX shell takes away; `PWD` is missing in PowerShell and cmd.exe."""
    assert list(messages.way_to(Path(r"C:\apps\one"), {}, update=False)) == [r'cd "C:\apps\one"']


def test_the_way_to_the_app_starts_where_the_person_is(tmp_path: Path):
    app, elsewhere = tmp_path / "apps" / "my-app", tmp_path / "elsewhere"
    app.mkdir(parents=True)
    elsewhere.mkdir()

    def way(start: Path | str) -> list[str]:
        return list(messages.way_to(app, {"PWD": str(start)}, update=False))

    assert way(tmp_path) == ["cd apps/my-app"]
    assert way(app) == []
    for unknown in (elsewhere, "", tmp_path / "gone"):
        assert way(unknown) == [f"cd {app}"]


# ---------------------------------------------------------------------------
# The whole message
# ---------------------------------------------------------------------------


def new_app(template: Path, folder: Path, *options: str, **environment: str):
    """`copier copy` of an app without packages, as a person in that folder types it."""
    arguments = ("copy", "--trust", "--defaults", *options, template, "my app")
    return copier(*arguments, cwd=folder, PWD=str(folder), **environment)


def test_a_copy_ends_with_what_to_type_and_where_to_read_on(questionnaire: Path, tmp_path: Path):
    done = new_app(questionnaire, tmp_path)
    assert shown(done.stderr)[0] == 'cd "my app"'
    assert done.stderr.count("my app is ready. Next:") == 1
    assert done.stderr.rstrip().endswith("README.md and docs/private-packages.md tell the rest.")


def test_without_the_hook_it_says_so_and_what_does_its_work(questionnaire: Path, tmp_path: Path):
    done = new_app(questionnaire, tmp_path, "--skip-tasks", *data(SUBMODULE))
    said = done.stderr[done.stderr.index("my app is ready") :]
    assert "its README.md says what to type, under Set-up" in said
    assert "no submodule is fetched" in said
    assert f"`{SYNC}`" in said
    assert "## Set-up" in (tmp_path / "my app" / "README.md").read_text(encoding="utf-8")
    assert len(said.strip().splitlines()) == 3


def test_a_quiet_copy_says_nothing(questionnaire: Path, tmp_path: Path):
    assert new_app(questionnaire, tmp_path, "--quiet").stderr == ""
    assert (tmp_path / "my app" / ".git").is_dir()


def test_when_a_package_is_missing_only_the_cure_is_shown(questionnaire: Path, tmp_path: Path):
    """A list of next commands would have the person install half an app."""
    said = new_app(questionnaire, tmp_path, *data(SUBMODULE), ACME_TOKEN="").stderr
    assert "The app is complete, but its private packages are not:\n  acme-beams: " in said
    assert "Once that is put right, type:\n" in said
    assert shown(said) == ['cd "my app"', LOGIN, SYNC]
    assert "Next:" not in said


def test_login_is_no_cure_where_every_variable_has_a_value(questionnaire: Path, tmp_path: Path):
    """The package's host does not exist."""
    said = new_app(questionnaire, tmp_path, *data(SUBMODULE), ACME_TOKEN="t").stderr
    assert shown(said) == ['cd "my app"', SYNC]


def test_an_update_says_what_to_look_at(template: Path, tmp_path: Path, git):
    assert new_app(template, tmp_path).returncode == 0
    app = tmp_path / "my app"
    git(app, "add", "--all")
    git(app, "commit", "--quiet", "-m", "Start")
    done = copier("update", "--trust", "--defaults", "--vcs-ref", ":current:", cwd=app, PWD=str(app))
    assert "my app is up to date. Next:" in done.stderr
    assert shown(done.stderr)[:2] == ["git diff", INSTALL]


def test_a_file_that_a_person_broke_does_not_cost_the_app(questionnaire: Path, tmp_path: Path):
    (tmp_path / "my app").mkdir()
    (tmp_path / "my app" / ".env").write_text("ACME_TOKEN\n")
    done = new_app(questionnaire, tmp_path, *data(SUBMODULE))
    assert done.returncode == 0
    assert "  Line 1 of .env is not of the form NAME=value; correct it.\n" in done.stderr
    assert shown(done.stderr) == ['cd "my app"', SYNC]
    assert (tmp_path / "my app" / "private-packages.toml").is_file()


# ---------------------------------------------------------------------------
# The hook by hand
# ---------------------------------------------------------------------------


def test_a_run_by_hand_says_nothing_when_all_is_well(questionnaire: Path, tmp_path: Path):
    app = rendered(questionnaire, tmp_path / "my-app")
    by_hand = subprocess.run(HOOK, cwd=app, capture_output=True, text=True, check=True)
    assert by_hand.stderr == ""
    assert (app / ".git").is_dir()


def test_the_hook_s_help_says_what_it_is(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        sync.main(["--help"], {})
    assert ended.value.code == 0
    assert "What Copier runs after a copy" in capsys.readouterr().out


@pytest.mark.parametrize("typed", ["--loud", "--answers-file", "--quiet=yes", "elsewhere"])
def test_what_the_hook_does_not_take_is_answered_in_words_and_nothing_is_done(
    typed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        sync.main([typed], {})
    assert ended.value.code == 2
    assert typed.partition("=")[0] in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


# ---------------------------------------------------------------------------
# Terminals
# ---------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminal for pexpect")
@pytest.mark.parametrize(
    ("environment", "coloured"),
    [
        ({"TERM": "xterm-256color"}, True),
        ({"TERM": "dumb"}, False),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False),
    ],
    ids=["a terminal", "a dumb terminal", "NO_COLOR"],
)
def test_colours_are_for_terminals_whose_owner_wants_them(
    questionnaire: Path, tmp_path: Path, environment: dict[str, str], coloured: bool
):
    pexpect = pytest.importorskip("pexpect")
    said, status = pexpect.run(
        shlex.join(
            [sys.executable, "-m", "copier", "copy", "--trust", "--defaults", str(questionnaire), "app1"]
        ),
        cwd=str(tmp_path),
        env={**{name: value for name, value in os.environ.items() if name != "NO_COLOR"}, **environment},
        withexitstatus=True,
        encoding="utf-8",
        timeout=60,
    )
    assert status == 0, said
    start = said.rindex("\n", 0, said.index("app1 is ready"))
    end = said.index("README.md and docs")
    assert (ESCAPE in said[start:end]) is coloured
    assert TEST in shown(said[start:end])


def test_what_goes_into_a_file_has_no_escape_code(questionnaire: Path, tmp_path: Path):
    """Of the hook's and the messages'; Copier colours the names of files by rules of its own."""
    missing = new_app(questionnaire, tmp_path, *data(SUBMODULE), ACME_TOKEN="", TERM="xterm").stderr
    assert ESCAPE not in missing[missing.index("The app is complete") :]
    (tmp_path / "another").mkdir()
    ready = new_app(questionnaire, tmp_path / "another", TERM="xterm").stderr
    assert ESCAPE not in ready[ready.index("my app is ready") :]


# ---------------------------------------------------------------------------
# Typed
# ---------------------------------------------------------------------------


def typed_in_bash(folder: Path, commands: list[str], environment: dict[str, str]) -> str:
    """What bash says about the commands, each of which has to succeed; `python` is the machine's own."""
    programs = folder / "programs"
    programs.mkdir()
    (programs / "python").write_text(f'#!/bin/sh\nexec {shlex.quote(runs.PYTHON)} "$@"\n')
    (programs / "python").chmod(0o755)
    done = subprocess.run(
        ["bash", "-e"],
        input="\n".join(commands),
        cwd=folder,
        env={**environment, "PATH": os.pathsep.join([str(programs), environment["PATH"]])},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="types into a POSIX shell")
@pytest.mark.parametrize("fetched", [True, False], ids=["a whole copy", "a copy without a login"])
def test_what_is_shown_after_a_copy_works_as_it_is_typed(
    questionnaire: Path, hosts: DemoHosts, tmp_path: Path, fetched: bool
):
    """Every strategy, in a folder with a blank; what `login` asks for is written into `.env` instead."""
    values = "".join(f"{name}={value}\n" for name, value in hosts.variables.items())
    if fetched:
        (tmp_path / "my app").mkdir()
        (tmp_path / "my app" / ".env").write_text(values)
    answers = {"python_version": "3.11", **hosts.answers("mixed")}
    done = new_app(questionnaire, tmp_path, *data(answers))
    assert done.returncode == 0, done.stderr
    commands = shown(done.stderr)
    if not fetched:
        assert commands == ['cd "my app"', LOGIN, SYNC]
        commands[1] = f"cat > .env <<'END'\n{values}END"
        commands += [INSTALL, TEST, RUN, "git add --all ."]
    said = typed_in_bash(tmp_path, commands, runs.outside())
    app = tmp_path / "my app"
    tracked = subprocess.run(["git", "ls-files"], cwd=app, capture_output=True, text=True, check=True).stdout
    assert "app/submodules/acme-beams" in tracked.splitlines()
    assert ".env" not in tracked.splitlines()
    # The app runs with its packages, and the doctor among its tests is content.
    assert "Hello from my-app.\n  acme-beams: 1.2.3\n" in said, said
    assert re.search(r"\nOK\b", said), said
    if not fetched:
        assert f"Next: {INSTALL}" in said


# ---------------------------------------------------------------------------
# The template's address, and its news
# ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "source",
    [
        *("gh:acme/app-template", "https://git.acme.example/acme/t.git", "git@github.com:acme/t.git"),
        *("https://git.acme.example/tmp/t.git", "/srv/t", "/srv/tmp/t", "/tmpl/t", "file:///srv/t", "C:/t", "~/t", "~nobody-here/t"),
    ],
)  # fmt: skip
def test_an_address_that_works_from_everywhere_is_not_spoken_of(
    tmp_path: Path, source: str, monkeypatch: pytest.MonkeyPatch
):
    # Whoever runs the tests may have a home among the temporary files.
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, "/srv/home")
    answers = tmp_path / ".copier-answers.yml"
    answers.write_text(f"_commit: v1.0.0\n_src_path: {source}\n")
    assert cannot_be_updated(answers, {"TMPDIR": "/srv/scratch", "TEMP": ""}) == ""


@pytest.mark.skipif(sys.platform == "win32", reason="paths of POSIX systems")
@pytest.mark.parametrize(
    "source",
    ["/tmp/t", "/tmp/a/../t", "file:///tmp/t", "git+file:///tmp/t", "file://localhost/var/tmp/t", "/srv/scratch/t", "{link}/t"],
)  # fmt: skip
def test_a_template_in_a_folder_for_temporary_files_will_vanish_and_that_is_said(tmp_path: Path, source: str):
    (tmp_path / "link").symlink_to("/tmp")
    source = source.format(link=tmp_path / "link")
    answers = tmp_path / ".copier-answers.yml"
    answers.write_text(f"_commit: v1.0.0\n_src_path: {source}\n")
    said = cannot_be_updated(answers, {"TMPDIR": "/srv/scratch"})
    assert said.startswith(
        f"`copier update` will not find the template again: {source} is in a folder for temporary files."
    )
    assert "`copier copy --trust --overwrite ADDRESS .`" in said


def test_the_system_s_own_folder_for_temporary_files_is_known_by_its_variable(tmp_path: Path):
    """%TEMP% of Windows, $TMPDIR of macOS."""
    folder = Path(tmp_path.anchor, "scratch")
    answers = tmp_path / ".copier-answers.yml"
    answers.write_text(f"_commit: v1.0.0\n_src_path: {folder / 't'}\n")
    assert cannot_be_updated(answers, {}) == ""
    for name in ("TEMP", "TMP", "TMPDIR"):
        assert "a folder for temporary files" in cannot_be_updated(answers, {name: str(folder)})


def test_an_app_that_cannot_be_updated_from_where_it_came_is_told_at_once(template: Path, tmp_path: Path):
    shutil.copytree(template, tmp_path / "t")
    made = copier("copy", "--trust", "--defaults", "t", "app", cwd=tmp_path)
    assert made.returncode == 0
    assert "Beware: `copier update` will look for the template at t from wherever it is typed." in made.stderr
    assert "Copy once more with the address of its repository" in made.stderr
    bare = shutil.copytree(template, tmp_path / "unpacked", ignore=shutil.ignore_patterns(".git"))
    made = copier("copy", "--trust", "--defaults", bare, "other", cwd=tmp_path)
    assert (
        f"Beware: `copier update` cannot work: {bare} is a folder without a Git history of its own."
        in made.stderr
    )
    made = copier("copy", "--trust", "--defaults", template, "third", cwd=tmp_path)
    assert f"Beware: `copier update` will not find the template again: {template} is in" in made.stderr
    # What can be updated is not spoken of.
    address = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{template.as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://git.acme.example/acme/t.git",
    }
    source = "https://git.acme.example/acme/t.git"
    made = copier("copy", "--trust", "--defaults", source, "fourth", cwd=tmp_path, **address)
    assert made.returncode == 0, made.stderr
    assert "Beware" not in made.stderr
    # What is said to be the cure is one, once the app is committed.
    release(tmp_path / "third", "start")
    cured = copier(
        "copy", "--trust", "--defaults", "--overwrite", source, ".", cwd=tmp_path / "third", **address
    )
    assert cured.returncode == 0 and "Beware" not in cured.stderr, cured.stderr
    release(tmp_path / "third", "cured")
    updated = copier("update", "--trust", "--defaults", cwd=tmp_path / "third", **address)
    assert updated.returncode == 0, updated.stderr


def test_a_template_inside_another_repository_is_told_by_whether_it_has_a_history_of_its_own(
    template: Path, tmp_path: Path, git
):
    git(tmp_path, "init", "--quiet", "outer")
    inner = tmp_path / "outer" / "inner"
    answers = tmp_path / "app" / ".copier-answers.yml"
    shutil.copytree(template, inner)
    assert copier("copy", "--trust", "--defaults", inner, "app", cwd=tmp_path).returncode == 0
    release(answers.parent, "start")
    assert copier("update", "--trust", "--defaults", cwd=answers.parent).returncode == 0
    unpacked = shutil.copytree(
        template, tmp_path / "outer" / "unpacked", ignore=shutil.ignore_patterns(".git")
    )
    made = copier("copy", "--trust", "--defaults", unpacked, "other", cwd=tmp_path)
    assert f"{unpacked} is a folder without a Git history of its own." in made.stderr


def test_an_app_made_inside_the_clone_of_its_template_is_told_to_stand_elsewhere(
    template: Path, tmp_path: Path
):
    clone = Path(shutil.copytree(template, tmp_path / "t"))
    made = copier("copy", "--trust", "--defaults", clone, "my-app", cwd=clone)
    assert made.returncode == 0, made.stderr
    assert f"Beware: this app is in the clone of a template, {clone}, so Git takes its files" in made.stderr
    assert "Copy once more, to a folder outside of it." in made.stderr


def test_an_update_says_from_which_release_to_which_and_what_is_new_between(
    template: Path, tmp_path: Path, git
):
    source = Path(shutil.copytree(template, tmp_path / "t"))
    copier("copy", "--trust", "--defaults", source, "app", cwd=tmp_path)
    app = tmp_path / "app"
    release(app, "start")
    changes = "# Changelog\n\n## v1002.0.0\n\n- Beams bend.\n\n## [1001.0.0]\n\n- Loads load.\n\n## 1000.0.0\n\n- Old.\n"
    for version in ("v1001.0.0", "v1002.0.0"):
        (source / "CHANGELOG.md").write_text(changes)
        release(source, version)
    updated = copier("update", "--trust", "--defaults", cwd=app)
    assert updated.returncode == 0, updated.stderr
    assert "The template went from v1000.0.0 to v1002.0.0." in updated.stderr
    assert "  - Beams bend." in updated.stderr and "  - Loads load." in updated.stderr
    assert "- Old." not in updated.stderr
    again = copier("update", "--trust", "--defaults", cwd=app)
    assert "The template went" not in again.stderr
