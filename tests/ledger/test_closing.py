"""What ends badly, or was an emergency, is asked to be reviewed: once, in the transaction that records its end."""

import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from changewindow.ledger import aftercare, changes, emergencies, events, leases
from changewindow.ledger.database import Ledger
from changewindow.ledger.payloads import Declared, ReviewAsked
from changewindow.ledger.spool import Spool
from changewindow.ledger.verification import verify_all
from changewindow.policy.outcome import Outcome
from support.changes import NOW, approved, intent
from support.tickets import banner

DUE = NOW + timedelta(days=7)
DECLARED: dict[str, Any] = {"digest": "", "broken": "no orders", "commander": "carol", "agreed_at": NOW, "skipped": ()}
DECLARED |= {"agreed_how": "by phone", "executor": "alice", "due": NOW + timedelta(hours=24)}


def started(ledger: Ledger, *, is_emergency: bool = False, **more: Any) -> str:
    """Return a change that acts."""
    if is_emergency:
        declared = Declared(**DECLARED, **more)
        submitted = emergencies.declare(ledger, banner(), declared, person="alice", now=NOW, origin="run")
    else:
        submitted = approved(ledger, banner())
    leases.start(ledger, submitted.change, intent(submitted.digest), targets=("production/orders",), now=NOW)
    return submitted.change


def reviews(ledger: Ledger, change: str) -> list[str]:
    """Return why its review was asked for."""
    return [event.because for event in events.past(ledger, change, ReviewAsked)]


@pytest.mark.parametrize(
    ("is_emergency", "outcome", "because"),
    [
        (False, "completed", []),
        (False, "rolled_back", ["rolled_back"]),
        (False, "rollback_failed", ["rollback_failed"]),
        (False, "missed", []),
        (True, "completed", ["emergency"]),
        (True, "rolled_back", ["emergency"]),
    ],
)
def test_how_a_change_ends_says_whether_it_is_reviewed(
    ledger: Ledger, *, is_emergency: bool, outcome: Outcome, because: list[str]
) -> None:
    """An emergency always; a normal change that was rolled back, well or not."""
    change = started(ledger, is_emergency=is_emergency)
    for _ in range(2):  # a close that died is tried again
        changes.close(ledger, change, run="run-1", outcome=outcome, reason="", now=NOW, review_due=DUE)
    assert reviews(ledger, change) == because
    owed = aftercare.of_change(ledger, change)
    assert (owed.review_due if owed else None) == (DUE if because else None)
    assert verify_all(ledger).altered == ()


def test_a_rollback_that_is_tried_again_asks_for_no_second_review(ledger: Ledger) -> None:
    """Nor does the rollback of an emergency that was completed."""
    change = started(ledger)
    for run, outcome in (("run-1", "rollback_failed"), ("run-2", "rolled_back")):
        ended: Any = {"run": run, "outcome": outcome, "reason": "", "now": NOW}
        changes.close(ledger, change, **ended, review_due=DUE)
    assert reviews(ledger, change) == ["rollback_failed"]


def test_a_drill_is_not_reviewed(ledger: Ledger) -> None:
    """It measures itself."""
    change = started(ledger, is_emergency=True, is_drill=True)
    changes.close(ledger, change, run="run-1", outcome="completed", reason="", now=NOW, review_due=DUE)
    assert reviews(ledger, change) == []


def test_it_is_asked_for_when_the_ledger_is_back(tmp_path: Path) -> None:
    """The spool keeps by when it is due; a line of an earlier version asks for none."""
    home = tmp_path / "home"
    ledger = Ledger(f"sqlite:///{home / 'ledger.db'}")
    ledger.upgrade()
    spool, change = Spool(ledger, tmp_path / "kept.jsonl"), started(ledger)
    shutil.move(home, away := home.with_name("away"))
    assert not spool.close(change, run="run-1", outcome="rolled_back", reason="", now=NOW, review_due=DUE)
    shutil.move(away, home)
    earlier = spool.path.read_text().replace(f', "review_due": "{DUE.isoformat()}"', "").replace("run-1", "run-0")
    spool.path.write_text(earlier + spool.path.read_text())
    assert spool.drain() == 2
    assert [row.kind for row in events.history(ledger, change)][-3:] == ["closed", "closed", "review_asked"]
