"""An app's first hour, for real: generated, checked, installed from hosts that demand a login, run, tested."""

from __future__ import annotations

import platform as machine
import subprocess
import sys
from pathlib import Path

import pytest
import uv
import yaml
from apps import Apps

from demo import runs
from demo.cli import viktor_has_wheels
from demo.hosts import DemoHosts

PLATFORMS = [
    "python",
    pytest.param(
        "viktor",
        marks=pytest.mark.skipif(
            not viktor_has_wheels(), reason=f"VIKTOR has no SDK for {sys.platform} on {machine.machine()}"
        ),
    ),
]
CHOICES = ["submodule", "git", "index", "mixed", "none"]


def answers(hosts: DemoHosts, choice: str) -> dict[str, object]:
    """The answers for one strategy, for all mixed, or for no package at all."""
    return dict(hosts.answers(choice)) if choice != "none" else {"strategies": []}


@pytest.mark.slow
@pytest.mark.parametrize("installer", runs.INSTALLERS)
@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_app_is_installed_runs_and_passes_its_tests(
    template: Path, hosts: DemoHosts, tmp_path: Path, platform: str, choice: str, installer: str
):
    app = tmp_path / "my-app"
    runs.generate(template, app, {"platform": platform, **answers(hosts, choice)}, hosts.variables)
    virtual = runs.make_environment(app, installer)
    if choice != "none":
        assert "STOP" not in runs.check(app, virtual, hosts.variables)
    runs.install(app, virtual, hosts.variables)
    started = runs.start(app, virtual, platform)
    if platform == "python" and choice != "none":
        assert "acme-beams: 1.2.3" in started
        assert "acme-units: 2.1.0" in started
        assert "acme-loads: 0.9.0" in started
    tested = runs.test(app, virtual)
    assert "Ran 2 tests" in tested
    assert "skipped" not in tested


@pytest.mark.slow
@pytest.mark.parametrize("version", ["copier==9.15.0", "copier"])
def test_the_oldest_and_the_newest_copier_make_the_same_app(
    template: Path, hosts: DemoHosts, apps: Apps, variables: dict[str, str], tmp_path: Path, version: str
):
    """`uv tool run` takes the newest release of PyPI where no version is given."""
    (tmp_path / "answers.yml").write_text(yaml.safe_dump(hosts.answers("mixed") | {"app_name": "same"}))
    command = [
        uv.find_uv_bin(),
        "tool",
        "run",
        "--isolated",
        "--no-config",
        "--from",
        version,
        "copier",
        "copy",
    ]
    options = ["--trust", "--defaults", "--vcs-ref", "HEAD", "--data-file", str(tmp_path / "answers.yml")]
    runs.run([*command, *options, template, tmp_path / "app"], tmp_path, {})
    expected = apps.make(**hosts.answers("mixed"), app_name="same")
    different = subprocess.run(
        ["diff", "-r", "--exclude=.git", tmp_path / "app", expected],
        capture_output=True,
        text=True,
        check=False,
    )
    assert different.stdout == ""


@pytest.fixture(scope="module")
def mixed(
    template: Path, hosts: DemoHosts, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, runs.Virtual]:
    """One app with a package of each kind, installed; tests must leave it as it is."""
    app = tmp_path_factory.mktemp("mixed") / "my-app"
    runs.generate(template, app, hosts.answers("mixed"), hosts.variables)
    virtual = runs.make_environment(app, "uv")
    runs.install(app, virtual, hosts.variables)
    runs.run(
        [runs.uv.find_uv_bin(), "pip", "install", "--python", virtual.python, "pytest", "mypy", "pyright"],
        app,
        {},
    )
    return app, virtual


@pytest.fixture(scope="module")
def submodules(
    template: Path, hosts: DemoHosts, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, runs.Virtual]:
    """An app whose packages are all submodules, in src layout and flat layout, used from the app's own code."""
    app = tmp_path_factory.mktemp("submodules") / "my-app"
    runs.generate(template, app, hosts.answers("submodule"), hosts.variables)
    (app / "app" / "work.py").write_text(
        '"""Uses a package in src layout, which uses one in flat layout."""\n\n'
        "import acme_beams\nimport acme_units\n\n\n"
        "def where() -> tuple[str, str]:\n"
        '    """The files that the two packages were imported from."""\n'
        "    return str(acme_beams.__file__), str(acme_units.__file__)\n"
    )
    (app / "tests" / "test_work.py").write_text(
        "import multiprocessing\nimport unittest\nfrom concurrent.futures import ProcessPoolExecutor\n\n"
        "from app.work import where\n\n\n"
        "class WorkTest(unittest.TestCase):\n"
        "    def test_here(self) -> None:\n"
        '        self.assertIn("submodules", where()[0])\n\n'
        "    def test_in_a_spawned_process(self) -> None:\n"
        '        context = multiprocessing.get_context("spawn")\n'
        "        with ProcessPoolExecutor(1, mp_context=context) as pool:\n"
        "            self.assertEqual(pool.submit(where).result(), where())\n"
    )
    virtual = runs.make_environment(app, "uv")
    runs.run(
        [runs.uv.find_uv_bin(), "pip", "install", "--python", virtual.python, "pytest", "mypy", "pyright"],
        app,
        {},
    )
    return app, virtual


@pytest.mark.slow
def test_submodules_are_imported_from_their_folders(submodules: tuple[Path, runs.Virtual]):
    app, virtual = submodules
    found = runs.run(
        [virtual.python, "-c", "from app.work import where; print(*where(), sep='\\n')"], app, {}
    )
    assert [Path(line).relative_to(app.resolve()).as_posix() for line in found.split()] == [
        "app/submodules/acme-beams/src/acme_beams/__init__.py",
        "app/submodules/acme-units/acme_units/__init__.py",
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [["-m", "unittest", "-v"], ["-m", "unittest", "discover", "-s", "tests", "-v"], ["-m", "pytest", "-q"]],
    ids=" ".join,
)
def test_every_test_runner_finds_the_packages_also_in_a_spawned_process(
    submodules: tuple[Path, runs.Virtual], command: list[str]
):
    app, virtual = submodules
    assert any(
        words in runs.run([virtual.python, *command], app, {}) for words in ("Ran 4 tests", "4 passed")
    )


@pytest.mark.slow
@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_type_checkers_find_the_packages(submodules: tuple[Path, runs.Virtual], checker: str):
    """And they would complain about a module that is not there."""
    app, virtual = submodules
    command = [virtual.python, "-m", checker] + (
        ["--pythonpath", str(virtual.python)] if checker == "pyright" else []
    )
    runs.run(command, app, {})
    wrong = app / "app" / "wrong.py"
    wrong.write_text("import acme_beams_missing\n\nprint(acme_beams_missing)\n")
    try:
        with pytest.raises(runs.StepFailed, match="acme_beams_missing"):
            runs.run(command, app, {})
    finally:
        wrong.unlink()


@pytest.mark.slow
def test_a_repository_s_own_tests_folder_is_not_importable(submodules: tuple[Path, runs.Virtual]):
    app, virtual = submodules
    assert (app / "app/submodules/acme-units/tests").is_dir()
    found = runs.run([virtual.python, "-c", "import app, tests; print(tests.__file__)"], app, {})
    assert Path(found.strip()) == (app / "tests" / "__init__.py").resolve()


@pytest.mark.slow
def test_an_old_installed_copy_does_not_win_over_the_submodule(
    submodules: tuple[Path, runs.Virtual], tmp_path: Path
):
    app, virtual = submodules
    stale = tmp_path / "acme_units"
    stale.mkdir()
    (stale / "__init__.py").write_text("raise RuntimeError('stale')\n")
    runs.run(
        [virtual.python, "-c", "from app.work import where; where()"], app, {"PYTHONPATH": str(tmp_path)}
    )


@pytest.mark.slow
def test_an_empty_submodule_says_what_to_type(submodules: tuple[Path, runs.Virtual], tmp_path: Path):
    app, virtual = submodules
    clone = tmp_path / "clone"
    subprocess.run(["git", "-C", app, "add", "--all"], check=True)
    subprocess.run(["git", "-C", app, "commit", "-qm", "work"], check=True)
    subprocess.run(["git", "clone", "-q", app, clone], check=True)
    with pytest.raises(
        runs.StepFailed, match=r"acme-beams is empty\. Run: git submodule update --init --recursive"
    ):
        runs.run([virtual.python, "-c", "import app.work"], clone, {})


@pytest.mark.slow
def test_the_submodules_own_dependencies_stand_in_requirements(
    template: Path, hosts: DemoHosts, tmp_path: Path
):
    """But for those that the app provides itself as a private package."""
    alone = tmp_path / "alone"
    runs.generate(
        template,
        alone,
        {"strategies": ["submodule"], "submodule_packages": hosts.git_line("acme-beams")},
        hosts.variables,
    )
    assert (alone / "requirements.txt").read_text().splitlines()[-4:-1] == [
        "# >>> What the packages in app/submodules need; the template writes this block >>>",
        "# acme-beams",
        "acme-units",
    ]
    both = tmp_path / "both"
    runs.generate(template, both, hosts.answers("mixed"), hosts.variables)
    assert "What the packages in app/submodules need" not in (both / "requirements.txt").read_text()


class TestTheDoctor:
    """tests/test_private_packages.py of the app says why a package is not usable, and what to do."""

    def doctor(self, app: Path, virtual: runs.Virtual, **variables: str) -> str:
        with pytest.raises(runs.StepFailed) as failed:
            runs.run([virtual.python, "-m", "unittest", "tests.test_private_packages"], app, variables)
        return str(failed.value)

    @pytest.mark.slow
    def test_passes_on_a_healthy_app(self, mixed: tuple[Path, runs.Virtual]):
        app, virtual = mixed
        assert "OK" in runs.run([virtual.python, "-m", "unittest", "tests.test_private_packages"], app, {})

    @pytest.mark.slow
    def test_names_an_unset_variable_and_a_package_that_is_not_installed(
        self, apps: Apps, hosts: DemoHosts, variables: dict[str, str]
    ):
        app = apps.make(**hosts.answers("index"))
        virtual = runs.make_environment(app, "uv")
        runs.run([runs.uv.find_uv_bin(), "pip", "install", "--python", virtual.python, "packaging"], app, {})
        said = self.doctor(app, virtual, **dict.fromkeys(variables, ""))
        assert "acme-units is not installed. First set ACME_USER and ACME_PASSWORD" in said
        assert "python -m pip install -r requirements.txt" in said

    @pytest.mark.slow
    def test_names_a_wrong_version_and_a_wrong_ref(self, mixed: tuple[Path, runs.Virtual]):
        app, virtual = mixed
        table = app / "pyproject.toml"
        before = table.read_text()
        try:
            table.write_text(
                before.replace("acme-units==2.1.0", "acme-units==2.0.0").replace(
                    'ref = "v0.9.0"', 'ref = "v0.8.0"'
                )
            )
            said = self.doctor(app, virtual)
        finally:
            table.write_text(before)
        assert "acme-units is 2.1.0, and the app asks for ==2.0.0" in said
        assert "acme-loads was installed from v0.9.0, and the app asks for v0.8.0" in said

    @pytest.mark.slow
    def test_names_an_empty_submodule(self, mixed: tuple[Path, runs.Virtual], tmp_path: Path):
        app, virtual = mixed
        subprocess.run(["git", "-C", app, "add", "--all"], check=True)
        subprocess.run(["git", "-C", app, "commit", "-qm", "all", "--allow-empty"], check=True)
        subprocess.run(["git", "clone", "-q", app, tmp_path / "clone"], check=True)
        said = self.doctor(tmp_path / "clone", virtual)
        assert "app/submodules/acme-beams is empty." in said
        assert "Run: git submodule update --init --recursive" in said


class TestTheHook:
    """What the copy leaves in Git."""

    def test_pins_a_tag_a_branch_and_a_commit(
        self, apps: Apps, hosts: DemoHosts, variables: dict[str, str], git
    ):
        commit = git(hosts.git.path_of("acme-loads"), "rev-parse", "v0.8.0^{commit}")
        wanted = {"acme-beams": "v1.1.0", "acme-units": "develop", "acme-loads": commit}
        app = apps.make(
            submodule_packages="\n".join(hosts.git_line(name, ref) for name, ref in wanted.items())
        )
        assert "v1.1.0" in git(app / "app/submodules/acme-beams", "describe", "--tags")
        assert "origin/develop" in git(
            app / "app/submodules/acme-units", "branch", "-r", "--points-at", "HEAD"
        )
        assert "v0.8.0" in git(app / "app/submodules/acme-loads", "describe", "--tags")

    def test_takes_the_default_branch_when_a_line_has_no_ref(
        self, apps: Apps, hosts: DemoHosts, variables: dict[str, str], git
    ):
        app = apps.make(submodule_packages=hosts.git_line("acme-units").rpartition("@")[0])
        assert "origin/main" in git(app / "app/submodules/acme-units", "branch", "-r", "--points-at", "HEAD")

    def test_stages_gitlinks_and_commits_nothing(
        self, apps: Apps, hosts: DemoHosts, variables: dict[str, str], git
    ):
        app = apps.make(**hosts.answers("submodule"))
        staged = git(app, "ls-files", "--stage").splitlines()
        assert [line.split()[0] for line in staged] == ["100644", "160000", "160000", "160000"]
        with pytest.raises(AssertionError):
            git(app, "rev-parse", "--verify", "HEAD")

    def test_leaves_an_ordinary_submodule_that_may_be_moved(
        self, apps: Apps, hosts: DemoHosts, variables: dict[str, str], tmp_path: Path, git
    ):
        app = apps.make(**hosts.answers("submodule"))
        moved = app.rename(tmp_path / "moved somewhere else")
        git(moved, "add", "--all")
        git(moved, "commit", "-qm", "start")
        assert git(moved, "status", "--short") == ""
        assert [line.split()[1] for line in git(moved, "submodule", "status").splitlines()] == [
            "app/submodules/acme-beams",
            "app/submodules/acme-loads",
            "app/submodules/acme-units",
        ]
        git(moved, "submodule", "deinit", "--all", "--force")
        git(moved, "submodule", "init")

    def test_sends_two_requests_a_package_and_never_without_the_login(
        self, apps: Apps, hosts: DemoHosts, variables: dict[str, str]
    ):
        hosts.git.clear()
        apps.make(**hosts.answers("submodule"))
        for name in ("acme-beams", "acme-units", "acme-loads"):
            assert [one.status for one in hosts.git.requests_of(name)] == [200, 200]
