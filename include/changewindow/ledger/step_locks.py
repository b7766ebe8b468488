"""Step locks: at any moment one task of a change may act, and an undo can take the lock from a step that is dying.

The holder renews its lock every few seconds and stops by itself when it cannot. So a lock that was not renewed in time
is free: its holder is dead or has stopped. This is the lease with fencing token of M. Kleppmann, "How to do distributed
locking" (2016), except that the holder checks it, because files, git and programs check no token.
"""

import logging
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from changewindow.errors import LockTaken
from changewindow.ledger.database import Ledger
from changewindow.ledger.events import locked
from changewindow.ledger.models import StepLockRow, identity
from changewindow.ledger.row_seals import is_whole, set_seal

log = logging.getLogger("changewindow")
LIFETIME = timedelta(seconds=10)
"""How long a lock lasts without being renewed."""
FIRST_TOKENS = 2**30
LEAP = 2**12
"""By how much a token may grow, so that a row put back to an older state does not give out the same one again."""
UNKNOWN = "whoever held it before it was altered"


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
        row = _row(session, locked(session, change).number, now)
        if row.holder is None or row.until is None or row.until <= now:
            row.token += 1 + secrets.randbelow(LEAP)
            row.holder, row.until, row.is_revoked = holder, now + LIFETIME, False
            row.is_forward = is_forward
            set_seal(session, row)
            return Held(change, holder, row.token)
        other = row.holder
    raise LockTaken(change, holder, other)


def _row(session: Session, number: int, now: datetime) -> StepLockRow:
    """Return the row of a lock; one that somebody has written into is nobody's, once whoever held it has stopped.

    A new row begins with a token that no earlier holder can have, should there have been another row.
    """
    row = session.get(StepLockRow, number)
    if row is not None and is_whole(session, row):
        return row
    token = secrets.randbelow(FIRST_TOKENS)
    if row is None:
        row = StepLockRow(number=number, token=token, is_revoked=False, is_forward=False)
    else:
        log.warning("%s: the step lock was altered; it is free in %s", identity(number), LIFETIME)
        row.token, row.holder, row.until, row.is_revoked, row.is_forward = token, UNKNOWN, now + LIFETIME, True, False
    session.add(row)
    set_seal(session, row)
    return row


def renew(ledger: Ledger, held: Held, *, now: datetime) -> bool:
    """Keep the lock for another lifetime; return False when it was revoked or another task holds it."""
    with ledger.transaction() as session:
        row = session.get(StepLockRow, locked(session, held.change).number)
        if row is None or row.token != held.token or row.is_revoked or not is_whole(session, row):
            return False
        row.until = now + LIFETIME
        set_seal(session, row)
        return True


def release(ledger: Ledger, held: Held) -> None:
    """Give the lock back, once the holder has stopped acting."""
    with ledger.transaction() as session:
        row = session.get(StepLockRow, locked(session, held.change).number)
        if row is not None and row.token == held.token and is_whole(session, row):
            row.holder, row.until = None, None
            set_seal(session, row)


def revoke(ledger: Ledger, change: str) -> None:
    """Tell whoever holds the lock to stop; they do so within a second, or their lock expires."""
    with ledger.transaction() as session:
        revoke_in(session, locked(session, change).number)


def revoke_in(session: Session, number: int, *, only_forward: bool = False) -> None:
    """Do the same inside a transaction, if need be only where the holder applies; an altered lock is left as it is."""
    row = session.get(StepLockRow, number)
    if row is not None and is_whole(session, row) and (row.is_forward or not only_forward):
        row.is_revoked = True
        set_seal(session, row)
