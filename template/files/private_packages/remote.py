"""Asking a Git host what a ref stands for: one request a package, none refused."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from private_packages import large_files
from private_packages.credentials import MissingVariables, hide, login, with_helper
from private_packages.diagnosis import (
    explain,
    is_login_refused,
    is_redirect,
    is_untrusted,
)
from private_packages.errors import Failure, GitError
from private_packages.findings import LOGIN
from private_packages.names import COMMAND
from private_packages.ssh import is_ssh, without_questions

if TYPE_CHECKING:
    from private_packages.app import App
    from private_packages.config import Package

# What speaks protocol 0 answers the first request with all refs (gitprotocol-http(5)).
_LIST = ("-c", "protocol.version=0", "ls-remote")
# As many questions at once as the hosts take without refusing any.
AT_ONCE = 16
# It brought GIT_CONFIG_COUNT (git-config(1), "ENVIRONMENT").
_OLDEST = (2, 31)
_WHOLE_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def is_commit(ref: str) -> bool:
    """Tell whether a ref is a whole commit id."""
    return _WHOLE_COMMIT.fullmatch(ref) is not None


def commit_of(app: App, package: Package, ref: str) -> str:
    """Return the commit that a branch, a tag or, without a ref, the default branch stands for.

    A branch comes before a tag of the same name, as pip looks for them. Empty: there is neither of that name.
    A whole commit id is looked for among the host's refs; it may be there all the same. Raises `Failure`.
    """
    if not ref:
        names = ["HEAD"]
    elif is_commit(ref):
        names = []
    else:
        names = [f"refs/heads/{ref}", f"refs/tags/{ref}", f"refs/tags/{ref}^{{}}"]
    found: dict[str, str] = {}
    for line in _listed(app, package, *names):
        commit, _, name = line.partition("\t")
        found[name] = commit
    if is_commit(ref):
        return ref if ref in found.values() else ""
    for name in names if not ref else (names[0], names[2], names[1]):
        if name in found:
            return found[name]
    return ""


def tags_of(app: App, package: Package) -> list[str]:
    """Return the tags of a package's repository, the highest version first, as Git sorts them. Raises `Failure`."""
    order = ("--sort=-version:refname", "--refs", "--tags")
    return [
        line.partition("\trefs/tags/")[2]
        for line in _listed(app, package, options=order)
    ]


def _listed(
    app: App, package: Package, *patterns: str, options: tuple[str, ...] = ()
) -> list[str]:
    command = (*_LIST, *options, "--", package.url, *patterns)
    return ask(app, package, *command, cwd=app.folder).splitlines()


def ask(app: App, package: Package, *arguments: str, cwd: Path) -> str:
    """Run a Git command that talks to a package's host, logged in; return its standard output.

    Raises `Failure` with one clause, cause and cure; a `GitError` is its cause where Git failed.
    """
    try:
        try:
            env = app.git_login(package)
            # What a package has as submodules may come by SSH, whatever its own address is.
            if is_ssh(package.url) or arguments[0] == "submodule":
                env = without_questions(app.git, env, cwd)
            if "lfs" in arguments[:3]:
                env |= large_files.FETCH
            elif arguments[0] == "submodule":
                # What a package has as submodules is fetched whole in this one go.
                env.pop("GIT_LFS_SKIP_SMUDGE")
            return app.git.ask(*arguments, cwd=cwd, env=env)
        except GitError as error:
            if not (package.user_info and is_redirect(error)):
                raise
            # A renamed repository, or one whose address lacks `.git`: once more, in the way that is safe.
            env = with_helper(app.git.env, [package], app.folder)
            return app.git.ask(*arguments, cwd=cwd, env=env)
    except MissingVariables as error:
        raise Failure(f"{error}; type `{LOGIN}`") from error
    except GitError as error:
        why = _not_in_git_s_words(app, package, error) or explain(
            error, url=package.url, variables=package.variables
        )
        raise Failure(_without_secrets(app, package, why)) from error


def _without_secrets(app: App, package: Package, text: str) -> str:
    """Return a text without the login of a package, which a host may say back."""
    secrets = set()
    for name in package.variables:
        value = app.environ.get(name, "")
        secrets |= {value, unquote(value)}
    if package.variables:
        pair = ":".join(login(package.user_info, app.environ))
        secrets.add(
            base64.b64encode(pair.encode("utf-8", "surrogateescape")).decode("ascii")
        )
    return hide(text, secrets)


def _not_in_git_s_words(app: App, package: Package, error: GitError) -> str:
    """Return the clause about a cause that Git itself does not know, or the empty string."""
    if package.variables and is_login_refused(error):
        return _too_old(app)
    if is_untrusted(error) and package.url.startswith("https://"):
        # ssl: 7 ms that nobody else need wait for.
        from private_packages import tls_dates

        return tls_dates.explain(package.url, _authorities(app))
    return ""


def _authorities(app: App) -> str:
    """Return the file of the authorities that Git trusts, where one is set."""
    try:
        setting = app.git.run("config", "--path", "http.sslCAInfo", cwd=app.folder)
    except GitError:
        setting = ""
    return app.environ.get("GIT_SSL_CAINFO") or setting.strip()


def _too_old(app: App) -> str:
    """Return the clause about a Git that knows nothing of a login in its environment, or the empty string."""
    version = app.git.run("version", cwd=app.folder)
    number = re.search(r"(\d+)\.(\d+)", version)
    if number is None or (int(number[1]), int(number[2])) >= _OLDEST:
        return ""
    needed = ".".join(map(str, _OLDEST))
    return f"Git {version.split()[2]} of this machine cannot be given a login; install Git {needed} or newer"


def fetch_bare(app: App, package: Package, scratch: Path, *arguments: str) -> None:
    """Fetch what ``arguments`` of `git fetch` say into an empty folder, as a bare repository.

    Raises `Failure` with one clause, and `GitError`.
    """
    app.git.run("init", "--quiet", "--bare", "--template=", ".", cwd=scratch)
    options = ("fetch", "--progress", "--no-tags")
    ask(app, package, *options, *arguments, cwd=scratch)


def no_such_ref(package: Package, ref: str, tags: Sequence[str]) -> str:
    """Return the clause about a ref that a repository does not have; ``tags`` are its newest ones."""
    return (
        f"its repository has no tag, branch or commit `{ref}`"
        + (f" (newest tags: {', '.join(tags[:5])})" if tags else "")
        + f"; name another with `{COMMAND} move {package.name} REF`"
    )
