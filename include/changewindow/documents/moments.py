"""Moments of the past as people write them."""

from datetime import UTC, datetime

from changewindow.documents.types import parse_duration


def moment_of(given: str, now: datetime) -> datetime:
    """Return a time, in UTC where it has no zone, or how long ago.

    Raises:
        ValueError: it is neither.
    """
    try:
        at = datetime.fromisoformat(given)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except ValueError:
        pass
    try:
        return now - parse_duration(given)
    except ValueError as error:
        wanted = "a time like 2031-03-18T14:00 nor a length of time like 7d"
        raise ValueError(f"'{given}' is neither {wanted}") from error
