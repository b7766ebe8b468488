"""Which database stands behind an Airflow Connection."""

import json

import pytest

from changewindow.errors import UnusableConnection
from changewindow.flow import airflow_connection


def connect(monkeypatch: pytest.MonkeyPatch, **fields: object) -> str:
    """Return the address of the database of a connection with these fields."""
    monkeypatch.setenv("AIRFLOW_CONN_ORDERS", json.dumps({"login": "robot", "password": "p@ss", **fields}))
    return airflow_connection.connection("orders").database_url


def test_the_provider_of_a_connection_makes_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """A type that the core does not know gets the address that its provider's hook makes."""
    url = connect(monkeypatch, conn_type="redshift", host="warehouse.example", port=5439, schema="sales")
    assert url == "postgresql://robot:p%40ss@warehouse.example:5439/sales"


@pytest.mark.parametrize("kind", ["http", "mysql", "generic"])
def test_a_connection_of_no_database_is_named(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """Another type, or one whose provider is not installed, is refused with its name."""
    with pytest.raises(UnusableConnection, match="'orders' has no type of a database whose Airflow provider is inst"):
        connect(monkeypatch, conn_type=kind, host="somewhere.example")


def test_postgresql_keeps_its_encryption(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the extra says of encryption is part of the address, and nothing else of it."""
    extra = {"sslmode": "verify-full", "sslrootcert": "/etc/ca.pem", "cursor": "dictcursor"}
    url = connect(monkeypatch, conn_type="postgres", host="db.example", port=5432, schema="orders", extra=extra)
    wanted = "sslmode=verify-full&sslrootcert=%2Fetc%2Fca.pem"
    assert url == f"postgresql+psycopg2://robot:p%40ss@db.example:5432/orders?{wanted}"


def test_an_address_of_ipv6_stands_in_brackets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its colons are not taken for the port."""
    url = connect(monkeypatch, conn_type="postgres", host="2001:db8::1", port=5432, schema="orders")
    assert url == "postgresql+psycopg2://robot:p%40ss@[2001:db8::1]:5432/orders"


def test_how_the_address_is_made_is_told_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection shows neither password nor address when it is printed."""
    monkeypatch.setenv("AIRFLOW_CONN_ORDERS", json.dumps({"conn_type": "redshift", "password": "s3cret"}))
    shown = repr(airflow_connection.connection("orders"))
    assert "s3cret" not in shown
    assert "url_of_hook" not in shown
