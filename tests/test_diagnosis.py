"""Every sentence of the one diagnosis, and what Git, curl, ssh and git-lfs print in the situation that leads to it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest
from private_packages import diagnosis, machine, remote, ssh, tls_dates, uv
from private_packages.config import Package
from private_packages.diagnosis import explain, explain_local
from private_packages.errors import GitError
from sentences import sentences_in

HTTPS = "https://git.acme.example:8443/acme/beams.git"
SSH = "ssh://git@git.acme.example/acme/beams.git"
LOGIN = ("ACME_TOKEN",)
TESTS = Path(__file__).parent


@dataclass(frozen=True)
class Said:
    """What a program printed, about which address, with which variables in the line; how long it was silent before it was ended."""

    stderr: str
    url: str = HTTPS
    variables: Sequence[str] = LOGIN
    stalled_after: int | None = None

    @property
    def clause(self) -> str:
        """What a person reads."""
        error = GitError(self.stderr, stalled_after=self.stalled_after)
        return explain(error, url=self.url, variables=self.variables)


def proxy_says(words: str) -> str:
    return f"fatal: unable to access '{HTTPS}/': {words}"


def lfs_says(words: str, server: str = HTTPS) -> Said:
    """As git-lfs 3.3 does."""
    return Said(f"{words}\nerror: failed to fetch some objects from '{server}/info/lfs'\n")


# Of the tables: each leads to a sentence of its own. Those of test_faults.py, test_lfs.py and test_networks.py are real.
IN_THE_TABLES = {
    "no Git": Said("git: command not found"),
    "Ctrl-C": Said("interrupted"),
    "somebody else's folder": Said(
        "fatal: detected dubious ownership in repository at '/a b'\nTo add an exception, call:\n\n"
        "\tgit config --global --add safe.directory '/a b'\n"
    ),
    "a full disk": Said("fatal: write error: No space left on device"),
    "no git-lfs": Said(
        "git-lfs filter-process: 1: git-lfs: not found\nfatal: the remote end hung up unexpectedly"
    ),
    "a write that failed": Said("fatal: could not set 'core.bare' to 'false'"),
    "a read-only folder": Said("fatal: could not create work tree dir '/a': Read-only file system"),
    "a login that the server of large files refuses": lfs_says(
        f"batch response: Authentication required: Authorization error: {HTTPS}/info/lfs/objects/batch\n"
        "Check that you have proper access to the repository"
    ),
    "a login that may not read large files": lfs_says(
        f"batch response: Authorization error: {HTTPS}/info/lfs/objects/batch\n"
        "Check that you have proper access to the repository"
    ),
    "a server of large files with a fault": lfs_says(
        f"batch response: Fatal error: Server error: {HTTPS}/info/lfs/objects/batch\n\nErrors logged to '/a/.git/lfs/logs/x.log'."
    ),
    "a large file that was never pushed": lfs_says(
        f"[{'0' * 64}] Object does not exist: [404] Object does not exist"
    ),
    "an unknown proxy": Said(proxy_says("Could not resolve proxy: proxy.acme.example")),
    "a proxy that refuses": Said(proxy_says("CONNECT tunnel failed, response 403")),
    "an unknown host": Said(proxy_says("Could not resolve host: git.acme.example")),
    "a host that is down": Said(
        proxy_says("Failed to connect to git.acme.example port 8443 after 0 ms"),
    ),
    "a stranger's certificate": Said(
        proxy_says("server certificate verification failed. CAfile: none CRLfile: none")
    ),
    "401": Said(proxy_says("The requested URL returned error: 401")),
    "403": Said(proxy_says("The requested URL returned error: 403")),
    "404": Said(f"fatal: repository '{HTTPS}/' not found"),
    "407": Said(proxy_says("CONNECT tunnel failed, response 407")),
    "a page to log in on": Said(f"fatal: {HTTPS}/info/refs not valid: is this a git repository?"),
    "503": Said(proxy_says("The requested URL returned error: 503")),
    "a silent host": Said(
        proxy_says("Operation too slow. Less than 1 bytes/sec transferred the last 15 seconds")
    ),
    "a cut connection": Said("error: RPC failed; curl 56\nfatal: early EOF"),
    "a redirect": Said(proxy_says("The requested URL returned error: 301")),
}

END = "fatal: Could not read from remote repository.\n\nPlease make sure you have the correct access rights\n"
IN = 'Authenticated to git.acme.example ([192.0.2.1]:22) using "publickey".\n'
MET = "debug1: Connecting to git.acme.example [192.0.2.1] port 22.\n"
UNKNOWN = "debug1: Server host key: ssh-ed25519 SHA256:abc\n"
REFUSED = f"git@git.acme.example: Permission denied (publickey).\n{END}"
CHANGED = "Host key for git.acme.example has changed\nOffending ED25519 key in /home/ann/.ssh/known_hosts:1\n"


def nested(words: str, url: str) -> Said:
    """As Git 2.39 tells of a submodule's submodule."""
    return Said(f"{words}\nfatal: clone of '{url}' into submodule path '/a/small' failed\n")


def over_ssh(words: str) -> Said:
    return Said(words, SSH, ())


# What the functions beside the tables make of it. Those of test_ssh.py are real.
OTHERS = {
    "silence": Said("", stalled_after=15),
    "another Git at work": Said("fatal: Unable to create '/a/.git/index.lock': File exists."),
    "what nobody has seen before": Said("fatal: something that nobody has seen before"),
    "nothing said": Said(""),
    "a host that says why": Said(
        "remote: Enumerating objects: 3\nremote: Resource protected by organization SAML enforcement.\n"
        + proxy_says("The requested URL returned error: 403")
    ),
    "a proxy that is down": Said(proxy_says("Failed to connect to proxy.acme.example port 3128 after 0 ms")),
    "a redirect to another host with a login": Said(
        "fatal: Authentication failed for 'https://elsewhere.example/acme/beams.git/'"
    ),
    "a host that wants a login which the line lacks": Said(
        proxy_says("The requested URL returned error: 401"), variables=()
    ),
    "a submodule of its own at another host": nested(
        "fatal: could not read Username for 'https://other.example': terminal prompts disabled",
        "https://other.example/acme/small.git",
    ),
    "large files on another host, which wants a login": lfs_says(
        "batch response: Git credentials for https://lfs.acme.example/x not found:\ncredential fill errors:",
        "https://lfs.acme.example/x",
    ),
    "no ssh": over_ssh("error: cannot run ssh: No such file or directory\nfatal: unable to fork"),
    "a host with another name for ssh": over_ssh(
        "ssh: connect to host git.internal.example port 2222: Connection refused\n" + END
    ),
    "a configuration of ssh": over_ssh(f"/a/config: line 1: Bad configuration option: nonsense\n{END}"),
    "an unknown host of ssh": over_ssh(
        f"ssh: Could not resolve hostname git.acme.example: Name or service not known\n{END}"
    ),
    "a silent host of ssh": over_ssh(
        f"ssh: connect to host git.acme.example port 22: Connection timed out\n{END}"
    ),
    "a host of long ago": over_ssh(
        "Unable to negotiate with 192.0.2.1 port 22: no matching key exchange method found. Their offer: old-sha1\n"
        + END
    ),
    "a changed host key": over_ssh(f"{CHANGED}{MET}Host key verification failed.\n{END}"),
    "an unknown host key": over_ssh(f"{MET}{UNKNOWN}Host key verification failed.\n{END}"),
    "an unknown host key, strictly": over_ssh(
        f"{MET}{UNKNOWN}No ED25519 host key is known and you have requested strict checking.\n"
        f"Host key verification failed.\n{END}"
    ),
    "a key that others can read": over_ssh(
        f"Permissions 0644 for '/home/ann/.ssh/id' are too open.\n{REFUSED}"
    ),
    "too many keys": over_ssh(
        f"Received disconnect from 192.0.2.1 port 22:2: Too many authentication failures\n{END}"
    ),
    "no login with a key": over_ssh(f"git@git.acme.example: Permission denied (password).\n{END}"),
    "an agent that is locked": over_ssh(
        f'sign_and_send_pubkey: signing failed for ED25519 "ann@acme" from agent: agent refused operation\n{REFUSED}'
    ),
    "a passphrase": over_ssh(
        f"debug1: Server accepts key: /home/ann/.ssh/id ED25519 SHA256:abc explicit\n{REFUSED}"
    ),
    "a refused key": over_ssh(
        f"debug1: Offering public key: /home/ann/.ssh/id ED25519 SHA256:abc explicit\n{REFUSED}"
    ),
    "a key that is not there": over_ssh(
        f"Warning: Identity file /nowhere/id not accessible: No such file or directory.\ndebug1: x\n{REFUSED}"
    ),
    "no key": over_ssh(f"debug1: No more authentication methods to try.\n{REFUSED}"),
    "an early end": over_ssh(f"kex_exchange_identification: Connection closed by remote host\n{END}"),
    "a path without a repository": over_ssh(
        f"{IN}fatal: '/acme/x.git' does not appear to be a git repository\n{END}"
    ),
    "a repository that is hidden": over_ssh(f"{IN}ERROR: Repository not found.\n{END}"),
    "a repository that may not be read": over_ssh(f"{IN}repository access denied.\n{END}"),
    "another word of the host's": over_ssh(f"{IN}fatal: the moon is full\n{END}"),
    "no word of the host's": over_ssh(f"{IN}{END}"),
}
SITUATIONS = {**IN_THE_TABLES, **OTHERS}


def test_each_situation_of_the_tables_leads_to_a_sentence_of_its_own():
    """A sentence that nothing leads to is dead; a situation that leads to another one's sentence is a wrong diagnosis."""
    causes = (*diagnosis._HERE, *diagnosis._THERE)
    led_to = {
        name: next(
            (
                sentence
                for pattern, sentence in causes
                if re.search(pattern, said.stderr, re.IGNORECASE | re.MULTILINE)
            ),
            "none",
        )
        for name, said in IN_THE_TABLES.items()
    }
    assert sorted(led_to.values()) == sorted(sentence for _, sentence in causes), led_to


@pytest.mark.parametrize("module", [diagnosis, ssh])
def test_every_sentence_about_git_and_ssh_is_what_some_situation_leads_to(module: ModuleType):
    clauses = [said.clause for said in SITUATIONS.values()]
    clauses.append(explain_local(GitError(SITUATIONS["a full disk"].stderr)))
    pieces = [piece for sentence in sentences_in(module) for piece in sentence]
    assert len(pieces) > 30
    assert not [piece for piece in pieces if not any(piece in clause for clause in clauses)]


@pytest.mark.parametrize("name", SITUATIONS)
def test_a_situation_has_a_cause_and_a_cure(name: str):
    clause = SITUATIONS[name].clause
    assert not re.search(r"(?<!\$)\{", clause) and "\n" not in clause
    if name in ("what nobody has seen before", "nothing said"):
        assert clause.startswith("Git says")
    else:
        assert not clause.startswith("Git says")
        assert clause.partition("; ")[2] or name == "Ctrl-C", f"no cure: {clause}"


def test_no_two_situations_are_told_alike():
    told: dict[str, list[str]] = {}
    for name, said in SITUATIONS.items():
        told.setdefault(said.clause, []).append(name)
    assert [names for names in told.values() if len(names) > 1] == []


@pytest.mark.parametrize("module", [machine, remote, tls_dates, uv])
def test_every_sentence_about_certificates_logins_and_uv_is_known_to_a_test(module: ModuleType):
    """A server or uv itself leads to these: some test expects four words in a row of each."""
    tests = " ".join(file.read_text(encoding="utf-8") for file in sorted(TESTS.glob("test_*.py")))
    # As if each text stood in one line and one literal.
    known = re.sub(r'("\s*f?"|\s|\\)+', " ", tests)

    def is_known(piece: str) -> bool:
        words = re.findall(r"[^\s\"\\]+", piece)
        runs = [" ".join(words[start : start + 4]) for start in range(max(1, len(words) - 3))]
        return any(run in known for run in runs)

    assert not [pieces for pieces in sentences_in(module) if not any(map(is_known, pieces))]


def test_old_words_of_curl_about_a_proxy_are_known_too():
    said = proxy_says("Received HTTP code 407 from proxy after CONNECT")
    assert "wants a login (407)" in Said(said).clause


def test_a_ref_that_a_repository_does_not_have_is_told_with_its_newest_tags_and_what_to_type():
    package = Package("acme-beams", "git", "acme-beams @ git+https://git.acme.example/acme/beams.git@v9")
    told = remote.no_such_ref(package, "v9", ["v2", "v1"])
    newest = "its repository has no tag, branch or commit `v9` (newest tags: v2, v1)"
    assert told == f"{newest}; name another with `python -m private_packages move acme-beams REF`"
