"""SSH, with the machine's own client and a real server: nothing prompts or stays behind, and what is printed works."""

from __future__ import annotations

import getpass
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import uv
from apps import ROOT
from private_packages.config import SUBMODULES
from private_packages.diagnosis import explain
from private_packages.errors import GitError
from ssh_host import SshHost
from world import source

from demo import runs
from demo.samples import commit, make_repository

if sys.platform != "win32":
    import pexpect

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="terminals, and processes as `ps` lists them")

NAME = "acme-beams"
SYNC = "python -m private_packages sync"
WORDS = "SENTINEL words of a key"
COMMAND = (runs.PYTHON, "-m", "private_packages")

Done = subprocess.CompletedProcess[str]


@dataclass
class Person:
    """Somebody with an app, a host, and what ssh reads: a configuration, keys and known hosts.

    OpenSSH looks for those in the home folder that the system's list of users names, so `core.sshCommand` names
    this one. `environment` is what the person sets besides.
    """

    host: SshHost
    home: Path
    app: Path
    environment: dict[str, str] = field(default_factory=dict)

    def key(self, name: str, words: str = "", *, form: str = "ed25519") -> Path:
        """Make a key that may have a passphrase; the host knows nothing of it."""
        file = self.ssh / name
        kind = ("-t", "rsa", "-b", "2048", "-m", "PEM") if form == "PEM" else ("-t", form)
        subprocess.run(["ssh-keygen", "-q", *kind, "-N", words, "-C", "", "-f", file], check=True)
        return file

    def accepts(self, key: Path, user: str = "git") -> None:
        """Let a key in; its public half."""
        self.host.accepted[user] = self.host.accepted.get(user, "") + key.with_suffix(".pub").read_text()

    @property
    def ssh(self) -> Path:
        return self.home / ".ssh"

    def configure(self, *lines: str) -> None:
        """Write ssh's configuration."""
        always = ("IdentityFile none", f"UserKnownHostsFile {self.ssh}/known_hosts")
        (self.ssh / "config").write_text("".join(f"{line}\n" for line in (*lines, *always)))

    def knows_the_host(self) -> None:
        (self.ssh / "known_hosts").write_text(self.host.known)

    def url(self, user: str = "git", path: str = "acme/acme-beams.git") -> str:
        at = f"{user}@" if user else ""
        address = f"[{self.host.address}]" if ":" in self.host.address else self.host.address
        return f"ssh://{at}{address}:{self.host.port}/{path}"

    def wants(self, url: str = "", strategy: str = "submodule") -> None:
        """Write private-packages.toml."""
        url = url or self.url()
        (self.app / "private-packages.toml").write_text(
            'format = 1\nplatform = "python"\npython = "3.11"\nprivate-prefixes = []\n\n'
            f'[[packages]]\nname = "{NAME}"\nstrategy = "{strategy}"\nref = "v1"\nurl = "{url}"\n'
            f'requirement = "{NAME} @ {url if url.startswith("git@") else f"git+{url}"}@v1"\n'
            + (f'path = "{SUBMODULES}/{NAME}"\n' if strategy == "submodule" else "")
        )

    @property
    def env(self) -> dict[str, str]:
        """The environment of a person without an agent, unless there is one in `environment`."""
        mine = ("SSH_", "GIT_", "DISPLAY", "UV_", "PIP_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(mine)}
        config = self.home / "gitconfig"
        return kept | {
            "HOME": str(self.home),
            "GIT_CONFIG_GLOBAL": str(config),
            "GIT_CONFIG_NOSYSTEM": "1",
            "PRIVATE_PACKAGES_TIMEOUT": "2",
            **self.environment,
        }

    def run(self, *command: str | Path) -> Done:
        return subprocess.run(
            list(map(str, command)),
            cwd=self.app,
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def fails(self, command: str = "sync") -> str:
        """Run the command, which must fail and leave nothing behind; return what it says about the package."""
        done = self.run(*COMMAND, command)
        assert done.returncode == 1, done.stderr
        assert "Traceback" not in done.stderr
        assert WORDS not in done.stderr
        assert not self.still_running(), self.still_running()
        found = re.search(rf"(?m)(?:^  |STOP ){NAME}: (.*)$", done.stderr)
        assert found, done.stderr
        return found[1]

    def still_running(self) -> list[str]:
        """Every ssh that asks the host."""
        listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
        return [line for line in listed.splitlines() if "ssh" in line and f"-p {self.host.port} " in line]

    def syncs(self) -> None:
        done = self.run(*COMMAND, "sync")
        assert done.returncode == 0, done.stderr
        assert (self.app / SUBMODULES / NAME / "acme_beams.py").is_file()

    def types(self, said: str, *answers: tuple[str, str]) -> None:
        """Type the last command that a message shows, on a terminal, and answer what it asks."""
        typed = re.findall(r"`([^`]*)`", said)[-1]
        child = pexpect.spawn("sh", ["-c", typed], cwd=self.app, env=self.env, encoding="utf-8", timeout=20)
        for question, answer in answers:
            child.expect(question)
            child.sendline(answer)
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == 0, child.before


@pytest.fixture(scope="module")
def root(isolated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a package with a tag `v1`."""
    root = tmp_path_factory.mktemp("git")
    (root / "acme").mkdir()
    files = {
        "pyproject.toml": f'[project]\nname = "{NAME}"\nversion = "1.0"\n',
        "acme_beams.py": "X = 1\n",
    }
    make_repository(root / "acme", NAME, files, tags=["v1"])
    return root


@pytest.fixture
def person(root: Path, tmp_path: Path) -> Iterator[Person]:
    """Somebody whom the host lets in: it knows the key, the machine knows the host."""
    home, app = tmp_path / "home", tmp_path / "app"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh").chmod(0o700)
    (home / "gitconfig").write_text(
        "[user]\n\tname = Test\n\temail = test@localhost.invalid\n"
        f'[core]\n\tsshCommand = "ssh -F {home}/.ssh/config"\n'
    )
    app.mkdir()
    unit = ROOT / "template" / "files" / "private_packages"
    shutil.copytree(unit, app / "private_packages", ignore=shutil.ignore_patterns("__pycache__"))
    with SshHost(root, {}) as host:
        one = Person(host, home, app)
        one.accepts(one.key("id"))
        one.configure(f"IdentityFile {home}/.ssh/id")
        one.knows_the_host()
        one.wants()
        subprocess.run(["git", "init", "--quiet"], cwd=app, env=one.env, check=True)
        yield one


# ---------------------------------------------------------------------------
# What works
# ---------------------------------------------------------------------------


def test_a_key_and_a_known_host_are_all_it_takes(person: Person):
    person.syncs()
    assert {user for user, _ in person.host.questions} == {"git"}


@pytest.mark.parametrize("user", ["builder", ""], ids=["another user", "no user, which means one's own name"])
def test_the_user_of_an_address_need_not_be_git(person: Person, user: str):
    person.accepts(person.ssh / "id", user or getpass.getuser())
    person.wants(person.url(user))
    person.syncs()
    assert {one for one, _ in person.host.questions} == {user or getpass.getuser()}


def test_a_host_that_ssh_knows_by_another_name_is_found_where_its_configuration_says(person: Person):
    place = (f"  HostName {person.host.address}", f"  Port {person.host.port}", "  User git")
    person.configure("Host work", *place, f"  IdentityFile {person.ssh}/id")
    person.wants("git@work:acme/acme-beams.git")
    person.syncs()
    person.host.stop()
    person.wants("git@work:acme/acme-others.git")
    said = person.fails()
    assert f"work (which is 127.0.0.1 port {person.host.port}) refuses connections" in said


def test_a_key_that_an_agent_holds_is_used(person: Person):
    person.accepts(key := person.key("locked", WORDS))
    person.configure(f"IdentityFile {key}")
    with pexpect.spawn(
        "ssh-agent", ["sh"], cwd=person.app, env=person.env, encoding="utf-8", timeout=30
    ) as shell:
        shell.sendline(f"ssh-add {key}")
        shell.expect("passphrase for")
        shell.sendline(WORDS)
        shell.expect("Identity added")
        shell.sendline(f"{' '.join(COMMAND)} sync; echo exit=$?")
        shell.expect(r"exit=(\d)")
        assert shell.match[1] == "0", shell.before
    assert person.host.questions


@pytest.mark.parametrize("way", ["core.sshCommand of the app", "GIT_SSH_COMMAND", "GIT_SSH"])
def test_the_ssh_that_a_person_chose_is_the_one_that_asks(person: Person, way: str):
    """By each of the ways that Git knows; told to ask nothing all the same."""
    config = person.home / "gitconfig"
    config.write_text(config.read_text().partition("[core]")[0])
    command = f"ssh -F {person.ssh}/config"
    if way == "GIT_SSH":
        program = person.home / "ssh"
        program.write_text(f'#!/bin/sh\necho "$@" >> {person.home}/calls\nexec {command} "$@"\n')
        program.chmod(0o755)
        person.environment["GIT_SSH"] = str(program)
    elif way == "GIT_SSH_COMMAND":
        person.environment["GIT_SSH_COMMAND"] = command
    else:
        assert person.run("git", "config", "core.sshCommand", command).returncode == 0
    person.syncs()
    person.host.asks_passwords = True
    person.host.accepted.clear()
    person.wants(person.url(path="acme/other.git"))
    assert "refuses your SSH key" in person.fails()
    assert person.host.passwords == []


def test_another_program_than_openssh_gets_no_options_that_it_does_not_know(person: Person):
    program = person.home / "plink"
    program.write_text(f'#!/bin/sh\necho "$@" >> {person.home}/calls\nexit 1\n')
    program.chmod(0o755)
    person.environment["GIT_SSH_COMMAND"] = str(program)
    person.fails()
    calls = (person.home / "calls").read_text()
    assert "127.0.0.1" in calls
    assert "BatchMode" not in calls


@pytest.mark.parametrize("strategy", ["submodule", "git"])
def test_a_host_of_ipv6_is_reached(person: Person, root: Path, strategy: str):
    try:
        probe = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no IPv6")
    probe.close()
    with SshHost(root, person.host.accepted, "::1") as host:
        person.host = host
        person.knows_the_host()
        person.wants(strategy=strategy)
        done = person.run(*COMMAND, "sync")
        assert done.returncode == 0, done.stderr
        assert host.questions
        host.denied.add("acme/acme-beams.git")
        person.wants(person.url(path="acme/nothing.git"))
        assert person.fails().startswith(f"::1 port {host.port} has no repository at that path")


@pytest.mark.parametrize("alias", [False, True], ids=["with a port", "by another name"])
def test_a_git_line_is_checked_and_installed_by_way_of_ssh(person: Person, alias: bool):
    """uv starts Git, and that the same ssh."""
    backed = make_repository(
        person.host.root / "acme", "acme-backed", source(NAME, "1.0", "private"), tags=["v1"]
    )
    if alias:
        place = (f"  HostName {person.host.address}", f"  Port {person.host.port}")
        person.configure("Host work", *place, f"IdentityFile {person.ssh}/id")
    url = "ssh://git@work/acme/acme-backed.git" if alias else person.url(path="acme/acme-backed.git")
    person.wants(url, strategy="git")
    person.environment["PATH"] = os.pathsep.join([str(Path(uv.find_uv_bin()).parent), os.environ["PATH"]])
    assert person.run("uv", "venv", "--quiet", "--python", sys.executable, ".venv").returncode == 0
    for command in ("sync", "check", "install"):
        done = person.run(*COMMAND, command)
        assert done.returncode == 0, done.stderr
    shutil.rmtree(backed)
    shown = person.run(
        person.app / ".venv" / "bin" / "python", "-c", "import acme_beams; print(acme_beams.ORIGIN)"
    )
    assert shown.stdout == "private\n"


# ---------------------------------------------------------------------------
# What fails, each with its own sentence, and how it is mended
# ---------------------------------------------------------------------------


@dataclass
class Case:
    """What is wrong, the words that say so ({port} is the host's), and how a person mends it who read them."""

    breaks: Callable[[Person], None]
    words: tuple[str, ...]
    mends: Callable[[Person, str], None]


def use(name: str, words: str = "", form: str = "ed25519") -> Callable[[Person], None]:
    """Have another key, which the host accepts."""

    def breaks(person: Person) -> None:
        person.accepts(key := person.key(name, words, form=form))
        person.configure(f"IdentityFile {key}")
        if form == "PEM":
            key.with_suffix(".pub").unlink()

    return breaks


def add_to_an_agent(person: Person, said: str) -> None:
    """Both commands of the sentence, in its order."""
    add, start = re.findall(r"`([^`]*)`", said)
    none = person.run("sh", "-c", add)
    assert "authentication agent" in none.stderr
    with pexpect.spawn(
        "sh", ["-c", start], cwd=person.app, env=person.env, encoding="utf-8", timeout=30
    ) as shell:
        shell.sendline(add)
        shell.expect("passphrase for")
        shell.sendline(WORDS)
        shell.expect("Identity added")
        shell.sendline(f"{' '.join(COMMAND)} sync; echo exit=$?")
        shell.expect(r"exit=(\d)")
        assert shell.match[1] == "0", shell.before


def new_host_key(person: Person) -> None:
    person.host.stop()
    person.host.new_host_key()
    person.host.start()


def take_the_new_host_key(person: Person, said: str) -> None:
    person.types(said)
    person.types(person.fails(), ("continue connecting", "yes"))


def strict(person: Person) -> None:
    person.configure(f"IdentityFile {person.ssh}/id", "StrictHostKeyChecking yes")
    (person.ssh / "known_hosts").unlink()


def scan(person: Person, said: str) -> None:
    done = person.run("sh", "-c", re.findall(r"`([^`]*)`", said)[-1])
    assert "ssh-ed25519" in done.stdout
    (person.ssh / "known_hosts").write_text(done.stdout)


def old_host(person: Person) -> None:
    person.host.stop()
    person.host.options["kex_algs"] = ["diffie-hellman-group1-sha1"]
    person.host.start()


def new_host(person: Person, said: str) -> None:
    person.host.stop()
    person.host.options.clear()
    person.host.start()


def keys_given(person: Person, said: str) -> None:
    person.accepts(person.ssh / "id")
    person.types(said)


def no_ssh(person: Person) -> None:
    folder = person.home / "bin"
    folder.mkdir()
    for name in ("git", "sh"):
        (folder / name).symlink_to(str(shutil.which(name)))
    person.environment["PATH"] = str(folder)


CASES = {
    "an unknown host key": Case(
        lambda person: (person.ssh / "known_hosts").unlink(),
        (
            "the host key of 127.0.0.1 port {port} (SHA256:",
            "is not known to this machine",
            "`git ls-remote ssh://git@127.0.0.1:{port}/acme/acme-beams.git`",
            "answer yes",
        ),
        lambda person, said: person.types(said, ("continue connecting", "yes")),
    ),
    "an unknown host key, and ssh may not ask": Case(
        strict,
        ("port {port}", "may take no new one", "`ssh-keyscan -p {port} 127.0.0.1`", "known_hosts"),
        scan,
    ),
    "a changed host key": Case(
        new_host_key,
        ("127.0.0.1 port {port} shows another host key", "ask whoever runs it", "ssh-keygen -f"),
        take_the_new_host_key,
    ),
    "a refused key": Case(
        lambda person: person.host.accepted.clear(),
        (
            "127.0.0.1 port {port} refuses your SSH key",
            "/.ssh/id for the user git; add the public half",
            "git ls-remote",
        ),
        keys_given,
    ),
    "no key": Case(
        lambda person: person.configure(),
        (
            "ssh has no key to offer, and 127.0.0.1 port {port} lets nobody in",
            "`ssh-keygen`",
            "git ls-remote",
        ),
        lambda person, said: person.configure(f"IdentityFile {person.ssh}/id"),
    ),
    "a key that is not there": Case(
        lambda person: (
            person.environment.update(
                GIT_SSH_COMMAND=f"ssh -F {person.ssh}/config -i /nowhere/id -o IdentitiesOnly=yes"
            )
            or person.configure()
        ),
        ("log in at 127.0.0.1 port {port} with the key /nowhere/id, which is not there; put it there",),
        lambda person, said: person.environment.clear() or person.configure(f"IdentityFile {person.ssh}/id"),
    ),
    "a passphrase without an agent": Case(
        use("locked", WORDS), ("the key", "/.ssh/locked has a passphrase, and no SSH agent"), add_to_an_agent
    ),
    "a passphrase of an old key without its public half": Case(
        use("old", WORDS, "PEM"), ("the key", "/.ssh/old has a passphrase, and no SSH agent"), add_to_an_agent
    ),
    "a key that others can read": Case(
        lambda person: (person.ssh / "id").chmod(0o644),
        ("others can read the key file", "/.ssh/id, so ssh does not use it; type `chmod 600"),
        lambda person, said: person.types(said),
    ),
    "no access": Case(
        lambda person: person.host.denied.update(["acme/acme-beams.git"]),
        ("127.0.0.1 port {port} has no such repository, or hides it from your key", "Repository not found."),
        lambda person, said: person.host.denied.clear(),
    ),
    "a wrong path": Case(
        lambda person: person.wants(person.url(path="acme/nothing.git")),
        ("127.0.0.1 port {port} has no repository at that path", "look at the address"),
        lambda person, said: person.wants(),
    ),
    "a host that is down": Case(
        lambda person: person.host.stop(),
        ("127.0.0.1 port {port} refuses connections; see whether it is up",),
        lambda person, said: person.host.start(),
    ),
    "a host of long ago": Case(
        old_host,
        (
            "127.0.0.1 port {port} and the ssh of this machine share no key exchange method",
            "diffie-hellman-group1-sha1",
            "update the older",
        ),
        new_host,
    ),
    "a configuration that ssh does not read": Case(
        lambda person: person.configure("Nonsense yes"),
        ("ssh cannot use its configuration", "Bad configuration option: nonsense", "put that right"),
        lambda person, said: person.configure(f"IdentityFile {person.ssh}/id"),
    ),
    "an unknown host": Case(
        lambda person: person.wants("ssh://git@git.nowhere.invalid/acme/acme-beams.git"),
        ("git.nowhere.invalid is not a known host name; look for a typing error",),
        lambda person, said: person.wants(),
    ),
    "no ssh": Case(
        no_ssh,
        ("ssh is not installed or not on PATH; install the OpenSSH client",),
        lambda person, said: person.environment.clear(),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_fails_has_its_own_sentence_and_what_that_says_mends_it(person: Person, name: str):
    case = CASES[name]
    case.breaks(person)
    said = person.fails()
    for words in case.words:
        assert words.format(port=person.host.port) in said, said
    case.mends(person, said)
    person.syncs()


@pytest.mark.parametrize("name", ["an unknown host key", "no access"])
def test_a_git_line_is_told_the_same(person: Person, name: str):
    person.wants(strategy="git")
    assert person.run(*COMMAND, "sync").returncode == 0
    (person.app / "private-packages.lock").unlink()
    CASES[name].breaks(person)
    for command in ("sync", "check"):
        said = person.fails(command)
        for words in CASES[name].words:
            assert words.format(port=person.host.port) in said, said


def test_a_host_that_says_nothing_is_left_after_the_limit_and_no_ssh_lives_on(person: Person):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        person.host.port, kept = port, person.host.port
        person.wants()
        said = person.fails()
        person.host.port = kept
    assert said == f"127.0.0.1 port {port} stopped answering for 2 seconds; try again later."


def test_what_is_no_ssh_host_is_said_to_have_closed_the_connection(person: Person):
    """As at a wrong port, or where too many connect at once."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        person.host.port, kept = port, person.host.port
        person.wants()
        process = subprocess.Popen(
            [*COMMAND, "sync"], cwd=person.app, env=person.env, stderr=subprocess.PIPE, text=True
        )
        connection, _ = other.accept()
        connection.close()
        _, said = process.communicate(timeout=30)
        person.host.port = kept
    assert f"{NAME}: 127.0.0.1 port {port} closed the connection before anybody could log in" in said


@pytest.mark.parametrize("case", ["an unknown host key", "a passphrase without an agent", "a refused key"])
def test_nothing_is_asked_on_a_terminal_or_in_a_window(person: Person, case: str):
    window = person.home / "window"
    asking = person.home / "askpass"
    asking.write_text(f'#!/bin/sh\necho "$@" >> {window}\n')
    asking.chmod(0o755)
    person.environment |= {"DISPLAY": ":0", "SSH_ASKPASS": str(asking), "GIT_ASKPASS": str(asking)}
    person.host.asks_passwords = True
    CASES[case].breaks(person)
    child = pexpect.spawn(
        COMMAND[0], [*COMMAND[1:], "sync"], cwd=person.app, env=person.env, encoding="utf-8", timeout=30
    )
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 1
    for question in ("(yes/no", "Enter passphrase", "password:"):
        assert question not in child.before
    assert not window.exists()
    assert person.host.passwords == []


def test_a_host_where_one_can_log_in_with_a_password_never_gets_an_empty_one(person: Person):
    """It would count as an attack, and may lock the account or the network out."""
    person.host.asks_passwords = True
    person.host.accepted.clear()
    assert "refuses your SSH key" in person.fails()
    assert person.host.keys == 1
    assert person.host.passwords == []


@pytest.mark.parametrize("what", ["hides it", "is down"])
def test_a_submodule_of_a_submodule_is_named_with_its_own_host(person: Person, tmp_path: Path, what: str):
    inner = tmp_path / "inner"
    (inner / "acme").mkdir(parents=True)
    small = make_repository(inner / "acme", "small", {"small.py": "X = 2\n"})
    outer = make_repository(person.host.root / "acme", "acme-outer", {"acme_beams.py": "X = 1\n"})
    with SshHost(inner, person.host.accepted) as other:
        there = f"ssh://git@127.0.0.1:{other.port}/acme/small.git"
        (person.ssh / "known_hosts").write_text(person.host.known + "\n" + other.known)
        commit(outer, {".gitmodules": f'[submodule "small"]\n\tpath = small\n\turl = {there}\n'})
        head = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=small, capture_output=True, text=True, check=True
        ).stdout.strip()
        stream = (
            "commit refs/heads/main\ncommitter T <t@localhost.invalid> 1900000000 +0000\ndata 1\nx\n"
            f"from refs/heads/main^0\nM 160000 {head} small\n"
        )
        subprocess.run(
            ["git", "fast-import", "--quiet", "--force"], cwd=outer, input=stream, text=True, check=True
        )
        subprocess.run(["git", "tag", "v1", "main"], cwd=outer, check=True)
        if what == "is down":
            other.stop()
        else:
            other.denied.add("acme/small.git")
        person.wants(person.url(path="acme/acme-outer.git"))
        said = person.fails()
        shutil.rmtree(outer)
        port = other.port
    sentence = {"hides it": "has no such repository, or hides it", "is down": "refuses connections"}[what]
    assert said.startswith(f"its own submodule small: 127.0.0.1 port {port} {sentence}"), said


# ---------------------------------------------------------------------------
# The sentences of hosts that cannot be had here
# ---------------------------------------------------------------------------

END = "fatal: Could not read from remote repository.\n\nPlease make sure you have the correct access rights\n"
IN = 'Authenticated to git.acme.example ([192.0.2.1]:22) using "publickey".\n'


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (
            f"{IN}ERROR: Repository not found.\n{END}",
            "port 22 has no such repository, or hides it from your key",
        ),
        (
            f"{IN}remote: \nremote: ====\nremote: ERROR: The project you were looking for could not be found or you"
            f" don't have permission to view it.\nremote: ====\n{END}",
            "hides it from your key (it says: The project you were looking for",
        ),
        (
            f"{IN}FATAL: R any acme/x ann DENIED by fallthru\n{END}",
            "does not let your key read this repository",
        ),
        (f"{IN}repository access denied.\n{END}", "does not let your key read this repository"),
        (
            f"{IN}fatal: detected dubious ownership in repository at '/srv/x.git'\n{END}",
            "let your key in, but not Git (it says: detected dubious ownership in repository at '/srv/x.git');"
            " ask whoever runs it",
        ),
        (f"{IN}{END}", "ended the connection without a reason"),
        (
            f"Received disconnect from 192.0.2.1 port 22:2: Too many authentication failures\n{END}",
            "`IdentitiesOnly yes`",
        ),
        (
            f"git@git.acme.example: Permission denied (password).\n{END}",
            "offers no login with a key (password)",
        ),
        (
            'sign_and_send_pubkey: signing failed for ED25519 "ann@acme" from agent: agent refused operation\n'
            f"git@git.acme.example: Permission denied (publickey).\n{END}",
            "your SSH agent does not use its key ann@acme (agent refused operation)",
        ),
        (
            f"ssh: connect to host git.acme.example port 22: Connection timed out\n{END}",
            "git.acme.example port 22 does not answer",
        ),
        (
            f"Bad owner or permissions on /home/ann/.ssh/config\n{END}",
            "cannot use its configuration (Bad owner",
        ),
        (
            f"Connection reset by 192.0.2.1 port 22\n{END}",
            "closed the connection before anybody could log in",
        ),
    ],
)
@pytest.mark.parametrize("url", ["git@git.acme.example:acme/x.git", "ssh://git@git.acme.example/acme/x.git"])
def test_what_a_host_or_ssh_says_becomes_a_cause_and_a_cure(said: str, words: str, url: str):
    assert words in explain(GitError(said), url=url, variables=[])


def test_a_host_s_own_words_cannot_put_a_command_into_the_sentence():
    """A shell would run what stands in `$(…)`."""
    said = f"Host key for x$(id) has changed\nOffending ED25519 key in /a$(id):1\n{IN}Host key verification failed.\n{END}"
    assert "$(id)" not in explain(GitError(said), url="git@git.acme.example:acme/x.git", variables=[])
