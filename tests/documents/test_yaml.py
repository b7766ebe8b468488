"""YAML is read with a line for every mistake, and nothing in a file can hurt the reader."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from changewindow.documents.text import UNSEEN
from changewindow.documents.yaml import parse
from changewindow.policy.review import load_file, load_text
from support.tickets import FACTS

TICKET = "summary: Grüße\nowner: alice\n"
NOT_UTF8 = "is not UTF-8. Save the file as UTF-8. [yaml]"
CONTROL = "is not allowed. Remove it, or save the file as UTF-8 text. [yaml]"


def finding_of(path: Path) -> str:
    """Return the only finding of a file."""
    (finding,) = load_file(path, FACTS).findings
    return finding.text("t")


@pytest.mark.parametrize(
    ("raw", "line"),
    [
        pytest.param(TICKET.encode("latin-1"), f"t:1: byte 11 (0xfc) {NOT_UTF8}", id="latin-1"),
        pytest.param(b"a: 1\nb: \xff", f"t:2: byte 8 (0xff) {NOT_UTF8}", id="a wrong byte in the second line"),
        pytest.param(TICKET.encode("utf-16"), f"t:1: byte 0 (0xff) {NOT_UTF8}", id="UTF-16"),
        pytest.param(
            "a: b\n".encode("utf-16-le"), f"t:1: the control character U+0000 {CONTROL}", id="UTF-16 without mark"
        ),
        pytest.param(b"a: b\nc: \x00", f"t:2: the control character U+0000 {CONTROL}", id="NUL"),
        pytest.param(b"a: b\rc: d", f"t:1: the control character U+000D {CONTROL}", id="a bare carriage return"),
        pytest.param(b'a:\n  b: "\\0"', f"t:2: a.b: the control character U+0000 {CONTROL}", id="NUL behind an escape"),
        pytest.param(b'"a\\x1b": 1', f"t:1: the control character U+001B {CONTROL}", id="escape in a name"),
        pytest.param(
            "a: \ufffe".encode(),
            "t:1: not YAML: unacceptable character #xfffe: control characters are not allowed. "
            "Remove the unprintable character. [yaml]",
            id="a sign that Unicode has not",
        ),
        pytest.param("a: \u202eb".encode(), f"t:1: the control character U+202E {CONTROL}", id="right to left"),
        pytest.param("a: r\u200bm".encode(), f"t:1: the control character U+200B {CONTROL}", id="a space of no width"),
        pytest.param("a: b\u2028".encode(), f"t:1: the control character U+2028 {CONTROL}", id="hidden line break"),
        pytest.param(b"\x7fELF\x02\x01\x00" + bytes(range(256)), f"t:2: byte 135 (0x80) {NOT_UTF8}", id="a program"),
    ],
)
def test_bytes_that_are_no_text_are_refused(tmp_path: Path, raw: bytes, line: str) -> None:
    """The finding says which byte or sign, and in which line."""
    path = tmp_path / "ticket.yaml"
    path.write_bytes(raw)
    lines = [finding.text("t") for finding in load_file(path, FACTS).findings]
    assert line in lines


def test_a_byte_order_mark_and_windows_lines_are_fine(tmp_path: Path) -> None:
    """Editors on Windows write both."""
    path = tmp_path / "ticket.yaml"
    path.write_bytes(b"\xef\xbb\xbfsummary: one\r\nowner: two\r\n")
    assert load_file(path, FACTS).data == {"summary": "one", "owner": "two"}


def test_a_file_of_100_megabytes_is_refused_at_once(tmp_path: Path) -> None:
    """Only as much is read as a ticket may have."""
    path = tmp_path / "huge.yaml"
    with path.open("wb") as file:
        file.truncate(100_000_000)
    started = time.monotonic()
    expected = "t:1: the file has more than 1,000,000 bytes. A ticket is a page or two of text; link to what is larger."
    assert finding_of(path) == f"{expected} [yaml]"
    assert time.monotonic() - started < 10, "reading all of it takes minutes"


def test_an_escaped_line_break_is_no_new_line() -> None:
    """A sign that is written as an escape stands in the line of its value."""
    (finding,) = [finding for finding in load_text('a: b\n"c\\n\\x1f": d\n', FACTS).findings if finding.code == "yaml"]
    assert (finding.line, finding.sentence) == (2, "the control character U+001F is not allowed")


def test_an_endless_file_is_refused_at_once() -> None:
    """A device that never ends is read no further either."""
    assert "more than 1,000,000 bytes" in finding_of(Path("/dev/zero"))


def test_a_long_text_is_refused_like_a_long_file() -> None:
    """The form of the UI hands over a text; its limit is the same."""
    assert "more than 1,000,000 characters" in load_text("a" * 1_000_001, FACTS).findings[0].sentence


@pytest.mark.parametrize(
    ("name", "reason"),
    [(".", "Is a directory"), ("missing.yaml", "No such file or directory"), ("x" * 300, "File name too long")],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, name: str, reason: str) -> None:
    """The reason is the system's."""
    expected = f"t:1: the file cannot be read: {reason}. Check the name and its permissions. [yaml]"
    assert finding_of(tmp_path / name) == expected


def test_a_file_of_somebody_else_says_so(tmp_path: Path) -> None:
    """Missing permission is a finding too."""
    path = tmp_path / "secret.yaml"
    path.write_text("a: b")
    path.chmod(0)
    with as_nobody():
        assert "the file cannot be read: Permission denied" in finding_of(path)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Give up the rights of root, whom no permission stops."""
    own = os.geteuid()
    if own == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(own)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("yes", "yes"),
        ("on", "on"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("12:30", "12:30"),
        ("2026-03-17", "2026-03-17"),
        ("2026-03-17 14:00", "2026-03-17 14:00"),
        ("017", "017"),
        ("0x1f", "0x1f"),
        ("1_000", "1_000"),
        ("-17", -17),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("1.2.3", "1.2.3"),
        ("'5'", "5"),
        ("<<", "<<"),
    ],
)
def test_a_plain_value_is_what_yaml_1_2_says(written: str, value: Any) -> None:
    """No Norway problem, no times in base sixty, no octal numbers, no infinity."""
    read = parse(f"a: {written}").data["a"]
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize("number", ["1" * 500, "-" + "9" * 30, "1e999", "1" * 399])
def test_a_number_that_is_too_large_is_a_mistake(number: str) -> None:
    """It is never infinity, and never takes long."""
    (finding,) = parse(f"a:\n  b: {number}").findings
    assert (finding.line, finding.place) == (2, ("a", "b"))
    assert finding.sentence.endswith("is too large for a number")


def test_every_value_has_its_line() -> None:
    """A finding points at the value, or at the nearest value around it."""
    document = parse("a:\n  - b: 1\n    c: 2\n  - x\n")
    places: list[tuple[str | int, ...]] = [(), ("a",), ("a", 0, "c"), ("a", 1), ("a", 1, "none"), ("z",)]
    assert [document.line(place) for place in places] == [1, 1, 3, 4, 4, 1]
    assert [document.at(place) for place in places[2:]] == [2, "x", None, None]


NUMBERS = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text().filter(lambda text: not UNSEEN.search(text))
NAMES = st.text("abc \n:{}'\"", max_size=4)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(NAMES, inside, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(JSON)
def test_json_is_yaml(data: Any) -> None:
    """What a program writes as JSON is read as it was meant."""
    assert parse(json.dumps({"data": data}, ensure_ascii=False)).data == {"data": data}
