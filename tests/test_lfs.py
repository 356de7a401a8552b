"""Git LFS, with git-lfs itself and a host that demands the login: an install ends with the files, or says why not."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import debian
import lfs
import pytest
from world import TOKEN, World, new_world, source

from demo.samples import commit, make_repository

NO_GIT_LFS = debian.reason_without("git-lfs")
STEEL = "steel, table 1\n" * 50
STRATEGIES = ("submodule", "git")
PERSON = "[user]\n\tname = Test\n\temail = test@localhost.invalid\n"
FILES = "/acme/acme-beams.git/info/lfs/"


@dataclass(frozen=True)
class Large(World):
    """A world whose Git host keeps large files, on a machine with git-lfs."""

    git: lfs.LfsHost

    @property
    def steel(self) -> str:
        """What the installed package reads from its file."""
        done = self.run(self.python, "-c", "import acme_beams; print(acme_beams.STEEL, end='')")
        assert done.returncode == 0, done.stderr
        return done.stdout

    def without_git_lfs(self) -> Large:
        """The same on a machine that has everything but the program."""
        path = self.variables["PATH"].removeprefix(f"{debian.folder_of_git_lfs()}:")
        return replace(self, variables={**self.variables, "PATH": path})

    def write_wants(self, table: str) -> None:
        """Want a package; nothing is fetched."""
        head = 'format = 1\nplatform = "python"\npython = "3.11"\nprivate-prefixes = []\n'
        (self.app / "private-packages.toml").write_text(head + table)


@pytest.fixture(scope="module")
def shared(isolated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Large]:
    if NO_GIT_LFS:
        pytest.skip(NO_GIT_LFS)
    with new_world(tmp_path_factory.mktemp("lfs")) as world:
        root = world.scratch / "large"
        root.mkdir()
        with lfs.LfsHost(root, TOKEN) as host:
            values = {name: getattr(world, name) for name in World.__dataclass_fields__}
            yield Large(**{**values, "git": host})


@pytest.fixture
def here(shared: Large, tmp_path: Path) -> Large:
    """acme-beams, whose file is in Git LFS, at two versions; `git lfs install` was typed."""
    shared.reset()
    shared.git.lfs_token = None
    files = source("acme-beams", "1.0", "private")
    files["backend.py"] = files["backend.py"].replace('.glob("*.py")', '.glob("acme_*")')
    files["acme_beams.py"] += (
        "from pathlib import Path\nSTEEL = Path(__file__).with_name('acme_steel.bin').read_text()\n"
    )
    files[".gitattributes"] = "*.bin filter=lfs diff=lfs merge=lfs -text\n"
    files["acme_steel.bin"] = shared.git.keep(STEEL.encode())
    path = make_repository(shared.git.root / "acme", "acme-beams", files, tags=["v1"])
    commit(path, {"acme_steel.bin": shared.git.keep(STEEL.upper().encode())}, tag="v2")
    config = tmp_path / "gitconfig"
    config.write_text(PERSON)
    path_of_programs = f"{debian.folder_of_git_lfs()}:{shared.environment['PATH']}"
    # uv breaks its lines at the width of a terminal.
    variables = {"PATH": path_of_programs, "GIT_CONFIG_GLOBAL": str(config), "COLUMNS": "80"}
    there = replace(shared, variables={**shared.variables, **variables})
    set_up = ["git", "lfs", "install", "--skip-repo"]
    subprocess.run(set_up, env=there.environment, check=True, capture_output=True)
    return there


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_with_git_lfs_an_install_a_clone_and_a_move_end_with_the_file(here: Large, strategy: str):
    here.want(here.from_git("acme-beams", strategy=strategy))
    here.installs()
    assert here.steel == STEEL
    here.commit()
    clone = here.clone()
    clone.installs("--locked")
    assert clone.steel == STEEL
    assert here.command("move", "acme-beams", "v2").returncode == 0
    here.installs()
    assert here.steel == STEEL.upper()
    if strategy == "submodule":
        folder = here.app / "app/submodules/acme-beams"
        assert here.run("git", "-C", folder, "status", "--porcelain").stdout == ""
    asked = [one for one in here.git.requests if one.path.startswith(FILES)]
    # The login goes with the first request, also to the server of the files.
    assert asked and {one.status for one in asked} == {200}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_with_git_lfs_nobody_has_to_have_typed_git_lfs_install(here: Large, strategy: str):
    Path(here.variables["GIT_CONFIG_GLOBAL"]).write_text(PERSON)
    here.want(here.from_git("acme-beams", strategy=strategy))
    here.installs()
    assert here.steel == STEEL
    if strategy == "submodule":
        # What is the file to git-lfs is no change to Git, so the package can be moved.
        assert here.command("move", "acme-beams", "v2").returncode == 0
        assert here.steel == STEEL.upper()


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_with_git_lfs_a_login_that_the_server_of_the_files_refuses_is_told_and_nothing_is_changed(
    here: Large, strategy: str
):
    """As soon as it is refused: git-lfs itself would try the same login again and again."""
    here.want(here.from_git("acme-beams", strategy=strategy))
    here.installs()
    here.git.lfs_token = "SENTINEL-another"
    here.git.clear()
    moved = here.command("move", "acme-beams", "v2")
    done = moved if strategy == "submodule" else here.command("install")
    host = here.git.url.partition("://")[2]
    words = f"acme-beams: {host} refused the login in ACME_TOKEN for the files in Git LFS; set a valid token"
    assert done.returncode == 1 and words in done.stderr, done.stderr
    assert here.steel == STEEL
    assert [one.status for one in here.git.requests if one.path.startswith(FILES)] == [401]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_with_git_lfs_a_file_that_was_never_pushed_is_told_with_who_can_mend_it(here: Large, strategy: str):
    here.git.files.clear()
    here.write_wants(here.from_git("acme-beams", strategy=strategy))
    said = here.stops("install")
    host = here.git.url.partition("://")[2]
    words = (
        f"acme-beams: {host} does not have all of its files in Git LFS; whoever has them types `git lfs push"
    )
    assert words in said


def test_with_git_lfs_a_server_of_the_files_that_nobody_has_a_login_for_is_named(here: Large):
    """As `.lfsconfig` may name one, on another host than the repository's."""
    elsewhere = here.git.url.replace("127.0.0.1", "localhost")
    path = here.git.path_of("acme-beams")
    commit(path, {".lfsconfig": f"[lfs]\n\turl = {elsewhere}{FILES.rstrip('/')}\n"}, tag="v3")
    here.write_wants(here.submodule("acme-beams", "v3"))
    said = here.stops("install")
    host = elsewhere.partition("://")[2]
    assert f"acme-beams: {host} keeps the files in Git LFS and wants a login, and no package" in said
    assert "SENTINEL" not in said


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_with_git_lfs_that_is_set_up_and_then_lost_it_is_named_and_comes_back(here: Large, strategy: str):
    lost = here.without_git_lfs()
    lost.write_wants(here.from_git("acme-beams", strategy=strategy))
    said = lost.stops("install")
    assert "acme-beams: its files are in Git LFS, and git-lfs is not installed; install it." in said
    here.installs()
    assert here.steel == STEEL


def test_with_git_lfs_a_git_line_that_was_installed_without_it_is_not_ok_and_gets_its_file(
    here: Large, tmp_path: Path
):
    """uv leaves pointers in silence, and keeps in its cache what it built of them."""
    Path(here.variables["GIT_CONFIG_GLOBAL"]).write_text(PERSON)
    cache = {"UV_NO_CACHE": "0", "UV_CACHE_DIR": str(tmp_path / "uv")}
    here.want(here.from_git("acme-beams"))
    done = here.without_git_lfs().command("install", **cache)
    assert done.returncode == 1
    said = done.stdout + done.stderr
    cure = "install git-lfs, and then type `python -m private_packages install`."
    assert f"acme-beams: acme_steel.bin is a pointer of Git LFS, not the file; {cure}" in said
    assert "Type:" not in said
    done = here.command("install", **cache)
    assert done.returncode == 0, done.stderr
    assert here.steel == STEEL


def test_with_git_lfs_the_cure_for_a_submodule_that_came_without_it_brings_the_file_or_ends_at_once(
    here: Large,
):
    without = here.without_git_lfs()
    Path(here.variables["GIT_CONFIG_GLOBAL"]).write_text(PERSON)
    without.want(without.submodule("acme-beams"))
    done = without.command("install")
    assert (
        "acme_steel.bin is a pointer of Git LFS, not the file; install git-lfs, type `git lfs install`"
        in (done.stdout + done.stderr)
    )
    cure = ("exec", "git", "-C", "app/submodules/acme-beams", "lfs", "pull")
    assert f"Type: python -m private_packages {' '.join(cure)}" in done.stdout + done.stderr
    assert here.run("git", "lfs", "install", "--skip-repo").returncode == 0
    here.git.clear()
    here.git.lfs_token = "SENTINEL-another"
    assert here.command(*cure).returncode != 0
    assert [one.status for one in here.git.requests] == [401]
    here.git.lfs_token = None
    assert here.command(*cure).returncode == 0
    here.installs()
    assert here.steel == STEEL


def test_with_git_lfs_a_copy_without_git_is_proved_by_the_hash_in_the_pointer(here: Large):
    """As in an image, where git-lfs need not be."""
    here.want(here.submodule("acme-beams"))
    here.installs()
    copy = here.scratch / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(here.app, copy, ignore=shutil.ignore_patterns(".git", ".venv", "__pycache__"))
    image = replace(here.without_git_lfs(), app=copy)
    Path(here.variables["GIT_CONFIG_GLOBAL"]).write_text(PERSON)
    image.installs("--locked")
    assert image.steel == STEEL
    file = copy / "app/submodules/acme-beams/acme_steel.bin"
    file.write_text(STEEL.replace("1", "2"))
    assert "app/submodules/acme-beams/acme_steel.bin is not as in v1" in image.stops("install", "--locked")
    file.write_text(here.git.keep(STEEL.encode()))
    words = "app/submodules/acme-beams/acme_steel.bin is a pointer of Git LFS, not the file; copy it from"
    assert words in image.stops("install", "--locked")
