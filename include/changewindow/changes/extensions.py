"""Says which later ends of a change's window people have asked for, and nobody has allowed or refused yet."""

from collections.abc import Iterable

from changewindow.ledger import payloads
from changewindow.ledger.event_kinds import EventKind
from changewindow.ledger.events import payload
from changewindow.ledger.models import EventRow

ABOUT = {EventKind.EXTENSION_ASKED, EventKind.EXTENSION_REFUSED, EventKind.EXTENDED}


def open_extensions(rows: Iterable[EventRow]) -> tuple[payloads.ExtensionAsked, ...]:
    """Return what was asked for, oldest first, without what was allowed, refused, or overtaken by a later end."""
    asked: dict[str, payloads.ExtensionAsked] = {}
    for row in rows:
        event = payload(row) if row.kind in ABOUT else None
        if isinstance(event, payloads.ExtensionAsked):
            asked[event.run] = event
        elif isinstance(event, payloads.ExtensionRefused):
            asked.pop(event.run, None)
        elif isinstance(event, payloads.Extended):
            asked = {run: each for run, each in asked.items() if each.later > event.later}
    return tuple(asked.values())
