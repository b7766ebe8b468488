"""Writes down what an emergency does that is carried out from a terminal: into its journal, then into the ledger."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from threading import Event, Lock, Thread
from typing import TypeVar

from changewindow.changes.direct_hands import Stop
from changewindow.errors import ChangeError
from changewindow.ledger import taking_in
from changewindow.ledger.database import Ledger
from changewindow.ledger.journal import Journal
from changewindow.ledger.payloads import Applied, Declared, Payload, Remembered, Undone, Validated, read
from changewindow.ledger.taking_in import CLOSED, EVENT
from changewindow.policy.outcome import Outcome
from changewindow.steps.base import Memory
from changewindow.ticket.model import Ticket
from changewindow.ticket.reader import build_ticket

P = TypeVar("P", bound=Payload)
BEAT = 5.0
"""Seconds after which the ledger is told again that the run is alive."""
AGAIN = 30.0
"""The same of a ledger that has not answered."""


class Book:
    """What is known of one emergency here; safe for several threads."""

    def __init__(
        self, journal: Journal, ledger: Ledger | None, *, now: Callable[[], datetime], log: Callable[[str], None]
    ) -> None:
        self.journal, self.ledger = journal, ledger
        self.aborted = ""
        """Who wants it to end, as the ledger says, and why."""
        self.change = f"EMG-{journal.identity}"
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
            try:
                taken = taking_in.take_in(self.ledger, tuple(self.journal.lines), now=self._now())
            except (ChangeError, ValueError) as error:
                if self.is_up:
                    self._log(f"the ledger does not take what is done now; {self.journal.path} keeps it. {error}")
                self.is_up = False
                return False
            self.is_up, self.change = True, taken.change
            self.aborted = taken.aborted or ("" if taken.is_ours else "another run of it has taken over")
            return True

    @contextmanager
    def beating(self, stop: Stop) -> Iterator[None]:
        """Tell the ledger beside what is done that this run is alive, and stop once somebody has aborted it there."""
        done = Event()

        def beat() -> None:
            while not done.wait(BEAT if self.is_up else AGAIN):
                if self.hand_in() and self.aborted and stop.ask(self.aborted):
                    self._log(f"{self.aborted}: stopping")

        thread = Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()

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
