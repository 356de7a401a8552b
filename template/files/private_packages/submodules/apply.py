"""Carrying a plan out: first the network, in parallel, then the switches, then the superproject's index at once."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from private_packages.diagnosis import explain
from private_packages.errors import GitError
from private_packages.files import (
    again,
    read_exactly,
    remove,
    why_not,
    write_exactly,
)
from private_packages.git import quoted
from private_packages.report import Outcome
from private_packages.submodules.alone import note_locks, noted
from private_packages.submodules.fetch import Fetcher, NotDone, PutInPlace
from private_packages.submodules.gitdir import take_away
from private_packages.submodules.plan import (
    Action,
    Add,
    Adopt,
    Current,
    Declare,
    Drop,
    Fetching,
    Move,
    Populate,
    Replace,
    Section,
    TakeOver,
    Undeclare,
    Wanted,
)
from private_packages.submodules.state import Settings, read_settings
from private_packages.submodules.taking import take_over
from private_packages.submodules.work import edited_in_half, work_in

if TYPE_CHECKING:
    from private_packages.app import App
    from private_packages.repository import Repository

_T = TypeVar("_T")
# Git lists keys in small letters; people write them so.
_SPELLINGS = {
    "managedby": "managedBy",
    "fetchrecursesubmodules": "fetchRecurseSubmodules",
}
# More gains little: at eight the servers' answers, not the waiting, set the pace.
PARALLEL = 8
_VERBS = {
    Add: "added at",
    Move: "moved to",
    Replace: "fetched from its new address at",
    Populate: "fetched at",
}


@dataclass
class Result:
    """What a plan came to. ``commits``: by path, what the lock may now say; ``dropped``: paths that went."""

    outcomes: list[Outcome] = field(default_factory=list)
    commits: dict[str, str] = field(default_factory=dict)
    dropped: list[str] = field(default_factory=list)


def apply(
    app: App, repository: Repository, actions: Sequence[Action], current: Current
) -> Result:
    """Carry ``actions`` out; each package fails or succeeds by itself.

    Raises `GitError` and OSError about the superproject, and KeyboardInterrupt; what was finished stays.
    """
    result = Result()
    if not actions:
        return result
    repository.scratch.mkdir(exist_ok=True)
    fetched = {path: entry.commit for path, entry in current.locked.items()}
    fetcher = Fetcher(app, repository, read_settings(repository), fetched)
    gitlinks: dict[str, str | None] = {}
    known: dict[str, str] = {}
    sections = [action for action in actions if isinstance(action, Declare | Undeclare)]
    for section in sections:
        _write_section(repository, section)
    urls = addresses(current, sections)

    def make_known(one: Wanted) -> None:
        url = urls.get(one.path, one.package.url)
        if known.get(one.path) != url:
            initialise(repository, fetcher.settings, {one.path: url})
            known[one.path] = url

    for action in actions:
        match action:
            case TakeOver(wanted):
                result.outcomes.append(_take_over(repository, wanted))
            case Adopt(wanted, commit):
                make_known(wanted)
                result.commits[wanted.path] = commit
            case Populate(wanted):
                # First: what is killed after its checkout has nothing else to be done.
                make_known(wanted)
            case Drop(path):
                result.outcomes.append(_drop(repository, current, path, gitlinks))
    fetches = [
        action
        for action in actions
        if isinstance(action, Add | Move | Replace | Populate)
    ]
    try:
        # Closed before anything below runs: an interruption here has to end the other fetches first.
        with contextlib.closing(_carry_out_all(fetches, fetcher)) as finished:
            for fetch, outcome, commit in finished:
                result.outcomes.append(outcome)
                if commit:
                    path = fetch.wanted.path
                    # First, so that whatever has a gitlink is known to Git as well.
                    make_known(fetch.wanted)
                    gitlinks[path] = commit
                    if not isinstance(fetch, Populate):
                        result.commits[path] = commit
    finally:
        # An interrupted run keeps what it has finished.
        if gitlinks or sections:
            _stage(repository, gitlinks)
        result.dropped = [path for path, commit in gitlinks.items() if commit is None]
    return result


def addresses(
    current: Current, sections: Sequence[Declare | Undeclare]
) -> dict[str, str]:
    """Return the addresses in ``.gitmodules`` by path, once ``sections`` are written; relative ones are left out."""
    added = {
        one.section.path: one.section for one in sections if isinstance(one, Declare)
    }
    declared = {**current.declared, **added}
    written = {path: section.get("url") for path, section in declared.items()}
    return {
        path: url for path, url in written.items() if url and not url.startswith(".")
    }


def _carry_out_all(
    fetches: Sequence[Fetching], fetcher: Fetcher
) -> Generator[tuple[Fetching, Outcome, str]]:
    """Fetch all side by side, then put all in place; yield each action with its outcome and its commit."""
    output, total = fetcher.app.output, len(fetches)
    if fetches:
        modules = [f"modules/{action.wanted.path}" for action in fetches]
        note_locks(fetcher.repository, "modules", *modules)
        output.say(f"Fetching {total} private package{'s' if total > 1 else ''} …")
    ready: list[tuple[Fetching, PutInPlace]] = []
    with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
        try:
            asked = {
                pool.submit(_try, action, partial(fetcher.fetch, action)): action
                for action in fetches
            }
            for number, fetched in enumerate(as_completed(asked), start=1):
                action, got = asked[fetched], fetched.result()
                output.progress(f"  {number}/{total} {action.wanted.name}")
                if isinstance(got, Outcome):
                    yield action, got, ""
                else:
                    ready.append((action, got))
            placing = {pool.submit(_try, action, put): action for action, put in ready}
            for placed in as_completed(placing):
                action, commit = placing[placed], placed.result()
                if isinstance(commit, Outcome):
                    yield action, commit, ""
                else:
                    yield action, _success(action, commit), commit
        except BaseException:
            fetcher.app.git.stop()
            pool.shutdown(wait=True, cancel_futures=True)
            fetcher.app.git.go_on()
            raise
    output.clear()


def _try(action: Fetching, act: Callable[[], _T]) -> _T | Outcome:
    """Do one thing for a package; return what came of it, or why it failed."""
    one = action.wanted
    try:
        return act()
    except NotDone as error:
        return Outcome(one.name, False, str(error))
    except GitError as error:
        why = explain(error, url=one.package.url, variables=one.package.variables)
        return Outcome(one.name, False, why)
    except OSError as error:
        return Outcome(one.name, False, why_not(error, one.path))


def _success(action: Fetching, commit: str) -> Outcome:
    one = action.wanted
    place = one.package.ref or "its default branch"
    return Outcome(one.name, True, f"{_VERBS[type(action)]} {place} ({commit[:10]})")


def _take_over(repository: Repository, one: Wanted) -> Outcome:
    try:
        take_over(repository, one.path)
    except FileExistsError as error:
        why = f"the repository {error.args[0]} is in the way of its own; move that away"
        return Outcome(one.name, False, why)
    return Outcome(one.name, True, "taken over as it stands")


def _drop(
    repository: Repository, current: Current, path: str, gitlinks: dict[str, str | None]
) -> Outcome:
    """Remove a submodule of the template's, unless that would lose work."""
    name = path.rpartition("/")[2]
    changed = edited_in_half(repository, path)
    locked = current.locked.get(path)
    work = (
        f"your changes to {changed}"
        if changed
        else work_in(repository, path, locked.commit if locked else "")
    )
    if work:
        section = current.recorded.get(path)
        if section and path not in current.declared:
            _write_section(repository, Declare(section))
        return Outcome(
            name,
            False,
            f"it is not wanted any more, but {path} holds {work}, so it is kept; push or discard them",
        )
    gitlinks[path] = None
    if path in current.declared:
        _write_section(repository, Undeclare(current.declared[path]))
    # A submodule that this clone never initialised has no section there.
    with contextlib.suppress(GitError), noted(repository, repository.config_lock):
        repository.run("config", "--remove-section", f"submodule.{path}")
    take_away(repository, path)
    parent = (repository.top / path).parent
    if parent.is_dir() and not any(parent.iterdir()):
        again(parent.rmdir)
    return Outcome(name, True, "removed")


def _write_section(repository: Repository, action: Declare | Undeclare) -> None:
    """Write or remove one section of ``.gitmodules``, through Git: the whole of it, or nothing."""
    section: Section = action.section
    text, encoding = "", "utf-8"
    if repository.gitmodules.exists():
        text, encoding = read_exactly(repository.gitmodules)
    # A user's own submodule that is wanted from now on leaves its section beside ours.
    changed = without_section(text, section.name, keep=isinstance(action, Declare))
    if isinstance(action, Declare):
        changed = _with_settings(repository, section, changed, encoding)
    if not changed.strip() and isinstance(action, Undeclare):
        remove(repository.gitmodules)
    elif changed != text:
        write_exactly(repository.gitmodules, changed, encoding)


def _with_settings(
    repository: Repository, section: Section, text: str, encoding: str
) -> str:
    """Let Git write a section's settings into a copy of a ``.gitmodules``; return the text."""
    copy = repository.scratch / "gitmodules"
    write_exactly(copy, text, encoding)
    file = ("config", "--file", str(copy))
    for key, value in section.settings:
        spelled = _SPELLINGS.get(key, key)
        repository.run(*file, f"submodule.{section.name}.{spelled}", value)
    if not section.get("branch"):
        # Git fails where there is nothing to unset.
        with contextlib.suppress(GitError):
            repository.run(*file, "--unset-all", f"submodule.{section.name}.branch")
    return read_exactly(copy)[0]


def without_section(text: str, name: str, *, keep: int = 0) -> str:
    """Return the text of a ``.gitmodules`` without the sections of a name, but for the first ``keep`` of them.

    Comments stay: `git config --remove-section` takes those below the section with it, which are
    often about the next one.
    """
    header = f'[submodule "{quoted(name)}"]'
    kept = []
    found = 0
    inside = False
    for line in text.splitlines(keepends=True):
        bare = line.strip()
        if bare.startswith("["):
            found += bare.startswith(header)
            inside = bare.startswith(header) and found > keep
        if not inside or not bare or bare.startswith(("#", ";")):
            kept.append(line)
    return "".join(kept)


def _stage(repository: Repository, gitlinks: Mapping[str, str | None]) -> None:
    """Put the gitlinks and ``.gitmodules`` into the index together (git-update-index(1), "--index-info")."""
    lines = [
        f"160000 {commit} 0\t{path}\n" if commit else f"0 {'0' * 40} 0\t{path}\n"
        for path, commit in sorted(gitlinks.items())
    ]
    with noted(repository, "index.lock"):
        repository.run(
            "update-index",
            "--add",
            "--remove",
            "--replace",
            ".gitmodules",
            "--index-info",
            stdin="".join(lines),
        )


def initialise(
    repository: Repository, settings: Settings, urls: Mapping[str, str]
) -> None:
    """Write what `git submodule init` does, for submodules whose address is not known yet, or another.

    That is a shell script, which takes longer to start than a package takes to arrive. Raises `GitError`.
    """
    for path, url in urls.items():
        if settings.urls.get(path) == url:
            continue
        with noted(repository, repository.config_lock):
            if settings.selects:
                repository.run("config", f"submodule.{path}.active", "true")
            repository.run("config", f"submodule.{path}.url", url)
