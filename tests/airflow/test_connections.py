"""The connections that kinds use: their form in the UI, and its button "Test", pressed over REST on a real Airflow."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from changewindow.systems.connection import Connection
from servers import postgres
from servers.kubernetes import running
from servers.sshd import sshd
from support.ports import free_port
from support.real_airflow import Probe, RealAirflow

FORMS = {"http", "git", "kubernetes", "ssh", "aws", "postgres", "sqlite", "slack", "pagerduty", "opsgenie", "generic"}
BUTTON = ("http", "kubernetes", "ssh", "postgres", "sqlite", "slack")
"""Whose provider can be tested here: it has a test, and asks nobody on the internet."""


pytestmark = pytest.mark.xdist_group("the servers of connections")


@pytest.fixture(scope="module")
def connections(probe: Probe, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Connection]]:
    """Return a good connection of each type, to real servers."""
    folder = tmp_path_factory.mktemp("servers")
    with ExitStack() as ending:
        server = ending.enter_context(sshd(folder / "sshd"))
        cluster = ending.enter_context(running())
        yield {
            "http": Connection("it", "http", host=probe.url),
            "kubernetes": cluster.connection(),
            "ssh": server.connection("it"),
            "postgres": postgres.shared().fresh(),
            "sqlite": Connection("it", "sqlite", host=str(folder / "orders.db")),
            "slack": Connection("it", "slack", password="xoxb-1", extra={"base_url": f"{probe.url}/api/"}),
        }


def pressed(airflow: RealAirflow, connection: Connection, **changed: Any) -> tuple[bool, str]:
    """Press "Test" on a form that is filled in; return whether it worked, and what the page says."""
    form = {"connection_id": "tried", "conn_type": connection.kind, "extra": json.dumps(connection.extra)}
    names = ("host", "port", "login", "password", "schema")
    form |= {name: getattr(connection, name) for name in names if getattr(connection, name)}
    answer = airflow.clients["admin"].post("/connections/test", {**form, **changed})
    return answer["status"], answer["message"]


def test_the_page_has_a_form_for_each_type(airflow: RealAirflow) -> None:
    """Nobody writes a connection by hand."""
    forms = airflow.clients["admin"]._send("GET", "/ui/connections/hook_meta", None)
    assert {form["connection_type"] for form in forms} >= FORMS


@pytest.mark.parametrize("kind", BUTTON)
def test_the_button_tells_a_good_connection(
    airflow: RealAirflow, connections: dict[str, Connection], kind: str
) -> None:
    """What a kind will be able to use is found to work."""
    works, message = pressed(airflow, connections[kind])
    assert works, message


@pytest.mark.parametrize("kind", ["http", "ssh", "postgres"])
def test_the_button_tells_a_bad_connection(airflow: RealAirflow, connections: dict[str, Connection], kind: str) -> None:
    """Where nobody listens, it does not work."""
    host = {"host": f"http://127.0.0.1:{free_port()}"} if kind == "http" else {"port": free_port()}
    works, message = pressed(airflow, connections[kind], **host)
    assert not works, message
