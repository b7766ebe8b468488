"""Moments of the past, as people write them."""

from datetime import UTC, datetime, timedelta

import pytest

from changewindow.documents.moments import moment_of, utc_of_person

AT = datetime(2031, 3, 18, 14, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("2h", AT - timedelta(hours=2)),
        ("2031-03-18T13:00", AT - timedelta(hours=1)),
        ("2031-03-18T13:00+01:00", AT - timedelta(hours=2)),
    ],
)
def test_a_moment_is_a_time_or_how_long_ago(given: str, expected: datetime) -> None:
    """In UTC where it has no zone."""
    assert moment_of(given, AT) == expected


@pytest.mark.parametrize("given", ["0001-01-01", "9999-12-31T23:59", "0999-12-31T23:59Z"])
def test_what_lies_at_the_end_of_all_times_is_no_moment_that_anybody_means(given: str) -> None:
    """A margin that is taken off, or added, would lie outside of the years that there are."""
    with pytest.raises(ValueError, match=f"'{given}' is neither a time like"):
        moment_of(given, AT)
    with pytest.raises(ValueError, match="outside of the years 1000 to 8999"):
        utc_of_person(given)
