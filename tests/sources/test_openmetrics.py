"""The source openmetrics: what it computes between two scrapes."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from changewindow.connection import Connection
from changewindow.sharing import client, sharing
from changewindow.sources import openmetrics
from changewindow.sources.base import Answer, Asking, SourceError
from known import Told

COUNTER = 'requests_total{{status="200"}} {0}\nrequests_total{{status="503"}} {1}\n'
BUCKETS = 'took_bucket{{le="0.1"}} {0}\ntook_bucket{{le="0.2"}} {1}\ntook_bucket{{le="+Inf"}} {2}\n'


async def between(server: Told, first: str, second: str, **fields: Any) -> Answer:
    """Return the answer of a source to a second scrape that comes after the first."""

    async def connect(name: str) -> Connection:
        return Connection(name, "http", host=server.url)

    source = openmetrics.Source.model_validate({"connection": "service", **fields})
    async with client() as http:
        asking = Asking(http, connect)
        server.answers["/metrics"] = (200, first)
        asking.kept["scrapes"] = [await source._scrape(asking)]
        await asyncio.sleep(0.02)
        server.answers["/metrics"] = (200, second)
        return await source.ask(asking)


@pytest.mark.parametrize(
    ("older", "newer", "share"),
    [
        pytest.param((100, 0), (190, 10), 0.1, id="10 of 100 new requests failed"),
        pytest.param((100, 50), (200, 50), 0.0, id="old failures do not count"),
        pytest.param((1000, 500), (30, 10), 0.25, id="a reset counter begins at zero"),
    ],
)
async def test_a_share(server: Told, older: Any, newer: Any, share: float) -> None:
    """The part of the increase that matches."""
    asked = {"metric": "requests_total", "read": "share", "where": {"status": "5.."}}
    answer = await between(server, COUNTER.format(*older), COUNTER.format(*newer), **asked)
    assert answer.value == pytest.approx(share)


async def test_no_traffic_is_no_data(server: Told) -> None:
    """Nothing happened, so nothing is proven."""
    same = COUNTER.format(5, 0)
    with pytest.raises(SourceError, match="no traffic") as raised:
        await between(server, same, same, metric="requests_total", read="share", where={"status": "5.."})
    assert raised.value.cause == "no_data"


@pytest.mark.parametrize(
    ("counts", "quantile", "value"),
    [((100, 100, 100), 0.5, 0.05), ((0, 100, 100), 0.5, 0.15), ((50, 100, 100), 0.99, 0.198), ((0, 0, 9), 0.5, 0.2)],
)
async def test_a_quantile_is_that_of_promql(server: Told, counts: Any, quantile: float, value: float) -> None:
    """Linear within a bucket; above the last bound, that bound."""
    asked = {"metric": "took", "read": "quantile", "quantile": quantile}
    answer = await between(server, BUCKETS.format(0, 0, 0), BUCKETS.format(*counts), **asked)
    assert answer.value == pytest.approx(value)


async def test_a_value_is_of_one_series(server: Told) -> None:
    """Two series where one was asked are invalid."""
    two = COUNTER.format(1, 2)
    with pytest.raises(SourceError) as raised:
        await between(server, two, two, metric="requests_total")
    assert raised.value.cause == "invalid"


@pytest.mark.xfail(strict=True, reason="a reset is looked for in each sum alone, though all of them began at zero")
@pytest.mark.parametrize(
    ("text", "older", "newer", "asked", "value"),
    [
        pytest.param(COUNTER, (998, 2), (47, 3), {"metric": "requests_total", "read": "share"}, 0.06, id="share"),
        pytest.param(
            BUCKETS,
            (5, 5, 100),
            (6, 6, 10),
            {"metric": "took", "read": "quantile", "quantile": 0.5},
            0.0833,
            id="quantile",
        ),
    ],
)
async def test_a_reset_is_one_of_all_counters(
    server: Told, text: str, older: Any, newer: Any, *, asked: dict[str, Any], value: float
) -> None:
    """A service that is deployed is restarted: 3 of its first 50 requests failed, not 1 of 50."""
    where = {"where": {"status": "5.."}} if asked["read"] == "share" else {}
    answer = await between(server, text.format(*older), text.format(*newer), **asked, **where)
    assert answer.value == pytest.approx(value, abs=0.001)


@pytest.mark.xfail(strict=True, reason="a time beside a sample is ignored")
async def test_a_sample_with_a_time_is_of_that_time(server: Told) -> None:
    """What federates or collects metrics exposes when each was true; an old one is not of now."""
    old = "up_since 1 1000000000000\n"
    answer = await between(server, old, old, metric="up_since")
    assert answer.at.year == 2001


@pytest.mark.xfail(strict=True, reason="labels that no series has are taken for series that do not exist yet")
async def test_a_misspelt_label_is_no_good_share(server: Told) -> None:
    """No series of the metric has such a label, so nothing was measured."""
    asked = {"metric": "requests_total", "read": "share", "where": {"stauts": "5.."}}
    with pytest.raises(SourceError):
        await between(server, COUNTER.format(1, 0), COUNTER.format(2, 9), **asked)


@pytest.mark.xfail(strict=True, reason="the answer depends on the scrapes that its asker has kept")
async def test_who_began_later_gets_no_difference_to_before(server: Told) -> None:
    """Two watches share an answer, though one of them may compare with a scrape of before the step of the other."""

    async def connect(name: str) -> Connection:
        return Connection(name, "http", host=server.url)

    asked = {"connection": "it", "metric": "requests_total", "read": "share", "where": {"status": "5.."}}
    source = openmetrics.Source.model_validate(asked)
    server.answers["/metrics"] = (200, COUNTER.format(1000, 0))
    async with sharing(connect) as asking:
        early = replace(asking, kept={"scrapes": [await source._scrape(asking)]})
        server.answers["/metrics"] = (200, COUNTER.format(1900, 0))
        late = replace(asking, kept={}, since=asking.now())
        await asyncio.sleep(0.01)
        first = asyncio.create_task(early.answer(source))
        await asyncio.sleep(0.01)
        with pytest.raises(SourceError, match="no traffic"):
            await late.answer(source)
        await first
