"""Tells tools of moments of a change, as its tasks do."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import TypeAdapter

from changewindow.flow.fetched_connections import among
from changewindow.kinds import AnyKind
from changewindow.markers.base import MARKERS, MarkerBase, Moment
from changewindow.systems.connection import Connection
from changewindow.systems.measurement import SourceContext
from changewindow.watch.shared_answers import client

BEGAN = Moment(
    "began",
    "CHG-1042",
    "scheduled__2031-03-18T14:00:00+00:00",
    "Switch the banner on.",
    ("orders", "catalogue"),
    "production",
    at=datetime(2031, 3, 18, 14, 0, tzinfo=UTC),
    began=datetime(2031, 3, 18, 14, 0, tzinfo=UTC),
)
LATER = BEGAN.at + timedelta(hours=1)
ROLLING_BACK = replace(BEGAN, kind="rolling_back", run="manual", reason="it leaks memory", at=LATER, began=LATER)


def ended(outcome: str, reason: str = "p99 latency: 900 ms, limit 200 ms", *, before: Moment = BEGAN) -> Moment:
    """Return the end of a run, ten minutes after its beginning."""
    return replace(before, kind="ended", at=before.at + timedelta(minutes=10), outcome=outcome, reason=reason)


def marker(settings: dict[str, Any]) -> MarkerBase:
    """Return the marker of settings as a policy has them."""
    built: MarkerBase = TypeAdapter(Annotated[MarkerBase, AnyKind("markers", "Marker")]).validate_python(settings)
    return built


async def tell(settings: dict[str, Any], moment: Moment, *connections: Connection) -> str | None:
    """Tell a tool of a moment; return what it calls that."""
    async with client() as http:
        context = SourceContext(http, among({known.name: known for known in connections}, MARKERS))
        return await marker(settings).marked(context, moment)
