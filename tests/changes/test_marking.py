"""All tools are told at once, and none of them holds up another, nor the change."""

import time
from typing import Any

from changewindow.changes import marking
from changewindow.changes.marking import mark_all
from changewindow.errors import UnknownConnection
from changewindow.markers.base import MarkerBase, Moment
from changewindow.systems.connection import Connection
from changewindow.systems.measurement import SourceContext
from support.marked import BEGAN


async def none(name: str) -> Connection:
    """Find no connection."""
    raise UnknownConnection(name)


class Good(MarkerBase):
    """One that works."""

    async def mark(self, context: SourceContext, moment: Moment) -> str | None:
        """Say so."""
        return f"entry of {moment.change}\x1b[2J" + "x" * 500


class Hanging(MarkerBase):
    """One that does not even let itself be stopped."""

    async def mark(self, context: SourceContext, moment: Moment) -> str | None:
        """Hang."""
        time.sleep(30)  # noqa: ASYNC251  as a library may do that was not made for this
        return None


class Broken(MarkerBase):
    """One with a mistake."""

    async def mark(self, context: SourceContext, moment: Moment) -> str | None:
        """Make it."""
        nothing: Any = {}
        return str(nothing["id"])


def test_one_that_hangs_holds_up_nothing() -> None:
    """It is left to itself a second after its own limit."""
    asked = time.monotonic()
    good, hanging = mark_all({"b": Hanging(within="100ms"), "a": Good()}, BEGAN, none)  # type: ignore[arg-type]
    assert good.reference.startswith("entry of CHG-1042")
    assert hanging.failure.startswith("it was not done within")
    assert time.monotonic() - asked < 8


def test_one_that_breaks_takes_nothing_along() -> None:
    """Its mistake is named."""
    broken, good = mark_all({"a": Broken(), "b": Good()}, BEGAN, none)
    assert broken.failure == "KeyError: 'id'. Its kind has a mistake; report it"
    assert good.failure == ""


def test_what_a_tool_calls_its_entry_is_bounded_and_seen() -> None:
    """It comes from outside, and stands in the record."""
    (good,) = mark_all({"a": Good()}, BEGAN, none)
    assert len(good.reference) == marking.LONGEST
    assert "\x1b" not in good.reference


def test_without_markers_nothing_takes_time() -> None:
    """As delivered."""
    assert mark_all({}, BEGAN, none) == []
