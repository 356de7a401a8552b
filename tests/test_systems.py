"""Windows and macOS, as far as their rules can be tried elsewhere; .github/workflows/ci.yml runs all tests there."""

from __future__ import annotations

import json
import ntpath
import os
import re
import shutil
import stat
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PureWindowsPath
from typing import Any

import pytest
from apps import CI_FILES, ROOT, render
from folder import put
from private_packages import files, machine, manifest, renewal
from private_packages.config import Index
from private_packages.files import read_text, remove, write_text
from private_packages.git import end, git_environment, start
from private_packages.submodules.gitdir import read_link, write_link
from world import World, new_world

# Naming Files, Paths, and Namespaces (Microsoft's documentation of Windows).
FORBIDDEN = re.compile(r'[<>:"|?*\\\x00-\x1f]|[. ]$')
EVERYTHING: dict[str, Any] = {
    "strategies": ["submodule", "git", "index"],
    "submodule_packages": "acme-beams @ https://github.com/acme/beams.git@v1.2.3",
    "git_packages": "acme-loads @ git+https://x-access-token:${ACME_TOKEN}@github.com/acme/loads.git@v0.9.0",
    "index_packages": "acme-units==2.1.0",
    "index_url": "https://${ACME_USER}:${ACME_PASSWORD}@packages.acme.example/simple/",
}


def is_reserved(name: str) -> bool:
    """Whether Windows keeps a name for a device."""
    if sys.version_info >= (3, 13):
        return ntpath.isreserved(name)
    return PureWindowsPath(name).is_reserved()


@pytest.fixture
def windows_deletes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows' rule: a read-only file cannot be deleted."""
    unlink = os.unlink

    def refuse(path: str, *, dir_fd: int | None = None) -> None:
        mode = os.stat(path, dir_fd=dir_fd, follow_symlinks=False).st_mode
        if stat.S_ISREG(mode) and not mode & stat.S_IWUSR:
            raise PermissionError(13, "Access is denied", path)
        unlink(path, dir_fd=dir_fd)

    monkeypatch.setattr(os, "unlink", refuse)


def test_a_repository_goes_with_its_read_only_packs(windows_deletes: None, tmp_path: Path):
    module = tmp_path / "modules" / "acme-beams"
    pack = module / "objects" / "pack" / "pack-1.pack"
    pack.parent.mkdir(parents=True)
    pack.write_bytes(b"PACK")
    pack.chmod(0o444)
    with pytest.raises(PermissionError):
        pack.unlink()
    remove(module)
    assert not module.exists()
    remove(module)


@pytest.fixture
def scanner(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Windows with a virus scanner, which refuses so many of the next calls of `replace` and `unlink`.

    Its clock goes on by waiting alone.
    """
    refusals: Counter[str] = Counter()
    clock = [0.0]

    def refusing(name: str) -> None:
        act = getattr(Path, name)

        def refuse(path: Path, *arguments: Path, **options: bool) -> object:
            if refusals[name]:
                refusals[name] -= 1
                raise PermissionError(13, "The process cannot access the file", str(path))
            return act(path, *arguments, **options)

        monkeypatch.setattr(Path, name, refuse)

    refusing("replace")
    refusing("unlink")
    monkeypatch.setattr(files.sys, "platform", "win32")
    monkeypatch.setattr(files.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(files.time, "sleep", lambda seconds: clock.__setitem__(0, clock[0] + seconds))
    return refusals


def test_a_refusal_that_passes_is_waited_for(scanner: Counter[str], tmp_path: Path):
    (tmp_path / "text").write_text("old\n")
    scanner["replace"] = 20
    write_text(tmp_path / "text", "new\n")
    assert (tmp_path / "text").read_text() == "new\n"
    scanner["replace"] = 20
    files.rename(tmp_path / "text", tmp_path / "other")
    scanner["unlink"] = 20
    remove(tmp_path / "other")
    assert list(tmp_path.iterdir()) == []
    assert scanner.total() == 0


def test_the_renewal_of_the_command_waits_for_a_refusal_that_passes(scanner: Counter[str], tmp_path: Path):
    """It has a writer of its own, because it may import nothing of the folder that it renews."""
    folder = an_old_command(tmp_path, b"\n")
    coming = folder / renewal.COMING
    coming.mkdir(parents=True)
    (coming / renewal.RELEASE).write_text("\n")
    (coming / "names.py").write_text("# New.\n")
    (coming / renewal.MANIFEST).write_text("0  names.py\n")
    scanner["replace"] = scanner["unlink"] = 20
    renewal.finish(folder)
    assert (folder / "names.py").read_text() == "# New.\n"
    assert not (folder / "gone.py").exists() and not coming.exists()
    assert scanner.total() == 0


def an_old_command(app: Path, ending: bytes) -> Path:
    """A folder of the command that has an older file, and one that is gone today."""
    folder = app / "private_packages"
    shutil.copytree(manifest.HERE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "gone.py").write_text("# Old.\n")
    (folder / "names.py").write_text("# Old.\n")
    (folder / manifest.FILE).write_text("".join(f"{line}\n" for line in manifest.lines(folder)))
    for path in folder.rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes().replace(b"\n", ending))
    return folder


@pytest.mark.parametrize("ending", [b"\n", b"\r\n"], ids=["POSIX", "Windows"])
def test_the_command_is_renewed_with_the_line_endings_that_it_has(tmp_path: Path, ending: bytes):
    folder = an_old_command(tmp_path, ending)
    assert list(put(tmp_path)) == []
    assert manifest.by_name(manifest.lines(folder)) == manifest.recorded(manifest.HERE)
    for name in ("names.py", manifest.FILE):
        lines = (folder / name).read_bytes().splitlines(keepends=True)
        assert {line[len(line.rstrip()) :] for line in lines} == {ending}
    assert list(put(tmp_path)) == []


def test_a_refusal_that_stays_is_an_error_that_leaves_everything_as_it_was(
    scanner: Counter[str], tmp_path: Path
):
    (tmp_path / "text").write_text("old\n")
    scanner["replace"] = 1000
    with pytest.raises(PermissionError):
        write_text(tmp_path / "text", "new\n")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("text", "old\n")]


def test_a_hidden_file_is_written_in_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Windows lets nobody create one anew, and Git for Windows hides all that begin with a dot."""
    file = tmp_path / ".gitmodules"
    file.write_bytes(b"a long line\r\n")
    node = file.stat().st_ino
    monkeypatch.setattr(files, "_is_hidden", lambda path: path == file)
    write_text(file, "short\n")
    assert file.read_bytes() == b"short\r\n"
    assert file.stat().st_ino == node


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"one\r\ntwo\r\n", b"two\r\nthree\r\n"),
        (b"one\ntwo\n", b"two\nthree\n"),
        (b"one \xff\r\n", b"two\r\nthree\r\n"),
        (None, b"two\nthree\n"),
    ],
    ids=["Windows", "POSIX", "no UTF-8", "new"],
)
def test_a_text_keeps_its_line_endings_on_every_system(before: bytes | None, after: bytes, tmp_path: Path):
    file = tmp_path / "text"
    if before is not None:
        file.write_bytes(before)
        assert "\r" not in read_text(file)
    write_text(file, "two\nthree\n")
    assert file.read_bytes() == after


def test_bytes_that_are_no_text_survive(tmp_path: Path):
    file = tmp_path / "text"
    file.write_bytes(b"# caf\xe9\n")
    write_text(file, read_text(file) + "two\n")
    assert file.read_bytes() == b"# caf\xe9\ntwo\n"


def test_the_link_to_a_repository_is_relative_and_has_forward_slashes(tmp_path: Path):
    folder, module = tmp_path / "app" / "submodules" / "one", tmp_path / ".git" / "modules" / "one"
    folder.mkdir(parents=True)
    module.mkdir(parents=True)
    write_link(folder, module)
    assert (folder / ".git").read_bytes() == b"gitdir: ../../../.git/modules/one\n"
    assert read_link(folder) == module
    (folder / ".git").write_bytes(b"gitdir: ../../../.git/modules/one\r\n")
    assert read_link(folder) == module
    assert read_link(tmp_path) is None


def test_every_path_can_be_checked_out_on_windows_and_macos(questionnaire: Path, tmp_path: Path):
    """Also where upper and lower case are the same."""
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    for platform in ("python", "viktor"):
        for ci in CI_FILES:
            folder = tmp_path / platform / ci
            render(questionnaire, folder, platform=platform, ci=ci, **EVERYTHING)
    rendered = [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")]
    for name in [*filter(None, tracked.split("\0")), *rendered]:
        assert not [part for part in name.split("/") if FORBIDDEN.search(part)], name
        assert not is_reserved(name), name
        assert len(name) < 150, name
    for names in (tracked.split("\0"), rendered):
        assert [name for name, count in Counter(map(str.lower, names)).items() if count > 1] == []


def test_nothing_that_an_app_receives_needs_an_executable_bit():
    """Windows has none, so no document may say `./file`."""
    listed = subprocess.run(
        ["git", "ls-files", "--stage", "template", "hooks"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert {line.split()[0] for line in listed.splitlines()} == {"100644"}


@pytest.mark.parametrize("platform", ["python", "viktor"])
@pytest.mark.parametrize("system", ["win32", "darwin"])
def test_the_app_s_own_code_uses_nothing_that_a_system_lacks(
    questionnaire: Path, tmp_path: Path, system: str, platform: str
):
    """mypy knows which functions of the standard library each system has."""
    app = render(questionnaire, tmp_path / "app", platform=platform, **EVERYTHING)
    command = ["mypy", "--platform", system, "--no-incremental", "app", "tests", "private_packages"]
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=app, capture_output=True, text=True, check=False
    )
    assert "Success" in done.stdout, done.stdout + done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="taskkill asks nobody there")
def test_a_command_that_is_given_up_ends_within_a_second_with_all_that_it_started(tmp_path: Path):
    """Neither it nor its children answer a polite signal."""
    pids = tmp_path / "pids"
    inner = f"trap '' TERM INT HUP; echo $$ >> '{pids}'; sleep 300"
    script = (
        f"trap '' TERM INT HUP; sh -c \"{inner.replace('$', chr(92) + '$')}\" & echo $$ >> '{pids}'; wait"
    )
    process = start(["sh", "-c", script], tmp_path, os.environ)
    while not pids.exists() or len(pids.read_text().split()) < 2:
        time.sleep(0.01)
    begin = time.monotonic()
    end(process)
    process.wait()
    assert time.monotonic() - begin < 1
    for pid in pids.read_text().split():
        state = subprocess.run(["ps", "-o", "stat=", "-p", pid], capture_output=True, text=True, check=False)
        assert state.stdout.strip()[:1] in ("", "Z")


def test_every_git_is_told_that_a_path_may_be_longer_than_windows_old_calls_allow():
    env = git_environment({"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "a.b", "GIT_CONFIG_VALUE_0": "c"})
    said = subprocess.run(
        ["git", "config", "--get-all", "core.longPaths"],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == "true\n"


def test_between_two_drives_a_submodule_s_repository_is_named_by_its_whole_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Windows' rule: there is no relative path from one drive to another."""
    folder, module = tmp_path / "app", tmp_path / "modules" / "acme-beams"
    folder.mkdir()
    module.mkdir(parents=True)

    def refuse(path: object, start: object = None) -> str:
        raise ValueError("path is on mount 'C:', start on mount 'D:'")

    monkeypatch.setattr(os.path, "relpath", refuse)
    write_link(folder, module)
    assert (folder / ".git").read_text() == f"gitdir: {module.resolve().as_posix()}\n"
    assert read_link(folder) == module.resolve()


def test_the_login_of_netrc_is_found_under_windows_name_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """`%USERPROFILE%\\_netrc`, which pip, uv and Git for Windows read."""
    login = "machine packages.acme.example login me password hidden\n"
    (tmp_path / "_netrc").write_text(login)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.delenv("NETRC", raising=False)
    index = Index("https://packages.acme.example/simple/", "extra")
    assert machine.login_of(index, os.environ) == machine.Login("me", "hidden", "~/.netrc")
    (tmp_path / "_netrc").unlink()
    (tmp_path / "mine").write_text(login.replace("hidden", "other"))
    monkeypatch.setenv("NETRC", str(tmp_path / "mine"))
    assert machine.login_of(index, os.environ) == machine.Login("me", "other", "~/.netrc")


@pytest.fixture(scope="module")
def small_world(isolated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with new_world(tmp_path_factory.mktemp("systems")) as made:
        yield made


def test_files_that_git_has_written_with_carriage_returns_are_not_taken_for_changed_ones(small_world: World):
    """`core.autocrlf=true`, the default of Git for Windows: all that the command compares comes so."""
    here = small_world
    here.reset()
    here.repository("acme-beams")
    here.want(
        here.index(), here.submodule("acme-beams"), here.from_index("acme-units==2.1.0"), platform="viktor"
    )
    (here.app / "app.py").write_text("import _submodules\n")
    assert here.command("sync").returncode == 0
    for path in here.app.rglob("*"):
        if path.is_file() and ".git" not in path.parts and ".venv" not in path.parts:
            path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    before = {path: path.read_bytes() for path in here.app.glob("*") if path.is_file()}
    synced = here.command("sync")
    assert synced.returncode == 0 and "Everything agrees" in synced.stderr
    assert {path: path.read_bytes() for path in here.app.glob("*") if path.is_file()} == before
    problems = json.loads(here.command("status", "--json").stdout)["problems"]
    assert {one["kind"] for one in problems} <= {"not-installed", "does-not-start"}, problems


def test_what_git_says_is_read_as_utf_8_whatever_the_code_page_of_the_machine_is(small_world: World):
    here = small_world
    here.reset()
    here.repository("acme-beams")
    folder = here.scratch / "Größe 1" / "app"
    shutil.rmtree(folder.parent, ignore_errors=True)
    shutil.copytree(here.app, folder, symlinks=True)
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    there = replace(here, app=folder)
    (folder / "private-packages.toml").write_text("format = 1\n" + here.submodule("acme-beams"))
    done = there.command("sync", **ascii_only)
    assert done.returncode == 0, done.stderr
    assert (folder / "app" / "submodules" / "acme-beams" / "pyproject.toml").is_file()
    assert "Everything agrees" in there.command("sync", **ascii_only).stderr
