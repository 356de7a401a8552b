"""An app whose installer is uv, through Copier: updates, another installer, and a uv project that was there before."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path

import pytest
import uv
from apps import copier, data
from shapes import SHAPES

from demo import runs
from demo.hosts import DemoHosts


@pytest.mark.slow
def test_an_update_leaves_alone_what_uv_wrote_and_changes_the_packages(
    template: Path, hosts: DemoHosts, tmp_path: Path
):
    app = tmp_path / "my-app"
    given = {"python_version": "3.11", "installer": "uv", **hosts.answers("mixed")}
    runs.generate(template, app, given, hosts.variables)
    runs.install(app, hosts.variables)
    runs.execute(app, hosts.variables, "uv", "add", "idna==3.10")
    commit_all(app)
    before = (app / "pyproject.toml").read_text()
    assert '"idna==3.10"' in before
    copier_update(app, hosts)
    assert (app / "pyproject.toml").read_text() == before
    copier_update(app, hosts, git_packages="", strategies=["submodule", "index"])
    needs = tomllib.loads((app / "pyproject.toml").read_text())["project"]["dependencies"]
    assert needs == ["acme-beams", "acme-units==2.1.0", "idna==3.10"]
    runs.install(app, hosts.variables)
    assert 'name = "acme-loads"' not in (app / "uv.lock").read_text()
    assert "OK" in runs.test(app)


@pytest.mark.slow
@pytest.mark.parametrize("choice", ["mixed", "none"])
def test_the_installer_changes_by_an_update_and_back_and_no_requirement_is_lost(
    template: Path, hosts: DemoHosts, tmp_path: Path, choice: str
):
    app = tmp_path / "my-app"
    packages = hosts.answers("mixed") if choice == "mixed" else {"strategies": []}
    runs.generate(template, app, {"python_version": "3.11", **packages}, hosts.variables)
    # uv itself says that it has no part in it.
    done = subprocess.run([uv.find_uv_bin(), "sync"], cwd=app, capture_output=True, text=True, check=False)
    assert (done.returncode, "unmanaged" in done.stderr) == (2, True), done.stderr
    own = ["idna==3.10 ; python_version > '3'", "certifi"]
    with (app / "requirements.txt").open("a") as file:
        file.write("".join(f"{line}\n" for line in own))
    commit_all(app)
    copier_update(app, hosts, installer="uv")
    assert not (app / "requirements.txt").exists()
    needs = tomllib.loads((app / "pyproject.toml").read_text())["project"]["dependencies"]
    assert set(own) < set(needs) if choice == "mixed" else set(own) == set(needs)
    runs.install(app, hosts.variables)
    assert "OK" in runs.test(app)
    commit_all(app)
    copier_update(app, hosts, installer="pip")
    assert set(own) < set((app / "requirements.txt").read_text().splitlines())
    project = tomllib.loads((app / "pyproject.toml").read_text())
    assert not project["project"].get("dependencies")
    assert project["tool"]["uv"] == {"package": False, "managed": False}
    runs.install(app, hosts.variables)
    assert "OK" in runs.test(app)


def commit_all(app: Path) -> None:
    for command in (["add", "--all"], ["commit", "--quiet", "--allow-empty", "--message", "Work"]):
        subprocess.run(["git", *command], cwd=app, check=True)


def copier_update(app: Path, hosts: DemoHosts, **answers: object) -> None:
    """`copier update` to other answers, committed before and after."""
    command = ("update", "--trust", "--defaults", "--quiet", "--vcs-ref", ":current:", *data(answers))
    done = copier(*command, cwd=app, **hosts.variables)
    assert done.returncode == 0, done.stderr
    assert "not:" not in done.stderr, done.stderr
    commit_all(app)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("[project]", "[projekt]", "pyproject.toml has no [project] with a list of `dependencies`"),
        ("[tool.uv]", "[tool.uv]\nsources = {}", "pyproject.toml says itself where"),
    ],
)
def test_a_uv_project_that_cannot_take_the_packages_is_refused_and_stays(
    template: Path, hosts: DemoHosts, tmp_path: Path, old: str, new: str, words: str
):
    shape = next(one for one in SHAPES if one.manager == "uv")
    app = shape.make(tmp_path / "minutes")
    text = (app / "pyproject.toml").read_text()
    (app / "pyproject.toml").write_text(text.replace(old, new))
    commit_all(app)
    answers = {"start": "existing", "python_version": "3.11", **hosts.answers("mixed")}
    done = copier("copy", "--trust", "--defaults", *data(answers), template, ".", cwd=app)
    assert done.returncode == 1
    assert f"Nothing was changed. {words}" in done.stderr, done.stderr
    assert "then type the same command again." in done.stderr
    status = ["git", "status", "--porcelain"]
    assert subprocess.run(status, cwd=app, capture_output=True, text=True, check=True).stdout == ""


@pytest.mark.slow
def test_a_uv_project_that_was_there_gets_its_packages_and_loses_them_to_the_byte(
    template: Path, hosts: DemoHosts, tmp_path: Path
):
    shape = next(one for one in SHAPES if one.manager == "uv")
    app = shape.make(tmp_path / "minutes")
    before = {name: (app / name).read_bytes() for name in ("pyproject.toml", "uv.lock", "README.md")}
    answers = {"start": "existing", "python_version": "3.11", **hosts.answers("mixed")}
    runs.generate(template, app, answers, hosts.variables)
    assert "installer: uv" in (app / ".copier-answers.yml").read_text()
    said = runs.install(app, hosts.variables)
    assert "3 of them private" in said
    assert not (app / "requirements.txt").exists()
    started = runs.execute(app, hosts.variables, "python", *shape.start)
    assert shape.says in started
    assert "Checked" in runs.execute(app, hosts.variables, "uv", "sync", "--locked")
    commit_all(app)
    runs.run([runs.PYTHON, "-m", "private_packages", "sync", "--remove"], app, hosts.variables)
    assert (app / "pyproject.toml").read_bytes() == before["pyproject.toml"]
    assert (app / "README.md").read_bytes() == before["README.md"]
    done = subprocess.run(
        [uv.find_uv_bin(), "lock", "--quiet"], cwd=app, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "acme-" not in (app / "uv.lock").read_text()
