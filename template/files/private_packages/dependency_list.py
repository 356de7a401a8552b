"""The list of `dependencies` of `[project]`, changed in its text: comments, order and spaces stay as they are.

The standard library reads TOML and writes none; whoever uses this compares what is read before and after.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping, Sequence, Set

from private_packages.names import normalised
from private_packages.needs import name_of

_PROJECT = r"[ \t]*\[[ \t]*project[ \t]*\]"
_TOKEN = re.compile(
    r"\s+|#[^\n]*|(?P<string>\"(?:\\.|[^\"\\\n])*\"|'[^'\n]*')|(?P<comma>,)|(?P<end>\])"
)


def key_of(requirement: str) -> str:
    """Return the normalised name of a requirement; empty for what has none."""
    return normalised(name_of(requirement.strip()))


def with_needs(text: str, needs: Mapping[str, str], former: Set[str]) -> str:
    """Return a pyproject.toml with other requirements in its list, by normalised name; ``former`` were ours before.

    What is not wanted any more goes, what is new comes to the top, and all else stays as it is written.
    """
    place = _place_of_list(text)
    if place is None:
        return _with_list(text, needs) if needs else text
    start, end = place
    ours = needs.keys() | former
    array = text[start:end]
    missing = dict(needs)
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


def _with_list(text: str, needs: Mapping[str, str]) -> str:
    """Put a list at the end of `[project]`; a text without that table stays as it is."""
    found = re.search(rf"(?m)^{_PROJECT}[^\n]*(?:\n(?![ \t]*\[).*)*", text)
    if found is None:
        return text
    end = found.start() + len(found[0].rstrip())
    items = [_string(one) for one in needs.values()]
    ending = ending_of(text)
    return f"{text[:end]}{ending}dependencies = {_with_items('[]', items, text)}{text[end:]}"


def ending_of(text: str) -> str:
    """Return how the lines of a text end."""
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
        rest = f"{ending_of(text)}]"
    if "\n" not in rest:
        return first + "".join(f"{one}, " for one in items) + rest
    indent = re.match(r"\s*?\n([ \t]*)(?=[\"'#])", rest)
    lines = "".join(
        f"{ending_of(text)}{indent[1] if indent else '    '}{one}," for one in items
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
