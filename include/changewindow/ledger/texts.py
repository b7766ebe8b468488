"""Reads the texts of changes as they are stored, and refuses those that are not what was submitted."""

import json
from typing import Any

from sqlalchemy.orm import Session

from changewindow.errors import AlteredText
from changewindow.ledger.models import Change, Revision
from changewindow.policy.manual_change import RECORDED, NoTicket
from changewindow.ticket.reader import build_ticket
from changewindow.ticket.revision import digest_of


def ticket_data(session: Session, row: Change, digest: str) -> dict[str, Any]:
    """Return that text of a change which has a digest, as the data of its ticket.

    Raises:
        NoTicket: it is a record.
        AlteredText: the ledger has no such text, or another one under this digest.
    """
    if row.status == RECORDED:
        raise NoTicket(row.id)
    stored = session.get(Revision, (row.number, digest))
    if stored is None:
        raise AlteredText(row.id, digest, "is missing")
    try:
        data: dict[str, Any] = json.loads(stored.text)
        has_digest = digest_of(data, build_ticket(data)) == digest
    except (ValueError, AttributeError, TypeError) as error:
        raise AlteredText(row.id, digest, f"cannot be read ({error})") from error
    if not has_digest:
        raise AlteredText(row.id, digest, "has another digest now")
    return data
