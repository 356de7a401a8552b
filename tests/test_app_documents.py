"""What a generated app tells people and CI: the chosen strategies and no other, true, and runnable as it stands."""

from __future__ import annotations

import json
import os
import re
import subprocess
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml
from apps import CI_FILES, render

LINES = {
    "submodule": "acme-beams @ git+https://x-access-token:${ACME_TOKEN}@github.com/acme/beams.git@v1.2.3\n"
    "acme-ssh @ git@github.com:acme/ssh.git",
    "git": "acme-loads[plot] @ git+https://${GIT_USER}:${GIT_TOKEN}@git.acme.example/acme/loads.git@v0.9.0",
    "index": 'acme-units[si]==2.1.0 ; python_version < "3.15"',
}
INDEX_URL = "https://${INDEX_USER}:${INDEX_PASSWORD}@packages.example.com/simple/"
CHOSEN: list[tuple[str, ...]] = [(), ("submodule",), ("git",), ("index",), ("submodule", "git", "index")]
# What only a text about the strategy says.
WORDS = {"submodule": r"submodule", "git": r"git requirement|git\+", "index": r"\bindex"}
PAGE = "docs/private-packages.md"


def answers_for(strategies: tuple[str, ...]) -> dict[str, object]:
    answers: dict[str, object] = {"strategies": list(strategies)}
    answers |= {f"{strategy}_packages": LINES[strategy] for strategy in strategies}
    return answers | ({"index_url": INDEX_URL} if "index" in strategies else {})


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


def login_lines(text: str) -> str:
    """The first lines of a text that log Git in, without indentation."""
    return "\n".join(re.findall(r"(?m)^ *(export GIT_CONFIG_.*)$", text))


# Each choice of strategies with each CI system; both platforms with each of the two.
APPS = [
    (("python", "viktor")[(one + other) % 2], strategies, ci)
    for (one, strategies), (other, ci) in product(enumerate(CHOSEN), enumerate(CI_FILES))
]


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


def test_documents_have_no_leftovers_of_conditions(app: Path):
    for name, text in documents(app).items():
        assert text.endswith("\n") and not text.endswith("\n\n"), name
        assert "\n\n\n" not in text, name
        assert not text.startswith("\n"), name
        assert not re.search(r"[ \t]+$", text, re.MULTILINE), name
        if name.endswith(".md"):
            assert not re.search(r"(?m)^(#+) .*\n+(?:#{1,2} |\Z)", text.replace("\n### ", "\n")), name
            assert text.count("```") % 2 == 0, name
            assert not re.search(r"(?m)^\|[-|]+\|\n(?!\|)", text), f"a table without rows in {name}"


def test_every_variable_in_the_documents_is_in_the_one_list(app: Path):
    """.env.example is that list; VIKTOR's own are for its CI command, and no package's."""
    listed = set(re.findall(r"(?m)^([A-Z0-9_]+)=$", (app / ".env.example").read_text(encoding="utf-8")))
    for name, text in documents(app).items():
        used = set(re.findall(r"\$\{(?:env:)?([A-Z0-9_]+)\}|secrets\.([A-Z0-9_]+)|\$\(([A-Z0-9_]+)\)", text))
        used = {one for group in used for one in group if one}
        assert used - {"VIKTOR_ENV", "VIKTOR_DEV", "VIKTOR_TOKEN", "NAME"} <= listed, name
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


def test_every_command_of_the_documents_is_valid_shell(app: Path):
    for name in ("README.md", PAGE):
        for block in blocks(documents(app)[name], "sh"):
            done = subprocess.run(
                ["sh", "-n"], input=block, capture_output=True, text=True, timeout=30, check=False
            )
            assert done.returncode == 0, done.stderr


def test_the_check_comes_before_every_install(app: Path):
    has_packages = (app / "check_private_packages.py").exists()
    for name, text in documents(app).items():
        for before in re.split(r"pip install[^\n`]* -r requirements\.txt(?! \|)", text)[:-1]:
            assert ("check_private_packages.py" in before) == has_packages, name


def test_symptoms_are_quoted_as_the_app_prints_them(app: Path):
    rows = re.findall(r"(?m)^\| (.*?) \|", documents(app)[PAGE].partition("## Troubleshooting")[2])
    quoted = [phrase for row in rows if row.startswith("`STOP`") for phrase in re.findall(r"`([^`]+)`", row)]
    if not (app / "check_private_packages.py").exists():
        assert not rows
        return
    source = (app / "check_private_packages.py").read_text(encoding="utf-8")
    for phrase in quoted:
        assert re.sub(r"^[A-Z0-9_]+ is ", "", phrase) in source, phrase


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


# Logging Git in


def git_credential(
    lines: str, command: str, question: str, home: Path, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run the lines and `git credential` in one sh; the user's own helper is `store`, which writes to a file."""
    (home / "gitconfig").write_text(f"[credential]\n\thelper = store --file={home}/stored\n")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment = kept | {
        "GIT_CONFIG_GLOBAL": str(home / "gitconfig"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "false",
        **variables,
    }
    return subprocess.run(
        ["sh", "-c", f"{lines}\ngit credential {command}"],
        input=question,
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


TWO_LOGINS = (
    "acme-a @ git+https://oauth2:${TOKEN_A}@git.acme.example/acme/a.git@v1\n"
    "acme-b @ git+https://oauth2:${TOKEN_B}@git.acme.example/acme/b.git\n"
    "acme-c @ https://git.acme.example/acme/c.git\n"
    "acme-d @ git+http://x-access-token:${TOKEN_A}@127.0.0.1:8765/acme/d.git"
)


@pytest.mark.parametrize(
    ("packages", "logins"),
    [
        (
            LINES["submodule"],
            {
                "https://github.com/acme/beams.git": ("x-access-token", "one/two@%"),
                "https://github.com/acme/another.git": ("x-access-token", "one/two@%"),
                "https://github.com.evil.example/acme/beams.git": None,
                "http://github.com/acme/beams.git": None,
            },
        ),
        (
            LINES["git"].replace("[plot]", ""),
            {"https://git.acme.example/acme/loads.git": ("me@acme.example", "plain-token_1")},
        ),
        (
            TWO_LOGINS,
            {
                "https://git.acme.example/acme/a.git": ("oauth2", "token-a"),
                "https://git.acme.example/acme/b.git": ("oauth2", "token-b"),
                "https://git.acme.example/acme/c.git": None,
                "http://127.0.0.1:8765/acme/d.git": ("x-access-token", "token-a"),
                "http://127.0.0.1:8766/acme/d.git": None,
            },
        ),
    ],
    ids=["one login a host", "user and token", "one login a repository"],
)
def test_the_lines_of_the_page_log_git_in_to_the_apps_own_hosts_and_store_nothing(
    questionnaire: Path, tmp_path: Path, packages: str, logins: dict[str, tuple[str, str] | None]
):
    app = render(questionnaire, tmp_path / "app", strategies=["submodule"], submodule_packages=packages)
    (lines,) = [block for block in blocks(documents(app)[PAGE], "sh") if block.startswith("export GIT_")]
    variables = {
        "ACME_TOKEN": "one%2Ftwo%40%25",
        "GIT_USER": "me%40acme.example",
        "GIT_TOKEN": "plain-token_1",
        "TOKEN_A": "token-a",
        "TOKEN_B": "token-b",
    }
    for url, wanted in logins.items():
        filled = git_credential(lines, "fill", f"url={url}\n\n", tmp_path, **variables)
        if wanted is None:
            assert "password=" not in filled.stdout
            continue
        assert filled.returncode == 0, filled.stderr
        answer = dict(line.split("=", 1) for line in filled.stdout.splitlines())
        assert (answer["username"], answer["password"]) == wanted
        login = f"url={url}\nusername={wanted[0]}\npassword={wanted[1]}\n\n"
        git_credential(lines, "approve", login, tmp_path, **variables)
        assert not (tmp_path / "stored").exists()
    git_credential("", "approve", login, tmp_path)
    assert (tmp_path / "stored").exists(), "without the lines the helper stores it"


def test_ssh_and_open_repositories_need_no_lines(questionnaire: Path, tmp_path: Path):
    packages = "acme-a @ git@git.acme.example:acme/a.git\nacme-b @ https://git.acme.example/acme/b.git"
    for ci in ("github", "gitlab"):
        app = render(
            questionnaire, tmp_path / ci, ci=ci, strategies=["submodule"], submodule_packages=packages
        )
        assert not login_lines("\n".join(documents(app).values()))
        assert "ssh -T git@git.acme.example" in documents(app)[PAGE]


def test_a_host_whose_name_is_one_letter_of_its_address_is_logged_in_to(questionnaire: Path, tmp_path: Path):
    line = "acme-a @ git+https://oauth2:${TOKEN_A}@t/acme/a.git@v1"
    app = render(questionnaire, tmp_path / "app", strategies=["submodule"], submodule_packages=line)
    assert "='credential.https://t.helper'" in login_lines(documents(app)[PAGE])


def test_page_and_ci_log_git_in_with_the_same_lines(questionnaire: Path, tmp_path: Path):
    for ci, file in CI_FILES.items():
        if file:
            app = render(
                questionnaire, tmp_path / ci, ci=ci, strategies=["submodule"], submodule_packages=TWO_LOGINS
            )
            assert login_lines((app / file).read_text(encoding="utf-8")) == login_lines(documents(app)[PAGE])


def test_powershell_logs_in_to_the_same_addresses(questionnaire: Path, tmp_path: Path):
    """PowerShell cannot set the empty value of the lines for sh: it sends a header instead."""
    app = render(questionnaire, tmp_path / "app", strategies=["submodule"], submodule_packages=TWO_LOGINS)
    (lines,) = blocks(documents(app)[PAGE], "powershell")
    keys = re.findall(r"\$env:GIT_CONFIG_KEY_(\d) = 'http\.(.*)/\.extraHeader'", lines)
    scopes = re.findall(r"KEY_\d*[13579]='credential\.(.*)\.helper'", login_lines(documents(app)[PAGE]))
    assert [scope for _, scope in keys] == scopes
    assert [number for number, _ in keys] == [str(number) for number in range(len(keys))]
    assert f"$env:GIT_CONFIG_COUNT = '{len(keys)}'" in lines
    assert sorted(re.findall(r'Basic "(.*)"', lines)) == [
        "oauth2:${env:TOKEN_A}",
        "oauth2:${env:TOKEN_B}",
        "x-access-token:${env:TOKEN_A}",
    ]


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


def test_renovate_has_one_manager_for_each_strategy_however_many_packages_there_are(
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
    assert len(small["customManagers"]) == 3
    (rule,) = (rule for rule in large["packageRules"] if "registryUrls" in rule)
    assert rule["matchPackageNames"] == [f"c-{one}" for one in range(20)]
    rule["matchPackageNames"] = ["c-0"]
    assert large == small
