"""Silences alerts in Grafana, by matchers of their labels.

The address comes from an Airflow Connection of type HTTP, with the token of a service account in its password, whose
role is Editor, or which may create silences. What an alert is called, and its folder, are labels too: `alertname`,
`grafana_folder`. At least one matcher names the value of a label. What the change's watch, validation or verification
counts cannot be silenced. A silence that a person ends or prolongs in Grafana is left to them.
Source: https://grafana.com/docs/grafana/latest/developer-resources/api-reference/http-api/
"""

from typing import Literal

from changewindow.silences.base import SilenceBase
from changewindow.systems.alert_labels import NarrowMatchers, Selection, parsed
from changewindow.systems.alertmanager import Silences
from changewindow.systems.http.api import Api, Product
from changewindow.systems.measurement import SourceContext
from changewindow.systems.silence import Held, Term

EXAMPLE = {
    "kind": "grafana",
    "connection": "grafana",
    "matchers": ['service="orders"', 'alertname=~"PodRestarts|PodNotReady"'],
}
PRODUCT = Product(
    "Grafana",
    needs="the token of a service account with the role Editor, or the permissions to read, create and update silences",
    takes_login=True,
)
PATH = "/api/alertmanager/grafana/api/v2/silences"


class Silence(SilenceBase):
    """Alerts with certain labels."""

    kind: Literal["grafana"] = "grafana"
    matchers: NarrowMatchers
    """What labels must be, like `service="orders"` or `severity=~"info|warning"` (double quotes only)."""

    def description(self) -> str:
        """Return which alerts."""
        return f"alerts {{{', '.join(self.matchers)}}} at {self.connection}"

    def covers(self) -> tuple[Selection, ...]:
        """Return them."""
        return (Selection("alerts", tuple(map(parsed, self.matchers))),)

    async def held(self, context: SourceContext, term: Term) -> list[Held]:
        """Return what Grafana has."""
        return await self._silences(context).held(term)

    async def open(self, context: SourceContext, term: Term) -> str:
        """Create a silence."""
        return await self._silences(context).open(term)

    async def renew(self, context: SourceContext, term: Term, held: Held) -> str:
        """Write the same silence with a later end."""
        return await self._silences(context).renew(term, held)

    async def end(self, context: SourceContext, held: Held) -> None:
        """Expire it."""
        await self._silences(context).end(held)

    def _silences(self, context: SourceContext) -> Silences:
        return Silences(Api(context, self.connection, PRODUCT), PATH, self.matchers)
