"""Long lines on a terminal, and in a pipe."""

import io
from collections.abc import Sequence
from contextlib import redirect_stdout

import pytest

from changewindow.cli.terminal import fitted

LINE = "  no     too_early: the window opens 2031-03-18 14:00 UTC. Wait for it."


class Terminal(io.StringIO):
    """A stream that somebody reads on a terminal."""

    def isatty(self) -> bool:
        """Return that it is one."""
        return True


@pytest.mark.parametrize(
    ("lines", "indent", "expected"),
    [
        (["short", ""], None, ["short", ""]),
        (
            [LINE],
            9,
            ["  no     too_early: the window opens", "         2031-03-18 14:00 UTC. Wait for", "         it."],
        ),
        (["  a word " + "x" * 60], None, ["  a word", "      " + "x" * 60]),
        (
            ["", "first\n    " + "word " * 9],
            None,
            ["", "first", "    word word word word word word word", "        word word"],
        ),
    ],
    ids=["short", "hanging", "one long word", "several lines"],
)
def test_what_is_left_of_a_line_stands_below_it(
    lines: Sequence[str], indent: int | None, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Words are not broken, so that ids and addresses can be copied."""
    monkeypatch.setenv("COLUMNS", "40")
    with redirect_stdout(Terminal()):
        assert [line.rstrip() for line in fitted(lines, indent=indent)] == expected
    with redirect_stdout(io.StringIO()):
        assert list(fitted(lines, indent=indent)) == "\n".join(lines).split("\n"), "a pipe is searched line by line"
