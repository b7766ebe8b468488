"""Shows each change in PagerDuty as change events of a service: beside its incidents, and it calls nobody.

The password of the Airflow Connection is the integration key of a service (Services, Integrations, Events API V2); one
marker with `services` for each of them. A connection without a host leads to PagerDuty in the United States; write
`events.eu.pagerduty.com` for the European region.

PagerDuty knows no event again: a change whose process died before it could write down that PagerDuty was told may stand
there twice.

Source: https://developer.pagerduty.com/docs/send-change-event
"""

from typing import Literal

from changewindow.documents.types import ConnectionName
from changewindow.markers.base import MarkerBase, Moment, api_of, bounded
from changewindow.systems.http.api import Product
from changewindow.systems.measurement import SourceContext, SourceError

EXAMPLE = {"kind": "pagerduty", "connection": "pagerduty_orders", "services": ["orders"]}
PRODUCT = Product(
    "PagerDuty",
    needs="the integration key of a service (Services, Integrations, Events API V2)",
    address="https://events.pagerduty.com",
    header="",  # the key stands in the event
)
LONGEST = 1024


class Marker(MarkerBase):
    """Change events of PagerDuty."""

    kind: Literal["pagerduty"] = "pagerduty"
    connection: ConnectionName
    """The Airflow Connection with the integration key of a service of PagerDuty."""

    async def mark(self, context: SourceContext, moment: Moment) -> None:
        """Send a change event; PagerDuty gives it no name."""
        event = {
            "summary": bounded(moment.title, LONGEST),
            "timestamp": moment.at.isoformat(),
            "source": "Change Windows",
            "custom_details": moment.facts(),
        }
        body = {"routing_key": PRODUCT.token(await context.connection(self.connection)), "payload": event}
        pagerduty = api_of(context, self.connection, PRODUCT)
        if await pagerduty.deliver("POST", "/v2/change/enqueue", body) is None:
            problem = "something else than PagerDuty has answered"
            raise SourceError("invalid", f"{problem}. Correct the host of the connection '{self.connection}'")
