"""A world for `alembic`: a repository of migrations, and a real PostgreSQL that is at the first of two."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from sqlalchemy import create_engine

from changewindow.steps.alembic import EXAMPLE
from changewindow.systems.connection import Connection
from servers.postgres import shared
from step_fixtures import World
from step_fixtures.git_change import git
from support.warm_python import warm_python

INI = "[alembic]\nscript_location = %(here)s/migrations\n"
ENV = """
import os
from alembic import context
from sqlalchemy import create_engine

if context.is_offline_mode():
    context.configure(url=os.environ["DATABASE_URL"], literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    with create_engine(os.environ["DATABASE_URL"]).connect() as connection:
        context.configure(connection=connection)
        with context.begin_transaction():
            context.run_migrations()
"""
MIGRATION = """
import sqlalchemy as sa
from alembic import op

revision, down_revision, depends_on = {revision!r}, {before!r}, {needs!r}


def upgrade():
    {up}


def downgrade():
    {down}
"""
FIRST = {
    "up": 'op.create_table("orders", sa.Column("id", sa.Integer, primary_key=True))',
    "down": 'op.drop_table("orders")',
}
SECOND = {
    "up": 'op.add_column("orders", sa.Column("note", sa.String(20)))',
    "down": 'op.drop_column("orders", "note")',
}


def migration(folder: Path, revision: str, before: object, *, needs: object = None, **functions: str) -> None:
    """Write a migration that comes after another."""
    versions = folder / "migrations" / "versions"
    text = MIGRATION.format(revision=revision, before=before, needs=needs, **functions)
    (versions / f"{revision}.py").write_text(text)


def project(folder: Path) -> Path:
    """Write two migrations; return the folder of alembic.ini."""
    (folder / "migrations" / "versions").mkdir(parents=True)
    (folder / "alembic.ini").write_text(INI)
    (folder / "migrations" / "env.py").write_text(ENV)
    migration(folder, "first", None, **FIRST)
    migration(folder, "second", "first", **SECOND)
    return folder


def alembic(folder: Path, connection: Connection, *arguments: str) -> None:
    """Run Alembic by hand."""
    environment = {"DATABASE_URL": connection.database_url, "PATH": "/usr/bin:/bin"}
    ran = [warm_python(), "-m", "alembic", *arguments]
    subprocess.run(ran, cwd=folder, env=environment, check=True, capture_output=True)


def at_first(connection: Connection) -> None:
    """Bring an empty database to the first revision, as Alembic would."""
    engine = create_engine(connection.database_url)
    with engine.begin() as opened:
        opened.exec_driver_sql("CREATE TABLE orders (id INTEGER PRIMARY KEY)")
        opened.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
        opened.exec_driver_sql("INSERT INTO alembic_version VALUES ('first')")
    engine.dispose()


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Give the database; what counts is its revision and its columns."""
    server = shared()
    made = folder / "config"
    project(made / "db")
    git(folder, "init", "-q", "-b", "main", "config")
    git(made, "add", ".")
    git(made, "commit", "-qm", "migrations")
    git(made, "tag", "v2.15.0")
    orders = replace(server.fresh(), name="example_orders")
    server.ask("ALTER SCHEMA public OWNER TO robot", orders.schema)
    at_first(orders)
    known = Connection("example_config", "git", host=str(made), login="robot", password="s3cret-of-git")
    columns = (
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2"
    )

    def state() -> object:
        return server.ask("SELECT * FROM alembic_version", orders.schema), server.ask(columns, orders.schema)

    step = {**EXAMPLE, "python": warm_python()}
    yield World(step, state, {"example_orders": orders, "example_config": known}, cuts=2)
