"""Slack shows what is true: one message for each change, its thread, and what goes wrong in the room itself."""

from pathlib import Path

from changewindow.ledger import events
from changewindow.ledger.event_kinds import EventKind
from support.real_airflow import HEALTH, RealAirflow, ticket


def test_one_message_of_a_change_follows_it_to_its_end(airflow: RealAirflow, tmp_path: Path) -> None:
    """What has happened stands below it, once each; the record says when people were told."""
    change = airflow.publish(ticket(tmp_path / "told", steps=2))
    assert airflow.ends(change, airflow.run_of(change)) == ("success", "completed")
    root, lines = airflow.settled(change, "✅ COMPLETE")
    assert root["channel"] == "#deploys"
    assert root["blocks"]
    told = "\n".join(line["text"] for line in lines)
    assert all(told.count(f"step {number} 'step {number}'") for number in (1, 2)), told
    assert not any(line.get("reply_broadcast") for line in lines)
    assert events.history(airflow.ledger, change, EventKind.MESSAGE_SENT)


def test_a_rollback_is_read_in_the_room_itself(airflow: RealAirflow, tmp_path: Path) -> None:
    """With its reason, once."""
    bad = {**HEALTH, "pass": {"equals": 500}}
    change = airflow.publish(ticket(tmp_path / "untold", validation=[bad]))
    assert airflow.ends(change, airflow.run_of(change))[0] == "failed"
    _, lines = airflow.settled(change, "⚠️ ROLLED BACK")
    loud = [line["text"] for line in lines if line.get("reply_broadcast")]
    assert sum("ROLLED BACK" in text for text in loud) == 1, loud
