"""A release: version, tag, changelog and notes are one fact, and an app of the release before is updated to it."""

from __future__ import annotations

import datetime
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from apps import ROOT, release, snapshot, write_manifest

from demo.git import run_git
from demo.hosts import DemoHosts
from demo.release import NotOne, notes, prepare, sections, version_of
from demo.runs import StepFailed
from demo.update import tag_before, update

WORKFLOW = ROOT / ".github" / "workflows" / "release.yml"
DAY = datetime.date(2026, 1, 31)
CHANGELOG = """\
# Changelog

## Unreleased

### Added

- Beams bend.

## 1.9.0 - 2026-01-02

- Loads load.
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project that has one release, and changes since."""
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "p"\nversion = "1.9.0"\n')
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    return tmp_path


# This repository


def test_version_changelog_and_tags_of_this_repository_are_one_fact():
    version = version_of((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    released = sections((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))
    assert version == next(iter(released), "0.1.0"), "the first release is 0.1.0"
    for tag in run_git("-C", ROOT, "tag", "--list", "v*", "--merged", "HEAD").split():
        assert tag[1:] in released, f"CHANGELOG.md has no section for the tag {tag}"
    for tag in run_git("-C", ROOT, "tag", "--list", "v*", "--points-at", "HEAD").split():
        assert notes(ROOT, tag)


@pytest.mark.skipif(sys.platform == "win32", reason="the lines are for bash")
def test_contributing_makes_a_release_in_five_lines(tmp_path: Path):
    """They are typed here, in a clone that has something to release; the push goes to a folder."""
    text = (
        (ROOT / "CONTRIBUTING.md")
        .read_text(encoding="utf-8")
        .partition("\n## Release\n")[2]
        .partition("\n## ")[0]
    )
    (block,) = re.findall(r"(?ms)^```sh\n(.*?)^```", text)
    assert len(block.splitlines()) <= 5
    repository = snapshot(tmp_path / "repository", "before")
    run_git("-C", repository, "tag", "--delete", "before")
    run_git("init", "--quiet", "--bare", tmp_path / "origin.git")
    run_git("-C", repository, "remote", "add", "origin", tmp_path / "origin.git")
    # What is left of the line runs in this project's environment, which the clone need not make again.
    script = block.replace("python3 -m uv run python", f"'{sys.executable}'").replace("0.2.0", "7.0.0")
    done = subprocess.run(
        ["bash", "-euc", script],
        cwd=repository,
        env={**os.environ, "PYTHONPATH": str(repository)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert run_git("-C", tmp_path / "origin.git", "tag").split() == ["v7.0.0"]
    run_git("-C", repository, "checkout", "--quiet", "v7.0.0")
    assert "- The questionnaire" in notes(repository, "v7.0.0")


# One fact


def test_preparing_writes_the_version_and_moves_what_is_unreleased_under_it(project: Path):
    prepare(project, "1.10.0", DAY)
    assert version_of((project / "pyproject.toml").read_text()) == "1.10.0"
    assert (project / "CHANGELOG.md").read_text() == CHANGELOG.replace(
        "## Unreleased\n", "## Unreleased\n\n## 1.10.0 - 2026-01-31\n"
    )
    assert notes(project, "v1.10.0") == "### Added\n\n- Beams bend."


@pytest.mark.parametrize(
    ("version", "sentence"),
    [
        ("1.9.0", "1.9.0 is not newer than 1.9.0."),
        ("1.8.7", "1.8.7 is not newer than 1.9.0."),
        ("v1.10.0", "'v1.10.0' is not a version of the form 1.2.3."),
        ("1.10", "'1.10' is not a version of the form 1.2.3."),
        ("1.10.0rc1", "'1.10.0rc1' is not a version of the form 1.2.3."),
    ],
)
def test_a_version_that_no_release_can_have_is_refused_and_nothing_is_written(
    project: Path, version: str, sentence: str
):
    with pytest.raises(NotOne, match=f"^{re.escape(sentence)}$"):
        prepare(project, version, DAY)
    assert (project / "CHANGELOG.md").read_text() == CHANGELOG
    assert version_of((project / "pyproject.toml").read_text()) == "1.9.0"


def test_a_release_without_changes_is_refused(project: Path):
    (project / "CHANGELOG.md").write_text(CHANGELOG.replace("### Added\n\n- Beams bend.\n\n", ""))
    with pytest.raises(NotOne, match="nothing under Unreleased"):
        prepare(project, "1.10.0", DAY)


@pytest.mark.parametrize(
    ("file", "old", "new", "sentence"),
    [
        ("pyproject.toml", "1.10.0", "1.10.1", "The tag is v1.10.0, and pyproject.toml has the version 1.10.1."),
        ("CHANGELOG.md", "## 1.10.0 - 2026-01-31\n", "", "The newest release in CHANGELOG.md is not 1.10.0."),
        ("CHANGELOG.md", "### Added\n\n- Beams bend.\n", "", "CHANGELOG.md says nothing of 1.10.0."),
        ("CHANGELOG.md", "## Unreleased\n", "## Unreleased\n\n### Added\n\n- More.\n", "CHANGELOG.md has changes under Unreleased, above 1.10.0."),
        ("CHANGELOG.md", "## 1.9.0 -", "## 1.11.0 -", "In CHANGELOG.md the versions do not stand with the newest first."),
        ("CHANGELOG.md", " - 2026-01-31", "", "In CHANGELOG.md the heading `## 1.10.0` is not of the form `## 1.2.3 - 2026-01-31`."),
    ],
)  # fmt: skip
def test_where_the_facts_differ_there_are_no_notes(
    project: Path, file: str, old: str, new: str, sentence: str
):
    prepare(project, "1.10.0", DAY)
    text = (project / file).read_text()
    assert old in text
    (project / file).write_text(text.replace(old, new))
    with pytest.raises(NotOne) as refused:
        notes(project, "v1.10.0")
    assert str(refused.value) == sentence


def test_the_command_says_a_refusal_in_one_sentence():
    done = subprocess.run(
        [sys.executable, "-m", "demo.release", "--notes", "v99.0.0"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert re.fullmatch(r"The tag is v99\.0\.0, and pyproject\.toml has the version [\d.]+\.\n", done.stderr)
    assert done.stdout == ""


# The workflow


def test_the_job_that_may_write_runs_nothing_that_was_downloaded_and_waits_for_the_others():
    workflow = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))
    assert workflow["permissions"] == {}
    publish = workflow["jobs"]["publish"]
    assert set(publish["needs"]) == set(workflow["jobs"]) - {"publish"} == {"test", "update"}
    for name in publish["needs"]:
        assert workflow["jobs"][name]["permissions"] == {"contents": "read"}
    script = "\n".join(step.get("run", "") for step in publish["steps"])
    assert not re.search(r"\bpip\b|\buv\b|npm|curl", script)
    # With a bare Python, as on a runner.
    bare = subprocess.run(
        [sys.executable, "-I", "-S", "-c", "import sys; sys.path.insert(0, '.'); import demo.release"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert bare.returncode == 0, bare.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="a runner of the workflow has bash")
def test_the_steps_that_publish_write_notes_and_archive_of_the_tag(tmp_path: Path):
    """`gh` and the attestation need GitHub; a program that writes down its call stands in for the first."""
    repository = snapshot(tmp_path / "repository", "before")
    prepare(repository, "7.0.0", DAY)
    release(repository, "v7.0.0")
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "python3").symlink_to(sys.executable)
    (programs / "gh").write_text('#!/bin/sh\nprintf "%s\\n" "$@" > called\n')
    (programs / "gh").chmod(0o755)
    steps = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"]["publish"]["steps"]
    for step in steps:
        if "run" in step:
            done = subprocess.run(
                ["bash", "-e", "-c", step["run"]],
                cwd=repository,
                env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "GITHUB_REF_NAME": "v7.0.0"},
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
    archive = "copier-private-packages-7.0.0.tar.gz"
    assert (repository / "called").read_text().split() == [
        *("release", "create", "v7.0.0", archive, "--verify-tag"),
        *("--title", "v7.0.0", "--notes-file", "notes.md"),
    ]
    assert "- The questionnaire" in (repository / "notes.md").read_text(encoding="utf-8")
    listed = subprocess.run(
        ["tar", "tzf", archive], cwd=repository, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert "copier-private-packages-7.0.0/copier.yml" in listed
    assert not [name for name in listed if "/.git/" in name]


# An app of the release before


@pytest.fixture
def releases(tmp_path: Path) -> Path:
    """The template in two releases; the second one brings a file."""
    repository = snapshot(tmp_path / "template", "v1.9.0")
    (repository / "template" / "files" / "{# rendered #}.{##}" / "NEWS.md").write_text("News.\n")
    write_manifest(repository)
    release(repository, "v1.10.0")
    return repository


def test_the_release_before_is_the_newest_one_among_the_ancestors(releases: Path):
    assert tag_before(releases, "v1.10.0") == "v1.9.0"
    assert tag_before(releases, "v1.9.0") == ""
    run_git("-C", releases, "tag", "v1.9.5-not-a-release", "v1.9.0")
    assert tag_before(releases, "v1.10.0") == "v1.9.0"
    release(releases, "v1.11.0")
    assert tag_before(releases, "v1.11.0") == "v1.10.0"
    assert tag_before(releases, "v1.10.0") == "v1.9.0"


@pytest.mark.slow
def test_an_app_of_the_release_before_is_updated_installed_run_and_tested(
    releases: Path, hosts: DemoHosts, tmp_path: Path
):
    said = update(releases, tmp_path / "app", "v1.9.0", "v1.10.0", hosts)
    assert "acme-units: 2.1.0" in said
    before = run_git("-C", tmp_path / "app", "show", "HEAD:.copier-answers.yml")
    after = (tmp_path / "app" / ".copier-answers.yml").read_text(encoding="utf-8")
    assert [yaml.safe_load(text)["_commit"] for text in (before, after)] == ["v1.9.0", "v1.10.0"]
    assert (tmp_path / "app" / "NEWS.md").is_file()


@pytest.mark.slow
def test_an_update_with_conflicts_is_no_success(releases: Path, hosts: DemoHosts, tmp_path: Path):
    """The app is made in the folder of an older one, whose file the update has to change."""
    project = releases / "template" / "files" / "{# rendered #}.{##}" / "NEWS.md"
    project.write_text("Other news.\n")
    release(releases, "v1.11.0")
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "NEWS.md").write_text("Our news.\n")
    with pytest.raises(StepFailed, match=r"the update from v1\.9\.0 to v1\.11\.0 has conflicts in NEWS\.md"):
        update(releases, tmp_path / "app", "v1.9.0", "v1.11.0", hosts)
