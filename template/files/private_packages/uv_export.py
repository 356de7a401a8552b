"""requirements.txt as an export of uv.lock, for hosts that install from it: VIKTOR, and whoever keeps such a file."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from private_packages import lock as locking
from private_packages import uv_lock
from private_packages.blocks import GENERATED
from private_packages.config import FILE as WANTED
from private_packages.errors import Unreadable
from private_packages.file_lines import needed_lines
from private_packages.files import read_text, write_text
from private_packages.findings import SYNC, Finding
from private_packages.names import normalised
from private_packages.needs import name_of
from private_packages.project_uv import of_project
from private_packages.requirements import option_lines
from private_packages.strategies import strategy_of

if TYPE_CHECKING:
    from private_packages.app import App
    from private_packages.uv import Uv

FILE = "requirements.txt"
_STATE = "# State: "


def is_kept(app: App) -> bool:
    """Tell whether the app has such a file: on VIKTOR always, elsewhere where one with the mark is there."""
    return app.config.installer == "uv" and (
        app.config.platform == "viktor" or is_generated(app)
    )


def is_generated(app: App) -> bool:
    """Tell whether the app's requirements.txt is an export."""
    path = app.folder / FILE
    return path.is_file() and read_text(path).startswith(GENERATED)


def stale(app: App) -> list[Finding]:
    """Say whether the export is of another uv.lock than this one. Raises `Failure`."""
    if not is_kept(app) or uv_lock.text_of(app.folder) is None:
        return []
    path = app.folder / FILE
    if path.is_file() and f"{_STATE}{_state(app)}\n" in read_text(path):
        return []
    text = f"{FILE}, which other hosts install from, is not that of uv.lock"
    return [Finding("stale-export", "", text, SYNC)]


def write(app: App, uv: Uv) -> bool:
    """Bring the export up to date; tell whether it changed. Raises `Failure`."""
    if not stale(app):
        return False
    output = of_project(app, uv).run(
        *("export", "--quiet", "--frozen", "--no-dev", "--no-hashes", "--no-header"),
        *("--no-annotate", "--no-emit-project", "--no-emit-local"),
    )
    lines = [
        GENERATED,
        f"{_STATE}{_state(app)}",
        *option_lines(app),
        *_lines(app, output),
    ]
    write_text(app.folder / FILE, "\n".join(lines) + "\n")
    return True


def _lines(app: App, output: str) -> Iterator[str]:
    """Yield what uv exported, private packages as plain pip gets them: with the variables of their logins."""
    lock = locking.load(app.folder)
    index = app.config.index
    by_file = index is not None and index.scope == "files"
    for line in output.splitlines():
        if not line.strip() or line.startswith(("#", "-")):
            continue
        package = app.config.named(name_of(line))
        if package and package.strategy != "submodule":
            yield from strategy_of(package).lines(app, package, lock, ())
        elif not (by_file and lock.version_of(normalised(name_of(line)))):
            yield re.sub(r"\s+", " ", line).strip()
    if by_file and index:
        try:
            yield from needed_lines(index, lock)
        except Unreadable as error:
            raise Unreadable(f"{FILE}: {error}.") from error


def _state(app: App) -> str:
    """Return a hash of all that the export is made of."""
    texts = (uv_lock.text_of(app.folder) or "", read_text(app.folder / WANTED))
    return hashlib.sha256(
        "\0".join(texts).encode("utf-8", "surrogateescape")
    ).hexdigest()[:16]
