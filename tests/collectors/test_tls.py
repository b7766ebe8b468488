"""What `tls` shows of certificates, beside that there is another one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from changewindow.systems.collection import Collected
from changewindow.systems.served_certificate import TlsServer
from changewindow.systems.shown_certificates import shown_by
from collector_fixtures.tls import HERE, Shop, serving
from support.certificates import certificate
from support.looking import looked


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """Return a server."""
    with serving(tmp_path) as running:
        yield running


async def look(kept: dict[str, Any], *ports: int) -> Collected:
    """Return what shows of servers on ports."""
    servers = [{"host": "127.0.0.1", "port": port} for port in ports]
    return await looked({"kind": "tls", "servers": servers, "within": "10s"}, folder=Path("unused"), kept=kept)


async def test_a_renewal_shows_what_stayed_and_what_not(shop: Shop) -> None:
    """The first look remembers, and says so; the second has issuer, dates and names of before and after."""
    kept: dict[str, Any] = {}
    first = await look(kept, shop.port)
    assert first.entries == ()
    assert first.coverage.why.startswith("changes of certificates are only remembered from ")
    shop.show(certificate("Our Root", names=HERE, days=90))
    (renewed,) = (await look(kept, shop.port)).entries
    assert renewed.what.startswith("shows another certificate: valid ")
    assert "issuer" not in renewed.what
    assert "issuer CN=Our Root\n" in renewed.before
    assert renewed.before.splitlines()[0] != renewed.after.splitlines()[0]
    assert (await look(kept, shop.port)).entries[0].after == renewed.after
    assert (await look({"version": "garbage"}, shop.port)).entries == ()


async def test_every_address_of_a_name_is_asked(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that shows another certificate is named; while it is down, nobody takes that for a change."""

    async def addresses(_: TlsServer) -> tuple[str, ...]:
        return "127.0.0.1", "127.0.0.2", "127.0.0.3"

    monkeypatch.setattr(TlsServer, "addresses", addresses)  # no name has three addresses on every machine
    kept: dict[str, Any] = {}
    ours = certificate("Our Root", names=HERE)
    shop.show(ours)
    with serving(tmp_path, ours, address="127.0.0.2", port=shop.port):
        with serving(tmp_path, ours, address="127.0.0.3", port=shop.port) as third:
            assert (await look(kept, shop.port)).entries == ()
            third.show(certificate("Mallory", names=HERE))
            found = await look(kept, shop.port)
            (changed,) = found.entries
            assert changed.what.startswith("shows another certificate: at 127.0.0.3 fingerprint ")
            assert "; issuer CN=Our Root; issuer CN=Mallory; changed between " in changed.what
            name = f"127.0.0.1:{shop.port}"
            assert f"{name} shows another certificate at 127.0.0.3 than at its other addresses" in found.coverage.why
            assert (await look(kept, shop.port)).entries[0].what == changed.what
        down = await look(kept, shop.port)
        assert [entry.what for entry in down.entries] == [changed.what]
        assert list(down.coverage.blind) == [f"{name} at 127.0.0.3"]
        shop.show(certificate("Another", names=HERE))
        assert len((await look(kept, shop.port)).entries) == 2


async def test_of_a_name_with_many_addresses_it_is_said_how_many_are_not_asked(shop: Shop) -> None:
    """Eight are; a machine without IPv6 says nothing of addresses that it cannot reach."""

    class Many(TlsServer):
        async def addresses(self) -> tuple[str, ...]:
            return tuple(f"127.0.0.{number}" for number in range(1, 11))

    shown = await shown_by(Many("many.example.com", shop.port), 5, 8)
    assert (list(shown.certificates), len(shown.failed), shown.not_asked) == (["127.0.0.1"], 7, 2)
    assert shown.differing == []
    assert await TlsServer("127.0.0.1", shop.port).addresses() == ("127.0.0.1",)
    assert await TlsServer("nowhere.invalid", shop.port).addresses() == ()


async def test_a_server_that_is_down_is_named_and_hides_nothing(shop: Shop) -> None:
    """Whoever does not answer keeps what was remembered of it."""
    kept: dict[str, Any] = {}
    await look(kept, shop.port)
    shop.show(certificate("Mallory", names=("elsewhere.example.com", *HERE)))
    collected = await look(kept, shop.port, 1)
    assert "127.0.0.1:1 does not connect" in collected.coverage.why
    (changed,) = collected.entries
    assert "names elsewhere.example.com api.example.com" in changed.what
