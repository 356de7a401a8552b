"""Which commit a package line names: the gitlink, what is checked out, and nothing that looks like the user's work."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from apps import copier, data
from private_packages import lock

from demo.git import run_git
from demo.git_host import GitHost
from demo.hosts import DemoHosts, git_line
from demo.samples import commit, make_repository

# What stands after the `@`, and which of the repository's three commits that is.
REFS = {
    "tag": ("v1", "first"),
    "annotated-tag": ("v2", "second"),
    "tag-like-a-commit": ("20261124", "second"),
    "branch": ("main", "third"),
    "branch-with-a-slash": ("feature/one", "second"),
    "branch-before-tag": ("both", "second"),
    "commit": ("{first}", "first"),
    "abbreviated-commit": ("{first:.10}", "first"),
    "default-branch": ("", "third"),
}


@pytest.fixture(scope="module")
def host(hosts: DemoHosts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitHost]:
    """A repository for each ref; all are alike."""
    root = tmp_path_factory.mktemp("refs")
    for name in REFS:
        repository = make_repository(root / "acme", name, {"one.py": "ONE = 1\n"}, tags=["v1"])
        second = commit(repository, {"one.py": "ONE = 2\n"}, tag="v2")
        commit(repository, {"one.py": "ONE = 3\n"})
        run_git("-C", repository, "tag", "20261124", second)
        run_git("-C", repository, "branch", "feature/one", second)
        run_git("-C", repository, "branch", "both", second)
        run_git("-C", repository, "tag", "both", "v1")
    with GitHost(root, hosts.variables["ACME_TOKEN"]) as running:
        yield running


@pytest.fixture(scope="module")
def commits(host: GitHost) -> dict[str, str]:
    """The three commits of each repository."""
    revisions = {"first": "v1", "second": "v2^{commit}", "third": "main"}
    repository = host.path_of("tag")
    return {order: run_git("-C", repository, "rev-parse", name) for order, name in revisions.items()}


def line(host: GitHost, commits: dict[str, str], name: str) -> str:
    return git_line(host, name, REFS[name][0].format(**commits))


def make(
    template: Path, app: Path, lines: list[str], *, strategy: str = "submodule", **variables: str
) -> Path:
    answers = data({"strategies": [strategy], f"{strategy}_packages": "\n".join(lines)})
    done = copier(
        *("copy", "--defaults", "--overwrite", "--trust", *answers, template, app),
        cwd=app.parent,
        PRIVATE_PACKAGES_STRICT="1",
        **variables,
    )
    assert done.returncode == 0, done.stderr
    return app


@pytest.fixture(scope="module")
def app(
    template: Path,
    host: GitHost,
    hosts: DemoHosts,
    commits: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    lines = [line(host, commits, name) for name in REFS]
    return make(template, tmp_path_factory.mktemp("refs-app") / "my-app", lines, **hosts.variables)


@pytest.mark.parametrize("name", REFS)
def test_a_ref_is_looked_for_as_pip_does_and_its_commit_is_in_place(
    app: Path, commits: dict[str, str], git: Callable[..., str], name: str
):
    expected = commits[REFS[name][1]]
    path = f"app/submodules/{name}"
    assert git(app, "ls-files", "--stage", path).split()[:2] == ["160000", expected]
    assert git(app / path, "rev-parse", "HEAD") == expected
    assert git(app / path, "rev-parse", "--abbrev-ref", "HEAD") == "HEAD", "not detached"
    assert git(app / path, "status", "--porcelain") == ""
    assert git(app, "submodule", "status", path).startswith(f"{expected} ")
    locked = lock.load(app).commit_of(name, "submodule")
    assert locked is not None and locked.commit == expected


def test_the_ref_of_a_git_line_stands_for_the_same_commit(
    template: Path, host: GitHost, hosts: DemoHosts, commits: dict[str, str], tmp_path: Path
):
    """Only an installer, which fetches, finds an abbreviated one."""
    lines = [line(host, commits, name) for name in REFS]
    app = make(template, tmp_path / "my-app", lines, strategy="git", **hosts.variables)
    locked = {entry.name: entry.commit for entry in lock.load(app).values()}
    assert locked == {
        name: commits[order] for name, (_, order) in REFS.items() if name != "abbreviated-commit"
    }


def test_what_the_user_calls_remotes_does_not_matter(
    template: Path,
    host: GitHost,
    hosts: DemoHosts,
    commits: dict[str, str],
    tmp_path: Path,
    git: Callable[..., str],
):
    settings = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "clone.defaultRemoteName",
        "GIT_CONFIG_VALUE_0": "upstream",
    }
    first = line(host, commits, "tag")
    make(template, tmp_path / "my-app", [first], **hosts.variables, **settings)
    app = make(template, tmp_path / "my-app", [first.replace("@v1", "@main")], **hosts.variables, **settings)
    assert git(app, "submodule", "status").startswith(f"{commits['third']} ")
