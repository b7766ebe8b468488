"""Measures the way from breach to undo, and a whole change, side by side with what people do without us.

Run by `make bench` on the embedded default, as `make demo` ships it. One breach after the other: the clock starts when
the bad value is readable, and stops when the first undo starts.

a: the shell loop of the field's practice, which asks Prometheus every 10 s, and the same loop at our interval.
b: a bare Airflow DAG with the smallest possible deferrable branch, its tasks empty (`bare/`).
c: a change.
"""

import random
import subprocess
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from statistics import median

import pytest

from changewindow.cli.airflow_api import wait_for
from support.real_airflow import HEALTH, Probe, RealAirflow, ticket

COUNT = 10
LOOPS = 40
"""So many shell loops run side by side; they cost little, and their moments differ much."""
EVERY = 1.0
OFTEN = 0.2
"""The shortest interval that a ticket may ask for."""
LOOP = """
while true; do
  ERROR_RATE=$(curl -s "{url}/{name}" -o /dev/null -w '%{{http_code}}')
  if [ "$ERROR_RATE" -ge 500 ]; then date +%s.%N; exit 1; fi
  sleep {every}
done
"""


@pytest.mark.parametrize("every", [EVERY, OFTEN])
def test_breach_to_undo(airflow: RealAirflow, probe: Probe, tmp_path: Path, every: float) -> None:
    """The medians of (a), (b) and (c) are printed with their ratios."""
    slow, fast = (shell_loop(probe, seconds, f"a{seconds:g}_beside_{every:g}") for seconds in (10, every))
    names = [f"{number}_{every:g}".replace(".", "") for number in range(COUNT)]
    bare = median(taken(probe, f"b{name}", begin_bare(airflow, probe, f"b{name}", every)) for name in names)
    ours = median(taken(probe, f"c{name}", begin_change(airflow, tmp_path, f"c{name}", every)) for name in names)
    print(f"\nbreach readable to first undo started, median of {COUNT}, sampling every {every:g} s:")
    print(f"  a: shell loop at 10 s {slow:.2f} s, at {every:g} s {fast:.2f} s")
    print(f"  b: bare deferrable branch {bare:.2f} s")
    print(f"  c: a change {ours:.2f} s = {ours / bare:.2f} x b, {ours / slow:.2f} x a at 10 s")


def test_a_whole_change(airflow: RealAirflow, probe: Probe, tmp_path: Path) -> None:
    """The medians of the durations of (b) and (c), with the same tasks and the same watch, are printed."""
    bare, ours = [], []
    for number in range(COUNT // 2):
        run = airflow.alice.trigger("bare", {"url": f"{probe.url}/whole", "seconds": 3.0, "every": EVERY})
        bare.append(duration(airflow, "bare", run))
        change = airflow.publish(ticket(tmp_path / f"whole_{number}", seconds=0, watch="3s"))
        ours.append(duration(airflow, change, airflow.run_of(change)))
    b, c = median(bare), median(ours)
    print(
        f"\na whole successful change, median of {len(ours)}: {c:.2f} s; bare DAG of the same tasks {b:.2f} s; ", end=""
    )
    print(f"ratio {c / b:.2f}")


def duration(airflow: RealAirflow, dag: str, run: str) -> float:
    """Return how long a run took, once it has ended well."""
    state = wait_for(lambda: airflow.alice.run(dag, run)["state"] == "success", f"the end of {run} of {dag}")
    ended_run = airflow.alice.run(dag, run)
    begun, ended = (datetime.fromisoformat(ended_run[name]) for name in ("start_date", "end_date"))
    assert state
    return (ended - begun).total_seconds()


def shell_loop(probe: Probe, every: float, start: str) -> float:
    """Return the median time from breach to undo of shell loops side by side, whose paths start with a name."""
    took: list[float] = []

    def loop_until_bad(number: int) -> None:
        name = f"{start}_{number}"
        script = LOOP.format(url=probe.url, name=name, every=every)
        with subprocess.Popen(["bash", "-c", script], stdout=subprocess.PIPE, text=True) as loop:
            time.sleep(1 + every * (number + 0.5) / LOOPS)  # the breaches spread evenly over the loop's pause
            probe.bad.add(f"/{name}")
            readable = time.time()
            took.append(float(loop.communicate()[0]) - readable)

    threads = [threading.Thread(target=loop_until_bad, args=(number,)) for number in range(LOOPS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return median(took)


def begin_bare(airflow: RealAirflow, probe: Probe, name: str, every: float) -> Callable[[], float]:
    """Begin a bare run that watches; return what tells when its undo started."""
    run = airflow.alice.trigger("bare", {"url": f"{probe.url}/{name}", "seconds": 600.0, "every": every})
    airflow.reaches("bare", run, "watch", "deferred")
    return lambda: started(airflow, "bare", run)


def begin_change(airflow: RealAirflow, folder: Path, name: str, every: float) -> Callable[[], float]:
    """Begin a change that watches; return what tells when its undo started."""
    own = {**HEALTH, "source": {**HEALTH["source"], "path": f"/{name}"}}
    data = ticket(folder / name, watch="10m", validation=[own])
    data["watch"]["every"] = f"{every:g}s"
    change = airflow.publish(data)
    run = airflow.run_of(change)
    airflow.reaches(change, run, "watch", "deferred")
    return lambda: started(airflow, change, run)


def started(airflow: RealAirflow, dag: str, run: str) -> float:
    """Return when the first undo of a run started, once the run has ended."""
    wait_for(lambda: airflow.alice.run(dag, run)["state"] in {"success", "failed"}, f"the end of {run}")
    return datetime.fromisoformat(airflow.alice.tasks(dag, run)["undo_1"]["start_date"]).timestamp()


def taken(probe: Probe, name: str, undo_started: Callable[[], float]) -> float:
    """Breach what is watched, at a random moment; return how long it took until its undo started."""
    time.sleep(random.uniform(3, 3 + EVERY))  # noqa: S311  the first samples are taken, and the moment is random
    probe.bad.add(f"/{name}")
    readable = time.time()
    return undo_started() - readable
