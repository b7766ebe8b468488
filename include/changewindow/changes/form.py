"""What the forms by which people tell something have in common: every mistake is named at once."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from changewindow.documents.moments import utc
from changewindow.documents.text import shown
from changewindow.errors import BadRequest

SKEW = timedelta(minutes=1)
"""How far the clock of whoever fills it in may be ahead."""
LIKE = "a time like 2031-03-18T03:12+01:00, or a day like 2031-03-18"
"""How a moment is written."""
MORNING, EVENING = time(tzinfo=UTC), time(23, 59, tzinfo=UTC)
"""From when and until when a day is meant that is given without a time."""


class BadForm(BadRequest):
    """A form cannot be taken as it is filled in; `mistakes` holds each as a sentence."""

    def __init__(self, mistakes: Sequence[str]) -> None:
        self.mistakes = tuple(mistake if mistake[-1:] in ".?]" else f"{mistake}." for mistake in mistakes)
        head = [f"{len(mistakes)} mistakes, so nothing was done. Correct all of them, and try again."]
        super().__init__("\n".join([*(head if len(mistakes) > 1 else ()), *self.mistakes]))


FARTHEST = timedelta(days=366)
"""How far ahead a day may lie on which somebody is to look again; what is put off for longer is forgotten."""


@dataclass
class Form:
    """A form that is being read, with what is wrong in it so far."""

    params: Mapping[str, Any]
    now: datetime
    mistakes: list[str] = field(default_factory=list)

    def since(self, name: str) -> datetime | None:
        """Return from when something is; a day alone begins in the morning."""
        return self._moment(name, MORNING)

    def until(self, name: str) -> datetime | None:
        """Return until when something is; a day alone ends in the evening."""
        return self._moment(name, EVENING)

    def _moment(self, name: str, day_at: time) -> datetime | None:
        given = str(self.params.get(name) or "").strip()
        try:
            return moment_or_day(given, day_at) if given else None
        except ValueError:
            self.mistakes.append(f"{name}: {shown(given)} is not {LIKE}")
            return None

    def require_soon(self, place: str, moment: datetime | None) -> None:
        """Make sure that a moment, if there is one, does not lie so far ahead that nobody looks again."""
        if moment and moment > self.now + FARTHEST:
            latest = f"{self.now + FARTHEST:%Y-%m-%d}"
            self.mistakes.append(
                f"{place}: {moment:%Y-%m-%d} is too far away. Name a day until {latest}; then look again"
            )

    def settle(self) -> None:
        """End the reading.

        Raises:
            BadForm: something is wrong; names every mistake.
        """
        if self.mistakes:
            raise BadForm(self.mistakes)


def moment_or_day(given: str, day_at: time) -> datetime:
    """Return a moment, in UTC where it has no zone; of a day alone, its time.

    Raises:
        ValueError: it is neither a moment nor a day.
    """
    if re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", given):
        return datetime.combine(date.fromisoformat(given), day_at)
    return utc(given)
