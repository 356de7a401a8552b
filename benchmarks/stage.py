"""What the benchmarks work on: templates, package repositories and apps, made once in a scratch folder."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from benchmarks.measure import login, run
from demo import runs
from demo.git import run_git, work_tree_files
from demo.hosts import TOKEN_USER, DemoHosts
from demo.samples import commit, make_repository, source_files

ROOT = Path(__file__).resolve().parents[1]
# The last commit of the first version: its apps had no command of their own.
FIRST = "9f54761"
MIXED = ("tag", "branch", "commit")
HISTORY = ("history",)
_SOURCE = "acme-units"
# A history of large files that no compression makes smaller: so many commits, each with a file of so many bytes.
_COMMITS, _BYTES = 100, 2_000_000


@dataclass(frozen=True)
class Kind:
    """A kind of app: how many packages, the kinds of their refs in turn, their strategy, and where the app runs."""

    count: int
    refs: tuple[str, ...] = MIXED
    strategy: str = "submodule"
    platform: str = "python"

    @property
    def name(self) -> str:
        """A name for its folders."""
        return f"{self.count}-{'-'.join(self.refs)}-{self.strategy}-{self.platform}"


@dataclass(frozen=True)
class Stage:
    """The scratch ``folder``, the running ``hosts`` and the environment ``env`` of everything measured."""

    folder: Path
    hosts: DemoHosts
    env: Mapping[str, str]

    @cached_property
    def files(self) -> dict[str, bytes]:
        """The files of this repository as they stand in the work tree, by path."""
        return {name: (ROOT / name).read_bytes() for name in work_tree_files(ROOT)}

    @cached_property
    def template(self) -> Path:
        """This template as it stands in the work tree, committed and tagged."""
        return self._template("this", self.files)

    @cached_property
    def first(self) -> Path | None:
        """The template's first version, packed as the others are; None where this clone does not reach so far back."""
        archive = self.folder / "first.tar"
        try:
            run_git("-C", ROOT, "archive", "--output", archive, FIRST)
        except RuntimeError:
            return None
        with tarfile.open(archive) as opened:
            content = {one.name: opened.extractfile(one) for one in opened if one.isfile()}
            return self._template("first", {name: file.read() for name, file in content.items() if file})

    def small_template(self, files: int) -> Path:
        """A template of one question and so many one-line files: as little as Copier can do."""
        texts = {f"template/file_{number}.txt.jinja": b"{{ name }}\n" for number in range(files)}
        question = b"_subdirectory: template\nname:\n  type: str\n  default: app\n"
        return self._template(f"files-{files}", {"copier.yml": question, **texts})

    def equal_template(self, count: int) -> Path:
        """A bare template of the same questions and files as an app with ``count`` packages: no macro, no hook.

        Its files are templates too, in which nothing is computed. The rest of the repository is the same,
        because Copier clones all of it.
        """
        app = self.rendered(Kind(count))
        rest = {
            name: content
            for name, content in self.files.items()
            if name != "copier.yml" and not name.startswith("template/files/")
        }
        # Where this template renders a file, so does the bare one; what it copies is copied.
        copied = {
            content
            for name, content in self.files.items()
            if name.startswith("template/files/") and not name.endswith(".jinja")
        }
        texts: dict[str, bytes] = {}
        for path in sorted(app.rglob("*")):
            if path.is_file() and path.name != ".copier-answers.yml":
                name, content = f"template/files/{path.relative_to(app).as_posix()}", path.read_bytes()
                if content in copied:
                    texts[name] = content
                else:
                    texts[f"{name}.jinja"] = b"{% raw %}" + content + b"{% endraw %}"
        texts["template/files/{{ _copier_conf.answers_file }}.jinja"] = (
            b"{{ _copier_answers | to_nice_yaml }}"
        )
        settings = {"_subdirectory": "template/files", **plain_questions()}
        questions = yaml.safe_dump(settings, sort_keys=False).encode()
        return self._template(f"equal-{count}", {**rest, "copier.yml": questions, **texts})

    def _template(self, name: str, files: Mapping[str, bytes]) -> Path:
        folder = self.folder / "templates" / name
        if folder.exists():
            return folder
        for path, content in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
        run(["git", "init", "--quiet"], folder, self.env)
        save(folder, self.env)
        run(["git", "tag", "v1.0.0"], folder, self.env)
        # As every template that was ever cloned or pushed is; loose objects would be copied one by one.
        run(["git", "gc", "--quiet"], folder, self.env)
        return folder

    def copy(self, template: Path, app: Path, *options: str | Path) -> list[str | Path]:
        """The command that makes an app."""
        command = [sys.executable, "-m", "copier", "copy", "--defaults", "--trust", "--quiet"]
        return [*command, *options, template, app]

    def update(self) -> list[str | Path]:
        """The command that updates the app in the current folder to the version that it has."""
        return [sys.executable, "-m", "copier", "update", "--defaults", "--trust", "--quiet"]

    def sync(self) -> list[str | Path]:
        """The hook as Copier runs it; it is compiled at every start, as in the fresh clone that Copier makes."""
        return [sys.executable, "-B", self.template / "hooks" / "sync.py", "--quiet"]

    def command(self, *words: str) -> list[str | Path]:
        """The app's own command, as a person types it in the app's folder; its byte code is kept."""
        return [runs.PYTHON, *runs.COMMAND, *words, "--quiet"]

    def refs(self, kind: Kind) -> list[tuple[str, str]]:
        """Names and refs of an app's packages; makes their repositories on first use.

        The tag and the commit are older than the tip of the branch; the commit has no name of its own. Where the kind
        of the refs is "history", there is one package, with 200 MB of it.
        """
        if kind.refs == HISTORY:
            return [(self._with_history(), "v2.0.0")]
        found = []
        for number in range(kind.count):
            name, sort = f"package-{number:03}", kind.refs[number % len(kind.refs)]
            repository = self.hosts.git.path_of(name)
            if not repository.exists():
                make_repository(repository.parent, name, sources(name, "1.0.0"), branches=("main",))
                commit(repository, sources(name, "2.0.0"), tag="v2.0.0")
                commit(repository, sources(name, "2.1.0"))
            oldest = run_git("-C", repository, "rev-parse", "main~2") if sort == "commit" else ""
            found.append((name, {"tag": "v2.0.0", "branch": "main", "commit": oldest}[sort]))
        return found

    def _with_history(self) -> str:
        """Make a package that has had a large file in each of its commits; return its name."""
        name = "package-history"
        repository = self.hosts.git.path_of(name)
        if not repository.exists():
            make_repository(repository.parent, name, sources(name, "1.0.0"))
            content = random.Random(name)
            pieces = []
            for number in range(_COMMITS):
                data = content.randbytes(_BYTES)
                before = b"from refs/heads/main^0\n" if number == 0 else b""
                pieces.append(
                    b"commit refs/heads/main\ncommitter Bench <bench@localhost.invalid> %d +0000\ndata 4\nMore\n"
                    b"%bM 100644 inline data/table.bin\ndata %d\n%b\n"
                    % (1_700_000_000 + number, before, _BYTES, data)
                )
            pieces.append(b"reset refs/tags/v2.0.0\nfrom refs/heads/main\n")
            fast_import = ["git", "-C", str(repository), "fast-import", "--quiet"]
            subprocess.run(fast_import, input=b"".join(pieces), check=True)
        return name

    def data_file(self, kind: Kind) -> Path:
        """The answers for an app."""
        lines = [self.hosts.git_line(name, ref) for name, ref in self.refs(kind)]
        answers = {
            "platform": kind.platform,
            "python_version": "3.11",
            "strategies": [kind.strategy],
            f"{kind.strategy}_packages": "\n".join(lines),
        }
        path = self.folder / f"answers-{kind.name}.yml"
        path.write_text(yaml.safe_dump(answers), encoding="utf-8")
        return path

    def rendered(self, kind: Kind) -> Path:
        """An app with its answers, rendered and not yet synced."""
        app = self.folder / f"rendered-{kind.name}"
        if not app.exists():
            options = ("--skip-tasks", "--data-file", self.data_file(kind))
            run(self.copy(self.template, app, *options), self.folder, self.env)
        return app

    def finished(self, kind: Kind) -> Path:
        """The same app with its packages in place, committed."""
        app = self.folder / f"finished-{kind.name}"
        if not app.exists():
            fresh(self.rendered(kind), app, self.env)
            run(self.sync(), app, self.env)
            save(app, self.env)
        return app

    def installed(self, kind: Kind) -> Path:
        """The same app with everything installed in an environment of its own."""
        app = self.folder / f"installed-{kind.name}"
        if not app.exists():
            shutil.copytree(self.finished(kind), app, symlinks=True)
            run(self.command("install"), app, self.env)
        return app

    def of_the_first(self, kind: Kind) -> Path | None:
        """An app with the same answers from the template's first version, in place and committed."""
        app = self.folder / f"first-{kind.name}"
        if self.first and not app.exists():
            run(self.copy(self.first, app, "--data-file", self.data_file(kind)), self.folder, self.env)
            save(app, self.env)
        return app if self.first else None

    def published(self, kind: Kind) -> str:
        """The address of the finished app on the Git host."""
        name = f"app-{kind.name}"
        target = self.hosts.git.path_of(name)
        if not target.exists():
            run(["git", "clone", "--quiet", "--bare", self.finished(kind), target], self.folder, self.env)
        return self.hosts.git.url_of(name)

    def adopted(self, count: int) -> Path:
        """The finished app, submodules and all, as an app of the bare template of equal size."""
        app = self.folder / f"adopted-{count}"
        if not app.exists():
            shutil.copytree(self.finished(Kind(count)), app, symlinks=True)
            answers = f"_commit: v1.0.0\n_src_path: {self.equal_template(count)}\n"
            (app / ".copier-answers.yml").write_text(answers, encoding="utf-8")
            save(app, self.env)
            run(self.update(), app, self.env)
            save(app, self.env)
        return app

    def one_by_one(self, kind: Kind) -> Path:
        """A script that does the hook's work with `git submodule add`, one package after the other."""
        lines = ["set -e"]
        for name, ref in self.refs(kind):
            path, url = f"app/submodules/{name}", self.hosts.git.url_of(name)
            lines.append(f"git submodule --quiet add {url} {path}")
            lines.append(f"git -C {path} checkout --quiet {ref}")
        script = self.folder / f"one-by-one-{kind.name}.sh"
        script.write_text("\n".join([*lines, "git add app/submodules", ""]), encoding="utf-8")
        return script

    def all_refs(self, kind: Kind, at_once: int) -> list[str | Path]:
        """The command that asks for the ref of each package with `git ls-remote`, so many at once; a request each."""
        urls = "".join(f"{self.hosts.git.url_of(name)}\n{ref}\n" for name, ref in self.refs(kind))
        asked = self.folder / f"refs-{kind.name}.txt"
        asked.write_text(urls, encoding="utf-8")
        question = f"xargs -P {at_once} -n 2 git -c protocol.version=0 ls-remote <{asked} >{os.devnull}"
        return ["sh", "-c", question]

    @property
    def login(self) -> dict[str, str]:
        """Variables that log plain Git in at the Git host."""
        return login(self.hosts.git, TOKEN_USER, self.hosts.variables["ACME_TOKEN"])


def sources(name: str, version: str) -> dict[str, str]:
    """The files of a package at a version: those of a sample package, under another name."""
    module = name.replace("-", "_")
    return {
        path.replace("acme_units", module): text.replace("acme_units", module).replace(_SOURCE, name)
        for path, text in source_files(_SOURCE, version).items()
    }


def plain_questions() -> dict[str, dict[str, Any]]:
    """The questions of this template by name, with their types and choices: nothing in them is rendered or refused."""
    data = yaml.safe_load((ROOT / "copier.yml").read_text(encoding="utf-8"))
    plain: dict[str, dict[str, Any]] = {}
    for name, one in data.items():
        if name.startswith("_"):
            continue
        question = {key: one[key] for key in ("type", "multiselect", "multiline") if key in one}
        question["default"] = "[]" if one["type"] == "json" or "multiselect" in one else ""
        if isinstance(one.get("choices"), str):
            # Computed choices: what a list of ticks needs, and the answer of a single choice as it is.
            question |= {"choices": ["nothing to choose"]} if "multiselect" in one else {}
        elif "choices" in one:
            listed = one["choices"]
            pairs = listed.items() if isinstance(listed, dict) else zip(listed, listed, strict=True)
            question["choices"] = {
                label: value["value"] if isinstance(value, dict) else value for label, value in pairs
            }
            if "multiselect" not in one:
                question["default"] = next(iter(question["choices"].values()))
        if one["type"] == "bool":
            question["default"] = False
        if one.get("when") is False:
            question["when"] = False
        plain[name] = question
    return plain


def fresh(source: Path, app: Path, env: Mapping[str, str]) -> None:
    """Make ``app`` a copy of ``source`` in a new repository."""
    remove(app)
    shutil.copytree(source, app)
    run(["git", "init", "--quiet"], app, env)


def empty(app: Path, env: Mapping[str, str]) -> None:
    """Make ``app`` a new repository without a file."""
    remove(app)
    app.mkdir(parents=True)
    run(["git", "init", "--quiet"], app, env)


def remove(folder: Path) -> None:
    """Remove a folder if it is there."""
    if folder.exists():
        shutil.rmtree(folder)


def save(folder: Path, env: Mapping[str, str]) -> None:
    """Commit everything."""
    run(["git", "add", "--all"], folder, env)
    run(["git", "commit", "--quiet", "--allow-empty", "-m", "Work"], folder, env)
