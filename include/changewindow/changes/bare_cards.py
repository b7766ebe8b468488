"""Makes the cards of changes without a ticket that can be believed: records, and changes that somebody has altered."""

from datetime import datetime

from changewindow.changes.card import Card
from changewindow.ledger.models import Change, EventRow
from changewindow.policy.manual_change import RECORDED, ManualChange


def of_record(row: Change, newest: EventRow, manual: ManualChange, since: datetime) -> Card:
    """Return the card of what was done by hand."""
    return Card(
        change=row.id,
        state="recorded",
        digest=manual.digest,
        sequence=newest.sequence,
        since=since,
        summary=manual.summary,
        environment=manual.environment,
        services=manual.services,
        targets=manual.targets,
        opens=manual.began,
        closes=manual.ended,
        zone="UTC",
        requester=row.requester,
        owner=manual.done_by,
        reviewer="",
        on_call="",
        risk="",
        type=RECORDED,
        steps=(),
        rollback="",
    )


def of_altered(row: Change, why: str, now: datetime) -> Card:
    """Return the card of a change of whose record nothing is believed."""
    return Card(
        change=row.id,
        state="altered",
        digest="",
        sequence=0,
        since=now,
        summary=row.summary,
        environment="",
        services=(),
        targets=(),
        opens=row.opens,
        closes=row.closes,
        zone="UTC",
        requester=row.requester,
        owner=row.owner,
        reviewer=row.reviewer,
        on_call="",
        risk="",
        type="",
        steps=(),
        rollback="",
        reason=why,
    )
