"""This repository's documents: four kinds, one click away, in plain words, and true to the command and the questions."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from apps import ROOT, questions, snapshot
from private_packages.cli import COMMANDS, main

from demo.record import TEMPLATE

DOCS = ROOT / "docs"
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = sorted(DOCS.glob("*.md"))
KINDS = ("Tutorial", "How-to guides", "Reference", "Explanation")
# What readers of the first version stumbled over, and what took its place.
STUMBLED = {
    r"what those leave open": "what the sources do not say",
    r"is not as it must be": "what is wrong, and where",
    r"when that is mended": "then type",
    r"is named no more": "is removed",
    r"wanted anew": "wanted again",
    r"nothing is waited for longer": "a host that sends nothing for … is given up",
    r"importable as it is": "in app/submodules",
    r"beside pypi": "where pip asks PyPI as well",
    r"pip prefers neither": "pip takes the best file of either",
}
# These hold promises and measurements, each in a table or a list.
LONG = {"lifecycle.md", "performance.md", "platforms.md", "security.md"}


def prose(text: str) -> str:
    """A document without its code, tables, headings and comments."""
    text = re.sub(r"(?ms)^```.*?^```$|<!--.*?-->", "", text)
    return re.sub(r"(?m)^(?:\||#|!\[).*$", "", text)


def sentences(text: str) -> Iterator[str]:
    """The sentences of a document, and the items of its lists."""
    for paragraph in re.split(r"\n\n|\n(?=- )", prose(text)):
        yield from filter(None, re.split(r"(?<=[.:?!]) +(?=[A-Z*`\[])", " ".join(paragraph.split())))


def visible() -> Iterator[tuple[str, str]]:
    """Everything that a person may read, by file: documents, questions, messages, and what the code says."""
    for pattern in ("*.md", "docs/*.md", "docs/*.yml", "copier.yml", "template/**/*.jinja"):
        for path in ROOT.glob(pattern):
            yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")
    for pattern in ("hooks/*.py", "demo/*.py", "template/files/private_packages/**/*.py"):
        for path in ROOT.glob(pattern):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield path.relative_to(ROOT).as_posix(), node.value


# The four kinds


def test_readme_leads_to_each_page_by_its_kind_in_one_click():
    table = README.partition("\n## Documentation\n")[2].partition("\n## ")[0]
    kinds = re.findall(r"(?m)^\| \*\*([\w-]+(?: \w+)?)\*\*", table)
    assert tuple(kinds) == KINDS
    linked = re.findall(r"\]\(docs/([\w-]+\.md)\)", table)
    assert sorted(linked) == [page.name for page in PAGES]


def test_readme_begins_with_the_sentence_the_picture_a_command_that_works_and_the_way_for_an_existing_app():
    first = README.partition("\n## ")[0]
    order = ["A [Copier]", "](docs/session.svg)", "<!-- demo -->", "**A new app**", "**The app you have**"]
    places = [first.index(one) for one in order]
    assert places == sorted(places)
    # A screen, and a little of the next.
    assert len(first.splitlines()) <= 40
    assert first.index("```sh\npython3 -m pip install uv && python3 -m uv run demo\n") < first.index(TEMPLATE)


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.name not in LONG], ids=lambda page: page.name
)
def test_a_page_is_no_longer_than_two_screens_of_text(page: Path):
    text = page.read_text(encoding="utf-8")
    assert len([line for line in prose(text).splitlines() if line.strip()]) <= 90


@pytest.mark.parametrize(
    "page",
    [*(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "SECURITY")), *(page for page in PAGES if page.name not in LONG)],
    ids=lambda page: page.name,
)  # fmt: skip
def test_a_sentence_has_no_more_than_forty_words(page: Path):
    """A longer one holds two ideas."""
    long = [one for one in sentences(page.read_text(encoding="utf-8")) if len(one.split()) > 40]
    assert long == []


@pytest.mark.parametrize("words", STUMBLED)
def test_no_sentence_has_the_words_that_readers_stumbled_over(words: str):
    found = [(path, text) for path, text in visible() if re.search(words, " ".join(text.split()), re.I)]
    assert found == [], f"say it as: {STUMBLED[words]}"


@pytest.mark.parametrize("arguments", [[], *([name] for name in COMMANDS)], ids=str)
def test_help_fits_a_terminal_of_80_columns(
    arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        main([*arguments, "--help"])
    told = capsys.readouterr().out
    assert "usage: " in told
    assert [line for line in told.splitlines() if len(line) > 80] == []


# Reference


def options_of(command: str, capsys: pytest.CaptureFixture[str]) -> set[str]:
    """The long options of a command, as its `--help` prints them."""
    with pytest.raises(SystemExit):
        main([command, "--help"])
    return set(re.findall(r"(?m)^  (?:-\w, )?(--[a-z][\w-]*)", capsys.readouterr().out))


def test_the_page_of_commands_has_each_command_and_option_and_no_other(
    capsys: pytest.CaptureFixture[str],
):
    page = (DOCS / "commands.md").read_text(encoding="utf-8")
    first, second = re.findall(r"(?m)(?:^\|.*\|\n)+", page)[:2]
    assert set(re.findall(r"(?m)^\| `(\w+)", first)) == set(COMMANDS)
    told = {
        (name, option)
        for option, of in re.findall(r"(?m)^\| `(--[\w-]+)[^|]*` \| ([^|]+) \|", second)
        for name in (COMMANDS if of == "each command" else re.findall(r"`(\w+)`", of))
    }
    assert told == {(name, option) for name in COMMANDS for option in options_of(name, capsys)}


def test_the_page_of_commands_has_each_variable_that_the_code_reads():
    page = (DOCS / "commands.md").read_text(encoding="utf-8")
    code = "\n".join(text for path, text in visible() if path.endswith(".py"))
    read = set(re.findall(r"PRIVATE_PACKAGES_[A-Z]+", code))
    assert read
    assert set(re.findall(r"`(PRIVATE_PACKAGES_[A-Z]+)", page)) == read


def test_the_page_of_questions_has_each_question_and_each_default_that_is_plain():
    page = (DOCS / "questions.md").read_text(encoding="utf-8")
    rows = re.findall(r"(?m)^\| `(\w+)` \| [^|]+ \| ([^|]+) \|$", page)
    data = yaml.safe_load((ROOT / "copier.yml").read_text(encoding="utf-8"))
    assert {name for name, _ in rows} == set(questions())
    for name, default in rows:
        wanted = data[name]["default"]
        if isinstance(wanted, str) and "{" not in wanted:
            assert default == f"`{wanted}`", name


# The owner's name


@pytest.mark.skipif(sys.platform == "win32", reason="the command is for bash, with xargs and perl")
def test_the_owner_s_name_has_one_form_and_one_documented_command_puts_another_in_its_place(
    tmp_path: Path, git
):
    """After it, this test speaks of the new name."""
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    ((command, old, new),) = re.findall(r"(?m)^(git grep .* 's#(.+)#(.+)#g')$", contributing)
    assert old == TEMPLATE
    repository = snapshot(tmp_path / "repository", "v1.0.0")
    placeholder = TEMPLATE.partition("/")[0]
    others = [":!CONTRIBUTING.md", ":!tests/test_documents.py"]
    for line in git(repository, "grep", "-w", placeholder, "--", *others).splitlines():
        assert len(re.findall(rf"\b{placeholder}\b", line)) == line.count(TEMPLATE), line
    subprocess.run(["bash", "-euc", command], cwd=repository, check=True)
    assert git(repository, "grep", "-c", new, "--", "README.md", "demo/record.py").splitlines() == [
        *("README.md:2", "demo/record.py:1")
    ]
    left = subprocess.run(
        ["git", "grep", "-n", old], cwd=repository, capture_output=True, text=True, check=False
    )
    assert left.stdout == ""
