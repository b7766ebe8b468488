"""Who reviews what owes a review, and what becomes of its follow-ups: each an event of the change, under seal."""

from datetime import timedelta
from typing import Any

import pytest

from changewindow.errors import BrokenChain, LedgerUnknown, OperatorError
from changewindow.ledger import aftercare, changes, emergencies, events, records, reviews
from changewindow.ledger.database import Ledger
from changewindow.ledger.event_kinds import EventKind
from changewindow.ledger.events import Event
from changewindow.ledger.payloads import Declared, FollowedUp, ReviewAsked, Reviewed, Started
from changewindow.ledger.payloads.emergency import FollowUp
from changewindow.ledger.verification import verify_all
from changewindow.policy.aftercare import Aftercare, Because
from support.changes import NOW, approved
from support.manual_changes import manual
from support.tampering import tamper
from support.tickets import banner

DUE, DAY = NOW + timedelta(days=7), timedelta(days=1)
REVIEWED = Reviewed(
    digest="somebody else's",
    what_happened="The pool was full",
    follow_ups=(FollowUp(what="alert earlier", owner="alice", due=DUE), FollowUp(what="larger pool")),
    run="review_change/one",
)


def declared(ledger: Ledger, **fields: Any) -> str:
    """Declare an emergency as alice; return it."""
    told: dict[str, Any] = {"broken": "no orders", "agreed_how": "by phone", "skipped": (), **fields}
    said = Declared(digest="", commander="carol", agreed_at=NOW, executor="erin", due=NOW + DAY, **told)
    return emergencies.declare(ledger, banner(), said, person="alice", now=NOW, origin="emergency_change/one").change


def asked(ledger: Ledger, change: str, because: Because = "emergency") -> str:
    """Let a review be asked for."""
    events.record(ledger, Event(change, "housekeeping", NOW, ReviewAsked(because=because, due=DUE)))
    return change


def review(ledger: Ledger, change: str, person: str = "dora", **changed: Any) -> Aftercare:
    """Review it."""
    return reviews.review(ledger, change, REVIEWED.model_copy(update=changed), person=person, now=NOW).owed


def follow(ledger: Ledger, change: str, about: str = "follow_up:1", **said: Any) -> Aftercare:
    """Say what became of it."""
    followed = FollowedUp(about=about, **{"reason": "It is there", **said})
    return reviews.follow_up(ledger, change, followed, person="bob", now=NOW).owed


@pytest.mark.parametrize("because", ["emergency", "record", "rolled_back", "rollback_failed"])
def test_whatever_owes_a_review_can_be_reviewed(ledger: Ledger, because: Because) -> None:
    """It is bound to what ran or was recorded, whatever the form says; the whole ledger verifies."""
    if because == "emergency":
        change = declared(ledger)
    elif because == "record":
        change = records.enter(ledger, manual("reboot"), {}, person="bob", now=NOW).change
    else:
        change = approved(ledger, banner()).change
    owed = review(ledger, asked(ledger, change, because))
    assert (owed.because, owed.reviewed_at, owed.reviewed_by) == (because, NOW, "dora")
    assert [written.digest for written in events.past(ledger, change, Reviewed)] == [changes.get(ledger, change).digest]
    assert [(each.number, each.owner, each.due) for each in owed.follow_ups] == [(1, "alice", DUE), (2, "", None)]
    assert not owed.is_review_overdue(DUE + DAY)
    assert verify_all(ledger).altered == ()


def test_the_first_review_counts_and_a_second_one_adds(ledger: Ledger) -> None:
    """Each person once, however the name is written; a run that is tried again writes nothing more."""
    change = asked(ledger, declared(ledger))
    first = review(ledger, change)
    assert review(ledger, change) == first
    with pytest.raises(OperatorError, match="Dora has reviewed CHG-1001 already"):
        review(ledger, change, "Dora", run="review_change/two")
    later = review(ledger, change, "bob", run="review_change/three", follow_ups=(FollowUp(what="a runbook"),))
    assert (later.reviewed_by, later.reviewers) == ("dora", ("dora", "bob"))
    assert [(each.number, each.what) for each in later.follow_ups][2:] == [(3, "a runbook")]
    assert len(events.history(ledger, change, EventKind.REVIEWED)) == 2


def test_what_owes_no_review_is_not_reviewed(ledger: Ledger) -> None:
    """A sentence says why: it owes none, or has not ended, or does not exist."""
    with pytest.raises(OperatorError, match="owes no review: it was no emergency, is no record, and was not rolled"):
        review(ledger, approved(ledger, banner()).change)
    with pytest.raises(OperatorError, match=r"CHG-1002 has not acted\. Until it does, there is nothing to review"):
        review(ledger, declared(ledger))
    started = Started(run="run-1", digest="d", mode="run", token=1, targets=())
    events.record(ledger, Event("CHG-1002", "run-1", NOW, started))
    with pytest.raises(OperatorError, match=r"CHG-1002 has not ended\. Review it when it has"):
        review(ledger, "CHG-1002")
    with pytest.raises(LedgerUnknown):
        review(ledger, "CHG-4242")
    with pytest.raises(OperatorError, match="has not ended"):
        reviews.owing_review(ledger, "CHG-1002")
    assert [events.history(ledger, f"CHG-{number}", EventKind.REVIEWED) for number in (1001, 1002)] == [[], []]


def test_a_follow_up_is_done_or_moved(ledger: Ledger) -> None:
    """Once it is done, nothing more is said of it; an unknown one is refused with those that are open."""
    change = asked(ledger, declared(ledger))
    review(ledger, change)
    moved = follow(ledger, change, "follow_up:2", done=False, owner="erin", due=DUE + DAY)
    assert (moved.follow_ups[1].owner, moved.follow_ups[1].due, moved.follow_ups[1].is_done) == (
        "erin",
        DUE + DAY,
        False,
    )
    assert follow(ledger, change).follow_ups[0].is_done
    with pytest.raises(OperatorError, match="follow-up 1 of CHG-1001 is done already"):
        follow(ledger, change)
    with pytest.raises(OperatorError, match=r"CHG-1001 has no follow-up 9\. Open: 2 larger pool\."):
        follow(ledger, change, "follow_up:9")


def test_a_workaround_goes_or_stays_a_while(ledger: Ledger) -> None:
    """Only where there is one, and until it is gone."""
    change = declared(ledger, workaround_until=DUE)
    assert follow(ledger, change, "workaround", done=False, due=DUE + DAY).workaround_until == DUE + DAY
    assert follow(ledger, change, "workaround", run="follow_up/one").workaround_until is None
    assert follow(ledger, change, "workaround", run="follow_up/one").workaround_until is None
    with pytest.raises(OperatorError, match="CHG-1001 has no workaround that has to go"):
        follow(ledger, change, "workaround")
    with pytest.raises(OperatorError, match="owes nothing"):
        follow(ledger, approved(ledger, banner()).change, "workaround")


def test_a_review_that_was_edited_is_noticed(ledger: Ledger) -> None:
    """Its event is sealed like any other: nothing of what the change owes is told then."""
    change = asked(ledger, declared(ledger))
    review(ledger, change)
    tamper(ledger, "UPDATE events SET actor = 'mallory' WHERE kind = 'reviewed'")
    with pytest.raises(BrokenChain, match="does not match its hash"):
        aftercare.of_change(ledger, change)
