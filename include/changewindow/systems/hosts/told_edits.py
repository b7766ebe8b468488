"""Remembers edits that were told before anybody committed them, so that their commit is not taken for another edit."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

REMOVED = "removed"
Moments = tuple[datetime, datetime]


@dataclass(frozen=True)
class ToldEdits:
    """The files that were not committed, how they differed, and when they were edited."""

    edits: Mapping[str, tuple[str, datetime]]

    @classmethod
    def of(cls, kept: Any) -> Self:
        """Return what an earlier look has kept, as far as it can be read."""
        edits: dict[str, tuple[str, datetime]] = {}
        for path, known in kept.items() if isinstance(kept, dict) else ():
            try:
                state, at = known
                edits[str(path)] = str(state), datetime.fromisoformat(at)
            except (TypeError, ValueError):
                continue
        return cls(edits)

    @property
    def kept(self) -> dict[str, list[str]]:
        """Return it for the next look."""
        return {path: [state, at.isoformat()] for path, (state, at) in self.edits.items()}

    def first(self, path: str, state: str, moments: Moments) -> Moments:
        """Return when a file was edited; a removal counts as it was first told, for it leaves no time of its own."""
        told, at = self.edits.get(path, ("", moments[0]))
        return (at, at) if state == told == REMOVED else moments

    def is_as_told(self, path: str, at: datetime | None) -> bool:
        """Return whether nobody has edited a file since, by its ctime now; None where it is not there."""
        state, told = self.edits[path]
        return at is None if state == REMOVED else at == told
