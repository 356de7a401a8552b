"""Make the packages in app/submodules importable, whatever their layout.

Written by `python -m private_packages sync`. The app's first import is that of this
module. It puts a finder in front of all others, which looks for a package in
`<folder>/src`, and in `<folder>` where there is no `src`, so that an old copy in
site-packages never wins over the submodule.
"""

import functools
import importlib.machinery
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

SUBMODULES = Path(__file__).resolve().parent / "submodules"

# The folders that are looked at, each with the subdirectory that holds its package.
PACKAGES: dict[str, str] = {}

# What lies beside a package in a repository, and is not for others to import.
NOT_PACKAGES = {
    "app",
    "benchmarks",
    "build",
    "conftest",
    "dist",
    "docs",
    "examples",
    "noxfile",
    "scripts",
    "setup",
    "tasks",
    "test",
    "tests",
    "tools",
}


def normalized(name: str) -> str:
    """Return a package's name as a module would be called."""
    return re.sub(r"[-_.]+", "_", name).lower()


FOLDERS = {normalized(name): SUBMODULES / name for name in PACKAGES}


def is_empty(folder: Path) -> bool:
    """Return whether a submodule's content was never fetched."""
    if not folder.is_dir():
        return True
    return all(entry.name in {".git", "__pycache__"} for entry in folder.iterdir())


def top_level(folder: Path) -> dict[str, Path]:
    """Return a submodule's importable names, each with the folder to search."""
    content = folder / PACKAGES.get(folder.name, "")
    has_source = (content / "src").is_dir()
    root = content / "src" if has_source else content
    called = normalized(folder.name)
    found = {}
    for entry in root.iterdir() if root.is_dir() else ():
        name = entry.name if entry.is_dir() else entry.stem
        if (
            not name.isidentifier()
            or name in NOT_PACKAGES
            or name in sys.stdlib_module_names
        ):
            continue
        if entry.is_dir():
            # Without __init__.py it is part of a namespace, or a folder of any kind.
            belongs = has_source or name in {called, called.split("_")[0]}
            if (entry / "__init__.py").is_file() or (
                belongs and any(entry.rglob("*.py"))
            ):
                found[name] = root
        elif entry.suffix == ".py":
            found[name] = root
    return found


@functools.cache
def roots() -> dict[str, list[str]]:
    """Return the folders to search for each top-level name; they are read once."""
    found: dict[str, list[str]] = {}
    for folder in FOLDERS.values():
        for name, root in top_level(folder).items():
            found.setdefault(name, []).append(str(root))
    return found


def share() -> None:
    """Put the roots on `sys.path`, in front of what is installed."""
    # The children of a process pool inherit it, and may need a package before `app`.
    known = (root for places in roots().values() for root in places)
    new = [root for root in dict.fromkeys(known) if root not in sys.path]
    installed = (
        at
        for at, entry in enumerate(sys.path)
        if entry.endswith(("site-packages", "dist-packages"))
    )
    at = next(installed, len(sys.path))
    sys.path[at:at] = new


class SubmoduleFinder:
    """A finder for `sys.meta_path` of the top-level names in app/submodules."""

    folder = SUBMODULES

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        """Return the spec of a name that a submodule holds, otherwise None.

        Raise ModuleNotFoundError, with the command to type, where its folder is empty.
        """
        if path is not None:
            # Whoever is about to start processes from scratch imports this first.
            if fullname == "multiprocessing.spawn":
                share()
            return None
        places = roots().get(fullname)
        if places is None:
            self.explain(fullname)
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, places)
        if spec is None or spec.loader or spec.submodule_search_locations is None:
            return spec
        # A namespace may have more parts in site-packages.
        parts = list(spec.submodule_search_locations)
        installed = importlib.machinery.PathFinder.find_spec(fullname)
        if installed is not None and installed.loader is None:
            parts += installed.submodule_search_locations or []
        spec = importlib.machinery.ModuleSpec(fullname, None, is_package=True)
        spec.submodule_search_locations = list(dict.fromkeys(parts))
        return spec

    def explain(self, fullname: str) -> None:
        """Raise ModuleNotFoundError where the package of that name is not fetched."""
        folder = FOLDERS.get(fullname.lower())
        if folder is not None and is_empty(folder):
            # The next try shall see what was fetched in between.
            roots.cache_clear()
            raise ModuleNotFoundError(
                f"app/submodules/{folder.name} is empty. "
                "Run: python -m private_packages install",
                name=fullname,
            )

    def invalidate_caches(self) -> None:
        """Forget what the folders hold; `importlib.invalidate_caches()` calls it."""
        roots.cache_clear()
        if "multiprocessing.spawn" in sys.modules:
            share()


def install() -> None:
    """Put the finder first, once, however often this file is loaded."""
    others = [
        finder
        for finder in sys.meta_path
        if getattr(finder, "folder", None) != SUBMODULES
    ]
    sys.meta_path[:] = [SubmoduleFinder(), *others]
    if "multiprocessing.spawn" in sys.modules:
        share()


install()
