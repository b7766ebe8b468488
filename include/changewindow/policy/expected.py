"""Expected noise: changes of the world that nobody has to announce, with an owner, a reason, and an end."""

from datetime import UTC, date, datetime, time
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, model_validator

from changewindow.documents.refusal import refusal
from changewindow.documents.types import Expression, Line, Model, Name, Person
from changewindow.systems.collection import Entry
from changewindow.systems.expressions import matches

CLOCK = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"


def _known_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (OSError, ValueError, LookupError) as error:
        raise refusal(f"there is no time zone '{value}'", "Write it like Europe/Berlin.") from error
    return value


Clock = Annotated[str, Field(pattern=CLOCK, examples=["02:00"])]
Zone = Annotated[str, AfterValidator(_known_zone)]


class Hours(Model):
    """A part of each day; it may pass midnight."""

    start: Clock
    """Like 22:00."""
    end: Clock
    """Like 06:00; not included."""
    zone: Zone = "UTC"
    """The time zone of both."""

    def has(self, at: datetime) -> bool:
        """Return whether a moment is in it."""
        clock = at.astimezone(ZoneInfo(self.zone)).time()
        start, end = time.fromisoformat(self.start), time.fromisoformat(self.end)
        return start <= clock < end if start < end else clock >= start or clock < end


class Expected(Model):
    """One kind of noise; each expression has to match the whole text, and what is left out matches anything."""

    owner: Person
    """Who answers for it."""
    reason: Line
    """Why nobody has to announce it."""
    until: date
    """The last day, in UTC, on which it hides anything."""
    collector: Name | None = None
    """The collector that sees it."""
    object: Expression | None = None
    """What is changed."""
    what: Expression | None = None
    """What is done to it."""
    by: Expression | None = None
    """Who does it; empty where that is unknown. Whoever makes a commit chooses this, and its title in `what`."""
    hours: Hours | None = None
    """When it happens."""

    @model_validator(mode="after")
    def _is_narrow(self) -> "Expected":
        """Refuse what would hide everything."""
        if self.collector is None and self.object is None and self.what is None and self.by is None:
            sentence = "it would hide every change, whoever made it"
            raise refusal(sentence, "Say which, by `collector`, `object`, `what` or `by`.")
        return self

    def is_over(self, now: datetime) -> bool:
        """Return whether it hides nothing any more."""
        return now.astimezone(UTC).date() > self.until

    def hides(self, collector: str, entry: Entry, now: datetime) -> bool:
        """Return whether an entry is this noise."""
        if self.is_over(now) or self.collector not in {None, collector}:
            return False
        if self.hours and not self.hours.has(entry.at):
            return False
        asked = ((self.object, entry.object), (self.what, entry.what), (self.by, entry.by))
        return all(expression is None or matches(expression, text) for expression, text in asked)
