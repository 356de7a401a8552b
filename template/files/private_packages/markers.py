"""Environment markers (PEP 508, "Grammar"): whether a text is one, and whether it holds."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Mapping

from private_packages.versions import satisfies

_TOKEN = re.compile(
    r"""[ \t]*(?:(?P<bracket>[()])|(?P<word>and|or)\b|(?P<operator>===|==|~=|!=|<=|>=|<|>|not[ \t]+in\b|in\b)
    |(?P<value>'[A-Za-z0-9 ._*+-]*'|"[A-Za-z0-9 ._*+-]*"
    |(?:python_version|python_full_version|os_name|sys_platform|platform_release|platform_system
    |platform_version|platform_machine|platform_python_implementation|implementation_name
    |implementation_version|extra)\b)|(?P<end>\Z))""",
    re.VERBOSE,
)
# What holds a version.
_OF_VERSIONS = (
    "python_version",
    "python_full_version",
    "implementation_version",
    "platform_release",
)


def environment() -> dict[str, str]:
    """Return what markers are about, for the Python that runs this (PEP 508, "Environment Markers")."""
    release = sys.implementation.version
    return {
        "implementation_name": sys.implementation.name,
        "implementation_version": f"{release.major}.{release.minor}.{release.micro}",
        "os_name": os.name,
        "platform_machine": platform.machine(),
        "platform_python_implementation": platform.python_implementation(),
        "platform_release": platform.release(),
        "platform_system": platform.system(),
        "platform_version": platform.version(),
        "python_full_version": platform.python_version(),
        "python_version": f"{sys.version_info.major}.{sys.version_info.minor}",
        "sys_platform": sys.platform,
        "extra": "",
    }


def is_marker(text: str) -> bool:
    """Tell whether a text is a marker of known variables and harmless strings."""
    try:
        _Reader(text, environment()).read()
    except (ValueError, RecursionError):
        return False
    return True


def holds(text: str, env: Mapping[str, str]) -> bool:
    """Tell whether a marker holds in an environment. Raises ValueError for what is none."""
    return _Reader(text, env).read()


class _Reader:
    """Reads an expression from left to right; `and` binds closer than `or`."""

    def __init__(self, text: str, env: Mapping[str, str]) -> None:
        self.text = text
        self.env = env
        self.position = 0
        self.kind = ""
        self.token = ""
        self.advance()

    def advance(self) -> None:
        found = _TOKEN.match(self.text, self.position)
        if found is None or found.lastgroup is None:
            raise ValueError(self.text)
        self.kind, self.token = found.lastgroup, found[found.lastgroup]
        self.position = found.end()

    def read(self) -> bool:
        result = self.either()
        if self.kind != "end":
            raise ValueError(self.text)
        return result

    def either(self) -> bool:
        result = self.both()
        while self.token == "or":
            self.advance()
            right = self.both()
            result = result or right
        return result

    def both(self) -> bool:
        result = self.one()
        while self.token == "and":
            self.advance()
            right = self.one()
            result = result and right
        return result

    def one(self) -> bool:
        if self.token == "(":
            self.advance()
            result = self.either()
            if self.token != ")":
                raise ValueError(self.text)
            self.advance()
            return result
        left = self.value()
        if self.kind != "operator":
            raise ValueError(self.text)
        operator = " ".join(self.token.split())
        self.advance()
        right = self.value()
        variables = [one for one in (left, right) if one in self.env]
        if len(variables) != 1:
            raise ValueError(self.text)
        one, other = (self.env.get(token, token[1:-1]) for token in (left, right))
        return _compare(one, other, operator, is_version=variables[0] in _OF_VERSIONS)

    def value(self) -> str:
        if self.kind != "value":
            raise ValueError(self.text)
        token = self.token
        self.advance()
        return token


def _compare(left: str, right: str, operator: str, *, is_version: bool) -> bool:
    """Compare versions as such, and all else as texts, which are the same or not (PEP 508)."""
    if operator in ("in", "not in"):
        return (left in right) is (operator == "in")
    satisfied = satisfies(left, operator, right) if is_version else None
    if satisfied is not None:
        return satisfied
    if operator in ("~=", "==="):
        raise ValueError(operator)
    same = left == right
    return {"==": same, "!=": not same, "<=": same, ">=": same}.get(operator, False)
