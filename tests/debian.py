"""Programs of Debian's archive that a machine may lack: git-lfs, and a Git that is too old.

`python tests/debian.py` fetches both into a cache folder, on Debian; nothing of the machine is changed.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import platformdirs

CACHE = platformdirs.user_cache_path("copier-private-packages") / "debian-1"
# Name and release; of this machine's own where there is none.
PACKAGES = {"git-lfs": "", "git": "bullseye"}
_KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"


def folder_of_git_lfs() -> str:
    """The folder of the program `git-lfs`, for PATH; empty where there is none."""
    if (CACHE / "git-lfs" / "usr" / "bin" / "git-lfs").is_file():
        return str(CACHE / "git-lfs" / "usr" / "bin")
    found = shutil.which("git-lfs")
    return str(Path(found).parent) if found else ""


def old_git() -> dict[str, str]:
    """The variables with which Git 2.30 of Debian 11 is the one that runs; empty where there is none."""
    usr = CACHE / "git" / "usr"
    if not (usr / "bin" / "git").is_file():
        return {}
    return {"PATH": str(usr / "bin"), "GIT_EXEC_PATH": str(usr / "lib" / "git-core")}


def reason_without(program: str) -> str:
    """Why nothing can be tried with a program here; empty where there is one."""
    there = folder_of_git_lfs() if program == "git-lfs" else old_git()
    return "" if there else f"needs {program}: `python tests/debian.py` fetches it, on Debian"


def fetch() -> None:
    """Fetch the packages and unpack them."""
    unfinished = CACHE.with_name("debian-unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    for name, release in PACKAGES.items():
        folder = unfinished / name
        (folder / "lists" / "partial").mkdir(parents=True)
        options = ["--quiet", "-o", "APT::Sandbox::User=root"]
        if release:
            source = f"deb [signed-by={_KEYS}] {_archive()} {release} main\n"
            (folder / "list").write_text(source, encoding="utf-8")
            options += ["-o", f"Dir::Etc::sourcelist={folder}/list", "-o", "Dir::Etc::sourceparts=-"]
            options += ["-o", f"Dir::State::lists={folder}/lists", "-o", "Dir::State::status=/dev/null"]
            options += ["-o", f"Dir::Cache={folder}"]
            subprocess.run(["apt-get", *options, "update"], check=True)
        subprocess.run(["apt-get", *options, "download", name], cwd=folder, check=True)
        (package,) = folder.glob(f"{name}_*.deb")
        subprocess.run(["dpkg-deb", "--extract", package, folder], check=True)
        package.unlink()
        shutil.rmtree(folder / "lists")
    shutil.rmtree(CACHE, ignore_errors=True)
    unfinished.rename(CACHE)


def _archive() -> str:
    """The address of Debian's archive, as this machine has it."""
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return next(one for one in done.stdout.split() if one.rstrip("/").endswith("/debian"))


if __name__ == "__main__":
    fetch()
