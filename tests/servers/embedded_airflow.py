"""The embedded default, as `make demo` runs it: one for each worker of pytest, or one that all of them share."""

import fcntl
import json
import os
import signal
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from changewindow.cli import process_group, standalone
from changewindow.cli.airflow_api import Client, wait_for
from changewindow.cli.start_up import wait_until_healthy
from demo.__main__ import _has_form, world
from support.ports import free_port
from support.real_airflow import PROBE, USERS, Probe, RealAirflow, copy_policy, git

OURS = sorted(path.stem for path in (standalone.ROOT / "dags").glob("*.py"))
BARE = Path(__file__).parents[1] / "airflow" / "bare"


@contextmanager
def running(folder: Path, probe: Probe, users: Mapping[str, str] = USERS, **settings: str) -> Iterator[RealAirflow]:
    """Run an Airflow with a service to change, an empty repository of tickets, and the probe as its Slack."""
    place = standalone.Place(folder / "airflow", free_port(), users)
    slack = {"conn_type": "slack", "password": "xoxb-of-the-test", "extra": {"base_url": f"{probe.url}/api/"}}
    with world(folder / "world") as reach, standing_still(folder / "world"):
        connections = {
            **reach,
            **bare_dag(place),
            "CHANGEWINDOW_POLICY": str(copy_policy(folder / "policy")),
            "AIRFLOW_CONN_CHANGEWINDOW_TICKETS": json.dumps({"conn_type": "git", "host": str(empty(folder))}),
            f"AIRFLOW_CONN_{PROBE.upper()}": json.dumps(probing(probe)),
            "AIRFLOW_CONN_SLACK_API_DEFAULT": json.dumps(slack),
            **settings,
        }
        process = standalone.start(place, connections)
        try:
            wait_until_healthy(place, process)
            airflow = reached(place, process.pid, connections)
            wait_for(lambda: _has_form(airflow.alice), "the DAG request_change")
            wait_for(lambda: all(map(airflow.knows, OURS)), "each DAG of ours")
            yield airflow
        finally:
            process_group.stop(process)
            print((Path(place.home) / "standalone.log").read_text()[-2000:])


@contextmanager
def standing_still(folder: Path) -> Iterator[None]:
    """Let nothing of the demo's service run: with its clients it takes an eighth of a core, and few tests need it."""
    os.kill(pid := json.loads((folder / "world.json").read_text())["pid"], signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextmanager
def demo_service(airflow: RealAirflow) -> Iterator[None]:
    """Let the demo's service run, with its database and its clients."""
    repository = Path(json.loads(airflow.connections["AIRFLOW_CONN_ORDERS_CONFIG"])["host"])
    os.kill(pid := json.loads((repository.parent / "world.json").read_text())["pid"], signal.SIGCONT)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGSTOP)


@contextmanager
def shared(folder: Path, probe: Probe, settings: Mapping[str, str]) -> Iterator[RealAirflow]:
    """Give the Airflow that all workers share: whoever comes first starts it, and ends it when nobody uses it any more.

    Each worker has its own probe, so its tests make their own service good and bad.
    """
    folder.mkdir(exist_ok=True)
    described = folder / "airflow.json"
    with (folder / "users").open("a") as users, (folder / "starting").open("a") as starting:
        fcntl.flock(starting, fcntl.LOCK_EX)
        fcntl.flock(users, fcntl.LOCK_SH)
        if described.exists():
            fcntl.flock(starting, fcntl.LOCK_UN)
            yield joined(json.loads(described.read_text()), probe)
            return
        # in a folder of its own: one that has ended already may have left its own there
        with running(Path(tempfile.mkdtemp(prefix="", dir=folder)), probe, **settings) as airflow:
            described.write_text(json.dumps(description(airflow)))
            fcntl.flock(starting, fcntl.LOCK_UN)
            try:
                yield airflow
            finally:
                fcntl.flock(users, fcntl.LOCK_EX)
                described.unlink()


def description(airflow: RealAirflow) -> dict[str, Any]:
    """Return what another worker has to know to use it."""
    connections = dict(airflow.connections)
    return {
        "home": str(airflow.place.home),
        "port": airflow.place.port,
        "pid": airflow.process.pid,
        "connections": connections,
    }


def joined(described: dict[str, Any], probe: Probe) -> RealAirflow:
    """Use an Airflow that another worker has started, with a probe of our own."""
    place = standalone.Place(Path(described["home"]), described["port"], USERS)
    airflow = reached(place, described["pid"], described["connections"])
    form = probing(probe)
    airflow.clients["admin"].post("/connections", {"connection_id": PROBE, **form})
    return airflow


def reached(place: standalone.Place, pid: int, connections: dict[str, str]) -> RealAirflow:
    """Return a running Airflow with its users signed in."""
    clients = {user: Client(place.url, user, place.password(user)).log_in() for user in place.users}
    return RealAirflow(place, psutil.Process(pid), clients, connections, Path(connections["CHANGEWINDOW_POLICY"]))


def probing(probe: Probe) -> dict[str, str]:
    """Return the connection to a probe."""
    return {"conn_type": "http", "host": probe.url}


def bare_dag(place: standalone.Place) -> dict[str, str]:
    """Return what adds a DAG that is not ours to the environment of Airflow, to measure against."""
    path = f"{standalone.ROOT / 'include'}{os.pathsep}{BARE}"
    return {
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": standalone.bundles(place, bare=BARE),
        "PYTHONPATH": path,
    }


def empty(folder: Path) -> Path:
    """Make a repository of tickets in which there is none yet."""
    tickets = folder / "tickets"
    tickets.mkdir()
    git(tickets, "init", "--quiet", "--initial-branch=main")
    git(tickets, "commit", "--quiet", "--allow-empty", "--message", "Begin")
    return tickets
