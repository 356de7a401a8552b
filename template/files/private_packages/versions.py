"""Comparing versions as far as it takes: whether two are the same, and which of two is newer (PEP 440)."""

from __future__ import annotations

import re

_PARTS = re.compile(
    r"v?(?:(?P<epoch>[0-9]+)!)?(?P<release>[0-9]+(?:\.[0-9]+)*)"
    r"(?:[-_.]?(?P<kind>alpha|a|beta|b|preview|pre|c|rc)[-_.]?(?P<pre>[0-9]*))?"
    r"(?:-(?P<bare>[0-9]+)|[-_.]?(?P<post>post|rev|r)[-_.]?(?P<number>[0-9]*))?"
    r"(?:[-_.]?(?P<dev>dev)[-_.]?(?P<devnumber>[0-9]*))?(?:\+(?P<local>[a-z0-9]+(?:[-_.][a-z0-9]+)*))?",
    re.IGNORECASE,
)
_KINDS = {"alpha": "a", "beta": "b", "preview": "rc", "pre": "rc", "c": "rc"}
# Nobody's version is longer, and Python converts no number of 5,000 digits.
_LONGEST = 200
_NEVER = 10**_LONGEST
# Epoch, release, pre-release, post-release, development release, local version.
Key = tuple[
    int, tuple[int, ...], tuple[str, int], int, int, tuple[tuple[int, int, str], ...]
]


def key_of(version: str) -> Key | None:
    """Return what two versions are compared by; None for what is no version."""
    found = _PARTS.fullmatch(version.strip())
    if found is None or len(version) > _LONGEST:
        return None
    release = tuple(int(part) for part in found["release"].split("."))
    while len(release) > 1 and release[-1] == 0:
        release = release[:-1]
    post = (
        int(found["bare"] or found["number"] or 0)
        if found["bare"] or found["post"]
        else -1
    )
    kind = (found["kind"] or "").lower()
    dev = int(found["devnumber"] or 0) if found["dev"] else _NEVER
    # A development release comes before its pre-releases, a final one behind them.
    before = "" if found["dev"] and not kind and post < 0 else "z"
    pre = (_KINDS.get(kind, kind) or before, int(found["pre"] or 0) if kind else 0)
    # A number comes behind every word.
    local = tuple(
        (1, int(part), "") if part.isdecimal() else (0, 0, part)
        for part in re.split(r"[-_.]", (found["local"] or "").lower())
        if part
    )
    return int(found["epoch"] or 0), release, pre, post, dev, local


def satisfies(version: str, operator: str, wanted: str) -> bool | None:
    """Tell whether a version is in a clause such as ``>= 3.11`` (PEP 440, "Version specifiers").

    None: the clause is about no version.
    """
    if operator == "===":
        return version.lower() == wanted.lower()
    is_family = operator in ("==", "!=") and wanted.endswith(".*")
    mine, other = key_of(version), key_of(wanted.removesuffix(".*"))
    if other is None or (wanted.endswith(".*") and not is_family):
        return None
    if mine is None:
        return False
    if is_family:
        same = mine[0] == other[0] and _starts_with(version, wanted.removesuffix(".*"))
        return same is (operator == "==")
    if operator == "~=":
        stem = ".".join(map(str, _release(wanted)[:-1]))
        return (
            mine[0] == other[0]
            and mine[:5] >= other[:5]
            and _starts_with(version, stem)
        )
    # What the clause does not say of a local version is not compared.
    public = mine if other[5] else (*mine[:5], ())
    # The releases before and behind one are not below and above it.
    before_it = mine[:2] == other[:2] and _is_early(mine) and not _is_early(other)
    behind_it = mine[:3] == other[:3] and mine[3] >= 0 > other[3]
    behind_it = behind_it or (mine[:5] == other[:5] and mine[5] != ())
    return {
        "==": public == other,
        "!=": public != other,
        "<": mine < other and not before_it,
        "<=": public <= other,
        ">": mine > other and not behind_it,
        ">=": public >= other,
    }[operator]


def _is_early(key: Key) -> bool:
    return key[2][0] != "z" or key[4] != _NEVER


def _release(version: str) -> list[int]:
    found = _PARTS.fullmatch(version.strip())
    return [int(part) for part in found["release"].split(".")] if found else []


def _starts_with(version: str, stem: str) -> bool:
    """Tell whether a version's release starts with another one."""
    wanted = _release(stem)
    padded = _release(version) + [0] * len(wanted)
    return padded[: len(wanted)] == wanted


def is_same(one: str, other: str) -> bool:
    """Tell whether two spellings are one version, as ``2.1`` and ``2.1.0`` are."""
    key = key_of(one)
    return one == other or (key is not None and key == key_of(other))


def is_final(version: str) -> bool:
    """Tell whether a version is neither a pre-release nor a development release."""
    found = _PARTS.fullmatch(version.strip())
    return found is not None and not found["kind"] and not found["dev"]


def newer_than(current: str, offered: list[str]) -> list[str]:
    """Return the versions that are newer than the current one, the newest first.

    Pre-releases count only where the current version is one, and so does a leading ``v``.
    """
    mine = key_of(current)
    if mine is None:
        return []
    found = []
    for version in dict.fromkeys(offered):
        key = key_of(version)
        final = is_final(version) or not is_final(current)
        alike = version.lower().startswith("v") == current.lower().startswith("v")
        if key is not None and key > mine and final and alike:
            found.append((key, version))
    return [version for _, version in sorted(found, reverse=True)]
