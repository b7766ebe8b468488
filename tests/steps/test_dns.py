"""The step dns, on a zone that two BIND servers serve."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from changewindow.errors import StepFailed, UnusableConnection
from changewindow.steps.dns import EXAMPLE, Step
from changewindow.systems.context import Context
from servers.bind import PRIMARY, SECONDARY, Bind, bind, resolving
from step_fixtures.dns import connection

FIELDS = {key: value for key, value in EXAMPLE.items() if key != "kind"}
OTHER = ["192.0.2.99"]
IS_TEN = {"before": {"values": ["192.0.2.10"], "ttl": 300}}


def step(**fields: Any) -> Step:
    """Return the example, with other fields."""
    return Step.model_validate({**FIELDS, **fields})


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bind]:
    """Serve a zone; each test leaves it as it found it."""
    with bind(tmp_path_factory.mktemp("bind")) as made:
        yield made


@pytest.fixture
def here(servers: Bind) -> Context:
    """Return what a step may use."""
    return context(servers)


def context(servers: Bind, login: str = "change-windows", **changed: Any) -> Context:
    """Return what a step may use, with a key of this name."""
    known = connection(servers, login, **changed)
    return Context("CHG-1", 1, lambda _: known, print)


VALUES = {
    "A": ["192.0.2.1", "192.0.2.2"],
    "AAAA": ["2001:DB8::1"],
    "CAA": ['0 issue "ca.example.org"'],
    "CNAME": ["elsewhere.example.org"],
    "MX": ["10 mail.example.org", "20 mail2.example.org."],
    "PTR": ["host.example.com"],
    "SRV": ["0 5 5060 sip.example.com"],
    "TXT": ["v=spf1 -all", 'say "hello" \\ and ü', "x" * 300],
}


@pytest.mark.parametrize(("kind", "values"), VALUES.items())
def test_a_new_record_set_of_each_type_is_removed_again(
    servers: Bind, here: Context, kind: str, values: list[str]
) -> None:
    """Where there was none, undo leaves none."""
    new = step(record="New.Example.com.", type=kind, values=values, ttl=60)
    assert new.missing_prerequisites(here) == []
    remembered = new.remember(here)
    assert remembered == {"before": None}
    new.apply(here, remembered)
    assert len(servers.ask("new.example.com", kind, SECONDARY)) == len(values)
    new.undo(here, remembered)
    assert servers.ask("new.example.com", kind, SECONDARY) == []


def test_undo_restores_values_and_ttl(servers: Bind, here: Context) -> None:
    """A changed TTL is a change too, and what is not changed stays."""
    before = servers.ask("note.example.com", "TXT")
    changed = step(record="note.example.com", type="TXT", values=['"first" "second"'], ttl=5)
    remembered = changed.remember(here)
    changed.apply(here, remembered)
    assert servers.ask("note.example.com", "TXT", SECONDARY) == ['note.example.com. 5 IN TXT "first" "second"']
    changed.undo(here, remembered)
    assert servers.ask("note.example.com", "TXT", SECONDARY) == before


def test_apply_overwrites_nothing_that_somebody_else_changed(servers: Bind, here: Context) -> None:
    """The server itself compares; the message names what is there, what was and what was wanted."""
    before = servers.ask("api.example.com", "A")
    message = (
        "Somebody else has changed A api.example.com: it is 192.0.2.10 (ttl 300) now, and neither 192.0.2.20 (ttl 300),"
        " which this change writes, nor 192.0.2.7 (ttl 300), which was there before. Nothing was overwritten. "
        "Find out who changed it, and set it by hand."
    )
    with pytest.raises(StepFailed) as raised:
        step().apply(here, {"before": {"values": ["192.0.2.7"], "ttl": 300}})
    assert str(raised.value) == message
    with pytest.raises(StepFailed, match="nor no record, which was there before"):
        step().apply(here, {"before": None})
    assert servers.ask("api.example.com", "A") == before


def test_undo_overwrites_nothing_that_somebody_else_changed(servers: Bind, here: Context) -> None:
    """What a third person wrote after apply stays, and a person decides."""
    remembered = step().remember(here)
    step().apply(here, remembered)
    theirs = step(values=OTHER)
    their_memory = theirs.remember(here)
    theirs.apply(here, their_memory)
    with pytest.raises(StepFailed, match=r"it is 192\.0\.2\.99 \(ttl 300\) now, and neither 192\.0\.2\.20"):
        step().undo(here, remembered)
    assert servers.ask("api.example.com", "A") == ["api.example.com. 300 IN A 192.0.2.99"]
    theirs.undo(here, their_memory)
    step().undo(here, remembered)


@pytest.mark.parametrize(
    ("login", "changed", "message"),
    [
        ("nobody", {}, "127.0.0.1 does not know the key nobody (BADKEY). Correct the connection's login"),
        ("change-windows", {"secret": "b3RoZXI="}, "does not accept the signature of the key change-windows (BADSIG)"),
        ("change-windows", {"algorithm": "hmac-sha512"}, "(BADKEY)"),
        ("other", {}, "refuses updates of example.com by the key other (REFUSED). Allow that key this record"),
        ("", {}, "refuses updates of example.com by the key (none) (REFUSED)"),
    ],
)
def test_a_key_that_is_not_accepted(servers: Bind, login: str, changed: dict[str, str], message: str) -> None:
    """It is found by the real update, and nothing changes."""
    with pytest.raises(StepFailed) as raised:
        step().apply(context(servers, login, **changed), IS_TEN)
    assert message in str(raised.value)
    assert servers.ask("api.example.com", "A") == ["api.example.com. 300 IN A 192.0.2.10"]


@pytest.mark.parametrize("fields", [{}, {"record": "new.example.com"}], ids=["a record", "no record"])
def test_a_key_that_is_not_accepted_is_refused_at_the_gate(servers: Bind, fields: dict[str, str]) -> None:
    """An update that changes nothing finds it before the window, also when the key is known but may not do this."""
    before = servers.ask("example.com", "SOA")
    for login, message in (
        ("nobody", "does not know the key nobody"),
        ("other", "refuses updates of example.com by the"),
    ):
        [missing] = step(**fields).missing_prerequisites(context(servers, login))
        assert message in missing
    assert servers.ask("example.com", "SOA") == before


@pytest.mark.parametrize(
    ("login", "changed", "message"),
    [
        ("a..b", {}, "has no login that is the name of a TSIG key."),
        ("x" * 64, {}, "has no login that is the name of a TSIG key."),
        (
            "change-windows",
            {"algorithm": "hmac-sha999"},
            "has no extra `algorithm` that is known: hmac-md5.",
        ),
        ("change-windows", {"algorithm": "gss-tsig"}, "has no extra `algorithm` that is known: "),
    ],
)
def test_a_key_that_is_none(servers: Bind, login: str, changed: dict[str, str], message: str) -> None:
    """The message names the field of the connection."""
    with pytest.raises(UnusableConnection) as raised:
        step().missing_prerequisites(context(servers, login, **changed))
    assert message in str(raised.value)


def test_how_a_key_is_written_does_not_matter(servers: Bind) -> None:
    """Its name may end with a dot, and its algorithm be in capitals."""
    assert step().missing_prerequisites(context(servers, "change-windows.", algorithm="HMAC-SHA256")) == []


def test_a_secret_that_is_none(servers: Bind) -> None:
    """The message says what to correct, and not what the secret is."""
    with pytest.raises(UnusableConnection, match="has no password that is a TSIG secret"):
        step().apply(context(servers, secret="s3cret!"), IS_TEN)


def test_a_zone_that_is_not_there(here: Context) -> None:
    """The server says that it does not serve it, when asked and when told."""
    elsewhere = step(zone="example.net", record="api.example.net")
    with pytest.raises(StepFailed, match=r"127\.0\.0\.1 does not serve api\.example\.net \(REFUSED\)"):
        elsewhere.remember(here)
    with pytest.raises(StepFailed, match=r"is not authoritative for a zone example\.net \(NOTAUTH\)"):
        elsewhere.apply(here, IS_TEN)
    with pytest.raises(StepFailed, match=r"has no NS records for api\.example\.com: no zone begins there"):
        step(zone="api.example.com").missing_prerequisites(here)


def test_a_lame_delegation(here: Context) -> None:
    """A server that refers to others is not authoritative."""
    with pytest.raises(StepFailed, match=r"does not serve www\.lame\.example\.com \(not authoritative\)"):
        step(record="www.lame.example.com").remember(here)


def test_nothing_stands_beside_a_cname(here: Context) -> None:
    """A server would ignore the update silently."""
    assert step(record="www.example.com").missing_prerequisites(here) == [
        "www.example.com is a CNAME, beside which no A can stand; remove it first"
    ]


@pytest.mark.parametrize("record", ["api.example.com", "example.com"])
def test_a_cname_stands_beside_nothing(here: Context, record: str) -> None:
    """Neither beside an address, nor where the zone begins."""
    assert step(record=record, type="CNAME", values=["x.example.org"]).missing_prerequisites(here) == [
        f"{record} has other records, beside which no CNAME can stand; remove them first"
    ]


def test_what_a_wildcard_answers_is_no_record(servers: Bind, here: Context) -> None:
    """Undo could not bring it back; the wildcard itself can be changed, and beside it other names can be added."""
    (missing,) = step(record="a.wild.example.com").missing_prerequisites(here)
    assert missing == (
        "a.wild.example.com has no A record of its own; a wildcard answers 192.0.2.77 (ttl 300), which undo could not "
        "bring back. Add this as a record of a.wild.example.com first"
    )
    itself = step(record="*.wild.example.com")
    assert (
        itself.missing_prerequisites(here)
        == step(record="a.wild.example.com", type="TXT").missing_prerequisites(here)
        == []
    )
    remembered = itself.remember(here)
    itself.apply(here, remembered)
    assert servers.ask("a.wild.example.com", "A", SECONDARY) == ["a.wild.example.com. 300 IN A 192.0.2.20"]
    itself.undo(here, remembered)
    assert servers.ask("a.wild.example.com", "A", SECONDARY) == ["a.wild.example.com. 300 IN A 192.0.2.77"]


def test_one_address_of_the_primary_server_is_enough(servers: Bind, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens at its IPv6 address, or this machine has no way to it."""
    monkeypatch.setattr("changewindow.systems.dns.servers.PATIENCE", 0.4)
    known = replace(connection(servers), host="both.example.com")
    with resolving(servers):
        here = Context("CHG-1", 1, lambda _: known, print)
        assert step().missing_prerequisites(here) == []
        remembered = step().remember(here)
        step().apply(here, remembered)
        step().undo(here, remembered)


def test_an_update_whose_reply_was_lost(servers: Bind, here: Context) -> None:
    """Sent once more, its condition does not hold, and it is found to be done."""
    remembered = step().remember(here)
    for _ in range(2):
        step().apply(here, remembered)
    step().undo(here, remembered)


def test_a_server_that_stays_behind_fails_the_step(servers: Bind, here: Context) -> None:
    """Apply names the server that does not answer; undo works as soon as it does again."""
    hasty = step(timeout="1s", servers=[f"{SECONDARY}:{servers.port}", f"{PRIMARY}:{servers.port}"])
    remembered = hasty.remember(here)
    servers.pause(SECONDARY)
    try:
        with pytest.raises(StepFailed) as raised:
            hasty.apply(here, remembered)
        assert len(hasty.missing_prerequisites(here)) == 1
    finally:
        servers.resume(SECONDARY)
    assert str(raised.value) == (
        "Timed out after 0.8s, waiting until all 2 servers answer 192.0.2.20 (ttl 300) for A api.example.com. "
        f"127.0.0.2:{servers.port} cannot be reached at port {servers.port}: no answer in time."
    )
    step().undo(here, remembered)
    assert step().missing_prerequisites(here) == []


def test_no_primary_server() -> None:
    """Nobody there, or no host in the connection."""
    with pytest.raises(StepFailed, match=r"127\.0\.0\.1 cannot be reached at port 1: "):
        step().remember(context(Bind(1, {})))
    with pytest.raises(StepFailed, match=r"127\.0\.0\.1 gave no valid reply to the update \(ConnectionRefusedError"):
        step().apply(context(Bind(1, {})), IS_TEN)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"values": ["192.0.2.300"]}, "'192.0.2.300' is not a value of a A record"),
        ({"record": "api.example.org"}, "api.example.org is not within the zone example.com. Write its full name"),
        ({"type": "CNAME", "values": ["a.example.com", "b.example.com"]}, "a CNAME has one value, here are 2"),
        ({"record": "a..b"}, "'a..b' is not a domain name"),
        ({"servers": ["ns1:x"]}, "'ns1:x' is not a server. Write it like"),
        ({"servers": ["https://ns1.example.com"]}, "is not a server. Write it like"),
        ({"servers": ["@"]}, "'@' is not a domain name"),
        ({"servers": ["192.0.2.300"]}, "'192.0.2.300' is neither a name nor an address"),
        ({"zone": "@"}, "the zone is @, which only a zone file knows"),
        ({"zone": "https://example.com"}, "is a URL and not a name"),
        (
            {"record": "@"},
            "the record is @, which only a zone file knows. Write the name of the zone",
        ),
        ({"record": "lb"}, "the record is 'lb', which is not a full name. Write its full name, like lb.example.com"),
        ({"record": "192.0.2.1"}, "the record is 192.0.2.1, an address where a name belongs"),
        ({"record": "https://api.example.com"}, "is a URL and not a name"),
    ],
)
def test_a_mistake_in_the_ticket(fields: dict[str, Any], message: str) -> None:
    """It is found when the ticket is read."""
    with pytest.raises(ValidationError) as raised:
        step(**fields)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        pytest.param("MX", "10 @", "the name in MX '10 @' is @, which only a zone file knows", id="accepts no mail"),
        pytest.param("CNAME", "@", "the name in CNAME '@' is @", id="an alias of the root"),
        pytest.param("CNAME", "lb", "is 'lb', which is not a full name. Write its full name", id="a relative alias"),
        pytest.param("MX", "10 mail", "is 'mail', which is not a full name", id="a relative mail server"),
        pytest.param("SRV", "0 5 5060 sip", "is 'sip', which is not a full name", id="a relative service"),
        pytest.param("PTR", "@", "the name in PTR '@' is @", id="a reverse name of the root"),
        pytest.param("CNAME", "https://shops.example.net/", "is a URL and not a name", id="a URL"),
        pytest.param("CNAME", "shops.example.net/", "is not a domain name", id="the rest of a URL"),
        pytest.param("SRV", "0 5 443 api.example.com:443", "is not a domain name", id="a host with its port"),
        pytest.param("CNAME", "192.0.2.1", "is 192.0.2.1, an address where a name belongs", id="an address"),
        pytest.param("MX", "10 192.0.2.1.", "an address where a name belongs", id="an address with a last dot"),
        pytest.param("PTR", "2001:db8::1", "an address where a name belongs", id="an address of IPv6"),
        pytest.param("CNAME", "192.0.2.300", "is neither a name nor an address", id="what was to be an address"),
        pytest.param("CNAME", "☃.example.com", "is not a domain name", id="a label that IDNA 2008 has not"),
    ],
)
def test_a_value_that_is_no_full_name(kind: str, value: str, message: str) -> None:
    """A zone file would take some of it; here it would be published as something else."""
    with pytest.raises(ValidationError) as raised:
        step(record="new.example.com", type=kind, values=[value])
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("kind", "value", "published"),
    [
        pytest.param("MX", "0 .", "0 .", id="accepts no mail, on purpose"),
        pytest.param("SRV", "0 0 0 .", "0 0 0 .", id="no such service, on purpose"),
        pytest.param("CNAME", "Straße.example.org", "xn--strae-oqa.example.org.", id="by IDNA 2008"),
        pytest.param("MX", "10 bücher.example.org.", "10 xn--bcher-kva.example.org.", id="with a last dot"),
        pytest.param("CNAME", "internal.", "internal.", id="a single label with its dot"),
        pytest.param("CNAME", "k1._domainkey.example.org", "k1._domainkey.example.org.", id="underscores"),
        pytest.param("CNAME", "1.0/26.2.0.192.in-addr.arpa", "1.0/26.2.0.192.in-addr.arpa.", id="RFC 2317"),
    ],
)
def test_names_as_they_are_published(servers: Bind, here: Context, *, kind: str, value: str, published: str) -> None:
    """Whole, in ASCII, and taken back again."""
    new = step(record="neu.bücher.example.com", type=kind, values=[value])
    assert (new.record, new.missing_prerequisites(here)) == ("neu.xn--bcher-kva.example.com", [])
    remembered = new.remember(here)
    new.apply(here, remembered)
    assert servers.ask(new.record, kind)[0].endswith(f" IN {kind} {published}")
    new.undo(here, remembered)
    assert servers.ask(new.record, kind) == []
