"""Reads the moments that people write into a page, in the zone in which it shows its times."""

from datetime import UTC, date, datetime, time, timedelta, tzinfo

from changewindow.documents.moments import moment_of
from changewindow.errors import BadRequest


def moment(field: str, given: str, now: datetime, zone: tzinfo, *, is_end: bool = False) -> datetime | None:
    """Return a moment in UTC: a day, a time, or how long ago; None of an empty text.

    A day is its beginning, or with `is_end` the beginning of the next one. What has no zone is in that of the page.

    Raises:
        BadRequest: it is none of that; the sentence names the field.
    """
    if not given.strip():
        return None
    try:
        return in_zone(given.strip(), zone, is_end=is_end) or moment_of(given.strip(), now)
    except (ValueError, OverflowError) as error:
        raise BadRequest(
            f"{field}: '{given}' is no time. Write a day like 2031-03-18, a time like 2031-03-18T14:00, "
            "or how long ago, like 7d."
        ) from error


def in_zone(given: str, zone: tzinfo, *, is_end: bool) -> datetime | None:
    """Return the moment of a day or a time, in UTC; None where it is neither.

    Raises:
        OverflowError: it lies outside of the years that there are.
    """
    try:
        day = date.fromisoformat(given)
    except ValueError:
        pass
    else:
        return datetime.combine(day + timedelta(days=is_end), time(), zone).astimezone(UTC)
    try:
        known = datetime.fromisoformat(given)
    except ValueError:
        return None
    return (known if known.tzinfo else known.replace(tzinfo=zone)).astimezone(UTC)
