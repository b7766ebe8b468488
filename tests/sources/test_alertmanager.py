"""The source alertmanager, against the real one: alerts and silences are posted to its API."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from changewindow.cli.airflow_api import wait_for
from changewindow.sources.alertmanager import EXAMPLE
from changewindow.systems.connection import Connection
from changewindow.watch.condition import Condition
from changewindow.watch.reading import Reading
from servers.alertmanager import Alertmanager, running
from support.ask_source import asked
from support.recording_server import RecordingServer
from support.silencing import context, silence, term

ZERO = {"equals": 0}


@pytest.fixture
def server_of_alerts(tmp_path: Path) -> Iterator[Alertmanager]:
    """Run an Alertmanager that hears from a Prometheus."""
    with running(tmp_path) as made:
        made.fire(alertname="Watchdog", severity="none")
        yield made


def connection(url: str, **fields: Any) -> Connection:
    """Return the connection to it."""
    return Connection("example_alertmanager", "http", host=url, **fields)


async def count(of: Alertmanager, **fields: Any) -> Reading:
    """Return the reading of the example, with some fields changed."""
    return await asked({**EXAMPLE, **fields}, connection(of.url), good=ZERO)


async def test_alerts_that_fire_and_are_not_muted_are_counted(server_of_alerts: Alertmanager) -> None:
    """Neither those of others, nor resolved, silenced or inhibited ones."""
    assert (await count(server_of_alerts)).verdict == "pass"
    server_of_alerts.fire(alertname="Errors", service="orders", severity="page")
    server_of_alerts.fire(alertname="Latency", service="orders", severity="critical", pod="a")
    server_of_alerts.fire(alertname="Latency", service="orders", severity="critical", pod="b")
    server_of_alerts.fire(alertname="Errors", service="billing", severity="page")
    server_of_alerts.fire(alertname="Gone", service="orders", severity="page", minutes=-1)
    server_of_alerts.fire(alertname="Slow", service="orders", severity="ticket")
    wait_for(lambda: server_of_alerts.states().get("Slow") == "suppressed", "the inhibition")
    reading = await count(server_of_alerts)
    assert (reading.verdict, reading.value) == ("fail", 3)
    assert reading.detail == "good when equals 0 (Errors, Latency, Latency)"
    everything = await count(server_of_alerts, matchers=['service="orders"'])
    assert everything.value == 3
    server_of_alerts.silence(service="orders")
    wait_for(lambda: server_of_alerts.states().get("Latency") == "suppressed", "the silence")
    assert (await count(server_of_alerts)).value == 0


async def test_what_another_change_has_silenced_counts(server_of_alerts: Alertmanager) -> None:
    """People are not told, but a watch is: else one change could blind that of another. A person's silence holds."""
    server_of_alerts.fire(alertname="Errors", service="orders", severity="page")
    muted = silence(kind="alertmanager", connection="example_alertmanager", matchers=['severity="page"'])
    async with context(connection(server_of_alerts.url)) as used:
        await muted.open(used, term())
    wait_for(lambda: server_of_alerts.states().get("Errors") == "suppressed", "the silence")
    assert (await count(server_of_alerts)).value == 1
    server_of_alerts.silence(service="orders")
    wait_for(lambda: server_of_alerts.muting("Errors") == 2, "the other silence")
    assert (await count(server_of_alerts)).value == 0


async def test_without_a_heartbeat_silence_proves_nothing(tmp_path: Path) -> None:
    """Prometheus may be down; who has no such alert says so in the ticket."""
    with running(tmp_path) as silent:
        reading = await count(silent)
        assert reading.cause == "no_data"
        assert reading.detail == (
            'the heartbeat alertname="Watchdog" does not fire: nobody may be feeding Alertmanager. Is Prometheus up? '
            "Where there is no alert that always fires, create one (expr: vector(1)), or write `heartbeat: nothing`."
        )
        assert (await count(silent, heartbeat="nothing")).verdict == "pass"
        silent.fire(alertname="AlwaysOn")
        silent.silence(alertname="AlwaysOn")
        wait_for(lambda: silent.states().get("AlwaysOn") == "suppressed", "the silence")
        assert (await count(silent, heartbeat='alertname="AlwaysOn"')).verdict == "pass"


async def test_it_is_as_old_as_the_heartbeat(server_of_alerts: Alertmanager) -> None:
    """What Prometheus said before the last step ended says nothing about it."""
    ended = datetime.now(UTC) + timedelta(milliseconds=10)
    wait_for(lambda: datetime.now(UTC) > ended, "the end of the step")
    options = {"since": ended, "good": ZERO}
    assert (await asked(EXAMPLE, connection(server_of_alerts.url), **options)).cause == "stale"
    server_of_alerts.fire(alertname="Watchdog", severity="none")
    assert (await asked(EXAMPLE, connection(server_of_alerts.url), **options)).verdict == "pass"


async def test_a_bad_matcher_is_the_authors_to_correct(server_of_alerts: Alertmanager) -> None:
    """Alertmanager says what is wrong with it."""
    reading = await count(server_of_alerts, matchers=['service=~"("'])
    assert reading.cause == "invalid"
    assert reading.detail.startswith("Alertmanager does not understand the question (400 ")
    assert reading.detail.endswith("). Correct the ticket.")


async def test_signs_in_a_value_stand_in_double_quotes(server_of_alerts: Alertmanager) -> None:
    """As Alertmanager reads them."""
    server_of_alerts.fire(alertname="Errors", service='or"d, ers', severity="page")
    assert (await count(server_of_alerts, matchers=['service="or\\"d, ers"', "severity = page", 'team=""'])).value == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"matchers": []},
        {"matchers": ["orders"]},
        {"matchers": ["service='orders'"]},
        {"matchers": ["service=~ 'orders'"]},
        {"heartbeat": "Watchdog"},
    ],
)
def test_what_is_no_matcher_is_refused(changed: dict[str, Any]) -> None:
    """When the ticket is read."""
    with pytest.raises(ValidationError):
        Condition.model_validate({"name": "it", "source": {**EXAMPLE, **changed}, "pass": ZERO})


@pytest.mark.parametrize(
    ("fields", "header"),
    [
        ({}, None),
        ({"password": "s3cret"}, "Bearer s3cret"),
        ({"login": "robot", "password": "s3cret"}, "Basic cm9ib3Q6czNjcmV0"),
    ],
)
async def test_what_shows_who_asks(server: RecordingServer, fields: dict[str, str], header: str | None) -> None:
    """A proxy before it may want a token, or login and password."""
    server.otherwise = (200, "[]")
    await asked({**EXAMPLE, "heartbeat": "nothing"}, connection(server.url, **fields))
    assert {request.headers.get("Authorization") for request in server.requests} == {header}


async def test_a_heartbeat_from_the_future_makes_nothing_new(server: RecordingServer) -> None:
    """The clock of Alertmanager is ahead; without that, what it said before the step would count after it."""
    beat = {"labels": {"alertname": "Watchdog"}, "updatedAt": "2099-01-01T00:00:00Z"}
    server.otherwise = (200, json.dumps([beat]))
    ended = datetime.now(UTC) + timedelta(seconds=30)
    assert (await asked(EXAMPLE, connection(server.url), since=ended, good=ZERO)).cause == "stale"
