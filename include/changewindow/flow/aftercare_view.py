"""What those who approve afterwards are shown, as Markdown: what ran, what was skipped, and who was involved."""

from collections.abc import Iterator, Sequence

from changewindow.changes.owed import minute
from changewindow.documents.text import code_block, escaped, spoken
from changewindow.ledger import changes, events, payloads, records
from changewindow.ledger.database import Ledger
from changewindow.ledger.models import Change
from changewindow.policy.aftercare import Aftercare
from changewindow.policy.manual_change import ManualChange
from changewindow.ticket import every_field, plan
from changewindow.ticket.reader import build_ticket


def body(ledger: Ledger, owed: Aftercare, people: Sequence[str], *, page: str) -> str:
    """Return what is asked about, from the ledger; what is shown stays as it is when the change goes on, at its page.

    Raises:
        AlteredText: a text in the ledger was changed.
        UnreadableEvent: a later version wrote how it was declared.
    """
    stored = changes.get(ledger, owed.change)
    asked = ", ".join(people) or f"anybody but {', '.join(owed.involved)}"
    return "\n\n".join(
        [
            escaped(_standing(stored, page)),
            escaped(f"Owed by {minute(owed.due)}; asked are {asked}. A later answer is recorded as late."),
            *(_record(ledger, owed) if owed.because == "record" else _emergency(ledger, owed)),
            f"Digest of what ran: `{owed.digest}`",
        ]
    )


def _standing(stored: Change, page: str) -> str:
    """Return how a change has ended, or where that will be seen: a question is asked once, while it may act still."""
    if stored.closed_at:
        return f"It is {spoken(stored.status)}. {stored.reason}".strip()
    return f"It was {spoken(stored.status)} when this was asked. How it ends is seen at {page}"


def _emergency(ledger: Ledger, owed: Aftercare) -> Iterator[str]:
    for event in events.past(ledger, owed.change, payloads.Declared):
        yield escaped(f"{event.broken} ({f'incident {event.incident}' if event.incident else 'NO INCIDENT OPEN'})")
        agreed = f"{event.commander} agreed {minute(event.agreed_at)} ({event.agreed_how})"
        yield escaped(f"Declared by {owed.requester}, carried out by {event.executor}; {agreed}.")
        skipped = [f"- {escaped(each.sentence)}{escaped(_whose(each.people))}" for each in event.skipped]
        yield "\n".join(["Skipped:", "", *skipped]) if skipped else "Nothing was skipped."
    data = changes.text_of(ledger, owed.change, owed.digest)
    yield plan.markdown(owed.change, build_ticket(data)).rstrip("\n")
    yield code_block(every_field.text(data, None))


def _record(ledger: Ledger, owed: Aftercare) -> Iterator[str]:
    manual = records.manual_change(ledger, owed.change)
    yield escaped(f"{manual.summary} ({f'incident {manual.incident}' if manual.incident else 'NO INCIDENT OPEN'})")
    yield escaped(f"On {', '.join(manual.targets)}, {manual.span}; told by {owed.requester}, done by {manual.done_by}.")
    yield code_block(_commands(manual))


def _commands(manual: ManualChange) -> str:
    lines = [f"{f'{command.at:%H:%M:%S} ' if command.at else ''}{command.line}" for command in manual.commands]
    return "\n".join(lines)


def _whose(people: Sequence[str]) -> str:
    return f" ({', '.join(people)})" if people else ""
