"""Counts the open incidents of a service in PagerDuty or Opsgenie.

The type of the Airflow Connection says which: `pagerduty`, with a REST API key in its password, or `opsgenie`, with the
key of an API integration in its password. Only for the EU it needs a host: api.eu.opsgenie.com or
api.eu.pagerduty.com (the UI's form hides that field of PagerDuty; `airflow connections add` has `--conn-host`). Open is
what is not resolved: triggered and acknowledged in PagerDuty, open in Opsgenie, however old. A service that does not
exist is `invalid`, not a service without incidents; one for which PagerDuty opens none, as it is in maintenance or
disabled, gives `no_data`.
"""

from typing import ClassVar, Literal

from pydantic import Field

from changewindow.documents.types import ConnectionName
from changewindow.errors import UnusableConnection
from changewindow.sources.base import SourceBase
from changewindow.systems import opsgenie, pagerduty
from changewindow.systems.alert_labels import Selection
from changewindow.systems.http.api import Api
from changewindow.systems.measurement import Answer, SourceContext

EXAMPLE = {"kind": "incidents", "connection": "pagerduty_default", "service": "orders"}
PRODUCTS = {"pagerduty": pagerduty, "opsgenie": opsgenie}
SHOWN = 5


class Source(SourceBase):
    """A service whose open incidents are counted."""

    kind: Literal["incidents"] = "incidents"
    why_not_before_approval: ClassVar[str] = ""
    connection: ConnectionName
    """The Airflow Connection of type `pagerduty` or `opsgenie`."""
    service: str = Field(min_length=1)
    """The name of the service there, or its id."""

    def description(self) -> str:
        """Return whose incidents are counted."""
        return f"open incidents of {self.service} at {self.connection}"

    def counts(self) -> tuple[Selection, ...]:
        """Return them."""
        return (Selection("incidents", pagerduty.of_services((self.service,))),)

    async def ask(self, context: SourceContext) -> Answer:
        """Count them."""
        started = context.now()
        kind = (await context.connection(self.connection)).kind
        if kind not in PRODUCTS:
            raise UnusableConnection(self.connection, "type pagerduty or opsgenie")
        product = PRODUCTS[kind]
        api = Api(context, self.connection, product.PRODUCT)
        incidents = await product.open_incidents(api, self.service)
        more = f" and {len(incidents) - SHOWN} more" if len(incidents) > SHOWN else ""
        return Answer(len(incidents), api.at(started), api.query, note="; ".join(incidents[:SHOWN])[:300] + more)
