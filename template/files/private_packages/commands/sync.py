"""`sync`: make Git, the marked blocks and the lock agree with private-packages.toml. Copier's hook runs it, too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from private_packages import lock as locking
from private_packages.errors import Failure
from private_packages.findings import INSTALL, SYNC
from private_packages.names import listed
from private_packages.removal import remove_unit
from private_packages.synchronise import synchronise

if TYPE_CHECKING:
    import argparse

    from private_packages.app import App
    from private_packages.report import Report

SUMMARY = "make Git, requirements.txt and the lock agree with what you want"
DESCRIPTION = """\
Make Git, the marked blocks and private-packages.lock agree with
private-packages.toml.

It adds, moves, replaces and removes submodules, and asks hosts only for what
changed. Your own work is never lost: a submodule with work of yours stays as
it is, and you are told. You can stop it at any moment and run it again.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument(
        "--remove",
        action="store_true",
        help="take all files of this template out of an app that existed before",
    )


def run(app: App, options: argparse.Namespace) -> int:
    """Sync and say what was done."""
    if options.remove:
        return remove_unit(app)
    report = synchronise(app)
    if app.config.installer == "uv" and not report.problems:
        _follow(app, report)
    report.show(app.output)
    if report.problems:
        app.output.problem(f"Then type `{SYNC}` again.", "command")
    elif report.outcomes or report.written:
        if report.written:
            app.output.say(f"  wrote {listed(report.written)}")
        app.output.say(f"Next: {INSTALL}", "command")
    else:
        app.output.say("Everything agrees with private-packages.toml.", "good")
    return 1 if report.problems else 0


def _follow(app: App, report: Report) -> None:
    """Bring uv.lock up to date where it does not fit what is wanted, and its export; `install` makes the first one."""
    # With all that it loads 80 ms, which an app with another installer need not wait for.
    from private_packages import uv_export, uv_lock, uv_proof, uv_state

    text = uv_lock.text_of(app.folder)
    if text is None:
        return
    try:
        if not uv_state.findings(app, locking.load(app.folder)):
            return
        uv, _, _ = uv_proof.prove(app, locked=False, full=False)
        if uv_export.is_kept(app) and uv_export.write(app, uv):
            report.written.append(uv_export.FILE)
        if uv_lock.text_of(app.folder) != text:
            report.written.append(uv_lock.FILE)
    except Failure as error:
        report.problems.append(f"{uv_lock.FILE} stays as it was. {error}")
