"""Takes readings: asks the source of a condition and judges what came back."""

import asyncio
import logging
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from changewindow.documents.text import shown
from changewindow.errors import ChangeError
from changewindow.systems.measurement import Answer, Cause, SourceContext, SourceError, Value
from changewindow.watch.baseline import Seen
from changewindow.watch.comparison import amount
from changewindow.watch.condition import Condition
from changewindow.watch.lateness import clock, lateness
from changewindow.watch.verdict import Verdict, judge

LEVELS = {"FAIL ": logging.ERROR, "ERROR ": logging.WARNING, "INCONCLUSIVE ": logging.WARNING}
"""How loud a reading is in the log, by how its line begins: what is bad is louder than what is not known."""
LONGEST = 10_000
"""Characters of a value that is text."""
LONGEST_DETAIL = 2_000
"""Characters of what is said about it."""


def level_of(line: str) -> int:
    """Return the level at which a line of a watch is logged."""
    return next((level for start, level in LEVELS.items() if line.startswith(start)), logging.INFO)


@dataclass(frozen=True)
class Reading:
    """One measured value of a condition, or the cause for having none, and the verdict on it."""

    condition: str
    verdict: Verdict
    at: datetime
    value: Value | None = None
    cause: Cause | None = None
    detail: str = ""
    unit: str | None = None

    @property
    def account(self) -> str:
        """Return the value with what is known about it, such as its limit: `348 ms, limit 200 ms`."""
        return self.detail if self.value is None else f"{self._amount('.4g')}, {self.detail}"

    @property
    def unjudgeable(self) -> str:
        """Return why no later reading of this kind could be judged either, or nothing; no data may still come."""
        if self.cause == "invalid":
            return f"it cannot be judged: {self.line()}"
        if self.cause == "late":
            return f"it was not read in time: {self.line()}"
        return f"its source does not answer: {self.line()}" if self.cause == "unreachable" else ""

    def line(self) -> str:
        """Return the reading as a line for the log: verdict, condition, value and limit."""
        result = f"= {self._amount('.6g')}," if self.cause is None else f"({self.cause})"
        return f"{self.verdict.upper()} {self.condition} {result} {self.detail}".rstrip(" ,")

    def line_before(self) -> str:
        """Return the reading as such a line from before the change, when nothing has to be good that follows it."""
        return self.line() if self.cause else f"BEFORE {self.line().partition(' ')[2]}"

    def _amount(self, form: str) -> str:
        """Return the value with its unit."""
        return amount(f"{self.value:{form}}" if isinstance(self.value, float) else f"{self.value}", self.unit)

    def as_json(self) -> dict[str, Any]:
        """Return the reading as JSON for events and trigger payloads."""
        fields = {**asdict(self), "at": self.at.isoformat()}
        fields["says"] = fields.pop("detail")  # the name under which events and watches have been stored
        return {key: value for key, value in fields.items() if value is not None}


async def take(
    condition: Condition, context: SourceContext, seen: Seen, *, newer_than: datetime | None = None
) -> Reading:
    """Ask once and judge; a failure to get a value is a reading with its cause, never an exception.

    What is compared with a baseline is judged by everything `seen` so far, to which this reading's values are added.
    """
    reading = await _taken(condition, context, seen, newer_than)
    line, value = context.secrets.line, reading.value
    return replace(
        reading, value=line(value) if isinstance(value, str) else value, detail=line(reading.detail)[:LONGEST_DETAIL]
    )


async def _taken(condition: Condition, context: SourceContext, seen: Seen, newer_than: datetime | None) -> Reading:
    try:
        answers = await measure(condition, context)
        oldest = min(answers, key=lambda answer: answer.at)
        at = oldest.at
        if newer_than and at <= newer_than:
            detail = f"the newest value is from {at:%H:%M:%S} UTC, but the last step ended at {newer_than:%H:%M:%S}"
            detail += f" ({oldest.note})" if oldest.note else ""
            return Reading(
                condition.title, "error", at, value=answers[0].value, cause="stale", detail=detail, unit=condition.unit
            )
        value, basis = await _compared(condition, [answer.value for answer in answers], seen)
        if value is None:
            return Reading(condition.title, "inconclusive", at, detail=basis)
        verdict, cause = judge(condition.good, condition.bad, value)
        if cause is None and any(answer.is_at_least for answer in answers) and not _holds_for_more(condition, verdict):
            detail = f"{value} or more, so {condition.limit()} cannot be judged ({oldest.note})"
            return Reading(condition.title, "error", at, cause="invalid", detail=detail)
    except SourceError as error:
        return Reading(condition.title, "error", context.now(), cause=error.cause, detail=str(error))
    note = _why_invalid(value) if cause == "invalid" else basis or answers[0].note
    detail = f"{condition.limit()} ({note})" if note else condition.limit()
    unit = condition.unit_of_value
    return Reading(condition.title, verdict, at, value=value, cause=cause, detail=detail, unit=unit)


def _holds_for_more(condition: Condition, verdict: Verdict) -> bool:
    """Return whether a count means the same however much more there is."""
    return condition.compare is None and judge(condition.good, condition.bad, sys.float_info.max)[0] == verdict


def _why_invalid(value: Value) -> str:
    """Return why a value cannot be judged, and what to do."""
    if isinstance(value, float) and not math.isfinite(value):
        return f"{value} is not a number that can be compared; find out why the source returns it"
    kind = "text" if isinstance(value, str) else "true or false" if isinstance(value, bool) else "a number"
    mismatch = f"{shown(value)} is {kind}, but the ticket compares it with something else"
    return f"{mismatch}: write numbers, true and false without quotes; only numbers can be above, below or between"


async def measure(condition: Condition, context: SourceContext) -> list[Answer]:
    """Return the answer of a condition's source and that of its control group, if it has one, asked at the same time.

    Raises:
        SourceError: one of them has no value, or the loop was not running meanwhile.
    """
    watched, began = lateness(), clock()
    try:
        answers = await _answers(condition, context)
    except SourceError as error:
        watched.require(began, condition.timeout, error)
        raise
    watched.require(began, condition.timeout)
    return answers


async def _answers(condition: Condition, context: SourceContext) -> list[Answer]:
    try:
        async with asyncio.timeout(condition.timeout.total_seconds()):
            for_control = replace(context, kept=context.kept.setdefault("control", {}))
            pairs = zip((context, for_control), condition.sources, strict=False)
            answers = await asyncio.gather(*(own.answer(source) for own, source in pairs))
            return [_kept_in_bounds(answer) for answer in answers]
    except ChangeError as error:
        raise SourceError("unreachable", str(error)) from error
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        detail = f"the answer has an unexpected form: {type(error).__name__} {error}".rstrip()
        raise SourceError("invalid", detail) from error
    except TimeoutError as error:
        raise SourceError("unreachable", f"no answer within {condition.timeout.total_seconds():g} s") from error


def _kept_in_bounds(answer: Answer) -> Answer:
    """Return an answer that may stand in events, logs and messages, as often as it is read.

    Raises:
        SourceError: `invalid`, its value is too long for that.
    """
    if isinstance(answer.value, str) and len(answer.value) > LONGEST:
        fault = f"the value is a text of {len(answer.value):,} characters, {LONGEST:,} are kept at most"
        raise SourceError("invalid", f"{fault}. Ask for a part of it")
    return answer


async def _compared(condition: Condition, values: list[Value], seen: Seen) -> tuple[Value | None, str]:
    """Return the value to be judged, and where it comes from if it is compared."""
    if condition.compare is None:
        return values[0], ""
    condition.compare.see(seen, values)
    return await asyncio.to_thread(condition.compare.result, seen)


async def take_all(
    conditions: Sequence[Condition],
    contexts: Sequence[SourceContext],
    seen: Sequence[Seen],
    *,
    newer_than: datetime | None = None,
) -> list[Reading]:
    """Take a reading of all conditions at the same time: one sample."""
    questions = zip(conditions, contexts, seen, strict=True)
    return list(await asyncio.gather(*(take(*question, newer_than=newer_than) for question in questions)))
