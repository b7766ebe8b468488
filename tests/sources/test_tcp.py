"""The source tcp, against open, closed and silent ports."""

import asyncio
import errno
import socket
from typing import Any

import pytest
from pydantic import ValidationError

from changewindow.sources.tcp import Source
from changewindow.systems.measurement import Answer, SourceContext, SourceError
from changewindow.watch.shared_answers import client
from support.recording_server import RecordingServer


async def ask(port: int, **fields: Any) -> Answer:
    """Return the answer of the source."""
    async with client() as http:
        asked = {"host": "127.0.0.1", "port": port, **fields}
        return await Source.model_validate(asked).ask(SourceContext(http, None))  # type: ignore[arg-type]


async def test_an_open_port(server: RecordingServer) -> None:
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
        for listener in (first, second):
            listener.setblocking(False)
            listener.connect_ex(full.getsockname())
        port = full.getsockname()[1]
        answer = await ask(port, within="200ms")
    assert (answer.value, answer.query) == (False, f"TCP 127.0.0.1:{port}: no answer within 0.2s")


async def test_a_host_that_is_not_found() -> None:
    """That says nothing about the service."""
    with pytest.raises(SourceError, match=r"the host nowhere\.invalid is not found") as raised:
        await ask(1, host="nowhere.invalid")
    assert raised.value.cause == "unreachable"


@pytest.mark.parametrize("host", ["a..b", "https://gw.example.com", "gw.example.com:8443", "192.0.2.300", "@"])
def test_a_host_that_is_no_name(host: str) -> None:
    """It is found when the ticket is read, and not when the watch begins."""
    with pytest.raises(ValidationError, match=r"Write only the host, like db\.example\.com"):
        Source.model_validate({"host": host, "port": 1})


async def test_a_name_in_another_script(monkeypatch: pytest.MonkeyPatch, server: RecordingServer) -> None:
    """It is looked up by IDNA 2008, as browsers do."""
    names = several(monkeypatch, "127.0.0.1")
    assert (await ask(server.port, host="Straße.example")).value is True
    assert names == ["xn--strae-oqa.example"]


def several(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    """Let every host have these addresses; return which are asked for."""
    loop = asyncio.get_running_loop()
    real = loop.getaddrinfo
    names: list[str] = []

    async def resolved(name: str, port: Any, **options: Any) -> list[Any]:
        names.append(name)
        return [info for address in addresses for info in await real(address, port, **options)]

    monkeypatch.setattr(loop, "getaddrinfo", resolved)
    return names


async def test_one_of_several_addresses_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Though the first one is silent, as IPv6 is where a firewall swallows it."""
    with socket.socket() as full, socket.socket() as first, socket.socket() as second, socket.socket() as good:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for listener in (first, second):
            listener.setblocking(False)
            listener.connect_ex(full.getsockname())
        good.bind(("127.0.0.2", full.getsockname()[1]))
        good.listen()
        several(monkeypatch, "127.0.0.1", "127.0.0.2")
        assert (await ask(full.getsockname()[1], host="both.example.com")).value is True


async def test_several_addresses_of_which_none_connects(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason of each is told."""
    several(monkeypatch, "127.0.0.1", "127.0.0.2")
    answer = await ask(1, host="both.example.com")
    assert answer.value is False
    for address in ("127.0.0.1", "127.0.0.2"):
        assert f"Connect call failed ('{address}', 1)" in answer.query


@pytest.mark.parametrize("reachable", ["127.0.0.1", ""])
async def test_no_way_to_some_or_all_addresses(monkeypatch: pytest.MonkeyPatch, reachable: str) -> None:
    """Only without a way to any of them it says nothing about the service."""
    several(monkeypatch, "127.0.0.1", "127.0.0.2")
    loop = asyncio.get_running_loop()
    real = loop.sock_connect

    async def no_way(sock: socket.socket, address: Any) -> None:
        if address[0] == reachable:
            await real(sock, address)
        raise OSError(errno.ENETUNREACH, f"no way to {address[0]}")

    monkeypatch.setattr(loop, "sock_connect", no_way)
    if reachable:
        assert (await ask(1, host="both.example.com")).value is False
        return
    with pytest.raises(
        SourceError, match=r"does not connect: .*no way to 127\.0\.0\.1.*no way to 127\.0\.0\.2"
    ) as raised:
        await ask(1, host="both.example.com")
    assert raised.value.cause == "unreachable"
