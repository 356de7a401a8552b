"""The CI file of a generated app: sound in the eyes of each system's own checkers, and each step of it run."""

from __future__ import annotations

import re
import shutil
import subprocess
import sysconfig
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from apps import CI_FILES, CI_SYSTEMS, ROOT, Apps, render
from ci import (
    HERE,
    INSTALL,
    RUNS_ON_LINUX,
    TEST,
    VIKTOR,
    Machine,
    answered,
    ci_file,
    clone,
    given,
    leaking_files,
    leaks,
    push,
    secrets_of,
    slug,
)
from templates import files_for

from demo import runs
from demo.cli import viktor_has_wheels
from demo.hosts import DemoHosts

HTTPS = "acme-beams @ git+https://x-access-token:${BEAMS_TOKEN}@github.com/acme/beams.git@v1.2.3"
SSH = "acme-ssh @ git@github.com:acme/ssh.git"
GIT = "acme-loads[plot] @ git+https://${GIT_USER}:${GIT_TOKEN}@git.acme.example/acme/loads.git@v0.9.0"
INDEX = 'acme-units[si]==2.1.0 ; python_version < "3.15"'
INDEX_URL = "https://${INDEX_USER}:${INDEX_PASSWORD}@packages.example.com/simple/"
CHOICES: dict[str, dict[str, Any]] = {
    "none": {"strategies": []},
    "submodule https": {"strategies": ["submodule"], "submodule_packages": HTTPS},
    "submodule ssh": {"strategies": ["submodule"], "submodule_packages": SSH},
    "git": {"strategies": ["git"], "git_packages": GIT},
    "index extra": {"strategies": ["index"], "index_packages": INDEX, "index_url": INDEX_URL},
    "index only": {
        "strategies": ["index"],
        "index_packages": INDEX,
        "index_url": INDEX_URL,
        "index_scope": "only",
    },
    "mixed": {
        "strategies": ["submodule", "git", "index"],
        "submodule_packages": f"{HTTPS}\n{SSH}",
        "git_packages": GIT,
        "index_packages": INDEX,
        "index_url": INDEX_URL,
    },
}
# The answers that name variables.
NAMING = ("submodule_packages", "git_packages", "index_packages", "index_url")
# What logs in for a job alone: each of the ways that package lines and index can name.
SHORT_LIVED: dict[str, dict[str, Any]] = {
    "app and aws": {
        "strategies": ["submodule", "git", "index"],
        "submodule_packages": "acme-beams @ git+https://x-access-token:${ACME_TOKEN}@github.com/acme/beams.git@v1.2.3",
        "git_packages": "acme-loads @ git+https://x-access-token:${ACME_TOKEN}@github.com/acme/loads@v0.9.0",
        "index_packages": "acme-units==2.1.0",
        "index_url": "https://aws:${ACME_PASSWORD}@acme-111122223333.d.codeartifact.eu-west-1.amazonaws.com/pypi/units/simple/",
    },
    "google": {
        "strategies": ["index"],
        "index_packages": "acme-units==2.1.0",
        "index_url": "https://oauth2accesstoken:${ACME_PASSWORD}@europe-west4-python.pkg.dev/acme-project/units/simple/",
    },
    "azure": {
        "strategies": ["git", "index"],
        "git_packages": "acme-loads @ git+https://pat:${ACME_TOKEN}@dev.azure.com/acme/My%20Tools/_git/loads@v0.9.0",
        "index_packages": "acme-units==2.1.0",
        "index_url": "https://VssSessionToken:${ACME_PASSWORD}@pkgs.dev.azure.com/acme/Tools/_packaging/units/pypi/simple/",
    },
}

PAGE = "docs/private-packages.md"

# Each system's checkers, as a command that takes files; none asks the network.
ACTIONLINT = ["actionlint", "-no-color", "-shellcheck=", "-pyflakes="]
ZIZMOR = ["zizmor", "--offline", "--no-progress", "--persona=auditor", "--no-config", "--strict-collection"]
SCHEMA = ["check-jsonschema", "--builtin-schema"]
GITHUB_SCHEMA = [*SCHEMA, "vendor.github-workflows"]
GITLAB_SCHEMA = [*SCHEMA, "vendor.gitlab-ci", "--data-transform", "gitlab-ci"]
# Azure's schema holds patterns that are no Unicode regular expressions.
AZURE_SCHEMA = [*SCHEMA, "vendor.azure-pipelines", "--data-transform", "azure-pipelines"]
AZURE_SCHEMA += ["--regex-variant", "nonunicode"]
BITBUCKET_SCHEMA = [*SCHEMA, "vendor.bitbucket-pipelines"]
# Forgejo's file is one for GitHub but for the labels of its runners.
FORGEJO_LINT = [*ACTIONLINT, '-ignore=label "docker" is unknown']
CHECKERS = {
    "github": [ACTIONLINT, ZIZMOR, GITHUB_SCHEMA],
    "gitlab": [GITLAB_SCHEMA],
    "azure": [AZURE_SCHEMA],
    "bitbucket": [BITBUCKET_SCHEMA],
    "forgejo": [FORGEJO_LINT, GITHUB_SCHEMA],
}


def checked(checker: list[str], *files: Path) -> tuple[bool, str]:
    """Whether a checker has nothing to say against some files, and what it printed."""
    program = shutil.which(checker[0], path=sysconfig.get_path("scripts"))
    assert program, f"{checker[0]} is not installed beside this Python"
    done = subprocess.run(
        [program, *checker[1:], *files], capture_output=True, text=True, encoding="utf-8", check=False
    )
    return done.returncode == 0, done.stdout + done.stderr


def ci_text(app: Path) -> str:
    """The CI file of an app."""
    return ci_file(app).read_text(encoding="utf-8")


def named(answers: Mapping[str, Any]) -> set[str]:
    """The variables that the answers name."""
    return set(re.findall(r"\$\{(\w+)\}", " ".join(answers.get(question, "") for question in NAMING)))


def pinned_uv() -> str:
    """The version of uv that this project runs with."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (pin,) = (one for one in project["tool"]["uv"]["constraint-dependencies"] if one.startswith("uv=="))
    return pin


@dataclass(frozen=True)
class Step:
    """A shell step of a job: its script, the shell that the CI system gives it, what it adds to the environment."""

    script: str
    shell: tuple[str, ...]
    env: dict[str, str]


def actions_steps(data: Any, job: str, given: Mapping[str, str]) -> Iterator[Step]:
    """A secret that nobody has made is empty on GitHub and Forgejo."""
    for step in data["jobs"][job]["steps"]:
        if "run" in step:
            env = {
                name: re.sub(
                    r"\$\{\{ (?:steps[\w.]+ \|\| )?(?:secrets|vars)\.(\w+) \}\}",
                    lambda match: given.get(match[1], ""),
                    value,
                )
                for name, value in step.get("env", {}).items()
            }
            yield Step(step["run"], ("bash", "-e", "-c"), env)


def gitlab_steps(data: Any, job: str, given: Mapping[str, str]) -> Iterator[Step]:
    """GitLab has one shell for a whole job, and every job sees every variable."""
    script = "\n".join(data["default"].get("before_script", []) + data[job]["script"])
    yield Step(script, ("bash", "-eo", "pipefail", "-c"), {**given})


def azure_steps(data: Any, job: str, given: Mapping[str, str]) -> Iterator[Step]:
    """Azure leaves `$(NAME)` as it stands when nobody has made the variable."""
    for step in azure_job(data, job)["steps"]:
        if "bash" in step:
            env = {
                name: re.sub(r"\$\(([\w.]+)\)", lambda match: given.get(match[1], match[0]), value)
                for name, value in step.get("env", {}).items()
            }
            yield Step(step["bash"], ("bash", "--noprofile", "--norc", "-c"), env)


def azure_job(data: Any, name: str) -> Any:
    """A job; one that publishes has its steps below a strategy."""
    (job,) = (one for one in data["jobs"] if name in (one.get("job"), one.get("deployment")))
    return job | job.get("strategy", {}).get("runOnce", {}).get("deploy", {})


def bitbucket_steps(data: Any, job: str, given: Mapping[str, str]) -> Iterator[Step]:
    """Bitbucket has one shell for a whole step, which sees every variable."""
    (step,) = (one["step"] for one in data["pipelines"]["default"] if one["step"]["name"].lower() == job)
    yield Step("\n".join(step["script"]), ("bash", "-e", "-c"), {**given})


def page_steps(page: str) -> Iterator[Step]:
    """Without a CI system, what the page says that a job types."""
    for line in page.partition("## CI")[2].partition("```sh\n")[2].partition("```")[0].splitlines():
        yield Step(line, ("bash", "-e", "-c"), {})


STEPS = {
    "github": actions_steps,
    "gitlab": gitlab_steps,
    "azure": azure_steps,
    "bitbucket": bitbucket_steps,
    "forgejo": actions_steps,
}
# Whose jobs see each variable by themselves, so that the file names none.
SEES_ALL = ("gitlab", "bitbucket")


def steps(app: Path, job: str, given: Mapping[str, str]) -> list[Step]:
    """The shell steps of a job, with the secrets and variables that somebody has given to the CI system."""
    if answered(app)["ci"] == "none":
        page = (app / PAGE).read_text(encoding="utf-8")
        return [replace(step, env=dict(given)) for step in page_steps(page)]
    return list(STEPS[answered(app)["ci"]](yaml.safe_load(ci_text(app)), job, given))


def publishes(app: Path) -> bool:
    """Whether an app has a job that publishes it: VIKTOR's program does so from some CI systems."""
    return answered(app)["platform"] == "viktor" and CI_SYSTEMS[answered(app)["ci"]]["publishes"]


def builds(app: Path) -> bool:
    """Whether an app has a job that builds its image."""
    return answered(app)["platform"] == "python" and bool(answered(app).get("containers"))


def write(folder: Path, **answers: Any) -> Path:
    """The folder of an app, with its answers, its CI file and its page; without Copier, which takes its time."""
    questions = yaml.safe_load((ROOT / "copier.yml").read_text(encoding="utf-8"))
    known = {
        "app_name": folder.name,
        "app_slug": folder.name,
        "index_scope": "extra",
        "python_version": questions["python_version"]["default"],
        "uv_version": questions["uv_version"]["default"],
        "submodule_packages": "",
        "git_packages": "",
        "index_packages": "",
        "index_url": "",
        **answers,
    }
    texts = files_for(PAGE, **known)
    if CI_FILES[answers["ci"]]:
        (texts[CI_FILES[answers["ci"]]],) = files_for("{{ ci_file }}", **known).values()
    texts[".copier-answers.yml"] = yaml.safe_dump(known)
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module", params=list(CHECKERS))
def rendered(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The apps of one CI system: each choice of packages, for VIKTOR what makes its job differ, and one with an image."""
    folder = tmp_path_factory.mktemp(request.param)
    chosen = {"python": CHOICES, "viktor": {name: CHOICES[name] for name in ("none", "git", "mixed")}}
    apps = [
        write(folder / f"{platform} {choice}", ci=request.param, platform=platform, **answers)
        for platform, choices in chosen.items()
        for choice, answers in choices.items()
    ]
    image = {"platform": "python", "containers": True, **CHOICES["mixed"]}
    return [*apps, write(folder / "image", ci=request.param, **image)]


@pytest.fixture(scope="module")
def short_lived(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Path]:
    """VIKTOR apps whose lines name what logs in for a job alone, by CI system and way."""
    folder = tmp_path_factory.mktemp("short-lived")
    return {
        (ci, way): write(folder / f"{ci} {way}", ci=ci, platform="viktor", **answers)
        for ci in CHECKERS
        for way, answers in SHORT_LIVED.items()
    }


@pytest.fixture(scope="module")
def whole(
    short_lived: dict[tuple[str, str], Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """The CI file with everything in it, of each system; `github oidc` is GitHub's with short-lived logins."""
    folder = tmp_path_factory.mktemp("whole")
    texts = {ci: ci_text(write(folder / ci, ci=ci, platform="viktor", **CHOICES["mixed"])) for ci in CHECKERS}
    return {**texts, "github oidc": ci_text(short_lived["github", "app and aws"])}


@pytest.mark.parametrize("ci", list(CHECKERS))
def test_copier_renders_what_these_tests_look_at(questionnaire: Path, tmp_path: Path, ci: str):
    answers = {"app_name": "my app", "ci": ci, "platform": "viktor", **SHORT_LIVED["app and aws"]}
    app = render(questionnaire, tmp_path / "copier" / "my-app", **answers)
    same = write(tmp_path / "written" / "my-app", **answers)
    for file in (CI_FILES[ci], PAGE):
        assert (app / file).read_text(encoding="utf-8") == (same / file).read_text(encoding="utf-8")


# Each system's checkers


def test_no_checker_of_the_ci_system_finds_anything(
    rendered: list[Path], short_lived: dict[tuple[str, str], Path]
):
    ci = answered(rendered[0])["ci"]
    apps = [*rendered, *(app for (system, _), app in short_lived.items() if system == ci)]
    for checker in CHECKERS[ci]:
        sound, said = checked(checker, *map(ci_file, apps))
        assert sound, said


def test_the_actions_that_log_in_take_what_the_workflow_gives_them(
    short_lived: dict[tuple[str, str], Path], tmp_path: Path
):
    """actionlint knows the inputs of well-known actions by their major version, not by a commit."""
    for (ci, way), app in short_lived.items():
        if ci == "github":
            text = re.sub(r"@[0-9a-f]{40} # (v\d+)\S*", r"@\1", ci_text(app))
            file = tmp_path / way / CI_FILES["github"]
            file.parent.mkdir(parents=True)
            file.write_text(text, encoding="utf-8")
            sound, said = checked(ACTIONLINT, file)
            assert sound, said


def test_no_checker_finds_anything_in_the_workflows_of_this_repository():
    workflows = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
    assert [workflow.stem for workflow in workflows] == ["ci", "release"]
    for checker in CHECKERS["github"]:
        sound, said = checked(checker, *workflows)
        assert sound, said


@pytest.mark.parametrize(
    ("ci", "checker", "sound", "broken", "complaint"),
    [
        ("github", ZIZMOR, r"@[0-9a-f]{40} # v", "@v", "unpinned-uses"),
        ("github", ZIZMOR, "python -m unittest", "echo ${{ github.event.issue.title }}", "template-injection"),
        ("github", ZIZMOR, r" +with:\n +persist-credentials: false\n", "", "artipacked"),
        ("github", ZIZMOR, "permissions: {}", "permissions: write-all", "excessive-permissions"),
        ("github", ZIZMOR, "  push:", "  pull_request_target:", "dangerous-triggers"),
        ("github", ZIZMOR, r"(?s)concurrency:.*?\n\n", "", "concurrency-limits"),
        ("github", ACTIONLINT, "python -m unittest", "echo ${{ github.event.issue.title }}", "potentially untrusted"),
        ("github", ACTIONLINT, "secrets.BEAMS_TOKEN", "secretz.BEAMS_TOKEN", "undefined variable"),
        ("github", ACTIONLINT, "needs: test", "needs: tests", "does not exist"),
        ("github", ACTIONLINT, "timeout-minutes", "timeout", "unexpected key"),
        ("github", GITHUB_SCHEMA, "timeout-minutes", "timeout", "'timeout' was unexpected"),
        ("github", ZIZMOR, " +environment: private-packages\n", "", "secrets-outside-env"),
        ("github", ZIZMOR, " +environment: viktor\n", "", "secrets-outside-env"),
        ("github oidc", ACTIONLINT, "(?s)@[0-9a-f]{40} # (v3).*?owner:", r"@\1\n        with:\n          own:", "is not defined in action"),
        ("github oidc", ACTIONLINT, "steps.login_acme_token", "steps.login_acme_tokens", "is not defined"),
        ("gitlab", GITLAB_SCHEMA, "  stage: deploy", "  stages: deploy", "'stages' was unexpected"),
        ("gitlab", GITLAB_SCHEMA, "stage: test", "stage: 1", "1 is not of type"),
        ("azure", AZURE_SCHEMA, "timeoutInMinutes", "timeout", "not valid under any"),
        ("azure", AZURE_SCHEMA, "displayName: Test", "displayname: Test", "not valid under any"),
        ("azure", AZURE_SCHEMA, "runOnce", "runonce", "not valid under any"),
        ("bitbucket", BITBUCKET_SCHEMA, "max-time: 20", "max-time: 20 minutes", "is not of type"),
        ("bitbucket", BITBUCKET_SCHEMA, "- step: &test", "- steps: &test", "'steps' was unexpected"),
        ("forgejo", FORGEJO_LINT, "secrets.BEAMS_TOKEN", "secretz.BEAMS_TOKEN", "undefined variable"),
        ("forgejo", GITHUB_SCHEMA, "timeout-minutes", "timeout", "'timeout' was unexpected"),
    ],
)  # fmt: skip
def test_each_checker_refuses_a_broken_file(
    whole: dict[str, str],
    tmp_path: Path,
    ci: str,
    checker: list[str],
    sound: str,
    broken: str,
    complaint: str,
):
    text, changes = re.subn(sound, broken, whole[ci])
    assert changes
    file = tmp_path / CI_FILES[ci.split()[0]]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    passed, said = checked(checker, file)
    assert not passed
    assert complaint in said


# What each file does, and with which rights


def test_ci_gets_the_uv_of_this_project_then_installs_and_tests(rendered: list[Path]):
    for app in rendered:
        # Forgejo's image has no program for the action that checks out elsewhere.
        scripts = [one.script for one in steps(app, "test", {}) if "git fetch" not in one.script]
        assert "\n".join(scripts).splitlines() == [f"python -m pip install {pinned_uv()}", INSTALL, TEST], (
            app.name
        )


def test_a_publication_installs_the_same_way(rendered: list[Path]):
    for app in rendered:
        if publishes(app):
            lines = "\n".join(step.script for step in steps(app, "publish", {})).splitlines()
            assert lines[:2] == [f"python -m pip install {pinned_uv()}", INSTALL], app.name


def test_the_page_of_an_app_without_ci_names_the_same_commands(tmp_path: Path):
    for choice, answers in CHOICES.items():
        app = write(tmp_path / choice, ci="none", platform="python", **answers)
        found = [step.script for step in steps(app, "test", {})]
        wanted = ["python -m pip install uv", INSTALL, TEST]
        assert found == (wanted if answers["strategies"] else []), choice


def test_every_step_gets_the_variables_of_what_it_runs_and_no_others(rendered: list[Path]):
    for app in rendered:
        answers = answered(app)
        if answers["ci"] in SEES_ALL:
            assert not [name for name in named(answers) | VIKTOR if f"{name}:" in ci_text(app)], app.name
            continue
        for job in ["test", *(["publish"] if publishes(app) else []), *(["image"] if builds(app) else [])]:
            # Each secret is its own name here, so that one mapped to another is seen.
            for step in steps(app, job, {name: name for name in named(answers) | VIKTOR}):
                wanted: set[str] = set()
                if re.search(r"private_packages (install|sync)|ci-install|docker build", step.script):
                    wanted |= named(answers)
                if "viktor-cli ci-" in step.script:
                    wanted |= VIKTOR
                if "git fetch" in step.script:
                    assert step.env["CHECKOUT_TOKEN"] == "${{ github.token }}"
                    continue
                assert step.env == {name: name for name in wanted}, (app.name, job, step.script)


def test_no_outsider_starts_a_job_and_none_has_more_rights_than_it_needs(
    rendered: list[Path], short_lived: dict[tuple[str, str], Path]
):
    """A fork's pull request, which brings code of its own, meets no secret."""
    system = answered(rendered[0])["ci"]
    for app in [*rendered, *(app for (ci, _), app in short_lived.items() if ci == system)]:
        ci, text = answered(app)["ci"], ci_text(app)
        data = yaml.safe_load(text)
        assert not re.search(r"pull_request|merge_request|pull-requests", text), app.name
        if ci in ("github", "forgejo"):
            # YAML 1.1 reads the key `on` as true.
            assert set(data[True]) == {"push", "workflow_dispatch"}
            assert "env" not in data
            assert not [job for job in data["jobs"].values() if "env" in job]
        if ci == "github":
            assert data["permissions"] == {}
            by_id_token = re.search("(?m)^ +role-to-assume|^ +workload_identity_provider|^ +tenant-id", text)
            wanted = {"contents": "read", **({"id-token": "write"} if by_id_token else {})}
            assert all(job["permissions"] == wanted for job in data["jobs"].values()), app.name
            assert text.count("persist-credentials: false") == text.count("uses: actions/checkout@")
            # What a step hands on is hidden first.
            hidden = re.findall(
                r'(?m)^ +echo "::add-mask::\$token"\n +echo "token=\$token" >> "\$GITHUB_OUTPUT"', text
            )
            assert text.count("GITHUB_OUTPUT") == len(hidden), app.name
            used = re.findall(r"uses: (.*)", text)
            assert used
            assert all(re.fullmatch(r"[a-z/-]+@[0-9a-f]{40} # v[0-9.]+", one) for one in used)
        elif ci == "azure":
            assert data["pr"] == "none"
            for job in data["jobs"]:
                name = job.get("job") or job["deployment"]
                assert azure_job(data, name)["steps"][0] == {
                    "checkout": "self",
                    "persistCredentials": "false",
                }
        elif ci == "bitbucket":
            assert set(data["pipelines"]) == {"default", "tags"}
            assert ("oidc: true" in text) == ("awscli" in text)
        elif ci == "gitlab":
            assert ("id_tokens" in text) == ("awscli" in text)


def test_every_job_ends_and_a_newer_push_stops_a_test_and_never_a_publication(rendered: list[Path]):
    """Azure Pipelines and Bitbucket cannot stop an older run; what Forgejo does is its own setting."""
    for app in rendered:
        ci, data = answered(app)["ci"], yaml.safe_load(ci_text(app))
        if ci in ("github", "forgejo"):
            assert all(job["timeout-minutes"] <= 30 for job in data["jobs"].values())
        if ci == "github":
            assert data["concurrency"] == {
                "group": "ci-${{ github.ref }}",
                "cancel-in-progress": "${{ github.ref_type == 'branch' }}",
            }
        elif ci == "gitlab":
            jobs = {name: job for name, job in data.items() if name != "default"}
            assert all(int(job["timeout"].removesuffix(" minutes")) <= 30 for job in jobs.values())
            assert [name for name, job in jobs.items() if job.get("interruptible")] == ["test"]
        elif ci == "azure":
            assert all(int(job["timeoutInMinutes"]) <= 30 for job in data["jobs"])
        elif ci == "bitbucket":
            assert all(one["step"]["max-time"] <= 30 for one in data["pipelines"]["default"])
            assert data["pipelines"]["tags"] == {"**": data["pipelines"]["default"]}


def test_nothing_that_was_downloaded_is_kept(rendered: list[Path]):
    """What pip and uv keep of an answer may hold the login."""
    for app in rendered:
        assert "cache" not in ci_text(app).lower().replace("apk add --no-cache", ""), app.name


def test_only_viktor_publishes_and_only_tags_of_a_repository_that_names_its_environment(rendered: list[Path]):
    """A person has to agree, once the environment `viktor` is protected."""
    for app in rendered:
        ci, text = answered(app)["ci"], ci_text(app)
        assert ("ci-publish" in text) == publishes(app), app.name
        page = (app / PAGE).read_text(encoding="utf-8")
        by_hand = "so there is no job that publishes" in page
        if not publishes(app):
            # The page of an app without packages has no section on CI.
            wanted = answered(app)["platform"] == "viktor" and answered(app)["strategies"] != []
            assert by_hand == wanted, app.name
            continue
        data = yaml.safe_load(text)
        if ci == "github":
            job = data["jobs"]["publish"]
            assert (job["needs"], job["if"]) == ("test", "github.ref_type == 'tag' && vars.VIKTOR_ENV != ''")
        elif ci == "gitlab":
            job = data["publish"]
            assert (job["stage"], job["rules"]) == ("deploy", [{"if": "$CI_COMMIT_TAG && $VIKTOR_ENV"}])
        else:
            job = azure_job(data, "publish")
            assert job["dependsOn"] == "test"
            assert job["condition"] == (
                "and(succeeded(), startsWith(variables['Build.SourceBranch'], 'refs/tags/'), "
                "ne(variables['VIKTOR_ENV'], ''))"
            )
        assert job["environment"] == "viktor"


def test_tokens_that_ci_gives_by_itself_are_taken_and_not_asked_for(tmp_path: Path):
    def made(ci: str, login: str) -> tuple[str, str]:
        line = f"acme-beams @ git+https://{login}@git.acme.example/acme/beams.git@v1"
        app = write(tmp_path / ci, ci=ci, platform="python", strategies=["git"], git_packages=line)
        return ci_text(app), (app / PAGE).read_text(encoding="utf-8")

    assert "SYSTEM_ACCESSTOKEN: $(System.AccessToken)" in made("azure", "pat:${SYSTEM_ACCESSTOKEN}")[0]
    assert "Edit > Variables" not in made("azure", "pat:${SYSTEM_ACCESSTOKEN}")[1]
    assert "masked" not in made("gitlab", "gitlab-ci-token:${CI_JOB_TOKEN}")[1]
    assert "put another name into the package's line" in made("github", "x-access-token:${GITHUB_TOKEN}")[1]
    own = made("bitbucket", "${BITBUCKET_PACKAGES_USERNAME}:${BITBUCKET_PACKAGES_TOKEN}")[1]
    assert "secured" not in own
    text, page = made("forgejo", "${ACME_USER}:${FORGEJO_TOKEN}")
    assert "FORGEJO_TOKEN: ${{ github.token }}" in text
    assert "give the repository or the organisation `ACME_USER` as\nsecret." in page


def test_the_page_says_what_a_short_lived_login_needs_and_asks_for_no_secret_that_lasts(
    short_lived: dict[tuple[str, str], Path],
):
    wanted = {
        ("github", "app and aws"): [
            "PACKAGES_APP_CLIENT_ID",
            "PACKAGES_APP_PRIVATE_KEY",
            "PACKAGES_AWS_ROLE",
        ],
        ("github", "google"): ["PACKAGES_GOOGLE_PROVIDER", "PACKAGES_GOOGLE_ACCOUNT"],
        ("github", "azure"): ["PACKAGES_AZURE_CLIENT_ID", "PACKAGES_AZURE_TENANT_ID"],
        ("gitlab", "app and aws"): ["PACKAGES_AWS_ROLE"],
        ("bitbucket", "app and aws"): ["PACKAGES_AWS_ROLE"],
    }
    for (ci, way), app in short_lived.items():
        text = ci_text(app)
        page = (app / PAGE).read_text(encoding="utf-8")
        section = page.partition("\n## CI\n")[2].partition("\n## ")[0]
        read = set(re.findall(r"\bPACKAGES_(?!ID_TOKEN)[A-Z_]+", text))
        assert read == set(wanted.get((ci, way), [])), (ci, way)
        assert read == set(re.findall(r"`(PACKAGES_[A-Z_]+)`", section)), (ci, way)
        stored = re.search(r"(?s)give the .*? as\s+\w+ ?\w*", section)
        minted = ci == "github" or (ci, way) in wanted
        if minted:
            assert "ACME_PASSWORD" not in (stored[0] if stored else ""), (ci, way)
        elif way != "azure":
            assert re.search(r"`ACME_PASSWORD` lasts (12 hours|an hour)", section), (ci, way)


@pytest.mark.parametrize(
    "line",
    [
        "acme-loads @ git+https://x-access-token:${ACME_TOKEN}@github.com/other/loads@v1",
        "acme-loads @ git+https://oauth2:${ACME_TOKEN}@gitlab.com/acme/loads@v1",
    ],
)
def test_a_variable_of_two_owners_or_two_hosts_comes_from_no_app(tmp_path: Path, line: str):
    """An installation of a GitHub App is of one owner, and its token opens no other host."""
    first = "acme-beams @ git+https://x-access-token:${ACME_TOKEN}@github.com/acme/beams.git@v1.2.3"
    app = write(
        tmp_path / "app", ci="github", platform="python", strategies=["git"], git_packages=f"{first}\n{line}"
    )
    assert "ACME_TOKEN: ${{ secrets.ACME_TOKEN }}" in ci_text(app)
    assert "create-github-app-token" not in ci_text(app)


# The steps, run: of the systems whose file nothing here can execute as a whole.  GitHub's and Forgejo's are in
# test_act.py, GitLab's in test_gitlab_ci.py.

EXECUTED = ("github", "forgejo", "gitlab")
STEP_BY_STEP = ("azure", "bitbucket", "none")


def test_every_ci_system_of_the_question_is_checked_and_run():
    assert set(CHECKERS) == {key for key, one in CI_SYSTEMS.items() if one["file"]}
    assert {*STEP_BY_STEP, *EXECUTED} == set(CI_SYSTEMS)
    for key, one in CI_SYSTEMS.items():
        told = bool(
            one["login"] and one["executed"] and one["validated"] and one["neither"] and one["sources"]
        )
        assert told == (key != "none"), key


def perform(step: Step, app: Path, machine: Machine) -> subprocess.CompletedProcess[str]:
    """Run a step as a runner does: no terminal, no variable but what the file maps."""
    return subprocess.run(
        [*step.shell, step.script],
        cwd=app,
        env={**machine.environment, **step.env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        timeout=600,
        check=False,
    )


@pytest.mark.slow
@RUNS_ON_LINUX
@pytest.mark.parametrize("ci", STEP_BY_STEP)
def test_the_steps_take_a_fresh_clone_to_passed_tests_and_name_a_login_that_is_missing_or_expired(
    apps: Apps, hosts: DemoHosts, variables: dict[str, str], tmp_path: Path, git, ci: str
):
    """What is missing is said before Git runs, all of it at once."""
    machine = Machine.at(tmp_path / "machine")
    app = apps.make(ci=ci, python_version=HERE, **hosts.answers("mixed"))
    push(app)
    here = clone(app, tmp_path / "work" / "clone")
    known = given(hosts)

    def fail(known: dict[str, str]) -> str:
        """What the first failing step prints."""
        hosts.git.clear()
        hosts.index.clear()
        for step in steps(app, "test", known):
            done = perform(step, here, machine)
            if done.returncode:
                assert INSTALL in step.script
                assert not list(here.glob(".venv/lib/*/site-packages/acme*")), "something was installed"
                assert not leaks(done.stdout, [*secrets_of(known), "expired"])
                return done.stdout
        raise AssertionError("no step failed")

    none = {name: value for name, value in known.items() if name in VIKTOR}
    assert "STOP ACME_TOKEN, ACME_USER and ACME_PASSWORD have no value.\n" in fail(none)
    assert not hosts.git.requests and not hosts.index.requests
    assert "refused the login in ACME_TOKEN" in fail({**known, "ACME_TOKEN": "expired"})
    assert "refuses the login from ACME_USER and ACME_PASSWORD" in fail({**known, "ACME_PASSWORD": "expired"})

    printed = []
    for step in steps(app, "test", known):
        done = perform(step, here, machine)
        assert done.returncode == 0, done.stdout
        printed.append(done.stdout)
    assert git(here / "app/submodules/acme-beams", "describe", "--tags") == "v1.2.3"
    assert git(here, "status", "--porcelain") == ""
    assert "Ran 2 tests" in printed[-1]
    assert "skipped" not in printed[-1]
    started = runs.start(here, "python")
    assert all(found in started for found in ("acme-beams: 1.2.3", "acme-units: 2.1.0", "acme-loads: 0.9.0"))
    assert not leaks("".join(printed), secrets_of(known))
    assert not leaking_files(here.parent, secrets_of(known))


@pytest.mark.slow
@RUNS_ON_LINUX
@pytest.mark.skipif(not viktor_has_wheels(), reason="VIKTOR's SDK is installed")
def test_a_tag_is_installed_tested_and_published_by_the_cli_of_viktor(
    apps: Apps, hosts: DemoHosts, variables: dict[str, str], tmp_path: Path
):
    """The CLI cannot be had without an account: a program that writes down its calls is downloaded instead."""
    machine = Machine.at(tmp_path / "machine")
    app = apps.make(ci="azure", python_version=HERE, platform="viktor", **hosts.answers("mixed"))
    push(app)
    here = clone(app, tmp_path / "work" / "clone")
    calls = machine.viktor_cli()
    for step in steps(app, "publish", given(hosts)):
        done = perform(step, here, machine)
        assert done.returncode == 0, done.stdout
    own, installed = sorted(VIKTOR), ["ACME_PASSWORD", "ACME_TOKEN", "ACME_USER"]
    assert [line.split() for line in calls.read_text().splitlines()] == [
        ["ci-install", *installed, *own],
        ["ci-test", *own],
        ["ci-publish", slug(app), *own],
    ]
