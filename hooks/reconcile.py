"""From the answers and the state of the repository to one that agrees with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from answers import NO_PACKAGES, Answers, AnswersError, read_answers
from git import git_environment
from memory import remember
from plan import Action, Add, Current, Move, Populate, Replace, Wanted, plan, strays
from report import Report
from repository import Repository, init_repository
from state import read_current, wanted_submodules

# What a server may be silent, in seconds.
SILENCE = 15


def reconcile(
    app: Path,
    found: Repository | None,
    answers_file: str,
    packages: bool,
    environ: Mapping[str, str],
    report: Report,
) -> None:
    """Read, plan, apply, in the repository that was ``found`` or, with usable answers, in a new one.

    ``packages``: whether the answers name any. Raises `GitError`, OSError and KeyboardInterrupt.
    """
    try:
        answers = read_answers(app / answers_file) if packages else NO_PACKAGES
        report.source = answers.source
        report.repository = found or init_repository(app, git_environment(environ))
        _agree(app, report.repository, answers_file, answers, environ, report)
    except AnswersError as error:
        report.problem(str(error))


def _agree(
    app: Path,
    repository: Repository,
    answers_file: str,
    answers: Answers,
    environ: Mapping[str, str],
    report: Report,
) -> None:
    """What `reconcile` does, with the answers; raises `AnswersError` too."""
    wanted = wanted_submodules(answers, repository.prefix)
    current = read_current(repository, wanted, answers_file)
    if current.unmerged:
        report.problem(
            ".gitmodules has a merge conflict, so nothing was changed. Resolve it, `git add .gitmodules`"
            + (" and remove .gitmodules.rej" if (repository.top / ".gitmodules.rej").exists() else "")
            + "."
        )
        return
    _initialise(repository, wanted, current)
    actions = plan(wanted, current)
    if actions:
        _apply(actions, wanted, current, repository, environ, report)
    else:
        # A clone learns what it holds, for the day when the answers no longer say it.
        remember(repository.git_dir, wanted, current, {}, {})
    for path in strays(wanted, current):
        report.problem(
            f"{path} has a gitlink and no section in .gitmodules; give it its section, or remove it with `git rm --cached {path}`."
        )
    _requirements(app, answers, wanted, report)


def _initialise(repository: Repository, wanted: Sequence[Wanted], current: Current) -> None:
    """A run that was killed at its end has staged gitlinks and not come to `git submodule init`."""
    paths = {one.path for one in wanted if one.path in current.gitlinks and one.path not in current.made}
    if paths & current.declared.keys():
        from apply import addresses, initialise
        from state import read_settings

        known = {path: url for path, url in addresses(current).items() if path in paths}
        initialise(repository, read_settings(repository), known)


def _apply(
    actions: Sequence[Action],
    wanted: Sequence[Wanted],
    current: Current,
    repository: Repository,
    environ: Mapping[str, str],
    report: Report,
) -> None:
    from apply import apply
    from fetch import Fetcher
    from network import Network

    report.start(sum(isinstance(action, Add | Move | Replace | Populate) for action in actions))
    fetcher = Fetcher(repository, Network(_silence(environ)), environ)
    for outcome in apply(actions, wanted, current, fetcher, report.progress):
        report.outcome(outcome)


def _requirements(app: Path, answers: Answers, wanted: Sequence[Wanted], report: Report) -> None:
    # After the fetch, which imports it while it waits.
    from dependencies import sync_requirements

    names = [one.name for one in wanted]
    sentence = sync_requirements(app, names, answers.keys if names else set())
    if sentence:
        report.problem(sentence)


def _silence(environ: Mapping[str, str]) -> int:
    """Seconds of silence after which a server is given up; PRIVATE_PACKAGES_TIMEOUT, or 15."""
    given = environ.get("PRIVATE_PACKAGES_TIMEOUT", "")
    return max(1, int(given)) if given.isdecimal() else SILENCE
