"""Measures how soon an emergency acts: from the form to its first step, beside the start of a bare DAG of one task.

Run by `make bench` on the embedded default, as `make demo` ships it. Both are triggered over REST, in turns, so that
whatever else the machine does meets both alike. The clock of an emergency stops when its first step is about to act:
all that was declared is in the ledger then, and its targets are held.
"""

import json
import os
import time
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from statistics import median

from changewindow.cli.airflow_api import wait_for
from changewindow.ledger import events, queries
from changewindow.ledger.payloads import Declared, Remembered, Started
from servers import embedded_airflow
from support.real_airflow import Probe, RealAirflow

COUNT = int(os.environ.get("BENCH_EMERGENCY", "10"))
SLOWEST = 5.0
"""Seconds from the form to the first step."""
PARTS = ("answered", "scheduled", "read and judged", "through the gate", "remembered")
"""What the time of an emergency is made of."""
MOST = 1.5
"""How many times the start of a bare task it may take."""


def test_form_to_first_step(probe: Probe, tmp_path: Path) -> None:
    """The medians and their ratio are printed, and are as short as they have to be."""
    with embedded_airflow.running(tmp_path, probe) as airflow:
        wait_for(lambda: airflow.knows("one_task") and airflow.knows("emergency_change"), "the DAGs")
        bare_task(airflow), emergency(airflow, tmp_path, COUNT)  # the first of each finds nothing warm
        pairs = [(bare_task(airflow), emergency(airflow, tmp_path, number)) for number in range(COUNT)]
    bare, ours = (sorted(seconds) for seconds in zip(*pairs, strict=True))
    ratio = median(ours) / median(bare)
    print(f"\nform to first step, median of {COUNT}: {median(ours):.2f} s ({shown(ours)})")
    print(f"a bare DAG of one task, triggered to running: {median(bare):.2f} s ({shown(bare)}); ratio {ratio:.2f}")
    assert median(ours) < SLOWEST
    assert ratio <= MOST


def bare_task(airflow: RealAirflow) -> float:
    """Return how long it takes until a bare task runs."""
    asked = time.time()
    run = airflow.alice.trigger("one_task")
    answered = time.time()
    assert airflow.request_ends(run, "one_task") == "success"
    begun = datetime.fromisoformat(airflow.alice.tasks("one_task", run)["begun"]["start_date"]).timestamp()
    runs = float(airflow.alice.xcom("one_task", run, "begun"))
    print(f"   bare: answered {answered - asked:.2f}, scheduled {begun - answered:.2f}, read {runs - begun:.2f}")
    return runs - asked


def emergency(airflow: RealAirflow, folder: Path, number: int) -> float:
    """Return how long it takes until the first step of an emergency acts."""
    step = {"kind": "command", "run": ["touch", str(folder / f"{number}")], "undo": "nothing"}
    form = {
        "broken": "Orders cannot be paid",
        "commander": "bob",
        "target": f"test/emergency-{number}",
        "step": json.dumps(step),
        "unwatched_because": "there is nothing to measure",
    }
    asked = time.time()
    run = airflow.alice.trigger("emergency_change", form)
    answered = time.time()
    assert airflow.request_ends(run, "emergency_change") == "success"
    change = queries.of_origin(airflow.ledger, f"emergency_change/{run}")
    assert change is not None
    declared, started, remembered = (
        events.history(airflow.ledger, change.id, kind)[0].at.timestamp()
        for kind in (Declared.kind, Started.kind, Remembered.kind)
    )
    begun = datetime.fromisoformat(airflow.alice.tasks("emergency_change", run)["act"]["start_date"]).timestamp()
    parts = zip(PARTS, pairwise((asked, answered, begun, declared, started, remembered)), strict=True)
    print("  ", ", ".join(f"{name} {later - earlier:.2f}" for name, (earlier, later) in parts))
    airflow.ends(change.id, airflow.run_of(change.id))  # so that the next one has the machine for itself
    return remembered - asked


def shown(seconds: list[float]) -> str:
    """Return all values."""
    return ", ".join(f"{value:.2f}" for value in seconds)
