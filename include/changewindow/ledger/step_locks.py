"""Step locks: at any moment one task of a change may act, and an undo can take the lock from a step that is dying.

The holder renews its lock every few seconds and stops by itself when it cannot. So a lock that was not renewed in time
is free: its holder is dead or has stopped. This is the lease with fencing token of M. Kleppmann, "How to do distributed
locking" (2016), except that the holder checks it, because files, git and programs check no token.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from changewindow.errors import LockTaken
from changewindow.ledger.database import Ledger
from changewindow.ledger.events import locked
from changewindow.ledger.models import StepLockRow

LIFETIME = timedelta(seconds=10)
"""How long a lock lasts without being renewed."""


@dataclass(frozen=True)
class Held:
    """A lock that was taken."""

    change: str
    holder: str
    token: int


def take(ledger: Ledger, change: str, holder: str, *, now: datetime, is_forward: bool = False) -> Held:
    """Take the lock, in order to act; `is_forward` to apply, so that an abort ends it.

    Raises:
        LockTaken: another task holds it.
    """
    with ledger.transaction() as session:
        number = locked(session, change).number
        row = session.get(StepLockRow, number) or StepLockRow(number=number, token=0)
        session.add(row)
        if row.holder is not None and row.until is not None and row.until > now:
            raise LockTaken(change, holder, row.holder)
        row.token, row.holder, row.until, row.is_revoked = row.token + 1, holder, now + LIFETIME, False
        row.is_forward = is_forward
        return Held(change, holder, row.token)


def renew(ledger: Ledger, held: Held, *, now: datetime) -> bool:
    """Keep the lock for another lifetime; return False when it was revoked or another task holds it."""
    with ledger.transaction() as session:
        row = session.get(StepLockRow, locked(session, held.change).number)
        if row is None or row.token != held.token or row.is_revoked:
            return False
        row.until = now + LIFETIME
        return True


def release(ledger: Ledger, held: Held) -> None:
    """Give the lock back, once the holder has stopped acting."""
    with ledger.transaction() as session:
        row = session.get(StepLockRow, locked(session, held.change).number)
        if row is not None and row.token == held.token:
            row.holder, row.until = None, None


def revoke(ledger: Ledger, change: str) -> None:
    """Tell whoever holds the lock to stop; they do so within a second, or their lock expires."""
    with ledger.transaction() as session:
        row = session.get(StepLockRow, locked(session, change).number)
        if row is not None:
            row.is_revoked = True
