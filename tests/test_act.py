"""GitHub's and Forgejo's files, executed by act (https://nektosact.com), against the demo's hosts.

The actions that they name cannot be had here: those of `ACTIONS` stand in for them, with the same inputs and outputs.
There is no container either, so a job runs on this machine, which is why Forgejo's image is left out.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from apps import CI_FILES, render
from ci import (
    HERE,
    RUNS_ON_LINUX,
    VIKTOR,
    Machine,
    answered,
    ci_file,
    clone,
    given,
    leaking_files,
    leaks,
    push,
    secrets_of,
    slug,
)
from test_ci_files import SHORT_LIVED

from demo import runs
from demo.cli import viktor_has_wheels
from demo.hosts import DemoHosts

pytestmark = [pytest.mark.slow, RUNS_ON_LINUX]

# What each stand-in does: it wants its inputs as they have to be, and gives what the real one gives.
ACTIONS = {
    "actions/checkout": """
inputs: {persist-credentials: {default: "true"}}
runs:
  using: composite
  steps:
    - shell: bash
      run: |
        test "${{ inputs.persist-credentials }}" = false
        git init --quiet .
        git fetch --quiet --tags "$SOURCE" HEAD
        git checkout --quiet --detach FETCH_HEAD
""",
    "actions/setup-python": """
inputs: {python-version: {required: true}}
runs:
  using: composite
  steps:
    - shell: bash
      run: test "${{ inputs.python-version }}" = "$ANSWERED_PYTHON"
""",
    "actions/create-github-app-token": """
inputs: {client-id: {}, private-key: {}, owner: {}, repositories: {}, permission-contents: {}}
outputs: {token: {value: "${{ steps.token.outputs.token }}"}}
runs:
  using: composite
  steps:
    - id: token
      shell: bash
      env: {KEY: "${{ inputs.private-key }}"}
      run: |
        test "${{ inputs.client-id }}" = Iv1.acme && test "$KEY" = key-of-the-app
        test "${{ inputs.owner }} ${{ inputs.repositories }}" = "acme beams,loads"
        test "${{ inputs.permission-contents }}" = read
        echo "::add-mask::$(cat "$MINT/git")"
        echo "token=$(cat "$MINT/git")" >> "$GITHUB_OUTPUT"
""",
    "aws-actions/configure-aws-credentials": """
inputs: {role-to-assume: {}, aws-region: {}}
runs:
  using: composite
  steps:
    - shell: bash
      run: |
        test "${{ inputs.role-to-assume }}" = arn:aws:iam::111122223333:role/ci
        echo "AWS_REGION=${{ inputs.aws-region }}" >> "$GITHUB_ENV"
        echo "AWS_SESSION_TOKEN=session" >> "$GITHUB_ENV"
""",
    "google-github-actions/auth": """
inputs: {workload_identity_provider: {}, service_account: {}, token_format: {}, create_credentials_file: {}}
outputs: {access_token: {value: "${{ steps.token.outputs.token }}"}}
runs:
  using: composite
  steps:
    - id: token
      shell: bash
      run: |
        test "${{ inputs.workload_identity_provider }}" = projects/1/locations/global/workloadIdentityPools/p/providers/g
        test "${{ inputs.service_account }}" = ci@acme.example
        test "${{ inputs.token_format }} ${{ inputs.create_credentials_file }}" = "access_token false"
        echo "::add-mask::$(cat "$MINT/index")"
        echo "token=$(cat "$MINT/index")" >> "$GITHUB_OUTPUT"
""",
    "azure/login": """
inputs: {client-id: {}, tenant-id: {}, allow-no-subscriptions: {}}
runs:
  using: composite
  steps:
    - shell: bash
      run: |
        test "${{ inputs.client-id }} ${{ inputs.tenant-id }}" = "client tenant"
        test "${{ inputs.allow-no-subscriptions }}" = true
        echo "LOGGED_IN_TO_AZURE=yes" >> "$GITHUB_ENV"
""",
}
# What the runners of GitHub have installed.
PROGRAMS = {
    "aws": """test "$AWS_REGION $AWS_SESSION_TOKEN" = "eu-west-1 session" || exit 255
test "$*" = "codeartifact get-authorization-token --domain acme --domain-owner 111122223333 --query authorizationToken --output text" || exit 252
cat "$MINT/index"
""",
    "az": """test "$LOGGED_IN_TO_AZURE" = yes || exit 1
test "$1 $2 $3" = "account get-access-token --resource" || exit 2
# One token opens both.
cat "$MINT/both"
""",
}
VARIABLES = {
    "app and aws": {
        "PACKAGES_APP_CLIENT_ID": "Iv1.acme",
        "PACKAGES_AWS_ROLE": "arn:aws:iam::111122223333:role/ci",
    },
    "google": {
        "PACKAGES_GOOGLE_PROVIDER": "projects/1/locations/global/workloadIdentityPools/p/providers/g",
        "PACKAGES_GOOGLE_ACCOUNT": "ci@acme.example",
    },
    "azure": {"PACKAGES_AZURE_CLIENT_ID": "client", "PACKAGES_AZURE_TENANT_ID": "tenant"},
}


@dataclass(frozen=True)
class Act:
    """A machine with act, and what GitHub or Forgejo would know of an app's repository."""

    machine: Machine
    app: Path

    def run(
        self,
        event: str = "push",
        *,
        secrets: Mapping[str, str] | None = None,
        variables: Mapping[str, str] | None = None,
        payload: Mapping[str, object] | None = None,
        env: Mapping[str, str] | None = None,
        masked: bool = False,
        options: Iterable[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Let an event start what it starts; unless ``masked``, no secret is hidden in the log.

        options: of act's own besides. environment: what act sees besides.
        """
        work = self.machine.folder / "work"
        shutil.rmtree(work, ignore_errors=True)
        here = clone(self.app, work / "clone")
        files = {"secrets": secrets or {}, "variables": variables or {}}
        for name, values in files.items():
            (work / name).write_text("".join(f"{one}={value}\n" for one, value in values.items()))
        (work / "event.json").write_text(json.dumps(payload or {}))
        program = shutil.which("act", path=sysconfig.get_path("scripts"))
        assert program, "act is not installed beside this Python"
        options = [*options, "--platform=ubuntu-latest=-self-hosted", "--platform=docker=-self-hosted"]
        options += ["--no-cache-server", "--no-skip-checkout", f"--action-cache-path={work / 'act'}"]
        options += [f"--secret-file={work / 'secrets'}", f"--var-file={work / 'variables'}"]
        options += [f"--eventpath={work / 'event.json'}", f"--workflows={ci_file(here).parent}"]
        options += [
            f"--local-repository={one}={self.actions(one)}"
            for one in set(re.findall(r"uses: (\S+)", ci_file(here).read_text()))
        ]
        known = {"SOURCE": str(self.app), "MINT": str(self.machine.folder / "mint"), **(env or {})}
        known["ANSWERED_PYTHON"] = str(answered(self.app)["python_version"])
        options += [f"--env={name}={value}" for name, value in known.items()]
        return subprocess.run(
            [program, event, *options, *([] if masked else ["--insecure-secrets"])],
            cwd=here,
            env={**self.machine.environment, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            timeout=600,
            check=False,
        )

    def actions(self, used: str) -> Path:
        """Where the stand-in for an action is."""
        name = used.partition("@")[0]
        folder = self.machine.folder / "actions" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "action.yml").write_text(f"name: {name}\ndescription: stands in{ACTIONS[name]}")
        return folder


def make(template: Path, folder: Path, hosts: DemoHosts, **answers: object) -> Path:
    """An app that was pushed."""
    app = folder / "my-app"
    runs.generate(
        template, app, {**hosts.answers("mixed"), "python_version": HERE, **answers}, hosts.variables
    )
    push(app)
    return app


@pytest.fixture(scope="module")
def github(template: Path, hosts: DemoHosts, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An app on GitHub with a package of each strategy."""
    return make(template, tmp_path_factory.mktemp("github"), hosts, ci="github")


@pytest.fixture
def machine(hosts: DemoHosts, tmp_path: Path) -> Iterator[Machine]:
    """A runner's machine, at hosts that nobody has asked anything yet."""
    hosts.git.clear()
    hosts.index.clear()
    machine = Machine.at(tmp_path / "machine")
    (machine.folder / "mint").mkdir()
    yield machine


def job(done: subprocess.CompletedProcess[str], name: str) -> bool | None:
    """Whether a job succeeded; None where it did not run."""
    if f"[CI/{name}]" not in done.stdout or f"[CI/{name}] 🏁" not in re.sub(r" +", " ", done.stdout):
        return None
    return bool(re.search(rf"\[CI/{name} *\] 🏁  Job succeeded", done.stdout))


# GitHub


@pytest.mark.parametrize("ref", ["refs/heads/a-branch", "refs/tags/v1.0.0"])
def test_a_push_of_a_branch_or_a_tag_installs_everything_and_tests_without_a_secret_in_the_log(
    hosts: DemoHosts, github: Path, machine: Machine, tmp_path: Path, ref: str
):
    """So does a pull request from a branch of the repository: its commits are pushed."""
    app = clone(github, tmp_path / "my-app")
    subprocess.run(["git", "update-ref", ref, "HEAD"], cwd=app, check=True)
    done = Act(machine, app).run(secrets=given(hosts), payload={"ref": ref})
    assert done.returncode == 0, done.stdout
    assert job(done, "Test")
    assert "Ran 2 tests" in done.stdout and "skipped" not in done.stdout
    assert all(re.search(rf"acme-{name} .* ok", done.stdout) for name in ("beams", "loads", "units"))
    secrets = secrets_of(given(hosts))
    assert not leaks(done.stdout, secrets)
    shutil.rmtree(machine.folder / "work" / "clone")
    assert [path.name for path in leaking_files(machine.folder, secrets)] == ["secrets"]


@pytest.mark.parametrize(
    ("wrong", "said", "asked"),
    [
        (dict.fromkeys(("ACME_TOKEN", "ACME_USER", "ACME_PASSWORD")), "STOP ACME_TOKEN, ACME_USER and ACME_PASSWORD have no value.", False),
        ({"ACME_TOKEN": "expired-1"}, "refused the login in ACME_TOKEN", True),
        ({"ACME_PASSWORD": "expired-1"}, "refuses the login from ACME_USER and ACME_PASSWORD", True),
    ],
    ids=["nothing given", "an expired token", "an expired password"],
)  # fmt: skip
def test_a_login_that_is_missing_or_expired_is_named_and_nothing_is_tested(
    hosts: DemoHosts, github: Path, machine: Machine, wrong: dict[str, str | None], said: str, asked: bool
):
    """What is missing is said before Git or the index is asked anything."""
    known = {**given(hosts), **wrong}
    done = Act(machine, github).run(secrets={name: value for name, value in known.items() if value})
    assert said in done.stdout, done.stdout
    assert job(done, "Test") is False
    assert done.returncode == 1
    assert "Main Test" not in done.stdout
    assert bool(hosts.git.requests or hosts.index.requests) == asked
    assert not leaks(done.stdout, [*secrets_of(given(hosts)), "expired-1"])


def test_a_pull_request_from_a_fork_starts_nothing(hosts: DemoHosts, github: Path, machine: Machine):
    """It would bring code of its own to the secrets; `pull_request_target` would even hand them over."""
    for event in ("pull_request", "pull_request_target"):
        done = Act(machine, github).run(event, secrets=given(hosts))
        assert job(done, "Test") is None
        assert "Could not find any stages to run" in done.stdout
    assert not hosts.git.requests and not hosts.index.requests


@pytest.mark.skipif(not viktor_has_wheels(), reason="VIKTOR's SDK is installed")
def test_a_tag_is_published_to_viktor_and_neither_a_branch_nor_a_tag_without_an_environment(
    template: Path, hosts: DemoHosts, machine: Machine, tmp_path: Path
):
    """The CLI cannot be had without an account: a program that writes down its calls is downloaded instead."""
    app = make(template, tmp_path, hosts, ci="github", platform="viktor", **hosts.answers("index"))
    act = Act(machine, app)
    calls = machine.viktor_cli()
    known = given(hosts)
    variables = {"VIKTOR_ENV": known.pop("VIKTOR_ENV")}
    tag = {"ref": "refs/tags/v1.0.0"}
    # The test job is that of every push; what counts here is what comes after it.
    text = ci_file(app).read_text()
    ci_file(app).write_text(
        re.sub(r"(?s)(name: Test\n.*?    steps:\n).*?(\n  # Publishes)", r"\1      - run: 'true'\n\2", text)
    )
    push(app)
    assert job(act.run(secrets=known, variables=variables), "Publish") is None
    subprocess.run(["git", "tag", "v1.0.0"], cwd=app, check=True)
    assert job(act.run(secrets=known, payload=tag), "Publish") is None
    assert not calls.exists()
    done = act.run(secrets=known, variables=variables, payload=tag)
    assert job(done, "Publish"), done.stdout
    assert not leaks(done.stdout, secrets_of(given(hosts)))
    own, installed = sorted(VIKTOR), ["ACME_PASSWORD", "ACME_USER"]
    assert [line.split() for line in calls.read_text().splitlines()] == [
        ["ci-install", *installed, *own],
        ["ci-test", *own],
        ["ci-publish", slug(app), *own],
    ]


@pytest.mark.parametrize("way", list(SHORT_LIVED))
def test_a_login_for_the_job_alone_replaces_the_secrets(
    hosts: DemoHosts, questionnaire: Path, github: Path, machine: Machine, tmp_path: Path, way: str
):
    """The workflow is that of an app at the real hosts; the packages are those of the demo's, by the same variables."""
    real = render(questionnaire, tmp_path / "real", ci="github", python_version=HERE, **SHORT_LIVED[way])
    app = clone(github, tmp_path / "my-app")
    shutil.copy(ci_file(real), app / CI_FILES["github"])
    push(app)
    for name, script in PROGRAMS.items():
        machine.program(name, script)
    tokens = {"git": hosts.variables["ACME_TOKEN"], "index": hosts.variables["ACME_PASSWORD"]}
    for name, token in tokens.items():
        (machine.folder / "mint" / name).write_text(token)
    (machine.folder / "mint" / "both").write_text(tokens["index"])
    # Their index has a constant for the user's name; that of the demo is given beside it.
    env = {"ACME_USER": hosts.variables["ACME_USER"]}
    secrets = {"PACKAGES_APP_PRIVATE_KEY": "key-of-the-app"} if way == "app and aws" else {}
    if way == "google":
        # Nothing of its lines is on a Git host.
        env["ACME_TOKEN"] = tokens["git"]
    hosts.git.tokens = (
        {"acme-beams": tokens["index"], "acme-loads": tokens["index"]} if way == "azure" else {}
    )
    try:
        act = Act(machine, app)
        done = act.run(secrets=secrets, variables=VARIABLES[way], env=env, masked=True)
    finally:
        hosts.git.tokens = {}
    assert done.returncode == 0, done.stdout
    assert "Ran 2 tests" in done.stdout
    assert not leaks(done.stdout, [*tokens.values(), "key-of-the-app"])


# Forgejo and Gitea


def test_forgejo_checks_out_with_the_token_of_the_job_and_tests(
    template: Path, hosts: DemoHosts, machine: Machine, tmp_path: Path
):
    """The app is in a private repository of the Git host, which only that token opens."""
    app = make(template, tmp_path, hosts, ci="forgejo")
    file = ci_file(app)
    text = file.read_text()
    file.write_text(text.replace(f"    container: python:{HERE}\n", ""))
    assert file.read_text() != text
    push(app)
    bare = hosts.git.path_of("my-app")
    subprocess.run(["git", "clone", "--quiet", "--bare", app, bare], check=True)
    hosts.git.tokens = {"my-app": "token-of-the-job"}
    env = {"GITHUB_SERVER_URL": hosts.git_url, "GITHUB_REPOSITORY": "acme/my-app"}
    known = {**given(hosts), "GITHUB_TOKEN": "token-of-the-job"}
    try:
        act = Act(machine, app)
        done = act.run(secrets=known, env=env)
        missing = act.run(secrets={"GITHUB_TOKEN": "token-of-the-job"}, env=env)
        refused = act.run(secrets={**known, "GITHUB_TOKEN": "expired-1"}, env=env)
    finally:
        hosts.git.tokens = {}
        shutil.rmtree(bare)
    assert done.returncode == 0, done.stdout
    assert "Ran 2 tests" in done.stdout
    assert "STOP ACME_TOKEN, ACME_USER and ACME_PASSWORD have no value." in missing.stdout
    assert job(refused, "Test") is False and "Main Get uv" not in refused.stdout
    for log in (done, missing, refused):
        assert not leaks(log.stdout, [*secrets_of(known), "expired-1"])
