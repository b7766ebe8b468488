"""Whatever a person clicks: nothing unapproved or closed acts, and what was applied is undone."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from changewindow import embedded
from changewindow.ledger import gate
from changewindow.program import GUARD
from changewindow.rest import wait_for
from stage import Stage, acts, ticket


@pytest.fixture(scope="module")
def completed(airflow: Stage, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str, Path]:
    """Return a change that is completed, with its run and journal."""
    journal = tmp_path_factory.mktemp("closed") / "closed"
    change = airflow.publish(ticket(journal, steps=2))
    run = airflow.run_of(change)
    assert airflow.ends(change, run) == ("success", "completed")
    return change, run, journal


@pytest.mark.parametrize("task", ["apply_1", "apply_2", "gate", "watch", "undo_1", "undo_2", "close"])
def test_clearing_a_task_of_a_closed_change_executes_nothing(
    airflow: Stage, completed: tuple[str, str, Path], task: str
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


def test_triggering_a_closed_change_again_executes_nothing(airflow: Stage, completed: tuple[str, str, Path]) -> None:
    """A second run of a completed change is refused, red, and tells nobody."""
    change, _, journal = completed
    before = acts(journal)
    run = airflow.alice.trigger(change)
    assert airflow.ends(change, run) == ("failed", "completed")
    assert acts(journal) == before
    assert "it is closed: completed" in airflow.alice.log(change, run, "gate")


def test_an_unapproved_change_executes_nothing_whatever_is_clicked(airflow: Stage, tmp_path: Path) -> None:
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


def test_marking_the_run_failed_during_apply_undoes_everything(airflow: Stage, tmp_path: Path) -> None:
    """The dying step ignores SIGTERM; its undo waits until it is dead, then takes everything back."""
    journal = tmp_path / "dying"
    change = airflow.publish(ticket(journal, steps=2, seconds=40))
    run = airflow.run_of(change)
    wait_for(lambda: acts(journal) == ["apply_1"], "the first step to act")
    airflow.mark_run(change, run, "failed")
    assert airflow.ends(change, run) == ("failed", "rolled_back")
    assert acts(journal) == ["apply_1", "undo_1"]
    assert gate.leases(airflow.ledger, change) == []


def test_marking_the_run_failed_during_the_second_apply_undoes_both(airflow: Stage, tmp_path: Path) -> None:
    """Both steps are taken back in reverse, though no undo task ran."""
    journal = tmp_path / "second"
    data = ticket(journal, steps=2)
    data["steps"][1]["run"][-1] = "40"
    change = airflow.publish(data)
    run = airflow.run_of(change)
    wait_for(lambda: acts(journal)[-1:] == ["apply_2"], "the second step to act")
    airflow.mark_run(change, run, "failed")
    assert airflow.ends(change, run) == ("failed", "rolled_back")
    assert acts(journal) == ["apply_1", "apply_2", "undo_2", "undo_1"]


@pytest.mark.parametrize("state", ["failed", "success"])
def test_marking_the_run_during_the_watch_undoes_everything(airflow: Stage, tmp_path: Path, state: str) -> None:
    """A run that is ended by hand while it watches is not proven good: it is taken back, and red."""
    journal = tmp_path / f"watched_{state}"
    change = airflow.publish(ticket(journal, steps=2, watch="5m"))
    run = airflow.run_of(change)
    airflow.reaches(change, run, "watch", "deferred")
    airflow.mark_run(change, run, state)
    assert airflow.ends(change, run) == ("failed", "rolled_back")
    assert acts(journal) == ["apply_1", "apply_2", "undo_2", "undo_1"]
    assert gate.leases(airflow.ledger, change) == []


@pytest.mark.parametrize("state", ["success", "failed"])
def test_marking_the_watch_by_hand_proves_nothing(airflow: Stage, tmp_path: Path, state: str) -> None:
    """Only readings prove a change good; a watch that is marked is taken back."""
    journal = tmp_path / f"marked_{state}"
    change = airflow.publish(ticket(journal, watch="5m"))
    run = airflow.run_of(change)
    airflow.reaches(change, run, "watch", "deferred")
    airflow.mark_task(change, run, "watch", state)
    assert airflow.ends(change, run) == ("failed", "rolled_back")
    assert acts(journal) == ["apply_1", "undo_1"]


def test_marking_a_running_apply_success_does_not_let_the_next_step_act(airflow: Stage, tmp_path: Path) -> None:
    """A step that did not end is not applied, whatever its colour: the change is taken back."""
    journal = tmp_path / "hurried"
    data = ticket(journal, steps=2)
    data["steps"][0]["run"][-1] = "40"
    change = airflow.publish(data)
    run = airflow.run_of(change)
    wait_for(lambda: acts(journal) == ["apply_1"], "the first step to act")
    airflow.mark_task(change, run, "apply_1", "success")
    assert airflow.ends(change, run) == ("failed", "rolled_back")
    assert acts(journal) == ["apply_1", "undo_1"]


def test_clearing_a_running_apply_takes_the_change_back(airflow: Stage, tmp_path: Path) -> None:
    """A step that is not safe to repeat does not act twice."""
    journal = tmp_path / "cleared"
    data = ticket(journal)
    data["steps"][0]["run"][-1] = "40"
    change = airflow.publish(data)
    run = airflow.run_of(change)
    wait_for(lambda: acts(journal) == ["apply_1"], "the step to act")
    airflow.clear(change, run, "apply_1")
    assert airflow.ends(change, run) == ("failed", "rolled_back")
    assert acts(journal) == ["apply_1", "undo_1"]


@pytest.mark.parametrize("whole", [False, True], ids=["the task's process", "the worker, the task's process lives on"])
def test_killing_the_worker_during_apply_ends_rolled_back(airflow: Stage, tmp_path: Path, whole: bool) -> None:  # noqa: FBT001
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


def task_process(airflow: Stage, journal: Path) -> psutil.Process:
    """Return the process of the task whose step writes the journal."""
    family = psutil.Process(airflow.process.pid).children(recursive=True)
    alive = [one for one in family if one.status() != psutil.STATUS_ZOMBIE]
    guard = next(one for one in alive if {str(journal), str(GUARD)} <= set(one.cmdline()))
    return psutil.Process(guard.ppid())


def test_two_clients_trigger_24_runs_at_once(airflow: Stage) -> None:
    """All are accepted by the embedded default, and every component is alive afterwards."""

    def trigger(number: int) -> str:
        client = airflow.alice if number % 2 else airflow.bob
        return client.trigger("request_change", {"ticket": f"nonsense: {number}"})

    with ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(trigger, range(24)))
    assert len(set(runs)) == 24
    for run in runs:
        wait_for(lambda run=run: airflow.bob.run("request_change", run)["state"] == "failed", f"the end of {run}", 240)
    assert embedded.is_healthy(airflow.place)
    assert airflow.process.poll() is None
