"""Writes into a ledger past its functions, as whoever owns the database can."""

from sqlalchemy import text

from changewindow.ledger.database import Ledger


def tamper(ledger: Ledger, *statements: str) -> None:
    """Execute statements, after taking away what keeps events from being altered."""
    with ledger.transaction() as session:
        if session.get_bind().dialect.name == "postgresql":
            session.execute(text("DROP TRIGGER IF EXISTS append_only ON events"))
        else:
            for action in ("update", "delete"):
                session.execute(text(f"DROP TRIGGER IF EXISTS append_only_{action}"))
            session.execute(text("PRAGMA defer_foreign_keys=ON"))
        for statement in statements:
            session.execute(text(statement))
