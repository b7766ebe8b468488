"""The next openings are found one by one, each with the reasons for the gap before."""

import time
from datetime import timedelta
from itertools import islice
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from changewindow.calendar.intervals import Interval
from changewindow.calendar.objections import objections
from changewindow.calendar.openings import HORIZON, Opening, despite, openings
from changewindow.calendar.scope import Span
from support.calendars import FRIDAY, NIGHTLY, at, once, schedule, scope

MONDAY = at("2026-11-23 09:00")
NO_WINDOW = "no window of orders is open ('Nightly')"


def next_openings(calendar: Any, count: int, minutes: int = 0, *services: str) -> list[Opening]:
    """Return the first openings."""
    return list(islice(openings(calendar, scope(*services), MONDAY, timedelta(minutes=minutes)), count))


def test_without_an_entry_it_is_always_open() -> None:
    """No end is in sight."""
    assert next_openings(schedule(), 5) == [Opening(MONDAY, None, (), "UTC")]


def test_a_calendar_that_is_closed_has_no_opening() -> None:
    """The search ends after two years."""
    assert next_openings(schedule(default="closed"), 5) == []


def test_an_emergency_finds_everything_open() -> None:
    """It skips the calendar."""
    calendar = schedule(FRIDAY, default="closed")
    assert list(openings(calendar, scope(change_type="emergency"), MONDAY)) == [Opening(MONDAY, None, (), "UTC")]


def test_windows_open_and_close() -> None:
    """Between them the reason is said; the zone is the window's."""
    assert next_openings(schedule(windows=(NIGHTLY,)), 2) == [
        Opening(at("2026-11-23 21:00"), at("2026-11-24 01:00"), (NO_WINDOW,), "Europe/Berlin"),
        Opening(at("2026-11-24 21:00"), at("2026-11-25 01:00"), (NO_WINDOW,), "Europe/Berlin"),
    ]


def test_a_window_that_is_open_already_begins_now() -> None:
    """What is over cannot be used."""
    first = next(openings(schedule(windows=(NIGHTLY,)), scope(), at("2026-11-23 22:30")))
    assert first == Opening(at("2026-11-23 22:30"), at("2026-11-24 01:00"), (), "Europe/Berlin")


def test_a_freeze_is_a_gap() -> None:
    """Its zone is that of the openings around it."""
    reason = "freeze 'Friday afternoon' from {} to {} Europe/Berlin (11:00 to 23:00 UTC)"
    assert next_openings(schedule(FRIDAY), 3) == [
        Opening(MONDAY, at("2026-11-27 11:00"), (), "Europe/Berlin"),
        Opening(
            at("2026-11-27 23:00"),
            at("2026-12-04 11:00"),
            (reason.format("2026-11-27 12:00", "2026-11-28 00:00"),),
            "Europe/Berlin",
        ),
        Opening(
            at("2026-12-04 23:00"),
            at("2026-12-11 11:00"),
            (reason.format("2026-12-04 12:00", "2026-12-05 00:00"),),
            "Europe/Berlin",
        ),
    ]


def test_a_freeze_outside_of_the_windows_is_no_reason() -> None:
    """Only what takes something away is named."""
    thursday, monday = next_openings(schedule(FRIDAY, windows=(NIGHTLY,)), 5)[3:]
    assert (thursday.start, monday.start) == (at("2026-11-26 21:00"), at("2026-11-30 21:00"))
    assert monday.gaps == (NO_WINDOW,)


def test_an_opening_that_is_too_short_is_a_reason() -> None:
    """It is named with its length, so that somebody may ask for less."""
    lunch = once("2026-11-24 11:00", "2026-11-24 12:00", name="Lunch", services=["orders"])
    listed = next_openings(
        schedule(windows=(lunch, {**NIGHTLY, "start": "2026-11-24 22:00", "end": "2026-11-25 02:00"})), 1, 90
    )
    assert [opening.gaps for opening in listed] == [
        (
            "no window of orders is open ('Lunch', 'Nightly')",
            "only 1h from 2026-11-24 11:00 to 12:00 UTC, 1h30m needed",
        )
    ]


def test_exceptions_are_named() -> None:
    """Whoever uses one knows why it may be used."""
    friday = {**FRIDAY, "exceptions": [{"name": "agreed with on-call", "services": ["payments"]}]}
    week = Interval(MONDAY, at("2026-11-30"))
    span = "2026-11-27 12:00 to 2026-11-28 00:00 Europe/Berlin (11:00 to 23:00 UTC)"
    assert despite(schedule(friday), scope("payments"), week) == (
        f"freeze 'Friday afternoon' from {span}: agreed with on-call",
    )
    assert despite(schedule(friday), scope("orders"), week) == ()
    assert despite(schedule(friday), scope("payments", change_type="standard"), week) == ()


def test_many_reasons_are_cut_short() -> None:
    """Six are enough to see what it is about."""
    freezes = [once(f"2026-11-{day} 00:00", f"2026-11-{day} 23:00", name=f"Day {day}") for day in range(23, 31)]
    [opening] = next_openings(schedule(*freezes), 1, 24 * 60)
    assert len(opening.gaps) == 7
    assert opening.gaps[-1] == "and 9 more"


def test_all_services_have_to_be_open() -> None:
    """An opening is what their windows share."""
    early = {**NIGHTLY, "name": "Early", "services": ["search"], "start": "2026-01-05 20:00", "end": "2026-01-05 23:00"}
    [opening] = next_openings(schedule(windows=(NIGHTLY, early)), 1, 0, "orders", "search")
    assert (opening.start, opening.end) == (at("2026-11-23 21:00"), at("2026-11-23 22:00"))
    assert opening.gaps == ("no window of orders is open ('Nightly')", "no window of search is open ('Early')")


def test_the_day_clocks_change_is_as_long_as_it_is() -> None:
    """A window of four hours on the clock may last three or five."""
    windows = ({**NIGHTLY, "repeat": "FREQ=DAILY", "start": "2026-01-05 00:00", "end": "2026-01-05 04:00"},)
    opened = [
        next(openings(schedule(windows=windows), scope(), at(day))) for day in ("2027-03-27 12:00", "2027-10-30 12:00")
    ]
    assert [opening.end - opening.start for opening in opened if opening.end] == [
        timedelta(hours=3),
        timedelta(hours=5),
    ]


def test_the_first_opening_comes_soon() -> None:
    """A calendar of twenty entries is no reason to wait; a generous limit, for slow machines."""
    freezes = [{**FRIDAY, "name": f"Friday {number}"} for number in range(10)]
    windows = [{**NIGHTLY, "name": f"Nightly {number}"} for number in range(10)]
    calendar = schedule(*freezes, windows=tuple(windows))
    began = time.perf_counter()
    next(openings(calendar, scope(), MONDAY))
    assert time.perf_counter() - began < 10


ENTRY = st.builds(
    lambda day, hour, length, rule: once(
        f"2026-11-{23 + day} {hour:02}:00",
        f"2026-11-{23 + day} {hour + length:02}:30",
        name=f"{day} {hour} {length} {rule}",
        zone="Europe/Berlin",
        repeat=rule,
    ),
    st.integers(0, 6),
    st.integers(0, 20),
    st.integers(0, 3),
    st.sampled_from(["FREQ=DAILY", "FREQ=WEEKLY", "FREQ=DAILY;INTERVAL=3", "FREQ=MONTHLY"]),
)
ENTRIES = st.lists(ENTRY, max_size=3, unique_by=lambda entry: str(entry["name"]))


@settings(deadline=None, max_examples=30)
@given(ENTRIES, ENTRIES, st.integers(1, 180), st.sampled_from(["open", "closed"]))
def test_nothing_speaks_against_an_opening(
    freezes: list[dict[str, Any]], windows: list[dict[str, Any]], minutes: int, default: str
) -> None:
    """An opening is long enough; a change that fills it meets no objection, and a minute more or less does not fit."""
    calendar = schedule(*freezes, windows=tuple(windows), default=default)
    needs = timedelta(minutes=minutes)
    end = MONDAY
    for opening in islice(openings(calendar, scope(), MONDAY, needs), 5):
        last = opening.end or MONDAY + HORIZON
        assert end <= opening.start <= last - needs
        assert objections(calendar, scope(), Span(opening.start, last, last)) == []
        if opening.end:
            longer = last + timedelta(minutes=1)
            assert objections(calendar, scope(), Span(opening.start, longer, longer)) != []
        free = calendar.free_times(scope(), Interval(end, opening.start))
        assert all(interval.length < needs or interval.end == opening.start for interval in free)
        end = last
