"""Reading what stands in the app's repository: three Git processes, whatever its size."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from private_packages.errors import GitError
from private_packages.files import read_text
from private_packages.lock import Lock, LockedCommit
from private_packages.names import normalised
from private_packages.submodules.gitdir import head_of, read_link
from private_packages.submodules.plan import (
    OURS,
    Current,
    Folder,
    Module,
    Section,
    Wanted,
)

if TYPE_CHECKING:
    from private_packages.config import Config
    from private_packages.repository import Repository

_CONFLICT = b"<<<<<<< "
# In a submodule's repository as long as files are checked out in place: a killed run leaves it behind.
JOURNAL = "private-packages.checkout"

# In one that was taken over, as long as there is something left of the old one.
TAKING = "private-packages.taking"


@dataclass(frozen=True)
class Settings:
    """What Git's configuration (git-config(1)) says about submodules and clones.

    ``urls``: the addresses that `git submodule init` has written, by name, which is the path.
    ``selects``: the user chooses active submodules by `submodule.active`. ``has_template``: the user
    has a template for new repositories. ``has_protocol``: the user chose a version of Git's protocol.
    """

    urls: dict[str, str]
    selects: bool
    has_template: bool
    has_protocol: bool


def read_settings(repository: Repository) -> Settings:
    """Read the configuration with one Git process."""
    wanted = (
        r"^(submodule\..*\.url|submodule\.active|init\.templatedir|protocol\.version)$"
    )
    try:
        listed = repository.run("config", "-z", "--get-regexp", wanted)
    except GitError:
        # Git fails where nothing matches.
        listed = ""
    found = dict(item.partition("\n")[::2] for item in listed.split("\0") if item)
    return Settings(
        urls={
            key.removeprefix("submodule.").removesuffix(".url"): url
            for key, url in found.items()
            if key.endswith(".url")
        },
        selects="submodule.active" in found,
        has_template="init.templatedir" in found,
        has_protocol="protocol.version" in found,
    )


def wanted_submodules(config: Config, repository: Repository) -> tuple[Wanted, ...]:
    """Return the submodules that are wanted, with their paths from the top of the repository."""
    return tuple(
        Wanted(one, f"{repository.prefix}{one.path}") for one in config.of("submodule")
    )


def read_current(
    repository: Repository, wanted: Sequence[Wanted], lock: Lock
) -> Current:
    """Read what `plan` has to know; raises `GitError`."""
    locked = {
        f"{repository.below}{entry.name}": entry
        for entry in lock.values()
        if isinstance(entry, LockedCommit) and entry.strategy == "submodule"
    }
    gitlinks, stages, blob, unmerged = _index(repository)
    recorded = _sections(repository, "--blob", ":.gitmodules") if "0" in stages else {}
    if _is_conflicted(repository, stages):
        return Current(
            repository.below,
            gitlinks=gitlinks,
            recorded=recorded,
            locked=locked,
            unmerged=True,
        )
    same = blob and _is_blob(repository.gitmodules, blob)
    declared = recorded if same else _declared(repository)
    lost = [path for path in recorded if path not in declared and path not in gitlinks]
    if lost:
        for entry in filter(
            None, repository.run("ls-files", "--stage", "-z", "--", *lost).split("\0")
        ):
            meta, _, path = entry.partition("\t")
            gitlinks[path] = meta.split()[1]
    paths = [one.path for one in wanted]
    current = Current(
        below=repository.below,
        gitlinks=gitlinks,
        declared=declared,
        recorded=recorded,
        folders={path: read_folder(repository, path) for path in paths},
        modules={path: read_module(repository, path) for path in paths},
        heads={path: head_of(repository.module(path)) for path in paths},
        locked=locked,
        unsettled=frozenset(unmerged | _contested(repository, gitlinks, lock)),
    )
    return replace(current, left=leftovers(repository, paths, current))


def _contested(
    repository: Repository, gitlinks: Mapping[str, str], lock: Lock
) -> set[str]:
    """Return the gitlinks that Git took from one side of a conflict in the lock, which may be settled otherwise."""
    found = set()
    for path, commit in gitlinks.items():
        key = normalised(path.removeprefix(repository.below))
        locked = lock.get(key)
        settled = isinstance(locked, LockedCommit) and locked.commit == commit
        if locked and not settled and commit in lock.contested.get(key, ()):
            found.add(path)
    return found


def _index(
    repository: Repository,
) -> tuple[dict[str, str], set[str], str, set[str]]:
    """Return the gitlinks below the app's folder, the stages and the blob of ``.gitmodules``, and gitlinks in conflict."""
    gitlinks: dict[str, str] = {}
    unmerged: set[str] = set()
    stages: set[str] = set()
    blob = ""
    # A new app has no index yet, which saves it this process.
    if (repository.git_dir / "index").exists():
        listed = repository.run(
            "ls-files", "--stage", "-z", "--", repository.below, ".gitmodules"
        )
        for entry in filter(None, listed.split("\0")):
            meta, _, path = entry.partition("\t")
            mode, commit, stage = meta.split()
            if path == ".gitmodules":
                stages.add(stage)
                blob = commit
            elif mode == "160000":
                gitlinks[path] = commit
                if stage != "0":
                    unmerged.add(path)
    return gitlinks, stages, blob, unmerged


def _is_conflicted(repository: Repository, stages: set[str]) -> bool:
    if stages & {"1", "2", "3"}:
        return True
    try:
        return any(
            line.startswith(_CONFLICT)
            for line in repository.gitmodules.read_bytes().splitlines()
        )
    except OSError:
        return False


def _is_blob(path: Path, blob: str) -> bool:
    """Tell whether a file is the blob of that id (Pro Git, "Git Objects"); a process of Git's less to start."""
    try:
        content = path.read_bytes()
    except OSError:
        return False
    new = hashlib.sha1 if len(blob) == 40 else hashlib.sha256
    return new(b"blob %d\0" % len(content) + content).hexdigest() == blob


def _declared(repository: Repository) -> dict[str, Section]:
    if not repository.gitmodules.exists():
        return {}
    return _sections(repository, "--file", str(repository.gitmodules))


def _sections(repository: Repository, *source: str) -> dict[str, Section]:
    """Return the submodule sections of a ``.gitmodules``, by path; read by Git itself."""
    try:
        listed = repository.run("config", *source, "--list", "-z")
    except GitError:
        return {}
    settings: dict[str, list[tuple[str, str]]] = {}
    for item in filter(None, listed.split("\0")):
        key, _, value = item.partition("\n")
        first, _, rest = key.partition(".")
        name, _, variable = rest.rpartition(".")
        if first == "submodule" and name:
            settings.setdefault(name, []).append((variable, value))
    sections = {}
    for name, pairs in settings.items():
        path = dict(pairs).get("path", name)
        sections[path] = Section(name=name, path=path, settings=tuple(pairs))
    return sections


def leftovers(
    repository: Repository, wanted: Iterable[str], current: Current
) -> list[str]:
    """Return the work trees of the template's that stayed where Git's index has nothing any more.

    A pull that moves a package to another strategy leaves them behind. What is no work tree of this
    repository, or of a module that the template did not make, is the user's.
    """
    below = repository.top / current.below
    known = {*wanted, *current.gitlinks}
    # A drop that was killed: the folder is gone, the repository is not.
    found = [
        path
        for path in current.locked
        if path not in known
        and not (repository.top / path).exists()
        and repository.module(path).exists()
    ]
    if not below.is_dir():
        return found
    for entry in sorted(below.iterdir()):
        path = f"{current.below}{entry.name}"
        ours = path in current.locked or is_ours(repository.module(path))
        if (
            path not in known
            and ours
            and read_folder(repository, path) is Folder.LINKED
        ):
            found.append(path)
    return found


def is_ours(module: Path) -> bool:
    """Tell whether the template made a submodule's repository: its configuration says so."""
    try:
        return f"[{OURS}]" in read_text(module / "config")
    except OSError:
        return False


def has_files(folder: Path) -> bool:
    """Tell whether there is anything but Python's caches at a submodule's path."""
    if not folder.is_dir():
        return folder.exists()
    return not all(
        entry.name == "__pycache__" and entry.is_dir() for entry in folder.iterdir()
    )


def read_folder(repository: Repository, path: str) -> Folder:
    """Return what stands at a submodule's path."""
    folder = repository.top / path
    found = read_link(folder)
    if found is not None:
        module = repository.module(path)
        if (
            found == Path(os.path.normpath(module))
            or found.resolve() == module.resolve()
        ):
            taken = (module / TAKING).exists()
            return Folder.ELSEWHERE if taken else Folder.LINKED
        inside = found.resolve().is_relative_to(
            (repository.git_dir / "modules").resolve()
        )
        return Folder.ELSEWHERE if inside and found.is_dir() else Folder.OCCUPIED
    return Folder.OCCUPIED if has_files(folder) else Folder.EMPTY


def read_module(repository: Repository, path: str) -> Module:
    """Return what stands in ``.git/modules`` of a submodule."""
    module = repository.module(path)
    if not module.exists():
        return Module.ABSENT
    # Git writes the index last: without it a clone or its checkout was killed.
    whole = (module / "HEAD").is_file() and (module / "index").is_file()
    return Module.READY if whole and not (module / JOURNAL).exists() else Module.HALF
