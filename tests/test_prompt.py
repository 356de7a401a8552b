"""The questionnaire at a real terminal."""

from __future__ import annotations

import contextlib
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from apps import data
from lines import REFUSED, REFUSED_INDEX_URLS, WRONG
from templates import macros

if sys.platform == "win32":
    pytest.skip("Windows has no pseudo-terminal for pexpect", allow_module_level=True)

import pexpect
import pyte

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
def their_app(tmp_path: Path) -> Path:
    """An app on VIKTOR in the folder into which `terminal` copies."""
    folder = tmp_path / "my-app"
    folder.mkdir()
    (folder / "app.py").write_text("import viktor\n")
    (folder / "viktor.config.toml").write_text('app_type = "editor"\n')
    return folder


def test_over_an_existing_app_only_what_the_unit_needs_is_asked(
    their_app: Path, terminal: pexpect.spawn, tmp_path: Path
):
    answer(
        terminal,
        ("Is there an app already", f"{DOWN}\r"),
        ("does the app run", "\r"),
        ("get its private packages", "\r"),
        ("are submodules", f"acme-beams @ https://github.com/acme/beams.git{ALT_ENTER}"),
        ("Which Python", "\r"),
    )
    terminal.expect("The private packages are set up in")
    terminal.expect(pexpect.EOF)
    assert "app_name" not in answers(tmp_path) and "ci" not in answers(tmp_path)
    # viktor.config.toml was seen.
    assert answers(tmp_path)["platform"] == "viktor"
    assert sorted(one.name for one in their_app.iterdir()) == [
        ".copier-answers.yml",
        "app",
        "app.py",
        "docs",
        "private-packages.toml",
        "private_packages",
        "viktor.config.toml",
    ]


def test_a_folder_without_an_app_is_told_at_once(terminal: pexpect.spawn):
    answer(terminal, ("Is there an app already", f"{DOWN}\r"))
    # No other question comes in between.
    assert terminal.expect(["Here is no Python app", "does the app run", "called"]) == 0
    terminal.expect(pexpect.EOF)


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
        ("ask PyPI as well", "\r"),
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
    terminal.expect("Validation error for question 'submodule_packages': literal secret; put it into")
    terminal.send("\x7f" * 80 + ALT_ENTER)
    terminal.expect("Which Python")
    terminal.send("\r")
    terminal.expect("Which CI")
    terminal.send("\r")
    terminal.expect(pexpect.EOF)
    assert answers(tmp_path)["submodule_packages"] == ""


def causes() -> dict[str, tuple[str, str, str]]:
    """One refused line for each cause: by cause, its strategy, the line, and the whole sentence."""
    found: dict[str, tuple[str, str, str]] = {}
    cases_of = [*REFUSED.items(), ("git", [(line, "") for line in WRONG])]
    for strategy, cases in cases_of:
        for line, _ in cases:
            sentence = macros("lines").refusal(strategy, line).strip()
            found.setdefault(re.split("[;:] ", sentence)[0], (strategy, line, sentence))
    return found


def test_every_cause_is_short_enough_for_what_copier_leaves_of_eighty_columns():
    """Copier's own words take 51 columns at most; an address is shorter, its cause may be longer."""
    before = len("Validation error for question 'submodule_packages': ")
    assert [cause for cause in causes() if before + len(cause) > 80] == []
    before = len("Validation error for question 'index_url': ")
    for url, _ in REFUSED_INDEX_URLS:
        sentence = macros("index_lines").index_url_refusal(url, "acme-units==1").strip()
        assert before + len(re.split("[;:] ", sentence)[0]) <= 80, sentence


@pytest.mark.parametrize("strategy", ["submodule", "git", "index"])
def test_every_cause_is_read_whole_on_a_terminal_of_eighty_by_twenty_four(
    questionnaire: Path, tmp_path: Path, strategy: str
):
    given = data({"start": "new", "app_name": "App", "platform": "python", "strategies": [strategy]})
    screen = pyte.Screen(80, 24)
    stream = pyte.Stream(screen)
    child = pexpect.spawn(
        sys.executable,
        ["-m", "copier", "copy", "--skip-tasks", *given, str(questionnaire), str(tmp_path / "my-app")],
        dimensions=(24, 80),
        encoding="utf-8",
        timeout=20,
    )
    child.logfile_read = SimpleNamespace(write=stream.feed, flush=lambda: None)
    child.expect({"submodule": "are submodules", "git": "from Git", "index": "from the index"}[strategy])
    child.expect_exact("\x1b[?25h")
    shown = 0
    for cause, (of, line, _) in causes().items():
        # What a terminal takes for keys cannot be pasted; a long line is no easier to read.
        if of != strategy or not line.isprintable() or len(line) > 200:
            continue
        child.send(line + ALT_ENTER)
        child.expect_exact("Validation error")
        for _ in range(50):
            with contextlib.suppress(pexpect.TIMEOUT):
                child.read_nonblocking(4096, 0.02)
            if any(cause in text for text in screen.display):
                break
        assert any(cause in text for text in screen.display), (cause, screen.display)
        # The end of the text, then everything before it.
        child.send("\x1b>" + "\x7f" * (len(line) + 5))
        shown += 1
    child.close(force=True)
    assert shown >= {"submodule": 20, "git": 6, "index": 3}[strategy]


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
