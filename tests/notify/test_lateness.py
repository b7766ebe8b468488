"""Messages that go out late say so, whichever channel they take."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from changewindow.notify.base import Message

ABOUT = datetime(2031, 3, 18, 3, 12, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("passed", "head"),
    [
        pytest.param(timedelta(0), "🔄 DEPLOYING", id="at once"),
        pytest.param(timedelta(seconds=60), "🔄 DEPLOYING", id="a minute"),
        pytest.param(timedelta(seconds=-5), "🔄 DEPLOYING", id="clocks that differ"),
        pytest.param(timedelta(seconds=61), "🔄 DEPLOYING (said 1 min late: 03:12:10 UTC)", id="more than a minute"),
        pytest.param(timedelta(minutes=4), "🔄 DEPLOYING (said 4 min late: 03:12:10 UTC)", id="minutes"),
        pytest.param(timedelta(hours=5), "🔄 DEPLOYING (said 5 h late: 03:12:10 UTC)", id="hours"),
        pytest.param(timedelta(days=1), "🔄 DEPLOYING (said 24 h late: 2031-03-18 03:12:10 UTC)", id="another day"),
    ],
)
def test_what_goes_out_late_says_so_in_its_first_line(passed: timedelta, head: str) -> None:
    """By how much, and of which moment it speaks; the rest is as it was."""
    assert Message("🔄 DEPLOYING\nWindow: …", ABOUT).sent_at(ABOUT + passed).splitlines() == [head, "Window: …"]


def test_the_moment_is_told_in_utc() -> None:
    """As every moment in messages."""
    berlin = ABOUT.astimezone(timezone(timedelta(hours=1)))
    assert Message("text", berlin).sent_at(ABOUT + timedelta(minutes=4)) == "text (said 4 min late: 03:12:10 UTC)"
