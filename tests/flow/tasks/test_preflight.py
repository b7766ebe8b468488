"""The preflight of a run: the form with the ticks, and the gate's one sample, in a real ledger."""

import json
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, TaskDeferred
from sqlalchemy import update

from changewindow.changes.handover import Closed
from changewindow.changes.room import SLOTS
from changewindow.errors import NotAllowed
from changewindow.flow.dag import build_dag
from changewindow.flow.runtime import Run
from changewindow.flow.xcoms import NOTE
from changewindow.ledger import approvals, changes, events, queries, stops
from changewindow.ledger.database import Ledger
from changewindow.ledger.models import Change, Revision
from changewindow.policy.sign_off import RequiredApproval
from changewindow.policy.standing import Intent
from support.task_instance import TaskInstance
from support.tickets import banner

ITEMS = ["Rollback procedure documented and tested", "Peer reviewed: https://git.example.com/1"]


def said_by(file: Path, name: str, limit: int = 1) -> dict[str, Any]:
    """Return a condition that is good when a file says so."""
    return {"name": name, "source": {"kind": "command", "run": ["cat", str(file)]}, "pass": {"equals": limit}}


class Preflight:
    """An approved change whose preflight is over but for what is tried; a real ledger, and files to measure."""

    def __init__(self, folder: Path, ledger: Ledger) -> None:
        self.ledger, self.folder, self.mode, self.run = ledger, folder, "run", "run"
        self.dag_run = SimpleNamespace(triggering_user_name="dora", run_type="manual", data_interval_start=None)
        for name in ("health", "backup", "errors"):
            (folder / name).write_text("1")
        now = datetime.now(UTC)
        opens, closes = (f"{now + timedelta(minutes=minutes):%Y-%m-%d %H:%M}" for minutes in (-1, 60))
        checks = [said_by(folder / name, name) for name in ("health", "backup")]
        verify = [said_by(folder / "health", "health again")]
        data = banner(
            window={"start": opens, "end": closes, "zone": "UTC"},
            steps=[{"name": "Act", "kind": "command", "run": ["true"], "undo": ["true"]}],
            preflight={"checks": checks, "confirmed": ITEMS},
            validation=[said_by(folder / "errors", "errors", limit=0)],
            rollback={"estimate": "1m", "verify": verify},
        )
        submitted = changes.submit(ledger, data, requester="alice", now=now)
        self.change = submitted.change
        self.dag = build_dag(self.change, json.dumps(data))
        window = (now - timedelta(minutes=1), now + timedelta(hours=1), timedelta(minutes=4))
        wanted = Intent("run", submitted.digest, *window, approvals=(RequiredApproval("peer", 1),))
        approvals.decide(ledger, self.change, wanted, person="bob", is_yes=True, now=now)
        states = dict.fromkeys(("window", "check_1", "check_2", "confirm"), "success")
        self.task_instance = TaskInstance(states=states, dag=self.change)

    def context(self, task: str) -> Any:
        """Return what Airflow gives to a task."""
        self.task_instance.task_id = task
        return {"run_id": self.run, "dag_run": self.dag_run, "ti": self.task_instance, "params": {"mode": self.mode}}

    def gate(self) -> None:
        """Ask the gate."""
        gate: Any = self.dag.get_task("gate")
        gate.do(Run(gate.change, self.context("gate")))

    def answered(self, by: str, items: list[str], **more: Any) -> None:
        """Give the form an answer."""
        given = {"chosen_options": items, "params_input": {}, "responded_at": datetime.now(UTC)}
        confirm: Any = self.dag.get_task("confirm")
        confirm.execute_complete(
            self.context("confirm"), {**given, "responded_by_user": {"id": by, "name": by}, **more}
        )

    def events(self, kind: str) -> list[dict[str, Any]]:
        """Return what the events of a kind say."""
        return [events.data(event) for event in events.history(self.ledger, self.change) if event.kind == kind]


@pytest.fixture
def preflight(tmp_path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> Preflight:
    """Return a change at its gate; Airflow knows the ledger."""
    known = {"conn_type": "sqlite", "host": str(ledger.url.database)}
    monkeypatch.setenv("AIRFLOW_CONN_CHANGEWINDOW_LEDGER", json.dumps(known))
    monkeypatch.setenv("CHANGEWINDOW_SPOOL", str(tmp_path / "spool.jsonl"))
    monkeypatch.setenv("CHANGEWINDOW_POLICY", str(tmp_path / "policy"))
    (tmp_path / "policy").mkdir()
    (tmp_path / "policy" / "approvals.yaml").write_text(
        "groups: {}\nrules: [{name: all, levels: [{name: peer, from: [anybody]}]}]\n"
    )
    (tmp_path / "policy" / "services.yaml").write_text("unlisted: allow\nservices: {}\n")
    (tmp_path / "policy" / "calendar.yaml").write_text("zone: UTC\ndefault: open\n")
    return Preflight(tmp_path, ledger)


def test_what_was_before_the_change_is_in_the_record(preflight: Preflight) -> None:
    """The gate's one sample holds the checks, and what the watch and the way back will judge, whether good or not."""
    preflight.gate()
    [sample] = preflight.events("checked")
    assert sample["verdict"] == "pass"
    values = {reading["condition"]: reading["value"] for reading in sample["readings"]}
    assert values == {"health": 1, "backup": 1, "errors": 1, "health again": 1}
    assert preflight.events("started")


def test_what_was_good_and_is_not_any_more_is_refused_at_the_gate(preflight: Preflight) -> None:
    """All checks are asked again, and every one that is not good is named."""
    (preflight.folder / "health").write_text("0")
    (preflight.folder / "backup").write_text("0")
    with pytest.raises(NotAllowed) as refused:
        preflight.gate()
    [reason] = refused.value.reasons
    assert reason.startswith("not good at the gate: FAIL health = 0, ")
    assert "; FAIL backup = 0, " in reason
    assert preflight.events("checked")[0]["verdict"] == "fail"
    assert not preflight.events("started")


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        pytest.param("errors", "errors", id="a condition of the watch"),
        pytest.param("health", "health", id="a check, and what proves the rollback"),
    ],
)
def test_a_reading_that_cannot_be_judged_starts_nothing(preflight: Preflight, name: str, asked: str) -> None:
    """Text where a number is compared would never be good or bad; the refusal holds the sentence of the reading."""
    (preflight.folder / name).write_text("many")
    with pytest.raises(NotAllowed) as refused:
        preflight.gate()
    [reason] = refused.value.reasons
    assert f"ERROR {asked} (invalid) " in reason
    assert "'many' is text, but the ticket compares it with something else: write numbers" in reason
    assert not preflight.events("started")
    assert preflight.events("checked")[0]["verdict"] == "fail"


def test_every_tick_carries_a_name(preflight: Preflight) -> None:
    """The owner's, in the record."""
    preflight.answered("alice", ITEMS)
    assert [(event["by"], event["items"]) for event in preflight.events("confirmed")] == [("alice", ITEMS)]


@pytest.mark.parametrize(
    ("by", "items", "more", "message"),
    [
        pytest.param("alice", ITEMS[:1], {}, f"alice did not confirm: {ITEMS[1]}", id="an item is not true"),
        pytest.param("bob", ITEMS, {}, "bob answered, and alice has to", id="somebody else ticked"),
        pytest.param(
            "",
            [],
            {"error": "timed out", "error_type": "timeout"},
            "alice did not answer while the change could still start",
            id="nobody ticked",
        ),
    ],
)
def test_what_is_not_confirmed_is_refused_with_its_reason(
    preflight: Preflight, *, by: str, items: list[str], more: dict[str, str], message: str
) -> None:
    """The gate, the record and the message say who did not confirm what, not only that a task failed."""
    with pytest.raises(AirflowFailException, match=message):
        preflight.answered(by, items, **more)
    preflight.task_instance.states["confirm"] = "failed"
    with pytest.raises(NotAllowed) as refused:
        preflight.gate()
    remedy = "Put right what it names, then trigger the change again."
    assert refused.value.reasons == [f"confirm failed: {message}. {remedy} [check_failed]"]
    [recorded] = preflight.events("refused")
    assert recorded["reasons"] == refused.value.reasons
    assert recorded["findings"] == [
        {"code": "check_failed", "sentence": f"confirm failed: {message}", "remedy": remedy}
    ]
    handed = preflight.task_instance.left["refused"]
    assert handed == {"version": 1, "outcome": "refused", "reason": refused.value.reasons[0]}


def test_the_note_of_a_refused_run_holds_every_reason(preflight: Preflight) -> None:
    """Each in a line of its own, with what to do and its code; the record holds the same."""
    now = datetime.now(UTC)
    stops.stop(preflight.ledger, person="dora", reason="fire", now=now, until=now + timedelta(hours=1))
    preflight.task_instance.states["check_1"] = "failed"
    preflight.task_instance.states["close"] = "running"
    with pytest.raises(NotAllowed):
        preflight.gate()
    close: Any = preflight.dag.get_task("close")
    with pytest.raises(AirflowFailException):
        close.do(Run(close.change, preflight.context("close")))
    lines = preflight.task_instance.xcoms["close", NOTE].splitlines()
    assert lines[0].startswith("refused: the line is stopped by dora")
    assert lines[0].endswith("Trigger the change again when the line runs. [line_stopped]")
    remedy = "Put right what it names, then trigger the change again."
    assert lines[1:] == [f"check_1 failed: its log says why. {remedy} [check_failed]"]
    [recorded] = preflight.events("refused")
    assert recorded["reasons"] == "\n".join(lines).removeprefix("refused: ").splitlines()
    assert [finding["code"] for finding in recorded["findings"]] == ["line_stopped", "check_failed"]


def test_a_rollback_asks_no_check(preflight: Preflight) -> None:
    """An incident, or a service that is not well, is what rollbacks are for; a check that failed stops none."""
    preflight.gate()
    changes.close(
        preflight.ledger, preflight.change, run="run", outcome="completed", reason="good", now=datetime.now(UTC)
    )
    for name in ("health", "backup"):
        (preflight.folder / name).write_text("0")
    preflight.mode, preflight.task_instance.states["check_1"] = "rollback", "failed"
    with pytest.raises(AirflowSkipException):
        preflight.dag.get_task("check_1").execute(preflight.context("check_1"))
    preflight.gate()
    assert [event["mode"] for event in preflight.events("started")] == ["run", "rollback"]


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        pytest.param("completed", "it is closed: completed, by its run by_hand", id="a run by hand has completed it"),
        pytest.param("rolled_back", "it is closed: rolled back, by its run by_hand", id="it was rolled back"),
        pytest.param("rollback_failed", "it is closed: rollback failed, by its run by_hand", id="its rollback failed"),
        pytest.param("running", "it acts already, by its run by_hand", id="another run acts"),
    ],
)
def test_a_run_of_a_change_that_is_over_ends_at_once(preflight: Preflight, status: str, reason: str) -> None:
    """Nobody is asked anything, nothing acts, and the outcome stays as it is."""
    with preflight.ledger.transaction() as session:
        row = session.get(Change, int(preflight.change.removeprefix("CHG-")))
        assert row is not None
        row.status, row.run = status, "by_hand"
    ends_without_a_word(preflight, reason)
    kept = changes.get(preflight.ledger, preflight.change)
    assert (kept.status, kept.run) == (status, "by_hand")


def test_a_run_for_the_window_before_ends_without_a_word(preflight: Preflight) -> None:
    """Its change was given another one, whose run comes by itself: no refusal of the change is recorded."""
    begins = datetime.now(UTC) - timedelta(hours=3)
    preflight.dag_run.data_interval_start = begins
    ends_without_a_word(preflight, f"the window of {begins:%Y-%m-%d %H:%M} UTC, for which this run was made, was moved")
    assert changes.get(preflight.ledger, preflight.change).status == "approved"


def test_a_run_for_the_text_before_ends_without_a_word(preflight: Preflight) -> None:
    """Whatever it would ask or do is not what the change is about by now."""
    changes.revise(preflight.ledger, preflight.change, banner(), person="alice", now=datetime.now(UTC))
    ends_without_a_word(preflight, "has another text or window by now, and this run is for the one before")
    assert changes.get(preflight.ledger, preflight.change).status == "submitted"


def test_a_text_that_its_change_never_had_is_refused(preflight: Preflight) -> None:
    """Somebody has written it into the folder: the run does not end without a word, as one for an earlier text does."""
    with preflight.ledger.transaction() as session:
        number = int(preflight.change.removeprefix("CHG-"))
        session.execute(update(Revision).where(Revision.number == number).values(digest="f" * 64))
        session.execute(update(Change).where(Change.number == number).values(digest="f" * 64))
    preflight.dag.get_task("window").execute(preflight.context("window"))
    with pytest.raises(NotAllowed):
        preflight.gate()


def ends_without_a_word(preflight: Preflight, reason: str) -> None:
    """See a run end in its window: gate and close ask and record nothing."""
    window: Any = preflight.dag.get_task("window")
    with pytest.raises(AirflowFailException, match=reason):
        window.execute(preflight.context("window"))
    names = ("check_1", "check_2", "confirm")
    preflight.task_instance.states = {"window": "failed", **dict.fromkeys(names, "upstream_failed"), "close": "running"}
    with pytest.raises(AirflowFailException, match=reason):
        preflight.gate()
    close: Any = preflight.dag.get_task("close")
    run = Run(close.change, preflight.context("close"))
    with pytest.raises(AirflowFailException, match=reason):
        close.do(run)
    closed = run.handed(Closed, "close")
    assert closed is not None
    assert not closed.is_news
    assert not [kind for kind in ("checked", "refused", "started", "closed") if preflight.events(kind)]


def test_a_window_that_broke_off_starts_nothing(preflight: Preflight) -> None:
    """Its process died with every try: nothing was proven, though nothing else stands against the change."""
    names = ("check_1", "check_2", "confirm")
    preflight.task_instance.states = {"window": "failed", **dict.fromkeys(names, "upstream_failed")}
    with pytest.raises(NotAllowed, match="window is failed, which proves nothing"):
        preflight.gate()


@pytest.mark.parametrize("is_open", [True, False], ids=["under way", "over"])
def test_a_run_by_hand_stands_in_for_the_one_that_comes_by_itself(preflight: Preflight, *, is_open: bool) -> None:
    """Otherwise both would ask for the checklist, and the second would act with other values; the first never waits."""
    window: Any = preflight.dag.get_task("window")
    window.execute(preflight.context("window"))
    by_hand, preflight.task_instance = preflight.task_instance, TaskInstance(dag=preflight.change)
    by_hand.is_open = is_open
    preflight.task_instance.others["run"] = by_hand
    preflight.run, preflight.dag_run.run_type = "scheduled__2031-03-18T14:00:00+00:00", "scheduled"
    if is_open:
        ends_without_a_word(preflight, "the run run, which somebody has triggered, stands in for this one")
    else:
        window.execute(preflight.context("window"))


def test_of_two_runs_that_come_by_themselves_neither_waits_for_the_other(preflight: Preflight) -> None:
    """Nor does a dry run or a rollback stand in for one of them."""
    window: Any = preflight.dag.get_task("window")
    preflight.dag_run.run_type = "scheduled"
    window.execute(preflight.context("window"))
    other, preflight.task_instance = preflight.task_instance, TaskInstance(dag=preflight.change)
    preflight.task_instance.others["run"], preflight.run = other, "scheduled__2"
    window.execute(preflight.context("window"))
    preflight.dag_run.run_type, preflight.mode, preflight.run = "manual", "dry_run", "run"
    window.execute(preflight.context("window"))
    preflight.dag_run.run_type, preflight.mode, preflight.run = "scheduled", "run", "scheduled__2"
    window.execute(preflight.context("window"))


def test_a_change_waits_until_its_undo_would_run_at_once(
    preflight: Preflight, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The gate says for what; it takes nothing meanwhile, and asks everything anew afterwards."""
    wanted = [SLOTS]
    monkeypatch.setattr(queries, "on_the_way_back", lambda _: wanted[0])
    with caplog.at_level(logging.INFO), pytest.raises(TaskDeferred) as waits:
        preflight.gate()
    assert f"waits: {SLOTS} changes are being rolled back or closed" in caplog.text
    assert f"0 of {SLOTS} slots are free" in caplog.text
    assert (waits.value.method_name, preflight.events("started")) == ("resumed", [])
    wanted[0] = SLOTS - 1
    gate: Any = preflight.dag.get_task("gate")
    gate.resumed(preflight.context("gate"), {"verdict": "pass", "reason": "there is room"})
    assert preflight.events("started")
