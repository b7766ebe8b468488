"""The source prometheus, against a local server that speaks its API."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sources.test_every_source import read
from support.recording_server import RecordingServer

QUERY = {"kind": "prometheus", "connection": "metrics", "query": "max(up)"}


def vector(*values: str) -> dict[str, Any]:
    """Return the reply to an instant query with one series per value."""
    result = [{"metric": {"n": str(place)}, "value": [2e9, value]} for place, value in enumerate(values)]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}


CASES = [
    (200, vector("1"), 1.0, None),
    (200, {"status": "success", "data": {"resultType": "scalar", "result": [2e9, "0.25"]}}, 0.25, None),
    (200, vector(), None, "no_data"),
    (200, vector("1", "2"), None, "invalid"),
    (200, vector("NaN"), None, "invalid"),
    (200, vector("+Inf"), None, "invalid"),
    (400, {"status": "error", "error": "parse error"}, None, "invalid"),
    (503, {"status": "error", "error": "not ready"}, None, "unreachable"),
    (200, {**vector("1"), "warnings": ["one of two stores did not answer"]}, None, "invalid"),
    (200, {**vector("0.01"), "isPartial": True}, None, "invalid"),
    (200, {**vector("0.01"), "isPartial": False, "infos": ["it may be no counter"]}, 0.01, None),
    (200, {**vector("0.01"), "partial": True}, None, "invalid"),
    (200, {"status": "success", "data": {**vector("0.01")["data"], "partialResponse": True}}, None, "invalid"),
    (200, {**vector(), "isPartial": True}, None, "invalid"),
]


@pytest.mark.parametrize(("status", "reply", "value", "cause"), CASES)
async def test_a_reply_means(
    server: RecordingServer, *, status: int, reply: Any, value: float | None, cause: str | None
) -> None:
    """One number is a value; nothing, several, and what is no number are different errors."""
    server.answers["/api/v1/query"] = (status, json.dumps(reply))
    reading = await read(server.url, QUERY)
    assert reading.cause == cause
    assert cause or reading.value == value


async def test_an_answer_without_a_part_says_what_to_look_for(server: RecordingServer) -> None:
    """Whoever reads it knows that the service is not the one to look at."""
    server.answers["/api/v1/query"] = (200, json.dumps({**vector("0.01"), "isPartial": True}))
    reading = await read(server.url, QUERY)
    message = "the answer is not complete: it says `isPartial`. Find out which part of its storage does not answer"
    assert (reading.value, reading.cause, reading.detail) == (None, "invalid", message)


async def test_raw_samples_are_no_value_of_this_moment(server: RecordingServer) -> None:
    """An average of what was scraped in five minutes is not what was asked for."""
    result = [{"metric": {}, "values": [[2e9 - 60, "0"], [2e9, "100"]]}]
    reply = {"status": "success", "data": {"resultType": "matrix", "result": result}}
    server.answers["/api/v1/query"] = (200, json.dumps(reply))
    reading = await read(server.url, {**QUERY, "query": "load[5m]"})
    message = "raw samples of a time, one number was expected; take avg_over_time, max_over_time or rate of it"
    assert (reading.cause, reading.detail) == ("invalid", f"the query returned the {message}")


async def test_a_range_with_gaps_says_so(server: RecordingServer) -> None:
    """Three values of an hour are few, and somebody should know."""
    server.answers["/api/v1/query_range"] = (200, json.dumps(over("1", "1", "1")))
    reading = await read(server.url, {**QUERY, "range": "1h", "step": "1m"})
    assert reading.detail.endswith("(3 of 61 values, the others are missing)")
    assert "missing" not in (await read(server.url, {**QUERY, "range": "45s"})).detail


async def test_histograms_among_the_values_of_a_range_are_no_numbers(server: RecordingServer) -> None:
    """The values beside them are those of another time."""
    reply = over("1", "1")
    reply["data"]["result"][0]["histograms"] = [[2e9, {"count": "1", "sum": "2"}]]
    server.answers["/api/v1/query_range"] = (200, json.dumps(reply))
    assert (await read(server.url, {**QUERY, "range": "5m"})).cause == "invalid"


@pytest.mark.parametrize(("reduce", "value"), [("average", 2.0), ("highest", 4.0), ("lowest", 0.0), ("last", 2.0)])
async def test_a_range_becomes_one_number(server: RecordingServer, reduce: str, value: float) -> None:
    """The values of a range are reduced as the ticket says."""
    pairs = [[2e9, "0"], [2e9 + 1, "4"], [2e9 + 2, "2"]]
    result = [{"metric": {}, "values": pairs}]
    reply = {"status": "success", "data": {"resultType": "matrix", "result": result}}
    server.answers["/api/v1/query_range"] = (200, json.dumps(reply))
    reading = await read(server.url, {**QUERY, "range": "5m", "reduce": reduce})
    assert reading.value == value


@pytest.mark.parametrize(
    ("seconds", "cause"),
    [
        pytest.param(1, "stale", id="older than the end of the last step"),
        pytest.param(0, "stale", id="of the very moment of its end"),
        pytest.param(-1, None, id="newer"),
    ],
)
async def test_only_a_newer_value_counts(server: RecordingServer, seconds: int, cause: str | None) -> None:
    """What was measured before the change had its effect says nothing about it."""
    server.answers["/api/v1/query"] = (200, json.dumps(vector("1")))
    ended = datetime.fromtimestamp(2e9 + seconds, UTC)
    reading = await read(server.url, QUERY, newer_than=ended)
    assert reading.cause == cause


def over(*values: str, ago: float = 0.0) -> dict[str, Any]:
    """Return the reply to a query over a range, whose last value is so many seconds old."""
    last = datetime.now(UTC).timestamp() - ago
    pairs = [[last - 15 * place, value] for place, value in enumerate(reversed(values))]
    return {"status": "success", "data": {"resultType": "matrix", "result": [{"metric": {}, "values": pairs[::-1]}]}}


@pytest.mark.parametrize("values", [("NaN", "1"), ("1", "NaN"), ("0", "NaN", "1"), ("+Inf", "1"), ("1", "-Inf")])
@pytest.mark.parametrize("reduce", ["average", "highest", "lowest"])
async def test_not_a_number_is_in_no_order(server: RecordingServer, reduce: str, values: tuple[str, ...]) -> None:
    """Wherever in a range it stands, the highest and the lowest of it are unknown."""
    server.answers["/api/v1/query_range"] = (200, json.dumps(over(*values)))
    reading = await read(server.url, {**QUERY, "range": "5m", "reduce": reduce})
    assert reading.cause == "invalid"


@pytest.mark.parametrize(("ago", "cause"), [(1, None), (100, None), (200, "stale"), (2000, "stale")])
async def test_a_range_that_ended_long_ago_is_stale(server: RecordingServer, ago: float, cause: str | None) -> None:
    """Also before a change, when there is no step yet that a value must be newer than."""
    server.answers["/api/v1/query_range"] = (200, json.dumps(over("1", "1", ago=ago)))
    reading = await read(server.url, {**QUERY, "range": "1h"})
    assert reading.cause == cause
    if cause:
        assert reading.detail.endswith(" s ago, 2m allowed. Is it still scraped?")


async def test_a_histogram_is_no_number(server: RecordingServer) -> None:
    """What would make it one is said."""
    result = [{"metric": {}, "histogram": [2e9, {"count": "1", "sum": "2"}]}]
    reply = {"status": "success", "data": {"resultType": "vector", "result": result}}
    server.answers["/api/v1/query"] = (200, json.dumps(reply))
    reading = await read(server.url, {**QUERY, "query": "sum(took)"})
    assert (reading.cause, reading.detail) == (
        "invalid",
        "the query returned a histogram, a number was expected; take histogram_quantile or histogram_count of it",
    )


def instant(ago: float) -> dict[str, Any]:
    """Return the reply to an instant query that was evaluated so many seconds ago."""
    at = datetime.now(UTC).timestamp() - ago
    return {"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [at, "1"]}]}}


@pytest.mark.parametrize(("ago", "cause"), [(0, None), (100, None), (200, "stale")])
async def test_an_answer_of_long_ago_is_stale(server: RecordingServer, ago: float, cause: str | None) -> None:
    """A cache in front of Prometheus has kept it; its time says so, also before there is a step."""
    server.answers["/api/v1/query"] = (200, json.dumps(instant(ago)))
    assert (await read(server.url, QUERY)).cause == cause


async def test_a_clock_that_is_ahead_makes_no_old_sample_new(server: RecordingServer) -> None:
    """What was scraped a minute ago, by Prometheus' clock, is older than a step that ended half a minute ago."""
    now = datetime.now(UTC)
    sample = {"metric": {}, "value": [now.timestamp() + 600, str(now.timestamp() + 540)]}
    reply = {"status": "success", "data": {"resultType": "vector", "result": [sample]}}
    server.answers["/api/v1/query"] = (200, json.dumps(reply))
    asked = {**QUERY, "scraped": "http_requests_total"}
    assert (await read(server.url, asked, newer_than=now - timedelta(seconds=30))).cause == "stale"
    assert (await read(server.url, asked, newer_than=now - timedelta(seconds=90))).cause is None
