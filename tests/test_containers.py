"""Containers: what `containers: yes` renders, an app whose files came without Git, and real images and devcontainers."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import builder
import pytest
from ci import forms, leaks, secrets_of

from demo import runs
from demo.hosts import DemoHosts

REASON = builder.reason_without()
NEEDS_A_BUILDER = pytest.mark.skipif(bool(REASON), reason=REASON or "there is one")
BUILD = ("build", "--network", "host", "--progress", "plain")
SECRET = ("--secret", "id=private-packages,src=.env")


# Real images


@pytest.fixture(scope="module")
def docker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[builder.Docker]:
    """A builder with BuildKit, its data in a folder of the test's own."""
    with builder.docker(tmp_path_factory.mktemp("docker")) as running:
        yield running


def make(template: Path, folder: Path, hosts: DemoHosts, strategy: str, **answers: object) -> Path:
    """An app as its owner has it: fetched, with values in `.env`."""
    app = folder / f"app-{strategy}"
    answers = {
        **hosts.answers(strategy),
        "containers": True,
        "python_version": builder.python_inside(),
        **answers,
    }
    runs.generate(template, app, answers, hosts.variables)
    (app / ".env").write_text("".join(f"{name}={value}\n" for name, value in hosts.variables.items()))
    return app


def holding(folder: Path, secrets: list[str]) -> list[str]:
    """The files below a folder that hold a secret, as it stands or encoded: layers, configuration, history, cache."""
    patterns = "".join(f"{form}\n" for secret in secrets for form in forms(secret))
    done = subprocess.run(
        ["grep", "--recursive", "--text", "--fixed-strings", "--files-with-matches", "--file=-", folder],
        input=patterns,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1) or "No such file" in done.stderr, done.stderr
    return done.stdout.splitlines()


@NEEDS_A_BUILDER
@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["submodule", "git", "index", "mixed"])
def test_where_dockerd_is_an_image_holds_the_app_and_no_login(
    strategy: str, template: Path, hosts: DemoHosts, docker: builder.Docker, tmp_path: Path
):
    """Neither a layer nor the history, the configuration or the cache of the build has a form of a secret."""
    app = make(template, tmp_path, hosts, strategy)
    done = docker.run(*BUILD, *SECRET, "--tag", strategy, ".", cwd=app)
    assert done.returncode == 0, done.stderr
    print(done.stderr)
    started = docker.run("run", "--rm", "--network", "none", strategy)
    assert started.returncode == 0, started.stderr
    print(started.stdout)
    secrets = secrets_of(hosts.variables)
    assert not leaks(done.stdout + done.stderr, secrets)
    assert holding(docker.data, secrets) == []
