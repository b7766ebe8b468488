"""Says who is on call now in PagerDuty or Opsgenie, by a schedule or an escalation policy: name or e-mail address.

The value is text, so that a condition can say `equals: Carol Danvers`, or `matches: ".*Carol.*"` where several may be
on call: their names stand beside each other in alphabetical order. Nobody on call is `no_data`. The type of the Airflow
Connection says which product it is: `pagerduty` or `opsgenie`, see the source `incidents`. Opsgenie answers by
schedule only. In PagerDuty a schedule says who is on its shift, an escalation policy who is called at a level.
"""

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from changewindow.documents.refusal import refusal
from changewindow.documents.types import ConnectionName
from changewindow.errors import UnusableConnection
from changewindow.sources.base import SourceBase
from changewindow.systems import opsgenie, pagerduty
from changewindow.systems.http.api import Api
from changewindow.systems.measurement import Answer, SourceContext, SourceError

EXAMPLE = {"kind": "on_call", "connection": "pagerduty_default", "schedule": "orders primary"}


class Source(SourceBase):
    """Who is on call now."""

    kind: Literal["on_call"] = "on_call"
    why_not_before_approval: ClassVar[str] = ""
    connection: ConnectionName
    """The Airflow Connection of type `pagerduty` or `opsgenie`."""
    schedule: str = ""
    """The name of the schedule, or its id."""
    escalation_policy: str = ""
    """The name of the escalation policy, or its id; instead of a schedule."""
    level: int = Field(default=1, ge=1)
    """Which level of the escalation policy."""
    read: Literal["name", "email"] = "name"
    """What of each person."""

    @model_validator(mode="after")
    def _asks_one_thing(self) -> Self:
        if bool(self.schedule) == bool(self.escalation_policy):
            raise refusal("it asks by a schedule or by an escalation policy", "Write one of them.")
        return self

    def description(self) -> str:
        """Return whose shift is asked."""
        of = f"schedule {self.schedule}" if self.schedule else f"{self.escalation_policy}, level {self.level}"
        return f"{self.read} of who is on call ({of}) at {self.connection}"

    async def ask(self, context: SourceContext) -> Answer:
        """Ask who it is."""
        started = context.now()
        kind = (await context.connection(self.connection)).kind
        if kind == "pagerduty":
            api = Api(context, self.connection, pagerduty.PRODUCT)
            people = await self._at_pagerduty(api)
        elif kind == "opsgenie":
            api = Api(context, self.connection, opsgenie.PRODUCT)
            people = await self._at_opsgenie(api)
        else:
            raise UnusableConnection(self.connection, "type pagerduty or opsgenie")
        if not people:
            of = self.schedule or f"{self.escalation_policy} at level {self.level}"
            raise SourceError("no_data", f"nobody is on call by {of}. Have somebody take the shift, then ask again.")
        return Answer(", ".join(sorted(people)), api.at(started), api.query)

    async def _at_pagerduty(self, api: Api) -> set[str]:
        asked = {"schedule": self.schedule, "policy": self.escalation_policy}
        return {str(user[self.read]) for user in await pagerduty.on_call(api, **asked, level=self.level)}

    async def _at_opsgenie(self, api: Api) -> set[str]:
        if not self.schedule:
            fault = "Opsgenie says who is on call by schedule only. Write `schedule` instead of `escalation_policy`."
            raise SourceError("invalid", fault)
        users = await opsgenie.on_call(api, schedule=self.schedule)
        return set(users) if self.read == "email" else {await opsgenie.full_name(api, user) for user in users}
