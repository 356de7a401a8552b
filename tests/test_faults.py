"""Hosts that misbehave, runs that are killed, disks that are full: the app stays whole and the next sync heals it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import copier as copier_library
import pytest
import reconcile
from answers import SUBMODULES
from apps import HOOK, ROOT, change_answers, copier
from causes import explain, explain_local
from git import GitError

from demo.certificate import self_signed_certificate
from demo.git_host import GitHost
from demo.http_host import Faults
from demo.samples import commit, make_repository

TOKEN = "SENTINEL-git-token-4711"
NAMES = tuple(f"acme-p{number}" for number in range(10))
ODD = NAMES[3]
# Above what a list of refs takes, below a pack: a fault after so many bytes is in mid-pack.
MIDDLE = 20_000


def package_files(name: str) -> dict[str, str]:
    """A package whose pack is larger than `MIDDLE`, because nothing compresses the noise."""
    module = name.replace("-", "_")
    noise = os.urandom(40_000).hex()
    return {
        "pyproject.toml": f'[project]\nname = "{name}"\nversion = "1.0"\n',
        f"{module}/__init__.py": f"NAME = {name!r}\n",
        f"{module}/data.txt": noise,
    }


@dataclass
class Place:
    """A host with ten packages, and what a failing case changes about one of them."""

    host: GitHost
    template: Path
    environment: dict[str, str] = field(default_factory=dict)

    def line(self, name: str, url: str = "", ref: str = "v1") -> str:
        address = (url or self.host.url_of(name)).replace("://", "://x-access-token:${ACME_TOKEN}@")
        return f"{name} @ git+{address}@{ref}"

    def copy(self, app: Path, lines: Sequence[str], **environment: str) -> subprocess.CompletedProcess[str]:
        """`copier copy`, as a person types it."""
        answers = ("--data", "strategies=[submodule]", "--data", "submodule_packages=" + "\n".join(lines))
        options = ("copy", "--trust", "--defaults", *answers, self.template, app)
        return copier(*options, cwd=app.parent, **{**self.environment, **environment})

    def sync(self, app: Path, **environment: str) -> subprocess.CompletedProcess[str]:
        """The hook alone."""
        return subprocess.run(
            HOOK,
            cwd=app,
            env={**os.environ, **self.environment, **environment},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="module")
def host(isolated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitHost]:
    """Ten packages with a tag `v1` each, and three odd repositories."""
    root = tmp_path_factory.mktemp("git")
    (root / "acme").mkdir()
    for name in NAMES:
        make_repository(root / "acme", name, package_files(name), tags=["v1"])
    with GitHost(root, TOKEN) as running:
        yield running


@pytest.fixture
def place(host: GitHost, questionnaire: Path) -> Iterator[Place]:
    environment = {"ACME_TOKEN": TOKEN, "PRIVATE_PACKAGES_TIMEOUT": "1"}
    yield Place(host=host, template=questionnaire, environment=environment)
    host.faults, host.faults_of = Faults(), {}
    host.clear()


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def is_complete(app: Path) -> bool:
    """Whether the app's own files are all there."""
    names = ("app/__init__.py", "app/__main__.py", "requirements.txt", ".copier-answers.yml", ".gitmodules")
    return all((app / name).is_file() for name in names)


def fetched(app: Path) -> set[str]:
    """The packages whose gitlink stands in the index and whose files are checked out at it, with nothing changed."""
    found = set()
    for line in git(app, "submodule", "status").splitlines():
        mark, path = line[0], line[1:].split()[1]
        name = path.rpartition("/")[2]
        if mark == " " and (app / path / name.replace("-", "_") / "data.txt").is_file():
            assert git(app / path, "status", "--porcelain") == ""
            found.add(name)
    return found


def is_clean(app: Path) -> bool:
    """Whether nothing half-made is left in Git's own folder."""
    leftovers = [*app.glob(".git/private-packages.tmp"), *app.glob(".git/**/*.lock")]
    return not leftovers


# ---------------------------------------------------------------------------
# The hosts
# ---------------------------------------------------------------------------


@dataclass
class Case:
    """One fault: how it is made and mended, and the words that name its cause and cure."""

    words: tuple[str, ...]
    faults: Faults | None = None
    url: Callable[[Place, Path], str] | None = None
    mend: Callable[[Place, Path], None] = lambda place, folder: None
    ref: str = "v1"


def closed_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/acme/{ODD}.git"


def lead_to_the_host(place: Place, folder: Path) -> None:
    """The address works from now on: Git is told where it leads."""
    place.environment |= {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{place.host.url_of(ODD)}.insteadOf",
        "GIT_CONFIG_VALUE_0": (folder / "url").read_text(),
        "ACME_TOKEN": TOKEN,
    }
    # The login is for the host that the line names, so the other one is opened.
    place.host.tokens[ODD] = None


def tls_host(place: Place, folder: Path) -> str:
    """The same repositories over HTTPS, with a certificate that nobody trusts."""
    certificate = self_signed_certificate(folder)
    running = GitHost(place.host.root, TOKEN, certificate=certificate).start()
    RUNNING.append(running)
    return running.url_of(ODD)


def trust(place: Place, folder: Path) -> None:
    place.environment["GIT_SSL_CAINFO"] = str(folder / "certificate.pem")


def empty_repository(place: Place, folder: Path) -> str:
    if not place.host.path_of("acme-empty").exists():
        make_repository(place.host.root / "acme", "acme-empty", {})
    return place.host.url_of("acme-empty")


def fill(place: Place, folder: Path) -> None:
    commit(place.host.path_of("acme-empty"), package_files(ODD), tag="v1")


def tag(place: Place, folder: Path) -> None:
    git(place.host.path_of(ODD), "tag", "v2", "v1^{commit}")


RUNNING: list[GitHost] = []
CASES = {
    "401": Case((f"{ODD}: ", "refused the login in ACME_TOKEN", "set a valid token"), Faults(status=401)),
    "403": Case((f"{ODD}: ", "(403)", "ask for read access"), Faults(status=403)),
    "404": Case((f"{ODD}: ", "no such repository", "look at the address"), Faults(status=404)),
    "500": Case((f"{ODD}: ", "(HTTP 500)", "try again later"), Faults(status=500)),
    "a silent server": Case((f"{ODD}: ", "stopped answering", "try again later"), Faults(hang=True)),
    "a stall in mid-pack": Case((f"{ODD}: ", "stopped answering", "try again"), Faults(stall_after=MIDDLE)),
    "a cut connection": Case((f"{ODD}: ", "broke in the middle", "try again"), Faults(cut_after=MIDDLE)),
    "a truncated pack": Case((f"{ODD}: ", "broke in the middle", "try again"), Faults(truncate_after=MIDDLE)),
    "a refused connection": Case(
        (f"{ODD}: 127.0.0.1:", "refuses connections", "company network"),
        url=lambda place, folder: closed_port(),
        mend=lead_to_the_host,
    ),
    "an unknown host": Case(
        (f"{ODD}: git.nowhere.invalid is not a known host name", "typing error"),
        url=lambda place, folder: "https://git.nowhere.invalid/acme/x.git",
        mend=lead_to_the_host,
    ),
    "a certificate that nobody trusts": Case(
        (f"{ODD}: ", "TLS certificate", "http.sslCAInfo"), url=tls_host, mend=trust
    ),
    "an empty repository": Case(
        (f"{ODD}: its repository is empty", "push a first commit"), url=empty_repository, mend=fill
    ),
    "a ref that does not exist": Case(
        (f"{ODD}: its repository has no tag, branch or commit `v2` (newest tags: v1)", "copier update"),
        ref="v2",
        mend=tag,
    ),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest, place: Place, tmp_path: Path) -> Iterator[tuple[Case, str]]:
    """The case and the line of the package that it strikes; repositories and hosts are put back afterwards."""
    one: Case = CASES[request.param]
    url = one.url(place, tmp_path) if one.url else ""
    (tmp_path / "url").write_text(url)
    if one.faults:
        place.host.faults_of[ODD] = one.faults
    yield one, place.line(ODD, url, one.ref)
    place.host.tokens.clear()
    shutil.rmtree(place.host.path_of("acme-empty"), ignore_errors=True)
    subprocess.run(["git", "tag", "-d", "v2"], cwd=place.host.path_of(ODD), capture_output=True, check=False)
    while RUNNING:
        RUNNING.pop().stop()


def says_what_and_what_to_type(said: str, words: Sequence[str]) -> str:
    """The message names package, cause and cure, holds no secret, and ends in the command; returns that."""
    assert "Traceback" not in said
    assert TOKEN not in said
    message = said[said.index("The app is complete, but its private packages are not:") :]
    for part in words:
        assert part in message, message
    assert message.count(f"{ODD}: ") == 1
    found = re.search(
        r"When that is mended, type in the app's folder:\n(?:  git .*\n)*  (copier .*)\n", message
    )
    assert found, message
    return found[1]


def test_a_fault_for_the_only_package_costs_the_app_nothing_and_is_mended_by_the_command_shown(
    case: tuple[Case, str], place: Place, tmp_path: Path
):
    one, line = case
    app = tmp_path / "my-app"
    started = time.monotonic()
    done = place.copy(app, [line])
    assert time.monotonic() - started < 12
    assert done.returncode == 0, done.stderr
    assert is_complete(app)
    assert is_clean(app)
    assert fetched(app) == set()
    command = says_what_and_what_to_type(done.stderr, one.words)
    place.host.faults_of.clear()
    one.mend(place, tmp_path)
    words = command.split()
    assert words[:2] == ["copier", "copy"]
    healed = copier(*words[1:], cwd=app, **place.environment)
    assert "The app is complete, but" not in healed.stderr, healed.stderr
    assert fetched(app) == {ODD}


def test_a_fault_for_one_of_ten_packages_leaves_the_other_nine(
    case: tuple[Case, str], place: Place, tmp_path: Path
):
    one, line = case
    app = rendered(place, tmp_path, [line if name == ODD else place.line(name) for name in NAMES])
    done = place.sync(app)
    assert done.returncode == 0
    says_what_and_what_to_type(done.stderr, one.words)
    assert fetched(app) == {*NAMES} - {ODD}
    assert is_clean(app)
    place.host.faults_of.clear()
    one.mend(place, tmp_path)
    place.host.clear()
    healed = place.sync(app, PRIVATE_PACKAGES_STRICT="1")
    assert healed.returncode == 0, healed.stderr
    assert fetched(app) == {*NAMES}
    assert {place.host.name_of(request.path) for request in place.host.requests} <= {ODD, "acme-empty"}


def rendered(place: Place, tmp_path: Path, lines: Sequence[str]) -> Path:
    """The app without its hook's work."""
    app = tmp_path / "my-app"
    answers = {"strategies": ["submodule"], "submodule_packages": "\n".join(lines)}
    copier_library.run_copy(
        str(place.template), app, data=answers, defaults=True, skip_tasks=True, quiet=True
    )
    return app


def test_strict_mode_makes_the_copy_itself_fail(place: Place, tmp_path: Path):
    """In CI nobody reads the message; Copier takes the new folder away, as with every failed task."""
    place.host.faults_of[ODD] = Faults(status=401)
    done = place.copy(tmp_path / "my-app", [place.line(ODD)], PRIVATE_PACKAGES_STRICT="1")
    assert done.returncode != 0
    assert f"{ODD}: " in done.stderr
    assert not (tmp_path / "my-app").exists()


@pytest.mark.parametrize("value", [None, ""], ids=["not set", "empty"])
def test_a_variable_without_a_value_is_named_and_nothing_is_asked(
    place: Place, tmp_path: Path, value: str | None
):
    app = rendered(place, tmp_path, [place.line(ODD)])
    del place.environment["ACME_TOKEN"]
    place.host.clear()
    done = place.sync(app, **({"ACME_TOKEN": value} if value is not None else {}))
    assert f"{ODD}: the environment variable ACME_TOKEN is not set; set it" in done.stderr
    assert place.host.requests == []


def test_after_the_first_commit_the_command_shown_is_an_update(place: Place, tmp_path: Path):
    app = rendered(place, tmp_path, [place.line(ODD)])
    git(app, "init", "--quiet")
    git(app, "add", "--all")
    git(app, "commit", "--quiet", "--message", "Start")
    place.host.faults_of[ODD] = Faults(status=500)
    said = place.sync(app).stderr
    command = says_what_and_what_to_type(said, ["HTTP 500"])
    assert command == "copier update --vcs-ref :current: --defaults --trust"


def test_the_credentials_are_not_sent_to_another_host_on_a_redirect(place: Place, tmp_path: Path):
    app = rendered(place, tmp_path, [place.line(ODD)])
    with GitHost(place.host.root, "another token") as elsewhere:
        place.host.faults_of[ODD] = Faults(redirect_to=elsewhere.url)
        done = place.sync(app)
        assert elsewhere.requests
        assert {request.user for request in elsewhere.requests} == {""}
        assert elsewhere.requests_of(ODD)[-1].status == 401
        other = elsewhere.url.partition("//")[2]
    says_what_and_what_to_type(
        done.stderr, [f"{ODD}: {place.host.url.partition('//')[2]} sends Git on to {other}", "new address"]
    )
    assert fetched(app) == set()


def test_a_redirect_on_the_same_host_is_followed_with_the_login(place: Place, tmp_path: Path):
    """As after a repository is renamed; Git is asked twice, because a header would follow to any host."""
    moved = Path(shutil.copytree(place.host.path_of(ODD), place.host.path_of(f"moved/acme/{ODD}")))
    app = rendered(place, tmp_path, [place.line(ODD)])
    place.host.faults_of[ODD] = Faults(redirect_to=f"{place.host.url}/acme/moved")
    try:
        done = place.sync(app, PRIVATE_PACKAGES_STRICT="1")
    finally:
        shutil.rmtree(moved.parents[1])
    assert done.returncode == 0, done.stderr
    assert fetched(app) == {ODD}


def test_a_repository_without_a_python_package_is_fetched_and_named_by_the_app_s_own_tests(
    place: Place, tmp_path: Path
):
    """Git can't know; the doctor of the app says it, and is content once there is a package."""
    repository = place.host.root / "acme" / f"{ODD}-docs.git"
    make_repository(place.host.root / "acme", repository.stem, {"README.md": "Words.\n"}, tags=["v1"])
    app = tmp_path / "my-app"
    done = place.copy(app, [place.line(ODD, place.host.url_of(repository.stem), "main")])
    assert "The app is complete, but" not in done.stderr
    doctor = (sys.executable, "-m", "unittest", "tests.test_private_packages")
    said = subprocess.run(doctor, cwd=app, capture_output=True, text=True, check=False)
    assert said.returncode == 1
    assert f"app/submodules/{ODD} holds no Python package." in said.stderr
    commit(repository, package_files(ODD))
    git(app, "submodule", "--quiet", "foreach", f"git -c http.extraHeader='{header()}' pull -q origin main")
    assert subprocess.run(doctor, cwd=app, capture_output=True, check=False).returncode == 0


def header() -> str:
    import base64

    return "Authorization: Basic " + base64.b64encode(f"x:{TOKEN}".encode()).decode()


def test_nothing_is_waited_for_longer_than_twenty_seconds():
    """Git's own limit, two seconds for it to speak, three for it to end; the tests above run with one second."""
    assert reconcile.SILENCE + 2 + 3 <= 20


def test_a_server_that_is_silent_for_less_than_the_limit_is_waited_for(place: Place, tmp_path: Path):
    app = rendered(place, tmp_path, [place.line(ODD)])
    place.host.faults_of[ODD] = Faults(delay=0.6)
    assert place.sync(app, PRIVATE_PACKAGES_STRICT="1").returncode == 0
    assert fetched(app) == {ODD}


# ---------------------------------------------------------------------------
# The machine
# ---------------------------------------------------------------------------


def test_without_git_the_app_is_complete_and_the_message_says_so(place: Place, tmp_path: Path):
    app = tmp_path / "my-app"
    (tmp_path / "bin").mkdir()
    done = place.copy(app, [place.line(ODD)], PATH=str(tmp_path / "bin"))
    assert done.returncode == 0, done.stderr
    assert is_complete(app)
    assert "Git is not installed or not on PATH; install it." in done.stderr
    assert place.sync(app, PATH=str(tmp_path / "bin"), PRIVATE_PACKAGES_STRICT="1").returncode == 1
    assert place.sync(app, PRIVATE_PACKAGES_STRICT="1").returncode == 0
    assert fetched(app) == {ODD}


def in_a_file_system_of_its_own(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a shell script where it may mount; permissions alone do not bind a test that runs as root."""
    able = (
        shutil.which("unshare")
        and not subprocess.run(
            ["unshare", "-rm", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False
        ).returncode
    )
    if not able:
        pytest.skip("this system does not let a test mount a file system of its own")
    return subprocess.run(
        ["unshare", "-rm", "sh", "-ec", script],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def out_of_room_and_back(place: Place, app: Path, full: Path, size: str, before: str = "") -> tuple[str, str]:
    """Sync twice, first with a full disk at a folder, then with room: what was said, and the submodules' status.

    ``before`` is done once the disk is mounted.
    """
    hook = " ".join(HOOK)
    done = in_a_file_system_of_its_own(
        f"mount -t tmpfs -o size={size} none '{full}'; {before} cd '{app}';"
        f"{hook}; test -f app/__main__.py; mount -o remount,size=50m '{full}';"
        f"PRIVATE_PACKAGES_STRICT=1 {hook}; git submodule status; git submodule --quiet foreach git status --porcelain",
        **place.environment,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stderr, done.stdout


def test_on_a_full_disk_the_message_says_so_and_room_heals_it(place: Place, tmp_path: Path):
    made = rendered(place, tmp_path, [place.line(name) for name in NAMES[:3]])
    full = tmp_path / "small"
    full.mkdir()
    app = full / "app"
    said, status = out_of_room_and_back(place, app, full, "400k", before=f"cp -R '{made}' '{app}';")
    assert "Traceback" not in said
    assert "make room" in said, said
    assert [line[0] for line in status.splitlines()] == [" "] * 3


def test_a_checkout_that_fills_the_disk_is_not_taken_for_the_users_work(place: Place, tmp_path: Path):
    # Git's own folder has room here: a failed checkout writes its index all the same.
    app = rendered(place, tmp_path, [place.line(ODD)])
    git(app, "init", "--quiet")
    (app / SUBMODULES).mkdir()
    said, status = out_of_room_and_back(place, app, app / SUBMODULES, "16k")
    assert f"{ODD}: Git could not write its files; make room if the disk is full." in said
    assert f"{ODD}: added at v1" in said
    assert [line[0] for line in status.splitlines()] == [" "]


def test_in_a_folder_that_cannot_be_written_the_message_says_so_and_nothing_is_lost(
    place: Place, tmp_path: Path
):
    app = rendered(place, tmp_path, [place.line(ODD)])
    git(app, "init", "--quiet")
    done = in_a_file_system_of_its_own(
        f"mount --bind '{app}' '{app}'; mount -o remount,bind,ro '{app}'; cd '{app}'; {' '.join(HOOK)}",
        **place.environment,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert f"{ODD}: Read-only file system; make app/submodules/{ODD} writable." in done.stderr
    assert is_complete(app)
    assert place.sync(app, PRIVATE_PACKAGES_STRICT="1").returncode == 0
    assert fetched(app) == {ODD}


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda one: one.name)
def test_a_run_that_is_ended_at_any_moment_is_healed_by_the_next(
    place: Place, tmp_path: Path, number: signal.Signals
):
    """Ten moments over the time that a whole run takes; also what SIGKILL leaves in .git/modules."""
    names = set(NAMES[:3])
    fresh = rendered(place, tmp_path, [place.line(name) for name in sorted(names)])
    place.host.faults = Faults(delay=0.03)
    started = time.monotonic()
    assert place.sync(Path(shutil.copytree(fresh, tmp_path / "whole"))).returncode == 0
    whole = time.monotonic() - started
    for moment in range(10):
        app = Path(shutil.copytree(fresh, tmp_path / f"{moment}"))
        process = subprocess.Popen(
            HOOK,
            cwd=app,
            env={**os.environ, **place.environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            # As a terminal does, the signal reaches the hook; its Git processes have sessions of their own.
            start_new_session=True,
        )
        time.sleep(whole * (moment + 0.5) / 10)
        process.send_signal(number)
        _, said = process.communicate(timeout=10)
        assert TOKEN not in said
        assert is_complete(app)
        if number is not signal.SIGKILL and "Interrupted" in said:
            assert process.returncode == 0
            assert "type in the app's folder:\n  copier copy" in said
        healed = place.sync(app, PRIVATE_PACKAGES_STRICT="1")
        assert healed.returncode == 0, (moment, healed.stderr)
        assert fetched(app) == names, moment
        assert is_clean(app), moment
        assert place.sync(app, PRIVATE_PACKAGES_STRICT="1").stderr == "", moment


def broken_off(app: Path) -> Path:
    """Leave of a submodule what a run leaves that was killed over its checkout: no index, a file cut short, one missing."""
    (app / ".git" / "modules" / SUBMODULES / ODD / "index").unlink()
    folder = app / SUBMODULES / ODD
    (folder / "pyproject.toml").unlink()
    cut = folder / ODD.replace("-", "_") / "data.txt"
    cut.write_bytes(cut.read_bytes()[:20_000])
    return cut


def test_a_checkout_that_broke_off_is_finished(place: Place, tmp_path: Path):
    app = rendered(place, tmp_path, [place.line(ODD)])
    assert place.sync(app).returncode == 0
    broken_off(app)
    assert place.sync(app, PRIVATE_PACKAGES_STRICT="1").returncode == 0
    assert fetched(app) == {ODD}
    assert is_clean(app)


@pytest.mark.parametrize("ref", ["v1", "main"], ids=["the same ref", "another ref"])
def test_what_was_written_into_a_checkout_that_broke_off_is_kept(place: Place, tmp_path: Path, ref: str):
    app = rendered(place, tmp_path, [place.line(ODD)])
    assert place.sync(app).returncode == 0
    mine = broken_off(app)
    mine.write_text("MINE = 1\n")
    change_answers(app, ".git@v1", f".git@{ref}")
    done = place.sync(app, PRIVATE_PACKAGES_STRICT="1")
    assert done.returncode == 1
    name = mine.relative_to(app).as_posix()
    assert (
        f"{ODD}: its checkout broke off, and {name} is not as Git left it;"
        " move that file away, so that the checkout can be finished."
    ) in done.stderr
    assert mine.read_text() == "MINE = 1\n"
    mine.unlink()
    assert place.sync(app, PRIVATE_PACKAGES_STRICT="1").returncode == 0
    assert fetched(app) == {ODD}


def test_a_package_that_is_dropped_keeps_what_was_written_into_a_checkout_that_broke_off(
    place: Place, tmp_path: Path
):
    app = rendered(place, tmp_path, [place.line(ODD)])
    assert place.sync(app).returncode == 0
    broken_off(app)
    (app / SUBMODULES / ODD / "mine.py").write_text("MINE = 1\n")
    change_answers(app, place.line(ODD), "")
    done = place.sync(app, PRIVATE_PACKAGES_STRICT="1")
    assert done.returncode == 1
    assert f"app/submodules/{ODD} holds your changes to mine.py, so it is kept" in done.stderr
    assert (app / SUBMODULES / ODD / "mine.py").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda one: one.name)
@pytest.mark.parametrize("module", ["git.py", "answers.py"])
def test_a_signal_that_comes_while_the_hook_still_starts_does_not_cost_the_app(
    place: Place, tmp_path: Path, module: str, number: signal.Signals
):
    """The second module is imported when the signal is answered at once, and again for the last message."""
    app = rendered(place, tmp_path, [place.line(ODD)])
    hooks = Path(shutil.copytree(ROOT / "hooks", tmp_path / "hooks"))
    first = hooks / module
    early = f"import os\nos.kill(os.getpid(), {int(number)})\n"
    text = first.read_text(encoding="utf-8").replace("import re\n", f"{early}import re\n", 1)
    first.write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, hooks / "sync.py"],
        cwd=app,
        env={**os.environ, **place.environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Interrupted; what was finished stays, the rest is missing." in done.stderr
    assert "Traceback" not in done.stderr
    assert place.sync(app, PRIVATE_PACKAGES_STRICT="1").returncode == 0
    assert fetched(app) == {ODD}


def test_a_run_that_was_killed_between_its_last_two_steps_is_healed(place: Place, tmp_path: Path):
    """The gitlinks are staged, and Git has not been told yet that the submodules are in use."""
    app = rendered(place, tmp_path, [place.line(ODD)])
    assert place.sync(app).returncode == 0
    (app / ".git" / "private-packages.json").unlink()
    git(app, "config", "--remove-section", f"submodule.app/submodules/{ODD}")
    assert fetched(app) == set()
    assert place.sync(app, PRIVATE_PACKAGES_STRICT="1").returncode == 0
    assert fetched(app) == {ODD}


# ---------------------------------------------------------------------------
# The sentences
# ---------------------------------------------------------------------------

URL = "https://git.acme.example:8443/acme/beams.git"


@pytest.mark.parametrize(
    ("stderr", "url", "words"),
    [
        ("git@github.com: Permission denied (publickey).", "git@github.com:a/b.git", "ssh -T git@github.com"),
        (
            "Host key verification failed.",
            "ssh://git@git.acme.example/a/b.git",
            "ssh -T git@git.acme.example",
        ),
        ("fatal: could not read Username for 'https://x'", URL, "wants a login"),
        ("fatal: sha1 file 'index.lock' write error. Out of diskspace", URL, "the disk is full"),
        ("error: index-pack died of signal 7\nfatal: invalid index-pack output", URL, "the disk is full"),
        ("error: index-pack died of signal 9\nfatal: early EOF", URL, "broke in the middle"),
        ("error: unable to write file a/b.py", URL, "make room if the disk is full"),
        ("fatal: could not set 'core.filemode' to 'true'", URL, "make room if the disk is full"),
        ("error: copy-fd: write returned: No space left on device\nfatal: x", URL, "the disk is full"),
        ("fatal: something that nobody has seen before", URL, "Git says: something that nobody"),
        ("", URL, "Git says: no reason given"),
    ],
)
def test_git_s_words_become_a_cause_and_a_cure(stderr: str, url: str, words: str):
    assert words in explain(GitError(stderr), url=url, variables=[])


def test_a_word_in_a_path_is_no_cause():
    error = GitError("fatal: cannot mkdir /home/me/ssl-unpack-tools/.git: Not a directory")
    assert explain_local(error) == "Git says: cannot mkdir /home/me/ssl-unpack-tools/.git: Not a directory"
