"""Two connections that lead to one place, whatever they call it."""

import os
import socket
from pathlib import Path

import pytest

from changewindow.errors import OwnConnection, UnusableConnection
from changewindow.systems.connection import Connection
from changewindow.systems.endpoints import Endpoint, endpoint_at, endpoint_of
from changewindow.systems.own_connections import OwnPlaces

LEDGER = Connection("changewindow_ledger", "postgres", host="127.0.0.1", login="changewindow", schema="changewindow")
API = Endpoint("localhost", 8080)
TICKETS = Connection("changewindow_tickets", "git", host="https://git.example.com/ops/tickets.git")


def is_own(connection: Connection, *ours: Endpoint | None, tokens: frozenset[str] = frozenset()) -> bool:
    """Return whether a connection is refused as one of ours."""
    places = OwnPlaces(tuple(("one of ours", place) for place in ours if place), tokens)
    try:
        places.require_foreign(connection)
    except OwnConnection:
        return True
    return False


HERE = ["127.0.0.1", "localhost", "::1", "LOCALHOST.", "127.1", "0.0.0.0", socket.gethostname()]  # noqa: S104


@pytest.mark.parametrize("host", HERE)
def test_a_database_is_known_by_all_names_of_this_machine(host: str) -> None:
    """The port is the usual one, written or not; another database of the same server is somebody else's."""
    other = {"kind": "postgres", "host": host, "login": "x"}
    assert is_own(Connection("orders", schema="changewindow", **other), endpoint_of(LEDGER))
    assert is_own(Connection("orders", schema="changewindow", port=5432, **other), endpoint_of(LEDGER))
    assert not is_own(Connection("orders", schema="changewindow", port=5433, **other), endpoint_of(LEDGER))
    assert not is_own(Connection("orders", schema="orders", **other), endpoint_of(LEDGER))


def test_a_file_is_known_through_links_and_by_every_way_to_write_it(tmp_path: Path) -> None:
    """Symbolic and hard links, dots, and addresses of files."""
    ledger = tmp_path / "ledger.db"
    ledger.touch()
    (tmp_path / "soft.db").symlink_to(ledger)
    os.link(ledger, tmp_path / "hard.db")
    own = endpoint_of(Connection("changewindow_ledger", "sqlite", host=str(ledger)))
    written = ["soft.db", "hard.db", "../" + tmp_path.name + "/ledger.db"]
    hosts = [*(f"{tmp_path}/{name}" for name in written), f"file:{ledger}?mode=rw&uri=true", f"file://{ledger}"]
    assert [is_own(Connection("orders", "sqlite", host=host), own) for host in hosts] == [True] * 5
    assert not is_own(Connection("orders", "sqlite", host=str(tmp_path / "orders.db")), own)


@pytest.mark.parametrize(
    ("connection", "expected"),
    [
        pytest.param(Connection("a", "http", host="http://127.0.0.1:8080"), True, id="the API by its address"),
        pytest.param(Connection("a", "http", host="localhost", port=8080), True, id="by host and port"),
        pytest.param(Connection("a", "http", host="http://localhost:8080/api/v2"), True, id="with a path"),
        pytest.param(
            Connection("a", "http", host="http://localhost:8000"), False, id="another port is another service"
        ),
        pytest.param(
            Connection("a", "http", host="http://127.0.0.9", port=8080), True, id="all of 127 is this machine"
        ),
        pytest.param(Connection("a", "http"), False, id="one without a host leads nowhere"),
    ],
)
def test_the_api_is_known_by_its_port(connection: Connection, expected: bool) -> None:  # noqa: FBT001
    """With the approver's token in a connection, a change could approve itself there."""
    assert is_own(connection, API) == expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("https://git.example.com/ops/tickets", True),
        ("https://robot@git.example.com:443/ops/tickets.git/", True),
        ("https://git.example.com/ops/config.git", False),
        ("git@git.example.com:ops/config.git", False),
    ],
)
def test_the_repository_of_tickets_is_known_by_its_path(host: str, expected: bool) -> None:  # noqa: FBT001
    """Other repositories of the same server are not ours."""
    assert is_own(Connection("config", "git", host=host), endpoint_of(TICKETS)) == expected


def test_our_own_names_and_tokens_are_refused_wherever_they_lead() -> None:
    """By name at the latest here, and the token with which we write under any name."""
    assert is_own(Connection("changewindow_ledger", "http", host="elsewhere"))
    assert is_own(Connection("chat", "http", host="slack.com", password="xoxb"), tokens=frozenset({"xoxb"}))
    assert not is_own(Connection("chat", "http", host="slack.com", password="other"), tokens=frozenset({"xoxb"}))


def test_a_place_without_a_database_is_all_of_the_server() -> None:
    """As the operator names it: `postgres:5432`."""
    orders = Connection("orders", "postgres", host="localhost", schema="orders")
    assert is_own(orders, endpoint_at("127.0.0.1:5432"))


@pytest.mark.parametrize(
    "fields",
    [
        {"host": "decoy/orders?host=127.0.0.1&dbname=changewindow", "schema": "x"},
        {"host": "decoy", "schema": "orders?host=127.0.0.1&dbname=changewindow"},
        {"host": "a@127.0.0.1", "schema": "changewindow"},
    ],
)
def test_a_host_that_holds_an_address_of_its_own_is_refused(fields: dict[str, str]) -> None:
    """It would lead elsewhere than what was compared."""
    with pytest.raises(UnusableConnection, match="a part of an address"):
        _ = Connection("orders", "postgres", **fields).database_url
