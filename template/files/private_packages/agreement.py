"""Whether toml, lock, `.gitmodules`, gitlinks and blocks agree: read without a network, before anything is done."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from private_packages import lock as locking
from private_packages import probe, requirements, shared_files, template_address
from private_packages.blocks import block_in
from private_packages.environment import find, python_of
from private_packages.errors import Failure, GitError
from private_packages.findings import SYNC, Finding
from private_packages.lock import is_needed_only
from private_packages.names import normalised, without_login
from private_packages.package_files import modules_in
from private_packages.project import file_of
from private_packages.repository import Repository, open_repository
from private_packages.strategies import strategy_of
from private_packages.strategies.base import View
from private_packages.submodules.state import read_current, wanted_submodules
from private_packages.viktor import finder_of, is_written

if TYPE_CHECKING:
    from private_packages.app import App
    from private_packages.probe import Probe


def read_view(app: App) -> View:
    """Read the app as it stands, without its environment. Raises `Failure` and `GitError`."""
    lock = locking.load(app.folder)
    repository: Repository | None = None
    try:
        repository = open_repository(app.folder, app.git)
    except GitError as error:
        # Without submodules Git is not needed; a repository into which it may not look is one all the same.
        if app.config.of("submodule") or "dubious ownership" in error.stderr:
            raise
    current = None
    if repository is not None:
        current = read_current(
            repository, wanted_submodules(app.config, repository), lock
        )
    return View(app=app, lock=lock, repository=repository, current=current)


def with_environment(view: View, python: Path | None = None) -> View:
    """Return the view with what the app's environment holds; ``python`` names another one's Python."""
    environment = find(view.app.folder, view.app.environ)
    asked = python or (python_of(environment) if environment else None)
    if asked is None:
        return view
    roots = [view.app.folder / one.root for one in view.app.config.of("submodule")]
    modules = {name for root in roots for name in modules_in(root)}
    try:
        found: Probe | None = probe.look(
            asked,
            view.app.folder,
            modules,
            {one.key for one in view.app.config.packages},
            start=view.app.config.platform == "viktor" and bool(roots),
        )
    except (OSError, ValueError):
        found = None
    return View(
        view.app, view.lock, view.repository, view.current, environment or asked, found
    )


def disagreements(view: View) -> list[Finding]:
    """Return everything that does not agree with private-packages.toml."""
    if view.current is not None and view.current.unmerged:
        text = ".gitmodules has a merge conflict; resolve it and `git add .gitmodules`"
        return [Finding("conflict", "", text, SYNC)]
    found = [
        finding
        for package in view.app.config.packages
        for finding in strategy_of(package).disagreements(view, package)
    ]
    others = (_unwanted(view), _blocks(view), template_address.strange(view.app))
    return [*found, *(finding for one in others for finding in one)]


def _unwanted(view: View) -> Iterator[Finding]:
    """Find what the lock, Git or the folders still hold of packages that are not wanted, or wanted in another way."""
    app = view.app
    named: set[str] = set()
    if view.current is not None and view.repository is not None:
        wanted = {
            view.repository.prefix + one.path for one in app.config.of("submodule")
        }
        for path, section in view.current.declared.items():
            if (
                section.managed
                and path.startswith(view.current.below)
                and path not in wanted
            ):
                name = path.rpartition("/")[2]
                named.add(normalised(name))
                yield Finding(
                    "not-dropped",
                    name,
                    f"{path} is a submodule and is not wanted as one any more",
                    SYNC,
                )
        for path in view.current.left:
            name = path.rpartition("/")[2]
            if normalised(name) not in named:
                named.add(normalised(name))
                yield Finding(
                    "leftover",
                    name,
                    f"{path} was left behind when the package moved; nothing imports it",
                    SYNC,
                )
    for locked in view.lock.values():
        package = app.config.named(locked.name)
        kept = is_needed_only(locked) and app.config.index is not None
        if package is None and not kept and normalised(locked.name) not in named:
            yield Finding(
                "not-dropped",
                locked.name,
                "the lock still names it, and it is not wanted any more",
                SYNC,
            )


def _blocks(view: View) -> Iterator[Finding]:
    """Find marked blocks that are not as the command writes them. Raises `Failure` for broken marks."""
    app = view.app
    file = file_of(app.folder)
    former = block_in(file)
    lines, failed = requirements.body(app, view.lock, former)
    yield from (Finding("unreadable", name, clause) for name, clause in failed)
    if not failed and lines != former:
        changed = next(
            (line for line in [*former, *lines] if (line in former) != (line in lines)),
            "",
        )
        text = f"the block in {file.relative_to(app.folder).as_posix()} is not what {SYNC.rpartition(' ')[2]} writes"
        yield Finding(
            "block",
            "",
            f"{text} (`{without_login(changed)}`)" if changed else text,
            SYNC,
        )
    if shared_files.is_of_uv(app):
        yield from _entries(app)
    if not is_written(app):
        name = finder_of(app.folder).relative_to(app.folder).as_posix()
        yield Finding("finder", "", f"{name} is not what sync writes", SYNC)
    for name, lines_of in shared_files.BLOCKS.items():
        expected = lines_of(app)
        if block_in(app.folder / name) != expected:
            yield Finding(
                "block", "", f"the block in {name} is not what sync writes", SYNC
            )


def _entries(app: App) -> Iterator[Finding]:
    """Say whether pyproject.toml has other entries of the private packages than wanted."""
    # With all that it loads 15 ms, which nobody else waits for.
    from private_packages import uv_project

    try:
        if uv_project.is_written(app):
            return
        text = "the entries of the private packages in pyproject.toml are not what sync writes"
    except Failure as error:
        text = str(error).rstrip(".")
    yield Finding("block", "", text, SYNC)
