"""The demo's Git host and package index behave like real ones, and misbehave exactly as told."""

import base64
import http.client
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import uv

from demo.certificate import self_signed_certificate
from demo.git import git_environment, run_git
from demo.git_host import GitHost
from demo.hosts import DemoHosts
from demo.http_host import Faults, HttpHost
from demo.index_host import IndexHost
from demo.samples import PACKAGES, SAMPLES, commit, make_repository, make_samples, source_files


@pytest.fixture
def hosts(hosts: DemoHosts) -> Iterator[DemoHosts]:
    """The session's hosts with an empty log; every fault ends with the test."""
    hosts.git.clear()
    hosts.index.clear()
    yield hosts
    for host in (hosts.git, hosts.index):
        host.faults = Faults()
        host.faults_of.clear()
    hosts.git.tokens.clear()


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def git(*arguments: str | Path, login: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    """Run git, with an Authorization header that is not in its arguments."""
    settings = {
        "http.lowSpeedLimit": "1",
        "http.lowSpeedTime": "1",
        "user.name": "Demo",
        "user.email": "demo@localhost",
    }
    settings |= {"http.extraHeader": f"Authorization: {login}"} if login else {}
    environment = (
        git_environment() | variables | {"GIT_CONFIG_COUNT": str(len(settings)), "GIT_ASKPASS": "true"}
    )
    for number, (key, value) in enumerate(settings.items()):
        environment |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return subprocess.run(["git", *arguments], env=environment, capture_output=True, text=True, timeout=30)


def clone(hosts: DemoHosts, target: Path, name: str = "acme-beams") -> subprocess.CompletedProcess[str]:
    return git("clone", hosts.git.url_of(name), target, login=basic("any", hosts.variables["ACME_TOKEN"]))


def address(host: HttpHost) -> tuple[str, int]:
    parts = urlsplit(host.url)
    return str(parts.hostname), int(parts.port or 0)


def fetch(
    host: HttpHost, path: str, login: str = "", method: str = "GET", body: bytes | None = None
) -> tuple[int, http.client.HTTPMessage, bytes]:
    connection = http.client.HTTPConnection(*address(host), timeout=5)
    try:
        connection.request(method, path, body=body, headers={"Authorization": login} if login else {})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


# Samples


def test_the_sample_repositories_have_their_tags_and_branches_and_the_same_ids_each_time(
    tmp_path: Path,
) -> None:
    listings = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        make_samples(folder)
        listings.append([run_git("-C", folder / f"{name}.git", "for-each-ref") for name in SAMPLES])
    assert listings[0] == listings[1]

    def refs(name: str) -> list[str]:
        names = run_git("-C", tmp_path / "one" / f"{name}.git", "for-each-ref", "--format=%(refname:short)")
        return names.split()

    assert refs("acme-units") == ["develop", "main", "v1.0.0", "v2.0.0", "v2.1.0"]
    assert refs("acme-beams") == ["develop", "main", "v1.0.0", "v1.1.0", "v1.2.3"]
    assert refs("acme-loads") == ["main", "v0.8.0", "v0.9.0"]
    assert run_git("-C", tmp_path / "one/acme-beams.git", "log", "--oneline", "v1.2.3..main")


def test_older_versions_of_a_sample_differ_in_more_than_their_number() -> None:
    old, new = source_files("acme-units", "1.0.0"), source_files("acme-units", "2.1.0")
    assert {path for path in new if old[path] != new[path]} == {"CHANGELOG.md", "pyproject.toml"}
    assert "`parse` reads" in new["CHANGELOG.md"]
    assert "`parse` reads" not in old["CHANGELOG.md"]


def test_the_sample_packages_work_from_their_folders_without_being_installed() -> None:
    folders = [PACKAGES / "acme-beams/src", PACKAGES / "acme-units", PACKAGES / "acme-loads/src"]
    code = (
        "from acme_beams import Beam; from acme_loads import Variable, ultimate\n"
        "beam = Beam.parse('6 m', '210 GPa', '8.36e7 mm4', '300 mm')\n"
        "print(beam.moment(12_000), round(ultimate(4, [Variable(3, 'office'), Variable(1.2, 'wind')]), 2))"
    )
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(map(str, folders)),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["54000.0", "10.98"]


def test_a_commit_can_write_and_remove_files_and_move_a_tag(tmp_path: Path) -> None:
    repository = make_repository(
        tmp_path, "odd", {"a": "1\n", "b": "1\n"}, tags=["v1"], branches=["trunk", "side"]
    )
    moved = commit(repository, {"a": "2\n", "b": None}, tag="v1", branch="trunk")
    assert run_git("-C", repository, "rev-parse", "v1^{commit}", "HEAD").split() == [moved, moved]
    assert run_git("-C", repository, "ls-tree", "--name-only", "trunk") == "a"
    assert run_git("-C", repository, "ls-tree", "--name-only", "side").split() == ["a", "b"]


# The Git host


def test_a_clone_with_the_token_takes_three_requests(hosts: DemoHosts, tmp_path: Path) -> None:
    done = clone(hosts, tmp_path / "beams")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "beams/src/acme_beams/beam.py").is_file()
    asked = hosts.git.requests_of("acme-beams")
    assert [(request.method, request.status) for request in asked] == [
        ("GET", 200),
        ("POST", 200),
        ("POST", 200),
    ]
    assert {request.user for request in asked} == {"any"}


@pytest.mark.parametrize("login", ["", basic("x-access-token", "wrong"), "Bearer abc", "Basic %%%"])
def test_a_clone_without_the_token_is_refused_with_a_challenge(
    hosts: DemoHosts, tmp_path: Path, login: str
) -> None:
    status, headers, _ = fetch(hosts.git, "/acme/acme-beams.git/info/refs?service=git-upload-pack", login)
    assert (status, headers["WWW-Authenticate"]) == (401, 'Basic realm="demo"')
    assert git("clone", hosts.git.url_of("acme-beams"), tmp_path / "beams", login=login).returncode != 0
    assert {request.status for request in hosts.git.requests} == {401}


def test_a_repository_can_have_a_token_of_its_own_or_be_public(hosts: DemoHosts, tmp_path: Path) -> None:
    hosts.git.tokens |= {"acme-units": "another", "acme-loads": None}
    assert clone(hosts, tmp_path / "units", "acme-units").returncode != 0
    done = git("clone", hosts.git.url_of("acme-units"), tmp_path / "units", login=basic("any", "another"))
    assert done.returncode == 0, done.stderr
    assert git("clone", hosts.git.url_of("acme-loads"), tmp_path / "loads").returncode == 0


def test_a_repository_that_does_not_exist_is_not_found(hosts: DemoHosts, tmp_path: Path) -> None:
    done = clone(hosts, tmp_path / "none", "acme-none")
    assert "not found" in done.stderr
    assert [request.status for request in hosts.git.requests_of("acme-none")] == [404]


def test_the_log_holds_no_secret_even_when_the_token_is_the_user_name(hosts: DemoHosts) -> None:
    token, password = hosts.variables["ACME_TOKEN"], hosts.variables["ACME_PASSWORD"]
    fetch(hosts.git, f"/acme/acme-beams.git/info/refs?private_token={token}", basic(token, ""))
    fetch(hosts.git, f"/{token}/", basic("any", token))
    fetch(hosts.index, f"/simple/{password}/", basic(password, password))
    assert [request.user for request in hosts.git.requests + hosts.index.requests] == ["***", "any", "***"]
    log = repr(hosts.git.requests + hosts.index.requests)
    assert token not in log
    assert password not in log


def test_chunked_pushes_and_compressed_fetches_arrive(hosts: DemoHosts, tmp_path: Path) -> None:
    login = basic("any", hosts.variables["ACME_TOKEN"])
    repository = make_repository(hosts.git.path_of("x").parent, "acme-big", {"a": "0\n"})
    try:
        for number in range(30):
            commit(repository, {"a": f"{number}\n"}, tag=f"v{number}", branch=f"b{number}")
        cloned = git("clone", hosts.git.url_of("acme-big"), tmp_path / "big", login=login, GIT_TRACE_CURL="1")
        assert cloned.returncode == 0, cloned.stderr
        assert "content-encoding: gzip" in cloned.stderr.lower()
        (tmp_path / "big/noise").write_bytes(os.urandom(2_000_000))
        for arguments in (["add", "-A"], ["commit", "-qm", "Add noise"]):
            assert git("-C", tmp_path / "big", *arguments).returncode == 0
        pushed = git("-C", tmp_path / "big", "push", login=login, GIT_TRACE_CURL="1")
        assert pushed.returncode == 0, pushed.stderr
        assert "transfer-encoding: chunked" in pushed.stderr.lower()
        size = run_git("-C", repository, "cat-file", "-s", "main:noise")
        assert size == "2000000"
    finally:
        shutil.rmtree(repository)


def test_one_connection_serves_several_requests(hosts: DemoHosts) -> None:
    connection = http.client.HTTPConnection(*address(hosts.git), timeout=5)
    connection.connect()
    port = connection.sock.getsockname()[1]
    for _ in range(3):
        connection.request("GET", "/acme/acme-beams.git/HEAD", headers={"Connection": "keep-alive"})
        connection.getresponse().read()
        assert connection.sock.getsockname()[1] == port
    connection.close()


# Faults


@pytest.mark.parametrize(
    ("faults", "message"),
    [
        (Faults(status=503), "returned error: 503"),
        (Faults(hang=True), "too slow"),
        (Faults(stall_after=1000), "too slow"),
        (Faults(cut_after=1000), "early EOF|transfer closed"),
        (Faults(truncate_after=1000), "early EOF|unexpected disconnect|fetch-pack"),
    ],
    ids=["status", "hang", "stall", "cut", "truncate"],
)
def test_a_faulty_git_host_fails_a_clone_in_its_own_way(
    hosts: DemoHosts, tmp_path: Path, faults: Faults, message: str
) -> None:
    hosts.git.faults_of["acme-beams"] = faults
    done = clone(hosts, tmp_path / "beams")
    assert done.returncode != 0
    assert any(part in done.stderr for part in message.split("|")), done.stderr
    assert clone(hosts, tmp_path / "units", "acme-units").returncode == 0


def test_bytes_before_a_cut_a_stall_or_a_truncation_arrive(hosts: DemoHosts) -> None:
    path, login = (
        "/acme/acme-beams.git/info/refs?service=git-upload-pack",
        basic("a", hosts.variables["ACME_TOKEN"]),
    )
    whole = fetch(hosts.git, path, login)[2]
    hosts.git.faults = Faults(truncate_after=20)
    assert fetch(hosts.git, path, login)[2] == whole[:20]
    hosts.git.faults = Faults(cut_after=20)
    with pytest.raises(http.client.IncompleteRead) as cut:
        fetch(hosts.git, path, login)
    assert whole[:20].startswith(cut.value.partial)
    hosts.git.faults = Faults(stall_after=20)
    with socket.create_connection(address(hosts.git), timeout=0.5) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {login}\r\n\r\n".encode())
        received = b""
        with pytest.raises(TimeoutError):
            while data := client.recv(4096):
                received += data
    assert received.rstrip().endswith(whole[:20])


def test_a_delay_holds_back_each_answer(hosts: DemoHosts) -> None:
    hosts.index.faults = Faults(delay=0.3)
    began = time.monotonic()
    assert fetch(hosts.index, "/simple/")[0] == 401
    assert 0.3 <= time.monotonic() - began < 2


def test_a_redirect_leads_to_the_same_path_elsewhere(hosts: DemoHosts, tmp_path: Path) -> None:
    (tmp_path / "git").mkdir()
    with GitHost(tmp_path / "git", "other") as other:
        hosts.git.faults = Faults(redirect_to=other.url)
        assert clone(hosts, tmp_path / "beams").returncode != 0
        assert {request.path for request in other.requests} == {"/acme/acme-beams.git/info/refs"}
    assert {request.status for request in hosts.git.requests} == {307}


def test_a_fault_of_one_project_leaves_the_others_alone(hosts: DemoHosts) -> None:
    login = basic(hosts.variables["ACME_USER"], hosts.variables["ACME_PASSWORD"])
    hosts.index.faults_of["acme-units"] = Faults(status=500)
    assert fetch(hosts.index, "/simple/acme-units/", login)[0] == 500
    assert fetch(hosts.index, "/packages/acme_units-2.1.0-py3-none-any.whl", login)[0] == 500
    assert fetch(hosts.index, "/simple/acme-beams/", login)[0] == 200
    assert [request.status for request in hosts.index.requests_of("acme-units")] == [500, 500]


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl program")
def test_a_certificate_that_nobody_signed_is_refused_until_it_is_trusted(tmp_path: Path) -> None:
    make_repository(tmp_path / "acme", "acme-x", {"README.md": "x\n"})
    certificate = self_signed_certificate(tmp_path)
    with GitHost(tmp_path, "token", certificate=certificate) as host:
        refused = git("ls-remote", host.url_of("acme-x"), login=basic("a", "token"))
        assert "certificate" in refused.stderr
        assert host.requests == []
        trusted = git(
            "ls-remote", host.url_of("acme-x"), login=basic("a", "token"), GIT_SSL_CAINFO=str(certificate)
        )
        assert "refs/heads/main" in trusted.stdout


# The index


@pytest.mark.parametrize(("login", "status"), [("", 401), (basic("demo", "wrong"), 403)])
def test_the_index_refuses_list_download_and_upload_without_the_account(
    hosts: DemoHosts, login: str, status: int
) -> None:
    for path in ("/simple/", "/simple/acme-units/", "/packages/acme_units-2.1.0-py3-none-any.whl"):
        assert fetch(hosts.index, path, login)[0] == status
    assert fetch(hosts.index, "/", login, "POST", b"x")[0] == status


def test_an_upload_that_the_index_refuses_is_an_error_and_stores_nothing(
    hosts: DemoHosts, tmp_path: Path
) -> None:
    wheel = next((hosts.folder / "wheels").glob("acme_units-2.1.0-*"))
    with IndexHost(tmp_path, "demo", "right") as host:
        host.faults = Faults(status=403)
        with pytest.raises(RuntimeError, match="403"):
            host.publish(wheel)
        assert list(tmp_path.iterdir()) == []
        host.faults = Faults()
        host.publish(wheel)
        assert [path.name for path in tmp_path.iterdir()] == [wheel.name]
        assert {(request.user, request.status) for request in host.requests} == {("demo", 403), ("demo", 200)}


def test_a_name_that_the_index_does_not_hold_is_redirected_to_the_public_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/public/")
    with IndexHost(tmp_path, "demo", "right") as host:
        status, headers, _ = fetch(host, "/simple/numpy/", basic("demo", "right"))
    assert (status, headers["Location"]) == (303, "http://127.0.0.1:9/public/numpy/")


def test_a_public_index_is_open_and_complete_in_itself(hosts: DemoHosts, tmp_path: Path) -> None:
    with IndexHost(tmp_path) as public:
        public.publish(next((hosts.folder / "wheels").glob("acme_units-2.1.0-*")))
        assert fetch(public, "/simple/acme-units/")[0] == 200
        assert fetch(public, "/simple/numpy/")[0] == 404


@pytest.mark.slow
@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_published_wheels_and_git_lines_install(hosts: DemoHosts, tmp_path: Path, installer: str) -> None:
    uv_program = uv.find_uv_bin()
    python = str(tmp_path / "venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))
    make = [uv_program, "venv", "--quiet", "--seed", "--python", sys.executable, str(tmp_path / "venv")]
    subprocess.run(make, check=True)
    requirements = tmp_path / "requirements.txt"
    lines = [*hosts.git_lines("acme-loads"), *hosts.index_lines("acme-beams")]
    requirements.write_text("\n".join([f"--index-url {hosts.index_answer()}", *lines]) + "\n")
    install = {
        "pip": [python, "-m", "pip", "install"],
        "uv": [uv_program, "pip", "install", "--no-cache", "--python", python],
    }[installer]

    def run(**changed: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | hosts.variables | changed
        return subprocess.run([*install, "-r", requirements], env=environment, capture_output=True, text=True)

    assert run(ACME_TOKEN="wrong").returncode != 0
    assert run(ACME_PASSWORD="wrong").returncode != 0
    hosts.index.clear()
    done = run()
    assert done.returncode == 0, done.stderr
    assert not any(
        hosts.variables[name] in done.stdout + done.stderr for name in ("ACME_TOKEN", "ACME_PASSWORD")
    )
    code = (
        "import acme_beams, acme_loads; from importlib.metadata import version; print(version('acme-units'))"
    )
    imported = subprocess.run([python, "-c", code], capture_output=True, text=True)
    assert imported.stdout.strip() == "2.1.0", imported.stderr
    wheels = [request for request in hosts.index.requests_of("acme-units") if "/packages/" in request.path]
    assert {request.user for request in wheels} == {hosts.variables["ACME_USER"]}


# The end


def test_a_stopped_host_refuses_and_a_started_one_is_back_at_its_address(tmp_path: Path) -> None:
    host = IndexHost(tmp_path).start()
    url = host.url
    host.stop()
    with pytest.raises(ConnectionRefusedError):
        fetch(host, "/simple/")
    with host:
        assert (fetch(host, "/simple/")[0], host.url) == (200, url)


def test_everything_stops_and_goes_at_the_end_even_with_stalled_clients_and_an_error(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    client = None
    with pytest.raises(RuntimeError, match="in the middle"), DemoHosts() as hosts:
        hosts.git.faults = Faults(stall_after=1000)
        hosts.index.faults = Faults(hang=True)
        environment = git_environment()
        hosts.git.tokens["acme-beams"] = None
        client = subprocess.Popen(
            ["git", "clone", "--quiet", hosts.git.url_of("acme-beams"), tmp_path / "beams"],
            env=environment,
            stderr=subprocess.DEVNULL,
        )
        idle = socket.create_connection(address(hosts.index))
        idle.sendall(b"GET /simple/ HTTP/1.1\r\nHost: x\r\n\r\n")
        while len(hosts.git.requests) < 3 or not hosts.index.requests:
            time.sleep(0.02)
        raise RuntimeError("in the middle")
    assert client is not None
    assert client.wait(timeout=5) != 0
    assert idle.recv(1) == b""
    idle.close()
    assert not hosts.folder.exists()
    assert set(threading.enumerate()) == before
    for host in (hosts.git, hosts.index):
        with pytest.raises(ConnectionRefusedError):
            fetch(host, "/")


def test_secrets_are_new_in_every_run_and_need_no_encoding_in_a_url() -> None:
    first, second = DemoHosts().variables, DemoHosts().variables
    assert set(first) == {"ACME_TOKEN", "ACME_USER", "ACME_PASSWORD"}
    assert not set(first.values()) & set(second.values())
    assert all(character.isalnum() or character in "-_" for character in "".join(first.values()))


def test_the_answers_hand_every_sample_package_to_one_of_the_strategies(hosts: DemoHosts) -> None:
    mixed = hosts.answers("mixed")
    assert mixed == hosts.answers("submodule", "git", "index")
    assert mixed["submodule_packages"] == hosts.git_line("acme-beams", "v1.2.3")
    assert mixed["index_packages"] == "acme-units==2.1.0"
    assert (
        hosts.answers("index")["index_packages"] == "acme-beams==1.2.3\nacme-loads==0.9.0\nacme-units==2.1.0"
    )
    assert hosts.answers() == {"strategies": []}
    with pytest.raises(ValueError, match="submodules"):
        hosts.answers("submodules")
