"""Turns what a terminal was sent into the lines that stood on it in the end, as far as a line was edited."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

Sent = tuple[datetime | None, str]
"""Something that was sent to the terminal, and when."""
TOKEN = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b\[(?P<numbers>[0-9;?>=]*)[ -/]*(?P<final>[@-~])"
    r"|\x1b[PX^_][^\x1b]*\x1b\\"
    r"|\x1b[()*+#%].|\x1b.|(?P<control>[\x00-\x1f\x7f])|(?P<text>[^\x00-\x1f\x7f]+)",
    re.DOTALL,
)
UNFINISHED = re.compile(r"\x1b(?:\[[0-9;?>=]*[ -/]*|\][^\x07\x1b]*|[PX^_][^\x1b]*)?\x1b?$")
"""A sequence of which the end is still to come."""
WIDEST = 4000
OTHER_SCREEN = {"?1049", "?1047", "?47"}
"""What an editor or a pager draws on; what stands there is no line of the shell."""


@dataclass
class _Line:
    """The line under the cursor."""

    signs: list[str] = field(default_factory=list)
    column: int = 0
    is_elsewhere: bool = False
    """Whether an editor has the terminal."""

    def write(self, text: str) -> None:
        """Put text where the cursor is, over what stands there."""
        text = text[: max(WIDEST - self.column, 0)]
        self._reach(self.column)
        self.signs[self.column : self.column + len(text)] = text
        self.column += len(text)

    def control(self, sign: str) -> None:
        """Move the cursor back, where a sign says so."""
        if sign == "\r":
            self.column = 0
        elif sign == "\b":
            self.column = max(self.column - 1, 0)

    def escape(self, numbers: str, final: str) -> None:
        """Do what a sequence says about this line; the rest of the screen does not matter."""
        if final in "hl" and numbers in OTHER_SCREEN:
            self.is_elsewhere = final == "h"
            return
        first = numbers.partition(";")[0]
        count = min(int(first), WIDEST) if first.isdecimal() else 0
        if final in "KJ":
            self._erase(count)
        elif final in "CDG":
            moved = {"C": self.column + max(count, 1), "D": self.column - max(count, 1), "G": max(count, 1) - 1}[final]
            self.column = min(max(moved, 0), WIDEST)
        elif final == "P":
            del self.signs[self.column : self.column + max(count, 1)]
        elif final == "@":
            self._reach(self.column)
            self.signs[self.column : self.column] = " " * min(max(count, 1), WIDEST)
            del self.signs[WIDEST:]

    def taken(self) -> str:
        """Return the line, and begin the next one."""
        line, self.signs, self.column = "".join(self.signs).rstrip(), [], 0
        return line

    def _erase(self, which: int) -> None:
        if which == 0:
            del self.signs[self.column :]
        elif which == 1:
            self.signs[: self.column] = " " * min(self.column, len(self.signs))
        else:
            self.signs = []

    def _reach(self, column: int) -> None:
        self.signs += " " * (column - len(self.signs))


def lines_of(sent: Iterable[Sent]) -> Iterator[Sent]:
    """Yield each line of the shell's screen when it was left, and when that was."""
    line, rest, at = _Line(), "", None
    for at, text in sent:
        whole = rest + text
        unfinished = UNFINISHED.search(whole)
        rest = whole[unfinished.start() :] if unfinished and len(whole) - unfinished.start() < WIDEST else ""
        for ended in _fed(line, whole[: len(whole) - len(rest)]):
            yield at, ended
    if last := line.taken():
        yield at, last


def _fed(line: _Line, text: str) -> Iterator[str]:
    for token in TOKEN.finditer(text):
        if token["final"]:
            line.escape(token["numbers"], token["final"])
        elif line.is_elsewhere:
            continue
        elif token["control"] == "\n":
            yield line.taken()
        elif token["control"]:
            line.control(token["control"])
        elif token["text"]:
            line.write(token["text"])
