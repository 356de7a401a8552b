"""The pyproject.toml of a source distribution, read as data from a stranger: one regular file, at most 1 MB of it."""

from __future__ import annotations

import gzip
import io
import posixpath
import tarfile
import zipfile
import zlib
from typing import IO

from private_packages.errors import Unreadable
from private_packages.package_files import LARGEST

_LARGEST_UNPACKED = 2_000_000_000


def pyproject_in(archive: IO[bytes], name: str) -> str | None:
    """Return the text of a source distribution's pyproject.toml, None where there is none. Raises `Unreadable`."""
    try:
        if name.endswith(".zip"):
            content = _in_zip(archive)
        elif name.endswith((".tar.gz", ".tgz")):
            content = _in_tar(archive)
        else:
            raise Unreadable("its archive is neither a .tar.gz nor a .zip")
        return None if content is None else content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Unreadable("its pyproject.toml is no UTF-8") from error
    except _BROKEN as error:
        raise Unreadable("its archive cannot be read") from error


# What Python's readers of archives raise for a broken one (`RuntimeError`: it is encrypted).
_BROKEN = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, OSError),
    *(NotImplementedError, RuntimeError, ValueError, OverflowError),
)


def _is_pyproject(path: str) -> bool:
    """Tell whether a path in an archive is that of its pyproject.toml, in its one folder or beside it."""
    parts = posixpath.normpath(path).split("/")
    return parts[-1] == "pyproject.toml" and len(parts) <= 2


def _in_zip(file: IO[bytes]) -> bytes | None:
    with zipfile.ZipFile(file) as archive:
        found = {
            one.filename: one
            for one in archive.infolist()
            if _is_pyproject(one.filename)
        }
        _refuse_two(list(found))
        for one in found.values():
            with archive.open(one) as member:
                return _limited(member)
    return None


def _in_tar(file: IO[bytes]) -> bytes | None:
    found: dict[str, bytes] = {}
    with (
        gzip.GzipFile(fileobj=file) as unpacked,
        tarfile.open(fileobj=_Limited(unpacked), mode="r|") as archive,
    ):
        for one in archive:
            if not _is_pyproject(one.name):
                continue
            member = archive.extractfile(one) if one.isreg() else None
            if member is None:
                raise Unreadable("its pyproject.toml is no file")
            # The last of one path is what unpacking leaves.
            found[one.name] = _limited(member)
    _refuse_two(list(found))
    return next(iter(found.values()), None)


def _refuse_two(names: list[str]) -> None:
    if len(names) > 1:
        raise Unreadable("its archive has more than one pyproject.toml")


def _limited(member: IO[bytes]) -> bytes:
    content = member.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise Unreadable("its pyproject.toml is larger than 1 MB")
    return content


class _Limited(io.RawIOBase):
    """What is unpacked, up to a size that no package has: a small file may unpack to a disk full."""

    def __init__(self, unpacked: IO[bytes] | gzip.GzipFile) -> None:
        super().__init__()
        self._unpacked = unpacked
        self._left = _LARGEST_UNPACKED

    def read(self, size: int = -1) -> bytes:
        """See `io.RawIOBase`. Raises `Unreadable` behind the limit."""
        content = self._unpacked.read(min(size, 1 << 20) if size >= 0 else 1 << 20)
        self._left -= len(content)
        if self._left < 0:
            raise Unreadable("its archive unpacks to more than 2 GB")
        return content
