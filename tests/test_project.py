"""The repository itself: lint, format, types, spelling, pins, and documents that are true."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from apps import ROOT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from private_packages import manifest

PACKAGE = "template/files/private_packages"
# TC001: a module that is there for its types alone is not loaded.
RULES = "B,C4,E,F,I,N,PIE,PTH,RET,RUF,SIM,TC001,UP,W"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


@pytest.mark.parametrize(
    "command",
    [
        "ruff check .",
        "ruff format --check .",
        # The app's own command, in the form that an app without settings of its own wants.
        f"ruff check --isolated --select {RULES} --ignore E501,N818,RUF001,RUF002,RUF003 {PACKAGE}",
        f"ruff format --isolated --check {PACKAGE}",
        "mypy",
        # What a system lacks is an error of types there: os.killpg on Windows.
        "mypy --platform win32",
        "mypy --platform darwin",
        # Spelling of everything: documents, messages, comments.
        "codespell_lib .",
    ],
)
def test_the_code_is_clean(command: str):
    done = subprocess.run(
        [sys.executable, "-m", *command.split()], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_manifest_of_the_command_is_that_of_its_files():
    """`python -m private_packages.manifest`, in template/files, writes it."""
    written = (ROOT / PACKAGE / manifest.FILE).read_text(encoding="utf-8")
    assert written.splitlines() == list(manifest.lines(ROOT / PACKAGE))


def test_ci_runs_the_command_that_readme_tells_a_newcomer():
    """`.ci/run` reads it from README.md; so does this, by the same mark."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"<!-- tests -->\n+```sh\n(.*)\n```", readme) == [
        "python3 -m pip install uv && python3 -m uv run pytest"
    ]
    assert "README.md" in (ROOT / ".ci" / "run").read_text()
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_every_installed_package_is_pinned_to_its_version():
    """uv.lock is ignored, so the pins of pyproject.toml are what makes two runs alike."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["uv"]
    pins = {
        canonicalize_name(Requirement(pin).name): str(Requirement(pin).specifier)
        for pin in settings["constraint-dependencies"]
    }
    installed = {canonicalize_name(one.metadata["Name"]): one.version for one in metadata.distributions()}
    del installed["copier-private-packages"]
    assert {name: f"=={version}" for name, version in installed.items()}.items() <= pins.items()


def test_no_tracked_file_names_a_public_package_registry():
    """Addresses of registries differ between companies, and uv.lock would record them."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    found = []
    for name in filter(None, listed.split("\0")):
        text = (ROOT / name).read_text(encoding="utf-8") if (ROOT / name).is_file() else ""
        if re.search(r"https?://[^\s/]*(?:pypi|pythonhosted|npmjs)[^\s/]*\.(?:org|com)", text):
            found.append(name)
    assert not found


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_relative_link_leads_somewhere(document: Path):
    text = document.read_text(encoding="utf-8")
    targets = re.findall(r"\]\((?!https?://|#)([^)#\s]+)(?:#([^)\s]+))?\)", text)
    for target, anchor in targets:
        path = document.parent / target
        assert path.exists(), f"{document.name} links to {target}"
        if anchor:
            headings = re.findall(r"(?m)^#+ (.+)$", path.read_text(encoding="utf-8"))
            slugs = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]
            assert anchor in slugs, f"{document.name} links to {target}#{anchor}"


def test_the_oldest_copier_is_the_same_everywhere():
    oldest = yaml.safe_load((ROOT / "copier.yml").read_text(encoding="utf-8"))["_min_copier_version"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = next(line for line in project["dependencies"] if Requirement(line).name == "copier")
    assert f">={oldest.removesuffix('.0')}," in needed
    assert oldest.removesuffix(".0") in (ROOT / "README.md").read_text(encoding="utf-8")
