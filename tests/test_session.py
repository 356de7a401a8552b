"""The recorded session on the README's first screen: true to what is asked and said today, and safe to show."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import pyte
import pytest
import yaml
from apps import ROOT, questions, render
from messages import commands
from private_packages.app import open_app
from private_packages.output import Output

from demo.picture import CELL, MARGIN, draw, frame_of
from demo.record import (
    COLUMNS,
    CONTENT,
    DESCRIPTION,
    GIT_NAME,
    INDEX_NAME,
    PICTURE,
    QUESTION,
    STATUS,
    commands_of,
)

AGAIN = "record it again: python -m demo.record"
SVG = "{http://www.w3.org/2000/svg}"
# A session that chooses submodule and index, without a catalogue and without a word of installer and containers, is not asked for these.
NOT_ASKED = {"git_packages", "catalogue_packages", "installer", "containers"}


def frames_of(picture: str) -> list[str]:
    """The text of each frame, a line a row."""
    frames = []
    for group in ElementTree.fromstring(picture).iter(f"{SVG}g"):
        rows: dict[int, dict[int, str]] = {}
        for run in group.iter(f"{SVG}text"):
            rows.setdefault(int(run.attrib["y"]), {})[int(run.attrib["x"])] = run.text or ""
        lines = [" ".join(text for _, text in sorted(row.items())) for _, row in sorted(rows.items())]
        frames.append("\n".join(lines))
    return frames


@pytest.fixture(scope="module")
def picture() -> str:
    return PICTURE.read_text(encoding="utf-8")


@pytest.mark.parametrize("question", [name for name in questions() if name not in NOT_ASKED])
def test_each_question_is_shown_in_its_words_of_today(picture: str, question: str):
    data = yaml.safe_load((ROOT / "copier.yml").read_text(encoding="utf-8"))
    shown = "\n".join(frames_of(picture))
    lines = [line.strip() for line in data[question]["help"].splitlines() if "{{" not in line]
    assert lines
    for line in lines:
        assert line in shown, f"{line!r} is not in the picture; {AGAIN}"
    if "multiselect" in data[question]:
        for choice in data[question]["choices"]:
            assert choice in shown, f"{choice!r} is not in the picture; {AGAIN}"


def test_no_question_is_shown_that_is_not_asked_any_more(picture: str):
    data = yaml.safe_load((ROOT / "copier.yml").read_text(encoding="utf-8"))
    asked = {data[name]["help"].splitlines()[0] for name in questions()}
    shown = re.findall(r"(?m)^🎤 (.+)$", "\n".join(frames_of(picture)))
    assert len(set(shown)) == len(questions()) - len(NOT_ASKED)
    assert set(shown) <= asked, AGAIN


def test_the_first_message_is_that_of_today(picture: str):
    data = yaml.safe_load((ROOT / "copier.yml").read_text(encoding="utf-8"))
    assert data["_message_before_copy"].strip() in frames_of(picture)[1], AGAIN


def test_the_commands_shown_are_those_that_the_hook_says_today_and_they_are_typed(
    picture: str, questionnaire: Path, tmp_path: Path
):
    answers = {
        "strategies": ["submodule", "index"],
        "submodule_packages": "acme-beams @ https://x-access-token:${ACME_TOKEN}@code.acme.test/acme/beams.git",
        "index_packages": "acme-units==2.1.0",
        "index_url": "https://${ACME_USER}:${ACME_PASSWORD}@pkgs.acme.test/simple/",
    }
    folder = render(questionnaire, tmp_path / "my-app", **answers)
    environ = {"PWD": str(tmp_path), "ACME_TOKEN": "t", "ACME_USER": "u", "ACME_PASSWORD": "p"}
    app = open_app(folder, environ, Output(io.StringIO(), environ))
    today = list(commands(app, environ, update=False))
    *_, listed, _installed, last = frames_of(picture)
    # The picture has no blank lines and no margins, so the list is read up to the line that follows it.
    start, end = listed.index("Next:\n") + len("Next:\n"), listed.index("README.md and docs")
    assert listed[start:end].splitlines() == today, AGAIN
    typed = re.findall(r"(?m)^\$ ?(.+)$", last)
    assert typed == [*today[:-1], STATUS], AGAIN
    assert "Hello from my-app." in last
    assert "OK" in last.splitlines()
    assert CONTENT in last


def test_it_is_one_small_file_that_runs_nothing_and_asks_nobody(picture: str):
    tree = ElementTree.fromstring(picture)
    assert len(picture.encode()) < 150_000
    assert {element.tag.removeprefix(SVG) for element in tree.iter()} == {
        *("svg", "title", "style", "g", "rect", "path", "circle", "text")
    }
    names = {name for element in tree.iter() for name in element.attrib}
    assert not [name for name in names if name.startswith("on") or name.endswith("href")]
    assert "url(" not in picture
    assert "@import" not in picture


def test_it_holds_no_secret_and_nothing_of_the_machine_that_recorded_it(picture: str):
    shown = "\n".join(frames_of(picture))
    assert "127.0.0.1" not in shown
    assert "/tmp" not in shown
    assert "/home" not in shown
    logins = re.findall(r"://([^\s/@]+)@", shown)
    # One token is typed to be refused; it opens nothing.
    assert set(logins) == {
        *("x-access-token:${TOKEN}", "x-access-token:${ACME_TOKEN}", "${ACME_USER}:${ACME_PASSWORD}"),
        "x-access-token:my-own-token",
    }
    addresses = set(re.findall(r"https?://(?:[^\s/@]+@)?([\w.:-]+)", shown))
    assert addresses == {"host", GIT_NAME.partition("//")[2], INDEX_NAME.partition("//")[2]}


def test_readme_shows_it_before_anything_else_and_tells_it_to_those_who_do_not_see(picture: str):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = re.search(r"!\[(.+)\]\(docs/session\.svg\)", readme)
    assert shown
    assert readme.index(shown[0]) < readme.index("```")
    title = ElementTree.fromstring(picture).findtext(f"{SVG}title")
    assert title == DESCRIPTION
    assert shown[1] == DESCRIPTION.removesuffix(".")


def test_it_plays_once_and_the_last_frame_stays_there_and_where_nothing_moves(picture: str):
    groups = list(ElementTree.fromstring(picture).iter(f"{SVG}g"))
    assert len(groups) >= 8
    assert [group.get("opacity") for group in groups] == ["0"] * (len(groups) - 1) + [None]
    style = ElementTree.fromstring(picture).findtext(f"{SVG}style") or ""
    before, _, moving = style.partition("@media (prefers-reduced-motion:no-preference)")
    assert "animation" not in before
    assert moving.count("@keyframes") == len(groups)
    assert moving.count("s step-end both}") == len(groups)
    # The last one has no moment at which it goes.
    assert re.search(rf"@keyframes f{len(groups) - 1}\{{0%\{{opacity:0\}}[\d.]+%\{{opacity:1\}}\}}", moving)


def rows_of(picture: str) -> list[list[ElementTree.Element]]:
    """The runs of each row of each frame."""
    rows: dict[tuple[int, str], list[ElementTree.Element]] = {}
    for number, group in enumerate(ElementTree.fromstring(picture).iter(f"{SVG}g")):
        for run in group.iter(f"{SVG}text"):
            if run.get("textLength"):
                rows.setdefault((number, run.attrib["y"]), []).append(run)
    return list(rows.values())


def test_it_is_as_wide_as_a_terminal_of_80_columns(picture: str):
    ends = [int(run.attrib["x"]) + int(run.attrib["textLength"]) for row in rows_of(picture) for run in row]
    assert COLUMNS == 80
    assert 75 * CELL < max(ends) - MARGIN <= 80 * CELL


def in_bold(picture: str) -> list[list[str]]:
    """The rows that have something in bold, and in no colour of its own."""
    return [
        [run.text or "" for run in row]
        for row in rows_of(picture)
        if any(run.get("class") == "b" and not run.get("style") for run in row)
    ]


def test_bold_marks_the_question_and_not_the_help_below_it(picture: str):
    bold = in_bold(picture)
    assert len(bold) > len(questions()) - len(NOT_ASKED)
    assert [row for row in bold if row[0] != QUESTION] == []


def drawn(text: str) -> str:
    """A picture of two frames of a terminal that got a text."""
    screen = pyte.Screen(20, 3)
    pyte.Stream(screen).feed(text)
    return draw([frame_of(screen, "One", 1), frame_of(screen, "Two", 3)], 20, "Two frames")


def test_a_drawn_row_keeps_its_columns_colours_and_signs():
    picture = drawn("a  \x1b[1;32mb & <c>\x1b[0m\x1b[7m d\x1b[0m🎤e")
    runs = [run for run in ElementTree.fromstring(picture).iter(f"{SVG}text") if run.get("textLength")]
    first = runs[: len(runs) // 2]
    cell = 8
    places = [
        (run.text, (int(run.attrib["x"]) - 16) // cell, int(run.attrib["textLength"]) // cell)
        for run in first
    ]
    assert places == [("a", 0, 1), ("b & <c>", 3, 7), (" d", 10, 2), ("🎤", 12, 2), ("e", 14, 1)]
    assert [run.get("class") for run in first] == [None, "b", None, None, None]
    assert first[1].get("style") == "fill:#3fb950"
    assert frames_of(picture)[0] == "One\na b & <c>  d 🎤 e"


def test_frames_follow_each_other_for_as_long_as_they_are_told():
    style = ElementTree.fromstring(drawn("x")).findtext(f"{SVG}style") or ""
    assert "@keyframes f0{0.00%{opacity:1}25.00%{opacity:0}}" in style
    assert "@keyframes f1{0%{opacity:0}25.00%{opacity:1}}" in style
    assert "animation:f1 4s step-end both" in style
    groups = ElementTree.fromstring(drawn("x")).iter(f"{SVG}g")
    assert [group.get("opacity") for group in groups] == ["0", None]


def test_a_hook_that_lists_nothing_stops_the_recording():
    with pytest.raises(RuntimeError, match="lists no commands"):
        commands_of("The app is complete, but its private packages are not:\n")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="pip, Git and the shell say other words elsewhere")
def test_a_new_recording_shows_what_the_picture_shows(picture: str):
    """A run is the same on every machine, so whatever differs was changed and not recorded."""
    from demo.record import record

    again = draw(record(), COLUMNS, DESCRIPTION)
    for new, old in zip(frames_of(again), frames_of(picture), strict=True):
        assert new == old, AGAIN
    assert in_bold(again) == in_bold(picture), AGAIN
