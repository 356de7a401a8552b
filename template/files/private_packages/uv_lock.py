"""uv.lock, read as it stands: what uv would install, and whether each private name in it comes from its own place."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from private_packages import index, uv_project
from private_packages.dependency_list import key_of
from private_packages.errors import Failure
from private_packages.files import has_conflict, read_if_there
from private_packages.findings import INSTALL, Finding
from private_packages.names import COMMAND, normalised, without_login
from private_packages.remote import AT_ONCE
from private_packages.resolution import Pinned
from private_packages.strangers import ATTACKED

if TYPE_CHECKING:
    from pathlib import Path

    from private_packages.app import App
    from private_packages.config import Package
    from private_packages.lock import Lock

FILE = "uv.lock"
_GIT = re.compile(r"([^?#]+)(?:\?([^#]*))?#([0-9a-f]{40,64})")


@dataclass(frozen=True)
class UvLock:
    """What stands in uv.lock, the app itself left out of ``pinned``; a name may stand there for several systems.

    ``with_wheel`` are the normalised names of which it has a wheel: the others have to be built. ``needed`` are those of
    what the app itself needs.
    """

    pinned: tuple[Pinned, ...]
    with_wheel: frozenset[str]
    needed: frozenset[str]


def text_of(folder: Path) -> str | None:
    """Return the text of a project's uv.lock, None where there is none. Raises `Failure`."""
    return read_if_there(folder / FILE)


def read(app: App) -> UvLock:
    """Return what stands in the app's uv.lock. Raises `Failure`."""
    text = text_of(app.folder)
    if text is None:
        raise Failure(f"There is no {FILE}; type `{INSTALL}`, and commit it.")
    if has_conflict(text):
        raise Failure(
            f"{FILE} has merge conflicts; take one side with `git checkout --ours {FILE}`, then type `{INSTALL}`."
        )
    try:
        return _read(app, tomllib.loads(text).get("package", []))
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise Failure(
            f"{FILE} is damaged; take it back with `git checkout -- {FILE}`."
        ) from error


def _read(app: App, tables: Sequence[dict[str, Any]]) -> UvLock:
    """Read the tables; whatever uv did not write so ends in an exception of Python's."""
    others = list(filter(_is_not_the_app, tables))
    users: dict[str, list[str]] = {}
    for one in others:
        for need in one.get("dependencies", []):
            users.setdefault(normalised(need["name"]), []).append(one["name"])
    needs = [
        need
        for one in tables
        if not _is_not_the_app(one)
        for need in one.get("metadata", {}).get("requires-dist", [])
    ]
    return UvLock(
        tuple(_pinned(app, one, users) for one in others),
        frozenset(normalised(one["name"]) for one in others if one.get("wheels")),
        frozenset(
            normalised(one["name"])
            for one in needs
            if "extra ==" not in str(one.get("marker", ""))
        ),
    )


def _is_not_the_app(table: dict[str, Any]) -> bool:
    return "." not in (table["source"].get(key) for key in ("virtual", "editable"))


def _pinned(app: App, table: dict[str, Any], users: dict[str, list[str]]) -> Pinned:
    name, source = str(table["name"]), table["source"]
    needed_by = tuple(users.get(normalised(name), ()))
    if "registry" in source:
        files = [*table.get("wheels", []), *filter(None, [table.get("sdist")])]
        hashes = tuple(
            str(one["hash"]).removeprefix("sha256:") for one in files if "hash" in one
        )
        return Pinned(
            name,
            f"=={table['version']}",
            str(source["registry"]),
            hashes,
            needed_by,
        )
    if "git" in source:
        return Pinned(name, f"@ git+{source['git']}", needed_by=needed_by)
    for kind in ("editable", "directory", "virtual"):
        if kind in source:
            path = str(source[kind])
            for package in app.config.of("submodule"):
                if package.root == path:
                    name = package.name
            return Pinned(name, f"-e {path}", needed_by=needed_by)
    return Pinned(name, f"@ {source.get('url') or source['path']}", needed_by=needed_by)


def disagreements(app: App, lock: Lock, found: UvLock) -> Iterator[Finding]:
    """Find what uv.lock says of the private packages that pyproject.toml and private-packages.lock do not say."""
    needed = {key_of(one) for one in uv_project.dependencies(app)}
    if gone := sorted(found.needed - needed):
        text = f"{FILE} has {gone[0]} for the app, and pyproject.toml does not"
        yield Finding("uv-lock", "", text, INSTALL)
    for package in app.config.packages:
        entries = [one for one in found.pinned if normalised(one.name) == package.key]
        wanted = package.strategy != "submodule" or _is_declared(app, package)
        if not entries and wanted:
            text = f"{FILE} does not know it yet"
            yield Finding("change-not-made", package.name, text, INSTALL)
        for one in entries:
            yield from _of(app, package, one, lock)


def _is_declared(app: App, package: Package) -> bool:
    sources = uv_project.wanted(app).sources.values()
    return any(one.get("path") == package.root for one in sources)


def _of(app: App, package: Package, one: Pinned, lock: Lock) -> Iterator[Finding]:
    """Compare an entry of uv.lock with what is wanted and with the lock."""
    if package.strategy == "submodule":
        if one.source != f"-e {package.root}":
            text = f"{FILE} takes it from {_shown(one)}, not from {package.path}. {ATTACKED}"
            yield Finding("stranger", package.name, text)
    elif package.strategy == "git":
        yield from _of_git(package, one, lock)
    elif app.config.index and _place(one.index) != _place(app.config.index.address):
        text = f"{FILE} takes it from {_shown(one)}, not from the private index. {ATTACKED}"
        yield Finding("stranger", package.name, text)
    elif locked := lock.version_of(package.name):
        if one.version != locked.version:
            text = (
                f"{FILE} has {one.version}, and private-packages.lock {locked.version}"
            )
            yield Finding("other-version", package.name, text, INSTALL)
            return
        if not one.hashes:
            text = f"the private index gives no sha256 of its files, and without one {FILE} holds nobody to them"
            yield Finding("no-hash", package.name, text)
            return
        unknown = set(one.hashes) - set(locked.files.values())
        if unknown:
            text = (
                f"{FILE} has a file of {one.version} that private-packages.lock does not know."
                f" If your company published it, take it with `{COMMAND} move {package.name} {one.version}`. {ATTACKED}"
            )
            yield Finding("stranger", package.name, text)


def _of_git(package: Package, one: Pinned, lock: Lock) -> Iterator[Finding]:
    found = _GIT.fullmatch(one.source.removeprefix("@ git+"))
    wanted = uv_project.of_git(package)
    if found is None or found[1] != wanted["git"]:
        text = (
            f"{FILE} takes it from {_shown(one)}, not from its repository. {ATTACKED}"
        )
        yield Finding("stranger", package.name, text)
        return
    folder = re.search(r"(?:^|&)subdirectory=([^&]*)", found[2] or "")
    if (folder[1].replace("%2F", "/") if folder else "") != package.subdirectory:
        text = f"{FILE} takes it from another folder of its repository. {ATTACKED}"
        yield Finding("stranger", package.name, text)
    locked = lock.commit_of(package.name, "git")
    if locked and locked.commit != found[3]:
        text = f"{FILE} has commit {found[3][:10]}, and private-packages.lock {locked.commit[:10]}"
        cure = f"{COMMAND} move {package.name} {package.ref}".rstrip()
        yield Finding("other-commit", package.name, text, cure)


def _place(address: str) -> str:
    return without_login(address).rstrip("/")


def _shown(one: Pinned) -> str:
    return without_login(one.place)[:100]


def owned(app: App, pinned: Sequence[Pinned]) -> list[Finding]:
    """Find names that the private index has, too, and that would come from another one.

    One question a name. An index that stands in for PyPI has everything.
    """
    private = app.config.index
    if private is None or private.scope == "only":
        return []
    asked = {
        one.name: one
        for one in pinned
        if one.version and _place(one.index) != _place(private.address)
    }

    def ask(one: Pinned) -> Finding | None:
        try:
            offered = index.files_of(app, one.name)
        except index.NotThere:
            return None
        except Failure as error:
            return Finding("cannot-ask", one.name, str(error))
        # An index that merges a public one has the same file.
        if {file.sha256 for file in offered} & set(one.hashes):
            return None
        text = (
            f"{FILE} takes it from {_shown(one)}, and the private index has it. Type"
            f" `{COMMAND} exec uv lock --upgrade-package {one.name}`, or make it one of the answers"
        )
        return Finding("stranger", one.name, text)

    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        return [one for one in pool.map(ask, asked.values()) if one]
