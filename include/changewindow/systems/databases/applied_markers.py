"""Keeps a row per applied step in the database it changed, so that undo knows whether it was committed.

The row is the first thing that apply writes, in the same transaction as all else it does. Undo writes the same row:
where apply's transaction is still open, that waits for its end; where it never was committed, the row is then undo's,
and an apply that comes too late cannot write its own.
"""

from datetime import UTC, datetime

from sqlalchemy import Column, DateTime, MetaData, String, Table, inspect, select, text
from sqlalchemy import Connection as DatabaseConnection
from sqlalchemy.exc import IntegrityError

from changewindow.errors import StepFailed
from changewindow.systems.connection import Connection
from changewindow.systems.databases.transactions import DatabaseFailed, Limits, transaction

APPLIED, UNDONE, NEVER = "applied", "undone", "never applied"


def marker_table(name: str) -> Table:
    """Return the applied-marker table of this name; a schema may stand before it."""
    schema, _, plain = name.rpartition(".")
    return Table(
        plain,
        MetaData(schema=schema or None),
        Column("token", String(32), primary_key=True),
        Column("step", String(64), nullable=False),
        Column("state", String(16), nullable=False),
        Column("at", DateTime(timezone=True), nullable=False),
    )


def has_table(opened: DatabaseConnection, table: Table) -> bool:
    """Return whether the table is there."""
    return inspect(opened).has_table(table.name, schema=table.schema)


def missing_for_markers(opened: DatabaseConnection, table: Table) -> list[str]:
    """Return what is missing to keep markers in the table, as far as the database says (PostgreSQL)."""
    exists = has_table(opened, table)
    if opened.dialect.name != "postgresql":
        return []
    name = table.fullname
    if exists:
        wanted = [f"has_table_privilege('{name}', '{right}')" for right in ("SELECT", "INSERT", "UPDATE")]
        has_all = opened.execute(text(f"SELECT {' AND '.join(wanted)}")).scalar()
        return [] if has_all else [f"The account may not select, insert and update in {name}. Grant it that."]
    schema = f"'{table.schema}'" if table.schema else "current_schema()"
    if opened.execute(text(f"SELECT has_schema_privilege({schema}, 'CREATE')")).scalar():
        return []
    columns = "token varchar(32) primary key, step varchar(64), state varchar(16), at timestamptz"
    return [f"The account may not create the table {name}. Let somebody create it ({columns}), or grant CREATE."]


def create_table(connection: Connection, limits: Limits, table: Table) -> None:
    """Create the table, if it does not exist.

    Raises:
        DatabaseFailed: it cannot be created.
    """
    try:
        with transaction(connection, limits) as opened:
            table.create(opened, checkfirst=True)
    except DatabaseFailed:
        with transaction(connection, limits) as opened:
            if not has_table(opened, table):
                raise


def mark_applied(opened: DatabaseConnection, table: Table, *, token: str, step: str) -> None:
    """Write the row of a step that is being applied.

    Raises:
        StepFailed: its undo has already run.
    """
    try:
        opened.execute(table.insert().values(token=token, step=step, state=APPLIED, at=_now()))
    except IntegrityError as error:
        raise StepFailed(f"{step} was undone before it was applied, so it did nothing.") from error


def claim_undo(opened: DatabaseConnection, table: Table, *, token: str, step: str, was_applied: bool) -> str:
    """Return whether the step was `APPLIED`, is `UNDONE`, or was `NEVER` applied, and from now on never can be.

    Raises:
        StepFailed: it `was_applied`, and its row is lost.
    """
    try:
        with opened.begin_nested():
            opened.execute(table.insert().values(token=token, step=step, state=NEVER, at=_now()))
    except IntegrityError:
        state = select(table.c.state).where(table.c.token == token).with_for_update()
        return str(opened.execute(state).scalar())
    if was_applied:
        problem = f"{table.fullname} does not know {step}, which was applied: somebody has emptied or restored it"
        raise StepFailed(f"{problem}. See what is left of the change in the database, and undo that by hand.")
    return NEVER


def state(opened: DatabaseConnection, table: Table, *, token: str) -> str:
    """Return what is recorded of a step: `APPLIED`, `UNDONE` or `NEVER`; empty if nothing is."""
    return str(opened.execute(select(table.c.state).where(table.c.token == token)).scalar() or "")


def mark_undone(opened: DatabaseConnection, table: Table, *, token: str) -> None:
    """Record that a step is undone."""
    if opened.dialect.name == "postgresql":  # its statements may have changed both, and the table is found by them
        opened.exec_driver_sql("RESET ROLE; RESET search_path")
    opened.execute(table.update().where(table.c.token == token).values(state=UNDONE, at=_now()))


def _now() -> datetime:
    return datetime.now(UTC)
