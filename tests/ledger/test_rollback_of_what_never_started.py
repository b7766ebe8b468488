"""A rollback asks for no approval, so it asks for a sealed event of a start: a row of the database alone is none."""

from dataclasses import replace

import pytest

from changewindow.errors import BrokenChain, NotAllowed
from changewindow.ledger import changes, events, leases
from changewindow.ledger.database import Ledger
from support.changes import NOW, approved, intent
from support.tampering import tamper
from support.tickets import banner

TARGETS = ("production/orders",)
RUN = "run-1"


def started(ledger: Ledger) -> str:
    """Return a change that acts."""
    submitted = approved(ledger, banner())
    leases.start(ledger, submitted.change, intent(submitted.digest, RUN), targets=TARGETS, now=NOW)
    return submitted.change


@pytest.mark.parametrize("status", ["running", "completed", "rollback_failed"])
@pytest.mark.parametrize("sealed", ["", "an event without a seal", "the event of another change"])
def test_what_never_started_is_not_rolled_back_whatever_its_row_says(ledger: Ledger, status: str, sealed: str) -> None:
    """A rollback asks for no approval, and its conditions are of the ticket: a row alone made them run unapproved."""
    started(ledger)
    submitted = changes.submit(ledger, banner(), requester="alice", now=NOW)
    tamper(ledger, f"UPDATE changes SET status = '{status}', run = NULL WHERE number = 1002")  # noqa: S608  constants
    if sealed:
        seal = "NULL" if "without" in sealed else "seal"
        tamper(
            ledger,
            "INSERT INTO events (number, sequence, at, kind, actor, data, previous, hash, seal) SELECT 1002, 2, at, "  # noqa: S608  constants
            f"kind, actor, data, previous, hash, {seal} FROM events WHERE number = 1001 AND kind = 'started'",
        )
    wanted = replace(intent(submitted.digest, RUN), mode="rollback")
    with pytest.raises((NotAllowed, BrokenChain)) as refused:
        leases.start(ledger, submitted.change, wanted, targets=("test/x",), now=NOW)
    assert "ever passed the gate" in str(refused.value) or "event 2" in str(refused.value)
    assert "started" not in {event.kind for event in events.history(ledger, submitted.change)} or sealed
    with pytest.raises((NotAllowed, BrokenChain)):
        leases.require_text(ledger, submitted.change, wanted, now=NOW)


@pytest.mark.parametrize("altered", ["UPDATE changes SET head = NULL", "DELETE FROM events WHERE sequence = 1"])
def test_what_has_started_is_rolled_back_though_its_record_is_altered(ledger: Ledger, altered: str) -> None:
    """The event with which it started has its seal."""
    change = started(ledger)
    tamper(ledger, altered, "UPDATE changes SET run = NULL")
    wanted = replace(intent(changes.get(ledger, change).digest, "run-2"), mode="rollback")
    leases.start(ledger, change, wanted, targets=TARGETS, now=NOW)
    assert changes.get(ledger, change).run == "run-2"
