"""The proof where everything that would be installed comes from, made before anything is installed."""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from private_packages import allow, builds, secrets, unowned
from private_packages import lock as locking
from private_packages.agreement import disagreements, read_view
from private_packages.completion import complete
from private_packages.credentials import no_value
from private_packages.environment import find, python_of
from private_packages.errors import Failure
from private_packages.findings import INSTALL, LOGIN, SYNC, Finding, Stop
from private_packages.lock import Lock, is_needed_only
from private_packages.names import normalised
from private_packages.plain_pip import beyond, namesakes
from private_packages.project import install_command, manager_of
from private_packages.remote import AT_ONCE
from private_packages.report import Report
from private_packages.resolution import (
    Resolution,
    resolve,
    resolve_builds,
)
from private_packages.shared_files import write_blocks
from private_packages.strangers import ATTACKED, strangers
from private_packages.strategies import strategy_of
from private_packages.strategies.submodule import checked_out
from private_packages.submodules import copied
from private_packages.uv import Uv, UvFailed, find_uv

if TYPE_CHECKING:
    from private_packages.allow import Allowed
    from private_packages.app import App
    from private_packages.config import Package
    from private_packages.strategies.base import View

    Resolver = Callable[[App, Uv, Lock, Allowed, Path | None, Lock], Resolution]


def prove(
    app: App,
    *,
    locked: bool,
    uv: Uv | None = None,
    full: bool = True,
    unchanged: bool = False,
) -> tuple[Uv, Resolution, Lock]:
    """Prove it all; return what may be installed. ``full``: say as well what plain pip would do.

    Without ``locked`` the lock is completed by what only an installer could tell, and by what other systems need.
    ``unchanged``: all that is wanted is what the last installation proved, so builds and other systems are not asked
    about again. Raises `Stop` and `Failure`.
    """
    with ThreadPoolExecutor() as pool:
        finding = pool.submit(lambda: uv or find_uv(app))
        view = ready(app, locked=locked)
        uv = finding.result()
    allowed = allow.load(app.folder)
    environment = find(app.folder, app.environ)
    python = python_of(environment) if environment else Path(sys.executable)
    known = {key for key in view.lock if view.lock.version_of(key)}
    # A source distribution may have gone from its index since then, and another one be built in its place.
    skips = unchanged and not allowed.build
    # Before anybody is asked: beside sixteen questions it would take five times as long.
    seen = {} if skips else builds.in_cache(app, uv, view.lock)
    with (
        ThreadPoolExecutor(max_workers=AT_ONCE + 4) as pool,
        uv.stopping(),
        app.git.stopping(),
    ):
        looking = pool.submit(secrets.find, app, view)
        ask = functools.partial(resolved, app, uv, allowed, locked)
        # Resolving may build, and a build runs what it needs: that is proved before.
        first = pool.submit(
            lambda: (
                (view.lock, Resolution((), ()))
                if skips
                else prove_builds(app, view.lock, known, allowed, ask, python, seen)
            )
        )
        resolving = pool.submit(lambda: ask(resolve, first.result()[0], python))
        asks_more = app.config.index and not locked and not unchanged
        elsewhere = (
            pool.submit(lambda: ask(resolve, first.result()[0], None))
            if asks_more
            else None
        )
        asked = [
            pool.submit(strategy_of(one).prove, app, one, view.lock)
            for one in app.config.packages
        ]
        stop_at(looking.result())
        answers = answers_of(app, asked)
        stop_at(list(stopping_at(app, answers)))
        _, built = first.result()
        try:
            lock, resolution = resolving.result()
        except UvFailed:
            if skips:
                # What was proved then does not hold any more: this says why.
                seen = builds.in_cache(app, uv, view.lock)
                prove_builds(app, view.lock, known, allowed, ask, python, seen)
            raise
        others = _everywhere(elsewhere)
    completed = complete(app, lock, known, resolution, others, built)
    if locked:
        refuse_new(view, completed)
    stop_at(list(strangers(app, completed, known, resolution, allowed)))
    tell_notes(app, answers)
    if full or app.config.platform == "viktor":
        pinned = {
            normalised(one.name): one for one in (*built.pinned, *resolution.pinned)
        }
        tell_of_plain_pip(app, namesakes(app, uv, completed, pinned.values(), python))
    ask_once(app, view.lock, completed, resolution, others)
    keep(app, view, completed, locked=locked)
    return uv, resolution, completed


def ready(app: App, *, locked: bool) -> View:
    """Return the app as it stands, as soon as variables have values, and toml, lock, Git and files agree.

    Raises `Stop` and `Failure`.
    """
    stop_at(variables(app))
    if manager := manager_of(app):
        raise Failure(
            f"{manager} decides what is installed here, and its lock is not checked;"
            f" type `{install_command(manager)}`."
        )
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
    if view.repository is None:
        with app.git.stopping():
            stop_at(copied.prove(app, view.lock))
    return view


def keep(app: App, view: View, completed: Lock, *, locked: bool) -> None:
    """Write the lock, if it changed and may, and what follows it. Raises `Stop`."""
    if locked:
        completed.public = view.lock.public
    if completed != view.lock or completed.public != view.lock.public:
        locking.save(app.folder, completed)
        # Where requirements.txt names files, it follows the lock.
        report = Report()
        write_blocks(app, report)
        stop_at(
            [Finding("block", "", one.rstrip("."), SYNC) for one in report.problems]
        )


def refuse_new(view: View, completed: Lock) -> None:
    """Stop where the lock would have to change. Raises `Stop`."""
    unknown = [name for name in completed if name not in view.lock]
    text = "another package needs it, and the lock does not know it"
    stop_at([Finding("lock", name, text, INSTALL) for name in unknown])


def tell_notes(app: App, answers: Sequence[Finding]) -> None:
    """Say what the hosts offer by now, and what takes it."""
    for note in answers:
        cure = f" To take it: {note.cure}" if note.cure else ""
        app.output.say(f"note: {note.sentence}.{cure}", "aside")


def ask_once(
    app: App,
    before: Lock,
    completed: Lock,
    resolution: Resolution,
    others: Resolution | None,
) -> None:
    """Show the public packages that private ones need and that nobody was told of yet; the lock remembers them."""
    found = unowned.needed(app, completed, resolution, *filter(None, [others]))
    new = {name: users for name, users in found.items() if name not in before.public}
    if new:
        app.output.problem(unowned.question(new), "aside")
    # What only another system needs is known where all were asked.
    completed.public = frozenset(found) | (frozenset() if others else before.public)


def prove_builds(
    app: App,
    lock: Lock,
    known: Container[str],
    allowed: Allowed,
    ask: Callable[[Resolver, Lock, Path | None], tuple[Lock, Resolution]],
    python: Path,
    seen: Mapping[Package, tuple[str, ...]],
) -> tuple[Lock, Resolution]:
    """Prove what the packages are built with; return it, and the lock with it. ``seen`` is what uv's cache told."""
    found, built = ask(functools.partial(resolve_builds, known=seen), lock, python)
    completed = complete(app, found, known, built)
    stop_at(list(strangers(app, completed, known, built, allowed)))
    told = list(beyond(app, completed, built))
    if app.config.installer == "uv":
        # The very program that would build.
        stop_at(told)
    tell(app, told)
    for key, entry in lock.items():
        completed.setdefault(key, entry)
    return completed, built


def resolved(
    app: App,
    uv: Uv,
    allowed: Allowed,
    locked: bool,
    resolver: Resolver,
    lock: Lock,
    python: Path | None,
) -> tuple[Lock, Resolution]:
    """Resolve with the lock; what only others need may move unless ``locked``, where it stands in their way.

    What is built is held to the whole lock all the same: a build runs it.
    """
    try:
        return lock, resolver(app, uv, lock, allowed, python, lock)
    except UvFailed:
        free = Lock(
            (key, entry) for key, entry in lock.items() if not is_needed_only(entry)
        )
        if locked or free == lock:
            raise
        return free, resolver(app, uv, free, allowed, python, lock)


def _everywhere(asked: Future[tuple[Lock, Resolution]] | None) -> Resolution | None:
    """Return what is needed on all systems; that the app suits one alone is no error."""
    try:
        return asked.result()[1] if asked else None
    except UvFailed:
        return None


# What is told and does not stop: what is pinned stays, unless plain pip installs.
_NOTES = {"moved-upstream", "new-file"}


def stopping_at(app: App, answers: Sequence[Finding]) -> Iterator[Finding]:
    """Find what stops: on VIKTOR also what plain pip would take in place of what is pinned."""
    for one in answers:
        package = app.config.named(one.package)
        if one.kind not in _NOTES:
            yield one
        elif (
            app.config.platform == "viktor"
            and package
            and package.strategy != "submodule"
        ):
            text = re.sub(r"(?:, which stays|; it stays out.*)\Z", "", one.text)
            yield replace(
                one, text=f"{text}; VIKTOR runs plain pip, which may take that"
            )


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
        return [Finding("missing-variable", "", no_value(without), LOGIN)]
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


def answers_of(app: App, asked: Sequence[Future[list[Finding]]]) -> list[Finding]:
    found = []
    for number, future in enumerate(asked, start=1):
        app.output.progress(f"  {number}/{len(asked)} asked")
        found += future.result()
    app.output.clear()
    return found


def tell_of_plain_pip(app: App, found: Sequence[Finding]) -> None:
    """Say what plain pip might take; VIKTOR runs it, so there that stops."""
    on_viktor = app.config.platform == "viktor"
    advice = f"Install with `{INSTALL}` alone, which takes the private file, and tell your security team"
    if on_viktor:
        advice = f"VIKTOR runs plain pip. {ATTACKED}"
    told = [
        replace(one, text=f"{one.text}. {advice}")
        if one.kind == "public-namesake"
        else one
        for one in found
    ]
    tell(app, told)


def tell(app: App, found: Sequence[Finding]) -> None:
    """Stop on VIKTOR, which runs plain pip; warn elsewhere."""
    if app.config.platform == "viktor":
        stop_at(found)
    for one in found:
        app.output.problem(f"warning: {one.sentence}.", "bad")
