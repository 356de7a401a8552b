"""`exec` lends any command the login of the packages, for that command alone; Git asks for it by a helper."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import venv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest
from private_packages.commands import credential
from private_packages.config import Package
from private_packages.credentials import with_helper

from demo.hosts import DemoHosts

UNIT = Path(__file__).parents[1] / "template" / "files" / "private_packages"
LOGIN = "type `python -m private_packages login`."
# What the helper answers about a package there with the token `t`.
GITHUB = "https://github.com/acme/beams.git"
GIVEN = {"username": "x-access-token", "password": "t"}
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="signals and terminals of POSIX")

Done = subprocess.CompletedProcess[str]


@dataclass(frozen=True)
class MadeApp:
    """An app with the unit and nothing else."""

    folder: Path

    def want(self, *tables: str) -> MadeApp:
        """Write private-packages.toml."""
        text = "\n".join(["format = 1", *tables])
        (self.folder / "private-packages.toml").write_text(text, encoding="utf-8")
        return self

    def know(self, **values: str) -> MadeApp:
        """Write `.env`."""
        lines = [f"{name}={value}\n" for name, value in values.items()]
        (self.folder / ".env").write_text("".join(lines), encoding="utf-8")
        return self

    def command(self, *arguments: str) -> list[str]:
        """Return the command line of the unit, as it is typed from anywhere."""
        return [sys.executable, str(self.folder / "private_packages"), *arguments]

    def exec(self, *arguments: str, cwd: Path | None = None, **env: str) -> Done:
        """Run `exec`, without a terminal and without the variables of the hosts."""
        return subprocess.run(
            self.command("exec", *arguments),
            cwd=cwd or self.folder,
            env={**os.environ, **env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            start_new_session=True,
        )


def package(url: str, user_info: str = "x-access-token:${ACME_TOKEN}") -> str:
    """Return the table of a Git line."""
    name = url.rpartition("/")[2].removesuffix(".git")
    address = url.replace("://", f"://{user_info}@") if user_info else url
    lines = [
        f'name = "{name}"',
        'strategy = "git"',
        f'requirement = "{name} @ git+{address}"',
        f'url = "{url}"',
    ]
    if user_info:
        lines.append(f'user-info = "{user_info}"')
    return "\n".join(["[[packages]]", *lines]) + "\n"


def python(code: str) -> tuple[str, str, str]:
    """Return the command that runs a line of Python."""
    return (sys.executable, "-c", code)


@pytest.fixture
def beams(hosts: DemoHosts) -> str:
    """The address of a private package."""
    return hosts.git.url_of("acme-beams")


@pytest.fixture
def bare(tmp_path: Path, git: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> MadeApp:
    """An app that wants nothing yet, in a repository of its own; the environment has no login."""
    for name in ("ACME_TOKEN", "ACME_USER", "ACME_PASSWORD", "GIT_TERMINAL_PROMPT", "GIT_ASKPASS"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "the app's"
    folder.mkdir()
    shutil.copytree(UNIT, folder / "private_packages", ignore=shutil.ignore_patterns("__pycache__"))
    git(folder, "init", "--quiet")
    return MadeApp(folder).want()


@pytest.fixture
def app(bare: MadeApp, hosts: DemoHosts, beams: str) -> MadeApp:
    """An app that wants acme-beams, with its token in `.env`."""
    return bare.want(package(beams)).know(ACME_TOKEN=hosts.variables["ACME_TOKEN"])


def secrets_in(folder: Path, secret: str) -> list[str]:
    """Return the files below a folder that hold a secret."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return [str(path.relative_to(folder)) for path in files if secret.encode() in path.read_bytes()]


class TestLogin:
    def test_git_reads_a_private_repository_with_the_token_of_dotenv(self, app: MadeApp, beams: str):
        refused = subprocess.run(
            ["git", "ls-remote", beams], env={**os.environ, "GIT_TERMINAL_PROMPT": "0"}, capture_output=True
        )
        assert refused.returncode
        done = app.exec("git", "ls-remote", beams, "HEAD")
        assert done.returncode == 0, done.stderr
        assert done.stdout.endswith("\tHEAD\n")
        assert done.stderr == ""

    def test_the_login_is_that_of_the_line(self, app: MadeApp, beams: str, hosts: DemoHosts):
        hosts.git.clear()
        app.exec("git", "ls-remote", beams)
        assert {request.user for request in hosts.git.requests if request.status == 200} == {"x-access-token"}

    def test_the_shells_value_wins(self, app: MadeApp, beams: str, hosts: DemoHosts):
        app.know(ACME_TOKEN="old")
        assert app.exec("git", "ls-remote", beams, GIT_TERMINAL_PROMPT="0").returncode
        done = app.exec("git", "ls-remote", beams, ACME_TOKEN=hosts.variables["ACME_TOKEN"])
        assert done.returncode == 0, done.stderr

    def test_a_clone_holds_no_token_and_no_process_gets_it_as_an_argument(
        self, app: MadeApp, beams: str, hosts: DemoHosts, tmp_path: Path, isolated: Path
    ):
        token = hosts.variables["ACME_TOKEN"]
        done = app.exec(
            "git",
            "clone",
            beams,
            str(tmp_path / "clone"),
            GIT_TRACE="1",
            GIT_TRACE_CURL="1",
            HOME=str(tmp_path),
        )
        assert done.returncode == 0, done.stderr
        assert "credential get" in done.stderr
        assert token not in done.stdout + done.stderr
        assert secrets_in(tmp_path, token) == [str((app.folder / ".env").relative_to(tmp_path))]
        assert secrets_in(isolated, token) == []
        assert (tmp_path / "clone" / "pyproject.toml").is_file()

    def test_gits_settings_hold_no_token_and_those_of_the_caller_stay(self, app: MadeApp, hosts: DemoHosts):
        mine = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "my.own", "GIT_CONFIG_VALUE_0": "setting"}
        show = "import json, os; print(json.dumps(dict(os.environ)))"
        env = json.loads(app.exec(*python(show), **mine).stdout)
        token = hosts.variables["ACME_TOKEN"]
        assert [name for name, value in env.items() if token in value] == ["ACME_TOKEN"]
        assert {name: env[name] for name in mine} == {**mine, "GIT_CONFIG_COUNT": "3"}
        assert "GIT_TERMINAL_PROMPT" not in env, "a person's own Git may ask"

    def test_every_submodule_on_a_listed_host_gets_it(
        self, app: MadeApp, beams: str, git: Callable[..., str], tmp_path: Path
    ):
        outer = tmp_path / "outer"
        git(tmp_path, "init", "--quiet", str(outer))
        added = app.exec("git", "-C", str(outer), "submodule", "add", "--quiet", beams, "sub")
        assert added.returncode == 0, added.stderr
        git(outer, "commit", "--quiet", "--message", "Add it")
        cloned = app.exec(
            "git", "clone", "--quiet", "--recurse-submodules", str(outer), str(tmp_path / "copy")
        )
        assert cloned.returncode == 0, cloned.stderr
        assert (tmp_path / "copy" / "sub" / "pyproject.toml").is_file()

    def test_a_token_of_difficult_characters_arrives(
        self, app: MadeApp, hosts: DemoHosts, monkeypatch: pytest.MonkeyPatch
    ):
        token = "a:b@c/d %25#é&'\"=~"
        monkeypatch.setitem(hosts.git.tokens, "acme-units", token)
        units = hosts.git.url_of("acme-units")
        app.want(package(units)).know(ACME_TOKEN=quote(token, safe=""))
        done = app.exec("git", "ls-remote", units, GIT_TERMINAL_PROMPT="0")
        assert done.returncode == 0, done.stderr

    def test_two_tokens_on_one_host_go_to_their_own_packages(
        self, app: MadeApp, hosts: DemoHosts, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setitem(hosts.git.tokens, "acme-units", "of-units")
        beams, units = hosts.git.url_of("acme-beams"), hosts.git.url_of("acme-units")
        app.want(package(beams), package(units, "git:${UNITS_TOKEN}"))
        app.know(ACME_TOKEN=hosts.variables["ACME_TOKEN"], UNITS_TOKEN="of-units")
        hosts.git.clear()
        for url in (beams, units):
            done = app.exec("git", "ls-remote", url, GIT_TERMINAL_PROMPT="0")
            assert done.returncode == 0, done.stderr
        users = {(hosts.git.name_of(one.path), one.user) for one in hosts.git.requests if one.user}
        assert users == {("acme-beams", "x-access-token"), ("acme-units", "git")}

    def test_my_own_helper_never_gets_it_and_serves_other_hosts_as_before(
        self, app: MadeApp, beams: str, hosts: DemoHosts, tmp_path: Path
    ):
        token = hosts.variables["ACME_TOKEN"]
        other = hosts.git.url_of("acme-units").replace("127.0.0.1", "localhost")
        # As Git writes it.
        stored = f"http://me:{token}@{other.split('/')[2].replace(':', '%3a')}\n"
        store, settings = tmp_path / "store", tmp_path / "settings"
        store.write_text(stored)
        settings.write_text(f'[credential]\n\thelper = store --file "{store.as_posix()}"\n')
        hosts.git.clear()
        for url in (beams, other):
            done = app.exec("git", "ls-remote", url, GIT_CONFIG_GLOBAL=str(settings), GIT_TERMINAL_PROMPT="0")
            assert done.returncode == 0, done.stderr
        assert {request.user for request in hosts.git.requests_of("acme-units") if request.user} == {"me"}
        assert store.read_text() == stored

    def test_my_own_helper_serves_the_neighbour_whose_line_names_no_login(
        self, app: MadeApp, beams: str, hosts: DemoHosts, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ):
        monkeypatch.setitem(hosts.git.tokens, "acme-units", "of-units")
        units = hosts.git.url_of("acme-units")
        app.want(package(units, ""), package(beams))
        store, settings = tmp_path / "store", tmp_path / "settings"
        store.write_text(f"{hosts.git_url.replace('://', '://me:of-units@')}\n")
        settings.write_text(f'[credential]\n\thelper = store --file "{store.as_posix()}"\n')
        for url in (units, beams):
            done = app.exec("git", "ls-remote", url, GIT_CONFIG_GLOBAL=str(settings), GIT_TERMINAL_PROMPT="0")
            assert done.returncode == 0, done.stderr
        assert "ACME" not in store.read_text()
        assert hosts.variables["ACME_TOKEN"] not in store.read_text()

    def test_nothing_of_a_hostile_clone_is_run(
        self, app: MadeApp, beams: str, git: Callable[..., str], tmp_path: Path
    ):
        clone, ran = tmp_path / "clone", tmp_path / "ran"
        git(tmp_path, "init", "--quiet", str(clone))
        git(clone, "remote", "add", "origin", beams)
        attack = f"open({str(ran)!r}, 'a').write(__file__ + chr(10))\n"
        (clone / "private_packages").mkdir()
        for name in ("__init__", "__main__", "cli", "sitecustomize", "usercustomize", "argparse", "tomllib"):
            (clone / f"{name}.py").write_text(attack)
            (clone / "private_packages" / f"{name}.py").write_text(attack)
        # Only what Git starts sees the hostile search path, not the Python that runs `exec`.
        start = "import os, subprocess; os.environ['PYTHONPATH'] = '.'; subprocess.run(['git', 'fetch', '--quiet'], check=True)"
        done = app.exec(sys.executable, "-I", "-c", start, cwd=clone)
        assert done.returncode == 0, done.stderr
        assert not ran.exists(), ran.read_text()
        assert (clone / ".git" / "FETCH_HEAD").read_text()


class TestMissing:
    def test_all_missing_variables_are_named_and_the_command_runs(self, app: MadeApp, beams: str):
        app.want(package(beams, "${ACME_USER}:${ACME_TOKEN}")).know(ACME_USER="")
        done = app.exec(*python("print('ran')"))
        assert (done.returncode, done.stdout) == (0, "ran\n")
        assert (
            done.stderr
            == f"ACME_USER and ACME_TOKEN have no value, which {sys.executable} may need; {LOGIN}\n"
        )

    def test_quiet_before_the_command_leaves_the_warning_out(self, app: MadeApp):
        app.know()
        done = app.exec("--quiet", *python("import sys; print(sys.argv[1:])"), "--quiet")
        assert (done.stdout, done.stderr) == ("['--quiet']\n", "")

    def test_git_stops_with_the_sentence(self, app: MadeApp, beams: str):
        app.know()
        done = app.exec("--quiet", "git", "ls-remote", beams)
        assert done.returncode == 128
        assert done.stderr.startswith(f"ACME_TOKEN has no value; {LOGIN}\n")
        assert "told us to quit" in done.stderr

    @POSIX
    def test_git_asks_no_person_at_a_terminal(self, app: MadeApp, beams: str):
        import pexpect

        app.know()
        command, *arguments = app.command("exec", "git", "ls-remote", beams)
        child = pexpect.spawn(command, arguments, cwd=str(app.folder), encoding="utf-8", timeout=30)
        assert child.expect([pexpect.EOF, "Username", "Password"]) == 0, child.before
        assert LOGIN in child.before
        child.close()
        assert child.exitstatus == 128

    def test_a_login_that_was_never_filled_in_by_azure_is_missing(self, app: MadeApp):
        assert "ACME_TOKEN has no value" in app.exec(*python("0"), ACME_TOKEN="$(ACME_TOKEN)").stderr


class TestCommand:
    def test_its_own_options_reach_it(self, app: MadeApp):
        assert app.exec("git", "--version").stdout.startswith("git version ")
        words = ["--help", "-h", "--quiet", "--", "-x=1", "a b", "", "$HOME", "é"]
        for separator in ([], ["--"], ["--quiet", "--"]):
            done = app.exec(*separator, *python("import sys; print(sys.argv[1:])"), *words)
            assert done.stdout == f"{words}\n", done.stderr

    @pytest.mark.parametrize("code", [0, 1, 3])
    def test_its_exit_code_is_ours(self, app: MadeApp, code: int):
        assert app.exec(*python(f"raise SystemExit({code})")).returncode == code

    @POSIX
    @pytest.mark.parametrize("name", ["TERM", "KILL", "PIPE", "INT"])
    def test_its_signal_is_ours(self, app: MadeApp, name: str):
        done = app.exec("sh", "-c", f"kill -{name} $$")
        assert done.returncode == -getattr(signal, f"SIG{name}")

    @POSIX
    def test_a_signal_to_us_reaches_it(self, app: MadeApp):
        code = "import signal; signal.signal(signal.SIGTERM, lambda *_: exit(7)); print('on', flush=True); signal.pause()"
        with subprocess.Popen(
            app.command("exec", *python(code)), cwd=app.folder, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "on\n"
            process.terminate()
            assert process.wait(timeout=30) == 7

    def test_it_runs_where_the_person_is(self, app: MadeApp, tmp_path: Path):
        done = app.exec(*python("import os; print(os.getcwd())"), cwd=tmp_path)
        assert Path(done.stdout.strip()) == tmp_path.resolve()

    def test_it_reads_what_is_piped_to_it(self, app: MadeApp):
        code = "import sys; print(sys.stdin.read()[::-1])"
        done = subprocess.run(
            app.command("exec", *python(code)), input="abc", capture_output=True, text=True, check=False
        )
        assert done.stdout == "cba\n"

    def test_a_program_that_is_not_there_is_one_sentence(self, app: MadeApp):
        done = app.exec("no-such-program", "--flag")
        assert done.returncode == 1
        assert (
            done.stderr == "No program no-such-program was found; install it, or look for a typing error.\n"
        )

    @POSIX
    def test_a_program_that_cannot_be_started_is_one_sentence(self, app: MadeApp):
        (app.folder / "tool").write_bytes(b"\x00no program")
        (app.folder / "tool").chmod(0o755)
        done = app.exec("./tool")
        assert (done.returncode, done.stderr) == (1, "./tool cannot be started: Exec format error.\n")

    def test_no_command_is_wrong_usage_with_an_example(self, app: MadeApp):
        for words in ([], ["--"]):
            done = app.exec(*words)
            assert done.returncode == 2
            assert "`python -m private_packages exec git pull --recurse-submodules`" in done.stderr

    def test_an_option_before_it_that_we_do_not_know_is_wrong_usage(self, app: MadeApp):
        assert app.exec("--verbose", *python("print('ran')")).returncode == 2

    def test_help_fits_a_terminal_and_names_where_quiet_belongs(self, app: MadeApp):
        done = app.exec("--help", COLUMNS="90")
        assert done.returncode == 0
        assert "exec [-h] [--quiet] [--] COMMAND ..." in done.stdout
        assert "exec --quiet git pull" in done.stdout
        assert max(map(len, done.stdout.splitlines())) <= 90


class TestEnvironment:
    def test_the_apps_own_python_comes_first(self, app: MadeApp, tmp_path: Path):
        venv.create(app.folder / ".venv", with_pip=False)
        show = "import os, sys; print(sys.prefix); print(os.environ['VIRTUAL_ENV'])"
        done = app.exec("python", "-c", show, cwd=tmp_path, PYTHONHOME="")
        assert done.stdout.splitlines() == [str(app.folder / ".venv")] * 2, done.stderr

    @POSIX
    def test_the_apps_own_tools_are_found(self, app: MadeApp, tmp_path: Path):
        venv.create(app.folder / ".venv", with_pip=False)
        tool = app.folder / ".venv" / "bin" / "tool-of-the-app"
        tool.write_text("#!/bin/sh\necho found\n")
        tool.chmod(0o755)
        assert app.exec("tool-of-the-app", cwd=tmp_path).stdout == "found\n"

    def test_every_value_of_dotenv_is_there(self, app: MadeApp):
        app.know(ACME_TOKEN="x", OTHER="of the file", MINE="of the file")
        done = app.exec(
            *python("import os; print(os.environ['OTHER'], os.environ['MINE'])"), MINE="of the shell"
        )
        assert done.stdout == "of the file of the shell\n"

    def uv_variables(self, app: MadeApp, **env: str) -> list[str | None]:
        names = ("UV_INDEX_PRIVATE_USERNAME", "UV_INDEX_PRIVATE_PASSWORD")
        code = f"import json, os; print(json.dumps([os.environ.get(name) for name in {names}]))"
        done = app.exec(*python(code), **env)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def test_uv_gets_the_decoded_login_of_the_index_unless_the_person_set_one(self, app: MadeApp):
        app.want('[index]\nurl = "https://${ACME_USER}:${ACME_PASSWORD}@pypi.acme.example/simple/"')
        app.know(ACME_USER="me", ACME_PASSWORD="p%40ss")
        assert self.uv_variables(app) == ["me", "p@ss"]
        assert self.uv_variables(app, UV_INDEX_PRIVATE_PASSWORD="mine") == ["me", "mine"]
        app.know(ACME_USER="me")
        assert self.uv_variables(app) == [None, None]
        app.want()
        assert self.uv_variables(app) == [None, None]

    def test_uv_is_logged_in_to_the_index(self, app: MadeApp, hosts: DemoHosts):
        uv = Path(sys.executable).with_name("uv")
        app.want(f'[index]\nurl = "{hosts.index_answer()}"').know(**hosts.variables)
        (app.folder / "requirements.in").write_text("acme-units\n")
        index = f"private={hosts.index_url}"
        words = ("pip", "compile", "--quiet", "--no-cache", "--default-index", index, "requirements.in")
        done = app.exec(str(uv), *words)
        assert done.returncode == 0, done.stderr
        assert "acme-units==2.1.0" in done.stdout

    def test_the_git_of_uv_is_logged_in(self, app: MadeApp, hosts: DemoHosts, tmp_path: Path):
        uv, token = Path(sys.executable).with_name("uv"), hosts.variables["ACME_TOKEN"]
        units = hosts.git.url_of("acme-units")
        (app.folder / "requirements.in").write_text(f"acme-units @ git+{units}@v2.1.0\n")
        words = ("pip", "compile", "--quiet", "--no-deps", "--cache-dir", str(tmp_path / "cache"))
        done = app.exec(str(uv), *words, "requirements.in")
        assert done.returncode == 0, done.stderr
        assert "acme-units @ git+" in done.stdout
        assert secrets_in(tmp_path / "cache", token) == []


class TestViktor:
    def stand_in(self, app: MadeApp) -> None:
        """Put a program of that name into the app's environment, which prints its arguments."""
        if sys.platform == "win32":
            pytest.skip("a script with a first line for the kernel")
        program = app.folder / "viktor-cli"
        program.write_text(f"#!{sys.executable}\nimport sys\nprint(sys.argv[1:])\n")
        program.chmod(0o755)

    def arguments(self, app: MadeApp, *command: str) -> str:
        path = f"{app.folder}{os.pathsep}{os.environ['PATH']}"
        return app.exec(*command, PATH=path).stdout.strip()

    def test_it_gets_each_variable_that_has_a_value_as_it_stands(self, app: MadeApp, beams: str):
        self.stand_in(app)
        app.want(package(beams), package(beams.replace("beams", "oauth2"), "${ACME_USER}:${ACME_PASSWORD}"))
        app.know(ACME_TOKEN="t%40k", ACME_USER="me", ACME_PASSWORD="", UNRELATED="1")
        given = ["--env", "ACME_TOKEN=t%40k", "--env", "ACME_USER=me"]
        for subcommand in ("install", "start", "run"):
            for program in ("viktor-cli", "./viktor-cli", str(app.folder / "viktor-cli")):
                assert self.arguments(app, program, subcommand, "--last") == str(
                    [subcommand, *given, "--last"]
                )

    def test_the_subcommand_may_come_after_options(self, app: MadeApp):
        self.stand_in(app)
        app.know(ACME_TOKEN="t")
        given = ["--verbose", "start", "--env", "ACME_TOKEN=t"]
        assert self.arguments(app, "viktor-cli", "--verbose", "start") == str(given)

    @pytest.mark.parametrize("words", [["test"], ["publish", "start"], ["--version"], []])
    def test_subcommands_that_take_none_get_none(self, app: MadeApp, words: list[str]):
        self.stand_in(app)
        assert self.arguments(app, "viktor-cli", *words) == str(words)

    def test_other_programs_get_none(self, app: MadeApp):
        self.stand_in(app)
        (app.folder / "viktor-cli").rename(app.folder / "other-cli")
        assert self.arguments(app, "other-cli", "start") == "['start']"


def ask(
    app: MadeApp, question: str, *arguments: str, environ: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Ask the helper as Git does, in this process."""
    answers = io.StringIO()
    code = credential.answer(arguments or ("get",), app.folder, environ or {}, io.StringIO(question), answers)
    assert code == 0
    return dict(line.split("=", 1) for line in answers.getvalue().splitlines())


class TestHelper:
    def test_the_host_is_compared_as_git_compares_it(self, bare: MadeApp):
        bare.want(package(GITHUB)).know(ACME_TOKEN="t")
        for host in ("github.com", "GitHub.com", "github.com:443"):
            assert ask(bare, f"protocol=https\nhost={host}\n\n") == GIVEN, host
        for other in (
            "http\nhost=github.com",
            "https\nhost=github.com:444",
            "https\nhost=github.com.evil.example",
        ):
            assert ask(bare, f"protocol={other}\n\n") == {}, other

    @pytest.mark.parametrize(
        "question", ["", "\n", "nonsense\n", "protocol=https\n", "host=[\nprotocol=https\n"]
    )
    def test_half_a_question_has_no_login_as_its_answer(self, bare: MadeApp, question: str):
        bare.want(package(GITHUB)).know(ACME_TOKEN="t")
        assert "password" not in ask(bare, question)

    @pytest.mark.parametrize("action", ["store", "erase", "capability", "anything"])
    def test_it_stores_and_erases_nothing(self, bare: MadeApp, action: str):
        bare.want(package(GITHUB)).know(ACME_TOKEN="t")
        before = (bare.folder / ".env").read_bytes()
        question = "protocol=https\nhost=github.com\nusername=x\npassword=new\n\n"
        assert ask(bare, question, action) == {}
        assert (bare.folder / ".env").read_bytes() == before

    def test_lines_after_an_empty_one_and_line_ends_of_windows_are_no_matter(self, bare: MadeApp):
        bare.want(package(GITHUB)).know(ACME_TOKEN="t")
        assert ask(bare, "protocol=https\r\nhost=github.com\r\n\r\nhost=other.example\r\n") == GIVEN

    @pytest.mark.parametrize(
        ("path", "user"),
        [
            ("acme/beams.git", "x-access-token"),
            ("acme/loads.git", "oauth2"),
            ("acme/loads", "oauth2"),
            ("Acme/Loads.git/info/lfs", "oauth2"),
            ("other/new.git", "git"),
            ("acme/new.git", "x-access-token"),
            ("", "x-access-token"),
        ],
    )
    def test_the_path_decides_between_logins_and_neighbours_share(self, bare: MadeApp, path: str, user: str):
        bare.want(
            package("https://git.example/acme/beams.git"),
            package("https://git.example/acme/loads.git", "oauth2:${LOADS}"),
            package("https://git.example/other/units.git", "git:${OTHER}"),
        ).know(ACME_TOKEN="t", LOADS="l", OTHER="o")
        assert ask(bare, f"protocol=https\nhost=git.example\npath={path}\n\n")["username"] == user

    @pytest.mark.parametrize("sign", ["%0A", "%0D", "%00"])
    def test_a_value_that_would_write_a_line_of_its_own_is_refused(
        self, bare: MadeApp, sign: str, capsys: pytest.CaptureFixture[str]
    ):
        bare.want(package(GITHUB)).know(ACME_TOKEN=f"secret{sign}quit=0")
        assert ask(bare, "protocol=https\nhost=github.com\n\n") == {"quit": "1"}
        said = capsys.readouterr().err
        assert "line break" in said
        assert "secret" not in said

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("private-packages.toml", b"[[["),
            ("private-packages.toml", b"format = 2"),
            ("private-packages.toml", b"\xff"),
            ("private-packages.toml", b"format = 1\npackages = 3"),
            (".env", b"no line"),
        ],
    )
    def test_a_broken_file_is_a_sentence_and_git_asks_nobody(
        self, bare: MadeApp, name: str, content: bytes, capsys: pytest.CaptureFixture[str]
    ):
        bare.want(package(GITHUB)).know(ACME_TOKEN="t")
        (bare.folder / name).write_bytes(content)
        assert ask(bare, "protocol=https\nhost=github.com\n\n") == {"quit": "1"}
        assert name in capsys.readouterr().err

    def test_a_token_of_any_bytes_arrives(self, bare: MadeApp):
        bare.want(package(GITHUB)).know()
        environ = {"ACME_TOKEN": os.fsdecode(b"\xff") + "%FE"}
        assert ask(bare, "protocol=https\nhost=github.com\n\n", environ=environ)["password"] == "\udcff\udcfe"

    def test_only_hosts_with_a_login_of_ours_get_the_helper(self, tmp_path: Path):
        wanted = [
            Package("a", "git", "a", url="https://one.example/x/a.git", user_info="${T}"),
            Package("b", "git", "b", url="https://two.example/x/b.git"),
            Package("c", "git", "c", url="ssh://git@three.example/x/c.git", user_info="${T}"),
            Package("d", "git", "d", url="git@four.example:x/d.git"),
            Package("e", "index", "e==1"),
        ]
        env = with_helper({}, wanted, tmp_path)
        assert {value for name, value in env.items() if "_KEY_" in name} == {
            "credential.https://one.example.helper"
        }
