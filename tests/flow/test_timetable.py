"""The timetable of a change: one run, at the window's start."""

from datetime import timedelta

import pendulum
from airflow.timetables.base import DataInterval, TimeRestriction

from changewindow.flow.timetable import ChangeWindowTimetable

OPENS = pendulum.datetime(2026, 3, 17, 14, tz="UTC")
TABLE = ChangeWindowTimetable(OPENS.isoformat(), (OPENS + timedelta(hours=1)).isoformat())
RESTRICTION = TimeRestriction(earliest=pendulum.datetime(2020, 1, 1), latest=None, catchup=False)


def test_the_one_run_starts_with_the_window_and_carries_it() -> None:
    """Templates find the window in the run's data interval."""
    info = TABLE.next_dagrun_info(last_automated_data_interval=None, restriction=RESTRICTION)
    assert info is not None
    assert info.run_after == OPENS
    assert info.data_interval == DataInterval(OPENS, OPENS + timedelta(hours=1))


def test_there_is_no_second_run() -> None:
    """After the window's run, nothing is scheduled any more."""
    done = DataInterval(OPENS, OPENS + timedelta(hours=1))
    assert TABLE.next_dagrun_info(last_automated_data_interval=done, restriction=RESTRICTION) is None


def test_it_survives_serialization() -> None:
    """The scheduler sees the same window as the author of the ticket."""
    again = ChangeWindowTimetable.deserialize(TABLE.serialize())
    assert again.next_dagrun_info(last_automated_data_interval=None, restriction=RESTRICTION) == TABLE.next_dagrun_info(
        last_automated_data_interval=None, restriction=RESTRICTION
    )
    assert again.summary == "once, 2026-03-17 14:00 UTC"


def test_a_window_that_was_moved_has_its_own_run() -> None:
    """A change that was missed runs again once it has another window."""
    missed = DataInterval(OPENS - timedelta(days=1), OPENS - timedelta(hours=23))
    info = TABLE.next_dagrun_info(last_automated_data_interval=missed, restriction=RESTRICTION)
    assert info is not None
    assert info.run_after == OPENS
