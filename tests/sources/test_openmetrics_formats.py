"""The source openmetrics: the formats in which metrics are exposed."""

import asyncio
import time
from typing import Any

import pytest

from changewindow.systems.connection import Connection
from changewindow.watch.reading import Reading
from support.ask_source import asked
from support.recording_server import RecordingServer

NEWER = "application/openmetrics-text; version=1.0.0; charset=utf-8"


async def reading(
    server: RecordingServer, text: str, kind: str = "text/plain; version=0.0.4", **fields: Any
) -> Reading:
    """Return the reading of a service that exposes a text of some format; good when it is 5."""
    server.headers["Content-Type"] = kind
    server.otherwise = (200, text)
    known = Connection("example_service", "http", host=server.url)
    source = {"kind": "openmetrics", "connection": "example_service", "metric": "requests", **fields}
    return await asked(source, known, good={"equals": 5})


@pytest.mark.parametrize(
    ("text", "metric"),
    [
        pytest.param(
            '# TYPE requests counter\nrequests_total 5 # {trace_id="a"} 0.5\n# EOF\n', "requests_total", id="a"
        ),
        pytest.param("# TYPE requests gauge\nrequests 5 {now}\n# EOF\n", "requests", id="a time in seconds"),
    ],
)
async def test_openmetrics(server: RecordingServer, text: str, metric: str) -> None:
    """Examples beside the samples are no times, and times are in seconds."""
    started = time.time()
    result = await reading(server, text.replace("{now}", f"{started:.3f}"), NEWER, metric=metric)
    assert result.verdict == "pass"
    assert result.at.timestamp() > started - 1


async def test_openmetrics_that_was_cut(server: RecordingServer) -> None:
    """What has no end may lack the series that are not good."""
    result = await reading(server, "# TYPE requests gauge\nrequests 5\n", NEWER)
    assert result.cause == "invalid"
    assert result.detail.endswith("/metrics does not speak the metrics format: Missing # EOF at end")


@pytest.mark.parametrize(
    ("reply", "cause"),
    [
        pytest.param("HTTP/1.0 200 OK\r\n\r\nrequests 5\n", None, id="whole"),
        pytest.param("HTTP/1.0 200 OK\r\n\r\nrequests 5", "invalid", id="of 512 only the 5"),
        pytest.param("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nrequests 5", None, id="as long as it says"),
        pytest.param("HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nrequests 5", "unreachable", id="too short"),
    ],
)
async def test_a_reply_that_broke_off_has_no_value(reply: str, cause: str | None) -> None:
    """The end of the connection is the end of a reply that has no length: its last number may lack digits."""

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(reply.encode())
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1") as service:
        known = Connection("example_service", "http", "127.0.0.1", service.sockets[0].getsockname()[1])
        source = {"kind": "openmetrics", "connection": "example_service", "metric": "requests"}
        result = await asked(source, known, good={"equals": 5})
    assert result.cause == cause, result.detail


@pytest.mark.parametrize("name", ["requests", "requests_total"])
async def test_a_counter_is_found_by_its_name(server: RecordingServer, name: str) -> None:
    """In the older format it need not end with `_total`."""
    result = await reading(server, f"# TYPE {name} counter\n{name} 5\n", metric=name)
    assert result.verdict == "pass"


@pytest.mark.parametrize(
    ("ago", "within", "cause"),
    [
        pytest.param(60, "2m", None, id="new enough"),
        pytest.param(3600, "2m", "stale", id="no longer collected"),
        pytest.param(3600, "2h", None, id="collected seldom"),
    ],
)
async def test_how_old_a_sample_may_be(server: RecordingServer, ago: int, within: str, cause: str | None) -> None:
    """Also before a change, when there is no step yet that a value must be newer than."""
    at = int((time.time() - ago) * 1000)
    result = await reading(server, f"requests 5 {at}\n", scraped_within=within)
    assert result.cause == cause
    if cause:
        assert result.detail.startswith("the least recent sample of requests is 36")
        assert result.detail.endswith(" s old, 2m allowed. Is it still collected?")
