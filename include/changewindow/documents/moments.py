"""Moments as people and programs write them."""

from datetime import UTC, datetime
from typing import Any

from changewindow.documents.types import parse_duration


def utc(text: Any) -> datetime:
    """Return a moment that is written in ISO 8601; one without a zone is in UTC.

    Raises:
        ValueError: it is none.
    """
    moment = datetime.fromisoformat(str(text))
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{text} lies outside of the years 1 to 9999 of UTC") from error


def moment_of(given: str, now: datetime) -> datetime:
    """Return a time, in UTC where it has no zone, or how long ago.

    Raises:
        ValueError: it is neither.
    """
    try:
        return utc(given)
    except ValueError:
        pass
    try:
        return now - parse_duration(given)
    except ValueError as error:
        wanted = "a time like 2031-03-18T14:00 nor a length of time like 7d"
        raise ValueError(f"'{given}' is neither {wanted}") from error
