"""Credentials for Git, taken from the environment and given back only to Git's environment.

Nothing here reaches a file or a command line.
"""

from __future__ import annotations

import base64
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


def git_environment(
    environ: Mapping[str, str],
    *,
    url: str = "",
    user_info: str = "",
    silence: int = 15,
    redirects: bool = False,
) -> dict[str, str]:
    """The environment for one Git process: no prompt, no hang, and the login for the host of ``url`` alone.

    The login travels in GIT_CONFIG_COUNT/KEY/VALUE (git-config(1), "ENVIRONMENT"), appended to what is
    there; the user's own credential helpers are left out, so that none stores it. Without ``redirects``
    it is a header, ``http.<scheme://host/>.extraHeader``, which saves a request; Git would send that to
    whatever host a redirect names, so none is followed. With ``redirects`` it is a credential helper for
    that host alone. ``silence`` is in seconds. Raises `MissingVariable`.
    """
    env = {name: value for name, value in environ.items() if name not in _REPOSITORY_VARIABLES}
    # `true` answers every password prompt with nothing; without it SSH_ASKPASS opens a window.
    env.update(LC_ALL="C", GIT_TERMINAL_PROMPT="0", GIT_ASKPASS="true", SSH_ASKPASS_REQUIRE="never")
    settings = [("http.lowSpeedLimit", "1"), ("http.lowSpeedTime", str(silence))]
    if user_info:
        user, password = login(user_info, environ)
        host = "{0.scheme}://{0.netloc}".format(urlsplit(url))
        settings.append(("credential.helper", ""))
        if redirects:
            env.update(PRIVATE_PACKAGES_USER=user, PRIVATE_PACKAGES_PASSWORD=password)
            settings.append((f"credential.{host}.helper", _HELPER))
        else:
            encoded = base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
            settings.append(("http.followRedirects", "false"))
            settings.append((f"http.{host}/.extraHeader", f"Authorization: Basic {encoded}"))
    count = int(env.get("GIT_CONFIG_COUNT") or 0)
    for number, (key, setting) in enumerate(settings, start=count):
        env[f"GIT_CONFIG_KEY_{number}"] = key
        env[f"GIT_CONFIG_VALUE_{number}"] = setting
    env["GIT_CONFIG_COUNT"] = str(count + len(settings))
    return env
