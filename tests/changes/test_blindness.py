"""What a collector could not see is found as a gap, once, however long it lasts."""

from changewindow.systems.collection import Span
from support.silent_world import CONF, World, at, entry


def test_a_collector_that_does_not_answer_is_one_gap_until_it_sees_again() -> None:
    """Not one each quarter of an hour; what happened meanwhile is found afterwards."""
    world = World()
    world.look()
    [gap] = world.look("nobody is there")
    assert (gap.kind, gap.what, gap.why) == ("gap", "could not see from 2031-03-18 14:00:00 UTC on", "nobody is there")
    assert world.look("nobody is there") == []
    world.happened.append(entry(20))
    [found] = world.look()
    assert found.object == CONF
    assert [(changed.number, changed.state) for changed in world.changed] == [(1, "seen")]


def test_a_time_that_nobody_can_make_up_for_is_a_gap_of_its_own() -> None:
    """From when to when, once."""
    world = World()
    world.look()
    world.look("nobody is there")
    [gap] = world.look(since=at(20), why="its log begins there")
    expected = "could not see from 2031-03-18 14:00:00 UTC to 2031-03-18 14:20:00 UTC"
    assert (gap.what, gap.why) == (expected, "its log begins there")
    assert [changed.state for changed in world.changed] == ["seen"]
    assert world.look() == []


def test_twenty_minutes_in_between_are_a_gap() -> None:
    """A collector that was stopped says so."""
    world = World()
    world.look()
    [gap] = world.look(holes=(Span(at(3), at(9)),), why="it was stopped")
    assert gap.what == "could not see from 2031-03-18 14:03:00 UTC to 2031-03-18 14:09:00 UTC"


def test_a_collector_that_is_a_little_behind_is_asked_again() -> None:
    """Its log is written late; only one that stays behind is a gap."""
    world = World()
    world.look()
    assert world.look(until=at(10)) == []
    world.happened.append(entry(12))
    assert [found.object for found in world.look(until=at(25))] == [CONF]
    assert [found.kind for found in (*world.look(until=at(20)), *world.look(until=at(20)))] == ["gap"]


def test_lost_entries_are_told_once_for_each_number() -> None:
    """As auditd counts them."""
    world = World()
    world.look()
    whats = [[found.what for found in world.look(lost=lost)] for lost in (12, 12, 15)]
    assert whats == [
        ["12 entries are lost between 2031-03-18 14:00:00 UTC and 2031-03-18 14:15:00 UTC"],
        [],
        ["15 entries are lost between 2031-03-18 14:30:00 UTC and 2031-03-18 14:45:00 UTC"],
    ]


def test_a_collector_that_never_answered_is_a_gap_from_the_second_pass_on() -> None:
    """The first look raises no alarm, and nobody stays blind unnoticed."""
    world = World()
    assert world.look("it is unknown there") == []
    assert [found.kind for found in world.look("it is unknown there")] == ["gap"]


def test_a_part_that_a_collector_cannot_see_is_a_gap_of_its_own_until_it_sees_it() -> None:
    """Whoever takes a right away from the collector hides nothing by that."""
    world = World()
    world.look()
    [gap] = world.look(blind={"secrets": "secrets are not seen: forbidden"})
    assert (gap.kind, gap.object, gap.why) == ("gap", "secrets", "secrets are not seen: forbidden")
    assert gap.what == "could not see secrets from 2031-03-18 14:00:00 UTC on"
    assert world.look(blind={"secrets": "secrets are not seen: the server is slow"}) == []
    assert [found.object for found in world.look(blind={"secrets": "no", "roles": "no"})] == ["roles"]
    assert world.look() == []
    assert [(changed.number, changed.state) for changed in world.changed] == [(1, "seen"), (2, "seen")]
    assert [found.object for found in world.look(blind={"secrets": "no"})] == ["secrets"]
