"""A watch of a real Prometheus that is restarted, loses its target, or answers nonsense takes the right route."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from changewindow.cli.airflow_api import wait_for
from changewindow.sources.prometheus import EXAMPLE
from changewindow.systems.connection import Connection
from changewindow.watch.condition import Condition
from changewindow.watch.sampling import Sampling
from changewindow.watch.watch import Decided, Watched, watch
from servers.prometheus import Prometheus, running, slow_road

SHARE = 'sum(rate(orders_total{status="500"}[4s])) / sum(rate(orders_total[4s]))'
ERRORS = {"query": SHARE, "scraped": "orders_total", "scraped_within": "3s"}
SELECTOR = {"query": "idle_total", "scraped_within": "3s"}
COUNTERS = {"orders_total__200": 99.5, "orders_total__500": 0.5, "payments_total": 0.0, "idle_total": 0.0}


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Run one Prometheus for all: it takes five seconds until it scrapes."""
    with running(tmp_path_factory.mktemp("prometheus"), **COUNTERS) as made:
        yield made


@pytest.fixture
def prometheus(started: Prometheus) -> Prometheus:
    """Return it when all is well: the target is there, and was scraped twice and lately."""
    if not started.metrics.is_up:
        started.metrics.start()
    wait_for(lambda: 0 < (started.value(SHARE) or 0) < 0.01, "two scrapes", 20, 0.05)
    wait_for(lambda: (started.value("time() - timestamp(idle_total)") or 9) < 1.5, "a scrape", 20, 0.05)
    return started


async def watched(
    url: str,
    source: dict[str, Any],
    fault: Callable[[list[str]], object] | None = None,
    *,
    seconds: float = 6,
    since: datetime | None = None,
    tolerate: dict[str, int] | None = None,
) -> tuple[Decided, list[str]]:
    """Watch that the errors stay below 1 %, with a fault after a second; return what came out, and all readings."""

    async def connect(name: str) -> Connection:
        return Connection(name, "http", host=url)

    asked = {"kind": "prometheus", "connection": "metrics", **source}
    condition = {"name": "errors", "source": asked, "pass": {"below": 0.01}, "timeout": "2s", "failures": 2}
    known = Condition.model_validate({**condition, "tolerate": tolerate or {}})
    wanted = Watched(
        (known,),
        since=since or datetime.now(UTC) - timedelta(seconds=2),
        length=timedelta(seconds=seconds),
        sampling=Sampling(timedelta(seconds=0.25)),
        unknown="ask",
    )
    lines: list[str] = []
    watching = asyncio.create_task(watch(wanted, connect, log=lines.append, keep=lambda _: None))
    if fault:
        await asyncio.sleep(1)
        await asyncio.to_thread(fault, lines)
    return await watching, lines


def causes(lines: list[str]) -> set[str]:
    """Return the verdicts and causes of the readings."""
    return {line.split()[0] if "(" not in line.split("=")[0] else line.split("(")[1].split(")")[0] for line in lines}


async def test_what_is_good_passes(prometheus: Prometheus) -> None:
    """The answer is as old as the scrape, and yet newer than the step."""
    decided, _ = await watched(prometheus.url, ERRORS, seconds=1)
    assert decided.verdict == "pass", decided.reason


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        pytest.param("sum(rate(idle_total[4s])) / sum(rate(idle_total[4s]))", "nan, limit 0.01", id="0/0"),
        pytest.param(
            "rate(orders_total[4s])", "the query returned 2 series, one was expected; sum or filter", id="two"
        ),
        pytest.param("rate(orders_total[4s", "Prometheus refused the query: ", id="no PromQL"),
    ],
)
async def test_nonsense_is_asked_about(prometheus: Prometheus, query: str, reason: str) -> None:
    """No traffic, two series and a mistake are no number to judge."""
    decided, lines = await watched(prometheus.url, {"query": query})
    assert (decided.verdict, causes(lines)) == ("ask", {"invalid"})
    assert f"errors is not known: invalid, {reason}" in decided.reason


async def test_a_value_of_before_the_step_is_stale(prometheus: Prometheus) -> None:
    """The time of the scrape counts, not the time of asking: right after a step there is none yet."""
    before = prometheus.value("timestamp(idle_total)")
    wait_for(lambda: prometheus.value("timestamp(idle_total)") != before, "a scrape", 60, 0.01)
    ended = datetime.now(UTC)
    decided, lines = await watched(prometheus.url, SELECTOR, seconds=2, since=ended, tolerate={"stale": 50})
    assert "(stale) the newest value is from " in lines[0]
    assert decided.verdict == "pass", decided.reason


async def test_an_answer_that_takes_too_long_is_unreachable(prometheus: Prometheus) -> None:
    """Five seconds for the way back, two for an answer; what was good before does not help."""
    with slow_road(prometheus.port) as (port, slow_down):
        url = f"http://127.0.0.1:{port}"
        decided, lines = await watched(url, ERRORS, lambda _: slow_down(5), tolerate={"unreachable": 0})
    assert decided.verdict == "ask"
    assert "PASS" in causes(lines)
    assert "errors is not known: unreachable, no answer within 2 s (1 in a row, 0 allowed)" in decided.reason


async def test_what_becomes_bad_fails(prometheus: Prometheus) -> None:
    """Though it was good at first."""

    def break_it(_: list[str]) -> None:
        prometheus.metrics.grows["payments_total"] = 50

    source = {"query": "rate(payments_total[4s])", "scraped": "payments_total"}
    decided, lines = await watched(prometheus.url, source, break_it)
    assert decided.verdict == "fail", decided.reason
    assert "PASS" in causes(lines)


async def test_a_counter_that_is_reset_stays_good(prometheus: Prometheus) -> None:
    """The service was restarted; its rate is no less, and never negative."""
    decided, lines = await watched(prometheus.url, ERRORS, lambda _: prometheus.metrics.reset(), seconds=4)
    assert prometheus.value("resets(orders_total{status='200'}[10s])") == 1
    assert decided.verdict == "pass", decided.reason
    assert "FAIL" not in causes(lines)


async def test_a_target_that_is_gone_is_no_data(prometheus: Prometheus) -> None:
    """Prometheus marks what it cannot scrape any more; the old value never passes, nor does what goes on from it."""
    expression = {"query": 'orders_total{status="500"} * 0', "scraped": "orders_total"}
    outcomes = await asyncio.gather(
        watched(prometheus.url, ERRORS, lambda _: prometheus.metrics.stop()),
        watched(prometheus.url, expression),
        watched(prometheus.url, SELECTOR),
    )
    for decided, lines in outcomes:
        assert decided.verdict == "ask"
        assert "PASS" in causes(lines)
        assert "errors is not known: no_data, " in decided.reason
        assert "the query returned no series" in decided.reason
    assert "of what is scraped, orders_total: the query returned no series" in outcomes[0][0].reason


async def test_a_restart_in_the_middle_is_survived(prometheus: Prometheus) -> None:
    """It is unreachable for a moment, which is tolerated, and then goes on with what it had."""
    killed = []

    def restart(lines: list[str]) -> None:
        prometheus.kill()
        killed.append(datetime.now(UTC))
        wait_for(lambda: "unreachable" in causes(lines), "a reading without it", 60, 0.01)
        prometheus.start()

    patient = {"unreachable": 30, "stale": 30, "no_data": 30}
    decided, lines = await watched(prometheus.url, ERRORS, restart, tolerate=patient)
    assert decided.verdict == "pass", decided.reason
    assert decided.sample[0].at > killed[0], "it passes by what was scraped after the restart"
    assert "FAIL" not in causes(lines)


async def test_a_target_that_nobody_scrapes_any_more_is_stale(prometheus: Prometheus) -> None:
    """Nothing marks its end, so that Prometheus repeats its last value for five minutes as one of now."""

    def forget(_: list[str]) -> None:
        prometheus.kill()
        prometheus.scrape(is_wanted=False)
        prometheus.start()

    patient = {"unreachable": 20, "unknown": 30}
    long = {**ERRORS, "query": SHARE.replace("4s", "1m")}
    outcomes = await asyncio.gather(
        watched(prometheus.url, long, forget, tolerate=patient), watched(prometheus.url, SELECTOR, tolerate=patient)
    )
    assert 0 < (prometheus.value(long["query"]) or 0) < 0.01, "Prometheus goes on"
    assert prometheus.value("idle_total") == 0, "Prometheus repeats it"
    for decided, _ in outcomes:
        assert decided.verdict == "ask"
        assert "errors is not known: stale, the newest sample of " in decided.reason
        assert " s old, 3s allowed. Does Prometheus still scrape it?" in decided.reason


async def test_a_prometheus_that_stays_away_is_asked_about(started: Prometheus) -> None:
    """Nothing is known to be bad, so a person decides."""
    started.kill()
    decided, _ = await watched(started.url, ERRORS)
    assert decided.verdict == "ask"
    assert "errors is not known: unreachable, " in decided.reason


@pytest.mark.parametrize(
    "scraped", ["up", 'up{job="orders"}', "scrape_duration_seconds", "sum(orders_total)", "a or b"]
)
def test_what_says_nothing_about_the_scrape_is_refused(scraped: str) -> None:
    """An expression has the time of asking, and `up` is written for a target that is down."""
    with pytest.raises(ValidationError):
        Condition.model_validate({"name": "it", "source": {**EXAMPLE, "scraped": scraped}, "pass": {"below": 1}})
