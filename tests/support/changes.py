"""An approved change in a ledger, and the moment at which tests let it run."""

from datetime import UTC, datetime, timedelta
from typing import Any

from changewindow.ledger import approvals, changes, extension
from changewindow.ledger.database import Ledger
from changewindow.ledger.payloads import ExtensionAsked
from changewindow.policy.sign_off import RequiredApproval
from changewindow.policy.standing import Intent

NOW = datetime(2031, 3, 18, 14, 10, tzinfo=UTC)
"""A moment within the window of the example ticket."""
ONE_HOUR = (RequiredApproval("peer", 1, valid=timedelta(hours=1)),)
"""One other person, whose yes counts for an hour."""


def approved(
    ledger: Ledger, data: dict[str, Any], *, person: str = "bob", valid: timedelta = timedelta(hours=1)
) -> changes.Submitted:
    """Submit a ticket as alice and approve it for an hour; return the change."""
    submitted = changes.submit(ledger, data, requester="alice", now=NOW)
    wanted = intent(submitted.digest, approvals=(RequiredApproval("peer", 1, valid=valid),))
    approvals.decide(ledger, submitted.change, wanted, person=person, is_yes=True, now=NOW)
    return submitted


def intent(digest: str, run: str = "run-1", **changed: Any) -> Intent:
    """Return what a run within the window of the example ticket wants."""
    opens = NOW - timedelta(minutes=10)
    fields = {"opens": opens, "closes": opens + timedelta(hours=1), "needs": timedelta(minutes=4), **changed}
    return Intent(run, digest, **{"approvals": ONE_HOUR, **fields})


def extended(ledger: Ledger, change: str, later: datetime, now: datetime, *, digest: str = "") -> None:
    """Move the end of a change's window, as alice asks and bob allows."""
    asked = ExtensionAsked(run="", later=later, reason="it takes longer", people=("bob",), by="alice", digest=digest)
    extension.extend(ledger, change, asked, person="bob", now=now)
