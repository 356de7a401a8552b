"""private-packages.toml as people and change requests leave it: what is read, and what is refused in a sentence.

What the questionnaire accepts is held in test_questionnaire.py and test_bad_input.py.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from apps import ROOT
from private_packages.config import FILE, Index, load, parse
from private_packages.errors import Failure

WHOLE = """\
format = 1
platform = "viktor"
python = "3.12"
answers-file = ".copier-answers.yml"
variables = ["ACME_TOKEN", "ACME_USER", "ACME_PASSWORD"]
private-prefixes = ["acme-"]

[index]
url = "https://${ACME_USER}:${ACME_PASSWORD}@packages.acme.example/simple/"
scope = "extra"

[[packages]]
name = "acme-beams"
strategy = "submodule"
requirement = "acme-beams @ git+https://x-access-token:${ACME_TOKEN}@github.com/acme/beams.git@v1.2.3"
url = "https://github.com/acme/beams.git"
user-info = "x-access-token:${ACME_TOKEN}"
ref = "v1.2.3"
path = "app/submodules/acme-beams"

[[packages]]
name = "acme-loads"
strategy = "git"
requirement = "acme-loads @ git+https://github.com/acme/loads.git@v0.9.0"
url = "https://github.com/acme/loads.git"
user-info = ""
ref = "v0.9.0"

[[packages]]
name = "acme-units"
strategy = "index"
requirement = "acme-units==2.1.0"
"""
TAKE_BACK = f"take the file back with `git checkout -- {FILE}`"


def change(old: str, new: str) -> Callable[[str], str]:
    """One text for another, everywhere."""

    def changed(text: str) -> str:
        assert old in text
        return text.replace(old, new)

    return changed


def of_beams(key: str, value: str) -> Callable[[str], str]:
    """Another value of acme-beams."""

    def changed(text: str) -> str:
        head, table, rest = text.partition('name = "acme-beams"')
        table += rest
        assert f"\n{key} = " in table
        return head + re.sub(rf"(?m)^{key} = .*$", lambda _: f"{key} = {value}", table, count=1)

    return changed


def test_a_whole_file_is_read_as_it_stands():
    wanted = parse(WHOLE)
    assert (wanted.platform, wanted.python, wanted.private_prefixes) == ("viktor", "3.12", ("acme-",))
    assert wanted.index == Index(
        "https://${ACME_USER}:${ACME_PASSWORD}@packages.acme.example/simple/", "extra"
    )
    assert (wanted.index.user_info, wanted.index.address) == (
        "${ACME_USER}:${ACME_PASSWORD}",
        "https://packages.acme.example/simple/",
    )
    assert wanted.variables == ["ACME_TOKEN", "ACME_USER", "ACME_PASSWORD"]
    (beams,) = wanted.of("submodule")
    assert beams == wanted.named("Acme_Beams")
    assert (beams.url, beams.ref, beams.path) == (
        "https://github.com/acme/beams.git",
        "v1.2.3",
        "app/submodules/acme-beams",
    )


@pytest.mark.parametrize(
    "text",
    ["format = 1\n", "\ufeffformat = 1\r\n", "format = 1\npackages = []\n# <<<<<<<\n", 'format = 1\nnew = "key"\n'],
    ids=["nothing", "Windows", "no package", "a key of a later release"],
)  # fmt: skip
def test_a_file_without_packages_wants_nothing(tmp_path: Path, text: str):
    (tmp_path / FILE).write_bytes(text.encode())
    wanted = load(tmp_path)
    assert (wanted.packages, wanted.index, wanted.variables) == ((), None, [])
    assert (wanted.platform, wanted.answers_file) == ("python", ".copier-answers.yml")


DAMAGED: dict[str, tuple[Callable[[str], str], str]] = {
    "empty": (lambda _: "", "is of format None, and this command reads format 1; update the app"),
    "of a later template": (change("format = 1", "format = 2"), "is of format 2, and this command reads format 1"),
    "cut off": (lambda text: text[:-4], "is no TOML file"),
    "nested without end": (lambda text: text + f"x = {'[' * 5000}", "is no TOML file"),
    "a number without end": (lambda text: text + f"x = {'9' * 5000}", "is no TOML file"),
    "in conflict": (
        lambda text: f"{text}<<<<<<< HEAD\n{text}=======\n>>>>>>> theirs\n", "has merge conflicts; `python -m private_packages sync` resolves",
    ),
    "a package twice": (
        lambda text: text + '[[packages]]\nname = "Acme_Units"\nstrategy = "index"\nrequirement = "Acme_Units==2.2.0"\n',
        "the package acme-units stands there twice; keep one of its tables",
    ),
    "packages as one table": (lambda text: "format = 1\n[packages]\nx = 1\n", "packages are no list of tables"),
    "packages as texts": (lambda text: 'format = 1\npackages = ["acme-beams"]\n', "packages are no list of tables"),
    "no name": (lambda text: re.sub(r'(?m)^name = "acme-loads"\n', "", text), "name of a package is missing"),
    "an unknown strategy": (of_beams("strategy", '"conda"'), "strategy of acme-beams is none of submodule, git, index"),
    "a strategy that is a number": (of_beams("strategy", "1"), "strategy of acme-beams is none of"),
    "no address": (change('url = "https://github.com/acme/loads.git"\n', ""), "url of acme-loads is missing"),
    "an address that is a number": (of_beams("url", "1"), "url of acme-beams is nothing that"),
    "an index that is missing": (
        lambda text: re.sub(r"(?s)\[index\].*?\n\n", "", text), "[index] is missing, and a package comes from the index",
    ),
    "an index that is a text": (lambda text: 'format = 1\nindex = "https://h/simple/"\n', "index is no table"),
    "an unknown scope": (change('"extra"', '"both"'), "scope is none of extra, only"),
    "an unknown platform": (change('"viktor"', '"windows"'), "platform is none of python, viktor"),
    "a Python that is none": (change('"3.12"', '"3.12; id"'), "python is nothing that"),
    "prefixes that are one text": (change('["acme-"]', '"acme-"'), "private-prefixes is no list of beginnings of names"),
    "a prefix that is everything": (change('["acme-"]', '[""]'), "private-prefixes is no list of beginnings of names"),
}  # fmt: skip

HOSTILE: dict[str, tuple[Callable[[str], str], str]] = {
    "a name that is a path": (change("acme-beams", "../../evil"), "name of a package is nothing that"),
    "a name that is an option": (change("acme-beams", "--editable"), "name of a package is nothing that"),
    "a path that leads elsewhere": (
        of_beams("path", '"app/submodules/../../.git/hooks"'), "the path of acme-beams is not app/submodules/acme-beams",
    ),
    "an address that is an option": (of_beams("url", '"--upload-pack=touch x"'), "url of acme-beams is nothing that"),
    "a helper of Git's": (of_beams("url", '"ext::sh -c id"'), "url of acme-beams is nothing that"),
    "a folder of this machine": (of_beams("url", '"file:///srv/beams.git"'), "url of acme-beams is nothing that"),
    "an option for ssh": (of_beams("url", '"ssh://-oProxyCommand=id/a/b"'), "url of acme-beams is nothing that"),
    "an option as user of ssh": (of_beams("url", '"-v@github.com:a/b"'), "url of acme-beams is nothing that"),
    "no TLS": (of_beams("url", '"http://github.com/acme/beams.git"'), "url of acme-beams is nothing that"),
    "a login in the address": (of_beams("url", '"https://me:pw@github.com/a/b.git"'), "url of acme-beams is nothing that"),
    "a path upwards": (of_beams("url", '"https://github.com/acme/../evil/b.git"'), "url of acme-beams is nothing that"),
    "a path upwards, encoded": (of_beams("url", '"https://github.com/acme/%2e%2E/b.git"'), "url of acme-beams is nothing that"),
    "a port that is none": (of_beams("url", '"https://github.com:99999/a/b.git"'), "url of acme-beams is nothing that"),
    "a host that is none": (of_beams("url", '"https://[:::]/a/b.git"'), "url of acme-beams is nothing that"),
    "a line in an address": (of_beams("url", '"https://github.com/a/b.git\\n[core]"'), "url of acme-beams is nothing that"),
    "a ref that is an option": (of_beams("ref", '"--output=x"'), "ref of acme-beams is nothing that"),
    "a ref with a path upwards": (of_beams("ref", '"a/../b"'), "ref of acme-beams is nothing that"),
    "a ref with a line": (of_beams("ref", '"v1\\n\\tupdate = !id"'), "ref of acme-beams is nothing that"),
    "a subdirectory upwards": (of_beams("ref", '"v1.2.3"\nsubdirectory = "../../x"'), "subdirectory of acme-beams is nothing that"),
    "a subdirectory that is absolute": (of_beams("ref", '"v1.2.3"\nsubdirectory = "/etc"'), "subdirectory of acme-beams is nothing that"),
    "a literal token": (
        of_beams("user-info", '"ghp_0123456789abcdefghij0123456789abcdef"'), "user-info of acme-beams is not `user:${VARIABLE}`",
    ),
    "a literal password": (of_beams("user-info", '"x-access-token:hunter22"'), "user-info of acme-beams is not `user:"),
    "a literal user": (of_beams("user-info", '"me:${ACME_TOKEN}"'), "user-info of acme-beams is not `user:"),
    "a variable that git would print": (of_beams("user-info", '"${ACME_TOKEN}"'), "user-info of acme-beams is not `user:"),
    "another host in the line": (
        change("git+https://github.com/acme/loads", "git+https://evil.example/acme/loads"),
        "the requirement of acme-loads says something else than its table",
    ),
    "another host in the table": (
        change('url = "https://github.com/acme/loads', 'url = "https://evil.example/acme/loads'),
        "the requirement of acme-loads says something else than its table",
    ),
    "another ref in the line": (change("loads.git@v0.9.0", "loads.git@evil"), "the requirement of acme-loads says something else"),
    "another package in the line": (change("acme-loads @", "acme-evil @"), "the requirement of acme-loads says something else"),
    "an option as a line": (
        change("acme-loads @ git+https://github.com/acme/loads.git@v0.9.0", "--index-url https://evil.example/"),
        "the requirement of acme-loads says something else",
    ),
    "two lines": (change("loads.git@v0.9.0", "loads.git@v0.9.0\\nevil"), "requirement of acme-loads is nothing that"),
    "a token in a marker": (
        change("loads.git@v0.9.0\"", "loads.git@v0.9.0 ; os_name == '${ACME_TOKEN}'\""), "the requirement of acme-loads says something else",
    ),
    "an address for an index package": (
        change("acme-units==2.1.0", "acme-units @ https://evil.example/acme_units.whl"), "the requirement of acme-units is no `name==version`",
    ),
    "an option for an index package": (change("acme-units==2.1.0", "acme-units==2.1.0 --hash=sha256:00"), "the requirement of acme-units is no"),
    "another name for an index package": (change("acme-units==2.1.0", "acme-unitsx==2.1.0"), "the requirement of acme-units is no"),
    "a token in an index package's marker": (
        change('"acme-units==2.1.0"', "\"acme-units==2.1.0 ; extra == '${ACME_TOKEN}'\""), "the requirement of acme-units is no",
    ),
    "a literal login of the index": (change("${ACME_USER}:${ACME_PASSWORD}", "me:hunter22"), "url of the index is nothing that"),
    "a variable in the index's path": (change("/simple/", "/${ACME_TOKEN}/"), "url of the index is nothing that"),
    "a line in the index's address": (
        change("${ACME_USER}:${ACME_PASSWORD}@", "${ACME_USER}\\n:${ACME_PASSWORD}@"), "url of the index is nothing that",
    ),
    "a port of the index that is none": (
        change("packages.acme.example", "packages.acme.example:70000"), "url of the index is nothing that",
    ),
    "an index of this machine": (change("https://${ACME_USER}:${ACME_PASSWORD}@packages.acme.example", "file://"), "url of the index is nothing that"),
    "answers outside the app": (change('".copier-answers.yml"', '"../../.ssh/config"'), "answers-file is nothing that"),
    "answers anywhere": (change('".copier-answers.yml"', '"/etc/passwd"'), "answers-file is nothing that"),
    "answers on a drive": (change('".copier-answers.yml"', '"C:/x"'), "answers-file is nothing that"),
}  # fmt: skip


@pytest.mark.parametrize("case", [*DAMAGED, *HOSTILE])
def test_a_damaged_or_hostile_file_is_refused_in_one_sentence(case: str):
    damage, words = {**DAMAGED, **HOSTILE}[case]
    with pytest.raises(Failure) as refused:
        parse(damage(WHOLE))
    sentence = str(refused.value)
    assert sentence.startswith(f"{FILE}: {words}" if case in HOSTILE else FILE)
    assert words in sentence
    assert re.fullmatch(r"[^\n]+\.", sentence) and ". " not in sentence
    if case in HOSTILE:
        assert TAKE_BACK in sentence
    for secret in ("ghp_0123", "hunter22", "${ACME_TOKEN}"):
        assert secret not in sentence


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "There is no private-packages.toml in "),
        (b"format = 1\n# caf\xe9\n", "private-packages.toml cannot be read: "),
        (WHOLE.replace("format = 1", "format = 2").encode(), "private-packages.toml is of format 2"),
        (b"<<<<<<< HEAD\n", "private-packages.toml has merge conflicts"),
    ],
    ids=["missing", "no UTF-8", "another format", "a conflict"],
)
@pytest.mark.parametrize(
    "words_typed", [["status"], ["sync"], ["move", "acme-beams"], ["exec", "true"]], ids=lambda one: one[0]
)
def test_no_command_does_anything_with_a_file_that_it_cannot_use(
    tmp_path: Path, content: bytes | None, words: str, words_typed: list[str]
):
    if content is not None:
        (tmp_path / FILE).write_bytes(content)
    program = (
        "import pathlib, sys; from private_packages.cli import main;"
        " sys.exit(main(sys.argv[2:], pathlib.Path(sys.argv[1])))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path, *words_typed],
        cwd=ROOT / "template" / "files",
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    (sentence,) = done.stderr.splitlines()
    assert sentence.startswith(words)
    assert [path.name for path in tmp_path.iterdir()] == ([FILE] if content is not None else [])
