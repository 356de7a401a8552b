"""Wheels and source distributions made by hand: small files that say where they came from."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path


def wheel(
    folder: Path,
    name: str,
    version: str,
    origin: str,
    *,
    tag: str = "py3-none-any",
    build: str = "",
    needs: str = "",
) -> Path:
    """Write a wheel whose one module has `ORIGIN = origin` (binary distribution format specification)."""
    module = name.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    metadata += f"Requires-Dist: {needs}\n" if needs else ""
    files = {
        f"{module}.py": f"ORIGIN = {origin!r}\n",
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: {tag}\n"
        + (f"Build: {build}\n" if build else ""),
    }
    record = f"{info}/RECORD"
    files[record] = "".join(f"{path},,\n" for path in [*files, record])
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "-".join(filter(None, [module, version, build, tag + ".whl"]))
    with zipfile.ZipFile(path, "w") as archive:
        for inside, text in files.items():
            archive.writestr(inside, text)
    return path


def sdist(folder: Path, name: str, version: str, witness: Path) -> Path:
    """Write a source distribution whose own build backend creates the file `witness` as soon as it is asked."""
    module = name.replace("-", "_")
    files = {
        "pyproject.toml": "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n",
        "backend.py": f"open({str(witness)!r}, 'w').close()\n",
        "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{module}-{version}.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for inside, text in files.items():
            entry = tarfile.TarInfo(f"{module}-{version}/{inside}")
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return path
