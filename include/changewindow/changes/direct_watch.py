"""Watches, and verifies, what is carried out from a terminal: samples are taken in place, by the same rules."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import timedelta

from changewindow.changes.direct_book import Book
from changewindow.changes.direct_hands import Hands
from changewindow.ledger import payloads
from changewindow.systems.connection import Connection
from changewindow.systems.measurement import Connections
from changewindow.watch.sampling import Sampling
from changewindow.watch.watch import Decided, Wanted, Watched, until_good, watch

LOOK = 0.2
"""Seconds between two looks at whether somebody has interrupted it."""
BETWEEN = timedelta(seconds=2)


@dataclass(frozen=True)
class Judged:
    """What came out of watching."""

    is_good: bool
    reason: str


def judge(book: Book, hands: Hands) -> Judged:
    """Watch for the ticket's length; return whether it is proven good."""
    ticket, unwatched_because = book.ticket, book.declared.unwatched_because
    if not ticket.conditions and unwatched_because:
        return Judged(True, f"nothing is measured: {unwatched_because}")
    since = hands.now() + ticket.watch.settle
    book.note(payloads.Watching(since=since, seconds=ticket.watch.length.total_seconds()))
    watched = Watched(
        conditions=ticket.conditions,
        since=since,
        length=ticket.watch.length,
        sampling=Sampling(ticket.watch.every, ticket.watch.at_first, ticket.watch.later),
        change=book.change,
    )
    reading = watch(watched, connections_of(hands), log=hands.log, keep=lambda _: None)
    try:
        decided = asyncio.run(_unless_stopped(reading, hands))
    except Exception as error:  # noqa: BLE001  a watch that breaks has proven nothing
        return Judged(False, hands.secrets.line(f"the watch broke off: {type(error).__name__} {error}"))
    if decided is None:
        return Judged(False, hands.stop.reason)
    book.note(payloads.Watched(**decided.as_json()))
    return Judged(decided.verdict == "pass", decided.reason)


def verify(book: Book, hands: Hands) -> str:
    """Return why it is not verified that all is as before, or nothing."""
    ticket = book.ticket
    if not ticket.rollback.verify:
        because = ticket.rollback.by_hand or "nothing says by what one sees that all is as before"
        return f"{because}. Look yourself"
    wanted = Wanted(ticket.rollback.verify, BETWEEN, hands.now() + ticket.rollback.within, change=book.change)
    try:
        decided = asyncio.run(until_good(wanted, connections_of(hands), log=hands.log))
    except Exception as error:  # noqa: BLE001  what cannot be asked is not verified
        return hands.secrets.line(f"{type(error).__name__} {error}")
    if decided.verdict == "pass":
        book.note(payloads.Verified(**decided.as_json()))
        return ""
    book.note(payloads.NotVerified(**decided.as_json()))
    return decided.reason


def connections_of(hands: Hands) -> Connections:
    """Return the connections of a terminal for whatever asks without blocking; their secrets are known from then on."""

    async def of(name: str) -> Connection:
        known = hands.connections(name)
        hands.secrets.learn(*known.secrets)
        return known

    return of


async def _unless_stopped(reading: Awaitable[Decided], hands: Hands) -> Decided | None:
    """Return what is decided; nothing once somebody has interrupted or aborted it."""
    task = asyncio.ensure_future(reading)
    while not task.done() and not hands.stop.reason:
        await asyncio.wait({task}, timeout=LOOK)
    if not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=2)
        return None
    return task.result()
