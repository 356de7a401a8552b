"""A sentinel token goes through an app's whole life; afterwards no byte of it is anywhere but in the environment."""

from __future__ import annotations

import base64
import contextlib
import os
import re
import shutil
import subprocess
import sys
import threading
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import pytest
import uv
from apps import ROOT, change_wanted, copier, data, render, snapshot

from demo.git_host import GitHost
from demo.http_host import Faults
from demo.index_host import IndexHost
from demo.samples import build_wheels, make_samples

# Every character that some installer or URL parser trips over; the variable holds it percent-encoded.
# A secret for each process of the tests: command lines of the others are in the same list.
RAW = f"S3NT:IN@EL/ #%?tok+en&'\"=~{os.getpid()}"
ENCODED = quote(RAW, safe="")
USER = "x-access-token"
# The variables of the app's packages.
VALUES = {"ACME_TOKEN": ENCODED, "ACME_USER": "builder", "ACME_PASSWORD": ENCODED}
# The most that Git can be told to write down (git(1), "ENVIRONMENT VARIABLES").
TRACES = {
    "GIT_TRACE_REDACT": "0",
    "GIT_TRACE2_CONFIG_PARAMS": "http.*,credential.*",
    "GIT_TRACE2_ENV_VARS": "ACME_TOKEN,GIT_CONFIG_VALUE_1,GIT_CONFIG_VALUE_2,GIT_CONFIG_VALUE_3,GIT_CONFIG_VALUE_4",
}

Done = subprocess.CompletedProcess[str]


def spellings(secret: str = RAW) -> list[bytes]:
    """The ways in which the secret could be written down: raw, percent-encoded, and in a Basic header."""
    basic = [base64.b64encode(f"{user}:{secret}".encode()) for user in (USER, "builder")]
    return [secret.encode(), quote(secret, safe="").encode(), quote(secret).encode(), *basic]


def holds(content: bytes) -> bool:
    """Whether the secret stands there; Git writes `%3a` where Python writes `%3A`."""
    folded = content.lower()
    return any(spelling.lower() in folded for spelling in spellings())


def test_the_search_finds_every_way_in_which_git_and_python_write_the_secret(tmp_path: Path):
    """Otherwise the other tests prove nothing."""
    run = {"cwd": tmp_path, "check": True, "capture_output": True}
    subprocess.run(["git", "init", "--quiet", "."], **run)
    (tmp_path / "note").write_text(f"x{RAW}x")
    subprocess.run(["git", "add", "note"], **run)
    subprocess.run(["git", "commit", "--quiet", "--message", "x"], **run)
    (tmp_path / "note").unlink()
    assert len(leaks(tmp_path)) == 1
    subprocess.run(["git", "gc", "--quiet"], **run)
    assert [path.suffix for path in leaks(tmp_path)] == [".pack"]
    shutil.rmtree(tmp_path / ".git")
    store = ["git", "credential-store", "--file", "stored", "store"]
    asked = f"protocol=http\nhost=localhost\nusername=x\npassword={RAW}\n"
    subprocess.run(store, input=asked.encode(), **run)
    assert [path.name for path in leaks(tmp_path)] == ["stored"]


def leaks(folder: Path) -> list[Path]:
    """The files below a folder that hold the secret, Git's objects and packs taken apart."""
    found = []
    for path in folder.rglob("*"):
        if holds(path.name.encode()) or (path.is_symlink() and holds(str(path.readlink()).encode())):
            found.append(path)
        elif path.is_file() and not path.is_symlink():
            content = path.read_bytes()
            if re.fullmatch(r"[0-9a-f]{38}", path.name):
                content += zlib.decompress(content)
            if holds(content):
                found.append(path)
    for pack in folder.rglob("*.pack"):
        ids = subprocess.run(
            ["git", "verify-pack", "-v", pack.with_suffix(".idx")], capture_output=True, text=True, check=True
        ).stdout
        names = "\n".join(re.findall(r"(?m)^[0-9a-f]{40}(?= )", ids))
        objects = subprocess.run(
            ["git", "--git-dir", pack.parents[2], "cat-file", "--batch"],
            input=names.encode(),
            capture_output=True,
            check=True,
        ).stdout
        if holds(objects):
            found.append(pack)
    return found


class ProcessList(threading.Thread):
    """Reads the command lines of all processes again and again, as `ps` would."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.seen: set[bytes] = set()
        self._stop_asking = threading.Event()

    def run(self) -> None:
        while not self._stop_asking.is_set():
            # Not with a pattern for what is in the folders: that looks into processes which have ended.
            for process in Path("/proc").glob("[0-9]*"):
                with contextlib.suppress(OSError):
                    self.seen.add((process / "cmdline").read_bytes())

    def __enter__(self) -> ProcessList:
        if not Path("/proc/self/cmdline").exists():
            pytest.skip("this system has no /proc to read command lines from")
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop_asking.set()
        self.join()

    def saw(self, *words: str) -> bool:
        """Whether some command line held all of these."""
        return any(all(word.encode() in line for word in words) for line in self.seen)

    @property
    def leaks(self) -> list[bytes]:
        return [line for line in self.seen if holds(line)]


@dataclass
class Life:
    """A home of its own, with the worst credential helper there is, and everything that was printed."""

    home: Path
    git: GitHost
    index: IndexHost
    template: Path
    said: list[str] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """Without the virtual environment of the tests, into which the app must not install."""
        here = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
        return here | {
            "HOME": str(self.home),
            "XDG_CACHE_HOME": str(self.home / ".cache"),
            "XDG_CONFIG_HOME": str(self.home / ".config"),
            "GIT_CONFIG_GLOBAL": str(self.home / ".gitconfig"),
            "COPIER_CACHE_DIR": str(self.home / ".cache" / "copier"),
            "UV_CACHE_DIR": str(self.home / ".cache" / "uv"),
            "PIP_CACHE_DIR": str(self.home / ".cache" / "pip"),
            "PATH": f"{Path(uv.find_uv_bin()).parent}{os.pathsep}{os.environ['PATH']}",
            "PRIVATE_PACKAGES_TIMEOUT": "1",
        }

    def copier(self, *arguments: str | Path, cwd: Path, **environment: str) -> str:
        done = copier(*arguments, cwd=cwd, **{**self.environment, **VALUES, **environment})
        self.said.append(done.stdout + done.stderr)
        return done.stderr

    def run(self, *command: str | Path, cwd: Path, **environment: str) -> Done:
        done = subprocess.run(
            list(map(str, command)),
            cwd=cwd,
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        self.said.append(done.stdout + done.stderr)
        return done

    def type(self, app: Path, words: str, *more: str, **environment: str) -> Done:
        """`python -m private_packages WORDS`, by a Python that no virtual environment holds."""
        python = getattr(sys, "_base_executable", sys.executable)
        return self.run(python, "-m", "private_packages", *words.split(), *more, cwd=app, **environment)

    def works(self, app: Path, words: str, *more: str, **environment: str) -> Done:
        done = self.type(app, words, *more, **environment)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done

    def line(self, name: str, ref: str) -> str:
        url = self.git.url_of(name).replace("://", f"://{USER}:${{ACME_TOKEN}}@")
        return f"{name} @ git+{url}@{ref}"

    @property
    def index_answers(self) -> dict[str, object]:
        url = self.index.simple_url.replace("://", "://${ACME_USER}:${ACME_PASSWORD}@")
        return {"index_packages": "acme-units==2.1.0", "index_url": url}

    @property
    def mixed(self) -> dict[str, object]:
        """The answers for an app with all three strategies."""
        return {
            "strategies": ["submodule", "git", "index"],
            "python_version": "3.11",
            "submodule_packages": self.line("acme-beams", "v1.2.3"),
            "git_packages": self.line("acme-loads", "v0.9.0"),
            **self.index_answers,
        }

    def is_clean(self, *folders: Path) -> None:
        """Nothing of the secret in the home, the folders, or anything that was printed."""
        assert [path for folder in (self.home, *folders) for path in leaks(folder)] == []
        self.said_nothing()

    def said_nothing(self) -> None:
        assert [text for text in self.said if holds(text.encode())] == []


@pytest.fixture(scope="module")
def served(isolated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[GitHost, IndexHost]]:
    """Both hosts, which want the raw secret."""
    folder = tmp_path_factory.mktemp("served")
    for name in ("git/acme", "index"):
        (folder / name).mkdir(parents=True)
    make_samples(folder / "git" / "acme")
    build_wheels(folder / "index", [("acme-units", "2.0.0"), ("acme-units", "2.1.0")])
    with GitHost(folder / "git", RAW) as git, IndexHost(folder / "index", "builder", RAW) as index:
        yield git, index


@pytest.fixture(scope="module")
def releases(isolated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template with two releases, so that an app can be updated."""
    folder = snapshot(tmp_path_factory.mktemp("releases") / "copier-private-packages", "v1.0.0")
    return snapshot(folder, "v2.0.0")


@pytest.fixture
def life(served: tuple[GitHost, IndexHost], releases: Path, tmp_path: Path) -> Iterator[Life]:
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(
        "[user]\n\tname = Test\n\temail = test@localhost.invalid\n"
        f"[credential]\n\thelper = store --file {home}/stored\n[core]\n\taskPass = echo\n"
    )
    yield Life(home, *served, releases)
    for host in served:
        host.faults, host.faults_of, host.headers = Faults(), {}, []


# ---------------------------------------------------------------------------
# A life
# ---------------------------------------------------------------------------


def test_copy_update_and_a_changed_strategy_leave_no_byte_of_the_token_anywhere(life: Life, tmp_path: Path):
    """The home has `credential.helper = store`; command lines are read all the while."""
    app = tmp_path / "my-app"
    with ProcessList() as processes:
        answers = {"strategies": ["submodule"], "submodule_packages": life.line("acme-beams", "v1.1.0")}
        ref = ("--vcs-ref", "v1.0.0")
        life.copier("copy", "--trust", "--defaults", *ref, *data(answers), life.template, app, cwd=tmp_path)
        assert (app / "app/submodules/acme-beams/pyproject.toml").is_file()
        for command in (["add", "--all"], ["commit", "--quiet", "--message", "Start"], ["gc", "--quiet"]):
            assert life.run("git", *command, cwd=app).returncode == 0
        answers["submodule_packages"] = life.line("acme-beams", "v1.2.3")
        life.copier("update", "--trust", "--defaults", *data(answers), cwd=app)
        assert "v1.2.3" in life.run("git", "describe", "--tags", cwd=app / "app/submodules/acme-beams").stdout
        life.run("git", "add", "--all", cwd=app)
        life.run("git", "commit", "--quiet", "--message", "Update", cwd=app)
        mixed = {"strategies": ["git", "index"], "git_packages": life.line("acme-loads", "v0.9.0")}
        mixed |= life.index_answers
        life.copier("update", "--trust", "--defaults", *data(mixed), cwd=app)
        lock = (app / "private-packages.lock").read_text()
        assert "acme_units-2.1.0-py3-none-any.whl" in lock and 'name = "acme-loads"' in lock
    assert processes.saw("hooks/sync.py") and processes.saw("git", "clone")
    assert processes.leaks == []
    life.is_clean(app, life.template)


def every_command(life: Life) -> tuple[str, ...]:
    """What can be typed, and what talks to a host by `exec`."""
    return (
        "sync",
        "login",
        "check",
        "install",
        "status --json",
        "move --list",
        "move acme-beams v1.1.0",
        "move acme-loads v0.8.0",
        "move acme-units 2.0.0",
        "install --locked",
        "exec python -m unittest",
        f"exec git ls-remote {life.git.url_of('acme-beams')}",
        f"exec uv pip install --reinstall acme-units==2.0.0 --index private={life.index.simple_url}",
    )


@pytest.mark.slow
@pytest.mark.parametrize("kept", ["in the environment", "in .env"])
def test_no_command_leaves_a_byte_of_the_token_anywhere(life: Life, tmp_path: Path, kept: str):
    """`@ : / # % ?` and a blank among others: one percent-encoded value serves Git, the index and uv alike."""
    app = render(life.template, tmp_path / "my-app", **life.mixed)
    values = VALUES
    if kept == "in .env":
        values = {}
        (app / ".env").write_text("".join(f"{name}={value}\n" for name, value in VALUES.items()))
    with ProcessList() as processes:
        for words in every_command(life):
            life.works(app, words, **values)
    for seen in ("private_packages\0check", "git\0clone", "pip\0compile", "pip\0install", "git\0ls-remote"):
        assert processes.saw(*seen.split("\0")), seen
    assert processes.leaks == []
    life.run("git", "add", "--all", cwd=app)
    life.said_nothing()
    assert leaks(life.home) == []
    assert leaks(app) == ([app / ".env"] if kept == "in .env" else [])


@pytest.mark.slow
def test_hosts_whose_answers_differ_by_login_leave_none_in_a_cache(life: Life, tmp_path: Path):
    """`Vary: Authorization` makes a cache keep the header by which it tells one answer from another."""
    headers = [("Vary", "Authorization"), ("Cache-Control", "max-age=600"), ("Set-Cookie", "session=1")]
    life.index.headers = life.git.headers = headers
    app = render(life.template, tmp_path / "my-app", **life.mixed)
    for words in every_command(life):
        life.works(app, words, **VALUES)
    # The index's answers are there.
    pages = [path for path in (life.home / ".cache" / "uv").rglob("*") if "acme-units" in path.name]
    assert pages
    life.is_clean(app)


# ---------------------------------------------------------------------------
# What goes wrong
# ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "faults",
    [Faults(status=401), Faults(status=403), Faults(status=500), Faults(cut_after=200), Faults(hang=True)],
    ids=["401", "403", "500", "cut", "hang"],
)
def test_a_host_that_fails_makes_nobody_say_or_keep_the_token(life: Life, tmp_path: Path, faults: Faults):
    app = render(life.template, tmp_path / "my-app", **life.mixed)
    life.works(app, "sync", **VALUES)
    life.git.faults = life.index.faults = faults
    for words in (
        "move acme-beams v1.1.0",
        "move acme-units 2.0.0",
        "move --list",
        "login",
        "check",
        "install",
    ):
        done = life.type(app, words, **VALUES)
        assert done.returncode == 1
        assert re.search(r"127\.0\.0\.1:\d+ |broke in the middle", done.stderr), f"{words}: {done.stderr}"
        assert "Traceback" not in done.stderr
    life.is_clean(app)


def test_a_failed_copy_leaves_and_says_nothing_of_the_token(life: Life, tmp_path: Path):
    life.git.faults = Faults(status=403)
    answers = {"strategies": ["submodule"], "submodule_packages": life.line("acme-beams", "v1.1.0")}
    app = tmp_path / "my-app"
    said = life.copier("copy", "--trust", "--defaults", *data(answers), life.template, app, cwd=tmp_path)
    assert "acme-beams: " in said
    life.is_clean(app)


def test_without_a_login_nothing_is_asked_and_what_was_fetched_with_one_holds_none(
    life: Life, tmp_path: Path
):
    app = render(life.template, tmp_path / "my-app", **life.mixed)
    life.works(app, "sync", **VALUES)
    life.git.clear()
    life.index.clear()
    change_wanted(app, "v1.2.3", "v1.1.0")
    for words in ("sync", "check", "install", "status", "login"):
        done = life.type(app, words)
        assert done.returncode == 1
        assert "no value" in done.stdout + done.stderr, words
    assert life.git.requests == life.index.requests == []
    life.is_clean(app)


@pytest.mark.parametrize("character", list("@:/#%? "))
@pytest.mark.parametrize("words", ["check", "install"])
def test_a_value_that_is_not_percent_encoded_stops_before_anything_is_sent(
    life: Life, tmp_path: Path, words: str, character: str
):
    app = render(life.template, tmp_path / "my-app", **life.mixed)
    life.git.clear()
    life.index.clear()
    done = life.type(app, words, **VALUES | {"ACME_PASSWORD": f"S3NT{character}INEL"})
    assert done.returncode == 1
    assert "STOP ACME_PASSWORD holds a character that pip and uv misread in an address" in done.stderr
    assert "Type: python -m private_packages login --again ACME_PASSWORD\n" in done.stderr
    assert "INEL" not in done.stdout + done.stderr
    assert life.git.requests == life.index.requests == []


def test_a_redirect_that_needs_the_login_leaves_nothing_of_the_token(life: Life, tmp_path: Path):
    """Git asks a credential helper then, and offers what it got to every helper that is configured."""
    moved = life.git.root / "acme" / "moved" / "acme" / "acme-beams.git"
    shutil.copytree(life.git.path_of("acme-beams"), moved)
    life.git.faults_of["acme-beams"] = Faults(redirect_to=f"{life.git.url}/acme/moved")
    app = render(life.template, tmp_path / "my-app", **life.mixed)
    try:
        with ProcessList() as processes:
            life.works(app, "sync", **VALUES)
            life.works(app, "move acme-beams v1.1.0", **VALUES)
    finally:
        shutil.rmtree(moved.parents[1])
    assert processes.saw("private_packages credential", "get")
    assert processes.leaks == []
    life.is_clean(app)


def test_a_login_in_the_address_to_which_a_host_sends_on_is_not_repeated(life: Life, tmp_path: Path):
    """A host may be set up carelessly; what it says goes to people and into logs of CI."""
    app = render(life.template, tmp_path / "my-app", **life.mixed)
    life.works(app, "sync", **VALUES)
    with GitHost(life.git.root, "another token") as elsewhere:
        address = elsewhere.url.replace("://", "://someone:S3NTINEL-of-the-host@")
        life.git.faults_of["acme-loads"] = life.index.faults = Faults(redirect_to=address)
        change_wanted(app, "v0.9.0", "v0.8.0")
        change_wanted(app, "==2.1.0", "==2.0.0")
        for words in (
            "sync",
            "check",
            "install",
            "login",
            "move acme-loads",
            "move acme-units",
            "move --list",
        ):
            done = life.type(app, words, **VALUES)
            assert done.returncode == 1, words
            assert "S3NTINEL" not in done.stdout + done.stderr
        assert elsewhere.requests_of("acme-loads")
    life.is_clean(app)


def test_a_killed_run_leaves_nothing_of_the_token(life: Life, tmp_path: Path):
    app = render(life.template, tmp_path / "my-app", **life.mixed)
    life.git.faults = Faults(stall_after=1500)
    command = (sys.executable, "-m", "private_packages", "sync")
    process = subprocess.Popen(
        command,
        cwd=app,
        env={**life.environment, **VALUES},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while len(life.git.requests_of("acme-beams")) < 1:
        assert process.poll() is None
    process.kill()
    process.wait()
    life.is_clean(app)


def test_git_s_own_traces_show_the_token_to_nobody(life: Life, tmp_path: Path):
    """Whatever is switched on, in the environment or in Git's configuration for ever."""
    traces = tmp_path / "traces"
    traces.mkdir()
    with (life.home / ".gitconfig").open("a") as file:
        file.write(f"[trace2]\n\tconfigParams = http.*\n\tenvVars = ACME_TOKEN\n\teventTarget = {traces}\n")
    switched = TRACES | {"GIT_TRACE_CURL": f"{traces}/curl", "GIT_TRACE": f"{traces}/trace"}
    app = render(life.template, tmp_path / "my-app", **life.mixed)
    for more in ({}, switched, {"GIT_TRACE_REDACT": "0", "GIT_CURL_VERBOSE": "1"}):
        for words in ("sync", "check", "install", "move acme-beams v1.1.0", "move acme-beams v1.2.3"):
            life.works(app, words, **VALUES, **more)
        for words in ("move --list", "login", f"exec git ls-remote {life.git.url_of('acme-beams')}"):
            life.works(app, words, **VALUES, **more)
    assert b"Authorization" in (traces / "curl").read_bytes()
    assert len(list(traces.iterdir())) > 5
    life.is_clean(app, traces)


# ---------------------------------------------------------------------------
# Other programs
# ---------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("program", ["pip", "uv", "git submodule"])
def test_a_program_that_exec_runs_shows_and_stores_nothing(life: Life, tmp_path: Path, program: str):
    """With a line without a login, and the same worst-case home: its Git asks the app."""
    app = render(life.template, tmp_path / "my-app", **life.mixed)
    url = life.git.url_of("acme-loads")
    with ProcessList() as processes:
        if program == "git submodule":
            life.run("git", "init", "--quiet", cwd=app)
            done = life.type(app, "exec git submodule add", url, "loads", **VALUES)
        else:
            line = f"acme-loads @ git+{url}@v0.9.0"
            options = ("--no-deps", "--target", str(tmp_path / "t"), "-v", line)
            done = life.type(app, "exec", *installing_with(program), *options, **VALUES)
        assert done.returncode == 0, done.stderr
    assert processes.saw(url) and processes.saw("private_packages credential", "get")
    assert processes.leaks == []
    life.is_clean(app)


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_an_installer_s_own_git_shows_a_login_in_the_line_and_a_storing_helper_keeps_it(
    life: Life, tmp_path: Path, installer: str
):
    """What docs/security.md warns of, measured: neither is the template's, and `install` avoids both."""
    (tmp_path / "requirements.txt").write_text(life.line("acme-loads", "v0.9.0") + "\n")
    options = ("--no-deps", "--target", str(tmp_path / "t"), "-r", "requirements.txt")
    life.git.faults = Faults(delay=0.2)  # long enough to be seen
    with ProcessList() as processes:
        done = life.run(*installing_with(installer), *options, cwd=tmp_path, **VALUES)
    assert done.returncode == 0, done.stderr
    assert any(b"git" in line.split(b"\0")[0] for line in processes.leaks)
    assert [path.name for path in leaks(life.home) if path.name == "stored"] == ["stored"]


def test_pip_s_cache_keeps_the_login_of_an_index_whose_answers_differ_by_login(life: Life, tmp_path: Path):
    """What docs/security.md warns of, measured; `install` runs no pip."""
    life.index.headers = [("Vary", "Authorization"), ("Cache-Control", "max-age=600")]
    address = life.index.simple_url.replace("://", f"://builder:{ENCODED}@")
    # Without an option pip caches what comes by https alone.
    options = ("--index-url", address, "--trusted-host", "127.0.0.1", "--no-deps", "--dest", str(tmp_path))
    command = (sys.executable, "-m", "pip", "download", *options, "acme-units==2.1.0")
    done = life.run(*command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert leaks(life.home / ".cache" / "pip")


def installing_with(installer: str) -> tuple[str, ...]:
    """The beginning of an installer's command."""
    if installer == "pip":
        return (sys.executable, "-m", "pip", "install", "--disable-pip-version-check")
    return (uv.find_uv_bin(), "pip", "install", "--python", sys.executable)


def test_every_promise_of_the_document_names_a_test_that_exists():
    document = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    code = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    named = set(re.findall(r"`(test_\w+)`", document))
    assert len(named) > 10
    assert named - set(re.findall(r"(?m)^ *def (test_\w+)", code)) == set()
