"""Makes a pass over all collectors: asks each for what it has not seen yet, judges it, and writes it all or nothing."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from changewindow.changes.asking_collectors import Answered, Asked, ask, keys_of
from changewindow.changes.blindness import Known, Mark, moment
from changewindow.changes.gathering import Look
from changewindow.changes.our_changes import record
from changewindow.changes.recording import close_told
from changewindow.changes.silent import Facts, Passed, first_span, judge
from changewindow.collectors.base import CollectorBase
from changewindow.documents.moments import utc
from changewindow.ledger import findings, looks
from changewindow.ledger.database import Ledger
from changewindow.ledger.findings import Settled
from changewindow.ledger.findings_search import Wanted
from changewindow.policy.finding_rights import WhyNot, nobody
from changewindow.policy.world_finding import WorldFinding
from changewindow.systems.collection import Span

EARLIER = timedelta(minutes=10)
"""How long before the span a change may have ended that explains something in it."""
LONGEST = timedelta(days=2)
"""How long before it was noticed something may have happened of which a change is still looked for."""
ALTERED = "how far it had seen {}. Run `changewindow verify --all`"


def make_pass(ledger: Ledger, asked: Asked, now: datetime, why_not: WhyNot = nobody) -> list[int]:
    """Look at everything that happened since the last pass; return the numbers of the findings that are new.

    A pass that dies in the middle has written nothing, and the next one asks for the same time again. What is seen
    late is closed by earlier records of those who may close it.

    Raises:
        LedgerDown: nobody can say what was announced, or where the last pass ended.
    """
    collectors = of_the_world(asked.collectors)
    if not collectors:
        return []
    stored, keys = looks.looks(ledger), keys_of(ledger.seal)
    before = {name: look for name, look in stored.items() if isinstance(look, looks.Look)}
    marks = {name: _mark(before.get(name)) for name in collectors}
    spans = {name: mark.span(now) if mark else first_span(now) for name, mark in marks.items()}
    answers = ask(asked, spans, before, keys)
    span = Span(_earliest([answered.look for answered in answers.values()], spans.values(), now), now)
    ours = record(ledger, span, tuple(keys.values())).changes
    facts, known = Facts(now, datetime.now(UTC), ours, asked.expected), _known(ledger)
    passed = {
        name: judge(answered.look, marks[name], known.get(name, []), facts).seeing(answered.by_new_key)
        for name, answered in answers.items()
    }
    altered = [_altered(name, why, now) for name, why in stored.items() if name in collectors and isinstance(why, str)]
    new = findings.write_pass(
        ledger,
        [_written(each, answers[name], before.get(name), facts) for name, each in passed.items()],
        [*altered, *(finding for each in passed.values() for finding in each.findings)],
        [Settled(over.number, over.state, over.reason) for each in passed.values() for over in each.changed],
        now=now,
    )
    close_told(ledger, why_not, now=now)
    return new


def of_the_world(collectors: Mapping[str, CollectorBase]) -> dict[str, CollectorBase]:
    """Return those that see more than our own changes, which are all announced."""
    return {
        name: collector
        for name, collector in collectors.items()
        if type(collector).model_fields["kind"].default != "changes"
    }


def _earliest(looks: Iterable[Look], spans: Iterable[Span], now: datetime) -> datetime:
    """Return since when a change may have acted that explains something, also what was noticed later."""
    noticed = [entry.since for look in looks if look.collected for entry in look.collected.entries]
    return min(*(span.since for span in spans), max(min(noticed, default=now), now - LONGEST)) - EARLIER


def _mark(look: looks.Look | None) -> Mark | None:
    if look is None:
        return None
    state = look.state
    blind = {part: utc(since) for part, since in state.get("blind", {}).items()}
    return Mark(look.until, look.looked, frozenset(state.get("seen", ())), str(state.get("lost", "")), blind)


def _known(ledger: Ledger) -> dict[str, list[Known]]:
    known: dict[str, list[Known]] = {}
    for recorded in findings.find(ledger, Wanted(state="open")):
        known.setdefault(recorded.finding.collector, []).append(Known(recorded.number, recorded.finding))
    return known


def _written(passed: Passed, answered: Answered, before: looks.Look | None, facts: Facts) -> looks.Look:
    """Return what is written of a collector: where it is, what it keeps, and when each expected noise was last seen."""
    mark, noise = passed.mark, dict((before.state if before else {}).get("noise", {}))
    for expected in facts.expected:
        known = noise.get(expected, {"since": facts.now.isoformat(), "last": None})
        noise[expected] = {**known, "last": facts.now.isoformat()} if passed.hidden.get(expected) else known
    state: dict[str, Any] = {
        "seen": sorted(mark.seen),
        "lost": mark.lost,
        "blind": {part: since.isoformat() for part, since in mark.blind.items()},
        "kept": answered.kept,
        "noise": {expected: noise[expected] for expected in facts.expected},
    }
    return looks.Look(answered.look.name, mark.until, mark.looked, state, answered.key)


def _altered(name: str, why: str, now: datetime) -> WorldFinding:
    what = f"could not see what happened before {moment(now)}"
    return WorldFinding("gap", name, "", now, what, ALTERED.format(why), until=now)


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
