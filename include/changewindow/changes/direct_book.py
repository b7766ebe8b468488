"""Writes down what an emergency does that is carried out from a terminal: into its journal, then into the ledger."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from threading import Event, Lock, Thread
from typing import TypeVar

from changewindow.changes.direct_contact import Contact
from changewindow.changes.direct_hands import Stop
from changewindow.errors import ChangeError
from changewindow.ledger import taking_in
from changewindow.ledger.database import Ledger
from changewindow.ledger.journal import Journal, Line
from changewindow.ledger.payloads import Applied, Declared, Payload, Remembered, Undone, Validated, read
from changewindow.ledger.taking_in import CLOSED, EVENT, KNOWN
from changewindow.policy.outcome import Outcome
from changewindow.steps.base import Memory
from changewindow.ticket.model import Ticket
from changewindow.ticket.reader import build_ticket

P = TypeVar("P", bound=Payload)
BEAT = 5.0
"""Seconds after which the ledger is told again that the run is alive."""
AGAIN = 30.0
"""The same of a ledger that has not answered."""
LOOK = 0.5
"""Seconds between two looks at whether it may still act."""
TAKEN_OVER = "another run rolls it back in its place. Nothing is done here any more"
LOST = (
    "the ledger has not answered for {}, so that others may roll it back now. Nothing is done here any more, not even "
    "undone; what is still applied is rolled back by housekeeping, or by `changewindow emergency --resume`"
)
CUT_OFF = "the ledger has not answered for {}; soon others may roll it back, so that it is rolled back here and now"


class Book:
    """What is known of one emergency here; safe for several threads."""

    def __init__(
        self, journal: Journal, ledger: Ledger | None, *, now: Callable[[], datetime], log: Callable[[str], None]
    ) -> None:
        self.journal, self.ledger = journal, ledger
        self.aborted = ""
        """Who wants it to end, as the ledger says, and why."""
        self.is_taken_over = False
        """Whether another run acts in its place, as the ledger says."""
        self.left: tuple[int, ...] = ()
        """Steps that have begun here without the knowledge of whoever acts in its place, and are not undone."""
        self.contact = Contact(known[0].at if (known := self._lines(KNOWN)) else None)
        self.change = str(known[0].data["change"]) if known else f"EMG-{journal.identity}"
        """The id of the change; without the ledger, that of the journal."""
        self.is_up = ledger is not None
        """Whether the ledger has answered when it was last asked; while it has not, nothing waits for it."""
        self._now, self._log = now, log
        self._handing = Lock()

    @property
    def run(self) -> str:
        """Return the run under which it acts."""
        return str(self.journal.lines[0].data["run"])

    @property
    def person(self) -> str:
        """Return who has declared it, as this machine knows them."""
        return str(self.journal.lines[0].data["person"])

    @property
    def declared(self) -> Declared:
        """Return how it was declared."""
        return Declared.model_validate(self.journal.lines[0].data["declared"])

    @cached_property
    def ticket(self) -> Ticket:
        """Return what is done."""
        return build_ticket(self.journal.lines[0].data["ticket"])

    def require(self, payload: Payload) -> None:
        """Write an event on whose strength something is done: when this returns it is on the disk.

        Raises:
            OSError: it is not.
        """
        line = taking_in.event_line(payload.model_copy(update={"run": self.run}))
        self.journal.write(EVENT, self._now(), line)
        if self.is_up:
            self.hand_in()

    def note(self, payload: Payload) -> None:
        """Write an event, and hand it to the ledger if that answered before; watch and undo go on without."""
        with self._best_effort(f"'{payload.kind}'"):
            self.require(payload)

    def close(self, outcome: Outcome, reason: str) -> None:
        """Write how it ended."""
        with self._best_effort(f"that it is {outcome}"):
            self.journal.write(CLOSED, self._now(), {"outcome": outcome, "reason": reason})
        self.hand_in()

    @contextmanager
    def _best_effort(self, what: str) -> Iterator[None]:
        try:
            yield
        except (ChangeError, OSError) as error:  # a full disk, or a key that has gone, keeps nobody from undoing
            self._log(f"{what} cannot be written into {self.journal.path}: {error}")

    def hand_in(self) -> bool:
        """Give the ledger what it does not have yet; return whether it has everything."""
        if self.ledger is None:
            return False
        with self._handing:
            asked = self.contact.clock(self._now())
            try:
                taken = taking_in.take_in(self.ledger, tuple(self.journal.lines), now=self._now())
            except (ChangeError, ValueError) as error:
                if self.is_up:
                    self._log(f"the ledger does not take what is done now; {self.journal.path} keeps it. {error}")
                self.is_up = False
                return False
            self.is_up, self.change = True, taken.change
            self.aborted, self.is_taken_over = taken.aborted or "", not taken.is_ours
            self.left = self.left or taken.left
            self.contact.made(asked)
        if not self._lines(KNOWN):
            with self._best_effort("that the ledger knows of it"):
                self.journal.write(KNOWN, self._now(), {"change": self.change})
        return True

    @contextmanager
    def beating(self, stop: Stop) -> Iterator[None]:
        """Tell the ledger beside what is done that this run is alive, and stop once somebody has aborted it there."""
        done = Event()

        def beat() -> None:
            while not done.wait(BEAT if self.is_up else AGAIN):
                self.hand_in()

        def guard() -> None:  # beside it: a ledger that hangs keeps nobody from stopping in time
            while not done.wait(LOOK):
                self.heed(stop)

        guarding = Thread(target=guard, daemon=True)
        for thread in (Thread(target=beat, daemon=True), guarding):
            thread.start()
        try:
            yield
        finally:
            done.set()
            guarding.join()  # so that it has said why it stopped

    def heed(self, stop: Stop) -> None:
        """Stop where somebody has aborted it, and where others act in its place by now, or soon may."""
        now = self._now()
        if self.is_closed:
            return
        if self.is_taken_over or self.contact.is_lost(now):
            why = TAKEN_OVER if self.is_taken_over else LOST.format(self.contact.since(now))
            if stop.lose(why):
                self._log(f"STOPPED: {why}")
            return
        cut_off = CUT_OFF.format(self.contact.since(now)) if self.contact.is_cut_off(now) else ""
        if (why := self.aborted or cut_off) and stop.ask(why):
            self._log(f"STOPPING: {why}")

    def let_go(self) -> None:
        """Let others roll it back at once, where the ledger answers; otherwise once its leases have run out."""
        with self._best_effort("that it is handed over"):
            if self.ledger is not None:
                taking_in.take_in(self.ledger, tuple(self.journal.lines), now=self._now(), is_alive=False)

    @property
    def is_closed(self) -> bool:
        """Return whether it is written down how it ended."""
        return bool(self._lines(CLOSED))

    def _lines(self, what: str) -> list[Line]:
        return [line for line in tuple(self.journal.lines) if line.what == what]

    def past(self, of: type[P]) -> list[P]:
        """Return what was written of a kind, oldest first."""
        events = (read(line.data["kind"], line.data["payload"]) for line in self.journal.lines if line.what == EVENT)
        return [event for event in events if isinstance(event, of)]

    @property
    def started(self) -> tuple[int, ...]:
        """Return the steps that have begun."""
        return tuple(dict.fromkeys(event.step for event in self.past(Remembered)))

    @property
    def applied(self) -> tuple[int, ...]:
        """Return the steps that were applied."""
        return tuple(event.step for event in self.past(Applied))

    @property
    def undone(self) -> tuple[int, ...]:
        """Return the steps that were undone."""
        return tuple(event.step for event in self.past(Undone))

    @property
    def proven_good(self) -> str:
        """Return why it is kept; nothing where it was not proven good."""
        return next((event.reason for event in self.past(Validated)), "")

    def memory(self, step: int) -> Memory:
        """Return what a step has remembered."""
        return next(event.remembered for event in self.past(Remembered) if event.step == step)
