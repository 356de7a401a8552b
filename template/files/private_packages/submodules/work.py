"""What of the user's a submodule holds: what would be lost if it were replaced, moved or removed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from private_packages.errors import GitError
from private_packages.files import read_text, remove
from private_packages.git import quoted
from private_packages.submodules.plan import Module
from private_packages.submodules.state import JOURNAL, has_files, read_module

if TYPE_CHECKING:
    from private_packages.repository import Repository

# How the reflog begins about what makes a commit (git-reflog(1)); a fast-forward makes none.
_MADE = ("commit", "merge", "rebase", "cherry-pick", "revert", "am", "pull")
_NO_CACHES = ("--", ".", ":(exclude,glob)**/__pycache__/**")


def work_in(
    repository: Repository, path: str, fetched: str = "", *, stays: bool = False
) -> str:
    """Return what would be lost with a submodule, beside what `edited_in_half` finds: a clause, or nothing.

    ``fetched`` is the commit that the lock says: it came from the server, whatever became of its branch there.
    ``stays``: the folder does, so that files which Git does not know are not lost (see `in_the_way`).
    """
    module, folder = repository.module(path), repository.top / path
    whole = (folder / ".git").is_file() and (module / "HEAD").is_file()
    if has_files(folder) and not whole:
        return "files that are no submodule"
    if not (module / "HEAD").is_file():
        return ""
    half = read_module(repository, path) is Module.HALF
    try:
        untracked = ("--untracked-files=no",) if stays else ()
        status = ("status", "--porcelain", *untracked, *_NO_CACHES)
        if whole and not half and repository.git.run(*status, cwd=folder):
            return "uncommitted changes"
        unpushed = _unpushed(repository, path, fetched)
    except GitError:
        return "" if half else "a repository that Git cannot read"
    return "commits that are on no server" if unpushed else ""


def in_the_way(repository: Repository, path: str, commit: str) -> str:
    """Return the first file that Git does not know and a commit would write over, or the empty string.

    What installers leave is nobody's work. Raises `GitError`.
    """
    exclude = repository.module(path).resolve() / "info" / "exclude"
    listed = repository.git.run(
        *("ls-files", "--others", "-z", f"--exclude-from={exclude}", *_NO_CACHES),
        cwd=repository.top / path,
    )
    names = [name for name in listed.split("\0") if name and not name.endswith("/")]
    return next(_taken(repository, path, names, commit), "") if names else ""


def _taken(
    repository: Repository, path: str, names: Iterable[str], *commits: str
) -> Iterator[str]:
    """Yield the names of which one of the commits has a file, or a folder, or a file in place of their folder."""
    files: set[str] = set()
    for commit in commits:
        listed = repository.in_module(
            path, "ls-tree", "-r", "-z", "--name-only", commit
        )
        # Upper and lower case are the same on many a disk.
        files |= {name.casefold() for name in listed.split("\0") if name}
    folders = {str(parent) for file in files for parent in PurePosixPath(file).parents}
    for name in names:
        parents = {str(one) for one in PurePosixPath(name.casefold()).parents}
        if name.casefold() in files | folders or parents & files:
            yield name


def _unpushed(repository: Repository, path: str, fetched: str) -> bool:
    """Tell whether commits would be lost with a submodule's repository; raises `GitError`."""
    known = repository.in_module(path, "for-each-ref", "--format=%(refname)").split()
    mine = [
        name for name in known if not name.startswith(("refs/remotes/", "refs/tags/"))
    ]
    # Nothing says whether a branch or a tag came from the server, or what the lock took over, but the reflog says
    # which commits came with the clone, as Git's own leaves a branch behind, and which were made here.
    reflog = [
        line.partition(" ")[::2]
        for line in repository.in_module(
            path, "log", "--walk-reflogs", "--format=%H %gs", "HEAD", "--"
        ).splitlines()
    ]
    from_server = [commit for commit, how in reflog if how.startswith("clone: from")]
    from_server += [fetched] if fetched else []
    if (repository.module(path) / "shallow").is_file():
        # A shallow clone pinned at a commit that no branch names looks unpushed.
        from_server += repository.run(
            "rev-parse", "--verify", "--quiet", f":{path}"
        ).split()
    # The lock may be newer than what is here.
    options = ("--ignore-missing", "--max-count=1")
    known_there = ("--not", "--remotes", "--tags", *from_server)
    if repository.in_module(
        path, "rev-list", *options, "HEAD", *mine, *known_there, "--"
    ):
        return True
    made = {
        commit
        for commit, how in reflog
        if how.startswith(_MADE) and not how.endswith("Fast-forward")
    }
    if not made:
        return False
    kept = repository.in_module(
        path, "rev-list", "HEAD", *mine, "--tags", "--not", "--remotes", "--"
    ).split()
    return not made.isdisjoint(kept)


def edited_in_half(repository: Repository, path: str, goes_to: str = "") -> str:
    """Return the first file of a half-made submodule that Git did not write, or the empty string.

    ``goes_to`` is the commit at which the folder stays: then only a file counts that this would write over.

    Git wrote what is a version of a file, or the beginning of one where it was killed. In what is no
    repository any more, a killed run has removed the files already.
    """
    folder = repository.top / path
    if (
        read_module(repository, path) is not Module.HALF
        or not (folder / ".git").is_file()
    ):
        return ""
    # The index of a checkout that was killed is about other files than those that are there.
    remove(repository.module(path) / "index")
    with contextlib.suppress(GitError):
        listed = repository.git.run(
            "ls-files", "--others", "--exclude-standard", "-z", *_NO_CACHES, cwd=folder
        )
        # A folder in this list is a repository of its own, and a link has no content of its own.
        names = [name for name in listed.split("\0") if name and not name.endswith("/")]
        files = [name for name in names if not (folder / name).is_symlink()]
        stdin = "".join(f'"{quoted(name)}"\n' for name in files)
        blobs = repository.git.run(
            "hash-object", "--stdin-paths", cwd=folder, stdin=stdin
        )
        known = repository.in_module(
            path, "cat-file", "--batch-check", stdin=blobs
        ).splitlines()
        mine = [
            name
            for name, blob in zip(files, known, strict=True)
            if blob.endswith(" missing") and not _is_beginning(repository, path, name)
        ]
        journal = repository.module(path) / JOURNAL
        if mine and goes_to and journal.exists():
            began = read_text(journal).strip()
            with contextlib.suppress(GitError):
                return next(_taken(repository, path, mine, "HEAD", began, goes_to), "")
        return mine[0] if mine else ""
    return ""


def _is_beginning(repository: Repository, path: str, name: str) -> bool:
    """Tell whether a file is what a killed checkout has written of any version of it."""
    content = (repository.top / path / name).read_bytes()
    versions = repository.in_module(
        path, "rev-list", "--objects", "--all", "HEAD", "--", f":(literal){name}"
    )
    for line in versions.splitlines():
        blob, _, place = line.partition(" ")
        if place == name:
            whole = repository.in_module(path, "cat-file", "blob", blob)
            if whole.encode("utf-8", "surrogateescape").startswith(content):
                return True
    return False
