"""Update an app from one release of this template to the next: `python -m demo.update v1.2.3`.

The app is made from the tag before, with a package of each strategy from the demo's hosts, and committed. Then
`copier update` takes it to the tag, everything is installed, and the app and its tests run.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import yaml

from demo import runs
from demo.git import run_git
from demo.hosts import DemoHosts
from demo.release import FORM, order

ANSWERS = {"python_version": "3.11", "ci": "github"}


def tag_before(repository: Path, tag: str) -> str:
    """Return the newest release among the ancestors of a tag, or nothing for the first release."""
    merged = run_git("-C", repository, "tag", "--list", "v*", "--merged", tag).split()
    versions = [one[1:] for one in merged if one != tag and FORM.fullmatch(one[1:])]
    return f"v{max(versions, key=order)}" if versions else ""


def update(template: Path, app: Path, before: str, tag: str, hosts: DemoHosts) -> str:
    """Take an app from one tag to another, or make it from the one where there is none before.

    Returns what the app prints when it runs. Raises `runs.StepFailed` at the first command that fails.
    """
    variables = {**hosts.variables, "PRIVATE_PACKAGES_STRICT": "1"}
    answers = {**ANSWERS, **hosts.answers("mixed")}
    copier: list[str | Path] = [sys.executable, "-m", "copier"]
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder, "answers.yml")
        data.write_text(yaml.safe_dump(answers, sort_keys=False), encoding="utf-8")
        copy = [*copier, "copy", "--trust", "--defaults", "--data-file", data, "--vcs-ref", before or tag]
        runs.run([*copy, template, app], template, variables)
    if before:
        _commit(app, f"Start from {before}")
        runs.run([*copier, "update", "--trust", "--defaults", "--vcs-ref", tag], app, variables)
        conflicts = run_git("-C", app, "diff", "--name-only", "--diff-filter=U")
        if conflicts:
            raise runs.StepFailed(f"the update from {before} to {tag} has conflicts in {conflicts}")
    runs.install(app, hosts.variables)
    said = runs.start(app, "python")
    runs.test(app)
    return said


def _commit(app: Path, message: str) -> None:
    who = ("-c", "user.name=Demo", "-c", "user.email=demo@localhost.invalid")
    run_git("-C", app, "add", "--all")
    run_git("-C", app, *who, "commit", "--quiet", "--message", message)


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and run; 1, with the words of the command that failed, when the app does not work."""
    parser = argparse.ArgumentParser(
        prog="python -m demo.update", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("tag", help="the release to which the app is updated, such as v1.2.3")
    options = parser.parse_args(arguments)
    before = tag_before(runs.TEMPLATE, options.tag)
    try:
        with tempfile.TemporaryDirectory() as folder, DemoHosts() as hosts:
            said = update(runs.TEMPLATE, Path(folder, "my-app"), before, options.tag, hosts)
    except (runs.StepFailed, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"An app of {before} works with {options.tag}:" if before else f"An app of {options.tag} works:")
    print(said)
    return 0


if __name__ == "__main__":
    sys.exit(main())
