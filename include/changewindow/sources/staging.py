"""Measures for how many hours the same steps have stayed in another environment, as this ledger knows it.

The value is the number of hours since a change of the same services, with the same steps, completed there; it ends when
the next change acts on one of those services there. The newest change with the same steps decides: while it runs, or
when it was rolled back, the answer is `no_data`, as it is without any. Steps are the same when all their fields are,
with the values of the parameters that were chosen there and that the scheduled run has here; names do not count, nor
the fields under `but`. The ledger is the one behind the Airflow Connection `changewindow_ledger`; it is only read.
"""

from datetime import datetime
from typing import Any, ClassVar, Literal

from pydantic import Field

from changewindow.documents import parameters
from changewindow.sources.base import SourceBase
from changewindow.systems.measurement import Answer, Past, PastChange, SourceContext, SourceError

EXAMPLE = {"kind": "staging", "environment": "staging", "but": ["connection"]}
Steps = list[dict[str, Any]]


class Source(SourceBase):
    """The environment where the same was to be tried before."""

    kind: Literal["staging"] = "staging"
    is_about_the_asker: ClassVar[bool] = True
    why_not_before_approval: ClassVar[str] = ""

    environment: str = Field(default="staging", pattern=r"^[a-z][a-z0-9-]*$")
    """Where the same steps must have completed."""
    but: tuple[str, ...] = ("connection",)
    """Fields of steps that may differ there, like `connection` or `undo.path`."""

    def description(self) -> str:
        """Return what is asked."""
        return (
            f"hours since the same steps completed in {self.environment} (but for {', '.join(self.but) or 'nothing'})"
        )

    async def ask(self, context: SourceContext) -> Answer:
        """Look it up."""
        if context.change is None or context.past is None:
            raise SourceError("invalid", "only a change in the ledger can be compared with what ran before")
        return self._compare(context.change, await context.past(context.change, self.environment), context.now())

    def _compare(self, change: str, past: Past, now: datetime) -> Answer:
        """Return for how long the newest change with the same steps has stayed there."""
        data = past.ticket
        if data["environment"] == self.environment:
            raise SourceError("invalid", f"{change} itself is for {self.environment}; name the environment before it")
        wanted, ended, nearest = self._steps(data, {}), now, ""
        for other in past.changes:
            differs = _difference(wanted, self._steps(other.ticket, other.values), "steps")
            if not differs and set(data["services"]) <= set(other.ticket["services"]):
                return Answer(_hours(other, ended), now, self.description(), note=f"{other.change} completed there")
            nearest = nearest or f"; {other.change}, the newest there, differs in {differs or 'services'}"
            ended = min(ended, other.began)
        fault = (
            f"no change of {', '.join(data['services'])} with these steps has completed in {self.environment}{nearest}"
        )
        raise SourceError("no_data", f"{fault}. Do it there first, or name under `but` which fields may differ.")

    def _steps(self, data: dict[str, Any], values: dict[str, Any]) -> Steps:
        """Return what the steps of a ticket do with these values of its parameters, without what may differ."""
        steps: Steps = parameters.fill(data, values)["steps"]
        return [_without(step, [place.split(".") for place in ("name", *self.but)]) for step in steps]


def _without(value: dict[str, Any], places: list[list[str]]) -> dict[str, Any]:
    """Return a mapping without what stands at some places."""
    gone = {place[0] for place in places if len(place) == 1}
    kept = {}
    for key, field in value.items():
        inner = [place[1:] for place in places if place[0] == key and len(place) > 1]
        if key not in gone:
            kept[key] = _without(field, inner) if inner and isinstance(field, dict) else field
    return kept


def _hours(other: PastChange, ended: datetime) -> float:
    """Return for how long what a change did has stayed.

    Raises:
        SourceError: it did not complete.
    """
    if other.status != "completed" or other.closed is None:
        how = {"running": "acts right now", "rolled_back": "was rolled back"}.get(
            other.status, "could not be rolled back"
        )
        why = f": {other.reason}" if other.reason else ""
        raise SourceError("no_data", f"{other.change} did the same there last, and {how}{why}. Have it complete first.")
    return max((ended - other.closed).total_seconds(), 0.0) / 3600


def _difference(mine: Any, theirs: Any, place: str) -> str | None:
    """Return the first place where two values differ, such as `steps.0.merge`, or None."""
    if isinstance(mine, dict) and isinstance(theirs, dict):
        parts = [(key, mine.get(key), theirs.get(key)) for key in sorted({*mine, *theirs})]
    elif isinstance(mine, list) and isinstance(theirs, list) and len(mine) == len(theirs):
        parts = [(str(index), *pair) for index, pair in enumerate(zip(mine, theirs, strict=True))]
    else:
        return None if mine == theirs and isinstance(mine, bool) == isinstance(theirs, bool) else place
    places = (_difference(own, other, f"{place}.{key}") for key, own, other in parts)
    return next(filter(None, places), None)
