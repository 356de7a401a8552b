"""Strangers publish, and change requests alter: what plain pip and uv take then, and what the command installs."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uv
import yaml
from packaging.utils import canonicalize_name
from wheels import archive, sdist, wheel
from world import LOGINS, World, source

from demo.certificate import self_signed_certificate
from demo.git_host import GitHost
from demo.http_host import Faults
from demo.index_host import IndexHost
from demo.samples import commit

# The oldest pip that somebody may have, and the newest.
PIPS = ("24.0", "newest")
PLATFORM = f"cp{sys.version_info.major}{sys.version_info.minor}-none-" + sysconfig.get_platform().replace(
    "-", "_"
).replace(".", "_")
WHEEL = "acme_units-2.1.0-py3-none-any.whl"

Pips = dict[str, Path]


@pytest.fixture(scope="module")
def pips(tmp_path_factory: pytest.TempPathFactory) -> Pips:
    """The Python of one virtual environment for each pip."""
    found = {}
    for version in PIPS:
        folder = tmp_path_factory.mktemp("pip") / version
        make = [uv.find_uv_bin(), "venv", "--quiet", "--seed", "--python", sys.executable, str(folder)]
        # Not from this project's folder: its own constraints name one pip.
        subprocess.run(make, cwd=folder.parent, check=True)
        python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        wanted = "pip" if version == "newest" else f"pip=={version}"
        get = [uv.find_uv_bin(), "pip", "install", "--quiet", "--upgrade", "--compile-bytecode"]
        get += ["--python", str(python), wanted]
        subprocess.run(get, cwd=folder.parent, check=True)
        found[version] = python
    return found


@pytest.fixture
def bare(shared: World) -> World:
    """The shared world as it was, whose app wants nothing."""
    shared.reset()
    witness(shared).unlink(missing_ok=True)
    return shared


@pytest.fixture
def here(bare: World) -> World:
    """The same, whose app wants acme-units==2.1.0."""
    return bare.want(bare.index(), bare.from_index("acme-units==2.1.0"))


Change = Callable[[World], object]


def pip_takes(world: World, python: Path, **machine: str) -> dict[str, str]:
    """Where plain pip really takes each package from: "private" or "public", told by the file; nothing if it fails."""
    options = ("--dry-run", "--ignore-installed", "--quiet", "--report", "-")
    done = world.run(python, "-m", "pip", "install", *options, "-r", "requirements.txt", **machine)
    theirs = {sha256(file) for file in world.public.folder.iterdir()}
    return {
        canonicalize_name(one["metadata"]["name"]): "public"
        if one["download_info"].get("archive_info", {}).get("hashes", {}).get("sha256") in theirs
        else "private"
        for one in (json.loads(done.stdout)["install"] if not done.returncode else ())
    }


def taken_by_pip(world: World, python: Path, package: str = "acme-units", **machine: str) -> str:
    """Where plain pip takes one package from, or "nothing"."""
    return pip_takes(world, python, **machine).get(package, "nothing")


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def taken_by_uv(world: World, *options: str, package: str = "acme-units", **machine: str) -> str:
    """Where plain uv really takes a package from, told by the file itself."""
    # uv has no other PyPI but the one that it is told; the option would beat the app's own `--index-url`.
    public = ("--default-index", world.public.simple_url)
    only = "--index-url" in world.requirements.read_text()
    with tempfile.TemporaryDirectory(dir=world.scratch) as folder:
        command = (
            uv.find_uv_bin(),
            "pip",
            "install",
            "--quiet",
            "--python",
            sys.executable,
            "--target",
            folder,
        )
        where = () if only else public
        done = world.run(*command, *where, *options, "-r", "requirements.txt", **machine)
        module = Path(folder, package.replace("-", "_") + ".py")
        assert module.exists() == (done.returncode == 0), done.stderr
        return module.read_text().split("'")[1] if module.exists() else "nothing"


def told(said: str) -> str:
    """What `check` says of plain pip and of files that it does not know, without what it says when all is well."""
    return "".join(line for line in said.splitlines(keepends=True) if not line.startswith("ok: "))


def becomes_one_of_viktor_s(world: World) -> None:
    """VIKTOR runs plain pip by itself."""
    toml = world.app / "private-packages.toml"
    toml.write_text(toml.read_text().replace('platform = "python"', 'platform = "viktor"'))
    assert world.command("sync").returncode == 0


def publish(world: World, name: str, version: str, **more: str) -> None:
    """Let a stranger publish a wheel, which is noticed as soon as it is imported."""
    wheel(
        world.public.folder,
        name,
        version,
        "public",
        code=f"open({str(witness(world))!r}, 'w').close()",
        **more,
    )


def witness(world: World) -> Path:
    """What the stranger's code makes where it runs."""
    return world.scratch / "ran"


# --- what the app wants ---


def wants(*lines: str, scope: str = "extra", private: Change = lambda world: None, more: str = "") -> Change:
    """The app has these lines for the private index, on which more is published before."""

    def want(world: World) -> None:
        private(world)
        world.want(world.index(scope), *map(world.from_index, lines), more)

    return want


def has(name: str, version: str, **more: str) -> Change:
    """The private index has a wheel."""
    return lambda world: wheel(world.private.folder, name, version, "private", **more)


def all_of(*changes: Change) -> Change:
    def change(world: World) -> None:
        for one in changes:
            one(world)

    return change


def has_withdrawn(name: str, version: str) -> Change:
    """The private index has a wheel that was withdrawn (PEP 592), and says so on a page of its own."""

    def publish_it(world: World) -> None:
        file = has(name, version)(world)
        world.private.pages[name] = f'<a href="{world.private.url}/packages/{file.name}" data-yanked="">x</a>'

    return publish_it


def needs(user: str, used: str) -> Change:
    """The app wants acme-beams in one way, which needs acme-core, of which the app says another, or nothing."""

    def want(world: World) -> None:
        tables = [world.index()]
        if used == "index":
            wheel(world.private.folder, "acme-core", "1.0", "private")
        else:
            world.repository("acme-core")
            tables.append(world.from_git("acme-core", strategy=used))
        if user == "index":
            wheel(world.private.folder, "acme-beams", "1.0", "private", needs="acme-core")
            tables.append(world.from_index("acme-beams==1.0"))
        else:
            world.repository("acme-beams", needs=["acme-core"])
            tables.append(world.from_git("acme-beams", strategy=user))
        world.want(*tables)

    return want


def built(
    user: str,
    *,
    prefixes: Sequence[str] = (),
    on_the_index: bool = True,
    locked: bool = False,
    line: str = "acme-beams==1.0",
    scope: str = "extra",
) -> Change:
    """The app wants acme-beams, or has it in its own folder, whose build needs acme-build, which the private index has."""

    def want(world: World) -> None:
        tables = [world.index(scope)]
        if on_the_index:
            wheel(world.private.folder, "acme-build", "1.0", "private")
        files = source("acme-beams", "1.0", "private", (), ["acme-build"])
        if user == SOURCE:
            archive(world.private.folder, "acme-beams", "1.0", files)
            tables.append(world.from_index(line))
            allow(world, "acme-beams")
        elif user == ITSELF:
            for name, text in files.items():
                (world.app / name).write_text(text)
        else:
            world.repository("acme-beams", built_with=["acme-build"])
            tables.append(world.from_git("acme-beams", strategy=user))
        world.want(*tables, prefixes=prefixes)
        if user == ITSELF:
            world.write("-e .")
        if locked:
            world.installs()

    return want


def git_is_built_with_git(world: World) -> None:
    """Both are answers."""
    world.repository("acme-build")
    world.repository("acme-beams", built_with=["acme-build"])
    world.want(world.from_git("acme-build"), world.from_git("acme-beams"))


def built_to_be_resolved(world: World) -> None:
    """A Git package that says its version only when it is built, with what the lock knows."""
    wheel(world.private.folder, "acme-build", "1.0", "private")
    files = source("acme-beams", "1.0", "private", (), ["acme-build"])
    project = files["pyproject.toml"].replace('version = "1.0"', 'dynamic = ["version"]')
    repository(world, "acme-beams", {**files, "pyproject.toml": project, "version.txt": "1.0"})
    world.want(world.index(), world.from_git("acme-beams"))
    world.write("acme-build")
    world.installs()


def allow(world: World, name: str) -> None:
    text = f'[[build]]\nname = "{name}"\nreason = "Ours."\n'
    (world.app / "private-packages.allow.toml").write_text(text)


def a_source_distribution_that_needs(world: World) -> None:
    wheel(world.private.folder, "acme-core", "1.0", "private")
    archive(world.private.folder, "acme-beams", "1.0", source("acme-beams", "1.0", "private", ["acme-core"]))
    allow(world, "acme-beams")
    world.want(world.index(), world.from_index("acme-beams==1.0"))


def that_needs_a_source_distribution(world: World) -> None:
    wheel(world.private.folder, "acme-beams", "1.0", "private", needs="acme-core")
    archive(world.private.folder, "acme-core", "1.0", source("acme-core", "1.0", "private"))
    allow(world, "acme-core")
    world.want(world.index(), world.from_index("acme-beams==1.0"))
    world.installs()


def a_public_package_that_needs(*, on_the_index: bool = True, prefixes: Sequence[str] = ()) -> Change:
    def want(world: World) -> None:
        if on_the_index:
            wheel(world.private.folder, "acme-core", "1.0", "private")
        wheel(world.public.folder, "harmless", "2.0", "public", needs="acme_core")
        world.want(world.index(), world.from_index("acme-units==2.1.0"), prefixes=prefixes)
        world.write("harmless==2.0")

    return want


def a_line_of_one_s_own(world: World) -> None:
    wheel(world.private.folder, "acme-core", "1.0", "private")
    world.want(world.index(), world.from_index("acme-units==2.1.0"))
    world.write("acme-core  # of the colleagues")


def in_all_ways(world: World) -> None:
    """Every strategy, an extra, a marker, needs among them, and what they are built with."""
    for name in ("acme-core", "acme-si", "acme-build"):
        wheel(world.private.folder, name, "1.0", "private")
    extra = "acme-si ; extra == 'si'\nProvides-Extra: si\nRequires-Dist: acme-core ; python_version >= '3'"
    wheel(world.private.folder, "acme-units", "2.1.0", "private", needs=extra)
    world.repository("acme-beams", needs=["acme-core", "acme-loads"], built_with=["acme-build"])
    world.repository("acme-loads", needs=["acme-units", "harmless"])
    world.want(
        world.index(),
        world.from_index("Acme_Units[si]==2.1.0 ; python_version >= '3.11'"),
        world.submodule("acme-beams"),
        world.from_git("acme-loads"),
        prefixes=["acme-"],
    )
    world.write("harmless")


PIN = wants("acme-units==2.1.0")
RANGE = wants("acme-units>=2")
ONLY = wants("acme-units==2.1.0", scope="only")
EXTRA = wants(
    "acme-units[si]==2.1.0",
    private=all_of(
        has("acme-units", "2.1.0", needs="acme-si ; extra == 'si'\nProvides-Extra: si"), has("acme-si", "1.0")
    ),
)


# --- what a stranger does ---


def published(name: str, version: str, **more: str) -> Change:
    return lambda world: publish(world, name, version, **more)


def an_sdist(world: World, name: str, version: str, needs: str = "dependencies = []") -> None:
    """Let a stranger publish a source distribution, whose build is noticed."""
    files = source(name, version, "public")
    files["backend.py"] = f"open({str(witness(world))!r}, 'w').close()\n{files['backend.py']}"
    files["pyproject.toml"] = files["pyproject.toml"].replace("dependencies = []", needs)
    archive(world.public.folder, name, version, files)


def a_source_distribution(world: World) -> None:
    an_sdist(world, "acme-units", "2.1.0+zzz")


def one_that_is_built_to_be_resolved(world: World) -> None:
    """It says what it needs only when it is built."""
    an_sdist(world, "acme-core", "1.0", 'dynamic = ["dependencies"]')


def merged(world: World) -> None:
    """The private index begins to offer what the public one has."""
    world.private.merged = world.public.folder


def linked(world: World) -> None:
    """The private index's page begins to name a stranger's file."""
    pages = [(world.private, WHEEL), (world.public, WHEEL.replace("-py3", "-9-py3"))]
    world.private.pages["acme-units"] = "".join(
        f'<a href="{index.url}/packages/{name}#sha256={sha256(index.folder / name)}">x</a>\n'
        for index, name in pages
    )


def answers_with(**faults: Faults) -> Change:
    return lambda world: world.private.faults_of.update(
        {name.replace("_", "-"): one for name, one in faults.items()}
    )


def has_sources_of_its_own(world: World) -> None:
    """A Git package tells uv where what it needs comes from; pip reads nothing of that."""
    text = source("acme-beams", "1.0", "private", ["acme-core"])["pyproject.toml"]
    text += f'[tool.uv.sources]\nacme-core = {{ url = "{world.public.url}/packages/acme_core-1.0-py3-none-any.whl" }}\n'
    commit(world.git.path_of("acme-beams"), {"pyproject.toml": text}, tag="v2")
    world.want(world.index(), world.from_git("acme-beams", "v2"))


def configured(name: str, text: str) -> Change:
    """A file of settings in the app's folder."""
    return lambda world: (world.app / name).write_text(of(world, text))


def of(world: World, text: str) -> str:
    """A text with the places of the public index."""
    return text.replace("PUBLIC", world.public.simple_url).replace("LINKS", str(world.public.folder))


@dataclass(frozen=True)
class Attack:
    """What an app wants, what then happens, and what that comes to.

    pip, uv: where plain pip and plain uv take the package from; uv is asked where it differs from what it is to do.
    runs: plain pip runs the stranger's code; uv_runs: and so does plain uv, where it is asked.
    check: what the check says while it goes on; viktor: with what it stops where VIKTOR runs plain pip.
    pip_on_viktor: where plain pip takes the package from, for VIKTOR's lines.
    stops: with what check and install stop; without it, install installs the private file.
    stays: install has nothing to build, so that it stops in a new environment alone.
    machine: what the machine is set to.
    """

    wants: Change
    happens: Change
    package: str = "acme-units"
    pip: str = "public"
    uv: str = ""
    runs: bool = False
    uv_runs: bool = False
    check: str = "warning: {package}: a public index offers"
    viktor: str = "STOP {package}: a public index offers"
    pip_on_viktor: str = ""
    stops: str = ""
    stays: bool = False
    machine: Mapping[str, str] = field(default_factory=dict)


def silent(wants: Change, happens: Change, package: str = "acme-units", **more: Any) -> Attack:
    """Nothing is said, because plain pip is right, or because nobody else is concerned."""
    return Attack(wants, happens, package, **{"check": "", "viktor": "", **more})


NEW_FILE = {
    "uv": "public",
    "check": "note: acme-units: the private index offers acme_units-2.1.0-9-py3-none-any.whl, which is not the file",
    "viktor": "STOP acme-units: the private index offers acme_units-2.1.0-9-py3-none-any.whl, which is not the file",
}
WAYS = ("index", "git", "submodule")
SOURCE, ITSELF = "a source distribution", "the app itself"


def need(user: str, used: str) -> Attack:
    """A stranger publishes a higher version of what a package needs, and says no version of."""
    happens = published("acme-core", "99.0.0")
    if used == "index":
        return Attack(needs(user, used), happens, "acme-core")
    if used == "submodule" and user != "submodule":
        viktor = "STOP acme-core: another package needs it, and VIKTOR would look for it on PyPI"
        return silent(
            needs(user, used), happens, "acme-core", pip="private", viktor=viktor, pip_on_viktor="public"
        )
    return silent(needs(user, used), happens, "acme-core", pip="private")


TAGGED = published("acme-units", "2.1.0", build="9")
LOCAL = published("acme-units", "2.1.0+zzz")
CORE = published("acme-core", "99.0.0")
BUILD = published("acme-build", "99.0.0")


def built_with(wants: Change, happens: Change = BUILD, **more: Any) -> Attack:
    """A stranger publishes what acme-beams is built with, which plain pip runs."""
    said = {
        "check": "warning: acme-build: a public index offers",
        "viktor": "STOP acme-build: a public index offers",
    }
    return Attack(wants, happens, "acme-beams", pip="private", runs=True, **{**said, **more})


ATTACKS: dict[str, Attack] = {
    # What is published beside an exact pin.
    "a build tag": Attack(PIN, TAGGED),
    "a wheel for this platform": Attack(PIN, published("acme-units", "2.1.0", tag=PLATFORM)),
    "a local version": Attack(PIN, LOCAL),
    "a source distribution": Attack(PIN, a_source_distribution, runs=True),
    "a higher version": silent(PIN, published("acme-units", "99.0.0"), pip="private"),
    "the very same file name": Attack(PIN, published("acme-units", "2.1.0"), pip="private"),
    "another spelling of the name": Attack(PIN, published("Acme.Units", "2.1.0", build="9")),
    "a line in another spelling": Attack(
        wants("Acme.Units==2.1.0"),
        LOCAL,
        check="warning: Acme.Units: a public index offers",
        viktor="STOP Acme.Units: a public index offers",
    ),
    "a line with a marker": Attack(wants("acme-units==2.1.0 ; python_version >= '3.11'"), LOCAL),
    "our file is withdrawn": Attack(
        wants("acme-units==2.1.0", private=has_withdrawn("acme-units", "2.1.0")),
        published("acme-units", "2.1.0"),
    ),
    "our own pre-release": Attack(
        wants("acme-units==3.0rc1", private=has("acme-units", "3.0rc1")),
        published("acme-units", "3.0rc1", build="9"),
    ),
    "our own local version": Attack(
        wants("acme-units==2.1.0+acme.1", private=has("acme-units", "2.1.0+acme.1")),
        published("acme-units", "2.1.0+acme.1", build="9"),
    ),
    # And where more than one version will do.
    "a range": Attack(RANGE, published("acme-units", "99.0.0")),
    "a pre-release that a range allows": Attack(
        wants("acme-units>=2.1.0rc1"), published("acme-units", "3.0rc1")
    ),
    # What others need.
    "an extra": Attack(EXTRA, published("acme-si", "99.0.0"), "acme-si"),
    **{f"{user} needs {used}": need(user, used) for user in WAYS for used in WAYS},
    "a source distribution needs index": Attack(a_source_distribution_that_needs, CORE, "acme-core"),
    "a public package needs index": Attack(a_public_package_that_needs(), CORE, "acme-core"),
    "a line of one's own": Attack(a_line_of_one_s_own, CORE, "acme-core"),
    "a private prefix that the index does not have": Attack(
        a_public_package_that_needs(on_the_index=False, prefixes=["acme-"]),
        CORE,
        "acme-core",
        stops="STOP acme-core: 99.0.0 would come from",
    ),
    "sources of its own": silent(
        needs("git", "index"),
        all_of(published("acme-core", "1.0"), has_sources_of_its_own),
        "acme-core",
        pip="private",
        uv="public",
        stops="STOP acme-core: it would come from",
    ),
    # What others are built with.
    "submodule is built with index": built_with(built("submodule"), viktor=""),
    "git is built with index": built_with(built("git")),
    f"{SOURCE} is built with index": built_with(built(SOURCE)),
    f"{SOURCE} of a range is built with index": built_with(built(SOURCE, line="acme-beams>=0.9")),
    f"{ITSELF} is built with index": built_with(built(ITSELF)),
    "git is built with index, whose files are named": built_with(
        built("git", scope="files"),
        check="warning: acme-build: a package is built with it, and plain pip would look for it on PyPI",
        viktor="STOP acme-build: a package is built with it, and VIKTOR runs plain pip",
    ),
    "git is built with git": built_with(
        git_is_built_with_git,
        check="warning: acme-build: a package is built with it, and plain pip would look for it on PyPI",
        viktor="STOP acme-build: a package is built with it, and VIKTOR runs plain pip",
    ),
    **{
        f"{user} is built with a private prefix": built_with(
            built(user, prefixes=["acme-"], on_the_index=False),
            # uv leaves an editable package where it is.
            uv="" if user == "submodule" else "private",
            uv_runs=True,
            stops="STOP acme-build: 99.0.0 would come from",
        )
        for user in ("submodule", "git", SOURCE)
    },
    "the index has lost what submodule is built with": built_with(
        built("submodule", locked=True),
        all_of(BUILD, answers_with(acme_build=Faults(status=404))),
        stops="STOP acme-build: 99.0.0 would come from",
        stays=True,
    ),
    **{
        f"the index has lost what git is built with, and {version} is public": built_with(
            built_to_be_resolved,
            all_of(published("acme-build", version), answers_with(acme_build=Faults(status=404))),
            stops=f"STOP acme-build: {version} would ",
        )
        for version in ("1.0", "99.0.0")
    },
    f"the index has lost {SOURCE} that another package needs": Attack(
        that_needs_a_source_distribution,
        all_of(one_that_is_built_to_be_resolved, answers_with(acme_core=Faults(status=404))),
        "acme-core",
        uv="public",
        runs=True,
        uv_runs=True,
        stops="STOP acme-core: nobody can say what it is built with: 127.0.0.1:",
    ),
    # The private index offers more than it did.
    "an index that merges": Attack(ONLY, all_of(TAGGED, merged), **NEW_FILE),
    "an index that merges, beside PyPI": Attack(PIN, all_of(TAGGED, merged), **NEW_FILE),
    "an index that merges, and a range": Attack(
        all_of(wants("acme-units>=2", scope="only"), World.installs),
        all_of(published("acme-units", "99.0.0"), merged),
        uv="public",
        check="warning: acme-units: the private index offers 99.0.0, which the lock does not know",
        viktor="STOP acme-units: the private index offers 99.0.0, which the lock does not know",
    ),
    "a page that links elsewhere": Attack(PIN, all_of(TAGGED, linked), **NEW_FILE),
    "the index has lost it": Attack(
        PIN,
        all_of(a_source_distribution, answers_with(acme_units=Faults(status=404))),
        runs=True,
        stops="STOP acme-units: 127.0.0.1:",
    ),
    # What the machine, or a file of settings in the app, says.
    "pip.conf": silent(
        ONLY,
        all_of(TAGGED, configured("pip.conf", "[install]\nfind-links = LINKS\n")),
        machine={"PIP_CONFIG_FILE": "pip.conf"},
    ),
    "PIP_FIND_LINKS": silent(ONLY, TAGGED, machine={"PIP_FIND_LINKS": "LINKS"}),
    "UV_INDEX_STRATEGY": Attack(PIN, LOCAL, uv="public", machine={"UV_INDEX_STRATEGY": "unsafe-best-match"}),
    "UV_INDEX": Attack(PIN, LOCAL, uv="public", machine={"UV_INDEX": "PUBLIC"}),
    "UV_FIND_LINKS": Attack(PIN, LOCAL, uv="public", machine={"UV_FIND_LINKS": "LINKS"}),
    "UV_OVERRIDE": silent(
        PIN,
        all_of(
            published("acme-units", "99.0.0"),
            configured("o.txt", "acme-units @ PUBLIC../packages/acme_units-99.0.0-py3-none-any.whl"),
        ),
        pip="private",
        uv="public",
        machine={"UV_OVERRIDE": "o.txt"},
    ),
    "uv.toml": Attack(
        PIN,
        all_of(LOCAL, configured("uv.toml", '[pip]\nfind-links = ["LINKS"]\n')),
        uv="public",
        machine={"UV_NO_CONFIG": "false"},
    ),
    "pyproject.toml": Attack(
        PIN,
        all_of(LOCAL, configured("pyproject.toml", '[tool.uv.pip]\nfind-links = ["LINKS"]\n')),
        uv="public",
        machine={"UV_NO_CONFIG": "false"},
    ),
}


@pytest.mark.slow
def test_without_a_stranger_check_and_install_succeed_and_say_nothing(bare: World, pips: Pips):
    """Every strategy, an extra, a marker, needs among them, and what they are built with."""
    in_all_ways(bare)
    names = ("acme-units", "acme-beams", "acme-loads", "acme-core", "acme-si")
    for python in pips.values():
        takes = pip_takes(bare, python)
        assert {takes[name] for name in names} == {"private"}
    done = bare.command("check")
    assert (done.returncode, told(done.stderr)) == (0, "")
    bare.installs()
    assert {bare.origin(name) for name in names} == {"private"}
    for name in ("acme-core", "acme-si", "acme-build"):
        assert f'name = "{name}"\nstrategy = "index"\nversion = "1.0"\n' in bare.lock
    bare.installs("--locked")


@pytest.mark.slow
@pytest.mark.parametrize("attack", ATTACKS)
def test_whatever_a_stranger_does_the_private_file_is_installed_or_nothing(
    bare: World, pips: Pips, attack: str
):
    """Plain pip and uv take the stranger's; nothing of the stranger's runs; `check` names what plain pip might take."""
    one = ATTACKS[attack]
    machine = {name: of(bare, value) for name, value in one.machine.items()}
    one.wants(bare)
    one.happens(bare)
    for python in pips.values():
        witness(bare).unlink(missing_ok=True)
        assert taken_by_pip(bare, python, one.package, **machine) == one.pip
        assert witness(bare).exists() == one.runs
    if one.uv:
        witness(bare).unlink(missing_ok=True)
        assert taken_by_uv(bare, package=one.package, **machine) == one.uv
        assert witness(bare).exists() == one.uv_runs
    witness(bare).unlink(missing_ok=True)
    if one.stops:
        assert one.stops in bare.stops("check", **machine)
        if one.stays:
            assert bare.command("install", **machine).returncode == 0
            assert not witness(bare).exists()
            bare.make_environment()
        assert one.stops in bare.stops("install", **machine)
        assert bare.origin(one.package) != "public"
    else:
        done = bare.command("check", **machine)
        assert done.returncode == 0, done.stderr
        words = one.check.format(package=one.package)
        assert words in told(done.stderr) if words else told(done.stderr) == ""
        done = bare.command("install", **machine)
        assert done.returncode == 0, done.stderr
        assert bare.origin(one.package) == "private"
    assert not witness(bare).exists()
    if one.stops:
        return
    becomes_one_of_viktor_s(bare)
    if one.pip_on_viktor:
        assert taken_by_pip(bare, pips["newest"], one.package) == one.pip_on_viktor
    done = bare.command("check", **machine)
    assert done.returncode == bool(one.viktor), done.stderr
    assert one.viktor.format(package=one.package) in done.stderr
    assert not witness(bare).exists()


# Where uv installs, these are right or told in another way than where requirements.txt says what is wanted.
_NEW_FILE = "STOP acme-units: uv.lock has a file of 2.1.0 that private-packages.lock does not know"
BY_UV = {
    "an index that merges": _NEW_FILE,
    "an index that merges, beside PyPI": _NEW_FILE,
    "a page that links elsewhere": _NEW_FILE,
    "our file is withdrawn": "STOP acme-units: the private index gives no sha256 of its files",
    "git is built with git": "STOP acme-build: a package is built with it, and uv would look for it on PyPI",
}
# It would take the place of the project itself.
_NOT_OF_UV = {"pyproject.toml"}


@pytest.mark.slow
@pytest.mark.parametrize("attack", [one for one in ATTACKS if one not in _NOT_OF_UV])
def test_whatever_a_stranger_does_uv_installs_the_private_file_or_nothing(bare: World, attack: str):
    """uv.lock is made before and after the stranger comes; nothing of the stranger's runs."""
    one = ATTACKS[attack]
    world = bare.by_uv()
    machine = {name: of(bare, value) for name, value in one.machine.items()}
    one.wants(world)
    one.happens(world)
    stops = BY_UV.get(attack, one.stops)
    if stops:
        assert stops in world.stops("check", **machine)
        assert stops in world.stops("install", **machine)
        assert world.origin(one.package) != "public"
    else:
        done = world.command("install", **machine)
        assert done.returncode == 0, done.stderr
        assert world.origin(one.package) == "private"
    assert not witness(world).exists()


DIRTY = {
    "index": (PIN, "acme-units", "2.1.0"),
    "what index needs": (needs("index", "index"), "acme-core", "1.0"),
    "git": (needs("index", "git"), "acme-core", "1.0"),
    "submodule": (needs("index", "submodule"), "acme-core", "1.0"),
}


@pytest.mark.slow
@pytest.mark.parametrize("way", DIRTY)
def test_a_stranger_s_file_that_is_installed_already_is_replaced(bare: World, pips: Pips, way: str):
    """The installers see the version that is wanted, and leave it, where it is one of the index."""
    want, name, version = DIRTY[way]
    want(bare)
    bare.put(wheel(bare.scratch / "stranger", name, version, "public"))
    if "index" in way:
        for command in ((uv.find_uv_bin(), "pip"), (pips["newest"], "-m", "pip", "--python", bare.python)):
            options = ("--python", bare.python) if command[0] == uv.find_uv_bin() else ()
            done = bare.run(*command, "install", *options, "-r", "requirements.txt")
            assert done.returncode == 0, done.stderr
            assert bare.origin(name) == "public"
    bare.installs()
    assert bare.origin(name) == "private"


# --- the private index fails ---

WRONG = {
    "a wrong login": (
        {"ACME_USER": "builder", "ACME_PASSWORD": "wrong"},
        "refuses the login from ACME_USER and ACME_PASSWORD (403); set a valid one with"
        " `python -m private_packages login --again ACME_USER --again ACME_PASSWORD`",
    ),
    "an empty login": ({"ACME_USER": "builder", "ACME_PASSWORD": ""}, "ACME_PASSWORD has no value"),
    "no login": ({"ACME_USER": "builder"}, "ACME_PASSWORD has no value"),
}


@pytest.mark.slow
@pytest.mark.parametrize("login", WRONG)
def test_without_a_valid_login_plain_pip_takes_the_stranger_s_package_and_the_command_stops(
    here: World, pips: Pips, login: str
):
    """Although the requirement is an exact pin."""
    publish(here, "acme-units", "2.1.0")
    variables, words = WRONG[login]
    outside = here.outside(**variables)
    assert {taken_by_pip(outside, python) for python in pips.values()} == {"public"}
    here.private.clear()
    for command in ("check", "install"):
        said = outside.stops(command)
        assert words in said
        assert "python -m private_packages login" in said
    assert (login == "a wrong login") == bool(here.private.requests)


FAULTS: dict[str, tuple[Faults | None, str]] = {
    "401, as for an expired token": (Faults(status=401), "refuses the login from ACME_USER"),
    "403": (Faults(status=403), "refuses the login from ACME_USER"),
    "404": (Faults(status=404), "does not have it (404)"),
    "500": (Faults(status=500), "answers with 500"),
    "a silent server": (Faults(hang=True), "does not answer (timed out)"),
    "a cut connection": (Faults(cut_after=20), "broke in the middle"),
    "a stall in the answer": (Faults(stall_after=20), "broke in the middle"),
    "a page cut short": (Faults(truncate_after=20), "does not offer 2.1.0 any more"),
    "a redirect to another host": (Faults(redirect_to="public"), "sends the question on to"),
    "no server at all": (None, "does not answer"),
}
# Newer releases of pip stop by themselves here.
PIP_MAY_GIVE_UP = {"a cut connection", "a stall in the answer"}


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_when_the_private_index_fails_plain_pip_takes_the_stranger_s_package_and_the_command_stops(
    here: World, pips: Pips, fault: str
):
    publish(here, "acme-units", "2.1.0")
    faults, words = FAULTS[fault]
    if faults is None:
        here.private.stop()
    else:
        here.private.faults = Faults(redirect_to=here.public.url) if faults.redirect_to else faults
    for version, python in pips.items():
        by_pip = taken_by_pip(here, python)
        assert by_pip == "public" or (version == "newest" and fault in PIP_MAY_GIVE_UP)
    here.public.clear()
    for command in ("check", "install"):
        said = here.stops(command)
        assert "STOP acme-units: " in said
        assert words in said
    assert not [one for one in here.public.requests if one.user], "the credentials went to another host"


@pytest.mark.slow
def test_uv_takes_the_first_index_that_has_the_name_and_falls_through_on_404_only(here: World):
    """What the command builds on, and why it asks the private index itself before."""
    publish(here, "acme-units", "2.1.0", build="9")
    assert taken_by_uv(here) == "private"
    for status, by_uv in ((401, "nothing"), (403, "nothing"), (404, "public")):
        here.private.faults = Faults(status=status)
        assert (status, taken_by_uv(here)) == (status, by_uv)
    here.private.faults = Faults()
    publish(here, "acme-units", "2.1.0+zzz")
    assert taken_by_uv(here) == "private"
    assert taken_by_uv(here, "--index-strategy", "unsafe-best-match") == "public"


@pytest.mark.slow
def test_with_the_scope_only_nothing_public_is_asked_whatever_is_there(here: World, pips: Pips):
    publish(here, "acme-units", "99.0.0")
    here.want(here.index("only"), here.from_index("acme-units>=2"))
    assert {taken_by_pip(here, python) for python in pips.values()} == {"private"}
    here.public.clear()
    here.installs()
    assert here.origin("acme-units") == "private"
    expired = here.outside(**WRONG["a wrong login"][0])
    assert taken_by_pip(expired, pips["newest"]) == "nothing"
    assert "refuses the login" in expired.stops("install")
    here.private.faults = Faults(status=404)
    assert "does not have it (404)" in here.stops("install")
    assert here.public.requests == []


# Where a company names its authority.
AUTHORITIES = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


@pytest.mark.parametrize(
    "place", ["SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "PIP_CONFIG_FILE", "the user's pip.conf"]
)
def test_a_certificate_authority_that_pip_knows_is_known_to_the_command(
    bare: World, pips: Pips, place: str, tmp_path: Path
):
    """Companies give it to pip; without it nothing is trusted."""
    certificate = self_signed_certificate(tmp_path, "127.0.0.1")
    user = LOGINS["ACME_USER"], LOGINS["ACME_PASSWORD"]
    with IndexHost(bare.private.folder, *user, certificate=certificate) as index:
        bare.want()
        toml = bare.app / "private-packages.toml"
        table = bare.index("only").replace(
            bare.private.url.partition("://")[2], index.url.partition("://")[2]
        )
        toml.write_text(
            toml.read_text() + table.replace("http:", "https:") + bare.from_index("acme-units==2.1.0")
        )
        assert bare.command("sync").returncode == 1
        # The machine of the tests may have its own.
        trusted = dict.fromkeys(AUTHORITIES, "")
        settings = tmp_path / ("pip.ini" if os.name == "nt" else "pip.conf")
        if place in AUTHORITIES:
            trusted[place] = str(certificate)
        elif place == "PIP_CONFIG_FILE":
            trusted[place] = str(settings)
        else:
            home = "APPDATA" if os.name == "nt" else "XDG_CONFIG_HOME"
            trusted |= {"PIP_CONFIG_FILE": "", home: str(tmp_path / "home")}
            settings = tmp_path / "home" / "pip" / settings.name
        settings.parent.mkdir(parents=True, exist_ok=True)
        settings.write_text(f"[global]\ncert = {certificate}\n")
        assert bare.command("sync", **trusted).returncode == 0
        if place != "SSL_CERT_FILE":
            assert {taken_by_pip(bare, python, **trusted) for python in pips.values()} == {"private"}
        assert bare.command("install", **trusted).returncode == 0
        assert bare.origin("acme-units") == "private"
        assert "CERTIFICATE_VERIFY_FAILED" in bare.stops("check")


# A backend of the program `keyring` that keeps its logins in a file.
KEYRING = """
import json, os
from keyring.backend import KeyringBackend
from keyring.credentials import SimpleCredential

class Backend(KeyringBackend):
    priority = 1

    def get_credential(self, service, username):
        found = json.loads(open(os.environ["KEPT"]).read()).get(service)
        return SimpleCredential(*found) if found else None

    def get_password(self, service, username):
        found = self.get_credential(service, username)
        return found.password if found else None

    def set_password(self, service, username, password):
        raise NotImplementedError
"""


@pytest.fixture(scope="module")
def keyring(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment in which the program `keyring` of PyPI asks that backend."""
    folder = tmp_path_factory.mktemp("keyring")
    for command in (
        ["venv", "--quiet", "--python", sys.executable, str(folder / "env")],
        ["pip", "install", "--quiet", "--python", str(folder / "env"), "keyring>=25.2"],
    ):
        subprocess.run([uv.find_uv_bin(), *command], cwd=folder, check=True)
    (folder / "kept.py").write_text(KEYRING)
    programs = folder / "env" / ("Scripts" if os.name == "nt" else "bin")
    return {
        "PATH": os.pathsep.join([str(programs), str(Path(uv.find_uv_bin()).parent), os.environ["PATH"]]),
        "PYTHONPATH": str(folder),
        "PYTHON_KEYRING_BACKEND": "kept.Backend",
        "KEPT": str(folder / "kept.json"),
    }


LOGIN_PLACES = ("~/.netrc", "UV_KEYRING_PROVIDER", "PIP_KEYRING_PROVIDER", "pip.conf")


@pytest.mark.slow
@pytest.mark.parametrize("place", LOGIN_PLACES)
def test_a_login_that_the_machine_keeps_is_used_by_the_command(
    bare: World, pips: Pips, keyring: dict[str, str], place: str, tmp_path: Path
):
    """The address of the index holds none; without the login plain pip takes the stranger's."""
    publish(bare, "acme-units", "2.1.0", build="9")
    table = bare.index().replace("${ACME_USER}:${ACME_PASSWORD}@", "")
    toml = bare.want().app / "private-packages.toml"
    toml.write_text(toml.read_text() + table + bare.from_index("acme-units==2.1.0"))
    none = {**keyring, "NETRC": str(tmp_path / "none")}
    said = bare.command("sync", **none).stderr
    assert "wants a login (401), and none is in the address of the index or in ~/.netrc" in said
    assert "set UV_KEYRING_PROVIDER to subprocess" in said
    assert taken_by_pip(bare, pips["newest"], PIP_NO_INPUT="1", **none) == "public"
    user = [LOGINS["ACME_USER"], LOGINS["ACME_PASSWORD"]]
    kept = {bare.private.simple_url: user} if place == "UV_KEYRING_PROVIDER" else {bare.private.url[7:]: user}
    Path(keyring["KEPT"]).write_text(json.dumps(kept))
    # Switched off it is not asked.
    assert "wants a login (401)" in bare.command("sync", **none).stderr
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login {} password {}\n".format(*user))
    (tmp_path / "pip.conf").write_text("[global]\nkeyring-provider = subprocess\n")
    machine = none | {
        "~/.netrc": {"NETRC": str(tmp_path / "netrc")},
        "pip.conf": {"PIP_CONFIG_FILE": str(tmp_path / "pip.conf")},
    }.get(place, {place: "subprocess"})
    assert bare.command("sync", **machine).returncode == 0
    if place != "UV_KEYRING_PROVIDER":
        (bare.public.folder / WHEEL.replace("-py3", "-9-py3")).unlink()
        assert taken_by_pip(bare, pips["newest"], **machine) == "private"
    done = bare.command("install", **machine)
    assert done.returncode == 0, done.stderr
    assert bare.origin("acme-units") == "private"
    assert "wants a login (401)" in bare.stops("check", **none)
    wrong = {key: ["builder", "wrong"] for key in kept}
    Path(keyring["KEPT"]).write_text(json.dumps(wrong))
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login builder password wrong\n")
    where = "~/.netrc" if place == "~/.netrc" else "your keyring"
    assert f"refuses the login from {where} (403); correct it there" in bare.stops("check", **machine)


# --- source distributions ---


def test_a_version_that_only_the_stranger_has_is_not_taken(here: World, tmp_path: Path):
    sdist(here.public.folder, "acme-units", "2.2.0", tmp_path / "executed")
    publish(here, "acme-units", "2.2.0", build="9")
    toml = here.app / "private-packages.toml"
    toml.write_text(toml.read_text().replace("==2.1.0", "==2.2.0"))
    assert "acme-units: the private index offers no file of version 2.2.0; it has 2.1.0, 2.0.0" in here.stops(
        "install"
    )
    assert not (tmp_path / "executed").exists()


def test_a_private_package_without_wheels_is_built_only_when_that_is_allowed_with_a_reason(here: World):
    (here.private.folder / WHEEL).unlink()
    archive(here.private.folder, "acme-units", "2.1.0", source("acme-units", "2.1.0", "private"))
    here.want(here.index(), here.from_index("acme-units==2.1.0"))
    (here.app / "private-packages.lock").unlink()
    said = here.stops("install")
    assert "acme-units has no wheel, and building it from source runs its code." in said
    allow = here.app / "private-packages.allow.toml"
    allow.write_text('[[build]]\nname = "Acme_Units"\n')
    assert "`Acme_Units` has no reason" in here.stops("install")
    allow.write_text('[[build]]\nname = "Acme_Units"\nreason = "Ours, and there is no wheel yet."\n')
    here.installs()
    assert here.origin("acme-units") == "private"


@pytest.mark.parametrize("kind", ["a repository", "a source distribution"])
def test_what_is_not_among_the_answers_is_built_only_when_that_is_allowed(
    here: World, kind: str, tmp_path: Path
):
    witness = tmp_path / "executed"
    backend = f"open({str(witness)!r}, 'w').close()\n" + source("acme-tool", "1.0", "private")["backend.py"]
    files = {**source("acme-tool", "1.0", "private"), "backend.py": backend}
    if kind == "a repository":
        here.git.tokens["acme-tool"] = None
        repository(here, "acme-tool", files)
        here.write(f"acme-tool @ git+{here.git.url_of('acme-tool')}@v1")
    else:
        archive(here.public.folder, "acme-tool", "1.0", files)
        here.write("acme-tool==1.0")
    for command in ("check", "install"):
        said = here.stops(command)
        assert "acme-tool" in said
        assert "runs its code" in said
        assert "[[build]]" in said
    assert not witness.exists()
    (here.app / "private-packages.allow.toml").write_text(
        '[[build]]\nname = "acme-tool"\nreason = "Read it."\n'
    )
    here.installs()
    assert witness.exists()
    assert here.origin("acme-tool") == "private"


def repository(world: World, name: str, files: dict[str, str]) -> Path:
    """A repository of other files than usual."""
    world.repository(name)
    path = world.git.path_of(name)
    commit(path, files, tag="v1")
    return path


# --- what others need ---


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Faults(status=401), "The index {private} refuses the login"),
        (Faults(status=403), "The index {private} refuses the login"),
        (Faults(status=500), "{private}acme-core/ does not answer as it should"),
        (Faults(hang=True), "{private}acme-core/ does not answer as it should"),
        (Faults(status=404), "STOP acme-core: 99.0.0 would come from"),
    ],
    ids=lambda one: str(one.status or "silence") if isinstance(one, Faults) else "",
)
def test_when_the_index_fails_for_what_a_private_package_needs_everything_stops(
    here: World, fault: Faults, words: str
):
    """The index answers for acme-units as ever."""
    wheel(here.private.folder, "acme-core", "1.0", "private")
    wheel(here.private.folder, "acme-units", "2.1.0", "private", needs="acme-core")
    (here.app / "private-packages.lock").unlink()
    here.want(here.index(), here.from_index("acme-units==2.1.0"))
    here.installs()
    publish(here, "acme-core", "99.0.0")
    here.private.faults_of = {"acme-core": fault}
    assert words.format(private=here.private.simple_url) in here.stops("install")
    assert not [one for one in here.public.requests if one.user]


def test_a_submodule_that_nobody_can_install_is_not_looked_for_elsewhere(here: World, tmp_path: Path):
    """It has neither pyproject.toml nor setup.py, so the name is free, and another package needs it."""
    path = here.repository("acme-beams")
    commit(
        path, {"pyproject.toml": None, "backend.py": None, "acme_beams.py": "ORIGIN = 'private'\n"}, tag="v1"
    )
    wheel(here.private.folder, "acme-units", "2.1.0", "private", needs="acme-beams")
    (here.app / "private-packages.lock").unlink()
    here.want(here.index(), here.from_index("acme-units==2.1.0"), here.submodule("acme-beams"))
    sdist(here.public.folder, "acme-beams", "99.0.0", tmp_path / "executed")
    assert "acme-beams has no wheel" in here.stops("install")
    publish(here, "acme-beams", "99.0.0")
    said = here.stops("install")
    assert "STOP acme-beams: 99.0.0 would come from" in said
    assert "Tell your security team" in said
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("way", [*WAYS, "submodule on VIKTOR"])
def test_a_public_name_that_a_private_package_needs_is_shown_once_for_a_decision(bare: World, way: str):
    """It may be a library, or a name that the company uses and a stranger took."""
    publish(bare, "helper", "1.0")
    needing = ["Helper", "harmless"]
    if way == "index":
        wheel(bare.private.folder, "acme-beams", "1.0", "private", needs="\nRequires-Dist: ".join(needing))
        table = bare.from_index("acme-beams==1.0")
    else:
        bare.repository("acme-beams", needs=needing)
        table = bare.from_git("acme-beams", strategy=way.split()[0])
    on = {"platform": "viktor"} if way == "submodule on VIKTOR" else {}
    bare.want(bare.index(), table, **on)
    bare.write("harmless  # chosen by a person")
    user = "a submodule" if on else "acme-beams"
    before = bare.lock
    assert "note: helper, which" in bare.command("check", "--locked").stderr
    assert bare.lock == before
    said = bare.command("check", "--quiet").stderr
    assert said.startswith(
        f"note: helper, which {user} needs, comes from a public index, from whoever holds the name"
    )
    assert "publish it on the private index, or make it one of the answers" in said
    assert 'public = [\n    "helper",\n]\n' in bare.lock
    assert "note:" not in bare.command("check").stderr
    assert "note:" not in bare.command("check", "--locked").stderr
    # Nobody needs it any more.
    if way == "index":
        wheel(bare.private.folder, "acme-beams", "2.0", "private", needs="later")
        publish(bare, "later", "1.0")
        bare.want(bare.index(), bare.from_index("acme-beams==2.0"))
        assert "note: later, which acme-beams needs" in bare.installs()
        assert "helper" not in bare.lock


def test_a_private_name_of_which_nothing_says_so_comes_from_the_public_index_and_is_shown(bare: World):
    """What docs/security.md warns of: no answer, no prefix and no private index knows it."""
    wheel(bare.private.folder, "acme-units", "2.1.0", "private", needs="acme-ghost")
    publish(bare, "acme-ghost", "1.0")
    bare.want(bare.index(), bare.from_index("acme-units==2.1.0"))
    assert "note: acme-ghost, which acme-units needs, comes from a public index" in bare.installs()
    assert bare.origin("acme-ghost") == "public"
    bare.want(bare.index(), bare.from_index("acme-units==2.1.0"), prefixes=["acme-"])
    assert "STOP acme-ghost: 1.0 would come from" in bare.stops("install")


# --- the user's own lines ---


def replaced(old: str, new: str) -> Change:
    """Replace a text in requirements.txt."""
    return lambda world: world.requirements.write_text(world.requirements.read_text().replace(old, new))


def written(*lines: str) -> Change:
    """Write lines of one's own."""
    return lambda world: world.write(*(line.replace("PUBLIC", world.public.simple_url) for line in lines))


def included(text: str) -> Change:
    """Write a file, and a line that includes it."""

    def change(world: World) -> None:
        (world.app / "other.txt").write_text(text.replace("PUBLIC", world.public.simple_url))
        world.write("-r other.txt")

    return change


# What a change request does to requirements.txt, so that plain pip takes a stranger's 99.0.0, and what is said.
CHANGES: dict[str, tuple[Change, str]] = {
    "another version": (replaced("==2.1.0", "==99.0.0"), "requirements.txt is not what sync writes"),
    "a loosened pin": (replaced("==2.1.0", ">=2"), "requirements.txt is not what sync writes"),
    "a line less, and one's own": (
        lambda world: (replaced("acme-units==2.1.0\n", "")(world), world.write("acme-units")),
        "requirements.txt is not what sync writes",
    ),
    "an address": (
        lambda world: (
            replaced("acme-units==2.1.0\n", "")(world),
            world.write(f"acme-units @ {world.public.url}/packages/acme_units-99.0.0-py3-none-any.whl"),
        ),
        "requirements.txt is not what sync writes",
    ),
    "another index": (
        lambda world: (
            replaced("acme-units==2.1.0\n", "")(world),
            included("--index-url PUBLIC\nacme-units\n")(world),
        ),
        "requirements.txt is not what sync writes",
    ),
}


@dataclass(frozen=True)
class Line:
    """What a change request writes beside the block, which stays as it is, and what is said of it (a pattern).

    pip: what plain pip does then, which takes the private file before: it takes the "public" one, "runs" the
    stranger's code or "sends" the login to the stranger; or the line does no harm by itself, so it goes on with the
    "private" file, or gives up with "nothing".
    """

    writes: Change
    words: str
    pip: str = "public"
    wants: str = "only"


def a_second(line: str) -> Change:
    """A line of the name that the block has, with another address."""
    return written(*line.format(f"@ {THEIRS}").splitlines())


def beside(name: str, text: str, line: str) -> Change:
    """A file in the app's folder, and a line that names it."""
    return all_of(configured(name, text), written(line))


def the_stranger_s_file(line: str) -> Change:
    def change(world: World) -> None:
        name = WHEEL.replace("-py3", "-9-py3")
        shutil.copy(world.public.folder / name, world.app)
        world.write(line + name)

    return change


def a_folder_of_the_stranger_s(world: World) -> None:
    files = source("acme-other", "1.0", "public")
    files["backend.py"] = f"open({str(witness(world))!r}, 'w').close()\n{files['backend.py']}"
    for name, text in files.items():
        (world.app / "other").mkdir(exist_ok=True)
        (world.app / "other" / name).write_text(text)
    world.write("-e ./other")


def in_another_encoding(world: World) -> None:
    """In UTF-7 the end of a line may look like a part of a comment."""
    replaced("# >>>", "# coding: utf-7\n# >>>")(world)
    written(f"# +AAo-acme-units @ {THEIRS}")(world)


THEIRS = "PUBLIC../packages/acme_units-2.1.0-9-py3-none-any.whl"
SECOND = r"`acme-units @ http://\S+` is not the line of acme-units"
# What the app wants, and a stranger publishes, of which plain pip takes nothing as long as no line is added.
SAFE: dict[str, Change] = {
    "only": all_of(ONLY, TAGGED),
    "pre-release": all_of(RANGE, published("acme-units", "3.0rc1")),
    "source": all_of(PIN, lambda world: an_sdist(world, "acme-units", "2.1.0")),
}
LINES: dict[str, Line] = {
    "a second line": Line(a_second("Acme_Units {}"), r"`Acme_Units @ http://\S+` is not the line of"),
    "a comment with an address": Line(a_second("acme-units {}  # see https://x.y"), SECOND),
    "an indented line": Line(a_second("   acme.units {}"), r"`acme\.units @ http://\S+` is not the line of"),
    "a joined line": Line(a_second("acme-\\\nunits {}"), SECOND),
    "a line behind a form feed": Line(written(f"# x\x0cacme-units @ {THEIRS}"), SECOND),
    "an included file": Line(included(f"\nacme-units @ {THEIRS}\n"), rf"other\.txt:2: {SECOND}"),
    "a looser line": Line(written("acme-units>=2"), "`acme-units>=2` is not the line of", "private"),
    "an option in an included file": Line(
        included("--pre\n"), r"other\.txt:1: `--pre` is an option", wants="pre-release"
    ),
    "an address without a name": Line(written(THEIRS), "is not a plain requirement"),
    "a path": Line(the_stranger_s_file("./"), "is not a plain requirement"),
    "a file": Line(the_stranger_s_file(""), "is not a plain requirement"),
    "a folder to be built": Line(
        a_folder_of_the_stranger_s, r"installs \./other, which is no submodule of the answers", "runs"
    ),
    "a variable in an address": Line(
        written("x @ PUBLIC../packages/${ACME_PASSWORD}/x-1.0-py3-none-any.whl"),
        "names an environment",
        "sends",
    ),
    # It steers a build, which nobody vouches for either.
    "settings of a build": Line(
        written("harmless==1.0 --config-settings=a=b"), "is not a plain requirement", "private", "pre-release"
    ),
    "another encoding": Line(in_another_encoding, "requirements.txt is no UTF-8"),
    "a constraint": Line(
        beside("constraints.txt", f"acme-units @ {THEIRS}\n", "-c constraints.txt"), ": `-c constraints.txt"
    ),
    "--no-binary acme-units": Line(
        written("--no-binary acme-units"), ": `--no-binary acme-units", "runs", "source"
    ),
    "--pre": Line(written("--pre"), ": `--pre` is an option", wants="pre-release"),
    "--no-index": Line(written("--no-index"), ": `--no-index", "nothing"),
    # What it does is shown below.
    "--trusted-host": Line(written("--trusted-host evil.invalid"), ": `--trusted-host", "private"),
    **{
        option: Line(written(f"{option} {place}"), f": `{option}")
        for option, place in {
            "--index-url": "PUBLIC",
            "-i": "PUBLIC",
            "--extra-index-url": "PUBLIC",
            "--find-links": "PUBLICacme-units/",
            "-f": "PUBLICacme-units/",
        }.items()
    },
}


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_block_stops_check_and_locked_and_install_writes_it_anew(
    here: World, pips: Pips, change: str
):
    publish(here, "acme-units", "99.0.0")
    act, words = CHANGES[change]
    act(here)
    assert taken_by_pip(here, pips["newest"]) == "public"
    assert words in here.stops("check")
    assert words in here.stops("install", "--locked")
    done = here.command("install")
    assert here.origin("acme-units") == ("private" if done.returncode == 0 else "nothing")
    assert "acme-units==2.1.0\n" in here.requirements.read_text()


@pytest.mark.slow
def test_a_package_that_only_the_toml_lost_is_not_taken_from_a_stranger(here: World, pips: Pips):
    """A change request takes the table out, and leaves a line; for the check that would be a public package."""
    publish(here, "acme-units", "99.0.0")
    replaced("==2.1.0", "==99.0.0")(here)
    toml = here.app / "private-packages.toml"
    toml.write_text(toml.read_text().partition("[[packages]]")[0])
    assert taken_by_pip(here, pips["newest"]) == "public"
    for command in (["check"], ["install", "--locked"]):
        assert "requirements.txt is not what sync writes" in here.stops(*command)
    here.write("acme-units  # still needed")
    here.installs()
    assert here.origin("acme-units") == "private"
    assert "acme-units==99.0.0" not in here.requirements.read_text()


@pytest.mark.slow
@pytest.mark.parametrize("safe", SAFE)
def test_without_such_a_line_plain_pip_takes_the_private_file(bare: World, pips: Pips, safe: str):
    SAFE[safe](bare)
    assert [taken_by_pip(bare, python) for python in pips.values()] == ["private"] * len(PIPS)
    assert not witness(bare).exists()


@pytest.mark.slow
@pytest.mark.parametrize("line", LINES)
def test_a_line_that_nobody_can_vouch_for_stops_everything(bare: World, pips: Pips, line: str):
    """Although plain pip follows it, and so to the stranger."""
    one = LINES[line]
    SAFE[one.wants](bare)
    one.writes(bare)
    for python in pips.values():
        witness(bare).unlink(missing_ok=True)
        bare.public.clear()
        took = taken_by_pip(bare, python)
        sent = any(LOGINS["ACME_PASSWORD"] in asked.path for asked in bare.public.requests)
        assert sent == (one.pip == "sends")
        assert witness(bare).exists() == (one.pip == "runs")
        assert took == one.pip or one.pip in ("sends", "runs")
    witness(bare).unlink(missing_ok=True)
    bare.public.clear()
    for command in ("check", "install"):
        said = bare.stops(command)
        assert re.search(one.words, said), said
        assert "Remove it" in said or "save it as UTF-8" in said
    assert bare.public.requests == []
    assert not witness(bare).exists()


@pytest.mark.slow
def test_with_a_trusted_host_plain_pip_sends_the_login_to_whoever_answers_there(
    bare: World, pips: Pips, tmp_path: Path
):
    """Which is why that line is none that the check lets pass."""
    certificate = self_signed_certificate(tmp_path, "127.0.0.1")
    with IndexHost(bare.private.folder, "builder", "another", certificate=certificate) as stranger:
        address = stranger.simple_url.replace("://", "://${ACME_USER}:${ACME_PASSWORD}@", 1)
        for option, sends in (("", False), ("--trusted-host 127.0.0.1", True)):
            bare.requirements.write_text(f"--index-url {address}\n{option}\nacme-units\n")
            for python in pips.values():
                stranger.clear()
                taken_by_pip(bare, python)
                assert any(one.user == "builder" for one in stranger.requests) == sends


def test_an_option_may_be_allowed_with_a_reason_and_then_it_counts(here: World):
    links = here.scratch / "links"
    wheel(links, "linked", "1.0", "private")
    option = f"--find-links {links.as_posix()}"
    here.write(option, "linked==1.0")
    here.stops("install")
    allow = f'[[options]]\nline = "{option}"\nreason = "Our own disk."\n'
    (here.app / "private-packages.allow.toml").write_text(allow)
    here.installs()
    assert here.origin("linked") == "private"


@pytest.mark.slow
def test_a_line_for_what_the_private_index_has_is_served_by_it_and_locked(here: World, pips: Pips):
    """acme-core is no answer; somebody wrote it down all the same."""
    wheel(here.private.folder, "acme-core", "1.0", "private")
    publish(here, "acme-core", "99.0.0")
    here.write("acme-core  # of the colleagues")
    assert taken_by_pip(here, pips["newest"], "acme-core") == "public"
    assert "warning: acme-core: a public index offers 99.0.0" in here.command("check").stderr
    here.installs()
    assert here.origin("acme-core") == "private"
    replaced("acme-core ", f"acme-core @ {here.public.url}/packages/acme_core-99.0.0-py3-none-any.whl ")(here)
    (here.app / "private-packages.lock").unlink()
    here.command("sync")
    assert "STOP acme-core: it would come from" in here.stops("install")


def test_the_hashes_of_a_public_line_count(here: World):
    here.write(f"harmless==1.0 --hash=sha256:{'0' * 64}")
    assert "What is offered as harmless==1.0 is not the file" in here.stops("install")


# --- Git ---


@pytest.fixture
def evil(tmp_path: Path) -> Iterator[GitHost]:
    """A stranger's Git host."""
    (tmp_path / "evil" / "acme").mkdir(parents=True)
    with GitHost(tmp_path / "evil", "theirs") as host:
        yield host


@pytest.mark.slow
def test_a_git_line_with_another_host_stops_before_the_token_goes_there(
    here: World, pips: Pips, evil: GitHost
):
    here.repository("acme-loads")
    here.want(here.from_git("acme-loads"))
    replaced(here.git.url.rpartition("/")[2], evil.url.rpartition("/")[2])(here)
    here.run(pips["newest"], "-m", "pip", "install", "--dry-run", "-r", "requirements.txt")
    assert any(one.user == "x-access-token" for one in evil.requests)
    evil.clear()
    assert "requirements.txt is not what sync writes" in here.stops("check")
    here.stops("install", "--locked")
    replaced("# <<<", f"# <<<\nacme-loads @ git+{evil.url_of('acme-loads')}@v1\n#")(here)
    here.stops("install")
    assert evil.requests == []


@pytest.mark.slow
def test_a_tag_that_was_moved_stops_on_viktor_whose_pip_takes_it(bare: World, pips: Pips):
    bare.repository("acme-loads")
    bare.want(bare.from_git("acme-loads"), platform="viktor")
    moved = commit(bare.git.path_of("acme-loads"), {"later.py": "\n"}, tag="v1")
    options = ("--dry-run", "--ignore-installed", "--quiet", "--report", "-")
    done = bare.run(pips["newest"], "-m", "pip", "install", *options, "-r", "requirements.txt")
    assert json.loads(done.stdout)["install"][0]["download_info"]["vcs_info"]["commit_id"] == moved
    said = bare.stops("check")
    assert f"STOP acme-loads: `v1` is commit {moved[:10]} by now" in said
    assert "VIKTOR runs plain pip, which may take that" in said
    assert said.splitlines()[-1] == "Type: python -m private_packages move acme-loads v1"
    assert bare.command("move", "acme-loads", "v1").returncode == 0
    assert bare.command("check").returncode == 0


@pytest.mark.parametrize("locked", [(), ("--locked",)], ids=["install", "install --locked"])
@pytest.mark.parametrize("altered", ["an address in .gitmodules", "a gitlink"])
def test_an_altered_submodule_stops_in_a_clone_before_anything_is_fetched(
    here: World, evil: GitHost, git, altered: str, locked: tuple[str, ...]
):
    here.repository("acme-beams")
    later = commit(here.git.path_of("acme-beams"), {"later.py": "\n"}, branch="later")
    here.want(here.submodule("acme-beams"))
    (here.app / ".git" / "info" / "exclude").write_text(".venv/\n")
    git(here.app, "add", "--all")
    if altered == "a gitlink":
        git(here.app, "update-index", "--cacheinfo", f"160000,{later},app/submodules/acme-beams")
        words = f"acme-beams: its pin was moved by hand to {later[:10]}"
    else:
        replace_in(here.app / ".gitmodules", here.git.url, evil.url)
        git(here.app, "add", ".gitmodules")
        words = f"acme-beams: .gitmodules fetches it from {evil.url}"
    git(here.app, "commit", "--quiet", "-m", "a change request")
    shutil.rmtree(here.app / ".git" / "modules")
    shutil.rmtree(here.app / "app" / "submodules" / "acme-beams")
    git(here.app, "submodule", "deinit", "--force", "--all")
    here.git.clear()
    here.run("git", "-c", "credential.helper=", "submodule", "update", "--init", GIT_TERMINAL_PROMPT="0")
    assert evil.requests or here.git.requests, "Git itself fetches nothing, so the test proves nothing"
    evil.clear()
    here.git.clear()
    assert words in here.stops("install", *locked)
    assert evil.requests == []
    assert here.git.requests == []


def replace_in(path: Path, old: str, new: str) -> None:
    path.write_text(path.read_text().replace(old, new))


def test_every_login_that_is_needed_is_named_at_once_and_nothing_is_sent(here: World):
    here.repository("acme-loads")
    here.want(here.index(), here.from_index("acme-units==2.1.0"), here.from_git("acme-loads"))
    here.git.clear()
    here.private.clear()
    assert "ACME_TOKEN, ACME_USER and ACME_PASSWORD have no value" in here.outside().stops("install")
    assert here.git.requests == here.private.requests == []
    assert set(LOGINS) == {"ACME_TOKEN", "ACME_USER", "ACME_PASSWORD"}


# --- the template ---

OURS = "https://git.acme.example/acme/app-template.git"
EVIL = "https://evil.invalid/x.git"
NOT_PLAIN = ".copier-answers.yml is not as Copier writes it"
# What a change request makes of the answers file, which Copier reads as a stranger's template, and what is said.
ANSWERS = {
    "another address": (
        f"_src_path: {EVIL}\n",
        f"names the template {EVIL}, and PRIVATE_PACKAGES_TEMPLATE says",
    ),
    "an address with a login": (
        f"_src_path: {EVIL.replace('//', '//me:s3cret@')}\n",
        f"names the template {EVIL}",
    ),
    "a second one": (f"_src_path: {OURS}\n_src_path: {EVIL}\n", NOT_PLAIN),
    "an escaped key": (f'_src_path: {OURS}\n"_src\\u005fpath": {EVIL}\n', NOT_PLAIN),
    "a key on a line of its own": (f"_src_path: {OURS}\n? _src_path\n: {EVIL}\n", NOT_PLAIN),
    "an indented file": (f' "_src\\u005fpath": {EVIL}\n _commit: v1\n', NOT_PLAIN),
    "a merged key": (f"<<: {{_src_path: {EVIL}}}\n", NOT_PLAIN),
    "one line": (f"{{_src_path: {EVIL}}}\n", NOT_PLAIN),
    "a continued line": (f"_src_path: {OURS}\n  /../../x\n", NOT_PLAIN),
    "an anchor": (f"_commit: &x {EVIL}\n_src_path: *x\n", "names the template *x"),
}


@pytest.mark.parametrize("change", ANSWERS)
def test_a_stranger_s_template_in_the_answers_file_is_told_where_the_organisation_pins_its_own(
    bare: World, change: str
):
    text, words = ANSWERS[change]
    assert yaml.safe_load(text)["_src_path"] != OURS, "Copier reads the right one, so the test proves nothing"
    bare.want()
    (bare.app / ".copier-answers.yml").write_text(text)
    pinned = {"PRIVATE_PACKAGES_TEMPLATE": f"gh:acme/app-template {OURS}"}
    done = bare.command("status", **pinned)
    assert done.returncode == 1
    assert words in done.stdout + done.stderr
    assert "s3cret" not in done.stdout + done.stderr
    if change == "another address":
        for command in (["check"], ["install"], ["install", "--locked"]):
            assert words in bare.stops(*command, **pinned)
        assert bare.command("status").returncode == 0


def test_the_organisation_s_template_is_right_in_every_spelling_of_its_address(bare: World):
    bare.want()
    short = OURS.removesuffix(".git")
    for text in (OURS, short, f"{short}/", f"'{OURS}'", "gh:acme/app-template"):
        answers = f"# Changes here will be overwritten.\n_commit: v1\n_src_path: {text}\nstrategies:\n- index\nx: |-\n  a\n\n  b\n"
        assert yaml.safe_load(answers)["strategies"] == ["index"]
        (bare.app / ".copier-answers.yml").write_text(answers)
        done = bare.command("status", PRIVATE_PACKAGES_TEMPLATE=f"{OURS} gh:acme/app-template")
        assert done.returncode == 0, done.stdout + done.stderr
