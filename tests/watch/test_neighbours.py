"""Two changes on one loop: what the ticket of one asks for does not delay the rollback of the other."""

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from changewindow.systems.connection import Connection
from changewindow.watch.condition import Condition
from changewindow.watch.sampling import Sampling
from changewindow.watch.watch import Decided, Watched, watch
from support.recording_server import RecordingServer, Reply


def http(path: str, judged: dict[str, Any]) -> dict[str, Any]:
    """Return a condition on a value in a document."""
    return {"source": {"kind": "http", "path": path, "read": "json", "json": "a"}, "pass": judged}


HOSTILE = [
    pytest.param(http("/", {"matches": "(a+)+b"}), id="an expression"),
    pytest.param(http("/", {"matches": "(?=a)(a+)+b"}), id="an expression that was approved before"),
    pytest.param(http("/nested", {"equals": 1}), id="a document without end"),
    pytest.param(http("/drips", {"equals": 1}), id="a reply that drips"),
    pytest.param(
        {"source": {"kind": "openmetrics", "path": "/series", "metric": "m"}, "pass": {"below": 1}}, id="90,000 series"
    ),
]


def drips() -> Iterator[bytes]:
    """Yield a byte now and then."""
    for _ in range(200):
        time.sleep(0.05)
        yield b"x"


@pytest.mark.parametrize("hostile", HOSTILE)
async def test_a_breach_is_decided_on_time_beside_a_hostile_ticket(
    server: RecordingServer, hostile: dict[str, Any]
) -> None:
    """Its neighbour froze the triggerer: nothing was rolled back, nor was an abort heard."""
    server.answers = {
        "/": (200, '{"a": "' + "a" * 5000 + '"}'),
        "/series": (200, "".join(f'm{{n="{number}"}} 1\n' for number in range(90_000))),
        "/nested": (200, '{"a": ' + "[" * 400_000 + "]" * 400_000 + "}"),
        "/drips": Reply(200, drips()),
        "/health": (200, ""),
    }

    async def connect(name: str) -> Connection:
        return Connection(name, "http", host=server.url)

    def watching(condition: dict[str, Any], change: str) -> "asyncio.Task[Decided]":
        whole = {**condition, "name": "it", "source": {"connection": "orders", **condition["source"]}}
        watched = Watched(
            (Condition.model_validate(whole),),
            since=datetime.now(UTC) - timedelta(seconds=1),
            length=timedelta(minutes=10),
            sampling=Sampling(every=timedelta(seconds=0.2)),
            change=change,
        )
        return asyncio.create_task(watch(watched, connect, log=lambda _: None, keep=lambda _: None))

    neighbour = watching(hostile, "CHG-1")
    healthy = watching({"source": {"kind": "http", "path": "/health"}, "pass": {"equals": 200}}, "CHG-2")
    await asyncio.sleep(2)
    assert not healthy.done()
    server.answers["/health"] = (500, "")
    async with asyncio.timeout(2):
        decided = await healthy
    assert (decided.verdict, decided.sample[0].value) == ("fail", 500)
    neighbour.cancel()
