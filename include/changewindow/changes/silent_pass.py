"""Makes a pass over all collectors: asks each for what it has not seen yet, judges it, and writes it all or nothing."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from changewindow.changes.blindness import Known, Mark, moment
from changewindow.changes.gathering import Look, Surroundings, gather
from changewindow.changes.kept import keep, kept_in
from changewindow.changes.our_changes import record
from changewindow.changes.silent import Facts, Passed, first_span, judge
from changewindow.collectors.base import CollectorBase
from changewindow.ledger import findings, looks
from changewindow.ledger.database import Ledger
from changewindow.ledger.findings import Settled, Wanted
from changewindow.policy.expected import Expected
from changewindow.policy.world_finding import WorldFinding
from changewindow.systems.collection import Span
from changewindow.systems.measurement import Connections

LIMIT = 120.0
"""Seconds that all collectors together have."""
EARLIER = timedelta(minutes=10)
"""How long before the span a change may have ended that explains something in it."""
ALTERED = "somebody has altered or deleted in the ledger how far it had seen. Run `changewindow verify --all`"


@dataclass(frozen=True)
class Asked:
    """What is looked at in a pass, and with what."""

    collectors: Mapping[str, CollectorBase]
    connections: Connections
    folder: Path
    expected: Mapping[str, Expected] = field(default_factory=dict)
    limit: float = LIMIT


def make_pass(ledger: Ledger, asked: Asked, now: datetime) -> list[int]:
    """Look at everything that happened since the last pass; return the numbers of the findings that are new.

    A pass that dies in the middle has written nothing, and the next one asks for the same time again.

    Raises:
        LedgerDown: nobody can say what was announced, or where the last pass ended.
    """
    before = looks.looks(ledger)
    collectors = of_the_world(asked.collectors)
    marks = {name: _mark(before.get(name)) for name in collectors}
    spans = {name: mark.span(now) if mark else first_span(now) for name, mark in marks.items()}
    if not collectors:
        return []
    for name in collectors:
        if (look := before.get(name)) is not None:
            keep(asked.folder / name, look.state.get("kept", {}))
    answers = _looked(ledger, asked, collectors, spans)
    earliest = min(span.since for span in spans.values())
    facts = Facts(now, datetime.now(UTC), record(ledger, Span(earliest - EARLIER, now)).changes, asked.expected)
    known = _known(ledger)
    passed = {look.name: judge(look, marks[look.name], known.get(look.name, []), facts) for look in answers}
    altered = [_altered(name, now) for name in collectors if name in before and before[name] is None]
    return findings.write_pass(
        ledger,
        [_kept(name, each, before.get(name), asked, now=now) for name, each in passed.items()],
        [*altered, *(finding for each in passed.values() for finding in each.findings)],
        [Settled(over.number, over.state, over.reason) for each in passed.values() for over in each.changed],
        now=now,
    )


def of_the_world(collectors: Mapping[str, CollectorBase]) -> dict[str, CollectorBase]:
    """Return those that see more than our own changes, which are all announced."""
    return {
        name: collector
        for name, collector in collectors.items()
        if type(collector).model_fields["kind"].default != "changes"
    }


def _looked(
    ledger: Ledger, asked: Asked, collectors: Mapping[str, CollectorBase], spans: Mapping[str, Span]
) -> list[Look]:
    """Ask all at once; those that were blind are asked for a longer time than the others."""
    key = ledger.seal.of("key of fingerprints", "collectors").encode()
    using = Surroundings(asked.connections, asked.folder, key)
    groups = {
        span: {name: collectors[name] for name in collectors if spans[name] == span} for span in {*spans.values()}
    }
    with ThreadPoolExecutor(len(groups)) as pool:
        answers = [pool.submit(gather, of_span, span, using, limit=asked.limit) for span, of_span in groups.items()]
        return [look for answer in answers for look in answer.result()]


def _mark(look: looks.Look | None) -> Mark | None:
    if look is None:
        return None
    return Mark(look.until, look.looked, frozenset(look.state.get("seen", ())), str(look.state.get("lost", "")))


def _known(ledger: Ledger) -> dict[str, list[Known]]:
    known: dict[str, list[Known]] = {}
    for recorded in findings.find(ledger, Wanted(state="open")):
        known.setdefault(recorded.finding.collector, []).append(Known(recorded.number, recorded.finding))
    return known


def _kept(name: str, passed: Passed, before: looks.Look | None, asked: Asked, *, now: datetime) -> looks.Look:
    """Return what is written of a collector: where it is, what it keeps, and when each expected noise was last seen."""
    mark, noise = passed.mark, dict((before.state if before else {}).get("noise", {}))
    for expected in asked.expected:
        known = noise.get(expected, {"since": now.isoformat(), "last": None})
        noise[expected] = {**known, "last": now.isoformat()} if passed.hidden.get(expected) else known
    state: dict[str, Any] = {
        "seen": sorted(mark.seen),
        "lost": mark.lost,
        "kept": kept_in(asked.folder / name),
        "noise": {expected: noise[expected] for expected in asked.expected},
    }
    return looks.Look(name, mark.until, mark.looked, state)


def _altered(name: str, now: datetime) -> WorldFinding:
    return WorldFinding("gap", name, "", now, f"could not see what happened before {moment(now)}", ALTERED, until=now)


def text_of(recorded: Sequence[findings.Recorded], most: int = 10) -> list[str]:
    """Return findings as people read them, a few lines each."""
    lines = [line for each in recorded[:most] for line in _lines(each)]
    more = len(recorded) - most
    return [*lines, f"and {more} more: `changewindow findings --state open`"] if more > 0 else lines


def _lines(recorded: findings.Recorded) -> list[str]:
    finding = recorded.finding
    of = f" ({', '.join(finding.services)})" if finding.services else ""
    if finding.kind == "gap":
        return [f"finding {recorded.number}: {finding.collector}{of} {finding.what}: {finding.why}"]
    who = f"by {finding.by} ({finding.known_by})" if finding.by else f"by unknown, because {_because(finding)}"
    values = [f"    {_short(finding.before)} -> {_short(finding.after)}"] if finding.before or finding.after else []
    return [
        f"finding {recorded.number}: {moment(finding.at)} {finding.collector}{of}: {finding.object} {finding.what}",
        f"    {who}; {finding.why}",
        *values,
    ]


def _because(finding: WorldFinding) -> str:
    return finding.known_by or f"{finding.collector} does not say"


def _short(value: str) -> str:
    line = " ".join(value.split()) or "(nothing)"
    return line if len(line) <= 200 else f"{line[:199]}…"
