"""A terminal waits for targets that others hold, or has those rolled back; whoever gives up leaves nothing behind."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from threading import Thread

import pytest

from changewindow.changes.direct_book import Book
from changewindow.changes.direct_hands import Stop
from changewindow.changes.direct_waiting import Waiting
from changewindow.changes.taking_over import objection_to_abort
from changewindow.documents.findings import Finding
from changewindow.errors import NotAllowed
from changewindow.ledger import changes, events, leases
from changewindow.ledger.journal import journals
from changewindow.ledger.payloads import Aborted
from changewindow.policy.rights import May, Rights
from support import direct
from support.direct_place import Place
from support.tickets import POLICY

LONG = timedelta(minutes=2)
WATCHED_LONG = {"for": "5m", "every": "200ms"}
TARGET = "production/orders"


@contextmanager
def holder(place: Place) -> Iterator[Book]:
    """Let another terminal act on the target: it watches for long, after both its steps."""
    book = place.book(is_held=True, watch=WATCHED_LONG)
    hands = direct.hands(place.server.url)

    def act() -> None:
        with book.beating(hands.stop):
            place.carry_out(book, hands)
        book.journal.close(suffix="")

    thread = Thread(target=act, daemon=True)
    thread.start()
    try:
        wait(lambda: place.did[-1:] == ["run-2"])
        yield book
    finally:
        hands.stop.ask("the test is over")
        thread.join(60)


def wait(condition: Callable[[], object]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def may_be_aborted(_: str) -> Finding | None:
    """Let everybody abort."""
    return None


def test_what_holds_the_target_is_rolled_back_first(place: Place) -> None:
    """It is aborted in the ledger, its own terminal undoes it, and only then is the target taken."""
    with holder(place) as before:
        book, said = place.book(), list[str]()
        place.hold(book, Waiting(LONG, takes_over=True, why_not=may_be_aborted), said)
        assert place.did == ["run-1", "run-2", "undo-2", "undo-1"]
        assert place.status(before.change) == "rolled_back"
    assert leases.leases(place.ledger, book.change) == [TARGET]
    [aborted] = events.past(place.ledger, before.change, Aborted)
    assert aborted.reason.startswith(f"the emergency {book.change} takes over: ")
    assert said[0].startswith(f"waiting up to 2m: {TARGET} is held by {before.change}. Ctrl-C ends it")
    assert [line for line in said if "is aborted, and rolled back by its own run" in line] == said[1:2]


def test_what_holds_the_target_is_waited_for(place: Place) -> None:
    """Nobody aborts it; once it is done, the target is taken."""
    other = place.book(is_held=True)
    book = place.book()

    def end() -> None:
        time.sleep(0.5)
        place.carry_out(other)

    thread = Thread(target=end, daemon=True)
    thread.start()
    place.hold(book, Waiting(LONG))
    thread.join(60)
    assert place.status(other.change) == "completed"
    assert leases.leases(place.ledger, book.change) == [TARGET]


def test_who_may_not_abort_waits_and_gives_up(place: Place) -> None:
    """That is said with the name of who may; it is refused in time, and the other goes on."""
    rules = replace(POLICY, rights=Rights(may=May(abort=("operators",))))
    other, book, said = place.book(is_held=True), place.book(), list[str]()

    def why_not(holder: str) -> Finding | None:
        return objection_to_abort(place.ledger, rules, holder, "alice")

    with pytest.raises(NotAllowed, match=f"{TARGET} is held by {other.change}, after 1.5s"):
        place.hold(book, Waiting(timedelta(seconds=1.5), takes_over=True, why_not=why_not), said)
    assert f"{other.change} is waited for: alice may not abort a change" in said[1]
    assert not changes.get(place.ledger, other.change).aborted
    assert (place.status(book.change), leases.leases(place.ledger, other.change)) == ("refused", [TARGET])


def test_a_rollback_that_failed_is_not_waited_for(place: Place) -> None:
    """Nobody would let go of it."""
    other, book = place.book(is_held=True), place.book()
    told = {"run": other.run, "outcome": "rollback_failed", "reason": "", "now": direct.now()}
    changes.close(place.ledger, other.change, **told)  # type: ignore[arg-type]
    began = time.monotonic()
    with pytest.raises(NotAllowed, match=f"{TARGET} is held by {other.change}"):
        place.hold(book, Waiting(LONG, takes_over=True, why_not=may_be_aborted))
    assert time.monotonic() - began < LONG.total_seconds() / 2


def test_an_interrupt_while_it_waits_leaves_nothing_behind(place: Place) -> None:
    """It is refused on record, its journal is gone, and the other change goes on."""
    other, book, stop = place.book(is_held=True), place.book(), Stop()
    stop.ask("interrupted (SIGINT)")
    with pytest.raises(NotAllowed, match=r"interrupted \(SIGINT\) while"):
        place.hold(book, Waiting(LONG, stop))
    assert (place.status(book.change), place.status(other.change)) == ("refused", "running")
    assert (journals(place.journals), place.did) == ([other.journal.path], [])


def test_a_ledger_that_goes_away_frees_nothing(place: Place) -> None:
    """What it said last is that the target is held; that it was refused is taken in later."""
    place.book(is_held=True)
    book, said = place.book(), list[str]()
    thread = Thread(target=lambda: (wait(lambda: said), place.lose_ledger()), daemon=True)
    thread.start()
    with pytest.raises(NotAllowed, match=f"{TARGET} is held by"):
        place.hold(book, Waiting(timedelta(seconds=6)), said)
    thread.join(60)
    assert any(line.startswith("the ledger does not answer, and production/orders is held by") for line in said)
    place.bring_it_back()
    assert any(f"{book.change} was declared an emergency" in line and "refused" in line for line in place.ingest())
    assert (place.status(book.change), place.did) == ("refused", [])
