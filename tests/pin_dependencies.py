"""Pin every package of the project's own runs: `uv run python tests/pin_dependencies.py`.

uv.lock records the addresses of the index it was made with, so Git ignores it; this writes the
versions that uv has just chosen into `[tool.uv] constraint-dependencies` of pyproject.toml, where
they hold for everybody who types `uv run`.
"""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path

import tomlkit
import uv

ROOT = Path(__file__).resolve().parents[1]


def locked(lock: Path) -> list[str]:
    """Every package of a uv.lock as `name==version`; where versions differ by platform, with its marker."""
    packages = tomllib.loads(lock.read_text(encoding="utf-8"))["package"]
    pins = []
    for package in packages:
        if "version" not in package or "editable" in package["source"]:
            continue
        markers = package.get("resolution-markers", [])
        suffix = f" ; {' or '.join(f'({marker})' for marker in markers)}" if markers else ""
        pins.append(f"{package['name']}=={package['version']}{suffix}")
    return sorted(pins)


def main() -> None:
    """Take the old pins out, let uv choose anew, write the new ones."""
    path = ROOT / "pyproject.toml"
    document = tomlkit.parse(path.read_text(encoding="utf-8"))
    document["tool"]["uv"]["constraint-dependencies"] = tomlkit.array()  # type: ignore[index]
    path.write_text(tomlkit.dumps(document), encoding="utf-8")
    subprocess.run([uv.find_uv_bin(), "lock", "--upgrade"], cwd=ROOT, check=True)
    pins = tomlkit.array()
    for pin in locked(ROOT / "uv.lock"):
        pins.add_line(pin)
    pins.add_line(indent="")
    document["tool"]["uv"]["constraint-dependencies"] = pins  # type: ignore[index]
    path.write_text(tomlkit.dumps(document), encoding="utf-8")
    subprocess.run([uv.find_uv_bin(), "lock"], cwd=ROOT, check=True)


if __name__ == "__main__":
    main()
