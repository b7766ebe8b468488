"""What those who approve or confirm a change are shown, as Markdown: all of it, from the ledger."""

from typing import Any

from changewindow.changes.handover import Shown, Tried
from changewindow.documents.text import code_block, escaped
from changewindow.ledger import changes, events, payloads
from changewindow.ledger.database import Ledger
from changewindow.ticket import every_field
from changewindow.ticket.reader import build_ticket


def body(ledger: Ledger, shown: Shown, read: Tried | None) -> str:
    """Return what the approver is asked about: plan, every field, what differs from before, warnings, readings.

    Raises:
        AlteredText: a text in the ledger was changed.
        UnreadableEvent: a later version wrote which text was approved before.
    """
    data = changes.text_of(ledger, shown.change, shown.digest)
    warnings = [f"- {escaped(line)}" for line in shown.warnings.splitlines()]
    warned = ["To be warned of:", "\n".join(warnings)] if warnings else []
    tried = ["What was read just now:", read.text] if read else []
    whole = code_block(every_field.text(data, _approved_before(ledger, shown)))
    utc = build_ticket(data).window.utc_text()
    when = [f"Its window in UTC: {utc}"] if utc else []
    return "\n\n".join([*when, shown.plan.rstrip("\n"), whole, *warned, *tried])


def _approved_before(ledger: Ledger, shown: Shown) -> dict[str, Any] | None:
    """Return the newest text of the change that was approved, and is not the one that is shown."""
    approved = [event.digest for event in events.past(ledger, shown.change, payloads.Approved)]
    earlier = [digest for digest in approved if digest != shown.digest]
    return changes.text_of(ledger, shown.change, earlier[-1]) if earlier else None
