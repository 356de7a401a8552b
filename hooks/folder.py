"""The folder of the command in the app: the hook puts it there, from the template's clone, in one go."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from private_packages import manifest
from private_packages.errors import Failure
from private_packages.files import half_written, remove, rename, write_text

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
    changed = [name for name in sorted({*before, *wanted}) if here.get(name) != wanted.get(name)]
    if not changed and before == wanted:
        return
    new, old = half_written(folder, "new"), half_written(folder, "before.new")
    remove(new)
    remove(old)
    if folder.exists():
        shutil.copytree(folder, new, ignore=shutil.ignore_patterns("__pycache__"))
    for name in changed:
        if name in here and here[name] != before.get(name):
            yield name
        if name in wanted:
            (new / name).parent.mkdir(parents=True, exist_ok=True)
            write_text(new / name, (SOURCE / name).read_text(encoding="utf-8"))
        else:
            remove(new / name)
    write_text(new / manifest.FILE, (SOURCE / manifest.FILE).read_text(encoding="utf-8"))
    # A killed run leaves the old command or the new one, and never some files of each.
    if folder.exists():
        rename(folder, old)
    # Git's folder may lie on another disk.
    shutil.move(new, folder)
    remove(old)
