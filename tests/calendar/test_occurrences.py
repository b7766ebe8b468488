"""Occurrences are exact moments, also where calendars are odd."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from dateutil import tz
from hypothesis import given, settings
from hypothesis import strategies as st

from changewindow.calendar.intervals import Interval
from changewindow.calendar.model import Freeze
from changewindow.calendar.occurrences import Timeline
from changewindow.calendar.series import moment
from support.calendars import NIGHTLY, at, once, times

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/St_Johns"]


def timeline(zone: str = "UTC", **entry: Any) -> Timeline[Freeze]:
    """Return the occurrences of an entry."""
    return Timeline(Freeze.model_validate({"name": "Some", **entry}), zone)


@pytest.mark.parametrize(
    ("entry", "start", "end", "expected"),
    [
        pytest.param(
            NIGHTLY | {"types": []},
            "2026-11-25",
            "2026-12-01",
            [
                "2026-11-24 21:00-25 01:00",
                "2026-11-25 21:00-26 01:00",
                "2026-11-26 21:00-27 01:00",
                "2026-11-30 21:00-01 01:00",
            ],
            id="a window across midnight belongs to the day on which it begins",
        ),
        pytest.param(
            NIGHTLY | {"except_on": ["2026-11-25"]},
            "2026-11-25",
            "2026-11-27",
            ["2026-11-24 21:00-25 01:00", "2026-11-26 21:00-27 01:00"],
            id="a day left out is the day on which it would begin",
        ),
        pytest.param(
            once("2026-03-29 00:30", "2026-03-29 04:30", zone="Europe/Berlin"),
            "2026-03-28",
            "2026-03-30",
            ["2026-03-28 23:30-29 02:30"],
            id="the night that lacks an hour",
        ),
        pytest.param(
            once("2026-10-25 00:30", "2026-10-25 04:30", zone="Europe/Berlin"),
            "2026-10-24",
            "2026-10-26",
            ["2026-10-24 22:30-25 03:30"],
            id="the night with one hour more",
        ),
        pytest.param(
            once("2026-03-28 02:30", "2026-03-28 04:00", zone="Europe/Berlin", repeat="FREQ=DAILY"),
            "2026-03-28",
            "2026-03-31",
            ["2026-03-28 01:30-28 03:00", "2026-03-29 01:30-29 02:00", "2026-03-30 00:30-30 02:00"],
            id="a start that clocks skip is read with the offset from before",
        ),
        pytest.param(
            once("2026-03-28 02:30", "2026-03-28 03:15", zone="Europe/Berlin", repeat="FREQ=DAILY"),
            "2026-03-28",
            "2026-03-31",
            ["2026-03-28 01:30-28 02:15", "2026-03-30 00:30-30 01:15"],
            id="of an occurrence within the skipped hour nothing is left",
        ),
        pytest.param(
            once("2026-10-24 02:30", "2026-10-24 03:30", zone="Europe/Berlin", repeat="FREQ=DAILY"),
            "2026-10-24",
            "2026-10-26",
            ["2026-10-24 00:30-24 01:30", "2026-10-25 00:30-25 02:30"],
            id="a start that comes twice is the first",
        ),
        pytest.param(
            once("2026-01-05 09:00", "2026-01-05 10:00", zone="Asia/Kathmandu"),
            "2026-01-05",
            "2026-01-06",
            ["2026-01-05 03:15-05 04:15"],
            id="a zone of quarters of an hour",
        ),
        pytest.param(
            once("2026-04-05 01:00", "2026-04-05 03:00", zone="Australia/Lord_Howe"),
            "2026-04-04",
            "2026-04-06",
            ["2026-04-04 14:00-04 16:30"],
            id="clocks put back by half an hour",
        ),
        pytest.param(
            once("2026-10-04 01:00", "2026-10-04 03:00", zone="Australia/Lord_Howe"),
            "2026-10-03",
            "2026-10-05",
            ["2026-10-03 14:30-03 16:00"],
            id="clocks put forward by half an hour",
        ),
        pytest.param(
            once("2026-03-07 23:00", "2026-03-08 03:00", zone="America/St_Johns"),
            "2026-03-07",
            "2026-03-09",
            ["2026-03-08 02:30-08 05:30"],
            id="a zone of half hours on the day of its change",
        ),
        pytest.param(
            once("2011-12-28 12:00", "2011-12-28 14:00", zone="Pacific/Apia", repeat="FREQ=DAILY"),
            "2011-12-29",
            "2012-01-01 12:00",
            ["2011-12-29 22:00-30 00:00", "2011-12-30 22:00-31 00:00", "2011-12-31 22:00-01 00:00"],
            id="the day that Samoa skipped falls on the day after",
        ),
        pytest.param(
            once("2024-02-29 00:00", "2024-03-01 00:00", repeat="FREQ=YEARLY"),
            "2024-01-01",
            "2033-01-01",
            ["2024-02-29 00:00-01 00:00", "2028-02-29 00:00-01 00:00", "2032-02-29 00:00-01 00:00"],
            id="a leap day comes every four years",
        ),
        pytest.param(
            once("2026-12-31 22:00", "2027-01-01 02:00", repeat="FREQ=YEARLY"),
            "2027-12-31",
            "2028-01-02",
            ["2027-12-31 22:00-01 02:00"],
            id="the turn of the year",
        ),
        pytest.param(
            once("2026-01-31 06:00", "2026-01-31 07:00", repeat="FREQ=MONTHLY"),
            "2026-01-01",
            "2026-06-01",
            ["2026-01-31 06:00-31 07:00", "2026-03-31 06:00-31 07:00", "2026-05-31 06:00-31 07:00"],
            id="a month without that day is left out",
        ),
        pytest.param(
            once("2026-03-01 22:00", "2026-03-01 23:00", repeat="FREQ=DAILY;UNTIL=20260303T220000Z"),
            "2026-03-01",
            "2026-04-01",
            ["2026-03-01 22:00-01 23:00", "2026-03-02 22:00-02 23:00", "2026-03-03 22:00-03 23:00"],
            id="until includes its moment",
        ),
        pytest.param(
            once("2026-03-01 22:00", "2026-03-01 23:00", repeat="FREQ=DAILY;COUNT=2"),
            "2026-03-01",
            "2026-04-01",
            ["2026-03-01 22:00-01 23:00", "2026-03-02 22:00-02 23:00"],
            id="count includes the first",
        ),
        pytest.param(
            once("2026-01-01 00:00", "2026-12-01 00:00"),
            "2026-06-01",
            "2026-06-02",
            ["2026-01-01 00:00-01 00:00"],
            id="one that is longer than what is asked for",
        ),
        pytest.param(
            {"holidays": "DE-BE", "zone": "Europe/Berlin"},
            "2026-12-20",
            "2027-01-02 12:00",
            ["2026-12-24 23:00-25 23:00", "2026-12-25 23:00-26 23:00", "2026-12-31 23:00-01 23:00"],
            id="public holidays are whole local days",
        ),
        pytest.param(
            {"holidays": "DE", "zone": "Europe/Berlin", "except_on": ["2026-12-26"]},
            "2026-12-20",
            "2026-12-31",
            ["2026-12-24 23:00-25 23:00"],
            id="a public holiday on which people work",
        ),
    ],
)
def test_occurrences(entry: dict[str, Any], start: str, end: str, expected: list[str]) -> None:
    """They are said in UTC; those that only touch what is asked for are left out."""
    kept = {name: value for name, value in entry.items() if name not in {"environments", "services"}}
    assert times(timeline(**kept), start, end) == expected


def test_a_holiday_has_its_name() -> None:
    """A message can say which day it is."""
    occurrences = timeline(holidays="US").meeting(Interval(at("2026-07-01"), at("2026-07-10")))
    assert [occurrence.title for occurrence in occurrences] == ["Independence Day (observed)", "Independence Day"]


def test_the_calendars_zone_is_for_entries_that_name_none() -> None:
    """An entry's own zone wins."""
    entry = once("2026-01-05 09:00", "2026-01-05 10:00")
    assert times(timeline("Asia/Tokyo", **entry), "2026-01-05", "2026-01-06") == ["2026-01-05 00:00-05 01:00"]


@pytest.mark.parametrize(
    ("written", "zone", "expected"),
    [
        (date(2026, 3, 29), ZoneInfo("Europe/Berlin"), "2026-03-28 23:00"),
        (datetime(2026, 3, 29, 2, 30), ZoneInfo("Europe/Berlin"), "2026-03-29 01:30"),
        (datetime(2026, 3, 29, 2, 30, tzinfo=tz.gettz("Europe/Berlin")), UTC, "2026-03-29 01:30"),
        (datetime(2026, 10, 25, 2, 30, fold=1), ZoneInfo("Europe/Berlin"), "2026-10-25 00:30"),
        (datetime(2026, 3, 29, 2, 30, tzinfo=timezone(timedelta(hours=5))), UTC, "2026-03-28 21:30"),
    ],
)
def test_a_time_is_read_as_the_standard_says(written: date, zone: Any, expected: str) -> None:
    """Skipped times have the offset from before the change, repeated ones are the first; RFC 5545, 3.3.5."""
    assert moment(written, zone) == at(expected)


@settings(deadline=None, max_examples=40)
@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 1)),
    st.integers(1, 24 * 60),
    st.sampled_from(ZONES),
    st.datetimes(datetime(2026, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC)),
)
def test_daily_occurrences_are_found_where_one_looks(first: datetime, minutes: int, zone: str, look: datetime) -> None:
    """Pieces fit together: an occurrence is found at a moment exactly if its local day says so."""
    start = first.replace(second=0, microsecond=0)
    length = timedelta(minutes=minutes)
    entry = once(f"{start:%Y-%m-%d %H:%M}", f"{start + length:%Y-%m-%d %H:%M}", repeat="FREQ=DAILY")
    asked = Interval(look, look + timedelta(seconds=1))
    today = look.astimezone(ZoneInfo(zone)).date()
    days = [datetime.combine(today + timedelta(days=offset), start.time()) for offset in (-2, -1, 0, 1)]
    drawn = [
        Interval(moment(day, ZoneInfo(zone)), moment(day + length, ZoneInfo(zone))) for day in days if day >= start
    ]
    assert [occurrence.span for occurrence in timeline(zone, **entry).meeting(asked)] == [
        span for span in drawn if span.meets(asked)
    ]
