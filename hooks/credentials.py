"""Credentials for Git, taken from the environment and given back only to Git's environment.

Nothing here reaches a file or a command line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

from git import with_settings

_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")
# A credential helper (gitcredentials(7)) that only names the variables: Git shows and stores nothing.
_HELPER = (
    '!f() { test "$1" = get && printf "username=%s\\npassword=%s\\n" '
    '"$PRIVATE_PACKAGES_USER" "$PRIVATE_PACKAGES_PASSWORD"; }; f'
)


class MissingVariable(Exception):
    """An environment variable that a package line names is not set, or empty; the first argument is its name."""

    @property
    def name(self) -> str:
        """The variable's name."""
        return str(self.args[0])


def variables_of(user_info: str) -> list[str]:
    """The names of the environment variables in a user-info such as ``${USER}:${TOKEN}``."""
    return _VARIABLE.findall(user_info)


def login(user_info: str, environ: Mapping[str, str]) -> tuple[str, str]:
    """User and password that a user-info such as ``${USER}:${TOKEN}`` stands for.

    Values are percent-decoded, because pip and uv do the same with the same variables.
    Raises `MissingVariable`.
    """

    def value(match: re.Match[str]) -> str:
        found = environ.get(match[1], "")
        if not found:
            raise MissingVariable(match[1])
        return found

    user, _, password = user_info.partition(":")
    return unquote(_VARIABLE.sub(value, user)), unquote(_VARIABLE.sub(value, password))


def with_header(env: Mapping[str, str], *, url: str, user_info: str) -> dict[str, str]:
    """``env`` with the login for the host of ``url`` as a header, which saves the request that is refused.

    Git would send a header to whatever host a redirect names, so none is followed. The user's own
    credential helpers are left out, so that none stores the login. Raises `MissingVariable`.
    """
    import base64

    encoded = base64.b64encode(":".join(login(user_info, env)).encode()).decode("ascii")
    return with_settings(
        env,
        ("credential.helper", ""),
        ("http.followRedirects", "false"),
        (f"http.{_host(url)}/.extraHeader", f"Authorization: Basic {encoded}"),
    )


def with_helper(env: Mapping[str, str], *, url: str, user_info: str) -> dict[str, str]:
    """``env`` with a credential helper for the host of ``url`` alone, which is safe with redirects.

    The user's own helpers are left out, so that none stores the login. Raises `MissingVariable`.
    """
    user, password = login(user_info, env)
    named = {**env, "PRIVATE_PACKAGES_USER": user, "PRIVATE_PACKAGES_PASSWORD": password}
    return with_settings(named, ("credential.helper", ""), (f"credential.{_host(url)}.helper", _HELPER))


def _host(url: str) -> str:
    return "{0.scheme}://{0.netloc}".format(urlsplit(url))
