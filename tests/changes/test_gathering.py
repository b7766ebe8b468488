"""All collectors are asked at once, and none of them holds up the answer."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import PrivateAttr

from changewindow.changes.gathering import Look, Surroundings, gather
from changewindow.collectors.base import CollectorBase, CollectorContext
from changewindow.errors import UnknownConnection
from changewindow.systems.collection import Collected, Coverage, Entry, Span
from changewindow.systems.connection import Connection
from changewindow.systems.measurement import SourceError

NOW = datetime(2031, 3, 18, 14, 0, tzinfo=UTC)
SPAN = Span(NOW - timedelta(hours=2), NOW)
Behaviour = Callable[[CollectorContext], Coroutine[Any, Any, None]]


class Collector(CollectorBase):
    """One that first does something, and then has seen one thing."""

    kind: Literal["scripted"] = "scripted"
    _first: Behaviour = PrivateAttr()

    async def collect(self, span: Span, context: CollectorContext) -> Collected:
        """Do it."""
        await self._first(context)
        return Collected((Entry(NOW, "it", "changed"),), Coverage(span.since, span.until))


def scripted(first: Behaviour, **fields: Any) -> Collector:
    """Return a collector that first does something."""
    made = Collector(**fields)
    made._first = first
    return made


async def nothing(context: CollectorContext) -> None:
    """Answer at once."""


async def nobody(name: str) -> Connection:
    """Know no connection."""
    raise UnknownConnection(name)


def asked(folder: Path, *, limit: float = 3.0, **collectors: CollectorBase) -> dict[str, Look]:
    """Return what each collector answers."""
    looks = gather(collectors, SPAN, Surroundings(nobody, folder, b"key"), limit=limit)
    return {look.name: look for look in looks}


async def hangs(context: CollectorContext) -> None:
    """Wait for ever, as for a server that does not answer."""
    await asyncio.sleep(3600)


async def blocks(context: CollectorContext) -> None:
    """Block the thread, as a library does that knows no event loop."""
    time.sleep(3600)  # noqa: ASYNC251  that is the point


async def blocks_in_a_thread(context: CollectorContext) -> None:
    """Wait for another thread, as for a name server."""
    await asyncio.to_thread(time.sleep, 3600)


async def leaves_a_program(context: CollectorContext) -> None:
    """Start a program that does not end, and block the thread meanwhile."""
    running = asyncio.ensure_future(context.run("sleep", "3600"))
    while not context.running:  # noqa: ASYNC110  a set tells nobody
        await asyncio.sleep(0.01)
    context.folder.mkdir(parents=True, exist_ok=True)
    (context.folder / "pid").write_text(str(*context.running))
    time.sleep(3600)  # noqa: ASYNC251  that is the point
    await running


async def fails(context: CollectorContext) -> None:
    """Not see anything."""
    raise SourceError("unreachable", "nobody is there. Start it")


async def breaks(context: CollectorContext) -> None:
    """Have a mistake."""
    raise KeyError("revision")


@pytest.mark.parametrize("first", [hangs, blocks, blocks_in_a_thread], ids=lambda first: first.__name__)
def test_of_twelve_that_are_asked_only_the_ones_that_hang_or_fail_are_missing(tmp_path: Path, first: Behaviour) -> None:
    """The answer is there when the limit is over, whatever one of them does; both are named with the reason."""
    others = {f"c{number}": scripted(nothing) for number in range(10)}
    began = time.monotonic()
    looks = asked(tmp_path, hanging=scripted(first, within="5m"), failing=scripted(fails), **others)
    assert time.monotonic() - began < 60, "it waits for one that will never answer"
    assert [name for name, look in looks.items() if not look.collected] == ["failing", "hanging"]
    assert looks["failing"].failure == "nobody is there. Start it"
    assert looks["hanging"].failure == "no answer within 3s. Ask for less time, or see why it is so slow"
    assert all(look.collected and len(look.collected.entries) == 1 for name, look in looks.items() if name in others)


def test_one_that_takes_longer_than_its_own_limit_is_late_by_itself(tmp_path: Path) -> None:
    """The others need not be waited for so long."""
    look = asked(tmp_path, limit=60, slow=scripted(hangs, within="100ms"))["slow"]
    assert look.failure == "no answer within 0.1s. Ask for less time, or raise its `within`"


def test_a_program_that_is_left_running_is_killed(tmp_path: Path) -> None:
    """Also by a collector that blocks its thread, so that it cannot clean up after itself."""
    asked(tmp_path, left=scripted(leaves_a_program))
    process = int((tmp_path / "left" / "pid").read_text())
    with suppress(ProcessLookupError):
        for _ in range(500):
            os.kill(process, 0)
            if "Z" in Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]:
                return
            time.sleep(0.01)
        pytest.fail("it still runs")


def test_one_that_breaks_takes_no_other_along(tmp_path: Path) -> None:
    """It is named, with its kind, and what to do."""
    looks = asked(tmp_path, broken=scripted(breaks), sound=scripted(nothing))
    assert looks["broken"].failure.startswith("KeyError: 'revision'. The kind test_gathering has a mistake; report it")
    assert looks["sound"].collected


def test_what_a_collector_keeps_is_there_at_its_next_look(tmp_path: Path) -> None:
    """As long as its folder is."""
    seen: list[Any] = []

    async def counts(context: CollectorContext) -> None:
        seen.append(context.kept.get("looks", 0))
        context.kept["looks"] = seen[-1] + 1

    for _ in range(3):
        asked(tmp_path, limit=60, it=scripted(counts, within="50s"))
    assert seen == [0, 1, 2]


PROGRAM = """
import sys
from pathlib import Path
sys.path.insert(0, "tests/changes")
import test_gathering as t
looks = t.asked(Path(sys.argv[1]), blocked=t.scripted(t.blocks_in_a_thread), hung=t.scripted(t.blocks))
print(*(look.failure for look in looks.values()), sep="\\n")
"""


def test_the_process_ends_although_a_collector_does_not(tmp_path: Path) -> None:
    """Nobody has to interrupt a command that has answered."""
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": f"{root / 'include'}:{root / 'tests'}"}
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert ran.stdout.count("no answer within 3s") == 2
