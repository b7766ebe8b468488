"""Carries an emergency out on this host, without Airflow."""

import argparse
import os
import pwd
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any

from changewindow import settings
from changewindow.changes.direct_book import Book
from changewindow.changes.direct_hands import Hands
from changewindow.changes.direct_incident import Asking
from changewindow.changes.direct_ingestion import folder_of, left_text
from changewindow.changes.direct_silences import silenced
from changewindow.changes.direct_start import Here, Wanted, begin, hold
from changewindow.changes.direct_waiting import Waiting
from changewindow.changes.emergency import with_skips
from changewindow.changes.emergency_direct import Ending, carry_out
from changewindow.changes.emergency_form import Emergency, emergency_of
from changewindow.changes.taking_over import WhyNot, objection_to_abort
from changewindow.cli.embedded import policy_folder
from changewindow.cli.emergency_questions import is_confirmed
from changewindow.cli.emergency_telling import Telling
from changewindow.cli.foreign_connections import ForeignConnections
from changewindow.cli.ingesting import take_in_now
from changewindow.cli.ledger_address import Found, found
from changewindow.cli.policy import policy_now
from changewindow.documents.findings import Finding
from changewindow.errors import BadPolicy
from changewindow.ledger.database import Ledger
from changewindow.ledger.seal import Seal
from changewindow.policy.assessment import Assessment
from changewindow.policy.emergencies import Emergencies
from changewindow.policy.model import Policy
from changewindow.policy.standing import Assessed
from changewindow.ticket import plan
from changewindow.ticket.model import Ticket

ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def act(arguments: argparse.Namespace, form: dict[str, Any], down: list[str]) -> int:
    """Carry out what a form says; return 0 when it was completed.

    Raises:
        ChangeError: nothing was touched.
    """
    ledger, rules, person = found(arguments), policy_now(arguments), account()
    because = [*down, *([f"the ledger does not answer, so that no target is held ({ledger.why})"] * bool(ledger.why))]
    say(*taken_in(ledger, rules))
    emergency = emergency_of(form, rules, person=person, now=now())
    ticket = emergency.made.ticket
    assert ticket is not None  # noqa: S101  for the type: a form without one is refused
    connections = ForeignConnections.of(ledger.named)
    connections.require(ticket)
    print(plan.text("EMERGENCY", ticket))
    say(f"! Carried out on this host, without Airflow, because {'; '.join(because)}.")
    if not is_confirmed(arguments, "Carry it out now?"):
        say("Nothing was touched.")
        return 1
    wanted = _wanted(emergency, rules, ledger.answering, because)
    here = Here(folder(), seal_of(ledger), ledger.answering, now, say)
    hands, where = Hands(connections, now, say), asking(rules, opens=bool(form.get("declare_incident")))
    with interruptible(hands):
        book = begin(wanted, here)
        book.ledger = ledger.named  # it may answer again before the end
        waiting = _waiting(arguments, hands, emergency, partial(_objection, here, rules))
        hold(book, wanted, here, _assessed(rules, wanted, ticket), waiting=waiting)
        return carried_out(Telling(book, hands, policy_folder(arguments), where), carry_out)


def taken_in(ledger: Found, rules: Policy | BadPolicy) -> list[str]:
    """Take in what was kept on this host, where the ledger answers; return a sentence for each."""
    return take_in_now(ledger.answering, rules) if ledger.answering else []


def _handed_over(book: Book, reason: str) -> int:
    """Leave it to others, and say so; return 1."""
    book.let_go()
    is_whole = book.is_taken_over and book.hand_in()
    say(f"{book.change}: STOPPED. {reason}{left_text(book.left)}.")
    if not is_whole:
        say(
            f"What was done here is kept in {book.journal.path}: run `changewindow ledger ingest` as soon as the ledger"
        )
        say("answers, so that whoever rolls it back knows of every step.")
    book.journal.close(suffix="" if is_whole else None)
    return 1


def carried_out(telling: Telling, do: Callable[[Book, Hands], Ending]) -> int:
    """Carry it out, and tell others beside it; say how it ended, and what is owed."""
    book, hands = telling.book, telling.hands
    with book.beating(hands.stop), silenced(book, hands, settings.read().silence_lease):
        telling.began()
        ending = do(book, hands)
        if ending.outcome:
            telling.ended(ending, ending.outcome)
        telling.finish()
    if ending.outcome is None:
        return _handed_over(book, ending.reason)
    is_whole = book.is_up and book.hand_in()
    say(f"{book.change}: {ending.outcome}. {ending.reason}")
    due = f"{book.declared.due:%Y-%m-%d %H:%M} UTC"
    say(f"Owed by {due}: a retroactive approval under Required Actions in Airflow, by somebody who neither")
    say("asked for it, did it nor commanded; and then its review (DAG `review_change`).")
    if not is_whole:
        say(f"It is kept in {book.journal.path} until the ledger answers; then `changewindow ledger ingest`.")
    if not is_whole and book.contact.has_been and ending.outcome == "completed":
        say("! Do that soon: the ledger takes it for unfinished, and housekeeping on another host rolls it back")
        say(f"  {book.contact.left(now())}.")
    book.journal.close(suffix="" if is_whole else None)
    return 0 if ending.outcome == "completed" else 1


def _wanted(emergency: Emergency, rules: Policy | BadPolicy, ledger: Ledger | None, because: list[str]) -> Wanted:
    person = account()
    declared = with_skips(emergency, rules, ledger, person=person, now=now())
    who = f"{person} is the account on {os.uname().nodename}: nobody has authenticated them"
    by_terminal = f"{'; '.join(because)}. {who}"
    owed = Emergencies() if isinstance(rules, BadPolicy) else rules.emergencies
    marked = declared.model_copy(update={"by_terminal": by_terminal[:1000]})
    return Wanted(emergency.made.data, marked, person, owed.review_within)


def _waiting(arguments: argparse.Namespace, hands: Hands, emergency: Emergency, why_not: WhyNot) -> Waiting:
    patience = timedelta(seconds=arguments.wait)
    return Waiting(patience, hands.stop, takes_over=emergency.held == "take_over", why_not=why_not)


def _objection(here: Here, rules: Policy | BadPolicy, holder: str) -> Finding | None:
    return objection_to_abort(here.ledger, rules, holder, account()) if here.ledger else None


def asking(rules: Policy | BadPolicy, *, opens: bool) -> Asking:
    """Return where its incident is looked up, as far as this terminal knows."""
    why = "the policy cannot be read, which says where. Look there yourself" if isinstance(rules, BadPolicy) else ""
    return Asking(None if isinstance(rules, BadPolicy) else rules.emergencies.incidents, opens, why)


def _assessed(rules: Policy | BadPolicy, wanted: Wanted, ticket: Ticket) -> Callable[[str], Assessed]:
    if isinstance(rules, BadPolicy):
        return lambda _: rules
    return lambda change: Assessment(rules, ticket, dict(wanted.data), change)


def seal_of(ledger: Found) -> Seal:
    """Return what seals the journals of this host."""
    return ledger.named.seal if ledger.named else Seal()


@contextmanager
def interruptible(hands: Hands) -> Iterator[None]:
    """Have it rolled back when it is interrupted; a second time changes nothing."""

    def ask(number: int, _frame: object) -> None:
        is_news = hands.stop.ask(f"interrupted ({signal.Signals(number).name})")
        sentence = "interrupted: what has begun is rolled back" if is_news else "it is rolling back; wait for its end"
        Thread(target=say, args=(sentence,), daemon=True).start()  # whom it interrupts may be in the middle of a line

    before = {number: signal.signal(number, ask) for number in ENDS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def folder() -> Path:
    """Return where journals lie: beside the spool of this host."""
    return folder_of(settings.read().spool)


def account() -> str:
    """Return the account of this machine that acts, behind sudo the one that called it; nobody proves who that is."""
    behind = os.environ.get("SUDO_UID", "") if os.geteuid() == 0 else ""
    with suppress(KeyError):
        return pwd.getpwuid(int(behind) if behind.isdecimal() else os.geteuid()).pw_name
    return f"uid-{os.geteuid()}"


def now() -> datetime:
    """Return the present."""
    return datetime.now(UTC)


def say(*lines: str) -> None:
    """Print lines with their time; a terminal that has gone away stops nothing."""
    for line in lines:
        with suppress(OSError, ValueError):
            # With its line end in one piece: what people are told is logged by another thread.
            print(f"{now():%H:%M:%S} {line}\n", end="", file=sys.stderr, flush=True)
