"""The finder of an app on VIKTOR: what it finds in app/submodules, for whom, and at what cost."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import textwrap
import venv
from pathlib import Path

import private_packages.app
import pytest
from private_packages import viktor
from private_packages.config import Config, Package
from private_packages.git import Git
from private_packages.output import Output
from private_packages.package_files import NOT_PACKAGES

SENTENCE = "app/submodules/acme-beams is empty. Run: python -m private_packages install"
BEAMS = {
    "src/acme_beams/__init__.py": "def where(_: object = None) -> str:\n    return __file__\n",
}
UNITS = {
    "acme_units/__init__.py": "def where(_: object = None) -> str:\n    return __file__\n",
    "tests/__init__.py": "",
    "setup.py": "",
}


def finder(folder: Path, **subdirectories: str) -> str:
    """The file that `sync` writes for submodules of these names, with `_` for `-`, among other packages."""
    (folder / "app").mkdir(parents=True, exist_ok=True)
    (folder / "app" / "__init__.py").touch()
    packages = [
        Package("acme-loads", "git", "acme-loads @ git+https://github.com/acme/loads.git"),
        *(
            Package(name.replace("_", "-"), "submodule", "", subdirectory=subdirectory)
            for name, subdirectory in subdirectories.items()
        ),
        Package("acme-plots", "index", "acme-plots==1"),
    ]
    config = Config("new", "viktor", "3.13", ".copier-answers.yml", (), None, tuple(packages))
    return viktor.finder(private_packages.app.App(folder, config, {}, Git({}), Output(sys.stderr, {})))


class App:
    """A folder with app/, its finder and its submodules, run by a real Python."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.python = sys.executable
        self.write("app/__init__.py", "from app import _submodules  # noqa: F401\n")
        self.declare()

    def write(self, path: str, text: str) -> None:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text), encoding="utf-8")

    def declare(self, **subdirectories: str) -> None:
        """Make the finder for these submodules, whatever folders there are."""
        self.write("app/_submodules.py", finder(self.folder, **subdirectories))

    def submodule(self, name: str, files: dict[str, str]) -> Path:
        folder = self.folder / "app" / "submodules" / name
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in files.items():
            self.write(f"app/submodules/{name}/{path}", text)
        return folder

    def installed(self, path: str, text: str) -> None:
        """Put a file into site-packages of an environment of the app's own."""
        virtual = self.folder / ".venv"
        if not virtual.exists():
            venv.create(virtual)
        windows = sys.platform == "win32"
        self.python = str(virtual / ("Scripts/python.exe" if windows else "bin/python"))
        library = "Lib" if windows else f"lib/python{sys.version_info.major}.{sys.version_info.minor}"
        self.write(f".venv/{library}/site-packages/{path}", text)

    def start(self, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.python, *arguments],
            cwd=cwd or self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def run(self, code: str, cwd: Path | None = None) -> list[str]:
        """The lines that the code prints."""
        done = self.start("-c", textwrap.dedent(code), cwd=cwd)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    def refuses(self, module: str) -> str:
        """The last line of the error that an import of the module ends in."""
        done = self.start("-c", f"import app, {module}")
        assert done.returncode == 1
        return done.stderr.splitlines()[-1]

    def below(self, path: str) -> str:
        """A printed path, from app/submodules."""
        return Path(path).relative_to((self.folder / "app" / "submodules").resolve()).as_posix()


@pytest.fixture
def app(tmp_path: Path) -> App:
    """An app with a submodule in src layout and one in flat layout."""
    made = App(tmp_path / "my app")
    made.declare(acme_beams="", acme_units="")
    made.submodule("acme-beams", BEAMS)
    made.submodule("acme-units", UNITS)
    return made


class TestTheFile:
    """What is rendered is as tidy as the rest of the app."""

    @pytest.fixture
    def rendered(self, tmp_path: Path) -> Path:
        file = tmp_path / "_submodules.py"
        file.write_text(finder(tmp_path, acme_beams="", acme_units="python/units"), encoding="utf-8")
        return file

    def test_leaves_out_what_the_command_leaves_out(self, rendered: Path):
        """The finder stands in the app alone, so it has a list of its own."""
        found = re.search(r"(?s)\nNOT_PACKAGES = (\{.*?\n\})", rendered.read_text(encoding="utf-8"))
        assert found and ast.literal_eval(found[1]) == NOT_PACKAGES

    def test_names_the_submodules_and_no_other_package(self, rendered: Path):
        text = rendered.read_text()
        assert '    "acme-beams": "",\n    "acme-units": "python/units",\n}' in text
        assert "acme-loads" not in text
        assert "acme-plots" not in text

    @pytest.mark.parametrize(
        "command",
        [
            ["ruff", "format", "--isolated", "--check"],
            ["ruff", "check", "--isolated", "--select=E,F,I,B,UP,SIM"],
            ["mypy", "--strict", "--config-file="],
        ],
        ids=" ".join,
    )
    def test_is_clean(self, rendered: Path, command: list[str]):
        done = subprocess.run(
            [sys.executable, "-m", *command, rendered.name],
            cwd=rendered.parent,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


class TestTheLayouts:
    """Where a submodule's package may lie."""

    def test_a_package_is_found_in_src_and_else_in_the_folder_itself(self, app: App):
        found = app.run(
            "import app, acme_beams, acme_units; print(acme_beams.where(), acme_units.where(), sep='\\n')"
        )
        assert [app.below(line) for line in found] == [
            "acme-beams/src/acme_beams/__init__.py",
            "acme-units/acme_units/__init__.py",
        ]

    def test_nothing_beside_src_is_importable(self, app: App):
        app.submodule("acme-beams", {"acme_helpers.py": ""})
        assert app.refuses("acme_helpers") == "ModuleNotFoundError: No module named 'acme_helpers'"

    def test_a_package_is_found_in_its_subdirectory_and_in_the_src_of_that(self, app: App):
        app.declare(acme_beams="python", acme_units="packages/units")
        app.submodule("acme-beams", {"python/src/acme_beams/inside.py": ""})
        app.submodule("acme-units", {"packages/units/acme_units/inside.py": ""})
        app.submodule("acme-units", {"packages/units/acme_units/__init__.py": ""})
        found = app.run(
            "import app, acme_beams.inside as a, acme_units.inside as b; print(a.__file__, b.__file__, sep='\\n')"
        )
        assert [app.below(line) for line in found] == [
            "acme-beams/python/src/acme_beams/inside.py",
            "acme-units/packages/units/acme_units/inside.py",
        ]

    def test_a_subdirectory_that_is_not_there_holds_nothing(self, app: App):
        app.declare(acme_beams="python", acme_units="")
        assert app.refuses("acme_beams") == "ModuleNotFoundError: No module named 'acme_beams'"
        assert app.run("import app, acme_units; print('found')") == ["found"]

    def test_a_single_module_is_found(self, app: App):
        app.submodule("acme-units", {"acme_tables.py": ""})
        [found] = app.run("import app, acme_tables; print(acme_tables.__file__)")
        assert app.below(found) == "acme-units/acme_tables.py"

    def test_a_repository_s_own_tests_and_tools_are_not_importable(self, app: App):
        found = app.run(
            """
            import app, sys

            for name in ("acme_units", "tests", "setup"):
                print(sys.meta_path[0].find_spec(name) is not None)
            """
        )
        assert found == ["True", "False", "False"]

    def test_a_name_of_the_standard_library_is_never_taken(self, app: App):
        app.submodule("acme-beams", {"src/tomllib/__init__.py": "raise RuntimeError\n"})
        app.submodule("acme-units", {"colorsys.py": "raise RuntimeError\n"})
        assert app.run("import app, tomllib, colorsys; print('fine')") == ["fine"]

    def test_a_folder_of_data_is_no_package(self, app: App):
        app.submodule("acme-units", {"acme/readme.md": "", "data/table.csv": "", "notebooks/one.py": ""})
        for name in ("acme", "data", "notebooks"):
            assert app.refuses(name) == f"ModuleNotFoundError: No module named '{name}'"

    def test_a_package_without_init_is_found_if_it_is_called_like_its_submodule(self, app: App):
        app.declare(acme_units="")
        (app.folder / "app/submodules/acme-units/acme_units/__init__.py").unlink()
        app.submodule("acme-units", {"acme_units/tables.py": ""})
        [found] = app.run("import app, acme_units.tables; print(acme_units.tables.__file__)")
        assert app.below(found) == "acme-units/acme_units/tables.py"


class TestANamespace:
    """One namespace (PEP 420) in several places."""

    @pytest.fixture
    def app(self, tmp_path: Path) -> App:
        made = App(tmp_path / "my-app")
        made.declare(acme_beams="", acme_units="python")
        made.submodule("acme-beams", {"src/acme/beams.py": ""})
        made.submodule("acme-units", {"python/acme/units.py": ""})
        return made

    def test_is_put_together_from_two_submodules(self, app: App):
        found = app.run(
            "import app, acme.beams as a, acme.units as b; print(a.__file__, b.__file__, sep='\\n')"
        )
        assert [app.below(line) for line in found] == [
            "acme-beams/src/acme/beams.py",
            "acme-units/python/acme/units.py",
        ]

    def test_may_have_any_name_in_src(self, app: App):
        app.submodule("acme-beams", {"src/steel/beams.py": ""})
        [found] = app.run("import app, steel.beams; print(steel.beams.__file__)")
        assert app.below(found) == "acme-beams/src/steel/beams.py"

    def test_is_put_together_with_what_is_installed(self, app: App):
        app.installed("acme/loads.py", "")
        [found] = app.run("import app, acme.beams, acme.loads, acme.units; print(acme.loads.__file__)")
        assert "site-packages" in found

    def test_prefers_the_submodule_s_part_to_an_installed_copy(self, app: App):
        app.installed("acme/beams.py", "raise RuntimeError('stale')\n")
        assert app.run("import app, acme.beams; print('fine')") == ["fine"]

    def test_prefers_the_submodule_s_part_to_an_installed_package_of_that_name(self, app: App):
        app.installed("acme/__init__.py", "raise RuntimeError('stale')\n")
        found = app.run("import app, acme.units; print(*acme.__path__, sep='\\n')")
        assert [app.below(line) for line in found] == ["acme-beams/src/acme", "acme-units/python/acme"]

    def test_names_each_part_once_when_the_roots_are_on_the_path_too(self, app: App):
        app.installed("acme/loads.py", "")
        assert app.run("import multiprocessing.spawn, app, acme; print(len(acme.__path__))") == ["3"]


class TestWhatIsNotWanted:
    """Folders that the answers do not name any more, and copies that are installed besides."""

    def test_a_leftover_folder_is_never_imported(self, app: App):
        app.declare(acme_beams="")
        assert app.refuses("acme_units") == "ModuleNotFoundError: No module named 'acme_units'"
        assert app.run("import app, acme_beams; print('found')") == ["found"]

    def test_an_installed_package_is_taken_where_its_submodule_is_a_leftover(self, app: App):
        app.declare(acme_beams="")
        app.installed("acme_units.py", "")
        [found] = app.run("import app, acme_units; print(acme_units.__file__)")
        assert "site-packages" in found

    def test_a_leftover_folder_never_comes_onto_the_search_path(self, app: App):
        app.declare(acme_beams="")
        found = app.run("import app, multiprocessing.spawn, sys; print(*sys.path, sep='\\n')")
        assert [app.below(line) for line in found if "submodules" in line] == ["acme-beams/src"]

    @pytest.mark.parametrize("name", ["acme_beams", "acme_units"])
    def test_an_installed_copy_never_wins_over_the_submodule(self, app: App, name: str):
        app.installed(f"{name}/__init__.py", "raise RuntimeError('stale')\n")
        [found] = app.run(f"import app, {name}; print({name}.where())")
        assert app.below(found).endswith(f"{name}/__init__.py")


class TestAnEmptyFolder:
    """A submodule that was not fetched."""

    @pytest.mark.parametrize("rest", ["nothing", "no folder", ".git", "__pycache__"])
    def test_is_named_with_the_command_to_type(self, tmp_path: Path, rest: str):
        app = App(tmp_path / "my-app")
        app.declare(acme_beams="")
        if rest != "no folder":
            app.submodule("acme-beams", {} if rest == "nothing" else {f"{rest}/x": ""})
        assert app.refuses("acme_beams") == f"ModuleNotFoundError: {SENTENCE}"

    def test_is_named_although_an_old_copy_is_installed(self, tmp_path: Path):
        app = App(tmp_path / "my-app")
        app.declare(acme_beams="")
        app.installed("acme_beams.py", "")
        assert app.refuses("acme_beams") == f"ModuleNotFoundError: {SENTENCE}"

    def test_does_not_stop_the_other_packages(self, app: App):
        app.declare(acme_beams="", acme_units="", acme_frames="")
        app.submodule("acme-frames", {})
        assert app.run("import app, acme_beams, acme_units; print('found')") == ["found"]

    def test_is_found_in_the_same_process_once_it_was_fetched(self, tmp_path: Path):
        app = App(tmp_path / "my-app")
        app.declare(acme_beams="")
        said = app.run(
            """
            import app
            from pathlib import Path

            try:
                import acme_beams
            except ModuleNotFoundError as error:
                print(error.name)
            folder = Path("app/submodules/acme-beams/src/acme_beams")
            folder.mkdir(parents=True)
            (folder / "__init__.py").touch()
            import acme_beams
            print("found")
            """
        )
        assert said == ["acme_beams", "found"]

    def test_says_nothing_where_a_fetched_package_has_modules_of_other_names(self, app: App):
        app.declare(acme_frames="")
        app.submodule("acme-frames", {"frames.py": ""})
        assert app.refuses("acme_frames") == "ModuleNotFoundError: No module named 'acme_frames'"


class TestTheMap:
    """What the folders hold is read once."""

    def test_a_miss_touches_no_file_once_the_folders_were_read(self, app: App):
        said = app.run(
            """
            import app, os, os.path, sys

            def touched(*_, **__):
                raise AssertionError("touched")

            finder = sys.meta_path[0]
            finder.find_spec("no_such_module")
            for name in ("stat", "lstat", "scandir", "listdir"):
                setattr(os, name, touched)
            for name in ("exists", "isdir", "isfile"):
                setattr(os.path, name, touched)
            print(finder.find_spec("no_such_module"))
            finder.invalidate_caches()
            try:
                finder.find_spec("no_such_module")
            except AssertionError as error:
                print(error)
            """
        )
        assert said == ["None", "touched"]

    def test_a_new_module_is_seen_when_the_caches_are_invalidated(self, app: App):
        said = app.run(
            """
            import app, importlib, importlib.util
            from pathlib import Path

            print(importlib.util.find_spec("acme_tables"))
            Path("app/submodules/acme-units/acme_tables.py").touch()
            print(importlib.util.find_spec("acme_tables"))
            importlib.invalidate_caches()
            print(importlib.util.find_spec("acme_tables").name)
            """
        )
        assert said == ["None", "None", "acme_tables"]

    def test_a_miss_costs_less_than_a_tenth_of_a_millisecond_with_50_submodules(self, tmp_path: Path):
        app = App(tmp_path / "my-app")
        names = [f"acme_part{number}" for number in range(50)]
        app.declare(**dict.fromkeys(names, ""))
        for name in names:
            app.submodule(name.replace("_", "-"), {f"src/{name}/__init__.py": "", "tests/test_it.py": ""})
        [seconds] = app.run(
            """
            import app, importlib.util, timeit

            assert importlib.util.find_spec("acme_part49")
            tries = timeit.repeat(lambda: importlib.util.find_spec("no_such_module"), number=20, repeat=50)
            print(min(tries) / 20)
            """
        )
        assert float(seconds) < 0.0001


class TestOnceOnly:
    """One finder, first of all, however often it is loaded."""

    COUNT = "print([type(one).__name__ for one in sys.meta_path].count('SubmoduleFinder'))"

    def test_it_stands_in_front_of_all_others(self, app: App):
        assert app.run("import app, sys; print(type(sys.meta_path[0]).__name__)") == ["SubmoduleFinder"]

    @pytest.mark.parametrize(
        "again",
        [
            "importlib.reload(app)",
            "importlib.reload(app._submodules)",
            "del sys.modules['app'], sys.modules['app._submodules']; import app",
        ],
    )
    def test_a_reload_neither_loses_nor_doubles_it(self, app: App, again: str):
        said = app.run(
            f"""
            import app, importlib, sys
            {again}
            {self.COUNT}
            import acme_beams
            importlib.reload(acme_beams)
            print(acme_beams.where())
            """
        )
        assert said[0] == "1"
        assert app.below(said[1]) == "acme-beams/src/acme_beams/__init__.py"

    def test_finders_of_others_stay(self, app: App):
        said = app.run(
            """
            import sys

            class Other:
                def find_spec(self, fullname, path=None, target=None):
                    return None

            sys.meta_path.insert(0, Other())
            before = list(sys.meta_path)
            import app, importlib
            importlib.reload(app._submodules)
            print(sys.meta_path[1:] == before)
            """
        )
        assert said == ["True"]


class TestTheDoctor:
    """Whoever loads the file by its path, without the app."""

    LOAD = """
        import importlib.util, pathlib, sys

        spec = importlib.util.spec_from_file_location("_submodules", {file!r})
        finder = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(finder)
        """

    def load(self, app: App, more: str, cwd: Path) -> list[str]:
        file = str(app.folder / "app" / "_submodules.py")
        return app.run(textwrap.dedent(self.LOAD.format(file=file)) + textwrap.dedent(more), cwd=cwd)

    def test_gets_the_packages_without_an_import_of_the_app(self, app: App, tmp_path: Path):
        app.write("app/__init__.py", "raise RuntimeError('imported')\n")
        said = self.load(
            app, "import acme_beams; print('app' in sys.modules); print(acme_beams.where())", tmp_path
        )
        assert said[0] == "False"
        assert app.below(said[1]) == "acme-beams/src/acme_beams/__init__.py"

    def test_is_told_the_names_of_a_submodule_and_their_roots(self, app: App, tmp_path: Path):
        app.declare(acme_beams="", acme_units="python")
        app.submodule("acme-units", {"python/acme_units.py": "", "python/acme_more.py": ""})
        said = self.load(
            app,
            """
            for folder in sorted(finder.SUBMODULES.iterdir()):
                print(*sorted((name, root.as_posix()) for name, root in finder.top_level(folder).items()))
            """,
            tmp_path,
        )
        folder = (app.folder / "app" / "submodules").resolve().as_posix()
        assert said == [
            f"('acme_beams', '{folder}/acme-beams/src')",
            f"('acme_more', '{folder}/acme-units/python') ('acme_units', '{folder}/acme-units/python')",
        ]


POOL = """
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    import {module}

    if __name__ == "__main__":
        context = multiprocessing.get_context("{method}")
        if {executor}:
            with ProcessPoolExecutor(1, mp_context=context) as pool:
                print(*pool.map({module}.where, [1]))
        else:
            with context.Pool(1) as pool:
                print(*pool.map({module}.where, [1]))
    """
METHODS = [
    "spawn",
    pytest.param("forkserver", marks=pytest.mark.skipif(sys.platform == "win32", reason="not on Windows")),
]


class TestAProcessPool:
    """Children that are not forked have nothing but the search path of their parent."""

    @pytest.mark.parametrize("executor", [False, True], ids=["Pool", "ProcessPoolExecutor"])
    @pytest.mark.parametrize("method", METHODS)
    @pytest.mark.parametrize("module", ["acme_beams", "acme_units"])
    def test_runs_a_private_package_s_function_for_an_app_that_is_started_as_a_module(
        self, app: App, module: str, method: str, executor: bool
    ):
        app.write("app/__main__.py", POOL.format(module=module, method=method, executor=executor))
        done = app.start("-m", "app")
        assert done.returncode == 0, done.stderr
        assert app.below(done.stdout.strip()).endswith(f"{module}/__init__.py")

    @pytest.mark.parametrize("method", METHODS)
    def test_runs_a_function_of_the_app(self, app: App, method: str):
        app.write(
            "app/work.py", "from acme_units import where as there\n\ndef where(_):\n    return there()\n"
        )
        code = POOL.format(module="app.work", method=method, executor=True)
        app.write("app/__main__.py", code)
        done = app.start("-m", "app")
        assert done.returncode == 0, done.stderr
        assert app.below(done.stdout.strip()) == "acme-units/acme_units/__init__.py"

    @pytest.mark.parametrize("method", METHODS)
    def test_takes_the_submodule_and_not_an_installed_copy(self, app: App, method: str):
        app.installed("acme_beams/__init__.py", "def where(_):\n    return 'stale'\n")
        app.write("app/__main__.py", POOL.format(module="acme_beams", method=method, executor=True))
        done = app.start("-m", "app")
        assert done.returncode == 0, done.stderr
        assert app.below(done.stdout.strip()) == "acme-beams/src/acme_beams/__init__.py"

    def test_takes_the_app_s_own_tests_and_not_those_of_a_submodule(self, app: App):
        app.write("tests/__init__.py", "")
        app.write("tests/work.py", "def where(_):\n    return __file__\n")
        app.write("app/__main__.py", POOL.format(module="tests.work", method="spawn", executor=True))
        done = app.start("-m", "app")
        assert done.returncode == 0, done.stderr
        assert Path(done.stdout.strip()) == (app.folder / "tests" / "work.py").resolve()

    def test_alone_makes_the_search_path_longer_and_each_root_stands_there_once(self, app: App):
        app.submodule("acme-beams", {"src/acme_more.py": ""})
        said = app.run(
            """
            import app, importlib, sys

            def count():
                print(sum("submodules" in entry for entry in sys.path))

            import acme_beams, acme_units
            count()
            import multiprocessing.spawn
            count()
            importlib.reload(app._submodules)
            importlib.invalidate_caches()
            count()
            """
        )
        assert said == ["0", "2", "2"]

    def test_has_the_roots_also_where_multiprocessing_came_before_the_app(self, app: App):
        found = app.run("import multiprocessing.spawn, app, sys; print(*sys.path, sep='\\n')")
        assert [app.below(line) for line in found if "submodules" in line] == ["acme-beams/src", "acme-units"]

    def test_has_the_roots_also_of_what_was_fetched_later(self, app: App):
        app.declare(acme_beams="", acme_units="", acme_frames="")
        found = app.run(
            """
            import app, importlib, multiprocessing.spawn, pathlib, sys

            folder = pathlib.Path("app/submodules/acme-frames/src")
            folder.mkdir(parents=True)
            (folder / "acme_frames.py").touch()
            importlib.invalidate_caches()
            print(*sys.path, sep='\\n')
            """
        )
        assert [app.below(line) for line in found if "submodules" in line][-1] == "acme-frames/src"
