"""Settings of Git that companies and people have in their global configuration change nothing that the command makes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import debian
import pytest
from apps import render
from private_packages.config import SUBMODULES

from demo.git_host import GitHost
from demo.samples import commit, make_repository

TOKEN = "SENTINEL-git-token-4711"
NAME = "acme-beams"
COMMAND = (sys.executable, "-m", "private_packages")
PERSON = "[user]\n\tname = Test\n\temail = test@localhost.invalid\n"
# {folder} has hooks, each of which fails and leaves a file; a template for new repositories with the same; no program.
SETTINGS = {
    "line endings": "[core]\n\tautocrlf = true\n",
    "hooks for all": "[core]\n\thooksPath = {folder}/hooks\n",
    "a template for repositories": "[init]\n\ttemplateDir = {folder}/template\n",
    "every object is checked": "[fetch]\n\tfsckObjects = true\n[transfer]\n\tfsckObjects = true\n[receive]\n\tfsckObjects = true\n",
    "submodules come along": "[submodule]\n\trecurse = true\n\tpropagateBranches = true\n[fetch]\n\trecurseSubmodules = true\n"
    "[push]\n\trecurseSubmodules = check\n",
    "submodules are partial": "[clone]\n\tfilterSubmodules = true\n\trejectShallow = true\n",
    "commits and tags are signed": "[commit]\n\tgpgSign = true\n[tag]\n\tgpgSign = true\n\tforceSignAnnotated = true\n"
    "[gpg]\n\tprogram = {folder}/nothing\n",
    "remotes have another name": "[clone]\n\tdefaultRemoteName = company\n[checkout]\n\tdefaultRemote = company\n",
    "bare repositories are named": "[safe]\n\tbareRepository = explicit\n",
    "protocol 0": "[protocol]\n\tversion = 0\n",
    "protocol 2": "[protocol]\n\tversion = 2\n",
    "words and columns": "[color]\n\tui = always\n[column]\n\tui = always\n[core]\n\tquotePath = false\n\tpager = false\n"
    "[status]\n\tshort = true\n\tbranch = true\n\tshowUntrackedFiles = no\n\trelativePaths = false\n"
    "[log]\n\tdecorate = full\n\tshowSignature = true\n[advice]\n\tdetachedHead = true\n",
    "differences": "[diff]\n\tignoreSubmodules = all\n\tnoprefix = true\n\texternal = {folder}/nothing\n\tsubmodule = log\n",
    "branches": "[init]\n\tdefaultBranch = trunk\n[branch]\n\tautoSetupMerge = always\n\tautoSetupRebase = always\n"
    "[pull]\n\trebase = true\n[fetch]\n\tprune = true\n\tpruneTags = true\n",
}


@pytest.fixture(scope="module")
def host(isolated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitHost]:
    """A package with the tags v1 and v2, and a submodule of its own on the same host."""
    root = tmp_path_factory.mktemp("git")
    (root / "acme").mkdir()
    with GitHost(root, TOKEN) as running:
        small = make_repository(root / "acme", "small", {"small.py": "X = 1\n"})
        files = {
            "pyproject.toml": f'[project]\nname = "{NAME}"\nversion = "1.0"\n',
            "acme_beams/__init__.py": "X = 1\n",
            ".gitmodules": f'[submodule "small"]\n\tpath = small\n\turl = {running.url_of("small")}\n',
        }
        beams = make_repository(root / "acme", NAME, files)
        head = git(small, "rev-parse", "HEAD")
        nested = (
            "commit refs/heads/main\ncommitter T <t@localhost.invalid> 1900000000 +0000\ndata 1\nx\n"
            f"from refs/heads/main^0\nM 160000 {head} small\n"
        )
        subprocess.run(["git", "fast-import", "--quiet"], cwd=beams, input=nested, text=True, check=True)
        git(beams, "tag", "v1", "main")
        commit(beams, {"acme_beams/__init__.py": "X = 2\n"}, tag="v2")
        yield running


@pytest.fixture(scope="module")
def app(host: GitHost, questionnaire: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What Copier renders, before its hook; the hook lies beside it."""
    folder = tmp_path_factory.mktemp("rendered")
    address = host.url_of(NAME).replace("://", "://x-access-token:${ACME_TOKEN}@")
    return render(
        questionnaire,
        folder / "app",
        strategies=["submodule"],
        submodule_packages=f"{NAME} @ git+{address}@v1",
    )


def git(folder: Path, *arguments: str) -> str:
    """Run Git without anybody's settings."""
    env = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    person = ("-c", "user.name=T", "-c", "user.email=t@localhost.invalid", "-c", "core.hooksPath=/dev/null")
    done = subprocess.run(
        ["git", *person, *arguments], cwd=folder, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@dataclass(frozen=True)
class Made:
    """What stands in an app: nothing of it may depend on a setting."""

    lock: str
    gitmodules: str
    staged: str
    status: str
    inside: str
    commits: tuple[str, str]
    branches: str
    remotes: str


def made(app: Path) -> Made:
    folder = app / SUBMODULES / NAME
    return Made(
        lock=(app / "private-packages.lock").read_text(),
        gitmodules=(app / ".gitmodules").read_text(),
        staged=git(app, "ls-files", "--stage", SUBMODULES, ".gitmodules"),
        status=git(app, "-c", "core.autocrlf=input", "status", "--porcelain", "--", SUBMODULES),
        inside=git(folder, "-c", "core.autocrlf=input", "status", "--porcelain", "--ignore-submodules=none"),
        commits=(git(folder, "rev-parse", "HEAD"), git(folder / "small", "rev-parse", "HEAD")),
        branches=git(folder, "for-each-ref", "refs/heads"),
        remotes=git(folder, "remote"),
    )


def copied_synced_and_moved(app: Path, template: Path, scratch: Path, setting: str) -> list[Made]:
    """What stands after the hook of a copy, after `sync` in a colleague's clone, and after `move` there."""
    for folder in (scratch / "hooks", scratch / "template" / "hooks"):
        folder.mkdir(parents=True)
        for name in (
            "post-checkout",
            "post-merge",
            "pre-commit",
            "reference-transaction",
            "post-index-change",
        ):
            (folder / name).write_text(f"#!/bin/sh\necho {name} >> '{scratch}/ran'\nexit 1\n")
            (folder / name).chmod(0o755)
    (scratch / "gitconfig").write_text(PERSON + setting.format(folder=scratch.as_posix()))
    env = {
        **os.environ,
        "GIT_CONFIG_GLOBAL": str(scratch / "gitconfig"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "ACME_TOKEN": TOKEN,
    }

    def run(folder: Path, *command: str) -> Made:
        done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
        assert not (scratch / "ran").exists(), (scratch / "ran").read_text()
        return made(folder)

    first = Path(shutil.copytree(app, scratch / "app"))
    results = [run(first, sys.executable, str(template / "hooks" / "sync.py"))]
    git(first, "add", "--all")
    git(first, "commit", "--quiet", "--message", "Copied")
    git(scratch, "clone", "--quiet", str(first), "clone")
    results.append(run(scratch / "clone", *COMMAND, "sync"))
    results.append(run(scratch / "clone", *COMMAND, "move", NAME, "v2"))
    return results


@pytest.fixture(scope="module")
def usual(app: Path, questionnaire: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Made]:
    """What stands after each step where nobody has set anything."""
    return copied_synced_and_moved(app, questionnaire, tmp_path_factory.mktemp("usual"), "")


def test_without_settings_everything_is_made(host: GitHost, usual: list[Made]):
    """So that the comparison below is one with a whole app."""
    v1, v2 = (git(host.path_of(NAME), "rev-parse", f"{tag}^{{commit}}") for tag in ("v1", "v2"))
    small = git(host.path_of("small"), "rev-parse", "HEAD")
    assert [one.commits for one in usual] == [(v1, small), (v1, small), (v2, small)]
    assert {one.inside for one in usual} == {""}
    assert {one.remotes for one in usual} == {"origin"}
    assert {one.branches for one in usual} == {""}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_of_a_person_or_a_company_changes_nothing(
    app: Path, questionnaire: Path, usual: list[Made], tmp_path: Path, name: str
):
    results = copied_synced_and_moved(app, questionnaire, tmp_path, SETTINGS[name])
    for step, one, other in zip(("copy", "sync", "move"), results, usual, strict=True):
        assert asdict(one) == asdict(other), step


@pytest.mark.skipif(
    bool(debian.reason_without("git")),
    reason=f"{debian.reason_without('git')}; tests/test_faults.py has a stand-in",
)
def test_with_git_2_30_itself_a_public_package_comes_and_a_login_is_told_as_what_that_git_does_not_know(
    host: GitHost, app: Path, questionnaire: Path, tmp_path: Path
):
    folder = Path(shutil.copytree(app, tmp_path / "app"))
    old = debian.old_git()
    env = {**os.environ, **old, "PATH": f"{old['PATH']}{os.pathsep}{os.environ['PATH']}", "ACME_TOKEN": TOKEN}
    hook = (sys.executable, str(questionnaire / "hooks" / "sync.py"))

    def sync(*command: str) -> str:
        done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
        assert "Traceback" not in done.stderr, done.stderr
        return done.stderr

    said = sync(*hook)
    assert f"{NAME}: Git 2.30.2 of this machine cannot be given a login; install Git 2.31 or newer" in said
    assert not (folder / SUBMODULES / NAME / "pyproject.toml").exists()
    host.tokens = {NAME: None, "small": None}
    try:
        said = sync(*COMMAND, "sync")
    finally:
        host.tokens = {}
    assert "cannot be given" not in said
    v1 = git(host.path_of(NAME), "rev-parse", "v1^{commit}")
    assert git(folder / SUBMODULES / NAME, "rev-parse", "HEAD") == v1
    assert (folder / SUBMODULES / NAME / "small" / "small.py").exists()
