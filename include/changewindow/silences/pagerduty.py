"""Lets services of PagerDuty open no incidents, by a maintenance window.

The type of the Airflow Connection is `pagerduty`, with a REST API key in its password that may write, and in its login
the e-mail address of a PagerDuty user, in whose name the window is made. Only for the EU it needs a host:
api.eu.pagerduty.com. A window holds for all alerts of its services, whoever sends them, and what comes in meanwhile is
lost: where alerts come from Alertmanager or Grafana, silence them there. A window that a person ends or prolongs is
left to them.
Source: https://developer.pagerduty.com/api-reference/
"""

from datetime import datetime
from typing import Annotated, Any, Literal
from urllib.parse import quote

from pydantic import Field, StringConstraints

from changewindow.errors import UnusableConnection
from changewindow.silences.base import SilenceBase
from changewindow.systems import pagerduty
from changewindow.systems.alert_labels import Matcher, Selection
from changewindow.systems.connection import Connection
from changewindow.systems.http.api import Api, Product
from changewindow.systems.measurement import SourceContext, SourceError
from changewindow.systems.silence import Held, Term, moment

EXAMPLE = {"kind": "pagerduty", "connection": "pagerduty_default", "services": ["PF9KMXH"]}
PRODUCT = Product(
    "PagerDuty",
    needs="a REST API key that may write (Integrations, API Access Keys), with a user's e-mail address as the login",
    scheme="Token token={}",
    address="https://api.pagerduty.com",
    accept="application/vnd.pagerduty+json;version=2",
)
PATH = "/maintenance_windows"
PAGES = 20
Id = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{6,20}$")]


class Silence(SilenceBase):
    """Services that open no incidents."""

    kind: Literal["pagerduty"] = "pagerduty"
    services: tuple[Id, ...] = Field(min_length=1, max_length=20)
    """The ids of the services there, as in the address of their pages."""

    def description(self) -> str:
        """Return whose incidents."""
        return f"incidents of {', '.join(self.services)} at {self.connection}"

    def covers(self) -> tuple[Selection, ...]:
        """Return all that the services would open."""
        return tuple(Selection("incidents", (Matcher("service", "=", service),)) for service in self.services)

    async def held(self, context: SourceContext, term: Term) -> list[Held]:
        """Return the windows that are open; where there is none, those of the newest that are over."""
        return await self._listed(context, term, "open", PAGES) or await self._listed(context, term, "past", 1)

    async def open(self, context: SourceContext, term: Term) -> str:
        """Create a window."""
        api = self._api(context)
        sender = await self._sender(context)
        reply = await api.act("POST", PATH, self._body(term, moment(term.now)), headers={"From": sender})
        if not isinstance(reply, dict):
            raise SourceError("invalid", "PagerDuty took the maintenance window and gave it no id")
        return str(reply["maintenance_window"]["id"])

    async def renew(self, context: SourceContext, term: Term, held: Held) -> str:
        """Write the same window with a later end."""
        path, sender = f"{PATH}/{quote(held.id, safe='')}", await self._sender(context)
        await self._api(context).act("PUT", path, self._body(term, held.begins), headers={"From": sender})
        return held.id

    async def end(self, context: SourceContext, held: Held) -> None:
        """End it, which PagerDuty calls to delete."""
        await self._api(context).act("DELETE", f"{PATH}/{quote(held.id, safe='')}")

    async def _listed(self, context: SourceContext, term: Term, which: str, pages: int) -> list[Held]:
        """Return the windows of the term's mark, of so many pages at most."""
        api, found = self._api(context), list[Held]()
        for number in range(pages):
            asked = {
                "filter": which,
                "service_ids[]": list(self.services),
                "limit": str(pagerduty.PAGE),
                "offset": str(number * pagerduty.PAGE),
                **({"query": term.mark} if which == "past" else {}),
            }
            body = await api.json(PATH, asked, what="maintenance windows")
            entries = [entry for entry in body["maintenance_windows"] if term.is_in(str(entry.get("description")))]
            found += [_held(entry, is_over=which == "past") for entry in entries]
            if not body.get("more"):
                break
        return found

    def _body(self, term: Term, begins: str) -> dict[str, Any]:
        window = {
            "type": "maintenance_window",
            "start_time": begins,
            "end_time": moment(term.until),
            "description": term.comment,
            "services": [{"id": service, "type": "service_reference"} for service in self.services],
        }
        return {"maintenance_window": window}

    async def _sender(self, context: SourceContext) -> str:
        """Return the e-mail address of whoever makes the window."""
        known: Connection = await context.connection(self.connection)
        if "@" not in known.login:
            raise UnusableConnection(self.connection, "login; it must be the e-mail address of a PagerDuty user")
        return known.login

    def _api(self, context: SourceContext) -> Api:
        return Api(context, self.connection, PRODUCT)


def _held(entry: dict[str, Any], *, is_over: bool) -> Held:
    return Held(
        id=str(entry["id"]),
        begins=str(entry["start_time"]),
        ends=datetime.fromisoformat(entry["end_time"]),
        comment=str(entry["description"]),
        is_over=is_over,
    )
