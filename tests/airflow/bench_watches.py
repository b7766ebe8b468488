"""1,000 watches at once on one triggerer, each asking a local Prometheus-speaking server every 10 s; by `make bench`.

Lateness is measured by the server: how much later than the watch's own rhythm of 10 s each of its questions comes,
against the earliest of them. BENCH_WATCHES says how many watches.
"""

import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest
from sqlalchemy import insert

from changewindow.cli import process_group, standalone
from changewindow.cli.airflow_api import Client, wait_for
from changewindow.cli.start_up import wait_until_healthy
from changewindow.ledger.database import Ledger
from changewindow.ledger.models import Change

WATCHES = int(os.environ.get("BENCH_WATCHES", "1000"))
EVERY = 10.0
MEASURED = 120.0
"""Seconds."""
HERE = Path(__file__).with_name("thousand")


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """Run the server; return its port and what it writes down."""
    port, path = standalone.free_port(), tmp_path / "requests"
    with subprocess.Popen([sys.executable, str(HERE / "prometheus_speaking.py"), str(port), str(path)]) as server:
        yield port, path
        server.kill()


@contextmanager
def airflow(home: Path, port: int) -> Iterator[tuple[standalone.Place, int]]:
    """Run Airflow with the changes in its ledger."""
    place = standalone.Place(home, standalone.free_port(), {"admin": "admin"})
    extra = {
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": standalone.bundles(place, thousand=HERE),
        "AIRFLOW__TRIGGERER__CAPACITY": str(2 * WATCHES),
        "AIRFLOW_CONN_PROMETHEUS": json.dumps({"conn_type": "http", "host": f"http://127.0.0.1:{port}"}),
        "BENCH_WATCHES": str(WATCHES),
        "BENCH_SINCE": (datetime.now(UTC) + timedelta(seconds=60)).isoformat(),
    }
    process = standalone.start(place, extra)
    try:
        fill(Ledger(place.ledger))
        wait_until_healthy(place, process)
        yield place, process.pid
    finally:
        process_group.stop(process)


def fill(ledger: Ledger) -> None:
    """Put the changes into the ledger that are watched."""
    now = datetime.now(UTC)
    fixed = {"requester": "alice", "status": "running", "reason": "", "digest": "d", "summary": "x", "owner": "a"}
    times = {"opens": now, "closes": now + timedelta(hours=2), "submitted_at": now, "reviewer": "b"}
    with ledger.transaction() as session:
        session.execute(insert(Change), [{**fixed, **times, "number": n + 1} for n in range(WATCHES)])


def test_many_watches_on_one_triggerer(prometheus: tuple[int, Path], tmp_path: Path) -> None:
    """No worker is held; lateness, CPU and memory are printed."""
    port, path = prometheus
    with airflow(tmp_path / "airflow", port) as (place, pid):
        client = Client(place.url, "admin", place.password("admin")).log_in()
        count = WATCHES // 20
        wait_for(lambda: client.get("/dags", dag_id_pattern="watches")["total_entries"] == count, "the DAGs", 180)
        before = memory(triggerer(pid))
        for group in range(count):
            client.trigger(f"watches_{group}")
        wait_for(lambda: len(set(questions(path))) >= WATCHES, "all watches", 400, 2)
        time.sleep(EVERY)
        cpu, begun = used(triggerer(pid)), time.time()
        time.sleep(MEASURED)  # so long they are measured
        cpu, passed = used(triggerer(pid)) - cpu, time.time() - begun
        on_workers = client.get("/dags/~/dagRuns/~/taskInstances", state="running")["total_entries"]
        late = lateness(path, begun, begun + passed)
        grown = memory(triggerer(pid)) - before
    print(
        f"\n{WATCHES} watches, {len(late)} readings in {passed:.0f} s: p50 {late[len(late) // 2]:.3f} s late, ", end=""
    )
    print(f"p99 {late[len(late) * 99 // 100]:.3f} s, worst {late[-1]:.3f} s; no task on a worker")
    print(f"per watch: {cpu / passed / WATCHES * 1000:.3f} ms CPU a second, {grown / WATCHES / 1024:.0f} KiB memory")
    assert on_workers == 0, "a watch holds a worker"
    assert len(late) > WATCHES * (MEASURED / EVERY - 2)


def questions(path: Path) -> list[str]:
    """Return what was asked, in order."""
    return [line.split(" ", 1)[1] for line in path.read_text().splitlines()] if path.exists() else []


def lateness(path: Path, begun: float, ended: float) -> list[float]:
    """Return how late each question came after its watch's rhythm, sorted."""
    moments = defaultdict(list)
    for line in path.read_text().splitlines():
        at, question = line.split(" ", 1)
        if begun <= float(at) <= ended:
            moments[question].append(float(at))
    late = []
    for times in moments.values():
        offsets = [(at - times[0] + EVERY / 2) % EVERY - EVERY / 2 for at in times]
        late += [offset - min(offsets) for offset in offsets]
    return sorted(late)


def triggerer(pid: int) -> list[psutil.Process]:
    """Return the triggerer's processes."""
    born = psutil.Process(pid).children(recursive=True)
    family = [process for process in born if process.status() != psutil.STATUS_ZOMBIE]
    main = [process for process in family if "triggerer" in " ".join(process.cmdline())]
    return [*main, *(child for process in main for child in process.children(recursive=True) if child not in main)]


def memory(processes: list[psutil.Process]) -> int:
    """Return the bytes that belong to processes alone."""
    return sum(process.memory_full_info().uss for process in processes)


def used(processes: list[psutil.Process]) -> float:
    """Return the CPU seconds that processes have used."""
    return sum(sum(process.cpu_times()[:2]) for process in processes)
