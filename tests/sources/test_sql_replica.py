"""The source sql on a real replica: how old is what it answers."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest

from changewindow.cli.airflow_api import wait_for
from changewindow.sources import sql
from changewindow.systems.connection import Connection
from changewindow.systems.databases.query import Answered
from changewindow.systems.measurement import Answer, SourceContext, SourceError
from changewindow.watch.baseline import Seen
from changewindow.watch.condition import Condition
from changewindow.watch.reading import Reading, take
from changewindow.watch.shared_answers import client
from servers.postgres import Postgres, let_robot_in, postgres, standby

pytestmark = pytest.mark.integration

EXAMPLE = {"kind": "sql", "connection": "orders", "query": "SELECT version FROM release"}
TOLD = "orders leads to a replica, "


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Make a folder that PostgreSQL's user may enter, which another pytest that starts makes impossible elsewhere."""
    with TemporaryDirectory(prefix="replica-") as made:
        yield Path(made)


@pytest.fixture(scope="module")
def primary(folder: Path) -> Iterator[Postgres]:
    """Run a server of its own: a replica of the one that the tests share would copy what all of them have made."""
    with postgres(folder / "primary") as server:
        let_robot_in(server)
        yield server


@pytest.fixture(scope="module")
def replica(primary: Postgres, folder: Path) -> Iterator[Postgres]:
    """Return its replica."""
    with standby(primary, folder / "standby") as server:
        yield server


@pytest.fixture
def there(primary: Postgres, replica: Postgres) -> Connection:
    """Return the connection to the replica, where version 1 is released."""
    connection = primary.fresh()
    primary.ask("CREATE TABLE release AS SELECT 1 AS version", connection.schema)
    primary.ask("ALTER TABLE release OWNER TO robot", connection.schema)
    followed(primary, replica)
    return replace(connection, port=replica.port)


def followed(primary: Postgres, replica: Postgres) -> None:
    """Wait until the replica has what the primary has."""
    ((end,),) = primary.ask("SELECT pg_current_wal_flush_lsn()", "postgres")
    wait_for(lambda: replica.ask(f"SELECT pg_last_wal_replay_lsn() >= '{end}'", "postgres") == [(True,)], "the replica")


async def asked(connection: Connection, since: datetime | None = None) -> Answer:
    """Return the answer of the replica."""
    return (await both(connection, since))[0]


async def both(connection: Connection, since: datetime | None = None) -> tuple[Answer, Reading]:
    """Return the answer and a reading."""

    async def connect(_: str) -> Connection:
        return connection

    condition = Condition.model_validate({"name": "Version", "source": EXAMPLE, "pass": {"equals": 1}})
    async with client() as http:
        context = SourceContext(http, connect, since=since)
        answer = await sql.Source.model_validate(EXAMPLE).ask(context)
        return answer, await take(condition, context, Seen(), newer_than=since)


async def test_what_a_replica_has_not_replayed_yet_is_no_reading_after_the_change(
    primary: Postgres, replica: Postgres, there: Connection
) -> None:
    """The primary has version 2, and the replica still says 1: that is from before the step."""
    replica.ask("SELECT pg_wal_replay_pause()", "postgres")
    primary.ask("UPDATE release SET version = 2", there.schema)
    ended = datetime.now(UTC)
    answer, reading = await both(there, ended)
    assert (answer.value, reading.verdict, reading.cause) == (1, "error", "stale")
    assert answer.at < ended
    assert TOLD in reading.detail
    replica.ask("SELECT pg_wal_replay_resume()", "postgres")
    primary.ask("UPDATE release SET version = 3", there.schema)
    followed(primary, replica)
    answer, reading = await both(there, ended)
    assert (answer.value, reading.verdict) == (3, "fail")
    assert answer.at > ended


async def test_a_replica_of_an_idle_primary_is_fresh_to_who_may_see_that(primary: Postgres, there: Connection) -> None:
    """No transaction tells it then, but the primary says again and again that there is none."""
    primary.ask("ALTER SYSTEM SET wal_sender_timeout = '1s'", "postgres")
    primary.ask("SELECT pg_reload_conf()", "postgres")
    ended, known = datetime.now(UTC), replace(there, login="postgres", password="")
    assert (await asked(there)).at < ended
    for _ in range(100):
        if (await asked(known)).at > ended:
            return
        await asyncio.sleep(0.2)
    pytest.fail("the replica looks old for ever")


async def test_a_replica_that_does_not_tell_is_no_reading_after_the_change() -> None:
    """Before the change it may be asked all the same."""
    answered, now = Answered("orders", 1, None), datetime.now(UTC)
    assert answered.at(now, SourceContext(httpx.AsyncClient(), unknown)) == now
    with pytest.raises(SourceError, match="orders leads to a replica that does not tell how old its data is") as failed:
        answered.at(now, SourceContext(httpx.AsyncClient(), unknown, since=now))
    assert failed.value.cause == "stale"


async def unknown(name: str) -> Connection:
    """Know no connection."""
    raise LookupError(name)
