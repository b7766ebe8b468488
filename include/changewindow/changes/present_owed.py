"""Says what is owed after changes have acted, and of whom an answer about them is wanted still."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from changewindow.changes.known_change import Unreadable
from changewindow.changes.owed import OwedPart, parts
from changewindow.changes.present_waiting import Answer, retroactive
from changewindow.errors import BadPolicy, BrokenChain
from changewindow.policy.aftercare import Aftercare
from changewindow.policy.model import Policy

NO_DAY = datetime.min.replace(tzinfo=UTC)
"""Where what has no day stands: before all that has one, for somebody has to give it one."""


@dataclass(frozen=True)
class Owed:
    """One thing that is owed after a change has acted."""

    change: str
    summary: str
    part: OwedPart
    is_overdue: bool


def owed(owing: Mapping[str, Aftercare | BrokenChain], now: datetime) -> list[Owed]:
    """Return the reviews, ends of workarounds and follow-ups that are owed, the most urgent first."""
    rows = [
        Owed(each.change, each.summary, part, part.is_overdue(now))
        for each in owing.values()
        if isinstance(each, Aftercare)
        for part in parts(each, now)
        if part.about != "approval"
    ]
    return sorted(rows, key=lambda row: (not row.is_overdue, row.part.due or NO_DAY, row.change))


def retroactive_answers(owing: Mapping[str, Aftercare | BrokenChain], policy: Policy | BadPolicy) -> list[Answer]:
    """Return the retroactive approvals of which people are asked still."""
    asked = [each for each in owing.values() if isinstance(each, Aftercare) and each.is_asked and not each.is_drill]
    return [retroactive(each, policy) for each in asked]


def unreadable(owing: Mapping[str, Aftercare | BrokenChain]) -> list[Unreadable]:
    """Return the changes of which nobody can say what they owe."""
    return [Unreadable(change, str(each)) for change, each in owing.items() if isinstance(each, BrokenChain)]
