"""What becomes of a message that was not delivered: when it is tried again, and where."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from changewindow.changes.desk import Desk
from changewindow.ledger import outbox
from changewindow.ledger.outbox import Outgoing, anew
from changewindow.notify.base import NotDelivered, WayOn

LONGEST_BACKOFF = timedelta(minutes=5)
ONCE_AN_HOUR = timedelta(hours=1)
"""How often a room is tried again while another one stands in for it."""


OF_THE_PLACE = frozenset({WayOn.LATER, WayOn.BY_HAND})
"""Failures that all messages of a place share, so that the others are not tried either."""


@dataclass(frozen=True)
class Done:
    """What was done about a message."""

    message: Outgoing
    holds_up: datetime | None = None
    """Until when its place is left alone: what has failed would fail for all messages there."""


def after_failure(
    message: Outgoing, error: NotDelivered, now: datetime, *, is_open: bool, is_elsewhere: bool
) -> Outgoing:
    """Return a message with what is done about it next.

    Whether it has arrived stays open where it was before (`is_open`), and where its service gave no clear answer. Where
    another room has it (`is_elsewhere`), there is no hurry.
    """
    failed = replace(message, tries=message.tries + 1, problem=str(error), is_done=False)
    if not is_open and (error.is_refused or error.way_on is not WayOn.LATER):
        failed = replace(failed, posting="", posting_since=None)
    if error.way_on is WayOn.ANEW and message.stands:
        if now < message.about + error.after:
            return replace(failed, due=message.about + error.after)
        return replace(anew(failed), tries=1, problem=failed.problem, told=message.told, due=now)
    if is_elsewhere:
        return replace(failed, due=now + ONCE_AN_HOUR)
    wait = min(timedelta(seconds=2 ** min(failed.tries, 9)), LONGEST_BACKOFF)
    return replace(failed, due=now + max(wait, error.after))


def go_elsewhere(desk: Desk, message: Outgoing) -> bool:
    """Return whether another room stands in for that of a message, as messages.yaml names it; it has it then."""
    otherwise = desk.policy.rules(message.room).otherwise
    if otherwise is None or otherwise == message.room:
        return False
    text = f"(for {message.room}, which cannot be reached) {message.text}" if message.text else ""
    there = replace(anew(message), room=otherwise, text=text, due=desk.now())
    outbox.add(desk.ledger, [replace(there, channel=name) for name in desk.channels(otherwise)])
    return True
