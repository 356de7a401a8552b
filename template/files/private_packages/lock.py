"""What each private package stood for when it was last made: private-packages.lock, written by the command.

A submodule and a Git line have ``url``, ``ref`` and ``commit``. A package of the index has ``version`` and the
sha256 of each file that the private index offers for it. So a clone, a robot and a colleague know what one
machine knew.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from private_packages.errors import Failure
from private_packages.files import (
    has_conflict,
    read_if_there,
    read_text,
    remove,
    write_text,
)
from private_packages.names import COMMAND, NAME_FORM, normalised

FILE = "private-packages.lock"
FORMAT = 1
_HEAD = (
    f"# What each private package stands for; written by `{COMMAND}`.\n"
    "# Commit it. Do not edit it.\n"
    f"format = {FORMAT}\n"
)
_STRATEGY = r"submodule|git"
_VERSION = r"[A-Za-z0-9][A-Za-z0-9.!+_-]*"
_COMMIT = r"[0-9a-f]{40}|[0-9a-f]{64}"
_SHA256 = r"[0-9a-f]{64}"
_FILE = r"[A-Za-z0-9][A-Za-z0-9._+!-]*"
# Neither a login nor a question: who has it can always fetch the file with the login of the index.
_FILE_URL = r"https?://[A-Za-z0-9.:\[\]-]+/[A-Za-z0-9._~%/!+-]+"


@dataclass(frozen=True)
class LockedCommit:
    """A submodule or a Git line: the commit that ``ref`` of the repository ``url`` stood for."""

    name: str
    strategy: str
    url: str
    ref: str
    commit: str

    @property
    def stands_for(self) -> str:
        """What it is at, in a few words."""
        return f"{self.ref or 'default branch'} ({self.commit[:10]})"


@dataclass(frozen=True)
class LockedVersion:
    """A package of the private index: sha256 by file name. ``requirement`` is the line that it was taken for.

    The requirement is empty for a package that only another one needs. ``urls`` are the files' own addresses, without
    a login, where requirements.txt has them (`index_scope: files`).
    """

    name: str
    requirement: str
    version: str
    files: dict[str, str] = field(default_factory=dict)
    urls: dict[str, str] = field(default_factory=dict)
    strategy: str = "index"

    @property
    def stands_for(self) -> str:
        """What it is at, in a few words."""
        return self.version


Locked = LockedCommit | LockedVersion


def is_needed_only(locked: Locked) -> bool:
    """Tell whether a package is in the lock because another one needs it."""
    return isinstance(locked, LockedVersion) and not locked.requirement


class Lock(dict[str, Locked]):
    """The entries by normalised name.

    ``contested``: where Git found a conflict, the commits or versions of both sides. ``public`` are the public packages
    that private ones need, of which a person was told.
    """

    public: frozenset[str] = frozenset()

    def __init__(
        self, entries: Mapping[str, Locked] | Iterable[tuple[str, Locked]] = ()
    ) -> None:
        """Without entries nothing is locked yet."""
        super().__init__(entries)
        self.contested: dict[str, frozenset[str]] = {}

    def commit_of(self, name: str, strategy: str) -> LockedCommit | None:
        """Return the entry of a submodule or a Git line."""
        found = self.get(normalised(name))
        return (
            found
            if isinstance(found, LockedCommit) and found.strategy == strategy
            else None
        )

    def version_of(self, name: str) -> LockedVersion | None:
        """Return the entry of a package of the index."""
        found = self.get(normalised(name))
        return found if isinstance(found, LockedVersion) else None

    def put(self, locked: Locked) -> None:
        """Add or replace an entry."""
        self[normalised(locked.name)] = locked


def read(folder: Path) -> str | None:
    """Return the text of a folder's private-packages.lock, None without one. Raises `Failure`."""
    return read_if_there(folder / FILE)


def load(folder: Path) -> Lock:
    """Read a folder's private-packages.lock; without one nothing is locked. Raises `Failure`."""
    text = read(folder)
    return Lock() if text is None else parse(text)


def parse(text: str) -> Lock:
    """Read the text of a private-packages.lock. Raises `Failure`."""
    if has_conflict(text):
        raise Failure(f"{FILE} has merge conflicts; `{COMMAND} sync` writes it again.")
    try:
        data = tomllib.loads(text)
        if data.get("format") != FORMAT:
            raise ValueError(f"format {data.get('format')!r}")
        lock = _locks(data.get("packages", []))
        lock.public = frozenset(
            _plain(NAME_FORM, name) for name in data.get("public", [])
        )
        return lock
    except (
        tomllib.TOMLDecodeError,
        RecursionError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
    ) as error:
        raise Failure(
            f"{FILE} is damaged ({error}); take it back with `git checkout -- {FILE}`."
        ) from error


def _locks(tables: list[dict[str, Any]]) -> Lock:
    lock = Lock()
    for table in tables:
        name = _plain(NAME_FORM, table["name"])
        if normalised(name) in lock:
            raise ValueError(f"{name} stands there twice")
        if "commit" in table:
            entry: Locked = LockedCommit(
                name=name,
                strategy=_plain(_STRATEGY, table["strategy"]),
                url=str(table["url"]),
                ref=str(table.get("ref", "")),
                commit=_plain(_COMMIT, table["commit"]),
            )
        else:
            entry = LockedVersion(
                name=name,
                requirement=str(table.get("requirement", "")),
                version=_plain(_VERSION, table["version"]),
                files={
                    _plain(_FILE, one["name"]): _plain(_SHA256, one["sha256"])
                    for one in table["files"]
                },
                urls={
                    one["name"]: _plain(_FILE_URL, one["url"])
                    for one in table["files"]
                    if "url" in one
                },
            )
        lock.put(entry)
    return lock


def _plain(pattern: str, value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(pattern, value):
        raise ValueError(f"{value!r:.80}")
    return value


def dump(entries: Iterable[Locked], public: Iterable[str] = ()) -> str:
    """Return the text of a private-packages.lock: a table a package, by name, so that two branches merge."""
    names = "".join(f"    {_string(name)},\n" for name in sorted(public))
    tables = [f"{_HEAD}public = [\n{names}]\n" if names else _HEAD]
    for entry in sorted(entries, key=lambda one: normalised(one.name)):
        lines = [
            "[[packages]]",
            f"name = {_string(entry.name)}",
            f"strategy = {_string(entry.strategy)}",
        ]
        if isinstance(entry, LockedCommit):
            lines += [
                f"{key} = {_string(getattr(entry, key))}"
                for key in ("url", "ref", "commit")
            ]
        else:
            if entry.requirement:
                lines.append(f"requirement = {_string(entry.requirement)}")
            lines += [f"version = {_string(entry.version)}", "files = ["]
            for name, sha256 in sorted(entry.files.items()):
                url = entry.urls.get(name)
                more = f", url = {_string(url)}" if url else ""
                lines.append(
                    f"    {{ name = {_string(name)}, sha256 = {_string(sha256)}{more} }},"
                )
            lines.append("]")
        tables.append("\n".join(lines) + "\n")
    return "\n".join(tables)


def save(folder: Path, lock: Lock) -> bool:
    """Write a folder's private-packages.lock if it changed; tell whether it did. Raises OSError.

    Without a package there is none.
    """
    path = folder / FILE
    text = dump(lock.values(), lock.public) if lock else ""
    if text == (read_text(path) if path.exists() else ""):
        return False
    if lock:
        write_text(path, text)
    else:
        remove(path)
    return True


def _string(value: str) -> str:
    """Return a value as a basic string of TOML, of which JSON's strings are a part."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
