"""Keeps alerts from people by a maintenance in Opsgenie: of integrations, which take in no alerts, or of policies.

The type of the Airflow Connection is `opsgenie`, with the key of an API integration in its password that may write and
access configurations. Only for the EU it needs a host: api.eu.opsgenie.com. An integration takes in the alerts of every
service that uses it, and what comes in during the maintenance is lost: where alerts come from Alertmanager or Grafana,
silence them there. What the change's conditions count as `incidents` cannot be told apart from that, so a change with
such a condition cannot have this. A maintenance that a person cancels or prolongs is left to them.
Source: https://docs.opsgenie.com/docs/maintenance-api
"""

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from urllib.parse import quote

from pydantic import Field, StringConstraints, model_validator

from changewindow.documents.refusal import refusal
from changewindow.silences.base import SilenceBase
from changewindow.systems.alert_labels import Selection
from changewindow.systems.http.api import Api, Product
from changewindow.systems.measurement import SourceContext, SourceError
from changewindow.systems.silence import Held, Term, moment

EXAMPLE = {
    "kind": "opsgenie",
    "connection": "opsgenie_default",
    "integrations": ["9d0c7a2e-53f1-4c3b-9a53-0f8f6f1c2b7d"],
}
PRODUCT = Product(
    "Opsgenie",
    needs="the key of an API integration that may create and update, and access configurations (Settings, API keys)",
    scheme="GenieKey {}",
    address="https://api.opsgenie.com",
)
PATH = "/v1/maintenance"
OVER = {"past", "cancelled"}
Id = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]


class Silence(SilenceBase):
    """Integrations and policies that are switched off."""

    kind: Literal["opsgenie"] = "opsgenie"
    integrations: tuple[Id, ...] = Field(default=(), max_length=20)
    """The ids of integrations that take in no alerts meanwhile."""
    policies: tuple[Id, ...] = Field(default=(), max_length=20)
    """The ids of policies that do nothing meanwhile."""

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if not self.integrations and not self.policies:
            raise refusal("it names no integration and no policy", "Write the id of one of them.")
        return self

    def description(self) -> str:
        """Return what is switched off."""
        parts = [("integration", self.integrations), ("policy", self.policies)]
        named = [f"{what} {', '.join(ids)}" for what, ids in parts if ids]
        return f"{' and '.join(named)} at {self.connection}"

    def covers(self) -> tuple[Selection, ...]:
        """Return all incidents: of which services these are, only Opsgenie knows."""
        return (Selection("incidents"),)

    async def held(self, context: SourceContext, term: Term) -> list[Held]:
        """Return the maintenances that are planned or active, and where there is none, those that are over."""
        return await self._listed(context, term, "non-expired") or await self._listed(context, term, "past")

    async def open(self, context: SourceContext, term: Term) -> str:
        """Create a maintenance."""
        reply = await self._api(context).act("POST", PATH, self._body(term, moment(term.now)))
        if not isinstance(reply, dict) or not reply.get("data"):
            raise SourceError("invalid", "Opsgenie took the maintenance and gave it no id")
        return str(reply["data"]["id"])

    async def renew(self, context: SourceContext, term: Term, held: Held) -> str:
        """Write the same maintenance with a later end."""
        await self._api(context).act("PUT", f"{PATH}/{quote(held.id, safe='')}", self._body(term, held.begins))
        return held.id

    async def end(self, context: SourceContext, held: Held) -> None:
        """Cancel it."""
        await self._api(context).act("POST", f"{PATH}/{quote(held.id, safe='')}/cancel", {})

    async def _listed(self, context: SourceContext, term: Term, which: str) -> list[Held]:
        body = await self._api(context).json(PATH, {"type": which}, what="maintenance")
        return [_held(entry) for entry in body["data"] if term.is_in(str(entry.get("description") or ""))]

    def _body(self, term: Term, begins: str) -> dict[str, Any]:
        named = [("integration", number) for number in self.integrations]
        named += [("policy", number) for number in self.policies]
        return {
            "description": term.comment,
            "time": {"type": "schedule", "startDate": begins, "endDate": moment(term.until)},
            "rules": [{"state": "disabled", "entity": {"id": number, "type": kind}} for kind, number in named],
        }

    def _api(self, context: SourceContext) -> Api:
        return Api(context, self.connection, PRODUCT)


def _held(entry: dict[str, Any]) -> Held:
    begins, is_cancelled = str(entry["time"]["startDate"]), entry["status"] == "cancelled"
    return Held(
        id=str(entry["id"]),
        begins=begins,
        ends=datetime.fromisoformat(begins if is_cancelled else entry["time"]["endDate"]),
        comment=str(entry["description"]),
        is_over=entry["status"] in OVER,
    )
