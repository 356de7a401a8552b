"""What Copier runs after a copy, and after the merge of an update: the app's own command, from the template's clone.

It exits with 0 even when a package could not be fetched, because Copier deletes a new app whose task fails;
PRIVATE_PACKAGES_STRICT=1 makes it exit with 1. Where the unit cannot be put into an app that exists already, nothing
is changed there, and it exits with 1, too.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

if __name__ == "__main__" and sys.platform != "win32":
    # Until `main` can answer them: Copier deletes a new app whose task fails, also while this still imports.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "template" / "files"))

from adoption import Refused, is_first, look_at
from folder import put
from messages import finish, next_steps
from private_packages.app import App, open_app
from private_packages.config import load
from private_packages.diagnosis import explain_local
from private_packages.errors import Failure, GitError
from private_packages.files import why_not
from private_packages.output import Output
from private_packages.report import Report
from private_packages.synchronise import synchronise

from template import cannot_be_updated, news

CHANGELOG = Path(__file__).resolve().parents[1] / "CHANGELOG.md"


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Sync the app in the current folder.

    The exit code is 1 in strict mode with something missing, and where an existing app cannot take the unit.
    """
    parser = argparse.ArgumentParser(prog="sync.py", description=__doc__)
    parser.add_argument(
        "--quiet", action=argparse.BooleanOptionalAction, default=False, help="say only what is wrong"
    )
    options = parser.parse_args(arguments)
    stage = (environ.get("STAGE", "task"), environ.get("COPIER_OPERATION", "copy"))
    if stage not in {("task", "copy"), ("after", "update")}:
        return 0
    output = Output(sys.stderr, environ, quiet=options.quiet)
    app: App | None = None
    report = Report()
    try:
        answer_signals()
        if is_first(Path.cwd()) and load(Path.cwd()).start == "existing":
            look_at(Path.cwd(), environ, output)
        for name in put(Path.cwd()):
            output.say(
                f"  private_packages/{name}: your edit was replaced by the template's file; Git has it"
            )
        app = open_app(Path.cwd(), environ, output)
        report = synchronise(app, make_repository=app.config.start == "new")
    except Refused as error:
        output.problem(f"Nothing was changed. {error}", "bad")
        return 1
    except KeyboardInterrupt:
        # What is left takes milliseconds, and Copier keeps the app only if it comes to its end.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        report.problems.append("Interrupted; what was finished stays, the rest is missing.")
    except Failure as error:
        report.problems.append(str(error))
    except GitError as error:
        report.problems.append(f"{explain_local(error)}.")
    except OSError as error:
        report.problems.append(f"{why_not(error, str(error.filename or 'the app'))}.")
    _say(app, report, environ, output)
    return 1 if report.problems and environ.get("PRIVATE_PACKAGES_STRICT") == "1" else 0


def answer_signals() -> None:
    """Let Ctrl-C and a polite end come, as KeyboardInterrupt."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})


def _say(app: App | None, report: Report, environ: Mapping[str, str], output: Output) -> None:
    output.clear()
    if report.problems:
        output.problem("The app is complete, but its private packages are not:", "bad")
        for sentence in report.problems:
            output.problem(f"  {sentence}")
        for line, kind in finish(Path.cwd(), app, environ):
            output.problem(line, kind)
        return
    if app is not None:
        for line in news(environ, CHANGELOG):
            output.say(line)
        report.show(output)
        for line, kind in next_steps(app, environ):
            output.say(line, kind)
        why = cannot_be_updated(app.folder / app.config.answers_file)
        if why and environ.get("COPIER_OPERATION"):
            output.say(f"Beware: {why}", "bad")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
