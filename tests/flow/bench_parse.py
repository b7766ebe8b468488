"""What Airflow pays for one more published change: parsing it, keeping the bundle up to date, starting a task.

Run it with pytest and -s. Times are CPU milliseconds, the median of a few; `earlier` is the form up to version 0.1.0,
Python that Airflow executed, measured in turns with the present one.
"""

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import pytest
from airflow.dag_processing.bundles.local import LocalDagBundle
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization

from changewindow.changes.earlier_publication import source
from changewindow.changes.publication import publish
from changewindow.cli.standalone import ROOT
from changewindow.flow.bundle import PublishedChanges
from changewindow.ledger.seal import Seal
from changewindow.policy.review import load_file
from support.tickets import FACTS

SEAL = Seal()


def cpu(*tries: Callable[[], object], times: int = 15) -> list[float]:
    """Return the median CPU milliseconds of each, tried in turns."""
    taken: list[list[float]] = [[] for _ in tries]
    for _ in range(times):
        for number, attempt in enumerate(tries):
            begun = time.process_time()
            attempt()
            taken[number].append((time.process_time() - begun) * 1000)
    return [median(milliseconds) for milliseconds in taken]


def parsed(folder: Path, name: str) -> None:
    """Parse a DAG file as the DAG processor and each task do, and serialize it as the DAG processor does."""
    bag = DagBag(dag_folder=str(folder / name), bundle_path=folder, bundle_name="changes", safe_mode=False)
    (dag,) = bag.dags.values()
    DagSerialization.to_dict(dag)


@pytest.mark.parametrize("number", [1, 100, 1000])
def test_what_it_costs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """One file is parsed in the time of before, however many there are; the bundle's own work grows by microseconds."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    monkeypatch.delenv("CHANGEWINDOW_PUBLISHED", raising=False)
    data = load_file(ROOT / "include" / "tickets" / "max_idle.yaml", FACTS).data
    (earlier := tmp_path / "earlier").mkdir()
    for change in (f"CHG-{1000 + place}" for place in range(number)):
        publish(tmp_path / "changes", change, data, SEAL)
        (earlier / f"{change}.py").write_text(source(change, data))
    bundle, local = PublishedChanges(name="changes"), LocalDagBundle(name="changes", path=str(earlier))
    begun = time.process_time()
    bundle.refresh()
    first = (time.process_time() - begun) * 1000
    now, before = cpu(lambda: parsed(bundle.path, "CHG-1000.py"), lambda: parsed(earlier, "CHG-1000.py"))
    refresh, task, task_before = cpu(
        bundle.refresh, lambda: PublishedChanges(name="changes").initialize(), local.initialize
    )
    print(
        f"\n{number:5} changes: parse and serialize one {now:.1f} (earlier {before:.1f}); first refresh {first:.0f}, "
        f"refresh {refresh:.2f}, start of a task {task:.2f} (earlier {task_before:.2f}) ms"
    )
    assert now <= before * 1.25
