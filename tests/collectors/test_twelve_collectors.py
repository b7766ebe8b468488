"""Twelve collectors of real kinds, one of which hangs and one fails: the answer is there in time, and names both."""

import importlib
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from changewindow.changes.look_around import LIMIT, look_around
from changewindow.changes.what_changed import Question
from changewindow.errors import UnknownConnection
from changewindow.systems.connection import Connection
from support.ledgers import on_sqlite
from support.looking import collector, last

WELL = ("airflow", "ansible", "changes", "chef", "git", "journal", "kubernetes", "ossec", "puppet", "tls")
HANGING: dict[str, dict[str, Any]] = {
    "a host whose sshd says nothing": {"kind": "packages", "connection": "hanging_ssh"},
    "a server that answers nothing": {"kind": "puppet", "puppetdb": "hanging_http"},
}
PATIENCE = 10.0
"""Seconds: the answer is there within 5; a machine that runs other tests meanwhile may take a moment longer."""


@contextmanager
def silent() -> Iterator[int]:
    """Take whoever connects, and say nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=20) as listening:
        yield listening.getsockname()[1]


@pytest.mark.parametrize("hanging", HANGING.values(), ids=HANGING.keys())
def test_one_that_hangs_and_one_that_fails_are_named_within_five_seconds(
    tmp_path: Path, hanging: dict[str, Any]
) -> None:
    """Those that are well are all there; the figure is printed."""
    with ExitStack() as running:
        port = running.enter_context(silent())
        ssh = Connection("hanging_ssh", "ssh", "127.0.0.1", port, "dora", extra={"no_host_key_check": True})
        connections = {"hanging_ssh": ssh, "hanging_http": Connection("hanging_http", "http", "127.0.0.1", port)}
        asked = {"hanging": collector({**hanging, "within": "5m"})}
        for kind in WELL:
            (tmp_path / kind).mkdir()
            fixture = importlib.import_module(f"collector_fixtures.{kind}")
            made = running.enter_context(fixture.world(tmp_path / kind))
            connections |= {connection.name: connection for connection in made.connections}
            asked[kind] = collector({**made.collector, "within": "4s"})
        asked["failing"] = collector({"kind": "tls", "servers": [{"host": "127.0.0.1", "port": 1}]})

        async def connect(name: str) -> Connection:
            if name not in connections:
                raise UnknownConnection(name)
            return connections[name]

        began = time.monotonic()
        question = Question(last(timedelta(hours=1)))
        answer = look_around(
            question, asked, connect, folder=tmp_path / "kept", ledger=lambda: on_sqlite(tmp_path / "changes")
        )
        took = time.monotonic() - began
    print(f"twelve collectors, one hangs and one fails: {took:.2f} s")
    assert len(asked) == 12
    assert took < PATIENCE
    reasons = {gap.collector: gap.why for gap in answer.failed}
    assert sorted(answer.saw) == sorted(WELL), reasons
    assert reasons.keys() == {"hanging", "failing"}
    assert reasons["hanging"].startswith("no answer within ")
    assert reasons["hanging"].endswith(". Ask for less time, or see why it is so slow")
    assert "127.0.0.1:1" in reasons["failing"]
    assert LIMIT == 5
