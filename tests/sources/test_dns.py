"""The source dns, on a zone that two BIND servers serve."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from changewindow.sources.dns import EXAMPLE, Source
from changewindow.systems.dns.servers import NoAnswer, named, of_name
from changewindow.systems.measurement import Answer, SourceContext, SourceError
from changewindow.watch.shared_answers import client
from servers.bind import PRIMARY, SECONDARY, Bind, bind, resolving


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bind]:
    """Serve a zone; each test leaves it as it found it."""
    with bind(tmp_path_factory.mktemp("bind")) as made:
        yield made


async def ask(bound: Bind, **fields: Any) -> Answer:
    """Return the answer of the source."""
    both = [f"{address}:{bound.port}" for address in (PRIMARY, SECONDARY)]
    asked = {"record": "api.example.com", "servers": both, **fields}
    async with client() as http:
        return await Source.model_validate(asked).ask(SourceContext(http, None))  # type: ignore[arg-type]


async def test_the_example_reads_how_many_have_it(servers: Bind) -> None:
    """Nobody has it; all have what is there."""
    example = {key: value for key, value in EXAMPLE.items() if key != "kind"}
    answer = await ask(servers, **example)
    assert answer.value == 0.0
    assert answer.query == (
        f"A api.example.com: 127.0.0.1:{servers.port} answers 192.0.2.10 (ttl 300); "
        f"127.0.0.2:{servers.port} answers 192.0.2.10 (ttl 300)"
    )
    assert (await ask(servers, values=["192.0.2.10"])).value == 1.0
    assert (await ask(servers, values=["192.0.2.10", "192.0.2.11"])).value == 0.0


async def test_text_and_ttl(servers: Bind) -> None:
    """What all servers agree on."""
    assert (await ask(servers, read="text")).value == "192.0.2.10"
    assert (await ask(servers, read="text", record="WWW.example.com", type="CNAME")).value == "api.example.com."
    assert (await ask(servers, read="ttl", record="note.example.com", type="TXT")).value == 60
    with pytest.raises(SourceError, match=r"there is no A record of none\.example\.com") as raised:
        await ask(servers, read="text", record="none.example.com")
    assert raised.value.cause == "no_data"


async def test_an_answer_too_long_for_one_packet_is_read_whole(servers: Bind) -> None:
    """A server cuts it and says so, and is asked again by TCP."""
    addresses = [f"192.0.2.{number}" for number in range(1, 61)]
    servers.set("many.example.com.", 300, "A", *addresses)
    answer = await ask(servers, record="many.example.com", read="text", servers=[f"{PRIMARY}:{servers.port}"])
    assert str(answer.value).split() == sorted(addresses)


async def test_one_server_that_is_silent(servers: Bind) -> None:
    """It does not have what is wanted, and whether all agree is unknown."""
    servers.pause(SECONDARY)
    try:
        assert (await ask(servers, values=["192.0.2.10"])).value == 0.5
        with pytest.raises(SourceError, match="not every server answers") as raised:
            await ask(servers, read="text")
    finally:
        servers.resume(SECONDARY)
    assert raised.value.cause == "unreachable"


async def test_servers_that_do_not_agree(servers: Bind, tmp_path: Path) -> None:
    """Two answers are not one value; how many have one of them is."""
    with bind(tmp_path) as others:
        others.set("api", 300, "A", "192.0.2.30")
        both = [f"{PRIMARY}:{servers.port}", f"{PRIMARY}:{others.port}"]
        assert (await ask(servers, values=["192.0.2.30"], servers=both)).value == 0.5
        with pytest.raises(SourceError, match="the servers do not agree: ") as raised:
            await ask(servers, read="text", servers=both)
    assert raised.value.cause == "invalid"


async def test_nobody_there() -> None:
    """Without any answer nothing is measured."""
    with pytest.raises(SourceError, match=r"127\.0\.0\.1:1 cannot be reached at port 1") as raised:
        await ask(Bind(1, {}), values=["192.0.2.10"], servers=["127.0.0.1:1"])
    assert raised.value.cause == "unreachable"


@pytest.fixture
def resolver(servers: Bind) -> Iterator[None]:
    """Let this process resolve names with the test's own server."""
    with resolving(servers):
        yield


async def test_the_servers_of_a_name_are_found(servers: Bind, resolver: None) -> None:
    """Its zone is where the name servers stand."""
    assert sorted((server.name, server.addresses, server.port) for server in await of_name("deep.www.example.com")) == [
        ("ns1.example.com", (PRIMARY,), 53),
        ("ns2.example.com", (SECONDARY,), 53),
    ]
    with pytest.raises(NoAnswer, match=r"the address of the name server none\.example\.com cannot be found"):
        await named("none.example.com")
    with pytest.raises(NoAnswer, match=r"the zone of api\.example\.org cannot be found"):
        await of_name("api.example.org")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"read": "share"}, "`values` belongs to `read: share`"),
        ({"read": "text", "values": ["192.0.2.1"]}, "`values` belongs to `read: share`"),
        ({"values": ["x"]}, "'x' is not a value of a A record"),
        ({"values": ["192.0.2.1"], "servers": ["[::1]:99999"]}, "is not a server"),
        ({"record": "@", "read": "text"}, "the record is @"),
        ({"record": "lb", "read": "text"}, "the record is 'lb', which is not a full name"),
        ({"record": "https://api.example.com", "read": "text"}, "is a URL and not a name"),
        ({"type": "CNAME", "values": ["lb"]}, "the name in CNAME 'lb' is 'lb', which is not a full name"),
        ({"type": "MX", "values": ["10 @"]}, "the name in MX '10 @' is @"),
    ],
)
def test_a_mistake_in_the_ticket(fields: dict[str, Any], message: str) -> None:
    """It is found when the ticket is read."""
    with pytest.raises(ValidationError) as raised:
        Source.model_validate({"record": "api.example.com", **fields})
    assert message in str(raised.value)
