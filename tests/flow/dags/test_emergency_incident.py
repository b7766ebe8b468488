"""The task `tell` of `emergency_change` looks up or opens the incident, once, and the record says so."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from changewindow import settings
from changewindow.changes.event_text import sentence
from changewindow.flow.dags.emergency_form import form
from changewindow.ledger import aftercare, events
from changewindow.ledger.database import Ledger
from changewindow.ledger.payloads import IncidentSeen, MessageSent
from changewindow.ledger.verification import verify_all
from flow.dags.test_emergency import Declaration
from servers.incident_apis import TOKEN, IncidentDesk, pagerduty, serving


@pytest.fixture
def desk(known: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[IncidentDesk]:
    """Return PagerDuty, which emergencies.yaml names."""
    monkeypatch.setenv("CHANGEWINDOW_PUBLISHED", str(tmp_path / "published"))
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", json.dumps([settings.BUNDLE]))
    named = "incidents: {kind: pagerduty, connection: desk, service: orders, within: 1s}\n"
    (tmp_path / "policy" / "emergencies.yaml").write_text(named)
    with serving(pagerduty()) as product:
        fields = {"conn_type": "pagerduty", "host": product.url, "login": "ops@example.org", "password": TOKEN}
        monkeypatch.setenv("AIRFLOW_CONN_DESK", json.dumps(fields))
        yield product


@pytest.fixture
def declaration(known: Ledger, tmp_path: Path) -> Declaration:
    """Return an emergency that alice is about to declare."""
    return Declaration(known, tmp_path)


def seen(declaration: Declaration) -> list[IncidentSeen]:
    """Return what the record says of the incident."""
    return events.past(declaration.ledger, declaration.change.id, IncidentSeen)


def room(declaration: Declaration) -> str:
    """Return what the room was told of the incident."""
    sent = events.past(declaration.ledger, declaration.change.id, MessageSent)
    return next(line for message in sent for line in message.text.splitlines() if line.startswith("Incident: "))


def test_an_incident_that_is_named_is_looked_up(declaration: Declaration, desk: IncidentDesk) -> None:
    """After the first step; the room hears its title and whether it is open."""
    declaration.do(incident="PT4KHLK", declare_incident=True)
    assert desk.asked == []
    declaration.do("tell", incident="PT4KHLK", declare_incident=True)
    assert room(declaration) == (
        "Incident: PT4KHLK (acknowledged at PagerDuty): Checkout is down https://acme.pagerduty.com/incidents/PT4KHLK"
    )
    (event,) = seen(declaration)
    assert (event.standing, event.opened, desk.opened) == ("open", False, [])
    assert sentence(event) == "looked up the incident PT4KHLK at PagerDuty (acknowledged): Checkout is down"
    assert verify_all(declaration.ledger).altered == ()


def test_one_is_opened_once_and_then_it_is_an_emergency_with_an_incident(
    declaration: Declaration, desk: IncidentDesk
) -> None:
    """However often its task is tried; the first step waits for nothing of it."""
    declaration.do(declare_incident=True)
    owed = aftercare.of_change(declaration.ledger, declaration.change.id)
    assert owed is not None
    assert (owed.incident, desk.asked) == ("", [])
    for _ in range(2):
        declaration.do("tell", declare_incident=True)
    owed = aftercare.of_change(declaration.ledger, declaration.change.id)
    assert owed is not None
    assert (owed.incident, len(desk.opened)) == ("PNEW123", 1)
    assert room(declaration) == f"Incident: PNEW123, opened at PagerDuty just now {desk.url}/incidents/PNEW123"
    (event,) = seen(declaration)
    assert sentence(event).startswith("opened the incident PNEW123 at PagerDuty: EMERGENCY CHG-")


def test_without_an_answer_the_room_is_told_all_the_same(
    declaration: Declaration, desk: IncidentDesk, caplog: pytest.LogCaptureFixture
) -> None:
    """Within seconds; a later try opens the incident, and no second one."""
    declaration.do(declare_incident=True)
    desk.slow = 3
    with caplog.at_level(logging.INFO):
        declaration.do("tell", declare_incident=True)
    assert "🔧 ACTING" in caplog.text
    assert "NONE OPEN; declare one" in room(declaration)
    assert "no answer within 1s" in room(declaration)
    desk.slow = 0
    declaration.do("tell", declare_incident=True)
    assert [event.standing for event in seen(declaration)] == ["unreachable", "open"]
    assert TOKEN not in caplog.text
    owed = aftercare.of_change(declaration.ledger, declaration.change.id)
    assert owed is not None
    assert owed.incident == "PNEW123"


@pytest.mark.parametrize("policy", ["", "incidents: [", "incidents: {kind: pagerduty, connection: desk, team: a}"])
def test_without_configuration_the_room_hears_what_to_do(
    declaration: Declaration, desk: IncidentDesk, policy: str
) -> None:
    """The incident is taken as it is written, and none is opened."""
    (declaration.folder / "policy" / "emergencies.yaml").write_text(policy or "held: wait\n")
    declaration.do(declare_incident=True)
    declaration.do("tell", declare_incident=True)
    assert room(declaration).endswith("later, name one as `incidents` in emergencies.yaml")
    assert desk.asked == []


def test_an_incident_is_taken_as_it_is_written_where_no_product_is_configured(
    declaration: Declaration, desk: IncidentDesk
) -> None:
    """Nothing is looked up, and nothing said of that; by default the form opens none."""
    (declaration.folder / "policy" / "emergencies.yaml").unlink()
    assert form()["declare_incident"].value is False
    declaration.do(incident="INC-4711")
    declaration.do("tell", incident="INC-4711")
    assert (room(declaration), seen(declaration), desk.asked) == ("Incident: INC-4711", [], [])
