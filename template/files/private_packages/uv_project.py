"""The app's pyproject.toml where uv installs: the entries of the private packages, and nothing else of it, are ours.

What they are called stands in `dependencies` of `[project]`; where they come from in a marked block at the end, as
`[tool.uv.sources.NAME]` and `[[tool.uv.index]]` (uv, "Managing dependencies"). No login is in any of them.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from private_packages.blocks import block_in, read_block, with_block
from private_packages.dependency_list import ending_of, key_of, with_needs
from private_packages.errors import Failure, Unreadable
from private_packages.files import has_conflict, read_exactly, write_exactly
from private_packages.names import COMMAND, normalised
from private_packages.package_files import is_installable
from private_packages.project import SOURCE, source_of, table
from private_packages.strategies.git import LINE
from private_packages.strategies.submodule import distribution_of, root_of

if TYPE_CHECKING:
    from private_packages.app import App
    from private_packages.config import Package

FILE = "pyproject.toml"
Table = dict[str, Any]
_OUR_INDEX = rf'(?m)^\[\[tool\.uv\.index\]\]\r?\nname = "{SOURCE}"\r?\n(?:(?!\[|#).*\n)*(?:\r?\n)?'
_VERSION = re.compile(r"v?[0-9]+(?:\.[0-9]+)+\S*")


@dataclass(frozen=True)
class Entries:
    """What of the private packages stands in pyproject.toml.

    ``needs`` are requirements without an address; ``sources``, as they by normalised name, and ``index`` are tables as uv reads
    them. ``former`` are the names that were ours before.
    """

    needs: Mapping[str, str]
    sources: Mapping[str, Table]
    index: Table | None = None
    former: frozenset[str] = field(default=frozenset(), compare=False)

    @property
    def block(self) -> list[str]:
        """The lines of the block."""
        tables = [
            [f"[tool.uv.sources.{name}]", *pairs(one)]
            for name, one in self.sources.items()
        ]
        if self.index:
            tables.append(["[[tool.uv.index]]", *pairs(self.index)])
        lines = [line for one in tables for line in ["", *one]]
        return lines[1:]


def pairs(table: Table) -> list[str]:
    """Return the lines of a table of plain values, as TOML."""
    # JSON's strings and booleans are TOML's, too.
    return [f"{key} = {json.dumps(value)}" for key, value in table.items()]


def wanted(app: App) -> Entries:
    """Return the entries that the app's packages want. Raises `Failure` for a damaged block."""
    former = sources_in(block_in(app.folder / FILE))
    if app.config.installer != "uv":
        return Entries({}, {}, former=frozenset(map(normalised, former)))
    by_path = {one.get("path"): name for name, one in former.items()}
    needs: dict[str, str] = {}
    sources: dict[str, Table] = {}
    index = app.config.index
    name_of_index, has_index = source_of(app, "uv") if index else (SOURCE, "")
    for package in app.config.packages:
        if package.strategy == "submodule":
            name = _distribution(app, package, by_path)
            if name:
                needs[normalised(name)] = name
                sources[normalised(name)] = {"path": package.root, "editable": True}
        elif package.strategy == "git":
            needs[package.key] = _without_address(package)
            sources[package.key] = of_git(package)
        else:
            needs[package.key] = package.requirement
            if index and index.scope != "only":
                sources[package.key] = {"index": name_of_index}
    index_table = None
    if index and (not has_index or name_of_index == SOURCE):
        where = "default" if index.scope == "only" else "explicit"
        index_table = {"name": SOURCE, "url": index.address, where: True}
    return Entries(needs, sources, index_table, frozenset(map(normalised, former)))


def _distribution(
    app: App, package: Package, former: Mapping[object, str]
) -> str | None:
    """Return the name under which uv installs a submodule; None where nothing can install it.

    As long as it is not here, it stays what it was.
    """
    root = root_of(app, package)
    if not root.is_dir() or not any(root.iterdir()):
        return former.get(package.root, package.name)
    try:
        return distribution_of(app, package) if is_installable(root) else None
    except Unreadable:
        return former.get(package.root)


def _without_address(package: Package) -> str:
    found = re.fullmatch(LINE, package.requirement)
    if found is None:
        return package.name
    marker = f" ; {found['marker'].strip()}" if found["marker"] else ""
    return f"{package.name}{found['extras'] or ''}{marker}"


def of_git(package: Package) -> Table:
    """Return a source as uv documents it: a tag, or else a `rev`, which may be a branch or a commit, too."""
    url = package.url
    if "://" not in url:
        url = "ssh://" + url.replace(":", "/", 1)
    table: Table = {"git": url}
    if package.ref:
        table["tag" if _VERSION.fullmatch(package.ref) else "rev"] = package.ref
    if package.subdirectory:
        table["subdirectory"] = package.subdirectory
    return table


def write(app: App) -> bool:
    """Bring the app's pyproject.toml up to date; tell whether it changed. Raises `Failure`, which changes nothing."""
    path = app.folder / FILE
    if not path.is_file():
        if app.config.installer == "uv":
            raise Failure(
                f"There is no {FILE}; make one with `uv init --bare`, then type `{COMMAND} sync`."
            )
        return False
    # Without the answer, entries from before are taken out.
    if app.config.installer != "uv" and not block_in(path):
        return False
    text, encoding = read_exactly(path)
    if has_conflict(text):
        raise Failure(
            f"{FILE} has merge conflicts; resolve them, then type `{COMMAND} sync`."
        )
    changed = with_entries(text, wanted(app))
    if changed == text:
        return False
    write_exactly(path, changed, encoding)
    return True


def text_of(app: App) -> str:
    """Return the text of the app's pyproject.toml; empty where there is none."""
    path = app.folder / FILE
    return read_exactly(path)[0] if path.is_file() else ""


def put_right(app: App, before: str) -> None:
    """Take back what `uv add` wrote because a variable names the private index, which it takes for its option `--index`.

    It moves the index, and says of what it found there that it comes from there alone. Raises `Failure`.
    """
    path = app.folder / FILE
    text, encoding = read_exactly(path)
    known, found = _all_sources(before), _all_sources(text)
    for name in found.keys() - known.keys():
        if found[name] == {"index": SOURCE}:
            line = rf'(?m)^{re.escape(name)} = \{{ index = "{SOURCE}" \}}\r?\n'
            text = re.sub(line, "", text)
    header = r"(?m)^\[tool\.uv\.sources\]\r?\n(?:[ \t]*\r?\n)*(?=\[|#|\Z)"
    if not re.search(r"(?m)^\[tool\.uv\.sources\]", before):
        text = re.sub(header, "", text)
    write_exactly(path, text, encoding)
    write(app)


def _all_sources(text: str) -> Table:
    return table(_parsed(text), "tool", "uv", "sources")


def is_written(app: App) -> bool:
    """Tell whether the entries are as `write` makes them. Raises `Failure`."""
    path = app.folder / FILE
    if app.config.installer != "uv":
        return not block_in(path)
    if not path.is_file():
        return False
    text = read_exactly(path)[0]
    return not has_conflict(text) and with_entries(text, wanted(app)) == text


def dependencies(app: App) -> list[str]:
    """Return what stands in `dependencies` of `[project]`. Raises `Failure`."""
    text = text_of(app)
    return _needs_of(_parsed(text)) if text else []


def with_entries(text: str, entries: Entries) -> str:
    """Return a pyproject.toml with other entries; all else in it means what it meant before.

    Raises `Failure` where that cannot be done.
    """
    return _proved(text, _with_sources(with_list(text, entries), entries), entries)


def with_list(text: str, entries: Entries) -> str:
    """Return a pyproject.toml with the needs alone, and without those that were ours before. Raises `Failure`."""
    # Says at once what is no list.
    _needs_of(_parsed(text))
    return _proved(text, with_needs(text, entries.needs, entries.former), entries)


def _proved(text: str, changed: str, entries: Entries) -> str:
    before, after = _parsed(text), _parsed(changed, entries)
    ours = entries.needs.keys() | entries.former
    kept = [one for one in _needs_of(before) if key_of(one) not in ours]
    same = sorted(_needs_of(after)) == sorted([*kept, *entries.needs.values()])
    if not same or _others(after, entries) != _others(before, entries):
        raise Failure(
            f"{FILE}: `dependencies` cannot be changed as it is written; write it as one plain list, then type"
            f" `{COMMAND} sync`."
        )
    return changed


def _parsed(text: str, entries: Entries | None = None) -> Table:
    try:
        return tomllib.loads(text.removeprefix("\ufeff"))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        if entries is None:
            raise Failure(f"{FILE} is no TOML file ({error}); correct it.") from error
        names = ", ".join(entries.sources) or SOURCE
        raise Failure(
            f"{FILE} says itself where {names} or its index comes from, or has `sources` of [tool.uv] in one line; take that"
            f" out, then type `{COMMAND} sync`."
        ) from error


def _needs_of(data: Table) -> list[str]:
    project = data.get("project")
    found = project.get("dependencies", []) if isinstance(project, dict) else None
    indexes = table(data, "tool", "uv").get("index", [])
    if not isinstance(indexes, list) or not all(
        isinstance(one, dict) for one in indexes
    ):
        raise Failure(
            f"{FILE}: `index` of [tool.uv] is no list of tables; correct it, then type `{COMMAND} sync`."
        )
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise Failure(
            f"{FILE} has no [project] with a list of `dependencies`; write one, then type `{COMMAND} sync`."
        )
    return found


def _others(data: Table, entries: Entries) -> Table:
    """Return what is not ours in a project."""
    ours = entries.former | set(map(normalised, entries.sources))
    sources = {
        name: one
        for name, one in table(data, "tool", "uv", "sources").items()
        if normalised(name) not in ours
    }
    indexes = table(data, "tool", "uv").get("index", [])
    others = [one for one in indexes if one.get("name") != SOURCE]
    rest = {
        "": _without(data, "tool", "project"),
        "project": _without(table(data, "project"), "dependencies"),
        "tool": _without(table(data, "tool"), "uv"),
        "uv": _without(table(data, "tool", "uv"), "sources", "index"),
    }
    return {**rest, "sources": sources, "index": others}


def _without(data: Table, *keys: str) -> Table:
    return {key: one for key, one in data.items() if key not in keys}


# --- where they come from ---


def sources_in(block: Sequence[str]) -> dict[str, Table]:
    """Return the sources that a block has, by name; a block that is no TOML has none that are known."""
    try:
        tables = tomllib.loads("\n".join(block))["tool"]["uv"]["sources"]
    except (tomllib.TOMLDecodeError, KeyError, TypeError):
        return {}
    return {
        name: one if isinstance(one, dict) else {}
        for name, one in (tables.items() if isinstance(tables, dict) else ())
    }


def _with_sources(text: str, entries: Entries) -> str:
    try:
        foreign = _foreign(read_block(text) or [])
        if foreign:
            # `uv add --index` puts its table before the first one, which may be ours.
            ending = ending_of(text)
            text = f"{with_block(text, []).rstrip()}{ending}{ending}{ending.join(foreign)}{ending}"
        return with_block(_without_moved(text), entries.block)
    except ValueError as error:
        raise Failure(
            f"{FILE} holds {error} of the block that `{COMMAND} sync` writes; delete what is left of the block, then"
            " type that command."
        ) from error


def _without_moved(text: str) -> str:
    """Take our index out of where `uv add` put it: it takes one that a variable names for one to write down."""
    without = with_block(text, [])
    if not read_block(text) or not re.search(_OUR_INDEX, without):
        return text
    return re.sub(_OUR_INDEX, "", without)


def _foreign(block: Sequence[str]) -> list[str]:
    """Return the tables in the block that are not ours."""
    found: list[str] = []
    for one in re.split(r"\n(?=[ \t]*\[)", "\n".join(block)):
        is_source = re.match(r"\s*\[tool\.uv\.sources\.", one)
        is_index = re.match(rf'\s*\[\[tool\.uv\.index\]\]\s*name = "{SOURCE}"', one)
        if one.strip() and not is_source and not is_index:
            found += [line.rstrip() for line in one.strip().splitlines()]
            found.append("")
    return found[:-1]
