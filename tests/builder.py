"""A real builder of images, from Debian's packages: dockerd with BuildKit, and a base image of the same Debian.

`python tests/builder.py` fetches both into a cache folder, as root on Debian; nothing of the machine is changed.
The base images stand in for `python:X` and `python:X-slim`: Debian's own Python, under `python` as there.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import platformdirs

CACHE = platformdirs.user_cache_path("copier-private-packages") / "builder-2"
CLIENT = CACHE / "programs" / "usr" / "bin" / "docker"
DAEMON = ("docker.io", "containerd", "runc", "tini", "iptables", "libip6tc2")
SMALL = ("base-files", "bash", "coreutils", "dash", "findutils", "grep", "sed", "ca-certificates", "python3")
# As `python:X` has them, and `python:X-slim` has not.
WHOLE = (*SMALL, "git", "openssh-client", "python3-pip")
IMAGES = {"slim": SMALL, "whole": WHOLE}
# Where the machine keeps the certificates that it trusts, and the settings of pip: the same has to hold inside.
_OF_THE_MACHINE = ("etc/ssl/certs/ca-certificates.crt", "etc/pip.conf", "etc/resolv.conf")


def reason_without() -> str:
    """Why there is no builder here; empty where there is one."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "needs root on Linux, for dockerd"
    if not CACHE.is_dir():
        return "needs dockerd: `python tests/builder.py` fetches it, on Debian"
    return ""


def python_inside() -> str:
    """The version of the Python in the base images, such as 3.11."""
    return (CACHE / "python").read_text(encoding="utf-8").strip()


@dataclass(frozen=True)
class Docker:
    """A running dockerd of the test's own, with its data in ``folder``."""

    folder: Path

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self.folder / "docker.sock"

    @property
    def environment(self) -> dict[str, str]:
        """What reaches this dockerd, and no other."""
        return {
            **_environment(),
            "DOCKER_HOST": f"unix://{self.socket}",
            "DOCKER_CONFIG": str(self.folder / "config"),
            "DOCKER_BUILDKIT": "1",
            "BUILDKIT_PROGRESS": "plain",
        }

    def run(
        self, *arguments: str | Path, cwd: Path | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """A command of docker's, as a person types it."""
        return subprocess.run(
            ["docker", *map(str, arguments)],
            cwd=cwd,
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=600,
        )

    def program(
        self, calls: Path, *, client: str = "", address: str = "", asks_for_buildkit: bool = False
    ) -> str:
        """A script that stands for a CI system's `docker`: it reaches this dockerd, and writes each call into ``calls``.

        What is built sees the machine's network, as there is no other. A Docker of today builds with BuildKit by itself, but
        where ``asks_for_buildkit``. client, address: the real one and the socket, where they are others than on this machine.
        """
        return f"""printf '%s\\n' "$*" >> '{calls}'
if [ "$1" = build ]; then shift; set -- build --network host "$@"; fi
export DOCKER_HOST='unix://{address or self.socket}' BUILDKIT_PROGRESS=plain
{"" if asks_for_buildkit else "export DOCKER_BUILDKIT=1"}
exec '{client or CLIENT}' "$@"
"""

    @property
    def data(self) -> Path:
        """Everything that dockerd keeps: layers, configurations, history, the cache of builds."""
        return self.folder / "data"


@contextlib.contextmanager
def docker(folder: Path) -> Iterator[Docker]:
    """A dockerd with the base images. It has no network of its own: containers use the machine's."""
    running = Docker(folder)
    running.data.mkdir(parents=True)
    # What it mounts is seen by it alone, and ends with it.
    command = [
        "unshare",
        "--mount",
        "dockerd",
        "--host",
        f"unix://{running.socket}",
        "--data-root",
        running.data,
    ]
    command += ["--exec-root", folder / "exec", "--pidfile", folder / "pid", "--bridge", "none"]
    command += ["--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [str(part) for part in command],
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        deadline = time.monotonic() + 60
        while running.run("info").returncode:
            assert process.poll() is None, (folder / "log").read_text(errors="replace")[-2000:]
            assert time.monotonic() < deadline, "dockerd does not answer"
            time.sleep(0.2)
        for kind, suffix in (("whole", ""), ("slim", "-slim")):
            done = running.run("import", CACHE / f"{kind}.tar", f"python:{python_inside()}{suffix}")
            assert done.returncode == 0, done.stderr
        yield running
    finally:
        process.terminate()
        process.wait(timeout=60)
        # Half a gigabyte, which pytest would keep.
        shutil.rmtree(folder, ignore_errors=True)


def _environment() -> dict[str, str]:
    programs = CACHE / "programs" / "usr"
    path = os.pathsep.join(
        [str(programs / "bin"), str(programs / "sbin"), os.environ.get("PATH", os.defpath)]
    )
    return {**os.environ, "PATH": path, "LD_LIBRARY_PATH": str(programs / "lib" / "x86_64-linux-gnu")}


def prepare() -> None:
    """Fetch the packages and unpack them; Debian's archive has them all."""
    unfinished = CACHE.with_name("builder-unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    _unpack(_fetch(unfinished / "debs" / "daemon", DAEMON, installed=True), unfinished / "programs")
    for kind, packages in IMAGES.items():
        root = unfinished / kind
        _unpack(_fetch(unfinished / "debs" / kind, packages, installed=False), root)
        _finish(root)
        subprocess.run(["tar", "-C", root, "-cf", unfinished / f"{kind}.tar", "."], check=True)
        python = next((root / "usr" / "bin").glob("python3.*[0-9]")).name.removeprefix("python")
        (unfinished / "python").write_text(python, encoding="utf-8")
        shutil.rmtree(root)
    shutil.rmtree(unfinished / "debs")
    shutil.rmtree(CACHE, ignore_errors=True)
    unfinished.rename(CACHE)


def _fetch(folder: Path, packages: tuple[str, ...], *, installed: bool) -> list[Path]:
    """Fetch packages and what they need; what the machine has installed is left out of it, or counts as not there."""
    (folder / "archives" / "partial").mkdir(parents=True, exist_ok=True)
    command = ["apt-get", "--quiet", "--yes", "--no-install-recommends", "--download-only", "--reinstall"]
    command += ["-o", f"Dir::Cache={folder}", "-o", "APT::Sandbox::User=root", "-o", "Debug::NoLocking=1"]
    command += [] if installed else ["-o", "Dir::State::status=/dev/null"]
    subprocess.run([*command, "install", *packages], check=True)
    return sorted(folder.glob("archives/*.deb"))


def _unpack(packages: list[Path], root: Path) -> None:
    # Debian's packages still name the folders that are links since /usr is one.
    for name in ("bin", "sbin", "lib", "lib64"):
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")
    for package in packages:
        with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE) as files:
            subprocess.run(
                ["tar", "-C", root, "-x", "--keep-directory-symlink"], stdin=files.stdout, check=True
            )


def _finish(root: Path) -> None:
    """Do what the scripts of the packages would do, as far as Python and Git need it."""
    for name in ("tmp", "root", "etc", "proc", "sys", "dev"):
        (root / name).mkdir(exist_ok=True)
    (root / "tmp").chmod(0o1777)
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/bash\n", encoding="utf-8")
    (root / "etc/group").write_text("root:x:0:\n", encoding="utf-8")
    if not (root / "usr/bin/sh").exists():
        (root / "usr/bin/sh").symlink_to("dash")
    (root / "usr/bin/python").symlink_to("python3")
    for mark in root.glob("usr/lib/python3*/EXTERNALLY-MANAGED"):
        mark.unlink()
    for name in _OF_THE_MACHINE:
        if Path("/", name).exists():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(Path("/", name), root / name)


if __name__ == "__main__":
    prepare()
