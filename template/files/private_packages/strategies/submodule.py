"""A Git submodule at app/submodules/<name>.

On plain Python it is a real installation (``-e ./app/submodules/<name>``). VIKTOR installs nothing from `app/`:
there the finder in `app/_submodules.py` serves it, and what it needs is taken over into requirements.txt.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from private_packages.config import SUBMODULES
from private_packages.errors import Unreadable
from private_packages.findings import ANSWER, INSTALL, SYNC, Finding
from private_packages.names import COMMAND, normalised
from private_packages.needs import name_of, requirements_of
from private_packages.older_files import name_of_project
from private_packages.package_files import is_installable, modules_in, read_file
from private_packages.pointers import is_pointer
from private_packages.strategies import git
from private_packages.submodules.plan import Folder, Module
from private_packages.submodules.state import has_files
from private_packages.unbuilt import lacks

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from private_packages.app import App
    from private_packages.config import Package
    from private_packages.lock import Lock, LockedCommit
    from private_packages.strategies.base import View

# A submodule's line is a Git line; what is pinned stays, whatever moved upstream.
at = git.at
is_made = git.is_made
newer = git.newer
prove = git.prove


def is_its_line(package: Package) -> bool:
    """Tell whether the line and the fields, which Git gets, are about the same; it has no extras and no marker."""
    found = re.fullmatch(git.LINE, package.requirement)
    if found is None or found["extras"] or found["marker"]:
        return False
    return git.says_the_same(found, package)


def root_of(app: App, package: Package) -> Path:
    """Return the folder that holds the package's pyproject.toml.

    Raises `errors.Unreadable` when its subdirectory is a link that leads out of the repository.
    """
    folder = app.folder / package.path
    root = folder / package.subdirectory
    if package.subdirectory and not root.resolve().is_relative_to(folder.resolve()):
        raise Unreadable(
            f"{package.name}: its subdirectory leads out of its repository"
        )
    return root


def distribution_of(app: App, package: Package) -> str:
    """Return the name under which an installer knows the package: its own, which a pasted address does not tell.

    Raises `errors.Unreadable`.
    """
    return name_of_project(root_of(app, package)) or package.name


def is_fetched(app: App, package: Package) -> bool:
    """Tell whether the submodule has its files."""
    return (app.folder / package.path / ".git").exists()


def is_copied(app: App, package: Package) -> bool:
    """Tell whether a submodule has its files without Git, as in an image."""
    return not is_fetched(app, package) and has_files(app.folder / package.path)


def lines(app: App, package: Package, lock: Lock, former: Sequence[str]) -> list[str]:
    """Return the editable line or, on VIKTOR, what the package needs; what stood there while it is not fetched."""
    if app.config.platform == "viktor":
        return _needs(app, package, former)
    nothing = f"# {package.name}: no installer can install it; `{COMMAND} install` makes it importable"
    if not is_fetched(app, package):
        return [nothing] if nothing in former else [f"-e ./{package.root}"]
    return (
        [f"-e ./{package.root}"] if is_installable(root_of(app, package)) else [nothing]
    )


def _needs(app: App, package: Package, former: Sequence[str]) -> list[str]:
    heading = f"# needed by {package.name}:"
    unknown = f"# {package.name}: only building it tells what it needs; write that below this block"
    if not is_fetched(app, package):
        return [unknown] if unknown in former else _below(heading, former)
    root = root_of(app, package)
    found = requirements_of(root)
    if found is None:
        return [unknown] if is_installable(root) else []
    kept = []
    for line in found:
        key = name_of(line)
        if app.config.named(key):
            continue
        if normalised(key).startswith(app.config.private_prefixes):
            raise Unreadable(
                f"it needs {key}, which is private and not among the answers; add its line with `copier update`"
            )
        kept.append(line)
    return [heading, *kept] if kept else []


def _below(heading: str, former: Sequence[str]) -> list[str]:
    """Return a heading with its lines, up to the next heading."""
    if heading not in former:
        return []
    start = list(former).index(heading)
    end = next(
        (n for n in range(start + 1, len(former)) if former[n].startswith("#")),
        len(former),
    )
    return list(former[start:end])


def learn(app: App, package: Package) -> LockedCommit | None:
    """Nothing: `submodules.apply` knows the commit when it has fetched it."""
    return None


def disagreements(view: View, package: Package) -> list[Finding]:
    """Say what of the lock, of `.gitmodules` and of the gitlink does not fit what is wanted."""
    if not is_made(view.app, package, view.lock):
        return [git.not_made(package, view.lock)]
    locked = view.lock.commit_of(package.name, package.strategy)
    if view.current is None or view.repository is None or locked is None:
        # Whether a copy holds the files of the commit, `check` asks the package's host.
        if locked and is_copied(view.app, package):
            return []
        return [
            Finding(
                "change-not-made", package.name, "the app is in no Git repository", SYNC
            )
        ]
    path = view.repository.prefix + package.path
    if path in view.current.unsettled:
        text = "two branches pinned different commits of it; sync takes what private-packages.toml says"
        return [Finding("conflict", package.name, text, SYNC)]
    section, pinned = view.current.declared.get(path), view.current.gitlinks.get(path)
    if section is None or pinned is None:
        where = ".gitmodules" if section is None else "Git's index"
        return [
            Finding("change-not-made", package.name, f"{where} does not know it", SYNC)
        ]
    if section.get("url") != package.url:
        text = f".gitmodules fetches it from {section.get('url')}, and the answers say {package.url}"
        return [Finding("gitmodules", package.name, text, SYNC)]
    if pinned != locked.commit:
        text = (
            f"its pin was moved by hand to {pinned[:10]};"
            f" {package.ref or 'its default branch'} stood for {locked.commit[:10]}"
        )
        return [
            Finding(
                "moved-by-hand",
                package.name,
                text,
                f"{COMMAND} move {package.name} {pinned}",
            )
        ]
    return []


def checked_out(view: View, package: Package) -> list[Finding]:
    """Say whether the folder holds the commit that Git's index pins."""
    if view.current is None or view.repository is None:
        return []
    path = view.repository.prefix + package.path
    pinned = view.current.gitlinks.get(path)
    if not pinned:
        return []
    if view.current.folders[path] is Folder.OCCUPIED:
        text = f"{package.path} holds files that are no submodule; move them away"
        return [Finding("occupied", package.name, text, SYNC)]
    if view.current.folders[path] is Folder.EMPTY:
        return [
            Finding("not-fetched", package.name, f"{package.path} is empty", INSTALL)
        ]
    if view.current.modules[path] is not Module.READY:
        return [Finding("half-made", package.name, "its checkout broke off", SYNC)]
    head = view.current.heads[path]
    if head and head != pinned:
        text = f"{head[:10]} is checked out, and {pinned[:10]} is pinned; the next commit of all files would move the pin"
        return [
            Finding(
                "other-commit",
                package.name,
                text,
                f"{COMMAND} exec git submodule update --init {package.path}",
            )
        ]
    return _pointers(view, package)


def _pointers(view: View, package: Package) -> list[Finding]:
    """Say that files of Git LFS were not fetched: without git-lfs Git checks their pointers out, in silence."""
    folder = view.app.folder / package.path
    try:
        attributes = read_file(folder, ".gitattributes") or ""
    except Unreadable:
        attributes = "filter=lfs"
    if "filter=lfs" not in attributes:
        return []
    names = view.app.git.run("ls-files", "-z", "--", ":(attr:filter=lfs)", cwd=folder)
    for name in filter(None, names.split("\0")):
        if not is_pointer(folder / name):
            continue
        text = (
            f"{name} is a pointer of Git LFS, not the file; install git-lfs, type `git lfs install`,"
            " and then fetch the files"
        )
        cure = f"{COMMAND} exec git -C {package.path} lfs pull"
        return [Finding("lfs", package.name, text, cure)]
    return []


def use(view: View, package: Package) -> list[Finding]:
    """Say whether the app runs the files in the folder, which `checked_out` has found to be those wanted."""
    if view.app.config.platform == "viktor":
        if lacking := lacks(root_of(view.app, package)):
            return [not_on_viktor(package, lacking)]
        # Without the finder at work nothing can be said of its imports.
        served = view.probe and not view.probe.entry
        return _imported(view, package) if served else []
    return _installed(view, package) or _imported(view, package)


def not_on_viktor(package: Package, lacking: str) -> Finding:
    """Say that a package has to be built, what it lacks without, and what to choose instead."""
    text = (
        f"{lacking}, and VIKTOR builds and installs nothing in {SUBMODULES};"
        " take it from the index, or by a Git line"
    )
    return Finding("not-on-viktor", package.name, text, ANSWER)


def _installed(view: View, package: Package) -> list[Finding]:
    """Say whether the folder is what is installed under the package's name."""
    root = root_of(view.app, package)
    everything = view.probe.distributions.values() if view.probe else ()
    if any(one.folder == root.resolve() for one in everything):
        return []
    installed = view.probe.installed(package.name) if view.probe else None
    try:
        if not is_installable(root):
            return []
    except Unreadable as error:
        text = f"{error}; choose another ref"
        return [Finding("unreadable", package.name, text)]
    if installed is None:
        return [Finding("not-installed", package.name, "it is not installed", INSTALL)]
    text = (
        f"version {installed.version} is installed from {installed.origin},"
        f" not from {package.path}"
    )
    return [Finding("wrong-source", package.name, text, INSTALL)]


def _imported(view: View, package: Package) -> list[Finding]:
    """Say whether an import takes the files in the folder; a repository may hold more than its package."""
    modules = modules_in(root_of(view.app, package))
    origins = view.probe.origins if view.probe else {}
    here, app = (view.app.folder / package.path).resolve(), view.app.folder.resolve()
    if not modules:
        text = f"{package.path} holds no Python package; look at its ref"
        return [Finding("no-package", package.name, text)]
    for module in sorted(modules & origins.keys()):
        origin = origins[module]
        own = origin.is_relative_to(app) and "site-packages" not in origin.parts
        if not origin.is_relative_to(here) and not own:
            text = f"`import {module}` takes {origin}, not {package.path}; remove that"
            return [Finding("imported-from-elsewhere", package.name, text)]
    if modules.isdisjoint(origins):
        text = f"`import {min(modules)}` finds nothing"
        return [Finding("not-importable", package.name, text, INSTALL)]
    return []
