"""`index_scope: files`: requirements.txt names the files of the private index, so that plain pip can take no other."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from private_packages import file_lines
from private_packages.config import Index, Package
from private_packages.errors import Unreadable
from private_packages.lock import Lock, LockedVersion
from wheels import wheel
from world import World

from demo.http_host import HttpHost

SHA256 = "0123456789abcdef" * 4
WHEEL = "acme_units-2.1.0-py3-none-any.whl"
INDEX = Index("https://${ACME_USER}:${ACME_PASSWORD}@packages.acme.example/simple/", "files")
LOGIN = "https://${ACME_USER}:${ACME_PASSWORD}@packages.acme.example"


@pytest.fixture
def here(shared: World) -> World:
    """An app on VIKTOR that wants acme-units==2.1.0, which needs acme-core, by their files."""
    shared.reset()
    wheel(shared.private.folder, "acme-core", "1.0", "private")
    wheel(shared.private.folder, "acme-frames", "3.0", "private", needs="acme-core")
    return shared.want(
        shared.index("files"),
        shared.from_index("acme-units==2.1.0"),
        shared.from_index("acme-frames==3.0"),
        platform="viktor",
        prefixes=["acme-"],
    )


def pip(world: World, folder: Path) -> subprocess.CompletedProcess[str]:
    """Plain pip, as the host that runs it by itself."""
    return world.run(
        sys.executable, "-m", "pip", "install", "--quiet", "--target", folder, "-r", "requirements.txt"
    )


def origins(folder: Path) -> dict[str, str]:
    """Where each module that was installed into a folder comes from."""
    return {one.stem: one.read_text().split("'")[1] for one in folder.glob("acme_*.py")}


def test_each_line_is_the_address_of_a_file_with_its_sha256_and_the_variables_of_the_login(here: World):
    lines = here.requirements.read_text().splitlines()
    host = here.private.simple_url.removesuffix("/simple/").partition("://")[2]
    units = next(line for line in lines if line.startswith("acme-units @ "))
    assert units.startswith(f"acme-units @ http://${{ACME_USER}}:${{ACME_PASSWORD}}@{host}/")
    assert WHEEL in units and units.rpartition("#sha256=")[2] in here.lock
    assert not [line for line in lines if "index-url" in line]


@pytest.mark.slow
@pytest.mark.parametrize("build", ["", "9"], ids=["a higher version", "a build tag"])
def test_plain_pip_takes_the_private_files_whatever_a_stranger_publishes(
    here: World, tmp_path: Path, build: str
):
    done = here.command("install")
    assert "acme-core @ http" in here.requirements.read_text(), done.stderr
    for name, version in (("acme-units", "2.1.0"), ("acme-frames", "3.0"), ("acme-core", "1.0")):
        wheel(here.public.folder, name, version if build else "99.0", "public", build=build)
    assert here.command("check").returncode == 0
    taken = pip(here, tmp_path / "taken")
    assert taken.returncode == 0, taken.stderr
    assert origins(tmp_path / "taken") == dict.fromkeys(("acme_units", "acme_frames", "acme_core"), "private")
    assert here.command("install", "--locked").returncode == 0
    assert here.origin("acme-units") == here.origin("acme-core") == "private"


@pytest.mark.slow
def test_a_file_that_was_exchanged_on_the_index_is_refused_by_pip_and_by_the_command(
    here: World, tmp_path: Path
):
    assert here.command("install").returncode == 0
    (here.private.folder / WHEEL).unlink()
    wheel(here.private.folder, "acme-units", "2.1.0", "exchanged")
    assert "acme-units" in here.stops("check")
    taken = pip(here, tmp_path / "taken")
    assert taken.returncode == 1 and "hash" in (taken.stdout + taken.stderr).lower()


def test_a_moved_version_takes_its_line_along_and_another_scope_brings_the_plain_line_back(here: World):
    done = here.command("move", "acme-units", "2.0.0")
    assert done.returncode == 0, done.stderr
    assert "acme_units-2.0.0-py3-none-any.whl#sha256=" in here.requirements.read_text()
    assert "acme_units-2.1.0" not in here.requirements.read_text()
    here.want(here.index("extra"), here.from_index("acme-units==2.0.0"))
    lines = here.requirements.read_text().splitlines()
    assert "acme-units==2.0.0" in lines and not [line for line in lines if "sha256" in line]
    here.want(here.index("files"), here.from_index("acme-units==2.0.0"))
    assert "acme_units-2.0.0-py3-none-any.whl#sha256=" in here.requirements.read_text()


def test_without_an_answer_of_the_index_no_line_stands_there_that_pip_could_take_elsewhere(here: World):
    wanted = here.app / "private-packages.toml"
    wanted.write_text(wanted.read_text().replace("acme-units==2.1.0", "acme-units==2.0.0"))
    here.private.stop()
    done = here.command("sync")
    assert done.returncode == 1 and "acme-units" in done.stderr
    lines = here.requirements.read_text().splitlines()
    assert (
        "# acme-units: its file is not known yet; `python -m private_packages sync` asks the index" in lines
    )
    assert not [line for line in lines if line.startswith("acme-units")]
    assert "acme-units" in here.stops("install")


class Page(HttpHost):
    """An index with one page, whose link is ``link`` on this host unless it has a host of its own."""

    link = ""

    def application(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        text = f'<a href="{self.link}#sha256={SHA256}">{WHEEL}</a>'.encode()
        start_response("200 OK", [("Content-Type", "text/html"), ("Content-Length", str(len(text)))])
        return [text]

    def name_of(self, path: str) -> str:
        return ""

    def secrets(self) -> set[str]:
        return set()


@pytest.mark.parametrize(
    ("link", "words"),
    [
        (f"/packages/{WHEEL}?signature=1", "the addresses of its files change with time"),
        (f"http://files.acme.example/{WHEEL}", "the addresses of its files are on files.acme.example"),
    ],
    ids=["signed", "another host"],
)
def test_an_index_whose_addresses_do_not_last_is_told_to_be_used_in_another_way(
    here: World, link: str, words: str
):
    with Page() as page:
        page.link = link
        wanted = here.app / "private-packages.toml"
        host = page.url.partition("://")[2]
        index = f'[index]\nurl = "http://${{ACME_USER}}:${{ACME_PASSWORD}}@{host}/simple/"\nscope = "files"\n'
        wanted.write_text(f"format = 1\n{index}{here.from_index('acme-units==2.1.0')}")
        (here.app / "private-packages.lock").unlink()
        done = here.command("sync")
    assert done.returncode == 1
    assert f"acme-units: {words}" in done.stderr
    assert "choose another scope" in done.stderr


def locked(*names: str, requirement: str = "acme-units==2.1.0") -> Lock:
    lock = Lock()
    urls = {name: f"https://packages.acme.example/packages/{name}" for name in names}
    lock.put(LockedVersion("acme-units", requirement, "2.1.0", dict.fromkeys(names, SHA256), urls))
    return lock


def test_a_wheel_for_each_system_has_its_own_line_with_a_marker():
    names = [
        f"acme_units-2.1.0-{tags}.whl"
        for tags in (
            "cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64",
            "cp313-cp313-manylinux_2_17_x86_64",
            "cp313-cp313-musllinux_1_1_x86_64",
            "cp313-cp313-win_amd64",
            "cp311-abi3-macosx_11_0_arm64",
        )
    ]
    requirement = 'acme-units[si]==2.1.0 ; python_version < "3.14"'
    package = Package("acme-units", "index", requirement)
    lines = file_lines.lines_of(INDEX, package, locked(*names, requirement=requirement))
    at = {name: f"acme-units[si] @ {LOGIN}/packages/{name}#sha256={SHA256}" for name in names}
    linux = 'sys_platform == "linux" and platform_machine == "x86_64"'
    before = '(python_version < "3.14") and '
    assert sorted(lines) == sorted(
        [
            f'{at[names[0]]} ; {before}(python_version == "3.12" and {linux})',
            f'{at[names[1]]} ; {before}(python_version == "3.13" and {linux})',
            f'{at[names[3]]} ; {before}(python_version == "3.13" and sys_platform == "win32" and platform_machine == "AMD64")',
            f'{at[names[4]]} ; {before}(python_version >= "3.11" and sys_platform == "darwin" and platform_machine == "arm64")',
        ]
    )


def test_a_wheel_for_all_systems_is_the_only_line():
    package = Package("acme-units", "index", "acme-units==2.1.0")
    lines = file_lines.lines_of(
        INDEX, package, locked("acme_units-2.1.0-cp313-cp313-win_amd64.whl", WHEEL, "acme_units-2.1.0.tar.gz")
    )
    assert lines == [f"acme-units @ {LOGIN}/packages/{WHEEL}#sha256={SHA256}"]


def test_a_package_without_a_wheel_is_told_to_be_had_in_another_way():
    package = Package("acme-units", "index", "acme-units==2.1.0")
    with pytest.raises(Unreadable, match="has no wheel that pip could take by its address"):
        file_lines.lines_of(INDEX, package, locked("acme_units-2.1.0.tar.gz"))
