"""`python -m private_packages login` at a real terminal, against the demo's hosts."""

from __future__ import annotations

import io
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from apps import ROOT

from demo.git_host import GitHost
from demo.hosts import TOKEN_USER, DemoHosts
from demo.http_host import Faults
from demo.index_host import IndexHost

if sys.platform != "win32":
    import pexpect

LOGIN = [sys.executable, "-m", "private_packages", "login"]
CTRL_C = "\x03"
CTRL_D = "\x04"
NEXT = "python -m private_packages install"


def git_package(name: str, url: str, user_info: str = f"{TOKEN_USER}:${{ACME_TOKEN}}") -> str:
    """A table [[packages]] for a Git line."""
    address = url.replace("://", f"://{user_info}@") if user_info else url
    return (
        f'[[packages]]\nname = "{name}"\nstrategy = "git"\nrequirement = "{name} @ git+{address}"\n'
        f'url = "{url}"\nuser-info = "{user_info}"\n'
    )


def index_package(name: str) -> str:
    """A table [[packages]] for a package of the index."""
    return f'[[packages]]\nname = "{name}"\nstrategy = "index"\nrequirement = "{name}>=1"\n'


def index_table(address: str, login: str = "${ACME_USER}:${ACME_PASSWORD}") -> str:
    """The table [index]."""
    return f'[index]\nurl = "{address.replace("://", f"://{login}@")}"\nscope = "extra"\n'


def make_app(folder: Path, *tables: str) -> Path:
    """An app of a repository that ignores `.env`, with the command of the work tree."""
    code = ROOT / "template" / "files" / "private_packages"
    shutil.copytree(code, folder / "private_packages", ignore=shutil.ignore_patterns("__pycache__"))
    head = 'format = 1\nplatform = "python"\npython = "3.11"\n'
    (folder / "private-packages.toml").write_text(head + "".join(tables))
    (folder / ".gitignore").write_text(".env\n.env.*\n")
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    return folder


@pytest.fixture
def app(hosts: DemoHosts, tmp_path: Path) -> Iterator[Path]:
    """Two packages of the Git host and one of the index: ACME_TOKEN, ACME_USER and ACME_PASSWORD."""
    hosts.git.clear()
    hosts.index.clear()
    yield make_app(
        tmp_path / "app",
        index_table(hosts.index_url),
        git_package("acme-beams", hosts.git.url_of("acme-beams")),
        git_package("acme-loads", hosts.git.url_of("acme-loads")),
        index_package("acme-units"),
    )
    hosts.git.faults = hosts.index.faults = Faults()


class Terminal:
    """A terminal that keeps what is shown on it, and what is typed where nothing may be shown."""

    def __init__(self, app: Path, *arguments: str, **environment: str) -> None:
        self._shown = io.StringIO()
        self.hidden: set[str] = set()
        self.child = pexpect.spawn(
            sys.executable,
            [*LOGIN[1:], *arguments],
            cwd=str(app),
            env={**os.environ, "TERM": "dumb", **environment},
            dimensions=(60, 200),
            encoding="utf-8",
            timeout=30,
        )
        self.child.logfile_read = self._shown

    @property
    def text(self) -> str:
        """Everything on it so far, in one line."""
        return " ".join(self._shown.getvalue().split())

    def type_hidden(self, name: str, value: str, enter: str = "\r") -> None:
        """Answer a question that hides what is typed."""
        self.child.expect_exact(f"{name} (hidden): ")
        assert self.child.waitnoecho(5), "the terminal shows what is typed"
        self.hidden.add(value)
        self.child.send(value + enter)

    def type_shown(self, name: str, value: str) -> None:
        """Answer a question that shows what is typed."""
        self.child.expect_exact(f"{name}: ")
        self.child.send(value + "\r")

    def end(self) -> int:
        """Wait for the end; return the exit code."""
        self.child.expect(pexpect.EOF)
        self.child.wait()
        assert self.child.signalstatus is None
        return int(self.child.exitstatus)


@pytest.fixture
def terminal(hosts: DemoHosts) -> Iterator[Callable[..., Terminal]]:
    """Start `login` in an app's folder; afterwards no secret stands on the terminal, whatever happened."""
    if sys.platform == "win32":
        pytest.skip("Windows has no pseudo-terminal for pexpect")
    opened: list[Terminal] = []

    def start(app: Path, *arguments: str, **environment: str) -> Terminal:
        opened.append(Terminal(app, *arguments, **environment))
        return opened[-1]

    yield start
    for one in opened:
        one.child.close(force=True)
        for secret in one.hidden | hosts.git.secrets() | hosts.index.secrets():
            assert len(secret) < 4 or secret not in one.text


def without_terminal(app: Path, *arguments: str, **environment: Any) -> subprocess.CompletedProcess[str]:
    """Run `login` as CI does."""
    return subprocess.run(
        [*LOGIN, *arguments],
        cwd=app,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def values(app: Path) -> dict[str, str]:
    """What `.env` has, none where there is no such file."""
    path = app / ".env"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


# ---------------------------------------------------------------------------
# Asking
# ---------------------------------------------------------------------------


def test_each_variable_is_asked_for_written_and_tried(app: Path, hosts: DemoHosts, terminal):
    shell = terminal(app)
    shell.type_hidden("ACME_TOKEN", hosts.variables["ACME_TOKEN"])
    shell.type_shown("ACME_USER", hosts.variables["ACME_USER"])
    shell.type_hidden("ACME_PASSWORD", hosts.variables["ACME_PASSWORD"])
    assert shell.end() == 0
    git, index = (one.url.partition("://")[2] for one in (hosts.git, hosts.index))
    assert f"ACME_TOKEN is the token for {git}, where acme-beams and acme-loads come from." in shell.text
    assert f"ACME_USER is the user name for {index}, where acme-units comes from." in shell.text
    assert f"ACME_PASSWORD is the password or token for {index}," in shell.text
    assert f"{git} accepts the login of ACME_TOKEN." in shell.text
    assert f"{index} accepts the login of ACME_USER and ACME_PASSWORD." in shell.text
    assert shell.text.endswith(NEXT)
    assert values(app) == hosts.variables


def test_a_secret_is_never_shown_and_a_user_name_is(app: Path, hosts: DemoHosts, terminal):
    shell = terminal(app, "--no-try")
    shell.type_hidden("ACME_TOKEN", "SENTINEL-token")
    shell.type_shown("ACME_USER", "SENTINEL-user")
    shell.type_hidden("ACME_PASSWORD", "SENTINEL-password")
    assert shell.end() == 0
    assert "SENTINEL-user" in shell.text
    assert "SENTINEL-token" not in shell.text and "SENTINEL-password" not in shell.text


def test_each_login_is_tried_once_and_the_first_request_has_it(app: Path, hosts: DemoHosts):
    done = without_terminal(app, **hosts.variables)
    assert done.returncode == 0, done.stderr
    assert [(one.status, one.user) for one in hosts.git.requests] == [(200, TOKEN_USER)]
    assert [(one.status, one.user) for one in hosts.index.requests] == [(200, hosts.variables["ACME_USER"])]


def test_what_has_a_value_already_is_not_asked_for(app: Path, hosts: DemoHosts, terminal):
    (app / ".env").write_text(f"# mine\nexport ACME_TOKEN='{hosts.variables['ACME_TOKEN']}'\n")
    shell = terminal(app, ACME_USER=hosts.variables["ACME_USER"], ACME_PASSWORD="")
    shell.type_hidden("ACME_PASSWORD", hosts.variables["ACME_PASSWORD"])
    assert shell.end() == 0
    assert "ACME_TOKEN (hidden)" not in shell.text and "ACME_USER:" not in shell.text
    before = f"# mine\nexport ACME_TOKEN='{hosts.variables['ACME_TOKEN']}'\n"
    assert (app / ".env").read_text() == f"{before}ACME_PASSWORD={hosts.variables['ACME_PASSWORD']}\n"


def test_only_its_owner_may_read_the_file_and_git_does_not_see_it(app: Path, terminal, git):
    (app / ".env").touch(0o644)
    shell = terminal(app, "--no-try", ACME_USER="me", ACME_PASSWORD="p")
    shell.type_hidden("ACME_TOKEN", "SENTINEL")
    assert shell.end() == 0
    assert stat.S_IMODE((app / ".env").stat().st_mode) == 0o600
    assert [path.name for path in app.glob(".env*")] == [".env"]
    assert ".env" not in git(app, "status", "--porcelain", "--untracked-files=all").replace(
        ".env.example", ""
    )


@pytest.mark.parametrize(
    "secret",
    ["p@ss:w/ör d", "100%", "50%off", "a#b 'c' \"d\" $HOME `id` \\n", "ünï=?&+;"],
)
def test_special_characters_are_encoded_and_work_on_both_hosts(
    hosts: DemoHosts, tmp_path: Path, terminal, secret: str
):
    with (
        GitHost(hosts.git.root, secret) as git_host,
        IndexHost(hosts.index.folder, "jo@acme.example", secret) as index_host,
    ):
        app = make_app(
            tmp_path / "app",
            index_table(index_host.simple_url),
            git_package("acme-beams", git_host.url_of("acme-beams")),
            index_package("acme-units"),
        )
        shell = terminal(app)
        shell.type_hidden("ACME_TOKEN", secret)
        shell.type_shown("ACME_USER", "jo@acme.example")
        shell.type_hidden("ACME_PASSWORD", secret)
        assert shell.end() == 0, shell.text
        assert [one.user for one in index_host.requests] == ["jo@acme.example"]
    assert values(app)["ACME_USER"] == "jo%40acme.example"
    assert values(app)["ACME_TOKEN"] == values(app)["ACME_PASSWORD"] == quote(secret, safe="")


def test_a_value_that_is_percent_encoded_already_is_kept(hosts: DemoHosts, tmp_path: Path, terminal):
    with GitHost(hosts.git.root, "p@ss word") as host:
        app = make_app(tmp_path / "app", git_package("acme-beams", host.url_of("acme-beams")))
        shell = terminal(app)
        shell.type_hidden("ACME_TOKEN", "p%40ss%20word")
        assert shell.end() == 0, shell.text
    assert "Taken as percent-encoded already" in shell.text
    assert values(app) == {"ACME_TOKEN": "p%40ss%20word"}


def test_blanks_around_a_pasted_value_are_left_out(app: Path, terminal):
    shell = terminal(app, "--no-try", ACME_USER="me", ACME_PASSWORD="p")
    shell.type_hidden("ACME_TOKEN", "  SENTINEL\t ")
    assert shell.end() == 0
    assert values(app) == {"ACME_TOKEN": "SENTINEL"}


def test_a_character_that_cannot_be_seen_is_asked_for_again(app: Path, terminal):
    """Ctrl-V on a Windows console, an arrow key."""
    shell = terminal(app, "--no-try", ACME_USER="me", ACME_PASSWORD="p")
    shell.type_hidden("ACME_TOKEN", "SENTINEL\x1b[A")
    shell.child.expect_exact("cannot be seen")
    shell.type_hidden("ACME_TOKEN", "SENTINEL")
    assert shell.end() == 0
    assert values(app) == {"ACME_TOKEN": "SENTINEL"}


def test_bytes_that_are_no_text_are_refused_without_a_traceback(app: Path, terminal):
    shell = terminal(app, "--no-try", ACME_USER="me", ACME_PASSWORD="p", LC_ALL="C.UTF-8")
    shell.child.expect_exact("ACME_TOKEN (hidden): ")
    os.write(shell.child.child_fd, b"SENTINEL\xff\xfe\r")
    shell.hidden.add("SENTINEL")
    assert shell.end() == 1
    assert "is no UTF-8 text" in shell.text and "Traceback" not in shell.text
    assert values(app) == {}


@pytest.mark.parametrize("nothing", ["\r", "   \r", CTRL_D], ids=["enter", "blanks", "Ctrl-D"])
def test_no_answer_leaves_a_variable_out_and_says_so(app: Path, hosts: DemoHosts, terminal, nothing: str):
    shell = terminal(app)
    shell.type_hidden("ACME_TOKEN", "", enter=nothing)
    shell.type_shown("ACME_USER", hosts.variables["ACME_USER"])
    shell.type_hidden("ACME_PASSWORD", "")
    assert shell.end() == 1
    assert "ACME_TOKEN and ACME_PASSWORD have no value; `python -m private_packages login`" in shell.text
    assert values(app) == {"ACME_USER": hosts.variables["ACME_USER"]}
    assert hosts.git.requests == hosts.index.requests == []
    assert NEXT not in shell.text and "tries again" not in shell.text


# ---------------------------------------------------------------------------
# What a variable is for
# ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "user_info", "words"),
    [
        ("https://github.com/acme/beams.git", "x-access-token:${ACME_TOKEN}", "Contents, read"),
        ("https://gitlab.com/acme/beams.git", "oauth2:${ACME_TOKEN}", "What it needs: read_repository."),
        (
            "https://git.acme.example/beams.git",
            "git:${ACME_TOKEN}",
            "must be allowed to read these repositories",
        ),
    ],
)
def test_a_token_is_asked_for_with_the_scopes_that_its_host_knows(
    tmp_path: Path, terminal, url: str, user_info: str, words: str
):
    app = make_app(tmp_path / "app", git_package("acme-beams", url, user_info))
    shell = terminal(app, "--no-try")
    shell.type_hidden("ACME_TOKEN", "SENTINEL")
    assert shell.end() == 0
    assert f"ACME_TOKEN is the token for {url.split('/')[2]}, where acme-beams comes from." in shell.text
    assert words in shell.text


def test_the_command_that_prints_a_token_is_shown_for_this_host(tmp_path: Path, terminal):
    address = "https://acme-111122223333.d.codeartifact.eu-west-1.amazonaws.com/pypi/private/simple/"
    table = index_table(address, "aws:${CODEARTIFACT_TOKEN}")
    app = make_app(tmp_path / "app", table, index_package("acme-units"))
    shell = terminal(app, "--no-try")
    shell.type_hidden("CODEARTIFACT_TOKEN", "SENTINEL")
    assert shell.end() == 0
    command = "aws codeartifact get-authorization-token --domain acme --domain-owner 111122223333"
    assert f"`{command} --query authorizationToken --output text` prints one." in shell.text


def test_of_many_packages_a_few_are_named(tmp_path: Path, terminal):
    names = [f"acme-p{number}" for number in range(9)]
    tables = [git_package(name, f"https://git.acme.example/{name}.git") for name in names]
    shell = terminal(make_app(tmp_path / "app", *tables), "--no-try")
    shell.type_hidden("ACME_TOKEN", "SENTINEL")
    assert shell.end() == 0
    assert "where acme-p0, acme-p1, acme-p2 and 6 more come from." in shell.text


def test_a_lone_token_is_hidden_although_it_stands_where_a_user_name_does(tmp_path: Path, terminal):
    table = index_table("https://pypi.fury.io/acme/", "${FURY_TOKEN}")
    shell = terminal(make_app(tmp_path / "app", table, index_package("acme-units")), "--no-try")
    shell.type_hidden("FURY_TOKEN", "SENTINEL")
    assert shell.end() == 0
    assert "FURY_TOKEN is the token for pypi.fury.io, where acme-units comes from." in shell.text
    assert "What it needs: Deploy token to install" in shell.text


def test_a_user_name_that_is_a_secret_elsewhere_is_hidden(tmp_path: Path, terminal):
    app = make_app(
        tmp_path / "app",
        index_table("https://pypi.fury.io/acme/", "${ACME_USER}"),
        git_package("acme-beams", "https://git.acme.example/beams.git", "${ACME_USER}:${ACME_TOKEN}"),
        index_package("acme-units"),
    )
    shell = terminal(app, "--no-try")
    shell.type_hidden("ACME_USER", "SENTINEL-user")
    shell.type_hidden("ACME_TOKEN", "SENTINEL-token")
    assert shell.end() == 0


def test_without_variables_it_says_who_logs_in(hosts: DemoHosts, tmp_path: Path):
    app = make_app(tmp_path / "app", git_package("acme-beams", hosts.git.url_of("acme-beams"), ""))
    hosts.git.clear()
    done = without_terminal(app)
    assert done.returncode == 0
    assert "No package line names a variable" in done.stderr and "SSH key" in done.stderr
    assert hosts.git.requests == []


# ---------------------------------------------------------------------------
# Trying
# ---------------------------------------------------------------------------


def test_a_wrong_token_is_told_and_can_be_given_again(app: Path, hosts: DemoHosts, terminal):
    others = {name: hosts.variables[name] for name in ("ACME_USER", "ACME_PASSWORD")}
    shell = terminal(app, **others)
    shell.type_hidden("ACME_TOKEN", "SENTINEL-wrong")
    assert shell.end() == 1
    host = hosts.git.url.partition("://")[2]
    assert f"acme-beams: {host} refused the login in ACME_TOKEN" in shell.text
    assert "`python -m private_packages login --again ACME_TOKEN`" in shell.text
    assert "accepts the login of ACME_USER and ACME_PASSWORD" in shell.text and NEXT not in shell.text
    assert values(app) == {"ACME_TOKEN": "SENTINEL-wrong"}

    shell = terminal(app, "--again", "ACME_TOKEN", **others)
    shell.type_hidden("ACME_TOKEN", hosts.variables["ACME_TOKEN"])
    assert shell.end() == 0, shell.text
    assert values(app) == {"ACME_TOKEN": hosts.variables["ACME_TOKEN"]}


def test_a_wrong_password_of_the_index_is_told(app: Path, hosts: DemoHosts):
    done = without_terminal(app, **{**hosts.variables, "ACME_PASSWORD": "SENTINEL-wrong"})
    assert done.returncode == 1
    assert (
        "acme-units: " in done.stderr and "refuses the login from ACME_USER and ACME_PASSWORD" in done.stderr
    )
    assert "login --again ACME_USER --again ACME_PASSWORD" in done.stderr
    assert "SENTINEL-wrong" not in done.stdout + done.stderr


def test_a_host_that_does_not_answer_is_told_and_the_others_are_tried(app: Path, hosts: DemoHosts):
    hosts.git.faults = Faults(hang=True)
    done = without_terminal(app, **hosts.variables, PRIVATE_PACKAGES_TIMEOUT="1")
    assert done.returncode == 1
    assert "acme-beams: " in done.stderr and "stopped answering" in done.stderr
    assert "accepts the login of ACME_USER and ACME_PASSWORD" in done.stderr


def test_another_host_gets_no_login_by_a_redirect(app: Path, hosts: DemoHosts):
    with GitHost(hosts.git.root, "other") as other:
        hosts.git.faults = hosts.index.faults = Faults(redirect_to=other.url)
        done = without_terminal(app, **hosts.variables)
        assert done.returncode == 1
        assert "acme-beams: " in done.stderr and "acme-units: " in done.stderr
        assert {one.user for one in other.requests} <= {""}


def test_a_renamed_repository_is_asked_with_the_new_value(hosts: DemoHosts, tmp_path: Path, terminal):
    """Git follows no redirect with the login in hand, so it is asked for it once more."""
    root = tmp_path / "git"
    root.mkdir()
    (root / "acme").symlink_to(hosts.git.root / "acme")
    (root / "new").symlink_to(root)
    with GitHost(root, "SENTINEL-new") as host:
        host.faults_of["acme-beams"] = Faults(redirect_to=f"{host.url}/new")
        app = make_app(tmp_path / "app", git_package("acme-beams", host.url_of("acme-beams")))
        (app / ".env").write_text("ACME_TOKEN=SENTINEL-old\n")
        shell = terminal(app, "--again", "ACME_TOKEN")
        shell.type_hidden("ACME_TOKEN", "SENTINEL-new")
        assert shell.end() == 0, shell.text
        assert (host.requests[-1].path, host.requests[-1].status) == (
            "/new/acme/acme-beams.git/info/refs",
            200,
        )


def test_two_logins_on_one_host_are_both_tried(hosts: DemoHosts, tmp_path: Path):
    app = make_app(
        tmp_path / "app",
        git_package("acme-beams", hosts.git.url_of("acme-beams")),
        git_package("acme-loads", hosts.git.url_of("acme-loads"), "git:${OTHER_TOKEN}"),
    )
    done = without_terminal(app, ACME_TOKEN=hosts.variables["ACME_TOKEN"], OTHER_TOKEN="SENTINEL-wrong")
    assert done.returncode == 1
    assert "accepts the login of ACME_TOKEN." in done.stderr
    assert "acme-loads: " in done.stderr and "refused the login in OTHER_TOKEN" in done.stderr


def test_packages_over_ssh_are_not_tried(hosts: DemoHosts, tmp_path: Path):
    app = make_app(
        tmp_path / "app",
        git_package("acme-beams", "ssh://git@ssh.invalid/acme/beams.git", ""),
        git_package("acme-loads", hosts.git.url_of("acme-loads")),
    )
    done = without_terminal(app, ACME_TOKEN=hosts.variables["ACME_TOKEN"])
    assert done.returncode == 0, done.stderr
    assert "ssh.invalid" not in done.stderr


def test_no_try_asks_no_host(app: Path, hosts: DemoHosts):
    done = without_terminal(app, "--no-try", **hosts.variables)
    assert done.returncode == 0
    assert "Nothing to ask for: ACME_TOKEN, ACME_USER and ACME_PASSWORD have a value." in done.stderr
    assert hosts.git.requests == hosts.index.requests == []


def test_quiet_says_only_what_is_wrong(app: Path, hosts: DemoHosts):
    good = without_terminal(app, "--quiet", **hosts.variables)
    assert (good.returncode, good.stdout, good.stderr) == (0, "", "")
    bad = without_terminal(app, "--quiet", **{**hosts.variables, "ACME_TOKEN": "SENTINEL-wrong"})
    assert bad.returncode == 1
    assert "refused the login in ACME_TOKEN" in bad.stderr and "accepts" not in bad.stderr


# ---------------------------------------------------------------------------
# --again
# ---------------------------------------------------------------------------


def test_no_answer_to_again_keeps_the_value(app: Path, hosts: DemoHosts, terminal):
    text = "".join(f"{name}={value}\n" for name, value in hosts.variables.items())
    (app / ".env").write_text(text)
    shell = terminal(app, "--again", "ACME_TOKEN")
    shell.type_hidden("ACME_TOKEN", "")
    assert shell.end() == 0
    assert "It keeps the value that it has." in shell.text
    assert (app / ".env").read_text() == text


def test_a_value_of_the_shell_that_still_wins_is_told(app: Path, hosts: DemoHosts, terminal):
    """Also where `.env` had the same value: then the shell was filled from it."""
    (app / ".env").write_text("ACME_TOKEN=old\n")
    shell = terminal(app, "--again", "ACME_TOKEN", **{**hosts.variables, "ACME_TOKEN": "old"})
    shell.type_hidden("ACME_TOKEN", hosts.variables["ACME_TOKEN"])
    assert shell.end() == 1
    assert "accepts the login of ACME_TOKEN." in shell.text
    assert "ACME_TOKEN has an older value in the environment, which still wins over .env" in shell.text
    assert NEXT not in shell.text


def test_a_value_of_the_file_alone_is_just_replaced(app: Path, hosts: DemoHosts, terminal):
    others = {name: hosts.variables[name] for name in ("ACME_USER", "ACME_PASSWORD")}
    (app / ".env").write_text("ACME_TOKEN=old\n")
    shell = terminal(app, "--again", "ACME_TOKEN", ACME_TOKEN="", **others)
    shell.type_hidden("ACME_TOKEN", hosts.variables["ACME_TOKEN"])
    assert shell.end() == 0
    assert "still wins" not in shell.text


def test_again_with_an_unknown_name_is_wrong_usage(app: Path):
    done = without_terminal(app, "--again", "ACME_TOKE")
    assert done.returncode == 2
    assert (
        "No package line names ACME_TOKE; the variables are ACME_TOKEN, ACME_USER and ACME_PASSWORD."
        in done.stderr
    )


# ---------------------------------------------------------------------------
# Git must not take the file
# ---------------------------------------------------------------------------


def refused(app: Path, terminal) -> str:
    """What `login` says where it refuses; it asks nothing."""
    shell = terminal(app, "--no-try")
    assert shell.end() == 1
    assert "(hidden)" not in shell.text
    return str(shell.text)


def test_a_file_that_git_does_not_ignore_is_not_written(app: Path, terminal):
    (app / ".gitignore").unlink()
    assert ".env is not ignored by Git; add a line `.env` to .gitignore first." in refused(app, terminal)
    assert not (app / ".env").exists()


def test_a_file_that_git_tracks_is_not_written_although_it_is_ignored(app: Path, terminal, git):
    (app / ".env").write_text("PORT=8080\n")
    git(app, "add", "--force", ".env")
    assert ".env is tracked by Git" in refused(app, terminal)
    assert (app / ".env").read_text() == "PORT=8080\n"


def test_a_folder_of_that_name_is_not_replaced(app: Path, terminal):
    (app / ".env" / "bin").mkdir(parents=True)
    assert ".env is a folder" in refused(app, terminal)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no owners for Git to doubt")
def test_a_repository_that_git_refuses_stops_it(app: Path, terminal):
    """Whether the file is ignored is not known then."""
    shell = terminal(app, "--no-try", GIT_TEST_ASSUME_DIFFERENT_OWNER="1")
    assert shell.end() == 1
    assert "safe.directory" in shell.text and "(hidden)" not in shell.text


@pytest.mark.parametrize("has_git", [True, False], ids=["no repository", "no Git"])
def test_without_a_repository_or_git_the_file_is_written(app: Path, tmp_path: Path, terminal, has_git: bool):
    shutil.rmtree(app / ".git")
    environment = {"ACME_USER": "me", "ACME_PASSWORD": "p", "GIT_CEILING_DIRECTORIES": str(tmp_path)}
    if not has_git:
        environment["PATH"] = str(tmp_path)
    shell = terminal(app, "--no-try", **environment)
    shell.type_hidden("ACME_TOKEN", "SENTINEL")
    assert shell.end() == 0
    assert values(app) == {"ACME_TOKEN": "SENTINEL"}


def test_an_app_in_a_folder_of_a_repository_is_asked_about_by_its_place(
    app: Path, tmp_path: Path, terminal, git
):
    shutil.rmtree(app / ".git")
    (app / ".gitignore").unlink()
    git(tmp_path, "init", "--quiet")
    assert ".env is not ignored by Git" in refused(app, terminal)
    (tmp_path / ".gitignore").write_text("/app/.env\n")
    shell = terminal(app, "--no-try", ACME_USER="me", ACME_PASSWORD="p")
    shell.type_hidden("ACME_TOKEN", "SENTINEL")
    assert shell.end() == 0


# ---------------------------------------------------------------------------
# Nobody there, or going away
# ---------------------------------------------------------------------------


def test_without_a_terminal_everything_that_is_missing_is_named_at_once(app: Path, hosts: DemoHosts):
    done = without_terminal(app, ACME_TOKEN="", ACME_USER="me")
    assert done.returncode == 1
    assert done.stderr.strip() == (
        "ACME_TOKEN and ACME_PASSWORD have no value, and there is no terminal to ask on."
        " Set them in the environment, or write them into .env."
    )
    assert not (app / ".env").exists()
    assert hosts.git.requests == hosts.index.requests == []


def test_a_pipe_is_no_person(app: Path):
    done = subprocess.run(
        LOGIN,
        cwd=app,
        env={**os.environ, "ACME_USER": "me", "ACME_PASSWORD": "p"},
        input="SENTINEL\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "ACME_TOKEN has no value, and there is no terminal to ask on. Set it in" in done.stderr
    assert not (app / ".env").exists()


def test_again_needs_a_terminal(app: Path, hosts: DemoHosts):
    done = without_terminal(app, "--again", "ACME_TOKEN", **hosts.variables)
    assert done.returncode == 1
    assert "There is no terminal to ask for ACME_TOKEN on. Set it in the environment" in done.stderr


def test_ctrl_c_keeps_what_was_answered(app: Path, hosts: DemoHosts, terminal):
    shell = terminal(app)
    shell.type_hidden("ACME_TOKEN", "SENTINEL")
    shell.child.expect_exact("ACME_USER: ")
    shell.child.send(f"half{CTRL_C}")
    assert shell.end() == 130
    assert "Interrupted; .env keeps ACME_TOKEN. `python -m private_packages login` goes on" in shell.text
    assert "Traceback" not in shell.text
    assert values(app) == {"ACME_TOKEN": "SENTINEL"}
    assert hosts.git.requests == []


def test_ctrl_c_at_the_first_question_writes_nothing(app: Path, terminal):
    shell = terminal(app)
    shell.type_hidden("ACME_TOKEN", "SENTINEL", enter=CTRL_C)
    assert shell.end() == 130
    assert "Interrupted; nothing was written." in shell.text
    assert not (app / ".env").exists()


def test_ctrl_c_while_a_host_is_silent_keeps_everything(app: Path, hosts: DemoHosts, terminal):
    hosts.git.faults = Faults(hang=True)
    others = {name: hosts.variables[name] for name in ("ACME_USER", "ACME_PASSWORD")}
    shell = terminal(app, TERM="xterm", **others)
    shell.type_hidden("ACME_TOKEN", "SENTINEL")
    shell.child.expect_exact("Trying the login on")
    shell.child.send(CTRL_C)
    assert shell.end() == 130
    assert "Interrupted; .env keeps ACME_TOKEN." in shell.text
    assert values(app) == {"ACME_TOKEN": "SENTINEL"}
