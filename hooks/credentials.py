"""Credentials for Git, taken from the environment and given back only to Git's environment.

Nothing here reaches a file or a command line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")
# Variables of the caller's own repository would send Git to the wrong one.
_REPOSITORY_VARIABLES = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_PREFIX",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
    "GIT_NAMESPACE",
)


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


def git_environment(environ: Mapping[str, str], *, silence: int = 15) -> dict[str, str]:
    """The environment for one Git process without a login of its own: no prompt, no hang.

    ``silence`` is in seconds. What the caller has in GIT_CONFIG_COUNT/KEY/VALUE (git-config(1),
    "ENVIRONMENT") stays.
    """
    env = {name: value for name, value in environ.items() if name not in _REPOSITORY_VARIABLES}
    # `true` answers every password prompt with nothing; without it SSH_ASKPASS opens a window.
    env.update(LC_ALL="C", GIT_TERMINAL_PROMPT="0", GIT_ASKPASS="true", SSH_ASKPASS_REQUIRE="never")
    return _configured(env, ("http.lowSpeedLimit", "1"), ("http.lowSpeedTime", str(silence)))


def with_header(env: Mapping[str, str], *, url: str, user_info: str) -> dict[str, str]:
    """``env`` with the login for the host of ``url`` as a header, which saves the request that is refused.

    Git would send a header to whatever host a redirect names, so none is followed. The user's own
    credential helpers are left out, so that none stores the login. Raises `MissingVariable`.
    """
    import base64

    encoded = base64.b64encode(":".join(login(user_info, env)).encode()).decode("ascii")
    return _configured(
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
    return _configured(named, ("credential.helper", ""), (f"credential.{_host(url)}.helper", _HELPER))


def _host(url: str) -> str:
    return "{0.scheme}://{0.netloc}".format(urlsplit(url))


def _configured(env: Mapping[str, str], *settings: tuple[str, str]) -> dict[str, str]:
    """``env`` with more settings in GIT_CONFIG_COUNT/KEY/VALUE, appended to what is there."""
    count = int(env.get("GIT_CONFIG_COUNT") or 0)
    configured = {**env, "GIT_CONFIG_COUNT": str(count + len(settings))}
    for number, (key, setting) in enumerate(settings, start=count):
        configured[f"GIT_CONFIG_KEY_{number}"] = key
        configured[f"GIT_CONFIG_VALUE_{number}"] = setting
    return configured
