"""Keeps the calendar feeds of users: a token opens each, and only its digest is kept."""

import hmac
import secrets
from datetime import UTC, datetime
from hashlib import sha256

from sqlalchemy import select

from changewindow.ledger.database import Ledger
from changewindow.ledger.feed_row import FeedRow
from changewindow.ledger.row_seals import is_whole, set_seal

BYTES = 32
"""Of chance in a token: nobody guesses one."""


def make(ledger: Ledger, user: str, *, now: datetime) -> str:
    """Return a new token of a user's feed, which is never told again; one of before opens nothing from now on."""
    token = secrets.token_urlsafe(BYTES)
    with ledger.transaction() as session:
        row = session.get(FeedRow, user) or FeedRow(user=user)
        row.digest, row.made_at = _digest(token), now.astimezone(UTC)
        set_seal(session, row)
        session.add(row)
    return token


def revoke(ledger: Ledger, user: str) -> None:
    """End the feed of a user, if there is one."""
    with ledger.transaction() as session:
        row = session.get(FeedRow, user)
        if row is not None:
            session.delete(row)


def made_at(ledger: Ledger, user: str) -> datetime | None:
    """Return since when a user has a feed; None: they have none."""
    with ledger.reading() as session:
        row = session.get(FeedRow, user)
        return row.made_at if row is not None else None


def user_of(ledger: Ledger, token: str) -> str | None:
    """Return whose feed a token opens; None: it opens none, or somebody has altered the row.

    How long that takes says nothing of a token: what is looked up is its digest, which nobody can choose.
    """
    digest = _digest(token)
    with ledger.reading() as session:
        row = session.scalar(select(FeedRow).where(FeedRow.digest == digest))
        is_right = row is not None and hmac.compare_digest(row.digest, digest) and is_whole(session, row)
        return row.user if row is not None and is_right else None


def _digest(token: str) -> str:
    return sha256(token.encode()).hexdigest()
