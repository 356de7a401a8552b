"""What the app's environment holds, asked of its own Python in a process of its own.

Run as a script it prints JSON: the distributions that are installed, and where modules come from.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

if __name__ == "__main__":
    # Run by its path: this folder's modules would hide others of their names.
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from private_packages.markers import environment, holds, is_marker

# What is in a repository beside the package: never imported from there.
NOT_PACKAGES = frozenset(
    {
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
)


@dataclass(frozen=True)
class Installed:
    """One installed distribution.

    ``commit`` and ``folder`` are of `direct_url.json` (PEP 610): a Git commit, or the folder of an editable
    or local installation; ``origin`` says it in words.
    """

    version: str
    commit: str = ""
    folder: Path | None = None
    url: str = ""

    @property
    def origin(self) -> str:
        """Where it came from."""
        if self.folder:
            return str(self.folder)
        return self.url or "an index"


@dataclass(frozen=True)
class Probe:
    """``distributions`` by normalised name, ``origins`` of top-level modules, what markers are about."""

    distributions: Mapping[str, Installed]
    origins: Mapping[str, Path]
    environment: Mapping[str, str]

    def installed(self, name: str) -> Installed | None:
        """Return what is installed under a name."""
        return self.distributions.get(re.sub(r"[-_.]+", "-", name).lower())

    def applies(self, requirement: str) -> bool:
        """Tell whether a requirement's marker holds in the environment."""
        _, _, marker = requirement.partition(";" if " @ " not in requirement else " ;")
        return (
            not marker.strip()
            or not is_marker(marker)
            or holds(marker, self.environment)
        )

    @staticmethod
    def modules_in(root: Path) -> list[str]:
        """Return the top-level modules of a package's folder."""
        return sorted(modules_in(root))


def modules_in(root: Path) -> set[str]:
    """Return the importable names of a package's folder: in `src` where there is one, else at its top."""
    source = root / "src" if (root / "src").is_dir() else root
    if not source.is_dir():
        return set()
    found = set()
    for entry in source.iterdir():
        name = entry.name if entry.is_dir() else entry.stem
        if (
            not name.isidentifier()
            or name in NOT_PACKAGES
            or name in sys.stdlib_module_names
        ):
            continue
        namespace = source != root and entry.is_dir() and any(entry.rglob("*.py"))
        if (entry / "__init__.py").is_file() or namespace or entry.suffix == ".py":
            found.add(name)
    return found


def look(python: Path, app: Path, modules: Iterable[str]) -> Probe:
    """Ask an environment's Python; raises OSError and ValueError when it gives no answer."""
    question = json.dumps({"app": str(app), "modules": sorted(modules)})
    done = subprocess.run(
        [python, "-B", "-X", "utf8", __file__],
        cwd=app,
        input=question,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    if done.returncode:
        raise ValueError(done.stderr.strip().rpartition("\n")[2])
    answer: dict[str, Any] = json.loads(done.stdout)
    return Probe(
        distributions={
            name: _installed(*pair) for name, pair in answer["distributions"].items()
        },
        origins={name: Path(origin) for name, origin in answer["origins"].items()},
        environment=answer["environment"],
    )


def _installed(version: str, direct: dict[str, Any] | None) -> Installed:
    if not direct:
        return Installed(version)
    url = str(direct.get("url", ""))
    parts = urlsplit(url)
    shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    commit = str(direct.get("vcs_info", {}).get("commit_id", ""))
    folder = None
    if "dir_info" in direct:
        folder = Path(url2pathname(unquote(parts.path))).resolve()
    return Installed(version, commit, folder, shown)


def _distributions() -> dict[str, Sequence[Any]]:
    found: dict[str, Sequence[Any]] = {}
    for one in metadata.distributions():
        name = one.metadata["Name"]
        if name:
            text = one.read_text("direct_url.json")
            try:
                direct = json.loads(text) if text else None
            except ValueError:
                direct = None
            # The first on the search path is the one that is used.
            found.setdefault(
                re.sub(r"[-_.]+", "-", name).lower(), (one.version, direct)
            )
    return found


def _origins(modules: Iterable[str]) -> dict[str, str]:
    found = {}
    for name in modules:
        try:
            spec = find_spec(name)
        except (ImportError, ValueError, AttributeError):
            continue
        if spec is None:
            continue
        place = spec.origin or next(iter(spec.submodule_search_locations or []), "")
        if place:
            found[name] = str(Path(place).resolve())
    return found


def _main() -> None:
    question = json.load(sys.stdin)
    app = Path(question["app"])
    # As `python -m app` finds modules.
    sys.path[0] = str(app)
    finder = app / "app" / "_submodules.py"
    if finder.is_file():
        spec = spec_from_file_location("_submodules", finder)
        if spec and spec.loader:
            module = module_from_spec(spec)
            sys.modules["_submodules"] = module
            spec.loader.exec_module(module)
    answer = {
        "distributions": _distributions(),
        "origins": _origins(question["modules"]),
        "environment": environment(),
    }
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    _main()
