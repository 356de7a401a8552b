"""What this machine keeps for an index, where pip and uv look for it: authorities to trust, and a login."""

from __future__ import annotations

import configparser
import functools
import json
import netrc
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from private_packages.credentials import login
from private_packages.git import silence_allowed

if TYPE_CHECKING:
    from private_packages.config import Index

# What switches a keyring on; without it neither pip nor uv is sure to ask one.
_PROVIDERS = ("UV_KEYRING_PROVIDER", "PIP_KEYRING_PROVIDER")
_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class Login:
    """User and password for the private index; ``kept_in`` says where they were, empty for its address."""

    user: str
    password: str = field(repr=False)
    kept_in: str = ""


def certificates(environ: Mapping[str, str]) -> str:
    """Return the file of the authorities that Python, pip or Requests is told to trust, in this order, or nothing.

    pip is told by a variable, or by `cert` in its settings.
    """
    for name in ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE"):
        if found := environ.get(name):
            return found
    return _pip_setting(environ, "cert")


def login_of(index: Index, environ: Mapping[str, str]) -> Login | None:
    """Return the login of the index: that of its address, or else of ~/.netrc, or of a keyring that is switched on.

    Raises `credentials.MissingVariables`.
    """
    if index.user_info:
        return Login(*login(index.user_info, environ))
    return _from_netrc(index.host, environ) or _from_keyring(index, environ)


def _from_netrc(host: str, environ: Mapping[str, str]) -> Login | None:
    # On Windows it has another name.
    windows = Path.home() / "_netrc"
    file = environ.get("NETRC") or (windows if windows.exists() else None)
    try:
        hosts = netrc.netrc(file).hosts
    except (OSError, netrc.NetrcParseError):
        return None
    name = urlsplit(f"//{host}").hostname or ""
    # An IPv6 address stands there as curl and pip look for it, or in the brackets in which uv does.
    names = (name, f"[{name}]", "default")
    found = next((hosts[one] for one in names if one in hosts), None)
    return Login(found[0], found[2] or "", "~/.netrc") if found else None


def _from_keyring(index: Index, environ: Mapping[str, str]) -> Login | None:
    given = next((environ[one] for one in _PROVIDERS if environ.get(one)), "")
    provider = given or _pip_setting(environ, "keyring-provider")
    program = shutil.which("keyring", path=environ.get("PATH"))
    if provider in ("", "disabled") or program is None:
        return None
    # Many packages of one index are asked for at once.
    with _one_at_a_time:
        patience = silence_allowed(environ)
        return _asked(
            program, (index.url, index.host), frozenset(environ.items()), patience
        )


@functools.cache
def _asked(
    program: str,
    names: tuple[str, ...],
    environ: frozenset[tuple[str, str]],
    patience: int,
) -> Login | None:
    """Ask the program `keyring` as pip does, for the address of the index and then for its host."""
    for name in names:
        command = (program, "--mode=creds", "--output=json", "get", name)
        try:
            done = subprocess.run(
                command,
                env=dict(environ),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=patience,
                check=False,
            )
            found = json.loads(done.stdout) if done.returncode == 0 else {}
            return Login(str(found["username"]), str(found["password"]), "your keyring")
        except (OSError, subprocess.TimeoutExpired, ValueError, KeyError, TypeError):
            continue
    return None


def _pip_setting(environ: Mapping[str, str], key: str) -> str:
    """Return a setting of pip's for `pip install`, or nothing; what pip could not read, it says itself."""
    value = ""
    for file in _pip_files(environ):
        settings = configparser.RawConfigParser()
        try:
            settings.read(file, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError, OSError):
            continue
        for section in ("global", "install"):
            value = settings.get(section, key, fallback=value)
    return value.strip()


def _pip_files(environ: Mapping[str, str]) -> Iterator[Path]:
    """Yield pip's files of settings; the last one counts (pip, "Configuration")."""
    named = environ.get("PIP_CONFIG_FILE")
    if named == os.devnull:
        return
    home = Path.home()
    if sys.platform == "win32":
        yield Path(environ.get("PROGRAMDATA", "C:/ProgramData"), "pip", "pip.ini")
        yield home / "pip" / "pip.ini"
        yield Path(environ.get("APPDATA", home), "pip", "pip.ini")
    else:
        shared = environ.get("XDG_CONFIG_DIRS") or "/etc/xdg"
        if sys.platform == "darwin":
            shared = "/Library/Application Support"
        yield from (Path(one, "pip", "pip.conf") for one in shared.split(":"))
        yield Path("/etc/pip.conf")
        yield home / ".pip" / "pip.conf"
        yield Path(
            environ.get("XDG_CONFIG_HOME") or home / ".config", "pip", "pip.conf"
        )
        if sys.platform == "darwin":
            yield home / "Library" / "Application Support" / "pip" / "pip.conf"
    if named:
        yield Path(named)
