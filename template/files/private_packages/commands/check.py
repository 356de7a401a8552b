"""`check`: prove where everything that would be installed comes from, before anything is installed."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from private_packages import allow, index, secrets
from private_packages import lock as locking
from private_packages.agreement import disagreements, read_view
from private_packages.app import App
from private_packages.environment import find, python_of
from private_packages.errors import Failure
from private_packages.findings import INSTALL, LOGIN, Finding, first_cure
from private_packages.lock import Lock, LockedVersion
from private_packages.names import listed, normalised
from private_packages.resolution import Pinned, Resolution, resolve
from private_packages.strategies import STRATEGIES
from private_packages.strategies.base import View
from private_packages.strategies.index import locked_at
from private_packages.strategies.submodule import checked_out
from private_packages.uv import Uv, UvFailed, find_uv
from private_packages.versions import is_same

SUMMARY = "prove where everything that would be installed comes from"
DESCRIPTION = """\
Prove where everything that would be installed comes from. Nothing is installed.

It reads what an installer reads: requirements.txt with all that it includes. It stops when a private package
would come from anywhere but its private place, and when a question could not be asked.
"""
AT_ONCE = 16
ATTACKED = (
    "Do not install. Tell your security team: somebody may be attacking the name."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument(
        "--locked",
        action="store_true",
        help="stop when private-packages.lock would have to change",
    )


def run(app: App, options: argparse.Namespace) -> int:
    """Check, and say what was proved or what stops."""
    prove(app, locked=options.locked)
    names = [one.name for one in app.config.packages]
    app.output.say(
        f"ok: {listed(names)} come from their private places."
        if names
        else "ok: nothing is private.",
        "good",
    )
    return 0


class Stop(Failure):
    """Something is wrong; the message says what, for which package, and what to do."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        """Say every finding in a line of its own, and the command to type first."""
        cure = first_cure(findings)
        lines = [f"STOP {finding.sentence}." for finding in findings]
        super().__init__("\n".join(lines + ([f"Type: {cure}"] if cure else [])))


def prove(
    app: App, *, locked: bool, uv: Uv | None = None, full: bool = True
) -> tuple[Uv, Resolution, Lock]:
    """Prove it all; return what may be installed. ``full``: say as well what plain pip would do.

    Without ``locked`` the lock is completed by what only an installer could tell. Raises `Stop` and `Failure`.
    """
    stop_at(variables(app))
    view = read_view(app)
    missing = [
        one
        for one in disagreements(view)
        if locked or not _is_completed_here(one, view)
    ]
    stop_at(
        missing
        or [
            found
            for one in app.config.of("submodule")
            for found in checked_out(view, one)
        ]
    )
    stop_at(secrets.find(app, view))
    uv = uv or find_uv(app)
    allowed = allow.load(app.folder)
    environment = find(app.folder, app.environ)
    python = python_of(environment) if environment else Path(sys.executable)
    lock = locking.load(app.folder)
    with ThreadPoolExecutor(max_workers=AT_ONCE + 1) as pool:
        resolving = pool.submit(resolve, app, uv, lock, allowed, python)
        asked = [
            pool.submit(STRATEGIES[one.strategy].prove, app, one, lock)
            for one in app.config.packages
        ]
        answers = _answers(app, asked)
        refused = [one for one in answers if one.kind not in _NOTES]
        if refused:
            raise Stop(refused)
        resolution = resolving.result()
    completed = complete(app, lock, resolution)
    if completed != lock and locked:
        changed = [name for name, entry in completed.items() if lock.get(name) != entry]
        stop_at(
            [
                Finding("lock", name, "the lock does not know it yet", INSTALL)
                for name in changed
            ]
        )
    stop_at(list(strangers(app, completed, resolution)))
    for note in answers:
        app.output.say(
            f"note: {note.sentence}."
            + (f" To take it: {note.cure}" if note.cure else ""),
            "aside",
        )
    if full or app.config.platform == "viktor":
        _plain_pip(app, uv, completed, resolution)
    if completed != lock:
        locking.save(app.folder, completed)
    return uv, resolution, completed


# What is told and does not stop: what is pinned stays.
_NOTES = {"moved-upstream", "new-file"}


def stop_at(findings: Sequence[Finding]) -> None:
    """Raise `Stop` when there is any finding."""
    if findings:
        raise Stop(findings)


def _is_completed_here(finding: Finding, view: View) -> bool:
    """Tell whether a want is open because only an installer can tell the version or the commit."""
    package = view.app.config.named(finding.package)
    if (
        finding.kind != "change-not-made"
        or package is None
        or package.strategy == "submodule"
    ):
        return False
    return package.key not in view.lock


def variables(app: App) -> list[Finding]:
    """Find the variables that have no value, all at once, and those whose value pip and uv would misread."""
    without = app.missing_variables()
    if without:
        text = f"{listed(without)} {'have' if len(without) > 1 else 'has'} no value"
        return [Finding("missing-variable", "", text, LOGIN)]
    return [
        Finding(
            "misread-variable",
            "",
            f"{name} holds a character that pip and uv misread in an address; it has to be percent-encoded",
            f"{LOGIN} --again {name}",
        )
        for name in app.config.variables
        if not re.fullmatch(r"(?:[A-Za-z0-9._~-]|%[0-9A-Fa-f]{2})+", app.environ[name])
    ]


def _answers(app: App, asked: Sequence[Future[list[Finding]]]) -> list[Finding]:
    found = []
    for number, future in enumerate(asked, start=1):
        app.output.progress(f"  {number}/{len(asked)} asked")
        found += future.result()
    app.output.clear()
    return found


def complete(app: App, lock: Lock, resolution: Resolution) -> Lock:
    """Return the lock with what resolving told: versions of open wants, and private packages that others need.

    Raises `Failure`.
    """
    completed = Lock(lock)
    for package in app.config.packages:
        pinned = resolution.named(package.name)
        if package.key in completed or pinned is None:
            continue
        if package.strategy == "index" and pinned.version:
            completed.put(_ask(app, package.name, pinned.version, package.requirement))
        elif package.strategy == "git" and (
            found := re.search(r"@([0-9a-f]{40,64})(?:#|\Z)", pinned.source)
        ):
            completed.put(
                locking.LockedCommit(
                    package.name, "git", package.url, package.ref, found[1]
                )
            )
    needed = {
        one.name: one
        for one in resolution.pinned
        if _may_be_private(app, completed, one)
    }
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        for entry in pool.map(lambda one: _needed(app, one), needed.values()):
            if entry is not None:
                completed.put(entry)
    gone = [
        key
        for key, entry in completed.items()
        if isinstance(entry, LockedVersion)
        and not entry.requirement
        and resolution.named(entry.name) is None
    ]
    for key in gone:
        del completed[key]
    return completed


def _ask(app: App, name: str, version: str, requirement: str) -> LockedVersion:
    try:
        return locked_at(app, name, version, requirement)
    except index.NotThere:
        raise
    except Failure as error:
        raise Stop([Finding("cannot-ask", name, str(error))]) from error


def _may_be_private(app: App, lock: Lock, one: Pinned) -> bool:
    """Tell whether the private index has to be asked about a package that nobody named."""
    private_index = app.config.index
    if (
        private_index is None
        or not one.version
        or normalised(one.name) in lock
        or app.config.named(one.name)
    ):
        return False
    by_prefix = normalised(one.name).startswith(app.config.private_prefixes)
    # An index that stands in for PyPI has everything.
    return by_prefix or (
        private_index.scope == "extra"
        and one.index.rstrip("/") == private_index.address.rstrip("/")
    )


def _needed(app: App, one: Pinned) -> LockedVersion | None:
    try:
        return _ask(app, one.name, one.version, "")
    except index.NotThere:
        # The index sends questions about such names on to a public one.
        return None


def strangers(app: App, lock: Lock, resolution: Resolution) -> Iterator[Finding]:
    """Find private names that would not come from their private places."""
    for one in resolution.pinned:
        package, locked = app.config.named(one.name), lock.get(normalised(one.name))
        if package is not None and package.strategy != "index":
            if one.version:
                text = f"{one.version} would come from {one.index or 'an index'}, not from its repository. {ATTACKED}"
                yield Finding("stranger", one.name, text)
            elif package.strategy == "submodule" and app.config.platform == "viktor":
                text = "another package needs it, and VIKTOR would look for it on PyPI; make it a Git line or an index package"
                yield Finding("not-on-viktor", one.name, text)
            continue
        if isinstance(locked, LockedVersion):
            if not is_same(one.version, locked.version):
                text = f"{one.source.strip()} would be installed, and the lock says {locked.version}"
                yield Finding("stranger", one.name, text, INSTALL)
            elif not set(one.hashes) & set(locked.files.values()):
                text = f"{one.version} would come from {one.index or 'elsewhere'}, and no file of it is in the lock. {ATTACKED}"
                yield Finding("stranger", one.name, text)
        elif package is not None or normalised(one.name).startswith(
            app.config.private_prefixes
        ):
            text = f"{one.version} would come from {one.index or 'elsewhere'}, and the private index does not have it. {ATTACKED}"
            yield Finding("stranger", one.name, text)


def _plain_pip(app: App, uv: Uv, lock: Lock, resolution: Resolution) -> None:
    """Say whether pip alone might take a stranger's file of a private name; on VIKTOR, which runs it, that stops."""
    private_index = app.config.index
    if private_index is None or private_index.scope == "only":
        return
    asked = [
        (
            one,
            package.requirement
            if (package := app.config.named(one.name))
            else one.name,
        )
        for one in resolution.pinned
        if lock.version_of(one.name)
    ]
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        answers = list(pool.map(lambda pair: _in_public(uv, lock, *pair), asked))
    found = [finding for finding in answers if finding]
    if app.config.platform == "viktor":
        stop_at(found)
    for finding in found:
        app.output.problem(
            f"warning: {finding.sentence}. `install` takes the private file; plain pip might not.",
            "bad",
        )


def _in_public(uv: Uv, lock: Lock, one: Pinned, requirement: str) -> Finding | None:
    """Ask the public index whether it has a file that would do for a requirement of a private name."""
    options = (
        "--quiet",
        "-",
        "--no-deps",
        "--no-build",
        "--prerelease",
        "allow",
        "--generate-hashes",
        "--no-header",
    )
    try:
        output = uv.run("pip", "compile", *options, stdin=f"{requirement}\n")
    except UvFailed as error:
        if re.search(
            r"was not found in the|[Nn]o versions? of|there (?:is|are) no version",
            re.sub(r"\s+", " ", error.said),
        ):
            return None
        if "source distribution" not in error.said and "build" not in error.said:
            return Finding(
                "cannot-ask",
                one.name,
                f"nobody can say whether a public index has it ({error})",
            )
        return Finding(
            "public-namesake",
            one.name,
            f"a public index offers its own {one.name}. {ATTACKED}",
        )
    locked = lock.version_of(one.name)
    hashes = set(re.findall(r"sha256:([0-9a-f]{64})", output))
    if locked and hashes and hashes <= set(locked.files.values()):
        return None
    version = re.search(r"==(\S+)", output)
    text = f"a public index offers {one.name} {version[1] if version else ''} of its own. {ATTACKED}"
    return Finding("public-namesake", one.name, text)
