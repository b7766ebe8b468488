"""Applying a step a second time."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from changewindow.errors import ChangeError, LockRevoked, NotAllowed, StepFailed, StillUnderWay
from changewindow.flow.runtime import Run
from changewindow.flow.tasks.steps import Apply
from changewindow.ledger import changes, leases
from changewindow.ledger.database import Ledger
from changewindow.policy.gate import Intent
from changewindow.steps.command import Step
from changewindow.ticket.plan import plan
from changewindow.ticket.revision import PublishedChange
from support.tickets import banner


class RecordingServer:
    """A task instance that keeps what is told."""

    task_id = "apply_1"

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}

    def xcom_push(self, *, key: str, value: Any) -> None:
        """Keep it."""
        self.kept[key] = value


@pytest.fixture
def task(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> tuple[Apply, Run, RecordingServer]:
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
    told = RecordingServer()
    run = Run(change, {"run_id": "run", "ti": told, "params": {"mode": "run"}})  # type: ignore[typeddict-item]
    free = SimpleNamespace(needs=(), forbids=lambda *_, **__: [])
    run.__dict__.update(ledger=ledger, assessment=free, spool=SimpleNamespace(drain=int, record=lambda _: True))
    return Apply(task_id="apply_1", change=change, node=node), run, told


def test_a_step_that_may_be_repeated_keeps_what_it_remembered_at_first(
    task: tuple[Apply, Run, RecordingServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else undo would bring back the half-changed world."""
    apply, run, told = task
    monkeypatch.setattr(Step, "safe_to_repeat", True)
    for _ in range(2):
        told.kept.clear()  # as Airflow does before another try
        apply.do(run)
        assert told.kept["remembered"] == {"count": 1}


def test_a_step_that_may_not_be_repeated_is_refused(task: tuple[Apply, Run, RecordingServer]) -> None:
    """What it remembered is told again, so that it is undone."""
    apply, run, told = task
    apply.do(run)
    told.kept.clear()
    with pytest.raises(NotAllowed, match="it started already"):
        apply.do(run)
    assert told.kept["remembered"] == {"count": 1}


@pytest.mark.parametrize(
    ("error", "has_ended"),
    [
        (StepFailed("it did not work"), True),
        (StillUnderWay("the connection was lost"), False),
        (LockRevoked("CHG-1", "step 1"), False),
    ],
)
def test_undo_knows_whether_apply_has_ended(
    task: tuple[Apply, Run, RecordingServer], monkeypatch: pytest.MonkeyPatch, error: ChangeError, *, has_ended: bool
) -> None:
    """What failed by itself sets nothing in motion any more; what was cut short may."""
    apply, run, told = task

    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(Step, "apply", fail)
    with pytest.raises(type(error)):
        apply.do(run)
    assert ("failed" in told.kept) == has_ended
