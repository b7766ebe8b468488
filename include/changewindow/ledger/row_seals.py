"""Seals of single rows: those that change too often to have an event each time, and that others act by all the same.

A seal binds everything in the row together, with its table. An older state of the same row has one, too: who relies on
a row must not be harmed by that.
"""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from changewindow.ledger.chain import seal_of
from changewindow.ledger.feed_row import FeedRow
from changewindow.ledger.models import Base, LookRow, StepLockRow, Watch
from changewindow.ledger.outbox_row import OutboxRow
from changewindow.ledger.seal import Seal

Row = StepLockRow | Watch | LookRow | OutboxRow | FeedRow
NAMES: Mapping[type[Row], str] = {StepLockRow: "its step lock", Watch: "the progress of its watch"}
"""What each kind of row of a change is called."""


def seal_of_values(seal: Seal, table: str, values: Mapping[str, Any]) -> str:
    """Return the seal of a row with these values."""
    return seal.of(f"row of {table}", _plain(table, values))


def set_seal(session: Session, row: Row) -> None:
    """Seal a row as it is now."""
    row.seal = seal_of_values(seal_of(session), row.__tablename__, _values(row))


def is_whole(session: Session, row: Row) -> bool:
    """Return whether a row is as one of us wrote it."""
    values = _plain(row.__tablename__, _values(row))
    return seal_of(session).holds(row.seal, f"row of {row.__tablename__}", values)


def why_not_whole(session: Session, row: Row) -> str:
    """Return why a row is not known to be as one of us wrote it, as what is said of it; nothing where it is."""
    if is_whole(session, row):
        return ""
    return seal_of(session).why_strange(row.seal) or "does not match its seal: somebody has inserted or altered it"


def altered_rows(session: Session, number: int) -> Iterator[str]:
    """Say which rows of a change do not have their seal."""
    for kind, name in NAMES.items():
        row = cast("Row | None", session.get(kind, number))
        if row is not None and (why := why_not_whole(session, row)):
            yield f"{name} {why}"


def altered_messages(session: Session, number: int) -> Iterator[str]:
    """Say which messages of a change do not have their seal; no change waits for that."""
    for row in session.scalars(select(OutboxRow).where(OutboxRow.number == number).order_by(OutboxRow.id)):
        if why := why_not_whole(session, row):
            yield f"its message {row.id} in the outbox {why}"


def altered_feeds(session: Session) -> Iterator[str]:
    """Say which calendar feeds do not have their seal; a token opens none of them."""
    for row in session.scalars(select(FeedRow).order_by(FeedRow.user)):
        if why := why_not_whole(session, row):
            yield f"The calendar feed of {row.user} {why}."


def _values(row: Row) -> dict[str, Any]:
    return {column.key: getattr(row, column.key) for column in row.__table__.columns}


def _plain(table: str, values: Mapping[str, Any]) -> dict[str, Any]:
    columns = [column.key for column in Base.metadata.tables[table].columns if column.key != "seal"]
    times = {name: value.isoformat() for name, value in values.items() if hasattr(value, "isoformat")}
    return {name: times.get(name, values[name]) for name in columns}
