"""Says whether a change that starts now could be watched, and rolled back, at once."""

from dataclasses import dataclass

from changewindow.ledger import queries
from changewindow.ledger.database import Ledger

SLOTS = 4
"""How many slots of the executor are kept for what watches, rolls back and closes: nothing that begins may use them."""


@dataclass(frozen=True)
class Room:
    """How many of these slots are wanted now."""

    wanted: int

    @property
    def is_free(self) -> bool:
        """Return whether one more change would find a slot at once."""
        return self.wanted < SLOTS

    @property
    def sentence(self) -> str:
        """Return what a change that starts now waits for."""
        free = SLOTS - min(self.wanted, SLOTS)
        return (
            f"waits: {self.wanted} changes are being rolled back or closed, or are about to be watched; "
            f"{free} of {SLOTS} slots are free for the watch and the undo of this one"
        )


def room(ledger: Ledger) -> Room:
    """Return the room that there is now.

    Raises:
        LedgerDown: nobody can say.
    """
    return Room(queries.on_the_way_back(ledger))
