"""What `tls` shows of certificates, beside that there is another one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from changewindow.systems.collection import Collected
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


async def test_a_server_that_is_down_is_named_and_hides_nothing(shop: Shop) -> None:
    """Whoever does not answer keeps what was remembered of it."""
    kept: dict[str, Any] = {}
    await look(kept, shop.port)
    shop.show(certificate("Mallory", names=("elsewhere.example.com", *HERE)))
    collected = await look(kept, shop.port, 1)
    assert "127.0.0.1:1 does not connect" in collected.coverage.why
    (changed,) = collected.entries
    assert "names elsewhere.example.com api.example.com" in changed.what
