"""A task of ours holds no key of Airflow's, and is led to none of the product's own databases and services."""

import json
import os
from concurrent.futures import ProcessPoolExecutor
from types import SimpleNamespace

import pytest

from changewindow.errors import OwnConnection
from changewindow.flow import airflow_connection
from changewindow.flow.airflow_connection import of_ticket, of_ticket_in_trigger
from changewindow.flow.dags.request import DryRun
from changewindow.flow.task_guard import ASIDE, BLOCKED, KEYS, TaskGuard, put_away, step_aside
from changewindow.flow.weights import options_of
from changewindow.ticket.plan import Role


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


@pytest.mark.parametrize(
    ("role", "place", "by"),
    [
        ("gate", f"{BLOCKED}///", ASIDE),
        ("window", f"{BLOCKED}///", ASIDE),
        pytest.param("gate", "sqlite:////airflow.db", 0, id="inside of Airflow itself"),
        *((role, f"{BLOCKED}///", 0) for role in ("apply", "watch", "undo", "verify", "close")),
    ],
)
def test_what_begins_steps_aside_for_what_rolls_back(role: Role, place: str, by: int) -> None:
    """Two hundred gates of one minute share the processors with the undo of a change that was breached meanwhile."""
    task = SimpleNamespace(**{"pool": "default_pool", **options_of(role)})
    with ProcessPoolExecutor(1) as process:
        before = process.submit(os.nice, 0).result()
        process.submit(step_aside, task, {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": place}).result()
        assert process.submit(os.nice, 0).result() - before == by


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
