"""A task of ours holds no key of Airflow's, and is led to none of the product's own databases and services."""

import json
import os
from types import SimpleNamespace

import pytest

from changewindow.errors import OwnConnection
from changewindow.flow import airflow_connection
from changewindow.flow.airflow_connection import of_ticket, of_ticket_in_trigger
from changewindow.flow.dags.request import DryRun
from changewindow.flow.task_guard import BLOCKED, KEYS, TaskGuard, put_away


def test_a_task_puts_the_keys_away_before_it_begins() -> None:
    """What a library starts without asking us (a login helper of a cluster or a cloud) does not get them either."""
    ours = dict.fromkeys(KEYS, "canary-key") | {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"{BLOCKED}///", "PATH": "/bin"}
    put_away(ours)
    assert set(ours) == {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "PATH"}


def test_airflow_itself_keeps_its_keys() -> None:
    """Where a task runs inside of it, as in `airflow dags test`, it could not read its connections without."""
    ours = dict.fromkeys(KEYS, "canary-key") | {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "sqlite:////airflow.db"}
    put_away(ours)
    assert set(KEYS) < set(ours)


@pytest.mark.parametrize(("is_ours", "kept"), [(True, False), (False, True)])
def test_the_tasks_of_others_keep_what_they_have(
    monkeypatch: pytest.MonkeyPatch,
    is_ours: bool,  # noqa: FBT001
    kept: bool,  # noqa: FBT001
) -> None:
    """Our plugin changes nothing for the other DAGs of an Airflow."""
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", f"{BLOCKED}///")
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", "canary-key")
    task = DryRun(task_id="dry_run") if is_ours else SimpleNamespace()
    TaskGuard().on_task_instance_running(None, SimpleNamespace(task=task))
    assert ("AIRFLOW__CORE__FERNET_KEY" in os.environ) == kept


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Airflow know the ledger, the same under another name, and a service."""
    known = {
        "CHANGEWINDOW_LEDGER": {"conn_type": "sqlite", "host": "/srv/ledger.db"},
        "ORDERS_DATABASE": {"conn_type": "sqlite", "host": "/srv/../srv/ledger.db"},
        "ORDERS": {"conn_type": "http", "host": "http://orders:8000"},
        "BOSS": {"conn_type": "http", "host": "http://airflow-apiserver:8080"},
    }
    for name, fields in known.items():
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}", json.dumps(fields))
    monkeypatch.setenv("CHANGEWINDOW_OWN", "postgres:5432 airflow-apiserver:8080")
    airflow_connection._own.cache_clear()
    airflow_connection._own_in_trigger.clear()


@pytest.mark.usefixtures("connections")
@pytest.mark.parametrize("name", ["changewindow_ledger", "orders_database", "boss"])
async def test_no_ticket_reaches_the_ledger_or_the_api_under_any_name(name: str) -> None:
    """Neither a step in its task, nor a condition in the triggerer, also when the connection was changed meanwhile."""
    with pytest.raises(OwnConnection, match="No change may use it"):
        of_ticket(name)
    with pytest.raises(OwnConnection, match="No change may use it"):
        await of_ticket_in_trigger(name)


@pytest.mark.usefixtures("connections")
async def test_the_connections_of_services_are_taken_as_they_are() -> None:
    """The comparison costs them nothing but a look."""
    assert of_ticket("orders").host == "http://orders:8000"
    assert (await of_ticket_in_trigger("orders")).host == "http://orders:8000"
