"""Begins an emergency from a terminal: declared in its journal first, then in the ledger, with the leases it gives."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from changewindow.changes.direct_book import Book
from changewindow.changes.direct_waiting import Gate, Waiting, pass_when_free
from changewindow.changes.taking_over import TakesOver
from changewindow.errors import ChangeError, LedgerDown, NotAllowed, OperatorError
from changewindow.ledger import emergencies, leases, taking_in
from changewindow.ledger.database import Ledger
from changewindow.ledger.journal import Journal
from changewindow.ledger.payloads import Declared
from changewindow.ledger.seal import Seal
from changewindow.ledger.taking_in import Declaration
from changewindow.policy.standing import Assessed, Intent
from changewindow.ticket.reader import build_ticket


@dataclass(frozen=True)
class Wanted:
    """What is to be done, and on whose word."""

    data: Mapping[str, Any]
    """The ticket."""
    declared: Declared
    person: str
    """Who declares it, as this machine knows them."""
    review_within: timedelta = timedelta(days=7)
    """How long after its end its review may take."""


@dataclass(frozen=True)
class Here:
    """Where it is written down, and by what clock."""

    folder: Path
    seal: Seal
    ledger: Ledger | None
    """None: it does not answer."""
    now: Callable[[], datetime]
    log: Callable[[str], None]


def begin(wanted: Wanted, here: Here) -> Book:
    """Declare it in a journal of its own; when this returns, that is on the disk.

    Raises:
        OperatorError: it cannot be written down, so nothing is done.
    """
    try:
        journal = Journal.create(here.folder, here.seal)
        run, origin = f"{leases.OF_TERMINAL}{journal.identity}", f"terminal/{journal.identity}"
        about = (wanted.person, origin, run, wanted.review_within)
        declaration = Declaration(dict(wanted.data), wanted.declared, *about)
        journal.write(taking_in.DECLARED, here.now(), declaration.as_data())
    except (OSError, LedgerDown) as error:
        raise OperatorError(
            f"Nothing was touched: what is done cannot be written down in {here.folder} ({error}). Run this as the "
            "account of Change Windows, or name another file beside which it may, with CHANGEWINDOW_SPOOL."
        ) from error
    return Book(journal, here.ledger, now=here.now, log=here.log)


def hold(book: Book, wanted: Wanted, here: Here, assessed: Callable[[str], Assessed], *, waiting: Waiting) -> None:
    """Take the leases, once no other change holds them; without the ledger there are none.

    Raises:
        NotAllowed: with each reason; nothing was touched, and the change is closed as refused.
    """
    if here.ledger is None:
        return
    try:
        pass_when_free(_gate(book, wanted, here, assessed), waiting)
        book.hand_in()
    except LedgerDown as down:
        here.log(f"the ledger does not answer any more, so no target is held. {down}")
        book.is_up = False
    except NotAllowed as refused:
        _refuse(book, here.ledger, refused, here.now())
        raise


def _gate(book: Book, wanted: Wanted, here: Here, assessed: Callable[[str], Assessed]) -> Gate:
    """Declare the emergency in the ledger; return its gate."""
    assert here.ledger is not None  # noqa: S101  for the type: without one there is no gate
    origin, ticket = str(book.journal.lines[0].data["origin"]), build_ticket(dict(wanted.data))
    told: Any = {"person": wanted.person, "now": here.now(), "origin": origin, "is_proven": False}
    submitted = emergencies.declare(here.ledger, dict(wanted.data), wanted.declared, **told)
    book.change, window = submitted.change, ticket.window
    intent = Intent(book.run, submitted.digest, window.opens, window.closes, ticket.needs, is_emergency=True)
    more: Any = {"targets": ticket.targets, "assessment": assessed(submitted.change)}
    start = partial(leases.start, here.ledger, submitted.change, intent, **more)
    return Gate(
        here.ledger,
        TakesOver(submitted.change, ticket.summary, wanted.person),
        ticket.targets,
        lambda now: start(now=now),
        here.now,
        here.log,
    )


def _refuse(book: Book, ledger: Ledger, refused: NotAllowed, now: datetime) -> None:
    """Record that it was refused; its journal has nothing more to say, unless the ledger does not take that now."""
    reason = "\n".join(refused.reasons)
    try:
        emergencies.refuse(ledger, book.change, reason=reason, now=now)
    except ChangeError:
        book.is_up = False
        book.close("refused", reason)
        book.journal.close(suffix="" if book.is_up else None)
        return
    book.journal.close(suffix="")
