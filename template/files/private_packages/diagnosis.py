"""Why something failed, in words for a person: the one diagnosis."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from private_packages import ssh
from private_packages.names import listed, without_login

if TYPE_CHECKING:
    from private_packages.errors import GitError

_PROXY_SETTINGS = "http.proxy of Git's configuration or HTTPS_PROXY"
# What goes wrong on this machine, and what on the way to a host: a local path may hold a word of the second.
_HERE: tuple[tuple[str, str], ...] = (
    (r"git: command not found", "Git is not installed or not on PATH; install it"),
    (r"^interrupted$", "it was interrupted"),
    (
        r"detected dubious ownership",
        "the folder belongs to somebody else, so Git refuses to work in it;"
        " type `git config --global --add safe.directory {folder}` if you trust it",
    ),
    # Git writes its index with words of its own, and into memory that it shares with a file: signal 7 is SIGBUS.
    (
        r"No space left on device|Out of diskspace|died of signal 7",
        "the disk is full; make room",
    ),
    (
        r"git-lfs.*(?:not found|No such file)|git: 'lfs' is not a git command",
        "its files are in Git LFS, and git-lfs is not installed; install it",
    ),
    # Here Git leaves out why.
    (
        r"(?:unable to|failed to|cannot|couldn't|could not) (?:write|set|store)",
        "Git could not write its files; make room if the disk is full",
    ),
    (
        r"Read-only file system|Permission denied|could not create",
        "the folder cannot be written to; make it writable",
    ),
)
_THERE: tuple[tuple[str, str], ...] = (
    # What git-lfs says comes before what its Git says of the same.
    (
        r"batch response: (?:Authentication required|Git credentials for)",
        "{large_login}",
    ),
    (
        r"batch response: Authorization error",
        "{host} knows the login but does not let it read the files in Git LFS (403);"
        " ask for read access, or give the token that scope",
    ),
    (
        r"batch response: .*Server error",
        "{host} has a fault of its own with the files in Git LFS; try again later",
    ),
    (
        r"Object does not exist|batch response: Repository or object not found",
        "{host} does not have all of its files in Git LFS; whoever has them types `git lfs push --all origin`",
    ),
    (
        r"Could not resolve proxy",
        "{proxy} is not a known host name; correct it in {proxy_settings}",
    ),
    (
        r"Proxy CONNECT aborted|CONNECT tunnel failed, response (?!407)|HTTP code (?!407)\d+ from proxy",
        "the proxy on the way to {host} does not let Git through ({status});"
        " ask whoever runs it, or take it out of {proxy_settings}",
    ),
    (
        r"Could not resolve host(?:name)?",
        "{host} is not a known host name; look for a typing error, or join the company network",
    ),
    (
        r"Connection refused|Failed to connect|Couldn't connect|Network is unreachable|No route to host",
        "{host} refuses connections; see whether it is up, or join the company network",
    ),
    (
        r"SSL|certificate|TLS",
        "the TLS certificate of {host} cannot be verified; install your company's certificate,"
        " or set http.sslCAInfo in Git's configuration",
    ),
    (
        r"could not read (?:Username|Password)|Authentication failed|returned error: 401",
        "{login}",
    ),
    (
        r"returned error: 403",
        "{host} knows the login but does not let it read this repository (403);"
        " ask for read access, or give the token that scope",
    ),
    (
        r"returned error: 404|repository .* not found|Repository not found",
        "{host} has no such repository, or hides it from this login (404);"
        " look at the address and at the token's access",
    ),
    (
        r"returned error: 407|tunnel failed, response 407|HTTP code 407 from proxy",
        "the proxy on the way to {host} wants a login (407); set it in the proxy's address, in {proxy_settings}",
    ),
    (
        r"not valid: (?:is this a git repository|could not determine hash)",
        "{host} answers with something that is no repository, such as a page to log in on;"
        " look at the address, and log in to the network in a browser",
    ),
    (
        r"returned error: 5\d\d",
        "{host} has a fault of its own (HTTP {status}); try again later",
    ),
    (
        r"Operation too slow|timed out|Timeout",
        "{host} stopped answering; try again later",
    ),
    (
        r"early EOF|unexpected disconnect|RPC failed|index-pack|hung up|transfer closed|Empty reply"
        r"|reset by peer|bad pack|unpack",
        "the connection to {host} broke in the middle; try again",
    ),
    (
        r"returned error: 3\d\d|unable to update url base from redirection",
        "{host} redirects in a way that Git does not follow; write the repository's new address",
    ),
)


def explain(error: GitError, *, url: str, variables: Sequence[str]) -> str:
    """Return one clause, cause and cure, for a failed network command on ``url``."""
    nested = re.search(r"clone of '(.*)' into submodule path '", error.stderr)
    if nested is None:
        return _explain(error, url, _login(error, url, variables))
    inner = without_login(nested[1])
    login = _login(error, url, variables)
    if _host(inner) != _host(url):
        login = (
            f"{_host(inner)} wants a login, and no package of this app has one for it; add the line of a package"
            " there, or let your own Git log in there"
        )
    name = re.search(r"Failed to clone '(.*)'", error.stderr)
    return f"its own submodule {name[1] if name else inner}: {_explain(error, inner, login)}"


def _explain(error: GitError, url: str, login: str) -> str:
    host = ssh.place(error.stderr, url) if ssh.is_ssh(url) else _host(url)
    large = re.search(r"failed to fetch some objects from '(.+?)'", error.stderr)
    if large:
        host = _host(large[1])
    if error.stalled_after is not None:
        seconds = f"{error.stalled_after} second{'s' * (error.stalled_after > 1)}"
        return f"{host} stopped answering for {seconds}; try again later"
    status = re.search(r"(?:returned error:|response|HTTP code) (\d{3})", error.stderr)
    sentence = _known((*_HERE, *_THERE), error).format(
        host=host,
        login=login,
        large_login=_large_login(host, url, login),
        status=status[1] if status else "no reason given",
        proxy=_proxy(error) or "the proxy",
        proxy_settings=_PROXY_SETTINGS,
        folder=_folder(error),
    )
    if sentence and (status or is_login_refused(error)):
        cause, _, cure = sentence.partition("; ")
        sentence = f"{cause}{_words_of_the_host(error)}; {cure}"
    return (
        _locked(error)
        or ssh.explain(error.stderr, url)
        or _proxy_is_down(error)
        or sentence
        or _last_word(error)
    )


def _words_of_the_host(error: GitError) -> str:
    """Return what the host says of its refusal, such as that a token has to be authorised; empty where it names the status alone."""
    lines = (line.strip() for line in re.findall(r"(?m)^remote: (.*)", error.stderr))
    progress = r"(?!(?:Enumerating|Counting|Compressing) objects|Total \d)"
    words = next(
        (line for line in lines if re.match(rf"{progress}[A-Za-z'\"]", line)), ""
    )
    return f" (it says: {words[:300].rstrip('.')})" if words else ""


def _proxy(error: GitError) -> str:
    """Return the proxy that did not answer, or the empty string: curl names whom it tried to reach, Git whom it wanted."""
    unknown = re.search(r"Could not resolve proxy: (\S+)", error.stderr)
    if unknown:
        return f"the proxy {unknown[1]}"
    met = re.search(
        r"unable to access '(\S+?)'.*Failed to connect to (\S+) port (\d+)",
        error.stderr,
    )
    if met is None:
        return ""
    wanted = urlsplit(met[1])
    port = wanted.port or (443 if wanted.scheme == "https" else 80)
    if (wanted.hostname, port) == (met[2].strip("[]"), int(met[3])):
        return ""
    return f"the proxy {met[2]} port {met[3]}"


def _proxy_is_down(error: GitError) -> str:
    proxy = _proxy(error)
    if not proxy or "Could not resolve" in error.stderr:
        return ""
    return f"{proxy} refuses connections; see whether it is up, or correct it in {_PROXY_SETTINGS}"


def _folder(error: GitError) -> str:
    """Return the folder as Git writes it into the command that trusts its owner."""
    found = re.search(r"--add safe\.directory (.+?)\s*$", error.stderr, re.MULTILINE)
    return found[1] if found else "FOLDER"


def _login(error: GitError, url: str, variables: Sequence[str]) -> str:
    """Return the clause for a host that wants another login than it got."""
    host = _host(url)
    redirected = re.search(r" for '\w+://(?:[^@/']*@)?([^/']+)", error.stderr)
    if redirected and redirected[1] != host:
        return (
            f"{host} sends Git on to {redirected[1]}, which wants a login of its own;"
            " write the new address with that login"
        )
    if variables:
        return (
            f"{host} refused the login in {listed(list(variables))};"
            " set a valid token that may read the repository"
        )
    return (
        f"{host} wants a login; write `${{USER}}:${{TOKEN}}@` before the host,"
        " or log in with your Git credential helper"
    )


def _large_login(host: str, url: str, login: str) -> str:
    """Return the clause for a host that does not give the files in Git LFS to the login that it got."""
    if host == _host(url):
        cause, _, cure = login.partition("; ")
        return f"{cause} for the files in Git LFS; {cure}"
    return (
        f"{host} keeps the files in Git LFS and wants a login, and no package of this app has one for it;"
        " let your own Git log in there"
    )


def _host(url: str) -> str:
    """Return the host of an address, with its port where that is written."""
    return urlsplit(url).netloc.rpartition("@")[2] or url


def explain_local(error: GitError) -> str:
    """Return one clause, cause and cure where they are known, for a failed command that asks no host."""
    here = _known(_HERE, error).format(folder=_folder(error))
    return _locked(error) or here or _last_word(error)


def is_redirect(error: GitError) -> bool:
    """Tell whether the server redirects and Git was told not to follow."""
    return re.search(r"returned error: 3\d\d", error.stderr) is not None


def is_login_refused(error: GitError) -> bool:
    """Tell whether the host wants another login than it got, or any."""
    asked = r"could not read (?:Username|Password)|Authentication failed|returned error: 401"
    return re.search(asked, error.stderr) is not None


def is_untrusted(error: GitError) -> bool:
    """Tell whether Git does not take the host's TLS certificate."""
    return re.search(r"unable to access .*certificate", error.stderr) is not None


def is_missing_ref(error: GitError) -> bool:
    """Tell whether `git clone --branch` found neither a branch nor a tag of that name."""
    return (
        re.search(r"Remote branch .* not found in upstream", error.stderr) is not None
    )


def _locked(error: GitError) -> str:
    """Return the clause about a file with which Git keeps others off, or the empty string."""
    found = re.search(
        r"Unable to create '(.*)\.lock': File exists|could not lock config file (.*): File exists",
        error.stderr,
    )
    if found is None:
        return ""
    file = f"{found[1] or found[2]}.lock"
    return f"another Git is at work, or was killed at its work; once none runs, remove {file}"


def _known(causes: Sequence[tuple[str, str]], error: GitError) -> str:
    """Return the sentence of the first of the causes that Git's words show, or the empty string."""
    flags = re.IGNORECASE | re.MULTILINE
    return next(
        (
            sentence
            for pattern, sentence in causes
            if re.search(pattern, error.stderr, flags)
        ),
        "",
    )


def _last_word(error: GitError) -> str:
    lines = [line.strip() for line in error.stderr.splitlines() if line.strip()]
    last = next(
        (line for line in reversed(lines) if line.startswith("fatal:")),
        lines[-1] if lines else "no reason given",
    )
    # What a server redirects to may hold a login.
    return f"Git says: {re.sub(r'://[^/@ ]*@', '://', last.removeprefix('fatal:').strip())}"
