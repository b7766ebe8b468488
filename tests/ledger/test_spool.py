"""What cannot be written while the ledger is down is kept, in order."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from changewindow.errors import LedgerDown
from changewindow.ledger import changes, events, leases
from changewindow.ledger.database import Ledger
from changewindow.ledger.events import Event
from changewindow.ledger.payloads import Applied
from changewindow.ledger.spool import Spool
from support.changes import NOW, approved, intent


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a folder for the ledger's database, which can be moved away."""
    return tmp_path / "home"


@pytest.fixture
def spool(home: Path, tmp_path: Path) -> Spool:
    """Return a spool beside a ledger."""
    ledger = Ledger(f"sqlite:///{home / 'ledger.db'}")
    ledger.upgrade()
    return Spool(ledger, tmp_path / "spool" / "kept.jsonl")


def applied(change: str, step: int) -> Event:
    """Return an event about a step."""
    return Event(change, "run-1", NOW, Applied(step=step, name="Act"))


def test_events_wait_for_the_ledger_and_keep_their_order(spool: Spool, home: Path, ticket_data: dict[str, Any]) -> None:
    """What happened during the outage is written before what happens after it, and the outcome releases the lease."""
    submitted = approved(spool.ledger, ticket_data)
    leases.start(spool.ledger, submitted.change, intent(submitted.digest), targets=("production/orders",), now=NOW)
    shutil.move(home, away := home.with_name("away"))
    assert not spool.record(applied(submitted.change, 1))
    assert not spool.record(applied(submitted.change, 2))
    assert not spool.close(submitted.change, run="run-1", outcome="rolled_back", reason="bad", now=NOW)
    shutil.move(away, home)
    assert spool.record(applied(submitted.change, 3))
    kinds = [(row.kind, events.data(row).get("step")) for row in events.history(spool.ledger, submitted.change)]
    assert kinds[4:] == [("applied", 1), ("applied", 2), ("closed", None), ("applied", 3)]
    assert leases.leases(spool.ledger, submitted.change) == []
    assert not spool.path.exists()


def test_what_is_kept_survives_a_failing_drain(spool: Spool, home: Path, ticket_data: dict[str, Any]) -> None:
    """Draining while the ledger is still down changes nothing."""
    change = changes.submit(spool.ledger, ticket_data, requester="alice", now=NOW).change
    shutil.move(home, home.with_name("away"))
    spool.record(applied(change, 1))
    kept = spool.path.read_text()
    with pytest.raises(LedgerDown):
        spool.drain()
    assert spool.path.read_text() == kept


def test_a_line_cut_short_blocks_nothing(spool: Spool, ticket_data: dict[str, Any]) -> None:
    """A line that a crash cut short is set aside; the others are written."""
    change = changes.submit(spool.ledger, ticket_data, requester="alice", now=NOW).change
    spool.path.parent.mkdir()
    spool.path.write_text('{"do": "record", "chan\n')
    assert spool.record(applied(change, 1))
    assert spool.path.with_suffix(".unreadable").read_text() == '{"do": "record", "chan\n'
