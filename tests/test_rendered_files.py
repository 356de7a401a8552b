"""What is in the rendered files: every choice, and whatever was typed."""

from __future__ import annotations

import configparser
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
from packaging.requirements import Requirement

LINES = {
    "submodule": "acme-beams @ git+https://x-access-token:${GIT_TOKEN}@github.com/acme/beams.git@v1.2.3\n"
    "acme-ssh @ git@github.com:acme/ssh.git",
    "git": 'acme-loads[plot] @ git+https://${GIT_USER}:${GIT_TOKEN}@git.acme.example/acme/loads.git@v0.9.0 ; python_version > "3.8"',
    "index": 'acme-units[si]==2.1.0 ; python_version < "3.15"',
}
INDEX = {"index_url": "https://${INDEX_USER}:${INDEX_PASSWORD}@packages.example.com/simple/"}
CHOSEN: list[list[str]] = [[], ["submodule"], ["git"], ["index"], ["submodule", "git", "index"]]
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
    """Every file of an app by its path."""
    return {
        path.relative_to(app).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(app.rglob("*"))
        if path.is_file() and ".git/" not in path.as_posix()
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
                if line and not line.startswith(("#", "--")):
                    Requirement(line)


@pytest.fixture(
    scope="module",
    params=product(("python", "viktor"), CHOSEN, ("github", "gitlab", "azure", "none")),
    ids=str,
)
def app(
    request: pytest.FixtureRequest, questionnaire: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """One app for each platform, choice of strategies and CI system."""
    platform, strategies, ci = request.param
    folder = tmp_path_factory.mktemp("rendered") / "my-app"
    return render(questionnaire, folder, platform=platform, ci=ci, **answers_for(strategies))


def test_every_file_parses_and_ends_in_one_newline(app: Path):
    parse_everything(app)
    for name, text in texts(app).items():
        if text:
            assert text.endswith("\n"), name
            assert not text.endswith("\n\n"), name
        assert "\n\n\n\n" not in text, name
        assert not re.search(r"[ \t]+$", text, re.MULTILINE), name
        # Not Jinja's: expressions of GitHub Actions, and templates in Renovate's settings.
        assert "{{" not in re.sub(r"\$\{\{|\"\w+Template\": \".*\"", "", text), name
        assert "{%" not in text, name


def test_the_app_is_clean_under_ruff(app: Path):
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "."],
            cwd=app,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout


def test_one_list_of_variables_serves_all_files(app: Path):
    """.env.example, pyproject.toml, requirements.txt and the package lines name the same variables."""
    listed = re.findall(r"(?m)^([A-Z0-9_]+)=$", (app / ".env.example").read_text())
    table = tomllib.loads((app / "pyproject.toml").read_text())["tool"]["private-packages"]
    assert listed == table["variables"]
    used = set(re.findall(r"\$\{([A-Z0-9_]+)\}", json.dumps(table)))
    assert set(listed) == used
    assert set(re.findall(r"\$\{([A-Z0-9_]+)\}", (app / "requirements.txt").read_text())) <= used


def test_only_what_was_chosen_is_there(app: Path):
    answers = yaml.safe_load((app / ".copier-answers.yml").read_text())
    chosen = answers["strategies"]
    requirements = (app / "requirements.txt").read_text()
    assert (app / "app" / "_submodules.py").exists() == ("submodule" in chosen)
    assert (app / "check_private_packages.py").exists() == bool(chosen)
    assert ("git+https" in requirements) == ("git" in chosen)
    assert ("--extra-index-url" in requirements) == ("index" in chosen)
    assert "--index-url" not in requirements.replace("--extra-index-url", "")
    assert (app / "viktor.config.toml").exists() == (answers["platform"] == "viktor")
    assert (app / ".viktorignore").exists() == (answers["platform"] == "viktor")
    assert (app / "app" / "__main__.py").exists() == (answers["platform"] == "python")
    assert [ci for ci, name in CI_FILES.items() if name and (app / name).exists()] == [
        ci for ci, name in CI_FILES.items() if name and ci == answers["ci"]
    ]


def test_gitmodules_always_has_its_header_and_footer(app: Path):
    """A conditional .gitmodules would delete the user's own sections on update."""
    lines = (app / ".gitmodules").read_text().splitlines()
    assert lines[0].startswith("# ")
    assert all(line.startswith("# ") for line in lines[-3:])
    assert "@github.com/acme/beams" not in "\n".join(lines)


def test_lines_stand_in_requirements_as_they_were_typed(questionnaire: Path, tmp_path: Path):
    app = render(questionnaire, tmp_path / "app", **answers_for(["git", "index"]))
    lines = (app / "requirements.txt").read_text().splitlines()
    assert LINES["git"] in lines
    assert LINES["index"] in lines
    assert f"--extra-index-url {INDEX['index_url']}" in lines


def test_an_index_instead_of_pypi_is_the_only_index(questionnaire: Path, tmp_path: Path):
    app = render(questionnaire, tmp_path / "app", **answers_for(["index"]), index_scope="only")
    lines = (app / "requirements.txt").read_text().splitlines()
    assert [line for line in lines if line.startswith("--")] == [f"--index-url {INDEX['index_url']}"]


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
        [sys.executable, "-m", "ruff", "format", "--check", "."],
        cwd=app,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_the_answers_file_keeps_package_lines_readable(questionnaire: Path, tmp_path: Path):
    """One line a package, so that a change of one is a change of one line; empty lines and comments in between."""
    first, second = LINES["submodule"].splitlines()
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
