"""Holds the step lock while a step is applied or undone, and stops the step when the lock is lost."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime

from changewindow.errors import LedgerDown, LockTaken
from changewindow.ledger import step_locks
from changewindow.ledger.database import Ledger
from changewindow.systems.context import Context

CHECK_EVERY = 0.5
"""Seconds between two looks at the lock: how soon a step stops after its lock was revoked."""
GRACE = 2.0
"""Seconds a stopped step has to leave its code before its whole process is ended."""
MARGIN = 3.0
"""Seconds before its lock expires at which a step that cannot renew it stops."""


@dataclass(frozen=True)
class StepLock:
    """How to hold the lock of a change: the ledger, the clock, and what ends this process as a last resort."""

    ledger: Ledger
    change: str
    clock: Callable[[], datetime]
    log: Callable[[str], None]
    end_process: Callable[[], None] = lambda: os._exit(70)


@contextmanager
def lock_forward(lock: StepLock, holder: str, context: Context) -> Iterator[None]:
    """Hold the lock for a forward step; the step stops when the lock is revoked or cannot be renewed.

    Raises:
        LockTaken: another task is acting.
        LedgerDown: forward steps need the ledger.
    """
    held = step_locks.take(lock.ledger, lock.change, holder, now=lock.clock(), is_forward=True)
    with _renewing(lock, held, context, needs_ledger=True):
        yield


@contextmanager
def lock_undo(lock: StepLock, holder: str, context: Context) -> Iterator[None]:
    """Take the lock from whoever holds it, wait until they have stopped, and hold it.

    Works without the ledger too: the other holder cannot renew its lock either then, and has stopped once it expired.
    """
    held = _take_over(lock, holder)
    if held is None:
        yield
        return
    with _renewing(lock, held, context, needs_ledger=False):
        yield


def _take_over(lock: StepLock, holder: str) -> step_locks.Held | None:
    """Return the lock once nobody else can act, or None when that was waited for without the ledger."""
    give_up = lock.clock() + step_locks.LIFETIME
    is_logged = False
    while True:
        try:
            step_locks.revoke(lock.ledger, lock.change)
            return step_locks.take(lock.ledger, lock.change, holder, now=lock.clock())
        except LockTaken as taken:
            if not is_logged:
                lock.log(f"waiting for the step lock: {taken}")
                is_logged = True
        except LedgerDown as down:
            if lock.clock() >= give_up:
                lock.log(f"going on without the ledger; whoever was acting has stopped by now. {down}")
                return None
        time.sleep(0.2)


@contextmanager
def _renewing(lock: StepLock, held: step_locks.Held, context: Context, *, needs_ledger: bool) -> Iterator[None]:
    """Renew the lock beside the step, and give it back at the end."""
    done = threading.Event()
    renewal = threading.Thread(
        target=_renew, args=(lock, held, context, done), kwargs={"needs_ledger": needs_ledger}, daemon=True
    )
    renewal.start()
    try:
        yield
    finally:
        done.set()
        renewal.join(GRACE)
        with suppress(LedgerDown):
            step_locks.release(lock.ledger, held)


def _renew(
    lock: StepLock, held: step_locks.Held, context: Context, done: threading.Event, *, needs_ledger: bool
) -> None:
    """Renew until done; when the lock is lost, stop the step, and end the process if the step does not leave."""
    renewed = lock.clock()
    while not done.wait(CHECK_EVERY):
        try:
            is_ours = step_locks.renew(lock.ledger, held, now=lock.clock())
            renewed = lock.clock()
        except LedgerDown:
            left = (renewed + step_locks.LIFETIME - lock.clock()).total_seconds()
            is_ours = not needs_ledger or left > MARGIN
        if not is_ours:
            lock.log(f"{held.holder} lost the step lock: stopping")
            context.stop()
            if not done.wait(GRACE):
                lock.end_process()
            return
