"""From what is wanted and what is there to what is done: by table, and for any life that an app may have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from private_packages.config import Package
from private_packages.lock import LockedCommit
from private_packages.submodules.apply import without_section
from private_packages.submodules.plan import (
    Action,
    Add,
    Adopt,
    Current,
    Declare,
    Drop,
    Folder,
    Module,
    Move,
    Populate,
    Replace,
    Section,
    TakeOver,
    Undeclare,
    Wanted,
    fits,
    plan,
    section_for,
    stands_for,
    strays,
)

BELOW = "app/submodules/"


def wanted(name: str, url: str, ref: str) -> Wanted:
    return Wanted(Package(name, "submodule", f"{name} @ git+{url}@{ref}", url, ref=ref), f"{BELOW}{name}")


PATH, URL, OLD = f"{BELOW}acme-beams", "https://git.acme.example/beams.git", "https://old.example/beams.git"
BEAMS, V2 = wanted("acme-beams", URL, "v1"), wanted("acme-beams", URL, "v2")
OURS = section_for(BEAMS)
THEIRS = Section(PATH, PATH, (("path", PATH), ("url", URL), ("branch", "v1")))
NAMED = replace(THEIRS, name="beams")
LOCKED = LockedCommit("acme-beams", "submodule", URL, "v1", "c1")

# All is as it is wanted; each line of the table changes what it names.
HEALTHY = Current(
    below=BELOW,
    gitlinks={PATH: "c1"},
    declared={PATH: OURS},
    recorded={PATH: OURS},
    folders={PATH: Folder.LINKED},
    modules={PATH: Module.READY},
    locked={PATH: LOCKED},
)
NOTHING = Current(below=BELOW, folders={PATH: Folder.EMPTY}, modules={PATH: Module.ABSENT})
UNKNOWN = replace(HEALTHY, locked={})


def by(**sections: Section) -> Current:
    """The submodule with other sections in .gitmodules, and without a lock."""
    return replace(UNKNOWN, **{which: {PATH: section} for which, section in sections.items()})


TABLE: dict[str, tuple[tuple[Wanted, ...], Current, list[Action]]] = {
    "all is as it should be": ((BEAMS,), HEALTHY, []),
    "nothing wanted, nothing there": ((), NOTHING, []),
    "a new package that was rendered": ((BEAMS,), replace(NOTHING, declared={PATH: OURS}), [Add(BEAMS)]),
    "a new package": ((BEAMS,), NOTHING, [Declare(OURS), Add(BEAMS)]),
    "a gitlink that somebody removed comes back at its commit": (
        (BEAMS,),
        replace(HEALTHY, gitlinks={}),
        [Add(BEAMS, "c1")],
    ),
    "a gitlink that somebody removed while another ref is wanted": (
        (V2,),
        replace(HEALTHY, gitlinks={}),
        [Declare(section_for(V2)), Add(V2)],
    ),
    "another ref": ((V2,), HEALTHY, [Declare(section_for(V2)), Move(V2)]),
    "another ref that could not be fetched, in any clone": (
        (V2,),
        replace(HEALTHY, declared={PATH: section_for(V2)}, recorded={PATH: section_for(V2)}),
        [Move(V2)],
    ),
    "another address: the commit stays": (
        (BEAMS,),
        replace(HEALTHY, locked={PATH: replace(LOCKED, url=OLD)}),
        [Replace(BEAMS, keep="c1")],
    ),
    "another address and another ref": (
        (BEAMS,),
        replace(HEALTHY, locked={PATH: replace(LOCKED, url=OLD, ref="v0")}),
        [Replace(BEAMS, keep="")],
    ),
    "the user moved the pin": ((BEAMS,), replace(HEALTHY, gitlinks={PATH: "c9"}), []),
    "a robot wrote another branch": ((BEAMS,), replace(HEALTHY, declared={PATH: section_for(V2)}), []),
    "another address in .gitmodules": (
        (BEAMS,),
        replace(HEALTHY, declared={PATH: section_for(wanted("acme-beams", OLD, "v1"))}),
        [Declare(OURS)],
    ),
    "another name in .gitmodules": (
        (BEAMS,),
        replace(HEALTHY, declared={PATH: replace(OURS, name="beams")}),
        [Undeclare(replace(OURS, name="beams")), Declare(OURS)],
    ),
    "a new clone": (
        (BEAMS,),
        replace(HEALTHY, folders={PATH: Folder.EMPTY}, modules={PATH: Module.ABSENT}),
        [Populate(BEAMS, commit="c1", fetch=True)],
    ),
    "the folder was deleted": (
        (BEAMS,),
        replace(HEALTHY, folders={PATH: Folder.EMPTY}),
        [Populate(BEAMS, commit="c1", fetch=False)],
    ),
    "a killed run left half a module": (
        (BEAMS,),
        replace(HEALTHY, modules={PATH: Module.HALF}),
        [Populate(BEAMS, commit="c1", fetch=True)],
    ),
    "the lock is lost": ((BEAMS,), UNKNOWN, [Adopt(BEAMS, "c1")]),
    "the lock is lost and another ref is wanted": ((V2,), UNKNOWN, [Declare(section_for(V2)), Move(V2)]),
    "the lock and .gitmodules are lost": (
        (BEAMS,),
        replace(UNKNOWN, declared={}, recorded={}),
        [Declare(OURS), Adopt(BEAMS, "c1")],
    ),
    "dropped": ((), HEALTHY, [Drop(PATH)]),
    "dropped, and its section went already": ((), replace(HEALTHY, declared={}), [Drop(PATH)]),
    "dropped after a conflict was resolved": (
        (),
        replace(HEALTHY, declared={}, recorded={}),
        [Drop(PATH)],
    ),
    "left behind by a pull": ((), replace(NOTHING, left=(PATH,)), [Drop(PATH)]),
    "a gitlink that nobody knows": ((), replace(UNKNOWN, declared={}, recorded={}), []),
    "a section without its gitlink": ((), replace(NOTHING, declared={PATH: OURS}), [Undeclare(OURS)]),
    "the user's own": ((), by(declared=THEIRS, recorded=THEIRS), []),
    "the user's own, once the template's": (
        (),
        replace(HEALTHY, declared={PATH: THEIRS}, recorded={PATH: THEIRS}),
        [],
    ),
    "the user's own, whose section was lost": (
        (),
        replace(UNKNOWN, declared={}, recorded={PATH: THEIRS}),
        [Declare(THEIRS)],
    ),
    "the template's in another app of the repository": (
        (),
        replace(HEALTHY, below="apps/two/app/submodules/"),
        [],
    ),
    "the user's own is wanted as it is": (
        (BEAMS,),
        by(declared=THEIRS, recorded=THEIRS),
        [Declare(OURS), Adopt(BEAMS, "c1")],
    ),
    "the user's own is wanted at another ref": (
        (V2,),
        by(declared=THEIRS, recorded=THEIRS),
        [Declare(section_for(V2)), Move(V2)],
    ),
    "the user's own is wanted from another address": (
        (wanted("acme-beams", OLD, "v1"),),
        by(declared=THEIRS, recorded=THEIRS),
        [
            Declare(section_for(wanted("acme-beams", OLD, "v1"))),
            Replace(wanted("acme-beams", OLD, "v1"), keep="c1"),
        ],
    ),
    "the user's own under another name is wanted": (
        (BEAMS,),
        replace(
            by(declared=NAMED, recorded=NAMED),
            folders={PATH: Folder.ELSEWHERE},
            modules={PATH: Module.ABSENT},
        ),
        [Undeclare(NAMED), Declare(OURS), TakeOver(BEAMS), Adopt(BEAMS, "c1")],
    ),
    "the user's own under another name is wanted at another ref": (
        (V2,),
        replace(by(declared=NAMED, recorded=NAMED), folders={PATH: Folder.ELSEWHERE}),
        [Undeclare(NAMED), Declare(section_for(V2)), TakeOver(V2), Move(V2)],
    ),
}


@pytest.mark.parametrize("case", TABLE)
def test_the_plan_is(case: str):
    what, current, actions = TABLE[case]
    assert plan(what, current) == actions


def test_a_gitlink_that_nothing_explains_is_a_stray():
    unexplained, elsewhere = TABLE["a gitlink that nobody knows"][1], {f"vendor/{PATH}": "c1"}
    assert strays((), unexplained) == [PATH]
    assert strays((BEAMS,), unexplained) == []
    assert strays((), replace(unexplained, gitlinks=elsewhere)) == []
    assert not any(strays((), current) for _, current, _ in TABLE.values() if current != unexplained)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ('[submodule "a"]\n\tpath = a\n# footer\n', "# footer\n"),
        (
            '# head\n[submodule "a"]\n\tpath = a\n# of b\n[submodule "b"]\n\tpath = b\n',
            '# head\n# of b\n[submodule "b"]\n\tpath = b\n',
        ),
        ('[submodule "ab"]\n\tpath = a\n', '[submodule "ab"]\n\tpath = a\n'),
        ("", ""),
    ],
)
def test_a_section_goes_and_comments_stay(text: str, left: str):
    assert without_section(text, "a") == left


# ---------------------------------------------------------------------------
# Any life
# ---------------------------------------------------------------------------

NAMES = ("a", "b")
URLS = ("https://one.example/", "https://two.example/")
Wishes = Mapping[str, tuple[str, str]]


def wanted_of(wishes: Wishes) -> tuple[Wanted, ...]:
    return tuple(wanted(name, url, ref) for name, (url, ref) in wishes.items())


@dataclass
class Kept:
    """What Git keeps in a commit, and beside it what a person expects of each submodule.

    A commit of a package is named by its ref. `expected` is the commit that a submodule should be at,
    `made` the address and the ref that it came with.
    """

    wishes: Wishes = field(default_factory=dict)
    lock: dict[str, LockedCommit] = field(default_factory=dict)
    gitlinks: dict[str, str] = field(default_factory=dict)
    sections: dict[str, Section] = field(default_factory=dict)
    expected: dict[str, str] = field(default_factory=dict)
    made: dict[str, tuple[str, str]] = field(default_factory=dict)


@dataclass
class Life:
    """A simulated clone: `now` is the work tree and index, `kept` the last commit."""

    now: Kept = field(default_factory=Kept)
    kept: Kept = field(default_factory=Kept)
    recorded: dict[str, Section] = field(default_factory=dict)
    folders: dict[str, Folder] = field(default_factory=dict)
    modules: dict[str, Module] = field(default_factory=dict)

    # What the command does.

    def current(self) -> Current:
        paths = [one.path for one in wanted_of(self.now.wishes)]
        return Current(
            below=BELOW,
            gitlinks=dict(self.now.gitlinks),
            declared=dict(self.now.sections),
            recorded=dict(self.recorded),
            folders={path: self.folders.get(path, Folder.EMPTY) for path in paths},
            modules={path: self.modules.get(path, Module.ABSENT) for path in paths},
            locked=dict(self.now.lock),
        )

    def plan(self) -> list[Action]:
        return plan(wanted_of(self.now.wishes), self.current())

    def sync(self, unreachable: frozenset[str] = frozenset()) -> None:
        """What `sync` does, without Git; packages in `unreachable` cannot be fetched."""
        current, actions, now = self.current(), self.plan(), self.now
        for action in actions:
            match action:
                case Declare(section):
                    now.sections[section.path] = section
                case Undeclare(section):
                    del now.sections[section.path]
                case Drop(path):
                    for place in (now.gitlinks, now.sections, now.lock, self.folders, self.modules):
                        place.pop(path, None)
                case TakeOver(one):
                    self.folders[one.path], self.modules[one.path] = Folder.LINKED, Module.READY
                case Adopt(one, commit):
                    self.lock(one, commit)
                case Add(one) | Move(one) | Replace(one, _) | Populate(one, _, _):
                    if one.name not in unreachable:
                        commit = (
                            getattr(action, "keep", "") or getattr(action, "commit", "") or one.package.ref
                        )
                        now.gitlinks[one.path] = commit
                        self.folders[one.path], self.modules[one.path] = Folder.LINKED, Module.READY
                        if not isinstance(action, Populate):
                            self.lock(one, commit)
        if actions:
            self.recorded = dict(now.sections)
        for one in wanted_of(now.wishes):
            if one.path in now.gitlinks and one.path not in now.lock:
                url, ref = stands_for(one, current)
                now.lock[one.path] = LockedCommit(one.name, "submodule", url, ref, now.gitlinks[one.path])
        for path in [path for path in now.lock if path.removeprefix(BELOW) not in now.wishes]:
            del now.lock[path]
        self.expect(unreachable)

    def lock(self, one: Wanted, commit: str) -> None:
        self.now.lock[one.path] = LockedCommit(
            one.name, "submodule", one.package.url, one.package.ref, commit
        )

    def expect(self, unreachable: frozenset[str]) -> None:
        """What a person expects of a sync: a wish that changed its ref counts, else the pin stays."""
        now = self.now
        for path in [path for path in now.made if path not in now.sections]:
            del now.made[path], now.expected[path]
        for name, wish in now.wishes.items():
            made = now.made.get(f"{BELOW}{name}")
            if made == wish or name in unreachable:
                continue
            if made is None or made[1] != wish[1]:
                now.expected[f"{BELOW}{name}"] = wish[1]
            now.made[f"{BELOW}{name}"] = wish

    # What people do.

    def update(self, wishes: Wishes) -> None:
        self.now.wishes = wishes
        self.sync()

    def update_offline(self, wishes: Wishes) -> None:
        self.now.wishes = wishes
        self.sync(frozenset("a"))
        self.commit()

    def update_without_tasks(self, wishes: Wishes) -> None:
        self.now.wishes = wishes
        self.commit()

    def render_anew(self, wishes: Wishes) -> None:
        """They delete .gitmodules, and a recopy writes it."""
        self.now.sections = {one.path: section_for(one) for one in wanted_of(wishes)}
        self.update(wishes)

    def commit(self) -> None:
        self.recorded = dict(self.now.sections)
        self.kept = deepcopy(self.now)

    def discard(self) -> None:
        """`git reset --hard`; the modules stay as they are."""
        self.now = deepcopy(self.kept)
        self.recorded = dict(self.now.sections)

    def clone(self) -> None:
        """Go on in another clone of what is committed."""
        self.commit()
        self.folders, self.modules = {}, {}

    def move_pin(self, name: str) -> None:
        path = f"{BELOW}{name}"
        if path in self.now.gitlinks and name in self.now.wishes:
            self.now.gitlinks[path] = self.now.expected[path] = f"moved {len(self.now.gitlinks[path])}"
            self.commit()

    def let_a_robot_write(self, name: str) -> None:
        section = self.now.sections.get(f"{BELOW}{name}")
        if section and section.managed:
            written = {**dict(section.settings), "branch": "robot"}
            self.now.sections[section.path] = replace(section, settings=tuple(written.items()))
            self.commit()

    def add_own(self, name: str, path: str) -> None:
        now = self.now
        if path not in now.gitlinks and path not in now.sections:
            now.sections[path] = Section(name, path, (("path", path), ("url", URLS[0] + "own")))
            now.gitlinks[path] = now.expected[path] = "own"
            now.made[path] = (URLS[0] + "own", "")
            self.folders[path] = Folder.LINKED if name == path else Folder.ELSEWHERE
            self.modules[path] = Module.READY if name == path else Module.ABSENT
            self.commit()

    def keep_as_own(self, name: str) -> None:
        section = self.now.sections.get(f"{BELOW}{name}")
        if section and section.path in self.now.gitlinks:
            kept = tuple(pair for pair in section.settings if pair[0] != "managedby")
            self.now.sections[section.path] = replace(section, settings=kept)
            self.commit()

    def kill(self, name: str) -> None:
        """A run was killed: half a module."""
        if self.modules.get(f"{BELOW}{name}") is Module.READY:
            self.modules[f"{BELOW}{name}"] = Module.HALF

    def lose_folder(self, name: str) -> None:
        if f"{BELOW}{name}" in self.folders:
            self.folders[f"{BELOW}{name}"] = Folder.EMPTY


wishes = st.dictionaries(
    st.sampled_from(NAMES),
    st.tuples(st.sampled_from(URLS), st.sampled_from(["v1", "main"])),
)
names = st.sampled_from(NAMES)
own_places = st.sampled_from(
    [
        ("vendor/own", "vendor/own"),
        (f"{BELOW}own", f"{BELOW}own"),
        *((f"{BELOW}{name}", f"{BELOW}{name}") for name in NAMES),
        ("named", f"{BELOW}a"),
    ]
)


def step(
    act: Callable[..., None], *arguments: st.SearchStrategy[object]
) -> st.SearchStrategy[tuple[object, ...]]:
    return st.tuples(st.just(act), *arguments)


steps = st.one_of(
    step(Life.update, wishes),
    step(Life.update_offline, wishes),
    step(Life.update_without_tasks, wishes),
    step(Life.sync),
    step(Life.render_anew, wishes),
    step(Life.commit),
    step(Life.discard),
    step(Life.clone),
    step(Life.move_pin, names),
    step(Life.let_a_robot_write, names),
    step(lambda life, place: life.add_own(*place), own_places),
    step(Life.keep_as_own, names),
    step(Life.kill, names),
    step(Life.lose_folder, names),
)


@settings(max_examples=600, deadline=None, derandomize=True)
@given(lived=st.lists(steps, max_size=12), last=st.none() | wishes)
@example(
    # Their own is wanted from elsewhere, and that could not be fetched.
    lived=[(Life.add_own, f"{BELOW}a", f"{BELOW}a"), (Life.update_offline, {"a": (URLS[0], "v1")})],
    last=None,
)
def test_whatever_an_app_went_through_it_ends_as_a_fresh_one_with_the_users_own(
    lived: list[tuple[Callable[..., None], object]], last: Wishes | None
):
    life = Life()
    for act, *arguments in lived:
        act(life, *arguments)
    own = {path: one for path, one in life.now.sections.items() if not one.managed}
    last = life.now.wishes if last is None else last
    life.update(last)

    fresh = {one.path: section_for(one) for one in wanted_of(last)}
    assert life.plan() == []
    assert life.now.gitlinks == life.now.expected
    assert set(life.now.gitlinks) == set(life.now.sections) == {*fresh, *own}
    for one in wanted_of(last):
        section = life.now.sections[one.path]
        # A robot's `branch =` may stay, and the missing mark of one that the user took.
        assert section.managed or one.path in own
        assert (section.name, section.get("url")) == (one.path, one.package.url)
        assert fits(one.package, life.now.lock[one.path])
        assert life.folders[one.path] is Folder.LINKED
        assert life.modules[one.path] is Module.READY
    assert set(life.now.lock) == set(fresh)
    assert all(life.now.sections[path] == one for path, one in own.items() if path not in fresh)
