"""What an app needs, carried over when its installer changes: between requirements.txt and pyproject.toml."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from private_packages import requirements, uv_lock, uv_project
from private_packages.blocks import BEGIN, GENERATED, block_in
from private_packages.dependency_list import key_of
from private_packages.errors import Failure
from private_packages.files import read_exactly, remove, write_exactly, write_text
from private_packages.names import COMMAND, NAME_FORM, normalised, without_login
from private_packages.project import table

if TYPE_CHECKING:
    from pathlib import Path

    from private_packages.app import App

FILE = "requirements.txt"
# `name[extras] versions ; marker`, or an address behind the name (PEP 508).
_REQUIREMENT = re.compile(
    rf"{NAME_FORM}\s*(?:\[[^\]]*\])?\s*(?:[<>=!~(@][^$]*?)?(?:\s*;.*)?"
)
_HEAD = (
    "# What the app needs; `python -m private_packages install` installs it.\n"
    "# Write your own requirements here, one a line, as in: requests==2.32.5\n"
)


def carry_over(app: App) -> list[str]:
    """Carry the app's own requirements to where its installer reads them; return the files that changed.

    An app that was there before the template keeps its files. Raises `Failure`, which changes nothing.
    """
    if app.config.start != "new" or not (app.folder / uv_project.FILE).is_file():
        return []
    path = app.folder / FILE
    text = read_exactly(path)[0] if path.is_file() else ""
    if app.config.installer == "uv":
        # Another file of that name is the user's.
        ours = text.startswith(_HEAD.partition("\n")[0]) or BEGIN in text
        return _to_pyproject(app) if ours else []
    was_export = not text or text.startswith(GENERATED)
    by_uv = block_in(app.folder / uv_project.FILE) or _lock(app).is_file()
    return _to_requirements(app) if was_export and by_uv else []


def _lock(app: App) -> Path:
    return app.folder / uv_lock.FILE


def _to_pyproject(app: App) -> list[str]:
    path = app.folder / FILE
    block = block_in(path)
    needs: dict[str, str] = {}
    for line in requirements.read(app.folder):
        if line.text in block or line.text in requirements.option_lines(app):
            continue
        found = _REQUIREMENT.fullmatch(line.text)
        if found is None or " --" in line.text:
            raise Failure(
                f"{line.place}: `{without_login(line.text)[:100]}` cannot stand in pyproject.toml; take the line out, type"
                f" `{COMMAND} sync`, and then add what it installs with `{COMMAND} exec uv add`."
            )
        key = normalised(re.match(NAME_FORM, line.text)[0])  # type: ignore[index]
        if app.config.named(key) is None:
            needs[key] = line.text
    _write(app, uv_project.Entries(needs, {}))
    if app.config.platform == "viktor":
        # Until the next export.
        text, encoding = read_exactly(path)
        write_exactly(path, f"{GENERATED}\n{text}", encoding)
    else:
        remove(path)
    return [uv_project.FILE, FILE]


def _to_requirements(app: App) -> list[str]:
    ours = {one.key for one in app.config.packages} | uv_project.wanted(app).former
    needs = {
        key: one
        for one in uv_project.dependencies(app)
        if (key := key_of(one)) not in ours
    }
    lines = list(_lines(app, needs))
    write_text(app.folder / FILE, _HEAD + "".join(f"\n{line}" for line in lines) + "\n")
    _write(app, uv_project.Entries({}, {}, former=frozenset(needs)))
    remove(_lock(app))
    return [uv_project.FILE, FILE, uv_lock.FILE]


def _write(app: App, entries: uv_project.Entries) -> None:
    path = app.folder / uv_project.FILE
    text, encoding = read_exactly(path)
    write_exactly(path, uv_project.with_list(text, entries), encoding)


def _lines(app: App, needs: Mapping[str, str]) -> Iterator[str]:
    """Yield the lines of requirements.txt for requirements, wherever uv takes them from. Raises `Failure`."""
    data = tomllib.loads(read_exactly(app.folder / uv_project.FILE)[0].lstrip("\ufeff"))
    sources = table(data, "tool", "uv", "sources")
    by_key = {normalised(name): one for name, one in sources.items()}
    for key, need in needs.items():
        yield _from_source(need, by_key[key]) if key in by_key else need


def _from_source(need: str, source: Any) -> str:
    head, _, marker = need.partition(";")
    name = re.match(rf"{NAME_FORM}\s*(?:\[[^\]]*\])?", head)
    rest = f" ;{marker}" if marker else ""
    if isinstance(source, dict) and name and "git" in source:
        ref = next(
            (source[key] for key in ("tag", "rev", "branch") if key in source), ""
        )
        folder = source.get("subdirectory")
        address = f"git+{source['git']}{'@' if ref else ''}{ref}"
        address += f"#subdirectory={folder}" if folder else ""
        return f"{name[0].strip()} @ {address}{rest}"
    if isinstance(source, dict) and "path" in source:
        return f"{'-e ' if source.get('editable') else ''}./{source['path']}"
    raise Failure(
        f"pyproject.toml says where `{need}` comes from in a way that requirements.txt cannot; take its line out of"
        f" [tool.uv.sources], then type `{COMMAND} sync`."
    )
