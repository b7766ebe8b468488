"""The incident of an emergency is looked up and opened at servers that speak the APIs of PagerDuty and Opsgenie."""

from time import monotonic
from typing import Any

import pytest

from changewindow.changes import incident_desk
from changewindow.changes.incident_desk import look_up, new_incident, open_one
from changewindow.flow.fetched_connections import among
from changewindow.ledger.payloads import IncidentSeen
from changewindow.policy.emergencies import IncidentDesk
from servers import incident_apis
from servers.incident_apis import ALERT, INCIDENT, TOKEN, opsgenie, pagerduty, serving
from support.changes import NOW
from support.declarations import declaration
from support.recording_server import Reply, recording_server
from support.tickets import ticket

DECLARED = declaration(NOW, digest="5f2b" * 16, broken="no orders come in; the key is hunter2", due=NOW)
NEW = new_incident("CHG-1042", ticket(), DECLARED, lambda text: text.replace("hunter2", "***"))
ABSENT = ["PABSENT", "99", "INC-4711", "https://evil.example/incidents/PT4KHLK", "../users"]
WHOM = {"pagerduty": {"service": "orders"}, "opsgenie": {"team": "on-call"}}


def settings(kind: str, **fields: Any) -> IncidentDesk:
    """Return where incidents are looked up."""
    return IncidentDesk.model_validate({"kind": kind, "connection": "desk", **WHOM[kind], **fields})


def looked_up(product: incident_apis.IncidentDesk, wanted: str, **fields: Any) -> IncidentSeen:
    """Look up an incident."""
    seen = look_up(settings(product.kind, **fields), wanted, among({"desk": product.connection()}, "emergencies.yaml"))
    assert seen is not None
    return seen


def opened(product: incident_apis.IncidentDesk, *, login: str = "ops@example.org", **fields: Any) -> IncidentSeen:
    """Open the incident of the emergency."""
    known = among({"desk": product.connection(login=login)}, "emergencies.yaml")
    return open_one(settings(product.kind, **fields), NEW, known)


@pytest.mark.parametrize(
    ("wanted", "title"),
    [
        ("PT4KHLK", "Checkout is down"),
        ("1234", "Checkout is down"),
        ("#1234", "Checkout is down"),
        ("https://acme.pagerduty.com/incidents/PT4KHLK", "Checkout is down"),
        ("https://acme.eu.pagerduty.com/incidents/PT4KHLK?utm_source=slack", "Checkout is down"),
        (ALERT, "Checkout is down"),
        ("17", "Checkout is down"),
        (INCIDENT, "Orders are lost"),
        ("#18", "Orders are lost"),
        (f"https://acme.app.opsgenie.com/alert/detail/{ALERT}/details", "Checkout is down"),
        (f"https://acme.app.eu.opsgenie.com/incident/detail/{INCIDENT}", "Orders are lost"),
    ],
)
def test_an_incident_is_known_by_id_number_and_address(wanted: str, title: str) -> None:
    """With its title, and whether it is open."""
    desk = opsgenie() if title == "Orders are lost" or ALERT in wanted or wanted == "17" else pagerduty()
    with serving(desk) as product:
        seen = looked_up(product, wanted)
    assert (seen.standing, seen.title, seen.opened) == ("open", title, False)


@pytest.mark.parametrize(("desk", "wanted"), [(pagerduty("resolved"), "PT4KHLK"), (opsgenie("closed"), ALERT)])
def test_one_that_is_over_is_not_open(desk: incident_apis.IncidentDesk, wanted: str) -> None:
    """In the word of the product."""
    with serving(desk) as product:
        seen = looked_up(product, wanted)
    assert (seen.standing, seen.product_status) == (
        "closed",
        {"pagerduty": "resolved", "opsgenie": "closed"}[desk.kind],
    )


@pytest.mark.parametrize("wanted", ABSENT)
@pytest.mark.parametrize("make", [pagerduty, opsgenie])
def test_one_that_is_not_there_is_unknown(make: Any, wanted: str) -> None:
    """What is no id and no address of the product is not even asked for."""
    with serving(make()) as product:
        seen = looked_up(product, wanted)
    assert (seen.standing, seen.incident) == ("unknown", wanted)
    assert all("users" not in request.target and "evil" not in request.target for request in product.asked)


@pytest.mark.parametrize("make", [pagerduty, opsgenie])
def test_a_product_that_does_not_answer_is_waited_for_a_moment(make: Any) -> None:
    """Whoever is told hears why it was not looked up."""
    with serving(make()) as product:
        product.slow = 30
        begun = monotonic()
        seen = [looked_up(product, "17", within="0.2s"), opened(product, within="0.2s")]
        assert monotonic() - begun < 20
    assert [each.standing for each in seen] == ["unreachable"] * 2
    late = "no answer within 0.2s. Look there yourself; later, raise `within` in emergencies.yaml"
    assert {each.reason for each in seen} == {late}


@pytest.mark.parametrize("make", [pagerduty, opsgenie])
def test_a_key_that_is_wrong_is_said_and_not_shown(make: Any) -> None:
    """Where to correct it stands there."""
    with serving(make()) as product:
        known = among({"desk": product.connection(password="s3cret-old")}, "emergencies.yaml")
        seen = look_up(settings(product.kind), "17", known)
    assert seen is not None
    assert seen.standing == "unreachable"
    assert "does not know the token of the connection 'desk'" in seen.reason
    assert "s3cret-old" not in seen.reason


@pytest.mark.parametrize("kind", ["pagerduty", "opsgenie"])
def test_a_connection_that_is_not_there_is_said(kind: str) -> None:
    """With where it is named."""
    seen = look_up(settings(kind), "17", among({}, "emergencies.yaml"))
    assert seen is not None
    assert seen.reason.endswith("Create it under Admin, Connections, or correct emergencies.yaml")


def test_pagerduty_opens_an_incident_once() -> None:
    """With what is broken, on what, and who commands; asked again, it names the one that is open."""
    with serving(pagerduty()) as product:
        first, again = opened(product), opened(product)
    assert first == again
    assert (first.standing, first.incident, first.product_status, first.opened) == (
        "open",
        "PNEW123",
        "triggered",
        True,
    )
    assert first.address.endswith("/incidents/PNEW123")
    (body,) = product.opened
    assert body["incident_key"] == "changewindow-CHG-1042-5f2b5f2b5f2b"
    assert (body["title"], body["urgency"]) == ("EMERGENCY CHG-1042: no orders come in; the key is ***", "high")
    assert body["body"]["details"].splitlines() == [
        "Change: CHG-1042",
        "Broken: no orders come in; the key is ***",
        f"On: {', '.join(ticket().targets)}",
        "Commander: carol",
        "Executor: alice",
    ]
    assert TOKEN not in str([request.body for request in product.asked])


@pytest.mark.parametrize("is_lazy", [False, True])
def test_opsgenie_opens_an_alert_that_its_alias_keeps_a_single_one(*, is_lazy: bool) -> None:
    """Opsgenie makes it a moment after it took the request."""
    with serving(opsgenie()) as product:
        product.is_lazy = is_lazy
        seen = [opened(product), opened(product)]
    assert {(each.standing, each.incident, each.opened) for each in seen} == {("open", ALERT, True)}
    assert {body["alias"] for body in product.opened} == {"changewindow-CHG-1042-5f2b5f2b5f2b"}
    assert product.opened[0]["responders"] == [{"name": "on-call", "type": "team"}]
    assert product.opened[0]["details"]["commander"] == "carol"
    assert len(product.opened[0]["message"]) <= 130


def test_an_alert_that_opsgenie_is_still_making_is_called_by_its_alias(monkeypatch: pytest.MonkeyPatch) -> None:
    """By which it is found there."""
    monkeypatch.setattr("changewindow.systems.opsgenie.LOOKS", 0)
    with serving(opsgenie()) as product:
        assert opened(product).incident == "changewindow-CHG-1042-5f2b5f2b5f2b"


def test_whoever_cannot_open_one_hears_what_is_missing() -> None:
    """Nothing configured, no service, no sender."""
    assert open_one(None, NEW, among({}, "")).reason == incident_desk.NO_DESK
    assert look_up(None, "PT4KHLK", among({}, "")) is None
    with serving(pagerduty()) as product:
        assert opened(product, service="").reason == incident_desk.NO_SERVICE
        assert "it must be the e-mail address of a PagerDuty user" in opened(product, login="").reason
        assert "PagerDuty has no service with the name or id 'ordrs'" in opened(product, service="ordrs").reason
    assert product.opened == []


def test_a_page_in_place_of_an_answer_opens_nothing() -> None:
    """As a proxy sends that wants a login."""
    with recording_server(Reply(200, '"log in"')) as server:
        for name in WHOM:
            proxy = incident_apis.IncidentDesk(name, url=server.url)
            seen = [opened(proxy), looked_up(proxy, "17")]
            assert [each.standing for each in seen] == ["unreachable"] * 2
            assert all("the host of" in each.reason for each in seen)
