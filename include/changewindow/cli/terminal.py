"""Prints for a terminal: what a ticket, a log or a service says is shown there, and does nothing."""

import io
import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from itertools import chain
from pathlib import Path
from typing import TextIO

from changewindow.documents.text import visible


class Shown(io.TextIOBase):
    """A stream that shows control characters instead of sending them."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        """Write a text as it is read."""
        self.stream.write(visible(text))
        return len(text)

    def flush(self) -> None:
        """Send what is written."""
        self.stream.flush()

    def isatty(self) -> bool:
        """Return whether somebody reads it on a terminal."""
        return self.stream.isatty()

    def fileno(self) -> int:
        """Return the descriptor of the stream."""
        return self.stream.fileno()


@contextmanager
def shown() -> Iterator[None]:
    """Let all that is printed meanwhile be shown so, whoever prints it; a stream that is closed takes nothing."""
    with (
        Path(os.devnull).open("w", encoding="utf-8") as nowhere,
        redirect_stdout(Shown(sys.stdout or nowhere)),
        redirect_stderr(Shown(sys.stderr or nowhere)),
    ):
        yield


def fitted(lines: Iterable[str], *, indent: int | None = None) -> Iterator[str]:
    """Yield lines as the width of the terminal allows, what is left of one indented below it; for a pipe, as they are.

    Without `indent` it is a little more than that of the line itself.
    """
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for line in chain.from_iterable(text.split("\n") for text in lines):
        own = len(line) - len(line.lstrip()) + 4 if indent is None else indent
        if width is None or len(line) <= width or own > width // 2:
            yield line
        else:
            whole = textwrap.TextWrapper(width, subsequent_indent=" " * own)
            whole.break_long_words = whole.break_on_hyphens = False
            yield from whole.wrap(line)


def raw(stream: TextIO) -> TextIO:
    """Return the stream itself, for what draws on a terminal; who uses it makes visible what others have written."""
    return stream.stream if isinstance(stream, Shown) else stream
