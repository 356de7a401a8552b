"""The `demo` command."""

from __future__ import annotations

import os
import re
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
    assert "python-mixed: generated, installed, run and tested" in said
    assert "works" in said
    assert "failed" not in said
    assert (
        tmp_path / "kept" / "python-mixed" / "app" / "submodules" / "acme-beams" / "pyproject.toml"
    ).is_file()


@pytest.mark.slow
def test_says_which_step_failed_and_why():
    """Git is told not to speak plain HTTP, so the Git line's commit cannot be asked for when the app is made."""
    done = subprocess.run(
        [sys.executable, "-m", "demo", "--platform", "python", "--strategy", "git"],
        cwd=runs.TEMPLATE,
        env={**os.environ, "GIT_ALLOW_PROTOCOL": "file:https", "COLUMNS": "120"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "python-git failed at generate: `python -m copier copy …` exits with 1" in done.stderr
    assert "acme-beams: Git says: transport 'http' not allowed." in done.stderr
    assert "Traceback" not in done.stderr


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
def test_serves_the_hosts_until_ctrl_c_with_words_that_work_as_they_are_printed_in_any_shell(tmp_path: Path):
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
            if "Ctrl-C" in line:
                break
        app = tmp_path / "my-app"
        app.mkdir()
        values = [line for line in lines if re.fullmatch(r"ACME_[A-Z]+=\S+", line)]
        (app / ".env").write_text("".join(f"{line}\n" for line in values))
        command = next(line for line in lines if "--defaults" in line)
        # Neither quotes nor anything else that two shells read in two ways.
        assert not set("'`$&|<>^%!(){}*?;") & set(command)
        runs.run(shlex.split(command), tmp_path, {"PRIVATE_PACKAGES_STRICT": "1"})
        assert (app / "app" / "submodules" / "acme-beams" / "src").is_dir()
        runs.install(app, {})
        assert "acme-units: 2.1.0" in runs.start(app, "python")
    finally:
        serving.send_signal(signal.SIGINT)
        assert serving.wait(timeout=20) == 0
    assert not [line for line in lines if line.startswith(("export ", "set ", "$env:", "cp "))]
    assert {line.partition("=")[0] for line in values}.isdisjoint(os.environ)
