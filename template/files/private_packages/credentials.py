"""The one login: values of environment variables, given to Git's and uv's environment and to nothing else.

Values are percent-decoded, because pip and uv do the same with the same variables.
"""

from __future__ import annotations

import base64
import re
import shlex
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

from private_packages.errors import Failure
from private_packages.git import NO_LOGIN_IN_TRACES, with_settings
from private_packages.names import listed, variables_of

if TYPE_CHECKING:
    from private_packages.config import Package


class MissingVariables(Failure):
    """Environment variables that have no value; ``names`` are theirs."""

    def __init__(self, names: list[str]) -> None:
        """Say it in one clause for all of them."""
        self.names = names
        plural = "variables" if len(names) > 1 else "variable"
        verb = "have" if len(names) > 1 else "has"
        super().__init__(f"the {plural} {listed(names)} {verb} no value")


def missing(names: Iterable[str], environ: Mapping[str, str]) -> list[str]:
    """Return those variables that have no value; Azure Pipelines puts ``$(NAME)`` for one that nobody made."""
    return [name for name in names if environ.get(name, "") in ("", f"$({name})")]


def no_value(names: list[str]) -> str:
    """Return the clause that says so: ``ACME_TOKEN has no value``."""
    return f"{listed(names)} {'have' if len(names) > 1 else 'has'} no value"


def hide(text: str, secrets: Iterable[str]) -> str:
    """Return a text with stars in the place of secrets; what is shorter than four characters is in any sentence."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, "****") if len(secret) > 3 else text
    return text


def login(user_info: str, environ: Mapping[str, str]) -> tuple[str, str]:
    """Return user and password that a user-info such as ``${USER}:${TOKEN}`` stands for.

    Raises `MissingVariables`.
    """
    names = variables_of(user_info)
    without = missing(names, environ)
    if without:
        raise MissingVariables(without)
    # A value need not be UTF-8: its bytes stay.
    kept = "surrogateescape"
    for name in names:
        value = unquote(environ[name], errors=kept)
        user_info = user_info.replace(
            f"${{{name}}}", quote(value, safe="", errors=kept)
        )
    user, _, password = user_info.partition(":")
    return unquote(user, errors=kept), unquote(password, errors=kept)


def index_variables(name: str, pair: tuple[str, str], start: str) -> dict[str, str]:
    """Return the login of an index as a program wants it in variables that begin so, by the index's name."""
    of = re.sub(r"[^A-Z0-9]", "_", name.upper())
    named = zip(("USERNAME", "PASSWORD"), pair, strict=True)
    return {f"{start}_{of}_{part}": value for part, value in named if value}


def with_login(
    env: Mapping[str, str], url: str, user_info: str, environ: Mapping[str, str]
) -> dict[str, str]:
    """Return Git's environment with the login for the host of ``url`` as a header: it saves the refused request.

    Git would send a header to whatever host a redirect names, so none is followed. The user's own helpers
    for that host are left out, so that none stores the login; those for other hosts stay, for the
    submodules of a submodule. Without a user-info the environment stays as it is. Raises `MissingVariables`.
    """
    if not user_info:
        return dict(env)
    pair = ":".join(login(user_info, environ)).encode("utf-8", "surrogateescape")
    header = f"Authorization: Basic {base64.b64encode(pair).decode('ascii')}"
    host = host_of(url)
    return with_settings(
        env,
        (f"credential.{host}.helper", ""),
        (f"http.{host}/.followRedirects", "false"),
        (f"http.{host}/.extraHeader", header),
    )


def with_helper(
    env: Mapping[str, str], packages: Iterable[Package], app: Path
) -> dict[str, str]:
    """Return Git's environment with a credential helper for the hosts of packages (gitcredentials(7)).

    It is safe with redirects and works for whatever program runs Git; the login is read when Git asks for it. No
    trace of Git's shows it.
    """
    # Git starts a helper in its own folder, which may be a package's: a path, and `-I`, keep to this code.
    here = (app.absolute() / "private_packages").as_posix()
    command = (Path(sys.executable).as_posix(), "-I", "-S", here)
    helper = "!" + " ".join(shlex.quote(part) for part in command) + " credential"
    hosts: dict[str, list[Package]] = {}
    for package in packages:
        hosts.setdefault(place_of(package.url), []).append(package)
    settings: list[tuple[str, str]] = []
    for host, there in hosts.items():
        ours = [package for package in there if has_login(package)]
        # The user's own helpers stay for packages that leave the login to them.
        places = [host] if ours == there else [package.url for package in ours]
        several = len({package.user_info for package in ours}) > 1
        for place in places:
            key = f"credential.{place}"
            settings += [(f"{key}.helper", ""), (f"{key}.helper", helper)]
            if several:
                # Git tells only the host otherwise.
                settings.append((f"{key}.useHttpPath", "true"))
    return with_settings({**env, **NO_LOGIN_IN_TRACES}, *settings)


def at_their_hosts(
    env: Mapping[str, str], packages: Iterable[Package]
) -> dict[str, str]:
    """Return Git's environment in which no `url.insteadOf` leads a Git line with a login elsewhere.

    pip and uv give Git the login in the address, to which none for the host fits. Here the longest one counts.
    """
    lines = [one for one in packages if one.strategy == "git" and has_login(one)]
    return with_settings(env, *[(f"url.{one.url}.insteadOf", one.url) for one in lines])


def has_login(package: Package) -> bool:
    """Tell whether a package's line names its login; without one it is left to Git's own means."""
    return bool(package.user_info) and package.url.startswith(("https://", "http://"))


def place_of(url: str) -> str:
    """Return scheme and host of an address as they are compared: one spelling for all that mean the same."""
    host = host_of(url).lower()
    port = {"https": ":443", "http": ":80"}.get(host.partition(":")[0], "")
    return host.removesuffix(port)


def host_of(url: str) -> str:
    """Return scheme and host of an address, with its port and without a login."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
