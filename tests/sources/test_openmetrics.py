"""The source openmetrics: what it computes between two scrapes."""

import asyncio
from typing import Any

import pytest

from changewindow.connection import Connection
from changewindow.sharing import client
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
