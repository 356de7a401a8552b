"""Hosts and indexes: docs/platforms.md and its data agree, and the questionnaire takes what the page says."""

from __future__ import annotations

import base64
import json
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uv
from apps import ask
from templates import macros
from write_platforms_page import PAGE, anchor, page, platforms

from demo import runs
from demo.hosts import DemoHosts
from demo.index_host import IndexHost
from demo.samples import build_wheels

PLATFORMS = platforms()
USERS = {name for platform in PLATFORMS for name in platform["users"]}
SECTIONS = re.findall(r"(?ms)^### (.+?)\n\n```text\n(.+?)\n```", PAGE.read_text(encoding="utf-8"))
EXAMPLES = [(title, example) for title, text in SECTIONS for example in text.splitlines()]


def variables(text: str) -> list[str]:
    """The environment variables that an example names."""
    return re.findall(r"\$\{([A-Z0-9_]+)\}", text)


def index_answers(url: str, scope: str = "extra") -> dict[str, Any]:
    """The answers for one package from this index."""
    return {
        "strategies": ["index"],
        "index_packages": "acme-units==2.1.0",
        "index_url": url,
        "index_scope": scope,
    }


def test_the_page_is_what_the_data_says():
    assert PAGE.read_text(encoding="utf-8") == page(), "run `uv run python tests/write_platforms_page.py`"


def test_the_page_has_every_platform_with_its_examples():
    assert [(one["title"], "\n".join(one["examples"])) for one in PLATFORMS] == SECTIONS


def test_platforms_of_a_kind_answer_the_same_questions():
    for kind in ("git", "index"):
        assert len({frozenset(one) for one in PLATFORMS if one["kind"] == kind}) == 1
    assert len({one["key"] for one in PLATFORMS}) == len(PLATFORMS)


def test_every_link_within_the_page_leads_to_a_heading():
    text = PAGE.read_text(encoding="utf-8")
    headings = {anchor(heading) for heading in re.findall(r"(?m)^#+ (.+)$", text)}
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= headings


@pytest.mark.parametrize("strategy", ["submodule", "git"])
def test_every_package_line_of_the_page_is_accepted(questionnaire: Path, tmp_path: Path, strategy: str):
    """Under names of their own, since one package has one place."""
    examples = [example for _, example in EXAMPLES if " @ " in example]
    lines = [line.replace("acme-beams", f"acme-beams-{number}") for number, line in enumerate(examples)]
    answers = ask(
        questionnaire,
        tmp_path / "app",
        **{"strategies": [strategy], f"{strategy}_packages": "\n".join(lines)},
    )
    assert [package["requirement"] for package in answers["packages"]] == lines
    assert set(answers["variables"]) == set(variables("".join(lines)))


@pytest.mark.parametrize(
    ("platform", "example"),
    [
        pytest.param(one, example, id=example.split("//")[1])
        for one in PLATFORMS
        if one["kind"] == "index"
        for example in one["examples"]
    ],
)
def test_an_index_url_of_the_page_is_accepted(
    questionnaire: Path, tmp_path: Path, platform: dict[str, Any], example: str
):
    answers = ask(questionnaire, tmp_path / "app", **index_answers(example, platform["scope"]))
    assert answers["index_url"] == example
    assert answers["index_scope"] == platform["scope"]
    assert answers["variables"] == variables(example)


def test_the_questionnaire_accepts_the_fixed_user_names_of_the_data_and_no_other(
    questionnaire: Path, tmp_path: Path
):
    assert sorted(macros("lines").USERS) == sorted(USERS)
    lines = [
        f"acme-{number} @ git+https://{user}:${{ACME_TOKEN}}@git.example.com/acme/beams.git@v1"
        for number, user in enumerate(sorted(USERS))
    ]
    answers = ask(questionnaire, tmp_path / "app", strategies=["git"], git_packages="\n".join(lines))
    assert [package["user_info"].split(":")[0] for package in answers["packages"]] == sorted(USERS)


@pytest.mark.parametrize("user", ["me", "oauth", "x-access-tokens", "ghp_0123456789abcdef", "AWS"])
def test_another_literal_user_name_is_refused(questionnaire: Path, tmp_path: Path, user: str):
    line = f"acme-beams @ git+https://{user}:${{ACME_TOKEN}}@git.example.com/acme/beams.git"
    with pytest.raises(ValueError, match="literal"):
        ask(questionnaire, tmp_path / "app", strategies=["git"], git_packages=line)
    url = f"https://{user}:${{ACME_TOKEN}}@packages.example.com/simple/"
    with pytest.raises(ValueError, match="literal"):
        ask(questionnaire, tmp_path / "app", **index_answers(url))


@pytest.mark.parametrize("platform", PLATFORMS, ids=lambda one: one["key"])
def test_the_examples_of_a_platform_show_each_of_its_fixed_user_names(platform: dict[str, Any]):
    shown = {re.search(r"//([^:@/]+)[:@]", example)[1] for example in platform["examples"]}
    assert {name for name in shown if not name.startswith("$")} == set(platform["users"])


@contextmanager
def devpi(folder: Path, password: str) -> Iterator[str]:
    """A devpi of its own Python environment on loopback, whose root has this password; its address."""
    programs = runs.make_environment(folder).parent
    install = [uv.find_uv_bin(), "pip", "install", "--quiet", "--python", programs / "python"]
    runs.run([*install, "devpi-server==6.20.3"], folder, {})
    server = ["--serverdir", folder / "server"]
    runs.run([programs / "devpi-init", *server, "--no-root-pypi", f"--root-passwd={password}"], folder, {})
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (folder / "devpi.log").open("w") as log:
        running = subprocess.Popen(
            [programs / "devpi-server", *server, "--host", "127.0.0.1", "--port", str(port)],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + 30
        while not answers(port):
            assert running.poll() is None and time.monotonic() < deadline, (folder / "devpi.log").read_text()
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        running.kill()
        running.wait()


def answers(port: int) -> bool:
    """Whether a server listens on loopback."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def put(url: str, login: str, settings: dict[str, Any]) -> None:
    """Make a user or an index of devpi."""
    request = urllib.request.Request(url, json.dumps(settings).encode(), method="PUT")
    request.add_header("Content-Type", "application/json")
    request.add_header("Authorization", "Basic " + base64.b64encode(login.encode()).decode())
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status in (200, 201)


@pytest.mark.slow
def test_devpi_takes_uploads_and_serves_both_sides_and_a_public_namesake_is_left_out(
    hosts: DemoHosts, questionnaire: Path, tmp_path: Path
):
    """What the page says of devpi: its addresses, user name with password, and `only` with `bases`."""
    user, password = hosts.variables["ACME_USER"], hosts.variables["ACME_PASSWORD"]
    (shape,) = next(one["examples"] for one in PLATFORMS if one["key"] == "devpi")
    (tmp_path / "public").mkdir()
    wheels = hosts.folder / "wheels"
    namesake = build_wheels(tmp_path, [("acme-units", "99.0.0")])
    with IndexHost(tmp_path / "public") as public, devpi(tmp_path, password) as url:
        public.publish(*namesake, next(wheels.glob("acme_loads-0.9.0-*")))
        put(f"{url}/{user}", f"root:{password}", {"password": password})
        mirror = {"type": "mirror", "mirror_url": public.simple_url}
        put(f"{url}/root/pypi", f"root:{password}", mirror)
        put(f"{url}/{user}/prod", f"{user}:{password}", {"type": "stage", "bases": ["root/pypi"]})
        publish = [uv.find_uv_bin(), "publish", "--trusted-publishing", "never", "--no-config"]
        address = ["--publish-url", f"{url}/{user}/prod/", "--username", user]
        wheel = next(wheels.glob("acme_units-2.1.0-*"))
        runs.run([*publish, *address, wheel], tmp_path, {"UV_PUBLISH_PASSWORD": password})

        index_url = shape.replace("https://", "http://").replace(
            "devpi.example.com/acme", f"{url[7:]}/{user}"
        )
        asked = ask(questionnaire, tmp_path / "app", **index_answers(index_url, "only"))
        (tmp_path / "requirements.txt").write_text(
            f"--index-url {asked['index_url']}\nacme-units\nacme-loads\n"
        )
        download = [sys.executable, "-m", "pip", "--isolated", "download", "--no-deps", "--no-cache-dir"]
        runs.run([*download, "-r", "requirements.txt", "-d", "got"], tmp_path, hosts.variables)
    got = sorted("-".join(path.name.split("-")[:2]) for path in (tmp_path / "got").iterdir())
    assert got == ["acme_loads-0.9.0", "acme_units-2.1.0"]
