"""Reading what stands in the app's repository: at most five Git processes, whatever its size."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from answers import SUBMODULES, Answers, AnswersError, parse_answers
from git import GitError
from gitdir import read_link
from memory import recall
from plan import Applied, Current, Folder, Module, Section, Wanted, in_place
from repository import Repository

_CONFLICT = b"<<<<<<< "


class Settings(NamedTuple):
    """What Git's configuration (git-config(1)) says about submodules and clones.

    ``urls``: the addresses that `git submodule init` has written, by name, which is the path.
    ``selects``: the user chooses active submodules by `submodule.active`. ``has_template``: the user
    has a template for new repositories. ``has_protocol``: the user chose a version of Git's protocol.
    """

    urls: Mapping[str, str]
    selects: bool
    has_template: bool
    has_protocol: bool


def read_settings(repository: Repository) -> Settings:
    """Read the configuration with one Git process."""
    wanted = r"^(submodule\..*\.url|submodule\.active|init\.templatedir|protocol\.version)$"
    try:
        listed = repository.git("config", "-z", "--get-regexp", wanted)
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


def wanted_submodules(answers: Answers, prefix: str) -> tuple[Wanted, ...]:
    """The submodules of the answers, with their paths from the top of the repository."""
    return tuple(
        Wanted(
            name=package.name,
            path=f"{prefix}{SUBMODULES}/{package.name}",
            url=package.url,
            ref=package.ref,
            user_info=package.user_info,
        )
        for package in answers.submodules
    )


def read_current(repository: Repository, wanted: tuple[Wanted, ...], answers_file: str) -> Current:
    """Read what `plan` has to know; raises `GitError`."""
    below = f"{repository.prefix}{SUBMODULES}/"
    answers = f"{repository.prefix}{answers_file}"
    # A new app has no index yet, which saves it this process.
    indexed = (repository.git_dir / "index").exists()
    listed = ("ls-files", "--stage", "-z", "--", below, ".gitmodules", answers)
    entries = repository.git(*listed).split("\0") if indexed else []
    gitlinks: dict[str, str] = {}
    stages: set[str] = set()
    blob = answers_blob = ""
    for entry in filter(None, entries):
        meta, _, path = entry.partition("\t")
        mode, commit, stage = meta.split()
        if path == ".gitmodules":
            stages.add(stage)
            blob = commit
        elif path == answers:
            answers_blob = commit
        elif mode == "160000":
            gitlinks[path] = commit
    recorded = _sections(repository, "--blob", ":.gitmodules") if "0" in stages else {}
    if _conflicted(repository, stages):
        return Current(below=below, gitlinks=gitlinks, recorded=recorded, unmerged=True)
    declared = recorded if blob and _is_blob(repository.gitmodules, blob) else _declared(repository)
    lost = [path for path in recorded if path not in declared and path not in gitlinks]
    if lost:
        for entry in filter(None, repository.git("ls-files", "--stage", "-z", "--", *lost).split("\0")):
            meta, _, path = entry.partition("\t")
            gitlinks[path] = meta.split()[1]
    paths = [one.path for one in wanted]
    remembered = recall(repository.git_dir)
    strange = [
        path
        for path in paths
        if path in gitlinks and (path not in remembered or remembered[path].commit != gitlinks[path])
    ]
    committed = _committed(repository, answers, answers_blob) if strange else {}
    return Current(
        below=below,
        gitlinks=gitlinks,
        declared=declared,
        recorded=recorded,
        folders={path: _folder(repository, path) for path in paths},
        modules={path: read_module(repository, path) for path in paths},
        applied=in_place(remembered, committed, gitlinks),
        made=remembered,
    )


def _committed(repository: Repository, path: str, blob: str) -> dict[str, Applied]:
    """URL and ref of the answers in the index: what a clone without a memory of its own started from."""
    try:
        if _is_blob(repository.top / path, blob):
            text = (repository.top / path).read_text(encoding="utf-8")
        else:
            text = repository.git("cat-file", "blob", f":{path}")
        wanted = wanted_submodules(parse_answers(text, path), repository.prefix)
    except (GitError, AnswersError):
        return {}
    return {one.path: Applied(one.url, one.ref) for one in wanted}


def _conflicted(repository: Repository, stages: set[str]) -> bool:
    if stages & {"1", "2", "3"} or (repository.top / ".gitmodules.rej").exists():
        return True
    try:
        return any(line.startswith(_CONFLICT) for line in repository.gitmodules.read_bytes().splitlines())
    except OSError:
        return False


def _is_blob(path: Path, blob: str) -> bool:
    """Whether a file is the blob of that id (Pro Git, "Git Objects"); a process of Git's less to start."""
    # An app whose files are not in Git yet does not wait for this import.
    import hashlib

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
    """The submodule sections of a ``.gitmodules``, by path; read by Git itself."""
    try:
        listed = repository.git("config", *source, "--list", "-z")
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


def has_files(folder: Path) -> bool:
    """Whether there is anything but Python's caches at a submodule's path."""
    if not folder.is_dir():
        return folder.exists()
    return not all(entry.name == "__pycache__" and entry.is_dir() for entry in folder.iterdir())


def _folder(repository: Repository, path: str) -> Folder:
    folder = repository.top / path
    found = read_link(folder)
    if found is not None:
        module = repository.module(path)
        if found == Path(os.path.normpath(module)) or found.resolve() == module.resolve():
            return Folder.LINKED
        inside = found.resolve().is_relative_to((repository.git_dir / "modules").resolve())
        return Folder.ELSEWHERE if inside and found.is_dir() else Folder.OCCUPIED
    return Folder.OCCUPIED if has_files(folder) else Folder.EMPTY


def read_module(repository: Repository, path: str) -> Module:
    """What stands in ``.git/modules`` of a submodule."""
    module = repository.module(path)
    if not module.exists():
        return Module.ABSENT
    # Git writes the index last: without it a clone or its checkout was killed.
    return Module.READY if (module / "HEAD").is_file() and (module / "index").is_file() else Module.HALF
