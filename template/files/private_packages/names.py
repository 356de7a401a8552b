"""Names of packages and of the app's own commands."""

from __future__ import annotations

import re

COMMAND = "python -m private_packages"
# What brings the command's own files back.
TAKE_BACK = "git checkout HEAD -- private_packages"
# A name of a package, as it may be typed (PEP 508).
NAME_FORM = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")


def normalised(name: str) -> str:
    """Return the normalised form of a package's name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def variables_of(text: str) -> list[str]:
    """Return the environment variables that a text names as ``${NAME}``, each once, in order."""
    return list(dict.fromkeys(_VARIABLE.findall(text)))


def listed(words: list[str]) -> str:
    """Return words as a sentence lists them: ``a``, ``a and b``, ``a, b and c``."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def without_login(text: str) -> str:
    """Return a line without the logins in its addresses, to show it."""
    return re.sub(r"://[^/@\s]*@", "://", text)
