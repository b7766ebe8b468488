"""A declared emergency acts without approval, and only the very text that was declared."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from changewindow.errors import NotAllowed
from changewindow.ledger import aftercare, changes, emergencies, leases, owing
from changewindow.ledger.database import Ledger
from changewindow.ledger.models import EventRow
from changewindow.ledger.payloads import Declared
from changewindow.ledger.payloads.emergency import Skipped
from changewindow.ledger.verification import verify_all
from support.changes import NOW, intent
from support.tickets import banner

TARGETS = ("production/orders",)
DUE = NOW + timedelta(hours=24)
DECLARED = Declared(
    digest="",
    broken="no orders come in",
    commander="carol",
    agreed_at=NOW,
    agreed_how="in the incident channel",
    executor="alice",
    skipped=(Skipped(code="nobody_approved", sentence="nobody has approved it", people=("bob",)),),
    due=DUE,
)


def declared(ledger: Ledger, data: dict[str, Any], origin: str = "emergency_change/one") -> changes.Submitted:
    """Declare an emergency as alice does."""
    return emergencies.declare(ledger, data, DECLARED, person="alice", now=NOW, origin=origin)


def test_a_declared_text_passes_the_gate(ledger: Ledger) -> None:
    """Nobody has approved it; its record is whole, and says what it owes."""
    submitted = declared(ledger, banner())
    leases.start(ledger, submitted.change, intent(submitted.digest), targets=TARGETS, now=NOW)
    assert changes.get(ledger, submitted.change).status == "running"
    assert verify_all(ledger).altered == ()
    owed = aftercare.of_change(ledger, submitted.change)
    assert owed is not None
    assert (owed.digest, owed.due, owed.involved) == (submitted.digest, DUE, ("alice", "carol"))
    assert owed.skipped_people == ("bob",)
    assert (owed.approval(NOW), owed.approval(DUE + timedelta(seconds=1))) == ("owed", "overdue")
    assert owing.since(ledger, NOW - timedelta(hours=1)) == {submitted.change: owed}
    assert owing.since(ledger, NOW + timedelta(seconds=1)) == {}


def test_what_many_owe_is_read_without_an_object_for_each_event(ledger: Ledger) -> None:
    """Most of the time of a report went into those objects, of which nothing but the fields was read."""
    declared(ledger, banner())
    made: list[EventRow] = []
    event.listen(EventRow, "load", keep := lambda row, _: made.append(row))
    known = owing.since(ledger, NOW - timedelta(hours=1))
    event.remove(EventRow, "load", keep)
    assert list(known) == ["CHG-1001"]
    assert made == []


def test_the_same_run_declares_once(ledger: Ledger) -> None:
    """Also where it is tried again; another run declares another change."""
    first, again = declared(ledger, banner()), declared(ledger, banner())
    assert (again.change, again.digest, again.is_new_text) == (first.change, first.digest, False)
    assert declared(ledger, banner(), "emergency_change/two").change != first.change


def test_another_text_of_it_does_not_pass(ledger: Ledger) -> None:
    """What was declared is one text; a revision of it is approved like any other."""
    submitted = declared(ledger, banner())
    revised = changes.revise(
        ledger, submitted.change, {**banner(), "summary": "Something else"}, person="alice", now=NOW
    )
    with pytest.raises(NotAllowed, match="nobody has approved it"):
        leases.start(ledger, submitted.change, intent(revised.digest), targets=TARGETS, now=NOW)


def test_a_change_that_nobody_declared_does_not_pass(ledger: Ledger) -> None:
    """The same text, asked for as usual, waits for its approval."""
    declared(ledger, banner())
    submitted = changes.submit(ledger, banner(), requester="alice", now=NOW)
    with pytest.raises(NotAllowed, match="nobody has approved it"):
        leases.start(ledger, submitted.change, intent(submitted.digest), targets=TARGETS, now=NOW)
    assert aftercare.of_change(ledger, submitted.change) is None
