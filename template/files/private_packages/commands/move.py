"""`move`: one package to another ref or version, in answers, toml, requirements.txt, pin and lock in one step."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from private_packages import config as configuration
from private_packages import lock as locking
from private_packages.errors import Failure, WrongUsage
from private_packages.files import read_text, write_text
from private_packages.findings import INSTALL
from private_packages.moving import write_both
from private_packages.names import COMMAND, listed
from private_packages.output import in_columns
from private_packages.remote import AT_ONCE
from private_packages.report import Report
from private_packages.repository import Repository, open_repository
from private_packages.shared_files import write_blocks
from private_packages.strategies import strategy_of
from private_packages.submodules.gitdir import head_of
from private_packages.submodules.state import JOURNAL
from private_packages.synchronise import synchronise

if TYPE_CHECKING:
    from private_packages.app import App
    from private_packages.config import Package

SUMMARY = "move a package to another ref or version"
DESCRIPTION = """\
Move one package to a ref or version, by default the newest: in the answers,
in private-packages.toml, in requirements.txt, in Git's pin and in the lock. A
branch is taken at its newest commit.

  move acme-beams            to the newest version
  move acme-beams v1.3.0     to a tag, a branch or a commit
  move acme-units 2.2.0      to a version of the index
  move --list                what is newer
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="the package")
    parser.add_argument(
        "ref",
        nargs="?",
        metavar="REF",
        help="tag, branch, commit or version; by default the newest",
    )
    parser.add_argument(
        "--list", action="store_true", help="show what is newer, and change nothing"
    )


def run(app: App, options: argparse.Namespace) -> int:
    """Move a package, or list what is newer."""
    if options.list:
        return _list(
            app,
            [_named(app, options.name)] if options.name else list(app.config.packages),
        )
    if not options.name:
        raise WrongUsage(
            f"Which package? {_those(app)} `{COMMAND} move --list` shows what is newer."
        )
    package = _named(app, options.name)
    try:
        ref = options.ref or _newest(app, package)
        stays = ref == package.ref
        moved = package if stays else strategy_of(package).at(package, ref)
    except Failure as error:
        raise Failure(f"{package.name}: {error}.") from error
    return _move(app, package, moved)


def _named(app: App, name: str) -> Package:
    package = app.config.named(name)
    if package is None:
        raise WrongUsage(f"There is no package {name}. {_those(app)}")
    return package


def _those(app: App) -> str:
    names = [one.name for one in app.config.packages]
    return (
        f"The app has {listed(names)}." if names else "The app has no private package."
    )


def _newest(app: App, package: Package) -> str:
    """Return the newest version; what is pinned to a branch or commit stays there, at its newest commit."""
    newer = strategy_of(package).newer(app, package)
    return newer[0] if newer else package.ref


def _move(app: App, package: Package, moved: Package) -> int:
    """Write what is wanted now, then make it; what cannot be made is taken back.

    Where Ctrl-C comes when the package's files are switched already, it is not: `sync` goes on from there.
    """
    toml, answers = (
        app.folder / configuration.FILE,
        app.folder / app.config.answers_file,
    )
    wanted = {path: read_text(path) for path in (toml, answers) if path.exists()}
    repository = open_repository(app.folder, app.git) if package.path else None
    before = dict(wanted)
    if repository is not None and repository.gitmodules.exists():
        before[repository.gitmodules] = read_text(repository.gitmodules)
    locked = locking.load(app.folder).get(package.key)
    files = _checked_out(repository, package)
    moved = moved if moved == package else replace(moved, typed="")
    if moved != package:
        _write(app, package, moved, wanted)
    config = replace(
        app.config,
        packages=tuple(moved if one == package else one for one in app.config.packages),
    )
    try:
        report = synchronise(replace(app, config=config), anew=package.key)
    except BaseException:
        if _checked_out(repository, package) == files:
            _take_back(app, before, repository)
        raise
    if any(problem.startswith(f"{package.name}: ") for problem in report.problems):
        _take_back(app, before, repository)
        report.show(app.output)
        app.output.problem(f"{package.name} stays where it was.", "bad")
        return 1
    after = locking.load(app.folder).get(package.key)
    at = after.stands_for if after else moved.ref or moved.requirement
    stays = moved == package and after == locked
    report.outcomes = [one for one in report.outcomes if one.name != package.name]
    app.output.say(f"  {package.name}: {'stays at' if stays else 'moved to'} {at}")
    report.show(app.output)
    if app.config.installer == "uv" and not _lock(replace(app, config=config), package):
        return 1
    if not stays or report.outcomes:
        app.output.say(f"Next: {INSTALL}", "command")
    return 1 if report.problems else 0


def _lock(app: App, package: Package) -> bool:
    """Bring uv.lock, and what follows it, to what is wanted now; tell whether that could be done."""
    # With uv's way of resolving 60 ms, which nobody else waits for.
    from private_packages import uv_export, uv_proof

    try:
        uv, _, _ = uv_proof.prove(app, locked=False, anew=package.name)
        if uv_export.is_kept(app):
            uv_export.write(app, uv)
    except Failure as error:
        app.output.problem(f"uv.lock was not moved. {error}", "bad")
        return False
    return True


def _checked_out(repository: Repository | None, package: Package) -> tuple[str, bool]:
    """Return the commit of a submodule's files, and whether other ones are being checked out."""
    if repository is None:
        return "", False
    module = repository.module(f"{repository.prefix}{package.path}")
    return head_of(module), (module / JOURNAL).exists()


def _take_back(
    app: App, before: Mapping[Path, str], repository: Repository | None
) -> None:
    """Write the files as they were, and the blocks that were made of them."""
    for path, text in before.items():
        if read_text(path) != text:
            write_text(path, text)
            if repository is not None and path == repository.gitmodules:
                repository.run("add", "--", str(path))
    write_blocks(app, Report())


def _write(
    app: App, package: Package, moved: Package, before: Mapping[Path, str]
) -> None:
    """Put the new line into the answers and private-packages.toml. Raises `Failure` when they do not hold the old one."""
    changed = {}
    for path, text in before.items():
        if path.name == configuration.FILE:
            new = _in_toml(text, package, moved)
        else:
            new = _in_answers(text, *_typed(app, package, moved))
        if new == text:
            raise Failure(
                f"{package.name}: its line does not stand in {path.name} as `{package.requirement}`;"
                " change it with `copier update --vcs-ref :current: --trust`."
            )
        changed[path] = new
    if not _is_read_as(changed[app.folder / configuration.FILE], moved):
        raise Failure(
            f"{package.name}: `{moved.ref or moved.requirement}` cannot stand in a package line; name another."
        )
    toml = changed.pop(app.folder / configuration.FILE)
    for answers in changed.values():
        write_both(app.folder, app.config.answers_file, toml, answers)
        return
    write_text(app.folder / configuration.FILE, toml)


def _typed(app: App, package: Package, moved: Package) -> tuple[str, list[str]]:
    """Return what stands in the answers for a package, and the lines that take its place.

    One pasted command may stand for several packages; each gets its own line.
    """
    if not package.typed:
        return package.requirement, [moved.requirement]
    together = [
        one for one in app.config.of(package.strategy) if one.typed == package.typed
    ]
    return package.typed, [
        (moved if one == package else one).requirement for one in together
    ]


def _is_read_as(text: str, package: Package) -> bool:
    """Tell whether a private-packages.toml is read back with this package."""
    try:
        return configuration.parse(text).named(package.name) == package
    except Failure:
        return False


def _in_toml(text: str, package: Package, moved: Package) -> str:
    """Return the text of private-packages.toml with one package's table changed."""

    def change(table: re.Match[str]) -> str:
        lines = table[0]
        if package.typed:
            # The answers have whole lines now.
            lines = lines.replace(f"{_pair('typed', package.typed)}\n", "")
        if f"\nname = {json.dumps(package.name)}\n" not in lines:
            return lines
        lines = lines.replace(
            _pair("requirement", package.requirement),
            _pair("requirement", moved.requirement),
        )
        if _pair("ref", package.ref) in lines:
            return lines.replace(_pair("ref", package.ref), _pair("ref", moved.ref))
        return (
            lines
            if moved.ref == package.ref
            else lines.rstrip("\n") + f"\n{_pair('ref', moved.ref)}\n"
        )

    return re.sub(r"(?ms)^\[\[packages\]\]\n.*?(?=^\[|\Z)", change, text)


def _pair(key: str, value: str) -> str:
    return f"{key} = {json.dumps(value, ensure_ascii=False)}"


def _in_answers(text: str, old: str, new: Sequence[str]) -> str:
    """Return the text of the answers with one line changed, as it was typed, into one or several."""
    for write, end in ((str, "\n"), (lambda line: json.dumps(line)[1:-1], "\\n")):
        pattern = rf"(?<![\w.-]){re.escape(write(old))}(?![\w./+-])"
        found = re.search(pattern, text)
        if found:
            # In YAML's block each line is indented alike.
            start = text.rfind("\n", 0, found.start()) + 1
            indent = text[start : found.start()] if end == "\n" else ""
            lines = f"{end}{indent}".join(write(line) for line in new)
            return text[: found.start()] + lines + text[found.end() :]
    return text


def _list(app: App, packages: list[Package]) -> int:
    """Show what is newer for each package; 1 when a host could not be asked."""

    def ask(package: Package) -> list[str] | Failure:
        try:
            return strategy_of(package).newer(app, package)
        except Failure as error:
            return error

    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool, app.git.stopping():
        answers = list(zip(packages, pool.map(ask, packages), strict=True))
    rows = []
    for package, newer in answers:
        if isinstance(newer, Failure):
            app.output.problem(f"{package.name}: {newer}.", "bad")
            continue
        line = package.requirement.removeprefix(package.name).strip()
        at = package.ref or line.removeprefix("==").strip() or "any version"
        newest = f"newer: {', '.join(newer[:5])}" if newer else "newest"
        rows.append((package.name, at, newest))
    for line in in_columns(rows):
        print(line)
    return 0 if len(rows) == len(packages) else 1
