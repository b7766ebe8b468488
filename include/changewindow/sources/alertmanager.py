"""Counts the alerts that fire in Alertmanager: neither inhibited nor silenced by a person, by matchers of their labels.

What a change has silenced counts all the same: people are not told of it, a watch is.
The address comes from an Airflow Connection of type HTTP: login and password, or a token in the password alone, or
nothing. An Alertmanager that no longer hears from any Prometheus has no alerts, which proves nothing. So an alert that
always fires, the `heartbeat`, has to be there; without it the answer is `no_data`. The count is as old as the newest
update of the heartbeat, and Prometheus repeats it about once a minute: give the watch a `settle` of 90s or more, and
the preflight too, since an Alertmanager that has just restarted has yet to hear of every alert. It does not know which
labels there are: a misspelt one matches nothing, which looks good.
"""

from datetime import datetime
from typing import Any, ClassVar, Literal

from pydantic import Field

from changewindow.documents.types import ConnectionName
from changewindow.sources.base import SourceBase
from changewindow.systems.alert_labels import MatcherText, Selection, parsed
from changewindow.systems.http.api import Api, Product
from changewindow.systems.measurement import Answer, SourceContext, SourceError
from changewindow.systems.silence import CREATOR

EXAMPLE = {
    "kind": "alertmanager",
    "connection": "example_alertmanager",
    "matchers": ['service="orders"', 'severity=~"critical|page"'],
}
PRODUCT = Product(
    "Alertmanager", needs="a token that may read alerts and silences, with no login beside it", takes_login=True
)
SHOWN = 5


class Source(SourceBase):
    """Alerts that are counted."""

    kind: Literal["alertmanager"] = "alertmanager"
    why_not_before_approval: ClassVar[str] = ""
    connection: ConnectionName
    """The Airflow Connection with the address of Alertmanager."""
    matchers: tuple[MatcherText, ...] = Field(min_length=1)
    """What labels must be, like `service="orders"`, `severity=~"critical|page"` or `team!=""` (double quotes only)."""
    heartbeat: MatcherText | Literal["nothing"] = 'alertname="Watchdog"'
    """The matcher of an alert that always fires; `nothing` takes a silent Alertmanager for a good one."""

    def description(self) -> str:
        """Return which alerts are counted."""
        return f"firing alerts {{{', '.join(self.matchers)}}} at {self.connection}"

    def counts(self) -> tuple[Selection, ...]:
        """Return them."""
        return (Selection("alerts", tuple(map(parsed, self.matchers))),)

    async def ask(self, context: SourceContext) -> Answer:
        """Count them."""
        api = Api(context, self.connection, PRODUCT)
        at = await self._heard(api)
        firing = await self._firing(api)
        names = sorted(str(alert["labels"].get("alertname", "without a name")) for alert in firing)
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        return Answer(len(firing), api.at(at), api.query, note=", ".join(names[:SHOWN]) + more)

    async def _heard(self, api: Api) -> datetime:
        """Return when Alertmanager last heard the heartbeat."""
        if self.heartbeat == "nothing":
            return api.context.now()
        beats = await self._alerts(api, (self.heartbeat,), inhibited="true")
        if not beats:
            sentence = (
                f"the heartbeat {self.heartbeat} does not fire: nobody may be feeding Alertmanager. Is Prometheus up?"
            )
            remedy = "create one (expr: vector(1)), or write `heartbeat: nothing`"
            raise SourceError("no_data", f"{sentence} Where there is no alert that always fires, {remedy}.")
        # A clock that is ahead must not make an old count newer than every step.
        return min(api.context.now(), max(datetime.fromisoformat(beat["updatedAt"]) for beat in beats))

    async def _firing(self, api: Api) -> list[dict[str, Any]]:
        """Return the alerts that are counted."""
        alerts = await self._alerts(api, self.matchers, inhibited="false")
        silenced = {name for alert in alerts for name in _silences_of(alert)}
        by_changes: set[str] = set()
        if silenced:
            silences = await api.json("/api/v2/silences")
            by_changes = {str(silence["id"]) for silence in silences if silence["createdBy"] == CREATOR}
        return [alert for alert in alerts if by_changes.issuperset(_silences_of(alert))]

    async def _alerts(self, api: Api, matchers: tuple[str, ...], *, inhibited: str) -> list[dict[str, Any]]:
        """Return the alerts that match, the silenced ones included."""
        asked = {"filter": list(matchers), "active": "true", "silenced": "true", "inhibited": inhibited}
        alerts = await api.json("/api/v2/alerts", asked)
        if not isinstance(alerts, list):
            raise SourceError("invalid", f"'{self.connection}' is no Alertmanager: it has no list of alerts")
        return alerts


def _silences_of(alert: dict[str, Any]) -> list[str]:
    """Return the ids of the silences that an alert has."""
    return (alert.get("status") or {}).get("silencedBy") or []
