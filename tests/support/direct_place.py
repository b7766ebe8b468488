"""Where a terminal carries out emergencies: a ledger that can go away, a service, and journals."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from changewindow.changes.direct_book import Book
from changewindow.changes.direct_hands import Hands
from changewindow.changes.direct_ingestion import Ingestion, take_in_all
from changewindow.changes.direct_start import Wanted, hold
from changewindow.changes.direct_waiting import Waiting
from changewindow.changes.emergency_direct import Ending, carry_out
from changewindow.ledger import changes, queries
from changewindow.ledger.database import Ledger
from changewindow.ledger.verification import verify_all
from changewindow.policy.emergencies import Emergencies
from support import direct
from support.recording_server import RecordingServer


@dataclass(frozen=True)
class Place:
    """A ledger that can go away, a service, journals, and what the steps have done."""

    folder: Path
    ledger: Ledger
    server: RecordingServer

    @property
    def done(self) -> Path:
        """Return where the steps write what they do."""
        return self.folder / "done"

    @property
    def journals(self) -> Path:
        """Return where it is written down."""
        return self.folder / "journals"

    @property
    def did(self) -> list[str]:
        """Return what the steps have done."""
        return direct.lines(self.done)

    def lose_ledger(self) -> None:
        """Take the ledger away, once."""
        if (self.folder / "home").exists():
            shutil.move(self.folder / "home", self.folder / "away")

    def bring_it_back(self) -> None:
        """Let the ledger answer again."""
        shutil.move(self.folder / "away", self.folder / "home")

    def book(self, *, is_held: bool = False, has_ledger: bool = True, **changed: Any) -> Book:
        """Return the book of an emergency that alice has declared; `is_held` with its leases."""
        book = direct.begun(self.journals, self.ledger if has_ledger else None, direct.data(self.done, **changed))
        if is_held:
            self.hold(book, Waiting())
        return book

    def hold(self, book: Book, waiting: Waiting, said: list[str] | None = None) -> None:
        """Take the leases of an emergency, once they are free."""
        wanted = Wanted(book.journal.lines[0].data["ticket"], direct.DECLARED, "alice")
        hold(book, wanted, direct.here(self.journals, book.ledger, said), lambda _: None, waiting=waiting)

    def carry_out(self, book: Book, hands: Hands | None = None) -> Ending:
        """Carry it out."""
        return carry_out(book, hands or direct.hands(self.server.url))

    def ingest(self, *, takes_over: bool = False) -> list[str]:
        """Take the journals in; return what is said of them."""
        wanted = Ingestion(self.ledger, direct.now, lambda *_: "", Emergencies(), takes_over)
        taken = take_in_all(wanted, self.journals)
        return [*taken.news, *taken.kept]

    def changes(self) -> list[str]:
        """Return the changes of the ledger."""
        return [each.id for each in queries.of_ids(self.ledger, [f"CHG-{number}" for number in range(1000, 1010)])]

    def status(self, change: str) -> str:
        """Return the status of a change, whose record is whole."""
        assert verify_all(self.ledger).altered == ()
        return changes.get(self.ledger, change).status
