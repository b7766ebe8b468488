"""Judges what one collector saw since the last pass: what no change announced becomes a finding. Pure.

A collector is asked again for a little of what it has already answered, because logs are written late; and when it did
not answer, for all of it. So the same entry comes twice, and is one finding.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from changewindow.changes.blindness import (
    OVERLAP,
    SHORT,
    Changed,
    Known,
    Mark,
    blind_parts,
    blind_since,
    gap,
    gaps,
    losses,
    lost,
    moment,
    sees_again,
)
from changewindow.changes.gathering import Look
from changewindow.changes.our_changes import OurChange
from changewindow.changes.what_changed import Line, Question, answer
from changewindow.documents.canonical import digest
from changewindow.policy.expected import Expected
from changewindow.policy.world_finding import WorldFinding
from changewindow.systems.collection import Entry, Span

KEY = 16
"""Characters by which an entry is known again."""


@dataclass(frozen=True)
class Passed:
    """What a pass makes of what one collector saw."""

    mark: Mark
    findings: tuple[WorldFinding, ...] = ()
    changed: tuple[Changed, ...] = ()
    hidden: Mapping[str, int] = field(default_factory=dict)
    """How much each entry of the expected noise has hidden."""

    def seeing(self, look: Look | None) -> "Passed":
        """Return it so that what another look at the same time has shown is known too."""
        return replace(self, mark=replace(self.mark, seen=self.mark.seen | _keys(look))) if look else self


@dataclass(frozen=True)
class Facts:
    """What a pass knows beside the look."""

    now: datetime
    """The end of the span that was asked for."""
    ended: datetime
    """When the answer was there."""
    ours: Sequence[OurChange]
    expected: Mapping[str, Expected] = field(default_factory=dict)


def first_span(now: datetime) -> Span:
    """Return what is asked for in a first look: something to compare with; it raises no alarm."""
    return Span(now - OVERLAP, now)


def judge(look: Look, mark: Mark | None, known: Sequence[Known], facts: Facts) -> Passed:
    """Return what is found in a look, by target, time and value; in the first one, nothing."""
    if mark is None:
        return Passed(Mark(facts.now, facts.ended, _keys(look), lost(look)))
    if look.collected is None:
        since = Span(mark.until, facts.now)
        return Passed(mark, (gap(look, since, look.failure, goes_on=True),))
    coverage = look.collected.coverage
    reached = max(mark.until, min(coverage.until, facts.now))
    parts = blind_since(look, mark)
    blind = [
        *gaps(look, coverage, Span(mark.until, reached), facts.now),
        *losses(look, mark, facts.now),
        *blind_parts(look, parts),
    ]
    lines = _new_lines(look, mark, facts)
    back = list(_changed_back(lines, known))
    rest = [line for line in lines if not any(line.entry is entry for entry, _ in back)]
    silent, hidden = _not_expected([line for line in rest if not _is_announced(line)], facts)
    return Passed(
        Mark(reached, facts.ended, _keys(look), lost(look), parts),
        (*blind, *_folded(silent)),
        (*(changed for _, changed in back), *sees_again(known, blind)),
        hidden,
    )


def key_of(entry: Entry) -> str:
    """Return by what an entry is known again.

    Where it has a value, its moment may be told otherwise the next time; what was only noticed has the look before.
    """
    told = entry.known_as or entry.as_told
    if entry.before or entry.after:
        return digest([entry.object, entry.before, entry.after, *([told] if entry.earliest else [])])[:KEY]
    return digest([entry.object, told])[:KEY]


def _keys(look: Look) -> frozenset[str]:
    return frozenset(key_of(entry) for entry in look.collected.entries) if look.collected else frozenset()


def _new_lines(look: Look, mark: Mark, facts: Facts) -> list[Line]:
    """Return the lines of changes that the last look did not have, the oldest first.

    What is noticed at each look, and may have been so before the last one, is not new each time.
    """
    lines = answer(Question(mark.span(facts.now)), [look], facts.ours).lines
    known_until = mark.looked + SHORT
    changes = (line for line in reversed(lines) if not line.entry.is_symptom)
    return [line for line in changes if line.entry.since > known_until or key_of(line.entry) not in mark.seen]


def _is_announced(line: Line) -> bool:
    """Return whether a change explains a line by more than time and service."""
    explained = line.explanation
    return explained is not None and bool(explained.change) and (explained.by_value or explained.by_object)


def _changed_back(lines: Iterable[Line], known: Sequence[Known]) -> Iterator[tuple[Entry, Changed]]:
    """Yield each entry that takes back an open finding, announced or not."""
    over: set[int] = set()
    for line in lines:
        entry = line.entry
        for of in known:
            silent = of.finding
            if of.number in over or silent.object != entry.object or entry.at < silent.at:
                continue
            if _is_back(silent.before, silent.after, entry):
                who = line.explanation.change if line.explanation and _is_announced(line) else entry.by
                over.add(of.number)
                yield (
                    entry,
                    Changed(of.number, "reverted", f"changed back at {moment(entry.at)} by {who or 'unknown'}"),
                )
                break


def _is_back(before: str, after: str, entry: Entry) -> bool:
    return before != after and (entry.before, entry.after) == (after, before)


def _not_expected(lines: Iterable[Line], facts: Facts) -> tuple[list[Line], dict[str, int]]:
    silent, hidden = list[Line](), dict[str, int]()
    for line in lines:
        hiding = (name for name, noise in facts.expected.items() if noise.hides(line.collector, line.entry, facts.now))
        if name := next(hiding, None):
            hidden[name] = hidden.get(name, 0) + 1
        else:
            silent.append(line)
    return silent, hidden


def _folded(lines: Iterable[Line]) -> list[WorldFinding]:
    """Return a finding for each line; what was changed and changed back is one."""
    findings: list[WorldFinding] = []
    for line in lines:
        entry = line.entry
        same = (number for number, other in enumerate(findings) if _takes_back(other, entry))
        if (number := next(same, None)) is not None:
            other = findings[number]
            back = f"{other.what}; changed back at {moment(entry.at)} by {entry.by or 'unknown'}: {entry.what}"
            findings[number] = replace(other, what=f"changed and changed back: {back}"[:500])
        else:
            findings.append(_finding(line))
    return findings


def _takes_back(other: WorldFinding, entry: Entry) -> bool:
    is_folded = other.what.startswith("changed and changed back: ")
    return other.object == entry.object and not is_folded and _is_back(other.before, other.after, entry)


def _finding(line: Line) -> WorldFinding:
    entry, scope = line.entry, line.scope
    names = ("object", "at", "what", "before", "after", "by", "known_by")
    fields = {name: getattr(entry, name) for name in names}
    why = line.explanation.why if line.explanation else ""
    return WorldFinding(
        "change", line.collector, **fields, why=why, environment=scope.environment, services=scope.services
    )
