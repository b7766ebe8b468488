"""Alerts are silenced while a change runs on a real Airflow, and told again as soon as it ends, or dies."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from changewindow.cli.airflow_api import wait_for
from changewindow.ledger import events
from changewindow.ledger.payloads import Silenced, SilenceEnded
from servers.alertmanager import Alertmanager, running
from support.real_airflow import LEASE, RealAirflow, ticket
from support.web import WEB

RENEWED = LEASE + 5
"""So long the change is watched: it is silenced from its gate on, and so for longer than the lease."""
SLOW = 5
"""Seconds that Alertmanager and a look at it may take."""
pytestmark = pytest.mark.xdist_group("alone")


@dataclass
class Place:
    """An Airflow and an Alertmanager, in which an alert fires that changes disturb, and another one."""

    airflow: RealAirflow
    alerts: Alertmanager

    def is_silenced(self) -> bool:
        """Return whether the alert is silenced; the other one never is."""
        states = self.alerts.states()
        assert states["Errors"] == "active"
        return states["PodRestarts"] == "suppressed"

    def silences(self) -> list[dict[str, Any]]:
        """Return all silences that there ever were."""
        silences: list[dict[str, Any]] = WEB.get(f"{self.alerts.url}/api/v2/silences").json()
        return silences


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, own_airflow: RealAirflow) -> Iterator[Place]:
    """Start an Alertmanager that Airflow knows."""
    with running(tmp_path_factory.mktemp("alertmanager")) as alerts:
        alerts.fire(alertname="PodRestarts", service="orders", minutes=30)
        alerts.fire(alertname="Errors", service="orders", minutes=30)
        known = {"connection_id": "alerts", "conn_type": "http", "host": alerts.url}
        own_airflow.clients["admin"].post("/connections", known)
        yield Place(own_airflow, alerts)


def published(place: Place, journal: Path, watch: str) -> tuple[str, str]:
    """Publish a change that silences the alert; return it and its run."""
    muted = {
        "kind": "alertmanager",
        "connection": "alerts",
        "matchers": ['service="orders"', 'alertname="PodRestarts"'],
    }
    change = place.airflow.publish({**ticket(journal, watch=watch), "silence": [muted]})
    return change, place.airflow.run_of(change)


def test_an_alert_is_silenced_until_its_change_has_ended(place: Place, tmp_path: Path) -> None:
    """One silence, opened before the first step, renewed by the worker and by the triggerer, ended by `close`."""
    change, run = published(place, tmp_path / "journal", f"{RENEWED}s")
    wait_for(place.is_silenced, "the silence", 120, 0.2)
    assert place.airflow.state(change, run, "watch") is None
    place.airflow.reaches(change, run, "watch", "deferred")
    began = time.monotonic()
    while time.monotonic() - began < RENEWED - SLOW:
        assert place.is_silenced()
        time.sleep(1)
    assert place.airflow.ends(change, run) == ("success", "completed")
    assert not place.is_silenced()
    [kept] = place.silences()
    assert kept["comment"].startswith(f"{change} ({run}, silence 1), until ")
    kinds = place.airflow.kinds(change)
    assert kinds.index("started") < kinds.index("silenced") < kinds.index("remembered")
    assert kinds.index("closed") < kinds.index("silence_ended")
    assert [event.id for event in events.past(place.airflow.ledger, change, Silenced)] == [kept["id"]]
    assert [event.by_hand for event in events.past(place.airflow.ledger, change, SilenceEnded)] == [False]


def test_an_alert_is_told_again_within_the_lease_when_all_of_airflow_is_killed(place: Place, tmp_path: Path) -> None:
    """With SIGKILL, while the change is watched: nobody is left who could end the silence.

    It is the last test of its group, see `conftest`: there is no Airflow for another one.
    """
    change, run = published(place, tmp_path / "killed", "10m")
    place.airflow.reaches(change, run, "watch", "deferred")
    wait_for(place.is_silenced, "the silence", 60, 0.2)
    died = kill(place.airflow.process)
    assert place.is_silenced()
    wait_for(lambda: not place.is_silenced(), "the end of the lease", LEASE + SLOW, 0.2)
    print(f"told again {time.monotonic() - died:.1f} s after the death of Airflow; the lease is {LEASE} s")
    assert "silence_ended" not in place.airflow.kinds(change)


def kill(airflow: psutil.Process) -> float:
    """Kill every process of Airflow at once; return when all were dead."""
    family = [airflow, *airflow.children(recursive=True)]
    for process in family:
        process.suspend()  # so that none starts another one
    for process in {*family, *airflow.children(recursive=True)}:
        process.kill()
    psutil.wait_procs(family, timeout=10)
    return time.monotonic()
