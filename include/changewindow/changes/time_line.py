"""Shows an answer to what changed as text: for the terminal, the note of a run and its log."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from changewindow.changes.explaining import Explanation
from changewindow.changes.what_changed import Answer, Gap, Line
from changewindow.policy.manual_change import NOT_APPROVED
from changewindow.systems.collection import Span

LONGEST = 160
"""Characters of a value that stand on one line; of a longer one, the lines that differ are shown."""
DIFFERING = 10
"""How many of those."""
NOBODY = "nobody"


@dataclass(frozen=True)
class Style:
    """How an answer is shown."""

    zone: tzinfo = UTC
    most: int | None = 100
    """How many entries at most."""
    by_likelihood: bool = False


def text_of(answer: Answer, style: Style) -> Iterator[str]:
    """Yield the lines of an answer: what nobody could see first, then the time line with gaps drawn as gaps."""
    span, zone = answer.span, style.zone
    label = _label(zone, span.until)
    yield f"What changed from {_time(span.since, zone)} to {_time(span.until, zone)} {label}"
    asked = len(answer.saw) + len(answer.failed)
    yield f"{len(answer.saw)} of {asked} collectors answered: {', '.join(answer.saw) or 'none'}"
    if answer.gaps:
        yield "Could not see:"
        yield from (f"  {_gap(gap, span, zone)}" for gap in answer.gaps)
    if answer.remarks:
        yield "Remarks:"
        yield from (f"  {remark}" for remark in answer.remarks)
    yield ""
    yield from _body(answer, style)


def _body(answer: Answer, style: Style) -> Iterator[str]:
    shown = answer.lines[: style.most]
    if style.by_likelihood:
        for number, line in enumerate(shown, 1):
            yield from _entry(line, style.zone, f"{number:3}. ")
    else:
        for item in _with_gaps(shown, answer.gaps):
            if isinstance(item, Line):
                yield from _entry(item, style.zone, "")
            else:
                yield f"~~ {item.collector} could not see {_part(item.span, answer.span, style.zone)} ~~"
    if not shown:
        yield _nothing(answer)
    if len(answer.lines) > len(shown):
        yield f"and {len(answer.lines) - len(shown):,} more entries"


def _nothing(answer: Answer) -> str:
    """Return what an empty answer means; over a span that somebody could not see, it means little."""
    if not answer.gaps:
        return "Nothing changed that these collectors can see."
    return "No change was seen. Something may have changed all the same: see above who could not see."


def _with_gaps(lines: Sequence[Line], gaps: Sequence[Gap]) -> list[Line | Gap]:
    items: list[Line | Gap] = [*lines, *gaps]
    return sorted(items, key=lambda item: item.entry.at if isinstance(item, Line) else item.span.until, reverse=True)


def _entry(line: Line, zone: tzinfo, number: str) -> Iterator[str]:
    entry, indent = line.entry, " " * (len(number) + 21)
    yield f"{number}{_time(entry.at, zone)}  {line.collector}  {entry.object}  {entry.what}"
    yield f"{indent}by {entry.by or 'unknown'} ({entry.known_by or 'nothing says who'})"
    if line.explanation and line.explanation.change == entry.object:
        return  # it is this change: its own sentence has said all
    if entry.before or entry.after:
        yield from (f"{indent}{value}" for value in _values(entry.before, entry.after))
    if line.explanation:
        yield f"{indent}{_explained(line.explanation)}"


def _explained(explanation: Explanation) -> str:
    if explanation.record:
        return f"recorded by {explanation.recorded_by} ({NOT_APPROVED}) as {explanation.record}: {explanation.why}"
    return f"explained by {explanation.change or NOBODY}: {explanation.why}"


def _values(before: str, after: str) -> list[str]:
    """Return before and after on one line where they fit, else the lines that differ."""
    if len(before) + len(after) <= LONGEST and "\n" not in before + after:
        return [f"{before or '(nothing)'} -> {after or '(nothing)'}"]
    old, new = before.splitlines(), after.splitlines()
    known = {*old} & {*new}
    differing = [
        f"{sign} {line[:LONGEST]}" for sign, lines in (("-", old), ("+", new)) for line in lines if line not in known
    ]
    return differing[:DIFFERING] + (
        [f"and {len(differing) - DIFFERING} more lines"] if len(differing) > DIFFERING else []
    )


def _gap(gap: Gap, span: Span, zone: tzinfo) -> str:
    return f"{gap.collector}  {_part(gap.span, span, zone)}: {gap.why or 'it does not say why'}"


def _part(part: Span, span: Span, zone: tzinfo) -> str:
    return "all of it" if part == span else f"{_time(part.since, zone)} to {_time(part.until, zone)}"


def _time(at: datetime, zone: tzinfo) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M:%S}"


def _label(zone: tzinfo, at: datetime) -> str:
    return "UTC" if zone is UTC else f"{zone} (UTC{at.astimezone(zone):%z})"
