"""A release of this template: `python -m demo.release 1.2.3` prepares one, `--notes v1.2.3` prints what it says.

Version, tag, changelog and notes are one fact. The version stands in pyproject.toml, the tag is that version behind a
`v`, and the notes are the changelog's section of that name. This uses the standard library alone, because the job that
publishes a release runs it with the right to write.
"""

from __future__ import annotations

import argparse
import datetime
import re
import sys
import tomllib
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FORM = re.compile(r"(\d+)\.(\d+)\.(\d+)")
UNRELEASED = "## Unreleased"


class NotOne(Exception):
    """Version, tag and changelog differ; the message is a sentence that says where and what to do."""


def order(version: str) -> tuple[int, ...]:
    """Return a version in a form that compares. Raises `NotOne` when it is not three numbers."""
    found = FORM.fullmatch(version)
    if found is None:
        raise NotOne(f"{version!r} is not a version of the form 1.2.3.")
    return tuple(map(int, found.groups()))


def sections(changelog: str) -> dict[str, str]:
    """Return the text of each released version of a changelog, in the changelog's order. Raises `NotOne`.

    A heading is `## 1.2.3 - 2026-01-31`; the versions descend.
    """
    found = {}
    for heading, text in re.findall(r"(?ms)^## (?!Unreleased$)(.*?)$\n(.*?)(?=^## |\Z)", changelog):
        version, _, day = heading.partition(" - ")
        if not re.fullmatch(r"\d{4}-\d\d-\d\d", day):
            raise NotOne(
                f"In CHANGELOG.md the heading `## {heading}` is not of the form `## 1.2.3 - 2026-01-31`."
            )
        found[version] = text.strip()
    versions = [order(version) for version in found]
    if any(newer <= older for newer, older in pairwise(versions)):
        raise NotOne("In CHANGELOG.md the versions do not stand with the newest first.")
    return found


def version_of(project: str) -> str:
    """Return the version that a pyproject.toml states."""
    return str(tomllib.loads(project)["project"]["version"])


def notes(folder: Path, tag: str) -> str:
    """Return what the changelog says of a tag. Raises `NotOne` when tag, version and changelog differ."""
    version = version_of((folder / "pyproject.toml").read_text(encoding="utf-8"))
    changelog = (folder / "CHANGELOG.md").read_text(encoding="utf-8")
    released = sections(changelog)
    if tag != f"v{version}":
        raise NotOne(f"The tag is {tag}, and pyproject.toml has the version {version}.")
    if next(iter(released), None) != version:
        raise NotOne(f"The newest release in CHANGELOG.md is not {version}.")
    if not released[version]:
        raise NotOne(f"CHANGELOG.md says nothing of {version}.")
    if re.search(r"(?m)^[^#\s]", changelog.partition(f"{UNRELEASED}\n")[2].partition("\n## ")[0]):
        raise NotOne(f"CHANGELOG.md has changes under Unreleased, above {version}.")
    return released[version]


def prepare(folder: Path, version: str, day: datetime.date) -> None:
    """Write the version into pyproject.toml, and the changelog's Unreleased under it. Raises `NotOne`."""
    project, changelog = folder / "pyproject.toml", folder / "CHANGELOG.md"
    text = changelog.read_text(encoding="utf-8")
    released = sections(text)
    newest = next(iter(released), "")
    if order(version) <= (order(newest) if newest else (0, 0, 0)):
        raise NotOne(f"{version} is not newer than {newest}.")
    before, heading, after = text.partition(f"{UNRELEASED}\n")
    if not heading or not after.partition("\n## ")[0].strip():
        raise NotOne("CHANGELOG.md has nothing under Unreleased.")
    changelog.write_text(f"{before}{heading}\n## {version} - {day}\n{after}", encoding="utf-8", newline="\n")
    settings = project.read_text(encoding="utf-8")
    old = f'\nversion = "{version_of(settings)}"\n'
    project.write_text(settings.replace(old, f'\nversion = "{version}"\n', 1), encoding="utf-8", newline="\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and run; 1, with a sentence, where the facts differ."""
    parser = argparse.ArgumentParser(
        prog="python -m demo.release", description=(__doc__ or "").splitlines()[0]
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("version", nargs="?", help="write this version into pyproject.toml and CHANGELOG.md")
    what.add_argument("--notes", metavar="TAG", help="print the notes of this tag, and change nothing")
    options = parser.parse_args(arguments)
    try:
        if options.notes:
            print(notes(ROOT, options.notes))
        else:
            prepare(ROOT, options.version, datetime.date.today())
            print(f"Look at `git diff`, then commit, and tag the commit v{options.version}.")
    except NotOne as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
