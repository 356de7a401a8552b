"""What a person reads after a copy and an update, and that it works when it is typed."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import copier as copier_library
import pytest
import sync
from apps import HOOK, copier, data
from shell import POSIX, POWERSHELL, change_folder, in_turn, quote, shell_in_use
from steps import next_steps

from demo.hosts import DemoHosts

ESCAPE = "\x1b"
# What a person's own shell sets, wherever the tests run.
IN_SH = {"SHELL": "/bin/sh", "PSModulePath": ""}
LINES = {
    "submodule_packages": "acme-beams @ https://x-access-token:${ACME_TOKEN}@git.acme.example/a/beams.git@v1",
    "git_packages": "acme-loads @ git+https://x-access-token:${ACME_TOKEN}@git.acme.example/a/loads.git@v1",
    "index_packages": "acme-units==2.1.0",
    "index_url": "https://${ACME_USER}:${ACME_PASSWORD}@packages.acme.example/simple/",
}


def rendered(template: Path, app: Path, *strategies: str, **answers: object) -> Path:
    """An app with one package of each strategy, without the hook's work."""
    wanted = {name: line for name, line in LINES.items() if name.partition("_")[0] in strategies}
    answers = {"strategies": list(strategies), **wanted, **answers}
    copier_library.run_copy(str(template), app, data=answers, defaults=True, skip_tasks=True, quiet=True)
    return app


def steps(
    app: Path, operation: str = "copy", *, windows: bool = False, inside: bool = False, **environ: str
) -> list[str]:
    """The list for a person who stands beside the app, in a shell that has these variables only."""
    if not windows:
        environ.setdefault("PWD", str(app.parent))
    return next_steps(app, operation, environ, inside=inside, windows=windows)


def shown(said: str) -> list[str]:
    """The commands that a message lists, without colours and comments."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", said).replace("\r\n", "\n")
    block = re.search(r"Next:\n\n((?:  .*\n)+)", plain)
    assert block, said
    return [line[2:] for line in block[1].splitlines() if not line.startswith("  #")]


# ---------------------------------------------------------------------------
# The list
# ---------------------------------------------------------------------------


def test_an_app_without_packages_has_nothing_to_set_and_nothing_to_check(questionnaire: Path, tmp_path: Path):
    assert steps(rendered(questionnaire, tmp_path / "my-app")) == [
        "cd my-app",
        "python3 -m venv .venv && . .venv/bin/activate",
        "python -m pip install -r requirements.txt",
        "python -m unittest",
        "python -m app",
        'git add --all && git commit -m "Start from the template"',
    ]


@pytest.mark.parametrize(
    ("strategies", "names"),
    [
        (["submodule"], "ACME_TOKEN"),
        (["git"], "ACME_TOKEN"),
        (["index"], "ACME_USER, ACME_PASSWORD"),
        (["submodule", "git", "index"], "ACME_TOKEN, ACME_USER, ACME_PASSWORD"),
    ],
    ids=str,
)
def test_with_packages_the_list_starts_with_their_variables_and_a_check(
    questionnaire: Path, tmp_path: Path, strategies: list[str], names: str
):
    found = steps(rendered(questionnaire, tmp_path / "my-app", *strategies))
    assert found[1:4] == ["cp .env.example .env", f"# fill in .env: {names}", "set -a; . ./.env; set +a"]
    assert found.index("python check_private_packages.py") < found.index(
        "python -m pip install -r requirements.txt"
    )


def test_variables_that_are_set_are_not_asked_for_and_a_filled_env_file_is_only_loaded(
    questionnaire: Path, tmp_path: Path
):
    app = rendered(questionnaire, tmp_path / "my-app", "index")
    every = {"ACME_USER": "a", "ACME_PASSWORD": "b"}
    assert not [step for step in steps(app, **every) if ".env" in step and ".venv" not in step]
    # Loading .env would empty the variable that is set, so the one that is not is no exception.
    assert "# fill in .env: ACME_USER, ACME_PASSWORD" in steps(app, ACME_USER="a")
    (app / ".env").write_text("ACME_USER=a\nACME_PASSWORD=b\n")
    assert [step for step in steps(app) if ".env" in step and ".venv" not in step] == [
        "set -a; . ./.env; set +a"
    ]


def test_a_viktor_app_is_started_by_viktor_s_own_tool(questionnaire: Path, tmp_path: Path):
    found = steps(rendered(questionnaire, tmp_path / "my-app", platform="viktor"))
    assert found[-3:-1] == ["viktor-cli install", "viktor-cli start"]
    assert "python -m app" not in found


def test_in_powershell_every_line_is_powershell(questionnaire: Path, tmp_path: Path):
    app = rendered(questionnaire, tmp_path / "my o'app", "index")
    found = steps(app, windows=True)
    path = str(app).replace("'", "''")
    load = next(step for step in found if step.startswith("Get-Content .env |"))
    assert load in (app / ".env.example").read_text(encoding="utf-8")
    assert found == [
        f"cd '{path}'",
        "Copy-Item .env.example .env",
        "# fill in .env: ACME_USER, ACME_PASSWORD",
        load,
        r"python -m venv .venv; .venv\Scripts\Activate.ps1",
        "python check_private_packages.py",
        "python -m pip install -r requirements.txt",
        "python -m unittest",
        "python -m app",
        'git add --all; git commit -m "Start from the template"',
    ]
    assert not [step for step in found if "&&" in step]


def test_powershell_on_another_system_enters_the_environment_where_that_has_it(
    questionnaire: Path, tmp_path: Path
):
    found = steps(rendered(questionnaire, tmp_path / "my-app"), PSModulePath="/opt/microsoft/powershell/7")
    assert "python3 -m venv .venv; .venv/bin/Activate.ps1" in found
    assert found[0] == change_folder(str(tmp_path / "my-app"), POWERSHELL)


def test_git_bash_on_windows_gets_posix_commands(questionnaire: Path, tmp_path: Path):
    found = steps(rendered(questionnaire, tmp_path / "my-app"), windows=True, SHELL="/usr/bin/bash")
    assert "python -m venv .venv && . .venv/Scripts/activate" in found


def test_the_way_to_the_app_starts_where_the_person_is(questionnaire: Path, tmp_path: Path):
    app = rendered(questionnaire, tmp_path / "apps" / "my app")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert steps(app, PWD=str(tmp_path))[0] == "cd 'apps/my app'"
    assert steps(app, PWD=str(elsewhere))[0] == f"cd {shlex.quote(str(app))}"
    assert not [step for step in steps(app, PWD=str(app)) if step.startswith("cd ")]


def test_in_a_larger_repository_only_the_app_is_staged(questionnaire: Path, tmp_path: Path):
    found = steps(rendered(questionnaire, tmp_path / "my-app"), inside=True)
    assert found[-1] == 'git add --all . && git commit -m "Start from the template"'


def test_after_an_update_one_looks_installs_tests_and_commits(questionnaire: Path, tmp_path: Path):
    app = rendered(questionnaire, tmp_path / "my-app", "git")
    (app / ".venv").mkdir()
    environ = {"PWD": str(app), "ACME_TOKEN": "x", "VIRTUAL_ENV": str(app / ".venv")}
    assert steps(app, "update", **environ) == [
        "git status",
        "git diff",
        "python check_private_packages.py",
        "python -m pip install -r requirements.txt",
        "python -m unittest",
        'git add --all && git commit -m "Update from the template"',
    ]
    del environ["VIRTUAL_ENV"]
    assert ". .venv/bin/activate" in steps(app, "update", **environ)


@pytest.mark.parametrize("platform", ["python", "viktor"])
@pytest.mark.parametrize("windows", [False, True], ids=["POSIX", "PowerShell"])
def test_with_heading_and_last_line_it_is_never_longer_than_sixteen_lines(
    questionnaire: Path, tmp_path: Path, platform: str, windows: bool
):
    app = rendered(questionnaire, tmp_path / "my-app", "submodule", "git", "index", platform=platform)
    heading_and_readme = 4
    assert len(steps(app, windows=windows)) + heading_and_readme <= 16


# ---------------------------------------------------------------------------
# The shells
# ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "windows", "shell"),
    [
        ({}, True, POWERSHELL),
        ({"PSModulePath": "C:\\Modules", "SHELL": "/usr/bin/bash"}, True, POSIX),
        ({"SHELL": "/bin/zsh"}, False, POSIX),
        ({}, False, POSIX),
        ({"SHELL": "/bin/zsh", "PSModulePath": "/opt/Modules"}, False, POWERSHELL),
    ],
)
def test_the_shell_is_known_by_what_it_sets(environ: Mapping[str, str], windows: bool, shell: str):
    assert shell_in_use(environ, windows=windows) == shell


ODD = ["my app", "it's", "a$HOME`x`", "über", "a;b&c|d", '"', "", "~", "a’b", "#1", "@x", "a,b"]


@pytest.mark.skipif(sys.platform == "win32", reason="asks a POSIX shell")
@pytest.mark.parametrize("text", [*ODD, "a\\b", "plain-1.0/x_y:z"])
def test_a_posix_shell_reads_back_what_was_quoted(text: str):
    command = f"printf %s {quote(text, POSIX)}"
    assert subprocess.run(["sh", "-c", command], capture_output=True, check=True).stdout.decode() == text


@pytest.mark.parametrize("text", ODD)
def test_powershell_gets_single_quotes_in_which_each_quote_is_doubled(text: str):
    """Nothing else has a meaning between them (about_Quoting_Rules); typographic quotes count as straight ones."""
    quoted = quote(text, POWERSHELL)
    assert (quoted[0], quoted[-1]) == ("'", "'")
    inside = quoted[1:-1]
    assert re.fullmatch(r"(?:[^'‘’‚‛]|(['‘’‚‛])\1)*", inside)
    assert re.sub(r"(['‘’‚‛])\1", r"\1", inside) == text


def test_what_is_plain_stays_as_it_is():
    assert quote("gh:acme/template", POSIX) == quote("gh:acme/template", POWERSHELL) == "gh:acme/template"
    assert quote(r"C:\apps\one", POWERSHELL) == r"C:\apps\one"
    assert quote(r"C:\apps\one", POSIX) == r"'C:\apps\one'"


def test_a_folder_whose_name_a_shell_would_misread_is_entered_all_the_same():
    assert change_folder("-x", POSIX) == "cd ./-x"
    assert change_folder("app[1]", POWERSHELL) == "Set-Location -LiteralPath 'app[1]'"
    assert change_folder("app[1]", POSIX) == "cd 'app[1]'"


def test_commands_in_one_line_stop_at_a_failure_where_the_shell_can():
    assert in_turn(["a", "b"], POSIX) == "a && b"
    assert in_turn(["a", "b"], POWERSHELL) == "a; b"


# ---------------------------------------------------------------------------
# The whole message
# ---------------------------------------------------------------------------


def new_app(template: Path, folder: Path, *options: str, **environment: str):
    """`copier copy` of an app without packages, as a person in that folder types it."""
    arguments = ("copy", "--trust", "--defaults", *options, template, "my app")
    return copier(*arguments, cwd=folder, PWD=str(folder), **IN_SH, **environment)


def test_a_copy_ends_with_what_to_type_and_where_to_read_on(questionnaire: Path, tmp_path: Path):
    done = new_app(questionnaire, tmp_path)
    assert shown(done.stderr)[0] == "cd 'my app'"
    assert done.stderr.count("my app is ready. Next:") == 1
    assert done.stderr.rstrip().endswith("README.md and docs/private-packages.md tell the rest.")


def test_without_the_hook_it_says_so_and_where_the_commands_are(questionnaire: Path, tmp_path: Path):
    done = new_app(questionnaire, tmp_path, "--skip-tasks", *data({"strategies": ["submodule"], **LINES}))
    said = done.stderr[done.stderr.index("my app is ready") :]
    assert "its README.md says what to type, under Set-up" in said
    assert "no submodule is fetched" in said
    assert "## Set-up" in (tmp_path / "my app" / "README.md").read_text(encoding="utf-8")
    assert len(said.strip().splitlines()) == 3


def test_a_quiet_copy_says_nothing(questionnaire: Path, tmp_path: Path):
    assert new_app(questionnaire, tmp_path, "--quiet").stderr == ""
    assert (tmp_path / "my app" / ".git").is_dir()


def test_when_a_package_is_missing_only_the_cure_is_shown(questionnaire: Path, tmp_path: Path):
    """A list of next commands would have the person install half an app."""
    lines = data({"strategies": ["submodule"], "submodule_packages": LINES["submodule_packages"]})
    said = new_app(questionnaire, tmp_path, *lines, ACME_TOKEN="").stderr
    assert "The app is complete, but its private packages are not:" in said
    assert "Next:" not in said


def test_an_update_says_what_to_look_at(template: Path, tmp_path: Path, git):
    assert new_app(template, tmp_path).returncode == 0
    app = tmp_path / "my app"
    git(app, "add", "--all")
    git(app, "commit", "--quiet", "-m", "Start")
    done = copier("update", "--trust", "--defaults", "--vcs-ref", ":current:", cwd=app, PWD=str(app), **IN_SH)
    assert "my app is up to date. Next:" in done.stderr
    assert shown(done.stderr)[:2] == ["git status", "git diff"]


def test_a_run_by_hand_says_nothing_when_all_is_well(questionnaire: Path, tmp_path: Path):
    app = rendered(questionnaire, tmp_path / "my-app")
    by_hand = subprocess.run(HOOK, cwd=app, capture_output=True, text=True, check=True)
    assert by_hand.stderr == ""


def test_the_hook_s_help_names_every_option_that_it_takes(capsys: pytest.CaptureFixture[str]):
    assert sync.main(["--help"], {}) == 0
    shown = capsys.readouterr().out
    for option in sync.OPTIONS:
        assert re.search(rf"(?:^|\s)--{option}", shown), option


@pytest.mark.parametrize("typed", ["--loud", "--answers-file", "--quiet=yes", "elsewhere"])
def test_what_the_hook_does_not_take_is_answered_in_words_and_nothing_is_done(
    typed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    assert sync.main([typed], {}) == 2
    assert f"sync.py: {typed.partition('=')[0]}" in capsys.readouterr().err.replace("option ", "")
    assert not list(tmp_path.iterdir())


def test_a_list_that_cannot_be_made_does_not_cost_the_app(questionnaire: Path, tmp_path: Path):
    app = rendered(questionnaire, tmp_path / "my-app")
    (app / ".env.example").unlink()
    (app / ".env.example").mkdir()
    environment = {**os.environ, "COPIER_OPERATION": "copy"}
    done = subprocess.run(HOOK, cwd=app, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


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
        f"{quote(sys.executable, POSIX)} -m copier copy --trust --defaults {quote(str(questionnaire), POSIX)} app1",
        cwd=str(tmp_path),
        env={
            **{name: value for name, value in os.environ.items() if name != "NO_COLOR"},
            **IN_SH,
            **environment,
        },
        withexitstatus=True,
        encoding="utf-8",
        timeout=60,
    )
    assert status == 0, said
    start = said.rindex("\n", 0, said.index("app1 is ready"))
    end = said.index("README.md and docs")
    assert (ESCAPE in said[start:end]) is coloured
    assert "python -m unittest" in shown(said[start:end])


def test_what_goes_into_a_file_has_no_escape_code(questionnaire: Path, tmp_path: Path):
    """Of the hook's and the messages'; Copier colours the names of files by rules of its own."""
    lines = data({"strategies": ["submodule"], "submodule_packages": LINES["submodule_packages"]})
    missing = new_app(questionnaire, tmp_path, *lines, ACME_TOKEN="", TERM="xterm").stderr
    assert ESCAPE not in missing[missing.index("Fetching 1 private package") :]
    (tmp_path / "another").mkdir()
    ready = new_app(questionnaire, tmp_path / "another", TERM="xterm").stderr
    assert ESCAPE not in ready[ready.index("my app is ready") :]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="types into a POSIX shell")
def test_what_is_shown_after_a_copy_works_as_it_is_typed(
    questionnaire: Path, hosts: DemoHosts, tmp_path: Path
):
    """Every strategy, in a folder with a blank; between two commands .env is filled in, as the list says."""
    # Only the submodule's variable is set, so the list has to ask for the others.
    token = {"ACME_TOKEN": hosts.variables["ACME_TOKEN"], "PRIVATE_PACKAGES_STRICT": "1"}
    done = new_app(questionnaire, tmp_path, *data(hosts.answers("mixed")), **token)
    assert done.returncode == 0, done.stderr
    commands = shown(done.stderr)
    assert [command.split()[0] for command in commands[:3]] == ["cd", "cp", "set"]
    filled = "".join(f"{name}={value}\n" for name, value in hosts.variables.items())
    commands.insert(2, f"cat > .env <<'END'\n{filled}END")
    # What the check asks for where Python brings an old pip.
    checked = commands.index("python check_private_packages.py")
    commands.insert(checked, "python -m pip install --quiet --upgrade pip")
    typed = subprocess.run(
        ["bash", "-e"],
        input="\n".join(commands),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert typed.returncode == 0, typed.stdout + typed.stderr
    app = tmp_path / "my app"
    tracked = subprocess.run(["git", "ls-files"], cwd=app, capture_output=True, text=True, check=True).stdout
    assert "app/submodules/acme-beams" in tracked.splitlines()
    assert ".env" not in tracked.splitlines()
    # The app runs with its packages, and the doctor among its tests is content.
    assert "Hello from my-app.\n  acme-beams: 1.2.3\n" in typed.stdout, typed.stdout
    assert re.search(r"\nOK\b", typed.stderr), typed.stderr
