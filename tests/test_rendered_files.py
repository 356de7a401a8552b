"""What is in the rendered files: every choice, and whatever was typed."""

from __future__ import annotations

import configparser
import io
import json
import re
import subprocess
import sys
import tomllib
from itertools import product
from pathlib import Path

import pytest
import yaml
from apps import CI_FILES, render
from copier import run_copy
from packaging.requirements import Requirement
from private_packages import config, manifest, requirements, shared_files
from private_packages.app import App, open_app
from private_packages.blocks import BEGIN, END, write_block
from private_packages.lock import Lock
from private_packages.output import Output
from private_packages.repository import init_repository
from private_packages.submodules.apply import apply
from private_packages.submodules.plan import Declare, plan
from private_packages.submodules.state import read_current, wanted_submodules

LINES = {
    "submodule": "acme-beams @ git+https://x-access-token:${GIT_TOKEN}@github.com/acme/beams.git@v1.2.3\n"
    "acme-ssh @ git@github.com:acme/ssh.git\n"
    "acme-open @ https://github.com/acme/open.git@main#subdirectory=packages/open",
    "git": 'acme-loads[plot] @ git+https://${GIT_USER}:${GIT_TOKEN}@git.acme.example/acme/loads.git@v0.9.0 ; python_version > "3.8"',
    "index": 'acme-units[si]==2.1.0 ; python_version < "3.15"',
}
INDEX = {"index_url": "https://${INDEX_USER}:${INDEX_PASSWORD}@packages.example.com/simple/"}
CHOSEN: list[list[str]] = [[], ["submodule"], ["git"], ["index"], ["submodule", "git", "index"]]
PLATFORMS = ("python", "viktor")
# Platform, strategies, CI system, scope of the index: everything with everything that may differ with it.
COMBINATIONS = [
    *product(PLATFORMS, CHOSEN, CI_FILES, ["extra"]),
    *product(PLATFORMS, [one for one in CHOSEN if "index" in one], ["none"], ["only", "files"]),
]
NASTY = [
    'It\'s "quoted"',
    "back\\slash\\",
    "🏗️ naïve {{ x }} {% if %}",
    "${{ secrets.X }} `id` $(id)",
    "a: b # c",
    "\\",
    "'''",
    "<b>|&;",
]


def answers_for(strategies: list[str]) -> dict[str, object]:
    answers: dict[str, object] = {"strategies": strategies}
    answers |= {f"{strategy}_packages": LINES[strategy] for strategy in strategies}
    return answers | (INDEX if "index" in strategies else {})


def texts(app: Path) -> dict[str, str]:
    """Every file of an app by its path, without the code of the command, which is the same in all of them."""
    paths = {path.relative_to(app): path for path in sorted(app.rglob("*")) if path.is_file()}
    return {
        name.as_posix(): path.read_text(encoding="utf-8")
        for name, path in paths.items()
        if name.parts[0] not in (".git", "private_packages")
    }


def parse_everything(app: Path) -> None:
    """Every file parses in its own language."""
    for name, text in texts(app).items():
        if name.endswith(".toml"):
            tomllib.loads(text)
        elif name.endswith((".yml", ".yaml")):
            assert isinstance(yaml.safe_load(text), dict), name
        elif name.endswith(".json"):
            json.loads(text)
        elif name.endswith(".py"):
            compile(text, name, "exec")
        elif name == ".gitmodules":
            configparser.ConfigParser(strict=True).read_string(re.sub(r"(?m)^\t", "", text))
        elif name == "requirements.txt":
            for line in text.splitlines():
                if line and not line.startswith(("#", "--", "-e ./app/submodules/")):
                    Requirement(line)


@pytest.fixture(scope="module", params=COMBINATIONS, ids=str)
def app(
    request: pytest.FixtureRequest, questionnaire: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """One app for each combination; no test changes it."""
    platform, strategies, ci, scope = request.param
    answers = answers_for(strategies) | ({"index_scope": scope} if "index" in strategies else {})
    folder = tmp_path_factory.mktemp("rendered") / "my-app"
    return render(questionnaire, folder, platform=platform, ci=ci, **answers)


def opened(app: Path) -> App:
    """An app as its own command opens it."""
    return open_app(app, {}, Output(io.StringIO(), {}))


def test_every_file_parses_and_ends_in_one_newline(app: Path):
    parse_everything(app)
    for name, text in texts(app).items():
        if text:
            assert text.endswith("\n"), name
            assert not text.endswith("\n\n"), name
        assert "\n\n\n\n" not in text, name
        assert not re.search(r"[ \t]+$", text, re.MULTILINE), name
        # Not Jinja's: expressions of GitHub Actions, and templates in Renovate's settings.
        assert "{{" not in re.sub(r"\$\{\{|\{\{(?:[{#/].*?|else)\}\}", "", text), name
        assert "{%" not in text, name


def test_the_app_is_clean_under_ruff(app: Path):
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--no-cache", "."],
            cwd=app,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout


def test_one_list_of_variables_serves_all_files(app: Path):
    listed = re.findall(r"(?m)^([A-Z0-9_]+)=$", (app / ".env.example").read_text())
    text = (app / "private-packages.toml").read_text()
    assert listed == tomllib.loads(text)["variables"] == config.load(app).variables
    assert set(listed) == set(re.findall(r"\$\{([A-Z0-9_]+)\}", text))
    assert set(re.findall(r"\$\{([A-Z0-9_]+)\}", (app / "requirements.txt").read_text())) <= set(listed)


def test_only_what_was_chosen_is_there(app: Path):
    answers = yaml.safe_load((app / ".copier-answers.yml").read_text())
    chosen, platform = answers["strategies"], answers["platform"]
    lines = (app / "requirements.txt").read_text()
    wanted = config.load(app)
    assert (wanted.platform, wanted.python, wanted.answers_file) == (
        platform,
        answers["python_version"],
        ".copier-answers.yml",
    )
    assert [one.strategy for one in wanted.packages] == [
        strategy for strategy in chosen for _ in LINES[strategy].splitlines()
    ]
    assert ("git+https" in lines) == ("git" in chosen)
    option = {"only": "--index-url", "extra": "--extra-index-url"}.get(answers.get("index_scope"))
    folders = ("acme-beams", "acme-ssh", "acme-open/packages/open")
    installed = folders if platform == "python" and "submodule" in chosen else ()
    assert [line for line in lines.splitlines() if line.startswith("-")] == [
        *([f"{option} {INDEX['index_url']}"] if option else []),
        *(f"-e ./app/submodules/{folder}" for folder in installed),
    ]
    for name in ("app/_submodules.py", "viktor.config.toml", ".viktorignore"):
        assert (app / name).exists() == (platform == "viktor"), name
    assert (app / "app" / "__main__.py").exists() == (platform == "python")
    assert [ci for ci, name in CI_FILES.items() if name and (app / name).exists()] == [
        ci for ci, name in CI_FILES.items() if name and ci == answers["ci"]
    ]


def test_the_command_comes_along_file_by_file(app: Path):
    unit = app / "private_packages"
    assert list(manifest.lines(unit)) == (unit / manifest.FILE).read_text(encoding="utf-8").splitlines()
    assert (unit / "__main__.py").is_file()


def test_the_command_would_write_the_same_blocks(app: Path):
    """Before anything is fetched a `sync` leaves every file as Copier rendered it."""
    here = opened(app)
    bodies = {name: lines_of(here) for name, lines_of in shared_files.BLOCKS.items()}
    lines, unreadable = requirements.body(here, Lock())
    assert unreadable == []
    for name, body in {"requirements.txt": lines, **bodies}.items():
        before = (app / name).read_bytes() if (app / name).exists() else b""
        assert before.count(BEGIN.encode()) == before.count(END.encode()) == bool(body), name
        assert not write_block(app / name, body), name
        assert not before or (app / name).read_bytes() == before, name


def test_the_command_would_write_the_same_sections(app: Path, tmp_path: Path):
    """Into a .gitmodules that has none yet, and none beside those that are there."""
    rendered = (app / ".gitmodules").read_text(encoding="utf-8")
    head = rendered.partition("[")[0]
    for name, text in (("rendered", rendered), ("bare", head)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / config.FILE).write_bytes((app / config.FILE).read_bytes())
        (folder / ".gitmodules").write_text(text, encoding="utf-8", newline="\n")
        here = opened(folder)
        repository = init_repository(folder, here.git)
        wanted = wanted_submodules(here.config, repository)
        current = read_current(repository, wanted, Lock())
        sections = [action for action in plan(wanted, current) if isinstance(action, Declare)]
        assert len(sections) == (len(here.config.of("submodule")) if name == "bare" else 0)
        apply(here, repository, sections, current)
        assert (folder / ".gitmodules").read_text(encoding="utf-8") == rendered, name


def test_no_file_asks_for_a_certain_shell(app: Path):
    """The same words work in bash, zsh, fish, PowerShell and cmd: nothing is exported, chained or activated."""
    for name, text in texts(app).items():
        # Conditions and expressions of CI systems are no shell.
        told = re.sub(r"(?m)^ *(?:- )?if: .*|\$\{\{.*?\}\}", "", text)
        found = re.findall(
            r"\bexport\b|\bset -a\b|&&|\|\||\bactivat\w*|\bsource \S|\$env:|\\$", told, re.MULTILINE
        )
        assert found == [], name


def test_gitmodules_always_has_its_header(app: Path):
    lines = (app / ".gitmodules").read_text().splitlines()
    assert all(line.startswith("# ") for line in lines[:3])
    assert "x-access-token" not in "\n".join(lines)


def test_lines_stand_in_requirements_as_they_were_typed(questionnaire: Path, tmp_path: Path):
    app = render(questionnaire, tmp_path / "app", **answers_for(["git", "index"]))
    lines = (app / "requirements.txt").read_text().splitlines()
    assert LINES["git"] in lines
    assert LINES["index"] in lines
    assert f"--extra-index-url {INDEX['index_url']}" in lines


def test_beginnings_of_private_names_reach_the_command_and_stay_in_the_answers(
    questionnaire: Path, tmp_path: Path
):
    app = render(questionnaire, tmp_path / "app", strategies=[], private_prefixes=["Acme_", "beam-"])
    assert config.load(app).private_prefixes == ("acme-", "beam-")
    assert yaml.safe_load((app / ".copier-answers.yml").read_text())["private_prefixes"] == ["Acme_", "beam-"]


def test_the_command_is_told_where_the_answers_are(questionnaire: Path, tmp_path: Path):
    for number, name in enumerate((".copier-answers.acme.yml", "template answers/größe.yml")):
        folder = tmp_path / str(number)
        run_copy(str(questionnaire), folder, answers_file=name, defaults=True, skip_tasks=True, quiet=True)
        assert config.load(folder).answers_file == name
        assert (folder / name).is_file()


@pytest.mark.parametrize("name", NASTY)
def test_whatever_the_app_is_called_every_file_parses_and_keeps_the_name(
    questionnaire: Path, tmp_path: Path, name: str
):
    app = render(questionnaire, tmp_path / "app", app_name=name, **answers_for(["submodule", "git", "index"]))
    parse_everything(app)
    assert (
        tomllib.loads((app / "pyproject.toml").read_text(encoding="utf-8"))["project"]["description"] == name
    )
    assert yaml.safe_load((app / ".copier-answers.yml").read_text(encoding="utf-8"))["app_name"] == name
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--no-cache", "--check", "."],
        cwd=app,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_the_answers_file_keeps_package_lines_readable(questionnaire: Path, tmp_path: Path):
    """One line a package, so that a change of one is a change of one line; empty lines and comments in between."""
    first, second, _ = LINES["submodule"].splitlines()
    text = f"{first}\n\n# the other one\n{second}"
    app = render(questionnaire, tmp_path / "app", strategies=["submodule"], submodule_packages=text)
    written = f"submodule_packages: |-\n  {first}\n\n  # the other one\n  {second}\n"
    assert written in (app / ".copier-answers.yml").read_text()


@pytest.mark.parametrize(
    "text",
    [
        "# only a comment",
        "  acme-a @ https://github.com/a/b.git  \n\n\nacme-b @ https://github.com/a/c.git",
        "acme-a @ https://github.com/a/b.git\t\n \nacme-b @ https://github.com/a/c.git",
        "",
        "\n\n",
    ],
)
def test_the_answers_file_keeps_whatever_layout_was_typed(questionnaire: Path, tmp_path: Path, text: str):
    app = render(questionnaire, tmp_path / "app", strategies=["submodule"], submodule_packages=text)
    assert yaml.safe_load((app / ".copier-answers.yml").read_text())["submodule_packages"] == text.strip()
