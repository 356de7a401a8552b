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

from demo import existing, runs
from demo.git import run_git


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
def test_puts_a_package_into_an_app_that_was_there_before_and_says_what_became_of_its_lines(tmp_path: Path):
    command = [sys.executable, "-m", "demo", "--keep", tmp_path / "kept", "--strategy", "existing"]
    said = runs.run(command, runs.TEMPLATE, {"COLUMNS": "120"})
    app = tmp_path / "kept" / "python-existing"
    lines = sum(
        len((app / name).read_text().splitlines()) for name in ("slab.py", "test_slab.py", "README.md")
    )
    # requirements.txt and .gitignore have two lines each below which the block begins.
    assert "python-existing: there before, installed, run and tested" in said
    assert (
        f"{lines + 4} lines of the app, none changed; a block was added to .gitignore and requirements.txt"
        in said
    )
    assert re.findall(r"│ (\w+) +│ (\w+) +│.*│ (\w+) +│", said) == [("python", "existing", "works")]
    for name, text in existing.FILES.items():
        now = (app / name).read_text()
        assert now == text or now.startswith(f"{text}\n# >>> private packages: "), name
    assert not (app / "pyproject.toml").exists()
    assert (app / "app" / "submodules" / "acme-units" / "pyproject.toml").is_file()
    assert run_git("-C", app, "log", "--format=%s") == "The app as it is"


@pytest.mark.parametrize("name", ["slab.py", "requirements.txt"])
def test_a_changed_line_of_the_app_that_was_there_before_is_no_success(tmp_path: Path, name: str):
    app = tmp_path / "app"
    existing.write(app)
    with (app / name).open("a") as file:
        file.write("# added\n")
    assert existing.became_of(app) == f"46 lines of the app, none changed; a block was added to {name}"
    text = (app / name).read_text()
    (app / name).write_text(text.replace(existing.FILES[name].splitlines()[0], "# changed", 1))
    with pytest.raises(runs.StepFailed, match=r"^46 lines of the app, 1 changed$"):
        existing.became_of(app)
    (app / name).unlink()
    with pytest.raises(runs.StepFailed, match=r"^46 lines of the app, \d+ changed$"):
        existing.became_of(app)


def test_has_no_existing_app_on_viktor():
    with pytest.raises(runs.StepFailed, match="plain Python; leave out --platform"):
        runs.run(
            [sys.executable, "-m", "demo", "--strategy", "existing", "--platform", "viktor"],
            runs.TEMPLATE,
            {},
        )


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
