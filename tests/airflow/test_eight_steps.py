"""The emergency change workflow, its eight steps one after the other, on a real Airflow, with the people it takes."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from changewindow.cli.airflow_api import wait_for
from changewindow.ledger import aftercare, changes, events, leases, queries
from changewindow.ledger.payloads import Declared
from changewindow.policy.aftercare import Aftercare
from support.real_airflow import HEALTH, PROBE, Probe, RealAirflow, window

EMERGENCY, APPROVAL, REVIEW = "emergency_change", "retroactive_approval", "review_change"
INCIDENT = "https://incidents.example/INC-4711"
AT, A_DAY = datetime.now(UTC), timedelta(days=1)


def test_an_emergency_goes_through_all_eight_steps(airflow: RealAirflow, probe: Probe, tmp_path: Path) -> None:
    """Alice carries it out on carol's word; bob approves it afterwards, and reviews it."""
    probe.status = 500
    form = {**declare_the_incident(), **identify_the_fix(tmp_path), **get_verbal_approval()}
    change = execute_the_change(airflow, form)
    validate_restoration(airflow, change, probe)
    communicate_resolution(airflow, change)
    create_the_change_ticket_within_24_hours(airflow, change)
    include_it_in_the_post_incident_review(airflow, change)
    the_record_holds_all_of_it(airflow, change)


def declare_the_incident() -> dict[str, Any]:
    """1. Declare incident."""
    return {"broken": "Nobody can pay", "incident": INCIDENT}


def identify_the_fix(folder: Path) -> dict[str, Any]:
    """2. Identify the fix: a ticket of tomorrow, of two steps, which nobody has approved."""
    mend, hurt = ({"method": "PUT", "path": "/health", "body": {"status": status}} for status in (200, 500))
    tomorrow, notice = AT + A_DAY, str(folder / "notice")
    fix = {
        "summary": "Switch the payment page on.",
        "services": ["payment-page"],
        "environment": "production",
        "type": "normal",
        "risk": "low",
        "owner": "alice",
        "reviewer": "bob",
        "window": window(tomorrow, tomorrow + timedelta(hours=1)),
        "steps": [
            {"name": "Switch it on", "kind": "http_call", "connection": PROBE, **mend, "undo": hurt},
            {"name": "Leave a notice", "kind": "command", "run": ["touch", notice], "undo": ["rm", "-f", notice]},
        ],
        "rollback": {"estimate": "1m", "verify": [{**HEALTH, "pass": {"equals": 500}}]},
        "watch": {"for": "5s", "every": "1s"},
        "validation": [{**HEALTH, "tolerate": {"unreachable": 3}}],
    }
    return {"ticket": json.dumps(fix)}


def get_verbal_approval() -> dict[str, Any]:
    """3. Get verbal approval from incident commander."""
    return {"commander": "carol", "agreed_how": "in #incident-4711"}


def execute_the_change(airflow: RealAirflow, form: dict[str, Any]) -> str:
    """4. Execute the change: its first step in the run of the form, the second one in its own."""
    run = airflow.alice.trigger(EMERGENCY, form)
    change = wait_for(lambda: queries.of_origin(airflow.ledger, f"{EMERGENCY}/{run}"), "the change").id
    assert airflow.request_ends(run, EMERGENCY) == "success"
    kinds = airflow.kinds(change)
    assert kinds[:5] == ["submitted", "declared", "started", "remembered", "applied"]
    (event,) = events.past(airflow.ledger, change, Declared)
    assert (event.incident, event.commander, event.agreed_how) == (INCIDENT, "carol", "in #incident-4711")
    assert [(skip.code, skip.people) for skip in event.skipped] == [
        ("nobody_approved", ("bob", "carol", "admin")),
        ("too_early", ()),
        ("risk_floor", ()),
    ]
    return change


def validate_restoration(airflow: RealAirflow, change: str, probe: Probe) -> None:
    """5. Validate service restoration: the watch sees that what the first step did holds, and the target is free."""
    wait_for(lambda: airflow.knows(change), f"the DAG {change}")
    assert airflow.ends(change, airflow.run_of(change)) == ("success", "completed")
    assert probe.status == 200
    assert leases.leases(airflow.ledger, change) == []


def communicate_resolution(airflow: RealAirflow, change: str) -> None:
    """6. Communicate resolution: the room reads all of it in its order, and whose approval was skipped is called."""
    restored, _ = airflow.settled(change, "✅ RESTORED")
    texts = messages(airflow, change)
    heads = [head for head in texts if head in {"🚒 EMERGENCY", "⏭️ SKIPPED", "🔧 ACTING"}]
    assert heads == ["🚒 EMERGENCY", "⏭️ SKIPPED", "🔧 ACTING"]
    assert "@bob, @admin: see what runs" in texts["⏭️ SKIPPED"]
    assert f"@carol: say in incident {INCIDENT} that service is restored." in restored["text"]


def create_the_change_ticket_within_24_hours(airflow: RealAirflow, change: str) -> None:
    """7. Create change ticket retroactively (within 24 hours): of what ran; nobody who was involved approves it."""
    owed, run = owed_by(airflow, change), f"asks_about_{change}"
    assert owed.digest == changes.get(airflow.ledger, change).digest
    assert (owed.approval(datetime.now(UTC)), owed.due) == ("owed", owed.began + A_DAY)
    wait_for(lambda: airflow.asks(APPROVAL, run, "ask"), "the question")
    for involved in ("alice", "carol"):
        assert "403" in airflow.why_refused(involved, run, "Approve", dag=APPROVAL, task="ask")
    airflow.answer("bob", run, "Approve", dag=APPROVAL, task="ask")
    assert airflow.request_ends(run, APPROVAL) == "success"
    owed = owed_by(airflow, change)
    assert owed.approval(datetime.now(UTC)) == "approved"
    assert [(word.person, word.counts) for word in owed.words] == [("bob", True)]


def include_it_in_the_post_incident_review(airflow: RealAirflow, change: str) -> None:
    """8. Post-incident review includes the emergency change: with what is to follow, and a standard change to be."""
    day = f"{AT + 9 * A_DAY:%Y-%m-%d}"
    form = {
        "change": change,
        "what_happened": "The payment page was switched off by mistake",
        "impact_from": f"{AT - timedelta(minutes=9):%Y-%m-%dT%H:%M:%SZ}",
        "impact_to": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "why_not_normal": "Nobody could pay until then",
        "what_would_be_normal": "A standard change",
        "follow_ups": f"alert when the page is off | alice | {day}",
        "template": "switch_payment_page_on",
    }
    run = airflow.does(REVIEW, "bob", **form)
    assert airflow.bob.run(REVIEW, run)["state"] == "success"
    settled, follow_up, drafted = airflow.bob.xcom(REVIEW, run, "review", "note").splitlines()
    assert settled == f"{change} is reviewed by bob; that is settled."
    assert follow_up == f"Follow-up 1: alert when the page is off (alice, by {day} 23:59 UTC)"
    (draft,) = (word for word in drafted.replace(",", " ").split() if word.endswith(".yaml"))
    assert "path: /health" in Path(draft).read_text()


def the_record_holds_all_of_it(airflow: RealAirflow, change: str) -> None:
    """Whoever asks a year later finds it among the others, as it was, and that nobody has altered anything."""
    figures = {
        each["name"]: each["changes"]
        for each in json.loads(told(airflow, "report", "emergencies", "--json"))["figures"]
    }
    assert all(change in figures[name] for name in ("emergencies", "approval_approved", "reviewed"))
    assert not any(change in figures[name] for name in ("without_incident", "phantom_share", "follow_up_left"))
    wait_for(lambda: {"☑️ APPROVED AFTERWARDS", "📋 REVIEWED"} <= set(messages(airflow, change)), "the last messages")
    history = told(airflow, "history", change)
    for part in (INCIDENT, "carol", "nobody has approved it", "Nobody can pay", "payment page was switched off"):
        assert part in history, history
    assert told(airflow, "verify", "--all") == ""


def messages(airflow: RealAirflow, change: str) -> dict[str, str]:
    """Return the messages about a change by how they begin, in order."""
    texts = [body["text"] for body in airflow.posted() if change in body.get("text", "")]
    return {text.partition(":")[0].partition(" by ")[0]: text for text in texts}


def owed_by(airflow: RealAirflow, change: str) -> Aftercare:
    """Return what a change owes."""
    owed = aftercare.of_change(airflow.ledger, change)
    assert owed is not None
    return owed


def told(airflow: RealAirflow, *arguments: str) -> str:
    """Return what the terminal prints."""
    command = [sys.executable, "-m", "changewindow", *arguments]
    environment = {**airflow.environment, "COLUMNS": "1000"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
