"""Files in Git LFS (git-lfs(1)): Git itself holds a pointer for each, and git-lfs fetches what it stands for."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from private_packages.credentials import MissingVariables, has_login, login
from private_packages.git import with_settings

if TYPE_CHECKING:
    from private_packages.config import Package

# For git-lfs, which would take an empty answer for a login and try it for ever; what prints nothing counts as stalled.
FETCH = {"GIT_ASKPASS": "false", "GIT_LFS_FORCE_PROGRESS": "1"}
# What `git lfs install` writes.
SETUP = (
    ("filter.lfs.clean", "git-lfs clean -- %f"),
    ("filter.lfs.smudge", "git-lfs smudge -- %f"),
    ("filter.lfs.process", "git-lfs filter-process"),
    ("filter.lfs.required", "true"),
)


def has_git_lfs(environ: Mapping[str, str]) -> bool:
    """Tell whether the program is on PATH."""
    return shutil.which("git-lfs", path=environ.get("PATH")) is not None


def with_logins(
    env: Mapping[str, str], packages: Iterable[Package], environ: Mapping[str, str]
) -> dict[str, str]:
    """Return Git's environment with the login for the large files of packages as a header.

    Refused, git-lfs would ask a credential helper for the same login again and again. Git itself asks nothing at these
    addresses, and git-lfs forwards no login to another host.
    """
    return with_settings(env, *_headers(packages, environ))


def _headers(
    packages: Iterable[Package], environ: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    for package in filter(has_login, packages):
        try:
            pair = ":".join(login(package.user_info, environ))
        except MissingVariables:
            continue
        header = base64.b64encode(pair.encode("utf-8", "surrogateescape"))
        # Where git-lfs finds the server of a repository (git-lfs, "server-discovery").
        server = f"{package.url.rstrip('/').removesuffix('.git')}.git/info/lfs"
        yield (
            f"http.{server}.extraHeader",
            f"Authorization: Basic {header.decode('ascii')}",
        )
