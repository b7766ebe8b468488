"""Shows texts that name changes: as links, and of those that who looks may not see, not even the name."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from changewindow.changes.viewer import Viewer

NAMED = re.compile(r"(CHG-[1-9][0-9]{0,8})(?![0-9])", re.IGNORECASE)
NOT_SHOWN = "a change that is not shown to you"
LINES = re.compile(r"(\n| - )")
"""Between the lines of a text, or what becomes of them where it is told on one line."""
ABOUT_ANOTHER = "Something about a change that is not shown to you."


@dataclass(frozen=True)
class Part:
    """A part of a text."""

    text: str
    change: str = ""
    """The change that it names, which has a page."""


def parts(text: str, viewer: Viewer) -> Iterator[Part]:
    """Yield a text in parts: what is between the names of changes, and these."""
    for place, part in enumerate(NAMED.split(text)):
        if place % 2 == 0:
            yield Part(part)
        else:
            name = part.upper()
            yield Part(part, name) if viewer.may_see(name) else Part(NOT_SHOWN)


def told(text: str, viewer: Viewer) -> str:
    """Return what is told of a change, without the lines that name one that who looks may not see.

    They would tell of its targets, times and people, too.
    """
    if viewer.sees_every_dag or not NAMED.search(text):
        return text
    return "".join(part if _may_read(part, viewer) else ABOUT_ANOTHER for part in LINES.split(text))


def _may_read(text: str, viewer: Viewer) -> bool:
    return all(viewer.may_see(name.upper()) for name in NAMED.findall(text))
