"""docs/tutorial.md, typed as it stands by two people at a terminal, against the demo's hosts."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from apps import ROOT

from demo.hosts import DemoHosts
from demo.record import ENTER, LISTENING, PROMPT, UP, Session, environment, release

PAGE = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"(?ms)^## (.*?)\n(.*?)(?=^## |\Z)", PAGE))
ANSWERS = dict(re.findall(r"(?m)^\| ([A-Z][^|]*\?) \| ([^|]+) \|$", PAGE))
ESCAPE = "\x1b"
EXIT = "the exit code is "


def commands(section: str) -> list[str]:
    """The commands of a section, in the order in which they are typed."""
    return [
        line
        for block in re.findall(r"(?ms)^```sh\n(.*?)^```", SECTIONS[section])
        for line in block.splitlines()
    ]


class Person(Session):
    """Who types, and sees what every command ends with."""

    def types(self, line: str) -> str:
        """Type a command that succeeds; return what it printed."""
        start = len(self.output())
        self.shell.send(line + ENTER)
        self.wait(PROMPT)
        return self.after(start)

    def after(self, start: int) -> str:
        """What the terminal got since; the last command has to have succeeded."""
        said = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.output()[start:]).replace("\r\n", "\n")
        self.shell.send(f"echo {EXIT}$?{ENTER}")
        # Once as it is typed, and once as it is printed.
        self.wait(f"{EXIT}$?")
        self.wait(EXIT)
        self.wait(PROMPT)
        assert self.output().rpartition(EXIT)[2].startswith("0\r\n"), said
        return said

    def logs_in(self, line: str, token: str) -> None:
        """Type `login`, and the value that it asks for."""
        start = len(self.output())
        self.shell.send(line + ENTER)
        self.wait("ACME_TOKEN (hidden): ")
        self.settle()
        self.shell.send(token + ENTER)
        self.wait(PROMPT)
        self.after(start)

    def answers(self, line: str, package: str) -> str:
        """Type `copier copy`, and answer its questions as the table of the page says."""
        start = len(self.output())
        self.shell.send(line + ENTER)
        for question, answer in ANSWERS.items():
            self.wait(question)
            self.wait(LISTENING)
            self.settle()
            if answer.startswith("press Enter"):
                self.type(ENTER)
            elif answer.startswith("paste the line of `acme-units`"):
                (ref,) = re.findall(r"`(@.+?)`", answer)
                self.type(re.sub(r"@[^@]+$", ref, package))
                self.type(ESCAPE + ENTER)
            else:
                # The default is the third; every machine that tests has the first one, or a newer one.
                assert answer == "choose the one you have with the arrow keys, then press Enter"
                self.type(UP + UP + ENTER)
        self.wait(PROMPT)
        return self.after(start)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminal for pexpect")
def test_every_command_of_the_tutorial_works_as_it_is_typed(hosts: DemoHosts, tmp_path: Path):
    release(tmp_path / "template")
    work = tmp_path / "work"
    work.mkdir()
    person = Person(work, environment(tmp_path))
    person.wait(PROMPT)
    said = {}
    # The host of the first section runs already, and so do Copier and uv, from this project's environment.
    assert commands("Start the sample host")[1] == "python3 -m uv run demo --serve"
    for section in list(SECTIONS)[1:-1]:
        said[section] = ""
        for line in commands(section):
            if line == "python -m pip install copier uv":
                continue
            if line.startswith("copier copy"):
                said[section] += person.answers(line, hosts.git_line("acme-units"))
            elif line.endswith(" login"):
                person.logs_in(line, hosts.variables["ACME_TOKEN"])
            else:
                said[section] += person.types(line)
    person.shell.close(force=True)
    assert "ACME_TOKEN has no value" in said["Make the app"]
    for section, shown in SECTIONS.items():
        for block in re.findall(r"(?ms)^```text\n(.*?)^```", shown):
            assert block in said[section], section
    assert "acme-units: 2.0.0" in said["Be the colleague"]
    assert "acme-units" in said["Take a newer version"].partition("move acme-units")[0]
    assert hosts.variables["ACME_TOKEN"] not in person.output()
