"""What a change silences stays silenced while it is watched, and no watch waits for that."""

import asyncio
import json
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from changewindow.changes.silencing import Silencing
from changewindow.flow.triggerer.arguments import GoodArguments, WatchArguments
from changewindow.flow.triggers import GoodTrigger, WatchTrigger
from changewindow.ledger import leases
from changewindow.ledger.database import Ledger
from changewindow.watch.condition import Condition
from servers.silence_apis import Place, acts
from support.changes import NOW, approved, intent
from support.recording_server import RecordingServer, Reply
from support.tickets import banner, ticket

MUTED = {"kind": "grafana", "connection": "grafana", "matchers": ['service="orders"', 'severity="warning"']}
OPEN = "POST /api/alertmanager/grafana/api/v2/silences"
SECOND = timedelta(seconds=1)


@pytest.fixture
def held(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> Silencing:
    """Return what a run silences that holds its change."""
    fields = {"conn_type": "sqlite", "host": str(ledger.url.database)}
    monkeypatch.setenv("AIRFLOW_CONN_CHANGEWINDOW_LEDGER", json.dumps(fields))
    submitted = approved(ledger, banner(silence=[MUTED]))
    leases.start(ledger, submitted.change, intent(submitted.digest), targets=("production/orders",), now=NOW)
    made = Silencing.of(submitted.change, "run-1", ticket(silence=[MUTED]))
    assert made
    return made


def good(folder: Path) -> tuple[Condition, ...]:
    """Return a condition that is good."""
    (folder / "value").write_text("1\n")
    source = {"kind": "command", "run": ["cat", str(folder / "value")]}
    return (Condition.model_validate({"name": "file", "source": source, "pass": {"equals": 1}}),)


def watch(folder: Path, held: Silencing, length: timedelta) -> WatchTrigger:
    """Return a watch, as it comes out of Airflow's database."""
    arguments = WatchArguments(
        change=held.change,
        run=held.run,
        conditions=good(folder),
        since=datetime.now(UTC),
        length=length,
        every=SECOND / 5,
        at_first=length,
        later=None,
        unknown="fail",
        before={},
        silencing=held,
    )
    return WatchTrigger(**json.loads(json.dumps(WatchTrigger.of(arguments).serialize()[1])))


async def fired(trigger: Any) -> dict[str, Any]:
    """Return what a trigger fires."""
    async for event in trigger.run():
        return dict(event.payload)
    raise AssertionError("the trigger ended without firing")


def served(product: Place) -> RecordingServer:
    """Return the server behind a product."""
    assert product.server
    return product.server


async def test_it_is_renewed_while_the_change_is_watched(
    held: Silencing, product: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four times in its lease, and no more when the watch is over."""
    monkeypatch.setenv("CHANGEWINDOW_SILENCE_LEASE", "10")
    assert (await fired(watch(tmp_path, held, 4 * SECOND)))["verdict"] == "pass"
    assert acts(served(product)) == [OPEN, OPEN]
    await asyncio.sleep(0.1)  # it is cancelled and not waited for
    assert "_renew" not in {getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks()}


async def test_it_is_renewed_while_a_rollback_is_verified(held: Silencing, product: Place, tmp_path: Path) -> None:
    """Until all is as before."""
    arguments = GoodArguments(
        asker=held.change,
        conditions=good(tmp_path),
        every=SECOND,
        settle=2 * SECOND,
        deadline=datetime.now(UTC) + timedelta(minutes=1),
        before={},
        silencing=held,
    )
    assert (await fired(GoodTrigger.of(arguments)))["verdict"] == "pass"
    assert acts(served(product)) == [OPEN]


async def test_a_watch_does_not_wait_for_a_product_that_hangs(held: Silencing, product: Place, tmp_path: Path) -> None:
    """It reads as often as ever, and ends on time."""
    going_on = threading.Event()

    def late(_: object) -> Reply:
        going_on.wait(30)
        return Reply(is_lost=True)

    served(product).otherwise = late
    event = await asyncio.wait_for(fired(watch(tmp_path, held, SECOND)), 60)
    going_on.set()
    assert event["verdict"] == "pass"
    assert event["samples"] >= 4
