"""What a person may type, and what is refused: through `--data` and data files as well as at the prompt."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import copier as copier_library
import pytest
import yaml
from apps import ask, copier, data, last_line, questions
from copier._main import Worker
from lines import ACCEPTED, ACCEPTED_INDEX_URLS, REFUSED, REFUSED_INDEX_URLS
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from private_packages import config
from templates import TOML, files_for

CASES = [(strategy, line) for strategy, lines in ACCEPTED.items() for line in lines]
ATTACKS = [(strategy, *case) for strategy, cases in REFUSED.items() for case in cases]
SECRETS = ["ghp_0123", "glpat-0123", "ATBB0123", "AKIA0123", ":secret"]
URL = ACCEPTED_INDEX_URLS[0]


def answers_with(strategy: str, lines: str, **more: Any) -> dict[str, Any]:
    """The answers that give one strategy these lines."""
    answers: dict[str, Any] = {"strategies": [strategy], f"{strategy}_packages": lines}
    if strategy == "index":
        answers |= {"index_url": URL, "index_scope": "only"}
    return answers | more


def test_the_questions_are_the_public_interface():
    """Data files of other people rely on the names and their order."""
    assert questions() == [
        "start",
        "app_name",
        "platform",
        "strategies",
        "catalogue_packages",
        "submodule_packages",
        "git_packages",
        "index_packages",
        "index_url",
        "index_scope",
        "python_version",
        "ci",
        "installer",
        "containers",
    ]


def test_every_question_has_a_default(questionnaire: Path, tmp_path: Path):
    answers = ask(questionnaire, tmp_path / "my-first_app")
    assert answers["app_name"] == "my first app"
    assert answers["platform"] == "python"
    assert answers["strategies"] == ["submodule"]
    assert answers["python_version"] == "3.13"
    assert answers["ci"] == "github"
    assert answers["packages"] == []
    assert answers["variables"] == []


@pytest.mark.parametrize(
    "strategies", [["submodule"], ["git"], ["index"], ["submodule", "git", "index"], []], ids=str
)
def test_any_strategy_may_be_chosen_before_there_is_a_package(
    questionnaire: Path, tmp_path: Path, strategies: list[str]
):
    assert ask(questionnaire, tmp_path / "app", strategies=strategies)["packages"] == []


@pytest.mark.parametrize("platform", ["python", "viktor"])
def test_no_question_is_wider_than_a_terminal(questionnaire: Path, tmp_path: Path, platform: str):
    with Worker(src_path=str(questionnaire), dst_path=tmp_path / "app", defaults=True, quiet=True) as worker:
        worker.data = {"platform": platform, "strategies": ["submodule", "git", "index"]}
        worker._ask()
        for name, details in worker.template.questions_data.items():
            lines = worker._render_string(details.get("help", "")).splitlines()
            # Copier's mark takes three columns.
            assert [line for line in lines if len(line) > 77] == [], name


@pytest.mark.parametrize(("strategy", "line"), CASES)
def test_the_command_reads_every_accepted_line_as_pip_does(
    questionnaire: Path, tmp_path: Path, strategy: str, line: str
):
    """It reads private-packages.toml; `packaging` is what pip reads lines with."""
    answers = ask(questionnaire, tmp_path / "app", **answers_with(strategy, line))
    wanted = config.parse(files_for(TOML, **answers)[TOML])
    (package,) = wanted.packages
    typed = re.sub(r"\s+#.*", "", line).strip()
    requirement = Requirement(typed)
    assert (package.name, package.strategy, package.requirement) == (requirement.name, strategy, typed)
    assert package.key == answers["packages"][0]["key"] == canonicalize_name(requirement.name)
    assert wanted.variables == answers["variables"]
    assert (package.path != "") == (strategy == "submodule")
    if strategy == "index":
        assert (package.url, package.ref) == ("", "")
        return
    assert not re.search("[@#]", package.url.removeprefix("ssh://").removeprefix("git@"))
    assert "@" not in package.ref
    login = f"://{package.user_info}@" if package.user_info else "://"
    address = package.url.replace("://", login) + f"@{package.ref}".rstrip("@")
    address += f"#subdirectory={package.subdirectory}" if package.subdirectory else ""
    assert address == requirement.url.removeprefix("git+").replace("HTTPS:", "https:")


@pytest.mark.parametrize(
    ("address", "host", "over_ssh"),
    [
        ("git+https://x-access-token:${T}@git.example.com/a/b.git@v1", "git.example.com", False),
        ("https://git.example.com:8443/a/b.git", "git.example.com:8443", False),
        ("git+ssh://git@git.example.com:2222/a/b.git@main", "git.example.com:2222", True),
        ("ssh://git@git.example.com/a/b.git", "git.example.com", True),
        ("ssh://git.example.com/a/b.git", "git.example.com", True),
        ("git@git.example.com:a/b.git@v1.0", "git.example.com", True),
    ],
)
def test_a_package_knows_its_host_and_whether_git_goes_there_over_ssh(
    questionnaire: Path, tmp_path: Path, address: str, host: str, over_ssh: bool
):
    answers = answers_with("submodule", f"acme-a @ {address}")
    (package,) = ask(questionnaire, tmp_path / "app", **answers)["packages"]
    assert (package["host"], package["over_ssh"]) == (host, over_ssh)


def test_comments_blank_lines_and_carriage_returns_are_allowed(questionnaire: Path, tmp_path: Path):
    text = "# ours\r\n\r\nacme-units==2.1.0  # pinned\r\n   \r\nacme-loads==0.9.0\r\n"
    packages = ask(questionnaire, tmp_path / "app", **answers_with("index", text))["packages"]
    assert [(one["requirement"], one["line"]) for one in packages] == [
        ("acme-units==2.1.0", 3),
        ("acme-loads==0.9.0", 5),
    ]


@pytest.mark.parametrize(("strategy", "line", "words"), ATTACKS)
def test_a_bad_line_is_refused_with_one_sentence_that_repeats_no_secret(
    questionnaire: Path, tmp_path: Path, strategy: str, line: str, words: str
):
    with pytest.raises(ValueError, match=f"question '{strategy}_packages'") as refused:
        ask(questionnaire, tmp_path / "app", **answers_with(strategy, line))
    sentence = str(refused.value)
    assert words in sentence
    assert "\n" not in sentence
    assert sentence.endswith(".")
    assert not [secret for secret in SECRETS if secret in line and secret in sentence]


@pytest.mark.parametrize(("url", "words"), REFUSED_INDEX_URLS)
def test_a_bad_index_url_is_refused(questionnaire: Path, tmp_path: Path, url: str, words: str):
    with pytest.raises(ValueError, match="question 'index_url'") as refused:
        ask(questionnaire, tmp_path / "app", **answers_with("index", "acme-units==2.1.0", index_url=url))
    assert words in str(refused.value)


@pytest.mark.parametrize("url", ACCEPTED_INDEX_URLS)
def test_an_index_url_may_name_variables(questionnaire: Path, tmp_path: Path, url: str):
    answers = ask(
        questionnaire, tmp_path / "app", **answers_with("index", "acme-units==2.1.0", index_url=url)
    )
    assert answers["index_url"] == url


@pytest.mark.parametrize("line", ["acme-units", "acme-units>=2", "acme-units==2.*", "acme-units~=2.1"])
def test_beside_pypi_a_package_must_be_pinned(questionnaire: Path, tmp_path: Path, line: str):
    with pytest.raises(ValueError, match="write an exact one"):
        ask(questionnaire, tmp_path / "app", **answers_with("index", line, index_scope="extra"))
    assert ask(questionnaire, tmp_path / "app", **answers_with("index", line))["index_scope"] == "only"


def test_unpinned_packages_and_defaults_do_not_choose_the_scope_silently(questionnaire: Path, tmp_path: Path):
    answers = answers_with("index", "acme-units>=2")
    del answers["index_scope"]
    with pytest.raises(ValueError, match="write an exact one"):
        ask(questionnaire, tmp_path / "app", **answers)


def test_one_package_cannot_come_from_two_places(questionnaire: Path, tmp_path: Path):
    with pytest.raises(ValueError, match="already in the submodule packages"):
        ask(
            questionnaire,
            tmp_path / "app",
            strategies=["submodule", "index"],
            submodule_packages="acme-units @ https://github.com/acme/units.git",
            index_packages="Acme_Units==2.1.0",
            index_url=URL,
        )


def test_the_variables_are_listed_once_in_the_order_of_the_lines(questionnaire: Path, tmp_path: Path):
    answers = ask(
        questionnaire,
        tmp_path / "app",
        strategies=["submodule", "git", "index"],
        submodule_packages="a-b @ https://x-access-token:${B_TOKEN}@github.com/acme/b.git",
        git_packages="a-c @ git+https://${USER_C}:${B_TOKEN}@github.com/acme/c.git",
        index_packages="a-d==1",
        index_url="https://${D_USER}:${D_PASSWORD}@packages.example.com/simple/",
    )
    assert answers["variables"] == ["B_TOKEN", "USER_C", "D_USER", "D_PASSWORD"]


@pytest.mark.parametrize(
    ("line", "ci"),
    [
        ("a-b @ https://gitlab.example.com/a/b.git", "gitlab"),
        ("a-b @ https://pat:${T}@dev.azure.com/a/b/_git/c", "azure"),
        ("a-b @ https://github.com/a/gitlab.git", "github"),
        ("a-b @ https://x-token-auth:${T}@bitbucket.org/a/b.git", "bitbucket"),
        # Pipelines are of Bitbucket Cloud; a server of one's own has none.
        ("a-b @ https://bitbucket.example.com/a/b.git", "github"),
        ("a-b @ https://codeberg.org/a/b.git", "forgejo"),
        ("a-b @ https://gitea.example.com/a/b.git", "forgejo"),
    ],
)
def test_the_ci_system_is_inferred_from_the_hosts(questionnaire: Path, tmp_path: Path, line: str, ci: str):
    assert ask(questionnaire, tmp_path / "app", **answers_with("submodule", line))["ci"] == ci


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "no name"),
        ("  ", "no name"),
        ("x" * 61, "60"),
        ("a\nb", "line break"),
        ("a\x07b", "invisible"),
        ("a\u202eb", "invisible"),
    ],
)
def test_a_bad_app_name_is_refused(questionnaire: Path, tmp_path: Path, name: str, words: str):
    with pytest.raises(ValueError, match="question 'app_name'") as refused:
        ask(questionnaire, tmp_path / "app", app_name=name)
    assert words in str(refused.value)


def test_the_standard_library_of_this_python_is_known_by_name(questionnaire: Path):
    """A name that is missing in the list would let a package hide a module."""
    text = (questionnaire / "template" / "macros" / "lines.jinja").read_text(encoding="utf-8")
    public = {name for name in sys.stdlib_module_names if not name.startswith("_")}
    assert public - set(text.split()) == set()


@pytest.mark.parametrize("way", ["--data", "--data-file"])
def test_the_command_line_says_the_sentence_last_and_leaves_nothing(template: Path, tmp_path: Path, way: str):
    answers = answers_with("git", "acme-beams @ git+https://${TOKEN}@github.com/a/b.git")
    (tmp_path / "answers.yml").write_text(yaml.safe_dump(answers))
    options = data(answers) if way == "--data" else ["--data-file", tmp_path / "answers.yml"]
    done = copier("copy", "--trust", "--defaults", *options, template, tmp_path / "app", cwd=tmp_path)
    assert done.returncode == 1
    assert last_line(done) == (
        "ValueError: Validation error for question 'git_packages': lone variable: git, pip and uv print it; "
        "write `x-access-token:${TOKEN}@` or `${USER}:${TOKEN}@` before the host (acme-beams, line 1)."
    )
    assert not (tmp_path / "app").exists()


def test_without_trust_nothing_is_made_and_skip_tasks_gives_a_whole_app(template: Path, tmp_path: Path):
    refused = copier("copy", "--defaults", template, tmp_path / "app", cwd=tmp_path)
    assert refused.returncode == 4
    assert not (tmp_path / "app").exists()
    copier_library.run_copy(str(template), tmp_path / "app", defaults=True, skip_tasks=True, quiet=True)
    assert (tmp_path / "app" / "app" / "__main__.py").is_file()


def test_pretending_makes_nothing_and_says_which_submodules_would_be_fetched(template: Path, tmp_path: Path):
    line = "acme-beams @ https://x-access-token:${ACME_TOKEN}@github.com/acme/beams.git@v1.2.3"
    answers = data(answers_with("submodule", line))
    done = copier(
        "copy", "--trust", "--defaults", "--pretend", *answers, template, tmp_path / "app", cwd=tmp_path
    )
    assert "app/submodules/acme-beams at v1.2.3 from https://github.com/acme/beams.git" in done.stderr
    assert "is ready" not in done.stderr
    assert not (tmp_path / "app").exists()


def test_answers_for_a_strategy_that_is_not_chosen_are_let_be(questionnaire: Path, tmp_path: Path):
    """One data file or settings file serves all apps of an organisation."""
    answers = ask(
        questionnaire,
        tmp_path / "app",
        strategies=["submodule"],
        git_packages=ACCEPTED["git"][0],
        index_packages="acme-units>=2",
        index_url=URL,
        index_scope="only",
    )
    assert answers["packages"] == []
    assert answers["variables"] == []
    for one in ("git_packages", "index_packages", "index_url", "index_scope"):
        ask(questionnaire, tmp_path / one, strategies=[], **{one: answers[one]})
