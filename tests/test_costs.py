"""What a run costs, in requests and Git processes: exact numbers, never seconds (those are in benchmarks/)."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from apps import copier

from benchmarks.measure import count_git
from demo.git_host import GitHost
from demo.hosts import DemoHosts, git_line
from demo.samples import make_repository

MOST = 20
KINDS = ("tag", "branch", "commit")

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="Git processes are counted by a shell script that is called git"
)


@pytest.fixture(scope="module")
def many(hosts: DemoHosts, tmp_path_factory: pytest.TempPathFactory) -> GitHost:
    """A Git host with more small packages than any app has."""
    root = tmp_path_factory.mktemp("many")
    for number in range(MOST):
        make_repository(root / "acme", f"package-{number}", {"package.py": "ONE = 1\n"}, tags=["v1.0.0"])
    with GitHost(root, hosts.variables["ACME_TOKEN"]) as host:
        yield host


def lines(host: GitHost, count: int) -> str:
    """Package lines whose refs are a tag, a branch and a commit in turn."""
    commit = (host.path_of("package-0") / "refs" / "heads" / "main").read_text().strip()
    refs = {"tag": "v1.0.0", "branch": "main", "commit": commit}
    return "\n".join(git_line(host, f"package-{number}", refs[KINDS[number % 3]]) for number in range(count))


def make(template: Path, host: GitHost, count: int, folder: Path, variables: Mapping[str, str]) -> Path:
    """An app with so many submodules, in place; the host's log holds what that took."""
    app = folder / "my-app"
    host.clear()
    done = copier(
        *("copy", "--defaults", "--trust", "--vcs-ref", "HEAD"),
        *("--data", f"submodule_packages={lines(host, count)}", template, app),
        cwd=folder,
        PRIVATE_PACKAGES_STRICT="1",
        **variables,
    )
    assert done.returncode == 0, done.stderr
    return app


@pytest.mark.parametrize("count", [0, 1, 3, MOST])
def test_a_copy_sends_three_requests_for_each_package_and_none_is_refused(
    template: Path, many: GitHost, hosts: DemoHosts, tmp_path: Path, count: int
):
    make(template, many, count, tmp_path, hosts.variables)
    for number in range(count):
        assert [(one.method, one.status) for one in many.requests_of(f"package-{number}")] == [
            ("GET", 200),
            ("POST", 200),
            ("POST", 200),
        ]
    assert len(many.requests) == 3 * count


@pytest.mark.parametrize("count", [0, 3, MOST])
def test_a_sync_that_has_nothing_to_do_sends_no_request_and_starts_git_three_times(
    template: Path, many: GitHost, hosts: DemoHosts, tmp_path: Path, git, count: int
):
    app = make(template, many, count, tmp_path, hosts.variables)
    sync = [sys.executable, template / "hooks" / "sync.py"]
    many.clear()
    before_commit = count_git(sync, app, os.environ, tmp_path)
    git(app, "add", "--all")
    git(app, "commit", "--quiet", "-m", "Start")
    after_commit = count_git(sync, app, os.environ, tmp_path)
    assert many.requests == []
    # Where is the repository, what is in the index, what does .gitmodules say.
    expected = ["rev-parse", "ls-files", "config"]
    assert [line.split()[0] for line in after_commit] == expected
    assert [line.split()[0] for line in before_commit] == expected


def test_a_fresh_clone_with_all_its_submodules_is_recognised_with_five_git_processes(
    template: Path, many: GitHost, hosts: DemoHosts, tmp_path: Path, git
):
    app = make(template, many, 3, tmp_path, hosts.variables)
    (app / ".git" / "private-packages.json").unlink()
    many.clear()
    started = count_git([sys.executable, template / "hooks" / "sync.py"], app, os.environ, tmp_path)
    assert many.requests == []
    assert len(started) <= 5


def test_fetching_a_tag_takes_two_git_processes_and_a_branch_or_commit_three(
    template: Path, many: GitHost, hosts: DemoHosts, tmp_path: Path
):
    started = {}
    for count in (3, MOST - 2):
        folder = tmp_path / str(count)
        folder.mkdir()
        started[count] = _git_of_the_hook(template, many, hosts, folder, count)
    more = (MOST - 2 - 3) // 3
    assert len(started[MOST - 2]) - len(started[3]) == more * (2 + 3 + 3)


def _git_of_the_hook(template: Path, host: GitHost, hosts: DemoHosts, folder: Path, count: int) -> list[str]:
    """The Git processes of the first sync of a new app."""
    app = folder / "my-app"
    done = copier(
        *("copy", "--defaults", "--skip-tasks", "--vcs-ref", "HEAD"),
        *("--data", f"submodule_packages={lines(host, count)}", template, app),
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    environment = {**os.environ, **hosts.variables}
    return count_git([sys.executable, template / "hooks" / "sync.py"], app, environment, folder)
