"""The message tasks tell other tools, which neither delay nor fail a change."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from changewindow.changes.handover import Closed
from changewindow.ledger import events, payloads
from changewindow.ledger.event_kinds import EventKind
from changewindow.policy.outcome import Outcome
from servers.marker_apis import Tool, telling
from support.recording_server import Reply
from support.started_change import StartedChange


class DagRun:
    """What Airflow knows of the run."""

    start_date = None
    triggering_user_name = "bob"
    run_type = "manual"


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file of markers that the tasks read: one tells Grafana, and a staging board is not concerned."""
    monkeypatch.setenv("CHANGEWINDOW_POLICY", str(tmp_path))
    path = tmp_path / "markers.yaml"
    markers = {
        "dashboards": {"kind": "grafana", "connection": "grafana", "within": "1s"},
        "staging": {"kind": "webhook", "connection": "nowhere", "environments": ["staging"]},
    }
    path.write_text(json.dumps({"markers": markers}))
    return path


@pytest.fixture
def grafana(policy: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tool]:
    """Serve the Grafana to which the connection leads."""
    assert policy.exists()
    with telling("grafana") as tool:
        known = {"conn_type": "http", "host": tool.server.url, "password": tool.password}
        monkeypatch.setenv("AIRFLOW_CONN_GRAFANA", json.dumps(known))
        yield tool


def end(started: StartedChange, outcome: Outcome, *, mode: str = "run", is_news: bool = True, reason: str = "") -> None:
    """Let the task `report` run after `close` has left the outcome."""
    closed = Closed(outcome=outcome, reason=reason or outcome, at=datetime.now(UTC), is_news=is_news)
    started.hand_over("close", closed)
    report(started, mode)


def report(started: StartedChange, mode: str = "run") -> None:
    """Let the task `report` run."""
    run = started.run("report", mode)
    run.context["dag_run"] = DagRun()
    operator: Any = started.dag.get_task("report")
    operator.execute(run.context)


def recorded(started: StartedChange, kind: EventKind) -> list[Any]:
    """Return what events of a kind say."""
    return [events.payload(row) for row in events.history(started.ledger, started.change.id, kind)]


@pytest.mark.parametrize("outcome", ["completed", "rolled_back", "rollback_failed", "cancelled"])
def test_a_change_is_told_of_from_its_gate_to_its_end(started: StartedChange, grafana: Tool, outcome: Outcome) -> None:
    """An end of any kind ends the region, also when somebody aborts it before its first step."""
    started.do("announce")
    (entry,) = grafana.entries.values()
    assert entry["tags"][-1] == "outcome:running"
    end(started, outcome)
    (entry,) = grafana.entries.values()
    assert entry["tags"][-1] == f"outcome:{outcome}"
    assert entry["timeEnd"] > entry["time"]
    sent = recorded(started, EventKind.MARKER_SENT)
    assert [(event.marker, event.tool, event.moment, event.reference) for event in sent] == [
        ("dashboards", "grafana", "began", "annotation 1"),
        ("dashboards", "grafana", "ended", "annotation 1"),
    ]


def test_a_rollback_on_demand_is_told_as_one(started: StartedChange, grafana: Tool) -> None:
    """With its reason."""
    run = started.run("announce")
    run.context["params"] = {"mode": "rollback", "reason": "it leaks memory"}
    run.context["dag_run"] = DagRun()
    operator: Any = started.dag.get_task("announce")
    operator.execute(run.context)
    (entry,) = grafana.entries.values()
    assert "is being rolled back" in entry["text"]
    assert "it leaks memory" in entry["text"]


def test_a_dry_run_marks_nothing(started: StartedChange, grafana: Tool) -> None:
    """It touches nothing, so there is nothing to see."""
    started.do("announce", mode="dry_run")
    end(started, "completed", mode="dry_run")
    assert grafana.server.requests == []


def test_the_end_of_a_run_that_is_no_news_marks_nothing(started: StartedChange, grafana: Tool) -> None:
    """Another run, or this one, has told it."""
    end(started, "refused", is_news=False)
    assert grafana.server.requests == []


@pytest.mark.parametrize("narrowed", [{"services": ["payments"]}, {"environments": ["staging"]}], ids=str)
def test_who_was_told_of_the_beginning_is_told_of_the_end(
    started: StartedChange, grafana: Tool, policy: Path, narrowed: dict[str, list[str]]
) -> None:
    """Whoever edits markers.yaml meanwhile leaves no region open."""
    started.do("announce")
    marker = {"kind": "grafana", "connection": "grafana", **narrowed}
    policy.write_text(json.dumps({"markers": {"dashboards": marker, "other": marker}}))
    end(started, "completed")
    (entry,) = grafana.entries.values()
    assert entry["tags"][-1] == "outcome:completed"
    assert {event.marker for event in recorded(started, EventKind.MARKER_SENT)} == {"dashboards"}


def test_a_close_that_died_once_it_had_recorded_the_end_is_told_of(started: StartedChange, grafana: Tool) -> None:
    """Its next try finds nothing to do; the region ends all the same, and people read how it ended, once."""
    started.do("announce")
    at = datetime.now(UTC)
    started.run("close").spool.close(started.change.id, run="run", outcome="rolled_back", reason="errors = 7", now=at)
    with pytest.raises(AirflowFailException, match="this run is closed"):
        started.do("close")
    for _ in range(2):
        report(started)
    (entry,) = grafana.entries.values()
    assert entry["tags"][-1] == "outcome:rolled_back"
    assert entry["text"].endswith("errors = 7")
    assert [event.moment for event in recorded(started, EventKind.MARKER_SENT)] == ["began", "ended"]
    announced, ended = recorded(started, EventKind.MESSAGE_SENT)
    assert ("DEPLOYING" in announced.text, "errors = 7" in ended.text) == (True, True)


def test_an_outcome_that_turns_out_to_be_another_one_is_told(started: StartedChange, grafana: Tool) -> None:
    """Whoever clears `close` after it had died reads how the change really ended, in one region, and once."""
    started.do("announce")
    report(started)
    (entry,) = grafana.entries.values()
    assert entry["tags"][-1] == "outcome:rollback_failed"
    for _ in range(2):
        end(started, "rolled_back")
    (entry,) = grafana.entries.values()
    assert entry["tags"][-1] == "outcome:rolled_back"
    sent = recorded(started, EventKind.MARKER_SENT)
    assert [event.ended_as for event in sent] == ["", "rollback_failed", "rolled_back"]


def test_a_task_that_is_cleared_does_not_tell_again(started: StartedChange, grafana: Tool) -> None:
    """What arrived is in the record."""
    started.do("announce")
    asked = len(grafana.server.requests)
    started.do("announce")
    assert len(grafana.server.requests) == asked


def test_a_beginning_that_comes_after_the_end_is_not_told(started: StartedChange, grafana: Tool) -> None:
    """Nothing would ever end it; messages may wait for a slot longer than a change takes."""
    end(started, "completed")
    started.do("announce")
    (entry,) = grafana.entries.values()
    assert entry["tags"][-1] == "outcome:completed"


def test_one_that_hangs_neither_delays_nor_fails_a_change(
    started: StartedChange, grafana: Tool, caplog: pytest.LogCaptureFixture
) -> None:
    """It is a warning in the log, and an event with what to do; the message to people has gone before."""
    grafana.server.otherwise = Reply(delay=20)
    begun = time.monotonic()
    started.do("announce")
    assert time.monotonic() - begun < 8
    (failed,) = recorded(started, EventKind.MARKER_FAILED)
    assert (failed.marker, failed.tool, failed.moment) == ("dashboards", "grafana", "began")
    assert "within 1" in failed.reason
    assert "'dashboards' was not told, and the change goes on" in caplog.text
    assert started.kinds().index("message_sent") < started.kinds().index("marker_failed")


def test_a_secret_never_leaves_with_a_marker(started: StartedChange, grafana: Tool) -> None:
    """Not even where somebody wrote it into a reason."""
    started.do("announce")
    end(started, "rolled_back", reason=f"it answered: bad token {grafana.password}")
    (entry,) = grafana.entries.values()
    assert "bad token ***" in entry["text"]
    assert grafana.password not in str(grafana.entries)


def test_without_its_connection_the_record_says_so(started: StartedChange, policy: Path) -> None:
    """As when a name is misspelt."""
    assert policy.exists()
    started.do("announce")
    (failed,) = recorded(started, EventKind.MARKER_FAILED)
    assert failed.reason.startswith("there is no Airflow Connection 'grafana'.")


def test_a_file_that_cannot_be_read_stops_no_change(started: StartedChange, policy: Path) -> None:
    """The record says what is wrong, and where."""
    policy.write_text("markers:\n  dashboards: {kind: grafanna}\n")
    started.do("announce")
    (failed,) = recorded(started, EventKind.MARKER_FAILED)
    assert failed.marker == "markers.yaml"
    assert "markers.yaml:2: " in failed.reason


def test_while_the_ledger_is_down_tools_are_told_all_the_same(
    started: StartedChange, grafana: Tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the record will say waits in the spool."""
    started.lose_the_ledger(monkeypatch)
    started.do("announce")
    assert len(grafana.entries) == 1
    assert '"marker_sent"' in (started.folder / "spool.jsonl").read_text()
    assert isinstance(payloads.read("marker_sent", {"marker": "a"}), payloads.Unknown)
