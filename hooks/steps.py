"""What a person types next: the one list of it, made from what lies in the app's folder."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from shell import POSIX, POWERSHELL, change_folder, in_turn, shell_in_use

# How .env.example calls the line that loads .env in each shell.
_LOADS = {POSIX: "POSIX", POWERSHELL: "PowerShell"}


def next_steps(
    app: Path, operation: str, environ: Mapping[str, str], *, inside: bool, windows: bool
) -> list[str]:
    """Return the commands after a copy or an update, in the order in which they are typed.

    ``inside`` says that the app is a folder of a larger repository. A line that starts with ``#`` tells what no
    command does. Raises OSError when ``.env.example`` cannot be read.
    """
    shell = shell_in_use(environ, windows=windows)
    update = operation == "update"
    steps = _way(app, environ, shell, update=update)
    if update:
        steps += ["git status", "git diff"]
    steps += _variables(app, environ, shell)
    steps += _virtual_environment(app, environ, shell, windows=windows)
    if (app / "check_private_packages.py").is_file():
        steps.append("python check_private_packages.py")
    steps += ["python -m pip install -r requirements.txt", "python -m unittest"]
    if not update:
        viktor = (app / "viktor.config.toml").is_file()
        steps += ["viktor-cli install", "viktor-cli start"] if viktor else ["python -m app"]
    # In a folder of a larger repository the rest of it is not the template's.
    stage = "git add --all ." if inside else "git add --all"
    message = "Update from the template" if update else "Start from the template"
    return [*steps, in_turn([stage, f'git commit -m "{message}"'], shell)]


def _way(app: Path, environ: Mapping[str, str], shell: str, *, update: bool) -> list[str]:
    """The command that goes to the app from where the person is; only POSIX shells keep that in PWD."""
    start = environ.get("PWD", "") if shell == POSIX else ""
    if start and Path(start).is_dir():
        app, place = app.resolve(), Path(start).resolve()
        if app == place:
            return []
        if app.is_relative_to(place):
            return [change_folder(app.relative_to(place).as_posix(), shell)]
    elif update:
        # An update is nearly always typed in the app's folder.
        return []
    return [change_folder(str(app), shell)]


def _variables(app: Path, environ: Mapping[str, str], shell: str) -> list[str]:
    """Fill and load .env, when it names a variable that has no value yet."""
    try:
        text = (app / ".env.example").read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return []
    names = re.findall(r"(?m)^([A-Z0-9_]+)=", text)
    if all(environ.get(name) for name in names):
        return []
    steps = []
    if not (app / ".env").exists():
        copy = "Copy-Item" if shell == POWERSHELL else "cp"
        # All of them: .env sets what it leaves empty, too.
        values = ", ".join(names) if len(names) < 4 else f"{len(names)} values"
        steps = [f"{copy} .env.example .env", f"# fill in .env: {values}"]
    load = re.search(rf"(?m)^# +{_LOADS[shell]}: +(.+?)\s*$", text)
    return [*steps, load[1] if load else "# load .env as .env.example says"]


def _virtual_environment(app: Path, environ: Mapping[str, str], shell: str, *, windows: bool) -> list[str]:
    """Make and enter the app's .venv, as far as that is not done; inside it `python` is right everywhere."""
    virtual = app / ".venv"
    if environ.get("VIRTUAL_ENV") and Path(environ["VIRTUAL_ENV"]) == virtual:
        return []
    scripts = "Scripts" if windows else "bin"
    if shell == POSIX:
        enter = f". .venv/{scripts}/activate"
    else:
        enter = rf".venv\{scripts}\Activate.ps1" if windows else f".venv/{scripts}/Activate.ps1"
    if virtual.is_dir():
        return [enter]
    return [in_turn([f"{'python' if windows else 'python3'} -m venv .venv", enter], shell)]
