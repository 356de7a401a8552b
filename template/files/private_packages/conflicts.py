"""A merge of two branches that both changed what is wanted: private-packages.toml and the answers, by their meaning.

Against the commit from which both branches came, each side's change of each package counts. Where both changed the
same package, or a file is not as Git left it, nothing is written, and a sentence says who has to decide what.
"""

from __future__ import annotations

import contextlib
import json
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from private_packages import config
from private_packages.errors import Failure, GitError
from private_packages.files import has_conflict, read_text, sides_of, write_text
from private_packages.findings import SYNC
from private_packages.moving import write_both
from private_packages.names import COMMAND, listed, normalised

if TYPE_CHECKING:
    from private_packages.app import App
    from private_packages.config import Config
    from private_packages.git import Git

# What is asked about a key that both sides changed.
Decide = Callable[[str], "str | None"]
_TABLE = re.compile(r"(?ms)^\[\[packages\]\]\n.*?(?=^\[|\Z)")
_PAIR = re.compile(r"([\w-]+) = .+")
_ANSWER = re.compile(r"(?m)^([A-Za-z_]\w*):.*\n(?:(?![A-Za-z_#]).*\n)*|^#.*\n")
_LINES = re.compile(r"\w+_packages: \|-\n((?:  .*\n)+)")
_NAME = re.compile(r"([A-Za-z0-9][\w.-]*)(?=\s*[\[@=<>!~;]|\s*$)")


class Unclear(Exception):
    """It cannot be told what is meant; the message is what a person has to do, or empty."""


def resolve(folder: Path, git: Git) -> None:
    """Resolve the conflicts of a folder's private-packages.toml and of its answers.

    Raises `Failure` when a person has to decide, and OSError.
    """
    try:
        toml = _merged_toml(sides_in_index(folder, config.FILE, git))
        wanted = config.parse(toml)
        answers = _merged_answers(folder, wanted, git)
    except (Unclear, GitError, Failure) as error:
        by_hand = "resolve them: each package keeps one table [[packages]]"
        why = str(error) if isinstance(error, Unclear) else ""
        raise Failure(
            f"{config.FILE} has merge conflicts; {why or by_hand}."
        ) from error
    if answers:
        write_both(folder, wanted.answers_file, toml, answers)
    else:
        write_text(folder / config.FILE, toml)


def resolve_answers(app: App) -> str:
    """Resolve the conflicts of the answers alone; return why not, as a sentence, or nothing. Raises OSError."""
    name = app.config.answers_file
    try:
        answers = _merged_answers(app.folder, app.config, app.git)
    except (Unclear, GitError) as error:
        why = str(error) if isinstance(error, Unclear) else ""
        return f"{name} has merge conflicts; {why or 'resolve them: each question keeps one answer'}."
    write_text(app.folder / name, answers)
    return ""


def sides_in_index(folder: Path, name: str, git: Git) -> tuple[str, str, str]:
    """Return what a file in conflict was before, on our side and on theirs; it must be as Git left it.

    Raises `Unclear`, `GitError` and OSError.
    """
    texts = [git.run("show", f":{stage}:./{name}", cwd=folder) for stage in (1, 2, 3)]
    base, ours, theirs = (text.replace("\r\n", "\n") for text in texts)
    with tempfile.TemporaryDirectory() as scratch:
        beside = Path(scratch)
        for side, text in {"ours": ours, "base": base, "theirs": theirs}.items():
            write_text(beside / side, text)
        # Its exit code is the number of conflicts.
        with contextlib.suppress(GitError):
            git.run("merge-file", "--quiet", "ours", "base", "theirs", cwd=beside)
        merged = read_text(beside / "ours")
    if sides_of(merged) != sides_of(read_text(folder / name)):
        raise Unclear
    return base, ours, theirs


def three_way(sides: Sequence[Mapping[str, str]], decide: Decide) -> dict[str, str]:
    """Return what base, ours and theirs come to; ``decide`` about what both sides changed."""
    base, ours, theirs = sides
    merged = {}
    for key in dict.fromkeys([*ours, *theirs, *base]):
        before, mine, other = base.get(key), ours.get(key), theirs.get(key)
        if mine == other or other == before:
            found = mine
        else:
            found = other if mine == before else decide(key)
        if found is not None:
            merged[key] = found
    return merged


def _merged_toml(sides: tuple[str, str, str]) -> str:
    """Return a private-packages.toml with the changes of both sides. Raises `Unclear` and `Failure`."""
    configs = [config.parse(text) for text in sides]
    packages = [_tables(text) for text in sides]
    contested: list[str] = []
    tables = three_way(packages, contested.append)
    if contested:
        raise Unclear(_to_decide(contested, packages, configs))

    def decide(key: str) -> str:
        # The variables follow from the rest, and are there for people.
        if key != "variables":
            raise Unclear(f"both branches changed {key}: keep one of its lines")
        return "variables = []\n"

    head = three_way([_head(text) for text in sides], decide)
    # New lines stand before the table of the index.
    lines = sorted(head.items(), key=lambda one: "[index]" in one[0])
    kinds = [one.strategy for side in configs[1:] for one in side.packages]
    merged = sorted(tables.items(), key=lambda one: kinds.index(_kind(one[0], configs)))
    text = "".join([*(line for _, line in lines), *(f"\n{one}" for _, one in merged)])
    variables = json.dumps(config.parse(text).variables)
    return re.sub(r"(?m)^variables = .*$", lambda _: f"variables = {variables}", text)


def _kind(key: str, configs: Sequence[Config]) -> str:
    found = [one.named(key) for one in configs]
    return next(one.strategy for one in found[1:] if one)


def _tables(text: str) -> dict[str, str]:
    """Return the tables of the packages, by normalised name."""
    tables = [f"{table.strip()}\n" for table in _TABLE.findall(text)]
    return {
        config.parse(f"format = 1\n{_index_of(text)}{table}").packages[0].key: table
        for table in tables
    }


def _index_of(text: str) -> str:
    """Return the table of the index, without which no package may come from it."""
    found = re.search(r"(?ms)^\[index\]\n.*?(?=^\[|\Z)", text)
    return found[0] if found else ""


def _head(text: str) -> dict[str, str]:
    """Return the lines above the packages, by key. Raises `Unclear` when they are not as the template writes them."""
    head, table = {}, ""
    for line in _TABLE.sub("", text).splitlines():
        pair = _PAIR.fullmatch(line)
        if line == "[index]":
            table = line
            head[line] = f"\n{line}\n"
        elif pair or line.startswith("#"):
            head[f"{table}{pair[1] if pair else line}"] = f"{line}\n"
        elif line.strip():
            raise Unclear
    return head


def _to_decide(
    contested: Sequence[str],
    packages: Sequence[Mapping[str, str]],
    configs: Sequence[Config],
) -> str:
    """Say which packages both sides changed, and the commands that take one side."""
    both = listed(
        [
            f"{key} ({_at(configs[1], key)} here, {_at(configs[2], key)} there)"
            for key in contested
        ]
    )
    alone = sorted(
        {
            key
            for side in packages[1:]
            for key in {*side, *packages[0]}
            if side.get(key) != packages[0].get(key)
        }
        - {*contested}
    )
    rest = (
        f"; of {listed(alone)}, make again with `{COMMAND} move` or `copier update` what that side lacks"
        if alone
        else ""
    )
    files = f"{config.FILE} {configs[1].answers_file}"
    return (
        f"both branches changed {both}: take one side of the wishes with `git checkout --ours -- {files}`,"
        f" or with `--theirs`, then type `{SYNC}`{rest}"
    )


def _at(wanted: Config, key: str) -> str:
    package = wanted.named(key)
    if package is None:
        return "dropped"
    return (
        package.ref
        or package.requirement.removeprefix(package.name).strip()
        or "any version"
    )


def _merged_answers(folder: Path, wanted: Config, git: Git) -> str:
    """Return the answers with the changes of both sides; nothing where they have no conflict.

    Raises `Unclear`, `GitError` and OSError.
    """
    name = wanted.answers_file
    if not (folder / name).exists() or not has_conflict(read_text(folder / name)):
        return ""
    answers = [_answers(text) for text in sides_in_index(folder, name, git)]

    def decide(key: str) -> str:
        found = [_LINES.fullmatch(side.get(key, "")) for side in answers]
        if not all(found):
            raise Unclear(
                f"both branches changed {key} in {name}, too: resolve that file first"
            )
        lines = three_way([_lines(one[1]) for one in found if one], no_line)
        return f"{key}: |-\n" + "".join(lines.values())

    def no_line(_: str) -> None:
        raise Unclear(
            f"both branches changed a line of {name}, too: resolve that file first"
        )

    merged = three_way(answers, decide)
    for strategy in {one.strategy for one in wanted.packages}:
        found = _LINES.fullmatch(merged.get(f"{strategy}_packages", ""))
        if found is None or len(
            [one for one in _lines(found[1]) if not one.startswith("#")]
        ) != len(wanted.of(strategy)):
            raise Unclear(
                f"{name} and {config.FILE} are about different packages: resolve both by hand"
            )
    return "".join(merged.values())


def _answers(text: str) -> dict[str, str]:
    """Return the answers, by question, as they are written. Raises `Unclear`."""
    found = list(_ANSWER.finditer(text))
    if "".join(one[0] for one in found) != text:
        raise Unclear
    return {one[1] or one[0]: one[0] for one in found}


def _lines(block: str) -> dict[str, str]:
    """Return the lines of packages by name; one without a name by itself. Raises `Unclear`."""
    lines = {}
    for line in block.splitlines(keepends=True):
        name = _NAME.match(line.strip())
        key = normalised(name[1]) if name else line.strip()
        if key in lines:
            raise Unclear
        lines[key] = line
    return lines
