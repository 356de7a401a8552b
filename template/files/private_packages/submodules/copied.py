"""Submodules whose files came without Git, as into an image: whether each is a file of the locked commit.

Nothing here says so: there is no pin and no history. So the commit is fetched once more, and Git compares the files
with it.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from private_packages import remote
from private_packages.errors import Failure, GitError
from private_packages.findings import Finding
from private_packages.names import normalised
from private_packages.pointers import HEAD, is_pointer
from private_packages.strategies.submodule import distribution_of, is_copied
from private_packages.submodules.state import has_files
from private_packages.versions import key_of

if TYPE_CHECKING:
    from private_packages.app import App
    from private_packages.config import Package
    from private_packages.lock import Lock, LockedCommit

# As they stand in the commit, or with the line ends of a checkout on Windows; which of them may be executed, no
# copy from there says. A package may ignore files, its user's own settings may not.
_COMPARED = ("-c", "core.fileMode=false", "-c")
_LINE_ENDS = ("core.autocrlf=false", "core.autocrlf=input")
_LIST = ("ls-files", "-z", "-t", "--exclude-per-directory=.gitignore")


def prove(app: App, lock: Lock) -> list[Finding]:
    """Find files of submodules that are not those of the locked commits; what is left out of a copy is no finding."""
    asked = [
        (one, locked)
        for one in app.config.of("submodule")
        if (locked := lock.commit_of(one.name, "submodule"))
    ]
    with ThreadPoolExecutor(max_workers=remote.AT_ONCE) as pool:
        found = pool.map(lambda one: _prove(app, *one), asked)
        return [finding for each in found for finding in each]


def _prove(app: App, package: Package, locked: LockedCommit) -> list[Finding]:
    try:
        with tempfile.TemporaryDirectory() as folder:
            scratch = Path(folder)
            wanted = ("--depth=1", "--", package.url, locked.commit)
            remote.fetch_bare(app, package, scratch, *wanted)
            changed, nested, pointers = _compare(app, package, scratch, locked.commit)
    except (Failure, GitError) as error:
        text = f"nobody can say whether its files are those of {locked.commit[:10]}: {error}"
        return [Finding("cannot-ask", package.name, text)]
    if changed:
        more = f", as are {len(changed) - 1} more" if len(changed) > 1 else ""
        text = (
            f"{package.path}/{changed[0]} is not as in {locked.stands_for}{more};"
            " copy it from a checkout that holds nothing else"
        )
        return [Finding("other-files", package.name, text)]
    if nested:
        text = (
            f"{package.path}/{nested[0]} is a submodule of its own, whose files only Git can vouch for; make"
            " the package a Git line where there is no Git repository"
        )
        return [Finding("other-files", package.name, text)]
    if pointers:
        text = (
            f"{package.path}/{pointers[0]} is a pointer of Git LFS, not the file;"
            " copy it from a checkout that holds the file"
        )
        return [Finding("other-files", package.name, text)]
    return []


def _compare(
    app: App, package: Package, scratch: Path, commit: str
) -> tuple[list[str], list[str], list[str]]:
    """Return the paths of files that the commit has otherwise or not at all, of submodules with files, and of pointers.

    What Git LFS holds is the file of the commit where its hash is that in the pointer there.
    """
    here = (f"--git-dir={scratch}", "--work-tree=.")
    folder = app.folder / package.path
    app.git.run(*here, "read-tree", commit, cwd=folder)
    different: set[str] | None = None
    for line_ends in _LINE_ENDS:
        listed = app.git.run(
            *_COMPARED,
            line_ends,
            *here,
            *_LIST,
            "--modified",
            "--deleted",
            "--others",
            cwd=folder,
        )
        entries = [one.partition(" ")[::2] for one in listed.split("\0") if one]
        gone = {path for tag, path in entries if tag == "R"}
        seen = {path for _, path in entries} - gone
        different = seen if different is None else different & seen
    tree = app.git.run(*here, "ls-files", "-z", "--stage", cwd=folder)
    gitlinks = [
        one.partition("\t")[2] for one in tree.split("\0") if one.startswith("160000 ")
    ]
    nested = [one for one in gitlinks if has_files(folder / one)]
    large = app.git.run(*here, "ls-files", "-z", "--", ":(attr:filter=lfs)", cwd=folder)
    there = [path for path in filter(None, large.split("\0")) if path not in gone]
    pointers = [path for path in there if is_pointer(folder / path)]
    fetched = {
        path
        for path in there
        if app.git.run(*here, "cat-file", "blob", f":{path}", cwd=folder)
        == _pointer_to(folder / path)
    }
    return sorted((different or set()) - fetched), nested, pointers


def _pointer_to(path: Path) -> str:
    """Return what stands for a file in Git, where Git LFS holds the file; empty where it is none."""
    if path.is_symlink() or not path.is_file():
        return ""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return f"{HEAD}v1\noid sha256:{digest}\nsize {file.tell()}\n"


def versions(app: App, lock: Lock) -> dict[str, str]:
    """Return the version of each submodule that has no history to take it from, by the name of its distribution.

    It is the one that the locked ref names; without one, `0` with the commit behind it. Raises `Failure`.
    """
    found = {}
    for package in app.config.of("submodule"):
        locked = lock.commit_of(package.name, "submodule")
        if locked and is_copied(app, package):
            version = re.sub(r"\A[^.]*?(?=[0-9]+\.)", "", locked.ref)
            known = key_of(version) is not None
            name = normalised(distribution_of(app, package))
            found[name] = version if known else f"0+g{locked.commit[:10]}"
    return found
