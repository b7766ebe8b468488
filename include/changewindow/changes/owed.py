"""Says what a change owes still after it has acted, wherever the change is shown."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from changewindow.errors import BrokenChain
from changewindow.ledger import owing
from changewindow.ledger.database import Ledger
from changewindow.policy.aftercare import Aftercare


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
    if isinstance(owed, BrokenChain):
        return [f"not known: {owed}"]
    return [part.sentence(now) for part in parts(owed, now)]


@dataclass(frozen=True)
class OwedPart:
    """One thing that a change owes."""

    about: Literal["approval", "review", "workaround", "follow-up"]
    what: str
    due: datetime | None
    """None: somebody has to say by when."""
    who: str = ""
    """By whom, as far as that is known; empty: anybody."""

    def is_overdue(self, now: datetime) -> bool:
        """Return whether it should be there already."""
        return self.due is not None and now > self.due

    def sentence(self, now: datetime) -> str:
        """Return it on one line."""
        due = deadline(self.due, now) if self.due else "without a date"
        return ", ".join(filter(None, (f"{self.what} {due}", self.who)))


def parts(owed: Aftercare, now: datetime) -> Iterator[OwedPart]:
    """Yield each thing that a change owes still; see `owes`."""
    if owed.is_drill:
        return
    state = owed.approval(now)
    if owed.due and state in {"owed", "overdue"}:
        yield OwedPart("approval", "retroactive approval", owed.due, f"from anybody but {', '.join(owed.involved)}")
    elif owed.due and state == "late" and owed.decision:
        late = f"{owed.decision.person} gave it {minute(owed.decision.at)}"
        yield OwedPart("approval", "retroactive approval", owed.due, late)
    if owed.review_due and not owed.reviewed_at:
        yield OwedPart("review", "review", owed.review_due)
    if owed.workaround_until:
        yield OwedPart("workaround", "the end of its workaround", owed.workaround_until)
    for each in owed.follow_ups:
        if not each.is_done:
            yield OwedPart("follow-up", f"follow-up {each.number}", each.due, each.owner or "WITHOUT OWNER")


def deadline(due: datetime, now: datetime) -> str:
    """Return by when something is owed, or since when it is overdue."""
    return f"OVERDUE since {minute(due)}" if now > due else f"by {minute(due)}"


def minute(moment: datetime | None) -> str:
    """Return a moment to the minute, in UTC."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if moment else "no time"
