"""The shell in which a person types what the hook says: which one it is, and how it is spoken to."""

from __future__ import annotations

import re
from collections.abc import Mapping

POSIX = "posix"
POWERSHELL = "powershell"

# What no shell gives a meaning to; a backslash is plain in PowerShell alone.
_PLAIN = {POSIX: re.compile(r"[A-Za-z0-9_./:-]+"), POWERSHELL: re.compile(r"[A-Za-z0-9_./:\\-]+")}
# PowerShell takes typographic quotes for straight ones (about_Quoting_Rules).
_POWERSHELL_QUOTES = re.compile("(['‘’‚‛])")


def shell_in_use(environ: Mapping[str, str], *, windows: bool) -> str:
    """Return `POSIX` or `POWERSHELL`, as far as a program can know what started it.

    On Windows it is PowerShell, unless SHELL says that a POSIX shell such as Git Bash set up the environment.
    Elsewhere it is a POSIX shell, unless PSModulePath, which pwsh sets for what it starts, says otherwise.
    """
    if windows:
        return POSIX if environ.get("SHELL") else POWERSHELL
    return POWERSHELL if environ.get("PSModulePath") else POSIX


def quote(text: str, shell: str) -> str:
    """Return one argument as it is typed in that shell; the text itself where nothing in it is special."""
    if _PLAIN[shell].fullmatch(text):
        return text
    if shell == POWERSHELL:
        return "'" + _POWERSHELL_QUOTES.sub(r"\1\1", text) + "'"
    # Few paths need it, and every copy would wait for the import.
    import shlex

    return shlex.quote(text)


def change_folder(path: str, shell: str) -> str:
    """Return the command that goes into a folder, whatever it is called."""
    if path.startswith("-"):
        path = f"./{path}"
    # In PowerShell brackets are wildcards, quoted or not.
    if shell == POWERSHELL and re.search(r"[\[\]*?`]", path):
        return f"Set-Location -LiteralPath {quote(path, shell)}"
    return f"cd {quote(path, shell)}"


def in_turn(commands: list[str], shell: str) -> str:
    """Return commands as one line; Windows PowerShell 5 has no `&&`."""
    return ("; " if shell == POWERSHELL else " && ").join(commands)
