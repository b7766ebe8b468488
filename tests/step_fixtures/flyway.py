"""A world for `flyway`: a repository of migrations, Flyway itself, and a real PostgreSQL at the first of three."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from changewindow.steps.flyway import EXAMPLE
from changewindow.systems.connection import Connection
from changewindow.systems.databases.flyway import environment, jdbc_url
from servers.flyway_program import flyway
from servers.postgres import Postgres, shared
from step_fixtures import World
from step_fixtures.git_change import git

FILES = {
    "V1__orders.sql": "CREATE TABLE orders (id int PRIMARY KEY, day date);",
    "V2__index.sql": "CREATE INDEX orders_by_day ON orders (day);",
    "V2.1__note.sql": "ALTER TABLE orders ADD COLUMN note text;",
    "V3__later.sql": "CREATE TABLE later (id int);",
}
HISTORY = "SELECT installed_rank, version, success FROM flyway_schema_history ORDER BY 1"


def project(folder: Path, files: dict[str, str] | None = None) -> Path:
    """Write migrations; return their folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (files or FILES).items():
        (folder / name).write_text(text)
    return folder


@cache
def template() -> str:
    """Return the name of a database to which Flyway brought the first migration."""
    server = shared()
    known = server.fresh()
    server.ask("ALTER SCHEMA public OWNER TO robot", known.schema)
    with TemporaryDirectory() as folder:
        files = project(Path(folder), {"V1__orders.sql": FILES["V1__orders.sql"]})
        url = jdbc_url(known, session="test", lock_timeout=timedelta(0))
        given = environment(known, files, "flyway_schema_history", url=url)
        subprocess.run([flyway(), "migrate"], env={**os.environ, **given}, check=True, capture_output=True)
    return known.schema


def at_first(server: Postgres) -> Connection:
    """Return the connection to such a database."""
    return replace(server.fresh(template()), name="example_orders")


def state(server: Postgres, database: str) -> list[object]:
    """Return the rows of the history, columns and indexes."""
    columns = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
    indexes = "SELECT indexname FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1"
    return [server.ask(query, database) for query in (HISTORY, f"{columns} ORDER BY 1, 2", indexes)]


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Give the database; what counts is its history, and what the migrations make."""
    server, program = shared(), flyway()
    made = folder / "config"
    project(made / "sql")
    git(folder, "init", "-q", "-b", "main", "config")
    git(made, "add", ".")
    git(made, "commit", "-qm", "migrations")
    git(made, "tag", "v2.15.0")
    orders = at_first(server)
    known = Connection("example_config", "git", host=str(made), login="robot", password="s3cret-of-git")
    yield World(
        {**EXAMPLE, "program": program},
        lambda: state(server, orders.schema),
        {"example_orders": orders, "example_config": known},
        cuts=2,
    )
