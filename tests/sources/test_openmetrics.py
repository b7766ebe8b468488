"""The source openmetrics: what it computes between two scrapes."""

import asyncio
import math
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from changewindow.sources import openmetrics
from changewindow.systems.connection import Connection
from changewindow.systems.measurement import Answer, SourceContext, SourceError
from changewindow.systems.openmetrics import Scrape, usable
from changewindow.watch.shared_answers import client, sharing
from support.ask_source import asked as read
from support.recording_server import RecordingServer

COUNTER = 'requests_total{{status="200"}} {0}\nrequests_total{{status="503"}} {1}\n'
BUCKETS = 'took_bucket{{le="0.1"}} {0}\ntook_bucket{{le="0.2"}} {1}\ntook_bucket{{le="+Inf"}} {2}\n'


async def between(server: RecordingServer, first: str, second: str, **fields: Any) -> Answer:
    """Return the answer of a source to a second scrape that comes after the first."""

    async def connect(name: str) -> Connection:
        return Connection(name, "http", host=server.url)

    source = openmetrics.Source.model_validate({"connection": "service", **fields})
    async with client() as http:
        context = SourceContext(http, connect)
        server.answers["/metrics"] = (200, first)
        context.kept["scrapes"] = [await source._scrape(context)]
        await asyncio.sleep(0.02)
        server.answers["/metrics"] = (200, second)
        return await source.ask(context)


@pytest.mark.parametrize(
    ("older", "newer", "share"),
    [
        pytest.param((100, 0), (190, 10), 0.1, id="10 of 100 new requests failed"),
        pytest.param((100, 50), (200, 50), 0.0, id="old failures do not count"),
        pytest.param((1000, 500), (30, 10), 0.25, id="a reset counter begins at zero"),
    ],
)
async def test_a_share(server: RecordingServer, older: Any, newer: Any, share: float) -> None:
    """The part of the increase that matches."""
    asked = {"metric": "requests_total", "read": "share", "where": {"status": "5.."}}
    answer = await between(server, COUNTER.format(*older), COUNTER.format(*newer), **asked)
    assert answer.value == pytest.approx(share)


async def test_no_traffic_is_no_data(server: RecordingServer) -> None:
    """Nothing happened, so nothing is proven."""
    same = COUNTER.format(5, 0)
    with pytest.raises(SourceError, match="no traffic") as raised:
        await between(server, same, same, metric="requests_total", read="share", where={"status": "5.."})
    assert raised.value.cause == "no_data"


@pytest.mark.parametrize(
    ("counts", "quantile", "value"),
    [((100, 100, 100), 0.5, 0.05), ((0, 100, 100), 0.5, 0.15), ((50, 100, 100), 0.99, 0.198), ((0, 0, 9), 0.5, 0.2)],
)
async def test_a_quantile_is_that_of_promql(
    server: RecordingServer, counts: Any, quantile: float, value: float
) -> None:
    """Linear within a bucket; above the last bound, that bound."""
    asked = {"metric": "took", "read": "quantile", "quantile": quantile}
    answer = await between(server, BUCKETS.format(0, 0, 0), BUCKETS.format(*counts), **asked)
    assert answer.value == pytest.approx(value)


@pytest.mark.parametrize(("counts", "is_above"), [((50, 100, 100), False), ((0, 90, 100), True), ((0, 0, 9), True)])
async def test_a_quantile_above_the_last_bound_is_at_least_that(
    server: RecordingServer, counts: Any, *, is_above: bool
) -> None:
    """A minute of waiting reads as 0.2 s there, so a limit of 0.2 s is not kept by it: nobody knows."""
    asked = {"metric": "took", "read": "quantile"}
    answer = await between(server, BUCKETS.format(0, 0, 0), BUCKETS.format(*counts), **asked)
    assert answer.is_at_least == is_above
    assert ("above the last bound of its buckets" in answer.note) == is_above


async def test_a_value_is_of_one_series(server: RecordingServer) -> None:
    """Two series where one was asked are invalid."""
    two = COUNTER.format(1, 2)
    with pytest.raises(SourceError) as raised:
        await between(server, two, two, metric="requests_total")
    assert raised.value.cause == "invalid"


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
    server: RecordingServer, text: str, older: Any, newer: Any, *, asked: dict[str, Any], value: float
) -> None:
    """A service that is deployed is restarted: 3 of its first 50 requests failed, not 1 of 50."""
    where = {"where": {"status": "5.."}} if asked["read"] == "share" else {}
    answer = await between(server, text.format(*older), text.format(*newer), **asked, **where)
    assert answer.value == pytest.approx(value, abs=0.001)


async def test_a_reset_of_one_instance_is_none_of_the_others(server: RecordingServer) -> None:
    """Where several are collected in one place, the rest of them did not begin at zero."""
    text = 'requests_total{{instance="a",status="200"}} {0}\nrequests_total{{instance="b",status="500"}} {1}\n'
    asked = {"metric": "requests_total", "read": "share", "where": {"status": "5.."}}
    answer = await between(server, text.format(500, 1000), text.format(3, 1001), **asked)
    assert answer.value == pytest.approx(0.25)


async def test_a_sample_with_a_time_is_of_that_time(server: RecordingServer) -> None:
    """What federates or collects metrics exposes when each was true; an old one is not of now."""
    ago = int(time.time()) - 60
    old = f"up_since 1 {ago}000\n"
    answer = await between(server, old, old, metric="up_since")
    assert answer.at.timestamp() == ago


async def test_what_is_collected_seldom_is_compared_with_what_was_collected_before(server: RecordingServer) -> None:
    """Its times count, not those of the scrapes: 30 in 15 s, and asking twice adds nothing."""
    text, ago = "jobs_total {} {}000\n", int(time.time()) - 60
    asked = {"metric": "jobs_total", "read": "rate"}
    answer = await between(server, text.format(10, ago), text.format(40, ago + 15), **asked)
    assert (answer.value, answer.at.timestamp()) == (2, ago + 15)
    message = f"no values but those of {datetime.fromtimestamp(ago, UTC):%H:%M:%S} UTC, and a rate lies between two"
    with pytest.raises(SourceError, match=message) as raised:
        await between(server, text.format(10, ago), text.format(10, ago), **asked)
    assert raised.value.cause == "no_data"


def test_only_what_is_newer_than_the_step_is_compared() -> None:
    """Within the time that is wanted if possible, else with the last one before; a clock that went back starts anew."""
    kept: list[Scrape] = [(at, {}) for at in (1.0, 5.0, 8.0, 9.0)]
    newest: Scrape = (9.0, {})
    assert [at for at, _ in usable(kept, newest, since=0, over=4)] == [5, 8]
    assert [at for at, _ in usable(kept, newest, since=5, over=99)] == [8]
    assert [at for at, _ in usable(kept, newest, since=0, over=0.1)] == [8]
    assert not usable(kept, newest, since=9, over=99)
    assert not usable(kept, (0.5, {}), since=0, over=99)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("up 1 -1e300\n", "a time beside a sample is no time since 1970"),
        ("up 1 nan\n", "a time beside a sample is no time since 1970"),
        ('up{a="b"} 1\nup{a="b"} 2\n', 'up{"a": "b"} is there twice, with 1 and 2'),
    ],
)
async def test_a_sample_that_makes_no_sense_is_invalid(server: RecordingServer, text: str, message: str) -> None:
    """Whoever writes such an exposition proves nothing with it."""
    with pytest.raises(SourceError) as raised:
        await between(server, text, text, metric="up")
    assert (str(raised.value), raised.value.cause) == (message, "invalid")


async def test_a_number_that_is_too_large_ends_no_watch(server: RecordingServer) -> None:
    """It is a reading without a value."""
    server.answers["/metrics"] = (200, f"up 1{'0' * 400}\n")
    source = {"kind": "openmetrics", "connection": "it", "metric": "up"}
    reading = await read(source, Connection("it", "http", host=server.url))
    assert (reading.verdict, reading.cause) == ("error", "invalid")


async def test_a_clock_that_is_ahead_makes_nothing_new(server: RecordingServer) -> None:
    """A time in the future would be newer than every step."""
    ahead = "up 1 9000000000000\n"
    assert (await between(server, ahead, ahead, metric="up")).at <= datetime.now(UTC)


LAST = 'took_bucket{{le="+Inf"}} {0}\n'
SEVERAL = 'took_bucket{{route="/a",le="0.1"}} {0}\ntook_bucket{{route="/a",le="+Inf"}} {0}\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param('took_bucket{{le="0.1"}} {0}\n', "no bucket with le=", id="without the last bucket"),
        pytest.param(LAST + "took_count {0}\ntook_sum 900\n", "no bucket but le=", id="the last bucket alone"),
        pytest.param(LAST + "took_bucket {0}\n", "has no bound: {}", id="a bucket without a bound"),
        pytest.param(LAST + 'took_bucket{{le="NaN"}} {0}\n', 'no bound: {"le": "NaN"}', id="a bound that is no number"),
        pytest.param(LAST + 'took_bucket{{vmrange="1...2"}} {0}\n', "has no bound", id="buckets of VictoriaMetrics"),
        pytest.param(
            SEVERAL + SEVERAL.replace("/a", "/b").replace('"0.1"', '"0.5"'), "have different buckets", id="of two kinds"
        ),
    ],
)
async def test_a_histogram_that_is_not_whole_has_no_quantile(server: RecordingServer, text: str, message: str) -> None:
    """Nothing is known of how large its observations were, and 0 would look good."""
    with pytest.raises(SourceError, match=message) as raised:
        await between(server, text.format(0), text.format(100), metric="took", read="quantile")
    assert raised.value.cause == "invalid"


BELOW_ZERO = 'took_bucket{{le="-1"}} {0}\ntook_bucket{{le="0"}} {1}\ntook_bucket{{le="+Inf"}} {2}\n'


@pytest.mark.parametrize(
    ("text", "counts", "quantile", "value"),
    [
        pytest.param(BELOW_ZERO, (100, 100, 100), 0.5, -1, id="the lowest bound is the value where it is below zero"),
        pytest.param(BELOW_ZERO, (0, 100, 100), 0.5, -0.5, id="below zero it is linear above the lowest bound"),
        pytest.param(BELOW_ZERO.replace('"-1"', '"-2"'), (0, 0, 5), 0.5, 0, id="above all bounds it is the last"),
        pytest.param(BUCKETS, (100, 90, 100), 0.99, 0.099, id="a count that falls is taken for the one before"),
        pytest.param(BUCKETS, (50, 120, 100), 0.99, 0.1983, id="so is that of all observations"),
    ],
)
async def test_a_quantile_at_the_edges_is_that_of_promql(
    server: RecordingServer, text: str, counts: Any, *, quantile: float, value: float
) -> None:
    """The values are those of its bucketQuantile."""
    asked = {"metric": "took", "read": "quantile", "quantile": quantile}
    answer = await between(server, text.format(0, 0, 0), text.format(*counts), **asked)
    assert answer.value == pytest.approx(value, abs=0.0001)


async def test_a_count_that_is_no_number_gives_none(server: RecordingServer) -> None:
    """The reading is invalid, as any that cannot be compared."""
    asked = {"metric": "took", "read": "quantile"}
    answer = await between(server, BUCKETS.format(0, 0, 0), BUCKETS.format("NaN", 5, 9), **asked)
    assert math.isnan(float(answer.value))


@pytest.mark.parametrize(
    ("text", "asked", "message"),
    [
        pytest.param(
            COUNTER,
            {"read": "share", "where": {"stauts": "5.."}},
            "no series of requests_total has the label 'stauts'. Did you mean 'status'?",
            id="where",
        ),
        pytest.param(
            COUNTER,
            {"read": "share", "where": {"status": "5.."}, "among": {"route": "/"}},
            "no series of requests_total has the label 'route'. Allowed: status.",
            id="among",
        ),
        pytest.param(
            "requests_total {0}\n",
            {"read": "rate", "where": {"status": "5.."}},
            "no series of requests_total has the label 'status'. They have none.",
            id="no labels",
        ),
    ],
)
async def test_a_misspelt_label_is_no_good_share(
    server: RecordingServer, text: str, asked: dict[str, Any], message: str
) -> None:
    """No series of the metric has such a label, so nothing was measured."""
    with pytest.raises(SourceError) as raised:
        await between(server, text.format(1, 0), text.format(2, 9), metric="requests_total", **asked)
    assert (str(raised.value), raised.value.cause) == (message, "invalid")


@pytest.mark.parametrize("read", ["share", "rate"])
async def test_an_error_that_never_happened_has_no_series(server: RecordingServer, read: str) -> None:
    """Counters appear with their first error; until then there were none."""
    good = 'requests_total{{status="200"}} {}\n'
    asked = {"metric": "requests_total", "read": read, "where": {"status": "5.."}}
    assert (await between(server, good.format(5), good.format(9), **asked)).value == 0
    first = good.format(8) + 'requests_total{status="500"} 1\n'
    answer = await between(server, good.format(5), first, **asked)
    assert answer.value == pytest.approx(0.25) if read == "share" else float(answer.value) > 0


async def test_a_label_may_be_asked_to_be_missing(server: RecordingServer) -> None:
    """As in PromQL, a label that is not there is empty."""
    asked = {"metric": "requests_total", "read": "share", "where": {"status": "5..", "canary": ""}}
    assert (await between(server, COUNTER.format(0, 0), COUNTER.format(3, 1), **asked)).value == pytest.approx(0.25)


async def test_a_part_is_of_its_whole(server: RecordingServer) -> None:
    """Errors of other routes are no part of the requests of this one, so that no share is above 1."""
    text = 'requests_total{{route="/a",status="200"}} {0}\nrequests_total{{route="/b",status="500"}} {1}\n'
    asked = {"metric": "requests_total", "read": "share", "where": {"status": "5.."}, "among": {"route": "/a"}}
    assert (await between(server, text.format(0, 0), text.format(4, 9), **asked)).value == 0


def test_a_whole_of_no_share_is_refused() -> None:
    """`among` would be ignored."""
    asked = {"connection": "it", "metric": "requests_total", "read": "rate", "among": {"route": "/a"}}
    with pytest.raises(ValidationError, match="`among` has no meaning with `read: rate`"):
        openmetrics.Source.model_validate(asked)


async def test_who_began_later_gets_no_difference_to_before(server: RecordingServer) -> None:
    """Two watches share an answer, though one of them may compare with a scrape of before the step of the other."""

    async def connect(name: str) -> Connection:
        return Connection(name, "http", host=server.url)

    asked = {"connection": "it", "metric": "requests_total", "read": "share", "where": {"status": "5.."}}
    source = openmetrics.Source.model_validate(asked)
    server.answers["/metrics"] = (200, COUNTER.format(1000, 0))
    async with sharing(connect) as context:
        early = replace(context, kept={"scrapes": [await source._scrape(context)]})
        server.answers["/metrics"] = (200, COUNTER.format(1900, 0))
        late = replace(context, kept={}, since=context.now())
        await asyncio.sleep(0.01)
        first = asyncio.create_task(early.answer(source))
        await asyncio.sleep(0.01)
        with pytest.raises(SourceError, match="no traffic"):
            await late.answer(source)
        await first


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        pytest.param("# TYPE queue gauge\nqueue {0}\n", {"metric": "queue", "read": "rate"}, id="a gauge"),
        pytest.param(
            '# TYPE took summary\ntook{{quantile="0.99"}} {0}\ntook_count 5\n',
            {"metric": "took", "read": "rate"},
            id="the quantiles of a summary",
        ),
    ],
)
async def test_what_is_no_counter_has_no_increase(server: RecordingServer, text: str, asked: dict[str, Any]) -> None:
    """Its falling would be taken for a reset."""
    with pytest.raises(SourceError, match="which falls too; it has a value, but no increase") as raised:
        await between(server, text.format(9), text.format(5), **asked)
    assert raised.value.cause == "invalid"


async def test_the_count_of_a_summary_is_a_counter(server: RecordingServer) -> None:
    """As is its sum."""
    text = '# TYPE took summary\ntook{{quantile="0.99"}} 1\ntook_count {0}\n'
    assert float((await between(server, text.format(5), text.format(9), metric="took_count", read="rate")).value) > 0


async def test_an_exposition_from_a_cache_is_as_old_as_it_says(server: RecordingServer) -> None:
    """A proxy between may keep it."""
    server.headers["Age"] = "30"
    answer = await between(server, "up_since 1\n", "up_since 1\n", metric="up_since")
    assert 29 < (datetime.now(UTC) - answer.at).total_seconds() < 60
    server.headers["Age"] = "300"
    with pytest.raises(SourceError, match="a cache, which has kept the reply for 300 s") as raised:
        await between(server, "up_since 1\n", "up_since 1\n", metric="up_since")
    assert raised.value.cause == "stale"
