"""An approved change as its published file holds it."""

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from changewindow.documents.canonical import digest
from changewindow.ticket import plan
from changewindow.ticket.model import Ticket
from changewindow.ticket.reader import build_ticket


def digest_of(data: dict[str, Any], ticket: Ticket) -> str:
    """Return the digest of what is approved: the text, with its allowed parameter values, and the plan it makes."""
    return digest({"ticket": data, "plan": plan.text("", ticket)})


@dataclass(frozen=True)
class PublishedChange:
    """The id and the text of a published change; whether the text was approved is for the gate to ask."""

    id: str
    revision: str
    """The ticket as JSON."""

    @classmethod
    def of(cls, identity: str, data: dict[str, Any]) -> "PublishedChange":
        """Return the change of a ticket's data."""
        return cls(identity, json.dumps(data))

    @cached_property
    def data(self) -> dict[str, Any]:
        """Return the data of the ticket."""
        data: dict[str, Any] = json.loads(self.revision)
        return data

    @cached_property
    def digest(self) -> str:
        """Return the digest of the text as it is in the file now, and of the plan it makes here."""
        return digest_of(self.data, self.ticket)

    @cached_property
    def ticket(self) -> Ticket:
        """Return the ticket with the defaults of its parameters: what the scheduled run does."""
        return build_ticket(self.data)

    def chosen(self, values: dict[str, Any]) -> Ticket:
        """Return the ticket with a run's parameters.

        Raises:
            ValueError: a value was not approved.
        """
        names = self.data.get("parameters") or {}
        return build_ticket(self.data, {name: value for name, value in values.items() if name in names})
