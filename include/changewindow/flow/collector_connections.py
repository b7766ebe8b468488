"""The connections of collectors, fetched before they are asked: threads of their own do not talk to Airflow."""

from collections.abc import Iterable, Mapping

from changewindow.collectors.base import CollectorBase
from changewindow.systems.connection import Connection
from changewindow.systems.measurement import Connections, SourceError
from changewindow.ticket.named_connections import named_connections


def names_in(collectors: Iterable[CollectorBase]) -> list[str]:
    """Return the names of the connections that collectors use, each once."""
    return sorted({use.name for collector in collectors for use in named_connections(collector)})


def among(known: Mapping[str, Connection]) -> Connections:
    """Return what looks a connection up among those that were fetched; of a missing one it says so."""

    async def of(name: str) -> Connection:
        if name in known:
            return known[name]
        missing = f"there is no Airflow Connection '{name}'"
        raise SourceError("unreachable", f"{missing}. Create it under Admin, Connections, or correct collectors.yaml")

    return of
