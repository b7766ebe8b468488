"""With what an emergency acts that is carried out from a terminal, and what stops it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from threading import Thread

from changewindow.systems.connection import Connection
from changewindow.systems.context import Context
from changewindow.systems.secrecy import Secrets

AGAIN = 5.0
"""Seconds after which an undo that failed is tried again; each time twice as long."""


@dataclass
class Stop:
    """Why no step is applied any more: somebody has interrupted it, or aborted it from elsewhere."""

    reason: str = ""
    acting: Context | None = None
    """What the step that is being applied acts through."""
    is_undoing: bool = False
    lost: str = ""
    """Why nothing acts here any more, not even an undo: somebody else may act in its place."""

    def ask(self, reason: str) -> bool:
        """End what acts, and have it rolled back; return whether that is news. Any thread and signal handler may."""
        if self.reason or self.is_undoing:
            return False
        self.reason = reason
        self._end()
        return True

    def lose(self, reason: str) -> bool:
        """End whatever acts, an undo too: somebody else may do it; return whether that is news. Any thread may."""
        if self.lost:
            return False
        self.lost, self.reason = reason, self.reason or reason
        self._end()
        return True

    def _end(self) -> None:
        if self.acting is not None:  # its programs are waited for, which the thread that started them may be doing
            Thread(target=self.acting.stop, daemon=True).start()


@dataclass(frozen=True)
class Hands:
    """Connections, clock, where lines go, and what stops it."""

    connections: Callable[[str], Connection]
    now: Callable[[], datetime]
    log: Callable[[str], None]
    stop: Stop = field(default_factory=Stop)
    secrets: Secrets = field(default_factory=Secrets)
    between_tries: float = AGAIN
