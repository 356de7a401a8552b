"""Carrying a plan out: the network in parallel, the index of the superproject in one step at the end."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass

from fetch import Fetcher, NotDone, relative_path
from git import GitError
from plan import (
    Action,
    Add,
    Applied,
    Current,
    Declare,
    Drop,
    Move,
    Populate,
    Replace,
    Section,
    TakeOver,
    Undeclare,
    Wanted,
)
from repository import Repository, write_applied

# More gains little: at eight the servers' answers, not the waiting, set the pace.
PARALLEL = 8


@dataclass(frozen=True)
class Outcome:
    """What became of one package: ``done`` or not, and the words that say so."""

    name: str
    done: bool
    text: str


Progress = Callable[[Outcome, int, int], None]


def apply(
    actions: Sequence[Action],
    wanted: Sequence[Wanted],
    current: Current,
    fetcher: Fetcher,
    progress: Progress,
) -> list[Outcome]:
    """Carry ``actions`` out; each package fails or succeeds by itself.

    ``progress`` is called with each outcome, how many are finished, and how many there are.
    """
    repository = fetcher.repository
    outcomes: list[Outcome] = []
    gitlinks: dict[str, str | None] = {}
    sections = [action for action in actions if isinstance(action, Declare | Undeclare)]
    for section in sections:
        _write_section(repository, section)
    for action in actions:
        if isinstance(action, TakeOver):
            outcomes.append(_take_over(repository, action.wanted))
        elif isinstance(action, Drop):
            outcomes.append(_drop(fetcher, current, action.path, gitlinks))
    applied = dict(current.applied)
    fetches = [action for action in actions if isinstance(action, Add | Move | Replace | Populate)]
    try:
        for fetch, outcome, commit in _fetch_all(fetches, fetcher, progress):
            outcomes.append(outcome)
            if commit:
                gitlinks[fetch.wanted.path] = commit
                applied[fetch.wanted.path] = Applied(fetch.wanted.url, fetch.wanted.ref)
    finally:
        # An interrupted run keeps what it has finished.
        shutil.rmtree(fetcher.scratch, ignore_errors=True)
        if gitlinks or sections:
            _stage(repository, gitlinks)
        _remember(repository, wanted, current, applied, gitlinks)
    return outcomes


def _fetch_all(
    fetches: Sequence[Add | Move | Replace | Populate], fetcher: Fetcher, progress: Progress
) -> Iterator[tuple[Add | Move | Replace | Populate, Outcome, str]]:
    """Fetch side by side; yields each action with its outcome and its commit as soon as it is finished."""
    shutil.rmtree(fetcher.scratch, ignore_errors=True)
    with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
        futures = {pool.submit(_fetch, action, fetcher): action for action in fetches}
        try:
            for number, future in enumerate(as_completed(futures), start=1):
                outcome, commit = future.result()
                progress(outcome, number, len(fetches))
                yield futures[future], outcome, commit
        except BaseException:
            fetcher.network.stop()
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _fetch(action: Add | Move | Replace | Populate, fetcher: Fetcher) -> tuple[Outcome, str]:
    one = action.wanted
    try:
        commit = fetcher.carry_out(action)
    except NotDone as error:
        return Outcome(one.name, False, str(error)), ""
    except GitError as error:
        return Outcome(one.name, False, f"Git says: {_last_line(error.stderr)}"), ""
    except OSError as error:
        return Outcome(one.name, False, f"{error.strerror or error}; make {one.path} writable"), ""
    verb = {Add: "added", Move: "moved", Replace: "fetched from its new address", Populate: "filled"}[
        type(action)
    ]
    return Outcome(one.name, True, f"{verb} at {one.ref or 'its default branch'} ({commit[:10]})"), commit


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "nothing"


def _take_over(repository: Repository, one: Wanted) -> Outcome:
    """Move the module of a submodule that went by another name to where its path says."""
    folder = repository.top / one.path
    target = (folder / ".git").read_text(encoding="utf-8").strip().removeprefix("gitdir:").strip()
    old, new = (folder / target).resolve(), repository.module(one.path)
    new.parent.mkdir(parents=True, exist_ok=True)
    old.rename(new)
    (folder / ".git").write_text(f"gitdir: {relative_path(new, folder)}\n", encoding="utf-8")
    repository.git("config", "--file", str(new / "config"), "core.worktree", relative_path(folder, new))
    return Outcome(one.name, True, "taken over as it stands")


def _drop(fetcher: Fetcher, current: Current, path: str, gitlinks: dict[str, str | None]) -> Outcome:
    """Remove a submodule of the template's, unless that would lose work."""
    repository = fetcher.repository
    name = path.rpartition("/")[2]
    work = fetcher.work_in(path)
    if work:
        section = current.recorded[path]
        if path not in current.declared:
            _write_section(repository, Declare(section))
        return Outcome(
            name,
            False,
            f"it is not in the answers any more, but {path} holds {work}, so it is kept; push or discard them",
        )
    gitlinks[path] = None
    if path in current.declared:
        _write_section(repository, Undeclare(current.declared[path]))
    shutil.rmtree(repository.top / path, ignore_errors=True)
    shutil.rmtree(repository.module(path), ignore_errors=True)
    try:
        repository.git("config", "--remove-section", f"submodule.{path}")
    except GitError:
        pass  # never initialised in this clone
    parent = (repository.top / path).parent
    if parent.is_dir() and not any(parent.iterdir()):
        parent.rmdir()
    return Outcome(name, True, "removed")


def _write_section(repository: Repository, action: Declare | Undeclare) -> None:
    """Write or remove one section of ``.gitmodules``, through Git."""
    section: Section = action.section
    file = ("config", "--file", str(repository.gitmodules))
    if isinstance(action, Undeclare):
        repository.git(*file, "--remove-section", f"submodule.{section.name}")
        return
    for key, value in section.settings:
        spelled = "managedBy" if key == "managedby" else key
        repository.git(*file, f"submodule.{section.name}.{spelled}", value)


def _stage(repository: Repository, gitlinks: dict[str, str | None]) -> None:
    """Put the gitlinks and ``.gitmodules`` into the index together (git-update-index(1), "--index-info")."""
    blob = repository.git("hash-object", "-w", "--path", ".gitmodules", str(repository.gitmodules)).strip()
    lines = [f"100644 {blob} 0\t.gitmodules"]
    for path, commit in sorted(gitlinks.items()):
        lines.append(f"160000 {commit} 0\t{path}" if commit else f"0 {'0' * 40} 0\t{path}")
    repository.git("update-index", "--add", "--index-info", stdin="\n".join(lines) + "\n")
    added = [path for path, commit in sorted(gitlinks.items()) if commit]
    if added:
        repository.git("submodule", "--quiet", "init", "--", *added)
        repository.git("submodule", "--quiet", "sync", "--", *added)


def _remember(
    repository: Repository,
    wanted: Sequence[Wanted],
    current: Current,
    applied: dict[str, Applied],
    gitlinks: dict[str, str | None],
) -> None:
    """Write down what is in place, for every wanted submodule that has a gitlink."""
    linked = {*current.gitlinks, *(path for path, commit in gitlinks.items() if commit)}
    known = {
        one.path: applied.get(one.path, Applied(one.url, one.ref)) for one in wanted if one.path in linked
    }
    others = {
        path: one for path, one in applied.items() if not path.startswith(current.below) and path in linked
    }
    write_applied(repository, {**others, **known})
