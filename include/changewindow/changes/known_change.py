"""Reads what the sealed events and the text of changes say of them, for those who look at many every few seconds."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from changewindow.changes.card_course import Course, course_of
from changewindow.changes.extensions import open_extensions
from changewindow.errors import AlteredText, BrokenChain
from changewindow.ledger.chain import checked_events
from changewindow.ledger.event_kinds import EventKind
from changewindow.ledger.models import Change
from changewindow.ledger.payloads import ExtensionAsked
from changewindow.ledger.read_once import ReadOnce
from changewindow.ledger.standing import standing_of
from changewindow.ledger.texts import ticket_data
from changewindow.policy.manual_change import NoTicket
from changewindow.policy.standing import Intent, Standing
from changewindow.ticket.model import Ticket
from changewindow.ticket.reader import build_ticket


@dataclass(frozen=True)
class KnownChange:
    """A change as its events and its newest text say."""

    row: Change
    standing: Standing
    course: Course
    data: Mapping[str, Any]
    ticket: Ticket
    """With the values of the run that acts or has acted last."""
    is_confirmed: bool
    """Whether its owner has confirmed what no machine can check."""
    extensions: tuple[ExtensionAsked, ...]
    """The later ends of its window that were asked for."""

    @property
    def is_declared(self) -> bool:
        """Return whether it was declared an emergency, which waits for nobody's approval."""
        return self.standing.digest in self.standing.declared

    @property
    def intent(self) -> Intent:
        """Return what a run of it would want."""
        kind = self.ticket.type == "emergency"
        row = self.row
        return Intent("", row.digest, row.opens, row.closes, self.ticket.needs, is_emergency=kind)


@dataclass(frozen=True)
class Unreadable:
    """A change of which nothing is believed: somebody has written into its record, or it cannot be checked here."""

    change: str
    why: str


def known_changes(session: Session, rows: Iterable[Change]) -> tuple[list[KnownChange], list[Unreadable]]:
    """Return what is known of changes, and those of which nobody can say it.

    Raises:
        SealKeyMissing: nothing can be checked here.
    """
    known, unreadable = [], []
    for row in rows:
        try:
            made = READ.of(session, row)
        except (BrokenChain, AlteredText, NoTicket) as error:
            unreadable.append(Unreadable(row.id, str(error)))
            continue
        if made["standing"].altered:
            unreadable.append(Unreadable(row.id, f"{row.id}: {'; '.join(made['standing'].altered)}."))
        known.append(KnownChange(row=row, **made))
    return known, unreadable


def _read(session: Session, row: Change) -> dict[str, Any]:
    """Return all but the row, which may say more by the next look."""
    rows = checked_events(session, row)
    standing = standing_of(session, row, rows)
    course, data = course_of(rows), ticket_data(session, row, standing.digest or "")
    return {
        "standing": standing,
        "course": course,
        "data": data,
        "ticket": build_ticket(data, course.values),
        "is_confirmed": any(event.kind == EventKind.CONFIRMED for event in rows),
        "extensions": open_extensions(rows),
    }


READ = ReadOnce(_read)
