"""What packages say that they are built with: read as data, in repositories and in archives, and nothing of it runs."""

from __future__ import annotations

import io
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest
from private_packages import archives
from private_packages.errors import Unreadable
from wheels import archive, wheel
from world import World, source

from demo.samples import commit

PYPROJECT = '[build-system]\nrequires = ["acme-build"]\n'
WARNED = "warning: acme-build: a public index offers 99.0.0"


# --- archives ---


def tar(*members: tuple[str, str | bytes], mode: str = "w:gz") -> bytes:
    """An archive of these files; one whose content is text that begins with `->` is a link."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in members:
            entry = tarfile.TarInfo(name)
            if isinstance(content, str) and content.startswith("->"):
                entry.type, entry.linkname = tarfile.SYMTYPE, content[2:]
                archive.addfile(entry)
                continue
            data = content.encode() if isinstance(content, str) else content
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return made.getvalue()


def zipped(*members: tuple[str, str]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return made.getvalue()


def inside(content: bytes, name: str = "x-1.0.tar.gz") -> str | None:
    return archives.pyproject_in(io.BytesIO(content), name)


@pytest.mark.parametrize(
    ("content", "name", "expected"),
    [
        (tar(("x-1.0/setup.py", ""), ("x-1.0/pyproject.toml", PYPROJECT)), "x-1.0.tar.gz", PYPROJECT),
        (tar(("./x-1.0/pyproject.toml", PYPROJECT)), "x-1.0.tgz", PYPROJECT),
        (zipped(("x-1.0/pyproject.toml", PYPROJECT)), "x-1.0.zip", PYPROJECT),
        (tar(("x-1.0/setup.py", "")), "x-1.0.tar.gz", None),
        (zipped(("x-1.0/setup.py", "")), "x-1.0.zip", None),
        # One of a package of its own inside, or of the tests, is not the archive's.
        (tar(("x-1.0/tests/pyproject.toml", PYPROJECT)), "x-1.0.tar.gz", None),
        # What stands there last is what unpacking leaves.
        (
            tar(("x-1.0/pyproject.toml", "a = 1"), ("x-1.0/pyproject.toml", PYPROJECT)),
            "x-1.0.tar.gz",
            PYPROJECT,
        ),
    ],
    ids=["tar", "tgz", "zip", "tar without", "zip without", "of tests", "twice"],
)
def test_the_one_file_of_an_archive_is_read(content: bytes, name: str, expected: str | None):
    assert inside(content, name) == expected


@pytest.mark.parametrize(
    ("content", "name", "words"),
    [
        (tar(("x-1.0/pyproject.toml", "->/etc/passwd")), "x-1.0.tar.gz", "is no file"),
        (tar(("x/pyproject.toml", "->../y/pyproject.toml"), ("y/z", "")), "x-1.0.tar.gz", "is no file"),
        (tar(("x/pyproject.toml", PYPROJECT), ("y/pyproject.toml", "")), "x-1.0.tar.gz", "more than one"),
        (tar(("x/pyproject.toml", PYPROJECT), ("pyproject.toml", "")), "x-1.0.tar.gz", "more than one"),
        (zipped(("x/pyproject.toml", PYPROJECT), ("y/pyproject.toml", "")), "x-1.0.zip", "more than one"),
        (tar(("x/pyproject.toml", "#" * 1_000_001)), "x-1.0.tar.gz", "larger than 1 MB"),
        (zipped(("x/pyproject.toml", "#" * 1_000_001)), "x-1.0.zip", "larger than 1 MB"),
        (tar(("x/pyproject.toml", b"\xff")), "x-1.0.tar.gz", "no UTF-8"),
        (tar(("x/pyproject.toml", PYPROJECT))[:60], "x-1.0.tar.gz", "cannot be read"),
        (zipped(("x/pyproject.toml", PYPROJECT))[:60], "x-1.0.zip", "cannot be read"),
        (b"", "x-1.0.tar.gz", "cannot be read"),
        (b"no archive", "x-1.0.tar.gz", "cannot be read"),
        (tar(("x/pyproject.toml", PYPROJECT), mode="w:bz2"), "x-1.0.tar.bz2", "neither a .tar.gz nor a .zip"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_an_archive_that_is_no_plain_source_distribution_is_refused(content: bytes, name: str, words: str):
    with pytest.raises(Unreadable, match=words):
        inside(content, name)


def test_an_archive_that_unpacks_to_a_disk_full_is_refused_on_the_way(monkeypatch: pytest.MonkeyPatch):
    """Also where the size is that of a name, which a reader of archives keeps in memory."""
    monkeypatch.setattr(archives, "_LARGEST_UNPACKED", 5_000_000)
    for members in ([("x/zeros", b"\0" * 6_000_000)], [(f"x/{'a' * 6_000_000}", "")]):
        content = tar(*members, ("x/pyproject.toml", PYPROJECT))
        assert len(content) < 50_000
        with pytest.raises(Unreadable, match="unpacks to more than 2 GB"):
            inside(content)


# --- repositories and the index ---


@pytest.fixture
def bare(shared: World) -> World:
    """The shared world as it was; acme-build is private, and a stranger publishes a higher version."""
    shared.reset()
    wheel(shared.private.folder, "acme-build", "1.0", "private")
    wheel(shared.public.folder, "acme-build", "99.0.0", "public")
    return shared


def built_with(world: World, *lines: str, folder: str = "") -> Path:
    """The repository of acme-beams, whose package lies in a folder and is built with this."""
    files = source("acme-beams", "1.0", "private", (), lines)
    world.repository("acme-beams")
    path = world.git.path_of("acme-beams")
    commit(
        path, {**dict.fromkeys(files), **{f"{folder}{name}": text for name, text in files.items()}}, tag="v1"
    )
    return path


@pytest.mark.slow
@pytest.mark.parametrize("place", ["in a folder of its repository", "at an abbreviated commit"])
def test_what_a_git_line_is_built_with_is_found_wherever_it_stands(bare: World, place: str):
    folder = "packages/beams/" if "folder" in place else ""
    path = built_with(bare, "acme-build", folder=folder)
    ref = bare.run("git", "-C", path, "rev-parse", "--short", "v1^{commit}").stdout.strip()
    commit(path, {"later.py": "\n"})
    bare.want(
        bare.index(),
        bare.from_git("acme-beams", "v1" if folder else ref, subdirectory=folder.rstrip("/")),
    )
    done = bare.command("check")
    assert done.returncode == 0, done.stderr
    assert WARNED in done.stderr
    assert 'name = "acme-build"\nstrategy = "index"\nversion = "1.0"\n' in bare.lock


@pytest.mark.slow
def test_two_packages_that_are_built_with_what_does_not_fit_together_are_no_error(bare: World):
    """Each is built for itself."""
    for version in ("1.0", "2.0"):
        wheel(bare.public.folder, "tooling", version, "public")
    for name, clause in (("acme-beams", "<2"), ("acme-loads", ">=2")):
        bare.repository(name)
        files = source(name, "1.0", "private", (), ["tooling", "acme-build"])
        text = files["pyproject.toml"].replace("'tooling'", f"'tooling{clause}'")
        commit(bare.git.path_of(name), {**files, "pyproject.toml": text}, tag="v1")
    bare.want(bare.index(), bare.from_git("acme-beams"), bare.submodule("acme-loads"))
    bare.installs()
    assert {bare.origin(name) for name in ("acme-beams", "acme-loads")} == {"private"}


LINK = b"commit refs/heads/link\ncommitter A <> 0 +0000\ndata 1\nx\nM 120000 inline pyproject.toml\ndata 6\n../x.y\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "words"),
    [
        (LINK, "its pyproject.toml is no file"),
        (b"[build-system\n", "its pyproject.toml is no TOML"),
        (
            b'[build-system]\nrequires = ["x==${ACME_TOKEN}"]\n',
            "it needs `x==${ACME_TOKEN}`, which is not a plain name",
        ),
        (b"# \xff\n", "its pyproject.toml is no UTF-8"),
        (b"#" * 1_000_001, "its pyproject.toml is larger than 1 MB"),
    ],
    ids=["a link", "no TOML", "a variable", "no UTF-8", "too large"],
)
def test_a_git_line_of_which_nobody_can_say_what_it_is_built_with_stops(bare: World, text: bytes, words: str):
    path = bare.repository("acme-beams")
    stream = text if text is LINK else LINK.replace(b"120000", b"100644").partition(b"data 6")[0]
    stream += b"" if text is LINK else b"data %d\n%b\n" % (len(text), text)
    subprocess.run(["git", "-C", path, "fast-import", "--quiet"], input=stream, check=True)
    bare.want(bare.index(), bare.from_git("acme-beams", "link"))
    for command in ("check", "install"):
        assert f"STOP acme-beams: nobody can say what it is built with: {words}" in bare.stops(command)


def with_link(bare: World, path: Path, name: str, target: str, *files: tuple[str, str]) -> str:
    """Commit a link, with what it leads to, to a repository's branch; return the commit."""
    stream = "commit refs/heads/link\ncommitter A <> 0 +0000\ndata 1\nx\nfrom refs/tags/v1^0\n"
    for file, text in (*files, (name, target)):
        mode = "120000" if file == name else "100644"
        stream += f"D {file}\nM {mode} inline {file}\ndata {len(text)}\n{text}\n"
    subprocess.run(["git", "-C", path, "fast-import", "--quiet"], input=stream.encode(), check=True)
    return bare.run("git", "-C", path, "rev-parse", "link").stdout.strip()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "target", "files"),
    [
        ("pyproject.toml", "other.toml", [("other.toml", '[build-system]\nrequires = ["acme-build"]\n')]),
        ("pyproject.toml", "a=1", [("a=1", '[build-system]\nrequires = ["acme-build"]\n')]),
        ("pyproject.toml", "../x", []),
        ("pyproject.toml", "/x\n" + "0" * 40 + " blob 5", []),
        ("packages", "..", []),
    ],
    ids=["to a file", "whose path is TOML", "out of it", "with lines of Git's", "a folder"],
)
def test_a_link_in_a_checkout_of_uvs_is_followed_neither(
    bare: World, tmp_path: Path, name: str, target: str, files: list[tuple[str, str]]
):
    """Windows has it as a file with the link's path for a text, other systems follow it."""
    path = bare.repository("acme-beams")
    commits = {"acme-beams": with_link(bare, path, name, target, *files)}
    folder = "packages" if name == "packages" else ""
    other = bare.repository("acme-loads", built_with=["acme-build"])
    commits["acme-loads"] = bare.run("git", "-C", other, "rev-parse", "v1^0").stdout.strip()
    cached = {"UV_NO_CACHE": "0", "UV_CACHE_DIR": str(tmp_path / "cache")}
    for one, ref in commits.items():
        url = f"git+file://{bare.git.path_of(one)}@{ref}"
        to = ("--no-deps", "--target", tmp_path / "no", url)
        bare.run("uv", "pip", "install", *to, **cached)
    assert len([*(tmp_path / "cache").glob("git-v*/checkouts/*/*/.git")]) == 2
    bare.want(
        bare.index(),
        bare.from_git("acme-beams", commits["acme-beams"], subdirectory=folder),
        bare.from_git("acme-loads", commits["acme-loads"]),
    )
    said = bare.stops("check", **cached)
    words = "its repository has no folder packages" if folder else "its pyproject.toml is no file"
    assert f"STOP acme-beams: nobody can say what it is built with: {words}" in said
    assert "acme-loads: " not in said


@pytest.mark.slow
def test_a_source_distribution_is_read_by_the_hash_of_the_lock(bare: World):
    files = source("acme-core", "1.0", "private", (), ["acme-build"])
    wheel(bare.private.folder, "acme-units", "2.1.0", "private", needs="acme-core")
    archive(bare.private.folder, "acme-core", "1.0", files)
    (bare.app / "private-packages.allow.toml").write_text('[[build]]\nname = "acme-core"\nreason = "Ours."\n')
    bare.want(bare.index(), bare.from_index("acme-units==2.1.0"))
    assert WARNED in bare.command("check").stderr
    archive(bare.private.folder, "acme-core", "1.0", {**files, "backend.py": "another\n"})
    words = "what the private index offers as acme_core-1.0.tar.gz is not the file that it should be"
    for command in ("check", "install"):
        assert f"STOP acme-core: nobody can say what it is built with: {words}" in bare.stops(command)
    # Without a lock any version may be the one.
    (bare.app / "private-packages.lock").unlink()
    for number in range(21):
        files = source("acme-core", f"1.{number}", "private", (), ["acme-build"])
        archive(bare.private.folder, "acme-core", f"1.{number}", files)
    assert bare.command("sync").returncode == 0
    assert "write a line `acme-core==VERSION` into requirements.txt" in bare.stops("check")
    bare.write("acme-core==1.3")
    assert WARNED in bare.command("check").stderr
