"""The calendar feeds of users."""

from datetime import timedelta
from pathlib import Path

from sqlalchemy import text

from changewindow.ledger import feeds
from changewindow.ledger.database import Ledger
from support.changes import NOW


def write(ledger: Ledger, statement: str, **values: str) -> None:
    """Write past all functions."""
    with ledger.transaction() as session:
        session.execute(text(statement), values)


def test_a_token_opens_the_feed_of_its_user(ledger: Ledger) -> None:
    """And no other one; since when it does is known."""
    first, second = (feeds.make(ledger, user, now=NOW) for user in ("alice", "bob"))
    assert (feeds.user_of(ledger, first), feeds.user_of(ledger, second)) == ("alice", "bob")
    assert feeds.made_at(ledger, "alice") == NOW
    assert feeds.made_at(ledger, "carol") is None


def test_a_token_is_kept_nowhere(ledger: Ledger) -> None:
    """Whoever reads the database opens nothing with it."""
    token = feeds.make(ledger, "alice", now=NOW)
    files = Path(str(ledger.url.database)).parent.glob("ledger.db*")
    assert not any(token.encode() in file.read_bytes() for file in files)
    with ledger.reading() as session:
        digest = session.scalar(text("SELECT digest FROM feeds"))
    assert feeds.user_of(ledger, digest) is None


def test_a_revoked_token_opens_nothing(ledger: Ledger) -> None:
    """Revoking twice is no mistake; other feeds stay."""
    token, other = feeds.make(ledger, "alice", now=NOW), feeds.make(ledger, "bob", now=NOW)
    for _ in range(2):
        feeds.revoke(ledger, "alice")
    assert (feeds.user_of(ledger, token), feeds.made_at(ledger, "alice")) == (None, None)
    assert feeds.user_of(ledger, other) == "bob"


def test_a_new_token_ends_the_one_before(ledger: Ledger) -> None:
    """A user has one feed."""
    old = feeds.make(ledger, "alice", now=NOW)
    new = feeds.make(ledger, "alice", now=NOW + timedelta(days=1))
    assert (feeds.user_of(ledger, old), feeds.user_of(ledger, new)) == (None, "alice")


def test_nobody_writes_themselves_a_feed(ledger: Ledger) -> None:
    """Neither a row of somebody else, nor their own row with another name, opens anything."""
    mine = feeds.make(ledger, "mallory", now=NOW)
    write(ledger, "UPDATE feeds SET user = 'admin'")
    assert feeds.user_of(ledger, mine) is None
    write(ledger, "UPDATE feeds SET seal = NULL")
    assert feeds.user_of(ledger, mine) is None


def test_what_is_no_token_opens_nothing(ledger: Ledger) -> None:
    """Whatever its length and its letters."""
    feeds.make(ledger, "alice", now=NOW)
    assert {feeds.user_of(ledger, token) for token in ("", "x", "é" * 5000, "%", "'; DROP TABLE feeds")} == {None}
