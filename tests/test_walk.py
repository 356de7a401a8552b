"""A random walk: what users, colleagues, hosts and kills do in any order; nothing of anybody's is lost.

PRIVATE_PACKAGES_WALKS says how many walks of twenty steps are made, from another seed each time, which is printed
when one fails. Without it they are a few, and always the same.
"""

from __future__ import annotations

import compileall
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from apps import HOOK, data
from hypothesis import HealthCheck, Phase, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from killing import HOWS, Kill, install_watcher, run_until, wait_for_git
from private_packages import config
from private_packages import lock as locking
from private_packages.files import sides_of
from templates import ANSWERS, TOML, files_for

from demo.git_host import GitHost
from demo.http_host import Faults
from demo.samples import commit, make_repository

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")

WALKS = os.environ.get("PRIVATE_PACKAGES_WALKS", "")
TOKEN = "SENTINEL-git-token-3306"
NAMES = ("acme-a", "acme-b")
REFS = ("v1", "v2", "main")
BELOW = "app/submodules"
COMMAND = (sys.executable, "-m", "private_packages", "sync")
AFTER = {"STAGE": "after", "COPIER_OPERATION": "update"}
# What `status` finds that no `sync` can mend: nothing is installed here, and these pins and files are a person's.
NOT_FOR_SYNC = {"not-installed", "no-environment", "moved-by-hand", "other-commit"}

Done = subprocess.CompletedProcess[str]


@dataclass
class Clone:
    """Somebody's clone, and what of theirs is in it: files by path, and commits by package."""

    folder: Path
    files: dict[str, str] = field(default_factory=dict)
    commits: set[tuple[str, str]] = field(default_factory=set)
    killed: bool = False

    def run(self, *command: str, **environment: str) -> Done:
        done = subprocess.run(
            command,
            cwd=self.folder,
            env={**os.environ, "ACME_TOKEN": TOKEN, "PRIVATE_PACKAGES_STRICT": "1", **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def git(self, *arguments: str) -> str:
        done = self.run("git", *arguments)
        assert done.returncode == 0, (arguments, done.stderr)
        return done.stdout.strip()

    def has(self, name: str) -> bool:
        """Whether there is a submodule that Git can work in."""
        folder = self.folder / BELOW / name
        return (folder / ".git").exists() and self.run(
            "git", "-C", str(folder), "rev-parse", "HEAD"
        ).returncode == 0

    def commit(self) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", "Work")

    def has_work(self) -> bool:
        """Whether something of the person's is in a submodule."""
        return bool(self.commits) or any(path.startswith(BELOW) for path in self.files)


@dataclass
class World:
    """What all walks share: the host, and an app that nobody has changed yet."""

    host: GitHost
    start: Path
    watcher: Path
    template: Path
    steps: int = 0

    def copier(self, operation: str, wants: dict[str, str], *more: str) -> tuple[str, ...]:
        """The words of a real `copier` command about these packages."""
        answers = {**ASKED, "strategies": ["submodule"] if wants else []}
        answers["submodule_packages"] = self.lines(wants)
        options = ("--trust", "--defaults", *data(answers))
        return (sys.executable, "-m", "copier", operation, *options, *more)

    def lines(self, wants: dict[str, str]) -> str:
        address = self.host.url.replace("://", "://x-access-token:${ACME_TOKEN}@")
        return "\n".join(f"{name} @ git+{address}/acme/{name}.git@{ref}" for name, ref in wants.items())


def machine(world: World) -> type[RuleBasedStateMachine]:
    clones, names, refs = st.integers(0, 1), st.sampled_from(NAMES), st.sampled_from(REFS)
    # An empty ref: the package is not wanted.
    wishes = st.fixed_dictionaries(dict.fromkeys(NAMES, refs | st.sampled_from(["v1", "v2", ""]))).map(
        lambda found: {name: ref for name, ref in found.items() if ref}
    )

    class Walk(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.folder = Path(tempfile.mkdtemp(prefix="walk-"))
            self.number = 0
            subprocess.run(["cp", "-a", world.start, self.folder / "0"], check=True)
            self.clones = [Clone(self.folder / "0")]
            self.clones.append(self.cloned())

        def teardown(self) -> None:
            world.host.faults = Faults()
            shutil.rmtree(self.folder)

        def cloned(self) -> Clone:
            self.number += 1
            self.clones[0].git("clone", "--quiet", str(self.clones[0].folder), f"../clone-{self.number}")
            return Clone(self.folder / f"clone-{self.number}")

        # What the command does.

        @rule(who=clones, wants=wishes)
        def update(self, who: int, wants: dict[str, str]) -> None:
            """The answers change, and the hook runs."""
            clone = self.clones[who]
            self.want(clone, wants)
            self.judge(clone, clone.run(*HOOK, **AFTER))

        @rule(who=clones, wants=wishes)
        def update_while_the_host_is_down(self, who: int, wants: dict[str, str]) -> None:
            clone = self.clones[who]
            self.want(clone, wants)
            world.host.faults = Faults(status=503)
            clone.run(*HOOK, **AFTER)
            world.host.faults = Faults()

        @rule(who=clones, wants=wishes, at=st.integers(0, 100), how=st.sampled_from(HOWS), hook=st.booleans())
        def update_that_is_killed(
            self, who: int, wants: dict[str, str], at: int, how: str, hook: bool
        ) -> None:
            clone = self.clones[who]
            self.want(clone, wants)
            self.kill(clone, HOOK if hook else COMMAND, Kill(at, how))

        def kill(self, clone: Clone, command: Sequence[str], kill: Kill) -> None:
            environment = {**os.environ, "ACME_TOKEN": TOKEN, **(AFTER if command == HOOK else {})}
            log = self.folder / "events.log"
            _, said, _ = run_until(kill, command, clone.folder, environment, world.watcher, log)
            assert "Traceback" not in said, said
            clone.killed = True
            wait_for_git(clone.folder)

        @rule(who=clones, wants=wishes, again=st.booleans())
        def update_by_copier(self, who: int, wants: dict[str, str], again: bool) -> None:
            """A real `copier update`, or a recopy, of what is committed: Copier refuses anything else."""
            clone = self.clones[who]
            if self.is_committed(clone):
                options = ("recopy", wants, "--overwrite") if again else ("update", wants)
                self.judge(clone, clone.run(*world.copier(*options, "--vcs-ref", ":current:")))

        @rule(who=clones, wants=wishes, at=st.integers(0, 100), how=st.sampled_from(HOWS))
        def update_by_copier_that_is_killed(self, who: int, wants: dict[str, str], at: int, how: str) -> None:
            clone = self.clones[who]
            if self.is_committed(clone):
                command = world.copier("update", wants, "--vcs-ref", ":current:")
                self.kill(clone, command, Kill(at, how))

        @rule(wants=wishes)
        def copy(self, wants: dict[str, str]) -> None:
            """Somebody else starts an app of their own."""
            folder = self.folder / "copy"
            command = world.copier("copy", wants, "--vcs-ref", "v1000.0.0", str(world.template), str(folder))
            done = self.clones[0].run(*command)
            assert done.returncode == 0, done.stderr
            self.judge(Clone(folder), done)
            shutil.rmtree(folder)

        def is_committed(self, clone: Clone) -> bool:
            clone.commit()
            return clone.git("status", "--porcelain") == ""

        @rule(who=clones)
        def sync(self, who: int) -> None:
            clone = self.clones[who]
            self.judge(clone, clone.run(*COMMAND))

        # What people do.

        @rule(who=clones, name=names)
        def edit_a_file_of_a_package(self, who: int, name: str) -> None:
            clone, path = self.clones[who], f"{BELOW}/{name}/module.py"
            if clone.has(name) and (clone.folder / path).exists():
                clone.files[path] = "MINE = 1\n"
                (clone.folder / path).write_text("MINE = 1\n")

        @rule(who=clones, name=names)
        def write_a_new_file_into_a_package(self, who: int, name: str) -> None:
            clone, path = self.clones[who], f"{BELOW}/{name}/mine.py"
            if clone.has(name):
                clone.files[path] = "MINE = 2\n"
                (clone.folder / path).write_text("MINE = 2\n")

        @rule(who=clones, branch=st.booleans(), name=names)
        def commit_in_a_package(self, who: int, name: str, branch: bool) -> None:
            clone = self.clones[who]
            if not clone.has(name) or clone.killed:
                return
            folder = f"{BELOW}/{name}"
            if branch:
                clone.run("git", "-C", folder, "checkout", "--quiet", "-B", "mine")
            if (
                clone.run("git", "-C", folder, "commit", "--quiet", "--allow-empty", "-m", "Mine").returncode
                == 0
            ):
                clone.commits.add((name, clone.git("-C", folder, "rev-parse", "HEAD")))

        @rule(who=clones, name=names)
        def push_what_was_committed_and_discard_what_was_edited(self, who: int, name: str) -> None:
            clone, folder = self.clones[who], f"{BELOW}/{name}"
            for path in [path for path in clone.files if path.startswith(f"{folder}/")]:
                del clone.files[path]
                (clone.folder / path).unlink(missing_ok=True)
                clone.run("git", "-C", folder, "checkout", "--quiet", "--", Path(path).name)
            for one in [one for one in clone.commits if one[0] == name]:
                server, module = world.host.path_of(name), clone.folder / ".git" / "modules" / folder
                ref = f"{one[1]}:refs/heads/rescued-{one[1]}"
                # Past the host, which serves reading alone to this token; then Git hears of it.
                clone.git("--git-dir", str(module), "push", "--quiet", str(server), ref)
                heard = f"+refs/heads/rescued-{one[1]}:refs/remotes/origin/rescued-{one[1]}"
                clone.git("--git-dir", str(module), "fetch", "--quiet", str(server), heard)
                clone.commits.remove(one)

        @rule(who=clones, name=names, ref=st.sampled_from(["v1", "v2"]))
        def move_a_pin_by_hand(self, who: int, name: str, ref: str) -> None:
            clone, folder = self.clones[who], f"{BELOW}/{name}"
            if clone.has(name) and not clone.has_work() and not clone.killed:
                clone.run("git", "-C", folder, "checkout", "--quiet", "--detach", ref)
                clone.run("git", "add", folder)

        @rule(who=clones)
        def write_own_lines(self, who: int) -> None:
            clone = self.clones[who]
            (clone.folder / "notes.txt").write_text(f"{clone.folder.name}\n")
            clone.files["notes.txt"] = f"{clone.folder.name}\n"
            path = clone.folder / "requirements.txt"
            if "packaging==25.0\n" not in path.read_text():
                path.write_text("packaging==25.0\n" + path.read_text())

        @rule(who=clones)
        def commit(self, who: int) -> None:
            self.clones[who].commit()

        @rule(name=names)
        def upstream_goes_on(self, name: str) -> None:
            commit(world.host.path_of(name), {"CHANGES.md": os.urandom(8).hex()})

        @rule()
        @precondition(lambda self: not self.clones[1].has_work())
        def a_colleague_clones(self) -> None:
            self.clones[1] = self.cloned()
            self.judge(self.clones[1], self.clones[1].run(*COMMAND))

        @rule(who=clones, mine=st.booleans())
        def pull(self, who: int, mine: bool) -> None:
            """Merge what the other one committed; of wishes in conflict, one side is taken."""
            clone, other = self.clones[who], self.clones[1 - who]
            if clone.killed or other.killed:
                return
            clone.commit()
            pulled = clone.run(
                "git", "pull", "--quiet", "--no-rebase", "--no-edit", str(other.folder), "HEAD"
            )
            clone.files.pop("notes.txt", None)
            if pulled.returncode:
                unmerged = clone.git("diff", "--name-only", "--diff-filter=U").splitlines()
                assert unmerged, pulled.stderr
                for name in unmerged:
                    if name != locking.FILE and (clone.folder / name).is_file():
                        text = (clone.folder / name).read_text()
                        (clone.folder / name).write_text(sides_of(text)[0 if mine else 1])
                if ".gitmodules" in unmerged:
                    clone.run("git", "add", ".gitmodules")
            self.judge(clone, clone.run(*COMMAND))
            clone.commit()

        # What has to be.

        def want(self, clone: Clone, wants: dict[str, str]) -> None:
            strategies = ["submodule"] if wants else []
            answers = {"strategies": strategies, "submodule_packages": world.lines(wants)}
            template = {"_src_path": str(world.template), "_commit": "v1000.0.0"}
            written = files_for(TOML, ANSWERS, **BASE, **ASKED, **answers, **template)
            (clone.folder / TOML).write_text(written[TOML])
            (clone.folder / ".copier-answers.yml").write_text(written[ANSWERS])

        def judge(self, clone: Clone, done: Done) -> None:
            """After a sync that said that all is well, all is well; one that did not has a reason."""
            note(f"{clone.folder.name}: {done.returncode} {done.stderr}")
            if done.returncode:
                # Somebody pinned a commit that they have not pushed.
                unpushed = any(made in done.stderr for one in self.clones for _, made in one.commits)
                known = clone.has_work() or unpushed or "gitlink and no section" in done.stderr
                assert known, done.stderr
                return
            clone.killed = False
            before = len(world.host.requests)
            again = clone.run(*COMMAND)
            assert again.stderr == "Everything agrees with private-packages.toml.\n", again.stderr
            assert len(world.host.requests) == before
            status = json.loads(clone.run(*COMMAND[:-1], "status", "--json").stdout)
            assert {one["kind"] for one in status["problems"]} <= NOT_FOR_SYNC, status["problems"]
            wanted = config.load(clone.folder).packages
            lock = locking.load(clone.folder)
            assert set(lock) == {one.name for one in wanted}
            there = {path.name for path in (clone.folder / BELOW).glob("acme-*")}
            assert there == set(lock)
            modules = clone.folder / ".git" / "modules" / BELOW
            for one in wanted:
                entry = lock.commit_of(one.name, "submodule")
                assert entry and (entry.url, entry.ref) == (one.url, one.ref)
                assert not (modules / one.name / "private-packages.checkout").exists()
            git_dir = clone.folder / ".git"
            assert not [*git_dir.rglob("*.lock"), *git_dir.glob("private-packages.*")]

        @invariant()
        def nothing_is_lost(self) -> None:
            world.steps += 1
            for clone in self.clones:
                for path, text in clone.files.items():
                    assert (clone.folder / path).read_text() == text, path
                for name, made in clone.commits:
                    module = clone.folder / ".git" / "modules" / BELOW / name
                    found = clone.run("git", "--git-dir", str(module), "cat-file", "-t", made)
                    assert found.stdout == "commit\n", (name, made)

    return Walk


ASKED: dict[str, object] = {"app_name": "An app", "python_version": "3.13", "ci": "none"}
BASE: dict[str, object] = {
    "git_packages": "",
    "index_packages": "",
    "index_url": "",
    "index_scope": "extra",
    "private_prefixes": [],
}


def test_whatever_happens_in_any_order_nothing_is_lost_and_a_good_sync_is_one(
    isolated: Path, template: Path, tmp_path: Path
):
    root = tmp_path / "git"
    (root / "acme").mkdir(parents=True)
    for name in NAMES:
        files = {"pyproject.toml": f'[project]\nname = "{name}"\n', "module.py": "V = 1\n"}
        repository = make_repository(root / "acme", name, files, tags=["v1"])
        commit(repository, {"module.py": "V = 2\n", "two.py": ""}, tag="v2")
        commit(repository, {"module.py": "V = 3\n"})
    start = tmp_path / "start"
    with GitHost(root, TOKEN) as host:
        world = World(host, start, install_watcher(tmp_path / "watcher"), template)
        wants = dict.fromkeys(NAMES, "v1")
        command = world.copier("copy", wants, "--vcs-ref", "v1000.0.0", str(template), str(start))
        done = Clone(tmp_path).run(*command)
        assert done.returncode == 0, done.stderr
        compileall.compile_dir(start / "private_packages", quiet=1)
        Clone(start).commit()
        number = int(WALKS or 3)
        try:
            run_state_machine_as_test(
                machine(world),
                settings=settings(
                    max_examples=number,
                    stateful_step_count=20,
                    deadline=None,
                    derandomize=not WALKS,
                    database=None,
                    print_blob=True,
                    # Smaller examples would take hours: each step starts programs.
                    phases=(Phase.explicit, Phase.generate),
                    suppress_health_check=list(HealthCheck),
                ),
            )
        finally:
            # Also of those that somebody ends.
            print(f"{world.steps} steps in up to {number} walks")
    assert world.steps >= number
