"""Both tickets of the demo in one process, as `airflow dags test` runs a DAG while it is written."""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from changewindow.cli import standalone
from changewindow.ledger import changes
from changewindow.policy.check import Facts
from changewindow.policy.review import load_text
from demo.__main__ import POLICY, world
from demo.scenario import ACTS, TICKETS, Act, with_window
from support.ports import free_port
from support.real_airflow import RealAirflow


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealAirflow]:
    """Prepare an Airflow of which nothing runs: its database, the ledger, and the service to change."""
    folder = tmp_path_factory.mktemp("alone")
    place = standalone.Place(folder / "airflow", free_port(), {})
    with world(folder / "world") as connections:
        airflow = RealAirflow(place, None, {}, {**connections, "CHANGEWINDOW_POLICY": str(POLICY)}, POLICY)
        airflow.ledger.upgrade()
        environment = {**os.environ, **airflow.environment}
        subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], env=environment, check=True)
        yield airflow


@pytest.mark.xdist_group("one process")
@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.ticket)
def test_a_ticket_runs_in_one_process(alone: RealAirflow, act: Act) -> None:
    """Without scheduler, triggerer or worker, the outcome and the colour are the same."""
    now = datetime.now(UTC)
    text = with_window((TICKETS / f"{act.ticket}.yaml").read_text(), now, now + timedelta(minutes=30))
    change = alone.submit(load_text(text, Facts(now=now)).data)
    alone.write(change)
    command = [sys.executable, "-m", "airflow", "dags", "test", change, "--bundle-name", "changes"]
    ticked = ["--mark-success-pattern", "confirm"]
    run = subprocess.run([*command, *ticked], env=alone.environment, check=False, timeout=200)
    assert changes.get(alone.ledger, change).status == act.outcome
    assert (run.returncode == 0) == (act.outcome == "completed")
