"""Applying a step a second time."""

import socket
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from changewindow.errors import ChangeError, LockRevoked, NotAllowed, StepFailed, StillUnderWay
from changewindow.flow.runtime import Run
from changewindow.flow.tasks.steps import Apply
from changewindow.ledger import changes, leases, payloads
from changewindow.ledger.database import Ledger
from changewindow.policy.standing import Intent
from changewindow.steps.command import Step
from changewindow.systems.place import Place
from changewindow.ticket.plan import plan
from changewindow.ticket.revision import PublishedChange
from support.task_instance import TaskInstance
from support.tickets import banner


@pytest.fixture
def task(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> tuple[Apply, Run, TaskInstance]:
    """Return the task of the first step, in a run that has passed the gate; what it remembers grows each time."""
    now, count = datetime.now(UTC), iter(range(1, 10))
    opens, closes = (f"{now + timedelta(minutes=minutes):%Y-%m-%d %H:%M}" for minutes in (-1, 60))
    step = {"name": "count", "kind": "command", "run": ["true"], "undo": "nothing"}
    data = banner(window={"start": opens, "end": closes, "zone": "UTC"}, steps=[step])
    submitted = changes.submit(ledger, data, requester="alice", now=now)
    change = PublishedChange.of(submitted.change, data)
    ticket = change.ticket
    intent = Intent("run", submitted.digest, ticket.window.opens, ticket.window.closes, ticket.needs, approvals=())
    leases.start(ledger, change.id, intent, targets=ticket.targets, now=now)
    monkeypatch.setattr(Step, "remember", lambda *_: {"count": next(count)})
    node = next(node for node in plan(ticket) if node.role == "apply")
    task_instance = TaskInstance("apply_1")
    run = Run(change, {"run_id": "run", "ti": task_instance, "params": {"mode": "run"}})  # type: ignore[typeddict-item]
    free = SimpleNamespace(needs=(), forbids=lambda *_, **__: [])
    run.__dict__.update(ledger=ledger, assessment=free, spool=SimpleNamespace(drain=int, record=lambda _: True))
    return Apply(task_id="apply_1", change=change, node=node), run, task_instance


def noted_by(run: Run) -> list[Any]:
    """Return what a run writes down from now on."""
    noted: list[Any] = []
    run.__dict__["spool"].record = lambda event: not noted.append(event.payload)  # type: ignore[func-returns-value]
    return noted


def break_apply(monkeypatch: pytest.MonkeyPatch, error: ChangeError) -> None:
    """Let the step fail when it is applied."""

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(Step, "apply", fail)


def test_a_step_that_may_be_repeated_keeps_what_it_remembered_at_first(
    task: tuple[Apply, Run, TaskInstance], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else undo would bring back the half-changed world."""
    apply, run, task_instance = task
    monkeypatch.setattr(Step, "safe_to_repeat", True)
    for _ in range(2):
        task_instance.clear()
        apply.do(run)
        assert task_instance.left["remembered"] == {"version": 1, "memory": {"count": 1}}


def test_where_a_step_acts_is_written_down(task: tuple[Apply, Run, TaskInstance]) -> None:
    """By that a silent change of another host is told from it; a step without a connection acts on the worker."""
    apply, run, _ = task
    apply.do(run)
    [began] = run.past(payloads.Remembered)
    assert began.place == Place(sort="host", name=socket.gethostname())


def test_a_step_that_may_not_be_repeated_is_refused(task: tuple[Apply, Run, TaskInstance]) -> None:
    """What it remembered is handed over again, so that it is undone."""
    apply, run, task_instance = task
    apply.do(run)
    task_instance.clear()
    with pytest.raises(NotAllowed, match="it started already"):
        apply.do(run)
    assert task_instance.left["remembered"] == {"version": 1, "memory": {"count": 1}}


def test_why_a_step_was_not_applied_is_handed_over(
    task: tuple[Apply, Run, TaskInstance], monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the watch, which decides: the step's own words, which the ledger has too, or why it may not act."""
    apply, run, task_instance = task
    noted = noted_by(run)
    break_apply(monkeypatch, StepFailed("'true' ended with exit code 3."))
    with pytest.raises(StepFailed):
        apply.do(run)
    assert task_instance.left["reason"]["reason"] == "'true' ended with exit code 3."
    [failed] = noted
    assert (failed.kind, failed.step, failed.reason) == ("apply_failed", 1, "'true' ended with exit code 3.")
    task_instance.clear()
    with pytest.raises(NotAllowed) as refused:
        apply.do(run)
    assert task_instance.left["reason"]["reason"] == " ".join(refused.value.reasons)


def test_who_has_lost_the_lock_writes_nothing_down(
    task: tuple[Apply, Run, TaskInstance], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The undo that took it may have ended by then, and the change be closed."""
    apply, run, _ = task
    noted = noted_by(run)
    break_apply(monkeypatch, LockRevoked("CHG-1", "step 1"))
    with pytest.raises(LockRevoked):
        apply.do(run)
    assert noted == []


@pytest.mark.parametrize(
    ("error", "has_ended"),
    [
        (StepFailed("it did not work"), True),
        (StillUnderWay("the connection was lost"), False),
        (LockRevoked("CHG-1", "step 1"), False),
    ],
)
def test_undo_knows_whether_apply_has_ended(
    task: tuple[Apply, Run, TaskInstance], monkeypatch: pytest.MonkeyPatch, error: ChangeError, *, has_ended: bool
) -> None:
    """What failed by itself sets nothing in motion any more; what was cut short may."""
    apply, run, task_instance = task
    break_apply(monkeypatch, error)
    with pytest.raises(type(error)):
        apply.do(run)
    assert ("failed" in task_instance.left) == has_ended
