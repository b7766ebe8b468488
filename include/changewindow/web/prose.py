"""Tells apart what a documentation text is made of: paragraphs, lists and code, with code within the lines."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from textwrap import dedent
from typing import Literal

CODE = re.compile(r"(``[^`]+``|`[^`]+`)")


@dataclass(frozen=True)
class Block:
    """A part of a text that stands on lines of its own."""

    kind: Literal["paragraph", "list", "code"]
    items: tuple[tuple[tuple[str, bool], ...], ...]
    """Each item of a list, or one: its pieces, and whether each is code."""


def blocks(text: str) -> Iterator[Block]:
    """Yield the parts of a text; empty lines are between them."""
    for part in re.split(r"\n[ \t]*\n", text.strip("\n")):
        lines = part.splitlines()
        if not part.strip():
            continue
        if all(line.startswith("    ") for line in lines):
            yield Block("code", (((dedent(part), True),),))
            continue
        head, _, items = f"\n{part}".partition("\n- ")
        if head.strip():
            yield Block("paragraph", (pieces(head),))
        if items:
            yield Block("list", tuple(pieces(item) for item in items.split("\n- ")))


def pieces(text: str) -> tuple[tuple[str, bool], ...]:
    """Return a text on one line in pieces: what stands between backticks is code."""
    split = enumerate(CODE.split(" ".join(text.split())))
    return tuple((part.strip("`"), True) if place % 2 else (part, False) for place, part in split if part)
