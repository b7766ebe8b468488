"""Answers what changed: one time line of all collectors, who explains each entry, and what nobody could see."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from math import log2

from changewindow.changes.explaining import Explanation, Scope, explained
from changewindow.changes.gathering import Look
from changewindow.changes.our_changes import OurChange
from changewindow.ledger.records import Kept
from changewindow.policy.service_catalogue import Catalogue
from changewindow.systems.collection import Collected, Entry, Span

DEPENDENCY, DEPENDENT = 1.0, 2.0
"""How far a service is from one that needs it, and from one that it needs: causes come from below more often."""
SHARED, UNRELATED = 2.0, 8.0
"""How far it is to what belongs to no service, and to what the catalogue does not connect."""
PER_STEP = 3.0
BY_TIME, BY_VALUE = 2.0, 6.0
"""How much less likely a cause is that time and service explain, or the announced value too."""
ITSELF = "it is this change"


@dataclass(frozen=True)
class Line:
    """An entry of the time line."""

    collector: str
    entry: Entry
    scope: Scope
    explanation: Explanation | None
    """None where no ledger could be asked."""


@dataclass(frozen=True)
class Gap:
    """A part of the span that a collector could not see."""

    collector: str
    span: Span
    why: str


@dataclass(frozen=True)
class Answer:
    """What changed, as far as anybody could see."""

    span: Span
    lines: tuple[Line, ...]
    """The newest first, or the most likely cause first."""
    gaps: tuple[Gap, ...]
    remarks: tuple[str, ...]
    """What collectors saw only in part, and what is wrong with their clocks."""
    saw: tuple[str, ...]
    """The collectors that answered."""
    failed: tuple[Gap, ...]
    """Those that did not."""


@dataclass(frozen=True)
class Question:
    """What is asked."""

    span: Span
    catalogue: Catalogue | None = None
    service: str = ""
    """Only what concerns it."""
    symptom: str = ""
    """Where something is wrong: the most likely cause comes first."""


def answer(
    question: Question,
    looks: Sequence[Look],
    ours: Sequence[OurChange] | None,
    by_hand: Sequence[Kept] = (),
) -> Answer:
    """Return what changed, as far as the collectors say; without `ours`, nothing is explained."""
    seen = [(look, look.collected) for look in looks if look.collected]
    lines = [line for look, collected in seen for line in _lines(look, collected, ours, by_hand)]
    wanted = [line for line in lines if _concerns(line.scope, question.service)]
    failed = tuple(Gap(look.name, question.span, look.failure) for look in looks if not look.collected)
    partly = [gap for look, collected in seen for gap in _gaps(look.name, collected, question.span)]
    return Answer(
        question.span,
        tuple(_sorted(wanted, question)),
        tuple(sorted((*failed, *partly), key=lambda gap: gap.span.until, reverse=True)),
        tuple(remark for look, collected in seen for remark in _remarks(look.name, collected, question.span)),
        tuple(look.name for look, _ in seen),
        failed,
    )


def _lines(look: Look, collected: Collected, ours: Sequence[OurChange] | None, by_hand: Sequence[Kept]) -> list[Line]:
    own = (look.collector.service,) if look.collector.service else ()
    kind = type(look.collector).model_fields["kind"].default
    lines = []
    for entry in collected.entries:
        scope = Scope(look.collector.environment, entry.services or own)
        known = _itself(entry, by_hand) if kind == "changes" else None
        explanation = known or (explained(entry, scope, ours, by_hand) if ours is not None else None)
        lines.append(Line(look.name, entry, scope, explanation))
    return lines


def _itself(entry: Entry, by_hand: Sequence[Kept]) -> Explanation:
    person = next((kept.person for kept in by_hand if kept.change == entry.object), "")
    if person:
        return Explanation("", "it is this record", record=entry.object, recorded_by=person)
    return Explanation(entry.object, ITSELF, by_value=True)


def _concerns(scope: Scope, service: str) -> bool:
    return not service or not scope.services or service in scope.services


def _gaps(name: str, collected: Collected, span: Span) -> list[Gap]:
    return [Gap(name, part, collected.coverage.why) for part in collected.coverage.unseen(span)]


def _remarks(name: str, collected: Collected, span: Span) -> list[str]:
    coverage = collected.coverage
    remarks = [coverage.why] if coverage.why and not coverage.unseen(span) else []
    if coverage.lost:
        remarks.append(f"{coverage.lost:,} entries are lost")
    if off := coverage.clock_off:
        ahead = "ahead of" if off > timedelta(0) else "behind"
        remarks.append(f"its clock is {abs(off.total_seconds()):,.0f}s {ahead} ours; its times are corrected")
    return [f"{name}: {remark}" for remark in remarks]


def _sorted(lines: Sequence[Line], question: Question) -> list[Line]:
    newest = sorted(lines, key=lambda line: line.entry.at, reverse=True)
    if not question.symptom:
        return newest
    distances = distances_from(question.symptom, question.catalogue)
    return sorted(newest, key=lambda line: unlikeliness(line, distances, question.span))


def unlikeliness(line: Line, distances: dict[str, float], span: Span) -> float:
    """Return how little likely an entry is the cause: by distance of its service, time before, and who explains it."""
    distance = min((distances.get(service, UNRELATED) for service in line.scope.services), default=SHARED)
    minutes = max((span.until - line.entry.at).total_seconds(), 0) / 60
    explained = line.explanation is not None and line.explanation.change
    by = (BY_VALUE if line.explanation and line.explanation.by_value else BY_TIME) if explained else 0.0
    return PER_STEP * distance + log2(1 + minutes) + by


def distances_from(symptom: str, catalogue: Catalogue | None) -> dict[str, float]:
    """Return how far each connected service is from the one where something is wrong, by the catalogue."""
    distances = {symptom: 0.0}
    services = catalogue.services if catalogue else {}
    ahead = [symptom]
    while ahead:
        name = ahead.pop(0)
        needed = dict.fromkeys(services[name].depends_on if name in services else (), DEPENDENCY)
        needing = {other: DEPENDENT for other, service in services.items() if name in service.depends_on}
        for other, step in {**needing, **needed}.items():
            if distances[name] + step < distances.get(other, UNRELATED):
                distances[other] = distances[name] + step
                ahead.append(other)
    return distances
