"""The watch task: waits for its trigger, asks people, and branches."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, DownstreamTasksSkipped, TaskDeferred

from changewindow.changes.handover import Applied, Asked, Decision, Watching
from changewindow.flow.triggers import WatchTrigger
from changewindow.ledger import changes, events, payloads, watches
from changewindow.ledger.events import Event
from support.started_change import StartedChange

NOW = datetime.now(UTC)


@pytest.fixture
def applied(started: StartedChange) -> StartedChange:
    """Return the change with both steps applied."""
    started.apply(1)
    started.apply(2)
    return started


def judged(change: StartedChange, **event: Any) -> None:
    """Let the watch take what its trigger has fired."""
    run = change.run("watch")
    operator: Any = change.dag.get_task("watch")
    with pytest.raises(DownstreamTasksSkipped):
        operator.judged(run.context, event)


def answered(change: StartedChange, by: str, option: str) -> None:
    """Let the watch take a person's answer."""
    user = {"id": by, "name": by}
    judged(change, chosen_options=[option], params_input={}, responded_at=NOW, responded_by_user=user)


def decision(change: StartedChange) -> tuple[str, str]:
    """Return what was decided, and why."""
    decided: Decision = change.left("watch", Decision)
    return decided.route, decided.reason


def test_what_is_applied_is_watched_without_a_worker(applied: StartedChange) -> None:
    """The trigger carries all that it needs, and the moment from which readings count is kept."""
    applied.hand_over("apply_2", Applied(at=NOW))
    with pytest.raises(TaskDeferred) as deferred:
        applied.do("watch")
    trigger = deferred.value.trigger
    assert isinstance(trigger, WatchTrigger)
    assert (trigger.arguments.change, trigger.arguments.run) == (applied.change.id, "run")
    assert trigger.arguments.since == applied.left("watch", Watching).since
    assert trigger.arguments.first_by == NOW + applied.change.ticket.watch.every
    assert (deferred.value.method_name, applied.kinds()[-1]) == ("judged", "watching")


def due_soon(change: StartedChange) -> None:
    """Let the first sample be due before a trigger could take it."""
    change.hand_over("apply_2", Applied(at=datetime.now(UTC) - change.change.ticket.watch.every))


def test_what_a_trigger_would_read_too_late_is_read_by_the_task(applied: StartedChange) -> None:
    """And the trigger goes on from there."""
    due_soon(applied)
    with pytest.raises(TaskDeferred) as deferred:
        applied.do("watch")
    trigger: Any = deferred.value.trigger
    kept = watches.newest(applied.ledger, applied.change.id)
    assert kept is not None
    assert (kept.run, kept.progress.since) == ("run", trigger.arguments.since)
    assert (kept.progress.samples, kept.progress.is_handed_over, kept.progress.decided) == (1, True, None)
    assert [followed.verdict for followed in kept.progress.conditions] == ["pass"]


def test_a_breach_in_the_first_sample_is_undone_at_once(applied: StartedChange) -> None:
    """As if a trigger had read it, in the record too."""
    due_soon(applied)
    (applied.folder / "health").write_text("0")
    applied.do("watch")
    assert decision(applied)[0] == "undo"
    assert applied.task_instance.followed == ["undo_2"]
    assert applied.kinds()[-4:] == ["watching", "read", "watched", "decided"]


def test_without_the_ledger_the_first_sample_is_the_triggers(
    applied: StartedChange, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be handed over is read again, and the change stays watched."""
    due_soon(applied)
    applied.hand_over("apply_1", Applied(at=NOW))
    applied.lose_the_ledger(monkeypatch)
    with pytest.raises(TaskDeferred) as deferred:
        applied.do("watch")
    assert isinstance(deferred.value.trigger, WatchTrigger)


def test_a_step_that_failed_is_undone_without_a_watch(started: StartedChange) -> None:
    """At the latest step first."""
    started.apply(1)
    started.task_instance.states["apply_2"] = "failed"
    started.do("watch")
    assert decision(started) == ("undo", "apply_2 (failed) did not succeed; its log says why")
    assert (started.task_instance.followed, started.kinds()[-1]) == (["undo_2"], "decided")


def test_a_run_that_did_not_start_goes_nowhere(started: StartedChange) -> None:
    """And the record of the change says nothing of it."""
    started.task_instance.states |= {"apply_1": "failed", "apply_2": "upstream_failed"}
    before = started.kinds()
    started.do("watch")
    assert (decision(started)[0], started.task_instance.followed) == ("nothing", [])
    assert started.kinds() == before


@pytest.mark.parametrize(
    ("verdict", "route", "task"), [("pass", "succeed", "succeed"), ("fail", "undo", "undo_2")], ids=["good", "bad"]
)
def test_the_verdict_of_the_trigger_is_where_the_run_goes(
    applied: StartedChange, verdict: str, route: str, task: str
) -> None:
    """With its reason, in the record too."""
    judged(applied, verdict=verdict, reason="as it was read", samples=3, readings=[])
    assert (decision(applied), applied.task_instance.followed) == ((route, "as it was read"), [task])
    assert applied.kinds()[-2:] == ["watched", "decided"]


@pytest.mark.parametrize(
    ("by", "option", "decided"),
    [
        ("alice", "Keep it", ("succeed", "alice keeps it, though nothing is known")),
        ("alice", "Roll back", ("undo", "alice rolls it back: nothing is known")),
        ("carol", "Keep it", ("undo", "carol answered, alice, bob were asked; nothing is known")),
    ],
)
def test_a_person_answers(applied: StartedChange, by: str, option: str, decided: tuple[str, str]) -> None:
    """Only who was asked can keep the change."""
    applied.hand_over("watch", Asked(reason="nothing is known"))
    answered(applied, by, option)
    assert decision(applied) == decided
    assert "answered" in applied.kinds()


def ask(change: StartedChange) -> None:
    """Let the watch have asked its people."""
    change.hand_over("watch", Asked(reason="nothing is known"))
    question = payloads.Asked(people=("alice", "bob"), reason="nothing is known", until=NOW + timedelta(hours=1))
    change.run("watch").record(question)


@pytest.fixture
def asking(started: StartedChange) -> StartedChange:
    """Return the same, of a change whose people are asked when too little is known."""
    asks = StartedChange(
        started.folder, started.ledger, watch={"for": "1m", "when_unknown": "ask"}, services=["search"]
    )
    asks.apply(1)
    asks.apply(2)
    ask(asks)
    return asks


def test_of_two_answers_the_first_counts_wherever_it_was_given(asking: StartedChange) -> None:
    """The one in Slack was recorded while Airflow still handed on the other one."""
    given = payloads.Answered(run="run", by="bob", answer=("Roll back",))
    events.record(asking.ledger, Event(asking.change.id, "bob", NOW, given))
    answered(asking, "alice", "Keep it")
    assert decision(asking) == ("undo", "bob rolls it back: nothing is known")
    assert asking.kinds().count("answered") == 1


def test_an_answer_that_counted_is_not_passed_over_when_the_watch_ends_well_just_then(asking: StartedChange) -> None:
    """Whoever was told that it is rolled back can rely on that."""
    given = payloads.Answered(run="run", by="bob", answer=("Roll back",))
    events.record(asking.ledger, Event(asking.change.id, "bob", NOW, given))
    judged(asking, verdict="pass", reason="all good", samples=3, readings=[])
    assert decision(asking)[0] == "undo"


def test_a_run_that_does_not_hold_the_change_any_more_decides_nothing(applied: StartedChange) -> None:
    """It was closed while its trigger waited."""
    changes.close(applied.ledger, applied.change.id, run="run", outcome="rolled_back", reason="by hand", now=NOW)
    operator: Any = applied.dag.get_task("watch")
    with pytest.raises(AirflowFailException, match="does not hold the change any more"):
        operator.judged(
            applied.run("watch").context, {"verdict": "pass", "reason": "good", "samples": 1, "readings": []}
        )


def test_a_dry_run_reads_each_condition_once(started: StartedChange) -> None:
    """And writes nothing into the record."""
    started.task_instance.states |= {"apply_1": "success", "apply_2": "success"}
    before = started.kinds()
    started.do("watch", mode="dry_run")
    assert decision(started)[0] == "succeed"
    assert started.kinds() == before
