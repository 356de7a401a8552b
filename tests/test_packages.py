"""Packages as they really are: each build backend, layout and kind of metadata, as submodule, Git line and wheel.

Build backends come from PyPI, and extensions are compiled by the C compiler of the machine.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
import uv
from world import World, new_world

from demo import runs
from demo.samples import make_repository

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
    "from setuptools import find_packages, setup\n"
    "setup(name='acme-setup', version='1.0', package_dir={'': 'src'}, packages=find_packages('src'),"
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
    "setup": Shape({"setup.py": _SETUP, "src/acme_setup/__init__.py": _SIX.format("setup")}, "acme_setup"),
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
    assert "Everything is as it should be." in done.stdout
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
