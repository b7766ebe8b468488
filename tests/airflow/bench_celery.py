"""Measures how many tasks a second Celery workers carry out, with the settings of docker-compose.yaml and without them.

Run by `make bench`: a real PostgreSQL, Redis and Celery worker on this machine, and changes that begin at once. Tasks
are counted from the first start to the last end, as Airflow has them in its database.
"""

import json
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import yaml

from changewindow.cli import standalone
from changewindow.cli.airflow_api import Client, wait_for
from demo.__main__ import _has_form
from servers.airflow_components import OnPostgres, Supervised, supervised
from servers.postgres import postgres
from servers.redis import redis
from support.real_airflow import PROBE, USERS, Probe, RealAirflow, copy_policy, ticket

CHANGES = 20
"""So many that the steps of one wait for those of others: what is measured is how much a second, not how soon."""
FEW = 4
"""With Airflow's own settings a change takes minutes of CPU."""
COMPOSE = yaml.safe_load((standalone.ROOT / "docker-compose.yaml").read_text())["x-airflow-environment"]
SETTINGS = {
    f"AIRFLOW__{name}": COMPOSE[f"AIRFLOW__{name}"]
    for name in (
        *("CORE__LAZY_LOAD_PLUGINS", "CELERY__SYNC_PARALLELISM", "SCHEDULER__TASK_QUEUED_TIMEOUT"),
        *("SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL", "SCHEDULER__NUM_STUCK_IN_QUEUED_RETRIES"),
    )
}
AIRFLOWS_OWN = {"AIRFLOW__CORE__LAZY_LOAD_PLUGINS": "True", "AIRFLOW__CELERY__SYNC_PARALLELISM": "0"}
POOL = ("ForkPoolWorker", "airflow supervisor:")
"""What Celery's pool processes are called; the second is the name of one that has carried out a task before."""
WORKERS = "8"  # as docker-compose.yaml has it by default
TASKS = """
SELECT count(*), extract(epoch FROM max(end_date) - min(start_date))
FROM task_instance WHERE dag_id = ANY (ARRAY[{}]) AND start_date IS NOT NULL
"""


@contextmanager
def on_celery(folder: Path, probe: Probe) -> Iterator[tuple[RealAirflow, Supervised]]:
    """Run Airflow with a Celery worker, with the settings of docker-compose.yaml."""
    with (
        tempfile.TemporaryDirectory(prefix="postgres-") as data,
        redis() as queue,
        postgres(Path(data) / "x") as server,
    ):
        place = OnPostgres(folder / "airflow", standalone.free_port(), USERS, server)
        policy = copy_policy(folder / "policy")
        extra = {
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__CORE__PARALLELISM": "32",
            "AIRFLOW__CELERY__BROKER_URL": f"{queue}/0",
            "AIRFLOW__CELERY__RESULT_BACKEND": f"{queue}/1",
            "AIRFLOW__CELERY__WORKER_CONCURRENCY": WORKERS,
            "CHANGEWINDOW_POLICY": str(policy),
            f"AIRFLOW_CONN_{PROBE.upper()}": json.dumps({"conn_type": "http", "host": probe.url}),
            **SETTINGS,
        }
        with supervised(place, extra, "celery worker") as made:
            wait_for(lambda: standalone.is_healthy(place), "Airflow", 180)
            clients = {user: Client(place.url, user, place.password(user)).log_in() for user in USERS}
            wait_for(lambda: _has_form(clients["alice"]), "the DAGs")
            wait_for(lambda: is_up(made), "the worker", 120)
            yield RealAirflow(place, psutil.Process(), clients, extra, policy), made


def is_up(made: Supervised) -> bool:
    """Return whether a worker takes tasks."""
    return "ready." in (made.place.home / "celery worker.log").read_text()


def test_tasks_a_second(probe: Probe, tmp_path: Path) -> None:
    """Both rates and their ratio are printed; with the settings it is at least four."""
    with on_celery(tmp_path, probe) as (airflow, made):
        rate(airflow, made, tmp_path / "warm", 1)
        ours = rate(airflow, made, tmp_path / "ours", CHANGES)
        lost = goes_on(airflow, made, tmp_path / "lost")
        restart(made, AIRFLOWS_OWN)
        rate(airflow, made, tmp_path / "cold", 1)
        own = rate(airflow, made, tmp_path / "own", FEW)
    print(f"\ntasks a second on Celery, {WORKERS} processes, {psutil.cpu_count()} CPUs:")
    print(f"  {CHANGES} changes at once, with the settings of docker-compose.yaml: {ours:.2f}")
    print(f"  {FEW} changes at once, with Airflow's own: {own:.2f} ({ours / own:.1f} x)")
    print(f"  a change whose next task was with a worker that was killed was completed after {lost:.0f} s")
    assert ours >= 4


def goes_on(airflow: RealAirflow, made: Supervised, journal: Path) -> float:
    """Kill the worker that has taken a task and not started it; return the seconds until its change is completed."""
    processes = psutil.Process(made.running["celery worker"].pid).children(recursive=True)
    for process in processes:
        with suppress(psutil.NoSuchProcess):  # a task of another DAG has just ended
            if any(name in " ".join(process.cmdline()) for name in POOL):
                process.suspend()
    change = airflow.publish(ticket(journal, seconds=0, watch="1s"))
    run = airflow.run_of(change)
    wait_for(
        lambda: "queued" in {task["state"] for task in airflow.alice.tasks(change, run).values()}, "its first task"
    )
    time.sleep(3)  # until it is with the worker
    killed = time.monotonic()
    made.kill("celery worker", with_children=True)
    assert airflow.ends(change, run) == ("success", "completed")
    return time.monotonic() - killed


def restart(made: Supervised, settings: Mapping[str, str]) -> None:
    """Start scheduler and worker again, with other settings."""
    made.environment = {**made.environment, **settings}
    (made.place.home / "celery worker.log").write_text("")
    for name in ("scheduler", "celery worker"):
        made.kill(name, with_children=True)
    wait_for(lambda: is_up(made), "the worker", 120)


def used(made: Supervised) -> float:
    """Return the CPU seconds that Airflow has used, with those of its processes that have ended."""
    leaders = [psutil.Process(running.pid) for running in made.running.values()]
    family = [process for leader in leaders for process in (leader, *leader.children(recursive=True))]
    total = 0.0
    for process in family:
        with suppress(psutil.NoSuchProcess):
            total += sum(process.cpu_times()[:4])
    return total


def rate(airflow: RealAirflow, made: Supervised, folder: Path, count: int) -> float:
    """Return the tasks a second of some changes that begin at once."""
    begun = used(made)
    names = [f"{folder.name}_{number}" for number in range(count)]
    changes = [airflow.submit(ticket(folder.parent / name, steps=4, seconds=0, watch="1s")) for name in names]
    for change in changes:
        airflow.write(change)
    for change in changes:
        wait_for(lambda change=change: airflow.knows(change), f"the DAG {change}")
        run = airflow.run_of(change)
        assert airflow.ends(change, run) == ("success", "completed")
    quoted = ", ".join(f"'{change}'" for change in changes)
    ((number, seconds),) = made.place.server.ask(TASKS.format(quoted), "airflow")
    print(f"{folder.name}: {number} tasks in {seconds:.1f} s, {(used(made) - begun) / number:.2f} s of CPU each")
    return float(number) / float(seconds)
