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
from apps import HOOK, copier, data, render, snapshot

from demo import runs
from demo.git_host import GitHost
from demo.http_host import Faults
from demo.index_host import IndexHost
from demo.samples import build_wheels, make_samples

# Every character that some installer or URL parser trips over; the variable holds it percent-encoded.
# A secret for each process of the tests: command lines of the others are in the same list.
RAW = f"S3NT:IN@EL/ #%?tok+en&'\"=~{os.getpid()}"
ENCODED = quote(RAW, safe="")
USER = "x-access-token"


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
        return {
            "HOME": str(self.home),
            "XDG_CACHE_HOME": str(self.home / ".cache"),
            "XDG_CONFIG_HOME": str(self.home / ".config"),
            "GIT_CONFIG_GLOBAL": str(self.home / ".gitconfig"),
            "COPIER_CACHE_DIR": str(self.home / ".cache" / "copier"),
            "UV_CACHE_DIR": str(self.home / ".cache" / "uv"),
            "PIP_CACHE_DIR": str(self.home / ".cache" / "pip"),
            "ACME_TOKEN": ENCODED,
            "ACME_USER": "builder",
            "ACME_PASSWORD": ENCODED,
            "PRIVATE_PACKAGES_TIMEOUT": "2",
        }

    def copier(self, *arguments: str | Path, cwd: Path, **environment: str) -> str:
        done = copier(*arguments, cwd=cwd, **{**self.environment, **environment})
        self.said.append(done.stdout + done.stderr)
        return done.stderr

    def run(self, *command: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            list(map(str, command)),
            cwd=cwd,
            env={**os.environ, **self.environment, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        self.said.append(done.stdout + done.stderr)
        return done

    def line(self, name: str, ref: str) -> str:
        url = self.git.url_of(name).replace("://", f"://{USER}:${{ACME_TOKEN}}@")
        return f"{name} @ git+{url}@{ref}"

    @property
    def index_answers(self) -> dict[str, object]:
        url = self.index.simple_url.replace("://", "://${ACME_USER}:${ACME_PASSWORD}@")
        return {"index_packages": "acme-units==2.1.0", "index_url": url}

    def is_clean(self, *folders: Path) -> None:
        """Nothing of the secret in the home, the folders, or anything that was printed."""
        assert [path for folder in (self.home, *folders) for path in leaks(folder)] == []
        assert [text for text in self.said if holds(text.encode())] == []


@pytest.fixture(scope="module")
def served(isolated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[GitHost, IndexHost]]:
    """Both hosts, which want the raw secret."""
    folder = tmp_path_factory.mktemp("served")
    for name in ("git/acme", "index"):
        (folder / name).mkdir(parents=True)
    make_samples(folder / "git" / "acme")
    build_wheels(folder / "index", [("acme-units", "2.1.0")])
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
        host.faults = Faults()


def test_copy_update_and_a_changed_strategy_leave_no_byte_of_the_token_anywhere(life: Life, tmp_path: Path):
    """The home has `credential.helper = store`; command lines are read all the while; Git traces all it does."""
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
        assert "acme-units==2.1.0" in (app / "requirements.txt").read_text()
    assert any(b"sync.py" in line for line in processes.seen), "no command line of the hook was seen"
    assert any(b"clone" in line for line in processes.seen), "no command line of Git was seen"
    assert [line for line in processes.seen if holds(line)] == []
    life.is_clean(app, life.template)


@pytest.mark.parametrize(
    "faults",
    [Faults(status=401), Faults(status=403), Faults(status=500), Faults(cut_after=200), Faults(hang=True)],
    ids=["401", "403", "500", "cut", "hang"],
)
def test_a_failed_copy_leaves_and_says_nothing_of_the_token(life: Life, tmp_path: Path, faults: Faults):
    life.git.faults = faults
    answers = {"strategies": ["submodule"], "submodule_packages": life.line("acme-beams", "v1.1.0")}
    said = life.copier(
        "copy", "--trust", "--defaults", *data(answers), life.template, tmp_path / "my-app", cwd=tmp_path
    )
    assert "acme-beams: " in said
    life.is_clean(tmp_path / "my-app")


def test_a_redirect_that_needs_the_login_leaves_nothing_of_the_token(life: Life, tmp_path: Path):
    """Git asks a credential helper then, and offers what it got to every helper that is configured."""
    moved = life.git.root / "acme" / "moved" / "acme" / "acme-beams.git"
    shutil.copytree(life.git.path_of("acme-beams"), moved)
    life.git.faults_of["acme-beams"] = Faults(redirect_to=f"{life.git.url}/acme/moved")
    app = tmp_path / "my-app"
    answers = {"strategies": ["submodule"], "submodule_packages": life.line("acme-beams", "v1.1.0")}
    try:
        with ProcessList() as processes:
            life.copier("copy", "--trust", "--defaults", *data(answers), life.template, app, cwd=tmp_path)
    finally:
        life.git.faults_of.clear()
        shutil.rmtree(moved.parents[1])
    assert (app / "app/submodules/acme-beams/pyproject.toml").is_file()
    assert [line for line in processes.seen if holds(line)] == []
    life.is_clean(app)


def test_a_killed_run_leaves_nothing_of_the_token(life: Life, tmp_path: Path):
    app = tmp_path / "my-app"
    lines = "\n".join([life.line("acme-beams", "v1.1.0"), life.line("acme-units", "v2.1.0")])
    answers = {"strategies": ["submodule"], "submodule_packages": lines}
    life.copier("copy", "--skip-tasks", "--defaults", *data(answers), life.template, app, cwd=tmp_path)
    life.git.faults = Faults(stall_after=1500)
    process = subprocess.Popen(HOOK, cwd=app, env={**os.environ, **life.environment})
    while len(life.git.requests_of("acme-beams")) < 1:
        pass
    process.kill()
    process.wait()
    life.is_clean(app)


def test_git_s_own_trace_shows_the_token_to_nobody(life: Life, tmp_path: Path):
    """The most that a person can switch on: Git masks the header that travels in its configuration."""
    app = tmp_path / "my-app"
    answers = {"strategies": ["submodule"], "submodule_packages": life.line("acme-beams", "v1.1.0")}
    life.copier(
        *("copy", "--trust", "--defaults", *data(answers), life.template, app),
        cwd=tmp_path,
        GIT_TRACE=str(tmp_path / "trace"),
        GIT_TRACE_CURL=str(tmp_path / "curl"),
    )
    assert (tmp_path / "curl").stat().st_size
    life.is_clean(app)
    assert not [path for path in (tmp_path / "trace", tmp_path / "curl") if holds(path.read_bytes())]


@pytest.mark.slow
@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_installing_and_checking_with_percent_encoded_secrets_works_and_prints_none(
    life: Life, tmp_path: Path, installer: str
):
    """`@ : / # % ?` and a space among others: one value in the variable serves the hook, the check, pip and uv."""
    app = tmp_path / "my-app"
    answers = {
        "strategies": ["submodule", "git", "index"],
        "submodule_packages": life.line("acme-beams", "v1.2.3"),
        "git_packages": life.line("acme-loads", "v0.9.0"),
        **life.index_answers,
    }
    life.copier("copy", "--trust", "--defaults", *data(answers), life.template, app, cwd=tmp_path)
    make = (uv.find_uv_bin(), "venv", "--quiet", "--seed", "--python", sys.executable, ".venv")
    assert life.run(*make, cwd=app).returncode == 0
    python = app / (".venv/Scripts/python.exe" if os.name == "nt" else ".venv/bin/python")
    checked = life.run(python, "check_private_packages.py", cwd=app)
    assert checked.returncode == 0, checked.stderr
    install = (
        (python, "-m", "pip", "install", "--verbose", "--disable-pip-version-check")
        if installer == "pip"
        else (uv.find_uv_bin(), "pip", "install", "--verbose", "--python", python)
    )
    done = life.run(*install, "-r", "requirements.txt", cwd=app)
    assert done.returncode == 0, done.stderr
    tested = life.run(python, "-m", "unittest", cwd=app)
    assert tested.returncode == 0, tested.stderr
    assert [text for text in life.said if holds(text.encode())] == []
    # What an installer's own Git gives to a helper that stores is the installer's; the app itself is clean.
    assert leaks(app) == []


@pytest.mark.parametrize("character", list("@:/#%? "))
def test_a_value_that_is_not_percent_encoded_stops_the_check_before_anything_is_sent(
    life: Life, tmp_path: Path, character: str
):
    app = tmp_path / "my-app"
    answers = {"strategies": ["index"], **life.index_answers}
    life.copier("copy", "--skip-tasks", "--defaults", *data(answers), life.template, app, cwd=tmp_path)
    life.index.clear()
    done = life.run(
        sys.executable, "check_private_packages.py", cwd=app, ACME_PASSWORD=f"S3NT{character}INEL"
    )
    assert done.returncode == 1
    assert "ACME_PASSWORD holds a character that pip and uv misread in a URL. Percent-encode" in done.stderr
    assert "INEL" not in done.stdout + done.stderr
    assert life.index.requests == []


# The words of docs/security.md and of the app's own documentation.
HELPER = (
    '!f() { test "$1" = get && printf "username=%s\\npassword=%s\\n" "$ACME_GIT_USER" "$ACME_GIT_TOKEN"; }; f'
)


@pytest.mark.slow
def test_the_check_stops_before_an_old_pip_that_prints_the_token(
    questionnaire: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """As `python -m venv` of an older Python brings it."""
    token = "SENTINEL-old-pip"
    line = f"acme-loads @ git+http://{USER}:${{ACME_TOKEN}}@127.0.0.1:9/acme/acme-loads.git@v1"
    app = render(questionnaire, tmp_path / "app", strategies=["git"], git_packages=line)
    python = runs.make_environment(app, "uv").python
    install = [uv.find_uv_bin(), "pip", "install", "--quiet", "--python", python]
    subprocess.run([*install, "pip==23.2.1"], cwd=tmp_path, check=True)
    monkeypatch.setenv("ACME_TOKEN", token)

    def said(*command: str) -> str:
        done = subprocess.run([python, *command], cwd=app, capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    assert token in said("-m", "pip", "install", "--disable-pip-version-check", "-r", "requirements.txt")
    stopped = said("check_private_packages.py")
    assert "STOP  acme-loads: pip 23.2.1 prints the token in its line. Run: python -m pip" in stopped
    assert token not in stopped
    subprocess.run([*install, "pip==23.3"], cwd=tmp_path, check=True)
    assert token not in said("-m", "pip", "install", "--disable-pip-version-check", "-r", "requirements.txt")
    assert "prints the token" not in said("check_private_packages.py")


@pytest.mark.slow
@pytest.mark.parametrize("installer", ["pip", "uv", "git submodule"])
def test_the_credential_helper_by_git_config_shows_and_stores_nothing(
    life: Life, tmp_path: Path, installer: str
):
    """With raw values, a line without login, and the same worst-case home; after an empty helper that resets it."""
    host = life.git.url
    helper = {
        "GIT_CONFIG_COUNT": "2",
        "GIT_CONFIG_KEY_0": f"credential.{host}.helper",
        "GIT_CONFIG_VALUE_0": "",
        "GIT_CONFIG_KEY_1": f"credential.{host}.helper",
        "GIT_CONFIG_VALUE_1": HELPER,
        "ACME_GIT_USER": USER,
        "ACME_GIT_TOKEN": RAW,
    }
    url = life.git.url_of("acme-loads")
    folder = tmp_path / "app"
    folder.mkdir()
    with ProcessList() as processes:
        if installer == "git submodule":
            life.run("git", "init", "--quiet", cwd=folder)
            done = life.run("git", "submodule", "add", url, "loads", cwd=folder, **helper)
        else:
            command = installing_with(installer)
            line = f"acme-loads @ git+{url}@v0.9.0"
            options = ("--no-deps", "--target", str(folder / "t"), "-v", line)
            done = life.run(*command, *options, cwd=folder, **helper)
        assert done.returncode == 0, done.stderr
    assert any(url.encode() in line for line in processes.seen)
    assert [line for line in processes.seen if holds(line)] == []
    life.is_clean(folder)


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_an_installer_s_own_git_shows_a_login_in_the_line_and_a_storing_helper_keeps_it(
    life: Life, tmp_path: Path, installer: str
):
    """What docs/security.md warns of, measured: neither is the template's, and the helper above avoids both."""
    (tmp_path / "requirements.txt").write_text(life.line("acme-loads", "v0.9.0") + "\n")
    options = ("--no-deps", "--target", str(tmp_path / "t"), "-r", "requirements.txt")
    life.git.faults = Faults(delay=0.2)  # long enough to be seen
    with ProcessList() as processes:
        done = life.run(*installing_with(installer), *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert any(b"git" in line.split(b"\0")[0] for line in processes.seen if holds(line))
    assert [path.name for path in leaks(life.home) if path.name == "stored"] == ["stored"]


def installing_with(installer: str) -> tuple[str, ...]:
    """The beginning of an installer's command."""
    if installer == "pip":
        return (sys.executable, "-m", "pip", "install", "--disable-pip-version-check")
    return (uv.find_uv_bin(), "pip", "install", "--python", sys.executable)
