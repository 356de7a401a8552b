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
    coming.mkdir(parents=True, exist_ok=True)
    if before:
        write_exactly(coming / renewal.RELEASE, _release(app))
    for name in changed:
        if name in wanted:
            # Nobody reads it before the manifest is there: a writer that can be killed is not needed, and takes 15 ms.
            (coming / name).parent.mkdir(parents=True, exist_ok=True)
            (coming / name).write_bytes(_text(name, like=folder / name))
    write_exactly(coming / manifest.FILE, _text(manifest.FILE, like=folder / manifest.FILE).decode())
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


def _text(name: str, like: Path) -> bytes:
    """Return a file of the template's, with the line endings of the one whose place it will take."""
    content = read_text(SOURCE / name).encode("utf-8")
    return content.replace(b"\n", b"\r\n") if like.is_file() and b"\r\n" in like.read_bytes() else content


def _release(app: Path) -> str:
    """Say which release the app becomes: the answers file, and its line about that."""
    try:
        answers = load(app).answers_file
        lines = read_text(app / answers).splitlines()
    except (Failure, OSError):
        return "\n"
    return f"{answers}\n{next((line for line in lines if line.startswith('_commit:')), '')}\n"
