"""A world for `dns`: a zone on two BIND servers, one of which gets it from the other."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from changewindow.steps.dns import EXAMPLE
from changewindow.systems.connection import Connection
from servers.bind import KEY, PRIMARY, SECONDARY, SECRET, Bind, bind
from step_fixtures import World


def connection(made: Bind, login: str = KEY, secret: str = SECRET, **extra: str) -> Connection:
    """Return the connection of the primary server."""
    return Connection("example_dns", "generic", PRIMARY, made.port, login, secret, extra=extra)


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Give the zone; what counts is what both servers answer."""
    with bind(folder) as made:
        yield World(
            EXAMPLE,
            lambda: [made.ask("api.example.com", "A", address) for address in (PRIMARY, SECONDARY)],
            {"example_dns": connection(made)},
        )
