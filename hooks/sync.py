"""Make Git agree with the answers: what Copier runs after a copy, and after the merge of an update.

Reads the answers file in the current folder, plans, applies, reports. It exits with 0 even when a
package could not be fetched, because Copier deletes a new app whose task fails;
PRIVATE_PACKAGES_STRICT=1 makes it exit with 1.

usage: sync.py [options]

  --answers-file=FILE   the answers file in the current folder; .copier-answers.yml by itself
  --quiet, --no-quiet   say only what went wrong, or everything
  --packages, --no-packages
                        whether the answers name any package; without one they are not read
  --help                say this
"""

from __future__ import annotations

import signal
import sys

if __name__ == "__main__" and sys.platform != "win32":
    # Until `main` can answer them: Copier deletes a new app whose task fails, also while this still imports.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})

import contextlib
import getopt
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

# Only what every sync needs; the rest is imported once there is work for it.
from git import GitError, git_environment
from report import Report
from repository import init_repository, open_repository

# Read by `getopt`: importing `argparse`, with what that imports, takes a tenth of a sync without packages.
OPTIONS = ["answers-file=", "quiet", "no-quiet", "packages", "no-packages", "help"]


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run the sync in the current folder; the exit code is 1 only in strict mode and with something missing."""
    try:
        given, rest = getopt.getopt(list(arguments), "h", OPTIONS)
        if rest:
            raise getopt.GetoptError(f"{rest[0]} is no option")
    except getopt.GetoptError as error:
        print(f"sync.py: {error}; `sync.py --help` lists what there is", file=sys.stderr)
        return 2
    options = dict(given)
    if options.keys() & {"-h", "--help"}:
        print(__doc__, flush=True)
        return 0
    stage = (environ.get("STAGE", "task"), environ.get("COPIER_OPERATION", "copy"))
    if stage not in {("task", "copy"), ("after", "update")}:
        return 0
    answers_file = options.get("--answers-file", ".copier-answers.yml")
    report = Report(quiet="--quiet" in options, stream=sys.stderr, environ=environ)
    try:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        if sys.platform != "win32":
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})
        run(Path.cwd(), answers_file, "--no-packages" not in options, environ, report)
    except KeyboardInterrupt:
        # What is left takes milliseconds, and Copier keeps the app only if it comes to its end.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        report.problem("Interrupted; what was finished stays, the rest is missing.")
    except GitError as error:
        from causes import explain_local

        report.problem(f"{explain_local(error)}.")
    except OSError as error:
        from files import explain_failure

        report.problem(f"{explain_failure(error, str(error.filename or 'the app'))}.")
    if report.problems and not report.source:
        from answers import AnswersError, read_answers

        # For the command that finishes the app; that the file cannot be used is said already.
        with contextlib.suppress(AnswersError):
            report.source = read_answers(Path.cwd() / answers_file).source
    report.close()
    return 1 if report.problems and environ.get("PRIVATE_PACKAGES_STRICT") == "1" else 0


def run(app: Path, answers_file: str, packages: bool, environ: Mapping[str, str], report: Report) -> None:
    """Read, plan, apply; raises `GitError`, OSError and KeyboardInterrupt."""
    env = git_environment(environ)
    found = open_repository(app, env)
    if found is None and not packages:
        # Nothing in a new repository can disagree with answers that name no package.
        report.repository = init_repository(app, env)
        return
    from reconcile import reconcile

    reconcile(app, found, answers_file, packages, environ, report)


if __name__ == "__main__":
    # Nothing is open any more, and taking the interpreter apart takes as long as asking Git something.
    os._exit(main(sys.argv[1:], os.environ))
