"""Finds out about the incident of an emergency that is carried out from a terminal: within seconds, or not at all."""

from dataclasses import dataclass
from datetime import timedelta

from changewindow.changes import incident_desk
from changewindow.changes.direct_book import Book
from changewindow.changes.direct_hands import Hands
from changewindow.changes.direct_watch import connections_of
from changewindow.changes.emergency_messages import incident_text
from changewindow.ledger.payloads import IncidentSeen
from changewindow.policy.emergencies import IncidentDesk

WITHIN = 5.0
"""Seconds after which an answer is not waited for any more, however patient the policy is."""


@dataclass(frozen=True)
class Asking:
    """Where it is asked for."""

    desk: IncidentDesk | None
    opens: bool = False
    """Whether one is opened where none is named."""
    unknown_because: str = ""
    """Why it is not known where to ask; empty: it is."""


def find(book: Book, hands: Hands, asking: Asking) -> IncidentSeen | None:
    """Look up the incident that an emergency names, or open one; it is written down and said, and asked for once.

    None: there is nothing to ask.
    """
    before = [event for event in book.past(IncidentSeen) if event.standing != "unreachable"]
    if before or book.declared.is_drill:
        return before[-1] if before else None
    seen = _asked(book, hands, asking)
    if seen is None:
        return None
    line = hands.secrets.line
    said = seen.model_copy(update={"title": line(seen.title), "reason": line(seen.reason)})
    book.note(said)
    hands.log(f"incident: {incident_text(book.declared, said)}")
    return said


def _asked(book: Book, hands: Hands, asking: Asking) -> IncidentSeen | None:
    named = book.declared.incident
    if not (named or asking.opens):
        return None
    if asking.unknown_because:
        return IncidentSeen(standing="unreachable", incident=named, reason=asking.unknown_because)
    new = incident_desk.new_incident(book.change, book.ticket, book.declared, hands.secrets.line)
    return incident_desk.find(_in_time(asking.desk), named, new, connections_of(hands))


def _in_time(desk: IncidentDesk | None) -> IncidentDesk | None:
    """Return a desk that is given up in time."""
    longest = timedelta(seconds=WITHIN - incident_desk.MORE)
    return desk and desk.model_copy(update={"within": min(desk.within, longest)})
