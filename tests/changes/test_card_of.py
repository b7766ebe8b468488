"""Where a change stands, as its card says: read from sealed events in whatever order they came."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest

from changewindow.changes.card import Card
from changewindow.changes.card_of import card_of
from changewindow.ledger import changes, leases, payloads
from changewindow.ledger.changes import Submitted
from changewindow.ledger.database import Ledger
from changewindow.ledger.events import Event, record
from changewindow.ledger.payloads import Payload
from changewindow.ticket.reader import build_ticket
from support.changes import NOW, approved, intent
from support.tickets import POLICY, banner

RUN = "run-1"


def card(ledger: Ledger, change: str, after: timedelta = timedelta(0)) -> Card:
    """Return the card of a change."""
    return card_of(ledger, change, POLICY, NOW + after, links={"page": "https://airflow.example/changes"})


def happened(ledger: Ledger, change: str, *payload: Payload, run: str = RUN) -> None:
    """Let its run write events."""
    for each in payload:
        data = each.model_copy(update={"run": run})
        record(ledger, Event(change, f"{run}/task", NOW, type(each)(**{**data.model_dump(by_alias=True), "run": run})))


def started(ledger: Ledger, **changed: Any) -> Submitted:
    """Return a change that has passed its gate."""
    submitted = approved(ledger, banner(**changed))
    leases.start(ledger, submitted.change, intent(submitted.digest, RUN), targets=("production/orders",), now=NOW)
    return submitted


REMEMBERED = payloads.Remembered(step=1, name="Switch it on", remembered={})
APPLIED = payloads.Applied(step=1, name="Switch it on")
WATCHING = payloads.Watching(since=NOW, seconds=60)
ASKED = payloads.Asked(people=("alice", "bob"), reason="error rate is not known", until=NOW + timedelta(minutes=15))
ANSWERED = payloads.Answered(by="bob", answer=("Keep it",))
UNDO = payloads.WatchDecided(route="undo", reason="p99 is bad: 348 ms, limit 200 ms")
UNDOING = payloads.Undoing(step=1, name="Switch it on")
UNDONE = payloads.Undone(step=1, name="Switch it on", restored="off")


@pytest.mark.parametrize(
    ("events", "state", "step"),
    [
        ((), "running", "to come"),
        ((REMEMBERED,), "running", "applying"),
        ((REMEMBERED, APPLIED), "running", "applied"),
        ((REMEMBERED, APPLIED, WATCHING), "watching", "applied"),
        ((REMEMBERED, APPLIED, WATCHING, ASKED), "waiting", "applied"),
        ((REMEMBERED, APPLIED, WATCHING, ASKED, ANSWERED), "watching", "applied"),
        ((REMEMBERED, APPLIED, WATCHING, UNDO), "rolling_back", "applied"),
        ((REMEMBERED, APPLIED, WATCHING, UNDO, UNDOING), "rolling_back", "undoing"),
        ((REMEMBERED, UNDOING, UNDONE), "rolling_back", "undone"),
        ((REMEMBERED, UNDOING, payloads.UndoFailed(step=1, name="x", reason="no")), "rolling_back", "undo failed"),
        ((REMEMBERED, payloads.Closed(outcome="completed", reason="all good")), "completed", "applying"),
    ],
)
def test_a_run_that_acts(ledger: Ledger, events: Iterable[Payload], state: str, step: str) -> None:
    """Each event brings the card into the state that people would name."""
    submitted = started(ledger)
    happened(ledger, submitted.change, *events)
    shown = card(ledger, submitted.change)
    assert (shown.state, shown.steps[0].state) == (state, step)


def test_a_change_that_waits_for_approval_says_whom_it_asks(ledger: Ledger) -> None:
    """Who may give the next approval, and until when it helps."""
    submitted = changes.submit(ledger, banner(), requester="alice", now=NOW)
    shown = card(ledger, submitted.change)
    assert shown.state == "asked"
    assert shown.waits_for
    assert shown.until == shown.closes - build_ticket(banner()).needs
    assert shown.digest == submitted.digest
    assert shown.links == {"page": "https://airflow.example/changes"}
