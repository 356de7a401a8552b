"""Poetry, PDM and uv themselves, typed as `install` prints it: the private packages come in, and no login goes out."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import tomlkit
import uv
from apps import typed
from private_packages.app import App, open_app
from private_packages.commands.exec import _environment
from private_packages.names import COMMAND
from private_packages.output import Output
from private_packages.project import adding, manager_of
from shapes import SHAPES, Shape
from world import source

from demo import runs
from demo.git import run_git
from demo.hosts import DemoHosts, git_line
from demo.index_host import IndexHost
from demo.samples import make_repository

MANAGERS = ("uv", "poetry", "pdm")
STRATEGIES = ("submodule", "git", "index")
# Versions of a day, and of all that they need.
TOOLS = ("poetry==2.5.1", "pdm==2.29.4")
DAY = "2026-11-27T00:00:00Z"
# PDM 2.29 does not start with the next one. Poetry asks PyPI's JSON API, which no mirror has: the plugin spares it.
BESIDE = {"pdm": ("hishel<2",), "poetry": ("poetry-plugin-pypi-mirror==0.6.5",)}
PYPI = "https://" + "pypi.org/simple/"
CHECKS = {"uv": "uv lock --check", "poetry": "poetry check --lock", "pdm": "pdm lock --check"}
INSTALLS = {"uv": "uv sync", "poetry": "poetry install", "pdm": "pdm sync"}
# Signs that mean something in an address, in a `.env` and in a shell.
USER, PASSWORD = "acme/robot@example", "p@ss w/rd:%41+$&'\"#"

Done = subprocess.CompletedProcess[str]


# --- What runs ---


@pytest.fixture(scope="module")
def tools(isolated: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a person who has Poetry, PDM and uv, with settings and caches of this module's own."""
    home = tmp_path_factory.mktemp("tools")
    programs = home / "bin"
    install = (uv.find_uv_bin(), "tool", "install", "--quiet", "--no-config", "--python", runs.PYTHON)
    for tool in TOOLS:
        beside = [word for one in BESIDE[tool.partition("=")[0]] for word in ("--with", one)]
        subprocess.run(
            [*install, "--exclude-newer", DAY, *beside, tool],
            env={**os.environ, "UV_TOOL_DIR": str(home / "tools"), "UV_TOOL_BIN_DIR": str(programs)},
            check=True,
        )
    return {
        "PATH": os.pathsep.join([str(programs), str(Path(runs.PYTHON).parent), runs.outside()["PATH"]]),
        "UV_PYTHON": runs.PYTHON,
        "UV_PYTHON_DOWNLOADS": "never",
        "POETRY_CONFIG_DIR": str(home / "poetry"),
        "POETRY_CACHE_DIR": str(home / "poetry-cache"),
        "POETRY_PYPI_MIRROR_URL": PYPI,
        "POETRY_NO_INTERACTION": "1",
        "PDM_CONFIG_FILE": str(home / "pdm.toml"),
        "PDM_CACHE_DIR": str(home / "pdm-cache"),
        "PDM_LOG_DIR": str(home / "pdm-log"),
        "PDM_CHECK_UPDATE": "0",
        "PDM_NON_INTERACTIVE": "1",
        "NO_COLOR": "1",
    }


@pytest.fixture(scope="module")
def index(hosts: DemoHosts) -> Iterator[IndexHost]:
    """The packages of the demo's index, for an account with signs that have to be encoded in an address."""
    with IndexHost(hosts.index.folder, USER, PASSWORD) as host:
        yield host


@dataclass(frozen=True)
class Project:
    """A project that a manager looks after, with the unit in it."""

    folder: Path
    manager: str
    shape: Shape
    environment: Mapping[str, str]
    secrets: Sequence[str]

    def type(self, command: str) -> str:
        """Type a command that has to succeed and to keep the secrets; what it prints."""
        done = typed(self.folder, command, **self.environment)
        said = done.stdout + done.stderr
        assert done.returncode == 0, f"{command}\n{said}"
        assert not [secret for secret in self.secrets if secret in said], command
        return said

    def printed(self) -> list[str]:
        """The steps that `install` prints."""
        head, *steps = self.type(f"{COMMAND} install").splitlines()
        while steps and "looks after this app" not in head:
            head, *steps = steps
        assert head == f"{self.manager} looks after this app. Next:"
        return [step.removeprefix("  ") for step in steps]

    def follow(self, steps: Sequence[str]) -> None:
        """Do what is printed: write what a comment says, type the rest."""
        for step in steps:
            if step.startswith("#"):
                self.write(step)
            else:
                assert step.startswith(f"{COMMAND} exec {self.manager} ")
                self.type(step)

    def write(self, step: str) -> None:
        """Write into pyproject.toml what a step says."""
        place, _, what = step.removeprefix("# in pyproject.toml, ").partition(": ")
        project = tomlkit.parse(self.text)
        if place == "in dependencies of [project]":
            project["project"]["dependencies"].extend(json.loads(f"[{what}]"))
        else:
            *above, name = re.fullmatch(r"below (?:a new )?\[+([\w.-]+)\]+", place)[1].split(".")
            table: Any = project
            for key in above:
                table = table.setdefault(key, tomlkit.table(is_super_table=True))
            values = tomllib.loads(f"values = {{ {what} }}")["values"]
            if "a new" in place:
                table.setdefault(name, tomlkit.aot()).append(tomlkit.item(values))
            else:
                table.setdefault(name, tomlkit.table()).update(values)
        self.pyproject.write_text(tomlkit.dumps(project), encoding="utf-8")

    @property
    def pyproject(self) -> Path:
        return self.folder / "pyproject.toml"

    @property
    def text(self) -> str:
        return self.pyproject.read_text(encoding="utf-8")

    def origin(self, module: str) -> Path:
        """Where the project's own environment imports a module from."""
        python = self.folder / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        code = f"import {module}; print({module}.__file__)"
        done = subprocess.run(
            [python, "-c", code], cwd=self.folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return Path(done.stdout.strip()).resolve()

    def is_whole(self) -> None:
        """Everything is in place, and nothing of it is for this machine alone or for this person's eyes."""
        assert self.printed() == [f"{COMMAND} exec {INSTALLS[self.manager]}"]
        self.type(f"{COMMAND} exec {CHECKS[self.manager]}")
        status = self.type(f"{COMMAND} status")
        assert status.endswith("Everything is as it should be.\n"), status
        # The user's own lines are there, and their app starts.
        assert run_git("-C", self.folder, "diff", "--numstat", "pyproject.toml").split()[1] == "0"
        assert self.type(f"{COMMAND} exec python {shlex.join(self.shape.start)}").strip() == self.shape.says
        tracked = run_git("-C", self.folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
        for path in map(self.folder.joinpath, filter(None, tracked.split("\0"))):
            if path.is_file():
                text = path.read_bytes().decode("utf-8", "replace")
                assert not [secret for secret in self.secrets if secret in text], path
                assert str(self.folder) not in text, path


@dataclass(frozen=True)
class Maker:
    """Puts the unit into projects, with Copier."""

    template: Path
    hosts: DemoHosts
    index: IndexHost
    tools: Mapping[str, str]
    folder: Path

    @property
    def values(self) -> dict[str, str]:
        """The variables as they stand in `.env`: encoded, as pip and uv want them."""
        account = {"ACME_USER": quote(USER, safe=""), "ACME_PASSWORD": quote(PASSWORD, safe="")}
        return {**self.hosts.variables, **account}

    @property
    def index_answer(self) -> str:
        return self.index.simple_url.replace("://", "://${ACME_USER}:${ACME_PASSWORD}@")

    def make(self, shape: Shape, answers: Mapping[str, object]) -> Project:
        """A project with the unit and the answers, committed by its user before.

        One of uv's whose owner does not want `installer: uv`, for which there is test_uv_installer.py.
        """
        folder = shape.make(self.folder / shape.name)
        given = {"start": "existing", "python_version": "3.11", "installer": "pip", **answers}
        runs.generate(self.template, folder, given, self.values)
        secrets = [self.values["ACME_TOKEN"], PASSWORD, self.values["ACME_PASSWORD"]]
        return Project(folder, shape.manager, shape, {**self.tools, **self.values}, secrets)

    def answers(self, *lines: tuple[str, str], scope: str = "extra") -> dict[str, object]:
        """The answers for lines, each with its strategy."""
        answers: dict[str, object] = {"strategies": list(dict.fromkeys(one for one, _ in lines))}
        for strategy, line in lines:
            before = answers.get(f"{strategy}_packages")
            answers[f"{strategy}_packages"] = f"{before}\n{line}" if before else line
        if "index_packages" in answers:
            answers |= {"index_url": self.index_answer, "index_scope": scope}
        return answers

    def line(self, strategy: str, name: str) -> tuple[str, str]:
        """A sample package at its newest release."""
        of = {"index": self.hosts.index_lines, "git": self.hosts.git_lines}
        return strategy, of.get(strategy, self.hosts.submodule_lines)(name)[0]


@pytest.fixture
def maker(template: Path, hosts: DemoHosts, index: IndexHost, tools: dict[str, str], tmp_path: Path) -> Maker:
    return Maker(template, hosts, index, tools, tmp_path)


def shape_of(manager: str) -> Shape:
    """The existing app that a manager looks after."""
    return next(one for one in SHAPES if one.manager == manager)


@pytest.mark.slow
@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("manager", MANAGERS)
def test_what_is_printed_brings_the_packages_in_and_lets_no_login_out(
    manager: str, strategy: str, maker: Maker
):
    # The first one needs the other, which no public index has.
    lines = [maker.line(strategy, name) for name in ("acme-beams", "acme-units")]
    project = maker.make(shape_of(manager), maker.answers(*lines))
    project.follow(project.printed())
    for module in ("acme_beams", "acme_units"):
        below = project.folder / ("app/submodules" if strategy == "submodule" else ".venv")
        assert project.origin(module).is_relative_to(below.resolve())
    project.is_whole()


# As `poetry new` writes it by now.
POETRY_2 = """\
[project]
name = "sluice"
version = "0.4.0"
requires-python = ">=3.11,<4.0"
dependencies = [
    "packaging (==25.0)",
]

[tool.poetry]
package-mode = false

[build-system]
requires = ["poetry-core>=2.0.0,<3.0.0"]
build-backend = "poetry.core.masonry.api"
"""
SETUPTOOLS = """
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[tool.setuptools.packages.find]
include = ["labels*"]
"""


@pytest.mark.slow
@pytest.mark.parametrize("manager", MANAGERS)
def test_all_kinds_go_together_with_their_extras_markers_and_folders(manager: str, maker: Maker, parts: str):
    shape = shape_of(manager)
    files = dict(shape.files)
    # Where these would write the path of a submodule on this machine, a step says what to write instead.
    if manager == "poetry":
        files["pyproject.toml"] = POETRY_2
        del files["poetry.lock"]
    if manager == "pdm":
        files["pyproject.toml"] = f"{files['pyproject.toml']}{SETUPTOOLS}"
    git = f'acme-parts[plot, table] @ git+{parts}@1.0#subdirectory=python ; python_version >= "3.8"'
    index = 'acme-units[si]==2.1.0 ; python_version >= "3.8"'
    lines = [maker.line("submodule", "acme-beams"), ("git", git), ("index", index)]
    project = maker.make(replace(shape, files=files), maker.answers(*lines, scope="only"))
    project.follow(project.printed())
    project.is_whole()
    assert project.origin("acme_parts").parent.name == "site-packages"
    for word in ("plot", "table", "si", "python"):
        assert re.search(rf"\b{word}\b", project.text), word
    assert len(re.findall(r"python(?:_full)?_version >= ", project.text)) == 2
    # An index that stands in for PyPI, as the answers say.
    kinds = {"uv": "default = true", "poetry": 'priority = "primary"', "pdm": 'name = "pypi"'}
    assert kinds[manager] in project.text


@pytest.fixture
def parts(hosts: DemoHosts) -> Iterator[str]:
    """The address of a private repository with a package in a folder, for an answer; its release is called `1.0`."""
    files = {f"python/{path}": text for path, text in source("acme-parts", "1.0", "private").items()}
    repository = make_repository(hosts.git.path_of("acme-parts").parent, "acme-parts", files, tags=["1.0"])
    yield git_line(hosts.git, "acme-parts").partition("git+")[2]
    shutil.rmtree(repository)


# --- What is judged and printed, without any of the programs ---

GIT_HOST, INDEX_HOST = "https://git.example.com/acme", "https://packages.example.com/simple/"


def app_in(folder: Path, *packages: str, platform: str = "python", index: str = "", **files: str) -> App:
    """An app that wants packages; `files` by name, with `_` for a dot."""
    head = f'format = 1\nstart = "existing"\nplatform = "{platform}"\nprivate-prefixes = ["acme-"]\n'
    (folder / "private-packages.toml").write_text("\n".join([head, index, *packages]))
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)
    return open_app(folder, VARIABLES, Output(io.StringIO(), {}))


VARIABLES = {"ACME_USER": "robot", "ACME_PASSWORD": "p%40ss", "ACME_TOKEN": "t"}


def from_index(requirement: str) -> str:
    """The table of a package of the index."""
    name = re.split(r"[^\w.-]", requirement)[0]
    return f'[[packages]]\nname = "{name}"\nstrategy = "index"\nrequirement = \'{requirement}\'\n'


def from_git(name: str, ref: str = "v1", rest: str = "", extras: str = "", strategy: str = "git") -> str:
    """The table of a repository."""
    login = "x-access-token:${ACME_TOKEN}"
    address = f"{GIT_HOST}/{name}.git".replace("://", f"://{login}@")
    line = f"{name}{extras} @ git+{address}@{ref}{rest}"
    table = f'[[packages]]\nname = "{name}"\nstrategy = "{strategy}"\nrequirement = \'{line}\'\n'
    subdirectory = re.search("#subdirectory=(\\S+)", rest)
    table += f'subdirectory = "{subdirectory[1]}"\n' if subdirectory else ""
    return table + f'url = "{GIT_HOST}/{name}.git"\nuser-info = "{login}"\nref = "{ref}"\n'


def index_table(scope: str = "extra") -> str:
    """The table of the private index."""
    url = INDEX_HOST.replace("://", "://${ACME_USER}:${ACME_PASSWORD}@")
    return f'[index]\nurl = "{url}"\nscope = "{scope}"\n'


PEP_621 = '[project]\nname = "app"\nversion = "1"\ndependencies = []\n'
BLOCK = (
    "# >>> private packages: written by `python -m private_packages sync` >>>\n"
    "acme-units==1\n# <<< private packages <<<\n"
)


@pytest.mark.parametrize(
    ("files", "manager"),
    [
        ({"pyproject_toml": "[tool.poetry]\npackage-mode = false\n"}, "poetry"),
        ({"pyproject_toml": "[tool.poetry]\npackage-mode = false\n", "requirements_txt": "six\n"}, ""),
        (
            {"pyproject_toml": PEP_621 + '[build-system]\nbuild-backend = "poetry.core.masonry.api"\n'},
            "poetry",
        ),
        ({"pyproject_toml": PEP_621}, ""),
        ({"pyproject_toml": PEP_621, "poetry_lock": ""}, "poetry"),
        ({"pyproject_toml": PEP_621 + "[tool.uv]\n"}, "uv"),
        ({"pyproject_toml": PEP_621, "uv_lock": ""}, "uv"),
        ({"pyproject_toml": PEP_621 + "[tool.uv]\nmanaged = false\n", "uv_lock": ""}, ""),
        ({"pyproject_toml": PEP_621 + "[tool.uv]\nmanaged = false\n", "pdm_lock": "", "uv_lock": ""}, "pdm"),
        ({"pyproject_toml": PEP_621 + '[tool.uv.pip]\nindex-url = "x"\n'}, ""),
        ({"pyproject_toml": PEP_621 + '[tool.pdm.version]\nsource = "scm"\n[tool.pdm.build]\n'}, ""),
        ({"pyproject_toml": PEP_621 + "[tool.pdm]\ndistribution = false\n"}, "pdm"),
        # On the way from one to another: the lock whose settings are there, too.
        ({"pyproject_toml": "[tool.poetry]\nname = 'app'\n", "poetry_lock": "", "uv_lock": ""}, "poetry"),
        ({"pyproject_toml": PEP_621 + "[tool.uv]\n", "poetry_lock": "", "uv_lock": ""}, "uv"),
        # An export beside a lock; a list that is in use; no project at all.
        ({"pyproject_toml": PEP_621, "uv_lock": "", "requirements_txt": "six==1.17.0\n"}, "uv"),
        ({"pyproject_toml": PEP_621, "uv_lock": "", "requirements_txt": BLOCK}, ""),
        ({"pyproject_toml": PEP_621 + "[tool.uv]\n", "requirements_txt": "six\n"}, ""),
        ({"uv_lock": ""}, ""),
        ({"pyproject_toml": "no TOML", "pdm_lock": ""}, "pdm"),
    ],
)
def test_a_manager_is_known_by_its_lock_or_else_by_its_settings(
    files: dict[str, str], manager: str, tmp_path: Path
):
    assert manager_of(app_in(tmp_path, **files)) == manager
    assert manager_of(app_in(tmp_path, platform="viktor")) == ""


@pytest.mark.parametrize("manager", MANAGERS)
def test_no_step_has_a_login_and_every_shell_takes_each_word_alike(manager: str, tmp_path: Path):
    lines = [
        from_index('acme-units[si,us]~=2.0,!=2.3 ; sys_platform == "linux" and python_version < "3.14"'),
        from_index("acme-loads>=0.8,<1"),
        from_git("acme-parts", "1.0", '#subdirectory=python/parts ; os_name != "nt"', "[plot, table]"),
        from_git("acme-beams", "main", strategy="submodule"),
    ]
    app = app_in(tmp_path, *lines, index=index_table("only"), pyproject_toml=PEP_621)
    steps = [step for _, step in adding(app, manager)]
    for step in steps:
        assert "ACME_TOKEN" not in step
        if step.startswith("#"):
            continue
        assert "ACME_" not in step
        # Unquoted, only what no shell reads in its own way; in double quotes none of what ends or fills them.
        assert re.fullmatch(r'(?:(?:[\w@+=:./-]+|"[^"$`\\%]+")(?: |\Z))+', step), step
    words = [word for step in steps for word in shlex.split(step)]
    wanted = "acme-units[si,us]~=2.0,!=2.3 ; sys_platform == 'linux' and python_version < '3.14'"
    assert wanted in words


def test_a_manager_gets_what_others_need_first_and_a_step_waits_for_each(tmp_path: Path):
    lines = [
        from_git("acme-beams", strategy="submodule"),
        from_git("acme-loads"),
        from_git("acme-parts"),
        from_index("acme-units==2.1.0"),
    ]
    pyproject = "[tool.poetry.dependencies]\nacme_parts = '*'\n"
    app = app_in(tmp_path, *lines, index=index_table(), pyproject_toml=pyproject)
    poetry = f"{COMMAND} exec poetry"
    assert [(package.name, step) for package, step in adding(app, "poetry")] == [
        ("acme-beams", f"{poetry} source add --priority=explicit private {INDEX_HOST}"),
        ("acme-units", f"{poetry} add --source private acme-units==2.1.0"),
        ("acme-loads", f"{poetry} add git+{GIT_HOST}/acme-loads.git@v1"),
        ("acme-beams", f"{poetry} add --editable ./app/submodules/acme-beams"),
    ]


def test_a_private_name_is_asked_of_no_other_index_by_pdm(tmp_path: Path):
    app = app_in(tmp_path, from_index("acme-units==2.1.0"), index=index_table(), pyproject_toml=PEP_621)
    (_, source), _ = adding(app, "pdm")
    settings = tomllib.loads(f"values = {{ {source.partition(': ')[2]} }}")["values"]
    assert settings == {
        "name": "private",
        "url": INDEX_HOST.replace("://", "://${ACME_USER}:${ACME_PASSWORD}@"),
        "include_packages": ["acme-units", "acme-*"],
        "exclude_packages": ["*"],
    }


def test_pdm_sees_that_a_token_alone_is_a_user(tmp_path: Path):
    index = index_table().replace("${ACME_USER}:${ACME_PASSWORD}", "${ACME_TOKEN}")
    app = app_in(tmp_path, from_index("acme-units==2.1.0"), index=index, pyproject_toml=PEP_621)
    (_, source), _ = adding(app, "pdm")
    assert "https://${ACME_TOKEN}:@packages.example.com/simple/" in source


@pytest.mark.parametrize(("manager", "table"), [("uv", "index"), ("poetry", "source"), ("pdm", "source")])
def test_an_index_that_the_project_knows_keeps_its_name(manager: str, table: str, tmp_path: Path):
    known = f'[[tool.{manager}.{table}]]\nname = "our-own"\nurl = "{INDEX_HOST.rstrip("/")}"\n'
    pyproject = PEP_621 + known.replace(
        "://", "://${ACME_USER}:${ACME_PASSWORD}@" if manager == "pdm" else "://"
    )
    app = app_in(tmp_path, from_index("acme-units==2.1.0"), index=index_table(), pyproject_toml=pyproject)
    (_, step), *more = adding(app, manager)
    assert not more
    option = {"uv": f" --index our-own={INDEX_HOST.rstrip('/')}", "poetry": " --source our-own", "pdm": ""}
    assert step == f"{COMMAND} exec {manager} add{option[manager]} acme-units==2.1.0"
    env = _environment(app)
    assert (env["UV_INDEX_OUR_OWN_USERNAME"], env["UV_INDEX_OUR_OWN_PASSWORD"]) == ("robot", "p@ss")
    assert env.get("POETRY_HTTP_BASIC_OUR_OWN_PASSWORD") == ("p@ss" if manager == "poetry" else None)


def test_a_submodule_that_no_installer_can_install_is_left_out_of_the_command(tmp_path: Path):
    lines = [from_git(name, strategy="submodule") for name in ("acme-old", "acme-new")]
    app = app_in(tmp_path, *lines, pyproject_toml=PEP_621)
    for name in ("acme-old", "acme-new"):
        (tmp_path / "app/submodules" / name / ".git").mkdir(parents=True)
    (tmp_path / "app/submodules/acme-new/pyproject.toml").write_text(PEP_621)
    (_, step), (package, comment) = adding(app, "uv")
    assert step == f"{COMMAND} exec uv add --no-workspace --editable ./app/submodules/acme-new"
    assert (package.name, comment[:11]) == ("acme-old", "# acme-old:")


@pytest.mark.parametrize(
    "declared",
    [
        '[project]\ndependencies = ["Acme.Beams"]\n',
        "[tool.poetry.group.dev.dependencies]\nacme-beams = '*'\n",
        '[dependency-groups]\ndev = [{ include-group = "x" }, "acme_beams>=1"]\n',
        '[tool.pdm.dev-dependencies]\nx = ["-e file:///${PROJECT_ROOT}/app/submodules/acme-beams#egg=acme-beams"]\n',
        '[tool.pdm.workspace]\nmembers = ["app/submodules/acme-beams"]\n',
    ],
)
def test_what_a_project_names_is_not_added_again(declared: str, tmp_path: Path):
    line = from_git("acme-beams", strategy="submodule")
    assert list(adding(app_in(tmp_path, line, pyproject_toml="[project]\n"), "pdm"))
    assert not list(adding(app_in(tmp_path, line, pyproject_toml=declared), "pdm"))


def test_exec_gives_each_manager_the_login_in_its_own_way_and_the_persons_own_wins(tmp_path: Path):
    def environment(lock: str, **own: str) -> dict[str, str]:
        for name in ("uv.lock", "poetry.lock", "pdm.lock"):
            (tmp_path / name).unlink(missing_ok=True)
        app = app_in(tmp_path, index=index_table(), pyproject_toml=PEP_621, **{lock: ""})
        return _environment(replace(app, environ={**VARIABLES, **own}))

    env = environment("poetry_lock", POETRY_VIRTUALENVS_IN_PROJECT="false")
    assert env["POETRY_HTTP_BASIC_PRIVATE_USERNAME"] == "robot"
    assert env["POETRY_HTTP_BASIC_PRIVATE_PASSWORD"] == "p@ss"
    assert env["POETRY_SYSTEM_GIT_CLIENT"] == "true"
    assert env["POETRY_VIRTUALENVS_IN_PROJECT"] == "false"
    # PDM encodes what it fills into an address; pip and uv want it encoded.
    assert environment("pdm_lock")["ACME_PASSWORD"] == "p@ss"
    env = environment("uv_lock", UV_INDEX_PRIVATE_USERNAME="me")
    assert (env["UV_INDEX_PRIVATE_USERNAME"], env["UV_INDEX_PRIVATE_PASSWORD"]) == ("me", "p@ss")
    assert env["ACME_PASSWORD"] == "p%40ss"
    assert not [name for name in env if name.startswith("POETRY_HTTP_BASIC")]
