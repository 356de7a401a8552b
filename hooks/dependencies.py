"""The submodules' own dependencies, kept as a marked block at the end of requirements.txt.

A submodule is imported from its folder and never installed, so nobody else installs what it needs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from pathlib import Path

from files import read_text, write_text

BEGIN = "# >>> What the packages in app/submodules need; the template writes this block >>>"
END = "# <<< What the packages in app/submodules need <<<"
_HEADING = "# "


def own_dependencies(folder: Path, provided: Set[str]) -> list[str] | None:
    """The requirements of one package, from ``[project] dependencies`` of its pyproject.toml (PEP 621).

    Those in ``provided`` (normalised names of the app's own private packages) are left out, and so is a
    line that is no requirement. None: the folder has no content yet.
    """
    if not (folder / ".git").exists():
        return None
    # An app without submodules does not wait for this import.
    import tomllib

    try:
        data = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
        listed = data["project"]["dependencies"]
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError, TypeError):
        return []
    if not listed:
        return []
    # Nor does one whose packages need nothing wait for this.
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name

    kept = []
    for line in listed if isinstance(listed, list) else []:
        try:
            name = canonicalize_name(Requirement(str(line)).name)
        except InvalidRequirement:
            continue
        if name not in provided:
            kept.append(" ".join(str(line).split()))
    return kept


def read_block(text: str) -> dict[str, list[str]]:
    """The block's requirements by package, as it stands; empty when there is none."""
    block: dict[str, list[str]] = {}
    name = ""
    inside = False
    for line in text.splitlines():
        if line in (BEGIN, END):
            inside = line == BEGIN
        elif inside and line.startswith(_HEADING):
            name = line.removeprefix(_HEADING)
            block[name] = []
        elif inside and line and name:
            block[name].append(line)
    return block


def with_block(text: str, needs: Mapping[str, Sequence[str]]) -> str:
    """``text`` with its block replaced; without needs there is no block. Everything else stays as it is.

    Raises ValueError when the block has a first line and no last one.
    """
    lines = text.splitlines()
    if BEGIN in lines:
        start = lines.index(BEGIN)
        stop = lines.index(END, start)
        before, after = lines[:start], lines[stop + 1 :]
    else:
        before, after = lines, []
    while before and not before[-1]:
        before.pop()
    block = []
    for name, requirements in needs.items():
        if requirements:
            block += [f"{_HEADING}{name}", *requirements]
    if block:
        block = ["", BEGIN, *block, END]
    return "\n".join([*before, *block, *after]) + "\n"


def sync_requirements(app: Path, names: Sequence[str], provided: Set[str]) -> str:
    """Bring the block of ``requirements.txt`` up to date; return a sentence when that was not possible.

    ``names`` are the submodules, as in ``app/submodules/<name>``.
    """
    path = app / "requirements.txt"
    try:
        text = read_text(path)
    except FileNotFoundError:
        return (
            "There is no requirements.txt, so the submodules' own dependencies stand nowhere; run `copier recopy`."
            if names
            else ""
        )
    if (BEGIN in text.splitlines()) != (END in text.splitlines()):
        return "requirements.txt holds only one end of the block that the template writes; delete what is left of the block."
    if any(line.startswith("<<<<<<< ") for line in text.splitlines()):
        return "requirements.txt has merge conflicts; resolve them, then run `copier update --vcs-ref :current: --defaults --trust` once more."
    former = read_block(text)
    needs: dict[str, Sequence[str]] = {}
    for name in names:
        found = own_dependencies(app / "app" / "submodules" / name, provided)
        needs[name] = former.get(name, []) if found is None else found
    changed = with_block(text, needs)
    if changed != text:
        write_text(path, changed)
    return ""
