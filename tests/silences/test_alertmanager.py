"""Silences in a real Alertmanager: opened, renewed under the same id, ended, and gone when nobody renews them."""

import json
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from changewindow.cli.airflow_api import wait_for
from changewindow.systems.connection import Connection
from servers.alertmanager import Alertmanager, running
from support.silencing import context, silence, term

ORDERS = ['service="orders"', 'alertname=~"Pod.*"', 'path!="a\\"b"']
SECOND = timedelta(seconds=1)
MUTED = silence(kind="alertmanager", connection="alerts", matchers=ORDERS)


@pytest.fixture(scope="module")
def alerts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alertmanager]:
    """Run one for all tests of this file, with an alert that is to be silenced and one that is not."""
    with running(tmp_path_factory.mktemp("alertmanager")) as made:
        made.fire(alertname="PodRestarts", service="orders")
        made.fire(alertname="Errors", service="orders")
        yield made


def connection(alerts: Alertmanager) -> Connection:
    """Return the connection to it."""
    return Connection("alerts", "http", host=alerts.url)


def state(alerts: Alertmanager, expected: str) -> None:
    """Wait until the alert is in a state; the other one is never silenced."""
    wait_for(lambda: alerts.states()["PodRestarts"] == expected, f"it to be {expected}", 20)
    assert alerts.states()["Errors"] == "active"


def amtool(alerts: Alertmanager, *arguments: str) -> list[dict[str, Any]]:
    """Return the silences that Alertmanager's own tool shows."""
    command = ["amtool", "silence", f"--alertmanager.url={alerts.url}", *arguments, "-o", "json"]
    shown: list[dict[str, Any]] = json.loads(subprocess.check_output(command, text=True) or "[]")
    return shown


def expire(alerts: Alertmanager, name: str) -> None:
    """End a silence as a person does."""
    subprocess.run(["amtool", "silence", "expire", f"--alertmanager.url={alerts.url}", name], check=True)


async def test_a_silence_is_opened_renewed_and_ended(alerts: Alertmanager) -> None:
    """Under one id all the time; its comment says whose it is, and until when it lasts."""
    async with context(connection(alerts)) as used:
        first = term("CHG-1 (run, silence 1)")
        name = await MUTED.open(used, first)
        state(alerts, "suppressed")
        [shown] = amtool(alerts, "query")
        assert (shown["id"], shown["createdBy"]) == (name, "changewindow")
        assert (
            shown["comment"] == f"CHG-1 (run, silence 1), until {first.until:%Y-%m-%dT%H:%M:%SZ}: Switch the banner on."
        )
        [held] = await MUTED.held(used, first)
        assert held.is_as_left
        longer = term("CHG-1 (run, silence 1)", timedelta(minutes=9))
        assert await MUTED.renew(used, longer, held) == name
        [held] = await MUTED.held(used, longer)
        assert abs(held.ends - longer.until) <= SECOND
        assert (held.id, held.is_as_left, held.is_over) == (name, True, False)
        await MUTED.end(used, held)
        state(alerts, "active")
        [over] = await MUTED.held(used, longer)
        assert (over.is_over, over.is_as_left) == (True, False)


async def test_a_silence_that_nobody_renews_lapses(alerts: Alertmanager) -> None:
    """Alertmanager needs nobody for that, and it is not taken for one that a person has ended."""
    async with context(connection(alerts)) as used:
        short = term("CHG-2 (run, silence 1)", timedelta(seconds=2))
        await MUTED.open(used, short)
        state(alerts, "suppressed")
        state(alerts, "active")
        [over] = await MUTED.held(used, short)
        assert (over.is_over, over.is_as_left) == (True, True)


async def test_two_changes_that_silence_the_same_alert_leave_each_others(alerts: Alertmanager) -> None:
    """The alert is silenced until both have ended; not even the number of the silence is taken for another."""
    async with context(connection(alerts)) as used:
        ours, theirs = term("CHG-3 (run, silence 1)"), term("CHG-3 (run, silence 11)")
        await MUTED.open(used, ours)
        other = await MUTED.open(used, theirs)
        for held in await MUTED.held(used, ours):
            await MUTED.end(used, held)
        wait_for(lambda: len(amtool(alerts, "query")) == 1, "the end of one")
        state(alerts, "suppressed")
        [left] = await MUTED.held(used, theirs)
        assert (left.id, left.is_over) == (other, False)
        await MUTED.end(used, left)
        state(alerts, "active")


async def test_what_a_person_ends_is_seen(alerts: Alertmanager) -> None:
    """With Alertmanager's own tool; it ends before its comment says."""
    async with context(connection(alerts)) as used:
        ours = term("CHG-4 (run, silence 1)")
        name = await MUTED.open(used, ours)
        expire(alerts, name)
        [over] = await MUTED.held(used, ours)
        assert (over.is_over, over.is_as_left) == (True, False)
        await MUTED.end(used, over)
