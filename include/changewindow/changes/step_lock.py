"""Holds the turn to act while a step is applied or undone, and stops the step when the turn is lost."""

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
"""Seconds between two looks at the turn: how soon a revoked step stops."""
GRACE = 2.0
"""Seconds a stopped step has to leave its code, before its whole process is ended."""
MARGIN = 3.0
"""Seconds before its turn runs out at which a step that cannot renew it stops."""


@dataclass(frozen=True)
class StepLock:
    """Where turns are taken: the ledger, the change, the clock, and what ends this process as the last resort."""

    ledger: Ledger
    change: str
    clock: Callable[[], datetime]
    log: Callable[[str], None]
    end_process: Callable[[], None] = lambda: os._exit(70)


@contextmanager
def lock_forward(lock: StepLock, holder: str, context: Context) -> Iterator[None]:
    """Hold the turn for a forward step; it stops when the turn is revoked or cannot be renewed.

    Raises:
        LockTaken: somebody else is acting.
        LedgerDown: forward steps need the ledger.
    """
    held = step_locks.take(lock.ledger, lock.change, holder, now=lock.clock(), is_forward=True)
    with _kept(lock, held, context, needs_ledger=True):
        yield


@contextmanager
def lock_undo(lock: StepLock, holder: str, context: Context) -> Iterator[None]:
    """Take the turn away from whoever has it, wait until they have stopped, and hold it.

    Does not need the ledger: without it, the holder cannot renew its turn either, and has stopped when that ran out.
    """
    held = _take_over(lock, holder)
    if held is None:
        yield
        return
    with _kept(lock, held, context, needs_ledger=False):
        yield


def _take_over(lock: StepLock, holder: str) -> step_locks.Held | None:
    """Return the turn once nobody else can act, or None when that was waited for without the ledger."""
    give_up = lock.clock() + step_locks.LIFETIME
    told = False
    while True:
        try:
            step_locks.revoke(lock.ledger, lock.change)
            return step_locks.take(lock.ledger, lock.change, holder, now=lock.clock())
        except LockTaken as taken:
            if not told:
                lock.log(f"waiting until the turn is free: {taken}")
                told = True
        except LedgerDown as down:
            if lock.clock() >= give_up:
                lock.log(f"going on without the ledger; whoever was acting has stopped by now. {down}")
                return None
        time.sleep(0.2)


@contextmanager
def _kept(lock: StepLock, held: step_locks.Held, context: Context, *, needs_ledger: bool) -> Iterator[None]:
    """Renew the turn beside the step, and give it back at the end."""
    done = threading.Event()
    keeper = threading.Thread(
        target=_keep, args=(lock, held, context, done), kwargs={"needs_ledger": needs_ledger}, daemon=True
    )
    keeper.start()
    try:
        yield
    finally:
        done.set()
        keeper.join(GRACE)
        with suppress(LedgerDown):
            step_locks.release(lock.ledger, held)


def _keep(
    lock: StepLock, held: step_locks.Held, context: Context, done: threading.Event, *, needs_ledger: bool
) -> None:
    """Renew until done; when the turn is lost, stop the step, and the process if the step does not leave."""
    renewed = lock.clock()
    while not done.wait(CHECK_EVERY):
        try:
            is_ours = step_locks.renew(lock.ledger, held, now=lock.clock())
            renewed = lock.clock()
        except LedgerDown:
            left = (renewed + step_locks.LIFETIME - lock.clock()).total_seconds()
            is_ours = not needs_ledger or left > MARGIN
        if not is_ours:
            lock.log(f"{held.holder} lost its turn to act: stopping")
            context.stop()
            if not done.wait(GRACE):
                lock.end_process()
            return
