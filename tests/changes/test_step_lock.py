"""At any moment one task of a change may act."""

import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import changewindow.changes.step_lock
from changewindow.changes.step_lock import StepLock, lock_forward, lock_undo
from changewindow.errors import LedgerDown, LockRevoked, LockTaken
from changewindow.ledger import changes, step_locks
from changewindow.ledger.database import Ledger
from changewindow.systems.connection import Connection
from changewindow.systems.context import Context
from support.changes import NOW


@pytest.fixture
def lock(ledger: Ledger, ticket_data: dict[str, Any]) -> StepLock:
    """Return how to hold the lock of a change."""
    change = changes.submit(ledger, ticket_data, requester="alice", now=NOW).change
    return StepLock(ledger, change, lambda: datetime.now(UTC), lambda _: None, end_process=lambda: None)


def context() -> Context:
    """Return what a step uses."""
    return Context("CHG-1001", 1, lambda name: Connection(name, "http"), lambda _: None)


def test_a_second_forward_step_is_told_who_acts(lock: StepLock) -> None:
    """Two forward steps never act at once."""
    with (
        lock_forward(lock, "apply_1", context()),
        pytest.raises(LockTaken, match="apply_2 may not act while apply_1 acts"),
        lock_forward(lock, "apply_2", context()),
    ):
        pass
    with lock_forward(lock, "apply_2", context()):
        pass


def test_an_undo_acts_only_after_the_step_has_stopped(lock: StepLock) -> None:
    """A step that is busy with a program loses its lock, its program dies, and only then does the undo begin."""
    here, order = context(), []
    began = threading.Event()

    def step() -> None:
        try:
            with lock_forward(lock, "apply_1", here):
                began.set()
                here.run(["sleep", "60"])
        except LockRevoked:
            order.append("stopped")

    thread = threading.Thread(target=step)
    thread.start()
    began.wait(5)
    started = time.monotonic()
    with lock_undo(lock, "undo_1", context()):
        thread.join(5)
        order.append("undoing")
    assert order == ["stopped", "undoing"]
    assert time.monotonic() - started < step_locks.LIFETIME.total_seconds()


def test_the_lock_of_a_dead_holder_expires(lock: StepLock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever died while acting is waited for until its lock has expired, and no longer."""
    monkeypatch.setattr(step_locks, "LIFETIME", timedelta(seconds=1))
    step_locks.take(lock.ledger, lock.change, "apply_1", now=lock.clock())
    started = time.monotonic()
    with lock_undo(lock, "undo_1", context()):
        assert time.monotonic() - started >= 0.9


def test_a_step_that_does_not_stop_is_ended_with_its_process(lock: StepLock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Code that does not react is ended before another task can hold the lock."""
    monkeypatch.setattr(changewindow.changes.step_lock, "GRACE", 0.2)
    ended = threading.Event()
    hard = StepLock(lock.ledger, lock.change, lock.clock, lock.log, end_process=ended.set)
    with lock_forward(hard, "apply_1", context()):
        step_locks.revoke(lock.ledger, lock.change)
        assert ended.wait(5)


def test_undo_goes_on_without_the_ledger_and_forward_does_not(lock: StepLock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the ledger, undo waits until nobody can act any more; a forward step is refused."""
    monkeypatch.setattr(step_locks, "LIFETIME", timedelta(seconds=1))
    gone = StepLock(Ledger("sqlite:////nowhere/ledger.db"), lock.change, lock.clock, lock.log)
    with pytest.raises(LedgerDown), lock_forward(gone, "apply_1", context()):
        pass
    started = time.monotonic()
    with lock_undo(gone, "undo_1", context()):
        assert time.monotonic() - started >= 0.9


def test_many_undos_at_once_never_overlap(lock: StepLock, tmp_path: Path) -> None:
    """However many want to act, each acts alone or stops."""
    inside: list[int] = []
    most: list[int] = []

    def undo(number: int) -> None:
        here = context()
        with lock_undo(lock, f"undo_{number}", here):
            if here.stopped.is_set():
                return
            inside.append(number)
            most.append(len(inside))
            time.sleep(0.05)
            inside.remove(number)

    threads = [threading.Thread(target=undo, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert most == [1] * len(most)
    assert most
