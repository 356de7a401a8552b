"""What the answers ask for: the packages, and the submodules among them.

The lines were validated by the questionnaire (``template/_macros/lines.jinja``); here they are only
taken apart, with `packaging` as the parser of PEP 508.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

SUBMODULES = "app/submodules"
STRATEGIES = ("submodule", "git", "index")

_COMMENT = re.compile(r"(?:^|\s+)#.*$")
_SCP = re.compile(r"(git@[^/:@]+:[^@]+)(?:@(.*))?")


class AnswersError(Exception):
    """The answers file cannot be used; the message is a sentence for a person."""


@dataclass(frozen=True)
class Package:
    """One package line.

    ``url`` has neither ``git+`` nor the user-info of https; ``user_info`` is what stood before the
    host (``x-access-token:${TOKEN}``); ``ref`` is a tag, branch or commit, or empty; ``version`` is
    the specifier of an index line; ``line`` counts from 1.
    """

    name: str
    key: str
    strategy: str
    requirement: str
    url: str
    user_info: str
    ref: str
    version: str
    line: int


@dataclass(frozen=True)
class Answers:
    """The packages of all chosen strategies, in the order of the answers, and the template's source."""

    packages: tuple[Package, ...]
    source: str

    @property
    def submodules(self) -> tuple[Package, ...]:
        """The packages that are checked out into ``app/submodules``."""
        return tuple(package for package in self.packages if package.strategy == "submodule")


def _git_address(address: str) -> tuple[str, str, str]:
    """Split a Git address into its URL, user-info and ref.

    The ref follows the first ``@`` of the path, as pip reads it (pip documentation, "VCS Support").
    """
    scp = _SCP.fullmatch(address)
    if scp:
        return scp[1], "", scp[2] or ""
    parts = urlsplit(address.removeprefix("git+"))
    user_info, _, host = parts.netloc.rpartition("@")
    path, _, ref = parts.path.partition("@")
    if parts.scheme == "ssh":
        host, user_info = parts.netloc, ""
    return f"{parts.scheme}://{host}{path}", user_info, ref


def parse_answer(strategy: str, text: str) -> list[Package]:
    """Take one answer apart: a package a line, blank lines and ``#`` comments left out.

    Raises `AnswersError` for a line that is no requirement (PEP 508).
    """
    if not text.strip():
        return []
    # An app without packages does not wait for this import.
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name

    packages = []
    for number, raw in enumerate(text.replace("\r\n", "\n").split("\n"), start=1):
        line = _COMMENT.sub("", raw).strip()
        if not line:
            continue
        try:
            requirement = Requirement(line)
        except InvalidRequirement as error:
            raise AnswersError(
                f"Line {number} of {strategy}_packages is no requirement; correct it with `copier update`."
            ) from error
        url, user_info, ref = _git_address(requirement.url) if requirement.url else ("", "", "")
        specifier = _specifier(line) if strategy == "index" else ""
        packages.append(
            Package(
                name=requirement.name,
                key=canonicalize_name(requirement.name),
                strategy=strategy,
                requirement=line,
                url=url,
                user_info=user_info,
                ref=ref,
                version=specifier,
                line=number,
            )
        )
    return packages


def _specifier(line: str) -> str:
    """The specifier as it was typed; `packaging` would sort its clauses."""
    head = line.partition(";")[0]
    rest = re.sub(r"^\s*[A-Za-z0-9._-]+\s*(?:\[[^\]]*\])?", "", head).strip()
    return rest.removeprefix("(").removesuffix(")").strip()


def parse_answers(text: str, name: str) -> Answers:
    """Take the text of an answers file apart; ``name`` is for the sentence.

    Raises `AnswersError` when it is no YAML mapping or holds a line that is no requirement.
    """
    try:
        data: Any = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        raise AnswersError(
            f"{name} is not valid YAML; take it back with `git checkout -- {name}`."
        ) from error
    if not isinstance(data, dict):
        raise AnswersError(f"{name} holds no answers; take it back with `git checkout -- {name}`.")
    chosen = data.get("strategies") or []
    packages = [
        package
        for strategy in STRATEGIES
        if strategy in chosen
        for package in parse_answer(strategy, str(data.get(f"{strategy}_packages") or ""))
    ]
    return Answers(packages=tuple(packages), source=str(data.get("_src_path") or ""))


def read_answers(path: Path) -> Answers:
    """Read the answers file that Copier has just written; raises `AnswersError`."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise AnswersError(
            f"{path.name} cannot be read here; run this through `copier copy` or `copier update`."
        ) from error
    return parse_answers(text, path.name)
