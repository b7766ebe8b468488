"""Opens, renews and ends the silences of an emergency that is carried out from a terminal: a thread beside it does."""

import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Event, Thread

from changewindow.changes.direct_book import Book
from changewindow.changes.direct_hands import Hands
from changewindow.changes.direct_watch import connections_of
from changewindow.changes.silencing import RENEWALS, WITHIN, Known, Silencer, Silencing
from changewindow.documents.types import duration_text
from changewindow.ledger.payloads import Payload, Silenced, SilenceEnded, SilenceFailed
from changewindow.systems.left_behind import run_alone
from changewindow.systems.measurement import SourceContext
from changewindow.watch.shared_answers import client

MOMENT = 5.0
"""Seconds that the first step waits for silences to be opened."""


@contextmanager
def silenced(book: Book, hands: Hands, lease: timedelta) -> Iterator[None]:
    """Silence what the ticket says until the block ends; nothing waits for it for long.

    What cannot be silenced is said. What the journal says counts, so that it goes on without the ledger. Whoever dies
    leaves silences that lapse.
    """
    silencing = Silencing.of(book.change, book.run, book.ticket)
    if silencing is None:
        yield
        return
    is_over, is_opened, is_ended = Event(), Event(), Event()

    def write(payload: Payload) -> None:
        if not is_ended.is_set():
            book.note(payload)

    async def act(do: Callable[[Silencer], Awaitable[None]]) -> None:
        async with client() as http:
            context = SourceContext(http, connections_of(hands), change=book.change, secrets=hands.secrets)
            await do(Silencer(silencing, lambda: _known(book), context, lease, write, _log(hands)))

    def guarded(do: Callable[[Silencer], Awaitable[None]]) -> None:
        try:
            run_alone(act(do))
        except Exception as error:  # noqa: BLE001  whatever it is, it fails no change
            hands.log(f"the silences are left as they are: {hands.secrets.line(f'{type(error).__name__} {error}')}")

    def work() -> None:
        while not is_over.is_set():
            guarded(Silencer.keep)
            is_opened.set()
            is_over.wait(lease.total_seconds() / RENEWALS)
        guarded(Silencer.end)
        is_ended.set()

    Thread(target=work, daemon=True).start()
    is_opened.wait(MOMENT)
    try:
        yield
    finally:
        is_over.set()
        if not is_ended.wait(2 * WITHIN):
            hands.log(f"the silences are not ended yet; they lapse within {duration_text(lease)}")
            is_ended.set()


def _known(book: Book) -> Known:
    """Return what the journal says of the silences of its run."""
    return Known(
        is_running=not book.is_closed,
        opened=frozenset(event.silence for event in book.past(Silenced)),
        failed=frozenset((event.silence, event.act) for event in book.past(SilenceFailed)),
        ended=frozenset(event.silence for event in book.past(SilenceEnded)),
    )


def _log(hands: Hands) -> Callable[[int, str], None]:
    def log(level: int, line: str) -> None:
        warning = "! " if level >= logging.WARNING else ""
        hands.log(f"{warning}{hands.secrets.line(line)}")

    return log
