"""Whether this package's own files are as the template made them: `manifest.txt` has the sha256 of each."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from private_packages.app import App
from private_packages.findings import Finding

HERE = Path(__file__).resolve().parent
FILE = "manifest.txt"
RESTORE = "copier recopy --trust --defaults --overwrite --vcs-ref :current:"


def listed(folder: Path = HERE) -> Iterator[str]:
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


def edited(app: App) -> list[Finding]:
    """Find files of the app's `private_packages/` that were edited, or that are missing or not the template's."""
    folder = app.folder / "private_packages"
    if not folder.is_dir():
        return [
            Finding(
                "missing-file", "", "the folder private_packages is missing", RESTORE
            )
        ]
    try:
        known = set((folder / FILE).read_text(encoding="utf-8").splitlines())
    except (OSError, UnicodeDecodeError):
        return [
            Finding("missing-file", "", f"private_packages/{FILE} is missing", RESTORE)
        ]
    here = set(listed(folder))
    differing = sorted({line.partition("  ")[2] for line in known ^ here})
    return [
        Finding(
            "missing-file" if not (folder / name).is_file() else "edited-file",
            "",
            f"private_packages/{name} {'is missing' if not (folder / name).is_file() else 'is not as the template made it'}",
            RESTORE,
        )
        for name in differing
    ]


def write() -> None:
    """Write the manifest anew; for who works on the template."""
    text = "".join(f"{line}\n" for line in listed())
    (HERE / FILE).write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    write()
