"""An emergency from the terminal finds out about its incident, where the product is known there and answers."""

import json
import os
from collections.abc import Iterator

import pytest

from changewindow.cli.main import main
from changewindow.ledger import aftercare, events
from changewindow.ledger.database import Ledger
from changewindow.ledger.payloads import IncidentSeen
from servers import incident_apis
from servers.incident_apis import TOKEN, IncidentDesk, serving
from support.emergency_terminal import Terminal, newest, secrets_in
from support.ports import free_port

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def desk(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> Iterator[IncidentDesk]:
    """Return PagerDuty, which emergencies.yaml names as the place of incidents, and this terminal knows."""
    named = "incidents: {kind: pagerduty, connection: desk, service: orders, within: 15s}\n"
    (terminal.folder / "policy/emergencies.yaml").write_text(named)
    with serving(incident_apis.pagerduty()) as product:
        fields = {"conn_type": "pagerduty", "host": product.url, "login": "ops@example.org", "password": TOKEN}
        monkeypatch.setenv("AIRFLOW_CONN_DESK", json.dumps(fields))
        yield product


def seen(ledger: Ledger) -> IncidentSeen:
    """Return what the record says of the incident, once."""
    [event] = events.past(ledger, newest(ledger), IncidentSeen)
    return event


def test_its_incident_is_looked_up(terminal: Terminal, ledger: Ledger, desk: IncidentDesk, capsys: Capture) -> None:
    """The terminal says whether it is open, and the record too."""
    assert main([*terminal.command("--here", "--ledger", str(ledger.url)), "--incident", "PT4KHLK"]) == 0
    assert (seen(ledger).standing, desk.opened) == ("open", [])
    assert "incident: PT4KHLK (acknowledged at PagerDuty): Checkout is down" in capsys.readouterr().err


def test_an_incident_is_opened_from_here(
    terminal: Terminal, ledger: Ledger, desk: IncidentDesk, capsys: Capture
) -> None:
    """Once; then it is an emergency with an incident."""
    place = terminal.command("--here", "--ledger", str(ledger.url), "--declare-incident")
    assert main([*place, "--incident", ""]) == 0
    assert (seen(ledger).opened, len(desk.opened)) == (True, 1)
    owed = aftercare.of_change(ledger, newest(ledger))
    assert owed is not None
    assert owed.incident == "PNEW123"
    assert "incident: PNEW123, opened at PagerDuty just now" in capsys.readouterr().err
    assert secrets_in(terminal.folder) == []


@pytest.mark.parametrize(
    "case",
    [
        ("hangs", "no answer within 4s"),
        ("closed", "127.0.0.1"),
        ("no connection", "does not know the connection 'desk'. Set AIRFLOW_CONN_DESK"),
        ("no policy", "the policy cannot be read, which says where"),
    ],
)
def test_an_incident_that_cannot_be_looked_up_is_marked(
    terminal: Terminal,
    ledger: Ledger,
    desk: IncidentDesk,
    case: tuple[str, str],
) -> None:
    """The steps have not waited for it, and nobody waits for longer than a moment at the end."""
    outage, why = case
    desk.slow = 20 if outage == "hangs" else 0
    if outage == "closed":
        fields = {"conn_type": "pagerduty", "host": f"http://127.0.0.1:{free_port()}", "password": TOKEN}
        os.environ["AIRFLOW_CONN_DESK"] = json.dumps(fields)
    if outage == "no connection":
        del os.environ["AIRFLOW_CONN_DESK"]
    if outage == "no policy":
        (terminal.folder / "policy/emergencies.yaml").write_text("incidents: [")
    assert main([*terminal.command("--here", "--ledger", str(ledger.url)), "--incident", "PT4KHLK"]) == 0
    event = seen(ledger)
    assert (event.standing, event.incident) == ("unreachable", "PT4KHLK")
    assert why in event.reason
    assert secrets_in(terminal.folder) == []
