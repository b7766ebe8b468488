"""Says what changed in a span as far as the ledger has it: what our changes did, what was found, who could not see."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Literal

from changewindow.changes.event_text import sentence, who
from changewindow.changes.our_changes import MOST, SHOWN
from changewindow.ledger import acts, events, findings, findings_search, looks, search
from changewindow.ledger.database import Ledger
from changewindow.ledger.findings import Recorded
from changewindow.ledger.looks import Looks
from changewindow.ledger.models import Change
from changewindow.ledger.search_conditions import Wanted
from changewindow.policy.manual_change import NOT_APPROVED, RECORDED
from changewindow.systems.collection import Span

LINES = 300
"""Lines of a time line at most, the newest."""


@dataclass(frozen=True)
class Line:
    """Something that changed, or a time that a collector could not see."""

    at: datetime
    kind: Literal["ours", "by hand", "found", "gap"]
    what: str
    change: str = ""
    """The change that did it."""
    finding: int = 0
    """The number of the finding that tells of it."""
    until: datetime | None = None
    """The end of a gap."""


@dataclass(frozen=True)
class Recently:
    """What changed in a span."""

    lines: tuple[Line, ...]
    """The newest first; a gap stands at its end."""
    gaps: tuple[Line, ...]
    is_cut: bool
    """Whether there is more, earlier in the span, than is shown."""
    looks: Looks
    """How far each collector has seen. Empty without findings."""


@dataclass(frozen=True)
class Asked:
    """What is asked, by whom."""

    span: Span
    service: str = ""
    """Only what concerns it."""
    numbers: frozenset[int] | None = None
    """Of our changes, only those with one of these numbers."""
    with_findings: bool = True
    """Whether the findings of the world are told."""


def recently(ledger: Ledger, asked: Asked) -> Recently:
    """Return what changed, as the ledger has it; nobody is asked.

    Raises:
        LedgerDown: the ledger does not answer.
    """
    wanted = Wanted(
        since=asked.span.since, until=asked.span.until, service=asked.service or None, numbers=asked.numbers
    )
    rows = [found.change for found in search.find(ledger, wanted, limit=MOST + 1)]
    seen = list(_found(ledger, asked)) if asked.with_findings else []
    gaps = [line for line in seen if line.kind == "gap"]
    seen_until = looks.looks(ledger) if asked.with_findings else {}
    gaps += _behind(seen_until, asked.span)
    others = chain(_ours(ledger, rows[:MOST], asked.span), (line for line in seen if line.kind != "gap"), gaps)
    lines = sorted(others, key=lambda line: line.until or line.at, reverse=True)
    return Recently(tuple(lines[:LINES]), tuple(gaps), len(rows) > MOST or len(lines) > LINES, seen_until)


def _ours(ledger: Ledger, rows: Collection[Change], span: Span) -> Iterator[Line]:
    """Yield what our changes did; what was done by hand stands at its end, since nobody saw each part of it."""
    known = {row.number: row for row in rows}
    for row in acts.between(ledger, known, SHOWN, span):
        change = known[row.number]
        if change.status != RECORDED:
            what = f"{change.summary.removesuffix('.')}: {who(row)} {sentence(events.payload(row))}"
            yield Line(row.at, "ours", what, change.id)
    for change in rows:
        if change.status == RECORDED and change.opens <= span.until and change.closes >= span.since:
            what = f"{change.summary}; done by {change.owner}, recorded by {change.requester} ({NOT_APPROVED})"
            yield Line(max(change.opens, span.since), "by hand", what, change.id)


def _found(ledger: Ledger, asked: Asked) -> Iterator[Line]:
    wanted = findings_search.Wanted(service=asked.service, since=asked.span.since, until=asked.span.until)
    for each in findings.find(ledger, wanted, limit=LINES + 1):
        if each.finding.kind == "change":
            yield Line(each.finding.at, "found", _text(each), finding=each.number)
        elif each.state != "seen":  # or it was made up for
            end = min(each.finding.until or asked.span.until, asked.span.until)
            at = max(each.finding.at, asked.span.since)
            yield Line(at, "gap", _text(each), finding=each.number, until=end)


def _text(each: Recorded) -> str:
    finding = each.finding
    if finding.kind == "gap":
        return f"{finding.collector} {finding.what}: {finding.why}"
    by = finding.by or "unknown"
    return f"{finding.collector}: {finding.object} {finding.what}, by {by}; {each.state}: {each.reason or finding.why}"


def _behind(seen_until: Looks, span: Span) -> Iterator[Line]:
    """Yield the end of the span that collectors have not looked at yet; a short one is what is between two passes."""
    for name, look in seen_until.items():
        if isinstance(look, str):
            yield Line(span.since, "gap", f"{name}: how far it had seen {look}", until=span.until)
        elif look.until < span.until:
            what = f"{name} has not looked yet at what happened since"
            yield Line(max(look.until, span.since), "gap", what, until=span.until)
