"""A component that dies alone: its children keep its lock in PostgreSQL, until they are ended or its time is up."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest
import yaml
from sqlalchemy import create_engine, text

from changewindow.cli.airflow_api import wait_for
from changewindow.cli.standalone import ROOT
from changewindow.cli.supervisor import end_session
from changewindow.settings import SCHEDULER_CONNECT_ARGS
from servers.postgres import shared

pytestmark = pytest.mark.integration

SCHEDULER = """
import json, os, sys, time
from sqlalchemy import create_engine, text
engine = create_engine(sys.argv[1], connect_args=json.loads(sys.argv[2]))
connection = engine.connect()
connection.execute(text("SELECT 1 FROM run FOR UPDATE SKIP LOCKED"))
if os.fork():
    print("locked", flush=True)
engine.dispose(close=False)  # as Airflow does in a forked child
time.sleep(60)
"""
"""Locks a row, and has a child, as Airflow's scheduler does with its LocalExecutor."""
SHORT = {"options": SCHEDULER_CONNECT_ARGS["options"].replace("30s", "1s")}
SETTING = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONNECT_ARGS"


@pytest.fixture
def url() -> str:
    """Return the address of a database with one run in it."""
    made = shared().fresh().database_url
    with create_engine(made).begin() as opened:
        opened.execute(text("CREATE TABLE run AS SELECT 1 AS id"))
    return made


@contextmanager
def killed_alone(url: str, connect_args: Mapping[str, str]) -> Iterator[int]:
    """Kill a scheduler in its transaction; its child lives. Hand over their process group."""
    command = [sys.executable, "-c", SCHEDULER, url, json.dumps(connect_args)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as scheduler:
        assert scheduler.stdout is not None
        try:
            assert scheduler.stdout.readline() == b"locked\n"
            scheduler.kill()
            scheduler.wait()
            yield scheduler.pid
        finally:
            end_session(scheduler.pid, signal.SIGKILL)


def is_free(url: str) -> bool:
    """Return whether the next scheduler gets the run."""
    with create_engine(url).begin() as opened:
        return opened.execute(text("SELECT 1 FROM run FOR UPDATE SKIP LOCKED")).one_or_none() is not None


def test_the_children_of_a_scheduler_killed_alone_keep_its_lock_until_its_group_is_killed(url: str) -> None:
    """The server cannot see that it is dead, as its connection is open; nobody ends the children but its supervisor."""
    with killed_alone(url, {}) as group:
        time.sleep(2)
        assert not is_free(url)
        end_session(group, signal.SIGKILL)
        wait_for(lambda: is_free(url), "the lock of a dead scheduler", 60, 0.1)


def test_the_server_lets_go_of_what_a_dead_scheduler_had_locked(url: str) -> None:
    """Its children may live on: what Airflow's scheduler asks of the server at each connection is enough."""
    with killed_alone(url, SHORT):
        assert not is_free(url)
        wait_for(lambda: is_free(url), "the lock of a dead scheduler", 60, 0.1)


def test_the_scheduler_of_compose_asks_the_server_for_it_and_a_migration_does_not() -> None:
    """A migration's own lock stays idle in its transaction for longer."""
    services = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())["services"]
    asking = {name: service.get("environment", {}).get(SETTING) for name, service in services.items()}
    assert {name: path for name, path in asking.items() if path} == {
        "airflow-scheduler": "changewindow.settings.SCHEDULER_CONNECT_ARGS"
    }
