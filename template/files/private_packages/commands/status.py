"""`status`: how each private package stands, and the one command that mends what is wrong. It asks no network."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from private_packages import manifest, starting
from private_packages.agreement import disagreements, read_view, with_environment
from private_packages.credentials import no_value
from private_packages.environment import find as find_environment
from private_packages.environment import scripts_of
from private_packages.findings import INSTALL, LOGIN, Finding, first_cure
from private_packages.names import COMMAND, listed
from private_packages.output import Output, in_columns
from private_packages.package_files import modules_in
from private_packages.project import adding, install_command, manager_of
from private_packages.strategies import strategy_of
from private_packages.strategies.submodule import checked_out, is_copied, root_of

if TYPE_CHECKING:
    from private_packages.app import App
    from private_packages.config import Package
    from private_packages.strategies.base import View

SUMMARY = "show how each private package stands, and what to type next"
DESCRIPTION = """\
Show for each private package whether the app has it as you want it: locked,
checked out, installed and imported. Say what is wrong, and which one command
puts it right. No host is asked.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument(
        "--json", action="store_true", help="print it for programs, as JSON"
    )
    parser.add_argument(
        "--python",
        metavar="PATH",
        type=Path,
        help="look into the environment of this Python instead of the app's own",
    )


def run(app: App, options: argparse.Namespace) -> int:
    """Say how the app stands; 1 when anything is wrong."""
    return report(app, as_json=options.json, python=options.python)


def report(app: App, *, as_json: bool = False, python: Path | None = None) -> int:
    """Print how the app stands; return 1 when anything is wrong."""
    view = with_environment(read_view(app), python)
    findings = find(view)
    if python and _is_another(app, python):
        findings = [_of_another_python(one, python) for one in findings]
    missing = app.missing_variables()
    if findings and missing:
        findings.insert(0, Finding("missing-variable", "", no_value(missing), LOGIN))
    if as_json:
        print(json.dumps(_for_machines(view, findings, missing), indent=2))
    else:
        _for_people(view, findings, missing)
    return 1 if findings else 0


def _is_another(app: App, python: Path) -> bool:
    """Tell whether a Python is not that of the app's environment."""
    own = find_environment(app.folder, app.environ)
    return (
        own is not None
        and python.absolute().parent.resolve() != scripts_of(own).resolve()
    )


def _of_another_python(finding: Finding, python: Path) -> Finding:
    """Return what `install` cannot mend, because it fills the app's environment alone."""
    if finding.kind not in ("not-installed", "wrong-source", "wrong-version"):
        return finding
    text = f"{finding.text} for {python}, which is not the app's own Python"
    cure = f"{COMMAND} exec python -m unittest"
    return replace(finding, text=text, cure=cure)


def find(view: View) -> list[Finding]:
    """Return everything that is wrong, a package's first trouble first."""
    found = disagreements(view)
    if view.app.config.installer == "uv":
        # With all that it loads 35 ms, which an app with another installer need not wait for.
        from private_packages import uv_state

        found += uv_state.findings(view.app, view.lock)
    if view.environment is None and (view.app.folder / ".venv/pyvenv.cfg").exists():
        text = f"the Python of .venv does not run on this machine; delete that folder, then type `{INSTALL}`"
        found.append(Finding("no-environment", "", text))
    elif not any(finding.kind == "conflict" for finding in found):
        manager = manager_of(view.app)
        added: dict[Package, str] = {}
        for package, step in adding(view.app, manager) if manager else ():
            added.setdefault(package, step)
        for package in view.app.config.packages:
            found += _in_use(view, package, found, manager, added)
        # What is not installed explains why it does not start.
        if view.probe and not found:
            found += starting.start(view, view.probe)
    return [*found, *manifest.edited(view.app)]


def _in_use(
    view: View,
    package: Package,
    found: list[Finding],
    manager: str,
    added: Mapping[Package, str],
) -> list[Finding]:
    """Say why the app does not run a package; what was not made yet cannot be used either.

    ``manager`` is who installs the app in the command's place, or empty; ``added`` are the packages that it does not
    know, with what adds each.
    """
    if any(
        one.package == package.name and one.kind == "change-not-made" for one in found
    ):
        return []
    if package.path and (found := checked_out(view, package)):
        return found
    if package in added:
        text = f"{manager} does not know it yet"
        return [Finding("not-declared", package.name, text, added[package])]
    cure = install_command(manager) if manager else INSTALL
    if view.environment is None:
        text = "it is not installed: the app has no virtual environment yet"
        return [Finding("not-installed", package.name, text, cure)]
    if view.probe is None:
        text = f"the Python in {view.environment} does not start, so nobody can say what is installed"
        return [Finding("no-environment", package.name, text, cure)]
    return [
        replace(one, cure=cure) if one.cure == INSTALL else one
        for one in strategy_of(package).use(view, package)
    ]


def _for_people(view: View, findings: list[Finding], missing: list[str]) -> None:
    # What was asked for is the answer; progress and problems of other commands go elsewhere.
    output = Output(sys.stdout, view.app.environ, quiet=view.app.output.quiet)
    packages = view.app.config.packages
    wrong = {finding.package for finding in findings}
    if any(finding.kind == "no-environment" for finding in findings):
        wrong |= {one.name for one in packages}
    rows = [
        (
            one.name,
            one.strategy,
            _stands_for(view, one),
            "not ok" if one.name in wrong else "ok",
        )
        for one in packages
    ]
    for line in in_columns(rows):
        output.say(line)
    if not packages:
        output.say(
            "No private package yet; `copier update --vcs-ref :current: --trust` asks for the first."
        )
    if not findings:
        if packages:
            output.say("Everything is as it should be.", "good")
        if missing:
            output.say(f"The next install needs {listed(missing)}: {LOGIN}", "aside")
        return
    output.problem("")
    for finding in findings:
        output.problem(f"{finding.sentence}.", "bad")
        if finding.cure:
            output.problem(f"  {finding.cure}", "command")
    cure = first_cure(findings)
    if cure:
        output.problem("")
        # A step that no command does starts as a comment.
        output.problem(cure if cure.startswith("#") else f"Type: {cure}", "command")


def _stands_for(view: View, package: Package) -> str:
    """Return what a package is at, in a few words."""
    locked = view.lock.get(package.key)
    if locked is None:
        return "not fetched yet"
    copied = view.repository is None and package.path and is_copied(view.app, package)
    return f"{locked.stands_for}, a copy without Git" if copied else locked.stands_for


def _for_machines(
    view: View, findings: list[Finding], missing: list[str]
) -> dict[str, Any]:
    return {
        "ok": not findings,
        "packages": [
            _package(view, package, findings) for package in view.app.config.packages
        ],
        "variables": {"needed": view.app.config.variables, "missing": missing},
        "environment": str(view.environment) if view.environment else None,
        "problems": [_problem(finding) for finding in findings],
        "command": first_cure(findings) or None,
    }


def _problem(finding: Finding) -> dict[str, str | None]:
    return {
        "kind": finding.kind,
        "package": finding.package or None,
        "text": finding.text,
        "command": finding.cure or None,
    }


def _package(view: View, package: Package, findings: list[Finding]) -> dict[str, Any]:
    locked = view.lock.get(package.key)
    installed = view.probe.installed(package.name) if view.probe else None
    path = (view.repository.prefix if view.repository else "") + package.path
    current = view.current if package.path else None
    modules = sorted(modules_in(root_of(view.app, package))) if package.path else []
    modules = list(installed.modules) if installed and installed.modules else modules
    origins = {
        name: str(view.probe.origins[name])
        for name in modules
        if view.probe and name in view.probe.origins
    }
    return {
        "name": package.name,
        "strategy": package.strategy,
        "wanted": {
            "requirement": package.requirement,
            "url": package.url or None,
            "ref": package.ref or None,
        },
        "locked": {
            "ref": getattr(locked, "ref", None),
            "commit": getattr(locked, "commit", None),
            "version": getattr(locked, "version", None),
        }
        if locked
        else None,
        "pinned": current.gitlinks.get(path) if current else None,
        "checked_out": (current.heads.get(path) or None) if current else None,
        "installed": {
            "version": installed.version,
            "from": installed.origin,
            "commit": installed.commit or None,
        }
        if installed
        else None,
        "imported_from": origins,
        "problems": [_problem(one) for one in findings if one.package == package.name],
    }
