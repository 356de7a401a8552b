"""Networks of companies: what uv could install rightly through them, `check` and `install` accept; what fails is named."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
import uv
from private_packages import index
from private_packages.app import open_app
from private_packages.errors import Failure
from private_packages.output import Output
from sentences import sentences_in
from world import LOGINS, TOKEN, World, source

from demo.http_host import Faults
from demo.samples import make_repository

WHEEL = "acme_units-2.1.0-py3-none-any.whl"
PROXY_LOGIN = "ann:SENTINEL-proxy-password-1"
JSON = "application/vnd.pypi.simple.v1+json"
DIRECT = dict.fromkeys(
    ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"), ""
)


@pytest.fixture
def here(shared: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The shared world as it was, with a Git package beside the index's, and no proxy of the machine's."""
    for name in (*DIRECT, "no_proxy", "NO_PROXY", "GIT_CONFIG_COUNT"):
        monkeypatch.delenv(name, raising=False)
    shared.reset()
    shared.repository("acme-loads")
    yield shared
    shared.git.tokens = {}


@pytest.fixture(scope="module")
def proxy(isolated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A forward proxy that wants a login; its host and port."""
    if sys.platform == "win32":
        pytest.skip("the proxy's processes are ended as a group of POSIX")
    port = tmp_path_factory.mktemp("proxy") / "port"
    options = (
        "--hostname",
        "127.0.0.1",
        "--port",
        "0",
        "--port-file",
        str(port),
        "--basic-auth",
        PROXY_LOGIN,
    )
    one = ("--num-workers", "1", "--num-acceptors", "1", "--log-level", "ERROR")
    process = subprocess.Popen(
        [sys.executable, "-m", "proxy", *options, *one],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    for _ in range(400):
        if port.exists() and port.read_text().strip():
            break
        time.sleep(0.05)
    yield f"127.0.0.1:{port.read_text().split()[0]}"
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def answer(here: World, monkeypatch: pytest.MonkeyPatch, routes: dict[str, tuple[str, str, bytes]]) -> None:
    """Let the private index answer other paths, or its own in another way: with a status, a header's value, a body."""
    original = here.private.application

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        status, value, body = routes.get(environ["PATH_INFO"], ("", "", b""))
        if not status or "HTTP_AUTHORIZATION" not in environ:
            return original(environ, start_response)
        name = "Location" if status.startswith("30") else "Content-Type"
        start_response(status, [(name, value), ("Content-Length", str(len(body)))])
        return [body]

    monkeypatch.setattr(here.private, "application", application)


def digest(here: World) -> str:
    return hashlib.sha256((here.private.folder / WHEEL).read_bytes()).hexdigest()


def page(here: World, *links: str) -> tuple[str, str, bytes]:
    html = "".join(f'<a href="{link}#sha256={digest(here)}">{WHEEL}</a>\n' for link in links)
    return "200 OK", "text/html", f"<!DOCTYPE html><html><body>{html}</body></html>".encode()


@contextlib.contextmanager
def on_ipv6(port: int) -> Iterator[int]:
    """The port of `::1` at which a server of 127.0.0.1 can be reached, too."""
    try:
        listening = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no IPv6")

    def pump(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                sink.sendall(piece)
            sink.shutdown(socket.SHUT_WR)

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                here, _ = listening.accept()
                there = socket.create_connection(("127.0.0.1", port))
                for pair in ((here, there), (there, here)):
                    threading.Thread(target=pump, args=pair, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    with listening:
        yield listening.getsockname()[1]


# Each prepares the world, and returns variables of the environment and what to replace in the tables.
Change = tuple[dict[str, str], dict[str, str]]
Prepare = Callable[[World, ExitStack, pytest.MonkeyPatch], Change]


def over_ipv6(here: World, stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> Change:
    moved = {}
    for host in (here.private, here.git):
        address = host.url.partition("://")[2]
        moved[address] = f"[::1]:{stack.enter_context(on_ipv6(int(address.partition(':')[2])))}"
    return {}, moved


def json_alone(here: World, stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> Change:
    one = {"filename": WHEEL, "url": f"../../packages/{WHEEL}", "hashes": {"sha256": digest(here)}}
    text = json.dumps({"meta": {"api-version": "1.0"}, "name": "acme-units", "files": [one]})
    answer(here, monkeypatch, {"/simple/acme-units/": ("200 OK", JSON, text.encode())})
    return {}, {}


def links_with_a_query(here: World, stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> Change:
    link = f"../../packages/{WHEEL}?X-Signature=abc%2Fdef&amp;expires=1"
    answer(here, monkeypatch, {"/simple/acme-units/": page(here, link)})
    return {}, {}


def files_on_another_host(here: World, stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> Change:
    (here.public.folder / WHEEL).write_bytes((here.private.folder / WHEEL).read_bytes())
    link = f"{here.public.url}/packages/{WHEEL}"
    answer(here, monkeypatch, {"/simple/acme-units/": page(here, link)})
    return {}, {}


def files_behind_a_redirect(here: World, stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> Change:
    (here.public.folder / WHEEL).write_bytes((here.private.folder / WHEEL).read_bytes())
    there = f"{here.public.url}/packages/{WHEEL}"
    routes = {f"/files/{WHEEL}": ("302 Found", there, b"")}
    answer(here, monkeypatch, {**routes, "/simple/acme-units/": page(here, f"../../files/{WHEEL}")})
    return {}, {}


def rewritten_addresses(here: World, stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> Change:
    """A company that mirrors a host tells Git so; the line has no login, and Git's own helper has one."""
    url = f"http://x-access-token:{TOKEN}@{here.git.url.partition('://')[2]}/"
    variables = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{url}.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://git.acme.invalid/",
    }
    login = "x-access-token:${ACME_TOKEN}@"
    return variables, {
        'user-info = "x-access-token:${ACME_TOKEN}"\n': "",
        f"{login}{here.git.url.partition('://')[2]}": here.git.url.partition("://")[2],
        here.git.url: "https://git.acme.invalid",
        f"git+http://{here.git.url.partition('://')[2]}": "git+https://git.acme.invalid",
    }


def sent_elsewhere(here: World, stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> Change:
    """Git sends the host's plain addresses on, as to SSH, and the line has a login of its own: for pip and uv it is another."""
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "url.ssh://git@127.0.0.1:9/.insteadOf",
        "GIT_CONFIG_VALUE_0": f"{here.git.url}/",
    }, {}


def netrc_for_ipv6(here: World, stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> Change:
    """The index's address has no login."""
    login = f"login {LOGINS['ACME_USER']} password {LOGINS['ACME_PASSWORD']}"
    # uv writes the host with brackets, pip without.
    file = here.scratch / ".netrc"
    file.write_text(f"machine [::1] {login}\nmachine ::1 {login}\n")
    file.chmod(0o600)
    stack.callback(file.unlink)
    monkeypatch.setenv("HOME", str(here.scratch))
    variables, moved = over_ipv6(here, stack, monkeypatch)
    return variables, {"${ACME_USER}:${ACME_PASSWORD}@": "", **moved}


SITUATIONS: dict[str, Prepare] = {
    "IPv6": over_ipv6,
    "IPv6, and the login in .netrc": netrc_for_ipv6,
    "an index that speaks JSON alone": json_alone,
    "links with a query": links_with_a_query,
    "files on another host": files_on_another_host,
    "files behind a redirect to another host": files_behind_a_redirect,
    "addresses that Git rewrites": rewritten_addresses,
    "addresses that Git would rewrite if the line had no login": sent_elsewhere,
}


def wanted(here: World, changes: dict[str, str]) -> list[str]:
    tables = [here.index(), here.from_index("acme-units==2.1.0"), here.from_git("acme-loads")]
    for old, new in changes.items():
        tables = [table.replace(old, new) for table in tables]
    return tables


def uv_alone_installs_it(here: World, variables: dict[str, str]) -> bool:
    """Whether uv takes the app's requirements.txt as it stands, so that a STOP would be wrong."""
    options = (
        "--dry-run",
        "--python",
        here.python,
        "-r",
        here.requirements,
        "--index-strategy",
        "first-index",
    )
    done = here.run(uv.find_uv_bin(), "pip", "install", *options, **variables)
    return done.returncode == 0 and "acme-units" in done.stderr and "acme-loads" in done.stderr


@pytest.mark.parametrize("name", SITUATIONS)
def test_what_uv_could_install_is_checked_and_installed(
    here: World, name: str, monkeypatch: pytest.MonkeyPatch
):
    with ExitStack() as stack:
        variables, changes = SITUATIONS[name](here, stack, monkeypatch)
        for variable, value in variables.items():
            monkeypatch.setenv(variable, value)
        here.want(*wanted(here, changes))
        assert uv_alone_installs_it(here, variables)
        done = here.command("check")
        assert done.returncode == 0, done.stderr
        here.installs()
    assert here.origin("acme-units") == here.origin("acme-loads") == "private"


@pytest.mark.parametrize("strategy", ["git", "submodule"])
def test_through_a_proxy_with_a_login_everything_is_checked_and_installed(
    here: World, proxy: str, monkeypatch: pytest.MonkeyPatch, strategy: str
):
    for variable in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(variable, f"http://{PROXY_LOGIN}@{proxy}")
    monkeypatch.setenv("no_proxy", "")
    git = here.from_git("acme-loads", strategy=strategy)
    if strategy == "submodule":
        git += 'path = "app/submodules/acme-loads"\n'
    here.want(here.index(), here.from_index("acme-units==2.1.0"), git)
    done = here.command("check")
    assert done.returncode == 0, done.stderr
    said = here.installs()
    assert PROXY_LOGIN.partition(":")[2] not in done.stderr + said
    assert here.origin("acme-units") == here.origin("acme-loads") == "private"


@pytest.mark.parametrize(
    ("address", "git", "index"),
    [
        (
            "http://{proxy}",
            "the proxy on the way to {host} wants a login (407)",
            "the proxy on the way to {host} wants a login (407)",
        ),
        (
            "http://127.0.0.1:9",
            "the proxy 127.0.0.1 port 9 refuses connections; see whether it is up",
            "{host} cannot be reached through the proxy 127.0.0.1:9 (",
        ),
        (
            "http://ann:SENTINEL@proxy.nowhere.invalid:3128",
            "the proxy proxy.nowhere.invalid is not a known host name",
            "{host} cannot be reached through the proxy proxy.nowhere.invalid:3128 (",
        ),
    ],
    ids=["without its login", "down", "unknown"],
)
def test_a_proxy_that_fails_is_named_and_not_the_host_behind_it(
    here: World, proxy: str, monkeypatch: pytest.MonkeyPatch, address: str, git: str, index: str
):
    here.want(here.index())
    toml = here.app / "private-packages.toml"
    toml.write_text(toml.read_text() + "".join(wanted(here, {})[1:]))
    for variable in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(variable, address.format(proxy=proxy))
    monkeypatch.setenv("no_proxy", "")
    said = here.command("sync").stderr
    assert f"acme-loads: {git.format(host=here.git.url.partition('://')[2])}" in said, said
    assert f"acme-units: {index.format(host=here.private.url.partition('://')[2])}" in said, said
    assert "SENTINEL" not in said
    assert not (here.app / "private-packages.lock").exists() or "acme-" not in here.lock


def test_a_page_to_log_in_on_is_no_repository_and_no_index(here: World, monkeypatch: pytest.MonkeyPatch):
    """As single sign-on and hotels answer everything: with status 200."""
    form = b"<!DOCTYPE html>\n<html>\n<body>\n<form>Please log in <a href='/login'>here</a></form>\n</body></html>\n"

    def log_in(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/html"), ("Content-Length", str(len(form)))])
        return [form]

    for host in (here.private, here.git):
        monkeypatch.setattr(host, "application", log_in)
    here.want(here.index())
    toml = here.app / "private-packages.toml"
    toml.write_text(toml.read_text() + "".join(wanted(here, {})[1:]))
    done = here.command("sync")
    assert done.returncode == 1
    where = here.git.url.partition("://")[2]
    assert (
        f"acme-loads: {where} answers with something that is no repository, such as a page to log in on"
        in (done.stderr)
    )
    index = here.private.url.partition("://")[2]
    assert f"acme-units: {index} answers with a page to log in on and not with its files" in done.stderr
    assert not (here.app / "private-packages.lock").exists() or "acme-" not in here.lock


# --- Every sentence about an index ---


def asked(here: World, name: str = "acme-units", **environ: str) -> str:
    """What is said of a name that the index cannot tell the files of."""
    app = open_app(here.app, {**here.environment, **environ}, Output(sys.stderr, {}))
    with pytest.raises(Failure) as failed:
        index.files_of(app, name)
    return str(failed.value)


def downloaded(here: World, most: float = math.inf) -> str:
    app = open_app(here.app, here.environment, Output(sys.stderr, {}))
    file = index.OfferedFile(WHEEL, f"{here.private.url}/packages/{WHEEL}", "")
    with pytest.raises(Failure) as failed:
        index.download(app, file, None, most)
    return str(failed.value)


def test_every_sentence_about_an_index_is_what_some_answer_leads_to(
    here: World, monkeypatch: pytest.MonkeyPatch
):
    """One that nothing leads to is dead; a new one has to come here with what leads to it."""
    here.want()
    with pytest.raises(Failure) as failed:
        index.files_of(open_app(here.app, here.environment, Output(sys.stderr, {})), "acme-units")
    said = [str(failed.value)]
    here.want(here.index())
    said += [
        asked(here, "nobody-has-this"),
        asked(here, ACME_PASSWORD=""),
        asked(here, ACME_PASSWORD="wrong"),
        downloaded(here, most=10),
    ]
    for status in (404, 407, 500):
        here.private.faults = Faults(status=status)
        said.append(asked(here))
    here.private.faults = Faults(cut_after=20)
    said += [asked(here), downloaded(here)]
    here.private.faults = Faults()
    with monkeypatch.context() as patch:
        form = b"<html><body><form>Please log in</form></body></html>"
        for kind, body in (
            ("text/html", form),
            ("text/html", bytes(index.LARGEST_PAGE + 1)),
            (JSON, b'{"message": "hello"}'),
        ):
            answer(here, patch, {"/simple/acme-units/": ("200 OK", kind, body)})
            said.append(asked(here))
    with monkeypatch.context() as patch:
        patch.setenv("http_proxy", "http://127.0.0.1:9")
        patch.setenv("no_proxy", "")
        said.append(asked(here))
    here.private.stop()
    said.append(asked(here))
    here.private.start()
    toml = here.app / "private-packages.toml"
    toml.write_text(toml.read_text().replace("${ACME_USER}:${ACME_PASSWORD}@", ""))
    (here.scratch / "refused").write_text("machine 127.0.0.1 login builder password wrong\n")
    said += [asked(here), asked(here, NETRC=str(here.scratch / "refused"))]
    assert len(set(said)) == len(said)
    pieces = [piece for sentence in sentences_in(index) for piece in sentence]
    assert len(pieces) > 15
    assert not [piece for piece in pieces if not any(piece in one for one in said)]


def test_a_name_that_no_index_has_and_one_that_is_wanted_from_two_places_are_told_in_words(here: World):
    here.want(here.index(), here.from_index("acme-units==2.1.0"), here.from_git("acme-loads"))
    before = here.requirements.read_text()
    here.write("nothing-of-the-kind==1.0")
    said = here.stops("check")
    assert "No index has a package nothing-of-the-kind; correct its name in requirements.txt" in said
    # One package wants another from somewhere else than the answers do.
    make_repository(here.git.root / "acme", "acme-other", source("acme-loads", "1.0", "other"), tags=["v1"])
    here.repository("acme-needy", needs=[f"acme-loads @ git+{here.git.url_of('acme-other')}@v1"])
    here.requirements.write_text(before)
    here.want(here.from_git("acme-loads"), here.from_git("acme-needy"))
    said = here.stops("check")
    assert (
        "acme-loads is wanted from two places: from that in the answers, and from another by a line" in said
    )
