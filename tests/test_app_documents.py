"""What a generated app tells people and CI: the chosen strategies and no other, true, and runnable as it stands."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from apps import CI_FILES, ROOT, render
from private_packages.cli import COMMANDS
from templates import files_for
from test_documents import sentences as sentences_of
from test_rendered_files import CHOSEN, COMBINATIONS, answers_for

# What only a text about the strategy says.
WORDS = {"submodule": r"submodule", "git": r"git line|git\+", "index": r"\bindex"}
PAGE = "docs/private-packages.md"
COMMAND = ROOT / "template" / "files" / "private_packages"


def documents(app: Path) -> dict[str, str]:
    """The files for people, CI and Renovate, by their path."""
    names = ["README.md", PAGE, "renovate.json", *filter(None, CI_FILES.values())]
    return {name: (app / name).read_text(encoding="utf-8") for name in names if (app / name).exists()}


def answered(app: Path, name: str) -> Any:
    return yaml.safe_load((app / ".copier-answers.yml").read_text(encoding="utf-8"))[name]


def blocks(markdown: str, language: str) -> list[str]:
    """The code blocks of a language, without the indentation of a list."""
    found = re.findall(rf"(?ms)^( *)```{language}\n(.*?)^ *```$", markdown)
    return ["\n".join(line.removeprefix(indent) for line in block.splitlines()) for indent, block in found]


def table(markdown: str, heading: str) -> list[list[str]]:
    """The rows of the first table below a heading, by cell."""
    below = markdown.partition(f"\n## {heading}\n")[2]
    return [row.split(" | ") for row in re.findall(r"(?m)^\| (.*) \|$", below.partition("\n## ")[0])][1:]


def sentences() -> Iterator[str]:
    """All that the command may say; `…` stands for what it puts in."""
    for file in COMMAND.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                yield "".join(part.value if isinstance(part, ast.Constant) else "…" for part in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield re.sub(r"\{\w*\}", "…", node.value)


# Both platforms with each choice of strategies and each CI system; the scope changes no document.
APPS = [one[:3] for one in COMBINATIONS if one[3] == "extra"]


@pytest.fixture(scope="module", params=APPS, ids=str)
def app(
    request: pytest.FixtureRequest, questionnaire: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """One app for each choice of strategies and CI system."""
    platform, strategies, ci = request.param
    folder = tmp_path_factory.mktemp("documents") / "my-app"
    return render(questionnaire, folder, platform=platform, ci=ci, **answers_for(strategies))


def test_documents_tell_of_the_chosen_strategies_and_of_no_other(app: Path):
    told = "\n".join(documents(app).values()).lower()
    for strategy, words in WORDS.items():
        assert bool(re.search(words, told)) == (strategy in answered(app, "strategies")), strategy


def test_the_readme_stays_true_whatever_the_answers_become(app: Path):
    """No update renders it again."""
    other = files_for("README.md", app_name="my app", platform=answered(app, "platform"), strategies=[])
    assert documents(app)["README.md"] == other["README.md"]
    set_up, start = blocks(documents(app)["README.md"], "sh")[:2]
    assert set_up.splitlines() == [
        "python -m private_packages login",
        "python -m private_packages install",
        "python -m private_packages exec python -m unittest",
    ]
    runs = "viktor-cli start" if answered(app, "platform") == "viktor" else "python -m app"
    assert start.splitlines()[-1] == f"python -m private_packages exec {runs}"


def test_documents_have_no_leftovers_of_conditions(app: Path):
    for name, text in documents(app).items():
        assert text.endswith("\n") and not text.endswith("\n\n"), name
        assert "\n\n\n" not in text, name
        assert "  " not in re.sub(r"(?m)^ +", "", text).replace(" # v", " "), name
        assert not text.startswith("\n"), name
        assert not re.search(r"[ \t]+$", text, re.MULTILINE), name
        if name.endswith(".md"):
            assert not re.search(r"(?m)^(#+) .*\n+(?:#{1,2} |\Z)", text.replace("\n### ", "\n")), name
            assert text.count("```") % 2 == 0, name
            # A paragraph ends as a sentence does; what leads to a block or a table ends in a colon.
            prose = re.sub(r"(?ms)^```.*?^```$|^[|#<].*?$", "", text)
            ends = re.findall(r"(?m)^.*\S(?=\n\n|\n?\Z)", prose)
            assert [line for line in ends if not re.search(r"[.:]$", line)] == [], name
            assert not re.search(r"(?m)[^.:\n|`]\n\n(?=[A-Z])", prose), name
            for block in re.findall(r"(?m)(?:^\|.*\|\n)+", text):
                assert len({row.count(" | ") for row in block.splitlines()} - {0}) == 1, f"{name}: {block}"
            assert not re.search(r"(?m)^\|[-|]+\|\n(?!\|)", text), f"a table without rows in {name}"


def test_a_sentence_for_people_has_no_more_than_forty_words(app: Path):
    for name in ("README.md", PAGE):
        assert [one for one in sentences_of(documents(app)[name]) if len(one.split()) > 40] == [], name


def test_every_variable_in_the_documents_is_in_the_one_list(app: Path):
    """.env.example is that list; VIKTOR's own are for its CI command, and ACME_TOKEN is the example of a first package."""
    listed = set(re.findall(r"(?m)^([A-Z0-9_]+)=$", (app / ".env.example").read_text(encoding="utf-8")))
    for name, text in documents(app).items():
        used = set(re.findall(r"\$\{(?:env:)?([A-Z0-9_]+)\}|secrets\.([A-Z0-9_]+)|\$\(([A-Z0-9_]+)\)", text))
        used = {one for group in used for one in group if one}
        own = {"VIKTOR_ENV", "VIKTOR_DEV", "VIKTOR_TOKEN", "ACME_TOKEN", "PACKAGES_APP_PRIVATE_KEY"}
        assert used - own <= listed, name
    page = documents(app)[PAGE]
    assert all(f"`{name}`" in page for name in listed)


def test_no_document_holds_a_credential_or_the_address_of_a_registry(app: Path):
    told = "\n".join(documents(app).values())
    assert not re.search(r"[a-z+]+://[^/@:\s\"'`<>$]*:[^/@\s\"'`<>$*]{3,}@", told)
    assert not re.search(r"pypi\.org|pythonhosted", told)


def test_every_path_and_link_in_readme_and_page_leads_somewhere(app: Path):
    for name in ("README.md", PAGE):
        text = documents(app)[name]
        for target, anchor in re.findall(r"\]\((?!https?://)([^)#\s]*)(?:#([^)\s]+))?\)", text):
            file = (app / name).parent / target if target else app / name
            assert file.exists(), f"{name} links to {target}"
            headings = re.findall(r"(?m)^#+ (.+)$", file.read_text(encoding="utf-8"))
            assert not anchor or anchor in [heading.lower().replace(" ", "-") for heading in headings]
    for path in re.findall(r"(?m)^\| `([^`]+)` \|", documents(app)["README.md"]):
        assert (app / path).exists(), path


def test_every_command_of_the_documents_is_one_that_the_app_has(app: Path):
    """Each is typed alone, in any shell: a program and its arguments."""
    for name in ("README.md", PAGE):
        text = documents(app)[name]
        for line in "\n".join(blocks(text, "sh")).splitlines():
            assert re.fullmatch(r"(?:python -m (?:private_packages|pip)|copier) [\w :=.-]+", line), line
        for command in re.findall(r"python -m private_packages ([a-z]+)", text):
            assert command in COMMANDS, command


def test_the_page_names_every_command(app: Path):
    """`status` by the command without a word; `login` where there is something to ask for, as here."""
    if answered(app, "strategies"):
        typed = [row[0].strip("`").split()[2:] for row in table(documents(app)[PAGE], "Commands")]
        assert {words[1] if words[1:] else "status" for words in typed} == set(COMMANDS)


def test_symptoms_are_quoted_as_the_command_prints_them(app: Path):
    rows = table(documents(app)[PAGE], "Troubleshooting")
    assert bool(rows) == bool(answered(app, "strategies"))
    said = list(sentences())
    for symptom, *_ in rows:
        for phrase in re.findall(r"`([^`]+)`", symptom if not symptom.startswith("copier: ") else ""):
            assert any(phrase in one for one in said), phrase


@pytest.mark.parametrize(
    ("strategies", "answers", "told", "not_told"),
    [
        ("submodule", "acme-a @ git@git.acme.example:acme/a.git", "`ssh -T git@git.acme.example`", "no login"),
        ("git", "acme-a @ git+ssh://git@git.acme.example:2222/acme/a.git", "`ssh -T -p 2222 git@git.acme.example`", "no login"),
        ("submodule", "acme-a @ ssh://git.acme.example/acme/a.git", "`ssh -T git.acme.example`", "no login"),
        ("git", "acme-a @ git+https://git.acme.example/a.git", "`acme-a`: the line holds no login", "SSH"),
        ("submodule", "acme-a @ https://h/a.git\nacme-b @ https://h/b.git", "`acme-a` and `acme-b`: the lines hold no login", "SSH"),
        ("index", "acme-a==1", "The index packages.example.com: its address holds no login", "SSH"),
    ],
)  # fmt: skip
def test_without_a_variable_the_page_says_what_logs_in(
    questionnaire: Path, tmp_path: Path, strategies: str, answers: str, told: str, not_told: str
):
    app = render(
        questionnaire,
        tmp_path / "app",
        strategies=[strategies],
        index_url="https://packages.example.com/simple/",
        **{f"{strategies}_packages": answers},
    )
    logins = documents(app)[PAGE].partition("\n## Logins\n")[2].partition("\n## ")[0]
    assert told in logins
    assert not_told not in logins
    assert "| variable |" not in logins
    assert "private_packages login" not in documents(app)[PAGE]


def test_each_variable_is_explained_by_its_host(questionnaire: Path, tmp_path: Path):
    app = render(
        questionnaire,
        tmp_path / "app",
        strategies=["submodule", "index"],
        submodule_packages=(
            "acme-a @ https://oauth2:${TOKEN}@gitlab.com/acme/a.git\n"
            "acme-b @ https://oauth2:${TOKEN}@gitlab.com/acme/b.git\n"
            "acme-c @ https://${USER}:${TOKEN}@git.acme.example/acme/c.git"
        ),
        index_packages="acme-d==1",
        index_url="https://aws:${CODEARTIFACT}@acme-123.d.codeartifact.eu-west-1.amazonaws.com/pypi/a/simple/",
    )
    rows = dict(table(documents(app)[PAGE], "Logins"))
    assert rows["`TOKEN`"] == (
        "token that may read `acme-a` and `acme-b` on gitlab.com (`read_repository`);"
        " token that may read `acme-c` on git.acme.example"
    )
    assert rows["`USER`"] == "user name for `acme-c` on git.acme.example"
    assert (
        "`aws codeartifact get-authorization-token --domain acme --domain-owner 123" in rows["`CODEARTIFACT`"]
    )


def test_an_index_without_a_package_has_its_page_already(questionnaire: Path, tmp_path: Path):
    url = "https://${ACME_USER}:${ACME_PASSWORD}@packages.example.com/simple/"
    app = render(questionnaire, tmp_path / "app", strategies=["index"], index_url=url)
    page = documents(app)[PAGE]
    assert "has none yet, and takes them from the index packages.example.com" in page
    assert [row[0] for row in table(page, "Logins")] == ["`ACME_USER`", "`ACME_PASSWORD`"]
    assert "move NAME`" in page


def test_the_page_of_an_app_without_package_says_how_to_get_one(questionnaire: Path, tmp_path: Path):
    """Whether no strategy is chosen, or one that has no package yet."""
    for strategies in (CHOSEN[0], CHOSEN[-1]):
        app = render(questionnaire, tmp_path / f"app{len(strategies)}", strategies=list(strategies))
        page = documents(app)[PAGE]
        assert blocks(page, "sh")[0] == "copier update --vcs-ref :current: --trust"
        assert not re.search("|".join(WORDS.values()), "\n".join(documents(app).values()).lower())


def test_a_name_full_of_markup_stays_a_name(questionnaire: Path, tmp_path: Path):
    app = render(
        questionnaire, tmp_path / "app", app_name="*a* [b](c) <i> `d` # | ${{ x }} {% y %}", strategies=[]
    )
    heading = documents(app)["README.md"].splitlines()[0]
    assert heading == "# \\*a\\* \\[b\\](c) \\<i\\> \\`d\\` \\# \\| ${{ x }} {% y %}"
    assert all("<i>" not in text for text in documents(app).values())


# Renovate


def test_renovate_takes_private_names_from_the_private_index_alone(app: Path):
    settings = json.loads((app / "renovate.json").read_text(encoding="utf-8"))
    chosen = answered(app, "strategies")
    assert (app / "renovate.json").read_text(encoding="utf-8") == json.dumps(settings, indent=2) + "\n"
    assert all(settings.values())
    assert settings.get("git-submodules") == ({"enabled": True} if "submodule" in chosen else None)
    rules = [rule for rule in settings["packageRules"] if "registryUrls" in rule]
    assert [
        (rule["matchDatasources"], rule["matchPackageNames"], rule["registryUrls"]) for rule in rules
    ] == ([(["pypi"], ["acme-units"], ["https://packages.example.com/simple/"])] if "index" in chosen else [])


def test_renovate_has_one_manager_for_each_strategy_and_one_for_tools_however_many_packages_there_are(
    questionnaire: Path, tmp_path: Path
):
    """What the managers read and change is in tests/test_fleet.py, with Renovate's own code."""
    login = "git+https://x-access-token:${ACME_TOKEN}@git.example.com/acme"
    few, many = (
        {
            "strategies": ["submodule", "git", "index"],
            "submodule_packages": "\n".join(
                f"a-{one} @ {login}/a-{one}.git@v1.0.{one}" for one in range(count)
            ),
            "git_packages": "\n".join(f"b-{one} @ {login}/b-{one}.git@v2.0.{one}" for one in range(count)),
            "index_packages": "\n".join(f"c-{one}==3.0.{one}" for one in range(count)),
            "index_url": "https://packages.example.com/simple/",
        }
        for count in (1, 20)
    )
    small, large = (
        json.loads(
            (render(questionnaire, tmp_path / name, **answers) / "renovate.json").read_text(encoding="utf-8")
        )
        for name, answers in (("few", few), ("many", many))
    )
    assert len(small["customManagers"]) == 4
    (rule,) = (rule for rule in large["packageRules"] if "registryUrls" in rule)
    assert rule["matchPackageNames"] == [f"c-{one}" for one in range(20)]
    rule["matchPackageNames"] = ["c-0"]
    assert large == small


def test_renovate_leaves_alone_what_the_answers_hold_as_it_was_pasted(questionnaire: Path, tmp_path: Path):
    """It would move toml and requirements.txt, and the next update would take them back: the answers say otherwise."""
    app = render(
        questionnaire,
        tmp_path / "app",
        strategies=["submodule", "git"],
        submodule_packages="git clone -b v1.0 https://github.com/acme/a.git\nb @ https://github.com/acme/b.git@v1.0",
        git_packages="https://github.com/acme/c.git@v1.0",
    )
    text = (app / "renovate.json").read_text(encoding="utf-8")
    settings = json.loads(text)
    assert text == json.dumps(settings, indent=2) + "\n"
    (rule,) = (
        rule for rule in settings["packageRules"] if rule["description"].startswith("The answers hold")
    )
    assert rule["matchDepNames"] == ["a", "app/submodules/a", "c"]
    assert rule["enabled"] is False
