"""The file `.env`: what people write is read, and what is written is read again."""

from __future__ import annotations

import codecs
import stat
import sys
import tempfile
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from private_packages import dotenv
from private_packages.errors import Failure

NAMES = st.from_regex(r"[A-Z_][A-Z0-9_]{0,20}", fullmatch=True)
ENCODED = st.text(st.characters(exclude_categories=["Cs"])).map(lambda text: quote(text, safe=""))
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no mode and asks for leave to link")


# ---------------------------------------------------------------------------
# Reading
# ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("ACME_TOKEN=abc", "abc"),
        ("  ACME_TOKEN = abc  ", "abc"),
        ("export ACME_TOKEN=abc", "abc"),
        ("ACME_TOKEN='a b'", "a b"),
        ('ACME_TOKEN="a b"', "a b"),
        ("ACME_TOKEN='a \"b\"'", 'a "b"'),
        ('ACME_TOKEN="it\'s"', "it's"),
        ("ACME_TOKEN=it's", "it's"),
        ("ACME_TOKEN=a b", "a b"),
        ("ACME_TOKEN=", ""),
        ("ACME_TOKEN=''", ""),
        ("ACME_TOKEN=a=b==", "a=b=="),
    ],
)
def test_a_line_has_the_value_that_a_person_reads_in_it(line: str, value: str):
    assert dotenv.parse(f"{line}\n") == {"ACME_TOKEN": value}


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("ACME_TOKEN=abc # mine", "abc"),
        ("ACME_TOKEN='abc' # mine", "abc"),
        ('ACME_TOKEN="a # b" # mine', "a # b"),
        ("ACME_TOKEN=a#b", "a#b"),
        ("ACME_TOKEN=#b", "#b"),
        ("ACME_TOKEN= # fill this in", ""),
        ("ACME_TOKEN= a#b #", "a#b"),
    ],
)
def test_a_comment_begins_after_a_blank_only(line: str, value: str):
    assert dotenv.parse(line) == {"ACME_TOKEN": value}


@pytest.mark.parametrize("value", ["$HOME", "${HOME}", "$(id)", "`id`", r"a\nb", "%HOME%", "~"])
def test_nothing_is_expanded(value: str):
    assert dotenv.parse(f'A={value}\nB="{value}"\n') == {"A": value, "B": value}


def test_lines_of_comments_and_empty_ones_are_left_out():
    assert dotenv.parse("# A=1\n\n   \n  # B=2\nC=3\n") == {"C": "3"}


def test_the_last_of_two_values_counts_as_in_a_shell():
    assert dotenv.parse("A=1\nA=2\n") == {"A": "2"}


def test_a_file_of_a_windows_editor_is_read(tmp_path: Path):
    """With a byte-order mark and CRLF."""
    (tmp_path / ".env").write_bytes(codecs.BOM_UTF8 + b"ACME_USER=me\r\nACME_TOKEN='abc'\r\nEMPTY=\r\n")
    assert dotenv.read(tmp_path) == {"ACME_USER": "me", "ACME_TOKEN": "abc", "EMPTY": ""}


@pytest.mark.parametrize(
    "encoding", [pytest.param("utf-16-le", id="little"), pytest.param("utf-16-be", id="big")]
)
def test_utf_16_is_told_by_its_name(tmp_path: Path, encoding: str):
    """`echo A=b > .env` in Windows PowerShell makes such a file."""
    (tmp_path / ".env").write_bytes("\ufeffACME_TOKEN=abc\r\n".encode(encoding))
    with pytest.raises(Failure, match=r"\.env is UTF-16.*save it as UTF-8"):
        dotenv.read(tmp_path)


@pytest.mark.parametrize(
    "line",
    [
        "SENTINEL",
        "my-token=SENTINEL",
        "1TOKEN=SENTINEL",
        "ACME_TOKEN='SENTINEL",
        'ACME_TOKEN="SENTINEL" more',
        "ACME_TOKEN 'SENTINEL'",
        "set ACME_TOKEN=SENTINEL",
    ],
)
def test_a_line_of_another_form_is_named_by_its_number_and_never_shown(line: str):
    with pytest.raises(Failure) as caught:
        dotenv.parse(f"# mine\nACME_USER=me\n{line}\n")
    assert "Line 3 of .env" in str(caught.value)
    assert "SENTINEL" not in str(caught.value)
    # A traceback shows what an exception came from, too.
    assert caught.value.__cause__ is None and caught.value.__context__ is None


def test_no_file_has_no_values(tmp_path: Path):
    assert dotenv.read(tmp_path) == {}


def test_a_virtual_environment_of_that_name_has_no_values(tmp_path: Path):
    (tmp_path / ".env" / "bin").mkdir(parents=True)
    assert dotenv.read(tmp_path) == {}


# ---------------------------------------------------------------------------
# The shell's values
# ---------------------------------------------------------------------------


def test_the_value_of_the_shell_wins():
    assert dotenv.with_values({"A": "shell"}, {"A": "file"})["A"] == "shell"


def test_an_empty_variable_of_the_shell_is_completed():
    assert dotenv.with_values({"A": ""}, {"A": "file"})["A"] == "file"


def test_everything_else_of_both_is_there():
    both = dotenv.with_values({"PATH": "/bin", "EMPTY": ""}, {"A": "file", "NOTHING": ""})
    assert both == {"PATH": "/bin", "EMPTY": "", "A": "file", "NOTHING": ""}


# ---------------------------------------------------------------------------
# Writing
# ---------------------------------------------------------------------------


def written(folder: Path, before: str, **values: str) -> str:
    """What a file becomes; line endings as they are."""
    path = folder / ".env"
    path.write_bytes(before.encode())
    dotenv.write(folder, values)
    return path.read_bytes().decode()


def test_other_lines_and_comments_survive(tmp_path: Path):
    before = "# Mine\n\nPORT=8080   # for tests\nexport ACME_TOKEN='old' # till May\nA B C\nLAST='x y'\n"
    after = before.replace("'old'", "new%40")
    assert written(tmp_path, before, ACME_TOKEN="new%40") == after


@pytest.mark.parametrize("odd", ["\x0c", "\x1e", "\x85", "\u2028"], ids=["FF", "RS", "NEL", "LS"])
def test_only_line_feeds_end_a_line(tmp_path: Path, odd: str):
    """Python's own `splitlines` sees more ends than an editor."""
    before = f"TITLE='a{odd}ACME_TOKEN=b'\n"
    assert written(tmp_path, before, ACME_TOKEN="new") == before + "ACME_TOKEN=new\n"


def test_a_new_name_is_added_at_the_end(tmp_path: Path):
    assert written(tmp_path, "PORT=8080", ACME_TOKEN="new") == "PORT=8080\nACME_TOKEN=new\n"


def test_a_name_without_a_value_gets_it_in_its_place(tmp_path: Path):
    before = "ACME_USER=\nACME_TOKEN= # fill this in\nPORT=8080\n"
    after = "ACME_USER=me\nACME_TOKEN=new # fill this in\nPORT=8080\n"
    assert written(tmp_path, before, ACME_TOKEN="new", ACME_USER="me") == after
    assert dotenv.read(tmp_path) == {"ACME_USER": "me", "ACME_TOKEN": "new", "PORT": "8080"}


def test_a_name_that_stands_twice_has_the_new_value(tmp_path: Path):
    written(tmp_path, "ACME_TOKEN=one\nACME_TOKEN=two\n", ACME_TOKEN="new")
    assert dotenv.read(tmp_path) == {"ACME_TOKEN": "new"}


def test_a_comment_is_no_line_to_change(tmp_path: Path):
    assert written(tmp_path, "# ACME_TOKEN=old\n", ACME_TOKEN="new") == "# ACME_TOKEN=old\nACME_TOKEN=new\n"


def test_the_file_of_a_windows_editor_stays_one(tmp_path: Path):
    before = "\ufeffACME_TOKEN=old\r\nPORT=8080\r\n"
    after = "\ufeffACME_TOKEN=new\r\nPORT=8080\r\nACME_USER=me\r\n"
    assert written(tmp_path, before, ACME_TOKEN="new", ACME_USER="me") == after


def test_bytes_that_are_no_utf_8_survive(tmp_path: Path):
    (tmp_path / ".env").write_bytes(b"CITY=K\xf6ln\nACME_TOKEN=old\n")
    dotenv.write(tmp_path, {"ACME_TOKEN": "new"})
    assert (tmp_path / ".env").read_bytes() == b"CITY=K\xf6ln\nACME_TOKEN=new\n"


@POSIX
@pytest.mark.parametrize("mode", [None, 0o644, 0o666])
def test_only_its_owner_may_read_the_file(tmp_path: Path, mode: int | None):
    path = tmp_path / ".env"
    if mode is not None:
        path.touch()
        path.chmod(mode)
    dotenv.write(tmp_path, {"ACME_TOKEN": "new"})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@POSIX
def test_a_link_stays_one_and_only_its_owner_may_read_what_it_names(tmp_path: Path):
    target = tmp_path / "elsewhere"
    target.write_text("PORT=8080\n")
    target.chmod(0o644)
    (tmp_path / ".env").symlink_to(target)
    dotenv.write(tmp_path, {"ACME_TOKEN": "new"})
    assert (tmp_path / ".env").is_symlink()
    assert target.read_text() == "PORT=8080\nACME_TOKEN=new\n"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


@given(
    before=st.dictionaries(NAMES, ENCODED, max_size=4),
    values=st.dictionaries(NAMES, ENCODED, max_size=4),
    ending=st.sampled_from(["\n", "\r\n"]),
)
def test_what_is_written_is_read_again(before: dict[str, str], values: dict[str, str], ending: str):
    with tempfile.TemporaryDirectory() as folder:
        lines = "".join(f"{name}={value}{ending}" for name, value in before.items())
        Path(folder, ".env").write_bytes(lines.encode())
        dotenv.write(Path(folder), values)
        assert dotenv.read(Path(folder)) == before | values


@given(text=st.text(st.sampled_from("A=#'\" \t$\r\n\ufeffex port\x0c\u2028"), max_size=30))
def test_any_file_is_read_or_refused_and_a_write_changes_its_own_name_alone(text: str):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, ".env")
        path.write_bytes(text.encode())
        try:
            before = dotenv.read(Path(folder))
        except Failure:
            return
        dotenv.write(Path(folder), {"NEW": "n%41"})
        assert dotenv.read(Path(folder)) == before | {"NEW": "n%41"}
