"""Literal tokens: told from ordinary text, in every answer, in every file that Git tracks."""

from __future__ import annotations

import json
import re
import subprocess
from importlib import metadata
from pathlib import Path

import pytest
from apps import ROOT
from private_packages import secrets
from templates import macros

TABLE = json.loads((Path(secrets.__file__).with_name("tokens.json")).read_text(encoding="utf-8"))
# How a token of each kind begins; the rest is made up, and none was ever given out.
BEGINNINGS = {
    "gh[pousr]_": "ghp_",
    "github_pat_": "github_pat_",
    "gl(pat|ptt|dt|rt|cbt|ft|soat|agent|imt|ffct)-": "glpat-",
    "AT(ATT|CTT)3": "ATATT3",
    "ATBB": "ATBB",
    "(AKIA|ASIA)": "ASIA",
    "pypi-AgE": "pypi-AgE",
    "npm_": "npm_",
    "(AKCp[0-9]|cmVmdGtuO)": "AKCp8",
    "AIza": "AIza",
    "ya29[.]": "ya29.",
    "eyJ[A-Za-z0-9_-]{10,}[.]eyJ": f"eyJ{'h' * 20}.eyJ",
    "[A-Za-z0-9]{60,}AZDO": f"{'a1B' * 25}AZDO",
    "dckr_(pat|oat)_": "dckr_pat_",
    "hf_": "hf_",
    "xox[abeprs]-": "xoxb-",
    "-----BEGIN [A-Z ]*PRIVATE KEY": "-----BEGIN RSA PRIVATE KEY",
}


def token(row: dict[str, object]) -> str:
    """One that looks like those of a row."""
    begins, rest, length = str(row["begins"]), str(row["rest"]), int(str(row["length"]))
    sign = next(one for one in "Aa-" if re.fullmatch(rest, one))
    made = BEGINNINGS[begins] + sign * length
    assert re.fullmatch(f"(?:{begins}){rest}{{{length}}}", made)
    return made


TOKENS = {f"{number} {row['kind']}": token(row) for number, row in enumerate(TABLE)}
# Those that may stand inside of one word, as in an address.
WORDS = {kind: one for kind, one in TOKENS.items() if re.fullmatch(r"[A-Za-z0-9._-]+", one)}
# Every place of an answer in which a person may have put one.
SPELLINGS = {
    "password": "acme-beams @ git+https://${ACME_USER}:%s@github.com/acme/beams.git@v1",
    "user": "acme-beams @ git+https://%s@github.com/acme/beams.git@v1",
    "user before a variable": "acme-beams @ git+https://%s:${ACME_TOKEN}@github.com/acme/beams.git@v1",
    "path": "acme-beams @ git+https://github.com/%s/beams.git@v1",
    "repository": "acme-beams @ git+https://github.com/acme/%s.git@v1",
    "host": "acme-beams @ git+https://%s.acme.example/acme/beams.git@v1",
    "ref": "acme-beams @ git+https://github.com/acme/beams.git@%s",
    "subdirectory": "acme-beams @ git+https://github.com/acme/beams.git@v1#subdirectory=%s",
    "name": "%s @ git+https://github.com/acme/beams.git@v1",
    "comment": "acme-beams @ git+https://github.com/acme/beams.git@v1  # %s",
    "line of its own": "# %s",
    "nothing else": "%s",
}


@pytest.mark.parametrize("place", SPELLINGS)
@pytest.mark.parametrize("strategy", ["submodule", "git"])
def test_a_token_is_refused_wherever_it_stands_in_a_package_line(strategy: str, place: str):
    for kind, one in WORDS.items():
        sentence = macros("lines").refusal(strategy, SPELLINGS[place] % one).strip()
        assert sentence, kind
        assert one[:12] not in sentence, kind


@pytest.mark.parametrize(
    "line",
    ["acme-units==%s", "acme-units[%s]==1", "%s==1", 'acme-units==1 ; extra == "%s"', "acme-units==1 # %s"],
)
def test_a_token_is_refused_wherever_it_stands_in_an_index_line(line: str):
    for kind, one in WORDS.items():
        assert macros("lines").refusal("index", line % one).strip(), kind


@pytest.mark.parametrize(
    "url",
    [
        "https://${ACME_USER}:%s@packages.acme.example/simple/",
        "https://%s@packages.acme.example/simple/",
        "https://packages.acme.example/%s/simple/",
        "https://%s.acme.example/simple/",
    ],
)
def test_a_token_is_refused_wherever_it_stands_in_the_address_of_an_index(url: str):
    for kind, one in WORDS.items():
        assert macros("index_lines").index_url_refusal(url % one, "").strip(), kind


def test_a_token_is_no_name_of_an_app():
    for kind, one in TOKENS.items():
        assert "literal secret" in macros("refusals").name_refusal(one), kind
    assert macros("refusals").name_refusal("Beam calculator for the north of the country").strip() == ""


def test_git_finds_a_token_of_every_kind_in_a_tracked_file(tmp_path: Path):
    """The patterns mean the same to Git as to Python."""
    texts = {f"{number}.txt": f"x = {one}\n" for number, one in enumerate(TOKENS.values())}
    texts["address.txt"] = "https://me:hunter2secret@packages.acme.example/simple/\n"
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    for command in (["init", "--quiet"], ["add", "--all"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    sought = [part for pattern in secrets.patterns() for part in ("-e", pattern)]
    found = subprocess.run(
        ["git", "grep", "-lE", *sought], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert sorted(found.stdout.split()) == sorted(texts)


def test_of_a_thousand_ordinary_lines_fewer_than_five_are_taken_for_a_token(tmp_path: Path):
    """READMEs and requirements of what is installed here, documents and CI files of this repository."""
    texts = [one.read_text("METADATA") or "" for one in metadata.distributions()]
    texts += ["\n".join(one.requires or []) for one in metadata.distributions()]
    for pattern in (
        "*.md",
        "docs/*",
        ".github/**/*.yml",
        "template/**/*.jinja",
        "*.toml",
        "template/**/*.py",
    ):
        texts += [path.read_text(encoding="utf-8") for path in ROOT.glob(pattern) if path.is_file()]
    for number, text in enumerate(texts):
        (tmp_path / f"{number}.txt").write_text(text, encoding="utf-8")
    lines = sum(len([line for line in text.splitlines() if line.strip()]) for text in texts)
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    sought = [part for pattern in secrets.patterns() for part in ("-e", pattern)]
    found = subprocess.run(
        ["git", "grep", "--no-index", "-hE", *sought],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.splitlines()
    assert lines > 20_000
    assert len(found) / lines < 1 / 200, found[:20]
