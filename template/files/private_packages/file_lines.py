"""Lines that name the files of the private index by their addresses and sha256, so that pip can take no other.

That is `index_scope: files`, for hosts that run plain pip on requirements.txt by themselves (pip, "Requirement
Specifiers": a direct reference with a hash). The lock knows addresses and hashes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from private_packages.errors import Unreadable
from private_packages.lock import LockedVersion, is_needed_only
from private_packages.names import COMMAND

if TYPE_CHECKING:
    from private_packages.app import App
    from private_packages.config import Index, Package
    from private_packages.lock import Lock

# What pip calls the systems of a wheel's platform tag (packaging.python.org, "Platform compatibility tags", PEP 508).
_SYSTEMS: tuple[tuple[str, str, dict[str, str]], ...] = (
    (r"(?:manylinux|linux).*_(x86_64|aarch64)", "linux", {}),
    (r"win_(amd64|arm64)", "win32", {"amd64": "AMD64", "arm64": "ARM64"}),
    (r"macosx_.*_(x86_64|arm64)", "darwin", {}),
)
_REQUIREMENT = re.compile(r"([^\s\[(<>=!~;]+)\s*(\[[^\]]*\])?[^;]*(?:;\s*(.*))?")


def lines_of(index: Index, package: Package, lock: Lock) -> list[str]:
    """Return a package's lines, one for each kind of system that the locked files are for.

    Raises `errors.Unreadable` when pip could take none of them by its address.
    """
    locked = lock.version_of(package.name)
    if locked is None or locked.requirement != package.requirement or not locked.urls:
        return [
            f"# {package.name}: its file is not known yet; `{COMMAND} sync` asks the index"
        ]
    found = _REQUIREMENT.fullmatch(package.requirement)
    extras, marker = (found[2] or "", found[3] or "") if found else ("", "")
    return _lines(index, package.name + extras, marker, locked)


def needed_lines(index: Index, lock: Lock) -> Iterator[str]:
    """Yield the lines of packages that only another one needs. Raises `errors.Unreadable`."""
    for locked in sorted(lock.values(), key=lambda one: one.name):
        if isinstance(locked, LockedVersion) and is_needed_only(locked) and locked.urls:
            yield from _lines(index, locked.name, "", locked)


def requirements_by_line(app: App, lock: Lock) -> dict[str, str]:
    """Return what uv is asked in place of each such line: the index offers what the line names.

    Nothing where the files are not named. Raises `errors.Unreadable`.
    """
    index = app.config.index
    if index is None or index.scope != "files":
        return {}
    found = {
        line: package.requirement
        for package in app.config.of("index")
        for line in lines_of(index, package, lock)
    }
    for locked in lock.values():
        if isinstance(locked, LockedVersion) and is_needed_only(locked) and locked.urls:
            for line in _lines(index, locked.name, "", locked):
                found[line] = f"{locked.name}=={locked.version}"
    return found


def _lines(index: Index, name: str, marker: str, locked: LockedVersion) -> list[str]:
    wheels = _by_marker(locked)
    if not wheels:
        raise Unreadable(
            f"its version {locked.version} has no wheel that pip could take by its address;"
            " choose another scope for the index with `copier update --vcs-ref :current: --trust`"
        )
    lines = []
    for system, file in wheels.items():
        both = " and ".join(
            f"({one})" if system and marker else one for one in (marker, system) if one
        )
        scheme, _, rest = locked.urls[file].partition("://")
        login = f"{index.user_info}@" if index.user_info else ""
        url = f"{scheme}://{login}{rest}#sha256={locked.files[file]}"
        lines.append(f"{name} @ {url}{f' ; {both}' if both else ''}")
    return lines


def _by_marker(locked: LockedVersion) -> dict[str, str]:
    """Return the wheels by the marker of the systems that they are for; one for all goes before."""
    found: dict[str, str] = {}
    for file in sorted(locked.urls):
        for marker in _markers(file):
            found.setdefault(marker, file)
    return {"": found[""]} if "" in found else found


def _markers(file: str) -> Iterator[str]:
    """Yield a marker for each system that a wheel's name is for (PEP 427); none for another file."""
    parts = file.removesuffix(".whl").split("-")
    if not file.endswith(".whl") or len(parts) < 5:
        return
    python, abi, platforms = parts[-3:]
    version = ""
    if cpython := re.fullmatch(r"cp3([0-9]+)", python):
        sign = ">=" if abi == "abi3" else "=="
        version = f'python_version {sign} "3.{cpython[1]}"'
    elif "py3" not in python.split("."):
        return
    for platform in platforms.split("."):
        if platform == "any":
            yield version
        for pattern, system, spelled in _SYSTEMS:
            if one := re.fullmatch(pattern, platform):
                machine = spelled.get(one[1], one[1])
                about = (
                    f'sys_platform == "{system}" and platform_machine == "{machine}"'
                )
                yield f"{version} and {about}" if version else about
