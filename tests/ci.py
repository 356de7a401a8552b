"""What the tests of the CI files share: an app that was pushed, a runner's machine, and secrets that may be in no log."""

from __future__ import annotations

import base64
import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import builder
import pytest
import yaml
from apps import CI_FILES

from demo import runs
from demo.hosts import DemoHosts

# The Python that runs here.
HERE = f"3.{sys.version_info.minor}"
INSTALL = "python -m private_packages install --locked"
TEST = "python -m private_packages exec python -m unittest"
VIKTOR = {"VIKTOR_ENV", "VIKTOR_DEV", "VIKTOR_TOKEN"}
RUNS_ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="the CI files ask for a Linux machine")


def answered(app: Path) -> dict[str, object]:
    """The answers that an app was made with."""
    return yaml.safe_load((app / ".copier-answers.yml").read_text(encoding="utf-8"))


def ci_file(app: Path) -> Path:
    """The CI file of an app."""
    return app / CI_FILES[str(answered(app)["ci"])]


def push(app: Path) -> None:
    """What the owner of an app does before a push."""
    subprocess.run(["git", "add", "--all"], cwd=app, check=True)
    subprocess.run(["git", "commit", "--quiet", "--allow-empty", "-m", "work"], cwd=app, check=True)


def clone(app: Path, folder: Path) -> Path:
    """A clone as a CI system makes it: without submodules."""
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", app, folder], check=True)
    return folder


def given(hosts: DemoHosts) -> dict[str, str]:
    """The secrets that somebody has made in the CI system."""
    return {**hosts.variables, **{name: f"value-of-{name.lower()}" for name in VIKTOR}}


@dataclass(frozen=True)
class Machine:
    """A runner's machine: its own programs first on the path, nothing of this project.

    What its pip installs goes into a folder of the test.
    """

    folder: Path

    @classmethod
    def at(cls, folder: Path) -> Machine:
        """A machine with a Python that has no virtual environment."""
        machine = cls(folder)
        machine.programs.mkdir(parents=True)
        (machine.programs / "python").symlink_to(runs.PYTHON)
        return machine

    @property
    def programs(self) -> Path:
        return self.folder / "bin"

    def program(self, name: str, script: str) -> None:
        """Put a program on the path, in place of one that cannot be had here."""
        (self.programs / name).write_text(f"#!/bin/sh\n{script}", encoding="utf-8")
        (self.programs / name).chmod(0o755)

    def viktor_cli(self) -> Path:
        """Let curl download a program that writes down its calls, with the names of its variables; where it does."""
        calls = self.folder / "calls"
        names = "$(env | grep -oE '^(ACME|VIKTOR)_[A-Z]+' | sort)"
        script = f"""#!/bin/sh\necho "$@" {names} >> '{calls}'\n"""
        self.program("curl", f"cat > viktor-cli <<'END'\n{script}END\n")
        return calls

    def docker(self, docker: builder.Docker, *, asks_for_buildkit: bool = False) -> Path:
        """Put docker on the path, in touch with the dockerd of the tests; where it writes down what it is called with."""
        calls = self.folder / "docker-calls"
        self.program("docker", docker.program(calls, asks_for_buildkit=asks_for_buildkit))
        return calls

    @property
    def environment(self) -> dict[str, str]:
        here = sysconfig.get_path("scripts")
        path = [folder for folder in os.environ["PATH"].split(os.pathsep) if Path(folder) != Path(here)]
        kept = {
            name: value
            for name, value in os.environ.items()
            if name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM")
            or not re.match(
                "GIT_|ACME_|VIKTOR_|SSH_|VIRTUAL_ENV|UV_PROJECT_ENVIRONMENT|PYTHONPATH|CI$|GITHUB_|GITLAB_",
                name,
            )
        }
        return kept | {
            "PATH": os.pathsep.join([str(self.programs), str(self.folder / "user" / "bin"), *path]),
            "HOME": str(self.folder),
            "PIP_USER": "1",
            "PIP_BREAK_SYSTEM_PACKAGES": "1",
            "PYTHONUSERBASE": str(self.folder / "user"),
        }


def slug(app: Path) -> str:
    """What an app is called on VIKTOR."""
    return str(answered(app)["app_name"]).lower().replace(" ", "-")


def forms(secret: str) -> set[str]:
    """A secret as it stands, percent-encoded, and in base64 at each of its three places."""
    encoded = set()
    for place in range(3):
        text = base64.b64encode(b"x" * place + secret.encode()).decode()
        # What neighbours have no part in.
        encoded.add(text[4 if place else 0 :].rstrip("=")[:-1])
    return {secret, quote(secret, safe=""), *encoded}


def leaks(text: str, secrets: Iterable[str]) -> list[str]:
    """The forms of secrets that a log or a file holds."""
    return [form for secret in secrets for form in forms(secret) if form in text]


def leaking_files(folder: Path, secrets: Iterable[str]) -> list[Path]:
    """The files below a folder that hold a secret."""
    wanted = [form.encode() for secret in secrets for form in forms(secret)]
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return [path for path in files if any(form in path.read_bytes() for form in wanted)]


def holding(folder: Path, secrets: list[str]) -> list[str]:
    """The files below a folder that hold a secret, as it stands or encoded."""
    patterns = "".join(f"{form}\n" for secret in secrets for form in forms(secret))
    command = ["grep", "--recursive", "--text", "--fixed-strings", "--files-with-matches", "--file=-", folder]
    done = subprocess.run(command, input=patterns, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1) or "No such file" in done.stderr, done.stderr
    return done.stdout.splitlines()


def secrets_of(known: Mapping[str, str]) -> list[str]:
    """What of the given variables nobody may see; a user name may be seen."""
    return [value for name, value in known.items() if not name.endswith(("_USER", "_ENV"))]
