"""Nobody approves an own ticket under the name of somebody else: where nobody knows who wrote it, two have to."""

from datetime import timedelta
from typing import Any

import pytest

from changewindow.errors import ApprovalRefused, NotAllowed
from changewindow.ledger import approvals, changes, leases
from changewindow.ledger.database import Ledger
from changewindow.ledger.verification import verify_all
from changewindow.policy.sign_off import RequiredApproval
from support.changes import NOW, intent
from support.tickets import banner

TARGETS = ("production/orders",)


def decide(ledger: Ledger, submitted: changes.Submitted, person: str, **wanted: Any) -> Any:
    """Let somebody say yes."""
    return approvals.decide(
        ledger, submitted.change, intent(submitted.digest, **wanted), person=person, is_yes=True, now=NOW
    )


def test_who_wrote_a_ticket_in_the_name_of_another_does_not_approve_it_alone(ledger: Ledger) -> None:
    """Mallory has committed it as alice; a second person is asked, and nobody else starts it."""
    submitted = changes.submit(ledger, banner(), requester="alice", now=NOW, is_proven=False)
    assert not approvals.is_proven(ledger, submitted.change)
    pending = decide(ledger, submitted, "mallory")
    assert (pending.required.level, pending.missing) == ("second person", 1)
    assert changes.get(ledger, submitted.change).status == "submitted"
    with pytest.raises(NotAllowed, match=r"level 'second person' lacks 1 of 1 approvals"):
        leases.start(ledger, submitted.change, intent(submitted.digest), targets=TARGETS, now=NOW)
    for person in ("mallory", " Mallory", "alice"):
        with pytest.raises(ApprovalRefused):
            decide(ledger, submitted, person)
    assert decide(ledger, submitted, "bob") is None
    leases.start(ledger, submitted.change, intent(submitted.digest), targets=TARGETS, now=NOW)
    assert verify_all(ledger).altered == ()


def test_a_named_approver_and_somebody_else(ledger: Ledger) -> None:
    """The policy's own level stays as it is."""
    needs = (RequiredApproval("owner", 1, ("bob",), valid=timedelta(hours=1)),)
    submitted = changes.submit(ledger, banner(), requester="alice", now=NOW, is_proven=False)
    with pytest.raises(ApprovalRefused, match="asked are: bob"):
        decide(ledger, submitted, "carol", approvals=needs)
    assert decide(ledger, submitted, "bob", approvals=needs).required.level == "second person"
    assert decide(ledger, submitted, "carol", approvals=needs) is None


def test_what_is_approved_in_advance_stays_so(ledger: Ledger) -> None:
    """Whoever asks for a standard change."""
    submitted = changes.submit(ledger, banner(), requester="alice", now=NOW, is_proven=False)
    assert approvals.asked(ledger, submitted.change, intent(submitted.digest, approvals=()), now=NOW) is None


def test_a_text_of_a_known_person_needs_nobody_more(ledger: Ledger) -> None:
    """Whose name counts from then on; the next claimed one needs somebody again."""
    submitted = changes.submit(ledger, banner(), requester="alice", now=NOW, is_proven=False)
    known = changes.revise(ledger, submitted.change, banner(summary="Mine."), person="bob", now=NOW)
    assert approvals.is_proven(ledger, submitted.change)
    assert decide(ledger, known, "alice") is None
    claimed = changes.revise(
        ledger, submitted.change, banner(summary="Not mine."), person="bob", now=NOW, is_proven=False
    )
    assert decide(ledger, claimed, "alice").required.level == "second person"
