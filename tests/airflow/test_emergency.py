"""An emergency on a real Airflow: declared over REST, carried out at once, and rolled back where it breaks more."""

import json
from pathlib import Path
from typing import Any

from changewindow.cli.airflow_api import wait_for
from changewindow.ledger import events, leases, queries
from changewindow.ledger.payloads import Declared
from support.real_airflow import RealAirflow, acts, ticket

EMERGENCY = "emergency_change"


def declared(airflow: RealAirflow, **form: Any) -> tuple[str, str]:
    """Declare an emergency as alice; return the run and, once it is known, the change."""
    run = airflow.alice.trigger(EMERGENCY, {"broken": "Orders cannot be paid", "commander": "bob", **form})
    change = wait_for(lambda: queries.of_origin(airflow.ledger, f"{EMERGENCY}/{run}"), "the change of an emergency")
    return run, change.id


def test_an_emergency_begins_at_once_and_goes_on_as_any_change(airflow: RealAirflow, tmp_path: Path) -> None:
    """The first step runs in the run of the form, the second one in that of the change, which is watched and closed."""
    text = json.dumps(ticket(tmp_path / "emergency", steps=2))
    run, change = declared(airflow, ticket=text)
    assert airflow.request_ends(run, EMERGENCY) == "success"
    assert airflow.ends(change, airflow.run_of(change)) == ("success", "completed")
    assert acts(tmp_path / "emergency") == ["apply_1", "apply_2"]
    kinds = [kind for kind in airflow.kinds(change) if kind != "message_sent"]
    assert kinds[:5] == ["submitted", "declared", "started", "remembered", "applied"]
    (event,) = events.past(airflow.ledger, change, Declared)
    assert [each.code for each in event.skipped] == ["nobody_approved", "no_incident"]
    assert leases.leases(airflow.ledger, change) == []
    heads = [body["text"].partition(":")[0] for body in airflow.posted() if change in body.get("text", "")]
    assert heads[0] == "🚒 EMERGENCY"
