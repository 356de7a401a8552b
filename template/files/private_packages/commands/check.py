"""`check`: prove where everything that would be installed comes from, before anything is installed."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from private_packages import proof
from private_packages.names import listed

if TYPE_CHECKING:
    from private_packages.app import App

SUMMARY = "check where everything that would be installed comes from"
DESCRIPTION = """\
Check where everything that would be installed comes from. Nothing is
installed.

It reads what an installer reads: requirements.txt with all that it includes,
or uv.lock.
It stops when a private package would not come from its own repository or
index, and when a host cannot be asked.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument(
        "--locked",
        action="store_true",
        help="stop when private-packages.lock would have to change",
    )


def run(app: App, options: argparse.Namespace) -> int:
    """Check, and say what was proved or what stops."""
    if app.config.installer == "uv":
        # 7 of its milliseconds, which are held to a limit, and of no use to an app with another installer.
        from private_packages import uv_proof

        uv_proof.prove(app, locked=options.locked)
    else:
        proof.prove(app, locked=options.locked)
    names = [one.name for one in app.config.packages]
    come = "come from their" if len(names) > 1 else "comes from its"
    app.output.say(
        f"ok: {listed(names)} {come} own repository or index."
        if names
        else "ok: nothing is private.",
        "good",
    )
    return 0
