"""Whatever is typed: refused with one sentence, or rendered into files that parse and say what was typed.

More than 2,000 generated answers a run; the named attacks stand in lines.py.
"""

from __future__ import annotations

import configparser
import functools
import re
import tomllib
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from answers import parse_answer
from apps import ROOT, data, last_line, render
from apps import copier as run_copier
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jinja2.sandbox import SandboxedEnvironment
from lines import ACCEPTED, ACCEPTED_INDEX_URLS, REFUSED
from packaging.requirements import Requirement
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


@functools.cache
def environment() -> jinja2.Environment:
    """Jinja as Copier sets it up for this template."""
    return SandboxedEnvironment(
        loader=jinja2.FileSystemLoader([ROOT, ROOT / "template" / "files"]),
        extensions=["jinja2_ansible_filters.AnsibleCoreFiltersExtension"],
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


@functools.cache
def macros() -> Any:
    return environment().get_template("template/macros/lines.jinja").module


@functools.cache
def refusals() -> Any:
    return environment().get_template("template/macros/refusals.jinja").module


@functools.cache
def validator(question: str) -> jinja2.Template:
    questions = yaml.safe_load((ROOT / "copier.yml").read_text(encoding="utf-8"))
    return environment().from_string(questions[question]["validator"])


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


def files_for(**answers: Any) -> dict[str, str]:
    """The files that package lines reach, by name."""
    packages: list[dict[str, Any]] = []
    for strategy in answers["strategies"]:
        packages += yaml.safe_load(macros().parse({strategy: answers[f"{strategy}_packages"]}))
    typed = " ".join([*(one["requirement"] for one in packages), answers.get("index_url", "")])
    context = {
        "app_name": "An app",
        "app_slug": "an-app",
        "platform": "python",
        "python_version": "3.13",
        "packages": packages,
        "has_submodules": any(one["strategy"] == "submodule" for one in packages),
        "variables": list(dict.fromkeys(re.findall(r"\$\{([A-Z0-9_]+)\}", typed))),
        "_copier_answers": {"_src_path": "x", **answers},
        **answers,
    }
    names = [
        ".env.example",
        ".gitmodules",
        "requirements.txt",
        "pyproject.toml",
        "{{ _copier_conf.answers_file }}",
    ]
    return {
        name: environment().get_template(f"template/files/{name}.jinja").render(context).replace("\r\n", "\n")
        for name in names
    }


def lines_hold(strategy: str, text: str, **more: str) -> None:
    """What an accepted answer promises: both parses agree, nothing can act as an option, all files round-trip."""
    by_jinja = yaml.safe_load(macros().parse({strategy: text}))
    by_packaging = [package._asdict() for package in parse_answer(strategy, text)]
    assert (
        [{key: one[key] for key in by_packaging[0]} for one in by_jinja] == by_packaging
        if by_packaging
        else not by_jinja
    )
    for one in by_packaging:
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", one["name"])
        assert re.fullmatch(r"|[A-Za-z0-9_][A-Za-z0-9._/+-]*", one["ref"])
        assert ".." not in one["ref"]
        assert re.match(
            r"$|https://[A-Za-z0-9]|ssh://git@[A-Za-z0-9]|git@[A-Za-z0-9]|http://(localhost|127\.|\[::1\])",
            one["url"],
        )
        assert re.fullmatch(r"(?:[A-Za-z0-9_-]+|\$\{[A-Z0-9_]+\}):\$\{[A-Z0-9_]+\}|", one["user_info"])
        assert "://" not in one["url"].partition("://")[2]
    files = files_for(strategies=[strategy], **{f"{strategy}_packages": text}, **more)
    assert SECRET not in "".join(
        part for name, part in files.items() if name in (".env.example", ".gitmodules")
    )
    table = tomllib.loads(files["pyproject.toml"])["tool"]["private-packages"]
    assert [one["requirement"] for one in table.get("packages", [])] == [
        one["requirement"] for one in by_packaging
    ]
    answers = yaml.safe_load(files["{{ _copier_conf.answers_file }}"])
    assert parse_answer(strategy, answers[f"{strategy}_packages"] or "") == parse_answer(
        strategy, text.replace("\r\n", "\n").strip()
    )
    modules = configparser.ConfigParser(strict=True, interpolation=None)
    modules.read_string(re.sub(r"(?m)^\t", "", files[".gitmodules"]))
    urls = [modules[section]["url"] for section in modules.sections()]
    assert urls == [one["url"] for one in by_packaging if strategy == "submodule"]
    wanted = [
        line for line in files["requirements.txt"].splitlines() if line and not line.startswith(("#", "--"))
    ]
    assert [Requirement(line).name for line in wanted if not line.startswith("packaging==")] == [
        one["name"] for one in by_packaging if strategy != "submodule"
    ]


@pytest.mark.parametrize("strategy", list(ACCEPTED))
def test_package_lines_are_refused_in_a_sentence_or_render_into_files_that_say_the_same(strategy: str):
    refused: list[str] = []
    accepted: list[str] = []

    @PLAIN
    @given(mutated([*ACCEPTED[strategy] * 5, *(line for line, _ in REFUSED[strategy])]))
    def check(text: str) -> None:
        sentence = (
            validator(f"{strategy}_packages")
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
        assert refusals().refusal_of_lines(strategy, text, []).strip() == sentence
        if sentence:
            refused.append(text)
            is_one_sentence(sentence)
        else:
            accepted.append(text)
            lines_hold(
                strategy, text, **({"index_url": "", "index_scope": "only"} if strategy == "index" else {})
            )

    check()
    assert min(len(refused), len(accepted)) > 20, "one side of the property is hardly tried"


def test_an_index_url_is_refused_in_a_sentence_or_stands_in_requirements_as_one_option():
    tried: dict[bool, int] = {True: 0, False: 0}

    @PLAIN
    @given(mutated(ACCEPTED_INDEX_URLS))
    def check(url: str) -> None:
        sentence = validator("index_url").render(index_url=url, index_packages="acme-units==1").strip()
        assert refusals().refusal_of_index_url(url, ["acme-units==1"]).strip() == sentence
        tried[bool(sentence)] += 1
        if sentence:
            is_one_sentence(sentence)
            return
        files = files_for(
            strategies=["index"], index_packages="acme-units==1", index_url=url, index_scope="only"
        )
        options = [line for line in files["requirements.txt"].splitlines() if line.startswith("-")]
        assert options == [f"--index-url {url.strip()}"]
        assert not re.search(r"\s", url.strip())
        assert tomllib.loads(files["pyproject.toml"])["tool"]["private-packages"]["index-url"] == url.strip()
        assert SECRET not in url.partition("@")[0]

    check()
    assert min(tried.values()) > 5


def test_a_name_is_refused_in_a_sentence_or_is_a_name_that_toml_gives_back():
    slug = environment().from_string(yaml.safe_load((ROOT / "copier.yml").read_text())["app_slug"]["default"])

    @PLAIN
    @given(mutated(["Beam calculator", "Größe & Co.", "app"]))
    def check(name: str) -> None:
        sentence = validator("app_name").render(app_name=name).strip()
        if sentence:
            is_one_sentence(sentence)
            return
        text = environment().get_template("template/files/pyproject.toml.jinja").render(
            app_name=name, app_slug=slug.render(app_name=name).strip(), python_version="3.13", platform="python",
            packages=[], has_submodules=False, variables=[], strategies=[],
        )  # fmt: skip
        project = tomllib.loads(text)["project"]
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
        assert parse_answer(strategy, found[f"{strategy}_packages"] or "") == parse_answer(
            strategy, text.strip()
        )
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
