"""How far the clock of a server is off, by the date of its replies (RFC 9110, section 6.6.1)."""

from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

SECONDS = timedelta(seconds=2)
"""How exact that is: a date has whole seconds."""


def ahead_by_date(date: str, asked: datetime, answered: datetime) -> timedelta | None:
    """Return how far the clock is ahead that has written a date, to two seconds; None where there is none."""
    try:
        written = parsedate_to_datetime(date)
        off = written - asked
    except (ValueError, TypeError):
        return None
    is_right = asked - SECONDS < written < answered + SECONDS
    return timedelta(0) if is_right else timedelta(seconds=round(off.total_seconds()))
