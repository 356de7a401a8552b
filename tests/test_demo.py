"""The `demo` command."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from demo import runs


@pytest.mark.slow
def test_takes_an_app_the_whole_way_keeps_it_and_prints_a_table(tmp_path: Path):
    said = runs.run(
        [
            sys.executable,
            "-m",
            "demo",
            "--keep",
            tmp_path / "kept",
            "--platform",
            "python",
            "--strategy",
            "mixed",
        ],
        runs.TEMPLATE,
        {"COLUMNS": "120"},
    )
    assert "python-mixed: generated, checked, installed, run and tested" in said
    assert "works" in said
    assert "failed" not in said
    assert (
        tmp_path / "kept" / "python-mixed" / "app" / "submodules" / "acme-beams" / "pyproject.toml"
    ).is_file()


@pytest.mark.slow
def test_says_which_step_failed_and_why():
    """Git is told not to speak plain HTTP, so the check before the installation stops."""
    command = [sys.executable, "-m", "demo", "--platform", "python", "--strategy", "git"]
    with pytest.raises(runs.StepFailed) as failed:
        runs.run(command, runs.TEMPLATE, {"GIT_ALLOW_PROTOCOL": "file:https", "COLUMNS": "120"})
    assert "python-git failed at check: `python check_private_packages.py …` exits with 1" in str(
        failed.value
    )
    assert "STOP  acme-beams" in str(failed.value)


def test_says_in_a_sentence_that_it_cannot_start():
    with pytest.raises(runs.StepFailed) as failed:
        runs.run(
            [sys.executable, "-m", "demo"],
            runs.TEMPLATE,
            {"UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple/", "UV_NO_CACHE": "1", "UV_HTTP_RETRIES": "0"},
        )
    assert "The hosts cannot start: uv build of acme-" in str(failed.value)
    assert "Traceback" not in str(failed.value)


def test_refuses_a_folder_that_holds_something(tmp_path: Path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(runs.StepFailed, match="holds something already; name a new folder"):
        runs.run([sys.executable, "-m", "demo", "--keep", tmp_path], runs.TEMPLATE, {})


@pytest.mark.slow
def test_serves_the_hosts_until_ctrl_c_with_a_command_that_works_as_it_is_printed(tmp_path: Path):
    serving = subprocess.Popen(
        [sys.executable, "-m", "demo", "--serve"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=runs.TEMPLATE,
        # A shell starts what it runs in the background with Ctrl-C ignored, and so may be running this.
        preexec_fn=None if os.name == "nt" else partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    try:
        assert serving.stdout is not None
        lines: list[str] = []
        for line in serving.stdout:
            lines.append(line.strip())
            if line.startswith("Ctrl-C"):
                break
        variables = dict(
            line.removeprefix("export ").split("=", 1) for line in lines if line.startswith("export ")
        )
        command = shlex.split(next(line for line in lines if "--defaults" in line))
        runs.run(command, tmp_path, variables | {"PRIVATE_PACKAGES_STRICT": "1"})
        assert (tmp_path / "my-app" / "app" / "submodules" / "acme-beams" / "src").is_dir()
    finally:
        serving.send_signal(signal.SIGINT)
        assert serving.wait(timeout=20) == 0
    assert os.environ.keys().isdisjoint(variables)
