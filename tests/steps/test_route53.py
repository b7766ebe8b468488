"""The step route53, against moto and a server that answers as it is told."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from changewindow.errors import StepFailed, UnusableConnection
from changewindow.steps.route53 import EXAMPLE, Step
from changewindow.systems.connection import Connection
from changewindow.systems.context import Context
from servers.bind import bind
from step_fixtures.route53 import API, Account, account, connection
from support.recording_server import RecordingServer

FIELDS = {key: value for key, value in EXAMPLE.items() if key != "kind"}
ALIAS = {"HostedZoneId": "Z35SXDOTRQ7X7K", "DNSName": "lb.example.org.", "EvaluateTargetHealth": False}
MEMORY = {"zone": "Z1", "before": None}
CHANGES = "/2013-04-01/hostedzone/Z1/rrset/"
ERROR = "<ErrorResponse><Error><Code>{}</Code><Message>why.</Message></Error></ErrorResponse>"
CHANGED = """<ChangeResourceRecordSetsResponse><ChangeInfo><Id>/change/C1</Id><Status>PENDING</Status>
<SubmittedAt>2031-03-18T14:10:00Z</SubmittedAt></ChangeInfo></ChangeResourceRecordSetsResponse>"""


def step(**fields: Any) -> Step:
    """Return the example, with other fields."""
    return Step.model_validate({**FIELDS, **fields})


def context(known: Connection) -> Context:
    """Return what a step may use."""
    return Context("CHG-1", 1, lambda _: known, print)


@pytest.fixture(scope="module")
def served() -> Iterator[Account]:
    """Serve an account."""
    with account() as made:
        yield made


@pytest.fixture
def aws(served: Account) -> Account:
    """Return an account as it is at first."""
    served.reset()
    return served


def test_a_new_record_set_is_removed_again(aws: Account) -> None:
    """Where there was none, undo leaves none; the example's own neighbours stay."""
    here, new = context(connection(aws.url)), step(record="new.example.com", type="TXT", values=["v=spf1 -all"])
    before, remembered = aws.state(), new.remember(here)
    new.apply(here, remembered)
    [written] = [record_set for record_set in aws.state() if record_set["Name"] == "new.example.com."]
    assert written["ResourceRecords"] == [{"Value": '"v=spf1 -all"'}]
    new.undo(here, remembered)
    assert aws.state() == before


def test_undo_restores_an_alias(aws: Account) -> None:
    """What has no values of its own is remembered as it is."""
    aws.put({"Name": "alias.example.com.", "Type": "A", "AliasTarget": ALIAS})
    here, changed, before = context(connection(aws.url)), step(record="alias.example.com"), aws.state()
    remembered = changed.remember(here)
    changed.apply(here, remembered)
    assert aws.state() != before
    changed.undo(here, remembered)
    assert aws.state() == before


def test_neither_way_overwrites_what_somebody_else_changed(aws: Account) -> None:
    """The message names what is there, what was and what was wanted."""
    here = context(connection(aws.url))
    remembered = step().remember(here)
    step().apply(here, remembered)
    theirs = {**API, "ResourceRecords": [{"Value": "192.0.2.99"}]}
    aws.put(theirs)
    message = (
        "Somebody else has changed A api.example.com: it is 192.0.2.99 (ttl 300) now, and neither 192.0.2.20 (ttl 60), "
        "which this change writes, nor 192.0.2.10 (ttl 300), which was there before. Nothing was overwritten. "
        "Find out who changed it, and set it by hand."
    )
    with pytest.raises(StepFailed) as raised:
        step().undo(here, remembered)
    assert str(raised.value) == message
    never = {**API, "ResourceRecords": [{"Value": "192.0.2.1"}]}
    with pytest.raises(StepFailed, match=r"it is 192\.0\.2\.99 \(ttl 300\) now, .* nor 192\.0\.2\.1 \(ttl 300\)"):
        step().apply(here, {**remembered, "before": never})
    assert aws.state() == [theirs]


def test_a_change_whose_reply_was_lost(aws: Account) -> None:
    """Sent once more, it is refused, and found to be done."""
    here = context(connection(aws.url))
    remembered = step().remember(here)
    step().apply(here, remembered)
    changed = aws.state()
    step().apply(here, remembered)
    assert aws.state() == changed


def test_which_zone_is_meant(aws: Account) -> None:
    """No zone, and two of one name, are refused; an id says it."""
    here = context(connection(aws.url))
    with pytest.raises(StepFailed, match=r"Route 53 has no hosted zone example\.net in the account of example_aws"):
        step(zone="example.net", record="api.example.net").remember(here)
    with pytest.raises(StepFailed, match="NoSuchHostedZone"):
        step(zone="Z0000000000000").remember(here)
    aws.client.create_hosted_zone(Name="example.com", CallerReference="2")
    with pytest.raises(StepFailed, match=r"has 2 hosted zones example\.com: .* Write as `zone` the id"):
        step().missing_prerequisites(here)
    assert step(zone=aws.zone.rpartition("/")[2]).missing_prerequisites(here) == []


def test_a_routing_policy_is_refused(aws: Account) -> None:
    """One of several weighted record sets is not the record set."""
    aws.put({**API, "Name": "heavy.example.com.", "SetIdentifier": "blue", "Weight": 10})
    with pytest.raises(StepFailed, match=r"A heavy\.example\.com has a routing policy \(record 'blue'\)"):
        step(record="heavy.example.com").missing_prerequisites(context(connection(aws.url)))


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("Throttling", "AWS is throttling this account; wait a minute"),
        ("AccessDenied", "allow it to the user or role of the connection in IAM"),
        ("InvalidClientTokenId", r"correct the connection's login \(the access key\)"),
        ("SignatureDoesNotMatch", r"correct the connection's password \(the secret key\)"),
        ("Anything", "correct the ticket"),
    ],
)
def test_a_refusal_says_what_to_do(server: RecordingServer, code: str, message: str) -> None:
    """Each code of AWS has its remedy."""
    server.otherwise = (400, ERROR.format(code))
    with pytest.raises(StepFailed, match=rf"AWS refused to change records in zone Z1: {code} \(why\)\. .*{message}"):
        step().apply(context(connection(server.url)), MEMORY)


def test_nobody_there() -> None:
    """Whether the request had an effect is unknown, so the change is taken back."""
    with pytest.raises(StepFailed, match="AWS gave no reply when it was asked to change records in zone Z1: "):
        step().apply(context(connection("http://127.0.0.1:1")), MEMORY)


def test_a_change_that_stays_pending_fails_the_step(server: RecordingServer) -> None:
    """It is waited for, and not for ever."""
    server.answers = {CHANGES: (200, CHANGED), "/2013-04-01/change/C1": (200, CHANGED)}
    with pytest.raises(StepFailed, match=r"Timed out after 0\.8s, waiting until Route 53 reports INSYNC"):
        step(timeout="1s").apply(context(connection(server.url)), MEMORY)


def test_listed_servers_are_waited_for(aws: Account, tmp_path: Any) -> None:
    """They have to answer it, whatever Route 53 reports."""
    with bind(tmp_path) as servers:
        listed = {"servers": [f"127.0.0.1:{servers.port}"], "timeout": "2s", "ttl": 300}
        here, same = context(connection(aws.url)), step(values=["192.0.2.10"], **listed)
        same.apply(here, same.remember(here))
        other = step(**listed)
        with pytest.raises(StepFailed) as raised:
            other.apply(here, other.remember(here))
        assert str(raised.value) == (
            "Timed out after 1.6s, waiting until the server answers 192.0.2.20 (ttl 300) for A api.example.com. "
            f"127.0.0.1:{servers.port} answers 192.0.2.10 (ttl 300)."
        )


def test_a_listed_server_that_does_not_serve_it_is_refused_at_the_gate(aws: Account) -> None:
    """Apply and undo would wait for it in vain, so it is found before."""
    here = context(connection(aws.url))
    [missing] = step(servers=["127.0.0.1:1"]).missing_prerequisites(here)
    assert missing.startswith("127.0.0.1:1 cannot be reached at port 1: ")
    assert missing.endswith(", Route 53 has 192.0.2.10 (ttl 300); correct `servers`, or repair that server")
    with pytest.raises(StepFailed, match=r"the address of the name server ns\.nowhere\.invalid cannot be found"):
        step(servers=["ns.nowhere.invalid"]).missing_prerequisites(here)


def test_nothing_stands_beside_a_cname(aws: Account) -> None:
    """Neither a CNAME beside an address or where the zone begins, nor an address beside a CNAME."""
    here, cname = context(connection(aws.url)), {"type": "CNAME", "values": ["x.example.org"]}
    aws.put({"Name": "www.example.com.", "Type": "CNAME", "TTL": 60, "ResourceRecords": [{"Value": "api.example.com"}]})
    for fields, types in (
        ({"record": "www.example.com"}, "CNAME"),
        (cname, "A"),
        ({"record": "example.com", **cname}, "NS, SOA"),
    ):
        new = step(**fields)
        message = f"{new.record} has a record of type {types}, and beside a CNAME nothing can stand; remove it first"
        assert new.missing_prerequisites(here) == [message]
    assert step(record="www.example.com", **cname).missing_prerequisites(here) == []


ODD = """<ListResourceRecordSetsResponse><ResourceRecordSets><ResourceRecordSet><Name>1.0\\05725.example.com.</Name>
<Type>TXT</Type><TTL>60</TTL><ResourceRecords><ResourceRecord><Value>"\\303\\244 \\"x\\"\\\\"</Value></ResourceRecord>
</ResourceRecords></ResourceRecordSet></ResourceRecordSets><IsTruncated>false</IsTruncated><MaxItems>1</MaxItems>
</ListResourceRecordSetsResponse>"""


def test_characters_that_route_53_writes_as_octal_codes(server: RecordingServer) -> None:
    """DNS itself writes decimal ones; a name with a slash is found, and letters of any language are written right."""
    server.answers = {
        "/2013-04-01/hostedzone/Z0000000000000/rrset": (200, ODD),
        "/2013-04-01/hostedzone/Z0000000000000/rrset/": (200, CHANGED),
        "/2013-04-01/change/C1": (200, CHANGED.replace("PENDING", "INSYNC")),
    }
    here = context(connection(server.url))
    fields = {"record": "1.0/25.example.com", "type": "TXT", "zone": "Z0000000000000", "ttl": 60}
    step(values=['ä "x"\\'], **fields).apply(here, step(values=["x"], **fields).remember(here))
    assert [request for request in server.requests if request.method == "POST"] == []
    other = step(values=["ü\t\x7f"], **fields)
    other.apply(here, other.remember(here))
    [body] = [request.body for request in server.requests if request.method == "POST"]
    assert r'<Value>"\303\274\011\177"</Value>' in body
    assert r'<Value>"\303\244 \"x\"\\"</Value>' in body


def test_throttling_while_waiting_is_waited_for(server: RecordingServer) -> None:
    """The change was made; only the question whether it is in sync has to be asked again."""
    asked = "/2013-04-01/change/C1"
    server.answers = {CHANGES: (200, CHANGED), asked: (400, ERROR.format("Throttling"))}
    logged: list[str] = []

    def heard(line: str) -> None:
        logged.append(line)
        if "Throttling" in line:
            server.answers[asked] = (200, CHANGED.replace("PENDING", "INSYNC"))

    known = connection(server.url)
    step().apply(Context("CHG-1", 1, lambda _: known, heard), MEMORY)
    assert logged[-1].startswith("AWS refused to tell whether the change is in sync: Throttling (why).")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"record": "api.example.org"}, "api.example.org is not within the zone example.com. Write its full name"),
        ({"record": "badexample.com"}, "badexample.com is not within the zone example.com"),
        ({"zone": "a..b"}, "'a..b' is not a domain name"),
    ],
)
def test_a_mistake_in_the_ticket(fields: dict[str, str], message: str) -> None:
    """It is found when the ticket is read; which names a zone has that is given by its id, only AWS knows."""
    with pytest.raises(ValidationError) as raised:
        step(**fields)
    assert message in str(raised.value)
    assert step(record="api.example.org", zone="Z0000000000000")


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"profile_name": "x"}, "remove profile_name from its extra"),
        (
            {"endpoint_url": "localhost:4566"},
            r"has no endpoint_url or region_name that can be used \(Invalid endpoint: lo",
        ),
        ({"region_name": "eu west"}, r"has no endpoint_url or region_name that can be used \(Provided region_name"),
        ({"role_arn": "arn", "assume_role_kwargs": "x"}, "has no assume_role_kwargs in its extra that are an object"),
        ({"role_arn": "arn:aws:iam::1:role/x"}, "AWS refused to assume the role arn:aws:iam::1:role/x: AccessDenied"),
    ],
)
def test_a_way_to_sign_in_that_does_not_work(server: RecordingServer, extra: dict[str, str], message: str) -> None:
    """Another account than the one that is meant is never used."""
    server.otherwise = (403, ERROR.format("AccessDenied"))
    with pytest.raises((StepFailed, UnusableConnection), match=message):
        step().remember(context(connection(server.url, **extra)))
