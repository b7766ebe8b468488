"""Large answers: whoever waits for another one does not have to wait for them."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from changewindow.systems.connection import Connection
from changewindow.systems.measurement import LARGEST
from changewindow.systems.process import apart
from changewindow.watch.reading import Reading
from support.ask_source import asked
from support.recording_server import RecordingServer, Reply

DIGITS = ["sh", "-c", "head -c 1000000 /dev/zero | tr '\\0' 1; echo x"]
LONGEST_PAUSE = 0.5
"""In seconds of its own CPU time that the loop may be held up: the machine of the tests is shared."""


@pytest.fixture(autouse=True)
async def end(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """Give the machine of the tests time, which is shared; end what a test has started."""
    monkeypatch.setattr(apart, "WITHIN", 60)
    yield
    await apart.end()


@asynccontextmanager
async def others() -> AsyncIterator[None]:
    """Be another watch of the same loop, which goes on meanwhile."""
    pauses: list[float] = []

    async def look() -> None:
        last = time.thread_time()
        while True:
            await asyncio.sleep(0.01)
            pauses.append(time.thread_time() - last)
            last = time.thread_time()

    looking = asyncio.create_task(look())
    await asyncio.sleep(0.05)
    yield
    looking.cancel()
    assert max(pauses) < LONGEST_PAUSE


async def read(server: RecordingServer, source: dict[str, str]) -> Reading:
    """Return the reading of a source at a server."""
    return await asked(
        {"connection": "orders", **source}, Connection("orders", "http", host=server.url), answer_within="90s"
    )


def series(count: int) -> str:
    """Return a metric of so many series."""
    lines = "\n".join(f'http_requests_total{{path="/orders/{number}",status="200"}} 1' for number in range(count))
    return f"# TYPE http_requests_total counter\n{lines}\n"


async def test_600_000_series_do_not_stop_the_others(server: RecordingServer) -> None:
    """They held the loop up for 46 s; now the reading says what to do."""
    server.answers["/metrics"] = (200, series(600_000))
    async with others():
        reading = await read(server, {"kind": "openmetrics", "metric": "http_requests_total"})
    assert reading.cause == "invalid"
    assert reading.detail.startswith(f"{server.url}/metrics answered 600,001 lines, 100,000 are read at most. Ask Pro")


async def test_more_series_than_can_be_kept_are_refused(server: RecordingServer) -> None:
    """Each reading keeps those of the readings before."""
    server.answers["/metrics"] = (200, series(10_001))
    async with others():
        reading = await read(server, {"kind": "openmetrics", "metric": "http_requests_total", "read": "rate"})
    assert (reading.cause, reading.detail) == (
        "invalid",
        "10,001 series of http_requests_total are asked for, 10,000 at most. Choose fewer by `where`",
    )


async def test_one_value_of_a_large_document_is_read(server: RecordingServer) -> None:
    """Large is not wrong."""
    server.answers["/"] = (200, json.dumps({"items": [{"id": number} for number in range(500_000)], "open": 1}))
    async with others():
        reading = await read(server, {"kind": "http", "json": "open"})
    assert (reading.verdict, reading.value) == ("pass", 1)


async def test_a_large_answer_of_prometheus_is_explained_all_the_same(server: RecordingServer) -> None:
    """It is taken apart elsewhere, and so is its error made."""
    result = [{"metric": {"number": str(number)}, "value": [1, "1"]} for number in range(20_000)]
    body = {"status": "success", "data": {"resultType": "vector", "result": result}}
    server.answers["/api/v1/query"] = (200, json.dumps(body))
    async with others():
        reading = await read(server, {"kind": "prometheus", "query": "up"})
    assert (reading.cause, reading.detail) == (
        "invalid",
        "the query returned 20000 series, one was expected; sum or filter them",
    )


@pytest.mark.parametrize(
    ("source", "body"),
    [
        ({"kind": "http", "read": "status"}, b" " * (LARGEST + 1)),
        ({"kind": "grafana"}, b'{"data": "' + b" " * (8 << 20) + b'"}'),
    ],
)
async def test_what_is_too_large_is_not_read(server: RecordingServer, source: dict[str, str], body: bytes) -> None:
    """And says how large it may be."""
    server.otherwise = Reply(200, body)
    connection = Connection("orders", "http", host=server.url, password="token")
    reading = await asked({"connection": "orders", **source}, connection, answer_within="90s")
    assert reading.cause == "invalid"
    assert "MiB" in reading.detail


async def test_a_program_that_prints_a_million_digits_does_not_stop_the_others() -> None:
    """To find out that they are no number took hours."""
    source = {
        "kind": "command",
        "run": ["sh", "-c", "head -c 1000000 /dev/zero | tr '\\0' 1; echo x"],
        "read": "output",
    }
    async with others():
        reading = await asked(source, answer_within="90s")
    assert (reading.cause, reading.detail.partition(" printed ")[2]) == (
        "invalid",
        "1,000,002 bytes, one line of 10000 is read",
    )


@pytest.mark.parametrize(
    ("body", "cause", "detail"),
    [
        ({"a": "x" * 10_001}, "invalid", "the value is a text of 10,001 characters, 10,000 are kept at most. Ask for"),
        ({"a": [], "x" * 9_000: 1}, "invalid", "/ has a list at a, not one value"),
    ],
)
async def test_what_is_kept_of_each_reading_is_not_long(
    server: RecordingServer, body: dict[str, object], cause: str, detail: str
) -> None:
    """It stands in events, logs and messages, once a second perhaps."""
    server.answers["/"] = (200, json.dumps(body))
    reading = await read(server, {"kind": "http", "json": "a"})
    assert reading.cause == cause
    assert reading.detail.startswith(detail)
    assert len(reading.detail) <= 2_000
