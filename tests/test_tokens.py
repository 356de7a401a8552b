"""Literal tokens: told from ordinary text, in every answer, in every file that Git tracks."""

from __future__ import annotations

import importlib.util
import json
import random
import re
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from apps import ROOT
from private_packages import secrets
from templates import macros

TABLE = json.loads((Path(secrets.__file__).with_name("tokens.json")).read_text(encoding="utf-8"))
# How a token of each kind begins; the rest is made up, and none was ever given out.
BEGINNINGS = {
    "gh[pousr]_": "ghp_",
    "github_pat_": "github_pat_",
    "(gl(pat|ptt|dt|rt|rtr|cbt|ft|soat|oas|agent|imt|ffct)-|GR1348941)": "glpat-",
    "AT(AT|CTT3)": "ATAT",
    "(ATBB|BBDC-)": "ATBB",
    "(A3T[A-Z0-9]|AKIA|ASIA|ABIA|ACCA)": "ASIA",
    "pypi-AgE": "pypi-AgE",
    "npm_": "npm_",
    "(AKCp|cmVmd)": "AKCp",
    "csa_": "csa_",
    "(AIza|AQ[.]Ab8RN6)": "AIza",
    "ya29[.]": "ya29.",
    "eyJ[A-Za-z0-9_-]{10,}[.]eyJ": f"eyJ{'h' * 20}.eyJ",
    "[A-Za-z0-9]{60,}AZDO": f"{'a1B' * 25}AZDO",
    "[A-Za-z0-9_~.]{3}[0-9]Q~": "a_B8Q~",
    "dckr_(pat|oat)_": "dckr_pat_",
    "(hf|api_org)_": "hf_",
    "(xox[a-eoprs]|xapp)[.-]": "xoxb-",
    "-----BEGIN[A-Z0-9_ -]*PRIVATE KEY( BLOCK)?": "-----BEGIN RSA PRIVATE KEY",
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
    texts["dots.txt"] = "https://me:hunter2.se.cret@packages.acme.example/simple/\n"
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


# --- against rules that others keep ---

# Where packages and their logins are, and what else people paste beside them (docs/platforms.yml).
FAMILIES = re.compile(
    r"(?:betterleaks[.]|veles[.]secrets/)(?:git(?:hub|lab|ea)|forgejo|azure|bitbucket|atlassian|aws|gcp|google|"
    r"artifactory|jfrog|nexus|sonatype|cloudsmith|gemfury|pypi|npm|docker|hugging|slack|jwt|private-key)"
)
NO_SHAPE = "it has no shape of its own: it is told by the words around it"
NO_SECRET = "it is no secret"
OTHER = "no repository and no index takes it"
# Rules of theirs that our table does not follow.
NOT_OURS = {
    "betterleaks.artifactory-jfrog-url": NO_SECRET,
    "betterleaks.aws-amazon-bedrock-api-key-long-lived": OTHER,
    "betterleaks.aws-amazon-bedrock-api-key-short-lived": OTHER,
    "betterleaks.aws-secret-access-key": NO_SHAPE,
    "betterleaks.aws-session-token": NO_SHAPE,
    "betterleaks.azure-app-configuration-connection-string": OTHER,
    "betterleaks.azure-client-id": NO_SECRET,
    "betterleaks.azure-servicebus-connection-string": OTHER,
    "betterleaks.azure-storage-account-key": OTHER,
    "betterleaks.azure-storage-account-name": NO_SECRET,
    "betterleaks.azure-tenant-id": NO_SECRET,
    "betterleaks.bitbucket-client-id": NO_SHAPE,
    "betterleaks.bitbucket-client-secret": NO_SHAPE,
    "betterleaks.docker-swarm-join-token": OTHER,
    "betterleaks.docker-swarm-unlock-key": OTHER,
    "betterleaks.gcp-application-default-credentials": "a file of JSON, whose values have no shape of their own",
    "betterleaks.gitea-access-token": NO_SHAPE,
    "betterleaks.gitlab-incoming-mail-address-token": OTHER,
    "betterleaks.gitlab-session-cookie": OTHER,
    "betterleaks.jwt": 'a signed token begins with `{"`, so with eyJ; the rule takes any ey',
    "betterleaks.jwt-base64": OTHER,
    "betterleaks.slack-legacy-workspace-token": "it may have eight signs, as a placeholder has; of 20 it is known",
    "betterleaks.slack-session-cookie": OTHER,
    "betterleaks.slack-webhook-url": OTHER,
}


class Sample:
    """Makes one text that a regular expression takes: of middle length where it leaves the choice."""

    def __init__(self, seed: str) -> None:
        self.random = random.Random(seed)

    def of(self, pattern: str) -> str:
        """Where case does not matter, it is as the expression has it."""
        python = re.sub(r"\(\?i\)|\(\?x\)", "", pattern).replace("(?i:", "(?:").replace(r"\z", r"\Z")
        made = self._of(re._parser.parse(python))  # type: ignore[attr-defined]
        assert re.search(python, made), (pattern, made)
        return made

    def _of(self, parts: Any) -> str:
        return "".join(self._one(str(operator), value) for operator, value in parts)

    def _one(self, operator: str, value: Any) -> str:
        match operator:
            case "LITERAL":
                return chr(value)
            case "NOT_LITERAL" | "ANY":
                return "x"
            case "IN":
                # What is not excluded is what an address may hold.
                signs = ADDRESS if str(value[0][0]) == "NEGATE" else SIGNS
                return self.random.choice([one for one in signs if _takes(value, one)])
            case "MAX_REPEAT" | "MIN_REPEAT":
                least, most, inside = value
                # Nobody's token is as short as `+` allows.
                times = least if least != 1 or int(most) == 1 else min(int(most), 30)
                return "".join(self._of(inside) for _ in range(times))
            case "SUBPATTERN":
                return self._of(value[-1])
            case "BRANCH":
                return self._of(self.random.choice(value[1]))
        assert operator == "AT", operator
        return ""


SIGNS = [chr(number) for number in range(33, 127)]
ADDRESS = [one for one in SIGNS if re.fullmatch("[A-Za-z0-9_~-]", one)]


def _takes(members: Any, sign: str) -> bool:
    """Tell whether a class of signs has one."""
    takes = False
    for operator, value in members:
        if str(operator) == "RANGE":
            takes |= value[0] <= ord(sign) <= value[1]
        elif str(operator) == "LITERAL":
            takes |= value == ord(sign)
        elif str(operator) == "CATEGORY":
            takes |= {"CATEGORY_WORD": sign.isalnum() or sign == "_", "CATEGORY_DIGIT": sign.isdigit()}.get(
                str(value), False
            )
    return takes is not (str(members[0][0]) == "NEGATE")


@pytest.mark.skipif(
    importlib.util.find_spec("kingfisher_sdk") is None, reason="no wheel of the rules for this system"
)
def test_what_betterleaks_and_osv_scalibr_know_of_the_hosts_is_known_or_left_out_for_a_reason(tmp_path: Path):
    """Their rules are kept by many, and come with each new version of that package."""
    from kingfisher_sdk import Rules

    rules = Rules(cache=False)
    theirs = {one["id"]: rules.detail(one["id"])["pattern"] for one in rules.metadata()}
    of_hosts = {name: pattern for name, pattern in theirs.items() if FAMILIES.match(name)}
    assert len(of_hosts) > 60
    assert set(of_hosts) >= set(NOT_OURS), "a rule is gone, so it is no exception any more"
    samples = {
        f"{number}-{seed}.txt": Sample(f"{name} {seed}").of(pattern)
        for number, (name, pattern) in enumerate(of_hosts.items())
        for seed in range(8)
        if name not in NOT_OURS
    }
    for file, sample in samples.items():
        (tmp_path / file).write_text(f"{sample}\n")
    sought = [part for pattern in secrets.patterns() for part in ("-e", pattern)]
    command = ["git", "grep", "--no-index", "-LE", *sought, "--", "."]
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    missed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False).stdout
    names = list(of_hosts)
    assert {names[int(file.partition("-")[0])]: samples[file] for file in missed.split()} == {}
