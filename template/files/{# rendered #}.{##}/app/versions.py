"""Which versions of its private packages the app runs with."""

import tomllib
from importlib import metadata
from pathlib import Path

APP = Path(__file__).resolve().parent
WANTED = APP.parent / "private-packages.toml"


def private_packages() -> dict[str, str]:
    """The private packages' names, each with the way it gets into the app."""
    try:
        wanted = tomllib.loads(WANTED.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {one["name"]: one["strategy"] for one in wanted.get("packages", [])}


def versions() -> dict[str, str]:
    """The version of each private package, or why there is none."""
    return {
        name: _installed(name) or _checked_out(APP / "submodules" / name)
        for name in private_packages()
    }


def _installed(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _checked_out(folder: Path) -> str:
    """The version that a submodule's pyproject.toml states."""
    if not folder.is_dir() or not any(folder.iterdir()):
        return "not installed"
    try:
        text = (folder / "pyproject.toml").read_text(encoding="utf-8")
        return str(tomllib.loads(text)["project"]["version"])
    except (OSError, ValueError, KeyError):
        return "checked out"
