"""Hosts that misbehave, runs that are killed, disks that are full: the app stays whole and the next sync heals it."""

from __future__ import annotations

import base64
import contextlib
import datetime
import ipaddress
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from apps import change_wanted, copier, data, render
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from private_packages.config import SUBMODULES
from private_packages.diagnosis import explain, explain_local
from private_packages.errors import GitError
from private_packages.git import SILENCE

from demo.certificate import self_signed_certificate
from demo.git_host import GitHost
from demo.http_host import Faults
from demo.index_host import IndexHost
from demo.samples import commit, make_repository

TOKEN = "SENTINEL-git-token-4711"
NAMES = tuple(f"acme-p{number}" for number in range(10))
ODD = NAMES[3]
# What the message tells to type, and how it is run here.
SYNC = "python -m private_packages sync"
LOGIN = "python -m private_packages login"
COMMAND = (sys.executable, "-m", "private_packages")
# Above what a list of refs takes, below a pack: a fault after so many bytes is in mid-pack.
MIDDLE = 20_000
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="signals and scripts of POSIX")

Done = subprocess.CompletedProcess[str]


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

    @property
    def hook_command(self) -> tuple[str, str]:
        """What Copier runs."""
        return (sys.executable, str(self.template / "hooks" / "sync.py"))

    def line(self, name: str, url: str = "", ref: str = "v1") -> str:
        address = (url or self.host.url_of(name)).replace("://", "://x-access-token:${ACME_TOKEN}@")
        return f"{name} @ git+{address}@{ref}"

    def env(self, **environment: str) -> dict[str, str]:
        return {**os.environ, **self.environment, **environment}

    def copy(self, app: Path, lines: Sequence[str], **environment: str) -> Done:
        """`copier copy`, as a person types it."""
        answers = data({"strategies": ["submodule"], "submodule_packages": "\n".join(lines)})
        options = ("copy", "--trust", "--defaults", *answers, self.template, app)
        return copier(*options, cwd=app.parent, PWD=str(app.parent), **{**self.environment, **environment})

    def render(self, app: Path, *lines: str) -> Path:
        """The app without its hook's work."""
        return render(self.template, app, strategies=["submodule"], submodule_packages="\n".join(lines))

    def made(self, app: Path, *lines: str) -> Path:
        """The app with its packages fetched, and nothing committed."""
        self.render(app, *lines)
        done = self.sync(app)
        assert done.returncode == 0, done.stderr
        return app

    def run(self, app: Path, *command: str, **environment: str) -> Done:
        return subprocess.run(
            command,
            cwd=app,
            env=self.env(PWD=str(app), **environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def hook(self, app: Path, **environment: str) -> Done:
        return self.run(app, *self.hook_command, **environment)

    def sync(self, app: Path, **environment: str) -> Done:
        """What the message tells to type."""
        return self.run(app, *COMMAND, "sync", **environment)

    def heals(self, app: Path, *names: str) -> None:
        """One sync, and everything is there; another finds nothing to do and asks nobody."""
        done = self.sync(app)
        assert done.returncode == 0, done.stderr
        assert fetched(app) == set(names), done.stderr
        assert is_clean(app)
        asked = len(self.host.requests)
        assert "Everything agrees" in self.sync(app).stderr
        assert len(self.host.requests) == asked


@pytest.fixture(scope="module")
def host(isolated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitHost]:
    """Ten packages with a tag `v1` each, and whatever a test adds."""
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


@pytest.fixture
def moving(place: Place) -> Iterator[Path]:
    """The repository of `acme-moving`: a commit with the tag `v1`, and the newer one of `main` with `v2`."""
    name = "acme-moving"
    repository = make_repository(place.host.root / "acme", name, package_files(name), tags=["v1"])
    commit(repository, {"pyproject.toml": '[project]\nname = "acme-moving"\nversion = "2.0"\n'}, tag="v2")
    yield repository
    shutil.rmtree(repository)


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def is_complete(app: Path) -> bool:
    """Whether the app's own files are all there."""
    names = ("app/__init__.py", "app/__main__.py", "requirements.txt", ".copier-answers.yml", ".gitmodules")
    return all((app / name).is_file() for name in names)


def fetched(app: Path) -> set[str]:
    """The packages whose gitlink stands in the index and whose files are checked out at it, with nothing changed."""
    found = set()
    for line in git(app, "submodule", "status").splitlines():
        mark, path = re.fullmatch(r"([ +-]?)\w+ (\S+).*", line).groups()
        name = path.rpartition("/")[2]
        if mark.strip() == "" and (app / path / name.replace("-", "_") / "data.txt").is_file():
            assert git(app / path, "status", "--porcelain") == ""
            found.add(name)
    return found


def is_clean(app: Path) -> bool:
    """Whether nothing half-made is left in Git's own folder."""
    return not [*app.glob(".git/private-packages.tmp"), *app.glob(".git/**/*.lock")]


def pin(app: Path, name: str) -> str:
    """The commit that Git's index has for a package; empty: none."""
    return git(app, "ls-files", "--stage", f"{SUBMODULES}/{name}").partition(" ")[2].partition(" ")[0]


def head(app: Path, name: str) -> str:
    """The commit that is checked out."""
    return git(app / SUBMODULES / name, "rev-parse", "HEAD")


def want_ref(app: Path, old: str, new: str) -> None:
    """Want another ref of every package."""
    change_wanted(app, f'.git@{old}"', f'.git@{new}"')
    change_wanted(app, f'ref = "{old}"', f'ref = "{new}"')


def want_nothing(app: Path) -> None:
    toml = app / "private-packages.toml"
    toml.write_text(toml.read_text().partition("[[packages]]")[0])


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
    "407": Case((f"{ODD}: ", "the proxy", "(407)", "the proxy's address"), Faults(status=407)),
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
        (
            f"{ODD}: its repository has no tag, branch or commit `v2` (newest tags: v1)",
            f"python -m private_packages move {ODD} REF",
        ),
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


def says_what_and_what_to_type(said: str, *words: str) -> None:
    """The message names package, cause and cure once, holds no secret, and ends in the command."""
    assert "Traceback" not in said
    assert TOKEN not in said
    message = said[said.index("The app is complete, but its private packages are not:") :]
    for part in words:
        assert part in message, message
    assert message.count(f"{ODD}: ") == 1
    assert re.search(
        rf"\nOnce that is put right, type:\n(  cd my-app\n)?(  {LOGIN}\n)?  {SYNC}\n(?! )", message
    ), message


def test_a_fault_for_the_only_package_costs_the_app_nothing_and_is_mended_by_the_command_shown(
    case: tuple[Case, str], place: Place, tmp_path: Path
):
    one, line = case
    app = tmp_path / "my-app"
    done = place.copy(app, [line])
    assert done.returncode == 0, done.stderr
    assert is_complete(app)
    assert is_clean(app)
    assert fetched(app) == set()
    says_what_and_what_to_type(done.stderr, "\n  cd my-app\n", *one.words)
    place.host.faults_of.clear()
    one.mend(place, tmp_path)
    # Copier would call this work tree dirty, and refuse an update.
    git(app, "add", "--all")
    place.heals(app, ODD)


def test_a_fault_for_one_of_ten_packages_leaves_the_other_nine(
    case: tuple[Case, str], place: Place, tmp_path: Path
):
    one, line = case
    app = place.render(tmp_path / "my-app", *[line if name == ODD else place.line(name) for name in NAMES])
    done = place.hook(app)
    assert done.returncode == 0
    says_what_and_what_to_type(done.stderr, *one.words)
    assert fetched(app) == {*NAMES} - {ODD}
    assert is_clean(app)
    place.host.faults_of.clear()
    one.mend(place, tmp_path)
    place.host.clear()
    place.heals(app, *NAMES)
    assert {place.host.name_of(request.path) for request in place.host.requests} <= {ODD, "acme-empty"}


@pytest.fixture
def index(tmp_path: Path) -> Iterator[IndexHost]:
    """An index with a file of `acme-units` 2.1.0, whose content nobody looks at here."""
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / "acme_units-2.1.0-py3-none-any.whl").write_bytes(b"a wheel")
    with IndexHost(tmp_path / "index", "builder", TOKEN) as running:
        yield running


@pytest.mark.parametrize(
    ("failing", "faults", "words"),
    [
        ("git", Faults(status=401), "refused the login in ACME_TOKEN; set a valid token"),
        ("git", Faults(status=404), "has no such repository"),
        ("git", Faults(status=503), "has a fault of its own (HTTP 503)"),
        ("git", Faults(hang=True), "stopped answering"),
        ("git", Faults(cut_after=100), "broke in the middle"),
        ("index", Faults(status=401), "refuses the login from ACME_USER and ACME_PASSWORD (401)"),
        ("index", Faults(status=404), "does not have it (404)"),
        ("index", Faults(status=503), "answers with 503"),
        ("index", Faults(hang=True), "does not answer (timed out)"),
        ("index", Faults(cut_after=100), "broke in the middle"),
    ],
)
def test_a_host_that_fails_is_named_and_the_lock_has_what_the_other_one_said(
    place: Place, index: IndexHost, tmp_path: Path, failing: str, faults: Faults, words: str
):
    """For packages that an installer fetches: nothing is guessed, and a part of a page is no page."""
    answers = {
        "strategies": ["git", "index"],
        "git_packages": place.line(ODD),
        "index_packages": "acme-units==2.1.0",
        "index_url": index.simple_url.replace("://", "://${ACME_USER}:${ACME_PASSWORD}@"),
    }
    place.environment |= {"ACME_USER": "builder", "ACME_PASSWORD": TOKEN}
    names = {"git": ODD, "index": "acme-units"}
    app = render(place.template, tmp_path / "my-app", **answers)
    (place.host if failing == "git" else index).faults = faults
    said = place.hook(app).stderr
    assert re.search(rf"\n  {names[failing]}: .*{re.escape(words)}", said), said
    assert f"\n  {SYNC}\n" in said and TOKEN not in said and "Traceback" not in said
    lock = (app / "private-packages.lock").read_text()
    assert re.findall(r'(?m)^name = "(.*)"', lock) == [name for one, name in names.items() if one != failing]
    place.host.faults = index.faults = Faults()
    assert place.sync(app).returncode == 0
    lock = (app / "private-packages.lock").read_text()
    assert re.findall(r'(?m)^name = "(.*)"', lock) == [*names.values()]


def test_a_wrong_ref_in_a_first_copy_is_mended_by_the_command_that_names_another(
    place: Place, tmp_path: Path
):
    app = place.render(tmp_path / "my-app", place.line(ODD, ref="v7"))
    assert f"move {ODD} REF" in place.sync(app).stderr
    done = place.run(app, *COMMAND, "move", ODD, "v1")
    assert done.returncode == 0, done.stderr
    assert fetched(app) == {ODD}
    assert place.line(ODD) in (app / ".copier-answers.yml").read_text()


def test_the_command_says_the_same_as_the_hook_and_fails(place: Place, tmp_path: Path):
    place.host.faults_of[ODD] = Faults(status=500)
    app = place.render(tmp_path / "my-app", place.line(ODD), place.line(NAMES[0]))
    done = place.sync(app)
    assert done.returncode == 1
    assert re.search(
        rf"\n  {ODD}: 127\S+ has a fault of its own \(HTTP 500\); try again later.\n", done.stderr
    )
    assert done.stderr.endswith(f"Then type `{SYNC}` again.\n")
    assert fetched(app) == {NAMES[0]}


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
    app = place.render(tmp_path / "my-app", place.line(ODD))
    del place.environment["ACME_TOKEN"]
    place.host.clear()
    done = place.hook(app, **({"ACME_TOKEN": value} if value is not None else {}))
    cause = f"{ODD}: the variable ACME_TOKEN has no value; type `{LOGIN}`."
    says_what_and_what_to_type(done.stderr, cause, f"\n  {LOGIN}\n")
    assert place.host.requests == []


def test_the_login_is_not_sent_to_another_host_on_a_redirect(place: Place, tmp_path: Path):
    app = place.render(tmp_path / "my-app", place.line(ODD))
    with GitHost(place.host.root, "another token") as elsewhere:
        place.host.faults_of[ODD] = Faults(redirect_to=elsewhere.url)
        done = place.hook(app)
        assert elsewhere.requests
        assert {request.user for request in elsewhere.requests} == {""}
        assert elsewhere.requests_of(ODD)[-1].status == 401
        other = elsewhere.url.partition("//")[2]
    says_what_and_what_to_type(
        done.stderr, f"{ODD}: {place.host.url.partition('//')[2]} sends Git on to {other}", "new address"
    )
    assert fetched(app) == set()


@pytest.mark.parametrize(
    ("status", "words", "shown"),
    [
        (
            "403 Forbidden",
            "The 'acme' organization has enabled SAML SSO. Re-authorize the token.\n",
            "(403) (it says: The 'acme' organization has enabled SAML SSO. Re-authorize the token); ask for read",
        ),
        (
            "401 Unauthorized",
            "HTTP Basic: Access denied. The token has expired.\n",
            "refused the login in ACME_TOKEN (it says: HTTP Basic: Access denied. The token has expired); set a valid",
        ),
        ("403 Forbidden", "403 Forbidden\n", "this repository (403); ask for read access"),
        ("403 Forbidden", f"Token {TOKEN} is blocked\n", "(it says: Token **** is blocked); ask for read"),
        ("403 Forbidden", "You sent {header}\n", "(it says: You sent Basic ****); ask for read"),
        ("403 Forbidden", "Red \x1b[31malert\n", "alert); ask for read"),
    ],
    ids=["single sign-on", "expired", "the status alone", "the token", "the header", "a terminal's codes"],
)
def test_a_host_s_own_words_are_shown_and_never_the_login_that_it_says_back(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: str, words: str, shown: str
):
    def refuse(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        body = words.replace("{header}", environ.get("HTTP_AUTHORIZATION", "nothing")).encode()
        start_response(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
        return [body]

    monkeypatch.setattr(place.host, "application", refuse)
    said = place.sync(place.render(tmp_path / "my-app", place.line(ODD))).stderr
    assert shown in said, said
    assert TOKEN not in said and "\x1b" not in said
    assert base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode() not in said


def test_a_submodule_of_a_submodule_on_a_host_without_a_login_is_named_with_that_host(
    place: Place, tmp_path: Path
):
    """Neither the package's login nor its host is at fault, and nobody is sent on."""
    inner = tmp_path / "inner"
    (inner / "acme").mkdir(parents=True)
    small = make_repository(inner / "acme", "small", {"small.py": "X = 1\n"})
    with GitHost(inner, "another token") as other:
        modules = f'[submodule "small"]\n\tpath = small\n\turl = {other.url_of("small")}\n'
        outer = make_repository(
            place.host.root / "acme", "acme-outer", {**package_files("acme-outer"), ".gitmodules": modules}
        )
        nested = (
            "commit refs/heads/main\ncommitter T <t@localhost.invalid> 1900000000 +0000\ndata 1\nx\n"
            f"from refs/heads/main^0\nM 160000 {git(small, 'rev-parse', 'HEAD')} small\n"
        )
        subprocess.run(["git", "fast-import", "--quiet"], cwd=outer, input=nested, text=True, check=True)
        git(outer, "tag", "v1", "main")
        app = place.render(tmp_path / "my-app", place.line(ODD, place.host.url_of("acme-outer")))
        said = place.sync(app).stderr
        shutil.rmtree(outer)
        host = other.url.partition("://")[2]
    assert f"{ODD}: its own submodule small: {host} wants a login, and no package of this app has one" in said
    assert "sends Git on" not in said and "ACME_TOKEN" not in said


def test_a_redirect_on_the_same_host_is_followed_with_the_login(place: Place, tmp_path: Path):
    """As after a repository is renamed; Git is asked twice, because a header would follow to any host."""
    moved = Path(shutil.copytree(place.host.path_of(ODD), place.host.path_of(f"moved/acme/{ODD}")))
    app = place.render(tmp_path / "my-app", place.line(ODD))
    place.host.faults_of[ODD] = Faults(redirect_to=f"{place.host.url}/acme/moved")
    try:
        done = place.sync(app)
    finally:
        shutil.rmtree(moved.parents[1])
    assert done.returncode == 0, done.stderr
    assert fetched(app) == {ODD}


def test_a_repository_without_a_python_package_is_fetched_and_named_by_the_app_s_own_tests(
    place: Place, tmp_path: Path
):
    """Git can't know; the doctor of the app says it, and is content once there is a package."""
    repository = make_repository(place.host.root / "acme", "acme-docs", {"README.md": "Words.\n"})
    app = place.made(tmp_path / "my-app", place.line(ODD, place.host.url_of("acme-docs"), "main"))
    doctor = (sys.executable, "-m", "unittest", "tests.test_private_packages")
    said = place.run(app, *doctor)
    assert f"{ODD}: app/submodules/{ODD} holds no Python package; look at its ref" in said.stderr
    commit(repository, package_files(ODD))
    moved = place.run(app, *COMMAND, "move", ODD, "main")
    shutil.rmtree(repository)
    assert moved.returncode == 0, moved.stderr
    assert "holds no Python package" not in place.run(app, *doctor).stderr


def test_nothing_is_waited_for_longer_than_twenty_seconds():
    """Git's own limit, two seconds for it to speak, three for it to end; the tests above run with one second."""
    assert SILENCE + 2 + 3 <= 20


def test_a_server_that_is_silent_for_less_than_the_limit_is_waited_for(place: Place, tmp_path: Path):
    app = place.render(tmp_path / "my-app", place.line(ODD))
    place.host.faults_of[ODD] = Faults(delay=0.6)
    assert place.sync(app).returncode == 0
    assert fetched(app) == {ODD}


# ---------------------------------------------------------------------------
# Upstream rewrites its history
# ---------------------------------------------------------------------------


def force_push(repository: Path) -> None:
    """`main` goes back by its last commit, which nothing names any more."""
    git(repository, "tag", "--delete", "v2")
    git(repository, "update-ref", "refs/heads/main", "v1^{commit}")
    commit(repository, {"new.txt": "another history\n"})


def squash_merge(repository: Path) -> None:
    """What was on a branch is one commit of `main` now, and the branch is gone."""
    tree = git(repository, "rev-parse", "main^{tree}")
    git(repository, "tag", "--delete", "v2")
    squashed = git(
        *(repository, "-c", "user.name=T", "-c", "user.email=t@localhost.invalid"),
        *("commit-tree", tree, "-p", "v1^{commit}", "-m", "Squashed"),
    )
    git(repository, "update-ref", "refs/heads/main", squashed)
    git(repository, "update-ref", "-d", "refs/heads/feature")


@pytest.mark.parametrize("look", ["nobody looked", "a fetch came first"])
@pytest.mark.parametrize(
    ("branch", "rewrite"), [("main", force_push), ("feature", squash_merge)], ids=["force-push", "squash"]
)
def test_a_package_moves_on_after_its_commit_is_on_no_branch_any_more(
    place: Place, moving: Path, tmp_path: Path, branch: str, rewrite: Callable[[Path], None], look: str
):
    """The user committed nothing, and `git pull --recurse-submodules` may have told Git of the new branches."""
    git(moving, "branch", "--force", "feature", "main")
    app = place.made(tmp_path / "my-app", place.line("acme-moving", ref=branch))
    submodule = app / SUBMODULES / "acme-moving"
    assert git(submodule, "for-each-ref", "refs/heads") == ""
    rewrite(moving)
    if look == "a fetch came first":
        words = (
            "exec",
            "git",
            "-C",
            f"{SUBMODULES}/acme-moving",
            "fetch",
            "--quiet",
            "--prune",
            "--prune-tags",
        )
        fetch = place.run(app, *COMMAND, *words, "origin")
        assert fetch.returncode == 0, fetch.stderr
    for ref in ("v1", "main"):
        moved = place.run(app, *COMMAND, "move", "acme-moving", ref)
        assert moved.returncode == 0, moved.stderr
        commit_of_it = git(moving, "rev-parse", f"{ref}^{{commit}}")
        assert head(app, "acme-moving") == pin(app, "acme-moving") == commit_of_it
        assert git(submodule, "for-each-ref", "refs/heads") == ""


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
    failed = place.sync(app, PATH=str(tmp_path / "bin"))
    assert failed.returncode == 1
    assert failed.stderr == "Git is not installed or not on PATH; install it.\n"
    place.heals(app, ODD)


@pytest.mark.parametrize("strategy", ["submodule", "git"])
def test_a_folder_that_git_thinks_is_somebody_else_s_is_told_as_what_it_is(
    place: Place, tmp_path: Path, strategy: str
):
    """It is no folder without a repository, in which no tracked file could hold a login, and Git's word helps nobody."""
    answers = {"strategies": [strategy], f"{strategy}_packages": place.line(ODD)}
    app = render(place.template, tmp_path / "my-app", **answers)
    place.hook(app)
    assert place.sync(app).returncode == 0
    before = {path: path.stat().st_mtime_ns for path in (app / ".git").rglob("*")}
    somebody_else_s = {"GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"}
    for command in (place.hook_command, COMMAND, (*COMMAND, "check"), (*COMMAND, "install", "--locked")):
        said = place.run(app, *command, **somebody_else_s).stderr
        assert "the folder belongs to somebody else, so Git refuses to work in it" in said, command
        assert "git config --global --add safe.directory" in said
        assert "Traceback" not in said
    assert {path: path.stat().st_mtime_ns for path in (app / ".git").rglob("*")} == before


def test_the_command_about_a_folder_of_somebody_else_s_works_as_it_is_printed(place: Place, tmp_path: Path):
    app = place.render(tmp_path / "its app", place.line(ODD))
    git(app, "init", "--quiet")
    place.environment["GIT_TEST_ASSUME_DIFFERENT_OWNER"] = "1"
    config = tmp_path / "gitconfig"
    config.write_text("[user]\n\tname = Test\n\temail = test@localhost.invalid\n")
    place.environment["GIT_CONFIG_GLOBAL"] = str(config)
    typed = re.findall(r"`([^`]*)`", place.sync(app).stderr)[0]
    assert place.run(app, "sh", "-c", typed).returncode == 0
    # That variable of Git's own tests is about the clones below, too.
    submodule = app / SUBMODULES / ODD
    for folder in (submodule, app / ".git" / "modules" / SUBMODULES / ODD):
        git(app, "config", "--file", str(config), "--add", "safe.directory", str(folder))
    said = place.sync(app).stderr
    assert "belongs to somebody else, so Git refuses" not in said.replace("private-packages.tmp", ""), said


def with_programs(folder: Path, *names: str) -> str:
    """A PATH on which these programs are and no other."""
    folder.mkdir()
    for name in names:
        (folder / name).symlink_to(str(shutil.which(name)))
    return str(folder)


@POSIX
def test_a_git_that_cannot_be_given_a_login_is_told_as_too_old(place: Place, tmp_path: Path):
    """A stand-in that does as Git 2.30 of Debian 11, which knows nothing of GIT_CONFIG_COUNT; the login is right."""
    real, folder = shutil.which("git"), tmp_path / "bin"
    folder.mkdir()
    (folder / "git").write_text(
        f"""#!/bin/sh
test "$1" = version && exec echo git version 2.30.2
unset GIT_CONFIG_COUNT
exec '{real}' "$@"
"""
    )
    (folder / "git").chmod(0o755)
    app = place.render(tmp_path / "my-app", place.line(ODD))
    done = place.sync(app, PATH=f"{folder}{os.pathsep}{os.environ['PATH']}")
    assert (
        f"{ODD}: Git 2.30.2 of this machine cannot be given a login; install Git 2.31 or newer."
        in done.stderr
    )
    assert "refused the login" not in done.stderr
    # A right Git and a wrong token: that is the login.
    assert "refused the login in ACME_TOKEN" in place.sync(app, ACME_TOKEN="wrong").stderr
    place.heals(app, ODD)


@POSIX
def test_files_in_git_lfs_without_git_lfs_are_told_as_what_they_are(place: Place, tmp_path: Path):
    """With the configuration of `git lfs install`, as it is left in a home or an image that lost the program."""
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 12\n"
    files = {**package_files("acme-large"), ".gitattributes": "*.bin filter=lfs -text\n", "a.bin": pointer}
    repository = make_repository(place.host.root / "acme", "acme-large", files, tags=["v1"])
    settings = {
        "filter.lfs.clean": "git-lfs clean -- %f",
        "filter.lfs.smudge": "git-lfs smudge -- %f",
        "filter.lfs.process": "git-lfs filter-process",
        "filter.lfs.required": "true",
    }
    app = place.render(tmp_path / "my-app", place.line(ODD, place.host.url_of("acme-large")))
    place.environment |= {"GIT_CONFIG_COUNT": str(len(settings))}
    for number, (key, value) in enumerate(settings.items()):
        place.environment |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    said = place.sync(app, PATH=with_programs(tmp_path / "bin", "git", "sh")).stderr
    shutil.rmtree(repository)
    assert f"{ODD}: its files are in Git LFS, and git-lfs is not installed; install it." in said


def certificate_for(folder: Path, first: int, last: int) -> Path:
    """A key and a certificate for 127.0.0.1 that is valid from one day to another, counted from today."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now + datetime.timedelta(days=first))
        .not_valid_after(now + datetime.timedelta(days=last))
        .add_extension(address, critical=False)
        .sign(key, hashes.SHA256())
    )
    public = made.public_bytes(serialization.Encoding.PEM)
    form = serialization.PrivateFormat.PKCS8
    private = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    (folder / "certificate.pem").write_bytes(public)
    (folder / "host.pem").write_bytes(private + public)
    return folder / "host.pem"


@pytest.mark.parametrize("way", ["GIT_SSL_CAINFO", "http.sslCAInfo"])
@pytest.mark.parametrize(
    ("first", "last", "words"),
    [(2, 9, "is not valid yet; set this machine's clock"), (-9, -2, "has expired")],
)
def test_a_certificate_outside_its_dates_makes_one_look_at_the_clock(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: int, last: int, words: str, way: str
):
    """Where a Git with GnuTLS says only that it cannot be verified."""
    with GitHost(place.host.root, TOKEN, certificate=certificate_for(tmp_path, first, last)) as running:
        app = place.render(tmp_path / "my-app", place.line(ODD, running.url_of(ODD)))
        monkeypatch.delenv("GIT_SSL_CAINFO", raising=False)
        if way == "http.sslCAInfo":
            config = tmp_path / "gitconfig"
            config.write_text(f'[http]\n\tsslCAInfo = "{tmp_path}/certificate.pem"\n')
            place.environment["GIT_CONFIG_GLOBAL"] = str(config)
        else:
            trust(place, tmp_path)
        said = place.sync(app).stderr
    assert f"{ODD}: the TLS certificate of {running.url.partition('//')[2]} {words}" in said


def in_a_file_system_of_its_own(script: str, environment: Mapping[str, str]) -> Done:
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
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def out_of_room_and_back(place: Place, app: Path, full: Path, size: str, before: str = "") -> tuple[str, str]:
    """Run the hook with a full disk at a folder, then sync with room: what was said, and the submodules' status.

    ``before`` is done once the disk is mounted.
    """
    done = in_a_file_system_of_its_own(
        f"mount -t tmpfs -o size={size} none '{full}'; {before} cd '{app}';"
        f"{' '.join(place.hook_command)}; test -f app/__main__.py; mount -o remount,size=50m '{full}';"
        f"{' '.join(COMMAND)} sync; git submodule status; git submodule --quiet foreach git status --porcelain",
        place.env(),
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stderr, done.stdout


def test_on_a_full_disk_the_message_says_so_and_room_heals_it(place: Place, tmp_path: Path):
    made = place.render(tmp_path / "my-app", *[place.line(name) for name in NAMES[:3]])
    full = tmp_path / "small"
    full.mkdir()
    size = sum(path.stat().st_size // 4096 + 1 for path in made.rglob("*")) * 4 + 250
    app = full / "app"
    said, status = out_of_room_and_back(place, app, full, f"{size}k", before=f"cp -R '{made}' '{app}';")
    assert "Traceback" not in said
    assert "make room" in said, said
    assert [line[0] for line in status.splitlines()] == [" "] * 3


def test_a_checkout_that_fills_the_disk_is_not_taken_for_the_users_work(place: Place, tmp_path: Path):
    # Git's own folder has room here: a failed checkout writes its index all the same.
    app = place.render(tmp_path / "my-app", place.line(ODD))
    git(app, "init", "--quiet")
    (app / SUBMODULES).mkdir()
    said, status = out_of_room_and_back(place, app, app / SUBMODULES, "16k")
    assert f"{ODD}: Git could not write its files; make room if the disk is full." in said
    assert f"{ODD}: added at v1" in said
    assert [line[0] for line in status.splitlines()] == [" "]


def test_in_a_folder_that_cannot_be_written_the_message_says_so_and_nothing_is_lost(
    place: Place, tmp_path: Path
):
    app = place.render(tmp_path / "my-app", place.line(ODD))
    git(app, "init", "--quiet")
    done = in_a_file_system_of_its_own(
        f"mount --bind '{app}' '{app}'; mount -o remount,bind,ro '{app}'; cd '{app}'; {' '.join(place.hook_command)}",
        place.env(),
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert f"Read-only file system; make {app}/.git/private-packages.tmp writable." in done.stderr
    assert is_complete(app)
    place.heals(app, ODD)


# ---------------------------------------------------------------------------
# Whatever Git started ends with it
# ---------------------------------------------------------------------------


@pytest.fixture
def ssh_that_sleeps(place: Place, tmp_path: Path) -> Iterator[Path]:
    """A stand-in for ssh that never answers, with a child, and that no polite signal ends; the file of their ids."""
    pids, script = tmp_path / "pids", tmp_path / "ssh"
    script.write_text(
        f"#!/bin/sh\ntrap '' TERM INT HUP\nsleep 300 &\necho $$ >> '{pids}'\necho $! >> '{pids}'\nwait\n"
    )
    script.chmod(0o755)
    place.environment["GIT_SSH_COMMAND"] = str(script)
    yield pids
    for one in pids.read_text().split() if pids.exists() else ():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(one), signal.SIGKILL)


def lives(pid: int) -> bool:
    """Whether a process runs; one that has ended and that nobody has asked about is dead."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return state.stdout.strip()[:1] not in ("", "Z")


def end_soon(pids: Path) -> bool:
    """Whether all processes in the file have ended, or do so within two seconds."""
    ids = [int(one) for one in pids.read_text().split()]
    assert ids
    for _ in range(20):
        if not any(map(lives, ids)):
            return True
        time.sleep(0.1)
    return False


@POSIX
@pytest.mark.parametrize("strategy", ["submodule", "git"])
def test_when_the_limit_is_over_no_process_of_git_s_lives_on(
    place: Place, tmp_path: Path, ssh_that_sleeps: Path, strategy: str
):
    line = f"{ODD} @ git+ssh://git@ssh.acme.example/acme/{ODD}.git@v1"
    answers = {"strategies": [strategy], f"{strategy}_packages": line}
    app = render(place.template, tmp_path / "my-app", **answers)
    said = place.sync(app).stderr
    assert f"{ODD}: ssh.acme.example port 22 stopped answering for 1 second" in said
    assert end_soon(ssh_that_sleeps)


@POSIX
def test_the_check_ends_what_it_started_when_a_host_is_silent(
    place: Place, tmp_path: Path, ssh_that_sleeps: Path
):
    """uv's own Git as well, which waits for ever."""
    line = f"{ODD} @ git+ssh://git@ssh.acme.example/acme/{ODD}.git@v1"
    app = render(place.template, tmp_path / "my-app", strategies=["git"], git_packages=line)
    (app / "private-packages.lock").write_text(
        f'format = 1\n[[packages]]\nname = "{ODD}"\nstrategy = "git"\nref = "v1"\ncommit = "{"0" * 40}"\n'
        f'url = "ssh://git@ssh.acme.example/acme/{ODD}.git"\n'
    )
    done = place.run(app, *COMMAND, "check")
    assert done.returncode == 1
    assert f"STOP {ODD}: ssh.acme.example port 22 stopped answering for 1 second" in done.stderr
    assert end_soon(ssh_that_sleeps)


@POSIX
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda one: one.name)
@pytest.mark.parametrize("strategy", ["submodule", "git"])
def test_when_it_is_interrupted_no_process_of_git_s_lives_on(
    place: Place, tmp_path: Path, ssh_that_sleeps: Path, strategy: str, number: signal.Signals
):
    line = f"{ODD} @ git+ssh://git@ssh.acme.example/acme/{ODD}.git@v1"
    answers = {"strategies": [strategy], f"{strategy}_packages": line}
    app = render(place.template, tmp_path / "my-app", **answers)
    place.environment["PRIVATE_PACKAGES_TIMEOUT"] = "60"
    process = started(place, app, *COMMAND, "sync")
    wait_for(ssh_that_sleeps)
    process.send_signal(number)
    _, said = process.communicate(timeout=30)
    assert said.endswith(f"Interrupted; `{SYNC}` goes on from here.\n")
    assert "Traceback" not in said
    assert process.returncode == 130
    assert end_soon(ssh_that_sleeps)


# ---------------------------------------------------------------------------
# Runs that are ended
# ---------------------------------------------------------------------------


def started(place: Place, app: Path, *command: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        cwd=app,
        env=place.env(PWD=str(app), **environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        # As a terminal does, a signal reaches the command; its Git processes have sessions of their own.
        start_new_session=True,
    )


def wait_for(path: Path) -> None:
    for _ in range(600):
        if path.exists():
            return
        time.sleep(0.05)
    pytest.fail(f"{path} never came")


@POSIX
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda one: one.name)
def test_a_run_that_is_ended_at_any_moment_is_healed_by_the_next(
    place: Place, tmp_path: Path, number: signal.Signals
):
    """Ten moments over the time that a whole run takes; also what SIGKILL leaves in .git/modules."""
    names = NAMES[:3]
    fresh = place.render(tmp_path / "fresh", *map(place.line, names))
    place.host.faults = Faults(delay=0.03)
    begin = time.monotonic()
    assert place.hook(Path(shutil.copytree(fresh, tmp_path / "whole"))).returncode == 0
    whole = time.monotonic() - begin
    for moment in range(10):
        app = Path(shutil.copytree(fresh, tmp_path / f"{moment}"))
        process = started(place, app, *place.hook_command)
        time.sleep(whole * (moment + 0.5) / 10)
        process.send_signal(number)
        _, said = process.communicate(timeout=10)
        assert TOKEN not in said
        assert is_complete(app)
        # The first moment may be before any of its own code.
        assert process.returncode in (0, -number)
        if "Interrupted" in said:
            assert process.returncode == 0
            assert said.endswith(f"type:\n  {SYNC}\n")
        place.heals(app, *names)


@pytest.fixture
def git_that_stops(place: Place, tmp_path: Path) -> Iterator[Path]:
    """A `git` that stops in the middle of a checkout: one file is new, the index is locked; the file of its id."""
    real, folder, pids = shutil.which("git"), tmp_path / "bin", tmp_path / "stopped"
    folder.mkdir()
    (folder / "git").write_text(
        f"""#!/bin/sh
case " $* " in *" checkout "*)
  for commit; do :; done
  : > "$('{real}' rev-parse --git-dir)/index.lock"
  '{real}' show "$commit:pyproject.toml" > pyproject.toml
  echo $$ > '{pids}.new'; mv '{pids}.new' '{pids}'
  exec sleep 300
esac
exec '{real}' "$@"
"""
    )
    (folder / "git").chmod(0o755)
    yield pids
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        os.kill(int(pids.read_text()), signal.SIGKILL)


def end_in_the_middle(place: Place, app: Path, stopped: Path, number: signal.Signals) -> None:
    """Run the hook up to the middle of a checkout and end it: by Ctrl-C, or with everything, as when power is lost."""
    process = started(
        place, app, *place.hook_command, PATH=f"{stopped.with_name('bin')}{os.pathsep}{os.environ['PATH']}"
    )
    wait_for(stopped)
    process.send_signal(number)
    process.communicate(timeout=30)
    if number is signal.SIGKILL:
        os.kill(int(stopped.read_text()), signal.SIGKILL)
    assert end_soon(stopped)


@POSIX
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=lambda one: one.name)
def test_a_submodule_whose_move_was_cut_off_is_moved_by_the_next_sync(
    place: Place, moving: Path, tmp_path: Path, git_that_stops: Path, number: signal.Signals
):
    """What Git had written by then is not taken for the user's work."""
    app = place.made(tmp_path / "my-app", place.line("acme-moving"))
    want_ref(app, "v1", "v2")
    end_in_the_middle(place, app, git_that_stops, number)
    place.heals(app, "acme-moving")
    assert head(app, "acme-moving") == pin(app, "acme-moving") == git(moving, "rev-parse", "main")


@POSIX
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=lambda one: one.name)
def test_a_submodule_whose_folder_was_removed_and_whose_checkout_was_cut_off_is_finished(
    place: Place, moving: Path, tmp_path: Path, git_that_stops: Path, number: signal.Signals
):
    app = place.made(tmp_path / "my-app", place.line("acme-moving"))
    shutil.rmtree(app / SUBMODULES / "acme-moving")
    end_in_the_middle(place, app, git_that_stops, number)
    place.heals(app, "acme-moving")


@POSIX
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=lambda one: one.name)
def test_what_is_staged_after_a_cut_off_addition_is_the_commit_that_is_wanted(
    place: Place, moving: Path, tmp_path: Path, git_that_stops: Path, number: signal.Signals
):
    """Not the newest of the default branch, at which a clone begins."""
    wanted = git(moving, "rev-parse", "v1^{commit}")
    app = place.render(tmp_path / "my-app", place.line("acme-moving", ref=wanted))
    end_in_the_middle(place, app, git_that_stops, number)
    git(app, "add", "--all")
    assert pin(app, "acme-moving") in ("", wanted)
    place.heals(app, "acme-moving")
    assert head(app, "acme-moving") == pin(app, "acme-moving") == wanted
    assert f'commit = "{wanted}"' in (app / "private-packages.lock").read_text()


def test_all_packages_are_fetched_before_any_is_switched(place: Place, moving: Path, tmp_path: Path):
    """So a host that fails late leaves no package at a version that goes with another one's."""
    second = place.host.path_of("acme-second")
    shutil.copytree(moving, second)
    names = ("acme-moving", "acme-second")
    app = place.made(tmp_path / "my-app", *map(place.line, names))
    want_ref(app, "v1", "v2")
    place.host.faults_of["acme-second"] = Faults(delay=0.5)
    traces = tmp_path / "traces"
    traces.mkdir()
    assert place.sync(app, GIT_TRACE2_EVENT=str(traces)).returncode == 0
    shutil.rmtree(second)
    fetched_at, switched_at = [], []
    for trace in traces.iterdir():
        events = [json.loads(line) for line in trace.read_text().splitlines()]
        name = next((event["name"] for event in events if event["event"] == "cmd_name"), "")
        if name == "fetch":
            fetched_at.append(events[-1]["time"])
        if name == "checkout":
            switched_at.append(events[0]["time"])
    assert len(fetched_at) == len(switched_at) == 2
    assert max(fetched_at) < min(switched_at)


def broken_off(app: Path) -> Path:
    """Leave of a submodule what a run leaves that was killed over its checkout: no index, a file cut short, one missing."""
    (app / ".git" / "modules" / SUBMODULES / ODD / "index").unlink()
    folder = app / SUBMODULES / ODD
    (folder / "pyproject.toml").unlink()
    cut = folder / ODD.replace("-", "_") / "data.txt"
    cut.write_bytes(cut.read_bytes()[:20_000])
    return cut


def test_a_checkout_that_broke_off_is_finished(place: Place, tmp_path: Path):
    app = place.made(tmp_path / "my-app", place.line(ODD))
    broken_off(app)
    place.heals(app, ODD)


@pytest.mark.parametrize("ref", ["v1", "main"], ids=["the same ref", "another ref"])
def test_what_was_written_into_a_checkout_that_broke_off_is_kept(place: Place, tmp_path: Path, ref: str):
    app = place.made(tmp_path / "my-app", place.line(ODD))
    mine = broken_off(app)
    mine.write_text("MINE = 1\n")
    want_ref(app, "v1", ref)
    done = place.sync(app)
    assert done.returncode == 1
    name = mine.relative_to(app).as_posix()
    assert (
        f"{ODD}: its checkout broke off, and {name} is not as Git left it;"
        " move that file away, so that the checkout can be finished."
    ) in done.stderr
    assert mine.read_text() == "MINE = 1\n"
    mine.unlink()
    place.heals(app, ODD)


def test_a_package_that_is_dropped_keeps_what_was_written_into_a_checkout_that_broke_off(
    place: Place, tmp_path: Path
):
    app = place.made(tmp_path / "my-app", place.line(ODD))
    broken_off(app)
    (app / SUBMODULES / ODD / "mine.py").write_text("MINE = 1\n")
    want_nothing(app)
    done = place.sync(app)
    assert done.returncode == 1
    assert f"app/submodules/{ODD} holds your changes to mine.py, so it is kept" in done.stderr
    assert (app / SUBMODULES / ODD / "mine.py").exists()


@pytest.mark.parametrize("name", [".git/index.lock", ".git/config.lock"])
def test_a_file_with_which_a_killed_git_keeps_others_off_is_named(place: Place, tmp_path: Path, name: str):
    """It may be that of a Git at work, so a person has to look."""
    app = place.render(tmp_path / "my-app", place.line(ODD))
    git(app, "init", "--quiet")
    (app / name).touch()
    said = place.sync(app).stderr
    assert (
        f"another Git is at work, or was killed at its work; once none runs, remove {name}."
        in said.replace(f"{app}/", "")
    )
    (app / name).unlink()
    place.heals(app, ODD)


@POSIX
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda one: one.name)
def test_a_signal_that_comes_while_the_hook_still_starts_does_not_cost_the_app(
    place: Place, tmp_path: Path, number: signal.Signals
):
    app = place.render(tmp_path / "my-app", place.line(ODD))
    for folder in ("hooks", "template/files/private_packages"):
        shutil.copytree(
            place.template / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__")
        )
    early = f"import os\nos.kill(os.getpid(), {int(number)})\n"
    module = tmp_path / "template/files/private_packages/git.py"
    text = module.read_text(encoding="utf-8").replace("import contextlib\n", f"{early}import contextlib\n", 1)
    assert early in text
    module.write_text(text, encoding="utf-8")
    done = place.run(app, sys.executable, str(tmp_path / "hooks" / "sync.py"))
    assert done.returncode == 0, done.stderr
    assert "Interrupted; what was finished stays, the rest is missing." in done.stderr
    assert "Traceback" not in done.stderr
    place.heals(app, ODD)


def test_a_run_that_was_killed_before_its_lock_was_written_is_healed(place: Place, tmp_path: Path):
    """The gitlinks are staged, and nothing says yet what they stand for."""
    app = place.made(tmp_path / "my-app", place.line(ODD))
    lock = app / "private-packages.lock"
    before = lock.read_text()
    lock.unlink()
    place.host.clear()
    place.heals(app, ODD)
    assert lock.read_text() == before
    assert place.host.requests == []


# ---------------------------------------------------------------------------
# The sentences
# ---------------------------------------------------------------------------

URL = "https://git.acme.example:8443/acme/beams.git"


@pytest.mark.parametrize(
    ("stderr", "url", "words"),
    [
        (
            "git@github.com: Permission denied (publickey).",
            "git@github.com:a/b.git",
            "try `git ls-remote git@github.com:a/b.git`",
        ),
        (
            "Host key verification failed.",
            "ssh://git@git.acme.example/a/b.git",
            "type `git ls-remote ssh://git@git.acme.example/a/b.git`",
        ),
        ("fatal: could not read Username for 'https://x'", URL, "wants a login"),
        ("fatal: sha1 file 'index.lock' write error. Out of diskspace", URL, "the disk is full"),
        ("error: index-pack died of signal 7\nfatal: invalid index-pack output", URL, "the disk is full"),
        ("error: index-pack died of signal 9\nfatal: early EOF", URL, "broke in the middle"),
        ("error: unable to write file a/b.py", URL, "make room if the disk is full"),
        ("fatal: could not set 'core.filemode' to 'true'", URL, "make room if the disk is full"),
        ("error: copy-fd: write returned: No space left on device\nfatal: x", URL, "the disk is full"),
        ("git-lfs filter-process: 1: git-lfs: not found\nfatal: unable to write x", URL, "install it"),
        ("fatal: detected dubious ownership in repository at '/a'", URL, "safe.directory"),
        (
            "fatal: Unable to create '/a/{b}/.git/index.lock': File exists.\n\nAnother git process",
            URL,
            "once none runs, remove /a/{b}/.git/index.lock",
        ),
        ("fatal: something that nobody has seen before", URL, "Git says: something that nobody"),
        ("", URL, "Git says: no reason given"),
    ],
)
def test_git_s_words_become_a_cause_and_a_cure(stderr: str, url: str, words: str):
    assert words in explain(GitError(stderr), url=url, variables=[])


def test_a_word_in_a_path_is_no_cause():
    error = GitError("fatal: cannot mkdir /home/me/ssl-unpack-tools/.git: Not a directory")
    assert explain_local(error) == "Git says: cannot mkdir /home/me/ssl-unpack-tools/.git: Not a directory"


def test_a_login_in_the_address_of_a_redirect_is_not_repeated():
    error = GitError("fatal: unable to access 'https://someone:secret@elsewhere.example/x/': odd")
    assert "secret" not in explain(error, url=URL, variables=["ACME_TOKEN"])
