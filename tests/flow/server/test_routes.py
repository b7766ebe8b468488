"""Every writing route that this Airflow has, against the table of what may be done to our DAGs."""

import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.api_fastapi.app import create_app, purge_cached_app
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.routing import Mount

from changewindow.changes.click_text import PHRASES
from changewindow.flow.own_dag import OWN_DAGS
from changewindow.flow.server.asked import Asked, Person, Refused, route_of
from changewindow.flow.server.door import PEOPLE, READING
from changewindow.flow.server.judge import judge
from changewindow.flow.server.routes import TABLE
from changewindow.ledger.models import Change
from support.layout import INCLUDE

NOW = datetime(2026, 11, 3, 12, tzinfo=UTC)
KNOWN_MOUNTS = {"/execution", "/auth", "/static", "/change-windows"}


class NothingKnown:
    """Facts of a ledger and an Airflow without a change."""

    now = NOW

    def change(self, _identity: str) -> Change | None:
        """Return nothing."""
        return None

    def acting(self) -> list[str]:
        """Return nothing."""
        return []

    def holder(self, _target: str) -> str:
        """Return nothing."""
        return ""

    def asked_of_everybody(self, _dag: str, _run: str, _task: str, *, person: str) -> str:
        """Return that people are named."""
        return ""

    def open_runs(self, _dag: str) -> list[str]:
        """Return nothing."""
        return []

    def why_not(self, _dag: str, _params: Mapping[str, Any], _person: Person) -> str:
        """Refuse nobody."""
        return ""


@pytest.fixture(scope="module")
def airflow_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    """Return the application of Airflow's API server, with our plugin."""
    folder = tmp_path_factory.mktemp("airflow")
    os.environ["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"] = str(folder / "passwords.json")
    yield create_app()
    del os.environ["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"]
    purge_cached_app()


def writing(app: FastAPI) -> set[str]:
    """Return every route for people that may write, as the table names it."""
    return {
        f"{method} {route.path}"
        for route in app.routes
        if isinstance(route, APIRoute) and route.path.startswith(PEOPLE)
        for method in route.methods - READING
    }


def test_every_writing_route_is_in_the_table(airflow_app: FastAPI) -> None:
    """A new version of Airflow with another route needs somebody who decides about it."""
    assert writing(airflow_app) - set(TABLE) == set(), "decide about them in flow/server/routes.py"
    assert set(TABLE) - writing(airflow_app) == set(), "this Airflow has no such routes"


def test_every_writing_operation_of_the_openapi_document_is_in_the_table(airflow_app: FastAPI) -> None:
    """What Airflow says of itself names no other place; what it mounts beside is known."""
    operations = {
        f"{method.upper()} {path}"
        for path, methods in airflow_app.openapi()["paths"].items()
        for method in methods
        if method.upper() not in READING
    }
    assert operations <= {key.replace(":path", "") for key in TABLE}
    assert {route.path for route in airflow_app.routes if isinstance(route, Mount)} == KNOWN_MOUNTS


def test_the_door_stands_before_them(airflow_app: FastAPI) -> None:
    """Airflow registers it from our plugin."""
    assert "door" in [getattr(middleware.cls, "__name__", "") for middleware in airflow_app.user_middleware]


def test_what_each_route_does_to_a_change_is_told_in_words() -> None:
    """Of those that can name one, and that do more than read."""
    names = [key for key in TABLE if "{dag_id}" in key or key in {"PATCH /api/v2/dags", "POST /api/v2/backfills"}]
    assert {key for key in names if not key.endswith(("/dry_run", "/list"))} == set(PHRASES)


@pytest.mark.parametrize("dag", ["CHG-1042", "abort_change", "~"])
def test_a_route_that_nobody_has_decided_about_is_refused(dag: str) -> None:
    """For each of our DAGs, for all at once, and where no DAG is named; another DAG is its owner's affair."""
    new = Asked("POST", f"/api/v2/dags/{dag}/explode", "/api/v2/dags/{dag_id}/explode", {"dag_id": dag})
    everywhere = Asked("POST", "/api/v2/explodeDags", "/api/v2/explodeDags")
    hidden = Asked("POST", "/api/v2/dags/etl/explode", new.route, {"dag_id": "etl"}, body=f'{{"x": "{dag}"}}'.encode())
    for asked in (new, everywhere, *([hidden] if dag != "~" else [])):
        with pytest.raises(Refused, match=r"does not know POST /api/v2/.*, which may act on changes"):
            judge(asked, NothingKnown())
    judge(Asked("POST", "/api/v2/dags/etl/explode", new.route, {"dag_id": "etl"}), NothingKnown())


@pytest.mark.parametrize("key", sorted(TABLE))
def test_another_dag_is_its_owners_affair(key: str) -> None:
    """Whatever is done to it, in whatever form."""
    method, _, route = key.partition(" ")
    parameters = {name: "etl" for name in ("dag_id", "pool_name", "connection_id") if f"{{{name}" in route}
    body = b'{"is_paused": true, "slots": 0, "logical_date": "2030-01-01T00:00:00Z", "conf": {"change": "CHG-1042"}}'
    judge(Asked(method, "", route, parameters, body=body), NothingKnown())


@pytest.mark.parametrize(
    ("path", "template", "dag"),
    [
        pytest.param("/api/v2/dags/CHG-1/dagRuns", "/api/v2/dags/{dag_id}/dagRuns", "CHG-1", id="plain"),
        pytest.param("/airflow/api/v2/dags/CHG-1/dagRuns", "/api/v2/dags/{dag_id}/dagRuns", "CHG-1", id="below a path"),
        pytest.param("/api/v2//dags/CHG-1/dagRuns", "", "", id="a path that Airflow does not answer"),
    ],
)
def test_a_request_is_read_by_the_route_that_answers_it(
    airflow_app: FastAPI, path: str, template: str, dag: str
) -> None:
    """As Airflow's own router does, wherever it is published."""
    scope = {"type": "http", "method": "POST", "path": path, "root_path": "/airflow", "app": airflow_app}
    route, parameters = route_of(scope)
    assert (route, parameters.get("dag_id", "")) == (template, dag)


def test_our_dags_are_known_by_name() -> None:
    """Those that are shipped, and no others."""
    assert {path.stem for path in (Path(INCLUDE) / "changewindow" / "shipped" / "dags").glob("*.py")} == OWN_DAGS
