"""What `dns` shows of records, beside that a value has changed."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from changewindow.changes.explaining import Scope, explain
from changewindow.changes.our_changes import Act, OurChange
from changewindow.systems.collection import Collected
from servers.bind import PRIMARY, SECONDARY, Bind, bind
from support.looking import collector, looked


@pytest.fixture(scope="module")
def zone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bind]:
    """Return two servers of a zone."""
    with bind(tmp_path_factory.mktemp("bind")) as running:
        yield running


def announced(at: datetime) -> OurChange:
    """Return a change that has just set a record of the zone."""
    step = {"kind": "dns", "zone": "example.com", "record": "web.example.com", "values": ["192.0.2.2"]}
    act = Act("CHG-1042", 1, "Point web elsewhere", at, announced=step, remembered={})
    return OurChange("CHG-1042", "Move web", "production", ("orders",), (act,), None)


async def look(
    zone: Bind, kept: dict[str, Any], *records: dict[str, Any], servers: tuple[str, ...] = (PRIMARY,)
) -> Collected:
    """Return what shows of some records."""
    asked = {"kind": "dns", "within": "10s", "records": records, "servers": [f"{name}:{zone.port}" for name in servers]}
    return await looked(asked, folder=Path("unused"), kept=kept)


async def test_the_first_look_raises_nothing_and_remembers(zone: Bind) -> None:
    """It says from when on it can see; the second look has the change with the zone's serial, and so has the third."""
    zone.set("web", 300, "A", "192.0.2.1")
    kept: dict[str, Any] = {}
    record = {"record": "web.example.com"}
    first = await look(zone, kept, record)
    assert first.entries == ()
    assert "changes of records are only remembered from " in first.coverage.why
    zone.set("web", 60, "A", "192.0.2.2")
    for _ in range(2):
        changed, serial = sorted((await look(zone, kept, record)).entries, key=lambda entry: entry.object)
        assert (changed.before, changed.after) == ("192.0.2.1 (ttl 300)", "192.0.2.2 (ttl 60)")
        assert (serial.object, serial.what.startswith("is serial ")) == ("SOA example.com", True)
        [step] = collector({"kind": "dns", "records": [record]}).put_back(changed)
        back = {"connection": "example_dns", "name": "Back", **step} if isinstance(step, dict) else {}
        assert (back["zone"], back["record"], back["values"], back["ttl"]) == (
            *("example.com", "web.example.com"),
            *(["192.0.2.1"], 300),
        )
        assert explain(serial, Scope("", ("orders",)), [announced(serial.at)]).by_object


async def test_a_name_that_leads_elsewhere_is_a_change_of_its_record(zone: Bind) -> None:
    """Who watches the address of an alias wants to know where it leads."""
    zone.set("www", 300, "CNAME", "web.example.com.")
    kept: dict[str, Any] = {}
    record = {"record": "www.example.com"}
    await look(zone, kept, record)
    zone.set("www", 300, "CNAME", "evil.example.net.")
    (changed,) = [entry for entry in (await look(zone, kept, record)).entries if entry.object == "A www.example.com"]
    assert changed.before == "no record, but an alias of web.example.com."
    assert changed.after == "no record, but an alias of evil.example.net."
    assert isinstance(collector({"kind": "dns", "records": [record]}).put_back(changed), str)


async def test_a_server_that_does_not_answer_is_named(zone: Bind) -> None:
    """Beside one that does; what it serves is not seen."""
    blind = (await look(zone, {}, {"record": "web.example.com"}, servers=(PRIMARY, "127.9.9.9"))).coverage.blind
    assert [*blind] == [f"A web.example.com at 127.9.9.9:{zone.port}"]


async def test_what_is_not_as_expected_shows_at_every_look(zone: Bind) -> None:
    """Also at the first one: what it should be stands in the settings."""
    zone.set("shop", 300, "A", "192.0.2.66")
    (wrong,) = (await look(zone, {}, {"record": "shop.example.com", "expected": ["192.0.2.20"]})).entries
    assert wrong.what == "is not as expected: 192.0.2.66 (ttl 300)"
    assert wrong.before == "192.0.2.20"
    (missing,) = (await look(zone, {}, {"record": "no.example.com", "expected": ["192.0.2.20"]})).entries
    assert missing.after == "no record"


async def test_a_record_that_is_added_to_the_settings_is_no_change(zone: Bind) -> None:
    """Nobody has looked at it before; the coverage says so."""
    kept: dict[str, Any] = {}
    await look(zone, kept, {"record": "api.example.com"})
    later = await look(zone, kept, {"record": "api.example.com"}, {"record": "www.example.com", "type": "CNAME"})
    assert later.entries == ()
    assert "only remembered from" in later.coverage.why


async def test_a_server_that_is_down_is_named_and_hides_nothing(zone: Bind) -> None:
    """The other one is compared; nothing at all is an error, with a sentence."""
    kept: dict[str, Any] = {}
    record, servers = {"record": "api.example.com"}, (PRIMARY, SECONDARY)
    await look(zone, kept, record, servers=servers)
    zone.pause(SECONDARY)
    try:
        without = await look(zone, kept, record, servers=servers)
    finally:
        zone.resume(SECONDARY)
    assert "127.0.0.2" in without.coverage.why
    assert without.entries == ()
