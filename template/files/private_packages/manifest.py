"""Whether this package's own files are as the template made them: `manifest.txt` has the sha256 of each."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from private_packages import renewal
from private_packages.errors import GitError
from private_packages.findings import Finding
from private_packages.names import TAKE_BACK, listed

if TYPE_CHECKING:
    from private_packages.app import App

HERE = Path(__file__).resolve().parent
FILE = renewal.MANIFEST
RESTORE = "copier recopy --trust --defaults --overwrite --vcs-ref :current:"


def lines(folder: Path = HERE) -> Iterator[str]:
    """Yield a line for each file of the package, as `sha256sum` writes them; line endings do not count."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if (
            path.is_file()
            and name != FILE
            and "__pycache__" not in path.parts
            and not name.startswith(".")
        ):
            content = path.read_bytes().replace(b"\r\n", b"\n")
            yield f"{hashlib.sha256(content).hexdigest()}  {name}"


def by_name(listed_lines: Iterable[str]) -> dict[str, str]:
    """Return the sha256 by file name."""
    pairs = (line.partition("  ") for line in listed_lines)
    return {name: sha256 for sha256, _, name in pairs if name}


def recorded(folder: Path) -> dict[str, str]:
    """Return what a folder's manifest says, the sha256 by file name; nothing where there is none."""
    try:
        return by_name((folder / FILE).read_text(encoding="utf-8").splitlines())
    except (OSError, UnicodeDecodeError):
        return {}


def edited(app: App) -> list[Finding]:
    """Find files of the app's `private_packages/` that were edited, or that are missing or not the template's."""
    folder = app.folder / "private_packages"
    if not folder.is_dir():
        return [
            Finding(
                "missing-file", "", "the folder private_packages is missing", RESTORE
            )
        ]
    if renewal.is_broken_off(folder):
        text = "the update was killed before its command was here, so private_packages is still the one of before"
        return [Finding("old-command", "", text, RESTORE)]
    known = recorded(folder)
    if not known:
        text = f"private_packages/{FILE} is missing"
        return [Finding("missing-file", "", text, _cure(app, [FILE]))]
    # A file that is not the template's may lie beside them.
    differing = sorted(known.items() - by_name(lines(folder)).items())
    if not differing:
        return []
    gone = [name for name, _ in differing if not (folder / name).is_file()]
    named = gone or [name for name, _ in differing]
    shown = listed(named[:3])
    more = len(named) - 3
    verb = "missing from" if gone else "edited in"
    text = f"{shown}{f' and {more} more' if more > 0 else ''}: {verb} private_packages, which is the template's"
    cure = _cure(app, [name for name, _ in differing])
    return [Finding("missing-file" if gone else "edited-file", "", text, cure)]


def _cure(app: App, differing: Sequence[str]) -> str:
    """Return what takes files back: the last commit where it has them; the template's files overwrite more."""
    try:
        changed = app.git.run(
            *("diff", "--name-only", "--relative", "HEAD", "--", "private_packages"),
            cwd=app.folder,
        )
    except GitError:
        return RESTORE
    by_hand = {f"private_packages/{name}" for name in differing}
    return TAKE_BACK if by_hand <= set(changed.splitlines()) else RESTORE


def write() -> None:
    """Write the manifest anew; for who works on the template."""
    text = "".join(f"{line}\n" for line in lines())
    (HERE / FILE).write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    write()
