"""What the app's environment holds, asked of its own Python in a process of its own.

`inside.py` is what that process runs.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from private_packages.markers import holds, is_marker


@dataclass(frozen=True)
class Installed:
    """One installed distribution.

    ``commit`` and ``folder`` are of `direct_url.json` (PEP 610): a Git commit, or the folder of an editable
    or local installation; ``origin`` says it in words. ``modules`` and ``place`` are known of private ones: the
    top-level modules, and the folder in which they lie. ``pointer`` is the first file of a Git package that is not there
    but stands for one in Git LFS.
    """

    version: str
    commit: str = ""
    folder: Path | None = None
    url: str = ""
    modules: tuple[str, ...] = ()
    place: Path | None = None
    pointer: str = ""

    @property
    def origin(self) -> str:
        """Where it came from."""
        if self.folder:
            return str(self.folder)
        return self.url or "an index"


@dataclass(frozen=True)
class Probe:
    """``distributions`` by normalised name, ``origins`` of top-level modules, what markers are about.

    ``entry`` says what came of importing VIKTOR's entry point, if that was asked: empty where it imports the
    finder, else why not. ``led_by`` are then the files whose code led there, the last one last.
    """

    distributions: Mapping[str, Installed]
    origins: Mapping[str, Path]
    environment: Mapping[str, str]
    entry: str = ""
    led_by: tuple[Path, ...] = ()

    def installed(self, name: str) -> Installed | None:
        """Return what is installed under a name."""
        return self.distributions.get(re.sub(r"[-_.]+", "-", name).lower())

    def applies(self, requirement: str) -> bool:
        """Tell whether a requirement's marker holds in the environment."""
        _, _, marker = requirement.partition(";" if " @ " not in requirement else " ;")
        return (
            not marker.strip()
            or not is_marker(marker)
            or holds(marker, self.environment)
        )


def look(
    python: Path,
    app: Path,
    modules: Iterable[str],
    private: Iterable[str] = (),
    *,
    start: bool = False,
) -> Probe:
    """Ask an environment's Python about modules and private names, which are normalised.

    ``start`` has VIKTOR's entry point imported first, as the platform does.

    Raises OSError and ValueError when it gives no answer.
    """
    wanted = {"modules": sorted(modules), "private": sorted(private)}
    question = json.dumps({"app": str(app), "start": start, **wanted})
    done = subprocess.run(
        [python, "-B", "-X", "utf8", Path(__file__).with_name("inside.py")],
        cwd=app,
        input=question,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    if done.returncode:
        raise ValueError(done.stderr.strip().rpartition("\n")[2])
    answer: dict[str, Any] = json.loads(done.stdout)
    return Probe(
        distributions={
            name: _installed(one) for name, one in answer["distributions"].items()
        },
        origins={name: Path(origin) for name, origin in answer["origins"].items()},
        environment=answer["environment"],
        entry=answer["entry"],
        led_by=tuple(map(Path, answer["led_by"])),
    )


def _installed(one: dict[str, Any]) -> Installed:
    direct = one.get("direct_url") or {}
    url = str(direct.get("url", ""))
    parts = urlsplit(url)
    return Installed(
        version=one["version"],
        commit=str(direct.get("vcs_info", {}).get("commit_id", "")),
        folder=_path_of(url) if "dir_info" in direct else None,
        url=f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        if url
        else "",
        modules=tuple(one.get("modules", ())),
        place=Path(one["place"]) if "place" in one else None,
        pointer=str(one.get("pointer", "")),
    )


def _path_of(url: str) -> Path:
    """Return the path in a `file:` address; on Windows a slash stands before the drive."""
    path = unquote(urlsplit(url).path)
    return Path(
        path.removeprefix("/") if re.match("/[A-Za-z]:", path) else path
    ).resolve()
