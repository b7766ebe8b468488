"""The DAG `record_change`: what was done by hand lands in the ledger under the name of who told it."""

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from changewindow.flow.dags.record import build_record_dag, form
from changewindow.flow.own_dag import INTERVENTIONS, RECORD
from changewindow.flow.secrecy import SECRETS
from changewindow.ledger import aftercare, changes, events, findings, records
from changewindow.ledger.database import Ledger
from changewindow.ledger.findings_search import Wanted
from changewindow.ledger.looks import Look
from changewindow.ledger.verification import verify_all
from changewindow.policy.world_finding import WorldFinding
from support.task_instance import TaskInstance

AT = datetime.now(UTC) - timedelta(minutes=30)
ACCEPT = (
    "To leave it as it is, accept it: the DAG `accept_finding`, or "
    "`changewindow findings accept 2 --reason TEXT --until TIME`"
)
MORE = {
    "targets": "production/orders",
    "start": (AT - timedelta(minutes=5)).isoformat(),
    "end": (AT + timedelta(minutes=5)).isoformat(),
    "commands": "vi /etc/hosts\nmysql -uroot -phunter2-9f3 orders",
    "why": "It hung.",
}


def told(person: str | None = "bob", run: str = "run-1", **params: Any) -> str:
    """Record something as a person who has filled in the form; return the note of the run."""
    operator: Any = build_record_dag().tasks[0]
    dag_run = SimpleNamespace(triggering_user_name=person, run_type="manual")
    noted = TaskInstance("record", dag=RECORD)
    given = {**{name: param.value for name, param in form().items() if param.has_value}, **MORE, **params}
    operator.execute({"dag_run": dag_run, "params": given, "ti": noted, "run_id": run})
    return str(noted.left["note"])


def owned_by(folder: Path, person: str) -> None:
    """Let somebody own the service."""
    service = f"{{owners: [{person}], environments: [production]}}"
    (folder / "policy" / "services.yaml").write_text(f"services:\n  orders: {service}\n")


def test_what_was_done_by_hand_is_recorded_and_told_to_the_room(
    known: Ledger, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The note says what was kept, hidden and closed; the message that it is not approved."""
    edit = WorldFinding("change", "audit", "web-3:/etc/hosts", AT, "edited", "nobody", services=("orders",))
    other = WorldFinding("change", "audit", "web-3:/etc/motd", AT, "edited", "nobody", services=("orders",))
    findings.write_pass(known, [Look("audit", AT, AT, {})], [edit, other], [], now=AT)
    owned_by(tmp_path, "bob")
    with caplog.at_level(logging.INFO):
        note = told(done_by="alice", findings="1, 2").splitlines()
    assert note[0].startswith("CHG-1001 is recorded, not approved: told by bob, done by alice, ")
    owed = aftercare.of_change(known, "CHG-1001")
    assert owed is not None
    assert owed.due is not None
    assert note[1:] == [
        "2 commands kept. 1 secret hidden.",
        "finding 1 is closed as recorded: command 1 names it.",
        f"finding 2 is not closed: no command names web-3:/etc/motd. {ACCEPT}.",
        f"Its retroactive approval is owed by {owed.due:%Y-%m-%d %H:%M} UTC, by somebody who neither told nor did it.",
    ]
    assert (owed.because, owed.involved, owed.due - owed.began) == ("record", ("bob", "alice"), timedelta(hours=24))
    assert owed.review_due == owed.began + timedelta(days=7)
    assert told(run="run-2").splitlines()[-2] == "It explains no open finding."
    assert "📝 RECORDED, not approved: CHG-1001 Done by hand: It hung." in caplog.text
    assert [each.state for each in findings.find(known, Wanted())] == ["open", "recorded"]
    kinds = [row.kind for row in events.history(known, "CHG-1001")]
    assert kinds == ["recorded", "review_asked", "message_sent"]
    assert verify_all(known).altered == ()


def test_the_record_of_another_user_is_kept_and_closes_nothing(known: Ledger, tmp_path: Path) -> None:
    """Whoever might not accept the finding; the note says who may. An operator of Airflow's list may always."""
    edit = WorldFinding("change", "audit", "web-3:/etc/hosts", AT, "edited", "nobody", services=("orders",))
    findings.write_pass(known, [Look("audit", AT, AT, {})], [edit], [], now=AT)
    owned_by(tmp_path, "dora")
    assert told("eve").splitlines()[-2] == (
        "finding 1 is not closed: the record explains it (command 1 names it), but eve may not accept a finding: "
        "`accept` in rights.yaml allows it to owners (dora), operators. The record is kept; ask one of them to accept "
        "the finding: the DAG `accept_finding`, or `changewindow findings accept 1 --reason TEXT --until TIME`."
    )
    assert changes.get(known, "CHG-1001").status == "recorded"
    assert told("admin", run="run-2").splitlines()[-2] == "finding 1 is closed as recorded: command 1 names it."


def test_somebody_elses_name_is_shown_as_claimed(known: Ledger) -> None:
    """Who told it is whom Airflow has authenticated, whatever the form says."""
    told(done_by="carol")
    change = changes.get(known, "CHG-1001")
    assert (change.requester, change.owner) == ("bob", "carol")
    with pytest.raises(AirflowFailException, match="Trigger record_change under your own name"):
        told(person=None)


def test_a_run_that_is_tried_again_or_cleared_records_nothing_more(known: Ledger) -> None:
    """And tells the room once."""
    told()
    assert told() == "CHG-1001 was recorded before by this run; nothing was done again."
    kinds = [row.kind for row in events.history(known, "CHG-1001")]
    assert kinds == ["recorded", "review_asked", "message_sent"]
    assert told(run="run-2").startswith("CHG-1002 is recorded")


def test_no_secret_reaches_the_ledger(known: Ledger) -> None:
    """Neither one that looks like it, nor one of a connection that this process has used."""
    SECRETS.learn("swordfish-of-ours")
    told(commands="mysql -phunter2-9f3\necho swordfish-of-ours", why="login swordfish-of-ours")
    manual = records.manual_change(known, "CHG-1001")
    assert [command.line for command in manual.commands] == ["mysql -p***", "echo ***"]
    assert (manual.why, manual.masked) == ("login ***", 2)


def test_what_cannot_be_recorded_is_said_and_written_nowhere(known: Ledger) -> None:
    """Every mistake, in the note of the red run."""
    with pytest.raises(AirflowFailException) as refused:
        told(start=MORE["end"], end=MORE["start"], targets="orders")
    head, *mistakes = str(refused.value).splitlines()
    assert (head.partition(",")[0], len(mistakes)) == ("2 mistakes", 2)
    assert records.since(known, AT - timedelta(days=1)) == []


def test_it_is_no_intervention(known: Ledger) -> None:
    """Whoever may trigger runs may tell; it needs no right, since it gives none."""
    assert RECORD not in INTERVENTIONS
    assert known
