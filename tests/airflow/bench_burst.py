"""Measures the way from breach to undo while many changes begin at once, against the same when nothing else happens.

Run by `make bench` on the embedded default, as `make demo` ships it: 200 changes whose windows open at the same moment.
A few of those that are watched are breached in the middle of it. BENCH_BURST says how many changes there are.
"""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import pytest

from changewindow.cli.airflow_api import wait_for
from changewindow.ledger import events, payloads, queries
from servers import embedded_airflow
from support.real_airflow import HEALTH, Probe, RealAirflow, ticket, window
from support.recording_server import Reply, Request, recording_server

COUNT = int(os.environ.get("BENCH_BURST", "200"))
IDLE = 5
BREACHED = 5
"""So many are breached before the burst, and in it."""
QUICK = 20
"""So many of the changes are asked every second, and may be breached; the others every 10 s."""
LEAD = timedelta(seconds=90)
"""How long before its window the burst is published: all of its files are read by then."""
LONGEST = 240.0
"""Seconds after which the burst is looked at, however many of its changes are still waiting."""
PAUSE = 15.0
"""Seconds between two breaches."""


@dataclass
class Asked(Probe):
    """A service that also keeps when each of its paths was asked."""

    times: dict[str, list[float]] = field(default_factory=dict)

    def reply(self, request: Request) -> Reply:
        """Answer a request, and keep its time."""
        self.times.setdefault(request.path, []).append(time.time())
        return super().reply(request)


@dataclass(frozen=True)
class Watched:
    """A change that is to be watched, what its watch asks, and how often, in seconds."""

    change: str
    path: str
    every: float


@pytest.fixture
def probe() -> Iterator[Asked]:
    """Serve one path for each change."""
    state = Asked()
    with recording_server(state.reply) as server:
        state.url = server.url
        yield state


def test_breach_to_undo_in_a_burst(probe: Asked, tmp_path: Path) -> None:
    """Medians, their ratio, and how long applied changes waited for their watch are printed."""
    with embedded_airflow.running(tmp_path, probe) as airflow:
        before = [publish(airflow, tmp_path / f"idle_{number}", 1) for number in range(IDLE)]
        idle = [taken(airflow, probe, watched) for watched in [wait_for_watch(airflow, probe, w) for w in before]]
        opens = datetime.now(UTC) + LEAD
        every = [1 if number % (COUNT // QUICK) == 0 else 10 for number in range(COUNT)]
        burst = [publish(airflow, tmp_path / f"burst_{number}", every[number], opens) for number in range(COUNT)]
        read = f"{COUNT + IDLE} changes to be read"
        wait_for(lambda: airflow.alice.get("/dags", tags="environment:test")["total_entries"] >= COUNT + IDLE, read)
        assert datetime.now(UTC) < opens, "the files of the burst were not read before its window"
        quick = [watched for watched in burst if watched.every == 1]
        in_burst = list(breached(airflow, probe, quick, opens.timestamp() + LONGEST))
        idle_waits = sorted(unwatched(airflow, probe, before))
        others = [watched for watched in burst if watched.every != 1]
        quick_waits, waits = sorted(unwatched(airflow, probe, quick)), sorted(unwatched(airflow, probe, others))
        states = [change.status for change in queries.of_ids(airflow.ledger, [watched.change for watched in burst])]
    print(f"\nbreach readable to first undo started, sampling every second, seconds: median (all {len(idle)} breaches)")
    print(f"  idle   {shown(idle)}")
    applied = len(quick_waits) + len(waits)
    print(f"  burst  {shown(in_burst)}, {COUNT} changes that begin at once, {applied} of them applied by the end")
    print(f"  ratio  {median(in_burst) / median(idle):.2f}, of the worst {max(in_burst) / median(idle):.2f}")
    print("applied to first reading of the watch, less the interval at which it reads, seconds: p50, worst")
    for name, seconds in (("idle", idle_waits), ("burst, every second", quick_waits), ("burst, every 10 s", waits)):
        print(f"  {name:20} {median(seconds):6.2f} {seconds[-1]:6.2f}")
    print(f"the burst at its end: { {state: states.count(state) for state in sorted(set(states))} }")


def publish(airflow: RealAirflow, journal: Path, every: int, opens: datetime | None = None) -> Watched:
    """Submit and publish a change with a path of its own; its window is open now, or opens at a moment."""
    path = f"/{journal.stem}"
    own = {**HEALTH, "source": {**HEALTH["source"], "path": path}}
    begins = opens or datetime.now(UTC) - timedelta(seconds=1)
    data = ticket(journal, watch="30m", validation=[own], window=window(begins, begins + timedelta(hours=2)))
    data["watch"]["every"], data["summary"] = f"{every}s", f"Write into {journal.stem}"
    change = airflow.submit(data)
    airflow.write(change)
    return Watched(change, path, every)


def wait_for_watch(airflow: RealAirflow, probe: Asked, watched: Watched) -> Watched:
    """Return a change once its watch has read something."""
    wait_for(lambda: first_reading(airflow, probe, watched), f"the watch of {watched.change}")
    return watched


def breached(airflow: RealAirflow, probe: Asked, quick: list[Watched], end: float) -> Iterator[float]:
    """Yield how long undo took of some that are watched while others begin, one after the other."""
    left = list(quick)
    for _ in range(BREACHED):
        ready = wait_for(lambda: next((w for w in left if first_reading(airflow, probe, w)), None), "a watch", LONGEST)
        left.remove(ready)
        yield taken(airflow, probe, ready)
        time.sleep(PAUSE)
    while time.time() < end and len(acting(airflow)) + BREACHED < COUNT:
        time.sleep(2)


def taken(airflow: RealAirflow, probe: Asked, watched: Watched) -> float:
    """Breach what is watched; return how long it took until its undo started."""
    probe.bad.add(watched.path)
    readable = time.time()
    undoing = wait_for(lambda: moments(airflow, watched.change, payloads.Undoing), f"undo of {watched.change}")
    return undoing[0] - readable


def unwatched(airflow: RealAirflow, probe: Asked, changes: list[Watched]) -> Iterator[float]:
    """Yield by how much more than its interval each applied change waited for a reading; until now if there is none."""
    for watched in changes:
        applied = moments(airflow, watched.change, payloads.Applied)
        if applied:
            yield (first_reading(airflow, probe, watched) or time.time()) - applied[0] - watched.every


def first_reading(airflow: RealAirflow, probe: Asked, watched: Watched) -> float | None:
    """Return when the watch of a change first read, if it has."""
    applied = moments(airflow, watched.change, payloads.Applied)
    return next((at for at in probe.times.get(watched.path, []) if applied and at > applied[0]), None)


def moments(airflow: RealAirflow, change: str, kind: type[payloads.Payload]) -> list[float]:
    """Return when events of a kind were written."""
    return [event.at.timestamp() for event in events.history(airflow.ledger, change, kind.kind)]


def acting(airflow: RealAirflow) -> list[str]:
    """Return the changes of the burst that are through their gate."""
    return [change.id for change in queries.with_status(airflow.ledger, "running") if "burst" in change.summary]


def shown(seconds: list[float]) -> str:
    """Return the median with all values."""
    return f"{median(seconds):.2f} ({', '.join(f'{value:.2f}' for value in sorted(seconds))})"
