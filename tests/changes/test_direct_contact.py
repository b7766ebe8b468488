"""A terminal that does not hear from the ledger stops before others may roll its change back: never do two act."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from threading import Thread
from typing import Any

import pytest

from changewindow.changes.direct_book import Book
from changewindow.changes.direct_contact import Contact
from changewindow.changes.direct_hands import Hands
from changewindow.changes.emergency_direct import Ending, carry_out
from changewindow.changes.housekeeping import orphaned
from changewindow.ledger import changes, leases
from changewindow.ledger.journal import journals
from changewindow.ledger.payloads import Watching
from support import direct
from support.changes import NOW, approved, intent
from support.direct_place import Place
from support.tickets import banner

MINUTE = timedelta(minutes=1)
WATCHED_LONG = {"for": "2h", "every": "200ms"}


@dataclass
class Clock:
    """A clock that tests put forward."""

    ahead: timedelta = timedelta(0)

    def now(self) -> datetime:
        """Return the present, as it takes it to be."""
        return direct.now() + self.ahead


@dataclass
class Acting:
    """A terminal that carries an emergency out beside the test, by a clock of its own."""

    place: Place
    book: Book
    clock: Clock
    hands: Hands
    said: list[str]
    endings: list[Ending]
    thread: Thread | None = None

    @classmethod
    def begin(cls, place: Place, do: Callable[[Book, Hands], Ending] = carry_out, **changed: Any) -> "Acting":
        """Begin it, with its leases."""
        held, clock, said = place.book(is_held=True, **changed), Clock(), list[str]()
        book = Book(held.journal, place.ledger, now=clock.now, log=said.append)
        hands = replace(direct.hands(place.server.url), now=clock.now)
        made = cls(place, book, clock, hands, said, [])

        def act() -> None:
            with book.beating(hands.stop):
                made.endings.append(do(book, hands))

        made.thread = Thread(target=act, daemon=True)
        made.thread.start()
        return made

    def ended(self) -> Ending:
        """Return how it ended."""
        assert self.thread is not None
        self.thread.join(60)
        [ending] = self.endings
        return ending

    def until(self, last: str) -> None:
        """Wait until this was the last thing that a step has done."""
        wait(lambda: self.place.did[-1:] == [last])


def wait(condition: Callable[[], object]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def steps(place: Place, **slow: str) -> list[dict[str, Any]]:
    """Return the steps; of the second, `run` or `undo` goes on for a minute after it has said what it does."""
    made: list[dict[str, Any]] = direct.data(place.done)["steps"]
    for name, said in slow.items():
        made[1][name] = ["sh", "-c", f"echo {said} >> {place.done}; sleep 60"]
    return made


def dead(place: Place, clock: Clock) -> list[str]:
    """Return the changes that housekeeping on another host rolls back now."""
    return [change.id for change in orphaned(place.ledger, lambda *_: False, clock.now())]


@pytest.mark.parametrize("slow", [{}, {"run": "run-2"}])
def test_whoever_is_cut_off_rolls_back_while_nobody_else_may(place: Place, slow: dict[str, str]) -> None:
    """While it watches, or in a step, whose program is killed; it is loud, and done before housekeeping begins."""
    acting = Acting.begin(place, watch=WATCHED_LONG, steps=steps(place, **slow))
    acting.until("run-2")
    place.lose_ledger()
    acting.clock.ahead = 9 * MINUTE
    time.sleep(1.5)
    assert not acting.hands.stop.reason
    acting.clock.ahead = 11 * MINUTE
    ending = acting.ended()
    assert (ending.outcome, place.did) == ("rolled_back", ["run-1", "run-2", "undo-2", "undo-1"]), ending
    assert any(line.startswith("STOPPING: the ledger has not answered for 11m") for line in acting.said)
    place.bring_it_back()
    assert dead(place, acting.clock) == []
    acting.book.journal.close()
    place.ingest()
    assert place.status(acting.book.change) == "rolled_back"


def test_whoever_has_been_cut_off_for_longer_than_the_lease_undoes_nothing(place: Place) -> None:
    """A host that slept, say: others may roll it back by now. What it has begun is known once it is taken in."""
    acting = Acting.begin(place, watch=WATCHED_LONG, steps=steps(place, run="run-2"))
    acting.until("run-2")
    place.lose_ledger()
    acting.clock.ahead = 15 * MINUTE
    ending = acting.ended()
    assert (ending.outcome, place.did) == (None, ["run-1", "run-2"]), ending
    assert any(line.startswith("STOPPED: the ledger has not answered for 15m") for line in acting.said)
    place.bring_it_back()
    assert dead(place, acting.clock) == [acting.book.change]
    acting.book.journal.close()
    [said] = place.ingest(takes_over=True)
    assert "another run has taken it over. It is running now" in said


def test_an_undo_that_takes_too_long_is_stopped_and_handed_over(place: Place) -> None:
    """Its program is killed before others begin; it is not written down as undone."""
    acting = Acting.begin(place, watch=WATCHED_LONG, steps=steps(place, undo="undo-2"))
    acting.until("run-2")
    acting.hands.stop.ask("interrupted")
    acting.until("undo-2")
    place.lose_ledger()
    acting.clock.ahead = 15 * MINUTE
    ending = acting.ended()
    assert (ending.outcome, place.did[-1], acting.book.undone) == (None, "undo-2", ())
    place.bring_it_back()
    assert dead(place, acting.clock) == [acting.book.change]


def test_whoever_was_taken_over_finds_out_and_stops(place: Place) -> None:
    """It undoes nothing, whatever it was doing, and names what it has begun that others may not know of."""
    acting = Acting.begin(place, watch=WATCHED_LONG)
    acting.until("run-2")
    assert leases.orphan(place.ledger, acting.book.change, run=acting.book.run, now=direct.now())
    ending = acting.ended()
    assert (ending.outcome, place.did) == (None, ["run-1", "run-2"])
    assert ending.reason.startswith("another run rolls it back in its place")
    assert (place.status(acting.book.change), acting.book.left) == ("running", ())


def test_what_was_begun_unknown_to_whoever_took_over_is_said(place: Place) -> None:
    """Housekeeping on another host has rolled back what it knew of; the journal names the rest."""
    book = place.book(is_held=True, watch=WATCHED_LONG)
    place.lose_ledger()
    hands = direct.hands(place.server.url)
    thread = Thread(target=place.carry_out, args=(book, hands), daemon=True)
    thread.start()
    wait(lambda: place.did[-1:] == ["run-2"])
    hands.stop.lose("its host slept")
    thread.join(60)
    place.bring_it_back()
    assert leases.orphan(place.ledger, book.change, run=book.run, now=direct.now())
    changes.close(place.ledger, book.change, run=None, outcome="rolled_back", reason="", now=direct.now())
    book.journal.close()
    [said] = place.ingest(takes_over=True)
    assert "It is rolled_back now. It had begun steps 1, 2 while it was cut off" in said
    assert journals(place.journals) == []


@pytest.mark.parametrize("skew", [timedelta(seconds=-15), timedelta(0), timedelta(seconds=15)])
def test_at_no_moment_may_both_act(place: Place, skew: timedelta) -> None:
    """Whatever the minute, and where the clocks of the two hosts differ by some seconds."""
    book = place.book(is_held=True)
    assert book.hand_in()
    began = direct.now()
    acting: set[tuple[bool, bool]] = set()
    for seconds in range(0, 1800, 5):
        at = began + timedelta(seconds=seconds)
        may_undo = not book.contact.is_lost(at)
        may_housekeeping = not leases.is_terminal_alive(place.ledger, book.run, at + skew)
        assert not (may_undo and may_housekeeping), at - began
        acting.add((may_undo, may_housekeeping))
    assert acting >= {(True, False), (False, True)}


def test_a_clock_that_is_set_back_does_not_hide_the_silence() -> None:
    """The longer of two clocks counts."""
    contact = Contact()
    instant = contact.clock(NOW)
    contact.made(replace(instant, ticks=instant.ticks - 15 * 60))
    assert contact.is_lost(NOW - MINUTE)
    contact.forget()
    assert not contact.is_cut_off(NOW + 100 * MINUTE)


def test_a_ledger_that_comes_back_finds_it_alive_and_holds_what_is_free(place: Place) -> None:
    """It was declared without the ledger: from then on, housekeeping and other changes leave it alone."""
    place.lose_ledger()
    book = place.book(watch=WATCHED_LONG)
    assert not book.hand_in()
    place.bring_it_back()
    assert book.hand_in()
    assert leases.leases(place.ledger, book.change) == ["production/orders"]
    assert dead(place, Clock()) == []
    assert dead(place, Clock(16 * MINUTE)) == [book.change]


def test_it_is_alive_without_a_lease_too(place: Place) -> None:
    """Another change has held the target all the while; its events show that it acts."""
    other = approved(place.ledger, banner())
    leases.start(place.ledger, other.change, intent(other.digest), targets=("production/orders",), now=NOW)
    place.lose_ledger()
    book = place.book()
    book.require(Watching(since=direct.now(), seconds=60))
    place.bring_it_back()
    assert book.hand_in()
    assert leases.leases(place.ledger, book.change) == []
    assert book.change not in dead(place, Clock())
    assert book.change in dead(place, Clock(16 * MINUTE))
