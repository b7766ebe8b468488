"""The watch on a real Airflow: asks a person while it reads on, and outlives its triggerer."""

import signal
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from changewindow.cli.airflow_api import wait_for
from changewindow.cli.standalone import WORKERS
from changewindow.ledger import changes, events, watches
from support.real_airflow import HEALTH, RealAirflow, acts, ticket


def of_file(file: Path, **changed: Any) -> dict[str, Any]:
    """Return a condition that is good when a file says 1, and not known without the file."""
    return {
        "name": "the file",
        "source": {"kind": "command", "run": ["cat", str(file)]},
        "pass": {"equals": 1},
        **changed,
    }


def publish(airflow: RealAirflow, journal: Path, watch: dict[str, Any], **changed: Any) -> str:
    """Publish a change with this watch."""
    return airflow.publish({**ticket(journal, **changed), "services": ["watched"], "watch": watch})


def asking(airflow: RealAirflow, tmp_path: Path) -> tuple[str, str]:
    """Return a change whose watch has asked its people, and its run."""
    watch = {"for": "10m", "every": "1s", "when_unknown": "ask", "conditions": [of_file(tmp_path / "value", new=True)]}
    change = publish(airflow, tmp_path / "journal", watch)
    run = airflow.run_of(change)
    wait_for(lambda: airflow.asks(change, run, "watch"), "the question")
    airflow.reaches(change, run, "watch", "deferred")
    return change, run


def samples(airflow: RealAirflow, change: str) -> int:
    """Return how many samples the watch of a change has taken."""
    kept = watches.newest(airflow.ledger, change)
    return kept.progress.samples if kept else 0


@pytest.mark.xdist_group("the service watched")
def test_a_person_keeps_what_is_not_known(airflow: RealAirflow, tmp_path: Path) -> None:
    """Carol was not asked; bob was, and the ledger has his name. The watch reads on until then."""
    change, run = asking(airflow, tmp_path)
    before = samples(airflow, change)
    wait_for(lambda: samples(airflow, change) > before + 3, "more samples")
    assert "403" in airflow.why_refused("carol", run, "Keep it", dag=change, task="watch")
    airflow.answer("bob", run, "Keep it", dag=change, task="watch")
    assert airflow.ends(change, run) == ("success", "completed")
    history = events.history(airflow.ledger, change)
    assert {"asked", "answered"} <= set(airflow.kinds(change))
    answered = next(events.data(event) for event in history if event.kind == "answered")
    assert (answered["by"], answered["answer"]) == ("bob", ["Keep it"])
    assert changes.get(airflow.ledger, change).reason.startswith("bob keeps it, though the file is not known")
    assert acts(tmp_path / "journal") == ["apply_1"]


@pytest.mark.xdist_group("the service watched")
def test_a_person_takes_back_what_is_not_known(airflow: RealAirflow, tmp_path: Path) -> None:
    """Their word is the reason."""
    change, run = asking(airflow, tmp_path)
    airflow.answer("alice", run, "Roll back", dag=change, task="watch")
    assert airflow.ends(change, run) == ("failed", "rolled_back")
    assert changes.get(airflow.ledger, change).reason.startswith("alice rolls it back")
    assert acts(tmp_path / "journal") == ["apply_1", "undo_1"]


@pytest.mark.xdist_group("the service watched")
def test_what_turns_out_bad_needs_no_answer(airflow: RealAirflow, tmp_path: Path) -> None:
    """While the people think, the watch sees it."""
    change, run = asking(airflow, tmp_path)
    (tmp_path / "value").write_text("7\n")
    assert airflow.ends(change, run) == ("failed", "rolled_back")
    assert "the file is bad" in changes.get(airflow.ledger, change).reason


@pytest.mark.xdist_group("alone")
def test_a_killed_triggerer_loses_neither_time_nor_counts(airflow: RealAirflow, tmp_path: Path) -> None:
    """What the next one reads counts together with what the dead one read, and every reading is in the ledger."""
    value = tmp_path / "value"
    value.write_text("1\n")
    tolerant = {"tolerate": {"no_data": 100}}  # or three good ones would have to make up for each that is missed
    watch = {"for": "45s", "every": "1s", "conditions": [of_file(value, failures=500, **tolerant)]}
    change = publish(airflow, tmp_path / "journal", watch, validation=[{**HEALTH, **tolerant}])
    run = airflow.run_of(change)
    wait_for(lambda: samples(airflow, change) >= 5, "five samples")
    kept = watches.newest(airflow.ledger, change)
    assert kept
    airflow.kill("triggerer")
    assert airflow.ends(change, run) == ("success", "completed")
    last = watches.newest(airflow.ledger, change)
    assert last
    assert (last.progress.begun, last.progress.over) == (kept.progress.begun, kept.progress.over)
    reads = [events.data(event) for event in events.history(airflow.ledger, change) if event.kind == "read"]
    counted = [
        reading["sample"] for read in reads for reading in read["readings"] if reading["condition"] == "the file"
    ]
    assert counted == list(range(1, last.progress.samples + 1))
    missed = last.progress.counts["tallies"]["the file"]["missed"]
    assert missed > 0
    assert "watch resumed after" in airflow.alice.log(change, run, "watch")


@pytest.mark.xdist_group("alone")
def test_what_is_bad_is_rolled_back_though_workers_were_killed(airflow: RealAirflow, tmp_path: Path) -> None:
    """One that waited for a task takes nothing along, and what one had just been given another one carries out."""
    value = tmp_path / "value"
    value.write_text("1\n")
    watch = {"for": "10m", "every": "1s", "conditions": [of_file(value, new=True)]}
    change = publish(airflow, tmp_path / "journal", watch)
    run = airflow.run_of(change)
    airflow.reaches(change, run, "watch", "deferred")
    log = airflow.place.home / "scheduler.log"
    all_idle(airflow)[0].kill()
    wait_for(lambda: "has died with no task" in log.read_text(), "its death to be noticed")
    workers = all_idle(airflow)
    for worker in workers:
        worker.send_signal(signal.SIGSTOP)
    waiting = airflow.bob.trigger("housekeeping")
    wait_for(lambda: "queued" in {task["state"] for task in airflow.bob.tasks("housekeeping", waiting).values()}, "it")
    time.sleep(1)  # until it is with a worker
    for worker in workers:
        worker.kill()
    value.write_text("7\n")
    assert airflow.ends(change, run, seconds=60) == ("failed", "rolled_back")
    assert acts(tmp_path / "journal") == ["apply_1", "undo_1"]
    assert airflow.request_ends(waiting, "housekeeping") == "success"
    assert "of housekeeping, which another one gets now" in log.read_text()


def all_idle(airflow: RealAirflow) -> list[psutil.Process]:
    """Return the executor's workers, once all of them wait for a task."""
    return wait_for(lambda: len(idle := idle_workers(airflow)) == WORKERS and idle, "idle workers", 120, 0.1) or []


def idle_workers(airflow: RealAirflow) -> list[psutil.Process]:
    """Return the executor's workers that wait for a task."""
    return [process for process in airflow.process.children(recursive=True) if is_idle(process)]


def is_idle(process: psutil.Process) -> bool:
    """Return whether this is a worker that waits for a task; a process that has ended is none."""
    try:
        return "LocalExecutor: <idle>" in " ".join(process.cmdline())
    except psutil.Error:
        return False
