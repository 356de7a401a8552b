"""What a run costs, in requests and Git processes: exact numbers, never seconds (those are in benchmarks/)."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from apps import HOOK, change_answers, copier

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
def test_a_copy_sends_two_requests_for_each_package_and_none_is_refused(
    template: Path, many: GitHost, hosts: DemoHosts, tmp_path: Path, count: int
):
    make(template, many, count, tmp_path, hosts.variables)
    for number in range(count):
        assert [(one.method, one.status) for one in many.requests_of(f"package-{number}")] == [
            ("GET", 200),
            ("POST", 200),
        ]
    assert len(many.requests) == 2 * count


def test_moving_a_package_to_a_ref_that_is_there_already_sends_one_request(
    template: Path, many: GitHost, hosts: DemoHosts, tmp_path: Path
):
    app = make(template, many, 1, tmp_path, hosts.variables)
    many.clear()
    change_answers(app, ".git@v1.0.0", ".git@main")
    environment = {**os.environ, **hosts.variables, "PRIVATE_PACKAGES_STRICT": "1"}
    done = subprocess.run(HOOK, cwd=app, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, "moved at main" in done.stderr) == (0, True), done.stderr
    assert [one.method for one in many.requests] == ["GET"]


def test_a_tag_or_branch_arrives_as_one_pack_without_loose_objects_or_reflogs(
    template: Path, many: GitHost, hosts: DemoHosts, tmp_path: Path
):
    app = make(template, many, 2, tmp_path, hosts.variables)
    for number in range(2):
        module = app / ".git" / "modules" / "app" / "submodules" / f"package-{number}"
        objects = [path for path in (module / "objects").rglob("*") if path.is_file()]
        assert sorted(path.suffix for path in objects) == [".idx", ".pack"]
        assert not (module / "logs").exists()


def test_who_chose_a_version_of_gits_protocol_gets_it_with_the_requests_that_it_takes(
    template: Path, many: GitHost, hosts: DemoHosts, tmp_path: Path
):
    chosen = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "protocol.version", "GIT_CONFIG_VALUE_0": "2"}
    make(template, many, 1, tmp_path, {**hosts.variables, **chosen})
    assert [one.method for one in many.requests_of("package-0")] == ["GET", "POST", "POST"]


@pytest.mark.parametrize("count", [0, 3, MOST])
def test_a_sync_that_has_nothing_to_do_sends_no_request_and_starts_git_three_times_at_most(
    template: Path, many: GitHost, hosts: DemoHosts, tmp_path: Path, git, count: int
):
    app = make(template, many, count, tmp_path, hosts.variables)
    many.clear()
    before_commit = count_git(HOOK, app, os.environ, tmp_path)
    git(app, "add", "--all")
    git(app, "commit", "--quiet", "-m", "Start")
    after_commit = count_git(HOOK, app, os.environ, tmp_path)
    assert many.requests == []
    # Where is the repository, what is in the index, what does .gitmodules say.
    assert [line.split()[0] for line in after_commit] == ["rev-parse", "ls-files", "config"]
    # Without a submodule nothing was staged, so there is no index to read.
    assert [line.split()[0] for line in before_commit] == ["rev-parse", *["ls-files"] * bool(count), "config"]


def test_a_fresh_clone_with_all_its_submodules_is_recognised_with_five_git_processes(
    template: Path, many: GitHost, hosts: DemoHosts, tmp_path: Path, git
):
    app = make(template, many, 3, tmp_path, hosts.variables)
    (app / ".git" / "private-packages.json").unlink()
    many.clear()
    started = count_git(HOOK, app, os.environ, tmp_path)
    assert many.requests == []
    # What the clone started from is said by the answers in the index; then what `git submodule init` has written.
    assert [line.split()[0] for line in started] == ["rev-parse", "ls-files", "config", "cat-file", "config"]


def test_fetching_a_tag_or_branch_takes_two_git_processes_and_a_commit_three(
    template: Path, many: GitHost, hosts: DemoHosts, tmp_path: Path
):
    started = {}
    for count in (3, MOST - 2):
        folder = tmp_path / str(count)
        folder.mkdir()
        started[count] = _git_of_the_hook(template, many, hosts, folder, count)
    more = (MOST - 2 - 3) // 3
    assert len(started[MOST - 2]) - len(started[3]) == more * (2 + 2 + 3)


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
    return count_git(HOOK, app, environment, folder)
