"""Enters what was done by hand into the ledger, and closes the findings that it explains, by value."""

from dataclasses import dataclass
from datetime import datetime

from changewindow.changes.by_hand import MARGIN, Told, told_by
from changewindow.changes.explaining import Scope
from changewindow.ledger import findings, records
from changewindow.ledger.database import Ledger
from changewindow.ledger.findings import Recorded
from changewindow.ledger.findings_search import Wanted
from changewindow.policy.emergencies import Deadlines
from changewindow.policy.finding_rights import WhyNot
from changewindow.policy.manual_change import ManualChange

ACCEPT = (
    "To leave it as it is, accept it: the DAG `accept_finding`, or "
    "`changewindow findings accept {} --reason TEXT --until TIME`"
)

NOT_THEIRS = (
    "the record explains it ({}), but {}. The record is kept; ask one of them to accept the finding: the DAG "
    "`accept_finding`, or `changewindow findings accept {} --reason TEXT --until TIME`"
)


@dataclass(frozen=True)
class Judged:
    """What a record means for a finding."""

    number: int
    told: Told
    what: str = ""
    """What was found."""

    @property
    def text(self) -> str:
        """Return it as people read it."""
        if self.told.explains:
            return f"finding {self.number} is closed as recorded: {self.told.why}"
        return f"finding {self.number} is not closed: {self.told.why}"


@dataclass(frozen=True)
class Teller:
    """Who tells of what was done by hand."""

    person: str
    why_not: WhyNot
    """Why findings are not theirs to close."""


@dataclass(frozen=True)
class Outcome:
    """What became of a record."""

    change: str
    judged: tuple[Judged, ...] = ()
    """The findings that it closes, and those that somebody named and it does not explain."""
    is_new: bool = True
    due: datetime | None = None
    """By when its retroactive approval is owed; None: none is."""

    @property
    def closed(self) -> list[Judged]:
        """Return those that it closes."""
        return [each for each in self.judged if each.told.explains]

    @property
    def left(self) -> list[Judged]:
        """Return those that stay as they are."""
        return [each for each in self.judged if not each.told.explains]


def enter(
    ledger: Ledger,
    manual: ManualChange,
    teller: Teller,
    *,
    now: datetime,
    origin: str | None = None,
    owes: Deadlines | None = None,
) -> Outcome:
    """Put a record into the ledger under who tells it; say of each finding that it is about what became of it.

    Whoever has no right to close a finding is recorded all the same, and the finding stays open.
    """
    judged = _judged(ledger, manual, teller)
    explained = {each.number: each.told.why for each in judged if each.told.explains}
    entered = records.enter(ledger, manual, explained, person=teller.person, now=now, origin=origin, owes=owes)
    if not entered.is_new:
        return Outcome(entered.change, is_new=False)
    lost = Told(explains=False, why="somebody else has settled it meanwhile")
    return Outcome(
        entered.change,
        tuple(
            each if not each.told.explains or each.number in entered.closed else Judged(each.number, lost, each.what)
            for each in judged
        ),
        due=owes.approval if owes else None,
    )


def close_told(ledger: Ledger, why_not: WhyNot, *, now: datetime) -> tuple[int, ...]:
    """Close the open findings that an earlier record explains, since a collector saw late what was told; return them.

    As when it was told, it closes only what whoever told it may close. Nothing that happened after a record was told is
    explained by it: its end lies before that.
    """
    still_open = [each for each in findings.find(ledger, Wanted(state="open")) if each.finding.kind == "change"]
    if not still_open:
        return ()
    closed: list[int] = []
    for kept in records.since(ledger, min(each.finding.since for each in still_open) - MARGIN):
        wanted = [each for each in still_open if each.number not in closed and _is_meant(kept.manual, each.number)]
        teller = Teller(kept.person, why_not)
        judged = [_judged_one(kept.manual, each, teller) for each in wanted]
        explained = {each.number: each.told.why for each in judged if each.told.explains}
        closed += records.close(ledger, kept, explained, now=now) if explained else ()
    return tuple(sorted(closed))


def _judged(ledger: Ledger, manual: ManualChange, teller: Teller) -> list[Judged]:
    """Judge the findings that were named, or else every open one that it explains, whoever may close it."""
    known = findings.find(ledger, Wanted(numbers=manual.findings) if manual.findings else Wanted(state="open"))
    if manual.findings:
        by_number = {each.number: each for each in known}
        return [_of_named(manual, number, by_number.get(number), teller) for number in dict.fromkeys(manual.findings)]
    return [_judged_one(manual, each, teller) for each in reversed(known) if _told(manual, each).explains]


def _judged_one(manual: ManualChange, each: Recorded, teller: Teller) -> Judged:
    finding, told = each.finding, _told(manual, each)
    if told.explains and (reason := teller.why_not(teller.person, finding.services)):
        told = Told(explains=False, why=NOT_THEIRS.format(told.why, reason, each.number))
    return Judged(each.number, told, f"{finding.object or finding.collector} {finding.what}")


def _of_named(manual: ManualChange, number: int, each: Recorded | None, teller: Teller) -> Judged:
    if each is None:
        return Judged(number, Told(explains=False, why="there is none with this number"))
    judged = _judged_one(manual, each, teller)
    if each.state != "open":
        return Judged(number, Told(explains=False, why=f"it is {each.state} already, by {each.person}"), judged.what)
    if judged.told.explains or _told(manual, each).explains:
        return judged
    return Judged(number, Told(explains=False, why=f"{judged.told.why}. {ACCEPT.format(number)}"), judged.what)


def _told(manual: ManualChange, each: Recorded) -> Told:
    finding = each.finding
    if finding.kind == "gap":
        return Told(explains=False, why=f"it is a time in which {finding.collector} could not see, and no change")
    scope = Scope(finding.environment, finding.services)
    if not scope.covers(manual.environment, manual.services):
        whose = f"{', '.join(scope.services) or 'everything'}{f' in {scope.environment}' if scope.environment else ''}"
        return Told(explains=False, why=f"it is about {whose}, the record about {', '.join(manual.targets)}")
    return told_by(manual, finding)


def _is_meant(manual: ManualChange, number: int) -> bool:
    return not manual.findings or number in manual.findings
