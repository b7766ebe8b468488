"""A watch whose own loop does not run: an error of the watch, never of the service."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from changewindow.systems.connection import Connection
from changewindow.watch.condition import Condition
from changewindow.watch.progress import Progress
from changewindow.watch.sampling import Sampling
from changewindow.watch.watch import Decided, Wanted, Watched, until_good, watch
from support.recording_server import RecordingServer, Reply, Request

PAUSE = 1.6
"""Seconds that the loop does not run: longer than a reading may take."""


@dataclass
class Watching:
    """A watch of a healthy service, on a loop that somebody holds up."""

    server: RecordingServer
    holds_up: Callable[[int], bool]
    """Whether the loop is held up while the answer to a request of this number is awaited."""
    log: list[str] = field(default_factory=list)
    progress: list[Progress] = field(default_factory=list)

    async def decided(self, *, length: float = 2.0, **tolerate: int) -> Decided:
        """Return what comes out."""
        loop = asyncio.get_running_loop()

        def answer(_: Request) -> Reply:
            if self.holds_up(len(self.server.requests)):
                loop.call_soon_threadsafe(time.sleep, PAUSE)
                return Reply(200, "", delay=PAUSE / 2)
            return Reply(200)

        async def connect(name: str) -> Connection:
            return Connection(name, "http", host=self.server.url)

        self.server.otherwise = answer
        nothing: dict[str, Any] = {"inconclusive": 0, "no_data": 0, "stale": 0, "unreachable": 0, "invalid": 0}
        source = {"kind": "http", "connection": "orders", "path": "/health"}
        condition = {"name": "health", "source": source, "pass": {"equals": 200}, "timeout": "1s"}
        watched = Watched(
            (Condition.model_validate({**condition, "tolerate": {**nothing, **tolerate}}),),
            since=datetime.now(UTC) - timedelta(seconds=1),
            length=timedelta(seconds=length),
            sampling=Sampling(every=timedelta(seconds=0.3)),
        )
        return await watch(
            watched, connect, log=self.log.append, keep=lambda progress: self.progress.append(progress.model_copy())
        )

    @property
    def late(self) -> list[str]:
        """Return the readings that were late."""
        return [line for line in self.log if "(late)" in line]


async def test_a_loop_that_did_not_run_is_not_an_unreachable_service(server: RecordingServer) -> None:
    """The change is healthy and is kept, though not one missing answer is tolerated."""
    watching = Watching(server, lambda number: number == 2)
    decided = await watching.decided()
    assert (decided.verdict, decided.reason) == ("pass", "the only condition is good in the last sample")
    assert len(watching.late) == 1
    assert watching.late[0].startswith("ERROR health (late) the watch itself was not running for 1.")
    assert "which says nothing about the service" in watching.late[0]


async def test_what_was_read_while_the_loop_did_not_run_is_no_good_news(server: RecordingServer) -> None:
    """A watch that never runs on time ends without a pass, and says why."""
    watching = Watching(server, lambda _: True)
    decided = await watching.decided(length=60, late=1)
    assert decided.verdict == "fail"
    assert decided.reason.startswith("health is not known: late, the watch itself was not running for 1.")
    assert decided.reason.endswith("(2 in a row, 1 allowed)")


async def test_a_watch_lasts_longer_by_the_time_in_which_it_did_not_run(server: RecordingServer) -> None:
    """One that is held up between two samples has not seen the service for its whole length."""
    watching = Watching(server, lambda _: False)
    asyncio.get_running_loop().call_later(0.4, time.sleep, PAUSE)
    decided = await watching.decided()
    assert decided.verdict == "pass"
    longer = watching.progress[-1].over - watching.progress[0].over
    assert timedelta(seconds=PAUSE - 0.5) < longer < timedelta(seconds=PAUSE + 1)
    assert any("it lasts until" in line for line in watching.log)


async def test_a_loop_that_runs_makes_no_reading_late(server: RecordingServer) -> None:
    """A service that does not answer is still what it was: unreachable."""
    watching = Watching(server, lambda _: False)
    server.answers["/health"] = Reply(200, delay=3)
    decided = await watching.decided()
    assert decided.verdict == "fail"
    assert "unreachable, no answer within 1 s" in decided.reason


async def test_a_question_that_is_asked_once_is_asked_again_when_the_loop_did_not_run(server: RecordingServer) -> None:
    """The gate has no time to wait for another sample, and must not refuse a change for that."""
    loop = asyncio.get_running_loop()

    def answer(_: Request) -> Reply:
        if len(server.requests) == 1:
            loop.call_soon_threadsafe(time.sleep, PAUSE)
            return Reply(200, delay=PAUSE / 2)
        return Reply(200)

    async def connect(name: str) -> Connection:
        return Connection(name, "http", host=server.url)

    server.otherwise = answer
    source = {"kind": "http", "connection": "orders", "path": "/health"}
    condition = Condition.model_validate({"name": "health", "source": source, "pass": {"equals": 200}, "timeout": "1s"})
    wanted = Wanted((condition,), timedelta(seconds=1), datetime.now(UTC))
    log: list[str] = []
    decided = await until_good(wanted, connect, log=log.append)
    assert decided.verdict == "pass"
    assert ["(late)" in line for line in log] == [True, False]
