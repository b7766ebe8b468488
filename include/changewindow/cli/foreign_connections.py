"""The connections with which a terminal acts: those of the environment, but for the product's own."""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from changewindow import settings
from changewindow.cli.environment_connections import PREFIX, connection_of
from changewindow.errors import ChangeError, OperatorError
from changewindow.ledger.database import Ledger
from changewindow.silences.base import SilenceBase
from changewindow.systems.connection import Connection
from changewindow.systems.endpoints import Endpoint, endpoint_at
from changewindow.systems.own_connections import OwnPlaces
from changewindow.ticket.model import Ticket
from changewindow.ticket.named_connections import named_connections

DATABASE = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"


@dataclass(frozen=True)
class ForeignConnections:
    """Looks a connection up by its name."""

    own: OwnPlaces = field(default_factory=OwnPlaces)

    @classmethod
    def of(cls, ledger: Ledger | None) -> "ForeignConnections":
        """Return what keeps changes away from this ledger, and from what else the environment says is ours."""
        token = ""
        with suppress(ChangeError):
            token = known(settings.SLACK_CONNECTION).password
        return cls(OwnPlaces(tuple(_places(ledger)), frozenset({token} - {""})))

    def __call__(self, name: str) -> Connection:
        """Return a connection.

        Raises:
            OperatorError: this terminal does not know it, or it is the product's own.
        """
        found = known(name)
        self.own.require_foreign(found)
        return found

    def require(self, ticket: Ticket) -> None:
        """Make sure that every connection that a ticket names is known, before anything is touched.

        But for those by which alerts are silenced: no change fails for its silences.

        Raises:
            OperatorError: names those that are not.
        """
        wrong = []
        for name in dict.fromkeys(use.name for use in named_connections(ticket) if use.kind != SilenceBase.used_as):
            try:
                self(name)
            except ChangeError as error:
                wrong.append(str(error))
        if wrong:
            raise OperatorError("\n".join(["Nothing was touched.", *wrong]))


def known(name: str) -> Connection:
    """Return a connection of the environment.

    Raises:
        OperatorError: there is none that can be read.
    """
    variable = f"{PREFIX}{name.upper()}"
    given = os.environ.get(variable)
    if given is None:
        raise OperatorError(f"This terminal does not know the connection '{name}'. Set {variable} as for Airflow.")
    try:
        return connection_of(name, given)
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise OperatorError(f"{variable} is not a connection as JSON with conn_type. Correct it.") from error


def _places(ledger: Ledger | None) -> Iterator[tuple[str, Endpoint]]:
    addresses = [("what belongs to Change Windows", each) for each in os.environ.get(settings.OWN_VARIABLE, "").split()]
    addresses += [("the database of Airflow", os.environ.get(DATABASE, ""))]
    if ledger is not None:
        addresses += [("the ledger of Change Windows", ledger.url.render_as_string(hide_password=False))]
    for what, address in addresses:
        with suppress(ValueError):
            if address and (place := endpoint_at(address)):
                yield what, place
