"""Tells people that an emergency was declared, and whose approval it has skipped: whatever becomes of its run."""

from datetime import timedelta

from changewindow.changes import emergency_messages
from changewindow.flow.posting import post
from changewindow.flow.runtime import now
from changewindow.ledger import changes, events, outbox
from changewindow.ledger.database import Ledger
from changewindow.ledger.payloads import Declared, IncidentSeen, MessageFailed, MessageSent
from changewindow.policy.aftercare import Aftercare
from changewindow.ticket.reader import build_ticket

GRACE = timedelta(minutes=2)
"""How long its own run, or the terminal from which it was declared, may take to say it."""
MOST_FAILURES = 50
"""After so many messages of it that did not arrive, the reminders of what it owes have to do."""


def tell(here: Ledger, change: str, *, link: str = "") -> None:
    """Tell what the record does not say that people were told: that it was declared, and whose approval was skipped."""
    declarations = events.past(here, change, Declared)
    if not declarations:
        return
    event, ticket = declarations[0], build_ticket(changes.text_of(here, change, declarations[0].digest))
    person, seen = changes.get(here, change).requester, events.past(here, change, IncidentSeen)
    sent = {message.text.partition("\n")[0] for message in events.past(here, change, MessageSent)}
    sent |= {message.text.partition("\n")[0] for message in outbox.of_change(here, change) if message.sort == "note"}
    for text in (
        emergency_messages.declared(change, ticket, event, person=person, seen=seen[-1] if seen else None),
        emergency_messages.skipped(change, event, person=person, link=link),
    ):
        if text and not any(head.startswith(text.partition("\n")[0]) for head in sent):
            post(text, now(), ticket.post_change.notify, change=change)


def tell_late(here: Ledger, owed: Aftercare) -> None:
    """Do the same of an emergency whose own run has not: somebody has marked its task, or it comes from a terminal."""
    if owed.because != "emergency" or not owed.is_asked or now() < owed.began + GRACE or _is_told(owed):
        return
    if len(events.past(here, owed.change, MessageFailed)) < MOST_FAILURES:
        tell(here, owed.change)


def _is_told(owed: Aftercare) -> bool:
    """Return whether both messages were sent, as far as that is known without reading the change again."""
    begins = (f"EMERGENCY: {owed.change} ", f"SKIPPED by {owed.change},")
    return all(any(begin in head for head in owed.heads) for begin in begins)
