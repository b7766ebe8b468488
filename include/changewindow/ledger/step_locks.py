"""Turns: at any moment one task of a change may act, and an undo can take the turn away from a dying step.

The holder renews its turn every few seconds and stops by itself when it cannot, so a turn that was not renewed in time
belongs to nobody: its holder is dead or has stopped. This is the lease with fencing token of M. Kleppmann, "How to do
distributed locking" (2016), with the check made by the holder, because files, git and programs check no token.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from changewindow.errors import LockTaken
from changewindow.ledger.database import Ledger
from changewindow.ledger.events import locked
from changewindow.ledger.models import StepLockRow

LIFETIME = timedelta(seconds=10)
"""How long a turn lasts without being renewed."""


@dataclass(frozen=True)
class Held:
    """A turn that was taken."""

    change: str
    holder: str
    token: int


def take(ledger: Ledger, change: str, holder: str, *, now: datetime, is_forward: bool = False) -> Held:
    """Take the turn to act; `is_forward` to apply, so that an abort ends it.

    Raises:
        LockTaken: somebody else has it.
    """
    with ledger.transaction() as session:
        found = locked(session, change)
        turn = session.get(StepLockRow, found.number) or StepLockRow(number=found.number, token=0)
        session.add(turn)
        if turn.holder is not None and turn.until is not None and turn.until > now:
            raise LockTaken(change, holder, turn.holder)
        turn.token, turn.holder, turn.until, turn.is_revoked = turn.token + 1, holder, now + LIFETIME, False
        turn.is_forward = is_forward
        return Held(change, holder, turn.token)


def renew(ledger: Ledger, held: Held, *, now: datetime) -> bool:
    """Keep the turn for another lifetime; return False when it was revoked or is somebody else's."""
    with ledger.transaction() as session:
        turn = session.get(StepLockRow, locked(session, held.change).number)
        if turn is None or turn.token != held.token or turn.is_revoked:
            return False
        turn.until = now + LIFETIME
        return True


def release(ledger: Ledger, held: Held) -> None:
    """Give the turn back; the holder does nothing any more."""
    with ledger.transaction() as session:
        turn = session.get(StepLockRow, locked(session, held.change).number)
        if turn is not None and turn.token == held.token:
            turn.holder, turn.until = None, None


def revoke(ledger: Ledger, change: str) -> None:
    """Tell whoever has the turn to stop; it does so within a second, or its turn runs out."""
    with ledger.transaction() as session:
        turn = session.get(StepLockRow, locked(session, change).number)
        if turn is not None:
            turn.is_revoked = True
