"""A worker of the embedded default's executor is killed: while it waits for a task, has taken one, or has ended one."""

import json
import os
import signal
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from airflow.executors.workloads import BundleInfo, ExecuteTask
from airflow.executors.workloads import TestConnection as ConnectionTest
from airflow.executors.workloads.task import TaskInstanceDTO

from changewindow.cli.airflow_api import wait_for
from changewindow.flow.executor import LocalExecutor, Worker
from support.recording_server import RecordingServer, Reply, recording_server


@pytest.fixture
def server() -> Iterator[RecordingServer]:
    """Serve Airflow's API for tasks, which knows none of them."""
    with recording_server() as serving:
        yield serving


@pytest.fixture
def executor(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalExecutor]:
    """Run an executor with two workers that wait; whatever they are given fails, at once where there is no server."""
    address = request.getfixturevalue("server").url if "server" in request.fixturenames else "nowhere"
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTION_API_SERVER_URL", f"{address}/execution/")
    made = LocalExecutor(parallelism=2)
    made.start()
    wait_for(lambda: all(is_idle(worker) for worker in made.staff), "idle workers", 10, 0.02)
    yield made
    for worker in made.staff:  # one that a failed test has left stopped would never end
        with suppress(ProcessLookupError):
            os.kill(worker.process.pid or 0, signal.SIGCONT)
    made.end()


def task(name: str = "undo_1", weight: int = 1) -> ExecuteTask:
    """Return a task as the scheduler hands it to its executor."""
    return ExecuteTask(
        token="",
        dag_rel_path=Path("changes.py"),
        bundle_info=BundleInfo(name="changes"),
        log_path=None,
        ti=TaskInstanceDTO(
            id=uuid.uuid4(),
            dag_version_id=uuid.uuid4(),
            dag_id="CHG-1001",
            run_id="run",
            task_id=name,
            try_number=1,
            map_index=-1,
            pool_slots=1,
            queue="default",
            priority_weight=weight,
        ),
    )


def is_idle(worker: Worker) -> bool:
    """Return whether a worker waits for a task, as the title of its process tells."""
    return b"<idle>" in Path(f"/proc/{worker.process.pid}/cmdline").read_bytes()


def kill(*workers: Worker) -> None:
    """Kill workers, as the kernel does when memory runs out."""
    for worker in workers:
        worker.process.kill()
        worker.process.join()


def queue(executor: LocalExecutor, *tasks: ExecuteTask) -> None:
    """Hand in tasks, as the scheduler does."""
    for queued in tasks:
        executor.queued_tasks[queued.ti.key] = queued
    executor.heartbeat()


def runs_dry(executor: LocalExecutor) -> bool:
    """Return whether everything that was handed in comes back."""
    deadline = time.monotonic() + 20
    while executor.slots_occupied and time.monotonic() < deadline:
        executor.heartbeat()
        time.sleep(0.02)
    return not executor.slots_occupied


def starts(server: RecordingServer) -> list[str]:
    """Return the tasks whose start the API server was asked for, in order."""
    return [request.path.split("/")[-2] for request in server.requests if request.path.endswith("/run")]


def test_tasks_are_carried_out_after_idle_workers_were_killed(executor: LocalExecutor) -> None:
    """Whichever of them dies takes no lock along; each is replaced."""
    kill(executor.staff[0])
    first, second = task("first"), task("second")
    queue(executor, first, second)
    assert runs_dry(executor)
    kill(*executor.staff)
    third = task("third")
    queue(executor, third)
    assert runs_dry(executor)
    assert executor.event_buffer.keys() == {first.key, second.key, third.key}
    assert len(executor.staff) == 2


def test_a_task_whose_worker_was_killed_before_it_started_is_started_by_another(
    executor: LocalExecutor, server: RecordingServer
) -> None:
    """It may be a rollback. Its failure is told, though the error of that answer cannot be unpickled."""
    for worker in executor.staff:
        os.kill(worker.process.pid or 0, signal.SIGSTOP)
    lost = task()
    queue(executor, lost)
    kill(*executor.staff)
    assert runs_dry(executor)
    assert starts(server) == [str(lost.ti.id)]
    assert executor.event_buffer[lost.key][0] == "failed"


def test_what_a_worker_reported_before_it_was_killed_is_not_done_twice(executor: LocalExecutor) -> None:
    """It waited already when it died."""
    ended, busy = task(), executor.staff[0]
    os.kill(busy.process.pid or 0, signal.SIGSTOP)  # the executor is not to read the report at once
    queue(executor, ended)
    os.kill(busy.process.pid or 0, signal.SIGCONT)
    wait_for(lambda: not busy.results.empty(), "the result", 20, 0.02)
    kill(busy)
    executor.sync()
    assert executor.event_buffer.keys() == {ended.key}
    assert executor.slots_available == 2


@pytest.mark.parametrize("state", ["running", "success"])
def test_a_task_that_has_started_before_is_not_failed_by_the_second_start(
    executor: LocalExecutor, server: RecordingServer, state: str
) -> None:
    """The API server refuses that; what becomes of the first is told by its heartbeat, or has been told."""
    refusal = {"detail": {"reason": "invalid_state", "previous_state": state}}
    server.otherwise = Reply(409, json.dumps(refusal), {"Content-Type": "application/json"})
    queue(executor, task())
    assert runs_dry(executor)
    assert executor.event_buffer == {}


def test_what_is_not_protected_from_a_second_start_fails(executor: LocalExecutor) -> None:
    """A test of a connection, for instance; whoever asked for it asks again."""
    os.kill(executor.staff[0].process.pid or 0, signal.SIGSTOP)
    lost = ConnectionTest(connection_test_id=uuid.uuid4(), connection_id="orders", timeout=5, token="")
    executor.queued_connection_tests[lost.key] = lost
    executor.heartbeat()
    kill(executor.staff[0])
    assert runs_dry(executor)
    assert executor.event_buffer[lost.key][0] == "failed"


def test_airflow_is_told_what_room_there_is(executor: LocalExecutor) -> None:
    """It queues no more than that, so the most urgent task goes first when a worker is free."""
    for worker in executor.staff:
        os.kill(worker.process.pid or 0, signal.SIGSTOP)
    first, second = task("apply_1"), task("apply_2")
    queue(executor, first, second)
    assert executor.slots_available == 0
    assert executor.running == {first.key, second.key}
    gate, undo = task("gate", weight=1), task("undo_1", weight=9)
    queue(executor, gate, undo)
    assert executor.queued_tasks.keys() == {gate.key, undo.key}
    os.kill(executor.staff[0].process.pid or 0, signal.SIGCONT)
    # a quick one has ended by the end of the heartbeat that started it
    ended = executor.event_buffer
    wait_for(lambda: executor.heartbeat() or undo.key in {*executor.running, *ended}, "the undo", 20, 0.02)
    assert gate.key in executor.queued_tasks
    kill(*executor.staff)


def test_a_task_that_resumes_while_its_first_part_still_ends_is_accounted_for(executor: LocalExecutor) -> None:
    """It has the same key; Airflow would fail the second part when the end of the first is told."""
    deferring, resumed = task("watch"), task("watch")
    for worker in executor.staff:
        os.kill(worker.process.pid or 0, signal.SIGSTOP)
    queue(executor, deferring)
    queue(executor, resumed)
    os.kill(executor.staff[0].process.pid or 0, signal.SIGCONT)
    wait_for(lambda: executor.heartbeat() or executor.event_buffer, "the end of the first part", 20, 0.02)
    assert executor.running == {resumed.key}
    os.kill(executor.staff[1].process.pid or 0, signal.SIGCONT)
    assert runs_dry(executor)
