"""The step sql: an undo that ran to its end is compared with the schema of before."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine

from changewindow.errors import StepFailed
from changewindow.steps.sql import Step
from changewindow.systems.connection import Connection
from changewindow.systems.context import Context, Ended
from changewindow.systems.databases.statements import changes_schema
from servers.postgres import shared
from step_fixtures.sql import orders, orders_in

ADD = "ALTER TABLE limits ADD COLUMN note text DEFAULT 'x'"
DROP = "ALTER TABLE limits DROP COLUMN note"
INDEX = "CREATE INDEX by_day ON limits (per_day)"


@pytest.fixture(params=["postgres", "sqlite"])
def connection(request: pytest.FixtureRequest, tmp_path: Path) -> Connection:
    """Return a database with limits, of each kind."""
    return orders_in(request.param, tmp_path)


def here(connection: Connection, ended: Ended = "applied") -> Context:
    """Return what a step may use; for undo, after an apply that has ended somehow."""
    return Context("CHG-1042", 1, lambda _: connection, print, apply_ended=ended)


def somebody(connection: Connection, statement: str) -> None:
    """Let somebody else run a statement."""
    engine = create_engine(connection.database_url)
    with engine.begin() as opened:
        opened.exec_driver_sql(statement)
    engine.dispose()


def step(*statements: str, undo: Any) -> Step:
    """Return a step of statements."""
    fields = {"name": "x", "connection": "orders", "statements": statements, "undo": undo}
    return Step.model_validate(fields)


def test_an_undo_that_restores_everything(connection: Connection) -> None:
    """Columns, indexes, tables and views that are gone again are no difference; nor is our own table."""
    made = ["CREATE TABLE more (id int UNIQUE, region text REFERENCES limits)", "CREATE VIEW few AS SELECT 1 AS one"]
    sql_step = step(ADD, INDEX, *made, undo=["DROP VIEW few", "DROP TABLE more", "DROP INDEX by_day", DROP])
    remembered = sql_step.remember(here(connection))
    sql_step.apply(here(connection), remembered)
    for _ in range(2):
        sql_step.undo(here(connection), remembered)


@pytest.mark.parametrize(
    ("statements", "undo", "difference"),
    [
        pytest.param([ADD, INDEX], [DROP], "left: index by_day", id="an index is left"),
        pytest.param([ADD], ["SELECT 1"], "changed: table limits", id="a column is left"),
        pytest.param(
            ["DROP TABLE IF EXISTS x", "CREATE VIEW few AS SELECT 1 AS one"],
            ["SELECT 1"],
            "left: view few",
            id="a view",
        ),
        pytest.param(["CREATE TABLE more (id int)"], ["DROP TABLE limits"], "left: table more; missing: ", id="both"),
    ],
)
def test_an_undo_that_forgets_something(
    connection: Connection, statements: list[str], undo: list[str], difference: str
) -> None:
    """It fails, each time it is tried, with the names of what differs."""
    sql_step = step(*statements, undo=undo)
    remembered = sql_step.remember(here(connection))
    sql_step.apply(here(connection), remembered)
    for _ in range(2):
        with pytest.raises(StepFailed) as failed:
            sql_step.undo(here(connection), remembered)
        wanted = f"The undo statements ran at orders, but its schema is not as it was ({difference}"
        assert str(failed.value).replace("example_orders", "orders").startswith(wanted)
    somebody(connection, "CREATE TABLE IF NOT EXISTS limits (region text PRIMARY KEY, per_day int)")


@pytest.mark.parametrize(
    ("statement", "undo", "difference"),
    [
        ("ALTER TABLE limits ALTER per_day SET DEFAULT 3", "SELECT 1", "changed: table limits"),
        ("ALTER TABLE limits ADD CHECK (per_day > 0)", "SELECT 1", "changed: table limits"),
        ("CREATE TYPE mood AS ENUM ('good')", "SELECT 1", "left: type mood"),
        ("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "SELECT 1", "left: function f()"),
        ("CREATE SCHEMA other CREATE TABLE t (id serial)", "DROP TABLE other.t", "left: schema other"),
        ("SELECT set_config('x.y', 'z', true)", "SELECT 1", ""),
    ],
)
def test_what_postgresql_holds_besides(statement: str, undo: str, difference: str) -> None:
    """Defaults, constraints, types, functions and schemas count as well."""
    connection = orders(shared())
    sql_step = step(statement, undo=[undo])
    remembered = sql_step.remember(here(connection))
    sql_step.apply(here(connection), remembered)
    if not difference:
        sql_step.undo(here(connection), remembered)
        return
    with pytest.raises(StepFailed) as failed:
        sql_step.undo(here(connection), remembered)
    assert f"({difference})" in str(failed.value)


def test_what_others_change_is_no_fault_of_an_undo_that_changes_none(connection: Connection) -> None:
    """Statements that change rows compare no schema, nor does an undo of what was never committed."""
    raising = step("UPDATE limits SET per_day = 1", undo=["UPDATE limits SET per_day = 2"])
    adding = step(ADD, undo=[DROP])
    remembered = [made.remember(here(connection)) for made in (raising, adding)]
    assert list(remembered[0]) == ["token"]
    raising.apply(here(connection), remembered[0])
    somebody(connection, "CREATE TABLE theirs (id int)")
    for made, known in zip((raising, adding), remembered, strict=True):
        for _ in range(2):
            made.undo(here(connection, "applied" if made is raising else "cut_short"), known)


def test_an_undo_of_nothing_leaves_what_was_made(connection: Connection) -> None:
    """`undo: nothing` says that it is meant to stay."""
    indexing = step(INDEX, undo="nothing")
    remembered = indexing.remember(here(connection))
    indexing.apply(here(connection), remembered)
    indexing.undo(here(connection), remembered)


@pytest.mark.parametrize(
    ("statement", "may"),
    [
        ("-- comment\n/* more */ UPDATE x SET y = 1;", False),
        ("INSERT INTO x VALUES (1); DELETE FROM y", False),
        ("SELECT make_partitions()", True),
        ("WITH x AS (SELECT 1) INSERT INTO y SELECT * FROM x", True),
        ("UPDATE x SET y = 1; ALTER TABLE x ADD z int", True),
        ("DO $$ BEGIN CREATE TABLE x (); END $$", True),
    ],
)
def test_statements_that_may_change_a_schema(statement: str, *, may: bool) -> None:
    """All but those that are known to change rows at most."""
    assert changes_schema(statement) == may
