"""The command's folder in the app: the hook puts it there from the template's clone, and at every moment it works."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from private_packages import manifest, renewal
from private_packages.config import load
from private_packages.errors import Failure
from private_packages.files import half_written, read_text, remove, rename, write_exactly

SOURCE = manifest.HERE


def put(app: Path) -> Iterator[str]:
    """Bring an app's `private_packages/` to the template's; yield the files whose edits had to give way to that.

    Files that are not the template's stay. Raises `Failure`, with nothing changed, when the folder is somebody
    else's, and OSError.
    """
    folder = app / "private_packages"
    renewal.finish(folder)
    before = manifest.recorded(folder)
    if folder.exists() and not before and any(folder.iterdir()):
        raise Failure(
            f"{folder.name}/ stands here already and is not the template's, so nothing was put into it;"
            " give it another name, then run the same Copier command again."
        )
    here = manifest.by_name(manifest.lines(folder)) if before else {}
    wanted = manifest.recorded(SOURCE)
    changed = [name for name in sorted({*before, *wanted}) if here.get(name) != wanted.get(name)]
    remove(folder / renewal.COMING)
    if not changed and before == wanted:
        return
    yield from (name for name in changed if name in here and here[name] != before.get(name))
    coming = folder / renewal.COMING if before else _beside(folder)
    if before:
        _write(coming / renewal.RELEASE, _release(app))
    for name in changed:
        if name in wanted:
            _write(coming / name, read_text(SOURCE / name), like=folder / name)
    _write(coming / manifest.FILE, read_text(SOURCE / manifest.FILE), like=folder / manifest.FILE)
    if before:
        renewal.finish(folder)
    else:
        remove(folder)
        rename(coming, folder)


def _beside(folder: Path) -> Path:
    """Return where a folder that is not there yet is made: a rename away."""
    unseen = half_written(folder, "new")
    # Git's folder may lie on another disk.
    same = unseen.parent.stat().st_dev == folder.parent.stat().st_dev
    beside = unseen if same else folder.with_name(unseen.name)
    remove(beside)
    return beside


def _write(path: Path, text: str, like: Path | None = None) -> None:
    """Write a new file, with the line endings of the one whose place it will take."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if like is not None and like.is_file() and b"\r\n" in like.read_bytes():
        text = text.replace("\n", "\r\n")
    write_exactly(path, text)


def _release(app: Path) -> str:
    """Say which release the app becomes: the answers file, and its line about that."""
    try:
        answers = load(app).answers_file
        lines = read_text(app / answers).splitlines()
    except (Failure, OSError):
        return "\n"
    return f"{answers}\n{next((line for line in lines if line.startswith('_commit:')), '')}\n"
