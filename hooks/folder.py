"""The folder of the command in the app: the hook puts it there, from the template's clone, in one go."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from private_packages import manifest
from private_packages.errors import Failure
from private_packages.files import remove, write_text

SOURCE = manifest.HERE


def put(app: Path) -> Iterator[str]:
    """Bring an app's `private_packages/` to the template's; yield the files whose edits had to give way to that.

    Files that are not the template's stay. Raises `Failure`, with nothing changed, when the folder is somebody
    else's, and OSError.
    """
    folder = app / "private_packages"
    before = manifest.recorded(folder)
    if folder.exists() and not before and any(folder.iterdir()):
        raise Failure(
            f"{folder.name}/ stands here already and is not the template's, so nothing was put into it;"
            " give it another name, then run the same Copier command again."
        )
    here = manifest.by_name(manifest.lines(folder)) if before else {}
    wanted = manifest.recorded(SOURCE)
    text = (SOURCE / manifest.FILE).read_text(encoding="utf-8")
    if not before:
        # First, so that what a killed run leaves is known as the template's.
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / manifest.FILE, text)
    for name in sorted({*before, *wanted}):
        if here.get(name) == wanted.get(name):
            continue
        if name in here and here[name] != before.get(name):
            yield name
        if name in wanted:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            write_text(folder / name, (SOURCE / name).read_text(encoding="utf-8"))
        else:
            remove(folder / name)
    # Last, so that a killed run's old files are not taken for edited ones.
    if before and before != wanted:
        write_text(folder / manifest.FILE, text)
