"""The lifecycle of a change from ticket to outcome, on a real Airflow, driven over REST as its users do."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from changewindow.changes.publication import publish
from changewindow.cli.airflow_api import wait_for
from changewindow.documents.moments import utc
from changewindow.documents.text import escaped
from changewindow.flow.server.run_notes import as_list
from changewindow.ledger import changes, events, leases
from demo.scenario import ACTS, Act, play
from servers.marker_apis import Tool, telling
from support.real_airflow import Probe, RealAirflow, acts, ticket, window


@pytest.mark.usefixtures("demo_service")
@pytest.mark.xdist_group("the service of the demo")
@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.ticket)
def test_a_ticket_of_the_demo_ends_as_it_should(airflow: RealAirflow, act: Act) -> None:
    """Each ticket runs from the form to its outcome; its record is whole, and Slack has one thread of it."""
    played = play(act, airflow.alice, airflow.bob, lambda *_: None)
    assert played.is_as_expected, played
    kinds = airflow.kinds(played.change)
    assert kinds[:3] == ["submitted", "decided", "approved"]
    assert [kind for kind in kinds if kind != "review_asked"][-1] == "closed"
    assert ("undone" in kinds) == ("review_asked" in kinds) == (act.outcome == "rolled_back")
    assert leases.leases(airflow.ledger, played.change) == []
    head = "✅ COMPLETE" if act.outcome == "completed" else "⚠️ ROLLED BACK"
    root, lines = airflow.settled(played.change, head)
    assert (root["channel"], {line["channel"] for line in lines}) == ("#deploys", {"#deploys"})
    note = airflow.alice.run(played.change, played.run)["note"]
    assert note.startswith(as_list(escaped(f"{act.outcome}: {played.reason}")))
    assert ("owes: review by" in note) == (act.outcome == "rolled_back")


def test_a_run_triggered_before_the_window_waits_for_it(airflow: RealAirflow, tmp_path: Path) -> None:
    """A run that is triggered early is parked until the window opens, and completes then."""
    opens = datetime.now(UTC) + timedelta(seconds=25)
    change = airflow.publish(ticket(tmp_path / "early", window=window(opens, opens + timedelta(minutes=30))))
    run = airflow.alice.trigger(change)
    airflow.reaches(change, run, "window", "deferred")
    assert acts(tmp_path / "early") == []
    assert airflow.ends(change, run) == ("success", "completed")
    started = next(event for event in events.history(airflow.ledger, change) if event.kind == "started")
    assert started.at >= opens.replace(microsecond=0)


def test_a_run_after_the_window_is_missed_and_says_so(airflow: RealAirflow, tmp_path: Path) -> None:
    """When Airflow comes too late, the one scheduled run touches nothing and ends `missed`; so does one by hand."""
    now = datetime.now(UTC)
    data = ticket(tmp_path / "late", window=window(now - timedelta(hours=2), now - timedelta(hours=1)))
    change = airflow.publish(data)
    run = airflow.run_of(change)
    assert airflow.ends(change, run) == ("failed", "missed")
    again = airflow.alice.trigger(change)
    assert airflow.ends(change, again) == ("failed", "missed")
    assert acts(tmp_path / "late") == []
    assert "the window ended" in changes.get(airflow.ledger, change).reason
    assert "the window ended" in airflow.alice.log(change, run, "gate")


def test_a_window_too_short_to_finish_in_is_missed(airflow: RealAirflow, tmp_path: Path) -> None:
    """A change that would not fit any more does not start, though the window is open."""
    now = datetime.now(UTC)
    data = ticket(tmp_path / "short", window=window(now - timedelta(minutes=30), now + timedelta(minutes=2)))
    change = airflow.publish(data)
    assert airflow.ends(change, airflow.run_of(change)) == ("failed", "missed")
    assert acts(tmp_path / "short") == []


def test_a_dry_run_only_reads(airflow: RealAirflow, tmp_path: Path) -> None:
    """A dry run is green, shows what would be done, takes no lease and leaves the change as it was."""
    opens = datetime.now(UTC) + timedelta(hours=1)
    change = airflow.publish(ticket(tmp_path / "dry", window=window(opens, opens + timedelta(hours=1))))
    run = airflow.alice.trigger(change, {"mode": "dry_run"})
    assert airflow.ends(change, run) == ("success", "approved")
    assert acts(tmp_path / "dry") == []
    assert "dry run, not done" in airflow.alice.log(change, run, "apply_1")


@pytest.fixture
def grafana(airflow: RealAirflow) -> Iterator[Tool]:
    """Let Airflow tell a Grafana of the changes of the service `later`."""
    with telling("grafana") as tool:
        form = {"connection_id": "dashboards", "conn_type": "http", "host": tool.server.url, "password": tool.password}
        airflow.clients["admin"].post("/connections", form)
        marker = {"kind": "grafana", "connection": "dashboards", "services": ["later"]}
        (airflow.policy / "markers.yaml").write_text(json.dumps({"markers": {"dashboards": marker}}))
        yield tool


def test_a_completed_change_can_be_rolled_back_later(airflow: RealAirflow, grafana: Tool, tmp_path: Path) -> None:
    """Mode rollback undoes a completed change from what it remembered, in reverse, with its reason in the record.

    Whoever looks at a graph later sees both: one region until it was complete, another until it was rolled back.
    """
    change = airflow.publish(ticket(tmp_path / "later", steps=2))
    assert airflow.ends(change, airflow.run_of(change)) == ("success", "completed")
    run = airflow.alice.trigger(change, {"mode": "rollback", "reason": "bad hours later"})
    assert airflow.ends(change, run) == ("failed", "rolled_back")
    assert acts(tmp_path / "later") == ["apply_1", "apply_2", "undo_2", "undo_1"]
    assert changes.get(airflow.ledger, change).reason == "bad hours later"
    regions = [(entry["tags"][-1], entry["timeEnd"] > entry["time"]) for entry in grafana.entries.values()]
    assert regions == [("outcome:completed", True), ("outcome:rolled_back", True)]
    assert airflow.kinds(change).count("marker_sent") == 4


def test_a_rollback_undoes_what_was_chosen_and_not_the_default(airflow: RealAirflow, tmp_path: Path) -> None:
    """The values with which the change was applied come from the ledger, whatever the rollback's own form says."""
    opens = datetime.now(UTC) + timedelta(seconds=15)
    data = ticket(tmp_path / "chosen", window=window(opens, opens + timedelta(minutes=30)))
    data["parameters"] = {"version": {"default": "v20", "allowed": ["v10", "v15", "v20"]}}
    for field in ("run", "undo"):
        data["steps"][0][field][4] += "_{{ params.version }}"
    change = airflow.publish(data)
    run = airflow.alice.trigger(change, {"version": "v15"})  # waits for the window
    assert airflow.ends(change, run) == ("success", "completed")
    back = airflow.alice.trigger(change, {"mode": "rollback", "reason": "too low", "version": "v10"})
    assert airflow.ends(change, back) == ("failed", "rolled_back")
    assert acts(tmp_path / "chosen") == ["apply_1_v15", "undo_1_v15"]


def test_a_breach_is_undone_and_a_watch_holds_no_worker(airflow: RealAirflow, probe: Probe, tmp_path: Path) -> None:
    """While a change is watched no task of it runs on a worker; a breach rolls both steps back."""
    change = airflow.publish(ticket(tmp_path / "breach", steps=2, watch="2m"))
    run = airflow.run_of(change)
    airflow.reaches(change, run, "watch", "deferred")
    wait_for(lambda: airflow.state(change, run, "announce") == "success", "the first message")
    tasks = airflow.alice.tasks(change, run)
    assert [name for name, task in tasks.items() if task["state"] in {"running", "queued"}] == []
    probe.status = 500
    airflow.reaches(change, run, "undo_2", "running", "success")
    probe.status = 200
    assert airflow.ends(change, run) == ("failed", "rolled_back")
    assert acts(tmp_path / "breach") == ["apply_1", "apply_2", "undo_2", "undo_1"]
    assert "500" in changes.get(airflow.ledger, change).reason


def test_a_failed_verification_keeps_the_lease(airflow: RealAirflow, probe: Probe, tmp_path: Path) -> None:
    """When it is not as before after the undo, the outcome is `rollback_failed` and the target stays held."""
    data = ticket(tmp_path / "unwell", watch="2m")
    data["rollback"]["within"] = "2s"
    change = airflow.publish(data)
    run = airflow.run_of(change)
    airflow.reaches(change, run, "watch", "deferred")
    probe.status = 500
    assert airflow.ends(change, run) == ("failed", "rollback_failed")
    assert leases.leases(airflow.ledger, change) == ["test/unwell"]
    probe.status = 200
    second = airflow.publish(ticket(tmp_path / "unwell"))
    assert airflow.ends(second, airflow.run_of(second)) == ("failed", "refused")
    assert f"test/unwell is held by {change}" in changes.get(airflow.ledger, second).reason


def test_the_undo_of_earlier_steps_goes_on_unless_the_ticket_says_stop(airflow: RealAirflow, tmp_path: Path) -> None:
    """The undo of the second step fails and the third step too, so both changes are being rolled back."""
    published = []
    for after_failure in ("go_on", "stop"):
        data = ticket(tmp_path / f"undo_{after_failure}", steps=3)
        data["steps"][1]["undo"] = ["false"]
        data["steps"][2]["run"] = ["false"]
        data["rollback"]["after_failure"] = after_failure
        change = airflow.publish(data)
        published.append((change, airflow.run_of(change)))
    for change, run in published:
        assert airflow.ends(change, run) == ("failed", "rollback_failed")
        assert "undo of step 2" in changes.get(airflow.ledger, change).reason
    assert acts(tmp_path / "undo_go_on") == ["apply_1", "apply_2", "undo_3", "undo_1"]
    assert acts(tmp_path / "undo_stop") == ["apply_1", "apply_2", "undo_3"]
    assert "the ticket says to stop" in changes.get(airflow.ledger, published[1][0]).reason


@pytest.mark.xdist_group("housekeeping")
def test_an_edited_file_is_refused_at_the_gate(airflow: RealAirflow, tmp_path: Path) -> None:
    """The gate compares what would run with what was approved; an edited file runs nothing.

    Housekeeping would put the file right, so it has to have run, and not to be about to.
    """
    wait_for(lambda: is_quiet(airflow), "a minute without housekeeping", 180)
    data = ticket(tmp_path / "edited")
    change = airflow.submit(data)
    publish(airflow.bundle, change, {**data, "risk": "high"}, airflow.ledger.seal)
    wait_for(lambda: airflow.knows(change), "the DAG")
    run = airflow.run_of(change)
    assert airflow.ends(change, run) == ("failed", "refused")
    assert acts(tmp_path / "edited") == []
    assert "is not the newest one" in changes.get(airflow.ledger, change).reason


def is_quiet(airflow: RealAirflow) -> bool:
    """Return whether housekeeping neither runs now nor within the next minute."""
    is_open = airflow.alice.get("/dags/housekeeping/dagRuns?state=running&state=queued")["total_entries"]
    due = airflow.alice.get("/dags/housekeeping")["next_dagrun_run_after"]
    return not is_open and bool(due) and utc(due) > datetime.now(UTC) + timedelta(minutes=1)


def test_a_broken_file_harms_only_its_own_change(airflow: RealAirflow, tmp_path: Path) -> None:
    """What is not ours in the folder is an import error of that file, and is not executed; others run."""
    canary = tmp_path / "canary"
    (airflow.bundle / "CHG-9999.json").write_text(f'"""A forged Airflow DAG."""\nopen({str(canary)!r}, "w")\n')
    errors = wait_for(lambda: airflow.alice.get("/importErrors")["import_errors"], "the import error")
    assert [error["filename"] for error in errors] == ["CHG-9999.py"]
    assert f"{airflow.bundle}/CHG-9999.json cannot be read as a published change" in errors[0]["stack_trace"]
    change = airflow.publish(ticket(tmp_path / "whole"))
    assert airflow.ends(change, airflow.run_of(change)) == ("success", "completed")
    assert not canary.exists()
    (airflow.bundle / "CHG-9999.json").unlink()


def test_findings_of_a_bad_ticket_stand_in_the_log_of_its_request(airflow: RealAirflow) -> None:
    """Somebody who submits a bad ticket reads every finding in one place, and in the note of the run."""
    text = "sumary: x\nrisk: huge\nservices: [a]\nenvironment: b\ntype: normal\nowner: c\nreviewer: d\n"
    run = airflow.alice.trigger("request_change", {"ticket": text})
    wait_for(lambda: airflow.alice.run("request_change", run)["state"] == "failed", "the refusal")
    log = airflow.alice.log("request_change", run, "check")
    assert "unknown field 'sumary'. Did you mean 'summary'?" in log
    assert "'huge' is not allowed" in log
    note = wait_for(lambda: airflow.alice.run("request_change", run)["note"], "the note of the run")
    assert "ticket:1: unknown field 'sumary'" in note
    assert "'huge' is not allowed" in note
    assert json.dumps(airflow.alice.xcom("request_change", run, "check")) == "null"


@pytest.mark.xdist_group("collectors")
def test_what_changed_stands_in_the_note_of_its_run(airflow: RealAirflow) -> None:
    """Also what could not be seen: Airflow does not know the connection of a collector."""
    (airflow.policy / "collectors.yaml").write_text(
        "collectors:\n  ours: {kind: changes}\n  gone: {kind: git, connection: nobody_knows}\n"
    )

    def asked() -> tuple[str, str] | None:
        run = airflow.does("what_changed", "alice", since="1h")
        note = wait_for(lambda: airflow.alice.run("what_changed", run)["note"], "the note of the run")
        return None if "no answer within" in note else (run, note)  # this machine may be busy

    run, note = wait_for(asked, "answers in time")
    assert "1 of 2 collectors answered: ours" in note
    assert escaped("gone  all of it: there is no Airflow Connection 'nobody_knows'") in note
    assert "~~ gone could not see all of it ~~" in airflow.alice.log("what_changed", run, "look")
