"""Every kind of step and of source, in changes on a real Airflow, with its Connections made as people make them."""

import importlib
import json
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from changewindow import kinds
from changewindow.ledger import changes, events
from changewindow.sources import staging
from changewindow.systems.connection import Connection
from source_fixtures import Answers
from step_fixtures import World
from support.real_airflow import RealAirflow, ticket, window

FIELDS = ("host", "port", "login", "password", "schema")


def connect(airflow: RealAirflow, known: Connection, name: str) -> None:
    """Make a connection by REST, as the form of the UI does."""
    form = {"connection_id": name, "conn_type": known.kind, "extra": json.dumps(known.extra)}
    form |= {field: getattr(known, field) for field in FIELDS if getattr(known, field)}
    airflow.clients["admin"].post("/connections", form)


def named(value: Any, names: dict[str, str]) -> Any:
    """Return JSON in which connections have other names."""
    if isinstance(value, dict):
        return {key: named(inner, names) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [named(inner, names) for inner in value]
    return names.get(value, value) if isinstance(value, str) else value


def usable(airflow: RealAirflow, what: str, fields: dict[str, Any], *known: Connection) -> dict[str, Any]:
    """Make the connections of a kind under names of its own; return the fields with these names."""
    names = {connection.name: f"{what}_{connection.name}" for connection in known}
    for connection in known:
        connect(airflow, connection, names[connection.name])
    return {**named(fields, names), "kind": fields["kind"]}


def hours(count: int) -> dict[str, str]:
    """Return a window that is open for so many hours; nineteen steps may take long by their timeouts."""
    now = datetime.now(UTC)
    return window(now - timedelta(seconds=1), now + timedelta(hours=count))


@pytest.fixture
def fixtures(tmp_path: Path) -> Iterator[dict[str, World]]:
    """Return the fixture of each kind of step."""
    with ExitStack() as ending:
        made = {}
        for kind in kinds.modules("steps"):
            (tmp_path / kind).mkdir()
            made[kind] = ending.enter_context(importlib.import_module(f"step_fixtures.{kind}").world(tmp_path / kind))
        yield made


@pytest.fixture
def places(tmp_path: Path) -> Iterator[dict[str, Answers]]:
    """Return where each kind of source finds its answer."""
    with ExitStack() as ending:
        made = {}
        for kind in sorted({*kinds.modules("sources")} - {"staging"}):
            (tmp_path / kind).mkdir()
            made[kind] = ending.enter_context(importlib.import_module(f"source_fixtures.{kind}").place(tmp_path / kind))
        made["staging"] = Answers({**staging.EXAMPLE}, {"between": [0, 1]})
        yield made


def texts(airflow: RealAirflow, change: str) -> str:
    """Return all that a change has said: its logs, its events, and what its tasks have left."""
    collected = [path.read_text() for path in (airflow.place.home / "logs" / f"dag_id={change}").rglob("*.log")]
    collected += [event.data for event in events.history(airflow.ledger, change)]
    for run in airflow.alice.runs(change):
        for task in airflow.alice.tasks(change, run["dag_run_id"]):
            left = f"/dags/{change}/dagRuns/{quote(run['dag_run_id'])}/taskInstances/{task}/xcomEntries"
            for entry in airflow.alice.get(left)["xcom_entries"]:
                collected.append(json.dumps(airflow.alice.xcom(change, run["dag_run_id"], task, entry["key"])))
    return "\n".join(collected)


def test_a_step_of_every_kind(airflow: RealAirflow, fixtures: dict[str, World], tmp_path: Path) -> None:
    """One change has them all; it completes, and after a later rollback all is as before. No secret is shown."""
    before = {kind: fixture.state() for kind, fixture in fixtures.items()}
    steps = [
        usable(airflow, f"step_{kind}", fixture.step, *fixture.connections.values())
        for kind, fixture in fixtures.items()
    ]
    change = airflow.publish({**ticket(tmp_path / "every_step"), "steps": steps, "window": hours(23)})
    assert airflow.ends(change, airflow.run_of(change), 600) == ("success", "completed"), why(airflow, change)
    assert [kind for kind, fixture in fixtures.items() if fixture.state() == before[kind]] == []
    run = airflow.alice.trigger(change, {"mode": "rollback", "reason": "enough seen"})
    assert airflow.ends(change, run, 600) == ("failed", "rolled_back"), why(airflow, change)
    assert {kind: fixture.state() for kind, fixture in fixtures.items()} == before
    secrets = {
        known.password for fixture in fixtures.values() for known in fixture.connections.values() if known.password
    }
    everything = texts(airflow, change)
    assert [secret for secret in secrets if secret in everything] == []


def why(airflow: RealAirflow, change: str) -> str:
    """Return how a change ended."""
    return changes.get(airflow.ledger, change).reason


def test_a_source_of_every_kind(airflow: RealAirflow, places: dict[str, Answers], tmp_path: Path) -> None:
    """One preflight asks them all, and the gate once more in one sample; the same has run in staging before."""
    data = ticket(tmp_path / "every_source")
    staged = airflow.publish({**data, "environment": "staging"})
    assert airflow.ends(staged, airflow.run_of(staged)) == ("success", "completed"), why(airflow, staged)
    checks = [
        {
            "name": kind,
            "source": usable(airflow, f"source_{kind}", place.source, *place.connections),
            "pass": place.good,
            "timeout": "30s",  # all are asked at once, beside other tests
        }
        for kind, place in places.items()
    ]
    preflight = {"checks": checks, "within": "10m", "settle": "1s"}
    change = airflow.publish({**data, "preflight": preflight})
    assert airflow.ends(change, airflow.run_of(change), 600) == ("success", "completed"), why(airflow, change)
