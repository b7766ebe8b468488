"""The source http: what it reads of a reply."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from changewindow.sources.http import EXAMPLE
from changewindow.systems import measurement
from changewindow.systems.connection import Connection
from changewindow.watch.condition import Condition
from changewindow.watch.shared_answers import client
from support.ask_source import asked
from support.recording_server import RecordingServer


async def test_json_that_python_cannot_parse_is_invalid(server: RecordingServer) -> None:
    """Ten thousand lists in lists end no watch."""
    server.otherwise = (200, "[" * 100_000)
    reading = await asked({**EXAMPLE, "read": "json"}, Connection("example_service", "http", host=server.url))
    assert (reading.verdict, reading.cause) == ("error", "invalid")


def test_a_path_is_read() -> None:
    """`pass: {above: 5}` would hold for the status 200, whatever the reply says."""
    source: dict[str, Any] = {"kind": "http", "connection": "example_service", "path": "/health", "json": "pool.open"}
    condition = Condition.model_validate({"name": "it", "source": source, "pass": {"above": 5}})
    assert condition.source.description() == "json pool.open of GET /health at example_service"
    message = "`json` is not read with `read: status`. Write `read: json`, or remove `json`"
    with pytest.raises(ValidationError, match=message):
        Condition.model_validate({"name": "it", "source": {**source, "read": "status"}, "pass": {"above": 5}})


@pytest.mark.parametrize(
    ("read", "reply", "verdict", "cause", "message"),
    [
        pytest.param({"json": "up"}, (200, '{"up": 1}'), "pass", None, "good when equals 1", id="a value"),
        pytest.param(
            {"json": "up"},
            (503, '{"up": 0}'),
            "fail",
            None,
            "good when equals 1 (from a reply with status 503)",
            id="a service says that it is not well",
        ),
        pytest.param(
            {"json": "up"},
            (500, '{"error": "x"}'),
            "error",
            "unreachable",
            "/health (status 500): the reply has nothing at up (no 'up')",
            id="a server fails",
        ),
        pytest.param(
            {"json": "up"},
            (502, "Bad Gateway"),
            "error",
            "unreachable",
            "/health (status 502) did not reply with JSON: 'Bad Gateway'",
            id="a proxy has no server",
        ),
        pytest.param(
            {"json": "up"},
            (200, "{}"),
            "error",
            "no_data",
            "/health: the reply has nothing at up (no 'up')",
            id="nothing",
        ),
        pytest.param(
            {"read": "latency"},
            (500, ""),
            "error",
            "unreachable",
            "{url}/health answered 500, and the latency of an error proves nothing",
            id="a quick error",
        ),
        pytest.param(
            {"read": "latency"},
            (404, ""),
            "error",
            "invalid",
            "{url}/health answered 404, and the latency of an error proves nothing",
            id="a path that is not there",
        ),
        pytest.param({"read": "status"}, (500, ""), "fail", None, "good when equals 1", id="the status is an answer"),
    ],
)
async def test_what_the_reply_of_a_status_proves(
    server: RecordingServer,
    read: dict[str, str],
    reply: tuple[int, str],
    verdict: str,
    *,
    cause: str | None,
    message: str,
) -> None:
    """A value is an answer whatever the status; the time that an error took is none."""
    server.answers["/health"] = reply
    source = {"kind": "http", "connection": "it", "path": "/health", **read}
    reading = await asked(source, Connection("it", "http", host=server.url))
    assert (reading.verdict, reading.cause) == (verdict, cause)
    assert reading.detail == message.format(url=server.url)


async def test_the_latency_of_a_good_reply_is_measured_in_seconds(server: RecordingServer) -> None:
    """Also that of a redirect, which is not followed."""
    for status in (200, 302):
        server.otherwise = (status, "")
        source = {"kind": "http", "connection": "it", "read": "latency"}
        reading = await asked(source, Connection("it", "http", host=server.url), good={"between": (0, 3)})
        assert reading.verdict == "pass"


@pytest.mark.parametrize("charset", ["hex", "undefined", "idna", "utf-16", "none"])
async def test_a_charset_of_which_python_makes_something_else(server: RecordingServer, charset: str) -> None:
    """JSON is UTF-8, and no header ends a watch."""
    server.headers["Content-Type"] = f"application/json; charset={charset}"
    server.otherwise = (200, '{"state": "für alle"}')
    source = {"kind": "http", "connection": "it", "json": "state"}
    reading = await asked(source, Connection("it", "http", host=server.url), good={"equals": "für alle"})
    assert reading.verdict == "pass"


async def test_no_cookie_is_kept(server: RecordingServer) -> None:
    """The session of one account would sign in another one whose password is wrong."""
    server.headers["Set-Cookie"] = "session=of-somebody; Path=/"
    async with client() as http:
        for _ in range(2):
            await http.get(server.url)
    assert "Cookie" not in server.requests[-1].headers


async def test_a_reply_without_end_is_not_read_to_its_end(
    server: RecordingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All watches share one process and its memory."""
    monkeypatch.setattr(measurement, "LARGEST", 2 << 20)
    server.otherwise = (200, "0" * (3 << 20))
    reading = await asked(EXAMPLE, Connection("example_service", "http", host=server.url))
    assert reading.cause == "invalid"
    assert reading.detail == f"{server.url}/health: the reply is larger than 2 MiB; ask for less"


@pytest.mark.parametrize(
    ("extra", "header"),
    [({"scheme": "Bearer"}, ("Authorization", "Bearer s3cret")), ({"header": "X-API-Key"}, ("X-API-Key", "s3cret"))],
)
async def test_how_a_service_wants_to_be_signed(
    server: RecordingServer, extra: dict[str, str], header: tuple[str, str]
) -> None:
    """A token goes where the connection says, and nowhere else."""
    server.otherwise = (200, "")
    await asked(EXAMPLE, Connection("example_service", "http", host=server.url, password="s3cret", extra=extra))
    sent = server.requests[-1].headers
    assert sent[header[0]] == header[1]
    assert sent.get("Authorization", header[1]) == header[1]


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"equals": "200"}, "good when equals 200 (200 is a number, but the ticket compares it with something else: "),
        ({"above": 1}, "minimum 1 ('v2' is text, but the ticket compares it with something else: "),
    ],
)
async def test_a_value_of_another_kind_says_so(server: RecordingServer, limits: dict[str, Any], message: str) -> None:
    """`equals: "200"` is text; without the sentence, the reading looks good though it is none."""
    server.otherwise = (200, '{"version": "v2"}')
    field = {"read": "status"} if "equals" in limits else {"json": "version"}
    source = {"kind": "http", "connection": "example_service", **field}
    reading = await asked(source, Connection("example_service", "http", host=server.url), good=limits)
    assert reading.cause == "invalid"
    rest = "write numbers, true and false without quotes; only numbers can be above, below or between)"
    assert reading.detail == message + rest


@pytest.mark.parametrize("read", [{"read": "status"}, {"json": "up"}])
@pytest.mark.parametrize(
    ("age", "ended", "cause"),
    [
        pytest.param("0", 1, None, id="from the service"),
        pytest.param("30", 60, None, id="kept since the step"),
        pytest.param("30", 10, "stale", id="kept since before the step"),
        pytest.param("3600", None, "stale", id="kept for an hour, before a change"),
        pytest.param("soon", 1, None, id="no age"),
    ],
)
async def test_a_reply_from_a_cache_is_as_old_as_it_says(
    server: RecordingServer, read: dict[str, str], age: str, *, ended: int | None, cause: str | None
) -> None:
    """The service may have failed since."""
    server.headers["Age"], server.otherwise = age, (200, '{"up": 200}')
    source = {"kind": "http", "connection": "it", **read}
    since = datetime.now(UTC) - timedelta(seconds=ended) if ended else None
    reading = await asked(source, Connection("it", "http", host=server.url), since=since, good={"equals": 200})
    assert reading.cause == cause
    if age == "3600":
        message = "a cache, which has kept the reply for 3600 s. Let the connection lead to the service itself"
        assert reading.detail == f"{server.url}/ was answered by {message}"


async def test_the_latency_of_a_cache_is_not_that_of_the_service(server: RecordingServer) -> None:
    """It is always quick."""
    server.headers["Age"], server.otherwise = "5", (200, "")
    source = {"kind": "http", "connection": "it", "read": "latency"}
    reading = await asked(source, Connection("it", "http", host=server.url), good={"below": 9})
    assert (reading.value, reading.cause) == (None, "stale")
