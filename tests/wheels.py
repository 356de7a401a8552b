"""Wheels and source distributions made by hand: small files that say where they came from."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Mapping
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
    code: str = "",
) -> Path:
    """Write a wheel whose one module has `ORIGIN = origin` and more code (binary distribution format specification)."""
    module = name.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    metadata += f"Requires-Dist: {needs}\n" if needs else ""
    files = {
        f"{module}.py": f"ORIGIN = {origin!r}\n{code}\n",
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
    files = {
        "pyproject.toml": "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n",
        "backend.py": f"open({str(witness)!r}, 'w').close()\n",
    }
    return archive(folder, name, version, files)


def archive(folder: Path, name: str, version: str, files: Mapping[str, str]) -> Path:
    """Write a source distribution of these files."""
    module = name.replace("-", "_")
    files = {**files, "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{module}-{version}.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for inside, text in files.items():
            entry = tarfile.TarInfo(f"{module}-{version}/{inside}")
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return path


# A build backend for the repository that it stands in: the modules beside it, as a wheel and as an editable one.
BACKEND = """
import base64, hashlib, pathlib, tomllib, zipfile

def _build(folder, files):
    project = tomllib.loads(pathlib.Path("pyproject.toml").read_text())["project"]
    version = project.get("version") or pathlib.Path("version.txt").read_text()
    stem = project["name"].replace("-", "_") + "-" + version
    info = stem + ".dist-info/"
    metadata = f"Metadata-Version: 2.1\\nName: {project['name']}\\nVersion: {version}\\n"
    metadata += "".join(f"Requires-Dist: {need}\\n" for need in project.get("dependencies", []))
    files[info + "METADATA"] = metadata
    files[info + "WHEEL"] = "Wheel-Version: 1.0\\nGenerator: tests\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
    files[info + "RECORD"] = "".join(f"{name},,\\n" for name in [*files, info + "RECORD"])
    name = stem + "-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(folder, name), "w") as archive:
        for inside, text in files.items():
            archive.writestr(inside, text)
    return name

def build_wheel(folder, config_settings=None, metadata_directory=None):
    modules = [path for path in pathlib.Path().glob("*.py") if path.name not in ("backend.py", "setup.py")]
    return _build(folder, {path.name: path.read_text() for path in modules})

def build_editable(folder, config_settings=None, metadata_directory=None):
    return _build(folder, {"_editable_" + pathlib.Path().resolve().name + ".pth": str(pathlib.Path().resolve())})
"""
