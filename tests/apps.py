"""Making apps from the template, with pytest-copie for whole copies and Copier's command line for the rest."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from copier import run_copy
from copier._main import Worker
from private_packages import manifest

from demo import runs
from demo.git import work_tree_files

ROOT = Path(__file__).resolve().parents[1]
# What Copier renders; its own name is rendered too, and comes out as `.`.
RENDERED = "template/files/{# rendered #}.{##}"
# The command that runs the hook alone, in the app's folder.
HOOK = (sys.executable, str(ROOT / "hooks" / "sync.py"))
NO_PACKAGES: dict[str, Any] = {"strategies": []}
# What the template knows of each CI system, and the file of each.
CI_SYSTEMS = {
    one["key"]: one
    for one in json.loads((ROOT / "template" / "ci" / "systems.json").read_text(encoding="utf-8"))
}
CI_FILES = {key: str(one["file"]) for key, one in CI_SYSTEMS.items()}


def questions(template: Path = ROOT) -> list[str]:
    """The names that copier.yml asks for, in order; computed values are left out."""
    data = yaml.safe_load((template / "copier.yml").read_text(encoding="utf-8"))
    return [name for name, one in data.items() if not name.startswith("_") and one.get("when") is not False]


def ask(template: Path, destination: Path, **answers: Any) -> dict[str, Any]:
    """All answers of the questionnaire, computed ones included, without rendering anything."""
    worker = Worker(
        src_path=str(template), dst_path=destination, data=answers, defaults=True, quiet=True, unsafe=True
    )
    with worker:
        worker._ask()
        return dict(worker.answers.combined)


def render(template: Path, folder: Path, **answers: object) -> Path:
    """An app without its hook, so without network; its folder."""
    run_copy(str(template), folder, data=answers, defaults=True, skip_tasks=True, quiet=True)
    return folder


def snapshot(folder: Path, tag: str) -> Path:
    """A repository with the files of the work tree, as Git sees them, committed and tagged."""
    for name in work_tree_files(ROOT):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)
    write_manifest(folder)
    release(folder, tag)
    pack(folder)
    return folder


def pack(template: Path) -> None:
    """Pack a template, as each is that was ever cloned: Copier's own clones would copy loose objects one by one."""
    subprocess.run(["git", "gc", "--quiet"], cwd=template, check=True, capture_output=True)


def write_manifest(template: Path) -> None:
    """Let the manifest of a template's copy fit its files; test_project.py holds that of the repository to its own."""
    package = template / "template" / "files" / "private_packages"
    if package.is_dir():
        text = "".join(f"{line}\n" for line in manifest.lines(package))
        (package / manifest.FILE).write_text(text, encoding="utf-8")


def release(folder: Path, tag: str) -> None:
    """Commit everything in a template's folder and tag it."""
    for command in (
        ["init", "--quiet"],
        ["add", "--all"],
        ["commit", "--quiet", "--allow-empty", "-m", tag],
        ["tag", tag],
    ):
        subprocess.run(["git", *command], cwd=folder, check=True, capture_output=True)


@dataclass
class Apps:
    """Copies of the template; ``copie`` is pytest-copie's fixture."""

    template: Path
    copie: Any

    def make(self, **answers: object) -> Path:
        """An app with these answers and the defaults for the rest; its folder."""
        unknown = set(answers) - set(questions())
        assert not unknown, f"copier.yml asks no {', '.join(sorted(unknown))}"
        result = self.copie.copy(extra_answers=answers, template_dir=self.template)
        if result.exception is not None:
            raise result.exception
        return Path(result.project_dir)


def change_wanted(app: Path, old: str, new: str) -> None:
    """Replace a text in private-packages.toml, as an update does with an answer, without an update."""
    wanted = app / "private-packages.toml"
    wanted.write_text(wanted.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")


def copier(*arguments: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Copier's command line, output captured."""
    return subprocess.run(
        [sys.executable, "-m", "copier", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


def data(answers: Mapping[str, object]) -> list[str]:
    """Answers as `--data` options."""
    options = []
    for name, value in answers.items():
        text = "[" + ", ".join(value) + "]" if isinstance(value, list) else str(value)
        options += ["--data", f"{name}={text}"]
    return options


def typed(app: Path, command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command in the app's folder, as a person types it who has uv, Copier and no virtual environment."""
    words = shlex.split(command)
    if words[0] == "copier":
        words[:1] = [sys.executable, "-m", "copier"]
    elif words[0] == "python":
        words[0] = runs.PYTHON
    return subprocess.run(
        words,
        cwd=app,
        env={**runs.outside(), **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


def last_line(done: subprocess.CompletedProcess[str]) -> str:
    """The last line that a command wrote to standard error, without colours."""
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    return re.sub(r"\x1b\[[0-9;]*m", "", lines[-1]) if lines else ""
