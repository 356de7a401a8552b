"""What a person pastes where a package line is asked for: addresses, web pages, commands, a whole requirements.txt."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pexpect
import pytest
import yaml
from apps import ROOT, ask, copier, typed
from lines import BEAMS, WRONG
from private_packages import config, strategies

from demo.hosts import DemoHosts
from demo.samples import SAMPLES, make_repository, source_files

SHA = "0123456789abcdef0123456789abcdef01234567"
LOGIN = "x-access-token:${ACME_TOKEN}"

# What is pasted, and the package lines that it stands for.
PASTED = {
    # As a browser and a clone button give it.
    BEAMS: f"beams @ git+{BEAMS}",
    "https://github.com/acme/beams": f"beams @ git+{BEAMS}",
    "https://github.com/acme/beams/": f"beams @ git+{BEAMS}",
    "github.com/acme/beams": f"beams @ git+{BEAMS}",
    "https://github.com/acme/beams?tab=readme-ov-file#install": f"beams @ git+{BEAMS}",
    f"{BEAMS}@v1.2.3": f"beams @ git+{BEAMS}@v1.2.3",
    f"https://{LOGIN}@github.com/acme/beams.git@v1": f"beams @ git+https://{LOGIN}@github.com/acme/beams.git@v1",
    "https://github.com/acme/beams/tree/v1.2.3": f"beams @ git+{BEAMS}@v1.2.3",
    "https://github.com/acme/beams/tree/main/": f"beams @ git+{BEAMS}@main",
    f"https://github.com/acme/beams/commit/{SHA}": f"beams @ git+{BEAMS}@{SHA}",
    "https://github.com/acme/beams/releases/tag/v1.2.3": f"beams @ git+{BEAMS}@v1.2.3",
    f"acme-beams @ git+{BEAMS[:-4]}/tree/main": f"acme-beams @ git+{BEAMS}@main",
    f"acme-beams @ git+https://{LOGIN}@github.com/acme/beams/tree/v1": f"acme-beams @ git+https://{LOGIN}@github.com/acme/beams.git@v1",
    "https://gitlab.com/acme/tools/beams/-/tree/v1.2.3?ref_type=tags": "beams @ git+https://gitlab.com/acme/tools/beams.git@v1.2.3",
    f"https://gitlab.acme.example/acme/beams/-/commit/{SHA}": f"beams @ git+https://gitlab.acme.example/acme/beams.git@{SHA}",
    "https://gitlab.com/acme/beams/-/tags/v1.2.3": "beams @ git+https://gitlab.com/acme/beams.git@v1.2.3",
    "https://gitlab.com/acme/beams/-/releases/v1.2.3": "beams @ git+https://gitlab.com/acme/beams.git@v1.2.3",
    "https://jan@bitbucket.org/acme/beams.git": "beams @ git+https://bitbucket.org/acme/beams.git",
    "https://bitbucket.org/acme/beams/src/main/": "beams @ git+https://bitbucket.org/acme/beams.git@main",
    "https://bitbucket.org/acme/beams/commits/tag/v1.2.3": "beams @ git+https://bitbucket.org/acme/beams.git@v1.2.3",
    "https://acme@dev.azure.com/acme/My%20Tools/_git/beams": "beams @ git+https://dev.azure.com/acme/My%20Tools/_git/beams",
    "https://dev.azure.com/acme/My%20Tools/_git/beams?version=GTv1.2.3": "beams @ git+https://dev.azure.com/acme/My%20Tools/_git/beams@v1.2.3",
    f"https://dev.azure.com/acme/My%20Tools/_git/beams/commit/{SHA}": f"beams @ git+https://dev.azure.com/acme/My%20Tools/_git/beams@{SHA}",
    "https://codeberg.org/acme/beams/src/tag/v1.2.3": "beams @ git+https://codeberg.org/acme/beams.git@v1.2.3",
    "https://codeberg.org/acme/beams/src/branch/main": "beams @ git+https://codeberg.org/acme/beams.git@main",
    "https://git.acme.example/acme/beams": "beams @ git+https://git.acme.example/acme/beams",
    "git@github.com:acme/beams.git": "beams @ git+ssh://git@github.com/acme/beams.git",
    "git@github.com:acme/beams.git@v1": "beams @ git+ssh://git@github.com/acme/beams.git@v1",
    "git@ssh.dev.azure.com:v3/acme/Tools/beams": "beams @ git+ssh://git@ssh.dev.azure.com/v3/acme/Tools/beams",
    "ssh://git@github.com:2222/acme/beams.git": "beams @ git+ssh://git@github.com:2222/acme/beams.git",
    # Commands.
    f"git clone {BEAMS}": f"beams @ git+{BEAMS}",
    f"$ git clone --recurse-submodules -b v1 --depth 1 {BEAMS} acme-beams": f"acme-beams @ git+{BEAMS}@v1",
    f"git clone --branch=v1 {BEAMS}": f"beams @ git+{BEAMS}@v1",
    "git clone git@github.com:acme/beams.git": "beams @ git+ssh://git@github.com/acme/beams.git",
    "gh repo clone acme/beams": f"beams @ git+{BEAMS}",
    f"git submodule add -b main {BEAMS} libs/acme-beams": f"acme-beams @ git+{BEAMS}@main",
    f"pip install git+{BEAMS}@v1.2.3": f"beams @ git+{BEAMS}@v1.2.3",
    f'python -m pip install -U "acme-beams @ git+{BEAMS}@v1"': f"acme-beams @ git+{BEAMS}@v1",
    f"py -3.13 -m pip install acme-beams@git+{BEAMS}": f"acme-beams @ git+{BEAMS}",
    f"pip install -e git+{BEAMS}@v1#egg=acme-beams&subdirectory=packages/b": f"acme-beams @ git+{BEAMS}@v1#subdirectory=packages/b",
    f"uv add git+{BEAMS} --tag v1.2.3": f"beams @ git+{BEAMS}@v1.2.3",
    f'uv add "acme-beams @ git+{BEAMS}" --rev {SHA}': f"acme-beams @ git+{BEAMS}@{SHA}",
    f"uv pip install git+{BEAMS}": f"beams @ git+{BEAMS}",
    f"poetry add git+{BEAMS}#v1.2.3": f"beams @ git+{BEAMS}@v1.2.3",
    f"pdm add git+{BEAMS}@v1": f"beams @ git+{BEAMS}@v1",
    # Lines of a requirements.txt.
    f"git+{BEAMS}@v1": f"beams @ git+{BEAMS}@v1",
    f"-e git+{BEAMS}@v1#egg=acme_beams": f"acme_beams @ git+{BEAMS}@v1",
}
FROM_THE_INDEX = {
    "pip install acme-units==2.1.0": ["acme-units==2.1.0"],
    "pip install --index-url https://${ACME_USER}:${ACME_PASSWORD}@packages.example.com/simple acme-units==2.1.0": [
        "acme-units==2.1.0"
    ],
    "uv add acme-units==2.1.0 'acme-loads[plot]>=1,<2'": ["acme-units==2.1.0", "acme-loads[plot]>=1,<2"],
    "poetry add acme-units@2.1.0": ["acme-units==2.1.0"],
    "acme-units==2.1.0 --hash=sha256:00": ["acme-units==2.1.0"],
}
HOSTS = [
    one
    for one in yaml.safe_load((ROOT / "docs" / "platforms.yml").read_text(encoding="utf-8"))
    if one["kind"] == "git"
]

Git = Callable[..., str]


def lines_of(questionnaire: Path, folder: Path, strategy: str, text: str) -> list[str]:
    """The package lines that a pasted text stands for, which the command reads as well."""
    answers = {"strategies": [strategy], f"{strategy}_packages": text}
    if strategy == "index":
        answers |= {"index_url": "https://packages.example.com/simple/", "index_scope": "only"}
    packages = ask(questionnaire, folder, **answers)["packages"]
    for one in packages:
        package = config.Package(
            one["name"],
            strategy,
            one["requirement"],
            one["url"],
            one["user_info"],
            one["ref"],
            subdirectory=one["subdirectory"],
        )
        assert strategies.strategy_of(package).is_its_line(package), one
    return [one["requirement"] for one in packages]


@pytest.mark.parametrize("strategy", ["submodule", "git"])
def test_what_people_have_is_taken(questionnaire: Path, tmp_path: Path, strategy: str):
    for number, (text, line) in enumerate(PASTED.items()):
        assert lines_of(questionnaire, tmp_path / str(number), strategy, text) == [line], text


def test_a_command_that_names_versions_is_taken_for_the_index(questionnaire: Path, tmp_path: Path):
    for number, (text, lines) in enumerate(FROM_THE_INDEX.items()):
        assert lines_of(questionnaire, tmp_path / str(number), "index", text) == lines, text


@pytest.mark.parametrize("host", HOSTS, ids=lambda one: one["key"])
def test_the_clone_buttons_of_every_documented_host_are_taken(
    questionnaire: Path, tmp_path: Path, host: dict[str, list[str]]
):
    for number, example in enumerate(host["examples"]):
        address = example.partition(" @ ")[2].removeprefix("git+").rpartition("@")[0]
        plain = re.sub(r"(?<=https://)[^@/]*@", "", address)
        (line,) = lines_of(questionnaire, tmp_path / f"{number}", "git", plain)
        assert line.partition(" @ git+")[2] == plain, plain
        # As SSH takes it, without a scheme.
        if short := re.fullmatch(r"ssh://(git@[^:/]+)/(.+)", plain):
            assert lines_of(questionnaire, tmp_path / f"{number}s", "git", f"{short[1]}:{short[2]}") == [line]
        else:
            assert lines_of(questionnaire, tmp_path / f"{number}c", "git", f"git clone {plain}") == [line]


@pytest.mark.parametrize("text", WRONG)
def test_a_link_of_the_wrong_kind_is_refused_with_the_right_address(
    questionnaire: Path, tmp_path: Path, text: str
):
    cause, cure = WRONG[text]
    with pytest.raises(ValueError, match="question 'git_packages'") as refused:
        ask(questionnaire, tmp_path / "app", strategies=["git"], git_packages=text)
    said = str(refused.value).partition("question 'git_packages': ")[2]
    assert cure in said
    assert cause in said.partition(";")[0]
    assert len(cause) <= 30
    assert "hunter2" not in said


def test_options_alone_are_no_package(questionnaire: Path, tmp_path: Path):
    with pytest.raises(ValueError, match="option instead of a package"):
        ask(questionnaire, tmp_path / "app", strategies=["git"], git_packages="--pre\n--no-index\n")


WHOLE = f"""\
--extra-index-url https://${{ACME_USER}}:${{ACME_PASSWORD}}@packages.example.com/simple
numpy==2.1.0 ; python_version < "3.14" # public
requests
acme-beams @ git+{BEAMS}@v1
acme-units==2.1.0 \\
    --hash=sha256:00 \\
    --hash=sha256:11
"""


def test_a_whole_requirements_file_gives_what_is_of_the_questions_kind(questionnaire: Path, tmp_path: Path):
    assert lines_of(questionnaire, tmp_path / "g", "git", WHOLE) == [f"acme-beams @ git+{BEAMS}@v1"]
    answers = ask(questionnaire, tmp_path / "app", strategies=["git"], git_packages=WHOLE)
    assert answers["left_out"] == ["numpy", "requests", "acme-units"]
    found = lines_of(questionnaire, tmp_path / "i", "index", WHOLE)
    assert found == ['numpy==2.1.0 ; python_version < "3.14"', "requests", "acme-units==2.1.0"]


@pytest.fixture
def helped(hosts: DemoHosts, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A machine whose own Git knows the login of the demo's host, as after a first `git clone` on Windows."""
    home = tmp_path / "home"
    home.mkdir()
    port = hosts.git.url_of("acme-beams").split("/")[2]
    store = home / "stored"
    store.write_text(f"http://somebody:{hosts.variables['ACME_TOKEN']}@{port}\n")
    settings = home / "gitconfig"
    settings.write_text(
        f'[user]\n\tname = Test\n\temail = test@localhost.invalid\n[credential]\n\thelper = store --file "{store}"\n'
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    for name in hosts.variables:
        monkeypatch.delenv(name, raising=False)
    yield home


@pytest.fixture
def units(hosts: DemoHosts) -> Iterator[str]:
    """The address of a repository that is called otherwise than the package in it."""
    repository = hosts.git.path_of("units")
    make_repository(repository.parent, "units", source_files("acme-units", "2.1.0"), tags=["v2.1.0"])
    yield hosts.git.url_of("units")
    shutil.rmtree(repository)


def copied(template: Path, folder: Path, strategy: str, text: str) -> Path:
    """An app for which somebody pasted this."""
    answers = (f"strategies=[{strategy}]", f"{strategy}_packages={text}", "python_version=3.11", "ci=none")
    words = [word for answer in answers for word in ("--data", answer)]
    done = copier("copy", "--trust", "--defaults", *words, template, folder / "my-app", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "my-app"


class TestAnAppOfPastedLines:
    """From the address in a browser to a running app and a moved version."""

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminal for pexpect")
    def test_eight_key_presses_and_three_commands_lead_to_passing_tests(
        self, template: Path, hosts: DemoHosts, helped: Path, tmp_path: Path
    ):
        """A link from a colleague, a machine that knows the login from an earlier `git clone`, and nothing else."""
        enter, finish = "\r", "\x1b\r"
        pasted = f"{hosts.git.url_of('acme-units')}@v2.1.0"
        pressed = [
            ("Is there an app", enter),
            ("called", enter),
            ("run?", enter),
            ("private packages?", enter),
            ("submodules", pasted),
            ("", finish),
            ("CI system", enter),
        ]
        # The machine of the tests may have no Python as new as the default: that question is answered beforehand.
        given = [f"python_version={sys.version_info[0]}.{sys.version_info[1]}"]
        assert len(pressed) + len(given) <= 8
        words = ["-m", "copier", "copy", "--trust", "--data", *given, str(template), "my-app"]
        with closing(
            pexpect.spawn(
                sys.executable,
                words,
                cwd=str(tmp_path),
                # As a shell has it.
                env={**os.environ, "PWD": str(tmp_path)},
                dimensions=(24, 80),
                encoding="utf-8",
                timeout=60,
            )
        ) as terminal:
            for question, keys in pressed:
                if question:
                    terminal.expect(question)
                    terminal.expect_exact("\x1b[?25h")
                terminal.send(keys)
            terminal.expect(pexpect.EOF)
        said = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.before or "")
        assert "my-app is ready. Next:" in said, said
        printed = [line.strip() for line in said.partition("Next:")[2].splitlines() if line.startswith("  ")]
        # `python` itself is found as a person's shell finds it.
        assert printed[:3] == [
            "cd my-app",
            "python -m private_packages install",
            "python -m private_packages exec python -m unittest",
        ]
        for command in printed[1:3]:
            done = typed(tmp_path / "my-app", command)
            assert done.returncode == 0, done.stderr
        assert re.search(r"Ran [1-9]\d* tests", done.stderr), done.stderr
        assert "OK" in done.stderr

    @pytest.mark.parametrize("strategy", ["submodule", "git"])
    def test_it_runs_with_the_login_that_git_has_and_what_was_typed_stays(
        self, template: Path, units: str, helped: Path, tmp_path: Path, strategy: str
    ):
        """The repository is called otherwise than the package in it, as most are."""
        pasted = {"submodule": f"git clone -b v2.1.0 {units}", "git": f"acme-units @ git+{units}@v2.1.0"}
        text = pasted[strategy]
        app = copied(template, tmp_path, strategy, text)
        assert text in (app / ".copier-answers.yml").read_text(encoding="utf-8")
        done = typed(app, "python -m private_packages install")
        assert done.returncode == 0, done.stderr + done.stdout
        assert "Everything is as it should be." in done.stdout
        done = typed(
            app, "python -m private_packages exec python -c 'import acme_units; print(acme_units.__file__)'"
        )
        assert ("app/submodules/units" in done.stdout) == (strategy == "submodule"), done.stdout + done.stderr
        done = typed(app, "python -m private_packages exec python -m unittest")
        assert done.returncode == 0, done.stderr

    def test_a_git_line_of_another_name_than_the_packages_is_told_that_name(
        self, template: Path, units: str, helped: Path, tmp_path: Path
    ):
        app = copied(template, tmp_path, "git", f"{units}@v2.1.0")
        done = typed(app, "python -m private_packages install")
        assert done.returncode == 1
        assert "holds a package called acme-units" in done.stderr
        assert "`acme-units @ git+https://…`" in done.stderr

    def test_move_writes_whole_lines_in_the_place_of_what_was_pasted(
        self, template: Path, hosts: DemoHosts, helped: Path, tmp_path: Path, git: Git
    ):
        """One command that named two packages becomes a line for each, in answers and toml alike."""
        address = {name: hosts.git.url_of(name) for name in SAMPLES}
        beams, loads = address["acme-beams"], address["acme-loads"]
        app = tmp_path / "my-app"
        text = f"# ours\ngit clone -b v1.1.0 {beams} # why"
        command = f"uv add git+{loads}@v0.8.0 git+{address['acme-units']}@v2.0.0"
        answers = {
            "strategies": ["submodule", "git"],
            "submodule_packages": text,
            "git_packages": command,
            "python_version": "3.11",
            "ci": "none",
        }
        (tmp_path / "answers.yml").write_text(yaml.safe_dump(answers))
        done = copier(
            "copy", "--trust", "--defaults", "--data-file", "answers.yml", template, app, cwd=tmp_path
        )
        assert done.returncode == 0, done.stderr
        for arguments in (["add", "--all"], ["commit", "--quiet", "-m", "Start"]):
            subprocess.run(["git", *arguments], cwd=app, check=True)
        for name, ref in (("acme-beams", "v1.2.3"), ("acme-loads", "v0.9.0")):
            done = typed(app, f"python -m private_packages move {name} {ref}")
            assert done.returncode == 0, done.stderr
        kept = yaml.safe_load((app / ".copier-answers.yml").read_text(encoding="utf-8"))
        assert kept["submodule_packages"] == f"# ours\nacme-beams @ git+{beams}@v1.2.3 # why"
        assert kept["git_packages"].splitlines() == [
            f"acme-loads @ git+{loads}@v0.9.0",
            f"acme-units @ git+{address['acme-units']}@v2.0.0",
        ]
        wanted = (app / "private-packages.toml").read_text(encoding="utf-8")
        assert "typed" not in wanted
        # An update renders what the command wrote.
        for arguments in (["add", "--all"], ["commit", "--quiet", "-m", "Move"]):
            subprocess.run(["git", *arguments], cwd=app, check=True)
        done = copier("recopy", "--trust", "--defaults", "--overwrite", "--vcs-ref", ":current:", cwd=app)
        assert done.returncode == 0, done.stderr
        assert (app / "private-packages.toml").read_text(encoding="utf-8") == wanted
        # Renovate may move those lines from now on.
        assert git(app, "status", "--porcelain") == "M renovate.json"
        assert "The answers hold what was pasted" not in (app / "renovate.json").read_text(encoding="utf-8")


def test_the_message_says_what_an_unpinned_line_means_and_what_was_left_out(
    template: Path, hosts: DemoHosts, helped: Path, tmp_path: Path
):
    text = f"requests\n{hosts.git.url_of('acme-beams')}"
    words = ["--data", "strategies=[submodule]", "--data", f"submodule_packages={text}", "--data", "ci=none"]
    done = copier("copy", "--trust", "--defaults", *words, template, tmp_path / "my-app", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "acme-beams names no tag, branch or commit: it stays at today's newest commit" in done.stderr
    assert "Not taken as private packages: requests." in done.stderr
