"""Says which changes start within the hour, and what people have to answer before a change goes on."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from changewindow.changes.housekeeping import LATE
from changewindow.changes.known_change import KnownChange
from changewindow.errors import BadPolicy
from changewindow.ledger import events
from changewindow.ledger.changes import WAITING
from changewindow.ledger.models import Lease, identity
from changewindow.policy.aftercare import Aftercare, who_may
from changewindow.policy.approval_rules import next_approval
from changewindow.policy.assessment import Assessment
from changewindow.policy.conflicts import Other
from changewindow.policy.gate import decide
from changewindow.policy.model import Policy
from changewindow.policy.standing import Case, HeldTarget, LineStop

HOUR = timedelta(hours=1)
"""How far ahead one looks."""
HIDDEN = "Another change, which you may not see, stands against it."
STOPPED = "The line is stopped: nothing starts before that ends."
"""Who stopped it, and why, stands elsewhere, for those who may see it."""
NOT_KNOWN = "who is asked is not known until the policy can be read"


@dataclass(frozen=True)
class Coming:
    """A change that may start within the hour."""

    change: str
    summary: str
    targets: tuple[str, ...]
    owner: str
    opens: datetime
    closes: datetime
    latest: datetime
    """Until when it may start: later, steps, watch and rollback do not fit before the end of its window."""
    is_open: bool
    """Whether its window is open."""
    is_emergency: bool = False
    against: tuple[str, ...] = ()
    """What stands against it, as far as that is known now; a sentence each."""


@dataclass(frozen=True)
class Answer:
    """Something that people have to answer."""

    change: str
    summary: str
    about: Literal["approval", "checklist", "question", "extension", "retroactive approval"]
    what: str
    people: tuple[str, ...]
    """Who is asked; nobody named means anybody but `excluded`."""
    excluded: tuple[str, ...] = ()
    until: datetime | None = None
    is_known: bool = True
    """Whether it is known who is asked."""

    @property
    def whom(self) -> str:
        """Return who is asked, as a phrase."""
        if not self.is_known:
            return NOT_KNOWN
        return ", ".join(self.people) or f"anybody but {', '.join(self.excluded)}"

    def is_late(self, now: datetime) -> bool:
        """Return whether the answer should be there already."""
        return self.until is not None and now > self.until


@dataclass(frozen=True)
class Around:
    """What may stand against a start beside the change itself."""

    policy: Policy | BadPolicy
    leases: Sequence[Lease]
    acting: Sequence[Other]
    stops: tuple[LineStop, ...]
    numbers: frozenset[int] | None = None
    """The changes that may be named; None: every one."""

    def shown(self, sentence: str) -> str:
        """Return what stands against a change, unless it names another one that may not be named."""
        named = {events.number(name) for name in events.ID.findall(sentence)}
        return sentence if self.numbers is None or named <= self.numbers else HIDDEN


def coming(known: Iterable[KnownChange], around: Around, now: datetime) -> list[Coming]:
    """Return the changes whose window opens within the hour or is open, and that have not started."""
    waiting = [change for change in known if change.row.status == "approved" or _is_starting_emergency(change)]
    near = [change for change in waiting if change.row.opens <= now + HOUR]
    return sorted((_coming(change, around, now) for change in near), key=lambda row: (row.opens, row.change))


def _is_starting_emergency(change: KnownChange) -> bool:
    return change.row.status == "submitted" and change.is_declared


def _coming(change: KnownChange, around: Around, now: datetime) -> Coming:
    row, ticket = change.row, change.ticket
    return Coming(
        change=row.id,
        summary=row.summary,
        targets=ticket.targets,
        owner=row.owner,
        opens=row.opens,
        closes=row.closes,
        latest=row.closes - ticket.needs,
        is_open=row.opens <= now,
        is_emergency=change.is_declared,
        against=tuple(_against(change, around, now)),
    )


def _against(change: KnownChange, around: Around, now: datetime) -> Iterator[str]:
    """Yield what the gate would have against it once its window is open, were nothing to change until then."""
    row, policy = change.row, around.policy
    if row.closes + LATE < now:
        yield "Its window has passed, and nobody has closed it as missed. Look whether the DAG housekeeping runs."
        return
    held = tuple(
        HeldTarget(lease.target, identity(lease.number))
        for lease in around.leases
        if lease.target in change.ticket.targets and lease.number != row.number
    )
    acting = tuple(other for other in around.acting if other.change != row.id)
    at = max(now, row.opens)
    if any(stop.until > at for stop in around.stops):
        yield STOPPED
    standing = replace(change.standing, held=held, acting=acting)
    assessed = policy if isinstance(policy, BadPolicy) else _assessed(change, policy)
    decision = decide(standing, change.intent, assessed, at)
    yield from dict.fromkeys(around.shown(f"{finding.sentence}. {finding.remedy}") for finding in decision.findings)


def _assessed(change: KnownChange, policy: Policy) -> Assessment:
    return Assessment(policy, change.ticket, change.data, change.row.id)


def answers(known: Iterable[KnownChange], policy: Policy | BadPolicy, now: datetime) -> list[Answer]:
    """Return what changes wait for, that have not ended: an approval, a checklist, or whether they are kept."""
    return [answer for change in known for answer in _answers(change, policy, now)]


def _answers(change: KnownChange, policy: Policy | BadPolicy, now: datetime) -> Iterator[Answer]:
    row, course = change.row, change.course
    if row.status == "submitted" and not change.is_declared:
        yield from _approval(change, policy, now)
    elif row.status == "approved" and row.opens <= now < row.closes and not change.is_confirmed:
        if items := change.ticket.preflight.confirmed:
            latest = row.closes - change.ticket.needs
            yield Answer(row.id, row.summary, "checklist", "; ".join(items), (row.owner,), until=latest)
    elif row.status == "running" and course.state == "waiting" and course.asked:
        asked = course.asked
        what = f"Is it kept? {asked.reason}"
        yield Answer(row.id, row.summary, "question", what, asked.people, until=asked.until)
    yield from _extensions(change, now)


def _extensions(change: KnownChange, now: datetime) -> Iterator[Answer]:
    row = change.row
    for asked in change.extensions if row.status in (*WAITING, "running") else ():
        what = f"may its window end {asked.later:%Y-%m-%d %H:%M} UTC? {asked.by} asks for it: {asked.reason}"
        if max(now, row.closes) < asked.later:
            yield Answer(row.id, row.summary, "extension", what, asked.people, excluded=(asked.by,), until=asked.later)


def _approval(change: KnownChange, policy: Policy | BadPolicy, now: datetime) -> Iterator[Answer]:
    row, latest = change.row, change.row.closes - change.ticket.needs
    if isinstance(policy, BadPolicy):
        yield Answer(row.id, row.summary, "approval", "an approval", (), until=latest, is_known=False)
        return
    pending = next_approval(Case(change.standing, change.intent, _assessed(change, policy), now))
    if pending:
        what = f"{pending.missing} of {pending.required.count} at level '{pending.required.level}'"
        yield Answer(row.id, row.summary, "approval", what, pending.people, excluded=pending.excluded, until=latest)


def retroactive(owed: Aftercare, policy: Policy | BadPolicy) -> Answer:
    """Return what is asked of people about a change that has acted without approval."""
    is_known = not isinstance(policy, BadPolicy)
    people = () if isinstance(policy, BadPolicy) else who_may(owed, policy.emergencies, policy.approvals.groups)
    about: Literal["retroactive approval"] = "retroactive approval"
    return Answer(
        owed.change,
        owed.summary,
        about,
        "what ran without approval",
        people,
        excluded=owed.involved,
        until=owed.due,
        is_known=is_known,
    )
