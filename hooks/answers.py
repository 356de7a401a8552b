"""What the answers ask for: the packages, and the submodules among them.

The lines were validated by the questionnaire (``template/macros/lines.jinja``); here they are only
taken apart. A line for pip is read by `packaging` (PEP 508). A submodule's line is the template's own,
name and Git address; reading it without `packaging` lets a fetch begin before that is imported.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

SUBMODULES = "app/submodules"
STRATEGIES = ("submodule", "git", "index")

_COMMENT = re.compile(r"(?:^|\s+)#.*$")
_SUBMODULE = re.compile(r"([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*@\s*(\S+)")
_SCP = re.compile(r"(git@[^/:@]+:[^@]+)(?:@(.*))?")


class AnswersError(Exception):
    """The answers file cannot be used; the message is a sentence for a person."""


class Package(NamedTuple):
    """One package line.

    ``key`` is the normalised name (PEP 503). ``url`` has neither ``git+`` nor the user-info of https;
    ``user_info`` is what stood before the host (``x-access-token:${TOKEN}``); ``ref`` is a tag, branch
    or commit, or empty; ``version`` is the specifier of an index line; ``line`` counts from 1.
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


class Answers(NamedTuple):
    """The answers to the chosen strategies' questions, by strategy, and the template's ``source``."""

    texts: Mapping[str, str]
    source: str

    @property
    def submodules(self) -> list[Package]:
        """The packages that are checked out into ``app/submodules``; raises `AnswersError`."""
        return parse_answer("submodule", self.texts.get("submodule", ""))

    @property
    def keys(self) -> set[str]:
        """The normalised names of all private packages; raises `AnswersError`."""
        return {one.key for strategy, text in self.texts.items() for one in parse_answer(strategy, text)}


NO_PACKAGES = Answers(texts={}, source="")


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

    Raises `AnswersError` for a line that is none.
    """
    packages = []
    for number, raw in enumerate(text.replace("\r\n", "\n").split("\n"), start=1):
        line = _COMMENT.sub("", raw).strip()
        if not line:
            continue
        found = _submodule(line) if strategy == "submodule" else _requirement(line)
        if found is None:
            raise AnswersError(
                f"Line {number} of {strategy}_packages is no requirement; correct it with `copier update`."
            )
        name, address = found
        url, user_info, ref = _git_address(address) if address else ("", "", "")
        packages.append(
            Package(
                name=name,
                key=re.sub(r"[-_.]+", "-", name).lower(),
                strategy=strategy,
                requirement=line,
                url=url,
                user_info=user_info,
                ref=ref,
                version=_specifier(line) if strategy == "index" else "",
                line=number,
            )
        )
    return packages


def _submodule(line: str) -> tuple[str, str] | None:
    """Name and Git address of a submodule's line, or None."""
    found = _SUBMODULE.fullmatch(line)
    return (found[1], found[2]) if found else None


def _requirement(line: str) -> tuple[str, str] | None:
    """Name and URL of a requirement (PEP 508), the URL empty where there is none; None for anything else."""
    # An app without packages for pip does not wait for this import.
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        requirement = Requirement(line)
    except InvalidRequirement:
        return None
    return requirement.name, requirement.url or ""


def _specifier(line: str) -> str:
    """The specifier as it was typed; `packaging` would sort its clauses."""
    head = line.partition(";")[0]
    rest = re.sub(r"^\s*[A-Za-z0-9._-]+\s*(?:\[[^\]]*\])?", "", head).strip()
    return rest.removeprefix("(").removesuffix(")").strip()


def parse_answers(text: str, name: str) -> Answers:
    """Take the text of an answers file apart; ``name`` is for the sentence.

    Raises `AnswersError` when it is no YAML mapping.
    """
    # Half of a sync without packages would be this import.
    import yaml

    try:
        data: Any = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        raise AnswersError(
            f"{name} is not valid YAML; take it back with `git checkout -- {name}`."
        ) from error
    if not isinstance(data, dict):
        raise AnswersError(f"{name} holds no answers; take it back with `git checkout -- {name}`.")
    chosen = data.get("strategies") or []
    texts = {one: str(data.get(f"{one}_packages") or "") for one in STRATEGIES if one in chosen}
    return Answers(texts=texts, source=str(data.get("_src_path") or ""))


def read_answers(path: Path) -> Answers:
    """Read the answers file that Copier has just written; raises `AnswersError`."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise AnswersError(
            f"{path.name} cannot be read here; run this through `copier copy` or `copier update`."
        ) from error
    return parse_answers(text, path.name)
