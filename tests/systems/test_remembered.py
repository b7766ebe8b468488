"""What is remembered from look to look: how objects were, what became of them, and when nobody looked."""

from datetime import UTC, datetime, timedelta
from typing import Any

from changewindow.systems.collection import Span
from changewindow.systems.remembered import Memory, compared

NOON = datetime(2031, 3, 18, 12, tzinfo=UTC)
DAY = Span(NOON - timedelta(hours=12), NOON + timedelta(hours=12))


def at(minutes: int) -> datetime:
    """Return a time after noon."""
    return NOON + timedelta(minutes=minutes)


def changes(memory: Memory) -> list[tuple[str, str | None, str | None]]:
    """Return what has changed."""
    return [(change.object, change.before, change.after) for change in memory.differences]


def test_a_change_lies_between_two_looks_and_stays_known() -> None:
    """Whoever asks once more gets the same answer; a span that ends in between has it at its end."""
    kept: dict[str, Any] = {}
    assert changes(compared(kept, {"api": "1"}, at(0))) == []
    compared(kept, {"api": "2"}, at(10))
    memory = compared(kept, {"api": "2"}, at(20))
    assert changes(memory) == [("api", "1", "2")]
    (change,) = memory.differences
    assert change.at(DAY) == at(10)
    assert change.at(Span(at(2), at(5))) == at(5)
    assert change.at(Span(at(11), at(20))) is None
    assert change.when == "between 2031-03-18 12:00:00 and 2031-03-18 12:10:00 UTC"


def test_what_was_not_read_is_compared_with_when_it_was() -> None:
    """A server that is down for a look hides no change, and none is put where it was not."""
    kept: dict[str, Any] = {}
    compared(kept, {"api": "1", "web": "1"}, at(0))
    assert changes(compared(kept, {"web": "1"}, at(10))) == []
    (change,) = compared(kept, {"api": "2", "web": "1"}, at(20)).differences
    assert (change.earliest, change.latest) == (at(0), at(20))


def test_objects_come_and_go_where_all_are_seen() -> None:
    """Kinds that could not be listed have not gone."""
    kept: dict[str, Any] = {}
    compared(kept, {"Secret a": "", "Role b": ""}, at(0), is_all=True)
    seen = {"Role c": ""}
    memory = compared(kept, seen, at(10), is_all=True, is_unread=lambda name: name.startswith("Secret"))
    assert changes(memory) == [("Role b", "", None), ("Role c", None, "")]
    assert changes(compared(kept, seen, at(15), is_all=True))[2:] == [("Secret a", "", None)]


def test_what_was_kept_and_cannot_be_read_is_lost_and_that_is_said() -> None:
    """The memory begins anew: garbage, a later version, or a clock that was set back."""
    kept: dict[str, Any] = {}
    compared(kept, {"api": "1"}, at(60))
    for spoiled in ({"version": 2}, {**kept, "objects": 7}, {**kept, "version": 99}, kept):
        memory = compared(dict(spoiled), {"api": "2"}, at(0))
        assert changes(memory) == []
        assert memory.coverage(DAY, "records").since == at(0)
        assert memory.coverage(DAY, "records").why == (
            "records are only remembered from 2031-03-18 12:00:00 UTC on, the first look"
        )


def test_a_gap_between_looks_is_named() -> None:
    """What changed and changed back meanwhile is not known."""
    kept: dict[str, Any] = {}
    compared(kept, {"api": "1"}, at(-720))
    compared(kept, {"api": "1"}, at(-700))
    memory = compared(kept, {"api": "1"}, at(0))
    assert memory.coverage(DAY, "records").why == (
        "nobody looked from 00:20 to 12:00 UTC: what changed and changed back meanwhile is not known"
    )


def test_what_is_kept_is_bounded() -> None:
    """Long values are compared all the same; of many changes the newest stay."""
    kept: dict[str, Any] = {}
    compared(kept, {"text": "x" * 10_000}, at(0))
    assert len(str(kept)) < 2000
    (change,) = compared(kept, {"text": "x" * 9_999 + "y"}, at(1)).differences
    assert len(change.after or "") <= 500
    for minute in range(2, 20):
        compared(kept, {str(number): str(minute) for number in range(100)}, at(minute), is_all=True)
    assert len(kept["changes"]) == 500
