"""Takes readings: asks the source of a condition and judges what came back."""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from changewindow.documents.text import shown
from changewindow.errors import ChangeError
from changewindow.systems.measurement import Answer, Cause, SourceContext, SourceError, Value
from changewindow.watch.baseline import Seen
from changewindow.watch.condition import Condition
from changewindow.watch.verdict import Verdict, judge


@dataclass(frozen=True)
class Reading:
    """One measured value of a condition, or the cause why there is none, with the verdict on it."""

    condition: str
    verdict: Verdict
    at: datetime
    value: Value | None = None
    cause: Cause | None = None
    detail: str = ""

    @property
    def is_answered(self) -> bool:
        """Return whether its source is there, whatever it says: no data and NaN are answers too."""
        return self.value is not None or self.cause not in {"unreachable", "invalid"}

    def line(self) -> str:
        """Return the reading as a line for the log: verdict, condition, value and limit."""
        value = f"{self.value:.6g}" if isinstance(self.value, float) else self.value
        found = f"= {value}" if self.cause is None else f"({self.cause})"
        return f"{self.verdict.upper():12} {self.condition} {found} {self.detail}".rstrip()

    def as_json(self) -> dict[str, Any]:
        """Return the reading as JSON for events and trigger payloads."""
        fields = {**asdict(self), "at": self.at.isoformat()}
        fields["says"] = fields.pop("detail")  # the name under which events and watches have been stored
        return {key: value for key, value in fields.items() if value is not None}


async def take(
    condition: Condition, context: SourceContext, seen: Seen, *, newer_than: datetime | None = None
) -> Reading:
    """Ask once and judge; every failure to get a value is a reading with its cause, never an exception.

    What is compared with a baseline is judged by all that was `seen`, to which the values of this reading are added.
    """
    try:
        answers = await measure(condition, context)
        at = min(answer.at for answer in answers)
        if newer_than and at <= newer_than:
            says = f"the newest value is of {at:%H:%M:%S} UTC, the last step ended {newer_than:%H:%M:%S}"
            return Reading(condition.name, "error", at, value=answers[0].value, cause="stale", detail=says)
        value, beside = await _compared(condition, [answer.value for answer in answers], seen)
    except SourceError as error:
        return Reading(condition.name, "error", context.now(), cause=error.cause, detail=str(error))
    if value is None:
        return Reading(condition.name, "inconclusive", at, detail=beside)
    verdict, cause = judge(condition.good, condition.bad, value)
    beside = _why_invalid(value) if cause == "invalid" else beside or answers[0].note
    says = f"{condition.limits()} ({beside})" if beside else condition.limits()
    return Reading(condition.name, verdict, at, value=value, cause=cause, detail=says)


def _why_invalid(value: Value) -> str:
    """Return why a value cannot be judged, and what to do."""
    if isinstance(value, float) and not math.isfinite(value):
        return f"{value} is no number; see why the source says so"
    kind = "text" if isinstance(value, str) else "true or false" if isinstance(value, bool) else "a number"
    says = f"{shown(value)} is {kind}, and the ticket compares it as something else"
    return f"{says}: numbers, true and false stand without quotes, and only numbers are above, below or between"


async def measure(condition: Condition, context: SourceContext) -> list[Answer]:
    """Return what the source of a condition answers, and its control group if it has one, asked at the same time.

    Raises:
        SourceError: one of them has no value.
    """
    try:
        async with asyncio.timeout(condition.timeout.total_seconds()):
            beside = replace(context, kept=context.kept.setdefault("control", {}))
            answers = zip((context, beside), condition.sources, strict=False)
            return list(await asyncio.gather(*(one.answer(source) for one, source in answers)))
    except ChangeError as error:
        raise SourceError("unreachable", str(error)) from error
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        says = f"the answer has an unexpected form: {type(error).__name__} {error}".rstrip()
        raise SourceError("invalid", says) from error
    except TimeoutError as error:
        raise SourceError("unreachable", f"no answer within {condition.timeout.total_seconds():g} s") from error


async def _compared(condition: Condition, values: list[Value], seen: Seen) -> tuple[Value | None, str]:
    """Return the value to be judged, and what it came from if it is compared."""
    if condition.compare is None:
        return values[0], ""
    condition.compare.see(seen, values)
    return await asyncio.to_thread(condition.compare.result, seen)


async def take_all(
    conditions: Sequence[Condition], contexts: Sequence[SourceContext], seen: Sequence[Seen], **options: Any
) -> list[Reading]:
    """Ask all conditions at the same time: one sample. Options as for `take`."""
    asked = zip(conditions, contexts, seen, strict=True)
    return list(await asyncio.gather(*(take(*one, **options) for one in asked)))
