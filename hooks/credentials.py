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


class MissingVariable(Exception):
    """An environment variable that a package line names is not set, or empty; the first argument is its name."""

    @property
    def name(self) -> str:
        """The variable's name."""
        return str(self.args[0])


def variables_of(user_info: str) -> list[str]:
    """The names of the environment variables in a user-info such as ``${USER}:${TOKEN}``."""
    return _VARIABLE.findall(user_info)


def authorization(user_info: str, environ: Mapping[str, str]) -> str | None:
    """The value of an ``Authorization`` header (RFC 7617), or None when the line has no user-info.

    Values are percent-decoded, because pip and uv do the same with the same variables.
    Raises `MissingVariable`.
    """
    if not user_info:
        return None

    def value(match: re.Match[str]) -> str:
        found = environ.get(match[1], "")
        if not found:
            raise MissingVariable(match[1])
        return found

    user, _, password = user_info.partition(":")
    decoded = f"{unquote(_VARIABLE.sub(value, user))}:{unquote(_VARIABLE.sub(value, password))}"
    return "Basic " + base64.b64encode(decoded.encode()).decode("ascii")


def git_environment(
    environ: Mapping[str, str], *, url: str = "", user_info: str = "", silence: int = 15
) -> dict[str, str]:
    """The environment for one Git process: no prompt, no hang, and the login for the host of ``url`` alone.

    The login travels as ``http.<scheme://host/>.extraHeader`` in GIT_CONFIG_COUNT/KEY/VALUE (git-config(1),
    "ENVIRONMENT"), appended to what is there, so that Git asks no credential helper and none
    stores it. ``silence`` is in seconds. Raises `MissingVariable`.
    """
    env = {name: value for name, value in environ.items() if name not in _REPOSITORY_VARIABLES}
    # `true` answers every password prompt with nothing; without it SSH_ASKPASS opens a window.
    env.update(LC_ALL="C", GIT_TERMINAL_PROMPT="0", GIT_ASKPASS="true", SSH_ASKPASS_REQUIRE="never")
    settings = [("http.lowSpeedLimit", "1"), ("http.lowSpeedTime", str(silence))]
    header = authorization(user_info, environ)
    if header:
        parts = urlsplit(url)
        scope = f"http.{parts.scheme}://{parts.netloc}/.extraHeader"
        settings += [("credential.helper", ""), (scope, f"Authorization: {header}")]
    count = int(env.get("GIT_CONFIG_COUNT") or 0)
    for number, (key, setting) in enumerate(settings, start=count):
        env[f"GIT_CONFIG_KEY_{number}"] = key
        env[f"GIT_CONFIG_VALUE_{number}"] = setting
    env["GIT_CONFIG_COUNT"] = str(count + len(settings))
    return env
