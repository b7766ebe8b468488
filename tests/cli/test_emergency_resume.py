"""What was cut off is rolled back from the terminal, but not while another run may be doing that."""

from dataclasses import replace
from datetime import timedelta

import pytest

from changewindow.changes.direct_book import Book
from changewindow.changes.direct_ingestion import folder_of
from changewindow.changes.direct_start import Wanted, begin, hold
from changewindow.changes.direct_waiting import Waiting
from changewindow.cli.main import main
from changewindow.ledger import changes, leases
from changewindow.ledger.database import Ledger
from changewindow.ledger.payloads import Remembered
from changewindow.ticket.window import local_time_text
from support import direct
from support.emergency_terminal import Terminal, newest

Capture = pytest.CaptureFixture[str]


def cut_off(terminal: Terminal, ledger: Ledger, *, ago: timedelta) -> Book:
    """Leave an emergency whose process has died in its first step."""
    folder = folder_of(terminal.folder / "spool.jsonl")
    here = replace(direct.here(folder, ledger), now=lambda: direct.now() - ago)
    opens = direct.now() - timedelta(hours=1)
    start, end = (local_time_text(at.replace(tzinfo=None, microsecond=0)) for at in (opens, opens + timedelta(hours=4)))
    data = direct.data(terminal.folder / "done", window={"zone": "UTC", "start": start, "end": end})
    wanted = Wanted(data, direct.DECLARED, "alice")
    book = begin(wanted, here)
    hold(book, wanted, here, lambda _: None, waiting=Waiting())
    book.require(Remembered(step=1, name="Step 1", remembered={}))
    book.journal.close()
    return book


def resume(ledger: Ledger) -> int:
    """Resume what was cut off, without being asked."""
    return main(["emergency", "--resume", "--yes", "--ledger", str(ledger.url)])


@pytest.mark.parametrize("minutes", [1, 20])
def test_without_the_ledger_only_while_nobody_else_may_act(
    terminal: Terminal, ledger: Ledger, minutes: int, capsys: Capture
) -> None:
    """Its leases may have run out, so that housekeeping may be at it: then a person has to look first."""
    book = cut_off(terminal, ledger, ago=timedelta(minutes=minutes))
    (terminal.folder / "ledger.db").rename(terminal.folder / "away.db")
    resume(ledger)
    assert terminal.did == ([] if minutes == 20 else ["undo-1"])
    said = capsys.readouterr().err
    assert (f"knows of {book.change}: housekeeping may be rolling it back now" in said) == (minutes == 20)
    assert book.journal.path.exists()


def test_what_another_run_has_taken_over_is_left_to_it(terminal: Terminal, ledger: Ledger, capsys: Capture) -> None:
    """Nothing is undone twice at once, and nothing is left to resume."""
    book = cut_off(terminal, ledger, ago=timedelta(minutes=20))
    assert leases.orphan(ledger, book.change, run=book.run, now=direct.now())
    assert resume(ledger) == 0
    assert (terminal.did, book.journal.path.exists()) == ([], False)
    assert "another run has taken it over" in capsys.readouterr().err
    assert changes.get(ledger, newest(ledger)).status == "running"
