"""Ends what was cut off on this host while it carried out an emergency."""

import argparse

from changewindow.changes.direct_book import Book
from changewindow.changes.direct_hands import Hands
from changewindow.changes.direct_ingestion import left_text
from changewindow.changes.emergency_direct import resume as resumed
from changewindow.cli.embedded import policy_folder
from changewindow.cli.emergency_here import asking, carried_out, folder, interruptible, now, say, seal_of, taken_in
from changewindow.cli.emergency_questions import is_confirmed
from changewindow.cli.emergency_telling import Telling
from changewindow.cli.foreign_connections import ForeignConnections
from changewindow.cli.ledger_address import Found, found
from changewindow.cli.policy import policy_now
from changewindow.ledger.journal import Journal, journals
from changewindow.ticket import plan


def resume(arguments: argparse.Namespace) -> int:
    """Roll back what processes of this host have left that died; return 0 if there was none, or all is as before."""
    ledger, code = found(arguments), 0
    paths = journals(folder()) if folder().is_dir() else []
    cut_off = [journal for path in paths if (journal := Journal.take(path, seal_of(ledger)))]
    for journal in [journal for journal in cut_off if not _is_open(journal)]:
        cut_off.remove(journal)
        journal.close()
    if not cut_off:
        say(f"Nothing in {folder()} was cut off.")
    for journal in cut_off:
        code = max(code, _resume_one(arguments, journal, ledger))
    say(*taken_in(ledger, policy_now(arguments)))
    return code


def _is_open(journal: Journal) -> bool:
    whats = [line.what for line in journal.lines]
    return whats[:1] == ["declared"] and "closed" not in whats and not journal.altered


def _resume_one(arguments: argparse.Namespace, journal: Journal, ledger: Found) -> int:
    book = Book(journal, ledger.named, now=now, log=say)
    if book.hand_in() and book.is_taken_over:
        say(f"{book.change}: another run has taken it over; nothing is left to do here{left_text(book.left)}")
        journal.close(suffix="")
        return 0
    print(plan.text(book.change, book.ticket))
    if not _may_resume(arguments, book):
        journal.close()
        return 1
    hands = Hands(ForeignConnections.of(ledger.named), now, say)
    telling = Telling(book, hands, policy_folder(arguments), asking(policy_now(arguments), opens=False))
    with interruptible(hands):
        return carried_out(telling, resumed)


def _may_resume(arguments: argparse.Namespace, book: Book) -> bool:
    """Return whether it is rolled back here: not while another run may do that, unless a person has looked."""
    if not book.is_up and book.contact.is_lost(now()):
        say(f"! The ledger does not answer, and knows of {book.change}: housekeeping may be rolling it back now.")
        if arguments.yes:
            say("Look whether it does, and run this without --yes; or wait until the ledger answers.")
            return False
        if not is_confirmed(arguments, f"Have you looked in Airflow that no run of {book.change} acts?"):
            return False
        book.contact.forget()
    started = ", ".join(map(str, book.started)) or "none"
    return is_confirmed(arguments, f"{book.change} was cut off; steps that have begun: {started}. Roll it back now?")
