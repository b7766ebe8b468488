"""Says what a change owes still after it has acted, wherever the change is shown."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from changewindow.errors import BrokenChain
from changewindow.ledger import owing
from changewindow.ledger.database import Ledger
from changewindow.policy.aftercare import Aftercare, FollowUp


def owes_line(parts: Iterable[str]) -> str:
    """Return what is owed on one line: `owes: retroactive approval by …; review by …`; empty where nothing is."""
    listed = "; ".join(parts)
    return f"owes: {listed}" if listed else ""


def of_change(ledger: Ledger, change: str, now: datetime) -> list[str]:
    """Return what one change owes; empty where that is nothing."""
    return of_changes(ledger, [change], now).get(change, [])


def of_changes(ledger: Ledger, changes: Iterable[str], now: datetime) -> dict[str, list[str]]:
    """Return what each of those changes owes that owes something."""
    owed = {change: owes(each, now) for change, each in owing.of_changes(ledger, changes).items()}
    return {change: parts for change, parts in owed.items() if parts}


def owes(owed: Aftercare | BrokenChain, now: datetime) -> list[str]:
    """Return each thing that is owed still, with its deadline, such as `review by 2031-03-25 03:12 UTC`.

    A drill owes nothing: it approves itself, and nobody is asked or chased.
    """
    if isinstance(owed, Aftercare) and owed.is_drill:
        return []
    return [f"not known: {owed}"] if isinstance(owed, BrokenChain) else list(_parts(owed, now))


def _parts(owed: Aftercare, now: datetime) -> Iterator[str]:
    state = owed.approval(now)
    if owed.due and state in {"owed", "overdue"}:
        yield f"retroactive approval {deadline(owed.due, now)}, from anybody but {', '.join(owed.involved)}"
    elif owed.due and state == "late" and owed.decision:
        late = f"{owed.decision.person} gave it {minute(owed.decision.at)}"
        yield f"retroactive approval OVERDUE since {minute(owed.due)}, {late}"
    if owed.review_due and not owed.reviewed_at:
        yield f"review {deadline(owed.review_due, now)}"
    if owed.workaround_until:
        yield f"the end of its workaround {deadline(owed.workaround_until, now)}"
    yield from (_follow_up(each, now) for each in owed.follow_ups if not each.is_done)


def _follow_up(follow_up: FollowUp, now: datetime) -> str:
    due = deadline(follow_up.due, now) if follow_up.due else "without a date"
    return f"follow-up {follow_up.number} {due}, {follow_up.owner or 'WITHOUT OWNER'}"


def deadline(due: datetime, now: datetime) -> str:
    """Return by when something is owed, or since when it is overdue."""
    return f"OVERDUE since {minute(due)}" if now > due else f"by {minute(due)}"


def minute(moment: datetime | None) -> str:
    """Return a moment to the minute, in UTC."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if moment else "no time"
