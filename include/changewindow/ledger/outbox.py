"""The outbox: for each change and channel where its message stands and how much of it, and notes that are posted once.

What the message of a change says is not kept here: it is made of the events whenever it is sent, so that after an
outage the newest state goes out, once. A row that somebody has written into is nobody's: what it was about begins anew.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from changewindow.ledger.database import Ledger
from changewindow.ledger.events import number
from changewindow.ledger.models import LINE, Change, identity
from changewindow.ledger.outbox_row import OutboxRow
from changewindow.ledger.row_seals import is_whole, set_seal
from changewindow.ledger.stops import begin_line
from changewindow.notify.base import Reference

Sort = Literal["card", "note"]


@dataclass(frozen=True)
class Outgoing:
    """A message of the outbox, as it is known."""

    change: str
    """The change; `LINE` where it belongs to none."""
    sort: Sort
    room: str
    channel: str
    """Which channel of the room, such as `slack`, or `email 2`."""
    name: str
    """What it is, the same in each channel: `card`, or what names a note."""
    about: datetime
    """The moment of which a note speaks; when a card was begun."""
    due: datetime
    """When something is done about it next."""
    text: str = ""
    is_loud: bool = False
    reference: Reference = field(default_factory=lambda: Reference("", ""))
    """Where it stands; with an empty id: nowhere yet."""
    shown: str = ""
    state: str = ""
    digest: str = ""
    told: int = 0
    head: str = ""
    posting: str = ""
    posting_since: datetime | None = None
    tries: int = 0
    problem: str = ""
    until: datetime | None = None
    is_done: bool = False

    @property
    def key(self) -> str:
        """Return what it is and where it goes."""
        return f"{self.change} {self.name} {self.room} {self.channel}"

    @property
    def stands(self) -> bool:
        """Return whether it was posted."""
        return bool(self.reference.id)


def anew(message: Outgoing) -> Outgoing:
    """Return a message as if it had never been posted."""
    key = (message.change, message.sort, message.room, message.channel, message.name)
    return Outgoing(*key, message.about, message.due, text=message.text, is_loud=message.is_loud)


def well(message: Outgoing) -> Outgoing:
    """Return a message for which nothing stands against it any more."""
    return replace(message, tries=0, problem="")


def add(ledger: Ledger, messages: Iterable[Outgoing]) -> list[Outgoing]:
    """Put messages into the outbox; return those that were not there yet.

    Raises:
        LedgerDown: none of them is.
        LedgerUnknown: one is about a change that there is not.
    """
    if not (wanted := tuple(messages)):
        return []  # no other writer has to wait for nothing
    new = []
    with ledger.transaction() as session:
        for message in wanted:
            if message.change == LINE:
                begin_line(session, message.about)
            if _row(session, message.key) is None:
                session.add(row := OutboxRow(id=None, **_values(message)))
                session.flush()
                set_seal(session, row)
                new.append(message)
    return new


def due(ledger: Ledger, now: datetime, *, most: int = 100) -> list[Outgoing]:
    """Return what is due, failures first, then what has waited longest; what somebody else works on is not.

    Of each channel of a room it is only so much: what waits for one that is gone or down keeps no other waiting.
    """
    with ledger.reading() as session:
        order = (OutboxRow.is_loud.desc(), OutboxRow.due, OutboxRow.id)
        place = func.row_number().over(partition_by=(OutboxRow.room, OutboxRow.channel), order_by=order).label("place")
        waiting = select(OutboxRow.id, place).where(OutboxRow.is_done.is_(False), OutboxRow.due <= now.astimezone(UTC))
        first = select((ranked := waiting.subquery()).c.id).where(ranked.c.place <= most)
        rows = session.scalars(select(OutboxRow).where(OutboxRow.id.in_(first)).order_by(*order))
        return [_outgoing(row) for row in rows if _is_free(session, row, now)]


def first_card(ledger: Ledger, channel: str) -> datetime | None:
    """Return when the first of the cards in a channel was begun, whatever their rooms; nothing where there is none."""
    with ledger.reading() as session:
        wanted = select(func.min(OutboxRow.about)).where(OutboxRow.sort == "card", OutboxRow.channel == channel)
        return session.scalar(wanted)


def of_change(ledger: Ledger, change: str) -> list[Outgoing]:
    """Return the messages of a change whose rows are whole, in the order in which they came."""
    with ledger.reading() as session:
        wanted = select(OutboxRow).where(OutboxRow.number == number(change)).order_by(OutboxRow.id)
        return [_outgoing(row) for row in session.scalars(wanted) if is_whole(session, row)]


def by_key(ledger: Ledger, key: str) -> Outgoing | None:
    """Return the message of a key, if there is one and its row is whole."""
    with ledger.reading() as session:
        row = _row(session, key)
        return _outgoing(row) if row is not None and is_whole(session, row) else None


def standing_at(ledger: Ledger, reference: Reference) -> Outgoing | None:
    """Return the card that stands at a place, if it is one of ours and its row is whole."""
    with ledger.reading() as session:
        wanted = select(OutboxRow).where(OutboxRow.reference == reference.id, OutboxRow.place == reference.place)
        rows = [row for row in session.scalars(wanted) if row.sort == "card" and is_whole(session, row)]
        return _outgoing(rows[0]) if len(rows) == 1 else None


def claim(
    ledger: Ledger, message: Outgoing, now: datetime, until: datetime, *, is_moved: bool = False
) -> Outgoing | None:
    """Take a message in order to work on it until a moment; nothing where somebody else has it, or nothing is left.

    There is something left in any case where its change `is_moved`.
    One whose row was altered begins anew: it is not known where it stands, and a note is not said in our name.
    """
    with ledger.transaction() as session:
        row = _row(session, message.key, is_locked=True)
        if row is None or (row.is_done and not is_moved) or not _is_free(session, row, now):
            return None
        if not is_whole(session, row):
            unknown = anew(_outgoing(row))
            _write(session, row, replace(unknown, until=until, is_done=row.sort == "note"))
            return None if row.sort == "note" else _outgoing(row)
        _write(session, row, replace(_outgoing(row), until=until))
        return _outgoing(row)


def keep(ledger: Ledger, message: Outgoing) -> None:
    """Write down what is known of a message now.

    Raises:
        LedgerDown: it is not written down.
    """
    with ledger.transaction() as session:
        row = _row(session, message.key, is_locked=True)
        if row is not None:
            _write(session, row, message)


@dataclass(frozen=True)
class Moved:
    """A change that has moved on since its cards were looked at, or that has none."""

    change: str
    head: str
    status: str
    closed_at: datetime | None
    cards: tuple[Outgoing, ...]
    """Of one whose row was altered, nobody knows that it is not due."""


def moved(ledger: Ledger, since: datetime) -> list[Moved]:
    """Return the changes with something new to show: all that are open or have ended since a moment."""
    with ledger.reading() as session:
        is_card = (OutboxRow.number == Change.number) & (OutboxRow.sort == "card")
        is_behind = exists().where(is_card, OutboxRow.head != func.coalesce(Change.head, ""))
        is_recent = Change.closed_at.is_(None) | (Change.closed_at >= since.astimezone(UTC))
        wanted = select(Change.number, Change.head, Change.status, Change.closed_at).where(
            Change.number > 0, is_recent, is_behind | ~exists().where(is_card)
        )
        cards: dict[int, tuple[Outgoing, ...]] = {}
        numbers = wanted.with_only_columns(Change.number)
        for row in session.scalars(select(OutboxRow).where(OutboxRow.sort == "card", OutboxRow.number.in_(numbers))):
            card = _outgoing(row) if is_whole(session, row) else replace(_outgoing(row), due=row.about)
            cards[row.number] = (*cards.get(row.number, ()), card)
        return [
            Moved(identity(key), head or "", status, closed_at, cards.get(key, ()))
            for key, head, status, closed_at in session.execute(wanted.order_by(Change.number))
        ]


def _is_free(session: Session, row: OutboxRow, now: datetime) -> bool:
    """Return whether nobody works on a message; what an altered row says of that is nobody's word."""
    return row.until is None or row.until <= now or not is_whole(session, row)


def _row(session: Session, key: str, *, is_locked: bool = False) -> OutboxRow | None:
    wanted = select(OutboxRow).where(OutboxRow.key == key)
    return session.scalar(wanted.with_for_update() if is_locked else wanted)


def _write(session: Session, row: OutboxRow, message: Outgoing) -> None:
    for name, value in _values(message).items():
        setattr(row, name, value)
    session.flush()
    set_seal(session, row)


def _values(message: Outgoing) -> dict[str, Any]:
    values = asdict(message)
    where = values.pop("reference")
    for name in ("about", "due", "posting_since", "until"):
        values[name] = values[name].astimezone(UTC) if values[name] else None
    del values["change"], values["name"]
    return {
        **values,
        "key": message.key,
        "number": number(message.change),
        "place": where["place"],
        "reference": where["id"],
    }


def _outgoing(row: OutboxRow) -> Outgoing:
    names = Outgoing.__dataclass_fields__.keys() - {"change", "name", "reference"}
    change = identity(row.number)
    name = row.key.removeprefix(f"{change} ").removesuffix(f" {row.room} {row.channel}")
    more: dict[str, Any] = {each: getattr(row, each) for each in names}
    return Outgoing(change=change, name=name, reference=Reference(row.place, row.reference), **more)
