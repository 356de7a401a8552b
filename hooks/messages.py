"""What a person types next after a copy and an update: the same words in every shell."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from private_packages.app import App
from private_packages.findings import INSTALL, LOGIN, SYNC
from private_packages.names import COMMAND, listed
from private_packages.viktor import entry_of, import_line, imports_finder

# The template's CI systems, with the file of each (template/macros/ci.jinja says what else).
_CI_SYSTEMS = Path(__file__).resolve().parents[1] / "template" / "ci" / "systems.json"
# What a line is, for its colour.
Line = tuple[str, str]


def next_steps(app: App, environ: Mapping[str, str]) -> Iterator[Line]:
    """Yield the lines of the list, for a person in a terminal; nothing where no person ran Copier."""
    operation = environ.get("COPIER_OPERATION")
    if not operation:
        return
    update = operation == "update"
    for sentence in notes(app):
        yield sentence, "aside"
    done = (
        "up to date" if update else "ready" if app.config.start == "new" else "ready for its private packages"
    )
    yield f"{app.folder.name} is {done}. Next:", "good"
    yield "", ""
    for step in commands(app, environ, update=update):
        yield f"  {step}", "aside" if step.startswith("#") else "command"


def notes(app: App) -> Iterator[str]:
    """Yield what the answers mean where a person may not know it."""
    if app.config.left_out:
        yield (
            f"Not taken as private packages: {listed(list(app.config.left_out))}."
            " What is public goes into requirements.txt, a line each."
        )
    for package in app.config.packages:
        if package.strategy == "index" or package.ref:
            continue
        yield (
            f"{package.name} names no tag, branch or commit: it stays at today's newest commit until you type"
            f" `{COMMAND} move {package.name}`."
        )
        if package.strategy == "git" and app.config.platform == "viktor":
            yield f"VIKTOR itself installs the newest commit of {package.name} each time: name a tag behind its address."


def commands(app: App, environ: Mapping[str, str], *, update: bool) -> Iterator[str]:
    """Yield the commands, in the order in which they are typed; one that starts with ``#`` tells what none does."""
    yield from way_to(app.folder, environ, update=update)
    if update:
        yield "git diff"
    if not (shutil.which("uv", path=environ.get("PATH")) or importlib.util.find_spec("uv")):
        yield "python -m pip install uv"
    if app.missing_variables():
        yield LOGIN
    if app.config.platform == "viktor" and app.config.of("submodule") and not imports_finder(app.folder):
        yield f"# let the first line of code in {entry_of(app.folder)} be: {import_line(app.folder)}"
    yield INSTALL
    if app.config.start == "new":
        yield f"{COMMAND} exec python -m unittest"
    if not update and app.config.start == "new":
        if app.config.platform == "viktor":
            yield f"{COMMAND} exec viktor-cli install"
            yield f"{COMMAND} exec viktor-cli start"
        else:
            yield f"{COMMAND} exec python -m app"
    yield from _at_the_top(app.folder)
    yield "git add --all ."
    if app.config.start == "existing" and not update:
        yield 'git commit -m "Add private packages"'
    else:
        yield f'git commit -m "{"Update" if update else "Start"} from the template"'


def _at_the_top(folder: Path) -> Iterator[str]:
    """Say which files belong to the top of a larger repository, where CI systems and Renovate look for them."""
    top = next((one for one in (folder, *folder.parents) if (one / ".git").exists()), folder)
    if top == folder:
        return
    files = [one["file"] for one in json.loads(_CI_SYSTEMS.read_text(encoding="utf-8")) if one["file"]]
    names = [name for name in (*files, "renovate.json") if (folder / name).is_file()]
    if names:
        yield f"# move {listed(names)} to the top of the repository, and let its steps run in {folder.relative_to(top).as_posix()}"


def finish(folder: Path, app: App | None, environ: Mapping[str, str]) -> Iterator[Line]:
    """Yield what finishes an app whose packages are not all there; ``app`` is None where it cannot be read."""
    yield "Once that is put right, type:", ""
    for step in way_to(folder, environ, update=environ.get("COPIER_OPERATION") == "update"):
        yield f"  {step}", "command"
    if app is not None and app.missing_variables():
        yield f"  {LOGIN}", "command"
    yield f"  {SYNC}", "command"


def way_to(app: Path, environ: Mapping[str, str], *, update: bool) -> Iterator[str]:
    """Yield the command that goes to the app from where the person is; only POSIX shells keep that in PWD."""
    start = environ.get("PWD", "")
    path = str(app)
    if start and Path(start).is_dir():
        here, place = app.resolve(), Path(start).resolve()
        if here == place:
            return
        if here.is_relative_to(place):
            path = here.relative_to(place).as_posix()
    elif update:
        # An update is nearly always typed in the app's folder.
        return
    if re.search(r"[\"“”„$`!%\[\]*?\n]", path) or path.startswith(("-", "~")):
        # No way of writing it is the same in every shell.
        yield f"# go to the folder {path}"
    else:
        # A POSIX shell on Windows takes bare backslashes away.
        yield f"cd {path}" if re.fullmatch(r"[\w./:-]+", path) else f'cd "{path}"'
