"""Carries an emergency out where it stands, without Airflow: each step is remembered, applied, watched, or undone.

What is done goes into a journal first, and from there into the ledger, as long as that answers.
"""

import time
from dataclasses import dataclass
from typing import Any

from changewindow.changes.direct_book import Book
from changewindow.changes.direct_hands import Hands
from changewindow.changes.direct_watch import judge, verify
from changewindow.errors import ChangeError, StepFailed
from changewindow.ledger import payloads
from changewindow.policy.outcome import Left, Outcome, outcome
from changewindow.steps.base import Memory, StepBase
from changewindow.systems.context import Context, Ended
from changewindow.systems.place import place_of_step


@dataclass(frozen=True)
class Ending:
    """How it ended, and why."""

    outcome: Outcome | None
    """None: others roll it back."""
    reason: str


def carry_out(book: Book, hands: Hands) -> Ending:
    """Apply every step, watch, and keep it or roll it back; the book has the outcome when this returns."""
    failed = _apply_all(book, hands)
    if not failed:
        decided = judge(book, hands)
        book.heed(hands.stop)
        if decided.is_good and not hands.stop.reason:
            book.note(payloads.WatchDecided(route="succeed", reason=decided.reason))
            book.note(payloads.Validated(reason=decided.reason))
            return _end(book, Left(None, True, True, book.started, (), False, decided.reason))
        failed = hands.stop.reason or decided.reason
    return roll_back(book, hands, because=failed)


def roll_back(book: Book, hands: Hands, *, because: str) -> Ending:
    """Undo, in reverse, every step that has begun, and verify that all is as before."""
    hands.stop.is_undoing = True
    is_aborted = bool(hands.stop.reason)
    if hands.stop.lost and book.started:
        return Ending(None, hands.stop.lost)
    if not book.started:
        return _end(book, Left(None, True, False, (), (), False, because, is_aborted=is_aborted))
    book.note(payloads.WatchDecided(route="undo", reason=because))
    hands.log(f"rolling back: {because}")
    not_undone: list[tuple[int, str]] = []
    for number in sorted(set(book.started) - set(book.undone), reverse=True):
        if hands.stop.lost:
            break
        if not_undone and book.ticket.rollback.after_failure == "stop":
            not_undone.append((number, "a later step is not undone, and the ticket says to stop then"))
        elif reason := _undo(book, number, hands):
            not_undone.append((number, reason))
    wrong = "" if not_undone or hands.stop.lost else verify(book, hands)
    if hands.stop.lost:
        return Ending(None, hands.stop.lost)
    is_good = not not_undone and not wrong
    return _end(book, Left(None, True, False, book.started, tuple(not_undone), is_good, because, wrong, is_aborted))


def resume(book: Book, hands: Hands) -> Ending:
    """End what a process has begun that died: what was proven good stays, everything else is rolled back."""
    if good := book.proven_good:
        return _end(book, Left(None, True, True, book.started, (), False, good))
    return roll_back(book, hands, because="the process that carried it out died before it was proven good")


def _end(book: Book, left: Left) -> Ending:
    ended, reason = outcome(left)
    book.close(ended, reason)
    return Ending(ended, reason)


def _apply_all(book: Book, hands: Hands) -> str:
    """Apply the steps one after the other; return why one was not applied, or nothing."""
    for number, step in enumerate(book.ticket.steps, 1):
        if hands.stop.reason:
            return hands.stop.reason
        try:
            _apply(book, number, step, hands)
        except Exception as error:  # noqa: BLE001  whatever breaks in a step, the change is rolled back
            reason = str(error) if isinstance(error, ChangeError) else f"{type(error).__name__} {error}"
            hands.log(reason)
            return hands.stop.reason or f"step {number} ('{step.name}') was not applied: {hands.secrets.line(reason)}"
    return ""


def _apply(book: Book, number: int, step: StepBase, hands: Hands) -> None:
    hands.log(f"step {number}: {step.name}")
    hands.stop.acting = context = _context(book, number, hands)
    memory = step.remember(context)
    place = place_of_step(step.acts_on, getattr(step, "connection", None), context.connection)
    book.require(payloads.Remembered(step=number, name=step.name, remembered=memory, place=place))
    book.heed(hands.stop)
    if hands.stop.reason:
        raise StepFailed(hands.stop.reason)
    step.apply(context, memory)
    context.require_lock()
    book.require(payloads.Applied(step=number, name=step.name))


def _context(book: Book, number: int, hands: Hands, *, apply_ended: Ended = "applied") -> Context:
    more: dict[str, Any] = {"apply_ended": apply_ended, "secrets": hands.secrets}
    return Context(book.change, number, hands.connections, hands.log, **more)


def _undo(book: Book, number: int, hands: Hands) -> str:
    """Undo a step; return why it is not undone, or nothing."""
    step, memory = book.ticket.steps[number - 1], book.memory(number)
    context = _context(book, number, hands, apply_ended="applied" if number in book.applied else "cut_short")
    hands.stop.acting = context
    reason = ""
    for attempt in range(step.undo_retries + 1):
        if attempt:
            time.sleep(hands.between_tries * 2 ** (attempt - 1))
        book.heed(hands.stop)
        if hands.stop.lost:
            return hands.stop.lost
        hands.log(f"undoing step {number}: {step.name}")
        book.note(payloads.Undoing(step=number, name=step.name))
        reason = _undone(step, context, memory)
        if hands.stop.lost:
            return hands.stop.lost  # whoever undoes it now says what became of it
        if not reason:
            book.note(payloads.Undone(step=number, name=step.name, restored=_restored(step, memory)))
            return ""
        hands.log(f"not undone: {reason}")
        book.note(payloads.UndoFailed(step=number, name=step.name, reason=hands.secrets.line(reason)))
    return reason


def _undone(step: StepBase, context: Context, memory: Memory) -> str:
    try:
        step.undo(context, memory)
    except Exception as error:  # noqa: BLE001  whatever breaks is a failed undo, and the others go on
        return str(error) if isinstance(error, ChangeError) else f"{type(error).__name__} {error}"
    return ""


def _restored(step: StepBase, memory: Memory) -> str:
    try:
        return " ".join(step.restored(memory).split())[:300]
    except (ValueError, LookupError, TypeError, AttributeError):
        return ""
