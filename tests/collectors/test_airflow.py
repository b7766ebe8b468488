"""What `airflow` shows of an audit log that is served as Airflow's API does; its pages, and what they leave out."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from changewindow.collectors.airflow import EXAMPLE
from changewindow.systems.collection import Collected
from changewindow.systems.connection import Connection
from changewindow.systems.measurement import SourceError
from servers.audit_log import PASSWORD, TOKEN, Log, serving
from support.looking import last, looked
from support.recording_server import recording_server


@pytest.fixture
def log() -> Iterator[Log]:
    """Return a log."""
    with serving() as running:
        yield running


async def look(log: Log, *, hours: int = 1) -> Collected:
    """Return what shows of the last hours."""
    return await looked(EXAMPLE, log.connection(), folder=Path("unused"), span=last(timedelta(hours=hours)))


@pytest.mark.parametrize(
    ("event", "extra", "shown"),
    [
        pytest.param("patch_dag_run", '{"new_state": "success"}', ("DAG a b", 'run: new_state "success"'), id="mark"),
        pytest.param("patch_variable", '{"key": "x", "value": "***"}', ("Airflow variable x", "key"), id="variable"),
        pytest.param("post_connection", '{"connection_id": "d"}', ("Airflow connection d", "created"), id="connection"),
        pytest.param("patch_pool", '{"pool_name": "p", "slots": 3}', ("Airflow pool p", "slots 3"), id="pool"),
        pytest.param("new_in_3_9", "[" * 100_000, ("DAG a b", "new_in_3_9"), id="unknown event, hostile extra"),
    ],
)
async def test_who_did_what(log: Log, event: str, extra: str, shown: tuple[str, str]) -> None:
    """Values are shown where they are no secrets."""
    log.write(event, owner="dora", dag_id="a", run_id="b", extra=extra)
    (entry,) = (await look(log)).entries
    assert (entry.object, entry.by) == (shown[0], "dora")
    assert shown[1] in entry.what
    assert entry.known_by == "the user who was logged in, by Airflow's audit log"


async def test_what_tasks_do_themselves_is_no_entry(log: Log) -> None:
    """Nor is a login, which changes nothing."""
    for event in ("running", "success", "create_token", "get_dag_source"):
        log.write(event, owner="airflow")
    collected = await look(log)
    assert collected.entries == ()
    assert (collected.coverage.why, collected.coverage.clock_off) == ("", timedelta(0))
    assert {PASSWORD, TOKEN}.isdisjoint(str(collected).split())


async def test_pages_are_followed_and_what_is_missing_is_said(log: Log) -> None:
    """A row that cannot be read is counted, and so is what Airflow does not show."""
    for number in range(250):
        log.write("patch_dag", owner="dora", dag_id=f"dag_{number}")
    assert len((await look(log)).entries) == 250
    log.hides = 30
    log.write("patch_dag", owner="dora", when="yesterday")
    coverage = (await look(log)).coverage
    assert coverage.lost == 31
    assert coverage.why == "1 rows of the log cannot be read; Airflow counts 251 rows and has shown 221, the latest"


async def test_a_log_that_was_cleaned_is_no_empty_answer(log: Log) -> None:
    """It begins with its oldest row; an empty one covers nothing."""
    log.rows.clear()
    log.write("patch_dag", owner="dora", dag_id="a")
    coverage = (await look(log, hours=24)).coverage
    assert coverage.why.startswith("the log begins at ")
    assert coverage.since > coverage.until - timedelta(minutes=1)
    log.rows.clear()
    empty = last(timedelta(hours=1))
    assert (await look(log)).coverage.unseen(empty)


async def test_something_else_that_answers_is_told() -> None:
    """It names the connection to correct."""
    known = Connection("orders_airflow", "http", "127.0.0.1", 0, password=TOKEN)
    for answer in ("<html>", "[]", '{"event_logs": 7, "total_entries": 1}', '{"event_logs": [7], "total_entries": 1}'):
        with recording_server((200, answer)) as server:
            here = replace(known, port=server.port)
            with pytest.raises(SourceError, match=r"orders_airflow|Is it Airflow 3\?"):
                await looked(EXAMPLE, here, folder=Path("unused"))


async def test_a_token_without_end_is_not_read() -> None:
    """Whoever answers the login cannot fill the memory of all watches."""
    with recording_server((200, " " * (2 << 20))) as server:
        here = Connection("orders_airflow", "http", "127.0.0.1", server.port, login="dora", password=PASSWORD)
        with pytest.raises(SourceError, match="the reply is larger than 1 MiB"):
            await looked(EXAMPLE, here, folder=Path("unused"))
