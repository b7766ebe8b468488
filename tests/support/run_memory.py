"""An in-memory twin of what is known of a run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from changewindow.changes import handover
from changewindow.changes.handover import F, Fact, Place
from changewindow.changes.run_memory import Holder
from changewindow.errors import LedgerDown, MemoryUnknown
from changewindow.ledger.events import P
from changewindow.ledger.payloads import Payload
from changewindow.ledger.seal import Seal
from changewindow.policy.standing import Mode


@dataclass
class KnownRun:
    """A run of CHG-1042 of which a test says what is known."""

    id: str = "run"
    mode: Mode = "run"
    held: Holder = field(default_factory=lambda: Holder("running", "run"))
    task_states: Mapping[str, str | None] = field(default_factory=dict)
    events: list[Payload] = field(default_factory=list)
    """What the ledger has, oldest first; those without a run are of this one."""
    xcoms: dict[tuple[str, str], Any] = field(default_factory=dict)
    """What was left for tasks, by task and key; what a task has left has a seal."""
    ledger_is_down: bool = False
    seal: Seal = field(default_factory=Seal)

    def hand_over(self, task: str, *facts: Fact) -> "KnownRun":
        """Leave facts as a task does."""
        for fact in facts:
            place = Place("CHG-1042", self.id, task, fact.full_key)
            self.xcoms[task, fact.full_key] = handover.dumped(fact, self.seal, place)
        return self

    def handed(self, fact: type[F], task: str, step: int = 0) -> F | None:
        """Return what a task handed over."""
        key = handover.key_of(fact, step)
        value = self.xcoms.get((task, key))
        try:
            place = Place("CHG-1042", self.id, task, key)
            return None if value is None else handover.parsed(fact, value, self.seal, place)
        except ValueError as error:
            raise self.unknown(f"what '{task}' handed over", error) from error

    def states(self) -> Mapping[str, str | None]:
        """Return the states of the tasks."""
        return self.task_states

    def past(self, of: type[P]) -> list[P]:
        """Return the events of a kind."""
        self._ask_ledger()
        return [event for event in self.events if isinstance(event, of)]

    def recorded(self, *of: type[Payload]) -> list[Payload]:
        """Return the events of some kinds."""
        self._ask_ledger()
        return [event for event in self.events if isinstance(event, of)]

    def holder(self) -> Holder:
        """Return who holds the change."""
        self._ask_ledger()
        return self.held

    def unknown(self, what: str, why: object) -> MemoryUnknown:
        """Return the error that says what is not known."""
        return MemoryUnknown("CHG-1042", what, why)

    def _ask_ledger(self) -> None:
        if self.ledger_is_down:
            raise LedgerDown("connection refused")
