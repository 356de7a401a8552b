"""Record a session for the README: `python -m demo.record` writes docs/session.svg.

A real run: a shell in a pseudo terminal, the demo's hosts, the real questionnaire answered key by key, then the
commands that the hook says, typed as it says them, and `status`. What the terminal got is fed to a terminal
emulator, and its screen is drawn at the moments that tell something.

Three things are replaced at drawing, because they are of one machine or one moment: the hosts' addresses on
loopback (by names of the same length), the folders of this run, and the seconds that the tests took. One thing is
drawn plainer than it came: Copier prints a question and its help in bold, and here bold marks the question.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import shlex
import shutil
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from demo import runs
from demo.git import run_git, work_tree_files
from demo.hosts import DemoHosts
from demo.picture import COLOURS, Frame, draw, frame_of

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "session.svg"
# As wide as a terminal that nobody has widened.
COLUMNS, LINES = 80, 24
TEMPLATE = "OWNER/copier-private-packages"
DESCRIPTION = (
    "A terminal: copier copy asks its questions, refuses a literal token, fetches a submodule and prints what to "
    "type next; one command checks and installs everything, and the app is tested and run."
)
# As long as http://127.0.0.1: and five digits, so that no line breaks elsewhere.
GIT_NAME, INDEX_NAME = "https://code.acme.test", "https://pkgs.acme.test"
ENTER, ALT_ENTER, UP, DOWN, BACKSPACE = "\r", "\x1b\r", "\x1b[A", "\x1b[B", "\x7f"
# How prompt_toolkit ends what it draws; then the question listens.
LISTENING = "\x1b[?7h"
STATUS, CONTENT = "python -m private_packages", "Everything is as it should be."
PROMPT = "\x1b[1;32m$\x1b[0m "
# What Copier puts in front of a question.
QUESTION = "🎤"


class Session:
    """A shell at a pseudo terminal whose output is kept, with the moments at which a frame is taken."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        import pexpect

        self._nothing = pexpect.TIMEOUT
        self._output = io.StringIO()
        self._seen = 0
        self._moments: list[tuple[int, str, float]] = []
        self.shell = pexpect.spawn(
            "bash",
            ["--noprofile", "--norc"],
            cwd=str(folder),
            env={**environment, "PS1": r"\[\e[1;32m\]$\[\e[0m\] "},
            dimensions=(LINES, COLUMNS),
            encoding="utf-8",
        )
        self.shell.logfile_read = self._output

    def wait(self, text: str) -> None:
        """Wait until the terminal gets a text that no earlier call has met; raises RuntimeError after two minutes."""
        end = time.monotonic() + 120
        while (found := self.output().find(text, self._seen)) < 0:
            if not self._read(1) and time.monotonic() > end:
                raise RuntimeError(f"the terminal never got {text!r}, but:\n{self.output()[self._seen :]}")
        self._seen = found + len(text)

    def settle(self) -> None:
        """Read until nothing comes for a moment."""
        while self._read(0.5):
            pass

    def _read(self, seconds: float) -> bool:
        try:
            self.shell.read_nonblocking(4096, timeout=seconds)
        except self._nothing:
            return False
        return True

    def type(self, keys: str) -> None:
        """Press keys, and let the terminal show them."""
        self.shell.send(keys)
        self.settle()

    def take(self, title: str, seconds: float = 4) -> None:
        """Keep what the terminal shows now as a frame."""
        self.settle()
        self._moments.append((len(self._output.getvalue()), title, seconds))

    def command(self, line: str) -> None:
        """Type a command and wait for the next prompt."""
        self.type(line)
        self.shell.send(ENTER)
        self.wait(PROMPT)

    def output(self) -> str:
        """All that the terminal got so far."""
        return self._output.getvalue()

    def frames(self, replacing: Callable[[str], str]) -> list[Frame]:
        """Feed the output to a terminal emulator, and take its screen at each moment."""
        import pyte

        screen = pyte.Screen(COLUMNS, LINES)
        stream = pyte.Stream(screen)
        frames, start = [], 0
        for end, title, seconds in self._moments:
            stream.feed(replacing(self._output.getvalue()[start:end]))
            frames.append(_with_plain_help(frame_of(screen, title, seconds)))
            start = end
        return frames


def _with_plain_help(frame: Frame) -> Frame:
    """The frame with bold in the questions alone; other rows keep it where they have a colour of their own."""
    rows = [
        row
        if any(run.text.startswith(QUESTION) for run in row)
        else tuple(replace(run, bold=run.bold and run.colour != COLOURS["default"]) for run in row)
        for row in frame.rows
    ]
    return replace(frame, rows=tuple(rows))


def questions() -> dict[str, str]:
    """The first line of each question's help, by the question's name: what the terminal shows first."""
    data: dict[str, Any] = yaml.safe_load((ROOT / "copier.yml").read_text(encoding="utf-8"))
    return {
        name: str(one["help"]).splitlines()[0]
        for name, one in data.items()
        if not name.startswith("_") and one.get("when") is not False
    }


def release(folder: Path) -> None:
    """The template as it stands in the work tree, as a repository with the version of pyproject.toml as its tag."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    for name in work_tree_files(ROOT):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)
    who = ("-c", "user.name=Demo", "-c", "user.email=demo@localhost.invalid")
    run_git("-C", folder, "init", "--quiet")
    run_git("-C", folder, "add", "--all")
    run_git("-C", folder, *who, "commit", "--quiet", "--message", f"Release {version}")
    run_git("-C", folder, "tag", f"v{version}")


def environment(scratch: Path) -> dict[str, str]:
    """The shell's variables: nobody's settings, and the template's address led to the folder of this run."""
    (scratch / "gitconfig").write_text(
        "[user]\n\tname = Demo\n\temail = demo@localhost.invalid\n"
        f'[url "file://{scratch / "template"}"]\n\tinsteadOf = https://github.com/{TEMPLATE}.git\n'
    )
    (scratch / "settings.yml").write_text("{}\n")
    (scratch / "tmp").mkdir()
    unwanted = re.compile(r"GIT_.*|COPIER_.*|PRIVATE_PACKAGES_.*|STAGE|NO_COLOR")
    kept = {name: value for name, value in runs.outside().items() if not unwanted.fullmatch(name)}
    return kept | {
        "PATH": os.pathsep.join([str(programs(scratch / "bin")), kept["PATH"]]),
        "HISTFILE": os.devnull,
        "TMPDIR": str(scratch / "tmp"),
        "TERM": "xterm-256color",
        "LANG": "C.UTF-8",
        "INPUTRC": os.devnull,
        "GIT_CONFIG_GLOBAL": str(scratch / "gitconfig"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "COPIER_SETTINGS_PATH": str(scratch / "settings.yml"),
        "COPIER_CACHE_DIR": str(scratch / "copier"),
        # A terminal in a window answers where its cursor is; this one can't, and is told so on each question.
        "PROMPT_TOOLKIT_NO_CPR": "1",
    }


def programs(folder: Path) -> Path:
    """A folder with what a person has on the PATH: Copier, and the machine's own Python."""
    folder.mkdir()
    for name, command in (("copier", [sys.executable, "-m", "copier"]), ("python", [runs.PYTHON])):
        (folder / name).write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
        (folder / name).chmod(0o755)
    return folder


def answer(session: Session, hosts: DemoHosts) -> None:
    """Answer the questionnaire like a person who pastes what they have."""
    asked = questions()

    def listens(name: str) -> None:
        session.wait(asked[name])
        session.wait(LISTENING)
        session.settle()

    listens("start")
    session.type(ENTER)
    listens("app_name")
    session.type(ENTER)
    listens("platform")
    session.take("A few questions, each with a default")
    session.type(ENTER)
    listens("strategies")
    session.type(DOWN + DOWN + " ")
    session.take("Two strategies for this app: a submodule and an index")
    session.type(ENTER)
    listens("submodule_packages")
    (line,) = hosts.submodule_lines("acme-beams")
    literal = line.replace("${ACME_TOKEN}", "my-own-token")
    session.type(literal)
    session.type(ALT_ENTER)
    session.take("A literal token is refused", 5)
    session.type(BACKSPACE * len(literal))
    session.type(line)
    session.take("The line names a variable instead", 5)
    session.type(ALT_ENTER)
    listens("index_packages")
    session.type(hosts.index_lines("acme-units")[0] + ALT_ENTER)
    listens("index_url")
    session.type(hosts.index_answer() + ENTER)
    listens("index_scope")
    session.take("Where the index is, and whether PyPI is asked as well")
    session.type(ENTER)
    listens("python_version")
    # The oldest one: any machine that records has one that is new enough.
    session.type(UP + UP + ENTER)
    listens("ci")
    session.take("The last question: the CI system", 3)
    session.shell.send(ENTER)
    session.wait(PROMPT)


def commands_of(said: str) -> list[str]:
    """The commands that the hook lists, as a person reads them."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", said).replace("\r\n", "\n")
    block = re.search(r"Next:\n\n((?:  .*\n)+)", plain)
    if block is None:
        raise RuntimeError(f"the hook lists no commands:\n{plain}")
    return [line.strip() for line in block[1].splitlines()]


def record() -> list[Frame]:
    """Run the whole session; raises RuntimeError when something of this machine would be in the picture."""
    with tempfile.TemporaryDirectory() as folder, DemoHosts() as hosts:
        scratch = Path(folder).resolve()
        release(scratch / "template")
        home = scratch / "home"
        home.mkdir()
        session = Session(home, environment(scratch) | hosts.variables)
        session.wait(PROMPT)
        session.type(f"copier copy --trust gh:{TEMPLATE} my-app")
        session.take("One command makes an app", 3)
        session.shell.send(ENTER)
        answer(session, hosts)
        session.take("The app is made: the commands to type next", 6)
        *commands, _commit = commands_of(session.output())
        session.command("clear")
        for command in commands:
            session.command(command)
            if command.endswith(" install"):
                session.take("One command fetches, checks and installs", 5)
        session.command(STATUS)
        if f"\r\n{CONTENT}" not in re.sub(r"\x1b\[[0-9;]*m", "", session.output()).rpartition(STATUS)[2]:
            raise RuntimeError(f"the app is not as it should be:\n{session.output()[-2000:]}")
        session.take("The app is tested and runs, and status finds nothing wrong", 7)
        session.shell.close(force=True)
        frames = session.frames(_replacing(hosts, scratch))
        _see_to_it_that_nothing_leaks(frames, [*hosts.variables.values(), "127.0.0.1", str(scratch)])
        return frames


def _replacing(hosts: DemoHosts, scratch: Path) -> Callable[[str], str]:
    """What puts names in the place of addresses, and takes this machine's folders and seconds away."""
    names = [(hosts.git_url, GIT_NAME), (hosts.index_url.removesuffix("/simple/"), INDEX_NAME)]

    def replace(output: str) -> str:
        for address, name in names:
            assert len(address) == len(name), "the demo's ports have five digits"
            host, called = address.partition("//")[2], name.partition("//")[2]
            # With user-info between scheme and host the two change apart, and the length stays the same.
            output = re.sub(rf"http://([^\s/]*){re.escape(host)}", rf"https://\g<1>{called}", output)
            output = output.replace(host, called)
        output = re.sub(
            rf"'[^']*/bin/python[0-9.]*', '-B', '{scratch}[^']*/hooks/", "'python', '-B', 'hooks/", output
        )
        return re.sub(r"\b(tests? in )\d\.\d{3}s", r"\g<1>0.100s", output)

    return replace


def _see_to_it_that_nothing_leaks(frames: Sequence[Frame], words: Sequence[str]) -> None:
    for frame in frames:
        found = [word for word in words if word in frame.text]
        if found:
            raise RuntimeError(f"the frame {frame.title!r} shows what is of this machine: {found}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Record and write the picture."""
    parser = argparse.ArgumentParser(prog="python -m demo.record", description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=PICTURE, help="default: docs/session.svg")
    options = parser.parse_args(arguments)
    if sys.platform == "win32":
        parser.error("Windows has no pseudo terminal for this; record on Linux or macOS")
    picture = draw(record(), COLUMNS, DESCRIPTION)
    options.output.write_text(picture, encoding="utf-8", newline="\n")
    print(f"{options.output}: {len(picture.encode()) / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
