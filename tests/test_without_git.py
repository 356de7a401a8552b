"""An app whose files came without Git, as into an image: what is proved of its submodules, and how they are built."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from private_packages.app import open_app
from private_packages.lock import Lock, LockedCommit
from private_packages.output import Output
from private_packages.submodules.copied import versions
from world import World, new_world

from demo.samples import commit


@pytest.fixture(scope="module")
def module_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with new_world(tmp_path_factory.mktemp("copied")) as world:
        yield world


@pytest.fixture
def copied(module_world: World) -> World:
    """The files of an app with a submodule, as a Dockerfile copies them: without any repository."""
    world = module_world
    world.reset()
    repository = world.repository("acme-beams")
    commit(repository, {".gitignore": "*.local\n", "data/text.txt": "one\ntwo\n"}, tag="v1")
    world.want(world.submodule("acme-beams"))
    folder = world.scratch / "copied"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(world.app, folder, ignore=shutil.ignore_patterns(".git", ".venv"))
    copied = replace(world, app=folder)
    copied.make_environment()
    return copied


def beams(world: World) -> Path:
    return world.app / "app" / "submodules" / "acme-beams"


def test_submodules_without_git_are_compared_with_the_commit_and_installed(copied: World):
    said = copied.installs("--locked")
    assert "acme-beams" not in said
    assert copied.origin("acme-beams") == "private"
    done = copied.command("status")
    assert done.returncode == 0 and re.search(r"v1 \(.{10}\), a copy without Git  ok", done.stdout)


def test_a_file_that_is_not_of_the_commit_stops_before_it_is_built(copied: World):
    for path, text in (
        ("acme_beams.py", "ORIGIN = 'a stranger'\n"),
        ("acme_more.py", "import os\n"),
        ("backend.py", "raise SystemExit('built')\n"),
        ("pyproject.toml", "[project]\nname = 'acme-beams'\nversion = '6'\n"),
        (".gitignore", "*\n"),
    ):
        changed = beams(copied) / path
        before = changed.read_text() if changed.exists() else None
        changed.write_text(text)
        said = copied.stops("install", "--locked")
        assert f"STOP acme-beams: app/submodules/acme-beams/{path} is not as in v1 (" in said
        if before is None:
            changed.unlink()
        else:
            changed.write_text(before)
    assert "is not as in v1" not in copied.installs("--locked")


def test_line_ends_of_windows_modes_and_files_that_were_left_out_do_not_stop(copied: World):
    text = beams(copied) / "data" / "text.txt"
    text.write_bytes(text.read_bytes().replace(b"\n", b"\r\n"))
    text.chmod(0o755)
    (beams(copied) / ".gitignore").unlink()
    copied.installs("--locked")


def test_a_file_that_the_package_ignores_does_not_stop(copied: World):
    (beams(copied) / "settings.local").write_text("mine\n")
    copied.installs("--locked")


def test_where_the_host_cannot_be_asked_nothing_is_installed(copied: World):
    said = copied.outside(ACME_USER="builder", ACME_PASSWORD="x", ACME_TOKEN="expired").stops(
        "install", "--locked"
    )
    assert "nobody can say whether its files are those of" in said
    assert "refused the login in ACME_TOKEN" in said


def test_an_empty_folder_without_a_repository_stops(copied: World):
    shutil.rmtree(beams(copied))
    assert "acme-beams: the app is in no Git repository" in copied.stops("install", "--locked")


def test_a_submodule_of_a_submodule_stops_because_nobody_can_vouch_for_it(
    module_world: World, copied: World, git
):
    world = module_world
    outer = world.scratch / "outer"
    shutil.rmtree(outer, ignore_errors=True)
    git(world.scratch, "clone", "--quiet", str(world.git.root / "acme" / "acme-beams.git"), str(outer))
    git(outer, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},inner")
    git(outer, "commit", "--quiet", "-m", "inner")
    git(outer, "push", "--quiet", "origin", "HEAD:refs/heads/inner")
    newest = git(outer, "rev-parse", "HEAD")
    lock = copied.app / "private-packages.lock"
    lock.write_text(re.sub(r'commit = "\w+"', f'commit = "{newest}"', copied.lock))
    (beams(copied) / "inner").mkdir()
    (beams(copied) / "inner" / "code.py").write_text("import os\n")
    assert "app/submodules/acme-beams/inner is a submodule of its own" in copied.stops("install", "--locked")


def test_a_version_from_tags_is_that_of_the_lock(copied: World):
    """Of what setuptools-scm and hatch-vcs take for a version where there is no history."""
    app = open_app(copied.app, {}, Output(sys.stderr, {}, quiet=True))
    told = {}
    for ref in ("v1.2.3", "acme-beams-2.0rc1", "release/v3.1", "main", "v1"):
        lock = Lock()
        lock.put(LockedCommit("acme-beams", "submodule", "", ref, "4711" * 10))
        told[ref] = versions(app, lock)
    assert {ref: found["acme-beams"] for ref, found in told.items()} == {
        "v1.2.3": "1.2.3",
        "acme-beams-2.0rc1": "2.0rc1",
        "release/v3.1": "3.1",
        "main": "0+g4711471147",
        "v1": "v1",
    }
