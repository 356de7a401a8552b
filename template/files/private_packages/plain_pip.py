"""What a host that runs plain pip on requirements.txt by itself might take of a private name: a public namesake.

That holds for what a package is built with, too, for which pip reads no line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from private_packages.findings import Finding
from private_packages.remote import AT_ONCE
from private_packages.resolution import Pinned, Resolution, read_compiled
from private_packages.uv import Uv, UvFailed, index_options
from private_packages.versions import is_same

if TYPE_CHECKING:
    from private_packages.app import App
    from private_packages.lock import Lock, LockedVersion

_OPTIONS = (
    *("--quiet", "-", "--no-deps", "--no-build", "--prerelease", "allow"),
    *("--generate-hashes", "--no-header", "--no-annotate"),
)


def namesakes(
    app: App, uv: Uv, lock: Lock, pinned: Iterable[Pinned], python: Path
) -> list[Finding]:
    """Find the packages of the private index for whose lines a public index has a file, too.

    With the scope `only` the private index itself may have more than the lock knows: some merge a public one.
    """
    index = app.config.index
    if index is None or index.scope == "files":
        return []
    alone = index.scope == "only"

    def ask(one: Pinned) -> Finding | None:
        locked, package = lock.version_of(one.name), app.config.named(one.name)
        if locked is None:
            return None
        requirement = package.requirement if package else one.name
        try:
            if alone:
                return _more(app, uv, python, locked, requirement)
            return _namesake(app, uv, python, locked, requirement)
        except UvFailed as error:
            what = "more than the lock knows" if alone else "it, too"
            text = f"it is unknown whether {'the private' if alone else 'a public'} index offers {what}: {error}"
            return Finding("cannot-ask", one.name, text.rstrip("."))

    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool, uv.stopping():
        return [one for one in pool.map(ask, pinned) if one]


def beyond(app: App, lock: Lock, builds: Resolution) -> Iterator[Finding]:
    """Find what plain pip, or uv as the installer, would look for on PyPI alone.

    Lines and sources that name an address do not count for a build.
    """
    index = app.config.index
    by_uv = app.config.installer == "uv"
    # uv asks the private index first, and knows no repository in its place.
    by_file = index is not None and index.scope == "files" and not by_uv
    pip = "uv" if by_uv else "plain pip"
    if app.config.platform == "viktor" and not by_uv:
        pip = "VIKTOR runs plain pip, which"
    for one in builds.pinned:
        package = app.config.named(one.name)
        from_repository = package is not None and package.strategy != "index"
        if from_repository or (by_file and lock.version_of(one.name)):
            text = (
                f"a package is built with it, and {pip} would look for it on PyPI alone; publish that package as a"
                " wheel on the private index, and take it from there"
            )
            yield Finding("not-for-pip", one.name, text)


def _namesake(
    app: App, uv: Uv, python: Path, locked: LockedVersion, requirement: str
) -> Finding | None:
    ours = set(locked.files.values())
    offered = _offered(app, uv, python, requirement)
    if offered is None or (offered and all(set(one.hashes) <= ours for one in offered)):
        return None
    # Who publishes the very file there, too, owns the name there.
    same = _offered(app, uv, python, f"{locked.name}=={locked.version}")
    if same and any(ours & set(one.hashes) for one in same):
        return None
    version = f" {offered[0].version}" if offered else ""
    text = (
        f"a public index offers{version} under this name, and plain pip might take that"
    )
    return Finding("public-namesake", locked.name, text)


def _more(
    app: App, uv: Uv, python: Path, locked: LockedVersion, requirement: str
) -> Finding | None:
    offered = _offered(app, uv, python, requirement, index_options(app))
    # Other files of the same version are told already.
    if not offered or is_same(offered[0].version, locked.version):
        return None
    text = f"the private index offers {offered[0].version}, which the lock does not know, and plain pip takes that"
    return Finding("public-namesake", locked.name, text)


def _offered(
    app: App,
    uv: Uv,
    python: Path,
    requirement: str,
    options: Sequence[str] = (),
) -> Sequence[Pinned] | None:
    """Return what an index, by default a public one, has for a requirement; nothing where it has sources alone, None where it has none.

    Raises `UvFailed` when it cannot be asked.
    """
    try:
        output = uv.run(
            *("pip", "compile", *_OPTIONS, *options, "--python", str(python)),
            stdin=f"{requirement}\n",
        )
    except UvFailed as error:
        if re.search(r"has no (?:usable )?wheels", error.said):
            return ()
        if "No solution found" in error.said and "could not be" not in error.said:
            return None
        raise
    return tuple(read_compiled(output, app)) or None
