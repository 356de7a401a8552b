"""Where the app's template is, and what is new in it: what a person should know at once, or would look up."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath

# More is read in the changelog itself.
_MOST_NEWS = 20
# What stands at the top of this template's repository alone.
_OF_A_TEMPLATE = ("copier.yml", "template/files/private_packages", ".git")
# Where systems keep what nobody needs tomorrow: by variables, and where these are not set.
_TEMPORARY_VARIABLES = ("TMPDIR", "TEMP", "TMP")
_TEMPORARY_FOLDERS = ("/tmp", "/var/tmp", "/private/tmp", "/dev/shm")


def cannot_be_updated(answers: Path, environ: Mapping[str, str] = os.environ) -> str:
    """Return why `copier update` will not find the template again, with what to do; nothing where it will.

    ``answers`` is the app's answers file: Copier keeps the address as it was typed, and the commit where there is one.
    """
    try:
        # Both as the template itself has them written; a YAML library would take longer than all the rest.
        kept = dict(
            re.findall(r"(?m)^(_src_path|_commit): ['\"]?(.+?)['\"]?$", answers.read_text(encoding="utf-8"))
        )
    except (OSError, UnicodeDecodeError):
        return ""
    for folder in answers.parents:
        if folder != answers.parent and all((folder / name).exists() for name in _OF_A_TEMPLATE):
            return (
                f"this app is in the clone of a template, {folder}, so Git takes its files for the template's."
                " Copy once more, to a folder outside of it."
            )
    source = kept.get("_src_path", "")
    if not source:
        return ""
    cure = "Copy once more with the address of its repository: `copier copy --trust --overwrite ADDRESS .`"
    if not kept.get("_commit"):
        return f"`copier update` cannot work: {source} is a folder without a Git history of its own. {cure}"
    if _is_relative(source):
        return (
            f"`copier update` will look for the template at {source} from wherever it is typed. {cure},"
            " or with the whole path."
        )
    if _is_temporary(source, environ):
        return f"`copier update` will not find the template again: {source} is in a folder for temporary files. {cure}"
    return ""


def _is_temporary(source: str, environ: Mapping[str, str]) -> bool:
    """Tell whether an address is a path below a folder whose files the system removes by itself."""
    path = _place(re.sub(r"^(?:git\+)?(?:file://(?:localhost)?/*(?=/|[A-Za-z]:))?", "", source))
    named = [environ[name] for name in _TEMPORARY_VARIABLES if environ.get(name)]
    folders = [_place(folder) for folder in (*named, *_TEMPORARY_FOLDERS)]
    return path is not None and any(path.is_relative_to(folder) for folder in folders if folder)


def _place(path: str) -> Path | None:
    """Return a whole path as the system knows it, without links; None for what is no path on this machine."""
    whole = os.path.expanduser(path)  # noqa: PTH111 - pathlib's raises for a user that is unknown
    return Path(os.path.normcase(os.path.realpath(whole))) if Path(whole).is_absolute() else None


def _is_relative(source: str) -> bool:
    """Tell whether an address is a path that depends on the folder in which it was typed (Copier, `template_src`)."""
    if re.match(r"(?:gh|gl):|[a-z+]+://|[\w.-]+@[\w.-]+:|git\+|~", source):
        return False
    return not (PurePosixPath(source).is_absolute() or PureWindowsPath(source).is_absolute())


def news(environ: Mapping[str, str], changelog: Path) -> Iterator[str]:
    """Yield from which release to which an update went, and what the changelog says of what lies between."""
    before, after = environ.get("VERSION_FROM", ""), environ.get("VERSION_TO", "")
    if not before or not after or before == after:
        return
    yield f"The template went from {before} to {after}."
    try:
        text = changelog.read_text(encoding="utf-8")
    except OSError:
        return
    lines = [line for line in _between(text, before, after) if line.strip()]
    yield from (f"  {line}" for line in lines[:_MOST_NEWS])
    if len(lines) > _MOST_NEWS:
        yield f"  … and {len(lines) - _MOST_NEWS} more lines in the template's CHANGELOG.md"


def _between(text: str, before: str, after: str) -> Iterator[str]:
    """Yield the lines of the releases after ``before``, up to ``after`` (Keep a Changelog: the newest first)."""
    inside = False
    for line in text.splitlines():
        if found := re.match(r"## \[?v?([^\]\s]+)", line):
            name = found[1]
            if name == before.removeprefix("v"):
                return
            inside = inside or name == after.removeprefix("v")
        if inside:
            yield line
