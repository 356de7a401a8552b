"""The unit over apps that exist already: every line of the user's stays, through the unit's whole life and after it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import copier as copier_library
import pytest
from apps import RENDERED, copier, data, pack, release, snapshot, typed, write_manifest
from private_packages import viktor
from private_packages.blocks import BEGIN, END, block_in, with_block
from private_packages.files import read_exactly
from private_packages.uv_project import Entries, sources_in, with_entries
from shapes import SHAPES, Shape

from demo.hosts import DemoHosts, git_line

STRATEGIES = ("submodule", "git", "index")
# What the unit may add, as patterns of paths from the app's folder.
UNIT = re.compile(
    r"private-packages\.(toml|lock)|private_packages/.*|docs/private-packages\.md|\.copier-answers\.yml"
    r"|\.env\.example|\.gitignore|\.viktorignore|requirements\.txt|(app/)?_submodules\.py|\.gitmodules"
    r"|app/submodules/.*"
)


@dataclass
class Theirs:
    """An app of a shape, with what its user has in it."""

    shape: Shape
    top: Path
    folder: Path
    own: dict[str, bytes]

    def git(self, *arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=self.top, capture_output=True, text=True, check=True)
        return done.stdout

    def commit(self) -> None:
        if (self.top / ".git").exists():
            self.git("add", "--all")
            self.git("commit", "--quiet", "--allow-empty", "-m", "Work")

    def files(self) -> dict[str, bytes]:
        """What stands below the top, but for what Git keeps for itself and packages that are fetched."""
        found = {}
        for path in sorted(self.top.rglob("*")):
            name = path.relative_to(self.top).as_posix()
            others = r"(^|/)(\.git|__pycache__|\.pytest_cache|\.venv|app/submodules/acme-[^/]*)(/|$)"
            if path.is_file() and not re.search(others, name):
                found[name] = path.read_bytes()
        return found

    def below(self, name: str) -> str:
        return f"{self.shape.below}/{name}" if self.shape.below else name

    def copy(self, template: Path, *options: str, **answers: object) -> subprocess.CompletedProcess[str]:
        """What a person types in the app's folder who takes every default."""
        given = {"start": "existing", "python_version": "3.11", **answers}
        return copier("copy", "--trust", "--defaults", *options, *data(given), template, ".", cwd=self.folder)

    def update(self, template: Path, version: str, **answers: object) -> None:
        """`copier update`, after everything was committed."""
        self.commit()
        copier_library.run_update(
            str(self.folder),
            data=answers,
            defaults=True,
            overwrite=True,
            unsafe=True,
            quiet=True,
            vcs_ref=version,
        )

    def import_finder(self) -> None:
        """Write the one line that an app on VIKTOR is asked for, before its first import."""
        path = self.folder / viktor.entry_of(self.folder)
        text, encoding = read_exactly(path)
        ending = "\r\n" if "\r\n" in text else "\n"
        line = viktor.import_line(self.folder) + "  # noqa: F401" + ending
        found = re.search(r"(?m)^(?:import|from) (?!__future__)", text)
        assert found
        path.write_bytes((text[: found.start()] + line + text[found.start() :]).encode(encoding))
        self.own[self.below(viktor.entry_of(self.folder))] = path.read_bytes()

    def starts(self) -> None:
        """Start the app and run its own tests, as it always was."""
        for command, says in ((self.shape.start, self.shape.says), (self.shape.tests, "")):
            done = subprocess.run(
                [sys.executable, *command], cwd=self.folder, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stdout + done.stderr
            assert says in done.stdout

    def nothing_is_lost(self) -> None:
        """Every file of the user's is the same byte for byte outside the blocks; what is new is the unit's."""
        here = self.files()
        for name, content in self.own.items():
            assert name in here, f"{name} is gone"
            if here[name] != content:
                text, encoding = read_exactly(self.top / name)
                if name == ".gitmodules":
                    assert without_ours(text) == without_ours(content.decode()), name
                    continue
                if self.shape.manager == "uv" and name == self.below("uv.lock"):
                    # uv writes it.
                    named = re.compile(r'(?m)^name = "(?!acme-).*')
                    assert named.findall(text) == named.findall(content.decode()), name
                    continue
                if self.shape.manager == "uv" and name == self.below("pyproject.toml"):
                    ours = Entries({}, {}, former=frozenset(sources_in(block_in(self.top / name))))
                    assert with_entries(text, ours) == content.decode(), name
                    continue
                errors = "surrogateescape" if encoding == "utf-8" else "surrogatepass"
                assert with_block(text, []).encode(encoding, errors) == content, name
        for name in here.keys() - self.own.keys():
            below = name.removeprefix(f"{self.shape.below}/") if self.shape.below else name
            assert UNIT.fullmatch(below) or name == ".gitmodules", f"{name} is new"
        for name, content in here.items():
            assert not name.endswith((".rej", ".orig", ".new")), name
            assert not re.search(rb"(?m)^<<<<<<< ", content), name


def without_ours(text: str) -> str:
    """A .gitmodules without the sections of the template's."""
    return re.sub(r'\[submodule "[^"]*app/submodules/[^"]*"\]\n(?:[ \t].*\n)*', "", text)


@pytest.fixture(scope="module")
def releases(isolated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template as it stands, as release 1, and a release 2 that changes the page and the command."""
    folder = snapshot(tmp_path_factory.mktemp("releases") / "copier-private-packages", "v1.0.0")
    page = folder / RENDERED / "docs" / "private-packages.md.jinja"
    page.write_text(page.read_text(encoding="utf-8") + "\nRelease 2 says more.\n", encoding="utf-8")
    names = folder / "template" / "files" / "private_packages" / "names.py"
    names.write_text(names.read_text(encoding="utf-8") + "\n# Release 2.\n", encoding="utf-8")
    write_manifest(folder)
    release(folder, "v2.0.0")
    pack(folder)
    return folder


@pytest.fixture
def theirs(request: pytest.FixtureRequest, tmp_path: Path) -> Theirs:
    shape: Shape = request.param
    top = tmp_path / "their app"
    folder = shape.make(top)
    app = Theirs(shape, top, folder, {})
    app.own = app.files()
    return app


def answers_of(hosts: DemoHosts, strategy: str, *versions: tuple[str, str]) -> dict[str, object]:
    """Answers for packages by one strategy."""
    lines = [
        f"{name}=={version}" if strategy == "index" else git_line(hosts.git, name, f"v{version}")
        for name, version in versions
    ]
    given: dict[str, object] = {"strategies": [strategy], f"{strategy}_packages": "\n".join(lines)}
    if strategy == "index":
        given |= {"index_url": hosts.index_answer(), "index_scope": "extra"}
    return given


# Like another shape but for encodings and line endings, which are the same to every strategy.
ALIKE = ("viktor-helpers", "viktor-windows", "web-crlf", "pytest-mixed")
LIVES = [
    (shape, strategy) for shape in SHAPES for strategy in STRATEGIES[: 1 if shape.name in ALIKE else None]
]


@pytest.mark.parametrize(
    ("theirs", "strategy"),
    LIVES,
    ids=[f"{shape.name}-{strategy}" for shape, strategy in LIVES],
    indirect=["theirs"],
)
def test_nothing_of_an_app_is_lost_from_the_first_copy_to_the_removal_of_the_unit(
    theirs: Theirs, strategy: str, releases: Path, hosts: DemoHosts, variables: Mapping[str, str]
):
    shape, folder = theirs.shape, theirs.folder
    before = dict(theirs.own)
    units = ("acme-units", "2.0.0")
    done = theirs.copy(
        releases, "--vcs-ref", "v1.0.0", platform=shape.platform, **answers_of(hosts, strategy, units)
    )
    assert done.returncode == 0, done.stderr
    # No file is in the way; `--overwrite` stands in the cure for a template that is in a temporary folder.
    assert "overwrite " not in (done.stdout + done.stderr).lower().replace("--overwrite address", "")
    theirs.nothing_is_lost()
    made = folder / (shape.requirements or "requirements.txt")
    has_block = shape.manager == "pip" and not (shape.platform == "viktor" and strategy == "submodule")
    assert (made.exists() and BEGIN in read_exactly(made)[0]) == has_block
    if shape.platform == "viktor" and strategy == "submodule":
        theirs.import_finder()
    theirs.starts()
    if not shape.committed:
        # An update wants a repository to merge in.
        theirs.git("init", "--quiet", "--initial-branch=main")

    # The template's next release.
    theirs.update(releases, "v2.0.0")
    assert "Release 2 says more." in (folder / "docs" / "private-packages.md").read_text(encoding="utf-8")
    assert "# Release 2." in (folder / "private_packages" / "names.py").read_text(encoding="utf-8")
    theirs.nothing_is_lost()

    # A second package.
    beams = ("acme-beams", "1.1.0")
    theirs.update(releases, "v2.0.0", **answers_of(hosts, strategy, units, beams))
    assert "acme-beams" in (folder / "private-packages.lock").read_text(encoding="utf-8")
    theirs.nothing_is_lost()

    # Another version of it.
    to = "1.2.3" if strategy == "index" else "v1.2.3"
    moved = typed(folder, f"python -m private_packages move acme-beams {to}")
    assert moved.returncode == 0, moved.stderr
    assert to in (folder / "private-packages.lock").read_text(encoding="utf-8")
    theirs.nothing_is_lost()

    # Another strategy.
    other = STRATEGIES[STRATEGIES.index(strategy) - 1]
    theirs.update(releases, "v2.0.0", **answers_of(hosts, other, units))
    wanted = (folder / "private-packages.toml").read_text(encoding="utf-8")
    assert f'strategy = "{other}"' in wanted and "acme-beams" not in wanted
    theirs.nothing_is_lost()

    # Nothing private any more.
    theirs.update(releases, "v2.0.0", strategies=[])
    assert not (folder / "private-packages.lock").exists()
    assert not list(folder.glob("app/submodules/*"))
    theirs.nothing_is_lost()
    theirs.starts()

    # The unit goes: first the line that the user wrote for it.
    for name in before:
        if theirs.own[name] != before[name]:
            (theirs.top / name).write_bytes(before[name])
    removed = typed(folder, "python -m private_packages sync --remove")
    assert removed.returncode == 0, removed.stderr
    after = theirs.files()
    if shape.manager == "uv":
        # uv wrote it, and writes it again.
        after[theirs.below("uv.lock")] = before[theirs.below("uv.lock")]
    assert after == before
    assert not (folder / "private_packages").exists()


# What cannot take the unit: one sentence, and nothing changed.


def shape_of(name: str) -> Shape:
    return next(shape for shape in SHAPES if shape.name == name)


@pytest.fixture
def app(tmp_path: Path) -> Theirs:
    """An app of plain modules, which its user has changed somehow before; see `change`."""
    shape = shape_of("viktor-root")
    folder = shape.make(tmp_path / "app")
    return Theirs(shape, folder, folder, {})


def edited(folder: Path) -> None:
    (folder / "app.py").write_text("# work\n" + (folder / "app.py").read_text())


def untracked(folder: Path) -> None:
    (folder / "notes.txt").write_text("work\n")


def staged(folder: Path) -> None:
    untracked(folder)
    subprocess.run(["git", "add", "notes.txt"], cwd=folder, check=True)


def read_only(folder: Path) -> None:
    (folder / "requirements.txt").chmod(0o444)


def half_a_block(folder: Path) -> None:
    (folder / "requirements.txt").write_text(f"viktor==14.36.2\n{BEGIN}\n")
    save(folder)


def two_blocks(folder: Path) -> None:
    (folder / ".gitignore").write_text(f"{BEGIN}\n{END}\n{BEGIN}\n{END}\n")
    save(folder)


def a_conflict(folder: Path) -> None:
    (folder / "requirements.txt").write_text("<<<<<<< ours\na==1\n=======\na==2\n>>>>>>> theirs\n")
    save(folder)


def a_page_of_theirs(folder: Path) -> None:
    (folder / "docs").mkdir()
    (folder / "docs" / "private-packages.md").write_text("How we do it.\n")
    save(folder)


def a_package_of_theirs(folder: Path) -> None:
    (folder / "private_packages").mkdir()
    (folder / "private_packages" / "list.py").write_text("NAMES = []\n")
    save(folder)


def a_module_of_theirs(folder: Path) -> None:
    (folder / "private_packages.py").write_text("NAMES = []\n")
    save(folder)


def another_template(folder: Path) -> None:
    (folder / ".copier-answers.yml").write_text("_src_path: gh:somebody/else\n")
    save(folder)


def a_finder_of_theirs(folder: Path) -> None:
    (folder / "_submodules.py").write_text("PATHS = []\n")
    save(folder)


def an_ignored_lock(folder: Path) -> None:
    with (folder / ".gitignore").open("a") as file:
        file.write("*.lock\n")
    save(folder)


def found_by_setuptools(folder: Path) -> None:
    (folder / "gauge").mkdir()
    (folder / "gauge" / "__init__.py").touch()
    project = '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
    (folder / "pyproject.toml").write_text(f'{project}[project]\nname = "gauge"\nversion = "1"\n')
    save(folder)


def values_that_nobody_can_read(folder: Path) -> None:
    (folder / ".gitignore").open("a").write(".env\n")
    save(folder)
    (folder / ".env").write_text('MULTI="a\nb"\n')


def save(folder: Path) -> None:
    subprocess.run(["git", "add", "--all"], cwd=folder, check=True)
    subprocess.run(["git", "commit", "--quiet", "-m", "Theirs"], cwd=folder, check=True)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (edited, "There are uncommitted changes (app.py): commit or stash them"),
        (untracked, "There are uncommitted changes (notes.txt): commit or stash them"),
        (staged, "There are uncommitted changes (notes.txt): commit or stash them"),
        (read_only, "requirements.txt is read-only: make it writable"),
        (half_a_block, "requirements.txt holds only one end of a block of this template's"),
        (two_blocks, ".gitignore holds more than one pair of marks of a block"),
        (a_conflict, "requirements.txt has merge conflicts: resolve them"),
        (a_page_of_theirs, "docs/private-packages.md is here already, and is not this template's: rename it"),
        (a_package_of_theirs, "private_packages/ is here already, and is not this template's: rename it"),
        (a_module_of_theirs, "private_packages.py is here already, and is not this template's: rename it"),
        (another_template, ".copier-answers.yml is of another template: add `--answers-file"),
        (found_by_setuptools, "setuptools would take private_packages/ for a part of the project"),
        (values_that_nobody_can_read, "Line 1 of .env is not of the form NAME=value"),
        (an_ignored_lock, "Git ignores private-packages.lock: change .gitignore"),
        (a_finder_of_theirs, "_submodules.py is your own file, and the finder of the submodules has to stand there"),
    ],
)  # fmt: skip
def test_an_app_that_cannot_take_the_unit_is_left_as_it_is_with_one_sentence(
    app: Theirs,
    template: Path,
    hosts: DemoHosts,
    variables: Mapping[str, str],
    change: Callable[[Path], None],
    sentence: str,
):
    change(app.folder)
    before, state = app.files(), app.git("status", "--porcelain", "--ignored")
    wanted = answers_of(hosts, "submodule", ("acme-units", "2.0.0"))
    done = app.copy(template, platform="viktor", **wanted)
    assert done.returncode == 1
    assert f"Nothing was changed. {sentence}" in done.stderr
    assert "Traceback" not in done.stderr
    assert app.files() == before
    assert app.git("status", "--porcelain", "--ignored") == state
    assert not (app.folder / ".git" / "modules").exists()


@pytest.mark.parametrize("skipping", [False, True], ids=["hook", "no hook"])
def test_a_folder_without_an_app_is_left_empty(template: Path, tmp_path: Path, skipping: bool):
    folder = tmp_path / "nothing"
    folder.mkdir()
    (folder / "letter.txt").write_text("Dear all\n")
    options = ["--skip-tasks"] if skipping else ["--trust"]
    done = copier(
        "copy", *options, "--defaults", *data({"start": "existing"}), template, folder, cwd=tmp_path
    )
    assert "Nothing was changed. Here is no Python app: name its folder in the command" in done.stderr
    assert [one.name for one in folder.iterdir()] == ["letter.txt"]


def test_an_app_of_another_template_takes_the_unit_with_answers_of_its_own(
    app: Theirs, template: Path, hosts: DemoHosts, variables: Mapping[str, str]
):
    another_template(app.folder)
    app.own = app.files()
    answers = ".copier-answers.private-packages.yml"
    done = app.copy(
        template, "--answers-file", answers, **answers_of(hosts, "index", ("acme-units", "2.0.0"))
    )
    assert done.returncode == 0, done.stderr
    assert (app.folder / ".copier-answers.yml").read_text() == "_src_path: gh:somebody/else\n"
    app.commit()
    more = answers_of(hosts, "index", ("acme-units", "2.0.0"), ("acme-loads", "0.9.0"))
    update = copier("update", "--trust", "--defaults", "-a", answers, *data(more), cwd=app.folder)
    assert update.returncode == 0, update.stderr
    assert "acme-loads" in (app.folder / "private-packages.lock").read_text()
    assert typed(app.folder, "python -m private_packages sync --remove").returncode == 0
    assert app.files() == app.own


# VIKTOR: three commands, one line of code.


@pytest.mark.slow
@pytest.mark.parametrize("name", ["viktor-root", "viktor-package"])
def test_three_commands_and_one_line_give_a_viktor_app_a_submodule_that_its_tests_import(
    template: Path, hosts: DemoHosts, variables: Mapping[str, str], tmp_path: Path, name: str
):
    shape = shape_of(name)
    folder = shape.make(tmp_path / "app")
    app = Theirs(shape, folder, folder, {})
    app.own = app.files()
    tests = folder / "tests" if (folder / "tests").is_dir() else folder
    entry = "app" if name == "viktor-root" else "app.controller"
    (tests / "test_units.py").write_text(
        f"import unittest\n\nimport {entry}  # noqa: F401\nimport acme_units\n\n\n"
        "class UnitsTest(unittest.TestCase):\n    def test_they_come_from_the_submodule(self):\n"
        "        self.assertIn('submodules', acme_units.__file__)\n"
    )
    app.commit()
    done = app.copy(template, **answers_of(hosts, "submodule", ("acme-units", "2.0.0")))
    assert done.returncode == 0, done.stderr
    # The questionnaire has seen viktor.config.toml.
    assert 'platform = "viktor"' in (folder / "private-packages.toml").read_text()
    line = f"let the first line of code in {viktor.entry_of(folder)} be: {viktor.import_line(folder)}"
    assert line in done.stderr
    # `status` starts the app as VIKTOR does, and says the same until the line is there.
    install = typed(folder, "python -m private_packages install")
    assert install.returncode == 1
    assert f"{viktor.entry_of(folder)} does not import the finder" in install.stdout + install.stderr
    app.import_finder()
    assert typed(folder, "python -m private_packages").returncode == 0
    module = "test_units" if tests == folder else "tests.test_units"
    tested = typed(folder, f"python -m private_packages exec python -m unittest {module}")
    assert tested.returncode == 0, tested.stderr
    assert "Ran 1 test" in tested.stderr
    # An app that breaks is not called ok.
    path = folder / viktor.entry_of(folder)
    path.write_text(path.read_text() + "\nraise RuntimeError('no licence')\n")
    broken = typed(folder, "python -m private_packages")
    assert broken.returncode == 1
    assert "the app does not start: RuntimeError: no licence" in broken.stdout + broken.stderr


@pytest.mark.slow
def test_an_app_whose_pyproject_alone_says_what_it_needs_is_installed_with_its_packages(
    template: Path, hosts: DemoHosts, variables: Mapping[str, str], tmp_path: Path
):
    shape = shape_of("src-layout")
    folder = shape.make(tmp_path / "app")
    app = Theirs(shape, folder, folder, {})
    done = app.copy(template, **answers_of(hosts, "git", ("acme-units", "2.0.0")))
    assert done.returncode == 0, done.stderr
    assert "-e ." in (folder / "requirements.txt").read_text().splitlines()
    install = typed(folder, "python -m private_packages install")
    assert install.returncode == 0, install.stdout + install.stderr
    code = "import acme_units, importlib.metadata as m; print(m.version('acme-units'))"
    ran = typed(folder, f'python -m private_packages exec python -c "{code}"')
    assert ran.stdout == "2.0.0\n", ran.stderr
