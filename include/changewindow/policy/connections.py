"""Which Airflow Connections serve which services, where, for which kinds of step and source, and for silences."""

from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

from pydantic import BaseModel, Field, field_validator

from changewindow import kinds
from changewindow.documents.findings import Finding
from changewindow.documents.refusal import refusal
from changewindow.documents.text import hint, nearest, shown
from changewindow.documents.types import Model, Name
from changewindow.settings import OWN_CONNECTIONS
from changewindow.silences.base import SilenceBase
from changewindow.ticket.model import Ticket
from changewindow.ticket.named_connections import NamedConnection, named_connections

FILE = "connections.yaml"
CODE = "connections_serve"
ABSENT = Finding(
    CODE,
    f"the policy has no {FILE}, so nothing says which connections serve which services; any is taken",
    f"Write {FILE} beside services.yaml: each connection with the services and environments it serves.",
    is_warning=True,
)
ALL = "all"
Some = Annotated[tuple[Name, ...], Field(min_length=1)]
"""Names, or the one word `all`."""


class Served(Model):
    """What one connection is for."""

    services: Some
    """The services it serves, or `[all]`."""
    environments: Some
    """Where it serves them, or `[all]`."""
    kinds: tuple[str, ...] = ()
    """The kinds of steps and sources that may use it, and `silence` for those that silence; without them, all."""

    @field_validator("kinds")
    @classmethod
    def _are_kinds(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        known = {*kinds.names("steps"), *kinds.names("sources"), SilenceBase.used_as}
        if unknown := [kind for kind in given if kind not in known]:
            raise refusal(f"there is no kind {shown(unknown[0])} of step, source or silence", hint(unknown[0], known))
        return given

    def description(self) -> str:
        """Return whom it serves: `orders in production, staging (http, git_change)`."""
        kinds = f" ({', '.join(self.kinds)})" if self.kinds else ""
        return f"{_joined(self.services, 'services')} in {_joined(self.environments, 'environments')}{kinds}"

    def serves(self, services: Iterable[str], environment: str, kind: str) -> bool:
        """Return whether it serves one of the services in the environment, for the kind."""
        there = bool({ALL, environment} & {*self.environments})
        theirs = bool({ALL, *services} & {*self.services})
        return there and theirs and (not self.kinds or kind in self.kinds)


class Connections(Model):
    """Whom each connection serves."""

    unlisted: Literal["refuse", "warn"] = "refuse"
    """What happens to changes that name a connection which is not listed: refuse, or warn for the first weeks."""
    connections: dict[str, Served]
    """The connections by their names in Airflow."""

    def finding(self, use: NamedConnection, ticket: Ticket) -> Finding | None:
        """Return why a ticket may not use a connection that it names, or nothing."""
        served = self.connections.get(use.name)
        if served is None:
            near = nearest(use.name, self.connections)
            sentence = f"connection '{use.name}' is not listed in {FILE}"
            remedy = f"Did you mean '{near}'?" if near else "Have it listed there, with the services it serves."
            return Finding(CODE, sentence, remedy, use.place, is_warning=self.unlisted == "warn")
        if served.serves(ticket.services, ticket.environment, use.kind):
            return None
        wanted = f"{', '.join(ticket.services)} in {ticket.environment} ({use.kind})"
        sentence = f"connection '{use.name}' serves {served.description()}, not {wanted}"
        return Finding(CODE, sentence, f"Name one that does, or have {FILE} corrected.", use.place)


def findings(ticket: Ticket, listed: Connections | None) -> Iterator[Finding]:
    """Yield what is wrong with the connections that a ticket names, each thing once, where it is named first."""
    uses = tuple(named_connections(ticket))
    if uses and listed is None:
        yield ABSENT
    said: set[str] = set()
    for use in uses:
        finding = own(use) if use.name in OWN_CONNECTIONS else listed and listed.finding(use, ticket)
        if finding and finding.sentence not in said:
            said.add(finding.sentence)
            yield finding


def own(use: NamedConnection) -> Finding:
    """Return that a connection is the product's own."""
    sentence = f"connection '{use.name}' is Change Windows' own, and no change may use it"
    return Finding(CODE, sentence, "Name the connection of the service that is changed.", use.place)


def why_not_before_approval(part: BaseModel, ticket: Ticket, listed: Connections | None) -> str:
    """Return why nobody may use the connections of a step or condition before the change is approved, or nothing.

    What is not listed is not used, also where the policy only warns of it: nobody has looked at the ticket yet.
    """
    for use in named_connections(part):
        if use.name in OWN_CONNECTIONS:
            return own(use).sentence
        if listed is None:
            return f"nothing says whom connection '{use.name}' serves, without {FILE}"
        if finding := listed.finding(use, ticket):
            return finding.sentence
    return ""


def _joined(some: Some, what: str) -> str:
    return f"all {what}" if ALL in some else ", ".join(some)
