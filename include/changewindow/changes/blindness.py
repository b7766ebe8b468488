"""Says what a collector could not see between two passes: once, however long it lasts."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from changewindow.changes.gathering import Look
from changewindow.policy.world_finding import State, WorldFinding
from changewindow.systems.collection import ON_ONE_LINE, Coverage, Span

OVERLAP = timedelta(minutes=2)
"""How much of what was seen is asked for again."""
LATE = timedelta(minutes=20)
"""How far a collector may be behind before that is a gap; it is asked for the rest in the next pass."""
SHORT = timedelta(seconds=5)
"""A gap that is no gap, and how much clocks may differ."""
OBJECT, WHAT = ON_ONE_LINE["object"], ON_ONE_LINE["what"]


@dataclass(frozen=True)
class Mark:
    """How far a collector has seen, and what it saw in its last look."""

    until: datetime
    """All before is seen, or is a gap that was reported."""
    looked: datetime
    """When that look had ended."""
    seen: frozenset[str] = frozenset()
    """The keys of the entries of that look."""
    lost: str = ""
    """What it said to be lost."""
    blind: Mapping[str, datetime] = field(default_factory=dict)
    """What it cannot see at all, and since when."""

    def span(self, now: datetime) -> Span:
        """Return what is asked for next."""
        return Span(self.until - OVERLAP, now)


@dataclass(frozen=True)
class Known:
    """A finding of this collector that is open."""

    number: int
    finding: WorldFinding


@dataclass(frozen=True)
class Changed:
    """A finding that is over, and why."""

    number: int
    state: State
    reason: str


def gaps(look: Look, coverage: Coverage, seen: Span, now: datetime) -> Iterator[WorldFinding]:
    """Yield the parts that it could not see, and will not see in the next pass either."""
    why = coverage.why or "it does not say why"
    if seen.until > seen.since:
        parts = coverage.unseen(seen)
        yield from (gap(look, part, why) for part in parts if part.until - part.since > SHORT)
    if now - seen.until > LATE:
        yield gap(look, Span(seen.until, now), why, goes_on=True)


def gap(look: Look, part: Span, why: str, *, goes_on: bool = False) -> WorldFinding:
    """Return the finding that a collector could not see; one that goes on stays the same finding until it ends."""
    services = (look.collector.service,) if look.collector.service else ()
    end = "on" if goes_on else f"to {moment(part.until)}"
    return WorldFinding(
        "gap",
        look.name,
        "",
        part.since,
        f"could not see from {moment(part.since)} {end}",
        why,
        environment=look.collector.environment,
        services=services,
        until=None if goes_on else part.until,
    )


def lost(look: Look) -> str:
    """Return what a collector says to be lost, or nothing."""
    count = look.collected.coverage.lost if look.collected else 0
    return f"{count:,} entries are lost" if count else ""


def losses(look: Look, mark: Mark, now: datetime) -> Iterator[WorldFinding]:
    """Yield that entries are lost, unless the last look has said the same."""
    if look.collected and (now_lost := lost(look)) and now_lost != mark.lost:
        coverage = look.collected.coverage
        part = gap(look, Span(mark.until, now), coverage.why or "it does not say why")
        yield replace(part, what=f"{now_lost} between {moment(mark.until)} and {moment(now)}")


def blind_since(look: Look, mark: Mark) -> dict[str, datetime]:
    """Return what a collector cannot see at all, and since when that is so."""
    blind = look.collected.coverage.blind if look.collected else {}
    return {part: mark.blind.get(part, mark.until) for part in blind}


def blind_parts(look: Look, since: Mapping[str, datetime]) -> Iterator[WorldFinding]:
    """Yield each part of the world that a collector cannot see while it sees the rest."""
    reasons = look.collected.coverage.blind if look.collected else {}
    for part, at in since.items():
        seen = gap(look, Span(at, at), reasons[part], goes_on=True)
        yield replace(seen, object=part[:OBJECT], what=f"could not see {part} from {moment(at)} on"[:WHAT])


def sees_again(known: Sequence[Known], blind: Iterable[WorldFinding]) -> Iterator[Changed]:
    """Yield the gaps that went on until now and do not any more."""
    still = {gap.identity for gap in blind}
    for of in known:
        if of.finding.kind == "gap" and of.finding.until is None and of.finding.identity not in still:
            yield Changed(of.number, "seen", "the collector sees again; what it could not make up for is told apart")


def moment(at: datetime) -> str:
    """Return a moment as findings name it."""
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
