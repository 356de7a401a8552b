"""A Git line: ``name @ git+https://…@ref`` in requirements.txt, installed by pip or uv."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from private_packages import remote
from private_packages.errors import Failure
from private_packages.findings import INSTALL, SYNC, Finding
from private_packages.lock import LockedCommit
from private_packages.markers import is_marker
from private_packages.names import COMMAND, NAME_FORM
from private_packages.submodules.plan import fits
from private_packages.versions import newer_than

if TYPE_CHECKING:
    from collections.abc import Sequence

    from private_packages.app import App
    from private_packages.config import Package
    from private_packages.lock import Lock
    from private_packages.probe import Installed
    from private_packages.strategies.base import View

# `name[extras] @ git+address ; marker`, as it was typed.
LINE = (
    rf"(?P<name>{NAME_FORM})\s*(?P<extras>\[\s*(?:{NAME_FORM}(?:\s*,\s*{NAME_FORM})*)?\s*\])?\s*@\s*"
    r"(?P<git>git\+)?(?P<address>\S+)(?:\s+;\s*(?P<marker>.+))?"
)


def is_its_line(package: Package) -> bool:
    """Tell whether the line, which pip and uv read, and the fields, which Git gets, are about the same."""
    found = re.fullmatch(LINE, package.requirement)
    if found is None or not found["git"]:
        return False
    marker = found["marker"]
    return (not marker or is_marker(marker.strip())) and says_the_same(found, package)


def says_the_same(found: re.Match[str], package: Package) -> bool:
    """Tell whether a line that was matched and the package's fields name one repository and ref."""
    scheme, separator, rest = package.url.partition("://")
    login = f"{package.user_info}@" if package.user_info else ""
    address = f"{scheme}{separator}{login}{rest}" if separator else package.url
    address += f"@{package.ref}" if package.ref else ""
    address += f"#subdirectory={package.subdirectory}" if package.subdirectory else ""
    typed = re.sub(r"\A[A-Za-z]+(?=://)", lambda one: one[0].lower(), found["address"])
    return typed == address and found["name"] == package.name


def lines(app: App, package: Package, lock: Lock, former: Sequence[str]) -> list[str]:
    """Return the line as it was typed."""
    return [package.requirement]


def learn(app: App, package: Package) -> LockedCommit | None:
    """Ask for the commit of the ref; an abbreviated commit only an installer can find."""
    commit = (
        package.ref
        if remote.is_commit(package.ref)
        else remote.commit_of(app, package, package.ref)
    )
    if not commit:
        if (
            all(sign in "0123456789abcdef" for sign in package.ref)
            and len(package.ref) >= 7
        ):
            return None
        tags = remote.tags_of(app, package)
        raise Failure(remote.no_such_ref(package, package.ref, tags))
    return LockedCommit(
        package.name, package.strategy, package.url, package.ref, commit
    )


def is_made(app: App, package: Package, lock: Lock) -> bool:
    """Tell whether the lock knows the commit of this address and ref."""
    return fits(package, lock.commit_of(package.name, package.strategy))


def disagreements(view: View, package: Package) -> list[Finding]:
    """Say whether the lock is about something else."""
    if is_made(view.app, package, view.lock):
        return []
    return [not_made(package, view.lock)]


def not_made(package: Package, lock: Lock) -> Finding:
    """Return what is said of a change that was not made yet."""
    locked = lock.get(package.key)
    before = getattr(locked, "ref", "") or getattr(locked, "version", "")
    wanted = package.ref or "what is wanted"
    text = (
        f"the change from {before} to {wanted} was not made yet"
        if before
        else "it was never fetched"
    )
    return Finding("change-not-made", package.name, text, SYNC)


def use(view: View, package: Package) -> list[Finding]:
    """Compare what is installed with the lock (`direct_url.json`, PEP 610)."""
    installed = view.probe.installed(package.name) if view.probe else None
    if installed is None:
        return [Finding("not-installed", package.name, "it is not installed", INSTALL)]
    locked = view.lock.commit_of(package.name, package.strategy)
    if not installed.commit:
        text = f"it was installed from {installed.origin}, not from its repository"
        return [Finding("wrong-source", package.name, text, INSTALL)]
    if locked and installed.commit != locked.commit:
        text = f"commit {installed.commit[:10]} is installed, and {locked.commit[:10]} ({package.ref}) is wanted"
        return [Finding("wrong-version", package.name, text, INSTALL)]
    if installed.pointer:
        text = (
            f"{installed.pointer} is a pointer of Git LFS, not the file; install git-lfs,"
            f" and then type `{INSTALL}`"
        )
        return [Finding("lfs", package.name, text)]
    return imported_from_elsewhere(view, package, installed)


def imported_from_elsewhere(
    view: View, package: Package, installed: Installed
) -> list[Finding]:
    """Say whether an import takes something else than what is installed: a folder of the same name, or an old one."""
    for module in installed.modules:
        origin = view.probe.origins.get(module) if view.probe else None
        if origin and installed.place and not origin.is_relative_to(installed.place):
            text = f"`import {module}` takes {origin}, not what is installed; rename or remove that"
            return [Finding("imported-from-elsewhere", package.name, text)]
    return []


def prove(app: App, package: Package, lock: Lock) -> list[Finding]:
    """Ask whether the ref still is the commit that the lock says."""
    locked = lock.commit_of(package.name, package.strategy)
    try:
        commit = remote.commit_of(app, package, package.ref)
    except Failure as error:
        return [Finding("cannot-ask", package.name, str(error))]
    if locked and commit and commit != locked.commit:
        text = (
            f"`{package.ref or 'its default branch'}` is commit {commit[:10]} by now,"
            f" and the lock says {locked.commit[:10]}, which stays"
        )
        return [
            Finding(
                "moved-upstream",
                package.name,
                text,
                f"{COMMAND} move {package.name} {package.ref}".rstrip(),
            )
        ]
    return []


def newer(app: App, package: Package) -> list[str]:
    """Return the tags of a higher version."""
    return newer_than(package.ref, remote.tags_of(app, package))


def at(package: Package, ref: str) -> Package:
    """Put another ref behind the address, wherever the line has one."""
    line = package.requirement
    head, marker, rest = line, "", ""
    for sign in ("#", " ;", ";"):
        if sign in head:
            head, marker, rest = line.partition(sign)
            break
    stem = head.rstrip()
    space = head[len(stem) :]
    if package.ref:
        stem = stem.removesuffix(f"@{package.ref}")
    return replace(package, requirement=f"{stem}@{ref}{space}{marker}{rest}", ref=ref)
