"""Seals of locks and watches, and a record of the line, with the stops that are known so far."""

import json
from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import context, op

from changewindow.documents.canonical import canonical
from changewindow.errors import AlreadySealed
from changewindow.ledger import chain, payloads
from changewindow.ledger.models import LINE_NUMBER, EventRow
from changewindow.ledger.moment import Moment
from changewindow.ledger.payloads import Payload
from changewindow.ledger.row_seals import seal_of_values

revision = "0005"
down_revision = "0004"

STOPS = sa.table(
    "stops",
    *(sa.column(name) for name in ("id", "person", "reason", "lifted_by")),
    *(sa.column(name, Moment) for name in ("at", "expires_at", "lifted_at")),
)
CHANGES = sa.table(
    "changes",
    *(sa.column(name) for name in ("number", "summary", "requester", "status", "reason", "digest", "token", "head")),
    *(sa.column(name, Moment) for name in ("opens", "closes", "submitted_at")),
)
EVENTS = sa.table(
    "events",
    *(sa.column(name) for name in ("number", "sequence", "kind", "actor", "data", "previous", "hash", "seal")),
    sa.column("at", Moment),
)
ROWS = {
    "turns": sa.table(
        "turns",
        *(sa.column(name) for name in ("number", "token", "holder", "seal")),
        *(sa.column("until", Moment), sa.column("is_revoked", sa.Boolean), sa.column("is_forward", sa.Boolean)),
    ),
    "watches": sa.table(
        "watches", *(sa.column(name) for name in ("number", "run", "progress", "seal")), sa.column("at", Moment)
    ),
}


def upgrade() -> None:
    """Add the columns, and vouch for what is there; a ledger that had all this before gets it from nobody anew."""
    for name in ROWS:
        op.add_column(name, sa.Column("seal", sa.String(80)))
    here, ledger = op.get_bind(), context.config.attributes["ledger"]
    is_empty = here.scalar(sa.select(CHANGES.c.number).limit(1)) is None
    if any(number == LINE_NUMBER for number, _ in ledger.heads.kept()) and not is_empty:
        raise AlreadySealed(ledger.heads.path)
    if is_empty:
        return  # its first change begins the record of the line
    for name, table in ROWS.items():
        for row in here.execute(sa.select(table)).mappings().all():
            sealed = seal_of_values(ledger.seal, name, {str(column): value for column, value in row.items()})
            here.execute(sa.update(table).where(table.c.number == row["number"]).values(seal=sealed))
    _keep_tokens(here)
    _begin_line(here)


def _keep_tokens(here: sa.Connection) -> None:
    """Give each change the token of its newest start; a version before 0.2 kept it only while it held its targets."""
    started = sa.select(EVENTS.c.number, EVENTS.c.kind, EVENTS.c.data).where(EVENTS.c.kind == "started")
    for number, kind, data in here.execute(started.order_by(EVENTS.c.number, EVENTS.c.sequence)).all():
        event = payloads.read(kind, json.loads(data))
        if isinstance(event, payloads.Started):
            here.execute(sa.update(CHANGES).where(CHANGES.c.number == number).values(token=event.token))


def _begin_line(here: sa.Connection) -> None:
    """Write an event for each stop, in the order of time."""
    now = datetime.now(UTC)
    texts = {"summary": "The line", "requester": "", "status": "line", "reason": "", "digest": ""}
    here.execute(sa.insert(CHANGES).values(number=LINE_NUMBER, **texts, opens=now, closes=now, submitted_at=now))
    events: list[tuple[datetime, str, Payload]] = []
    for stop in here.execute(sa.select(STOPS).order_by(STOPS.c.id)).all():
        stopped = payloads.LineStopped(stop=stop.id, reason=stop.reason, until=stop.expires_at)
        events.append((stop.at, stop.person, stopped))
        if stop.lifted_at is not None:
            events.append((stop.lifted_at, stop.lifted_by or "", payloads.LineLifted(stops=(stop.id,))))
    _write(here, [(now, "ledger", payloads.LineBegun()), *sorted(events, key=lambda event: event[0])])


def _write(here: sa.Connection, events: list[tuple[datetime, str, Payload]]) -> None:
    ledger, previous = context.config.attributes["ledger"], chain.START
    for sequence, (at, actor, payload) in enumerate(events, 1):
        data = canonical(payload.as_data())
        event = EventRow(number=LINE_NUMBER, sequence=sequence, at=at, kind=payload.kind.value, actor=actor, data=data)
        event.previous = previous
        event.hash = previous = chain.hash_of(event)
        event.seal = chain.sealed_event(ledger.seal, event.hash)
        here.execute(sa.insert(EVENTS).values({column.key: getattr(event, column.key) for column in EVENTS.columns}))
    head = chain.Head(len(events), previous)
    kept = chain.sealed_head(ledger.seal, LINE_NUMBER, head)
    here.execute(sa.update(CHANGES).where(CHANGES.c.number == LINE_NUMBER).values(head=kept))
    ledger.heads.keep({LINE_NUMBER: head})
