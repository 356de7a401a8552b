"""Containers: what `containers: yes` renders, and real images and devcontainers of it."""

from __future__ import annotations

import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest
import yaml
from apps import copier, data, render
from ci import HERE
from test_ci_files import CHECKERS, CHOICES, checked

from demo import runs
from demo.hosts import DemoHosts, git_line
from demo.samples import make_repository

DEVCONTAINERS = "0.89.0"
DOCKERFILE, DEVCONTAINER, IGNORED = "Dockerfile", ".devcontainer/devcontainer.json", ".dockerignore"


# What is rendered


@pytest.mark.parametrize("ci", ["github", "gitlab"])
@pytest.mark.parametrize("choice", ["none", "mixed"])
def test_the_files_are_sound_for_hadolint_and_for_the_checkers_of_ci(
    choice: str, ci: str, questionnaire: Path, tmp_path: Path
):
    app = render(questionnaire, tmp_path / "app", **CHOICES[choice], ci=ci, containers=True)
    hadolint = shutil.which("hadolint", path=sysconfig.get_path("scripts"))
    assert hadolint, "hadolint is not installed beside this Python"
    done = subprocess.run([hadolint, app / DOCKERFILE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    file = app / {"github": ".github/workflows/ci.yml", "gitlab": ".gitlab-ci.yml"}[ci]
    for checker in CHECKERS[ci]:
        sound, said = checked(checker, file)
        assert sound, said


def test_hadolint_finds_something_in_another_dockerfile(tmp_path: Path):
    (tmp_path / DOCKERFILE).write_text("FROM python\nRUN cd /srv && pip install uv\n")
    hadolint = shutil.which("hadolint", path=sysconfig.get_path("scripts"))
    assert hadolint
    done = subprocess.run([hadolint, tmp_path / DOCKERFILE], capture_output=True, text=True, check=False)
    assert "DL3006" in done.stdout and "DL3013" in done.stdout


def test_who_does_not_say_so_gets_no_file_for_containers(questionnaire: Path, tmp_path: Path):
    app = render(questionnaire, tmp_path / "app", **CHOICES["mixed"])
    assert not any((app / name).exists() for name in (DOCKERFILE, DEVCONTAINER, IGNORED))
    assert "containers" not in (app / ".copier-answers.yml").read_text()
    assert "docker" not in (app / ".github/workflows/ci.yml").read_text().lower()
    assert "Containers" not in (app / "docs/private-packages.md").read_text()


def test_viktor_gets_a_devcontainer_and_no_image(questionnaire: Path, tmp_path: Path):
    app = render(questionnaire, tmp_path / "app", **CHOICES["mixed"], platform="viktor", containers=True)
    assert (app / DEVCONTAINER).exists()
    assert not (app / DOCKERFILE).exists() and not (app / IGNORED).exists()
    assert "docker build" not in (app / ".github/workflows/ci.yml").read_text()
    assert "docker build" not in (app / "docs/private-packages.md").read_text()


def test_an_existing_app_keeps_its_own_files_for_containers(questionnaire: Path, tmp_path: Path):
    app = tmp_path / "app"
    app.mkdir()
    (app / "requirements.txt").touch()
    (app / DOCKERFILE).write_text("FROM scratch\n")
    render(questionnaire, app, **CHOICES["mixed"], start="existing", containers=True)
    assert (app / "private-packages.toml").exists()
    assert (app / DOCKERFILE).read_text() == "FROM scratch\n"
    assert not (app / DEVCONTAINER).exists() and not (app / IGNORED).exists()


def test_an_update_may_give_the_answer_and_the_next_one_keeps_it_and_the_users_lines(
    template: Path, tmp_path: Path, git
):
    app = tmp_path / "app"
    options = data({"strategies": []})
    assert copier("copy", "--trust", "--defaults", *options, template, app, cwd=tmp_path).returncode == 0

    def update(*options: str) -> list[bool]:
        git(app, "add", "--all")
        git(app, "commit", "--quiet", "--allow-empty", "-m", "work")
        command = ("update", "--trust", "--defaults", "--vcs-ref", ":current:")
        done = copier(*command, *options, cwd=app)
        assert done.returncode == 0, done.stderr
        return [(app / name).exists() for name in (DOCKERFILE, DEVCONTAINER, IGNORED)]

    assert update("--data", "containers=yes") == [True] * 3
    (app / DOCKERFILE).write_text((app / DOCKERFILE).read_text() + "LABEL mine=yes\n")
    assert update() == [True] * 3
    assert "LABEL mine=yes" in (app / DOCKERFILE).read_text()
    assert yaml.safe_load((app / ".copier-answers.yml").read_text())["containers"] is True


# Real images

SCM = """\
[build-system]
requires = ["hatchling", "hatch-vcs"]
build-backend = "hatchling.build"

[project]
name = "acme-scm"
dynamic = ["version"]

[tool.hatch.version]
source = "vcs"

[tool.hatch.build.targets.wheel]
only-include = ["acme_scm.py"]
"""


def make(template: Path, folder: Path, hosts: DemoHosts, strategy: str, **answers: object) -> Path:
    """An app as its owner has it: fetched, with values in `.env`. Among the submodules is one whose tags say its version."""
    app = folder / f"app-{strategy}"
    answers = {**hosts.answers(strategy), "containers": True, "ci": "github", **answers}
    if strategy == "submodule":
        if not (hosts.git.root / "acme" / "acme-scm.git").exists():
            files = {"pyproject.toml": SCM, "acme_scm.py": "ORIGIN = 'private'\n"}
            make_repository(hosts.git.root / "acme", "acme-scm", files, tags=["v4.5.6"])
        answers["submodule_packages"] = (
            f"{answers['submodule_packages']}\n{git_line(hosts.git, 'acme-scm', 'v4.5.6')}"
        )
    runs.generate(template, app, answers, hosts.variables)
    (app / ".env").write_text("".join(f"{name}={value}\n" for name, value in hosts.variables.items()))
    return app


@pytest.mark.slow
def test_hatch_vcs_builds_a_copied_submodule_at_the_version_of_its_tag(
    template: Path, hosts: DemoHosts, tmp_path: Path
):
    app = make(template, tmp_path, hosts, "submodule", python_version=HERE)
    copy = shutil.copytree(app, tmp_path / "copy", ignore=shutil.ignore_patterns(".git"))
    runs.install(copy, {}, "--locked")
    said = runs.execute(
        copy, {}, "python", "-c", "from importlib.metadata import version; print(version('acme-scm'))"
    )
    assert said.strip() == "4.5.6"
