"""The source tcp, against open, closed and silent ports."""

import socket
from typing import Any

import pytest

from changewindow.sharing import client
from changewindow.sources.base import Answer, Asking, SourceError
from changewindow.sources.tcp import Source
from known import Told


async def ask(port: int, **fields: Any) -> Answer:
    """Return the answer of the source."""
    async with client() as http:
        asked = {"host": "127.0.0.1", "port": port, **fields}
        return await Source.model_validate(asked).ask(Asking(http, None))  # type: ignore[arg-type]


async def test_an_open_port(server: Told) -> None:
    """It connects, in some time."""
    port = int(server.url.rpartition(":")[2])
    assert (await ask(port)).value is True
    assert 0 < float((await ask(port, read="latency")).value) < 3


async def test_a_closed_port() -> None:
    """It does not connect, and took no time that could be read."""
    answer = await ask(1)
    assert answer.value is False
    assert answer.query.startswith("TCP 127.0.0.1:1: Connect call failed")
    with pytest.raises(SourceError, match=r"TCP 127\.0\.0\.1:1 does not connect") as raised:
        await ask(1, read="latency")
    assert raised.value.cause == "unreachable"


async def test_a_silent_port() -> None:
    """A full queue of a listener answers nothing."""
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for one in (first, second):
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        port = full.getsockname()[1]
        answer = await ask(port, within="200ms")
    assert (answer.value, answer.query) == (False, f"TCP 127.0.0.1:{port}: no answer within 0.2s")


async def test_a_host_that_is_not_found() -> None:
    """That says nothing about the service."""
    with pytest.raises(SourceError, match=r"the host nowhere\.invalid is not found") as raised:
        await ask(1, host="nowhere.invalid")
    assert raised.value.cause == "unreachable"
