"""Keeps changes away from the product's own databases and services, under whatever name a connection leads there."""

from dataclasses import dataclass, field

from changewindow.errors import OwnConnection
from changewindow.settings import OWN_CONNECTIONS
from changewindow.systems.connection import Connection
from changewindow.systems.endpoints import Endpoint, endpoint_of, leads_to


@dataclass(frozen=True)
class OwnPlaces:
    """Where the product's own databases and services are, and the tokens with which it speaks."""

    endpoints: tuple[tuple[str, Endpoint], ...] = ()
    """Each with what it is, such as `the ledger of Change Windows`."""
    tokens: frozenset[str] = field(default=frozenset(), repr=False)

    def require_foreign(self, connection: Connection) -> None:
        """Make sure that a connection does not lead to any of them; looks names up, so it may take a moment.

        Raises:
            OwnConnection: it does.
        """
        if connection.name in OWN_CONNECTIONS:
            raise OwnConnection(connection.name, "what only Change Windows itself may use")
        if connection.password and connection.password in self.tokens:
            raise OwnConnection(connection.name, "the account by which Change Windows itself writes to Slack")
        there = endpoint_of(connection)
        for what, endpoint in self.endpoints:
            if there and leads_to(there, endpoint):
                raise OwnConnection(connection.name, f"{what} ({endpoint})")
