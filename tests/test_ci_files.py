"""The CI file of a generated app: sound in the eyes of each system's own checkers, and each step of it run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from apps import CI_FILES, ROOT, Apps, change_wanted, render

from demo import runs
from demo.cli import viktor_has_wheels
from demo.hosts import DemoHosts

HTTPS = "acme-beams @ git+https://x-access-token:${BEAMS_TOKEN}@github.com/acme/beams.git@v1.2.3"
SSH = "acme-ssh @ git@github.com:acme/ssh.git"
GIT = "acme-loads[plot] @ git+https://${GIT_USER}:${GIT_TOKEN}@git.acme.example/acme/loads.git@v0.9.0"
INDEX = 'acme-units[si]==2.1.0 ; python_version < "3.15"'
INDEX_URL = "https://${INDEX_USER}:${INDEX_PASSWORD}@packages.example.com/simple/"
CHOICES: dict[str, dict[str, Any]] = {
    "none": {"strategies": []},
    "submodule https": {"strategies": ["submodule"], "submodule_packages": HTTPS},
    "submodule ssh": {"strategies": ["submodule"], "submodule_packages": SSH},
    "git": {"strategies": ["git"], "git_packages": GIT},
    "index extra": {"strategies": ["index"], "index_packages": INDEX, "index_url": INDEX_URL},
    "index only": {
        "strategies": ["index"],
        "index_packages": INDEX,
        "index_url": INDEX_URL,
        "index_scope": "only",
    },
    "mixed": {
        "strategies": ["submodule", "git", "index"],
        "submodule_packages": f"{HTTPS}\n{SSH}",
        "git_packages": GIT,
        "index_packages": INDEX,
        "index_url": INDEX_URL,
    },
}
# The answers that name variables.
NAMING = ("submodule_packages", "git_packages", "index_packages", "index_url")
# The Python that runs here.
HERE = f"3.{sys.version_info.minor}"
INSTALL = "python -m private_packages install --locked"
TEST = "python -m private_packages exec python -m unittest"
VIKTOR = {"VIKTOR_ENV", "VIKTOR_DEV", "VIKTOR_TOKEN"}

# Each system's checkers, as a command that takes files; none asks the network.
ACTIONLINT = ["actionlint", "-no-color", "-shellcheck=", "-pyflakes="]
ZIZMOR = ["zizmor", "--offline", "--no-progress", "--pedantic", "--no-config", "--strict-collection"]
SCHEMA = ["check-jsonschema", "--builtin-schema"]
GITHUB_SCHEMA = [*SCHEMA, "vendor.github-workflows"]
GITLAB_SCHEMA = [*SCHEMA, "vendor.gitlab-ci", "--data-transform", "gitlab-ci"]
# Azure's schema holds patterns that are no Unicode regular expressions.
AZURE_SCHEMA = [*SCHEMA, "vendor.azure-pipelines", "--data-transform", "azure-pipelines"]
AZURE_SCHEMA += ["--regex-variant", "nonunicode"]
CHECKERS = {
    "github": [ACTIONLINT, ZIZMOR, GITHUB_SCHEMA],
    "gitlab": [GITLAB_SCHEMA],
    "azure": [AZURE_SCHEMA],
}


def checked(checker: list[str], *files: Path) -> tuple[bool, str]:
    """Whether a checker has nothing to say against some files, and what it printed."""
    program = shutil.which(checker[0], path=sysconfig.get_path("scripts"))
    assert program, f"{checker[0]} is not installed beside this Python"
    done = subprocess.run(
        [program, *checker[1:], *files], capture_output=True, text=True, encoding="utf-8", check=False
    )
    return done.returncode == 0, done.stdout + done.stderr


def answered(app: Path) -> dict[str, Any]:
    """The answers that an app was made with."""
    return yaml.safe_load((app / ".copier-answers.yml").read_text(encoding="utf-8"))


def ci_text(app: Path) -> str:
    """The CI file of an app."""
    return (app / CI_FILES[answered(app)["ci"]]).read_text(encoding="utf-8")


def named(answers: Mapping[str, Any]) -> set[str]:
    """The variables that the answers name."""
    return set(re.findall(r"\$\{(\w+)\}", " ".join(answers.get(question, "") for question in NAMING)))


def pinned_uv() -> str:
    """The version of uv that this project runs with."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (pin,) = (one for one in project["tool"]["uv"]["constraint-dependencies"] if one.startswith("uv=="))
    return pin


@dataclass(frozen=True)
class Step:
    """A shell step of a job: its script, the shell that the CI system gives it, what it adds to the environment."""

    script: str
    shell: tuple[str, ...]
    env: dict[str, str]


def github_steps(data: Any, job: str, given: Mapping[str, str]) -> Iterator[Step]:
    """A secret that nobody has made is empty on GitHub."""
    for step in data["jobs"][job]["steps"]:
        if "run" in step:
            env = {
                name: re.sub(
                    r"\$\{\{ (?:secrets|vars)\.(\w+) \}\}", lambda match: given.get(match[1], ""), value
                )
                for name, value in step.get("env", {}).items()
            }
            yield Step(step["run"], ("bash", "-e", "-c"), env)


def gitlab_steps(data: Any, job: str, given: Mapping[str, str]) -> Iterator[Step]:
    """GitLab has one shell for a whole job, and every job sees every variable."""
    own = {
        name: re.sub(r"\$(\w+)", lambda match: given.get(match[1], ""), value)
        for name, value in data[job].get("variables", {}).items()
    }
    script = "\n".join(data["default"].get("before_script", []) + data[job]["script"])
    yield Step(script, ("bash", "-eo", "pipefail", "-c"), {**given, **own})


def azure_steps(data: Any, job: str, given: Mapping[str, str]) -> Iterator[Step]:
    """Azure leaves `$(NAME)` as it stands when nobody has made the variable."""
    (steps,) = [one["steps"] for one in data["jobs"] if one["job"] == job]
    for step in steps:
        if "bash" in step:
            env = {
                name: re.sub(r"\$\(([\w.]+)\)", lambda match: given.get(match[1], match[0]), value)
                for name, value in step.get("env", {}).items()
            }
            yield Step(step["bash"], ("bash", "--noprofile", "--norc", "-c"), env)


def steps(app: Path, job: str, given: Mapping[str, str]) -> list[Step]:
    """The shell steps of a job, with the secrets and variables that somebody has given to the CI system."""
    read = {"github": github_steps, "gitlab": gitlab_steps, "azure": azure_steps}[answered(app)["ci"]]
    return list(read(yaml.safe_load(ci_text(app)), job, given))


@pytest.fixture(scope="module", params=list(CHECKERS))
def rendered(
    request: pytest.FixtureRequest, questionnaire: Path, tmp_path_factory: pytest.TempPathFactory
) -> list[Path]:
    """The apps of one CI system: both platforms with each choice of packages."""
    folder = tmp_path_factory.mktemp(request.param)
    return [
        render(questionnaire, folder / f"{platform} {choice}", ci=request.param, platform=platform, **answers)
        for platform in ("python", "viktor")
        for choice, answers in CHOICES.items()
    ]


@pytest.fixture(scope="module")
def whole(questionnaire: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The CI file with everything in it, of each system."""
    folder = tmp_path_factory.mktemp("whole")
    return {
        ci: ci_text(render(questionnaire, folder / ci, ci=ci, platform="viktor", **CHOICES["mixed"]))
        for ci in CHECKERS
    }


# Each system's checkers


def test_no_checker_of_the_ci_system_finds_anything(rendered: list[Path]):
    ci = answered(rendered[0])["ci"]
    for checker in CHECKERS[ci]:
        sound, said = checked(checker, *(app / CI_FILES[ci] for app in rendered))
        assert sound, said


def test_no_checker_finds_anything_in_the_workflows_of_this_repository():
    workflows = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
    assert [workflow.stem for workflow in workflows] == ["ci", "release"]
    for checker in CHECKERS["github"]:
        sound, said = checked(checker, *workflows)
        assert sound, said


@pytest.mark.parametrize(
    ("ci", "checker", "sound", "broken", "complaint"),
    [
        ("github", ZIZMOR, r"@[0-9a-f]{40} # v", "@v", "unpinned-uses"),
        ("github", ZIZMOR, "python -m unittest", "echo ${{ github.event.issue.title }}", "template-injection"),
        ("github", ZIZMOR, r" +with:\n +persist-credentials: false\n", "", "artipacked"),
        ("github", ZIZMOR, "permissions: {}", "permissions: write-all", "excessive-permissions"),
        ("github", ZIZMOR, "  push:", "  pull_request_target:", "dangerous-triggers"),
        ("github", ZIZMOR, r"(?s)concurrency:.*?\n\n", "", "concurrency-limits"),
        ("github", ACTIONLINT, "python -m unittest", "echo ${{ github.event.issue.title }}", "potentially untrusted"),
        ("github", ACTIONLINT, "secrets.BEAMS_TOKEN", "secretz.BEAMS_TOKEN", "undefined variable"),
        ("github", ACTIONLINT, "needs: test", "needs: tests", "does not exist"),
        ("github", ACTIONLINT, "timeout-minutes", "timeout", "unexpected key"),
        ("github", GITHUB_SCHEMA, "timeout-minutes", "timeout", "'timeout' was unexpected"),
        ("gitlab", GITLAB_SCHEMA, "  stage: deploy", "  stages: deploy", "'stages' was unexpected"),
        ("gitlab", GITLAB_SCHEMA, "stage: test", "stage: 1", "1 is not of type"),
        ("azure", AZURE_SCHEMA, "timeoutInMinutes", "timeout", "not valid under any"),
        ("azure", AZURE_SCHEMA, "displayName: Test", "displayname: Test", "not valid under any"),
    ],
)  # fmt: skip
def test_each_checker_refuses_a_broken_file(
    whole: dict[str, str],
    tmp_path: Path,
    ci: str,
    checker: list[str],
    sound: str,
    broken: str,
    complaint: str,
):
    text, changes = re.subn(sound, broken, whole[ci])
    assert changes
    file = tmp_path / CI_FILES[ci]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    passed, said = checked(checker, file)
    assert not passed
    assert complaint in said


# What each file does, and with which rights


def test_ci_gets_the_uv_of_this_project_then_installs_and_tests(rendered: list[Path]):
    for app in rendered:
        script = "\n".join(step.script for step in steps(app, "test", {}))
        assert script.splitlines() == [f"python -m pip install {pinned_uv()}", INSTALL, TEST], app.name


def test_a_publication_installs_the_same_way(rendered: list[Path]):
    for app in rendered:
        if answered(app)["platform"] == "viktor":
            lines = "\n".join(step.script for step in steps(app, "publish", {})).splitlines()
            assert lines[:2] == [f"python -m pip install {pinned_uv()}", INSTALL], app.name


def test_the_page_of_an_app_without_ci_names_the_same_commands(questionnaire: Path, tmp_path: Path):
    for choice, answers in CHOICES.items():
        app = render(questionnaire, tmp_path / choice, ci="none", **answers)
        page = (app / "docs" / "private-packages.md").read_text(encoding="utf-8").partition("## CI")[2]
        found = page.partition("```sh\n")[2].partition("```")[0].splitlines()
        wanted = ["python -m pip install uv", INSTALL, TEST]
        assert found == (wanted if answers["strategies"] else []), choice


def test_every_step_gets_the_variables_of_what_it_runs_and_no_others(rendered: list[Path]):
    for app in rendered:
        answers = answered(app)
        if answers["ci"] == "gitlab":
            # GitLab gives each variable to each job; the file itself names none.
            assert not [job for job in yaml.safe_load(ci_text(app)).values() if "variables" in job], app.name
            continue
        for job in ("test", "publish") if answers["platform"] == "viktor" else ("test",):
            # Each secret is its own name here, so that one mapped to another is seen.
            for step in steps(app, job, {name: name for name in named(answers) | VIKTOR}):
                wanted: set[str] = set()
                if re.search(r"private_packages install|ci-install", step.script):
                    wanted |= named(answers)
                if "viktor-cli ci-" in step.script:
                    wanted |= VIKTOR
                assert step.env == {name: name for name in wanted}, (app.name, job, step.script)


def test_no_outsider_starts_a_job_and_none_has_more_rights_than_it_needs(rendered: list[Path]):
    """A fork's pull request, which brings code of its own, meets no secret."""
    for app in rendered:
        ci, text = answered(app)["ci"], ci_text(app)
        data = yaml.safe_load(text)
        assert not re.search(r"pull_request|merge_request", text), app.name
        if ci == "github":
            # YAML 1.1 reads the key `on` as true.
            assert set(data[True]) == {"push", "workflow_dispatch"}
            assert data["permissions"] == {}
            assert "env" not in data
            for job in data["jobs"].values():
                assert job["permissions"] == {"contents": "read"}
                assert "env" not in job
            assert text.count("persist-credentials: false") == text.count("uses: actions/checkout@")
            used = re.findall(r"uses: (.*)", text)
            assert used
            assert all(re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40} # v[0-9.]+", one) for one in used)
        elif ci == "azure":
            assert data["pr"] == "none"
            for job in data["jobs"]:
                assert job["steps"][0] == {"checkout": "self", "persistCredentials": "false"}


def test_every_job_ends_and_a_newer_push_stops_a_test_and_never_a_publication(rendered: list[Path]):
    """Azure Pipelines cannot stop an older run."""
    for app in rendered:
        ci, data = answered(app)["ci"], yaml.safe_load(ci_text(app))
        if ci == "github":
            assert all(job["timeout-minutes"] <= 30 for job in data["jobs"].values())
            assert data["concurrency"] == {
                "group": "ci-${{ github.ref }}",
                "cancel-in-progress": "${{ github.ref_type == 'branch' }}",
            }
        elif ci == "gitlab":
            jobs = {name: job for name, job in data.items() if name != "default"}
            assert all(int(job["timeout"].removesuffix(" minutes")) <= 30 for job in jobs.values())
            assert [name for name, job in jobs.items() if job.get("interruptible")] == ["test"]
        else:
            assert all(int(job["timeoutInMinutes"]) <= 30 for job in data["jobs"])


def test_nothing_that_was_downloaded_is_kept(rendered: list[Path]):
    """What pip and uv keep of an answer may hold the login."""
    for app in rendered:
        assert "cache" not in ci_text(app).lower(), app.name


def test_only_viktor_publishes_and_only_tags_of_a_repository_that_names_its_environment(rendered: list[Path]):
    for app in rendered:
        answers, text = answered(app), ci_text(app)
        assert ("ci-publish" in text) == (answers["platform"] == "viktor"), app.name
        if answers["platform"] == "python":
            continue
        data = yaml.safe_load(text)
        if answers["ci"] == "github":
            job = data["jobs"]["publish"]
            assert (job["needs"], job["if"]) == ("test", "github.ref_type == 'tag' && vars.VIKTOR_ENV != ''")
        elif answers["ci"] == "gitlab":
            job = data["publish"]
            assert (job["stage"], job["rules"]) == ("deploy", [{"if": "$CI_COMMIT_TAG && $VIKTOR_ENV"}])
        else:
            job = data["jobs"][1]
            assert job["dependsOn"] == "test"
            assert job["condition"] == (
                "and(succeeded(), startsWith(variables['Build.SourceBranch'], 'refs/tags/'), "
                "ne(variables['VIKTOR_ENV'], ''))"
            )


def test_tokens_that_ci_gives_by_itself_are_taken_and_not_asked_for(questionnaire: Path, tmp_path: Path):
    def made(ci: str, login: str) -> tuple[str, str]:
        line = f"acme-beams @ git+https://{login}@git.acme.example/acme/beams.git@v1"
        app = render(questionnaire, tmp_path / ci, ci=ci, strategies=["git"], git_packages=line)
        return ci_text(app), (app / "docs" / "private-packages.md").read_text(encoding="utf-8")

    assert "SYSTEM_ACCESSTOKEN: $(System.AccessToken)" in made("azure", "pat:${SYSTEM_ACCESSTOKEN}")[0]
    assert "Edit > Variables" not in made("azure", "pat:${SYSTEM_ACCESSTOKEN}")[1]
    assert "masked" not in made("gitlab", "gitlab-ci-token:${CI_JOB_TOKEN}")[1]
    assert "put another name into the package's line" in made("github", "x-access-token:${GITHUB_TOKEN}")[1]


# The steps, run


@pytest.fixture
def runner(tmp_path: Path) -> dict[str, str]:
    """The environment of a runner: a Python without a virtual environment, nothing of this project on the path.

    What its pip installs goes into a folder of the test.
    """
    programs = tmp_path / "runner" / "bin"
    programs.mkdir(parents=True)
    (programs / "python").symlink_to(runs.PYTHON)
    here = sysconfig.get_path("scripts")
    path = [folder for folder in os.environ["PATH"].split(os.pathsep) if Path(folder) != Path(here)]
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM")
        or not re.match("GIT_|ACME_|VIKTOR_|SSH_|VIRTUAL_ENV|UV_PROJECT_ENVIRONMENT|PYTHONPATH", name)
    }
    return kept | {
        "PATH": os.pathsep.join([str(programs), str(programs.parent / "user" / "bin"), *path]),
        "PIP_USER": "1",
        "PIP_BREAK_SYSTEM_PACKAGES": "1",
        "PYTHONUSERBASE": str(programs.parent / "user"),
    }


def given(hosts: DemoHosts) -> dict[str, str]:
    """The secrets that somebody has made in the CI system."""
    return {**hosts.variables, **dict.fromkeys(VIKTOR, "viktor")}


def perform(step: Step, clone: Path, runner: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a step as a runner does: no terminal, no variable but what the file maps."""
    return subprocess.run(
        [*step.shell, step.script],
        cwd=clone,
        env={**runner, **step.env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        timeout=600,
        check=False,
    )


def commit(app: Path) -> None:
    """What the owner of an app does before a push."""
    subprocess.run(["git", "add", "--all"], cwd=app, check=True)
    subprocess.run(["git", "commit", "--quiet", "-m", "work"], cwd=app, check=True)


def checked_out(app: Path, folder: Path) -> Path:
    """A clone as a CI system makes it: without submodules."""
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", app, folder], check=True)
    return folder


RUNS_ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="the CI files ask for a Linux machine")


@pytest.mark.slow
@RUNS_ON_LINUX
@pytest.mark.parametrize("ci", list(CHECKERS))
def test_the_steps_take_a_fresh_clone_to_passed_tests(
    apps: Apps,
    hosts: DemoHosts,
    variables: dict[str, str],
    runner: dict[str, str],
    tmp_path: Path,
    git,
    ci: str,
):
    app = apps.make(ci=ci, python_version=HERE, **hosts.answers("mixed"))
    commit(app)
    clone = checked_out(app, tmp_path / "work" / "clone")
    printed = []
    for step in steps(app, "test", given(hosts)):
        done = perform(step, clone, runner)
        assert done.returncode == 0, done.stdout
        printed.append(done.stdout)
    assert git(clone / "app/submodules/acme-beams", "describe", "--tags") == "v1.2.3"
    assert git(clone, "status", "--porcelain") == ""
    assert "Ran 2 tests" in printed[-1]
    assert "skipped" not in printed[-1]
    started = runs.start(clone, "python")
    assert all(found in started for found in ("acme-beams: 1.2.3", "acme-units: 2.1.0", "acme-loads: 0.9.0"))
    left = [path for path in clone.parent.rglob("*") if path.is_file() and not path.is_symlink()]
    for secret in hosts.git.secrets() | hosts.index.secrets():
        assert secret not in "".join(printed)
        assert not [path for path in left if secret.encode() in path.read_bytes()]


@pytest.mark.slow
@RUNS_ON_LINUX
@pytest.mark.parametrize("ci", list(CHECKERS))
def test_a_login_that_is_missing_or_expired_is_named_and_nothing_is_installed(
    apps: Apps, hosts: DemoHosts, variables: dict[str, str], runner: dict[str, str], tmp_path: Path, ci: str
):
    """What is missing before Git runs, all of it at once."""
    app = apps.make(ci=ci, python_version=HERE, **hosts.answers("mixed"))
    commit(app)
    clone = checked_out(app, tmp_path / "clone")
    known = given(hosts)

    def fail(known: dict[str, str]) -> str:
        """What the first failing step prints."""
        hosts.git.clear()
        hosts.index.clear()
        for step in steps(app, "test", known):
            done = perform(step, clone, runner)
            if done.returncode:
                assert INSTALL in step.script
                assert not list(clone.glob(".venv/lib/*/site-packages/acme*")), "something was installed"
                for secret in (*hosts.variables.values(), "expired"):
                    assert secret not in done.stdout
                return done.stdout
        raise AssertionError("no step failed")

    none = {name: value for name, value in known.items() if name in VIKTOR}
    assert "STOP ACME_TOKEN, ACME_USER and ACME_PASSWORD have no value.\n" in fail(none)
    for name in hosts.variables:
        without = {one: value for one, value in known.items() if one != name}
        assert f"STOP {name} has no value.\n" in fail(without)
        assert not hosts.git.requests and not hosts.index.requests
    assert "refused the login in ACME_TOKEN" in fail({**known, "ACME_TOKEN": "expired"})
    assert "refuses the login from ACME_USER and ACME_PASSWORD" in fail({**known, "ACME_PASSWORD": "expired"})


@pytest.mark.slow
@RUNS_ON_LINUX
@pytest.mark.skipif(not viktor_has_wheels(), reason="VIKTOR's SDK is installed")
@pytest.mark.parametrize("ci", list(CHECKERS))
def test_a_tag_is_installed_tested_and_published_by_the_cli_of_viktor(
    apps: Apps, hosts: DemoHosts, variables: dict[str, str], runner: dict[str, str], tmp_path: Path, ci: str
):
    """The CLI cannot be had without an account: a program that writes down its calls is downloaded instead."""
    app = apps.make(ci=ci, python_version=HERE, platform="viktor", **hosts.answers("mixed"))
    commit(app)
    clone = checked_out(app, tmp_path / "work" / "clone")
    calls = tmp_path / "calls"
    stand_in = tmp_path / "runner" / "bin" / "curl"
    stand_in.write_text(
        "#!/bin/sh\ncat > viktor-cli <<'END'\n#!/bin/sh\n"
        f"""echo "$@" $(env | grep -oE '^(ACME|VIKTOR)_[A-Z]+' | sort) >> '{calls}'\nEND\n"""
    )
    stand_in.chmod(0o755)
    for step in steps(app, "publish", given(hosts)):
        done = perform(step, clone, runner)
        assert done.returncode == 0, done.stdout
    own, installed = sorted(VIKTOR), ["ACME_PASSWORD", "ACME_TOKEN", "ACME_USER"]
    tested = [*installed, *own] if ci == "gitlab" else own
    assert [line.split() for line in calls.read_text().splitlines()] == [
        ["ci-install", *installed, *own],
        ["ci-test", *tested],
        ["ci-publish", answered(app)["app_name"].lower().replace(" ", "-"), *tested],
    ]


@pytest.mark.slow
@RUNS_ON_LINUX
def test_a_clone_that_gitlab_uses_again_follows_a_package_to_its_new_address(
    apps: Apps, hosts: DemoHosts, variables: dict[str, str], runner: dict[str, str], tmp_path: Path, git
):
    app = apps.make(ci="gitlab", python_version=HERE, **hosts.answers("submodule"))
    commit(app)
    clone = checked_out(app, tmp_path / "clone")
    (job,) = steps(app, "test", hosts.variables)
    first = perform(job, clone, runner)
    assert first.returncode == 0, first.stdout
    moved = hosts.git.path_of("acme-moved")
    shutil.copytree(hosts.git.path_of("acme-beams"), moved)
    try:
        newer = git(moved, "commit-tree", "-p", "v1.2.3^{commit}", "-m", "newer", "v1.2.3^{tree}")
        git(moved, "tag", "v1.2.4", newer)
        change_wanted(app, "/acme-beams.git", "/acme-moved.git")
        change_wanted(app, "v1.2.3", "v1.2.4")
        runs.run([runs.PYTHON, *runs.COMMAND, "sync"], app, hosts.variables)
        commit(app)
        git(clone, "pull", "--quiet", "--no-recurse-submodules")
        done = perform(job, clone, runner)
    finally:
        shutil.rmtree(moved)
    assert done.returncode == 0, done.stdout
    assert git(clone / "app/submodules/acme-beams", "rev-parse", "HEAD") == newer
    assert git(clone, "status", "--porcelain") == ""
