"""The step sql, on a real PostgreSQL and on SQLite."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import create_engine

from changewindow.cli.airflow_api import wait_for
from changewindow.errors import StepFailed
from changewindow.steps.sql import EXAMPLE, Step
from changewindow.systems.connection import Connection
from changewindow.systems.context import Context, Ended
from servers.postgres import Postgres, shared
from step_fixtures.sql import orders, orders_in

RAISE, LOWER = "UPDATE limits SET per_day = per_day + 1", "UPDATE limits SET per_day = per_day - 1"
Saw = Callable[[str], Any]


def step(**fields: Any) -> Step:
    """Return a step that raises every limit."""
    given = {"name": "raise", "connection": "orders", "statements": [RAISE], "undo": [LOWER], "lock_timeout": "300ms"}
    return Step.model_validate({**given, **fields})


@pytest.fixture
def server() -> Postgres:
    """Return a PostgreSQL."""
    return shared()


@pytest.fixture(params=["postgres", "sqlite"])
def connection(request: pytest.FixtureRequest, tmp_path: Path) -> Connection:
    """Return a database with three limits, of each kind."""
    return orders_in(request.param, tmp_path)


@pytest.fixture
def on_postgres(server: Postgres) -> Connection:
    """Return a database in PostgreSQL with three limits."""
    return orders(server)


def limits(connection: Connection) -> list[int]:
    """Return the limits as they are."""
    engine = create_engine(connection.database_url)
    with engine.connect() as opened:
        limits = [row[0] for row in opened.exec_driver_sql("SELECT per_day FROM limits ORDER BY region")]
    engine.dispose()
    return limits


@contextmanager
def held(connection: Connection, statement: str) -> Iterator[None]:
    """Run a statement in a transaction that stays open during the block."""
    engine = create_engine(connection.database_url)
    with engine.connect() as opened:
        opened.exec_driver_sql(statement)
        yield
    engine.dispose()


def here(connection: Connection, logged: list[str] | None = None, ended: Ended = "applied") -> Context:
    """Return what a step may use; for undo, after an apply that has ended somehow."""
    log = (logged if logged is not None else []).append
    return Context("CHG-1042", 1, lambda _: connection, log, apply_ended=ended)


def test_the_announced_number_of_rows_is_committed(connection: Connection) -> None:
    """A number, or a range, holds."""
    sql_step = step(
        statements=[{"run": RAISE, "rows": 3}, {"run": RAISE, "rows": {"at_most": 100}}], undo=[LOWER, LOWER]
    )
    remembered = sql_step.remember(here(connection))
    sql_step.apply(here(connection), remembered)
    assert limits(connection) == [302, 302, 502]
    sql_step.undo(here(connection), remembered)
    assert limits(connection) == [300, 300, 500]


@pytest.mark.parametrize(
    ("rows", "announced"), [(2, "2"), ({"at_most": 2}, "0 to 2"), ({"at_least": 4, "at_most": 9}, "4 to 9")]
)
def test_other_numbers_of_rows_roll_everything_back(connection: Connection, rows: Any, announced: str) -> None:
    """The message has both numbers, and what ran before it is taken back; so undo has nothing to do."""
    sql_step, logged = step(statements=[RAISE, {"run": RAISE, "rows": rows}]), list[str]()
    remembered = sql_step.remember(here(connection))
    with pytest.raises(StepFailed) as failed:
        sql_step.apply(here(connection), remembered)
    assert str(failed.value) == (
        f"Statement 2 of 2 at orders touched 3 rows, {announced} announced; everything is rolled back."
    )
    sql_step.undo(here(connection, logged, "failed"), remembered)
    assert limits(connection) == [300, 300, 500]
    assert "nothing to undo: it was never committed, or is undone already" in logged


def test_a_marker_that_is_lost_is_no_sign_that_nothing_was_applied(connection: Connection) -> None:
    """Somebody may have emptied the table; what was applied would stay, and look rolled back."""
    sql_step = step()
    remembered = sql_step.remember(here(connection))
    sql_step.apply(here(connection), remembered)
    engine = create_engine(connection.database_url)
    with engine.begin() as opened:
        opened.exec_driver_sql("DELETE FROM changewindow_marks")
    engine.dispose()
    for _ in range(2):
        with pytest.raises(StepFailed, match="changewindow_marks does not know CHG-1042/1, which was applied"):
            sql_step.undo(here(connection), remembered)
    assert limits(connection) == [301, 301, 501]


def test_undo_counts_its_rows_too(connection: Connection) -> None:
    """An undo that would touch other rows than announced fails, and may be tried again."""
    sql_step = step(undo=[{"run": LOWER, "rows": 7}])
    remembered = sql_step.remember(here(connection))
    sql_step.apply(here(connection), remembered)
    for _ in range(2):
        with pytest.raises(StepFailed, match="touched 3 rows, 7 announced; everything is rolled back"):
            sql_step.undo(here(connection), remembered)
    assert limits(connection) == [301, 301, 501]


def test_ddl_is_rolled_back_with_the_rest(connection: Connection) -> None:
    """A table made before a failing statement is gone; the message names the statement and what the database says."""
    sql_step = step(statements=["CREATE TABLE more (id int)", "UPDATE nowhere SET id = 1"])
    with pytest.raises(StepFailed, match=r"Statement 2 of 2 at orders failed, everything is rolled back\. .*nowhere"):
        sql_step.apply(here(connection), sql_step.remember(here(connection)))
    with pytest.raises(StepFailed, match="failed"):
        step(statements=["SELECT * FROM more"]).apply(here(connection), sql_step.remember(here(connection)))


def test_percent_and_colon_are_signs_like_others(connection: Connection) -> None:
    """Statements go to the database as they are written."""
    sql_step = step(statements=["UPDATE limits SET per_day = 7 WHERE region LIKE 'e%' AND region <> ' :region'"])
    sql_step.apply(here(connection), sql_step.remember(here(connection)))
    assert limits(connection) == [300, 7, 500]


def test_an_apply_that_comes_after_its_undo_does_nothing(connection: Connection) -> None:
    """A task that was thought dead can no longer commit."""
    sql_step = step()
    remembered = sql_step.remember(here(connection))
    sql_step.undo(here(connection, ended="cut_short"), remembered)
    with pytest.raises(StepFailed, match="CHG-1042/1 was undone before it was applied, so it did nothing"):
        sql_step.apply(here(connection), remembered)
    assert limits(connection) == [300, 300, 500]


def test_a_second_attempt_is_one_of_its_own(connection: Connection) -> None:
    """The same change may be tried again after it was undone."""
    sql_step = step()
    for _ in range(2):
        remembered = sql_step.remember(here(connection))
        sql_step.apply(here(connection), remembered)
        assert limits(connection) == [301, 301, 501]
        sql_step.undo(here(connection), remembered)
        assert limits(connection) == [300, 300, 500]


def test_a_lock_of_somebody_else_is_not_waited_for_long(connection: Connection) -> None:
    """Apply gives up soon, so that nobody queues behind it, and says what to do."""
    sql_step = step()
    mine = "BEGIN IMMEDIATE" if connection.kind == "sqlite" else "LOCK TABLE limits"
    with held(connection, mine), pytest.raises(StepFailed, match="Somebody else holds a lock, and nobody has to wait"):
        sql_step.apply(here(connection), sql_step.remember(here(connection)))
    assert limits(connection) == [300, 300, 500]


def test_a_statement_that_takes_too_long_is_stopped(connection: Connection) -> None:
    """The limit is the statement's own, or the step's if that is shorter."""
    slow = "SELECT pg_sleep(30)"
    if connection.kind == "sqlite":
        slow = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    for limit in ({"statement_timeout": "200ms"}, {"timeout": "200ms"}):
        sql_step = step(statements=[RAISE, slow], **limit)
        with pytest.raises(StepFailed, match="It took longer than it may, and was stopped"):
            sql_step.apply(here(connection), sql_step.remember(here(connection)))
    assert limits(connection) == [300, 300, 500]


def test_undo_ends_what_a_dead_apply_left_running(server: Postgres, on_postgres: Connection) -> None:
    """Killed in the middle of a statement, apply lives on in the database until undo ends it there."""
    sql_step = step(statements=[RAISE, "SELECT pg_sleep(60)"])
    remembered = sql_step.remember(here(on_postgres))
    code = (
        "import sys, json; from changewindow.systems.connection import Connection;"
        "from changewindow.systems.context import Context;"
        "from changewindow.steps.sql import Step; known = Connection(*json.loads(sys.argv[1]));"
        "Step.model_validate_json(sys.argv[2]).apply("
        "Context('CHG-1042', 1, lambda _: known, print), json.loads(sys.argv[3]))"
    )
    named = ("name", "kind", "host", "port", "login", "password", "schema")
    given = [getattr(on_postgres, name) for name in named]
    arguments = [json.dumps(given), sql_step.model_dump_json(by_alias=True), json.dumps(remembered)]
    with subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=subprocess.DEVNULL) as dying:
        asked = "SELECT pid FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)' AND pid <> pg_backend_pid()"
        wait_for(lambda: server.ask(asked, "postgres"), "the statement", 20, 0.05)
        os.kill(dying.pid, signal.SIGKILL)
    assert server.ask(asked, "postgres")
    sql_step.undo(here(on_postgres, ended="cut_short"), remembered)
    assert limits(on_postgres) == [300, 300, 500]
    assert not server.ask(asked, "postgres")


def test_a_hidden_commit_is_noticed_and_undone(on_postgres: Connection) -> None:
    """What a statement committed behind our back is known to undo, because the mark went with it."""
    sql_step = step(undo=[LOWER]).model_copy(update={"statements": (f"{RAISE}; COMMIT", RAISE)})
    remembered = sql_step.remember(here(on_postgres))
    with pytest.raises(StepFailed, match=r"orders ended the transaction\. Take the COMMIT out of it"):
        sql_step.apply(here(on_postgres), remembered)
    assert limits(on_postgres) == [301, 301, 501]
    sql_step.undo(here(on_postgres), remembered)
    assert limits(on_postgres) == [300, 300, 500]


@pytest.mark.parametrize(
    "statement",
    [
        *("COMMIT", "/* x */ begin;", "-- x\nRollback", "start transaction", "END"),
        *(f"{RAISE}; COMMIT", f"{RAISE};\n-- x\nROLLBACK; {RAISE}", "SELECT ';'; /* ; */ abort"),
    ],
)
def test_a_statement_that_ends_the_transaction_is_refused(statement: str) -> None:
    """The ticket says so before anything runs."""
    with pytest.raises(ValidationError, match=r"begins or ends a transaction\. Leave it out, all are one already"):
        step(statements=[statement])
    step(statements=["BEGIN do_it(); END;", "DO $$ BEGIN RAISE 'x'; END $$;", f"{RAISE}; {RAISE}", "SELECT '; COMMIT'"])


@pytest.mark.parametrize(
    "statement",
    [
        *("CREATE UNIQUE INDEX CONCURRENTLY i ON limits (per_day)", "drop index concurrently i", "VACUUM limits"),
        *("REINDEX (VERBOSE) TABLE CONCURRENTLY limits", f"{RAISE}; -- x\nVACUUM"),
    ],
)
@pytest.mark.parametrize("where", ["statements", "undo"])
def test_what_cannot_run_in_a_transaction_is_refused(statement: str, where: str) -> None:
    """The ticket says so, above all of an undo that could never work."""
    with pytest.raises(
        ValidationError, match=r"cannot run in a transaction, as all do here\. Leave it or CONCURRENTLY ou"
    ):
        step(**{where: [statement]})
    step(**{where: ["CREATE INDEX concurrently_made ON limits (per_day)", "REFRESH MATERIALIZED VIEW CONCURRENTLY v"]})


def test_rows_are_those_of_one_statement() -> None:
    """Of several in one text, the database would tell the last one's."""
    with pytest.raises(ValidationError, match=r"is several statements, and rows counts one\. Write each by itself"):
        step(statements=[{"run": f"{RAISE}; {LOWER}", "rows": 3}])
    step(statements=[{"run": "UPDATE limits SET region = 'a;b' -- c; d", "rows": 3}])


def test_an_unknown_number_of_rows_is_none_that_was_announced(tmp_path: Path) -> None:
    """SQLite does not count what begins with WITH; the message has no number then."""
    file = tmp_path / "orders.db"
    with sqlite3.connect(file) as made:
        made.execute("CREATE TABLE limits (per_day int)")
    known = Connection("orders", "sqlite", str(file))
    sql_step = step(statements=[{"run": f"WITH x AS (SELECT 1) {RAISE}", "rows": 0}])
    with pytest.raises(StepFailed, match="touched an unknown number of rows, 0 announced; everything is rolled back"):
        sql_step.apply(here(known), sql_step.remember(here(known)))


def test_undo_may_set_role_and_schemas(server: Postgres, on_postgres: Connection) -> None:
    """Whatever its statements set, the mark is found where it was, with the right to change it."""
    for statement in (
        'CREATE SCHEMA "Sales"',
        "CREATE ROLE seller_of_orders",
        "GRANT seller_of_orders TO robot",
        'GRANT ALL ON SCHEMA "Sales" TO seller_of_orders',
    ):
        server.ask(statement, on_postgres.schema)
    first = ['SET search_path = "Sales"', "SET ROLE seller_of_orders"]
    sql_step, logged = (
        step(statements=[*first, "CREATE TABLE more (id int)"], undo=[*first, "DROP TABLE more"]),
        list[str](),
    )
    remembered = sql_step.remember(here(on_postgres))
    sql_step.apply(here(on_postgres), remembered)
    sql_step.undo(here(on_postgres), remembered)
    sql_step.undo(here(on_postgres, logged), remembered)
    assert "nothing to undo: it was never committed, or is undone already" in logged
    assert not server.ask("SELECT 1 FROM pg_tables WHERE tablename = 'more'", on_postgres.schema)


def test_a_sign_that_the_database_does_not_know_is_its_answer(server: Postgres) -> None:
    """A database in Latin-1 says itself that it has no euro."""
    options = "ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0 OWNER robot"
    known = replace(server.fresh(), schema="latin")
    server.ask(f"CREATE DATABASE latin {options}", "postgres")
    server.ask("ALTER SCHEMA public OWNER TO robot", "latin")
    sql_step = step(statements=["SELECT '\u20ac'"])
    with pytest.raises(StepFailed, match='has no equivalent in encoding "LATIN1"'):
        sql_step.apply(here(known), sql_step.remember(here(known)))


def test_what_is_missing_is_said_at_the_gate(server: Postgres, on_postgres: Connection) -> None:
    """Nobody there, no right to keep marks: each with what to do."""
    with pytest.raises(StepFailed, match="Connection refused"):
        step().missing_prerequisites(here(replace(on_postgres, port=1)))
    with pytest.raises(StepFailed, match="Correct login or password of the connection") as failed:
        step().missing_prerequisites(here(replace(on_postgres, password="s3cret-and-wrong")))
    assert "s3cret" not in str(failed.value)
    server.ask("ALTER SCHEMA public OWNER TO postgres", on_postgres.schema)
    columns = "token varchar(32) primary key, step varchar(64), state varchar(16), at timestamptz"
    message = (
        f"The account may not create the table changewindow_marks. Let somebody create it ({columns}), or grant CREATE."
    )
    assert step().missing_prerequisites(here(on_postgres)) == [message]
    server.ask("CREATE TABLE changewindow_marks (token varchar(32) primary key)", on_postgres.schema)
    assert step().missing_prerequisites(here(on_postgres)) == [
        "The account may not select, insert and update in changewindow_marks. Grant it that."
    ]


def test_what_only_reads_is_refused_at_the_gate(server: Postgres, on_postgres: Connection) -> None:
    """Where every transaction begins as one that reads, the statements would fail."""
    server.ask(f"ALTER DATABASE {on_postgres.schema} SET default_transaction_read_only = on", "postgres")
    message = (
        "Connection orders leads to a database or account with default_transaction_read_only, which only reads. Name"
    )
    assert step().missing_prerequisites(here(on_postgres)) == [f"{message} another, or set it off."]


def test_a_file_that_is_no_database_is_refused_at_the_gate(tmp_path: Path) -> None:
    """SQLite opens anything, and sees what it is when it reads."""
    file = tmp_path / "orders.db"
    file.write_text("orders" * 1000)
    with pytest.raises(StepFailed, match=r"The database of connection orders says: file is not a database\."):
        step().missing_prerequisites(here(Connection("orders", "sqlite", str(file))))


def test_who_holds_the_lock_is_named(server: Postgres, on_postgres: Connection) -> None:
    """With the id of the process, account and application."""
    engine = create_engine(server.url(on_postgres.schema), connect_args={"application_name": "nightly report"})
    with engine.connect() as opened:
        opened.exec_driver_sql(RAISE)
        pid = opened.exec_driver_sql("SELECT pg_backend_pid()").scalar()
        with pytest.raises(StepFailed, match=rf"Locks are held there now by: {pid} postgres nightly report\.$"):
            step().apply(here(on_postgres), step().remember(here(on_postgres)))
    engine.dispose()


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    """SQLite would make an empty database of a typing mistake."""
    file = tmp_path / "oders.db"
    with pytest.raises(StepFailed, match=r"Connection orders names .*oders\.db, where there is no database\."):
        step().missing_prerequisites(here(Connection("orders", "sqlite", str(file))))
    assert not file.exists()


def test_the_example_is_what_the_world_runs() -> None:
    """The plan reads like the ticket."""
    sql_step = Step.model_validate({key: value for key, value in EXAMPLE.items() if key != "kind"})
    assert sql_step.does() == (
        "UPDATE limits SET per_day = 500 WHERE region = 'eu' at example_orders, in one transaction"
    )
