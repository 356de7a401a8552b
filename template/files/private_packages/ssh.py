"""SSH as Git starts it for us: it asks no question, and says enough to tell why a host was not reached."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING

from private_packages.errors import GitError
from private_packages.names import listed

if TYPE_CHECKING:
    from private_packages.git import Git

# Without a terminal ssh still tries empty passwords, which hosts count as attacks. What it says at this level
# tells which keys it offered; `-v` instead would keep our pipe open in a connection that ControlPersist shares.
_OPTIONS = "-o BatchMode=yes -o LogLevel=DEBUG1"
# Lines of ssh's and Git's own that are no answer of a host.
_NO_ANSWER = (
    r"debug\d:|OpenSSH_|Authenticated to|Authenticated using|Transferred:|Bytes per second:|Warning: |Connection to"
    r"|Cloning into|Please make sure|and the repository exists|fatal: (?:Could not read from|clone of|Unable to fetch)"
    r"|Failed to clone|Submodule |warning: "
)
# What may stand between double quotes in every shell.
_PLAIN_FILE = r"[^\"$`%!\x00-\x1f\x7f]+"


def is_ssh(url: str) -> bool:
    """Tell whether Git asks ssh for a repository's address."""
    return not url.startswith(("https://", "http://"))


def without_questions(git: Git, env: Mapping[str, str], cwd: Path) -> dict[str, str]:
    """Return Git's environment with the user's own ssh command, told to ask nothing (ssh_config(5), "BatchMode").

    Another program than OpenSSH's stays as it is: without a terminal it cannot ask, either.
    """
    command = env.get("GIT_SSH_COMMAND")
    if command is None:
        try:
            command = git.run("config", "--get", "core.sshCommand", cwd=cwd).strip()
        except GitError:
            command = shlex.quote(env.get("GIT_SSH") or "ssh")
    try:
        program = shlex.split(command)[0]
    except (ValueError, IndexError):
        return dict(env)
    # As Git itself tells OpenSSH from others (git-config(1), "ssh.variant"); Windows' parts a path at either slash.
    if PureWindowsPath(program.lower()).name.removesuffix(".exe") != "ssh":
        return dict(env)
    return {**env, "GIT_SSH_COMMAND": f"{command} {_OPTIONS}"}


def explain(said: str, url: str) -> str:
    """Return one clause, cause and cure, about what ssh said; empty where it is not ssh that failed."""
    if re.search(
        r"(?m)^(?:fatal|error): cannot run .*ssh|: ssh: (?:command )?not found", said
    ):
        return "ssh is not installed or not on PATH; install the OpenSSH client"
    if not re.search(
        r"Could not read from remote repository|Host key verification failed|Permission denied \(",
        said,
    ):
        return ""
    there = place(said, url)
    # In the order of a connection: configuration, network, host key, login, repository.
    return (
        _configuration(said)
        or _network(said, there)
        or _host_key(said, url, there)
        or _login(said, url, there)
        or _early_end(said, there)
        or _repository(said, there)
    )


def place(said: str, url: str) -> str:
    """Return the host and its port, after ssh's own configuration."""
    typed = re.match(
        r"(?:\w+://)?(?:[^@/]*@)?(?:\[([^]]*)]|([^/:]*))(?::(\d+)(?=/))?", url
    )
    assert typed
    name, port = typed[1] or typed[2], typed[3] or "22"
    met = re.search(
        r"(?m)^debug1: Connecting to (\S+) \[.*] port (\d+)\.|connect to host (\S+) port (\d+):",
        said,
    )
    if met is None:
        return f"{name} port {port}"
    there, port = met[1] or met[3], met[2] or met[4]
    return (
        f"{there} port {port}"
        if there == name
        else f"{name} (which is {there} port {port})"
    )


def _configuration(said: str) -> str:
    found = re.search(
        r"(?m)^(.*(?:Bad configuration option|Bad owner or permissions on|Can't open user config file"
        r"|missing argument|unsupported option|extra arguments at end of line).*?)\s*$",
        said,
    )
    return (
        f"ssh cannot use its configuration ({found[1]}); put that right"
        if found
        else ""
    )


def _network(said: str, there: str) -> str:
    if re.search(r"Could not resolve host", said):
        name = there.partition(" port ")[0]
        return f"{name} is not a known host name; look for a typing error, or join the company network"
    if re.search(r"connect to host .*: .*(?:timed out|Timeout)", said):
        return f"{there} does not answer; see whether it is up, or join the company network"
    if re.search(r"connect to host .* port ", said):
        return f"{there} refuses connections; see whether it is up, or join the company network"
    found = re.search(
        r"Unable to negotiate with .*: no matching (.*) found\. Their offer: (\S+)",
        said,
    )
    if found:
        return (
            f"{there} and the ssh of this machine share no {found[1]} (it offers {found[2]});"
            " update the older of the two, or allow what it offers in your ssh configuration"
        )
    return ""


def _host_key(said: str, url: str, there: str) -> str:
    if "Host key verification failed" not in said:
        return ""
    changed = re.search(r"Host key for ([\w.:\[\]-]+) has changed", said)
    if changed:
        file = re.search(rf"(?m)^Offending \S+ key in ({_PLAIN_FILE}):\d+\s*$", said)
        option = f' -f "{file[1]}"' if file else ""
        return (
            f"{there} shows another host key than the one that this machine knows; ask whoever runs it, and only"
            f' if the key was really changed, type `ssh-keygen{option} -R "{changed[1]}"`'
        )
    shown = re.search(r"Server host key: \S+ (SHA256:[\w+/=]+)", said)
    mark = f" ({shown[1]})" if shown else ""
    if "you have requested strict checking" in said:
        port = there.rpartition(" port ")[2].rstrip(")")
        name = there.rpartition(" port ")[0].rpartition(" ")[2]
        return (
            f"the host key of {there}{mark} is not known to this machine, and ssh may take no new one;"
            f" compare that with what the host publishes, and add what `ssh-keyscan -p {port} {name}` prints to known_hosts"
        )
    return (
        f"the host key of {there}{mark} is not known to this machine; type `git ls-remote {url}`,"
        " compare the fingerprint that it shows with what the host publishes, and answer yes"
    )


def _login(said: str, url: str, there: str) -> str:
    open_ = re.search(r"(?m)^Permissions .* for '(.*)' are too open", said)
    if open_:
        return f"others can read the key file {open_[1]}, so ssh does not use it; type `chmod 600 {shlex.quote(open_[1])}`"
    if "Too many authentication failures" in said:
        return (
            f"{there} gave up after too many keys, because your SSH agent offers all that it holds;"
            " name the right one in your ssh configuration, with IdentityFile and `IdentitiesOnly yes`"
        )
    denied = re.search(r"(?m)^(?:(\S+)@\S+: )?Permission denied \((.*)\)", said)
    if denied is None:
        return ""
    if "publickey" not in denied[2]:
        return f"{there} offers no login with a key ({denied[2]}); write the line with https"
    refused = re.search(
        r'signing failed for \S+ "(.*?)"(?: from agent)?: (.*?)\s*$', said, re.M
    )
    if refused:
        return f"your SSH agent does not use its key {refused[1]} ({refused[2]}); unlock it there"
    locked = _locked_key(said)
    if locked:
        return (
            f"the key {locked} has a passphrase, and no SSH agent holds it; type `ssh-add {shlex.quote(locked)}`"
            " (where that finds no agent, `ssh-agent bash` first)"
        )
    user = denied[1] or (re.match(r"(?:ssh://)?([^@/:]+)@", url) or ["", "you"])[1]
    offered = _keys(said, "Offering public key")
    if offered or "debug1:" not in said:
        which = f"{'s' * (len(offered) != 1)} {listed(offered)}".rstrip()
        return (
            f"{there} refuses your SSH key{which} for the user {user}; add the public half of a key to the account there,"
            f" then try `git ls-remote {url}`"
        )
    absent = re.search(r"Identity file (.*) not accessible", said)
    if absent:
        return (
            f"ssh is to log in at {there} with the key {absent[1]}, which is not there;"
            " put it there, or name another in your ssh configuration"
        )
    return (
        f"ssh has no key to offer, and {there} lets nobody in without one; make one with `ssh-keygen`,"
        f" add its public half to the account there, then try `git ls-remote {url}`"
    )


def _locked_key(said: str) -> str:
    """Return the key that the host accepts, or that ssh found, and that only its passphrase would open."""
    accepted = _keys(said, "Server accepts key")
    if accepted:
        return accepted[-1]
    # In the old form of a file the public half is locked in, too.
    tried = [key for key in _keys(said, "Trying private key") if Path(key).is_file()]
    return tried[-1] if tried else ""


def _keys(said: str, event: str) -> list[str]:
    """Return the files, or an agent's names, of the keys of one kind of line."""
    lines = re.findall(rf"(?m)^debug1: {event}: (.*?)\s*$", said)
    # A path, then the kind of key, its fingerprint and where it came from.
    return [re.sub(r" [A-Z0-9-]+ SHA256:.*", "", line) for line in lines]


def _early_end(said: str, there: str) -> str:
    ended = r"(?m)^(?:kex_exchange_identification|banner|ssh_dispatch_run_fatal|Connection (?:closed|reset) by)"
    if re.search(ended, said) and "Authenticated to" not in said:
        return (
            f"{there} closed the connection before anybody could log in;"
            " look at the port, or try again when the host has less to do"
        )
    return ""


def _repository(said: str, there: str) -> str:
    """Return the clause about a host that let ssh in and Git not: the reason is in words of its own."""
    answer = _answer(said.splitlines())
    if "does not appear to be a git repository" in answer:
        return f"{there} has no repository at that path (it says: {answer}); look at the address"
    if re.search(
        r"not found|n't exist|not exist|could not be found",
        answer,
        re.I,
    ):
        return (
            f"{there} has no such repository, or hides it from your key (it says: {answer});"
            " look at the address and at your access"
        )
    if re.search(
        r"denied|permission|access|unauthori[sz]ed|not allowed|forbidden", answer, re.I
    ):
        return f"{there} does not let your key read this repository (it says: {answer}); ask for read access"
    if answer:
        return f"{there} let your key in, but not Git (it says: {answer}); ask whoever runs it"
    return f"{there} ended the connection without a reason; try again, or ask whoever runs it"


def _answer(lines: Sequence[str]) -> str:
    """Return the line of the host that most likely says why, without the marks before it."""
    told = [
        re.sub(r"^(?:remote: ?|ERROR: ?|FATAL: ?|fatal: ?)*", "", line).strip()
        for line in lines
        if not re.match(_NO_ANSWER, line)
    ]
    told = [line for line in told if re.search(r"[A-Za-z]", line)]
    return told[0][:200] if told else ""
