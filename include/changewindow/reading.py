"""Takes readings: asks the source of a condition and judges what came back."""

import asyncio
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from changewindow.condition import Condition
from changewindow.errors import ChangeError
from changewindow.sources.base import Asking, SourceError
from changewindow.verdict import Cause, Value, Verdict, judge


@dataclass(frozen=True)
class Reading:
    """One measured value of a condition, or the cause why there is none, with the verdict on it."""

    condition: str
    verdict: Verdict
    at: datetime
    value: Value | None = None
    cause: Cause | None = None
    says: str = ""

    def line(self) -> str:
        """Return the reading as a line for the log: verdict, condition, value and limit."""
        value = f"{self.value:.6g}" if isinstance(self.value, float) else self.value
        found = f"= {value}" if self.cause is None else f"({self.cause})"
        return f"{self.verdict.upper():12} {self.condition} {found} {self.says}".rstrip()

    def as_json(self) -> dict[str, Any]:
        """Return the reading as JSON for events and trigger payloads."""
        return {key: value for key, value in {**asdict(self), "at": self.at.isoformat()}.items() if value is not None}


async def take(condition: Condition, asking: Asking, *, newer_than: datetime | None = None) -> Reading:
    """Ask once and judge; every failure to get a value is a reading with its cause, never an exception."""
    try:
        async with asyncio.timeout(condition.timeout.total_seconds()):
            answer = await asking.answer(condition.origin)
    except SourceError as error:
        return Reading(condition.name, "error", asking.now(), cause=error.cause, says=str(error))
    except ChangeError as error:
        return Reading(condition.name, "error", asking.now(), cause="unreachable", says=str(error))
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        says = f"the answer has an unexpected form: {type(error).__name__} {error}".rstrip()
        return Reading(condition.name, "error", asking.now(), cause="invalid", says=says)
    except TimeoutError:
        seconds = condition.timeout.total_seconds()
        return Reading(
            condition.name, "error", asking.now(), cause="unreachable", says=f"no answer within {seconds:g} s"
        )
    if newer_than and answer.at <= newer_than:
        says = f"the newest value is of {answer.at:%H:%M:%S} UTC, the last step ended {newer_than:%H:%M:%S}"
        return Reading(condition.name, "error", answer.at, value=answer.value, cause="stale", says=says)
    verdict, cause = judge(condition.good, condition.bad, answer.value)
    limits = condition.says().removeprefix(f"{condition.name}: ").rsplit(" [", 1)[0]
    return Reading(condition.name, verdict, answer.at, value=answer.value, cause=cause, says=limits)


async def take_all(
    conditions: tuple[Condition, ...], askings: list[Asking], *, newer_than: datetime | None = None
) -> list[Reading]:
    """Ask all conditions at the same time: one sample."""
    readings = (take(one, asking, newer_than=newer_than) for one, asking in zip(conditions, askings, strict=True))
    return list(await asyncio.gather(*readings))
