"""What packages are built with, read before anything is built: a build runs it.

Of a Git line that stands in its repository, at the locked commit; of a source distribution in the archive. Both are
read as data from a stranger: one regular file, at most 1 MB of it, and nothing but plain requirements comes out.
"""

from __future__ import annotations

import contextlib
import os
import posixpath
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from private_packages import app_needs, archives, git, index, remote
from private_packages.errors import Failure, GitError, Unreadable
from private_packages.findings import Finding, Stop
from private_packages.names import normalised
from private_packages.needs import build_requirements_in, name_of
from private_packages.package_files import LARGEST
from private_packages.versions import satisfies

if TYPE_CHECKING:
    from private_packages.allow import Allowed
    from private_packages.app import App
    from private_packages.config import Package
    from private_packages.lock import Lock
    from private_packages.uv import Uv

Lines = tuple[str, ...]

# Nobody's archive is larger.
_LARGEST_ARCHIVE = 500_000_000
# Of a version that the lock does not know yet, any that is offered may be the one.
_MOST_ARCHIVES = 20
# Git looks for each object in one after the other. Their paths stand in a variable, too.
_CHECKOUTS_AT_ONCE = 16
# So long are the names of uv's checkouts at least (git-rev-parse(1), "--short").
_SHORT = 7
# What is larger is no pyproject.toml that is read.
_SMALL = "--filter=blob:limit=1m"
_ALL = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*", "+HEAD:refs/default")


def in_cache(app: App, uv: Uv, lock: Lock) -> dict[Package, Lines]:
    """Return what the Git lines say that they are built with, as far as uv's cache tells without asking anybody."""
    refs = {one: _ref_of(one, lock) for one in app.config.of("git")}
    return _in_cache(app, uv, refs) if refs else {}


def read(
    app: App, lock: Lock, allowed: Allowed, known: Mapping[Package, Lines]
) -> list[Lines]:
    """Return what the Git lines, and the private packages that may be built from source, say that they are built with.

    ``known`` is what `in_cache` told. What several are built with comes once. Raises `Stop` for what cannot be read.
    """
    refs = {one: _ref_of(one, lock) for one in app.config.of("git")}
    with ThreadPoolExecutor(max_workers=remote.AT_ONCE) as pool:
        asked = [
            pool.submit(_of_git_line, app, one, ref)
            for one, ref in refs.items()
            if one not in known
        ]
        asked += [pool.submit(_of_source, app, one, lock) for one in allowed.build]
        read = [one for each in asked for one in each.result()]
    return list(dict.fromkeys([*known.values(), *read]))


def _unknown(name: str, error: object) -> Stop:
    text = f"nobody can say what it is built with: {error}"
    return Stop([Finding("cannot-ask", name, text)])


# --- Git lines ---


def _cache_of(uv: Uv) -> Path | None:
    """Return the folder of uv's cache; None where it keeps none."""
    # A value that uv would refuse, it refuses by itself.
    if uv.env.get("UV_NO_CACHE", "0").lower() not in ("0", "false", "no", "n", "off"):
        return None
    # It starts from the folder in which uv runs.
    return uv.app.folder / uv.run("cache", "dir").strip()


def _ref_of(package: Package, lock: Lock) -> str:
    locked = lock.commit_of(package.name, "git")
    return locked.commit if locked else package.ref


def _in_cache(app: App, uv: Uv, refs: Mapping[Package, str]) -> dict[Package, Lines]:
    """Return what can be read of locked commits in uv's checkouts, with three Git processes for sixteen packages.

    A commit's name is that of its content, wherever it is found: a build leaves other files in a checkout. What is
    missing here, or odd, is looked for in the repository itself.
    """
    cache = _cache_of(uv)
    if cache is None:
        return {}
    by_start: dict[str, list[Path]] = {}
    for checkout in cache.glob("git-v*/checkouts/*/*/"):
        by_start.setdefault(checkout.name[:_SHORT], []).append(checkout)
    checkouts = {
        package: by_start[ref[:_SHORT]]
        for package, ref in refs.items()
        if remote.is_commit(ref) and ref[:_SHORT] in by_start
    }
    packages = list(checkouts)
    parts = [
        packages[start : start + _CHECKOUTS_AT_ONCE]
        for start in range(0, len(packages), _CHECKOUTS_AT_ONCE)
    ]

    def look(some: Sequence[Package]) -> dict[Package, Lines]:
        folders = [folder for one in some for folder in checkouts[one]]
        try:
            return _in_checkouts(app, {one: refs[one] for one in some}, folders)
        except (GitError, Unreadable):
            return {}

    with ThreadPoolExecutor(max_workers=remote.AT_ONCE) as pool:
        return {
            one: lines
            for found in pool.map(look, parts)
            for one, lines in found.items()
        }


def _in_checkouts(
    app: App, commits: Mapping[Package, str], checkouts: Sequence[Path]
) -> dict[Package, Lines]:
    """Read it in all checkouts at once. Raises `GitError`, and `Unreadable` where one is odd."""
    objects = [f'"{git.quoted(str(one / ".git" / "objects"))}"' for one in checkouts]
    # Where Git looks for objects as well (git(1), "ENVIRONMENT VARIABLES").
    more = {"GIT_ALTERNATE_OBJECT_DIRECTORIES": os.pathsep.join(objects)}
    env = {**app.git.env, **more}

    def ask(*options: str, about: Iterable[str]) -> str:
        stdin = "".join(f"{one}\n" for one in about)
        return app.git.run("cat-file", *options, cwd=checkouts[0], stdin=stdin, env=env)

    asked = [
        name
        for package, commit in commits.items()
        for name in (
            f"{commit}:{package.subdirectory}",
            f"{commit}:{posixpath.join(package.subdirectory, 'pyproject.toml')}",
        )
    ]
    with ThreadPoolExecutor() as pool:
        ways = ((), ("--follow-symlinks",))
        said, followed = pool.map(
            lambda way: ask("--batch-check", *way, about=asked), ways
        )
    # Of a link the second answer is another; of one that leads nowhere it has lines of its own.
    if said != followed:
        raise Unreadable("a pyproject.toml is no file")
    answers = iter(said.split("\n"))
    blobs: dict[Package, str] = {}
    found: dict[Package, Lines] = {}
    for package, folder, file in zip(commits, answers, answers, strict=False):
        blob, _, size = file.partition(" blob ")
        if not re.fullmatch(r"[0-9a-f]+ tree \d+", folder):
            continue
        if file.endswith(" missing"):
            found[package] = tuple(build_requirements_in(None))
        elif size.isdecimal() and int(size) <= LARGEST:
            blobs[package] = blob
    contents = git.contents(ask("--batch", about=blobs.values()))
    for package, text in zip(blobs, contents, strict=True):
        with contextlib.suppress(Unreadable):
            found[package] = _said_in(text)
    return found


def _of_git_line(app: App, package: Package, ref: str) -> list[Lines]:
    try:
        with tempfile.TemporaryDirectory() as scratch:
            revision = _fetch(app, package, ref, Path(scratch))
            return [_at(app, package, Path(scratch), revision)]
    except (Failure, GitError) as error:
        raise _unknown(package.name, error) from error


def _fetch(app: App, package: Package, ref: str, scratch: Path) -> str:
    """Fetch the commit, or else all, into a bare repository; return what to look for there. Raises `Failure`."""
    if remote.is_commit(ref):
        options = (_SMALL, "--depth=1", "--", package.url, ref)
        remote.fetch_bare(app, package, scratch, *options)
        return ref
    remote.fetch_bare(app, package, scratch, _SMALL, "--", package.url, *_ALL)
    # A branch before a tag of the same name, as pip looks for them.
    names = [f"refs/heads/{ref}", f"refs/tags/{ref}", ref] if ref else ["refs/default"]
    asked = "".join(f"{name}^{{commit}}\n" for name in names)
    said = app.git.run(
        "cat-file", "--batch-check=%(objectname)", cwd=scratch, stdin=asked
    )
    found = [line for line in said.splitlines() if " " not in line]
    if not found:
        raise Failure(remote.no_such_ref(package, ref, ()))
    return found[0]


def _at(app: App, package: Package, folder: Path, commit: str) -> Lines:
    """Read it in a repository. Raises `Unreadable`, and `GitError` where the repository does not have the commit."""

    def entry(path: str) -> list[str]:
        listed = app.git.run(
            "ls-tree", "-l", "--full-tree", commit, "--", path, cwd=folder
        )
        return listed.partition("\t")[0].split()

    found = entry("/".join(filter(None, (package.subdirectory, "pyproject.toml"))))
    if not found:
        if package.subdirectory and entry(package.subdirectory)[1:2] != ["tree"]:
            raise Unreadable(f"its repository has no folder {package.subdirectory}")
        return tuple(build_requirements_in(None))
    mode, _, blob, size = found
    if not mode.startswith("100"):
        raise Unreadable("its pyproject.toml is no file")
    if int(size) > LARGEST:
        raise Unreadable("its pyproject.toml is larger than 1 MB")
    text = app.git.run("cat-file", "blob", blob, cwd=folder)
    return _said_in(text)


def _said_in(text: str) -> Lines:
    """Read a pyproject.toml as Git printed it. Raises `Unreadable`."""
    if re.search(r"[\ud800-\udfff]", text):
        raise Unreadable("its pyproject.toml is no UTF-8")
    return tuple(build_requirements_in(text))


# --- source distributions ---


def _of_source(app: App, name: str, lock: Lock) -> list[Lines]:
    package = app.config.named(name)
    if package and package.strategy != "index":
        return []
    try:
        return [
            _inside(app, file, sha256) for file, sha256 in _sources(app, name, lock)
        ]
    except Failure as error:
        raise _unknown(name, error) from error


def _sources(
    app: App, name: str, lock: Lock
) -> Iterator[tuple[index.OfferedFile, str]]:
    """Yield the source distributions of the private index that may be built, each with the sha256 that it must have.

    A public package is nobody's here: what that is built with, only its author knows. Raises `Failure`.
    """
    private, locked = app.config.index, lock.version_of(name)
    prefixes = app.config.private_prefixes
    is_owned = locked or app.config.named(name) or name.startswith(prefixes)
    if private is None:
        if is_owned:
            raise Failure(
                "its name is private, and there is no private index; take it out of private-packages.allow.toml"
            )
        return
    # An index that stands in for PyPI has everything, and what it has is built with what it has.
    if private.scope == "only" and not is_owned:
        return
    try:
        offered = index.files_of(app, name)
    except index.NotThere:
        if is_owned:
            raise
        return
    files = [
        file for file in offered if file.version and not file.name.endswith(".whl")
    ]
    if locked:
        known = [one for one in locked.files if not one.endswith(".whl")]
        if gone := set(known) - {file.name for file in files}:
            raise Failure(f"the private index does not offer {min(gone)} any more")
        yield from (
            (file, locked.files[file.name]) for file in files if file.name in known
        )
        return
    wanted = _wanted(app, name)
    files = [file for file in files if _is_in(file.version, wanted)]
    if len(files) > _MOST_ARCHIVES:
        raise Failure(
            f"the private index offers {len(files)} source distributions of it, and the lock knows none yet;"
            f" write a line `{name}==VERSION` into requirements.txt"
        )
    yield from ((file, file.sha256) for file in files)


def _wanted(app: App, name: str) -> str:
    """Return the line of a name among what the app needs, or nothing."""
    lines = (line.text for line in app_needs.read(app))
    return next((one for one in lines if normalised(name_of(one)) == name), "")


def _is_in(version: str, requirement: str) -> bool:
    """Tell whether a version may be the one that a line means; what is no plain clause allows any."""
    clauses = re.findall(
        r"(===?|[~<>!]=|<|>)\s*([^\s,;()]+)", requirement.partition(";")[0]
    )
    return all(satisfies(version, *clause) is not False for clause in clauses)


def _inside(app: App, file: index.OfferedFile, sha256: str) -> Lines:
    """Download an archive, and read it there. Raises `Failure`."""
    with tempfile.TemporaryFile() as archive:
        found = index.download(app, file, archive, _LARGEST_ARCHIVE)
        # A page need not say it; of what the lock knows it is known.
        if sha256 and found != sha256:
            raise Failure(
                f"what the private index offers as {file.name} is not the file that it should be"
            )
        archive.seek(0)
        return tuple(build_requirements_in(archives.pyproject_in(archive, file.name)))
