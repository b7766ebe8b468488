"""Reminders of what is owed come at the right instants, once, also across a restart and a clock that is set."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from changewindow.changes.aftercare_sweep import Due, Rules, to_tell
from changewindow.ledger import aftercare, changes, emergencies, events, leases
from changewindow.ledger.aftercare import Word
from changewindow.ledger.database import Ledger
from changewindow.ledger.events import Event
from changewindow.ledger.payloads import Declared, Reminded, Reviewed
from changewindow.ledger.payloads.emergency import Skipped
from changewindow.policy.emergencies import Emergencies
from support.changes import NOW, approved, intent
from support.tickets import banner

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
RULES = Rules(Emergencies(escalate_to=("directors",)), {"directors": ("hanna",)})
SKIPPED = (Skipped(code="nobody_approved", sentence="nobody has approved it", people=("bob",)),)
DECLARED: dict[str, Any] = {"digest": "", "broken": "no orders", "commander": "carol", "agreed_at": NOW}
DECLARED |= {"agreed_how": "by phone", "executor": "alice", "skipped": SKIPPED, "due": NOW + 24 * HOUR}


@pytest.fixture
def change(ledger: Ledger) -> str:
    """Return an emergency that acts since NOW."""
    submitted = emergencies.declare(ledger, banner(), Declared(**DECLARED), person="alice", now=NOW, origin="run")
    leases.start(ledger, submitted.change, intent(submitted.digest), targets=("production/orders",), now=NOW)
    return submitted.change


def swept(ledger: Ledger, change: str, now: datetime) -> list[Due]:
    """Sweep as housekeeping does, which knows nothing but the ledger; return what people are told."""
    owed = aftercare.of_change(ledger, change)
    assert owed is not None
    told = []
    for due in to_tell(owed, RULES, now):
        reminded = Reminded(about=due.about, moment=due.moment, is_overdue=due.is_overdue, people=due.people)
        assert aftercare.remind(ledger, change, reminded, now=now)
        assert not aftercare.remind(ledger, change, reminded, now=now)
        told.append(due)
    return told


def hours(ledger: Ledger, change: str, *moments: float) -> list[tuple[float, str, float, bool]]:
    """Sweep at so many hours after NOW; return at which what was told, of which hour, and whether it is overdue."""
    return [
        (at, due.about, (due.moment - NOW) / HOUR, due.is_overdue)
        for at in moments
        for due in swept(ledger, change, NOW + at * HOUR)
    ]


def test_each_reminder_comes_at_its_instant_and_once(ledger: Ledger, change: str) -> None:
    """At half the deadline, four hours before it, at it, and each day after."""
    every = [minutes / 60 for minutes in range(0, 75 * 60, 5)]
    assert hours(ledger, change, *every) == [
        (12, "approval", 12, False),
        (20, "approval", 20, False),
        (24, "approval", 24, True),
        (48, "approval", 48, True),
        (72, "approval", 72, True),
    ]


def test_whoever_may_approve_is_told_and_once_it_is_overdue_those_above(ledger: Ledger, change: str) -> None:
    """By name."""
    [reminder] = swept(ledger, change, NOW + 12 * HOUR)
    [overdue] = swept(ledger, change, NOW + 24 * HOUR)
    assert (reminder.people, overdue.people) == (("bob",), ("hanna", "bob"))


def test_after_a_pause_only_the_newest_is_told(ledger: Ledger, change: str) -> None:
    """Also where nobody swept for days; and a second sweep at once tells nothing more."""
    assert hours(ledger, change, 21, 21, 23.9) == [(21, "approval", 20, False)]
    assert hours(ledger, change, 80, 80.5) == [(80, "approval", 72, True)]


def test_a_clock_that_goes_back_tells_nothing_twice(ledger: Ledger, change: str) -> None:
    """What was told of a moment is in the ledger; that the moment comes again changes nothing."""
    assert len(hours(ledger, change, 12, 20, 24)) == 3
    assert hours(ledger, change, 11, 12, 20, 23, 24, 47) == []
    assert hours(ledger, change, 48) == [(48, "approval", 48, True)]


def test_a_clock_that_was_ahead_swallows_no_reminder(ledger: Ledger, change: str) -> None:
    """It is set forward by a day by mistake, and put right an hour later: all that was not told comes in its time."""
    assert hours(ledger, change, 30) == [(30, "approval", 24, True)]
    assert hours(ledger, change, 7, 12, 20, 24, 48) == [
        (12, "approval", 12, False),
        (20, "approval", 20, False),
        (48, "approval", 48, True),
    ]


def test_a_word_within_the_deadline_ends_it_and_a_late_one_too(ledger: Ledger, change: str) -> None:
    """What does not count ends nothing; each is an event."""
    digest = changes.get(ledger, change).digest
    involved = aftercare.decide(ledger, change, Word("alice", digest, True), people=("bob",), now=NOW + HOUR)
    assert (involved.counts, involved.late, involved.why_not) == (False, False, "alice requested it")
    assert len(hours(ledger, change, 12, 20, 24)) == 3
    late = aftercare.decide(ledger, change, Word("bob", digest, True), people=("bob",), now=NOW + 25 * HOUR)
    assert (late.counts, late.late) == (False, True)
    owed = aftercare.of_change(ledger, change)
    assert owed is not None
    assert owed.approval(NOW + 30 * HOUR) == "late"
    assert [(each.person, each.counts, each.is_late) for each in owed.words] == [
        ("alice", False, False),
        ("bob", False, True),
    ]
    assert hours(ledger, change, 48, 72) == []


def test_a_review_is_asked_for_the_day_before_it_is_due_and_then_each_day(ledger: Ledger, change: str) -> None:
    """Of an emergency, whose last message has said that it is owed; a review that is done ends it."""
    ended: Any = {"run": "run-1", "outcome": "completed", "reason": ""}
    changes.close(ledger, change, **ended, now=NOW + HOUR, review_due=NOW + 168 * HOUR)
    digest = changes.get(ledger, change).digest
    aftercare.decide(ledger, change, Word("bob", digest, is_yes=True), people=("bob",), now=NOW + HOUR)
    assert hours(ledger, change, 2, 143.9, 144, 150, 168, 191, 192) == [
        (144, "review", 144, False),
        (168, "review", 168, True),
        (192, "review", 192, True),
    ]
    events.record(ledger, Event(change, "dora", NOW + 200 * HOUR, Reviewed(digest=digest, what_happened="It broke")))
    assert hours(ledger, change, 216, 240) == []


def test_after_a_rollback_people_learn_at_once_that_there_is_a_review(ledger: Ledger) -> None:
    """By name; a normal change owes nothing else."""
    submitted = approved(ledger, banner())
    leases.start(ledger, submitted.change, intent(submitted.digest), targets=("production/orders",), now=NOW)
    ended: Any = {"run": "run-1", "outcome": "rolled_back", "reason": "errors = 7"}
    changes.close(ledger, submitted.change, **ended, now=NOW, review_due=NOW + 168 * HOUR)
    [due] = swept(ledger, submitted.change, NOW)
    assert (due.about, due.is_overdue, due.people) == ("review", False, ("alice",))
    assert swept(ledger, submitted.change, NOW + HOUR) == []
