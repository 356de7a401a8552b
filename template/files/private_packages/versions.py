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
Key = tuple[int, tuple[int, ...], tuple[str, int], int, int, str]


def key_of(version: str) -> Key | None:
    """Return what two versions are compared by; None for what is no version."""
    found = _PARTS.fullmatch(version.strip())
    if found is None:
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
    dev = int(found["devnumber"] or 0) if found["dev"] else 1 << 40
    # A development release comes before its pre-releases, a final one behind them.
    before = "" if found["dev"] and not kind and post < 0 else "z"
    pre = (_KINDS.get(kind, kind) or before, int(found["pre"] or 0) if kind else 0)
    local = re.sub(r"[-_.]+", ".", found["local"] or "").lower()
    return int(found["epoch"] or 0), release, pre, post, dev, local


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
