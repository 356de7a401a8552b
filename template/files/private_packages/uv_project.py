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
from private_packages.errors import Failure, Unreadable
from private_packages.files import has_conflict, read_exactly, write_exactly
from private_packages.names import COMMAND, normalised
from private_packages.package_files import is_installable
from private_packages.project import SOURCE, source_of
from private_packages.strategies.git import LINE
from private_packages.strategies.submodule import distribution_of, root_of

if TYPE_CHECKING:
    from private_packages.app import App
    from private_packages.config import Package

FILE = "pyproject.toml"
Table = dict[str, Any]
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_OUR_INDEX = rf'(?m)^\[\[tool\.uv\.index\]\]\r?\nname = "{SOURCE}"\r?\n(?:(?!\[|#).*\n)*(?:\r?\n)?'
_VERSION = re.compile(r"v?[0-9]+(?:\.[0-9]+)+\S*")
_PROJECT = r"[ \t]*\[[ \t]*project[ \t]*\]"
_TOKEN = re.compile(
    r"\s+|#[^\n]*|(?P<string>\"(?:\\.|[^\"\\\n])*\"|'[^'\n]*')|(?P<comma>,)|(?P<end>\])"
)


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
            [f"[tool.uv.sources.{name}]", *_pairs(table)]
            for name, table in self.sources.items()
        ]
        if self.index:
            tables.append(["[[tool.uv.index]]", *_pairs(self.index)])
        lines = [line for table in tables for line in ["", *table]]
        return lines[1:]


def _pairs(table: Table) -> list[str]:
    # JSON's strings and booleans are TOML's, too.
    return [f"{key} = {json.dumps(value)}" for key, value in table.items()]


def wanted(app: App) -> Entries:
    """Return the entries that the app's packages want. Raises `Failure` for a damaged block."""
    former = sources_in(block_in(app.folder / FILE))
    if app.config.installer != "uv":
        return Entries({}, {}, former=frozenset(map(normalised, former)))
    by_path = {table.get("path"): name for name, table in former.items()}
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
    table = None
    if index and (not has_index or name_of_index == SOURCE):
        where = "default" if index.scope == "only" else "explicit"
        table = {"name": SOURCE, "url": index.address, where: True}
    return Entries(needs, sources, table, frozenset(map(normalised, former)))


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
    entries = wanted(app)
    if app.config.installer != "uv" and not block_in(path):
        return False
    text, encoding = read_exactly(path)
    if has_conflict(text):
        raise Failure(
            f"{FILE} has merge conflicts; resolve them, then type `{COMMAND} sync`."
        )
    changed = with_entries(text, entries)
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
    found = _parsed(text).get("tool", {}).get("uv", {}).get("sources", {})
    return found if isinstance(found, dict) else {}


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
    return _proved(text, _with_needs(text, entries), entries)


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
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise Failure(
            f"{FILE} has no [project] with a list of `dependencies`; write one, then type `{COMMAND} sync`."
        )
    return found


def key_of(requirement: str) -> str:
    """Return the normalised name of a requirement; empty for what has none."""
    found = _NAME.match(requirement.strip())
    return normalised(found[0]) if found else ""


def _others(data: Table, entries: Entries) -> Table:
    """Return what is not ours in a project."""
    uv = {**data.get("tool", {}).get("uv", {})}
    ours = entries.former | set(map(normalised, entries.sources))
    sources = {
        name: one
        for name, one in uv.pop("sources", {}).items()
        if normalised(name) not in ours
    }
    index = [one for one in uv.pop("index", []) if one.get("name") != SOURCE]
    tools = {name: one for name, one in data.get("tool", {}).items() if name != "uv"}
    project = {
        key: one
        for key, one in data.get("project", {}).items()
        if key != "dependencies"
    }
    rest = {key: one for key, one in data.items() if key not in ("tool", "project")}
    return {**rest, "project": project, "tool": tools, "uv": [uv, sources, index]}


# --- the list of what the app needs ---


def _with_needs(text: str, entries: Entries) -> str:
    """Take out what is not wanted any more, change what is, and put what is new to the top."""
    place = _place_of_list(text)
    if place is None:
        return _with_list(text, entries) if entries.needs else text
    start, end = place
    ours = entries.needs.keys() | entries.former
    array = text[start:end]
    missing = dict(entries.needs)
    edits: list[tuple[int, int, str]] = []
    for first, last, value in _items(array):
        key = key_of(value)
        need = missing.pop(key, None)
        if key in ours and need is None:
            edits.append((*_whole_item(array, first, last), ""))
        elif need is not None and need != value:
            edits.append((first, last, _string(need)))
    for first, last, new in reversed(edits):
        array = array[:first] + new + array[last:]
    if missing:
        array = _with_items(array, [_string(one) for one in missing.values()], text)
    elif edits and not array[1:-1].strip():
        array = "[]"
    return text[:start] + array + text[end:]


def _with_list(text: str, entries: Entries) -> str:
    """Put a list at the end of `[project]`; a text without that table stays as it is."""
    found = re.search(rf"(?m)^{_PROJECT}[^\n]*(?:\n(?![ \t]*\[).*)*", text)
    if found is None:
        return text
    end = found.start() + len(found[0].rstrip())
    items = [_string(one) for one in entries.needs.values()]
    ending = _ending(text)
    return f"{text[:end]}{ending}dependencies = {_with_items('[]', items, text)}{text[end:]}"


def _ending(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _string(value: str) -> str:
    # JSON's strings are TOML's, too.
    return json.dumps(value, ensure_ascii=False)


def _with_items(array: str, items: Sequence[str], text: str) -> str:
    """Put strings to the top of a list, each with its own comma, so that what is there stays as it is."""
    # A comment on the first line stays there.
    head = re.match(r"\[(?:[ \t]*#[^\n\r]*)?", array)
    first = head[0] if head else "["
    rest = array[len(first) :]
    if rest.strip() == "]":
        rest = f"{_ending(text)}]"
    if "\n" not in rest:
        return first + "".join(f"{one}, " for one in items) + rest
    indent = re.match(r"\s*?\n([ \t]*)(?=[\"'#])", rest)
    lines = "".join(
        f"{_ending(text)}{indent[1] if indent else '    '}{one}," for one in items
    )
    return f"{first}{lines}{rest}"


def _place_of_list(text: str) -> tuple[int, int] | None:
    """Return where the list of `dependencies` of `[project]` begins and ends, its brackets included."""
    found = re.search(
        rf"(?m)^{_PROJECT}[^\n]*\n(?:(?![ \t]*\[).*\n)*?[ \t]*dependencies[ \t]*=[ \t]*(?=\[)",
        text,
    )
    if found is None:
        return None
    position = found.end() + 1
    while token := _TOKEN.match(text, position):
        position = token.end()
        if token["end"]:
            return found.end(), position
    return None


def _items(array: str) -> list[tuple[int, int, str]]:
    """Return where each string of a list begins and ends, and what it says."""
    found = []
    position = 1
    while token := _TOKEN.match(array, position):
        position = token.end()
        if token["string"]:
            value = tomllib.loads(f"v = {token['string']}")["v"]
            found.append((*token.span(), value))
    return found


def _whole_item(array: str, first: int, last: int) -> tuple[int, int]:
    """Return where a string begins and ends with its comma, and with its line if it has one of its own."""
    behind = re.compile(r"\s*,[ \t]*").match(array, last)
    end = behind.end() if behind else last
    line = array.rfind("\n", 0, first)
    alone = line >= 0 and not array[line:first].strip()
    if alone and re.compile(r"\r?\n").match(array, end):
        # The line ending of the line above goes, the one behind stays.
        return line - (array[line - 1 : line] == "\r"), end
    return first, end


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
            ending = _ending(text)
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
    for table in re.split(r"\n(?=[ \t]*\[)", "\n".join(block)):
        is_source = re.match(r"\s*\[tool\.uv\.sources\.", table)
        is_index = re.match(rf'\s*\[\[tool\.uv\.index\]\]\s*name = "{SOURCE}"', table)
        if table.strip() and not is_source and not is_index:
            found += [line.rstrip() for line in table.strip().splitlines()]
            found.append("")
    return found[:-1]
