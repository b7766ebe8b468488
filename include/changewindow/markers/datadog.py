"""Shows each change in Datadog as events, which dashboards lay over their graphs and monitors can read.

The password of the Airflow Connection is an API key. Its host is that of the API of your site, such as
`api.datadoghq.eu`; without one, `api.datadoghq.com`.

The events of a change are grouped by its id, and have the tags `change:…`, `service:…`, `env:…` and `outcome:…`.
Datadog knows no event again: a change whose process died before it could write down that Datadog was told may stand
there twice.

Source: https://docs.datadoghq.com/api/latest/events/#post-an-event (version 1)
"""

import re
from typing import Literal

from changewindow.documents.types import ConnectionName
from changewindow.markers.base import MarkerBase, Moment, api_of, bounded
from changewindow.systems.http.api import Product
from changewindow.systems.measurement import SourceContext, SourceError

EXAMPLE = {"kind": "datadog", "connection": "datadog"}
PRODUCT = Product(
    "Datadog",
    needs="an API key (Organization Settings, API Keys), for the site that the host names",
    address="https://api.datadoghq.com",
    header="DD-API-KEY",
    scheme="{}",
)
LONGEST = 4000
LEVELS = {"completed": "success", "rolled_back": "warning", "rollback_failed": "error"}
MENTION = re.compile(r"@(?=\S)")
"""What makes Datadog notify whoever is named behind it."""
MARKDOWN = re.compile(r"%(?=%%)")
"""Three of them make Datadog read Markdown."""


class Marker(MarkerBase):
    """Events of Datadog."""

    kind: Literal["datadog"] = "datadog"
    connection: ConnectionName
    """The Airflow Connection with the API key of Datadog."""

    async def mark(self, context: SourceContext, moment: Moment) -> str | None:
        """Post an event."""
        event = {
            "title": moment.head,
            "text": bounded(_plain("\n".join(filter(None, (moment.title, moment.why)))), LONGEST),
            "tags": ["source:changewindow", *(tag.replace("environment:", "env:", 1) for tag in moment.tags)],
            "alert_type": LEVELS.get(moment.outcome, "info"),
            "aggregation_key": moment.change,
            "date_happened": int(moment.at.timestamp()),
        }
        datadog = api_of(context, self.connection, PRODUCT)
        reply = await datadog.deliver("POST", "/api/v1/events", event)
        if not isinstance(reply, dict):
            problem = "something else than Datadog has answered"
            raise SourceError("invalid", f"{problem}. Correct the host of the connection '{self.connection}'")
        made = reply.get("event")
        number = made.get("id") if isinstance(made, dict) else None
        return f"event {number}" if number else None


def _plain(text: str) -> str:
    """Return a text that calls nobody and is read as it stands."""
    return MARKDOWN.sub("% ", MENTION.sub("@ ", text))
