"""The questionnaire at a real terminal."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

if sys.platform == "win32":
    pytest.skip("Windows has no pseudo-terminal for pexpect", allow_module_level=True)

import pexpect

ALT_ENTER = "\x1b\r"
DOWN = "\x1b[B"


@pytest.fixture
def source(questionnaire: Path) -> Path:
    """What `terminal` copies from."""
    return questionnaire


@pytest.fixture
def terminal(source: Path, tmp_path: Path) -> Iterator[pexpect.spawn]:
    """`copier copy` at a terminal of 80 columns; the hook is left out, it needs no terminal."""
    child = pexpect.spawn(
        sys.executable,
        ["-m", "copier", "copy", "--skip-tasks", str(source), str(tmp_path / "my-app")],
        dimensions=(60, 80),
        encoding="utf-8",
        timeout=20,
    )
    yield child
    child.close(force=True)


def answers(tmp_path: Path) -> dict[str, object]:
    found: dict[str, object] = yaml.safe_load((tmp_path / "my-app" / ".copier-answers.yml").read_text())
    return found


def answer(terminal: pexpect.spawn, *keys_by_question: tuple[str, str]) -> None:
    """Wait for each question, and for the cursor that says that it listens; then type."""
    for question, keys in keys_by_question:
        terminal.expect(question)
        terminal.expect_exact("\x1b[?25h")
        terminal.send(keys)


def test_enter_at_every_question_gives_an_app_without_packages(terminal: pexpect.spawn, tmp_path: Path):
    answer(
        terminal,
        ("Is there an app already", "\r"),
        ("called", "\r"),
        ("does the app run", "\r"),
        ("get its private packages", "\r"),
        ("are submodules", ALT_ENTER),
        ("Which Python", "\r"),
        ("Which CI", "\r"),
    )
    terminal.expect(pexpect.EOF)
    terminal.wait()
    assert terminal.exitstatus == 0
    assert answers(tmp_path)["submodule_packages"] == ""
    assert answers(tmp_path)["app_name"] == "my app"


@pytest.fixture
def in_their_app(questionnaire: Path, tmp_path: Path) -> Iterator[pexpect.spawn]:
    """`copier copy` into a folder with an app on VIKTOR, at a terminal of 80 columns."""
    folder = tmp_path / "my-app"
    folder.mkdir()
    (folder / "app.py").write_text("import viktor\n")
    (folder / "viktor.config.toml").write_text('app_type = "editor"\n')
    child = pexpect.spawn(
        sys.executable,
        ["-m", "copier", "copy", "--skip-tasks", str(questionnaire), str(folder)],
        dimensions=(60, 80),
        encoding="utf-8",
        timeout=20,
    )
    yield child
    child.close(force=True)


def test_over_an_existing_app_only_what_the_unit_needs_is_asked(in_their_app: pexpect.spawn, tmp_path: Path):
    answer(
        in_their_app,
        ("Is there an app already", f"{DOWN}\r"),
        ("does the app run", "\r"),
        ("get its private packages", "\r"),
        ("are submodules", f"acme-beams @ https://github.com/acme/beams.git{ALT_ENTER}"),
        ("Which Python", "\r"),
    )
    in_their_app.expect("The unit is in")
    in_their_app.expect(pexpect.EOF)
    assert "app_name" not in answers(tmp_path) and "ci" not in answers(tmp_path)
    # viktor.config.toml was seen.
    assert answers(tmp_path)["platform"] == "viktor"
    assert sorted(one.name for one in (tmp_path / "my-app").iterdir()) == [
        ".copier-answers.yml",
        "app",
        "app.py",
        "docs",
        "private-packages.toml",
        "private_packages",
        "viktor.config.toml",
    ]


def test_a_folder_without_an_app_is_told_at_once(source: Path, tmp_path: Path):
    child = pexpect.spawn(
        sys.executable,
        ["-m", "copier", "copy", "--skip-tasks", str(source), str(tmp_path / "my-app")],
        dimensions=(60, 80),
        encoding="utf-8",
        timeout=20,
    )
    answer(child, ("Is there an app already", f"{DOWN}\r"))
    # No other question comes in between.
    assert child.expect(["Here is no Python app", "does the app run", "called"]) == 0
    child.expect(pexpect.EOF)
    child.close()


def test_all_strategies_are_asked_one_after_the_other(terminal: pexpect.spawn, tmp_path: Path):
    """Also with a package that is not pinned: then only the scope that allows it can be chosen."""
    url = "https://${ACME_USER}:${ACME_PASSWORD}@packages.example.com/simple/"
    answer(
        terminal,
        ("Is there an app already", "\r"),
        ("called", "\r"),
        ("does the app run", "\r"),
        ("get its private packages", f"{DOWN} {DOWN} \r"),
        ("are submodules", f"acme-beams @ https://github.com/acme/beams.git@v1{ALT_ENTER}"),
        ("installed from Git", f"acme-loads @ git+https://github.com/acme/loads.git@v1{ALT_ENTER}"),
        ("come from the index", f"acme-units>=2{ALT_ENTER}"),
        ("address of the index", f"{url}\r"),
        ("or instead of it", "\r"),
        ("Which Python", "\r"),
        ("Which CI", "\r"),
    )
    terminal.expect(pexpect.EOF)
    terminal.wait()
    assert terminal.exitstatus == 0
    given = answers(tmp_path)
    assert given["strategies"] == ["submodule", "git", "index"]
    assert given["index_packages"] == "acme-units>=2"
    assert (given["index_url"], given["index_scope"]) == (url, "only")


def test_a_refused_line_says_why_on_the_screen_and_can_be_corrected(terminal: pexpect.spawn, tmp_path: Path):
    """The screen has one line for it, and Copier's own words fill two thirds, so the cause comes first."""
    answer(
        terminal,
        ("Is there an app already", "\r"),
        ("called", "\r"),
        ("does the app run", "\r"),
        ("get its private packages", "\r"),
    )
    terminal.expect("are submodules")
    terminal.expect_exact("\x1b[?25h")
    terminal.send(f"acme-beams @ https://ghp_0123456789@github.com/acme/beams.git{ALT_ENTER}")
    terminal.expect("Validation error for question 'submodule_packages': Line 1: literal sec")
    terminal.send("\x7f" * 80 + ALT_ENTER)
    terminal.expect("Which Python")
    terminal.send("\r")
    terminal.expect("Which CI")
    terminal.send("\r")
    terminal.expect(pexpect.EOF)
    assert answers(tmp_path)["submodule_packages"] == ""


class TestACatalogue:
    """packages.yml of an organisation's fork."""

    @pytest.fixture
    def source(self, questionnaire: Path, tmp_path: Path) -> Path:
        folder = Path(shutil.copytree(questionnaire, tmp_path / "fork"))
        entries = [
            {"name": name, "repository": f"https://git.acme.example/{name}.git", "ref": "v1"}
            for name in ("acme-beams", "acme-loads", "acme-units")
        ]
        (folder / "packages.yml").write_text(yaml.safe_dump({"catalogue": entries}))
        return folder

    def test_is_a_list_to_tick_and_no_line_is_asked_for(self, terminal: pexpect.spawn, tmp_path: Path):
        answer(
            terminal,
            ("Is there an app already", "\r"),
            ("called", "\r"),
            ("does the app run", "\r"),
            ("get its private packages", "\r"),
            ("Which packages does the app use", f" {DOWN}{DOWN} \r"),
            ("Which Python", "\r"),
            ("Which CI", "\r"),
        )
        terminal.expect(pexpect.EOF)
        terminal.wait()
        assert terminal.exitstatus == 0
        assert str(answers(tmp_path)["submodule_packages"]).splitlines() == [
            "acme-beams @ git+https://git.acme.example/acme-beams.git@v1",
            "acme-units @ git+https://git.acme.example/acme-units.git@v1",
        ]

    def test_can_be_left_for_lines_that_are_typed(self, terminal: pexpect.spawn, tmp_path: Path):
        line = "their-own @ git+https://git.acme.example/theirs.git@main"
        answer(
            terminal,
            ("Is there an app already", "\r"),
            ("called", "\r"),
            ("does the app run", "\r"),
            ("get its private packages", "\r"),
            ("Which packages does the app use", f"{DOWN * 3} \r"),
            ("are submodules", f"{line}{ALT_ENTER}"),
            ("Which Python", "\r"),
            ("Which CI", "\r"),
        )
        terminal.expect(pexpect.EOF)
        terminal.wait()
        assert answers(tmp_path)["submodule_packages"] == line
