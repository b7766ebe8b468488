"""Measures the way from breach to undo on the embedded default, as `make demo` ships it; run by `make bench`.

Ten changes watch at the same time, sampling every second. One after the other is breached: the clock starts when the
bad value is readable, and stops when the first undo task has started, and again when its program writes its first line.
"""

import statistics
import time
from datetime import datetime
from pathlib import Path

from stage import HEALTH, Probe, Stage, ticket

COUNT = 10


def test_breach_to_undo(airflow: Stage, probe: Probe, tmp_path: Path) -> None:
    """Every breach is undone; the median and the spread are printed."""
    watching = []
    for number in range(COUNT):
        own = {**HEALTH, "source": {**HEALTH["source"], "path": f"/bench/{number}"}}
        data = ticket(tmp_path / f"bench_{number}", watch="20m", validation=[own])
        change = airflow.publish(data)
        watching.append((change, airflow.run_of(change), tmp_path / f"bench_{number}", f"/bench/{number}"))
    for change, run, _, _ in watching:
        airflow.reaches(change, run, "watch", "deferred")
    time.sleep(5)
    started, acted = [], []
    for change, run, journal, path in watching:
        probe.bad.add(path)
        readable = time.time()
        assert airflow.ends(change, run) == ("failed", "rolled_back")
        first = next(line for line in journal.read_text().splitlines() if " undo_1 " in line)
        begun = datetime.fromisoformat(airflow.alice.tasks(change, run)["undo_1"]["start_date"])
        started.append(begun.timestamp() - readable)
        acted.append(float(first.split()[0]) - readable)
        print(f"{change}: breach readable to undo started {started[-1]:.2f} s, to undo acting {acted[-1]:.2f} s")
    for what, took in (("started", started), ("acting", acted)):
        spread = f"fastest {min(took):.2f}, slowest {max(took):.2f}"
        print(f"breach readable to first undo {what}: median of {COUNT} {statistics.median(took):.2f} s ({spread})")
