"""The job of each CI system that builds the image, executed against the demo's hosts and a dockerd of Debian's packages.

GitHub's and Forgejo's by act, GitLab's by gitlab-ci-local, of Azure's and Bitbucket's file the scripts. Forgejo's and GitLab's
jobs run in containers; Debian's own Python stands in for the images of Python, and with Debian's docker for that of Docker.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import builder
import pytest
from apps import CI_FILES
from ci import (
    HERE,
    INSTALL,
    RUNS_ON_LINUX,
    Machine,
    answered,
    ci_file,
    clone,
    holding,
    leaks,
    push,
    secrets_of,
)
from templates import macros
from test_act import Act, job
from test_ci_files import Step, ci_text, perform, steps, write
from test_gitlab_ci import GitLabRunner, cloned

from demo import runs
from demo.hosts import DemoHosts

pytestmark = [pytest.mark.slow, RUNS_ON_LINUX]

DOCKER = macros("containers").DOCKER
EXPIRED = "expired-4711"
REFUSED = "refuses the login from ACME_USER and ACME_PASSWORD"


@pytest.fixture(scope="module")
def version(docker: builder.Docker) -> str:
    """A Python that is on this machine and in the base images, under the tags that name it."""
    inside = builder.python_inside()
    chosen = min(HERE, inside, key=lambda one: int(one.partition(".")[2]))
    for kind in ("", "-slim"):
        assert docker.run("tag", f"python:{inside}{kind}", f"python:{chosen}{kind}").returncode == 0
    return chosen


@pytest.fixture(scope="module")
def fetched(template: Path, hosts: DemoHosts, version: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An app with a package of each strategy."""
    app = tmp_path_factory.mktemp("image") / "my-app"
    answers = {**hosts.answers("mixed"), "python_version": version, "containers": True, "ci": "github"}
    runs.generate(template, app, answers, hosts.variables)
    push(app)
    return app


@pytest.fixture
def pushed(fetched: Path, hosts: DemoHosts, version: str, tmp_path: Path) -> Callable[[str], Path]:
    """The app with the file of a CI system, pushed; its image is called as the system."""

    def make(ci: str) -> Path:
        answers = {**hosts.answers("mixed"), "python_version": version, "containers": True, "ci": ci}
        written = write(tmp_path / "written" / ci, platform="python", **answers)
        app = clone(fetched, tmp_path / "my-app")
        (app / CI_FILES["github"]).unlink()
        (app / CI_FILES[ci]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(written / CI_FILES[ci], app / CI_FILES[ci])
        known = (app / ".copier-answers.yml").read_text(encoding="utf-8")
        (app / ".copier-answers.yml").write_text(
            known.replace("ci: github\n", f"ci: {ci}\n"), encoding="utf-8"
        )
        # Of files that it knows the builder takes the layer that it has, whatever the login is.
        (app / "app" / f"on_{ci}.py").touch()
        push(app)
        assert answered(app)["ci"] == ci
        return app

    return make


@pytest.fixture(scope="module")
def client(docker: builder.Docker, version: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """An image as `docker:X-cli`: Git, a shell and the client of Docker, which says in the log what it is called with."""
    folder = tmp_path_factory.mktemp("client")
    shutil.copy(builder.CLIENT, folder / "docker-client")
    script = docker.program(Path("/dev/stderr"), client="docker-client", address="/var/run/docker.sock")
    (folder / "docker").write_text(f"#!/bin/sh\n{script}")
    (folder / "apk").write_text('#!/bin/sh\ntest "$*" = "add --no-cache python3"\n')
    (folder / "Dockerfile").write_text(
        f"FROM docker.io/library/python:{version}\n"
        "COPY --chmod=755 docker-client docker apk /usr/local/bin/\n"
    )
    done = docker.run("build", "--tag", f"docker:{DOCKER}-cli", ".", cwd=folder)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A runner's machine."""
    machine = Machine.at(tmp_path / "machine")
    (machine.folder / "mint").mkdir()
    return machine


def built(docker: builder.Docker, hosts: DemoHosts, ci: str, log: str, called: str) -> None:
    """The image runs, and no secret is in the log, on docker's command lines, or in anything that dockerd keeps."""
    done = docker.run("run", "--rm", "--network", "none", ci)
    assert "Hello from my-app." in done.stdout, done.stderr
    secrets = [*secrets_of(hosts.variables), EXPIRED]
    assert not leaks(log, secrets)
    assert "build --secret id=private-packages,env=PRIVATE_PACKAGES_ENV" in called
    assert not leaks(called, secrets)
    assert holding(docker.data, secrets) == []


def without_tests(app: Path) -> None:
    """Let the job of the tests do nothing; what counts here is what comes after it."""
    text = re.sub(r"(?s)(name: Test\n.*?    steps:\n).*?(\n  # )", r"\1      - run: 'true'\n\2", ci_text(app))
    ci_file(app).write_text(text, encoding="utf-8")
    push(app)


def test_with_a_dockerd_of_debian_and_root_github_s_job_builds_the_image_and_an_expired_login_is_told(
    hosts: DemoHosts, docker: builder.Docker, machine: Machine, pushed: Callable[[str], Path]
):
    app = pushed("github")
    without_tests(app)
    calls = machine.docker(docker)
    act = Act(machine, app)
    refused = act.run(secrets={**hosts.variables, "ACME_PASSWORD": EXPIRED})
    assert REFUSED in refused.stdout and job(refused, "Image") is False
    assert not calls.exists()
    done = act.run(secrets=hosts.variables)
    assert job(done, "Image"), done.stdout
    built(docker, hosts, "github", refused.stdout + done.stdout, calls.read_text())


@pytest.mark.usefixtures("client")
def test_with_a_dockerd_of_debian_and_root_forgejo_s_jobs_test_and_build_in_their_containers(
    hosts: DemoHosts,
    docker: builder.Docker,
    machine: Machine,
    pushed: Callable[[str], Path],
):
    """The file as it is: act gives each job docker, as a runner of Forgejo's does whose configuration says so."""
    app = pushed("forgejo")
    bare = hosts.git.path_of("my-app")
    subprocess.run(["git", "clone", "--quiet", "--bare", app, bare], check=True)
    hosts.git.tokens = {"my-app": "token-of-the-job"}
    act = Act(machine, app)
    known = {**hosts.variables, "GITHUB_TOKEN": "token-of-the-job"}
    more = {
        "env": {"GITHUB_SERVER_URL": hosts.git_url, "GITHUB_REPOSITORY": "acme/my-app"},
        "options": ["--pull=false", "--rm"],
        "environment": {"DOCKER_HOST": docker.environment["DOCKER_HOST"]},
    }
    try:
        done = act.run(secrets=known, **more)
        assert job(done, "Test") and job(done, "Image"), done.stdout
        assert "Ran 2 tests" in done.stdout
        without_tests(app)
        (app / "app" / "changed.py").touch()
        push(app)
        subprocess.run(["git", "push", "--quiet", bare, "HEAD"], cwd=app, check=True)
        refused = act.run(secrets={**known, "ACME_PASSWORD": EXPIRED}, **more)
    finally:
        hosts.git.tokens = {}
        shutil.rmtree(bare)
    assert job(refused, "Image") is False
    assert REFUSED in refused.stdout.partition("Main Build the image")[2]
    log = done.stdout + refused.stdout
    built(docker, hosts, "forgejo", log, log)
    assert not leaks(log, ["token-of-the-job"])


@pytest.mark.usefixtures("client")
def test_with_a_dockerd_of_debian_and_root_gitlab_s_jobs_test_and_build_in_their_containers(
    hosts: DemoHosts,
    docker: builder.Docker,
    version: str,
    machine: Machine,
    pushed: Callable[[str], Path],
    tmp_path: Path,
):
    """A whole pipeline. In place of Docker's service there is the dockerd of the tests: no registry has the image."""
    app = pushed("gitlab")
    text = ci_text(app)
    ci_file(app).write_text(text.replace(f"  services:\n    - docker:{DOCKER}-dind\n", ""), encoding="utf-8")
    assert ci_text(app) != text
    push(app)
    machine.docker(docker)
    # The runner's own helpers: a copier of files, and an image with a shell.
    machine.program("rsync", 'for last; do :; done\nmkdir -p "$last"\nexec cp -a ./. "$last"\n')
    helper = docker.run("tag", f"python:{version}", "firecow/gitlab-ci-local-util:latest")
    assert helper.returncode == 0
    runner = GitLabRunner(machine, cloned(app, tmp_path / "work" / "clone"), docker)
    refused = runner.run("build-image", **{**hosts.variables, "ACME_PASSWORD": EXPIRED})
    assert refused.returncode == 1 and REFUSED in refused.stdout.partition("$ docker build")[2], (
        refused.stdout
    )
    done = runner.run(**hosts.variables)
    assert done.returncode == 0 and "Ran 2 tests" in done.stdout, done.stdout
    log = refused.stdout + done.stdout
    built(docker, hosts, "gitlab", log, log)


@pytest.mark.parametrize("ci", ["azure", "bitbucket"])
def test_with_a_dockerd_of_debian_and_root_the_script_builds_the_image_and_an_expired_login_is_told(
    ci: str,
    hosts: DemoHosts,
    docker: builder.Docker,
    machine: Machine,
    pushed: Callable[[str], Path],
    tmp_path: Path,
):
    """Bitbucket's Docker builds without BuildKit unless it is told."""
    here = clone(pushed(ci), tmp_path / "work" / "clone")
    calls = machine.docker(docker, asks_for_buildkit=ci == "bitbucket")
    printed = []

    def run(known: dict[str, str], *, build: bool) -> subprocess.CompletedProcess[str]:
        """Install, or build: up to the first step that fails."""
        for step in halves(here, known)[build]:
            done = perform(step, here, machine)
            printed.append(done.stdout)
            if done.returncode:
                break
        return done

    expired = {**hosts.variables, "ACME_PASSWORD": EXPIRED}
    refused = run(expired, build=False)
    assert refused.returncode == 1 and REFUSED in refused.stdout
    assert run(hosts.variables, build=False).returncode == 0, printed[-1]
    assert not calls.exists()
    refused = run(expired, build=True)
    assert refused.returncode == 1 and REFUSED in refused.stdout
    done = run(hosts.variables, build=True)
    assert done.returncode == 0, done.stdout
    built(docker, hosts, ci, "".join(printed), calls.read_text())


def halves(app: Path, known: dict[str, str]) -> tuple[list[Step], list[Step]]:
    """What the job of the image does up to the installation, and after it."""
    found = []
    for step in steps(app, "image", known):
        begin, install, end = step.script.partition(INSTALL)
        found += [replace(step, script=part) for part in (begin + install, end) if part.strip()]
    place = next(number for number, step in enumerate(found, 1) if INSTALL in step.script)
    return found[:place], found[place:]
