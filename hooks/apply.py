"""Carrying a plan out: the network in parallel, the index of the superproject in one step at the end."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed, wait
from importlib import import_module
from typing import NamedTuple

from credentials import variables_of
from fetch import Fetcher, NotDone
from files import explain_failure, read_text, remove, write_text
from git import GitError, escaped
from gitdir import read_link, relative_path, write_link
from memory import remember
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
from repository import Repository
from state import Settings

# What the rest of the run needs: imported while the servers are waited for.
_LATER = ("json", "shutil", "tomllib", "dependencies")
# More gains little: at eight the servers' answers, not the waiting, set the pace.
PARALLEL = 8


class Outcome(NamedTuple):
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
    urls = addresses(current, sections)
    for action in actions:
        if isinstance(action, TakeOver):
            outcomes.append(_take_over(repository, action.wanted))
        elif isinstance(action, Drop):
            outcomes.append(_drop(fetcher, current, action.path, gitlinks))
    applied: dict[str, Applied] = {}
    fetches = [action for action in actions if isinstance(action, Add | Move | Replace | Populate)]
    try:
        # Closed before anything below runs: an interruption here has to end the other fetches first.
        with contextlib.closing(_fetch_all(fetches, fetcher, progress)) as fetched:
            for fetch, outcome, commit in fetched:
                outcomes.append(outcome)
                if commit:
                    one = fetch.wanted
                    # First, so that whatever has a gitlink is known to Git as well.
                    initialise(repository, fetcher.settings, {one.path: urls.get(one.path, one.url)})
                    gitlinks[one.path] = commit
                    applied[one.path] = Applied(one.url, one.ref, commit)
    finally:
        # An interrupted run keeps what it has finished.
        remove(fetcher.scratch)
        if gitlinks or sections:
            _stage(repository, gitlinks)
        remember(repository.git_dir, wanted, current, applied, gitlinks)
    return outcomes


def addresses(current: Current, sections: Sequence[Declare | Undeclare] = ()) -> dict[str, str]:
    """The addresses in ``.gitmodules`` by path, once ``sections`` are written there; relative ones are left out."""
    added = {one.section.path: one.section for one in sections if isinstance(one, Declare)}
    declared = {**current.declared, **added}
    written = {path: section.get("url") for path, section in declared.items()}
    return {path: url for path, url in written.items() if url and not url.startswith(".")}


def _fetch_all(
    fetches: Sequence[Add | Move | Replace | Populate], fetcher: Fetcher, progress: Progress
) -> Generator[tuple[Add | Move | Replace | Populate, Outcome, str]]:
    """Fetch side by side; yields each action with its outcome and its commit as soon as it is finished."""
    remove(fetcher.scratch)
    with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
        futures = {pool.submit(_fetch, action, fetcher): action for action in fetches}
        try:
            # Not at once: an import would hold up the threads that start Git.
            wait(futures, timeout=0.02)
            for module in _LATER:
                import_module(module)
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
        from causes import explain

        return Outcome(
            one.name, False, explain(error, url=one.url, variables=variables_of(one.user_info))
        ), ""
    except OSError as error:
        return Outcome(one.name, False, explain_failure(error, one.path)), ""
    verb = {Add: "added", Move: "moved", Replace: "fetched from its new address", Populate: "filled"}[
        type(action)
    ]
    return Outcome(one.name, True, f"{verb} at {one.ref or 'its default branch'} ({commit[:10]})"), commit


def _take_over(repository: Repository, one: Wanted) -> Outcome:
    """Move the module of a submodule that went by another name to where its path says."""
    folder, new = repository.top / one.path, repository.module(one.path)
    old = read_link(folder) or new
    new.parent.mkdir(parents=True, exist_ok=True)
    old.rename(new)
    write_link(folder, new)
    repository.git("config", "--file", str(new / "config"), "core.worktree", relative_path(folder, new))
    return Outcome(one.name, True, "taken over as it stands")


def _drop(fetcher: Fetcher, current: Current, path: str, gitlinks: dict[str, str | None]) -> Outcome:
    """Remove a submodule of the template's, unless that would lose work."""
    repository = fetcher.repository
    name = path.rpartition("/")[2]
    # Few runs drop a package.
    from work import edited_in_half, work_in

    changed = edited_in_half(repository, path)
    work = f"your changes to {changed}" if changed else work_in(repository, path)
    if work:
        section = current.recorded.get(path)
        if section and path not in current.declared:
            _write_section(repository, Declare(section))
        return Outcome(
            name,
            False,
            f"it is not in the answers any more, but {path} holds {work}, so it is kept; push or discard them",
        )
    gitlinks[path] = None
    if path in current.declared:
        _write_section(repository, Undeclare(current.declared[path]))
    folder, module = repository.top / path, repository.module(path)
    # In this order a killed run leaves what the next one takes for half-made, not for the user's work.
    (module / "index").unlink(missing_ok=True)
    for entry in folder.iterdir() if folder.is_dir() else ():
        if entry.is_dir() and not entry.is_symlink():
            remove(entry)
        elif entry.name != ".git":
            with contextlib.suppress(OSError):
                entry.unlink()
    remove(folder)
    remove(module)
    # A submodule that this clone never initialised has no section there.
    with contextlib.suppress(GitError):
        repository.git("config", "--remove-section", f"submodule.{path}")
    parent = folder.parent
    if parent.is_dir() and not any(parent.iterdir()):
        parent.rmdir()
    return Outcome(name, True, "removed")


def _write_section(repository: Repository, action: Declare | Undeclare) -> None:
    """Write or remove one section of ``.gitmodules``, through Git."""
    section: Section = action.section
    file = ("config", "--file", str(repository.gitmodules))
    if repository.gitmodules.exists():
        text = read_text(repository.gitmodules)
        # An update that adopts the user's own submodule leaves its section beside the rendered one.
        changed = without_section(text, section.name, keep=isinstance(action, Declare))
        if changed != text:
            write_text(repository.gitmodules, changed)
    if isinstance(action, Undeclare):
        return
    for key, value in section.settings:
        spelled = "managedBy" if key == "managedby" else key
        repository.git(*file, f"submodule.{section.name}.{spelled}", value)
    if not section.get("branch"):
        # Git fails where there is nothing to unset.
        with contextlib.suppress(GitError):
            repository.git(*file, "--unset-all", f"submodule.{section.name}.branch")


def without_section(text: str, name: str, *, keep: int = 0) -> str:
    """The text of a ``.gitmodules`` without the sections of a name, but for the first ``keep`` of them.

    Comments stay: `git config --remove-section` takes those below the section with it, which are
    often about the next one.
    """
    header = f'[submodule "{escaped(name)}"]'
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


def _stage(repository: Repository, gitlinks: dict[str, str | None]) -> None:
    """Put the gitlinks and ``.gitmodules`` into the index together (git-update-index(1), "--index-info")."""
    lines = [
        f"160000 {commit} 0\t{path}\n" if commit else f"0 {'0' * 40} 0\t{path}\n"
        for path, commit in sorted(gitlinks.items())
    ]
    repository.git(
        *("update-index", "--add", "--replace", ".gitmodules", "--index-info"), stdin="".join(lines)
    )


def initialise(repository: Repository, settings: Settings, urls: Mapping[str, str]) -> None:
    """Write what `git submodule init` does, for submodules whose address is not known yet, or another.

    That is a shell script, which takes longer to start than a package takes to arrive.
    """
    for path, url in urls.items():
        if settings.urls.get(path) == url:
            continue
        if settings.selects:
            repository.git("config", f"submodule.{path}.active", "true")
        repository.git("config", f"submodule.{path}.url", url)
