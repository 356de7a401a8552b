"""From what is wanted and what is there to what is done: by table, and for any life that an app may have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field

import pytest
from apply import without_section
from hypothesis import given, settings
from hypothesis import strategies as st
from plan import (
    Action,
    Add,
    Applied,
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
    applied_to,
    in_place,
    plan,
    section_for,
    strays,
)

BELOW = "app/submodules/"
PATH = f"{BELOW}acme-beams"
BEAMS = Wanted("acme-beams", PATH, "https://git.acme.example/beams.git", "v1", "")
OURS = section_for(BEAMS)
THEIRS = Section(PATH, PATH, (("path", PATH), ("url", BEAMS.url)))
NAMED = THEIRS._replace(name="beams")
APPLIED = Applied(BEAMS.url, "v1", "c1")

# All is as the answers say; each line of the table changes what it names.
HEALTHY = Current(
    below=BELOW,
    gitlinks={PATH: "c1"},
    declared={PATH: OURS},
    recorded={PATH: OURS},
    folders={PATH: Folder.LINKED},
    modules={PATH: Module.READY},
    applied={PATH: APPLIED},
    made={PATH: APPLIED},
)
NOTHING = Current(below=BELOW, folders={PATH: Folder.EMPTY}, modules={PATH: Module.ABSENT})

TABLE: dict[str, tuple[tuple[Wanted, ...], Current, list[Action]]] = {
    "all is as it should be": ((BEAMS,), HEALTHY, []),
    "nothing wanted, nothing there": ((), NOTHING, []),
    "a new package that was rendered": ((BEAMS,), NOTHING._replace(declared={PATH: OURS}), [Add(BEAMS)]),
    "a new package in a larger repository": ((BEAMS,), NOTHING, [Declare(OURS), Add(BEAMS)]),
    "another ref": (
        (BEAMS,),
        HEALTHY._replace(applied={PATH: APPLIED._replace(ref="v0")}),
        [Move(BEAMS)],
    ),
    "another ref in a larger repository": (
        (BEAMS._replace(ref="v2"),),
        HEALTHY,
        [Declare(section_for(BEAMS._replace(ref="v2"))), Move(BEAMS._replace(ref="v2"))],
    ),
    "another address: the commit stays": (
        (BEAMS,),
        HEALTHY._replace(applied={PATH: APPLIED._replace(url="https://old.example/beams.git")}),
        [Replace(BEAMS, keep="c1")],
    ),
    "another address and another ref": (
        (BEAMS,),
        HEALTHY._replace(applied={PATH: Applied("https://old.example/beams.git", "v0")}),
        [Replace(BEAMS, keep="")],
    ),
    "the user moved the pin": ((BEAMS,), HEALTHY._replace(gitlinks={PATH: "c9"}), []),
    "a robot wrote another branch": (
        (BEAMS,),
        HEALTHY._replace(declared={PATH: section_for(BEAMS._replace(ref="v9"))}),
        [],
    ),
    "a new clone": (
        (BEAMS,),
        HEALTHY._replace(folders={PATH: Folder.EMPTY}, modules={PATH: Module.ABSENT}),
        [Populate(BEAMS, commit="c1", fetch=True)],
    ),
    "the folder was deleted": (
        (BEAMS,),
        HEALTHY._replace(folders={PATH: Folder.EMPTY}),
        [Populate(BEAMS, commit="c1", fetch=False)],
    ),
    "a killed run left half a module": (
        (BEAMS,),
        HEALTHY._replace(modules={PATH: Module.HALF}),
        [Populate(BEAMS, commit="c1", fetch=True)],
    ),
    "dropped": ((), HEALTHY._replace(declared={}), [Drop(PATH)]),
    "dropped in a larger repository": ((), HEALTHY, [Drop(PATH)]),
    "dropped after a conflict was resolved": ((), HEALTHY._replace(declared={}, recorded={}), [Drop(PATH)]),
    "a gitlink that nobody knows": (
        (),
        HEALTHY._replace(declared={}, recorded={}, applied={}, made={}),
        [],
    ),
    "a section without its gitlink": ((), NOTHING._replace(declared={PATH: OURS}), [Undeclare(OURS)]),
    "the user's own": ((), HEALTHY._replace(declared={PATH: THEIRS}, recorded={PATH: THEIRS}), []),
    "the user's own, whose section a recopy has lost": (
        (),
        HEALTHY._replace(declared={}, recorded={PATH: THEIRS}),
        [Declare(THEIRS)],
    ),
    "the template's in another app of the repository": (
        (),
        HEALTHY._replace(below="apps/two/app/submodules/"),
        [],
    ),
    "the user's own of the same path": (
        (BEAMS,),
        HEALTHY._replace(declared={PATH: THEIRS}, recorded={PATH: THEIRS}, applied={}),
        [Declare(OURS), Move(BEAMS)],
    ),
    "the user's own of the same path and ref": (
        (BEAMS._replace(ref=""),),
        HEALTHY._replace(declared={PATH: THEIRS}, recorded={PATH: THEIRS}, applied={}),
        [Declare(section_for(BEAMS._replace(ref="")))],
    ),
    "the user's own under another name": (
        (BEAMS,),
        HEALTHY._replace(
            declared={PATH: NAMED},
            recorded={PATH: NAMED},
            applied={},
            folders={PATH: Folder.ELSEWHERE},
        ),
        [Undeclare(NAMED), Declare(OURS), TakeOver(BEAMS), Move(BEAMS)],
    ),
}


@pytest.mark.parametrize("case", TABLE)
def test_the_plan_is(case: str):
    wanted, current, actions = TABLE[case]
    # By repr: named tuples of two kinds are equal when their fields are.
    assert list(map(repr, plan(wanted, current))) == list(map(repr, actions))


def test_a_gitlink_that_nothing_explains_is_a_stray():
    unknown = HEALTHY._replace(declared={}, recorded={}, applied={}, made={})
    assert strays((), unknown) == [PATH]
    assert strays((BEAMS,), unknown) == []
    assert [strays((), current) for _, current, _ in TABLE.values() if current != unknown] == [[]] * (
        len(TABLE) - 1
    )


@pytest.mark.parametrize(
    ("remembered", "committed", "gitlink", "known"),
    [
        ({}, {}, "c1", {}),
        ({PATH: APPLIED}, {}, "c1", {PATH: APPLIED}),
        ({PATH: APPLIED}, {}, None, {}),
        # An update wrote v2 into the answers, could not fetch, and all was committed.
        ({PATH: APPLIED}, {PATH: Applied(BEAMS.url, "v2")}, "c1", {PATH: APPLIED}),
        # An update to v2 was pulled, or one was discarded.
        ({PATH: APPLIED}, {PATH: Applied(BEAMS.url, "v2")}, "c2", {PATH: Applied(BEAMS.url, "v2")}),
        # Before the first commit the user moved the pin: its section says what it stands for.
        ({PATH: APPLIED}, {}, "c9", {}),
        ({}, {PATH: Applied(BEAMS.url, "v2")}, "c1", {PATH: Applied(BEAMS.url, "v2")}),
        ({}, {PATH: Applied(BEAMS.url, "v2")}, None, {}),
    ],
)
def test_this_clones_memory_counts_as_long_as_the_gitlink_is_the_remembered_one(
    remembered: dict[str, Applied],
    committed: dict[str, Applied],
    gitlink: str | None,
    known: dict[str, Applied],
):
    assert in_place(remembered, committed, {PATH: gitlink} if gitlink else {}) == known


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

NAMES = ("a", "b", "c")
URLS = ("https://one.example/", "https://two.example/")
Answers = Mapping[str, tuple[str, str]]


def path_of(name: str) -> str:
    return f"{BELOW}{name}"


def wanted_of(answers: Answers) -> tuple[Wanted, ...]:
    return tuple(Wanted(name, path_of(name), url, ref, "") for name, (url, ref) in answers.items())


def merged(rendered: Section, theirs: Section | None) -> Section:
    """What Git reads where two sections stand for one path."""
    if theirs is None:
        return rendered
    if theirs.name != rendered.name:
        return theirs
    return rendered._replace(settings=(*rendered.settings, *theirs.settings))


@dataclass
class Kept:
    """What Git keeps in a commit; `theirs` are the user's sections that stand beside a rendered one."""

    answers: Answers = field(default_factory=dict)
    gitlinks: dict[str, str] = field(default_factory=dict)
    sections: dict[str, Section] = field(default_factory=dict)
    theirs: dict[str, Section] = field(default_factory=dict)
    expected: dict[str, str] = field(default_factory=dict)
    answered: dict[str, tuple[str, str]] = field(default_factory=dict)


@dataclass
class Life:
    """A simulated repository, and beside it what a person expects of it.

    `now` is the work tree and index, `kept` the last commit. A commit of a package is named by its ref.
    `expected` (in both) is the commit that each submodule should be at, `answered` the answer it came with.
    """

    now: Kept = field(default_factory=Kept)
    kept: Kept = field(default_factory=Kept)
    recorded: dict[str, Section] = field(default_factory=dict)
    folders: dict[str, Folder] = field(default_factory=dict)
    modules: dict[str, Module] = field(default_factory=dict)
    memory: dict[str, Applied] = field(default_factory=dict)
    behind: bool = False
    kept_behind: bool = False

    # What the template and its hook do.

    def render(self, answers: Answers) -> None:
        """What an update leaves in .gitmodules: its own sections merged, the user's as they are."""
        old = {one.path: section_for(one) for one in wanted_of(self.now.answers)}
        new = {one.path: section_for(one) for one in wanted_of(answers)}
        for path in {*old, *new}:
            if old.get(path) == new.get(path):
                continue
            there = self.now.sections.get(path)
            if path in new and there and not there.managed:
                self.now.theirs[path] = there
            if path in new:
                self.now.sections[path] = merged(new[path], self.now.theirs.get(path))
            elif path in self.now.theirs:
                self.now.sections[path] = self.now.theirs.pop(path)
            elif self.now.sections.get(path, THEIRS).managed:
                del self.now.sections[path]
        self.now.answers = answers

    def current(self) -> Current:
        wanted = wanted_of(self.now.answers)
        committed = {one.path: Applied(one.url, one.ref) for one in wanted_of(self.kept.answers)}
        return Current(
            below=BELOW,
            gitlinks=dict(self.now.gitlinks),
            declared=dict(self.now.sections),
            recorded=dict(self.recorded),
            folders={one.path: self.folders.get(one.path, Folder.EMPTY) for one in wanted},
            modules={one.path: self.modules.get(one.path, Module.ABSENT) for one in wanted},
            applied=in_place(self.memory, committed, self.now.gitlinks),
            made=dict(self.memory),
        )

    def plan(self) -> list[Action]:
        return plan(wanted_of(self.now.answers), self.current())

    def sync(self, unreachable: frozenset[str] = frozenset()) -> None:
        """What `apply` does, without Git; packages in `unreachable` cannot be fetched."""
        current, actions = self.current(), self.plan()
        applied: dict[str, Applied] = {}
        for action in actions:
            match action:
                case Declare(section):
                    self.now.theirs.pop(section.path, None)
                    self.now.sections[section.path] = section
                case Undeclare(section):
                    del self.now.sections[section.path]
                case Drop(path):
                    self.now.theirs.pop(path, None)
                    for place in (
                        self.now.gitlinks,
                        self.now.sections,
                        self.folders,
                        self.modules,
                        self.memory,
                    ):
                        place.pop(path, None)
                case TakeOver(wanted):
                    self.folders[wanted.path] = Folder.LINKED
                    self.modules[wanted.path] = Module.READY
                case Add(wanted) | Move(wanted) | Replace(wanted, _) | Populate(wanted, _, _):
                    if wanted.name not in unreachable:
                        commit = getattr(action, "keep", "") or getattr(action, "commit", "") or wanted.ref
                        self.now.gitlinks[wanted.path] = commit
                        self.folders[wanted.path] = Folder.LINKED
                        self.modules[wanted.path] = Module.READY
                        applied[wanted.path] = Applied(wanted.url, wanted.ref, commit)
        if actions:
            self.recorded = dict(self.now.sections)
        for one in wanted_of(self.now.answers):
            if one.path in applied:
                self.memory[one.path] = applied[one.path]
            elif one.path in current.gitlinks:
                known = applied_to(one, current)
                self.memory[one.path] = known._replace(commit=current.gitlinks[one.path])
        self.expect(unreachable)

    def expect(self, unreachable: frozenset[str]) -> None:
        """What a person expects of a sync: an answer that changed its ref counts, else the pin stays."""
        wanted = {path_of(name): one for name, one in self.now.answers.items()}
        for path in [path for path in self.now.answered if path not in wanted]:
            if path not in self.now.sections:
                del self.now.answered[path], self.now.expected[path]
        self.behind = False
        for path, one in wanted.items():
            known = self.now.answered.get(path)
            if known == one:
                continue
            if path.removeprefix(BELOW) in unreachable:
                self.behind = True
                continue
            if known is None or known[1] != one[1]:
                self.now.expected[path] = one[1]
            self.now.answered[path] = one

    # What people do.

    def update(self, answers: Answers) -> None:
        self.render(answers)
        self.sync()

    def update_offline(self, answers: Answers) -> None:
        self.render(answers)
        self.sync(frozenset(NAMES[:2]))
        self.commit()

    def update_without_tasks(self, answers: Answers) -> None:
        """Only with what this clone's hook has seen: else a person decides about a stray, or about a pin."""
        seen = {path: one.commit for path, one in self.memory.items()}
        here = [path for path in self.now.sections if path.startswith(BELOW)]
        if any(seen.get(path) != self.now.gitlinks.get(path) for path in here):
            return
        self.render(answers)
        self.behind = True
        self.commit()

    def recopy(self, answers: Answers) -> None:
        self.now.sections = {one.path: section_for(one) for one in wanted_of(answers)}
        self.now.theirs = {}
        self.now.answers = answers
        self.sync()

    def commit(self) -> None:
        self.recorded = dict(self.now.sections)
        self.kept = deepcopy(self.now)
        self.kept_behind = self.behind

    def discard(self) -> None:
        """`git reset --hard`; the modules and the memory stay as they are. Not back to what was still to be fetched."""
        if self.kept_behind:
            return
        self.now = deepcopy(self.kept)
        self.recorded = dict(self.now.sections)

    def clone(self) -> None:
        """Elsewhere, after a commit; what one clone has still to fetch, another one cannot know."""
        if not self.behind:
            self.commit()
            self.folders, self.modules, self.memory = {}, {}, {}

    def move_pin(self, name: str) -> None:
        path = path_of(name)
        if path in self.now.gitlinks and name in self.now.answers and not self.behind:
            self.now.gitlinks[path] = self.now.expected[path] = f"moved {len(self.now.gitlinks[path])}"
            self.commit()

    def let_a_robot_write(self, name: str) -> None:
        section = self.now.sections.get(path_of(name))
        if section and section.managed:
            written = {**dict(section.settings), "branch": "robot"}
            self.now.sections[path_of(name)] = section._replace(settings=tuple(written.items()))
            self.commit()

    def add_own(self, name: str, path: str) -> None:
        if path not in self.now.gitlinks and path not in self.now.sections:
            settings_ = (("path", path), ("url", URLS[0] + "own"))
            self.now.sections[path] = Section(name, path, settings_)
            self.now.gitlinks[path] = self.now.expected[path] = "own"
            self.now.answered[path] = (URLS[0] + "own", "")
            self.folders[path] = Folder.LINKED if name == path else Folder.ELSEWHERE
            self.modules[path] = Module.READY if name == path else Module.ABSENT
            self.commit()

    def kill(self, name: str) -> None:
        """A run was killed: half a module."""
        if self.modules.get(path_of(name)) is Module.READY:
            self.modules[path_of(name)] = Module.HALF

    def lose_folder(self, name: str) -> None:
        if path_of(name) in self.folders:
            self.folders[path_of(name)] = Folder.EMPTY


Step = Callable[[Life], None]
answers = st.dictionaries(
    st.sampled_from(NAMES),
    st.tuples(st.sampled_from(URLS), st.sampled_from(["v1", "v2", "main"])),
    max_size=3,
)
names = st.sampled_from(NAMES)
own_places = st.sampled_from(
    [
        ("vendor/own", "vendor/own"),
        (path_of("own"), path_of("own")),
        *((path_of(n), path_of(n)) for n in NAMES),
        ("named", path_of("a")),
    ]
)


def step(
    act: Callable[..., None], *arguments: st.SearchStrategy[object]
) -> st.SearchStrategy[tuple[object, ...]]:
    return st.tuples(st.just(act), *arguments)


steps = st.one_of(
    step(Life.update, answers),
    step(Life.update_offline, answers),
    step(Life.update_without_tasks, answers),
    step(Life.recopy, answers),
    step(Life.commit),
    step(Life.discard),
    step(Life.clone),
    step(Life.move_pin, names),
    step(Life.let_a_robot_write, names),
    step(lambda life, place: life.add_own(*place), own_places),
    step(Life.kill, names),
    step(Life.lose_folder, names),
)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(lived=st.lists(steps, max_size=12), last=answers)
def test_whatever_an_app_went_through_it_ends_as_a_fresh_one_with_the_users_own(
    lived: list[tuple[Callable[..., None], object]], last: Answers
):
    life = Life()
    for act, *arguments in lived:
        act(life, *arguments)
    own_before = {path: one for path, one in life.now.sections.items() if not one.managed}
    own_before = {path: one for path, one in own_before.items() if path.removeprefix(BELOW) not in last}
    life.update(last)

    fresh = Life()
    fresh.update(last)
    assert life.now.gitlinks == life.now.expected
    for path, one in fresh.now.sections.items():
        # A robot's `branch =` may stay.
        assert life.now.sections[path].managed == one.managed
        assert life.now.sections[path].name == one.name
        assert life.now.sections[path].get("url") == one.get("url")
        assert life.folders[path] is Folder.LINKED
        assert life.modules[path] is Module.READY
    assert {
        path: one for path, one in life.now.sections.items() if path not in fresh.now.sections
    } == own_before
    assert set(life.now.gitlinks) == {*fresh.now.gitlinks, *own_before}
    assert life.plan() == []
