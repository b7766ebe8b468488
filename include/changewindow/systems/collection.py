"""What a collector gives: changes of the world, and from when to when it could see them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from changewindow.documents.text import visible
from changewindow.systems.git.commit_content import CommitContent
from changewindow.systems.place import Place

MOST = 2000
"""Entries of one collector; of more, the newest are kept."""
ON_ONE_LINE = {"object": 300, "what": 500, "by": 200, "known_by": 200, "command": 2000}
NOW = timedelta(minutes=1)
"""A span that ended no longer ago reaches up to now."""
VALUES = {"before": 2000, "after": 2000}
"""How many characters are kept of each field of an entry."""


@dataclass(frozen=True)
class Span:
    """A part of time, both ends included; in UTC, on our clock."""

    since: datetime
    until: datetime

    def __contains__(self, at: datetime) -> bool:
        return self.since <= at <= self.until


@dataclass(frozen=True)
class Entry:
    """One change of the world. Its texts are bounded, and nothing in them acts on a terminal."""

    at: datetime
    object: str
    """What was changed, under a name that stays: `Deployment shop/orders`, `web-3:/etc/nginx/nginx.conf`."""
    what: str
    """What was done to it, on one line."""
    before: str = ""
    after: str = ""
    """Its value, where that is known; of a secret only `CollectorContext.fingerprint`."""
    by: str = ""
    """Who did it; empty where that is unknown."""
    known_by: str = ""
    """How that is known (`login uid of auditd`, `git author, not verified`), or why it is not."""
    services: tuple[str, ...] = ()
    """Whose it is, where the entry knows better than its collector."""
    known_as: str = ""
    """By what it is known again, beside its object, if later looks may tell it in other words or at another moment."""
    earliest: datetime | None = None
    """When it happened at the earliest, where `at` is only when it was noticed."""
    command: str = ""
    """The command line that did it, where the system itself has recorded that; others write `what` as they like."""
    is_run: bool = False
    """Whether it is that a command was run, rather than what a command has done."""
    came_with: "Entry | None" = None
    """The change of a package that has brought a file, which is as the package ships it."""
    commit: CommitContent | None = None
    """What is in the commit that it is about, where that commit names one of our steps, as anybody may write."""
    place: Place | None = None
    """Where it happened; None where its collector sees many places."""
    is_symptom: bool = False
    """Whether it tells how something is, or who was there, and changes nothing itself."""

    @property
    def since(self) -> datetime:
        """Return when it happened at the earliest."""
        return min(self.earliest or self.at, self.at)

    def __post_init__(self) -> None:
        values = {"at": self.at.astimezone(UTC), "earliest": self.earliest and self.earliest.astimezone(UTC)}
        lines = {name: " ".join(_bounded(getattr(self, name), most).split()) for name, most in ON_ONE_LINE.items()}
        texts = {name: _bounded(getattr(self, name), most) for name, most in VALUES.items()}
        for name, value in {**values, **lines, **texts}.items():
            object.__setattr__(self, name, value)

    @property
    def as_told(self) -> str:
        """Return its words, and its moment or that of the look before."""
        return f"{(self.earliest or self.at).isoformat()} {self.what}"

    def moved(self, ahead: timedelta) -> "Entry":
        """Return it on a clock that goes so much after its own; how much may be measured otherwise the next time."""
        known_as = self.known_as or self.as_told
        return replace(self, at=self.at - ahead, earliest=self.earliest and self.earliest - ahead, known_as=known_as)

    def seen_at(self, place: Place) -> "Entry":
        """Return it as what happened at a place, as did the change of the package with which it came."""
        return replace(self, place=place, came_with=self.came_with and self.came_with.seen_at(place))

    def hiding(self, hide: Callable[[str], str]) -> "Entry":
        """Return it with all its texts as `hide` makes them; what is in a commit is compared, and never shown."""
        hidden: dict[str, Any] = {name: hide(getattr(self, name)) for name in (*ON_ONE_LINE, *VALUES)}
        return replace(self, **hidden)


def _bounded(text: str, most: int) -> str:
    return visible(text if len(text) <= most else f"{text[: most - 1]}…")


@dataclass(frozen=True)
class Coverage:
    """From when to when a collector could see."""

    since: datetime
    until: datetime
    holes: tuple[Span, ...] = ()
    """Parts in between of which it saw nothing."""
    lost: int = 0
    """How many entries it knows to be lost."""
    clock_off: timedelta | None = None
    """How far its clock is ahead of ours; None where nobody knows."""
    why: str = ""
    """Why it could not see more, and what of it; empty where it saw all that was asked for."""
    blind: Mapping[str, str] = field(default_factory=dict)
    """What it could not see at all while it saw the rest, such as `secrets` or a server; and why."""

    def unseen(self, span: Span) -> tuple[Span, ...]:
        """Return the parts of a span that it could not see, the earliest first."""
        if self.since >= span.until or self.until <= span.since:
            return (span,)
        before = [Span(span.since, self.since)] if self.since > span.since else []
        after = [Span(self.until, span.until)] if self.until < span.until else []
        within = [
            Span(max(hole.since, span.since), min(hole.until, span.until))
            for hole in sorted(self.holes, key=lambda hole: hole.since)
            if hole.until > span.since and hole.since < span.until
        ]
        return (*before, *within, *after)


@dataclass(frozen=True)
class Collected:
    """What a collector saw."""

    entries: tuple[Entry, ...]
    coverage: Coverage

    def seen_at(self, place: Place | None) -> "Collected":
        """Return it with the place where all of it happened."""
        return replace(self, entries=tuple(entry.seen_at(place) for entry in self.entries)) if place else self

    def within(self, span: Span) -> "Collected":
        """Return it on our clock, the newest first, and no more than anybody can read."""
        ahead = self.coverage.clock_off or timedelta(0)
        moved = (entry.moved(ahead) if ahead else entry for entry in self.entries)
        entries = sorted((entry for entry in moved if entry.at in span), key=lambda entry: entry.at, reverse=True)
        if len(entries) <= MOST:
            return Collected(tuple(entries), self.coverage)
        lost, oldest = len(entries) - MOST, entries[MOST - 1].at
        more = f"{lost} entries of before {oldest:%H:%M:%S} are left out, {MOST} are kept; ask for less time"
        reason = "; ".join(filter(None, (self.coverage.why, more)))
        since = max(self.coverage.since, oldest)
        return Collected(
            tuple(entries[:MOST]),
            replace(self.coverage, since=since, lost=self.coverage.lost + lost, why=reason),
        )
