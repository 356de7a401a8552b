"""The proof of what uv.lock would install, where uv is the app's installer."""

from __future__ import annotations

import functools
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from private_packages import allow, builds, proof, secrets, uv_lock, uv_state
from private_packages.completion import complete
from private_packages.environment import find, python_of
from private_packages.findings import INSTALL, Finding, Stop
from private_packages.lock import Lock, LockedVersion
from private_packages.names import normalised
from private_packages.plain_pip import namesakes
from private_packages.project_uv import lock_options, of_project
from private_packages.remote import AT_ONCE
from private_packages.resolution import Pinned, Resolution
from private_packages.strangers import built_from_source, strangers
from private_packages.strategies import strategy_of
from private_packages.strategies.index import pin_of
from private_packages.uv import Uv, UvFailed, find_uv, names_option

if TYPE_CHECKING:
    from private_packages.allow import Allowed
    from private_packages.app import App
    from private_packages.lock import Locked
    from private_packages.strategies.base import View

_STALE = "needs to be updated"


def prove(
    app: App,
    *,
    locked: bool,
    uv: Uv | None = None,
    full: bool = True,
    unchanged: bool = False,
    anew: str = "",
) -> tuple[Uv, Sequence[Pinned], Lock]:
    """Prove it all; return what uv.lock installs, and the lock. ``full``: ask uv as well whether uv.lock is current.

    Without ``locked`` both locks are brought up to date. ``unchanged``: all that is wanted is what the last
    installation proved, so other indexes are not asked about again. ``anew`` is a package of which uv.lock
    gets the newest that is wanted. Raises `Stop` and `Failure`.
    """
    view = proof.ready(app, locked=locked)
    uv = uv or find_uv(app)
    allowed = allow.load(app.folder)
    known = {key for key in view.lock if view.lock.version_of(key)}
    seen = builds.in_cache(app, uv, view.lock)
    with (
        ThreadPoolExecutor(max_workers=AT_ONCE) as pool,
        uv.stopping(),
        app.git.stopping(),
    ):
        looking = pool.submit(secrets.find, app, view)
        asked = [
            pool.submit(strategy_of(one).prove, app, one, view.lock)
            for one in app.config.packages
        ]
        ask = functools.partial(proof.resolved, app, uv, allowed, locked)
        # uv may build whatever it installs, also to see that nothing changed, and cannot be held to a lock for it.
        first = pool.submit(
            proof.prove_builds,
            *(app, view.lock, known, allowed, ask, _python(app), seen),
        )
        proof.stop_at(looking.result())
        answers = proof.answers_of(app, asked)
        proof.stop_at(list(proof.stopping_at(app, answers)))
        # To lock may build, and a build runs what it needs: that is proved before.
        lock, built = first.result()
        if locked:
            # uv says only that it does not fit.
            proof.stop_at(uv_state.findings(app, view.lock))
        if full or not _is_current(app, view):
            _bring_up_to_date(app, uv, allowed, locked=locked, anew=anew)
    found = uv_lock.read(app)
    pinned = found.pinned
    resolution = Resolution(pinned, ())
    held = lock if locked else _following(app, lock, pinned)
    completed = complete(app, held, known, resolution, resolution, built)
    if locked:
        proof.refuse_new(view, completed)
    proof.stop_at(
        [
            *uv_lock.disagreements(app, completed, found),
            *strangers(app, completed, known, resolution, allowed),
            *_without_wheel(found, allowed),
            *(() if unchanged else uv_lock.owned(app, pinned)),
        ]
    )
    proof.tell_notes(app, answers)
    if app.config.platform == "viktor":
        by_name = {normalised(one.name): one for one in (*built.pinned, *pinned)}
        told = namesakes(app, uv, completed, by_name.values(), _python(app))
        proof.tell_of_plain_pip(app, told)
    proof.ask_once(app, view.lock, completed, resolution, resolution)
    proof.keep(app, view, completed, locked=locked)
    return uv, pinned, completed


def _python(app: App) -> Path:
    environment = find(app.folder, app.environ)
    return python_of(environment) if environment else Path(sys.executable)


def _is_current(app: App, view: View) -> bool:
    """Tell whether uv.lock seems to know all that is wanted, without asking uv."""
    if uv_lock.text_of(app.folder) is None:
        return False
    return not list(uv_lock.disagreements(app, view.lock, uv_lock.read(app)))


def _bring_up_to_date(
    app: App, uv: Uv, allowed: Allowed, *, locked: bool, anew: str
) -> None:
    """Let uv write uv.lock, or with ``locked`` say that it would have to. Raises `Failure`."""
    again = ("--upgrade-package", anew) if anew else ()
    check = ("--check",) if locked else ()
    _run(app, uv, "lock", "--quiet", *check, *lock_options(app, allowed), *again)


class Stale(Stop):
    """uv.lock does not fit pyproject.toml."""

    def __init__(self) -> None:
        """Say it, and what brings it up to date."""
        text = "uv.lock does not fit pyproject.toml; bring it up to date, and commit it"
        super().__init__([Finding("uv-lock", "", text, INSTALL)])


def sync(app: App, uv: Uv, again: Sequence[str]) -> None:
    """Install what uv.lock says; ``again`` names what is installed although it seems to be there.

    Raises `Stale`, with nothing changed, and `Failure`.
    """
    options = lock_options(app, allow.load(app.folder))
    reinstall = names_option("--reinstall-package", again)
    _run(app, uv, "sync", "--quiet", "--locked", *options, *reinstall)


def _run(app: App, uv: Uv, *arguments: str) -> None:
    try:
        of_project(app, uv).run(*arguments)
    except UvFailed as error:
        if _STALE in error.said:
            raise Stale from error
        raise


def _following(app: App, lock: Lock, pinned: Sequence[Pinned]) -> Lock:
    """Return the lock without versions of which uv.lock has another, where no line pins one: the index is asked anew."""
    versions = {normalised(one.name): one.version for one in pinned}

    def stays(key: str, entry: Locked) -> bool:
        package = app.config.named(key)
        pinned_by_line = package and (package.strategy != "index" or pin_of(package))
        if pinned_by_line or not isinstance(entry, LockedVersion):
            return True
        return versions.get(key, entry.version) == entry.version

    kept = Lock((key, entry) for key, entry in lock.items() if stays(key, entry))
    kept.public = lock.public
    return kept


def _without_wheel(found: uv_lock.UvLock, allowed: Allowed) -> list[Finding]:
    """Find what would be built from a source distribution unasked."""
    may_come = found.with_wheel | allowed.build
    return [
        built_from_source(one)
        for one in found.pinned
        if one.version and normalised(one.name) not in may_come
    ]
