"""The file `.env`: values of environment variables, on this machine only.

The syntax is what people write: ``NAME=value``, ``export NAME=value``, single or double quotes around a
value, comments after `` #``, a byte-order mark, CRLF. Nothing is expanded. A variable that the shell has set
keeps the shell's value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from private_packages.errors import Failure
from private_packages.files import read_text, write_text

FILE = ".env"

# A `#` begins a comment after a blank, and a value right after `=`.
_LINE = re.compile(
    r"""\s*(?:export\s+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)\s*=[^\S\n]*
    (?P<value>'(?P<single>[^']*)'|"(?P<double>[^"]*)"
    |(?P<plain>(?:(?:(?<==)\#|[^'"\s\#])(?:[^\n]*?[^\s])??)?))
    (?:\s+\#.*|\s*)\Z""",
    re.VERBOSE,
)
_BOM = "\ufeff"
# The marks of UTF-16, as `files.read_text` decodes them.
_UTF_16 = ("\udcff\udcfe", "\udcfe\udcff")


def parse(text: str) -> dict[str, str]:
    """Return the values by name.

    Raises `Failure`, which names a line that is none by its number only: it may hold a secret.
    """
    if text.startswith(_UTF_16):
        raise Failure(
            ".env is UTF-16, as Windows PowerShell writes it; save it as UTF-8."
        )
    values: dict[str, str] = {}
    for number, line in enumerate(text.removeprefix(_BOM).split("\n"), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        found = _LINE.match(line)
        if found is None:
            raise Failure(
                f"Line {number} of .env is not of the form NAME=value; correct it."
            )
        values[found["name"]] = (
            found["single"] or found["double"] or found["plain"] or ""
        )
    return values


def read(folder: Path) -> dict[str, str]:
    """Return the values of a folder's `.env`; none where there is no such file. Raises `Failure`."""
    path = folder / FILE
    # A virtual environment may be called `.env`, too.
    if path.is_dir():
        return {}
    try:
        return parse(read_text(path))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise Failure(
            f".env cannot be read: {error.strerror}; make it readable."
        ) from error


def with_values(
    environ: Mapping[str, str], values: Mapping[str, str]
) -> dict[str, str]:
    """Return an environment completed by the values of `.env`; what has a value already keeps it."""
    return {
        **values,
        **{
            name: value
            for name, value in environ.items()
            if value or name not in values
        },
    }


def write(folder: Path, values: Mapping[str, str]) -> None:
    """Set percent-encoded values in a folder's `.env`, which only its owner may read.

    Everything else in the file stays, comments behind a value included. Raises OSError.
    """
    path = folder / FILE
    before = read_text(path) if path.exists() else ""
    text = before.removeprefix(_BOM)
    bom = before[: len(before) - len(text)]
    lines = text.removesuffix("\n").split("\n") if text else []
    met = set()
    for number, line in enumerate(lines):
        found = _LINE.match(line)
        if found and found["name"] in values:
            # Also where a name stands twice: the last one counts.
            met.add(found["name"])
            start, end = found.span("value")
            comment = line[end:] if line[end:].strip() else ""
            lines[number] = f"{line[:start]}{values[found['name']]}{comment}"
    lines += [f"{name}={value}" for name, value in values.items() if name not in met]
    if path.is_symlink() and path.exists():
        # It is written in place, so it would keep its mode.
        path.chmod(0o600)
    write_text(path, bom + "\n".join(lines) + "\n", private=True)
