"""Whatever is typed: refused with one sentence, or rendered into files that parse and say what was typed.

More than 2,000 generated answers a run; the named attacks stand in lines.py.
"""

from __future__ import annotations

import configparser
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from apps import copier as run_copier
from apps import data, last_line, render
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lines import ACCEPTED, ACCEPTED_INDEX_URLS, REFUSED
from packaging.requirements import Requirement
from private_packages import config
from templates import ANSWERS, TOML, files_for, macros, of_question
from test_questionnaire import answers_with, ask
from test_rendered_files import parse_everything, texts

# Stands for a token that somebody pastes; no sentence and no file may hold it.
SECRET = "ghp_S3cr3tS3cr3tS3cr3tS3cr3tS3cr3tS3cr3t"
NASTY = [
    '"', "'", "\\", "`", "$", "${", "${X}", "${x}", "$X", "$(id)", "{{ 7*7 }}", "{% raw %}", "{#", "#}", "%", "%00", "&&",
    "|", ";", "; ", "<b>", "!", "*", "~", "\t", "\n", "\r", "\r\n", "\x00", "\x1b[31m", "\x7f", "\x85", "\u2028", "\u202e",
    "\u200b", "\ufeff", "\ud800", "🏗️", "naïve", "..", "/../", "--", "-c", "--upload-pack=x", "ext::sh -c id", "file://",
    "git+", "@", "@@", "#", " #", "#egg=x", "==", "===", "://", ":", "?", "[", "]", "a" * 3000, SECRET, f"{SECRET}:@",
    f"x:{SECRET}@", " ", "   ", "&", ", ", "null", "~=", "- ", "!!python/object:os.system",
]  # fmt: skip
PLAIN = settings(
    max_examples=600,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)


def mutated(seeds: list[str]) -> st.SearchStrategy[str]:
    """A line that is fine, with something nasty put somewhere, or several, or nonsense alone."""
    harmless = st.sampled_from([*"abcXYZ019-._", " ", " # a comment", "\n"])
    piece = st.one_of(harmless, st.sampled_from(NASTY), st.text(max_size=12))

    def put(seed: str, pieces: list[tuple[float, str]]) -> str:
        for place, text in pieces:
            at = int(place * len(seed))
            seed = seed[:at] + text + seed[at:]
        return seed

    placed = st.lists(st.tuples(st.floats(0, 1), piece), max_size=2)
    one = st.builds(put, st.sampled_from(seeds), placed)
    return st.one_of(one, st.lists(one, min_size=2, max_size=3).map("\n".join), st.lists(piece).map("".join))


def is_one_sentence(sentence: str) -> None:
    """One line that ends in a full stop, with no character that a terminal would obey, and no secret."""
    assert sentence == sentence.strip()
    assert re.fullmatch(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e]{10,400}\.", sentence), sentence
    assert SECRET not in sentence


def typed_lines(text: str) -> list[str]:
    """The requirements in an answer, without comments."""
    lines = [re.sub(r"(?:^|\s+)#.*", "", line).strip() for line in text.split("\n")]
    return [line for line in lines if line]


def nothing_is_passed_over(wanted: config.Config, text: str) -> None:
    """Each line is a package's own, or what was pasted in its place, or told to be of another kind, or an option."""
    lines = typed_lines(text)
    for line in lines:
        known = [one for one in wanted.packages if line in (one.requirement, one.typed)]
        assert known or line.startswith(("-", *wanted.left_out)), line
    own = [one.requirement for one in wanted.packages if not one.typed]
    assert own == [line for line in lines if line in own]


def lines_hold(strategy: str, text: str, **more: str) -> None:
    """What an accepted answer promises: the command reads what was typed, nothing can act as an option."""
    files = files_for(strategies=[strategy], **{f"{strategy}_packages": text}, **more)
    wanted = config.parse(files[TOML])
    nothing_is_passed_over(wanted, text)
    assert tomllib.loads(files[TOML])["variables"] == wanted.variables
    for one in wanted.packages:
        requirement = Requirement(one.requirement)
        assert requirement.name == one.name
        assert not one.ref.startswith("-") and ".." not in one.ref
        assert re.match(
            r"$|https://[A-Za-z0-9[]|ssh://[A-Za-z0-9[]|git@[A-Za-z0-9]|http://(localhost|127\.|\[::1\])",
            one.url,
        )
        assert "://" not in one.url.partition("://")[2]
        assert not requirement.url or requirement.url.endswith(
            (f"@{one.ref}" if one.ref else "")
            + (f"#subdirectory={one.subdirectory}" if one.subdirectory else "")
        )
    assert SECRET not in "".join(part for name, part in files.items() if name != ANSWERS)
    assert yaml.safe_load(files[ANSWERS])[f"{strategy}_packages"] == text.replace("\r\n", "\n").strip()
    modules = configparser.ConfigParser(strict=True, interpolation=None)
    modules.read_string(re.sub(r"(?m)^\t", "", files[".gitmodules"]))
    assert [modules[section]["url"] for section in modules.sections()] == [
        one.url for one in wanted.of("submodule")
    ]
    installed = [
        line for line in files["requirements.txt"].splitlines() if line and not line.startswith(("#", "--"))
    ]
    assert installed == [
        "/".join(filter(None, (f"-e ./{one.path}", one.subdirectory))) if one.path else one.requirement
        for one in wanted.packages
    ]


@pytest.mark.parametrize("strategy", list(ACCEPTED))
def test_package_lines_are_refused_in_a_sentence_or_render_into_files_that_say_the_same(strategy: str):
    refused: list[str] = []
    accepted: list[str] = []

    @PLAIN
    @given(mutated([*ACCEPTED[strategy] * 5, *(line for line, _ in REFUSED[strategy])]))
    def check(text: str) -> None:
        sentence = (
            of_question(f"{strategy}_packages", "validator")
            .render(
                {
                    "strategies": [strategy],
                    **dict.fromkeys((f"{one}_packages" for one in ACCEPTED), ""),
                    f"{strategy}_packages": text,
                }
            )
            .strip()
        )
        # The plainest lines are accepted without it; it must not see them otherwise.
        assert macros("refusals").refusal_of_lines(strategy, text, []).strip() == sentence
        if sentence:
            refused.append(text)
            is_one_sentence(sentence)
        else:
            accepted.append(text)
            lines_hold(
                strategy,
                text,
                **(
                    {"index_url": ACCEPTED_INDEX_URLS[0], "index_scope": "only"}
                    if strategy == "index"
                    else {}
                ),
            )

    check()
    assert min(len(refused), len(accepted)) > 20, "one side of the property is hardly tried"


def test_an_index_url_is_refused_in_a_sentence_or_stands_in_requirements_as_one_option():
    tried: dict[bool, int] = {True: 0, False: 0}

    @PLAIN
    @given(mutated(ACCEPTED_INDEX_URLS))
    def check(url: str) -> None:
        answers = {"index_url": url, "index_packages": "acme-units==1"}
        sentence = of_question("index_url", "validator").render(answers).strip()
        assert macros("refusals").refusal_of_index_url(url, ["acme-units==1"]).strip() == sentence
        tried[bool(sentence)] += 1
        if sentence:
            is_one_sentence(sentence)
            return
        files = files_for(strategies=["index"], index_scope="only", **answers)
        options = [line for line in files["requirements.txt"].splitlines() if line.startswith("-")]
        assert options == [f"--index-url {url.strip()}"]
        assert not re.search(r"\s", url.strip())
        wanted = config.parse(files[TOML])
        assert wanted.index == config.Index(url.strip(), "only")
        assert tomllib.loads(files[TOML])["variables"] == wanted.variables
        assert SECRET not in url.partition("@")[0]

    check()
    assert min(tried.values()) > 5


def test_a_name_is_refused_in_a_sentence_or_is_a_name_that_toml_gives_back():
    @PLAIN
    @given(mutated(["Beam calculator", "Größe & Co.", "app"]))
    def check(name: str) -> None:
        sentence = of_question("app_name", "validator").render(app_name=name).strip()
        if sentence:
            is_one_sentence(sentence)
            return
        slug = of_question("app_slug", "default").render(app_name=name).strip()
        files = files_for("pyproject.toml", strategies=[], app_name=name, app_slug=slug)
        project = tomllib.loads(files["pyproject.toml"])["project"]
        assert project["description"] == name
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", project["name"])

    check()


@pytest.mark.parametrize("question", ["platform", "strategies", "index_scope", "python_version", "ci"])
def test_a_choice_takes_nothing_but_its_values(questionnaire: Path, tmp_path: Path, question: str):
    @settings(parent=PLAIN, max_examples=8)
    @given(st.one_of(st.sampled_from(NASTY), st.text(min_size=1, max_size=20)))
    def check(text: str) -> None:
        answers = answers_with("index", "acme-units==2.1.0") | {
            question: [text] if question == "strategies" else text
        }
        try:
            given_back = ask(questionnaire, tmp_path / "app", **answers)[question]
        except Exception as refused:
            assert isinstance(refused, ValueError), repr(refused)
            return
        raise AssertionError(f"{text!r} was taken as {given_back!r}")

    check()


def test_whole_apps_of_generated_answers_parse_and_keep_the_answers(questionnaire: Path, tmp_path: Path):
    """Through Copier itself; a refused answer leaves no folder behind."""
    counter = iter(range(10_000))
    made: list[Path] = []

    @settings(parent=PLAIN, max_examples=25)
    @given(
        st.sampled_from(["python", "viktor"]),
        st.sampled_from(
            [
                "Beam calculator",
                'It\'s "so"',
                "back\\",
                "${X} $(id) `id`",
                "{{ 7*7 }} {% x %} {# #}",
                "🏗️ naïve",
                "a: b # c",
            ]
        ),
        st.sampled_from(list(ACCEPTED)),
        st.data(),
    )
    def check(platform: str, name: str, strategy: str, drawn: st.DataObject) -> None:
        # Mutations are mostly refused; this test wants whole apps.
        lines = ACCEPTED[strategy]
        text = drawn.draw(mutated(lines) if drawn.draw(st.integers(0, 3)) == 0 else st.sampled_from(lines))
        app = tmp_path / str(next(counter))
        try:
            render(questionnaire, app, platform=platform, app_name=name, **answers_with(strategy, text))
        except ValueError as refused:
            assert "Validation error for question" in str(refused)
            assert SECRET not in str(refused)
            assert not app.exists()
            return
        made.append(app)
        parse_everything(app)
        found = yaml.safe_load((app / ".copier-answers.yml").read_text(encoding="utf-8"))
        assert found["app_name"] == name
        assert found[f"{strategy}_packages"] == text.replace("\r\n", "\n").strip()
        nothing_is_passed_over(config.load(app), text)
        # The answers file keeps a person's own comments.
        rest = [part for file, part in texts(app).items() if file != ".copier-answers.yml"]
        assert SECRET not in "".join(rest)

    check()
    assert len(made) > 5


@pytest.mark.parametrize("way", ["--data", "--data-file"])
@pytest.mark.parametrize(
    "answers",
    [
        {"app_name": "a\x1b[31mb"},
        answers_with("submodule", f"acme-beams @ https://x:{SECRET}@github.com/a/b.git"),
        answers_with("index", "acme-units==1", index_url=f"https://me:{SECRET}@packages.example.com/simple/"),
    ],
    ids=["app_name", "submodule_packages", "index_url"],
)
def test_on_the_command_line_a_refusal_ends_in_the_sentence_and_leaves_nothing(
    questionnaire: Path, tmp_path: Path, answers: dict[str, Any], way: str
):
    (tmp_path / "answers.yml").write_text(yaml.safe_dump(answers))
    options = data(answers) if way == "--data" else ["--data-file", str(tmp_path / "answers.yml")]
    done = run_copier(
        "copy", "--trust", "--defaults", *options, questionnaire, tmp_path / "app", cwd=tmp_path
    )
    assert done.returncode == 1
    assert re.match(r"ValueError: Validation error for question '\w+': .+\.\Z", last_line(done))
    assert SECRET not in last_line(done)
    assert not (tmp_path / "app").exists()
