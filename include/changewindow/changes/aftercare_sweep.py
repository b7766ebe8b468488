"""Says what people are to be told now of what changes owe after they have acted: the newest moment of each, once."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from changewindow.changes import aftercare_messages
from changewindow.policy.aftercare import Aftercare, who_may
from changewindow.policy.approvals import persons_of
from changewindow.policy.emergencies import Emergencies
from changewindow.policy.reviewing import WORKAROUND

AGAIN = timedelta(days=1)
"""How often it is said that something is overdue."""


@dataclass(frozen=True)
class Rules:
    """What the policy says of what is owed, and of whom."""

    emergencies: Emergencies = field(default_factory=Emergencies)
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Those of approvals.yaml."""
    owners: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Those of each service of the catalogue."""

    def owners_of(self, targets: Iterable[str]) -> tuple[str, ...]:
        """Return the people who own the services of targets."""
        named = (owner for target in targets for owner in self.owners.get(target.rpartition("/")[2], ()))
        return persons_of(tuple(dict.fromkeys(named)), self.groups)

    @property
    def escalation(self) -> tuple[str, ...]:
        """Return who is told when something is overdue."""
        return persons_of(self.emergencies.escalate_to, self.groups)


@dataclass(frozen=True)
class Due:
    """A moment of what is owed that has come."""

    about: str
    """`approval`, `review`, `workaround`, or `follow_up:N`."""
    moment: datetime
    is_overdue: bool = True
    people: tuple[str, ...] = ()
    """Who is told; nobody named means everybody."""


Schedule = Callable[[Aftercare, Rules, datetime], Iterator[Due]]
"""Yields the moments that have come until now of something that is owed still, the oldest first."""


def to_tell(owed: Aftercare, rules: Rules, now: datetime) -> list[Due]:
    """Return what people are to be told now.

    Of several moments of one thing that have come, only the newest is told, and each once. Those before it are not
    ticked off, so that a clock that was ahead for an hour swallows no reminder whose time really comes.
    """
    if owed.is_drill:
        return []
    newest = {due.about: due for schedule in SCHEDULES for due in schedule(owed, rules, now)}
    return [due for due in newest.values() if (due.about, due.moment) not in owed.told]


def daily(since: datetime, now: datetime) -> Iterator[datetime]:
    """Yield the newest of a moment and those each day after it, once the first of them has come."""
    if since <= now:
        yield since + (now - since) // AGAIN * AGAIN


def approval(owed: Aftercare, rules: Rules, now: datetime) -> Iterator[Due]:
    """Yield the reminders before the deadline of the retroactive approval, the deadline, and each day after it."""
    if not owed.is_asked or owed.due is None:
        return
    people = who_may(owed, rules.emergencies, rules.groups)
    for after in rules.emergencies.remind_after:
        if owed.began + after <= now and owed.began + after < owed.due:
            yield Due("approval", owed.began + after, is_overdue=False, people=people)
    for moment in daily(owed.due, now):
        yield Due("approval", moment, people=tuple(dict.fromkeys((*rules.escalation, *people))))


def review(owed: Aftercare, rules: Rules, now: datetime) -> Iterator[Due]:
    """Yield the day before the deadline of the review, the deadline, and each day after it.

    Where a normal change was rolled back, people learn at once that there is a review: nothing else says so.
    """
    if owed.review_due is None or owed.reviewed_at is not None:
        return
    is_normal = owed.because in {"rolled_back", "rollback_failed"}
    for moment in (*([owed.began] if is_normal else []), owed.review_due - AGAIN):
        if owed.began <= moment <= now:
            yield Due("review", moment, is_overdue=False, people=owed.involved)
    for moment in daily(owed.review_due, now):
        yield Due("review", moment, people=tuple(dict.fromkeys((*rules.escalation, *owed.involved))))


def workaround(owed: Aftercare, rules: Rules, now: datetime) -> Iterator[Due]:
    """Yield the moment at which a workaround has to be gone, and each day after it."""
    if owed.workaround_until is None:
        return
    people = (owed.executor or owed.requester, *rules.owners_of(owed.targets))
    for moment in daily(owed.workaround_until, now):
        yield Due(WORKAROUND, moment, people=tuple(dict.fromkeys(people)))


def follow_ups(owed: Aftercare, rules: Rules, now: datetime) -> Iterator[Due]:
    """Yield the day of each follow-up that is not done, and each day after it; without owner or day, the next one."""
    for each in owed.follow_ups:
        people = (each.owner,) if each.owner else (*rules.escalation, *owed.involved)
        begun = each.due if each.owner else None
        begin = begun or (each.since + AGAIN if each.since else None)
        for moment in daily(begin, now) if begin and not each.is_done else ():
            yield Due(each.about, moment, people=tuple(dict.fromkeys(people)))


SCHEDULES: tuple[Schedule, ...] = (approval, review, workaround, follow_ups)


def text_of(owed: Aftercare, due: Due, now: datetime, undo: str = "") -> str:
    """Return the message by which people are told of a moment; `undo` says how a workaround goes."""
    if due.about == WORKAROUND:
        return aftercare_messages.workaround_due(owed, now, people=due.people, undo=undo)
    follow_up = next((each for each in owed.follow_ups if each.about == due.about), None)
    if follow_up is not None:
        return aftercare_messages.follow_up_due(owed, follow_up, people=due.people)
    if due.about == "review":
        return aftercare_messages.review_due(owed, now, people=due.people)
    write = aftercare_messages.approval_overdue if due.is_overdue else aftercare_messages.approval_due
    return write(owed, now, people=due.people)
