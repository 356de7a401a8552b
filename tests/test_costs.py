"""What a run costs, in requests and Git processes: exact numbers, never seconds (those are in benchmarks/)."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from apps import HOOK, change_wanted, copier, data, release
from uv import find_uv_bin

from benchmarks.measure import count_git, login
from demo.git_host import GitHost
from demo.hosts import TOKEN_USER, DemoHosts, git_line
from demo.http_host import HttpHost
from demo.samples import make_repository

MOST = 20
SYNC, STATUS, CHECK, INSTALL = (
    (sys.executable, "-m", "private_packages", name) for name in ("sync", "status", "check", "install")
)
# Where is the repository, what is in the index, what does .gitmodules say.
LOOK = ["rev-parse", "ls-files", "config"]
INDEX_PAGES = [f"/simple/{name}/" for name in ("acme-beams", "acme-loads", "acme-units")]

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="Git processes are counted by a shell script that is called git"
)


@pytest.fixture(scope="module")
def many(hosts: DemoHosts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitHost]:
    """A Git host with more small packages than any app has; no installer has anything to do with them."""
    root = tmp_path_factory.mktemp("many")
    for number in range(MOST):
        files = {f"package_{number}.py": "ONE = 1\n"}
        make_repository(root / "acme", f"package-{number}", files, tags=["v1.0.0"])
    with GitHost(root, hosts.variables["ACME_TOKEN"]) as host:
        yield host


@pytest.fixture
def environment(hosts: DemoHosts, tmp_path: Path) -> dict[str, str]:
    """The logins, a cache of uv's that knows nothing yet, and no virtual environment."""
    kept = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    return {**kept, **hosts.variables, "UV_CACHE_DIR": str(tmp_path / "uv"), "PRIVATE_PACKAGES_STRICT": "1"}


def lines(host: GitHost, count: int) -> dict[str, str]:
    """The answer with so many submodules, whose refs are a tag, a branch and a commit in turn."""
    found = []
    for number in range(count):
        commit = (host.path_of(f"package-{number}") / "refs" / "heads" / "main").read_text().strip()
        found.append(git_line(host, f"package-{number}", ("v1.0.0", "main", commit)[number % 3]))
    return {"submodule_packages": "\n".join(found)}


def make(
    template: Path, folder: Path, environment: Mapping[str, str], answers: Mapping[str, object], *options: str
) -> Path:
    """An app with these answers, in place."""
    app = folder / "my-app"
    command = ("copy", "--defaults", "--trust", "--vcs-ref", "HEAD", *options, *data(answers), template, app)
    done = copier(*command, cwd=folder, **environment)
    assert done.returncode == 0, done.stderr
    return app


def installed(app: Path, environment: Mapping[str, str], folder: Path) -> Path:
    """The app, committed, with everything installed in a virtual environment of its own."""
    release(app, "start")
    subprocess.run([find_uv_bin(), "venv", "--quiet", "--python", sys.executable, app / ".venv"], check=True)
    count_git(INSTALL, app, environment, folder)
    return app


def asked(host: HttpHost) -> list[tuple[str, int]]:
    """Method and status of the requests since the last question."""
    found = [(one.method, one.status) for one in host.requests]
    host.clear()
    return found


def verbs(started: list[str]) -> list[str]:
    """What the Git processes were started for."""
    return [line.split()[0] for line in started]


# Fetching


@pytest.mark.parametrize("count", [0, 1, 3, MOST])
def test_a_copy_sends_two_requests_for_each_package_and_none_is_refused(
    template: Path, many: GitHost, environment: Mapping[str, str], tmp_path: Path, count: int
):
    many.clear()
    make(template, tmp_path, environment, lines(many, count))
    for number in range(count):
        found = [(one.method, one.status) for one in many.requests_of(f"package-{number}")]
        assert found == [("GET", 200), ("POST", 200)]
    assert len(many.requests) == 2 * count


def test_a_fresh_clone_is_filled_with_the_requests_of_a_copy(
    template: Path, many: GitHost, environment: Mapping[str, str], tmp_path: Path, git
):
    app = make(template, tmp_path, environment, lines(many, 3))
    release(app, "start")
    many.clear()
    git(tmp_path, "clone", "--quiet", app, "clone")
    count_git(SYNC, tmp_path / "clone", environment, tmp_path)
    assert sorted(asked(many)) == [("GET", 200)] * 3 + [("POST", 200)] * 3


def test_moving_a_package_to_a_ref_that_is_there_already_sends_one_request(
    template: Path, many: GitHost, environment: Mapping[str, str], tmp_path: Path, git
):
    app = make(template, tmp_path, environment, lines(many, 1))
    many.clear()
    change_wanted(app, "v1.0.0", "main")
    count_git(SYNC, app, environment, tmp_path)
    assert asked(many) == [("GET", 200)]
    assert 'ref = "main"' in (app / "private-packages.lock").read_text()


def test_a_tag_or_branch_arrives_as_one_pack_without_loose_objects_reflogs_or_a_local_branch(
    template: Path, many: GitHost, environment: Mapping[str, str], tmp_path: Path, git
):
    app = make(template, tmp_path, environment, lines(many, 2))
    for number in range(2):
        path = f"app/submodules/package-{number}"
        module = app / ".git" / "modules" / path
        objects = [path for path in (module / "objects").rglob("*") if path.is_file()]
        assert sorted(path.suffix for path in objects) == [".idx", ".pack"]
        assert not (module / "logs").exists()
        assert git(app / path, "for-each-ref", "refs/heads") == ""


def test_who_chose_a_version_of_gits_protocol_gets_it_with_the_requests_that_it_takes(
    template: Path, many: GitHost, environment: Mapping[str, str], tmp_path: Path
):
    chosen = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "protocol.version", "GIT_CONFIG_VALUE_0": "2"}
    many.clear()
    make(template, tmp_path, {**environment, **chosen}, lines(many, 1))
    assert [method for method, _ in asked(many)] == ["GET", "POST", "POST"]


def test_fetching_a_tag_or_branch_takes_two_git_processes_and_a_commit_four(
    template: Path, many: GitHost, environment: Mapping[str, str], tmp_path: Path
):
    started = {}
    for count in (3, MOST - 2):
        folder = tmp_path / str(count)
        folder.mkdir()
        app = make(template, folder, environment, lines(many, count), "--skip-tasks")
        started[count] = count_git(HOOK, app, environment, folder)
    more = (MOST - 2 - 3) // 3
    assert len(started[MOST - 2]) - len(started[3]) == more * (2 + 2 + 4)


# Nothing to do


@pytest.mark.parametrize("count", [0, 3, MOST])
def test_a_sync_that_has_nothing_to_do_sends_no_request_and_starts_git_three_times_at_most(
    template: Path, many: GitHost, environment: Mapping[str, str], tmp_path: Path, count: int
):
    app = make(template, tmp_path, environment, lines(many, count))
    many.clear()
    before_commit = count_git(HOOK, app, environment, tmp_path)
    release(app, "start")
    after_commit = count_git(SYNC, app, environment, tmp_path)
    assert many.requests == []
    # Without a package it is only asked for the repository.
    expected = LOOK if count else ["rev-parse"]
    assert verbs(before_commit) == verbs(after_commit) == expected


def test_a_clone_that_git_has_filled_is_recognised_without_a_request(
    template: Path, many: GitHost, environment: Mapping[str, str], hosts: DemoHosts, tmp_path: Path
):
    app = make(template, tmp_path, environment, lines(many, 3))
    release(app, "start")
    subprocess.run(
        ["git", "clone", "--quiet", "--recurse-submodules", app, tmp_path / "clone"],
        env={**environment, **login(many, TOKEN_USER, hosts.variables["ACME_TOKEN"])},
        check=True,
    )
    many.clear()
    assert verbs(count_git(SYNC, tmp_path / "clone", environment, tmp_path)) == LOOK
    assert asked(many) == []


def test_the_files_of_an_index_package_cost_one_request_when_it_is_new_and_none_afterwards(
    template: Path, hosts: DemoHosts, environment: Mapping[str, str], tmp_path: Path
):
    hosts.index.clear()
    app = make(template, tmp_path, environment, hosts.answers("index"))
    assert asked(hosts.index) == [("GET", 200)] * 3
    change_wanted(app, "acme-units==2.1.0", "acme-units==2.0.0")
    count_git(SYNC, app, environment, tmp_path)
    assert asked(hosts.index) == [("GET", 200)]
    count_git(SYNC, app, environment, tmp_path)
    assert asked(hosts.index) == []


# Looking, proving, installing


@pytest.mark.parametrize("count", [1, MOST])
def test_status_sends_no_request_and_starts_git_three_times(
    template: Path, many: GitHost, environment: Mapping[str, str], tmp_path: Path, count: int
):
    app = installed(make(template, tmp_path, environment, lines(many, count)), environment, tmp_path)
    many.clear()
    assert verbs(count_git(STATUS, app, environment, tmp_path)) == LOOK
    assert asked(many) == []


def test_check_sends_one_request_for_each_submodule_and_none_is_refused(
    template: Path, many: GitHost, environment: Mapping[str, str], tmp_path: Path
):
    app = make(template, tmp_path, environment, lines(many, MOST))
    many.clear()
    started = count_git(CHECK, app, environment, tmp_path)
    assert asked(many) == [("GET", 200)] * MOST
    # Beside the questions: how the app stands, and a look for literal logins.
    assert sorted(verbs(started)) == sorted([*LOOK, "grep", *["-c"] * MOST])


def test_check_sends_one_request_for_each_git_line_as_soon_as_uv_has_its_commit(
    template: Path, hosts: DemoHosts, environment: Mapping[str, str], tmp_path: Path
):
    app = make(template, tmp_path, environment, hosts.answers("git"))
    count_git(CHECK, app, environment, tmp_path)
    hosts.git.clear()
    started = count_git(CHECK, app, environment, tmp_path)
    assert asked(hosts.git) == [("GET", 200)] * 3
    # What they are built with is read in uv's checkouts of them, of all at once.
    of_git = [one for one in verbs(started) if one == "cat-file"]
    assert len(of_git) == 3


@pytest.mark.parametrize(("options", "times"), [([], 3), (["--locked"], 2)])
def test_check_asks_for_the_page_of_an_index_package_once_and_uv_for_each_system_that_it_resolves_for(
    template: Path,
    hosts: DemoHosts,
    environment: Mapping[str, str],
    tmp_path: Path,
    options: list[str],
    times: int,
):
    app = make(template, tmp_path, environment, hosts.answers("index"))
    count_git(CHECK, app, environment, tmp_path)
    hosts.index.clear()
    count_git((*CHECK, *options), app, environment, tmp_path)
    assert sorted(one.path for one in hosts.index.requests) == sorted(INDEX_PAGES * times)


def test_an_install_that_has_nothing_to_do_asks_for_no_file(
    template: Path, many: GitHost, hosts: DemoHosts, environment: Mapping[str, str], tmp_path: Path
):
    answers = {**hosts.answers("index"), **lines(many, 3), "strategies": ["submodule", "index"]}
    app = installed(make(template, tmp_path, environment, answers), environment, tmp_path)
    many.clear()
    hosts.index.clear()
    started = count_git(INSTALL, app, environment, tmp_path)
    assert asked(many) == [("GET", 200)] * 3
    # The check itself asks for a package's page, and so does uv to resolve.
    assert sorted(one.path for one in hosts.index.requests) == sorted(INDEX_PAGES * 2)
    # It sees whether a change request altered a submodule, syncs, proves and says how everything stands.
    assert sorted(verbs(started)) == sorted([*LOOK * 4, "grep", *["-c"] * 3])
