"""Two real indexes, a private one and a stranger's: what pip and uv take, and what the check says before."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import copier as copier_library
import pytest
import uv
from wheels import sdist, wheel

from demo.http_host import Faults
from demo.index_host import IndexHost

# The oldest pip that the template supports, and the newest.
PIPS = ("24.0", "newest")
PASSWORD = "SENTINEL-index-password-4711"
RIGHT = {"ACME_USER": "builder", "ACME_PASSWORD": PASSWORD}
CURES = (
    "Do not install.",
    "do not install now",
    "Get a valid",
    "Publish it there",
    "Set it;",
    "Try again",
    "Run `copier",
)
PLATFORM = f"cp{sys.version_info.major}{sys.version_info.minor}-none-" + sysconfig.get_platform().replace(
    "-", "_"
).replace(".", "_")


@pytest.fixture(scope="module")
def pips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The Python of one virtual environment for each pip."""
    found = {}
    for version in PIPS:
        folder = tmp_path_factory.mktemp("pip") / version
        make = [uv.find_uv_bin(), "venv", "--quiet", "--seed", "--python", sys.executable, str(folder)]
        # Not from this project's folder: its own constraints name one pip.
        subprocess.run(make, cwd=folder.parent, check=True)
        python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        wanted = "pip" if version == "newest" else f"pip=={version}"
        get = [uv.find_uv_bin(), "pip", "install", "--quiet", "--upgrade", "--compile-bytecode"]
        get += ["--python", str(python), wanted]
        subprocess.run(get, cwd=folder.parent, check=True)
        found[version] = python
    return found


@dataclass(frozen=True)
class World:
    """An app, its private index, and the public index that a stranger filled."""

    app: Path
    private: IndexHost
    public: IndexHost
    scratch: Path
    variables: dict[str, str] = field(default_factory=lambda: dict(RIGHT))

    @property
    def environment(self) -> dict[str, str]:
        """No configuration of the machine's: PyPI is the stranger's index."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PIP_", "UV_", "ACME_", "NETRC"))
        }
        return kept | {
            "HOME": str(self.scratch),
            "USERPROFILE": str(self.scratch),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_INDEX_URL": self.public.simple_url,
            "PIP_NO_CACHE_DIR": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_TIMEOUT": "1",
            "PIP_RETRIES": "0",
            "UV_NO_CONFIG": "1",
            "UV_NO_CACHE": "1",
            "UV_HTTP_TIMEOUT": "1",
            "UV_HTTP_RETRIES": "0",
            "PRIVATE_PACKAGES_TIMEOUT": "1",
            **self.variables,
        }

    def run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            list(map(str, command)),
            cwd=self.app,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def check(self, python: Path | str) -> subprocess.CompletedProcess[str]:
        """The app's own check; whatever it says, it says no secret."""
        done = self.run(python, "check_private_packages.py")
        assert "Traceback" not in done.stderr, done.stderr
        assert PASSWORD not in done.stdout + done.stderr
        return done

    def stop(self, python: Path | str) -> str:
        """The one sentence or two with which the check stops: package, place and cure."""
        done = self.check(python)
        assert done.returncode == 1, done.stdout
        (said,) = done.stderr.splitlines()
        assert said.startswith("STOP  ")
        assert any(cure in said for cure in CURES), said
        return said

    def taken_by(self, *command: str | Path, package: str = "acme-units") -> str:
        """Where an installer really takes the package from: "private", "public", or "nothing"."""
        with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
            done = self.run(*command, "--no-deps", "--target", folder, "-r", "requirements.txt")
            module = Path(folder, package.replace("-", "_") + ".py")
            assert module.exists() == (done.returncode == 0), done.stderr
            return module.read_text().split("'")[1] if module.exists() else "nothing"

    def taken_by_pip(self, python: Path, *options: str) -> str:
        return self.taken_by(python, "-m", "pip", "install", "--quiet", *options)

    def taken_by_uv(self, *options: str) -> str:
        uv_pip = (uv.find_uv_bin(), "pip", "install", "--quiet", "--python", sys.executable)
        # uv has no other PyPI but the one that it is told; the option would beat the app's own `--index-url`.
        public = ("--default-index", self.public.simple_url)
        only = "--index-url" in (self.app / "requirements.txt").read_text()
        return self.taken_by(*uv_pip, *(() if only else public), *options)


@contextmanager
def world(
    template: Path, folder: Path, *, requirement: str = "acme-units==2.1.0", scope: str = "extra"
) -> Iterator[World]:
    """Both indexes, and an app made for the private one."""
    for version in ("2.0.0", "2.1.0"):
        wheel(folder / "private", "acme-units", version, "private")
    for name, version in (("packaging", "26.3"), ("harmless", "1.0")):
        wheel(folder / "public", name, version, "public")
    with ExitStack() as open_, pytest.MonkeyPatch.context() as patch:
        public = open_.enter_context(IndexHost(folder / "public"))
        # The private index sends the names that it does not have on to there, as GitLab's does.
        patch.setenv("PIP_INDEX_URL", public.simple_url)
        private = open_.enter_context(IndexHost(folder / "private", RIGHT["ACME_USER"], PASSWORD))
        copier_library.run_copy(
            str(template),
            folder / "app",
            data={
                "strategies": ["index"],
                "index_packages": requirement,
                "index_url": private.simple_url.replace("://", "://${ACME_USER}:${ACME_PASSWORD}@"),
                "index_scope": scope,
            },
            defaults=True,
            skip_tasks=True,
            quiet=True,
        )
        subprocess.run(["git", "init", "--quiet"], cwd=folder / "app", check=True)
        yield World(app=folder / "app", private=private, public=public, scratch=folder)


@pytest.fixture(scope="module")
def shared(questionnaire: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(questionnaire, tmp_path_factory.mktemp("confusion")) as made:
        yield made


@pytest.fixture
def here(shared: World) -> Iterator[World]:
    """The shared world; what a test publishes and breaks is gone afterwards."""
    before = {host: set(host.folder.iterdir()) for host in (shared.private, shared.public)}
    text = (shared.app / "requirements.txt").read_text()
    yield shared
    (shared.app / "requirements.txt").write_text(text)
    for host, files in before.items():
        host.faults, host.faults_of = Faults(), {}
        host.start()
        for path in set(host.folder.iterdir()) - files:
            path.unlink()


Attack = Callable[[Path], object]
ATTACKS: dict[str, tuple[Attack, str]] = {
    "the same version with a build tag": (
        lambda folder: wheel(folder, "acme-units", "2.1.0", "public", build="9"),
        "public",
    ),
    "a wheel for this platform": (
        lambda folder: wheel(folder, "acme-units", "2.1.0", "public", tag=PLATFORM),
        "public",
    ),
    "a local version": (lambda folder: wheel(folder, "acme-units", "2.1.0+zzz", "public"), "public"),
    "a higher version": (lambda folder: wheel(folder, "acme-units", "99.0.0", "public"), "private"),
    "the very same file name": (lambda folder: wheel(folder, "acme-units", "2.1.0", "public"), "private"),
}


@pytest.mark.slow
@pytest.mark.parametrize("pip", PIPS)
@pytest.mark.parametrize("attack", ATTACKS)
def test_the_check_stops_exactly_when_pip_would_take_the_stranger_s_file(
    here: World, pips: dict[str, Path], attack: str, pip: str
):
    """An exact pin, right credentials; uv takes the private file in each case."""
    publish, expected = ATTACKS[attack]
    publish(here.public.folder)
    assert here.taken_by_pip(pips[pip]) == expected
    assert here.taken_by_uv() == "private"
    if expected == "public":
        said = here.stop(pips[pip])
        assert "acme-units: pip would take" in said
        assert here.public.url.partition("//")[2] in said
        assert "Tell your security team" in said
    else:
        assert here.check(pips[pip]).returncode == 0


LOGINS = {
    "wrong": {"ACME_USER": "builder", "ACME_PASSWORD": "wrong"},
    "empty": {"ACME_USER": "builder", "ACME_PASSWORD": ""},
    "unset": {"ACME_USER": "builder"},
}


@pytest.mark.slow
@pytest.mark.parametrize("pip", PIPS)
@pytest.mark.parametrize("login", LOGINS)
def test_without_a_valid_login_pip_takes_the_stranger_s_package_and_the_check_stops_first(
    here: World, pips: dict[str, Path], login: str, pip: str
):
    """Although the requirement is an exact pin. uv gives up instead."""
    wheel(here.public.folder, "acme-units", "2.1.0", "public")
    outside = replace(here, variables=LOGINS[login])
    assert outside.taken_by_pip(pips[pip]) == "public"
    assert outside.taken_by_uv() == "nothing"
    here.private.clear()
    said = outside.stop(pips[pip])
    if login == "wrong":
        assert "acme-units: " in said
        assert (
            f"{here.private.url.partition('//')[2]} refuses the login from ACME_USER and ACME_PASSWORD"
            in said
        )
        assert "pip would install a public package instead" in said
    else:
        assert f"ACME_PASSWORD is {'not set' if login == 'unset' else 'empty'}" in said
        assert here.private.requests == []


REFUSED = "refused"
FAULTS: dict[str, tuple[Faults | str, str]] = {
    "401, as for an expired token": (Faults(status=401), "refuses the login from ACME_USER"),
    "403": (Faults(status=403), "refuses the login from ACME_USER"),
    "404": (Faults(status=404), "does not have it (404)"),
    "500": (Faults(status=500), "answers with 500"),
    "a silent server": (Faults(hang=True), "does not answer (timed out)"),
    "a cut connection": (Faults(cut_after=20), "does not answer"),
    "a stall in the answer": (Faults(stall_after=20), "does not answer"),
    "a page cut short": (Faults(truncate_after=20), "offers no file of acme-units==2.1.0"),
    "a redirect to another host": (Faults(redirect_to="public"), "sends the question on to"),
    "no server at all": (REFUSED, "does not answer"),
}
# Newer releases of pip stop by themselves here.
PIP_MAY_GIVE_UP = {"a cut connection", "a stall in the answer"}


@pytest.mark.slow
@pytest.mark.parametrize("pip", PIPS)
@pytest.mark.parametrize("fault", FAULTS)
def test_when_the_private_index_fails_pip_takes_the_stranger_s_package_and_the_check_stops_first(
    here: World, pips: dict[str, Path], fault: str, pip: str
):
    wheel(here.public.folder, "acme-units", "2.1.0", "public")
    faults, words = FAULTS[fault]
    if isinstance(faults, str):
        here.private.stop()
    elif faults.redirect_to:
        here.private.faults = Faults(redirect_to=here.public.url)
    else:
        here.private.faults = faults
    taken = here.taken_by_pip(pips[pip])
    assert taken == "public" or (taken == "nothing" and pip == "newest" and fault in PIP_MAY_GIVE_UP)
    here.public.clear()
    said = here.stop(pips[pip])
    assert said.startswith("STOP  acme-units: ")
    assert words in said
    assert here.private.url.partition("//")[2] in said
    assert not [one for one in here.public.requests if one.user], "the credentials went to another host"


@pytest.mark.parametrize("kind", ["a pinned version that only the stranger has", "a local version"])
@pytest.mark.parametrize("pip", PIPS)
def test_the_check_stops_before_a_stranger_s_source_distribution_is_run(
    here: World, pips: dict[str, Path], tmp_path: Path, kind: str, pip: str
):
    """pip runs the code of a source distribution to learn its name, even with `--dry-run`; the check does not."""
    witness = tmp_path / "executed"
    requirements = here.app / "requirements.txt"
    table = here.app / "pyproject.toml"
    before = table.read_text()
    if kind == "a local version":
        sdist(here.public.folder, "acme-units", "2.1.0+zzz", witness)
    else:
        sdist(here.public.folder, "acme-units", "2.2.0", witness)
        table.write_text(before.replace("acme-units==2.1.0", "acme-units==2.2.0"))
        requirements.write_text(requirements.read_text().replace("acme-units==2.1.0", "acme-units==2.2.0"))
    try:
        said = here.stop(pips[pip])
    finally:
        table.write_text(before)
    assert "acme-units: " in said
    assert not witness.exists()
    here.run(pips[pip], "-m", "pip", "install", "--dry-run", "--no-deps", "-r", "requirements.txt")
    assert witness.exists(), "pip itself does not run it, so the test proves nothing"


def test_a_private_package_without_wheels_is_compared_by_version_and_never_run(
    here: World, pips: dict[str, Path], tmp_path: Path
):
    own = here.private.folder / "acme_units-2.1.0-py3-none-any.whl"
    kept = own.read_bytes()
    own.unlink()
    try:
        sdist(here.private.folder, "acme-units", "2.1.0", tmp_path / "executed")
        assert here.check(pips["newest"]).returncode == 0
        wheel(here.public.folder, "acme-units", "2.1.0", "public")
        assert "pip would take 2.1.0 from a public index" in here.stop(pips["newest"])
        assert not (tmp_path / "executed").exists()
    finally:
        own.write_bytes(kept)


def test_what_a_private_package_needs_must_be_named_when_the_private_index_has_it(
    here: World, pips: dict[str, Path]
):
    """The private acme-units 2.1.0 needs acme-core, which pip would take at 99.0.0 from the stranger."""
    wheel(here.private.folder, "acme-core", "1.0", "private")
    wheel(here.public.folder, "acme-core", "99.0.0", "public")
    own = here.private.folder / "acme_units-2.1.0-py3-none-any.whl"
    kept = own.read_bytes()
    try:
        wheel(
            here.private.folder, "acme-units", "2.1.0", "private", needs="acme-core>=1 ; python_version > '3'"
        )
        install = (pips["newest"], "-m", "pip", "install", "--dry-run", "-r", "requirements.txt")
        assert "acme-core-99.0.0" in here.run(*install).stdout
        said = here.stop(pips["newest"])
    finally:
        own.write_bytes(kept)
    assert "acme-core: acme-units needs it" in said
    assert "add `acme-core==…`" in said


def test_a_line_of_the_user_s_own_must_be_an_answer_when_the_private_index_has_it(
    here: World, pips: dict[str, Path]
):
    """So must what a submodule needs: its dependencies stand in requirements.txt too."""
    with (here.app / "requirements.txt").open("a") as file:
        file.write("harmless==1.0\n")
    assert here.check(pips["newest"]).returncode == 0
    wheel(here.private.folder, "acme-core", "1.0", "private")
    with (here.app / "requirements.txt").open("a") as file:
        file.write("acme-core\n")
    assert "acme-core: requirements.txt needs it" in here.stop(pips["newest"])


@pytest.mark.slow
@pytest.mark.parametrize("pip", PIPS)
def test_with_the_scope_only_nothing_public_is_asked_whatever_is_there(
    questionnaire: Path, tmp_path: Path, pips: dict[str, Path], pip: str
):
    with world(questionnaire, tmp_path, requirement="acme-units>=2", scope="only") as only:
        wheel(only.private.folder, "packaging", "26.3", "private")
        wheel(only.public.folder, "acme-units", "99.0.0", "public")
        assert only.taken_by_pip(pips[pip]) == "private"
        assert only.taken_by_uv() == "private"
        assert only.check(pips[pip]).returncode == 0
        expired = replace(only, variables=LOGINS["wrong"])
        only.public.clear()
        assert expired.taken_by_pip(pips[pip]) == "nothing"
        assert "refuses the login" in expired.stop(pips[pip])
        only.private.faults = Faults(status=404)
        assert only.taken_by_pip(pips[pip]) == "nothing"
        assert "does not have it (404)" in only.stop(pips[pip])
        assert only.public.requests == []


@pytest.mark.slow
def test_uv_takes_the_first_index_that_has_the_name_and_falls_through_on_404_only(here: World):
    """What docs/security.md says about uv; the check runs before it too."""
    wheel(here.public.folder, "acme-units", "2.1.0", "public", build="9")
    assert here.taken_by_uv() == "private"
    for status, taken in ((401, "nothing"), (403, "nothing"), (404, "public")):
        here.private.faults = Faults(status=status)
        assert (status, here.taken_by_uv()) == (status, taken)
    here.private.faults = Faults()
    here.private.stop()
    assert here.taken_by_uv() == "nothing"
    here.private.start()
    wheel(here.public.folder, "acme-units", "2.1.0+zzz", "public")
    assert here.taken_by_uv() == "private"
    assert here.taken_by_uv("--index-strategy", "unsafe-best-match") == "public"


@pytest.mark.slow
@pytest.mark.parametrize("pip", PIPS)
def test_hashes_keep_the_stranger_s_file_out_of_pip_and_uv(here: World, pips: dict[str, Path], pip: str):
    """The recipe of docs/security.md; made from the private file, then attacked."""
    made = here.run(
        uv.find_uv_bin(),
        "pip",
        "compile",
        "--quiet",
        "--generate-hashes",
        "--emit-index-url",
        "--no-deps",
        "--default-index",
        here.public.simple_url,
        "--output-file",
        "requirements.lock",
        "requirements.txt",
    )
    assert made.returncode == 0, made.stderr
    lock = here.app / "requirements.lock"
    try:
        text = lock.read_text()
        digest = hashlib.sha256((here.private.folder / "acme_units-2.1.0-py3-none-any.whl").read_bytes())
        assert digest.hexdigest() in text
        assert PASSWORD not in text
        wheel(here.public.folder, "acme-units", "2.1.0", "public", build="9")
        (here.app / "requirements.txt").write_text(text)
        assert here.taken_by_pip(pips[pip], "--require-hashes") == "private"
        assert here.taken_by_uv("--require-hashes") == "private"
        here.private.faults = Faults(status=401)
        assert here.taken_by_pip(pips[pip], "--require-hashes") == "nothing"
        assert here.taken_by_uv("--require-hashes") == "nothing"
    finally:
        lock.unlink()


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_hash_mode_refuses_a_line_from_git(here: World, pips: dict[str, Path], installer: str):
    commit = "0123456789abcdef0123456789abcdef01234567"
    (here.app / "requirements.txt").write_text(f"acme-x @ git+https://git.invalid/x.git@{commit}\n")
    command = (
        (pips["newest"], "-m", "pip", "install", "--require-hashes")
        if installer == "pip"
        else (uv.find_uv_bin(), "pip", "install", "--require-hashes", "--python", sys.executable)
    )
    done = here.run(*command, "--dry-run", "-r", "requirements.txt")
    assert done.returncode
    assert "hash" in done.stderr.lower()
    assert "git.invalid" not in done.stderr.replace("git+https://git.invalid", ""), "Git was asked"
