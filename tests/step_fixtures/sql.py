"""A world for `sql`: limits of orders in a real PostgreSQL; the same limits in SQLite."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from changewindow.steps.sql import EXAMPLE
from changewindow.systems.connection import Connection
from servers.postgres import Postgres, shared
from step_fixtures import World


def orders(server: Postgres) -> Connection:
    """Return the connection to a database with three limits."""
    known = replace(server.fresh(), name="example_orders")
    for statement in (
        "CREATE TABLE limits (region text PRIMARY KEY, per_day int)",
        "INSERT INTO limits VALUES ('eu', 300), ('us', 500), ('asia', 300)",
        "ALTER TABLE limits OWNER TO robot",
        "ALTER SCHEMA public OWNER TO robot",
    ):
        server.ask(statement, known.schema)
    return known


def orders_in(kind: str, folder: Path) -> Connection:
    """Return the connection to a database with three limits, in `postgres` or `sqlite`."""
    if kind == "postgres":
        return orders(shared())
    file = folder / "orders.db"
    with sqlite3.connect(file) as made:
        made.execute("CREATE TABLE limits (region text PRIMARY KEY, per_day int)")
        made.execute("INSERT INTO limits VALUES ('eu', 300), ('us', 500), ('asia', 300)")
    return Connection("orders", "sqlite", str(file))


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Give the limits; the table of marks is not part of what counts."""
    server = shared()
    known = orders(server)
    yield World(
        EXAMPLE,
        lambda: server.ask("SELECT * FROM limits ORDER BY region", known.schema),
        {"example_orders": known},
    )
