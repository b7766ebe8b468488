"""Asking and approving, on a real Airflow, over REST, as the people who do it."""

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from changewindow.cli.airflow_api import RestError, wait_for
from changewindow.ledger import changes, events, queries
from changewindow.ledger.event_kinds import EventKind
from support.real_airflow import RealAirflow, git, ticket, window


def later(hours: float = 1) -> dict[str, str]:
    """Return a window that opens later."""
    opens = datetime.now(UTC) + timedelta(hours=hours)
    return window(opens, opens + timedelta(hours=1))


def test_high_risk_needs_two_others_in_their_order(airflow: RealAirflow, tmp_path: Path) -> None:
    """The requester is refused by the server though an admin, one person counts once, and two levels publish it."""
    run, change = airflow.ask(ticket(tmp_path / "two", risk="high", window=later()), user="admin")
    wait_for(lambda: airflow.asks("request_change", run, "approve_1"), "the first level")
    assert "403" in airflow.why_refused("admin", run, "Approve")
    airflow.answer("bob", run, "Approve")
    wait_for(lambda: airflow.asks("request_change", run, "approve_2"), "the second level")
    assert "403" in airflow.why_refused("bob", run, "Approve", task="approve_2")
    assert "403" in airflow.why_refused("admin", run, "Approve", task="approve_2")
    airflow.answer("carol", run, "Approve", task="approve_2")
    assert airflow.request_ends(run) == "success"
    assert airflow.kinds(change) == ["submitted", "decided", "decided", "approved"]
    rows = events.history(airflow.ledger, change, EventKind.DECIDED)
    assert [(row.actor, events.data(row)["level"]) for row in rows] == [("bob", "peer"), ("carol", "second")]
    assert (airflow.bundle / f"{change}.json").exists()


def test_where_anybody_may_the_requesters_yes_does_not_count(airflow: RealAirflow, tmp_path: Path) -> None:
    """Where the policy names nobody, Airflow takes the requester's click; it is asked again, and another one counts."""
    run, change = airflow.ask(ticket(tmp_path / "anybody", environment="staging", window=later()))
    airflow.answer("alice", run, "Approve")
    wait_for(lambda: airflow.alice.tasks("request_change", run)["approve_1"]["try_number"] == 2, "the second try")
    assert "cannot approve it; ask a second person" in airflow.alice.log("request_change", run, "approve_1")
    assert airflow.kinds(change) == ["submitted"]
    airflow.answer("bob", run, "Approve")
    assert airflow.request_ends(run) == "success"
    assert airflow.kinds(change) == ["submitted", "decided", "approved"]


def test_what_wakes_one_question_does_not_answer_another(airflow: RealAirflow, tmp_path: Path) -> None:
    """Though both wait for a trigger of one number, which SQLite gives twice on other Airflows; each has its end."""
    first, ended = airflow.ask(ticket(tmp_path / "first", window=later()))
    second, change = airflow.ask(ticket(tmp_path / "another", window=later()))
    wait_for(lambda: airflow.asks("request_change", first, "approve_1"), "the first question")
    wait_for(lambda: airflow.asks("request_change", second, "approve_1"), "the second question")
    the_same = (
        "UPDATE task_instance SET trigger_id = "
        "(SELECT trigger_id FROM task_instance WHERE run_id = ?1 AND task_id = ?3) WHERE run_id = ?2 AND task_id = ?3"
    )
    with closing(sqlite3.connect(airflow.place.database, timeout=60)) as database, database:
        made = database.execute("SELECT sql FROM sqlite_master WHERE name = 'trigger'").fetchone()
        assert "AUTOINCREMENT" in made[0]
        database.execute(the_same, (first, second, "approve_1"))
    airflow.does("cancel_change", user="alice", change=ended, reason="not needed")
    assert airflow.request_ends(first) == "failed"
    wait_for(lambda: "meant for another one" in airflow.alice.log("request_change", second, "approve_1"), "the second")
    assert airflow.kinds(change) == ["submitted"]
    airflow.answer("bob", second, "Reject")
    assert airflow.request_ends(second) == "failed"
    assert changes.get(airflow.ledger, change).status == "rejected"


def test_a_rejection_ends_it(airflow: RealAirflow, tmp_path: Path) -> None:
    """Nothing is published, and asking again for the same change is refused."""
    run, change = airflow.ask(ticket(tmp_path / "rejected", window=later()))
    airflow.answer("bob", run, "Reject")
    assert airflow.request_ends(run) == "failed"
    assert changes.get(airflow.ledger, change).status == "rejected"
    assert not (airflow.bundle / f"{change}.json").exists()
    again = airflow.alice.trigger("request_change", {"change": change})
    assert airflow.request_ends(again) == "failed"
    assert "it is rejected" in airflow.alice.log("request_change", again, "check")


def test_a_click_on_an_old_text_does_not_approve_the_new_one(airflow: RealAirflow, tmp_path: Path) -> None:
    """Nobody is asked about it any more, a late click changes nothing, and the new text asks for itself."""
    data = ticket(tmp_path / "bait", window=later())
    old, change = airflow.ask(data)
    wait_for(lambda: airflow.asks("request_change", old, "approve_1"), "the first question")
    new, _ = airflow.ask({**data, "details": "and switch"}, change=change)
    wait_for(lambda: airflow.asks("request_change", new, "approve_1"), "the second question")
    assert airflow.request_ends(old) == "failed"
    assert "it has another text or window by now" in airflow.alice.log("request_change", old, "approve_1")
    airflow.why_refused("bob", old, "Approve")
    assert changes.get(airflow.ledger, change).status == "submitted"
    airflow.answer("bob", new, "Approve")
    assert airflow.request_ends(new) == "success"


def test_a_late_click_has_no_effect(airflow: RealAirflow, tmp_path: Path) -> None:
    """When the window has ended unapproved, the request has ended too; a click then changes nothing."""
    now = datetime.now(UTC)
    data = ticket(tmp_path / "latecomer", window=window(now - timedelta(minutes=5), now + timedelta(seconds=20)))
    data["steps"][0]["timeout"], data["rollback"]["estimate"], data["watch"]["for"] = "10s", "10s", "2s"
    run, change = airflow.ask(data)
    assert airflow.request_ends(run) == "failed"
    assert "nobody approved it before its window ended" in airflow.alice.log("request_change", run, "approve_1")
    airflow.why_refused("bob", run, "Approve")
    assert changes.get(airflow.ledger, change).status == "submitted"
    assert not (airflow.bundle / f"{change}.json").exists()


@pytest.mark.usefixtures("demo_service")
@pytest.mark.xdist_group("the service of the demo")
def test_a_standard_change_is_approved_in_advance(airflow: RealAirflow) -> None:
    """Its request needs nobody else; a value outside of the template is refused with those that are approved."""
    opens = datetime.now(UTC) + timedelta(days=30)
    moments = {"start": opens.isoformat(), "end": (opens + timedelta(hours=1)).isoformat()}
    run, change = airflow.ask(standard="max_idle", values={"max_idle": 12}, reviewer="bob", **moments)
    assert airflow.request_ends(run) == "success"
    assert changes.get(airflow.ledger, change).status == "approved"
    assert "conditions now" in airflow.alice.xcom("request_change", run, "dry_run")
    values = {"standard": "max_idle", "values": {"max_idle": 1}, "reviewer": "bob", **moments}
    refused = airflow.alice.trigger("request_change", values)
    assert airflow.request_ends(refused) == "failed"
    assert "max_idle = 1 is not approved in advance" in airflow.alice.log("request_change", refused, "check")


def test_a_ticket_is_submitted_from_the_command_line(airflow: RealAirflow, tmp_path: Path) -> None:
    """With the rights of that user; findings come back with the file's name and line, a good one with its link."""
    file = tmp_path / "mine.yaml"
    file.write_text("sumary: x\nrisk: huge\n")
    environment = {**os.environ, "CHANGEWINDOW_PASSWORD": airflow.alice.password, "PYTHONPATH": "include"}
    arguments = ["submit", str(file), "--url", airflow.place.url, "--user", "alice"]
    submit = [sys.executable, "-m", "changewindow", *arguments]
    bad = subprocess.run(submit, env=environment, capture_output=True, text=True, check=False)
    assert bad.returncode == 1
    assert f"{file}:1: unknown field 'sumary'. Did you mean 'summary'?" in bad.stdout
    file.write_text(json.dumps(ticket(tmp_path / "line", window=later())))
    good = subprocess.run(submit, env=environment, capture_output=True, text=True, check=False)
    assert good.returncode == 0, good.stderr
    change = good.stdout.split()[0]
    assert changes.get(airflow.ledger, change).requester == "alice"
    assert f"{airflow.place.url}/dags/request_change/runs/" in good.stdout


def test_what_was_done_by_hand_is_told_from_the_command_line_and_by_rest(airflow: RealAirflow, tmp_path: Path) -> None:
    """Under the name that has logged in; nothing that Airflow stores of it holds the secret, and nothing runs."""
    history, at = tmp_path / "history", int(datetime.now(UTC).timestamp()) - 600
    history.write_text(f"#{at}\nmysql -phunter2-9f3 orders\n#{at + 60}\nsystemctl restart orders\n")
    environment = {**os.environ, "CHANGEWINDOW_PASSWORD": airflow.alice.password, "PYTHONPATH": "include"}
    about = ["--target", "production/orders", "--why", "It hung", "--by", "carol", "--file", str(history)]
    record = [sys.executable, "-m", "changewindow", "record", *about, "--url", airflow.place.url, "--user", "alice"]
    told = subprocess.run(record, env=environment, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    assert "is recorded, not approved: told by alice, done by carol" in told.stdout
    assert "2 commands kept. 1 secret hidden." in told.stdout
    stored = changes.get(airflow.ledger, told.stdout.split()[0])
    assert (stored.status, stored.requester, stored.owner) == ("recorded", "alice", "carol")
    pasted = {"targets": "production/orders", "why": "x hunter2", "commands": f"#{at}\nexport PGPASSWORD=hunter2-9f3"}
    run = airflow.alice.trigger("record_change", pasted, note="token=hunter2-9f3")
    assert airflow.request_ends(run, dag="record_change") == "success"
    assert "9f3" not in json.dumps(airflow.alice.run("record_change", run))
    logged = airflow.clients["admin"].get("/eventLogs", limit=100, order_by="-when", dag_id="record_change")
    assert logged["event_logs"]
    assert "9f3" not in json.dumps(logged)
    assert not (airflow.bundle / f"{stored.id}.json").exists()
    with pytest.raises(RestError, match="413"):
        airflow.alice.trigger("record_change", {**pasted, "commands": "x" * 10_000_000})
    late = {**pasted, "end": (datetime.now(UTC) + timedelta(hours=1)).isoformat()}
    run = airflow.alice.trigger("record_change", late)
    assert airflow.request_ends(run, dag="record_change") == "failed"
    assert "has not come" in airflow.alice.xcom("record_change", run, "record", "note")


def test_a_merged_ticket_is_asked_for_by_its_author_and_approved_by_its_merge(
    airflow: RealAirflow, tmp_path: Path
) -> None:
    """The policy of the demo counts bob's signed merge of what alice has signed; what nobody has merged waits."""
    repository = Path(json.loads(airflow.connections["AIRFLOW_CONN_CHANGEWINDOW_TICKETS"])["host"])
    signing = {}
    for name in ("alice", "bob"):
        key = tmp_path / name
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(key)], check=True)
        with (airflow.policy / "allowed_signers").open("a") as signers:
            signers.write(f"{name} {key.with_suffix('.pub').read_text()}")
        signing[name] = ("-c", "gpg.format=ssh", "-c", f"user.signingkey={key}")
    git(repository, "checkout", "--quiet", "-b", "change")
    (repository / "merged.yaml").write_text(json.dumps(ticket(tmp_path / "merged", window=later())))
    git(repository, "add", ".")
    git(repository, *signing["alice"], "commit", "-S", "--quiet", "--message", "Ask")
    git(repository, "checkout", "--quiet", "main")
    git(repository, *signing["bob"], "merge", "-S", "--quiet", "--no-ff", "--message", "Merge", "change", who="bob")
    (repository / "pushed.yaml").write_text(json.dumps(ticket(tmp_path / "pushed", window=later())))
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "--message", "Push", who="carol")
    airflow.does("sync_tickets")

    def of(name: str) -> str | None:
        change = changes_of(airflow).get(f"changewindow_tickets:{name}")
        return change if change and changes.get(airflow.ledger, change).status else None

    merged, pushed = (wait_for(lambda name=name: of(name), name) for name in ("merged.yaml", "pushed.yaml"))
    wait_for((airflow.bundle / f"{merged}.json").exists, "the published change")
    assert [event.actor for event in events.history(airflow.ledger, merged)][:2] == ["alice", "bob"]
    assert changes.get(airflow.ledger, pushed).status == "submitted"
    count = len(changes_of(airflow))
    airflow.does("sync_tickets")
    assert len(changes_of(airflow)) == count


def changes_of(airflow: RealAirflow) -> dict[str, str]:
    """Return the changes that came from a file, by their origin; other tests ask for changes meanwhile."""
    return {
        str(change.origin): change.id
        for change in queries.with_status(airflow.ledger, "submitted", "approved")
        if str(change.origin).startswith("changewindow_tickets:")
    }
