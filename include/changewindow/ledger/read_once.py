"""Keeps what was made of the events of changes until they get another one, for those who ask every few seconds."""

from collections.abc import Callable
from typing import Generic, TypeVar

from sqlalchemy import URL
from sqlalchemy.orm import Session

from changewindow.ledger.models import Change

T = TypeVar("T")
MOST = 20_000
"""How many values are kept; then it begins anew."""


class ReadOnce(Generic[T]):
    """What a function makes of the events of a change; events that were checked once are not checked again.

    Only for what is shown to people: who lets something act checks the whole chain each time.
    """

    def __init__(self, make: Callable[[Session, Change], T]) -> None:
        self._make = make
        self._kept: dict[tuple[URL, int], tuple[str, T]] = {}

    def of(self, session: Session, change: Change) -> T:
        """Return what is made of a change; raises what the function raises, and keeps nothing then."""
        kept = self.kept(session, change.number, change.head)
        return kept[0] if kept else self.keep(session, change, self._make(session, change))

    def kept(self, session: Session, number: int, head: str | None) -> tuple[T] | None:
        """Return what was made of a change whose chain ends here still; None where that has to be made."""
        at, value = self._kept.get((_url(session), number), (None, None))
        return (value,) if head is not None and at == head else None  # type: ignore[return-value]

    def keep(self, session: Session, change: Change, value: T) -> T:
        """Keep what was made of a change, and return it; without a sealed head nobody could say that it still holds."""
        if len(self._kept) >= MOST:
            self._kept.clear()
        if change.head is not None:
            self._kept[_url(session), change.number] = (change.head, value)
        return value


def _url(session: Session) -> URL:
    return session.get_bind().engine.url
