"""A package of the private index: ``name==version`` in requirements.txt."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from private_packages.errors import Failure, Unreadable
from private_packages.file_lines import lines_of
from private_packages.findings import INSTALL, Finding
from private_packages.lock import LockedVersion
from private_packages.names import COMMAND
from private_packages.needs import name_of, plain
from private_packages.strategies.git import imported_from_elsewhere
from private_packages.versions import is_same, key_of, newer_than

if TYPE_CHECKING:
    from collections.abc import Sequence

    from private_packages.app import App
    from private_packages.config import Package
    from private_packages.index import OfferedFile
    from private_packages.lock import Lock
    from private_packages.strategies.base import View

_PIN = re.compile(r"([^<>=!~();]*?)(\(?\s*==\s*)([^\s*;(),]+)(\s*\)?\s*(?:;.*)?)")


def is_its_line(package: Package) -> bool:
    """Tell whether a line names a package and versions of it, and nothing else."""
    try:
        return name_of(plain(package.requirement)) == package.name
    except Unreadable:
        return False


def pin_of(package: Package) -> str:
    """Return the one version that a line allows, or the empty string."""
    found = _PIN.fullmatch(package.requirement)
    return found[3] if found else ""


def lines(app: App, package: Package, lock: Lock, former: Sequence[str]) -> list[str]:
    """Return the line as it was typed, or those of the files themselves."""
    if _by_file(app) and app.config.index:
        return lines_of(app.config.index, package, lock)
    return [package.requirement]


def _by_file(app: App) -> bool:
    """Tell whether requirements.txt names the files themselves."""
    return app.config.index is not None and app.config.index.scope == "files"


def learn(app: App, package: Package) -> LockedVersion | None:
    """Ask for the files of the pinned version; where more than one is allowed, only an installer can tell."""
    pin = pin_of(package)
    return locked_at(app, package.name, pin, package.requirement) if pin else None


def offered_files(app: App, name: str) -> list[OfferedFile]:
    """Return the files that the private index offers under a name. Raises `errors.Failure` with one clause."""
    # http, ssl and email: 18 ms that a sync without a question for an index need not wait for.
    from private_packages.index import files_of

    return files_of(app, name)


def locked_at(app: App, name: str, version: str, requirement: str) -> LockedVersion:
    """Return what the lock says of a version: every file that the private index offers for it.

    Raises `errors.Failure` with one clause.
    """
    from private_packages.index import sha256_of  # as above

    offered = offered_files(app, name)
    files = [file for file in offered if is_same(file.version, version)]
    if not files:
        newest = newer_than("0", [file.version for file in offered])[:3]
        has = f"; it has {', '.join(newest)}" if newest else ""
        raise Failure(
            f"the private index offers no file of version {version}{has}; publish it there, or correct the line"
        )
    hashes = {file.name: sha256_of(app, file) for file in files}
    return LockedVersion(
        name=name,
        requirement=requirement,
        version=files[0].version,
        files=hashes,
        urls=_lasting(app, files),
    )


def _lasting(app: App, files: Sequence[OfferedFile]) -> dict[str, str]:
    """Return the files' addresses, if requirements.txt is to have them.

    Raises `errors.Failure` where they would not work tomorrow, or not with the login of the index.
    """
    index = app.config.index
    if index is None or not _by_file(app):
        return {}
    for file in files:
        parts = urlsplit(file.url)
        if parts.netloc != index.host or parts.query:
            why = "change with time" if parts.query else f"are on {parts.hostname}"
            raise Failure(
                f"the addresses of its files {why}, so requirements.txt cannot name them; choose another scope for"
                " the index with `copier update --vcs-ref :current: --trust`"
            )
    return {file.name: file.url for file in files}


def is_made(app: App, package: Package, lock: Lock) -> bool:
    """Tell whether the lock's version was taken for this line, with addresses where they are wanted."""
    locked = lock.version_of(package.name)
    return (
        locked is not None
        and locked.requirement == package.requirement
        and bool(locked.urls) == _by_file(app)
    )


def disagreements(view: View, package: Package) -> list[Finding]:
    """Say whether the lock is about something else."""
    if is_made(view.app, package, view.lock):
        return []
    locked = view.lock.version_of(package.name)
    text = (
        f"the change from {locked.version} to {package.requirement} was not made yet"
        if locked
        else "the lock does not know its files yet"
    )
    return [Finding("change-not-made", package.name, text, INSTALL)]


def use(view: View, package: Package) -> list[Finding]:
    """Compare what is installed with the lock."""
    installed = view.probe.installed(package.name) if view.probe else None
    locked = view.lock.version_of(package.name)
    if view.probe and not view.probe.applies(package.requirement):
        return []
    if installed is None:
        return [Finding("not-installed", package.name, "it is not installed", INSTALL)]
    if installed.folder or installed.commit:
        text = f"it was installed from {installed.origin}, not from the index"
        return [Finding("wrong-source", package.name, text, INSTALL)]
    if locked and not is_same(installed.version, locked.version):
        text = (
            f"version {installed.version} is installed, and {locked.version} is wanted"
        )
        return [Finding("wrong-version", package.name, text, INSTALL)]
    return imported_from_elsewhere(view, package, installed)


def prove(app: App, package: Package, lock: Lock) -> list[Finding]:
    """Ask whether the index still offers the locked files, and no other for that version."""
    locked = lock.version_of(package.name)
    try:
        offered = offered_files(app, package.name)
    except Failure as error:
        return [Finding("cannot-ask", package.name, str(error))]
    if locked is None:
        return []
    files = [file for file in offered if is_same(file.version, locked.version)]
    if not files:
        text = f"the private index does not offer {locked.version} any more"
        return [Finding("gone", package.name, text, "")]
    strange = [
        file.name
        for file in files
        if locked.files.get(file.name) is None
        or (file.sha256 and file.sha256 != locked.files[file.name])
    ]
    if strange:
        text = (
            f"the private index offers {strange[0]}, which is not the file that the lock knows;"
            " it stays out until you take it"
        )
        return [
            Finding(
                "new-file",
                package.name,
                text,
                f"{COMMAND} move {package.name} {locked.version}",
            )
        ]
    return []


def newer(app: App, package: Package) -> list[str]:
    """Return the higher versions that the index offers and that nobody withdrew."""
    offered = [
        file.version for file in offered_files(app, package.name) if not file.yanked
    ]
    return newer_than(
        pin_of(package) or "0", [version for version in offered if version]
    )


def at(package: Package, ref: str) -> Package:
    """Pin another version; a `v` before it, as in a tag, is no part of it."""
    version = ref.removeprefix("v")
    if key_of(version) is None:
        raise Failure(f"`{ref}` is no version; write it as in `2.1.0`")
    found = _PIN.fullmatch(package.requirement)
    if found is None:
        raise Failure(
            f"`{package.requirement}` is no pin, so there is nothing to move;"
            " change the line with `copier update --vcs-ref :current:`"
        )
    return replace(package, requirement=f"{found[1]}{found[2]}{version}{found[4]}")
