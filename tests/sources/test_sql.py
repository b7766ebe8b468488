"""The sources sql and backup_age by a query, on a real PostgreSQL and on SQLite."""

import asyncio
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from changewindow.sources import backup_age, sql
from changewindow.sources.base import SourceBase
from changewindow.systems.connection import Connection
from changewindow.systems.measurement import Answer, SourceContext, SourceError
from changewindow.watch.shared_answers import client
from servers.postgres import shared
from step_fixtures.sql import orders, orders_in


@pytest.fixture(params=["postgres", "sqlite"])
def connection(request: pytest.FixtureRequest, tmp_path: Path) -> Connection:
    """Return a database with three limits, of each kind."""
    return orders_in(request.param, tmp_path)


async def ask(connection: Connection, source: SourceBase) -> Answer:
    """Return what a source answers."""

    async def connect(_: str) -> Connection:
        return connection

    async with client() as http:
        return await source.ask(SourceContext(http, connect))


def source(query: str, **fields: Any) -> sql.Source:
    """Return the source of a query."""
    return sql.Source(connection="orders", query=query, **fields)


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("SELECT sum(per_day) FROM limits", 1100),
        ("SELECT avg(per_day) * 1.0 FROM limits WHERE region LIKE '%u%'", 400.0),
        ("SELECT region FROM limits WHERE per_day = 500", "us"),
        ("SELECT max(per_day) + 9007199254740493 FROM limits", 9007199254740993),
    ],
)
async def test_one_value_is_the_answer(connection: Connection, query: str, value: Any) -> None:
    """Numbers, exact ones too, and text."""
    answer = await ask(connection, source(query))
    assert (answer.value, answer.query) == (value, query)


@pytest.mark.parametrize(
    ("query", "cause", "message"),
    [
        ("SELECT 1 FROM limits WHERE 1 = 0", "no_data", "returned no row"),
        ("SELECT max(per_day) FROM limits WHERE 1 = 0", "no_data", "returned NULL"),
        ("SELECT per_day FROM limits", "invalid", "returned several rows, one value was expected"),
        ("SELECT 1, 2", "invalid", "returned 2 columns, one value was expected"),
        ("SELECT nothing FROM limits", "invalid", "nothing"),
        ("SELECT nonsense nonsense nonsense", "invalid", "syntax error"),
        ("DELETE FROM limits RETURNING 1", "invalid", "read"),
        ("UPDATE limits SET per_day = 1", "invalid", "read"),
        ("CREATE TABLE more (id int)", "invalid", "read"),
    ],
)
async def test_what_is_no_value_has_a_cause(connection: Connection, query: str, cause: str, message: str) -> None:
    """Nothing, too much, a mistake, and what would write are different; and nothing is written."""
    with pytest.raises(SourceError, match=message) as failed:
        await ask(connection, source(query))
    assert failed.value.cause == cause
    assert (await ask(connection, source("SELECT sum(per_day) FROM limits"))).value == 1100


@pytest.mark.parametrize("value", ["'NaN'::float", "'infinity'::numeric", "ARRAY[1]"])
async def test_what_cannot_be_compared_is_invalid(value: str) -> None:
    """Neither NaN nor a list is a value."""
    with pytest.raises(SourceError) as failed:
        await ask(orders(shared()), source(f"SELECT {value}"))
    assert failed.value.cause == "invalid"


async def test_a_slow_query_is_stopped_and_blocks_nobody(connection: Connection) -> None:
    """The database ends it after its time-out; others are served meanwhile."""
    slow = "SELECT pg_sleep(30)::text"
    if connection.kind == "sqlite":
        slow = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    asked = asyncio.create_task(ask(connection, source(slow, timeout="500ms")))
    turns = 0
    while not asked.done():
        turns += 1
        await asyncio.sleep(0.01)
    assert turns > 5
    with pytest.raises(SourceError, match="It took longer than it may, and was stopped") as failed:
        await asked
    assert failed.value.cause == "unreachable"


async def test_a_conflict_is_no_answer() -> None:
    """What a replica stops because it has to go on, or a deadlock, may succeed the next time."""
    known = orders(shared())
    stop = "RAISE 'canceling statement due to conflict with recovery' USING ERRCODE = '40001'"
    function = f"FUNCTION stopped() RETURNS int LANGUAGE plpgsql AS $$ BEGIN {stop}; END $$"
    shared().ask(f"CREATE {function}", known.schema)
    with pytest.raises(SourceError, match="conflict with recovery") as failed:
        await ask(known, source("SELECT stopped()"))
    assert failed.value.cause == "unreachable"


async def test_of_many_rows_only_the_first_are_fetched() -> None:
    """A query without its WHERE does not fill the memory of all who are watched here."""
    query = "SELECT 1 FROM generate_series(1, 3) UNION ALL SELECT 1 FROM pg_sleep(30)"
    with pytest.raises(SourceError, match="returned several rows"):
        await ask(orders(shared()), source(query, timeout="5s"))


async def test_a_database_that_says_nothing_any_more_is_not_waited_for() -> None:
    """Frozen in the middle of a query, it keeps no thread of those that all readings share."""
    known = orders(shared())
    lost = pytest.raises(SourceError, match="The connection was lost on the way")
    with silenced(known.port or 0, b"SELECT 42") as port, lost as failed:
        await ask(replace(known, port=port), source("SELECT 42", timeout="200ms"))
    assert failed.value.cause == "unreachable"


@contextmanager
def silenced(port: int, sign: bytes) -> Iterator[int]:
    """Lend a way to a port that passes nothing on any more, once a sign was sent; return its own port."""
    with socket.create_server(("127.0.0.1", 0)) as listening, ExitStack() as lines:

        def serve() -> None:
            near = lines.enter_context(listening.accept()[0])
            far = lines.enter_context(socket.create_connection(("127.0.0.1", port)))
            while True:
                for ready in select.select([near, far], [], [])[0]:
                    chunk = ready.recv(65536)
                    if not chunk or sign in chunk:
                        return
                    (far if ready is near else near).sendall(chunk)

        serving = threading.Thread(target=serve, daemon=True)
        serving.start()
        yield listening.getsockname()[1]
        serving.join()


async def test_nobody_there_and_a_wrong_password_are_unreachable() -> None:
    """The message has no password."""
    known = orders(shared())
    for wrong in (replace(known, port=1), replace(known, password="s3cret-and-wrong")):
        with pytest.raises(SourceError) as failed:
            await ask(wrong, source("SELECT 1"))
        assert failed.value.cause == "unreachable"
        assert "s3cret" not in str(failed.value)


async def test_the_age_of_a_backup_by_a_query() -> None:
    """A timestamp with time zone, seconds since 1970, or text."""
    known = orders(shared())
    for query in (
        "SELECT now() - interval '1 hour'",
        "SELECT extract(epoch FROM now()) - 3600",
        "SELECT to_char(now() - interval '1 hour', 'YYYY-MM-DD\"T\"HH24:MI:SSOF') || ':00'",
    ):
        answer = await ask(known, backup_age.Source(connection="orders", query=query))
        assert answer.value == pytest.approx(3600, abs=30)


@pytest.mark.parametrize(
    ("query", "cause", "message"),
    [
        ("SELECT now() + interval '1 hour'", "invalid", "is in the future"),
        ("SELECT now()::timestamp", "invalid", "no moment with a time zone; PostgreSQL: made AT TIME ZONE 'UTC'"),
        ("SELECT current_date", "invalid", "no moment with a time zone"),
        ("SELECT '20_261_126'", "invalid", "'20_261_126', which is no moment"),
        ("SELECT 'yesterday'", "invalid", "'yesterday', which is no moment"),
        ("SELECT 1e300", "invalid", "which is no moment"),
        ("SELECT max(now()) WHERE false", "no_data", "NULL"),
    ],
)
async def test_what_is_no_moment_has_a_cause(query: str, cause: str, message: str) -> None:
    """A backup of unknown age is never young."""
    with pytest.raises(SourceError, match=message) as failed:
        await ask(orders(shared()), backup_age.Source(connection="orders", query=query))
    assert failed.value.cause == cause


async def test_settings_of_the_connection_count() -> None:
    """As they do for whoever uses Airflow's own hook; else a query would ask another schema."""
    known = replace(orders(shared()), extra={"options": "-c search_path=sales,public"})
    assert (await ask(known, source("SHOW search_path"))).value == "sales,public"
