"""What is decided in Slack, on a real Airflow: its questions go on or away, and its runs begin."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from changewindow.changes.buttons import Action, Carried
from changewindow.changes.click_acts import Click, JudgedBy
from changewindow.changes.slack_clicks import Decision, decide
from changewindow.cli.airflow_api import wait_for
from changewindow.documents.model_file import Read
from changewindow.ledger import changes, outbox
from changewindow.ledger.outbox import Outgoing
from changewindow.notify.base import Reference
from changewindow.policy.load import load_policy
from changewindow.policy.messages import Messages
from support.real_airflow import RealAirflow, acts, ticket, window

PEOPLE = {name: {"slack": f"U{name.upper()}"} for name in ("alice", "bob", "carol")}
MESSAGES = Messages.model_validate({"people": PEOPLE, "approve_up_to": "high"})
TEAM = "T0001"
LATER = timedelta(hours=1)


def clicked(airflow: RealAirflow, change: str, person: str, action: Action, *, state: str) -> Decision:
    """Let somebody press a button of the message of a change, which stands in a room that nobody else writes to."""
    stored, now = changes.get(airflow.ledger, change), datetime.now(UTC)
    where = Reference("C0BUTTONS", f"{change}.{state}")
    row = Outgoing(change, "card", f"#{state}", "slack", "card", now, now, reference=where, digest=stored.digest)
    outbox.add(airflow.ledger, [Outgoing(**{**vars(row), "until": now + LATER, "is_done": True})])
    button = Carried(change, stored.digest, state).value
    click = Click(f"U{person.upper()}", TEAM, action, button, where, now.isoformat(), now)
    judged_by = JudgedBy(airflow.ledger, lambda: load_policy(airflow.policy), lambda: Read(MESSAGES), TEAM)
    return decide(judged_by, click, now)


def test_two_levels_are_approved_in_slack(airflow: RealAirflow, tmp_path: Path) -> None:
    """Airflow asks for the second once the first is given, then nobody, and publishes; nobody answered there."""
    opens = datetime.now(UTC) + LATER
    run, change = airflow.ask(ticket(tmp_path / "two-in-slack", risk="high", window=window(opens, opens + LATER)))
    wait_for(lambda: airflow.asks("request_change", run, "approve_1"), "the first level")
    assert not clicked(airflow, change, "alice", "approve", state="asked").counts
    assert clicked(airflow, change, "bob", "approve", state="asked").counts
    wait_for(lambda: airflow.asks("request_change", run, "approve_2"), "the second level")
    assert not airflow.asks("request_change", run, "approve_1")
    assert clicked(airflow, change, "carol", "approve", state="asked").counts
    assert airflow.request_ends(run) == "success"
    assert [kind for kind in airflow.kinds(change) if kind in {"decided", "approved"}] == [
        "decided",
        "decided",
        "approved",
    ]
    assert (airflow.bundle / f"{change}.json").exists()


def test_what_is_kept_in_slack_is_rolled_back_there_later(airflow: RealAirflow, tmp_path: Path) -> None:
    """The watch ends with the answer; the rollback is a run in the name of whoever clicked, and there is one."""
    source = {"kind": "command", "run": ["cat", str(tmp_path / "there is no such file")]}
    condition: dict[str, Any] = {"name": "the file", "source": source, "pass": {"equals": 1}, "new": True}
    watch = {"for": "10m", "every": "1s", "when_unknown": "ask", "conditions": [condition]}
    change = airflow.publish({**ticket(tmp_path / "kept-in-slack"), "watch": watch})
    run = airflow.run_of(change)
    wait_for(lambda: airflow.asks(change, run, "watch"), "the question")
    assert clicked(airflow, change, "bob", "keep", state="waiting").counts
    assert not clicked(airflow, change, "alice", "take_back", state="waiting").counts
    assert airflow.ends(change, run) == ("success", "completed")
    assert changes.get(airflow.ledger, change).reason.startswith("bob keeps it")
    assert clicked(airflow, change, "carol", "take_back", state="completed").counts
    rollback = wait_for(lambda: [each for each in airflow.alice.runs(change) if each["dag_run_id"] != run], "its run")
    assert airflow.ends(change, rollback[0]["dag_run_id"]) == ("failed", "rolled_back")
    assert changes.get(airflow.ledger, change).reason == "carol asked for it by a click in Slack"
    assert acts(tmp_path / "kept-in-slack") == ["apply_1", "undo_1"]
    assert len(airflow.alice.runs(change)) == 2
