"""private-packages.lock: what it holds, what `sync` and `install` write into it, and what damages it."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from private_packages import lock as locking
from private_packages.errors import Failure
from private_packages.lock import FILE, Lock, LockedCommit, LockedVersion
from wheels import wheel
from world import World

from demo.http_host import Faults, HttpHost, plain_answer
from demo.samples import commit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
SHA256 = "ab" * 32
WHEEL = "acme_units-2.1.0-py3-none-any.whl"
BEAMS = LockedCommit("acme-beams", "submodule", "https://git.example.com/acme/beams.git", "v1", COMMIT)
UNITS = LockedVersion("acme-units", "acme-units==2.1.0", "2.1.0", {WHEEL: SHA256})


@pytest.fixture
def here(shared: World) -> World:
    """The shared world as it was; the app wants nothing."""
    shared.reset()
    return shared


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


HOSTILE = {
    "no TOML": "[[packages]\n",
    "another format": "format = 2\n",
    "no format": "",
    "packages that are no tables": "format = 1\npackages = 3\n",
    "deep nesting": "format = 1\npackages = " + "[" * 5000 + "]" * 5000,
    "a number of 5,000 digits": "format = " + "1" * 5000,
    "an entry without a name": locking.dump([UNITS]).replace('name = "acme-units"\n', ""),
    "an entry without files": re.sub(r"files = \[.*?\n\]", "", locking.dump([UNITS]), flags=re.DOTALL),
    "an unknown strategy": locking.dump([BEAMS]).replace('"submodule"', '"svn"'),
    "a short commit": locking.dump([BEAMS]).replace(COMMIT, COMMIT[:12]),
    "a commit that is an option": locking.dump([BEAMS]).replace(COMMIT, "--upload-pack=touch"),
    "a short hash": locking.dump([UNITS]).replace(SHA256, "ab"),
    "a file elsewhere": locking.dump([UNITS]).replace(WHEEL, "../x.whl"),
    "a second line in a version": locking.dump([UNITS]).replace(
        '"2.1.0"', '"2.1.0\\nx @ https://evil.invalid/x"'
    ),
    "an address as a version": locking.dump([UNITS]).replace('"2.1.0"', '"2.1.0 @ https://evil.invalid/x"'),
    "an option as a name": locking.dump([UNITS]).replace(
        '"acme-units"', '"--index-url=https://evil.invalid"'
    ),
    "a second line in a name": locking.dump([UNITS]).replace('"acme-units"', '"x\\n--pre"'),
    "a path as a name": locking.dump([BEAMS]).replace('"acme-beams"', '"../acme-beams"'),
    "a package that stands there twice": locking.dump([UNITS])
    + locking.dump([UNITS]).partition("format = 1\n")[2].replace("acme-units", "Acme_Units"),
}


class TestTheFile:
    """Written and read: what is written is read, and nothing else is taken."""

    names = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
    texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
    hashes = st.from_regex(r"[0-9a-f]{64}", fullmatch=True)
    versions = st.from_regex(
        r"([0-9]!)?[0-9]{1,3}(\.[0-9]{1,3}){0,3}(rc1)?(\+[a-z0-9]{1,5})?", fullmatch=True
    )
    files = st.dictionaries(
        st.from_regex(r"[a-z0-9][A-Za-z0-9._+!-]{0,20}", fullmatch=True), hashes, max_size=3
    )
    commits = st.builds(
        LockedCommit,
        name=names,
        strategy=st.sampled_from(["submodule", "git"]),
        url=texts,
        ref=texts,
        commit=st.from_regex(r"[0-9a-f]{40}", fullmatch=True) | hashes,
    )
    of_the_index = st.builds(LockedVersion, name=names, requirement=texts, version=versions, files=files)

    @settings(max_examples=300)
    @given(st.lists(commits | of_the_index, unique_by=lambda one: re.sub("-+", "-", one.name)))
    def test_what_is_written_is_read(self, entries: list[locking.Locked]):
        text = locking.dump(entries)
        lock = locking.parse(text)
        assert sorted(lock.values(), key=lambda one: one.name) == sorted(entries, key=lambda one: one.name)
        assert locking.dump(reversed(list(lock.values()))) == text

    @settings(max_examples=300)
    @given(st.data())
    def test_whatever_happens_to_it_it_is_read_or_refused_with_a_sentence(self, data: st.DataObject):
        text = locking.dump([BEAMS, UNITS])
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 40)))
        damaged = text[:start] + data.draw(st.text(max_size=20)) + text[end:]
        try:
            lock = locking.parse(damaged)
        except Failure as error:
            assert "private-packages.lock" in str(error)
            assert "\n" not in re.sub(r"\(.*\)", "", str(error), flags=re.DOTALL)
        else:
            for entry in lock.values():
                assert re.fullmatch(r"[A-Za-z0-9._-]+", entry.name)

    @pytest.mark.parametrize("damage", HOSTILE)
    def test_a_value_that_nobody_wrote_is_refused(self, damage: str):
        assert HOSTILE[damage] != locking.dump([UNITS])
        with pytest.raises(
            Failure, match=r"^private-packages\.lock is damaged \(.*\); take it back with `git checkout"
        ):
            locking.parse(HOSTILE[damage])

    def test_two_branches_that_move_different_packages_merge(self, tmp_path: Path):
        moved = LockedCommit("acme-beams", "submodule", BEAMS.url, "v2", "f" * 40)
        newer = LockedVersion(
            "acme-units", "acme-units==2.2.0", "2.2.0", {"acme_units-2.2.0.tar.gz": "cd" * 32}
        )
        for name, entries in {
            "base": [BEAMS, UNITS],
            "ours": [moved, UNITS],
            "theirs": [BEAMS, newer],
        }.items():
            (tmp_path / name).write_text(locking.dump(entries))
        merged = subprocess.run(
            ["git", "merge-file", "--stdout", "ours", "base", "theirs"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert list(locking.parse(merged).values()) == [moved, newer]

    def test_a_merge_conflict_is_told_as_one(self):
        text = locking.dump([BEAMS]).replace("ref =", "<<<<<<< ours\nref =")
        with pytest.raises(
            Failure, match=r"has merge conflicts; `python -m private_packages sync` writes it again"
        ):
            locking.parse(text)

    def test_it_is_written_only_when_it_changes(self, tmp_path: Path):
        lock = Lock({"acme-beams": BEAMS})
        assert not locking.save(tmp_path, Lock())
        assert not (tmp_path / FILE).exists()
        assert locking.save(tmp_path, lock)
        assert not locking.save(tmp_path, lock)
        assert locking.load(tmp_path) == lock


def test_a_damaged_lock_stops_every_command_with_one_sentence_and_nothing_changes(here: World):
    here.repository("acme-beams")
    here.want(here.index(), here.from_index("acme-units==2.1.0"), here.submodule("acme-beams"))
    (here.app / FILE).write_text(here.lock.replace("version = ", "version ="[:-1]))
    before = {path: path.read_bytes() for path in here.app.glob("*") if path.is_file()}
    here.git.clear()
    here.private.clear()
    for arguments in (["sync"], ["check"], ["install"], ["install", "--locked"], ["status"]):
        done = here.command(*arguments)
        assert done.returncode == 1
        (said,) = done.stderr.splitlines()
        assert said.startswith("private-packages.lock is damaged (")
        assert said.endswith("take it back with `git checkout -- private-packages.lock`.")
    assert {path: path.read_bytes() for path in here.app.glob("*") if path.is_file()} == before
    assert here.git.requests == here.private.requests == []


class TestWhatSyncWrites:
    """What it can learn without an installer."""

    def test_a_commit_for_a_submodule_and_a_git_line_a_version_and_its_files_for_the_index(
        self, here: World, git
    ):
        for name in ("acme-beams", "acme-loads"):
            here.repository(name)
        here.want(
            here.index(),
            here.submodule("acme-beams"),
            here.from_git("acme-loads"),
            here.from_index("acme-units == 2.1.0"),
        )
        pinned = {
            name: git(here.git.path_of(name), "rev-parse", "v1^{commit}")
            for name in ("acme-beams", "acme-loads")
        }
        wheels = {WHEEL: sha256(here.private.folder / WHEEL)}
        assert locking.load(here.app) == {
            "acme-beams": LockedCommit(
                "acme-beams", "submodule", here.git.url_of("acme-beams"), "v1", pinned["acme-beams"]
            ),
            "acme-loads": LockedCommit(
                "acme-loads", "git", here.git.url_of("acme-loads"), "v1", pinned["acme-loads"]
            ),
            "acme-units": LockedVersion("acme-units", "acme-units == 2.1.0", "2.1.0", wheels),
        }
        assert "ACME_" not in here.lock

    def test_a_page_without_sha256_is_made_up_for_by_reading_the_files(self, here: World):
        """Also where a file lies on another host, which gets no login."""
        here_too = wheel(here.public.folder, "acme-units", "2.1.0", "private", tag="cp39-none-win32")
        content = (here.private.folder / WHEEL).read_bytes()
        links = [f"../../files/{WHEEL}#md5={'0' * 32}", f"{here.public.url}/packages/{here_too.name}"]
        page = "".join(f'<a href="{link}">x</a>\n' for link in links)
        with OwnIndex("text/html", page, {WHEEL: content}) as index:
            here.want(index.table, here.from_index("acme-units==2.1.0"))
        locked = locking.load(here.app).version_of("acme-units")
        assert locked and locked.files == {
            WHEEL: hashlib.sha256(content).hexdigest(),
            here_too.name: sha256(here_too),
        }
        assert [one.path for one in index.requests] == ["/simple/acme-units/", f"/files/{WHEEL}"]
        assert {one.user for one in index.requests} == {"builder"}
        assert [(one.path, one.user) for one in here.public.requests] == [(f"/packages/{here_too.name}", "")]

    def test_a_file_that_lies_in_a_store_elsewhere_is_read_without_the_login(self, here: World):
        """GitLab and others send there by a redirect."""
        content = (here.private.folder / WHEEL).read_bytes()
        page = f'<a href="../../files/{WHEEL}">x</a>\n'
        with OwnIndex("text/html", page) as index, OwnIndex("text/html", "", {WHEEL: content}) as store:
            index.faults_of = {WHEEL: Faults(redirect_to=store.url)}
            here.want(index.table, here.from_index("acme-units==2.1.0"))
        locked = locking.load(here.app).version_of("acme-units")
        assert locked and locked.files == {WHEEL: hashlib.sha256(content).hexdigest()}
        assert [one.user for one in index.requests] == ["builder", "builder"]
        assert [(one.path, one.user) for one in store.requests] == [(f"/files/{WHEEL}", "")]

    def test_a_file_that_was_cut_is_not_taken_for_the_whole(self, here: World):
        page = f'<a href="../../files/{WHEEL}">x</a>\n'
        with OwnIndex("text/html", page, {WHEEL: (here.private.folder / WHEEL).read_bytes()}) as index:
            here.want(index.table)
            toml = here.app / "private-packages.toml"
            toml.write_text(toml.read_text() + here.from_index("acme-units==2.1.0"))
            index.faults_of = {WHEEL: Faults(cut_after=20)}
            said = here.command("sync").stderr
        assert f"acme-units: the connection to the index broke in the middle of {WHEEL}" in said
        assert not (here.app / FILE).exists()

    def test_a_page_in_json_is_taken_at_its_word(self, here: World):
        hashes = {WHEEL: SHA256, "acme_units-2.1.0.tar.gz": "cd" * 32, "acme_units-2.0.0.tar.gz": "ef" * 32}
        files = [
            {"filename": name, "url": f"../../files/{name}", "hashes": {"sha256": sha256}}
            for name, sha256 in hashes.items()
        ]
        page = json.dumps({"meta": {"api-version": "1.1"}, "name": "acme-units", "files": files})
        with OwnIndex("application/vnd.pypi.simple.v1+json", page) as index:
            here.want(index.table, here.from_index("acme-units==2.1"))
        locked = locking.load(here.app).version_of("acme-units")
        assert locked and locked.files == {WHEEL: SHA256, "acme_units-2.1.0.tar.gz": "cd" * 32}
        assert [one.path for one in index.requests] == ["/simple/acme-units/"]

    def test_what_cannot_be_learned_leaves_the_others_and_the_lock_as_they_were(self, here: World):
        here.want(here.index(), here.from_index("acme-units==2.1.0"))
        before = here.lock
        toml = here.app / "private-packages.toml"
        here.repository("acme-loads")
        toml.write_text(toml.read_text().replace("==2.1.0", "==7") + here.from_git("acme-loads"))
        done = here.command("sync")
        assert done.returncode == 1
        assert "acme-units: the private index offers no file of version 7; it has 2.1.0, 2.0.0" in done.stderr
        lock = locking.load(here.app)
        assert lock.pop("acme-loads").name == "acme-loads"
        assert locking.dump(lock.values()) == before

    def test_nothing_is_asked_when_nothing_changed(self, here: World):
        here.repository("acme-loads")
        here.want(here.index(), here.from_index("acme-units==2.1.0"), here.from_git("acme-loads"))
        before = here.lock
        here.private.clear()
        here.git.clear()
        assert here.command("sync").returncode == 0
        assert here.lock == before
        assert here.private.requests == here.git.requests == []


class OwnIndex(HttpHost):
    """An index with one page, for acme-units, in one content type; its faults are named by file."""

    def __init__(self, kind: str, page: str, files: Mapping[str, bytes] | None = None) -> None:
        super().__init__()
        self.kind = kind
        self.content = {"/simple/acme-units/": page.encode()}
        self.content |= {f"/files/{name}": content for name, content in (files or {}).items()}

    @property
    def table(self) -> str:
        url = self.url.replace("://", "://${ACME_USER}:${ACME_PASSWORD}@")
        return f'[index]\nurl = "{url}/simple/"\nscope = "extra"\n'

    def application(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        content = self.content.get(environ["PATH_INFO"])
        if content is None or self.kind not in environ.get("HTTP_ACCEPT", ""):
            return plain_answer(start_response, 404)
        start_response("200 OK", [("Content-Type", self.kind), ("Content-Length", str(len(content)))])
        return [content]

    def name_of(self, path: str) -> str:
        return path.rpartition("/")[2]

    def secrets(self) -> set[str]:
        return set()


class TestWhatInstallCompletes:
    """What only an installer can tell."""

    def test_a_line_that_is_no_pin(self, here: World):
        here.want(here.index("only"), here.from_index("acme-units>=2"))
        assert here.command("status").returncode == 1
        for command in (["check", "--locked"], ["install", "--locked"]):
            said = here.stops(*command)
            assert "STOP acme-units: the lock does not know its files yet." in said
            assert "Type: python -m private_packages install" in said
        here.installs()
        assert 'requirement = "acme-units>=2"\nversion = "2.1.0"\n' in here.lock
        wheel(here.private.folder, "acme-units", "2.2.0", "private")
        here.installs("--locked")
        here.installs()
        assert 'version = "2.1.0"\n' in here.lock

    def test_a_line_that_is_no_pin_and_was_changed(self, here: World):
        here.want(here.index(), here.from_index("acme-units<2.1"))
        here.installs()
        assert 'version = "2.0.0"\n' in here.lock
        here.want(here.index(), here.from_index("acme-units>=2.1"))
        here.installs()
        assert 'requirement = "acme-units>=2.1"\nversion = "2.1.0"\n' in here.lock

    def test_an_abbreviated_commit(self, here: World, git):
        full = git(here.repository("acme-loads"), "rev-parse", "v1^{commit}")
        here.want(here.from_git("acme-loads", full[:10]))
        here.installs()
        assert f'ref = "{full[:10]}"\ncommit = "{full}"\n' in here.lock

    def test_what_others_need_as_long_as_they_need_it(self, here: World):
        for version in ("1.0", "2.0"):
            wheel(here.private.folder, "acme-core", version, "private")
        needing = {"2.1.0": "acme-core<2", "2.2.0": "acme-core>=2", "2.3.0": ""}
        for version, needs in needing.items():
            wheel(here.private.folder, "acme-units", version, "private", needs=needs)
        entries = {}
        for version in needing:
            here.want(here.index(), here.from_index(f"acme-units=={version}"))
            here.installs()
            here.installs("--locked")
            entries[version] = locking.load(here.app).version_of("acme-core")
        assert [entry and entry.version for entry in entries.values()] == ["1.0", "2.0", None]

    def test_it_stays_at_its_version_while_that_will_do(self, here: World):
        wheel(here.private.folder, "acme-core", "1.0", "private")
        wheel(here.private.folder, "acme-units", "2.1.0", "private", needs="acme-core")
        here.want(here.index(), here.from_index("acme-units==2.1.0"))
        here.installs()
        wheel(here.private.folder, "acme-core", "1.1", "private")
        here.installs()
        locked = locking.load(here.app).version_of("acme-core")
        assert locked and locked.version == "1.0"

    def test_what_is_needed_on_another_system(self, here: World):
        wheel(here.private.folder, "acme-elsewhere", "1.0", "private")
        needs = "acme-elsewhere ; sys_platform == 'cygwin'"
        wheel(here.private.folder, "acme-units", "2.1.0", "private", needs=needs)
        here.want(here.index(), here.from_index("acme-units==2.1.0"))
        here.installs()
        assert 'name = "acme-elsewhere"' in here.lock
        here.installs("--locked")
        here.installs()
        assert 'name = "acme-elsewhere"' in here.lock
        assert here.origin("acme-elsewhere") == "nothing"


class TestWhatTheIndexDoesLater:
    """The lock knows the files that were there when it was made."""

    def test_a_new_file_of_a_locked_version_stays_out_until_it_is_taken(self, here: World):
        here.want(here.index(), here.from_index("acme-units==2.1.0"))
        before = here.lock
        wheel(here.private.folder, "acme-units", "2.1.0", "later", build="9")
        said = here.installs()
        assert "note: acme-units: the private index offers acme_units-2.1.0-9-py3-none-any.whl" in said
        assert here.lock == before
        assert here.origin("acme-units") == "private"
        (cure,) = re.findall(r"python -m private_packages (move acme-units 2\.1\.0)", said)
        assert here.command(*cure.split()).returncode == 0
        assert "acme_units-2.1.0-9-py3-none-any.whl" in here.lock
        assert "note:" not in here.installs()
        assert here.origin("acme-units") == "later"

    @pytest.mark.parametrize("command", ["check", "install"])
    def test_other_bytes_under_the_same_name_stop(self, here: World, command: str):
        here.want(here.index(), here.from_index("acme-units==2.1.0"))
        wheel(here.private.folder, "acme-units", "2.1.0", "changed")
        said = here.stops(command)
        assert "STOP acme-units: 2.1.0 would come from" in said
        assert "no file of it is in the lock" in said

    def test_a_version_that_is_gone_stops(self, here: World):
        here.want(here.index(), here.from_index("acme-units==2.1.0"))
        (here.private.folder / WHEEL).unlink()
        assert "STOP acme-units: the private index does not offer 2.1.0 any more." in here.stops("install")


def test_a_tag_that_was_moved_is_told_and_what_is_pinned_stays(here: World, git):
    pinned = git(here.repository("acme-loads"), "rev-parse", "v1^{commit}")
    here.want(here.from_git("acme-loads"))
    moved = commit(here.git.path_of("acme-loads"), {"acme_loads.py": "ORIGIN = 'moved'\n"}, tag="v1")
    shutil.rmtree(here.app / ".venv")
    here.make_environment()
    said = here.installs()
    assert (
        f"note: acme-loads: `v1` is commit {moved[:10]} by now, and the lock says {pinned[:10]}, which stays"
        in said
    )
    assert here.origin("acme-loads") == "private"
