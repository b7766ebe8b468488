"""Moments of the past, as people write them."""

from datetime import UTC, datetime, timedelta

import pytest

from changewindow.documents.moments import moment_of

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
