"""Passes over what one collector sees, without a ledger: what somebody has done, and what is found of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from changewindow.changes.blindness import Known, Mark
from changewindow.changes.gathering import Look
from changewindow.changes.our_changes import OurChange
from changewindow.changes.silent import Changed, Facts, first_span, judge
from changewindow.collectors.base import CollectorBase
from changewindow.policy.expected import Expected
from changewindow.policy.world_finding import WorldFinding
from changewindow.systems.collection import Collected, Coverage, Entry

START = datetime(2031, 3, 18, 14, 0, tzinfo=UTC)
EVERY = timedelta(minutes=15)
CONF = "web-3:/etc/nginx/nginx.conf"


class Collector(CollectorBase):
    """Somewhere that changes show."""

    kind: Literal["given"] = "given"


@dataclass
class World:
    """Passes over one collector, one each quarter of an hour, and what is known between them."""

    ours: Sequence[OurChange] = ()
    expected: dict[str, Expected] = field(default_factory=dict)
    service: str = "orders"
    now: datetime = START
    mark: Mark | None = None
    findings: dict[str, tuple[int, WorldFinding]] = field(default_factory=dict)
    changed: list[Changed] = field(default_factory=list)
    hidden: dict[str, int] = field(default_factory=dict)
    happened: list[Entry] = field(default_factory=list)

    def look(self, failure: str = "", **coverage: Any) -> list[WorldFinding]:
        """Pass over what has happened up to now; return what is new."""
        span = self.mark.span(self.now) if self.mark else first_span(self.now)
        seen = Coverage(**{"since": span.since, "until": span.until, **coverage})
        collected = None if failure else Collected(tuple(self.happened), seen).within(span)
        look = Look("audit", Collector(service=self.service, environment="production"), collected, failure)
        facts = Facts(self.now, self.now + timedelta(seconds=2), self.ours, self.expected)
        over = {changed.number for changed in self.changed}
        known = [Known(number, found) for number, found in self.findings.values() if number not in over]
        passed = judge(look, self.mark, known, facts)
        new = [found for found in passed.findings if found.identity not in self.findings]
        for found in new:
            self.findings[found.identity] = len(self.findings) + 1, found
        self.mark, self.now = passed.mark, self.now + EVERY
        self.changed += passed.changed
        for name, count in passed.hidden.items():
            self.hidden[name] = self.hidden.get(name, 0) + count
        return new


def at(minutes: float) -> datetime:
    """Return a moment so many minutes after the first pass."""
    return START + timedelta(minutes=minutes)


def entry(minutes: float = 5, **fields: Any) -> Entry:
    """Return somebody's edit."""
    usual = {"object": CONF, "what": "edited", "by": "eve", "known_by": "login uid of auditd"}
    return Entry(at(minutes), **{**usual, **fields})
