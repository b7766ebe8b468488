"""Moments as people and programs write them."""

from datetime import UTC, datetime
from typing import Any

from changewindow.documents.types import parse_duration

YEARS = range(1000, 9000)
"""In which a person may mean a moment."""


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


def utc_of_person(text: str) -> datetime:
    """Return the same of what a person writes, who means no moment beside which there is none any more.

    Raises:
        ValueError: it is none, or so far away that no length of time is added to it.
    """
    moment = utc(text)
    if moment.year not in YEARS:
        raise ValueError(f"{text} lies outside of the years {YEARS[0]} to {YEARS[-1]}")
    return moment


def moment_of(given: str, now: datetime) -> datetime:
    """Return a time, in UTC where it has no zone, or how long ago.

    Raises:
        ValueError: it is neither.
    """
    try:
        return utc_of_person(given)
    except ValueError:
        pass
    try:
        return now - parse_duration(given)
    except ValueError as error:
        wanted = "a time like 2031-03-18T14:00 nor a length of time like 7d"
        raise ValueError(f"'{given}' is neither {wanted}") from error
