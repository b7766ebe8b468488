"""Local times of a window are exact moments, also on the days when clocks change."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from changewindow.ticket.window import Window, in_utc, parse_local_time, parse_zone

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "America/St_Johns"]


def window(start: str, end: str, zone: str = "Europe/Berlin") -> Window:
    """Return a window."""
    return Window.model_validate({"zone": zone, "start": start, "end": end})


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        pytest.param("2031-03-30 00:30", "2031-03-30 04:30", 3, id="the night that lacks an hour"),
        pytest.param("2031-10-26 00:30", "2031-10-26 04:30", 5, id="the night with one hour more"),
        pytest.param("2031-06-01 00:30", "2031-06-01 04:30", 4, id="any other night"),
    ],
)
def test_a_window_is_as_long_as_the_clock_really_runs(start: str, end: str, hours: int) -> None:
    """Its length counts hours that pass, not numbers on the clock."""
    assert window(start, end).length == timedelta(hours=hours)


def test_a_window_is_told_in_utc_to_whoever_lives_elsewhere() -> None:
    """Nothing is said twice."""
    assert window("2031-06-01 00:30", "2031-06-01 04:30").utc_text() == "2031-05-31 22:30 to 2031-06-01 02:30 UTC"
    assert window("2031-06-01 12:30", "2031-06-01 14:30").utc_text() == "2031-06-01 10:30 to 12:30 UTC"
    assert window("2031-06-01 12:30", "2031-06-01 14:30", "UTC").utc_text() == ""


@pytest.mark.parametrize(
    ("start", "end", "opens"),
    [
        ("2031-03-30 01:59", "2031-03-30 05:00", datetime(2031, 3, 30, 0, 59, tzinfo=UTC)),
        ("2031-03-30 03:00", "2031-03-30 05:00", datetime(2031, 3, 30, 1, 0, tzinfo=UTC)),
        ("2031-10-26 01:59", "2031-10-26 05:00", datetime(2031, 10, 25, 23, 59, tzinfo=UTC)),
        ("2031-10-26 03:00", "2031-10-26 05:00", datetime(2031, 10, 26, 2, 0, tzinfo=UTC)),
    ],
)
def test_the_minutes_around_a_change_of_clocks_are_exact(start: str, end: str, opens: datetime) -> None:
    """Only the hour itself is refused, not its neighbours."""
    assert window(start, end).opens == opens


@settings(max_examples=200, deadline=None)
@given(
    st.datetimes(datetime(2000, 1, 1), datetime(2037, 1, 1), timezones=st.just(UTC)),
    st.sampled_from(ZONES),
)
@example(datetime(2024, 11, 3, 5, 0, tzinfo=UTC), "America/New_York")  # seldom drawn
def test_a_local_time_is_one_moment_or_refused(moment: datetime, zone: str) -> None:
    """The local time of a moment leads back to that moment, unless it occurs twice."""
    local = moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0)
    try:
        assert in_utc(local, zone) == moment
    except ValueError as error:
        assert "occurs twice" in str(error)  # noqa: PT017  either answer is right
        others = {local.replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC) for fold in (0, 1)}
        assert moment in others
        assert len(others) == 2


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("2031-03-18 14:00", "2031-03-18 15:00", "2031-03-18 14:00-15:00 UTC"),
        ("2031-03-18 23:00", "2031-03-19 01:00", "2031-03-18 23:00-2031-03-19 01:00 UTC"),
        ("2031-03-18T14:00:30", "2031-03-18 15:00", "2031-03-18 14:00-15:00 UTC"),
    ],
)
def test_a_window_is_said_as_people_write_it(start: str, end: str, expected: str) -> None:
    """The date of the end appears only when it is another."""
    assert window(start, end, "UTC").text() == expected


def test_a_window_is_written_back_as_it_was_read() -> None:
    """Seconds appear only when there are some."""
    data = {"zone": "UTC", "start": "2031-03-18 14:00", "end": "2031-03-18 14:00:30"}
    assert Window.model_validate(data).model_dump(mode="json") == data


def test_a_moment_that_is_one_already_is_taken() -> None:
    """Tests and tools may hand over a datetime."""
    moment = datetime(2031, 3, 18, 14)
    assert parse_local_time(moment) == moment


@pytest.mark.parametrize(
    "zone", ["", "../../etc/passwd", "/etc/localtime", "Europe", "europe/berlin", "Factory", "\x00"]
)
def test_a_name_that_is_no_zone_is_refused(zone: str) -> None:
    """Nothing outside the zone database is ever looked at."""
    with pytest.raises(ValueError, match="unknown zone"):
        parse_zone(zone)
