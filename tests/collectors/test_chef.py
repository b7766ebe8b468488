"""What `chef` shows of recorded answers of a Chef Infra Server, which wants signed requests: none runs here."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from changewindow.errors import UnusableConnection
from changewindow.systems.collection import Collected
from changewindow.systems.connection import Connection
from collector_fixtures.chef import Chef, serving
from support.looking import looked


@pytest.fixture
def known() -> Iterator[tuple[Chef, Connection]]:
    """Return a server with its connection."""
    with serving() as running:
        yield running


async def look(connection: Connection, kept: dict[str, Any]) -> Collected:
    """Return what shows."""
    return await looked({"kind": "chef", "connection": connection.name}, connection, folder=Path("unused"), kept=kept)


async def test_nodes_come_go_and_change_and_cookbooks_get_newer(known: tuple[Chef, Connection]) -> None:
    """The first look remembers."""
    chef, connection = known
    kept: dict[str, Any] = {}
    chef.node("db-1")
    assert (await look(connection, kept)).entries == ()
    chef.node("web-3", environment="staging")
    chef.node("web-4")
    del chef.nodes["db-1"]
    chef.cookbooks["pool"] = "1.1.0"
    entries = {entry.object: entry for entry in (await look(connection, kept)).entries}
    assert {name: entry.what.partition(" between")[0].rstrip(",") for name, entry in entries.items()} == {
        "node web-3": "changed: environment",
        "node web-4": "node is new",
        "node db-1": "node is gone",
        "cookbook pool": "its newest version is 1.1.0, changed",
    }
    assert "environment: production" in entries["node web-3"].before
    assert entries["node web-3"].known_by.startswith("the Chef server does not record who changed it")


async def test_pages_are_followed_and_what_is_missing_is_said(
    known: tuple[Chef, Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nodes that cannot be read, those on which Chef no longer runs, and those that are too many."""
    monkeypatch.setattr("changewindow.systems.chef_server.PAGE", 3)
    chef, connection = known
    for number in range(7):
        chef.node(f"web-{number}", ohai_time=time.time() - 86400 * (number == 2))
    chef.node("broken", ohai_time="yesterday")
    kept: dict[str, Any] = {}
    coverage = (await look(connection, kept)).coverage
    assert len([name for name in kept["objects"] if name.startswith("node ")]) == 7
    assert coverage.lost == 1
    assert coverage.why.startswith("1 nodes cannot be read; Chef has not run lately on web-2; changes of nodes")
    monkeypatch.setattr("changewindow.collectors.chef.NODES", 4)
    assert "4 nodes are not looked at, 4 are" in (await look(connection, {})).coverage.why


async def test_a_cookbook_that_is_gone_is_seen_although_a_node_is_stale(known: tuple[Chef, Connection]) -> None:
    """What Chef does on nodes has nothing to do with what the server holds."""
    chef, connection = known
    kept: dict[str, Any] = {}
    chef.node("web-2", ohai_time=time.time() - 86400)
    chef.cookbooks["old"] = "1.0.0"
    await look(connection, kept)
    del chef.cookbooks["old"]
    assert [entry.object for entry in (await look(connection, kept)).entries] == ["cookbook old"]


async def test_a_key_that_is_none_is_told() -> None:
    """It is not shown."""
    broken = Connection("chef_server", "http", "http://127.0.0.1:1", login="reader", password="s3cret")
    with pytest.raises(UnusableConnection, match="private key of a client, in PEM") as raised:
        await look(broken, {})
    assert "s3cret" not in str(raised.value)
