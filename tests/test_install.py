"""`install` is the one line after a clone, after a pull and in CI; what is wrong stops it before anything is installed."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
import uv
from private_packages.environment import python_of
from wheels import wheel
from world import World, source

from demo import runs
from demo.samples import commit

INSTALL = "python -m private_packages install"
SYNC = "python -m private_packages sync"
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="programs of POSIX shells")


@pytest.fixture
def here(shared: World) -> World:
    """The shared world as it was; the app wants nothing."""
    shared.reset()
    return shared


@pytest.fixture
def mixed(here: World) -> World:
    """The app wants a package of each kind, and has committed that."""
    for name in ("acme-beams", "acme-loads"):
        here.repository(name)
    here.want(
        here.index(),
        here.from_index("acme-units==2.1.0"),
        here.submodule("acme-beams"),
        here.from_git("acme-loads"),
    )
    here.commit()
    return here


def version(world: World, name: str) -> str:
    """The version of the code that the app imports, and that of its installation where they differ."""
    module = name.replace("-", "_")
    code = f"import {module}; print(getattr({module}, 'VERSION', ''))"
    imported = world.run(world.python, "-c", code).stdout.strip()
    code = f"from importlib.metadata import version; print(version('{name}'))"
    installed = world.run(world.python, "-c", code).stdout.strip()
    return installed if imported in ("", installed) else f"{imported}, installed as {installed}"


def files(world: World) -> dict[str, bytes]:
    """Everything in the app but Git's own and the environment."""
    left_out = {".git", ".venv", "__pycache__"}
    return {
        path.relative_to(world.app).as_posix(): path.read_bytes()
        for path in world.app.rglob("*")
        if path.is_file() and not left_out & set(path.parts)
    }


def wanted(world: World, old: str, new: str) -> None:
    """Change what is wanted, without a sync."""
    toml = world.app / "private-packages.toml"
    assert old in toml.read_text()
    toml.write_text(toml.read_text().replace(old, new))


# --- a clone, a pull ---


@pytest.mark.parametrize("folder", ["clone", "my clone (1) ü"])
def test_a_fresh_clone_needs_one_line_whatever_its_folder_is_called(mixed: World, folder: str):
    """Without an environment, without submodules; a second one changes nothing."""
    clone = mixed.clone(folder)
    said = clone.installs()
    assert "made the virtual environment .venv" in said
    assert "acme-beams: fetched at v1" in said
    assert "installed 3 packages, 3 of them private" in said
    assert {clone.origin(name) for name in ("acme-beams", "acme-loads", "acme-units")} == {"private"}
    assert clone.command().returncode == 0
    before = files(clone), sorted(clone.environment_files())
    clone.installs("--locked")
    assert (files(clone), sorted(clone.environment_files())) == before
    assert mixed.run("git", "status", "--porcelain").stdout == ""


def test_after_a_pull_everything_is_where_the_colleague_moved_it(mixed: World):
    """Whether `git pull` took the submodules along or not."""
    clone = mixed.clone()
    clone.installs()
    for name in ("acme-beams", "acme-loads"):
        commit(mixed.git.path_of(name), source(name, "2.0", "private"), tag="v2")
    wheel(mixed.private.folder, "acme-units", "2.2.0", "private")
    for old, new in (("@v1", "@v2"), ('"v1"', '"v2"'), ("==2.1.0", "==2.2.0")):
        wanted(mixed, old, new)
    assert mixed.command("sync").returncode == 0
    mixed.commit()
    assert clone.command("exec", "git", "pull", "--quiet").returncode == 0
    assert clone.command().returncode == 1
    clone.installs("--locked")
    versions = {name: version(clone, name) for name in ("acme-beams", "acme-loads", "acme-units")}
    assert versions == {"acme-beams": "2.0", "acme-loads": "2.0", "acme-units": "2.2.0"}


def test_a_moved_submodule_is_installed_anew_although_its_pyproject_stays(here: World):
    """Its version and scripts are of the installation; here the version stands in another file."""
    dynamic = source("acme-beams", "1.0", "private")
    dynamic["pyproject.toml"] = dynamic["pyproject.toml"].replace('version = "1.0"', 'dynamic = ["version"]')
    path = here.repository("acme-beams")
    commit(path, {**dynamic, "acme_beams.py": "ORIGIN = 'private'\n", "version.txt": "1.0"}, tag="v1")
    here.want(here.submodule("acme-beams"))
    here.installs()
    assert version(here, "acme-beams") == "1.0"
    commit(path, {"version.txt": "2.0"}, tag="v2")
    here.want(here.submodule("acme-beams", "v2"))
    here.installs()
    assert version(here, "acme-beams") == "2.0"


# --- a package that moves to another strategy ---


def test_a_package_may_move_from_one_strategy_to_any_other_at_the_same_version(here: World):
    """Installers see the version that is wanted, and leave what is there."""
    here.repository("acme-beams", version="1.0")
    wheel(here.private.folder, "acme-beams", "1.0", "index")
    tables = {
        "private": here.submodule("acme-beams"),
        "index": here.from_index("acme-beams==1.0"),
        "git": here.from_git("acme-beams"),
    }
    for kind in ("private", "index", "git", "private", "git", "index", "private"):
        here.want(here.index(), tables[kind])
        here.installs()
        assert here.origin("acme-beams") == ("index" if kind == "index" else "private")
        done = here.run(here.python, "-c", "import acme_beams; print(acme_beams.__file__)")
        assert ("submodules" in done.stdout) == (kind == "private")


def test_what_a_dropped_submodule_left_is_uninstalled(mixed: World):
    mixed.installs()
    mixed.want(mixed.index(), mixed.from_index("acme-units==2.1.0"), mixed.from_git("acme-loads"))
    mixed.installs()
    assert mixed.origin("acme-beams") == "nothing"
    assert not [name for name in mixed.environment_files() if "acme_beams" in name or "acme-beams" in name]


def test_what_the_user_installed_beside_stays(mixed: World):
    mixed.put(wheel(mixed.scratch / "own", "own-tool", "1.0", "own"))
    mixed.installs()
    assert mixed.origin("own-tool") == "own"


# --- packages as they are ---


@pytest.mark.parametrize("layout", ["flat", "src"])
def test_a_repository_that_nobody_can_install_is_importable_as_long_as_it_is_wanted(here: World, layout: str):
    path = here.repository("acme-beams")
    module = "src/acme_beams.py" if layout == "src" else "acme_beams.py"
    gone = dict.fromkeys(["pyproject.toml", "backend.py", "acme_beams.py"])
    commit(path, {**gone, module: "ORIGIN = 'private'\n"}, tag="v1")
    here.want(here.submodule("acme-beams"))
    assert "# acme-beams: no installer can install it" in here.requirements.read_text()
    here.installs()
    assert here.origin("acme-beams") == "private"
    here.want()
    here.installs()
    assert here.origin("acme-beams") == "nothing"


def test_a_package_in_a_subdirectory_is_installed_from_there(here: World):
    path = here.repository("acme-mono")
    inner = {f"packages/beams/{name}": text for name, text in source("acme-mono", "3.0", "private").items()}
    commit(path, {**dict.fromkeys(source("acme-mono", "1.0", "")), **inner}, tag="v1")
    here.want(here.submodule("acme-mono", subdirectory="packages/beams"))
    here.installs()
    assert version(here, "acme-mono") == "3.0"


def test_a_package_that_cannot_be_built_leaves_the_environment_as_it_was(mixed: World):
    mixed.installs()
    wheel(mixed.private.folder, "acme-units", "2.2.0", "private")
    broken = "raise SystemExit('no compiler')\n"
    commit(mixed.git.path_of("acme-loads"), {"backend.py": broken}, tag="v2")
    for old, new in (("==2.1.0", "==2.2.0"), ("acme-loads.git@v1", "acme-loads.git@v2")):
        wanted(mixed, old, new)
    wanted(mixed, 'acme/acme-loads.git"\nuser-info = "x-access-token:${ACME_TOKEN}"\nref = "v1"', 'acme/acme-loads.git"\nuser-info = "x-access-token:${ACME_TOKEN}"\nref = "v2"')  # fmt: skip
    said = mixed.stops("install")
    assert "acme-loads" in said
    assert version(mixed, "acme-units") == "2.1.0"


# --- --locked ---

CHANGES = {
    "another version": (
        "==2.1.0",
        "==2.0.0",
        "acme-units: the change from 2.1.0 to acme-units==2.0.0",
        INSTALL,
    ),
    "another ref": ("v1", "v2", "acme-beams: the change from v1 to v2 was not made yet", SYNC),
}


@pytest.mark.parametrize("change", CHANGES)
def test_locked_stops_where_the_lock_does_not_fit_and_changes_nothing(mixed: World, change: str):
    old, new, words, cure = CHANGES[change]
    mixed.installs()
    wanted(mixed, old, new)
    before = files(mixed)
    for host in (mixed.git, mixed.private):
        host.clear()
    said = mixed.stops("install", "--locked")
    assert f"STOP {words}" in said
    assert said.splitlines()[-1] == f"Type: {cure}"
    assert files(mixed) == before
    assert mixed.git.requests == mixed.private.requests == []


def test_locked_stops_without_a_lock_and_where_it_names_too_much(mixed: World):
    lock = mixed.app / "private-packages.lock"
    text = lock.read_text()
    lock.unlink()
    assert "STOP acme-beams: it was never fetched" in mixed.stops("install", "--locked")
    assert not lock.exists()
    lock.write_text(
        text + text[text.index("[[packages]]") :].split("\n\n")[0].replace("acme-beams", "acme-more")
    )
    said = mixed.stops("install", "--locked")
    assert "STOP acme-more: the lock still names it, and it is not wanted any more." in said
    assert said.splitlines()[-1] == f"Type: {SYNC}"


def test_locked_stops_where_another_package_needs_what_the_lock_does_not_know(mixed: World):
    wheel(mixed.private.folder, "acme-core", "1.0", "private")
    mixed.write("acme-core")
    lock = mixed.lock
    said = mixed.stops("install", "--locked")
    assert "STOP acme-core: another package needs it, and the lock does not know it." in said
    assert said.splitlines()[-1] == f"Type: {INSTALL}"
    assert mixed.lock == lock
    mixed.installs()
    mixed.installs("--locked")


# --- the environment ---


def test_the_environment_that_is_active_is_taken_where_the_app_has_none(mixed: World, tmp_path: Path):
    clone = mixed.clone()
    mixed.run(uv.find_uv_bin(), "venv", "--quiet", "--python", sys.executable, tmp_path / "active")
    assert clone.command("install", VIRTUAL_ENV=str(tmp_path / "active")).returncode == 0
    assert not (clone.app / ".venv").exists()
    done = clone.run(python_of(tmp_path / "active"), "-c", "import acme_units; print(acme_units.ORIGIN)")
    assert done.stdout.strip() == "private"


def test_an_environment_whose_python_is_gone_is_named(mixed: World):
    shutil.rmtree(mixed.python.parent)
    said = mixed.command("install")
    assert said.returncode == 1
    assert ".venv is there, and its Python does not run on this machine; delete the folder" in said.stderr
    assert (mixed.app / ".venv" / "pyvenv.cfg").exists()


def test_a_python_that_nobody_has_is_named(mixed: World):
    shutil.rmtree(mixed.app / ".venv")
    wanted(mixed, 'python = "3.11"', 'python = "3.99"')
    done = mixed.command("install", UV_PYTHON_DOWNLOADS="never")
    assert done.returncode == 1
    assert "The app needs Python 3.99 or newer, this is 3." in done.stderr
    assert f"install one, then type `{INSTALL}` again" in done.stderr
    assert not (mixed.app / ".venv").exists()


# --- what is missing ---


def programs(folder: Path, *names: str) -> str:
    """A search path with these programs alone."""
    folder.mkdir()
    for name in names:
        (folder / name).symlink_to(uv.find_uv_bin() if name == "uv" else str(shutil.which(name)))
    return str(folder)


@POSIX
def test_without_uv_one_sentence_says_how_to_get_it_and_nothing_is_done(mixed: World, tmp_path: Path):
    wanted(mixed, "==2.1.0", "==2.0.0")
    before = files(mixed)
    # In an environment that has no uv as a module either.
    done = mixed.run(
        mixed.python, "-m", "private_packages", "install", PATH=programs(tmp_path / "bin", "git")
    )
    assert done.returncode == 1
    assert done.stderr == "uv is not here, and it resolves and installs. Type `python -m pip install uv`.\n"
    assert files(mixed) == before


@POSIX
def test_a_uv_that_is_too_old_is_named(mixed: World, tmp_path: Path):
    old = tmp_path / "bin" / "uv"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\necho uv 0.8.22\n")
    old.chmod(0o755)
    done = mixed.command("install", PATH=os.pathsep.join([str(old.parent), os.environ["PATH"]]))
    assert done.returncode == 1
    assert done.stderr.startswith("uv 0.8.22 is too old; 0.9 or newer is needed. Type `python -m pip install")


@POSIX
def test_without_git_an_app_of_index_packages_is_installed_and_one_with_submodules_is_not(
    mixed: World, tmp_path: Path
):
    path = programs(tmp_path / "bin", "uv")
    done = mixed.command("install", PATH=path)
    assert done.returncode == 1
    assert "Git is not installed or not on PATH; install it" in done.stderr
    mixed.want(mixed.index(), mixed.from_index("acme-units==2.1.0"))
    done = mixed.command("install", PATH=path)
    assert done.returncode == 0, done.stderr
    assert "note: Git is not here, so nobody looked for logins" in done.stderr
    assert mixed.origin("acme-units") == "private"


@POSIX
def test_a_repository_that_git_refuses_to_read_is_not_one_without_logins(mixed: World):
    """Git says so of a folder of somebody else's."""
    mixed.want(mixed.index(), mixed.from_index("acme-units==2.1.0"))
    done = mixed.command("check", GIT_TEST_ASSUME_DIFFERENT_OWNER="1")
    assert done.returncode == 1
    assert "the folder belongs to somebody else, so Git refuses to work in it" in done.stderr


def test_a_literal_login_in_a_tracked_file_stops_until_it_is_allowed_with_a_reason(mixed: World):
    (mixed.app / "notes.md").write_text("fine\npostgres://test:s3cret@localhost/db\n")
    mixed.commit()
    for command in ("check", "install"):
        assert "STOP notes.md:2 holds a literal login; take it out" in mixed.stops(command)
    allow = '[[secrets]]\nfile = "notes.md"\nline = "test:s3cret@localhost"\nreason = "A database of the tests."\n'
    (mixed.app / "private-packages.allow.toml").write_text(allow)
    mixed.installs()


# --- damaged files ---

DAMAGES = {
    "private-packages.toml": ("format = 1\n[[", "private-packages.toml is no TOML file"),
    "private-packages.allow.toml": ("[[builds]]\n", "private-packages.allow.toml cannot be used: [[builds]]"),
    ".env": ("ACME_TOKEN=x\nmy secret\n", "Line 2 of .env is not of the form NAME=value; correct it."),
    "requirements.txt": ("# <<< private packages <<<\n", "requirements.txt holds only one end of the block"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_file_is_told_in_one_sentence_and_nothing_changes(mixed: World, name: str):
    text, words = DAMAGES[name]
    (mixed.app / name).write_text(text)
    before = files(mixed)
    for host in (mixed.git, mixed.private):
        host.clear()
    for command in (["check"], ["install"], ["install", "--locked"]):
        (said,) = mixed.stops(*command).splitlines()
        assert words in said
        assert "my secret" not in said
    assert files(mixed) == before


def test_a_wrong_use_is_told_with_the_exit_code_2(mixed: World):
    done = mixed.command("install", "--lockd")
    assert done.returncode == 2
    assert "unrecognized arguments: --lockd" in done.stderr


def test_outside_of_an_app_there_is_nothing_to_install(here: World):
    done = here.run(runs.PYTHON, "-m", "private_packages", "install")
    assert done.returncode == 1
    (said,) = done.stderr.splitlines()
    assert said.startswith("There is no private-packages.toml in ")
