"""The app's virtual environment is found in one order, and only where there is one that works."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from private_packages import environment


@pytest.fixture(autouse=True)
def base_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if no virtual environment ran the tests."""
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)


def make(folder: Path) -> Path:
    """A folder that looks like a virtual environment of this system."""
    folder.mkdir(parents=True)
    (folder / "pyvenv.cfg").touch()
    scripts = folder / ("Scripts" if sys.platform == "win32" else "bin")
    scripts.mkdir()
    (scripts / ("python.exe" if sys.platform == "win32" else "python")).touch()
    return folder


def test_the_folder_of_the_app_comes_first_then_uvs_then_the_active_one_then_the_one_that_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    app = tmp_path / "app"
    environ = {"UV_PROJECT_ENVIRONMENT": "of-uv", "VIRTUAL_ENV": str(tmp_path / "active")}
    own, of_uv, active, running = (
        make(folder) for folder in (app / ".venv", app / "of-uv", tmp_path / "active", tmp_path / "running")
    )
    monkeypatch.setattr(sys, "prefix", str(running))
    for folder in (own, of_uv, active, running):
        assert environment.find(app, environ) == folder
        shutil.rmtree(folder)
    assert environment.find(app, environ) is None


def test_uvs_folder_may_be_anywhere(tmp_path: Path):
    elsewhere = make(tmp_path / "elsewhere")
    assert environment.find(tmp_path / "app", {"UV_PROJECT_ENVIRONMENT": str(elsewhere)}) == elsewhere


def test_without_any_there_is_none(tmp_path: Path):
    assert environment.find(tmp_path, {"VIRTUAL_ENV": "", "UV_PROJECT_ENVIRONMENT": ""}) is None


def test_a_python_that_no_environment_holds_is_none(tmp_path: Path):
    make(Path(tmp_path, ".venv"))
    (tmp_path / ".venv" / "pyvenv.cfg").unlink()
    assert environment.find(tmp_path, {}) is None


def test_an_environment_whose_python_is_gone_is_passed_over(tmp_path: Path):
    environment.python_of(make(tmp_path / ".venv")).unlink()
    active = make(tmp_path / "active")
    assert environment.find(tmp_path, {"VIRTUAL_ENV": str(active)}) == active


def test_a_folder_that_is_given_from_here_is_found_from_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    make(tmp_path / ".venv")
    monkeypatch.chdir(tmp_path)
    found = environment.find(Path(), {})
    assert found is not None
    assert found.is_absolute()


def test_a_real_one_is_entered_without_activation(tmp_path: Path):
    folder = tmp_path / ".venv"
    venv.create(folder, with_pip=False)
    found = environment.find(tmp_path, {})
    assert found == folder
    env = environment.entered({**os.environ, "PYTHONHOME": "/nowhere"}, found)
    program = shutil.which("python", path=env["PATH"])
    assert program is not None
    assert Path(program) == environment.python_of(found)
    done = subprocess.run(
        [program, "-c", "import sys; print(sys.prefix)"], env=env, capture_output=True, text=True, check=True
    )
    assert Path(done.stdout.strip()) == found


def test_entering_twice_is_entering_once(tmp_path: Path):
    one, other = make(tmp_path / "one"), make(tmp_path / "other")
    path = os.pathsep.join(["first", str(environment.scripts_of(one)), "last"])
    once = environment.entered({"PATH": path, "VIRTUAL_ENV": str(other), "KEPT": "yes"}, one)
    assert once == environment.entered(once, one)
    assert once == {
        "PATH": os.pathsep.join([str(environment.scripts_of(one)), "first", "last"]),
        "VIRTUAL_ENV": str(one),
        "KEPT": "yes",
    }
