"""Make Git agree with the answers: what Copier runs after a copy, and after the merge of an update.

Reads the answers file in the current folder, plans, applies, reports. It exits with 0 even when a
package could not be fetched, because Copier deletes a new app whose task fails;
PRIVATE_PACKAGES_STRICT=1 makes it exit with 1.
"""

from __future__ import annotations

import signal
import sys

if __name__ == "__main__" and sys.platform != "win32":
    # Until `main` can answer them: Copier deletes a new app whose task fails, also while this still imports.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})

import argparse
import contextlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

# Only what every sync needs; `apply`, `fetch` and `network` are imported once there is work for them.
from answers import NO_PACKAGES, Answers, AnswersError, read_answers
from credentials import git_environment
from dependencies import sync_requirements
from git import GitError
from memory import remember
from plan import Action, Current, Wanted, plan, strays
from report import Report
from repository import Repository, init_repository, open_repository, read_current, wanted_submodules

# What a server may be silent, in seconds.
SILENCE = 15


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run the sync in the current folder; the exit code is 1 only in strict mode and with something missing."""
    parser = argparse.ArgumentParser(
        prog="sync.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--answers-file", default=".copier-answers.yml", help="the answers file in the current folder"
    )
    parser.add_argument("--quiet", action=argparse.BooleanOptionalAction, help="say only what went wrong")
    parser.add_argument(
        "--packages",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="whether the answers name any package; without one they need not be read",
    )
    options = parser.parse_args(arguments)
    stage = (environ.get("STAGE", "task"), environ.get("COPIER_OPERATION", "copy"))
    if stage not in {("task", "copy"), ("after", "update")}:
        return 0
    answers_file = Path.cwd() / options.answers_file
    report = Report(quiet=bool(options.quiet), stream=sys.stderr, environ=environ)
    try:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        if sys.platform != "win32":
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})
        answers = read_answers(answers_file) if options.packages else NO_PACKAGES
        report.source = answers.source
        run(Path.cwd(), options.answers_file, answers, environ, report)
    except KeyboardInterrupt:
        report.problem("Interrupted; what was finished stays, the rest is missing.")
    except AnswersError as error:
        report.problem(str(error))
    except GitError as error:
        from network import explain

        report.problem(f"{explain(error, url=str(Path.cwd()), variables=())}.")
    except OSError as error:
        from files import explain_failure

        report.problem(f"{explain_failure(error, str(error.filename or 'the app'))}.")
    if report.problems and not options.packages:
        with contextlib.suppress(AnswersError):
            report.source = read_answers(answers_file).source
    report.close()
    return 1 if report.problems and environ.get("PRIVATE_PACKAGES_STRICT") == "1" else 0


def run(app: Path, answers_file: str, answers: Answers, environ: Mapping[str, str], report: Report) -> None:
    """Read, plan, apply; raises `AnswersError`, `GitError`, OSError and KeyboardInterrupt."""
    env = git_environment(environ)
    repository = open_repository(app, env) or init_repository(app, env)
    report.repository = repository
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
        from repository import read_settings

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

    report.start(actions)
    fetcher = Fetcher(repository, Network(_silence(environ)), environ)
    for outcome in apply(actions, wanted, current, fetcher, report.progress):
        report.outcome(outcome)


def _requirements(app: Path, answers: Answers, wanted: Sequence[Wanted], report: Report) -> None:
    names = [one.name for one in wanted]
    sentence = sync_requirements(app, names, answers.keys if names else set())
    if sentence:
        report.problem(sentence)


def _silence(environ: Mapping[str, str]) -> int:
    """Seconds of silence after which a server is given up; PRIVATE_PACKAGES_TIMEOUT, or 15."""
    given = environ.get("PRIVATE_PACKAGES_TIMEOUT", "")
    return max(1, int(given)) if given.isdecimal() else SILENCE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
