"""What `probe.look` runs with the app's own Python: it prints JSON about what is installed and imported there.

Only the standard library, `markers` and `pointers`: that Python need not have anything else.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import re
import sys
import traceback
from collections.abc import Collection, Iterable, Iterator
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

# Run by its path: this folder's modules would hide others of their names.
sys.path[0] = str(Path(__file__).resolve().parents[1])

from private_packages.markers import environment  # noqa: E402  needs the search path
from private_packages.pointers import is_pointer  # noqa: E402


def _distributions(private: Collection[str]) -> dict[str, dict[str, Any]]:
    """Return what is installed, by normalised name; of private ones also their modules, and where they lie."""
    found: dict[str, dict[str, Any]] = {}
    for one in metadata.distributions():
        name = re.sub(r"[-_.]+", "-", one.metadata["Name"] or "").lower()
        # The first on the search path is the one that is used.
        if not name or name in found:
            continue
        text = one.read_text("direct_url.json")
        try:
            direct = json.loads(text) if text else None
        except ValueError:
            direct = None
        found[name] = {"version": one.version, "direct_url": direct}
        if name in private:
            found[name]["modules"] = sorted(_modules(one))
            found[name]["place"] = str(Path(str(one.locate_file(""))).resolve())
            if direct and "vcs_info" in direct:
                found[name]["pointer"] = next(_pointers(one), "")
    return found


def _pointers(distribution: metadata.Distribution) -> Iterator[str]:
    """Yield the installed files of a distribution that stand for others in Git LFS."""
    for file in distribution.files or []:
        if is_pointer(Path(str(distribution.locate_file(file)))):
            yield file.as_posix()


def _modules(distribution: metadata.Distribution) -> Iterator[str]:
    """Yield the top-level modules that a distribution has installed."""
    for file in distribution.files or []:
        first = file.parts[0]
        name = first.removesuffix(".py") if len(file.parts) == 1 else first
        if file.suffix in (".py", ".so", ".pyd") and name.isidentifier():
            yield name


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


def _start() -> tuple[str, list[str]]:
    """Import the app as VIKTOR does; return why the finder of the submodules is not at work, or nothing, and the files
    whose code led there.
    """
    try:
        # What the app prints is not the answer.
        with contextlib.redirect_stdout(io.StringIO()):
            importlib.import_module("app")
    except BaseException as error:
        frames = traceback.extract_tb(error.__traceback__)
        why = f"the app does not start: {type(error).__name__}: {error}".rstrip(": ")
        return why, [frame.filename for frame in frames]
    finders = {getattr(one, "folder", None) for one in sys.meta_path}
    served = Path.cwd().resolve() / "app" / "submodules" in finders
    return "" if served else "no finder", []


def _main() -> None:
    question = json.load(sys.stdin)
    app = Path(question["app"])
    # As `python -m app` finds modules.
    sys.path[0] = str(app)
    entry, led_by = _start() if question["start"] else ("", [])
    distributions = _distributions(question["private"])
    modules = {
        name for one in distributions.values() for name in one.get("modules", ())
    }
    answer = {
        "distributions": distributions,
        "origins": _origins({*question["modules"], *modules}),
        "environment": environment(),
        "entry": entry,
        "led_by": led_by,
    }
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    _main()
