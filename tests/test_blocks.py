"""Marked blocks in the user's files: what is between the marks is the command's, every other byte is the user's."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from private_packages.blocks import BEGIN, END, block_in, read_block, with_block, write_block
from private_packages.errors import Failure
from templates import macros

BODY = ["one==1", "two==2"]
MARKED = f"{BEGIN}\none==1\ntwo==2\n{END}\n"
# Lines as people write them: no mark among them.
LINE = st.one_of(
    st.sampled_from(["", "requests==2.32.5", "# a comment", "  ", "\t-r more.txt", BEGIN[:-1], f"# {END}", "é\u2028\x0c"]),
    st.text(st.characters(exclude_characters="\n\r", exclude_categories=["Cs"]), max_size=12),
)  # fmt: skip
TEXT = st.builds(
    lambda lines, end: "\n".join(lines) + end, st.lists(LINE, max_size=6), st.sampled_from(["", "\n", "\n\n"])
)
BODIES = st.lists(
    st.sampled_from([*BODY, "# needed by acme-beams:", "--index-url https://h/simple/"]), min_size=1
)


def ended(text: str) -> str:
    """A text whose last line has its end, which a block below it needs."""
    return text if text.endswith("\n") or not text else f"{text}\n"


def test_the_templates_know_the_same_marks():
    assert (macros("blocks").BEGIN, macros("blocks").END) == (BEGIN, END)


@given(TEXT, BODIES)
@example("requests", BODY)
@example("\n", BODY)
@example("a\n\n", BODY)
def test_a_new_block_goes_below_everything_and_comes_off_again(text: str, body: list[str]):
    added = with_block(text, body)
    assert read_block(added) == body
    # Where the text has no end of line at its end, the block has none either: so it comes off again.
    assert added.startswith(ended(text))
    assert added.endswith(f"{END}\n" if text.endswith("\n") or not text else END)
    assert with_block(added, []) == text
    assert with_block(text, []) == text


@given(TEXT, TEXT, BODIES, BODIES)
@example("a\n", "b", BODY, ["three==3"])
def test_a_block_changes_where_it_stands_and_nothing_around_it(
    above: str, below: str, body: list[str], other: list[str]
):
    above = ended(above)
    text = "".join([above, BEGIN, "\n", *(f"{line}\n" for line in body), END, "\n", below])
    assert read_block(text) == body
    assert with_block(text, body) == text
    changed = with_block(text, other)
    assert read_block(changed) == other
    assert changed == "".join([above, BEGIN, "\n", *(f"{line}\n" for line in other), END, "\n", below])
    without = with_block(text, [])
    assert read_block(without) is None
    # The blank line that parted the block from what is above may go with it.
    assert without in (above + below, above.removesuffix("\n") + below)


@pytest.mark.parametrize(
    ("text", "without"),
    [
        (f"a\n\n{MARKED}", "a\n"),
        (f"a\n\n{MARKED}\nb\n", "a\n\nb\n"),
        (f"a\n\n{MARKED}b\n", "a\n\nb\n"),
        (f"a\n{MARKED}b\n", "a\nb\n"),
        (f"{MARKED}\nb", "\nb"),
        (MARKED.removesuffix("\n"), ""),
    ],
)
def test_a_block_that_goes_leaves_one_blank_line_where_it_stood_between_two(text: str, without: str):
    assert with_block(text, []) == without


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, MARKED),
        ("", f"\n{MARKED}"),
        ("requests\n", f"requests\n\n{MARKED}"),
        ("requests", f"requests\n\n{MARKED}"[:-1]),
        (f"a\n{BEGIN}\n{END}\nb\n", f"a\n{MARKED}b\n"),
        (f"a\n{BEGIN}  \nold\n{END}\t\nb", f"a\n{MARKED}b"),
    ],
    ids=["no file", "empty", "below", "no last end", "an empty block", "blanks behind the marks"],
)
@pytest.mark.parametrize("ending", ["\n", "\r\n"], ids=["POSIX", "Windows"])
def test_a_file_keeps_its_own_line_endings(tmp_path: Path, before: str | None, after: str, ending: str):
    file = tmp_path / "requirements.txt"
    if before is not None:
        file.write_bytes(before.replace("\n", ending).encode())
    # A file without a line's end has none to keep.
    kept = ending if before and "\n" in before else "\n"
    assert write_block(file, BODY)
    assert file.read_bytes().decode() == after.replace("\n", kept)
    stamp = file.stat().st_mtime_ns
    assert not write_block(file, BODY)
    assert file.stat().st_mtime_ns == stamp


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"a\r\nb\nc\r\n",
        b"a\nb\r\n\r\n",
        b"a\rb\x0cc",
        b"\xef\xbb\xbfa\r\n",
        "a==1\r\nb==2\r\n".encode("utf-16"),
        "a==1\r\nb==2".encode("utf-16"),
        b"\xfe\xff" + "a==1\n".encode("utf-16-be"),
        b"caf\xe9\n",
    ],
    ids=[
        "empty",
        "mixed",
        "mixed too",
        "no end",
        "BOM",
        "UTF-16",
        "UTF-16, no end",
        "UTF-16, big end first",
        "Latin-1",
    ],
)
def test_a_file_is_the_same_byte_for_byte_when_its_block_has_come_and_gone(tmp_path: Path, content: bytes):
    file = tmp_path / "requirements.txt"
    file.write_bytes(content)
    assert write_block(file, BODY)
    assert block_in(file) == BODY
    with_it = file.read_bytes()
    assert with_it.startswith(content)
    assert write_block(file, ["other==1"])
    assert write_block(file, BODY)
    assert file.read_bytes() == with_it
    assert write_block(file, [])
    assert file.read_bytes() == content


def test_a_file_that_was_made_for_its_block_goes_with_it(tmp_path: Path):
    file = tmp_path / ".viktorignore"
    assert write_block(file, BODY)
    assert write_block(file, [])
    assert not file.exists()


def test_bytes_that_are_no_text_survive(tmp_path: Path):
    file = tmp_path / ".gitignore"
    file.write_bytes(b"caf\xe9\x00\n")
    assert write_block(file, BODY)
    assert file.read_bytes() == b"caf\xe9\x00\n\n" + MARKED.encode()


def test_no_file_is_made_for_nothing(tmp_path: Path):
    assert not write_block(tmp_path / ".viktorignore", [])
    assert list(tmp_path.iterdir()) == []


def test_a_conflict_inside_the_block_goes_with_it(tmp_path: Path):
    """Two branches that both added a package: the block follows from what is wanted."""
    file = tmp_path / "requirements.txt"
    inside = "one==1\n<<<<<<< ours\ntwo==2\n=======\nthree==3\n>>>>>>> theirs\n"
    file.write_text(f"mine==1\n\n{BEGIN}\n{inside}{END}\nlast==1\n", encoding="utf-8")
    assert write_block(file, BODY)
    body = "".join(f"{line}\n" for line in BODY)
    assert file.read_text(encoding="utf-8") == f"mine==1\n\n{BEGIN}\n{body}{END}\nlast==1\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"a\n{BEGIN}\none==1\n", "holds only one end of the block"),
        (f"one==1\n{END}\nb\n", "holds only one end of the block"),
        (f"{MARKED}{MARKED}", "holds more than one pair of marks of the block"),
        (f"{END}\none==1\n{BEGIN}\n", "holds more than one pair of marks of the block"),
        (f"{BEGIN}\n{BEGIN}\none==1\n{END}\n", "holds more than one pair of marks of the block"),
        (f"<<<<<<< ours\n{MARKED}=======\n>>>>>>> theirs\n", "has merge conflicts; resolve them"),
        (f"{BEGIN}\n<<<<<<< ours\none==1\n=======\n{END}\nmine==1\n>>>>>>> theirs\n", "has merge conflicts"),
    ],
    ids=["no end", "no beginning", "two blocks", "upside down", "nested", "a conflict", "a conflict across"],
)
def test_a_damaged_file_stays_as_it_is_and_a_sentence_says_why(tmp_path: Path, text: str, words: str):
    file = tmp_path / "requirements.txt"
    file.write_text(text, encoding="utf-8")
    for body in (BODY, []):
        with pytest.raises(Failure, match=f"requirements.txt {words}") as refused:
            write_block(file, body)
        assert "python -m private_packages sync" in str(refused.value)
    assert file.read_text(encoding="utf-8") == text
