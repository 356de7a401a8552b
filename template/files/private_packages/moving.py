"""The two files of a `move`, private-packages.toml and the answers: both change, or neither, also when it is killed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

from private_packages import config
from private_packages.files import half_written, read_text, remove, write_text

if TYPE_CHECKING:
    from private_packages.app import App


def write_both(folder: Path, answers_file: str, toml: str, answers: str) -> None:
    """Write both files; what has to follow stands in a journal until it is done. Raises OSError."""
    journal = _journal(folder / answers_file)
    write_text(journal, json.dumps({"toml": _hash(toml), "answers": answers}))
    write_text(folder / config.FILE, toml)
    write_text(folder / answers_file, answers)
    remove(journal)


def finish(app: App) -> None:
    """Write the answers of a move that was killed when private-packages.toml was written already. Raises OSError."""
    journal = _journal(app.folder / app.config.answers_file)
    if not journal.exists():
        return
    begun = json.loads(read_text(journal))
    if begun["toml"] == _hash(read_text(app.folder / config.FILE)):
        write_text(app.folder / app.config.answers_file, begun["answers"])
    remove(journal)


def _journal(answers: Path) -> Path:
    return half_written(answers, "moving")


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
