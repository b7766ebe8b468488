"""Keeps the heads of chains in a file outside the ledger, so that a ledger that was cut off or emptied is found out.

Of each change a line is added whenever somebody decides about it, or it begins or ends to act; each ledger has a file,
named after its address.
"""

import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from sqlalchemy import URL

from changewindow.ledger.chain import Head
from changewindow.ledger.event_kinds import EventKind
from changewindow.settings import Settings

log = logging.getLogger("changewindow")
KEPT = {
    EventKind.SUBMITTED,
    EventKind.RECORDED,
    EventKind.REVISED,
    EventKind.DECIDED,
    EventKind.APPROVED,
    EventKind.REJECTED,
    EventKind.CANCELLED,
    EventKind.ABORTED,
    EventKind.EXTENDED,
    EventKind.ROLLBACK_WANTED,
    EventKind.STARTED,
    EventKind.REMEMBERED,
    EventKind.CLOSED,
    EventKind.RELEASED,
    EventKind.LINE_BEGUN,
    EventKind.LINE_STOPPED,
    EventKind.LINE_LIFTED,
    EventKind.LOOKING_BEGUN,
    EventKind.FINDING_MADE,
    EventKind.FINDING_CHANGED,
}
"""Events after which the head is kept."""


class Heads:
    """The heads of one ledger."""

    def __init__(self, places: Callable[[], Settings], url: URL) -> None:
        self._places = places
        self._name = hashlib.sha256(_address(url).encode()).hexdigest()[:16]

    @property
    def path(self) -> Path:
        """Return the file."""
        return self._places().heads / f"{self._name}.txt"

    def keep(self, heads: Mapping[int, Head]) -> None:
        """Add heads by the number of their change; what cannot be kept is said in the log, and stops nothing."""
        lines = "".join(f"{number} {head.sequence} {head.hash}\n" for number, head in heads.items())
        try:
            path = self.path
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with path.open("a", encoding="utf-8") as file:  # so short a text is written at once, whoever else does
                file.write(lines)
        except OSError as error:
            log.warning("the heads of the ledger's chains are not kept outside it: %s", error)

    def kept(self) -> Iterator[tuple[int, Head]]:
        """Yield every head that was kept, with the number of its change, oldest first; a line cut short is left out."""
        path = self.path
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
            match line.split():
                case [number, sequence, event_hash] if number.isdecimal() and sequence.isdecimal():
                    yield int(number), Head(int(sequence), event_hash)


def _address(url: URL) -> str:
    """Return what names a ledger, however its address is written."""
    if url.get_backend_name() == "sqlite":
        return str(Path(url.database or "").resolve())
    return f"{url.get_backend_name()}://{url.host}:{url.port or ''}/{url.database}"
