"""Finds the product's own databases and services in Airflow's settings and connections."""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress

from airflow.configuration import conf

from changewindow.settings import OWN_VARIABLE, SLACK_CONNECTION
from changewindow.systems.connection import Connection
from changewindow.systems.endpoints import Endpoint, endpoint_at, endpoint_of
from changewindow.systems.own_connections import OwnPlaces

SETTINGS = (
    ("the database of Airflow", "database", "sql_alchemy_conn"),
    ("the API of Airflow", "api", "base_url"),
    ("the API of Airflow", "core", "execution_api_server_url"),
    ("the queue of Airflow", "celery", "broker_url"),
    ("the database of Airflow", "celery", "result_backend"),
)
"""What it is, with where Airflow's configuration has its address."""


def configured(ours: Mapping[str, str] = os.environ) -> Iterator[tuple[str, Endpoint]]:
    """Yield the places that settings name, each with what it is."""
    named = [("what belongs to Change Windows", place) for place in ours.get(OWN_VARIABLE, "").split()]
    known = [(what, conf.get(section, option, fallback=None)) for what, section, option in SETTINGS]
    for what, address in (*known, *named):
        with suppress(ValueError):
            if address and (place := endpoint_at(address)):
                yield what, place


AT_START = tuple(configured())
"""Read when Airflow's process loads the plugin: from its tasks, Airflow hides where its database is."""


def own_places(connections: Iterable[Connection]) -> OwnPlaces:
    """Return every place of our own, those behind our own connections included."""
    ours = [("what only Change Windows itself may use", place) for c in connections if (place := endpoint_of(c))]
    tokens = {connection.password for connection in connections if connection.name == SLACK_CONNECTION}
    return OwnPlaces((*AT_START, *configured(), *ours), frozenset(tokens - {""}))
