"""An app whose installer is uv: its pyproject.toml, uv.lock, and everything that a person does with both."""

from __future__ import annotations

import re
import subprocess
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from private_packages.errors import Failure
from private_packages.uv_project import Entries, with_entries
from wheels import archive, wheel
from world import PASSWORD, TOKEN, UV_PROJECT, World, source

from demo.samples import commit


@pytest.fixture
def world(shared: World) -> World:
    """The shared world as it was, with a uv project in place of requirements.txt."""
    shared.reset()
    made = shared.by_uv()
    for name in ("acme-beams", "acme-loads"):
        made.repository(name)
    return made


def tables(world: World) -> list[str]:
    """A package of each kind."""
    packages = [world.submodule("acme-beams"), world.from_git("acme-loads")]
    return [world.index(), *packages, world.from_index("acme-units==2.1.0")]


def mixed(world: World) -> World:
    return world.want(*tables(world))


def pyproject(world: World) -> dict[str, Any]:
    return tomllib.loads((world.app / "pyproject.toml").read_text())


def locked(world: World) -> dict[str, dict[str, Any]]:
    """The packages of uv.lock by name."""
    return {one["name"]: one for one in tomllib.loads((world.app / "uv.lock").read_text())["package"]}


# --- what stands in pyproject.toml ---


def test_sync_writes_the_packages_in_uvs_own_forms_and_keeps_the_users_list(world: World):
    mixed(world)
    project = pyproject(world)
    assert project["project"]["dependencies"] == [
        "acme-beams",
        "acme-loads",
        "acme-units==2.1.0",
        "harmless>=1",
    ]
    assert project["tool"]["uv"]["sources"] == {
        "acme-beams": {"path": "app/submodules/acme-beams", "editable": True},
        "acme-loads": {"git": world.git.url_of("acme-loads"), "rev": "v1"},
        "acme-units": {"index": "private"},
    }
    assert project["tool"]["uv"]["index"] == [
        {"name": "private", "url": world.private.simple_url, "explicit": True}
    ]
    assert '    # Harmless.\n    "harmless>=1", # why\n' in (world.app / "pyproject.toml").read_text()


@pytest.mark.parametrize("scope", ["extra", "only", "files"])
def test_a_folder_a_branch_a_range_and_each_scope_have_their_forms(world: World, scope: str):
    for name in ("acme-beams", "acme-loads"):
        files = {f"python/{path}": text for path, text in source(name, "1.0", "private").items()}
        commit(world.git.path_of(name), files, tag="v2.0")
    subprocess.run(["git", "-C", world.git.path_of("acme-loads"), "branch", "develop"], check=True)
    wheel(world.private.folder, "harmless", "1.0", "private")
    world.want(
        world.index(scope),
        world.submodule("acme-beams", "v2.0", "python"),
        world.from_git("acme-loads", "develop", subdirectory="python"),
        world.from_index("acme-units[x]>=2 ; python_version > '3'"),
    )
    sources = pyproject(world)["tool"]["uv"]["sources"]
    url = world.git.url_of("acme-loads")
    assert sources.pop("acme-loads") == {"git": url, "rev": "develop", "subdirectory": "python"}
    assert sources.pop("acme-beams") == {"path": "app/submodules/acme-beams/python", "editable": True}
    assert sources == ({} if scope == "only" else {"acme-units": {"index": "private"}})
    kind = "default" if scope == "only" else "explicit"
    assert pyproject(world)["tool"]["uv"]["index"][0][kind] is True
    world.installs()
    names = ("acme-beams", "acme-loads", "acme-units")
    assert {world.origin(name) for name in names} == {"private"}
    world.installs("--locked")


def test_install_takes_everything_from_its_own_place_and_a_clone_needs_one_line(world: World):
    said = mixed(world).installs()
    assert "3 of them private" in said
    names = ("acme-beams", "acme-loads", "acme-units")
    assert {world.origin(name) for name in names} == {"private"}
    everything = (world.app / "uv.lock").read_text() + (world.app / "pyproject.toml").read_text()
    assert not [one for one in (TOKEN, PASSWORD, "${") if one in everything]
    world.commit()
    clone = world.clone()
    assert "made the virtual environment" in clone.installs("--locked")
    assert {clone.origin(name) for name in names} == {"private"}
    status = clone.command("status")
    assert (status.returncode, "Everything is as it should be." in status.stdout) == (0, True), status.stdout


@pytest.mark.parametrize(
    "text",
    [
        UV_PROJECT,
        UV_PROJECT.replace("\n", "\r\n"),
        '[project]\nname = "x"\nversion = "1"\ndependencies = ["harmless[extra]>=1"]\n',
        '[project]\nname = "x"\nversion = "1"\ndependencies = [\n  "a",\n  "b"\n]\n\n[tool.uv.sources]\na = { path = "a" }\n',
        '[project]\nname = "x"\nversion = "1"\ndependencies = []\n[tool.uv]\npackage = false',
        "[project]\nname = 'x'\nversion = '1'\ndependencies = [ # all\n    'a', # [not] the end\n    'b',\n]\n",
        '[build-system]\nrequires = []\n\n[ project ]\nname = "x"\n\tdependencies = ["é; python_version > \'3\'"]\n',
    ],
    ids=["a plain one", "CRLF", "one line", "no last comma", "empty", "comments", "odd spaces"],
)
def test_what_is_written_into_pyproject_toml_is_taken_out_again_to_the_byte(text: str):
    needs = {"acme-beams": "acme-beams", "acme-units": "acme-units[x]==2.1.0 ; python_version > '3'"}
    sources = {"acme-beams": {"path": "app/submodules/acme-beams", "editable": True}}
    index = {"name": "private", "url": "https://packages.example.com/simple/", "explicit": True}
    entries = Entries(needs, sources, index)
    written = with_entries(text, entries)
    found = tomllib.loads(written)
    assert set(needs.values()) <= set(found["project"]["dependencies"])
    assert found["tool"]["uv"]["index"] == [index]
    assert with_entries(written, entries) == written
    assert with_entries(written, Entries({}, {}, former=frozenset(needs))) == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[project\n", "is no TOML file"),
        ("[tool.uv]\npackage = false\n", "has no [project] with a list"),
        ('[project]\nname = "x"\ndependencies = "a"\n', "has no [project] with a list"),
        ('project = { name = "x", dependencies = ["a"] }\n', "cannot be changed as it is written"),
        ('[project]\nname = "x"\ndependencies = []\n[tool.uv]\nsources = {}\n', "in one line"),
        (
            '[project]\nname = "x"\ndependencies = []\n[tool.uv.sources]\nacme-beams = { path = "x" }\n',
            "says itself where acme-beams",
        ),
        ('tool = 1\n[project]\nname = "x"\ndependencies = []\n', "says itself where acme-beams"),
        ('[project]\nname = "x"\ndependencies = []\n[tool]\nuv = 1\n', "says itself where acme-beams"),
        ('[project]\nname = "x"\ndependencies = []\n[tool.uv]\nindex = ["a"]\n', "is no list of tables"),
        ('[project]\nname = "x"\ndependencies = [1, "a"]\n', "has no [project] with a list"),
    ],
)
def test_a_pyproject_toml_that_cannot_be_changed_safely_is_told_and_stays(text: str, words: str):
    with pytest.raises(Failure, match=re.escape(words)):
        with_entries(text, Entries({"acme-beams": "acme-beams"}, {"acme-beams": {"path": "x"}}))


# --- what uv's own commands do ---


def test_uv_add_and_remove_work_as_documented_and_what_they_write_stays(world: World):
    mixed(world).installs()
    before = pyproject(world)["tool"]
    wheel(world.public.folder, "handy", "1.0", "public")
    for command in ("uv add handy", "uv lock --upgrade-package handy", "uv run python -c pass"):
        done = world.command("exec", *command.split())
        assert done.returncode == 0, done.stderr
    # A variable of ours tells it of the private index, and it would write that down.
    wheel(world.private.folder, "acme-core", "1.0", "private")
    assert world.command("exec", "uv", "add", "acme-core").returncode == 0
    assert world.command("exec", "uv", "lock", "--check").returncode == 0
    assert pyproject(world)["tool"]["uv"]["sources"] == before["uv"]["sources"]
    assert pyproject(world)["tool"]["uv"]["index"][-1:] == before["uv"]["index"]
    world.installs()
    world.installs("--locked")
    # Its table comes before the first one, which is ours, inside the marks.
    done = world.command(
        "exec", "uv", "add", "--frozen", "--index", "mine=https://example.com/simple", "other"
    )
    assert done.returncode == 0, done.stderr
    world.want(*tables(world))
    uv = pyproject(world)["tool"]["uv"]
    assert [one["name"] for one in uv["index"] if "name" in one] == ["mine", "private"]
    assert {"handy>=1.0", "other"} <= set(pyproject(world)["project"]["dependencies"])
    for command in ("uv remove --frozen other", "uv remove handy"):
        done = world.command("exec", *command.split())
        assert done.returncode == 0, done.stderr
    assert pyproject(world)["project"]["dependencies"][-1] == "harmless>=1"


def test_what_only_another_package_needs_comes_from_the_private_index_too(world: World):
    wheel(world.private.folder, "acme-units", "2.2.0", "private", needs="acme-core")
    wheel(world.private.folder, "acme-core", "1.0", "private")
    wheel(world.public.folder, "acme-core", "99.0", "public")
    world.want(world.index(), world.from_index("acme-units==2.2.0")).installs()
    assert world.origin("acme-core") == "private"
    assert 'name = "acme-core"\nstrategy = "index"\nversion = "1.0"' in world.lock
    # Also for who types uv's commands.
    (world.app / "uv.lock").unlink()
    assert world.command("exec", "uv", "lock").returncode == 0
    assert locked(world)["acme-core"]["version"] == "1.0"


def test_what_no_line_pins_moves_with_uv_lock_and_the_other_lock_follows(world: World):
    wheel(world.private.folder, "acme-units", "2.2.0", "private", needs="acme-core")
    wheel(world.private.folder, "acme-core", "1.0", "private")
    world.want(world.index(), world.from_index("acme-units>=2")).installs()
    wheel(world.private.folder, "acme-units", "2.3.0", "private", needs="acme-core")
    wheel(world.private.folder, "acme-core", "1.1", "private")
    assert world.command("exec", "uv", "lock", "--upgrade").returncode == 0
    status = world.command("status").stdout
    assert "acme-units: uv.lock has 2.3.0, and private-packages.lock 2.2.0" in status
    assert "Type: python -m private_packages install" in status
    assert "STOP acme-units" in world.stops("install", "--locked")
    world.installs()
    for name, version in (("acme-units", "2.3.0"), ("acme-core", "1.1")):
        assert re.search(rf'name = "{name}"\n(?:.*\n)*?version = "{re.escape(version)}"', world.lock)
    world.installs("--locked")


def test_uv_lock_that_does_not_fit_pyproject_toml_is_brought_up_to_date_or_with_locked_stops(world: World):
    mixed(world).installs()
    path = world.app / "pyproject.toml"
    wheel(world.public.folder, "handy", "1.0", "public")
    path.write_text(path.read_text().replace('"harmless>=1",', '"harmless>=1", "handy",'))
    said = world.stops("install", "--locked")
    assert "uv.lock does not fit pyproject.toml" in said
    assert "Type: python -m private_packages install" in said
    world.installs()
    assert world.origin("handy") == "public"
    world.installs("--locked")


@pytest.mark.parametrize(
    "text",
    [
        "package = [",
        "package = 1\n",
        "package = [1]\n",
        '[[package]]\nname = "acme-units"\n',
        '[[package]]\nname = 1\nsource = { registry = "x" }\n',
        '[[package]]\nname = "acme-units"\nsource = "x"\nversion = "1"\n',
        '[[package]]\nname = "acme-units"\nsource = { registry = "x" }\nversion = "1"\nwheels = [1]\n',
        '[[package]]\nname = "gauge"\nsource = { virtual = "." }\nmetadata = 1\n',
        '[[package]]\nname = "gauge"\nsource = { virtual = "." }\nmetadata = { requires-dist = [1] }\n',
        "<<<<<<< ours\n=======\n>>>>>>> theirs\n",
        "\x00",
    ],
)
def test_a_uv_lock_that_uv_did_not_write_is_told_in_a_sentence_and_installs_nothing(world: World, text: str):
    world.want(world.index(), world.from_index("acme-units==2.1.0"))
    (world.app / "uv.lock").write_text(text)
    for command in (("status",), ("check", "--locked"), ("install", "--locked")):
        done = world.command(*command)
        said = done.stdout + done.stderr
        assert done.returncode == 1
        assert "uv.lock" in said and "Type" in said, said
    assert (world.app / "uv.lock").read_text() == text


def test_move_changes_pyproject_toml_and_uv_lock_in_one_step(world: World):
    mixed(world).installs()
    path = world.git.path_of("acme-loads")
    commit(path, source("acme-loads", "2.0", "private"), tag="v2.0.0")
    wheel(world.private.folder, "acme-units", "2.3.0", "private")
    for name, ref in (("acme-loads", "v2.0.0"), ("acme-units", "2.3.0")):
        done = world.command("move", name, ref)
        assert done.returncode == 0, done.stderr
    assert locked(world)["acme-units"]["version"] == "2.3.0"
    assert "tag=v2.0.0#" in locked(world)["acme-loads"]["source"]["git"]
    assert pyproject(world)["tool"]["uv"]["sources"]["acme-loads"]["tag"] == "v2.0.0"
    world.installs("--locked")
    assert world.origin("acme-units") == "private"


def test_sync_brings_uv_lock_along_so_that_a_bot_s_change_request_is_whole(world: World):
    """The bot changes what is wanted; `sync` is the command that it may run."""
    mixed(world).installs()
    commit(world.git.path_of("acme-loads"), source("acme-loads", "2.0", "private"), tag="v2.0.0")
    wheel(world.private.folder, "acme-units", "2.3.0", "private")
    wanted = [one.replace('"v1"', '"v2.0.0"').replace("@v1", "@v2.0.0") for one in tables(world)[:3]]
    world.want(wanted[0], tables(world)[1], wanted[2], world.from_index("acme-units==2.3.0"))
    assert locked(world)["acme-units"]["version"] == "2.3.0"
    assert "tag=v2.0.0#" in locked(world)["acme-loads"]["source"]["git"]
    world.commit()
    clone = world.clone()
    clone.installs("--locked")
    assert clone.origin("acme-units") == "private"


# --- what is attacked ---


def in_lock(world: World, old: str, new: str) -> None:
    """Change uv.lock, as a change request may."""
    path = world.app / "uv.lock"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def takes_the_index_away(world: World) -> None:
    private, public = world.private.simple_url, world.public.simple_url
    wheel(world.public.folder, "acme-units", "2.1.0", "public")
    in_lock(
        world,
        f'"acme-units"\nversion = "2.1.0"\nsource = {{ registry = "{private}" }}',
        f'"acme-units"\nversion = "2.1.0"\nsource = {{ registry = "{public}" }}',
    )


def another_hash(world: World) -> None:
    for one in locked(world)["acme-units"]["wheels"]:
        in_lock(world, one["hash"], "sha256:" + "0" * 64)


def another_file_beside_it(world: World) -> None:
    for one in locked(world)["acme-units"]["wheels"]:
        entry = f'{{ url = "{one["url"]}", hash = "{one["hash"]}" }}'
        in_lock(
            world,
            entry,
            f"{entry},\n    {entry.replace('-py3-', '-1-py3-').replace(one['hash'], 'sha256:' + '1' * 64)}",
        )


def another_commit(world: World) -> None:
    path = world.git.path_of("acme-loads")
    before = locked(world)["acme-loads"]["source"]["git"].rpartition("#")[2]
    commit(path, {"acme_loads.py": "ORIGIN = 'stranger'\n"})
    new = subprocess.run(["git", "-C", path, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    in_lock(world, before, new.stdout.strip())


def another_repository(world: World) -> None:
    world.repository("stranger")
    in_lock(world, world.git.url_of("acme-loads"), world.git.url_of("stranger"))


def another_folder(world: World) -> None:
    in_lock(world, "app/submodules/acme-beams", "app/other")


def a_source_of_his_own(world: World) -> None:
    path = world.app / "pyproject.toml"
    path.write_text(path.read_text().replace('index = "private"', 'git = "https://example.com/x.git"'))


def an_index_of_his_own(world: World) -> None:
    path = world.app / "pyproject.toml"
    text = path.read_text().replace(world.private.simple_url, world.public.simple_url)
    path.write_text(text)


@pytest.mark.parametrize(
    ("attack", "words"),
    [
        (takes_the_index_away, "acme-units"),
        (another_hash, "acme-units"),
        (
            another_file_beside_it,
            "acme-units: uv.lock has a file of 2.1.0 that private-packages.lock does not know",
        ),
        (another_commit, "acme-loads: uv.lock has commit"),
        (another_repository, "acme-loads: uv.lock takes it from"),
        (another_folder, "acme-beams: uv.lock"),
        (a_source_of_his_own, "pyproject.toml"),
        (an_index_of_his_own, "pyproject.toml"),
    ],
)
def test_a_change_request_that_takes_a_private_package_from_elsewhere_stops(
    world: World, attack: Any, words: str
):
    mixed(world).installs()
    attack(world)
    for command in (("check", "--locked"), ("install", "--locked")):
        said = world.stops(*command)
        assert words in said, said
        assert f"STOP {words}" in said or "STOP the entries" in said or "STOP pyproject" in said, said


def test_a_stranger_behind_a_private_prefix_stops_before_anything_of_his_is_built(
    world: World, tmp_path: Path
):
    witness = tmp_path / "witness"
    files = {**source("acme-secret", "9.0", "public"), "backend.py": f"open({str(witness)!r}, 'w')\n"}
    archive(world.public.folder, "acme-secret", "9.0", files)
    world.repository("acme-loads", ref="v2", needs=["acme-secret"])
    world.want(world.index(), world.from_git("acme-loads", "v2"), prefixes=["acme-"])
    for command in ("check", "install"):
        assert "acme-secret" in world.stops(command)
    assert not witness.exists()
    # A wheel builds nothing, and is no less a stranger's.
    wheel(world.public.folder, "acme-secret", "9.1", "public")
    for command in ("check", "install"):
        said = world.stops(command)
        assert "STOP acme-secret: 9.1 would come from" in said, said


def test_a_name_that_the_private_index_has_comes_from_nowhere_else(world: World):
    wheel(world.private.folder, "acme-core", "1.0", "private")
    wheel(world.public.folder, "acme-core", "99.0", "public")
    world.want(world.index(), world.from_index("acme-units==2.1.0"))
    path = world.app / "pyproject.toml"
    path.write_text(path.read_text().replace('"harmless>=1",', '"harmless>=1", "acme-core",'))
    # Plain uv would take the stranger's.
    plain = {"UV_INDEX_PRIVATE_USERNAME": "builder", "UV_INDEX_PRIVATE_PASSWORD": PASSWORD}
    assert world.run("uv", "lock", **plain).returncode == 0
    assert locked(world)["acme-core"]["version"] == "99.0"
    for command in ("check", "install"):
        said = world.stops(command)
        assert "STOP acme-core: uv.lock takes it from" in said, said
    done = world.command("exec", "uv", "lock", "--upgrade-package", "acme-core")
    assert done.returncode == 0, done.stderr
    world.installs()
    assert world.origin("acme-core") == "private"


def test_settings_of_the_machine_change_nothing(world: World, tmp_path: Path):
    for name in ("acme-units", "acme-loads"):
        wheel(world.public.folder, name, "99.0", "public")
    settings = tmp_path / "uv" / "uv.toml"
    settings.parent.mkdir()
    settings.write_text(
        f'extra-index-url = ["{world.public.simple_url}"]\nindex-strategy = "unsafe-best-match"\n'
    )
    machine = {
        "XDG_CONFIG_HOME": str(tmp_path),
        "UV_EXTRA_INDEX_URL": world.public.simple_url,
        "UV_INDEX": world.public.simple_url,
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_OVERRIDE": str(tmp_path / "none.txt"),
    }
    mixed(world)
    # A file beside pyproject.toml takes the place of its settings (uv, "Configuration files").
    wheel(world.public.folder, "acme-units", "2.1.0+zzz", "public")
    (world.app / "uv.toml").write_text(f'find-links = ["{world.public.folder}"]\n')
    done = world.command("install", **machine)
    assert done.returncode == 0, done.stderr
    assert {world.origin(name) for name in ("acme-beams", "acme-loads", "acme-units")} == {"private"}


# --- the installer changes ---


def test_what_stands_in_requirements_txt_goes_into_pyproject_toml_and_back(world: World):
    path = world.app / "pyproject.toml"
    project = UV_PROJECT.replace('    # Harmless.\n    "harmless>=1", # why\n', "")
    path.write_text(project.replace("package = false", "package = false\nmanaged = false"))
    by_pip = replace(world, installer="pip")
    by_pip.want(*tables(world))
    by_pip.write("", "# My own.", "harmless==1.0 ; python_version > '3'")
    # What the template changes besides, here and below.
    path.write_text(project)
    mixed(world)
    assert not world.requirements.exists()
    needs = pyproject(world)["project"]["dependencies"]
    assert "harmless==1.0 ; python_version > '3'" in needs
    assert {"acme-beams", "acme-loads", "acme-units==2.1.0"} <= set(needs)
    world.installs()
    assert world.origin("harmless") == "public"
    path.write_text(path.read_text().replace("package = false", "package = false\nmanaged = false"))
    by_pip.want(*tables(world))
    assert pyproject(world)["project"]["dependencies"] == []
    assert "sources" not in pyproject(world)["tool"]["uv"]
    lines = world.requirements.read_text().splitlines()
    assert "harmless==1.0 ; python_version > '3'" in lines
    assert "acme-units==2.1.0" in lines


def test_a_line_that_pyproject_toml_cannot_hold_is_told_and_nothing_moves(world: World):
    (world.app / "lib").mkdir()
    text = "# What the app needs; `python -m private_packages install` installs it.\nharmless\n-e ./lib\n"
    world.requirements.write_text(text)
    before = (world.app / "pyproject.toml").read_text()
    head = world.app / "private-packages.toml"
    head.write_text('format = 1\nplatform = "python"\npython = "3.11"\ninstaller = "uv"\n')
    done = world.command("sync")
    assert done.returncode == 1
    assert "requirements.txt:3: `-e ./lib` cannot stand in pyproject.toml" in done.stderr
    assert world.requirements.read_text() == text
    assert (world.app / "pyproject.toml").read_text() == before


def test_a_requirements_txt_of_the_users_own_stays(world: World):
    """Such as one that `uv export` wrote for another host."""
    world.requirements.write_text("# Mine.\nharmless==1.0\n")
    mixed(world).installs()
    assert world.requirements.read_text() == "# Mine.\nharmless==1.0\n"


# --- VIKTOR ---


def test_viktor_gets_a_requirements_txt_with_the_variables_of_the_logins(world: World):
    (world.app / "app.py").write_text("import _submodules\n")
    world.want(*tables(world), platform="viktor").installs()
    lines = world.requirements.read_text().splitlines()
    assert (
        lines[0]
        == "# Generated from uv.lock by `python -m private_packages sync`; change pyproject.toml instead."
    )
    index = world.private.simple_url.replace("://", "://${ACME_USER}:${ACME_PASSWORD}@")
    loads = world.git.url_of("acme-loads").replace("://", "://x-access-token:${ACME_TOKEN}@")
    assert lines[2:] == [
        f"--extra-index-url {index}",
        f"acme-loads @ git+{loads}@v1",
        "acme-units==2.1.0",
        "harmless==1.0",
    ]
    wheel(world.public.folder, "harmless", "1.1", "public")
    assert world.command("exec", "uv", "lock", "--upgrade").returncode == 0
    status = world.command("status")
    assert "requirements.txt, which other hosts install from, is not that of uv.lock" in status.stdout
    assert "Type: python -m private_packages sync" in status.stdout
    assert "requirements.txt" in world.stops("install", "--locked")
    assert world.command("sync").returncode == 0
    assert "harmless==1.1" in world.requirements.read_text()
