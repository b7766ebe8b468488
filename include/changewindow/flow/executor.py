"""The executor of the embedded default: Airflow's LocalExecutor, in which the death of a worker loses nothing.

The workers of LocalExecutor read from one queue, and it does not keep account of what they have. So, when the kernel
kills a worker because memory runs out:

* while it waits for a task, it takes the lock of the queue along: none of the others gets a task again;
* after it has taken one that the API server does not know to be running, the task stays queued for ever.

Here every worker has queues of its own and is given a task when it is free. It is known what a dead one had, and until
a worker is free the most urgent task may still overtake the others.
"""

import ctypes
import logging
import multiprocessing
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from importlib import import_module
from multiprocessing import Process, SimpleQueue
from typing import Any

from airflow.executors.local_executor import LocalExecutor as LossyExecutor
from airflow.executors.local_executor import _run_worker
from airflow.executors.workloads import ExecuteTask, ExecutorWorkload
from airflow.sdk.api.client import ServerResponseError
from airflow.sdk.exceptions import TaskAlreadyRunningError
from airflow.sdk.listener import get_listener_manager

from changewindow import settings
from changewindow.errors import ChangeError
from changewindow.policy.load import load_policy

log = logging.getLogger("changewindow")
URGENT = "changewindow.flow.dags.emergency"
"""What needs most of our code, and is in the greatest hurry."""


@dataclass(frozen=True)
class Report:
    """Tells how a worker gets on, without the errors: some cannot be unpickled, which would end the scheduler."""

    queue: "SimpleQueue[tuple[Any, Any]]"

    def put(self, result: tuple[Any, Any, Exception | None]) -> None:
        """Tell the state of a task by its key; none, if it had started before."""
        key, state, error = result
        self.queue.put((key, None if _has_started_before(error) else state))


@dataclass(eq=False)
class Worker:
    """A process that carries out what it is given, with queues of its own."""

    process: Process
    given: "SimpleQueue[ExecutorWorkload | None]"
    results: "SimpleQueue[tuple[Any, Any]]"
    workload: ExecutorWorkload | None = None
    """What it carries out now."""

    @property
    def task(self) -> str:
        """Return what it carries out, as the log names it."""
        if isinstance(self.workload, ExecuteTask):
            return f"the task {self.workload.ti.task_id} of {self.workload.ti.dag_id}, which another one gets now"
        return self.workload.display_name if self.workload else "no task"

    def close(self) -> None:
        """Let go of a process that has ended."""
        self.process.join()
        self.process.close()
        self.given.close()
        self.results.close()


class LocalExecutor(LossyExecutor):
    """Airflow's, except that what a killed worker had is given to another one."""

    def start(self) -> None:
        """Start the workers, once all is loaded that each task would search or load by itself: they are copies of this.

        Of a second that an emergency takes until it acts, a third would go into that.
        """
        get_listener_manager()
        _load_what_acts()
        self.staff: list[Worker] = []
        self._spawn_workers_with_gc_freeze(self.parallelism)

    def _spawn_worker(self) -> None:
        given: SimpleQueue[ExecutorWorkload | None] = SimpleQueue()
        results: SimpleQueue[tuple[Any, Any]] = SimpleQueue()
        unread = multiprocessing.Value(ctypes.c_uint)  # which nobody asks about
        process = Process(
            target=_run_worker,
            kwargs={
                "logger_name": self.log.name,
                "input": given,
                "output": Report(results),
                "unread_messages": unread,
                "team_conf": self.conf,
            },
        )
        process.start()
        self.staff.append(Worker(process, given, results))

    def _process_workloads(self, workload_list: Sequence[ExecutorWorkload]) -> None:
        """Give work to whoever is free; the rest stays queued here, and the most urgent goes first next time."""
        free = [worker for worker in self.staff if worker.workload is None]
        for worker, workload in zip(free, workload_list, strict=False):
            worker.workload = workload
            worker.given.put(workload)
            for queue in (self.queued_tasks, self.queued_callbacks, self.queued_connection_tests):
                queue.pop(workload.key, None)
        self._account()

    def sync(self) -> None:
        """Take note of what has ended; replace who has died."""
        dead = [worker for worker in self.staff if not worker.process.is_alive()]
        for worker in self.staff:
            self._read(worker)
        for worker in dead:
            self._replace(worker)
        self._account()

    def _read(self, worker: Worker) -> None:
        while not worker.results.empty():
            key, state = worker.results.get()
            if state and worker.workload and state == worker.workload.running_state:
                self.running_state(key)
                continue
            worker.workload = None
            if state:
                self.change_state(key, state)

    def _replace(self, worker: Worker) -> None:
        """Let another one do what a dead worker had; what the API server knows to have started starts no second time.

        A callback and a test of a connection are nowhere written down as started, so they fail.
        """
        pid, exit_code = worker.process.pid, worker.process.exitcode
        self.log.error("Worker %s has died with %s (exit code %s). It is replaced.", pid, worker.task, exit_code)
        if isinstance(worker.workload, ExecuteTask):
            self.queued_tasks.setdefault(worker.workload.key, worker.workload)
        elif worker.workload:
            self.change_state(worker.workload.key, worker.workload.failure_state)
        self.staff.remove(worker)
        worker.close()
        self._spawn_workers_with_gc_freeze(1)

    def _account(self) -> None:
        """Keep Airflow's account of what runs here, by which it queues no more than there is room for."""
        self.running = {worker.workload.key for worker in self.staff if worker.workload}

    def end(self) -> None:
        """End the workers, once each has carried out what it has."""
        for worker in self.staff:
            worker.given.put(None)
        for worker in self.staff:
            worker.process.join()
            self._read(worker)
            worker.close()
        self.staff = []
        self._account()


def _load_what_acts() -> None:
    """Load the code of our tasks, and of the kinds that the policy names; what cannot be loaded now fails its task."""
    places = settings.read()
    try:
        import_module(URGENT)
        load_policy(places.policy, places.templates)
    except (ChangeError, ImportError) as error:
        log.warning("tasks load by themselves what they need: %s", error)


def _has_started_before(error: Exception | None) -> bool:
    """Return whether the API server refused to start a task a second time, which is no failure of the first."""
    if isinstance(error, ServerResponseError):
        return bool(error.response.status_code == HTTPStatus.CONFLICT)
    return isinstance(error, TaskAlreadyRunningError)
