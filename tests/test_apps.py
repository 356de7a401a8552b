"""An app's first hour, for real: generated, installed from hosts that demand a login, run, tested, type-checked."""

from __future__ import annotations

import platform as machine
import subprocess
import sys
from pathlib import Path

import pytest
import uv
import yaml
from apps import Apps
from private_packages.environment import python_of

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
# Any Python that the tests run with will do.
PYTHON = {"python_version": "3.11"}


def answers(hosts: DemoHosts, choice: str) -> dict[str, object]:
    """The answers for one strategy, for all mixed, or for no package at all."""
    return PYTHON | (dict(hosts.answers(choice)) if choice != "none" else {"strategies": []})


def add_tools(app: Path, *tools: str) -> None:
    """Install tools into the app's environment, as a developer does."""
    python = python_of(app / ".venv")
    runs.run([uv.find_uv_bin(), "pip", "install", "--quiet", "--python", python, *tools], app, {})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("installer", "choice"),
    [*(("pip", choice) for choice in CHOICES), *(("uv", choice) for choice in ("mixed", "none"))],
)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_app_is_installed_in_one_line_runs_and_passes_its_tests(
    template: Path, hosts: DemoHosts, tmp_path: Path, platform: str, installer: str, choice: str
):
    app = tmp_path / "my-app"
    given = {"platform": platform, "installer": installer, **answers(hosts, choice)}
    runs.generate(template, app, given, hosts.variables)
    installed = runs.install(app, hosts.variables)
    assert "made the virtual environment .venv" in installed
    started = runs.start(app, platform)
    if choice != "none":
        assert "Everything is as it should be." in installed
        if platform == "python":
            for version in ("acme-beams: 1.2.3", "acme-units: 2.1.0", "acme-loads: 0.9.0"):
                assert version in started
    tested = runs.test(app)
    assert "Ran 2 tests" in tested
    assert "skipped" not in tested


@pytest.mark.slow
@pytest.mark.parametrize(
    ("platform", "choice"),
    [
        *[("python", choice) for choice in CHOICES if choice != "none"],
        pytest.param("viktor", "mixed", marks=PLATFORMS[1].marks),
    ],
)
def test_plain_pip_installs_requirements_txt_as_it_stands(
    template: Path, hosts: DemoHosts, tmp_path: Path, platform: str, choice: str
):
    """Who does not want the command can do without; VIKTOR itself does it so."""
    app = tmp_path / "my-app"
    runs.generate(template, app, {"platform": platform, **answers(hosts, choice)}, hosts.variables)
    python = runs.make_environment(app)
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    runs.run([*pip, "-r", "requirements.txt"], app, hosts.variables)
    assert "OK" in runs.run([python, "-m", "unittest"], app, {})


@pytest.mark.slow
@pytest.mark.parametrize("version", ["copier==9.15.0", "copier"])
def test_the_oldest_and_the_newest_copier_make_the_same_app(
    template: Path, hosts: DemoHosts, apps: Apps, variables: dict[str, str], tmp_path: Path, version: str
):
    """`uv tool run` takes the newest release of PyPI where no version is given."""
    (tmp_path / "answers.yml").write_text(yaml.safe_dump(hosts.answers("mixed") | {"app_name": "same"}))
    command = ["tool", "run", "--isolated", "--no-config", "--from", version, "copier", "copy"]
    options = ["--trust", "--defaults", "--vcs-ref", "HEAD", "--data-file", str(tmp_path / "answers.yml")]
    runs.run([uv.find_uv_bin(), *command, *options, template, tmp_path / "app"], tmp_path, {})
    expected = apps.make(**hosts.answers("mixed"), app_name="same")
    different = subprocess.run(
        ["diff", "-r", "--exclude=.git", tmp_path / "app", expected],
        capture_output=True,
        text=True,
        check=False,
    )
    assert different.stdout == ""


@pytest.fixture(scope="module", params=PLATFORMS)
def submodules(
    request: pytest.FixtureRequest,
    template: Path,
    hosts: DemoHosts,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """An app whose packages are all submodules, in src layout and flat layout, used from the app's own code."""
    app = tmp_path_factory.mktemp("submodules") / "my-app"
    runs.generate(template, app, {"platform": request.param, **answers(hosts, "submodule")}, hosts.variables)
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
    runs.install(app, hosts.variables)
    add_tools(app, "pytest", "mypy", "pyright")
    return app


@pytest.mark.slow
def test_submodules_are_imported_from_their_folders(submodules: Path):
    code = "from app.work import where; print(*where(), sep='\\n')"
    found = runs.run([python_of(submodules / ".venv"), "-c", code], submodules, {})
    assert [Path(line).relative_to(submodules.resolve()).as_posix() for line in found.split()] == [
        "app/submodules/acme-beams/src/acme_beams/__init__.py",
        "app/submodules/acme-units/acme_units/__init__.py",
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [["-m", "unittest", "-v"], ["-m", "unittest", "discover", "-s", "tests", "-v"], ["-m", "pytest", "-q"]],
    ids=" ".join,
)
def test_every_test_runner_finds_the_packages_also_in_a_spawned_process(submodules: Path, command: list[str]):
    said = runs.execute(submodules, {}, "python", *command)
    assert any(words in said for words in ("Ran 4 tests", "4 passed"))


@pytest.mark.slow
@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_type_checkers_find_the_packages(submodules: Path, checker: str):
    """And they would complain about a module that is not there."""
    runs.execute(submodules, {}, checker)
    wrong = submodules / "app" / "wrong.py"
    wrong.write_text("import acme_beams_missing\n\nprint(acme_beams_missing)\n")
    try:
        with pytest.raises(runs.StepFailed, match="acme_beams_missing"):
            runs.execute(submodules, {}, checker)
    finally:
        wrong.unlink()


@pytest.mark.slow
def test_a_repository_s_own_tests_folder_does_not_hide_the_app_s(submodules: Path):
    assert (submodules / "app/submodules/acme-units/tests").is_dir()
    found = runs.execute(submodules, {}, "python", "-c", "import app, tests; print(tests.__file__)")
    assert str((submodules / "tests" / "__init__.py").resolve()) in found


@pytest.mark.slow
def test_the_app_s_own_tests_name_a_submodule_without_its_files_and_the_command(
    submodules: Path, hosts: DemoHosts, tmp_path: Path
):
    """As in a clone that got no more than `git clone`."""
    subprocess.run(["git", "-C", submodules, "add", "--all"], check=True)
    subprocess.run(["git", "-C", submodules, "commit", "-qm", "all", "--allow-empty"], check=True)
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", submodules, clone], check=True)
    command = [python_of(submodules / ".venv"), "-m", "unittest", "tests.test_private_packages"]
    with pytest.raises(runs.StepFailed) as failed:
        runs.run(command, clone, hosts.variables)
    assert "acme-beams: app/submodules/acme-beams is empty." in str(failed.value)
    assert "Type: python -m private_packages install" in str(failed.value)


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
