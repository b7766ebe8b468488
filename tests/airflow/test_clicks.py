"""Whatever a person clicks: nothing unapproved or closed acts, and what was applied is undone."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from changewindow.cli import standalone
from changewindow.cli.airflow_api import wait_for
from changewindow.cli.supervisor import sessions
from changewindow.systems.process.supervised import GUARD
from support.real_airflow import RealAirflow, acts, ticket


@pytest.fixture(scope="module")
def completed(shared_airflow: RealAirflow, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str, Path]:
    """Return a change that is completed, with its run and journal."""
    journal = tmp_path_factory.mktemp("closed") / "closed"
    change = shared_airflow.publish(ticket(journal, steps=2))
    run = shared_airflow.run_of(change)
    assert shared_airflow.ends(change, run) == ("success", "completed")
    return change, run, journal


@pytest.mark.xdist_group("a closed change")
@pytest.mark.parametrize("task", ["apply_1", "apply_2", "gate", "watch", "undo_1", "undo_2", "close"])
def test_clearing_a_task_of_a_closed_change_executes_nothing(
    airflow: RealAirflow, completed: tuple[str, str, Path], task: str
) -> None:
    """Whatever is cleared of a completed change, with all that follows it: nothing acts, and it stays completed."""
    change, run, journal = completed
    before = acts(journal)
    tries = airflow.alice.tasks(change, run)["close"]["try_number"]
    airflow.clear(change, run, task)
    _, outcome = airflow.ends(change, run)
    assert outcome == "completed"
    assert acts(journal) == before
    is_undo = task.startswith("undo")
    assert is_undo or airflow.alice.tasks(change, run)["close"]["try_number"] > tries


@pytest.mark.xdist_group("a closed change")
def test_triggering_a_closed_change_again_executes_nothing(
    airflow: RealAirflow, completed: tuple[str, str, Path]
) -> None:
    """A second run of a completed change is refused, red, and tells nobody."""
    change, _, journal = completed
    before = acts(journal)
    run = airflow.alice.trigger(change)
    assert airflow.ends(change, run) == ("failed", "completed")
    assert acts(journal) == before
    assert "it is closed: completed" in airflow.alice.log(change, run, "gate")


def test_an_unapproved_change_executes_nothing_whatever_is_clicked(airflow: RealAirflow, tmp_path: Path) -> None:
    """Gate and watch marked success by hand, apply cleared: an unapproved change acts in no way."""
    journal = tmp_path / "unapproved"
    change = airflow.publish(ticket(journal, steps=2), approved=False)
    run = airflow.run_of(change)
    assert airflow.ends(change, run) == ("failed", "submitted")
    airflow.mark_task(change, run, "gate", "success")
    airflow.clear(change, run, "apply_1")
    assert airflow.ends(change, run)[1] == "submitted"
    airflow.mark_task(change, run, "watch", "failed")
    airflow.mark_task(change, run, "watch", "success")
    airflow.clear(change, run, "succeed", "undo_2")
    assert airflow.ends(change, run)[1] == "submitted"
    assert acts(journal) == []
    assert "nobody has approved it" in airflow.alice.log(change, run, "gate")


@pytest.mark.parametrize("whole", [False, True], ids=["the task's process", "the worker, the task's process lives on"])
def test_killing_the_worker_during_apply_ends_rolled_back(airflow: RealAirflow, tmp_path: Path, whole: bool) -> None:  # noqa: FBT001
    """A worker that is killed with SIGKILL leaves no run that is running for ever, and no step that acts on."""
    journal = tmp_path / f"killed_{whole}".lower()
    data = ticket(journal)
    data["steps"][0]["run"][-1] = "100"
    change = airflow.publish(data)
    run = airflow.run_of(change)
    wait_for(lambda: acts(journal) == ["apply_1"], "the step to act")
    task = task_process(airflow, journal)
    os.kill(task.ppid() if whole else task.pid, signal.SIGKILL)
    assert airflow.ends(change, run, seconds=240) == ("failed", "rolled_back")
    assert acts(journal) == ["apply_1", "undo_1"]


def task_process(airflow: RealAirflow, journal: Path) -> psutil.Process:
    """Return the process of the task whose step writes the journal."""

    def is_guard(process: psutil.Process) -> bool:
        try:
            return {str(journal), str(GUARD)} <= set(process.cmdline())
        except psutil.NoSuchProcess:
            return False

    guard = next(filter(is_guard, airflow.process.children(recursive=True)))
    return psutil.Process(guard.ppid())


@pytest.mark.xdist_group("alone")
def test_a_killed_scheduler_is_started_again(airflow: RealAirflow, tmp_path: Path) -> None:
    """Nothing of it is left behind, the log says so, and the next change runs."""
    killed = airflow.kill("scheduler")
    log = airflow.place.home / "standalone.log"
    wait_for(lambda: "the scheduler was killed by SIGKILL" in log.read_text(), "the sentence")
    change = airflow.publish(ticket(tmp_path / "after_the_kill"))
    assert killed not in sessions().values()
    assert airflow.ends(change, airflow.run_of(change)) == ("success", "completed")
    airflow.does("housekeeping")  # whose first run was killed with it, and goes on in a minute
    assert standalone.is_healthy(airflow.place)


@pytest.mark.xdist_group("alone")
def test_two_clients_trigger_24_runs_at_once(airflow: RealAirflow) -> None:
    """All are accepted by the embedded default, and every component is alive afterwards."""

    def trigger(number: int) -> str:
        client = airflow.alice if number % 2 else airflow.bob
        return client.trigger("request_change", {"ticket": f"nonsense: {number}"})

    with ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(trigger, range(24)))
    assert len(set(runs)) == 24
    for run in runs:
        wait_for(lambda run=run: airflow.bob.run("request_change", run)["state"] == "failed", f"the end of {run}", 240)
    assert standalone.is_healthy(airflow.place)
    assert airflow.process.is_running()
