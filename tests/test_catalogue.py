"""An organisation's catalogue: packages to tick, in a data file or in packages.yml of a fork."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from apps import ROOT, ask, copier, last_line, release
from lines import ACCEPTED
from private_packages import config

PAGE = (ROOT / "docs" / "fleet.md").read_text(encoding="utf-8")
EXAMPLE = re.search(r"(?s)## Offer your packages as a list.*?```yaml\n(.*?)```", PAGE)[1]
HOST = "https://x-access-token:${ACME_TOKEN}@git.acme.example/acme"
BEAMS = f"acme-beams @ git+{HOST}/acme-beams.git@v1.2.3"
LOADS = f"acme-loads @ git+{HOST}/acme-loads.git@v0.9.0"
OWN = "their-own @ git+https://git.acme.example/theirs.git@main"
URL = "https://${ACME_USER}:${ACME_PASSWORD}@packages.acme.example/simple/"
STRATEGIES = ["submodule", "git", "index"]


def catalogue(**changes: str) -> list[dict[str, str]]:
    """The catalogue of the page, with other refs for packages by name."""
    listed: list[dict[str, str]] = yaml.safe_load(EXAMPLE)["catalogue"]
    return [{**one, "ref": changes.get(one["name"].replace("-", "_"), one["ref"])} for one in listed]


def offered(template: Path, folder: Path, **answers: Any) -> list[str]:
    """What the questionnaire offers to tick."""
    from copier._main import Worker

    with Worker(src_path=str(template), dst_path=folder, data=answers, defaults=True, quiet=True) as worker:
        worker._ask()
        details = worker.template.questions_data["catalogue_packages"]
        text = worker._render_string(details["choices"])
    return [label for label, _ in yaml.safe_load(text)]


@pytest.fixture
def fork(questionnaire: Path, tmp_path: Path) -> Path:
    """An organisation's fork with its packages.yml, as release v1.0.0."""
    folder = Path(shutil.copytree(questionnaire, tmp_path / "fork"))
    (folder / "packages.yml").write_text(EXAMPLE, encoding="utf-8")
    release(folder, "v1.0.0")
    return folder


def make(template: Path, app: Path, **answers: Any) -> None:
    """An app in a repository of its own, committed."""
    given = app.parent / "given.yml"
    given.write_text(yaml.safe_dump(answers), encoding="utf-8")
    done = copier("copy", "--defaults", "--skip-tasks", "--data-file", given, template, app, cwd=app.parent)
    assert done.returncode == 0, done.stderr
    release(app, "start")


def answers_of(app: Path) -> dict[str, Any]:
    """What the answers file keeps."""
    found: dict[str, Any] = yaml.safe_load((app / ".copier-answers.yml").read_text(encoding="utf-8"))
    return found


def test_each_package_is_offered_by_each_way_in_which_it_can_be_had(questionnaire: Path, tmp_path: Path):
    assert offered(questionnaire, tmp_path / "a", catalogue=catalogue(), strategies=STRATEGIES) == [
        "acme-beams v1.2.3, as a submodule: Bending of simply supported beams",
        "acme-loads v0.9.0, as a submodule",
        "acme-units v2.1.0, as a submodule: Unit conversion",
        "acme-beams v1.2.3, from Git: Bending of simply supported beams",
        "acme-loads v0.9.0, from Git",
        "acme-units v2.1.0, from Git: Unit conversion",
        "acme-units v2.1.0, from the index: Unit conversion",
        "Another one: type the lines instead",
    ]
    assert offered(questionnaire, tmp_path / "b", catalogue=catalogue(), strategies=["index"]) == [
        "acme-units v2.1.0, from the index: Unit conversion",
        "Another one: type the lines instead",
    ]


def test_what_is_ticked_becomes_lines(questionnaire: Path, tmp_path: Path):
    answers = ask(
        questionnaire,
        tmp_path / "app",
        catalogue=catalogue(),
        strategies=STRATEGIES,
        catalogue_packages=[f"submodule {BEAMS}", f"git {LOADS}", "index acme-units==2.1.0"],
        index_url=URL,
    )
    assert [one["requirement"] for one in answers["packages"]] == [BEAMS, LOADS, "acme-units==2.1.0"]
    assert answers["variables"] == ["ACME_TOKEN", "ACME_USER", "ACME_PASSWORD"]


def test_nothing_is_ticked_by_itself(questionnaire: Path, tmp_path: Path):
    assert (
        ask(questionnaire, tmp_path / "app", catalogue=catalogue(), strategies=STRATEGIES)["packages"] == []
    )


@pytest.mark.parametrize(
    ("strategy", "line"), [(strategy, line) for strategy, lines in ACCEPTED.items() for line in lines]
)
def test_every_line_that_an_app_has_is_ticked_and_stays_as_it_was_typed(
    questionnaire: Path, tmp_path: Path, strategy: str, line: str
):
    answers = ask(
        questionnaire,
        tmp_path / "app",
        **{
            "catalogue": catalogue(),
            "strategies": [strategy],
            f"{strategy}_packages": line,
            "index_url": URL,
            "index_scope": "only",
        },
    )
    (package,) = answers["packages"]
    assert answers["catalogue_packages"] == [f"{strategy} {package['requirement']}"]
    ticked = ask(
        questionnaire,
        tmp_path / "ticked",
        catalogue=catalogue(),
        strategies=[strategy],
        catalogue_packages=answers["catalogue_packages"],
        index_url=URL,
        index_scope="only",
    )
    assert [{**one, "line": package["line"]} for one in ticked["packages"]] == [package]


@pytest.mark.parametrize(
    ("entries", "ticks", "words"),
    [
        ([{"name": "acme-beams"}], [], "Entry 1 of the catalogue needs `name`, and `repository` or `index`"),
        ([{"index": "acme-units", "ref": "v2"}], [], "Entry 1 of the catalogue needs `name`"),
        (["acme-beams"], [], "Entry 1 of the catalogue needs `name`"),
        (catalogue(), [f"submodule {BEAMS}", f"git {BEAMS}"], "acme-beams is ticked twice"),
        (catalogue(), [f"submodule {BEAMS}", "lines"], "Either tick packages or type the lines"),
        (
            [{"name": "acme-beams", "repository": "https://me:hunter22@git.acme.example/beams.git"}],
            ["submodule acme-beams @ git+https://me:hunter22@git.acme.example/beams.git"],
            "In the catalogue: literal secret",
        ),
    ],
    ids=["no address", "no name", "a string", "twice", "lines too", "a secret"],
)
def test_a_bad_catalogue_or_choice_is_refused_in_a_sentence(
    questionnaire: Path, tmp_path: Path, entries: list[Any], ticks: list[str], words: str
):
    with pytest.raises(ValueError, match=re.escape(words)) as refused:
        ask(
            questionnaire,
            tmp_path / "app",
            catalogue=entries,
            strategies=["submodule", "git"],
            catalogue_packages=ticks,
        )
    assert "hunter22" not in str(refused.value)


def test_a_fork_offers_its_packages_and_an_app_keeps_only_lines(fork: Path, tmp_path: Path):
    app = tmp_path / "app"
    make(fork, app, strategies=["submodule"], catalogue_packages=[f"submodule {BEAMS}"])
    found = answers_of(app)
    assert found["submodule_packages"] == BEAMS
    assert not [name for name in found if name.startswith("catalogue")]
    assert not (app / "packages.yml").exists()


def test_an_update_offers_the_newer_version_beside_the_one_that_the_app_has(fork: Path, tmp_path: Path):
    app = tmp_path / "app"
    make(fork, app, strategies=["submodule"], catalogue_packages=[f"submodule {BEAMS}"])
    newer = {"catalogue": catalogue(acme_beams="v1.3.0")}
    (fork / "packages.yml").write_text(yaml.safe_dump(newer), encoding="utf-8")
    release(fork, "v1.1.0")
    assert offered(fork, tmp_path / "look", submodule_packages=BEAMS) == [
        "acme-beams v1.2.3, as a submodule: as it is now",
        "acme-beams v1.3.0, as a submodule: instead of v1.2.3",
        "acme-loads v0.9.0, as a submodule",
        "acme-units v2.1.0, as a submodule: Unit conversion",
        "Another one: type the lines instead",
    ]

    done = copier("update", "--defaults", "--skip-tasks", "--trust", cwd=app)
    assert done.returncode == 0, done.stderr
    assert answers_of(app)["submodule_packages"] == BEAMS
    assert answers_of(app)["_commit"] == "v1.1.0"
    release(app, "updated")

    moved = BEAMS.replace("v1.2.3", "v1.3.0")
    ticked = tmp_path / "ticked.yml"
    ticked.write_text(yaml.safe_dump({"catalogue_packages": [f"submodule {moved}", f"submodule {LOADS}"]}))
    options = ("--skip-tasks", "--trust", "--vcs-ref", ":current:", "--data-file", ticked)
    done = copier("update", "--defaults", *options, cwd=app)
    assert done.returncode == 0, done.stderr
    assert answers_of(app)["submodule_packages"] == f"{moved}\n{LOADS}"
    assert [(one.name, one.ref) for one in config.load(app).packages] == [
        ("acme-beams", "v1.3.0"),
        ("acme-loads", "v0.9.0"),
    ]


def test_a_package_that_was_typed_stays_when_the_app_meets_a_catalogue(fork: Path, tmp_path: Path):
    (fork / "packages.yml").unlink()
    release(fork, "v1.0.1")
    app = tmp_path / "app"
    make(fork, app, strategies=["submodule"], submodule_packages=f"{OWN}\n{BEAMS}")
    (fork / "packages.yml").write_text(EXAMPLE, encoding="utf-8")
    release(fork, "v1.1.0")
    done = copier("update", "--defaults", "--skip-tasks", "--trust", cwd=app)
    assert done.returncode == 0, done.stderr
    assert answers_of(app)["_commit"] == "v1.1.0"
    assert answers_of(app)["submodule_packages"].splitlines() == [OWN, BEAMS]


def test_an_app_from_a_data_file_is_updated_without_it(questionnaire: Path, tmp_path: Path):
    template = Path(shutil.copytree(questionnaire, tmp_path / "template"))
    release(template, "v1.0.0")
    app = tmp_path / "app"
    ticks = [f"git {LOADS}", "index acme-units==2.1.0"]
    make(
        template,
        app,
        catalogue=catalogue(),
        strategies=STRATEGIES,
        catalogue_packages=ticks,
        index_url=URL,
        private_prefixes=["acme-"],
    )
    before = answers_of(app)
    assert (before["git_packages"], before["index_packages"]) == (LOADS, "acme-units==2.1.0")
    (template / "NEWS").write_text("new\n")
    release(template, "v1.1.0")
    done = copier("update", "--defaults", "--skip-tasks", "--trust", cwd=app)
    assert done.returncode == 0, done.stderr
    assert answers_of(app) == {**before, "_commit": "v1.1.0"}
    assert config.load(app).private_prefixes == ("acme-",)


def test_a_refused_catalogue_leaves_nothing_behind(questionnaire: Path, tmp_path: Path):
    (tmp_path / "packages.yml").write_text("catalogue:\n  - repository: https://git.acme.example/a.git\n")
    options = ("--defaults", "--skip-tasks", "--data-file", "packages.yml")
    done = copier("copy", *options, questionnaire, "app", cwd=tmp_path)
    assert done.returncode == 1
    assert "Entry 1 of the catalogue needs `name`" in last_line(done)
    assert not (tmp_path / "app").exists()
