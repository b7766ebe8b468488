"""The connections of collectors and markers, fetched beforehand: threads of their own do not talk to Airflow."""

from collections.abc import Iterable, Mapping
from contextlib import suppress

from pydantic import BaseModel

from changewindow.errors import UnknownConnection
from changewindow.flow.airflow_connection import connection
from changewindow.systems.connection import Connection
from changewindow.systems.measurement import Connections, SourceError
from changewindow.ticket.named_connections import named_connections


def names_in(users: Iterable[BaseModel]) -> list[str]:
    """Return the names of the connections that collectors or markers use, each once."""
    return sorted({use.name for user in users for use in named_connections(user)})


def fetched(users: Iterable[BaseModel]) -> dict[str, Connection]:
    """Return the connections that they use, as far as there are any, by name."""
    known = {}
    for name in names_in(users):
        with suppress(UnknownConnection):
            known[name] = connection(name)
    return known


def among(known: Mapping[str, Connection], written_in: str) -> Connections:
    """Return what looks a connection up among those that were fetched; of a missing one it says where it is named."""

    async def of(name: str) -> Connection:
        if name in known:
            return known[name]
        missing = f"there is no Airflow Connection '{name}'"
        raise SourceError("unreachable", f"{missing}. Create it under Admin, Connections, or correct {written_in}")

    return of
