"""Shows texts that name changes: as links, and of those that who looks may not see, not even the name."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from changewindow.web.viewer import Viewer

NAMED = re.compile(r"\b(CHG-[1-9][0-9]{0,8})\b")
NOT_SHOWN = "a change that is not shown to you"


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
            yield Part(part, part) if viewer.may_see(part) else Part(NOT_SHOWN)
