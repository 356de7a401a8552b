"""What a package lacks as long as nobody has built it, as on VIKTOR: read as data from a stranger, by signs of its own.

What a package does without stands in a `try:`, so only lines that start at the margin count.
"""

from __future__ import annotations

import re
from pathlib import Path

from private_packages.package_files import (
    modules_in,
    read_file,
    read_pyproject,
    source_of,
)

_EXTENSIONS = r"ext_modules|cythonize|rust_extensions|cffi_modules"
_COMPILERS = ("maturin", "mesonpy", "scikit_build_core")


def lacks(root: Path) -> str:
    """Return in a clause what a package in a folder lacks; empty where it can be used as it is. Raises `Unreadable`."""
    if compiled := _compiled_by(root):
        return f"{compiled} compiles a part of it"
    source = source_of(root)
    for module in sorted(modules_in(root)):
        folder = source / module
        if folder.is_symlink() or (folder / "__init__.py").is_symlink():
            continue
        text = read_file(source, f"{module}/__init__.py") or ""
        own = rf"(?m)^from +(?:\.|{module}\.)([A-Za-z_][A-Za-z0-9_]*)[. ]"
        for name in re.findall(own, text):
            is_there = (source / module / name).is_dir() or any(
                (source / module).glob(f"{name}.*")
            )
            if not is_there:
                return f"{module}.{name} is made when it is built"
        if "importlib" in text and re.search(r"(?m)^[^\s#].*\bversion\(", text):
            return f"{module} asks for the version that an installation has"
    return ""


def _compiled_by(root: Path) -> str:
    # Setuptools calls those parts optional that a package does without.
    program = read_file(root, "setup.py") or ""
    if re.search(_EXTENSIONS, program) and "optional" not in program:
        return "setup.py"
    data = read_pyproject(root)
    system, tools = data.get("build-system"), data.get("tool")
    backend = system.get("build-backend") if isinstance(system, dict) else None
    setuptools = tools.get("setuptools") if isinstance(tools, dict) else None
    has_extensions = isinstance(setuptools, dict) and "ext-modules" in setuptools
    is_compiler = isinstance(backend, str) and backend.partition(".")[0] in _COMPILERS
    return "pyproject.toml" if has_extensions or is_compiler else ""
