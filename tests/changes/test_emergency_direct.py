"""An emergency carried out from a terminal is kept or rolled back: with the ledger, without it, and after a kill -9."""

import os
import resource
import subprocess
import sys
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from changewindow.changes.direct_book import Book
from changewindow.changes.direct_ingestion import RECORDED, Ingestion, TakenIn, take_in_all
from changewindow.changes.emergency_direct import resume
from changewindow.changes.housekeeping import orphaned
from changewindow.errors import NotAllowed
from changewindow.ledger import aftercare, changes, events, leases
from changewindow.ledger.database import Ledger
from changewindow.ledger.journal import Journal, content, journals
from changewindow.ledger.payloads import Undone
from changewindow.ledger.seal import Seal
from changewindow.ledger.taking_in import EVENT
from changewindow.policy.emergencies import Emergencies
from support import direct
from support.changes import NOW, approved, intent
from support.direct_place import Place
from support.recording_server import Reply, Request
from support.tickets import banner

pytestmark = pytest.mark.integration

TESTS = Path(__file__).parents[1]


def kinds(ledger: Ledger, change: str) -> list[str]:
    """Return the kinds of a change's events."""
    return [row.kind for row in events.history(ledger, change)]


def slow(place: Place, *, seconds: float) -> list[dict[str, Any]]:
    """Return the steps, of which the second takes long."""
    steps: list[dict[str, Any]] = direct.data(place.done)["steps"]
    steps[1]["run"] = ["sh", "-c", f"echo run-2 >> {place.done}; sleep {seconds}"]
    return steps


def test_with_the_ledger_it_is_a_change_like_any_other(place: Place) -> None:
    """It holds its targets while it acts, its chain is whole, and it owes its approval."""
    book = place.book(is_held=True)
    assert leases.leases(place.ledger, book.change) == ["production/orders"]
    ending = place.carry_out(book)
    assert (ending.outcome, place.did) == ("completed", ["run-1", "run-2"]), ending
    assert place.status(book.change) == "completed"
    assert leases.leases(place.ledger, book.change) == []
    owed = aftercare.of_change(place.ledger, book.change)
    assert owed is not None
    assert owed.approval(direct.now()) == "owed"
    assert owed.review_due is not None


def test_what_is_not_good_is_undone_in_reverse(place: Place) -> None:
    """And it is verified that all is as before."""
    place.server.otherwise = Reply(404)
    book = place.book()
    ending = place.carry_out(book)
    assert (ending.outcome, place.did) == ("rolled_back", ["run-1", "run-2", "undo-2", "undo-1"]), ending
    assert place.status(book.change) == "rolled_back"


def test_a_step_that_fails_is_undone_too(place: Place) -> None:
    """It may have done half of its work; the steps after it never begin."""
    steps = direct.data(place.done)["steps"]
    steps[0]["run"] = ["sh", "-c", f"echo half >> {place.done}; exit 3"]
    ending = place.carry_out(place.book(has_ledger=False, steps=steps))
    assert (ending.outcome, place.did) == ("rolled_back", ["half", "undo-1"])


def test_a_full_disk_keeps_nobody_from_undoing(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    """No step begins that cannot be remembered; those before it are undone, and what was written stays legible."""
    book = place.book(has_ledger=False)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def log(line: str) -> None:
        if line.startswith("step 2"):
            resource.setrlimit(resource.RLIMIT_FSIZE, (book.journal.path.stat().st_size + 10, limits[1]))

    try:
        ending = place.carry_out(book, replace(direct.hands(place.server.url), log=log))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (ending.outcome, place.did) == ("rolled_back", ["run-1", "undo-1"]), ending
    assert "'undone' cannot be written into" in capsys.readouterr().out
    assert (content(book.journal.path, Seal()).altered, book.undone) == (0, ())
    book.note(Undone(step=1, name="Step 1"))
    assert content(book.journal.path, Seal()).altered == 0


def test_without_the_ledger_all_is_kept_and_taken_in_later_once(place: Place) -> None:
    """The change gets its number then, with every event in order, at its true time."""
    place.lose_ledger()
    book = place.book()
    ending = place.carry_out(book)
    assert (ending.outcome, book.is_up) == ("completed", False)
    kept = book.journal.path.read_bytes()
    book.journal.close()
    place.bring_it_back()
    [sentence] = place.ingest()
    [change] = place.changes()
    assert sentence.startswith(f"{change} was declared an emergency by alice from a terminal")
    acted = ["remembered", "applied"] * 2
    assert kinds(place.ledger, change)[:7] == ["submitted", "declared", "started", *acted]
    at = [row.at for row in events.history(place.ledger, change)]
    assert at == sorted(at)
    assert (place.status(change), journals(place.journals)) == ("completed", [])
    book.journal.path.write_bytes(kept)  # a crash came between the ledger and the file
    before = kinds(place.ledger, change)
    place.ingest()
    assert (kinds(place.ledger, change), place.changes()) == (before, [change])
    owed = aftercare.of_change(place.ledger, change)
    assert owed is not None
    assert owed.approval(direct.now()) == "owed"


def test_a_ledger_that_goes_away_stops_nothing(place: Place) -> None:
    """What was not written before is taken in afterwards, behind what was."""
    book = place.book(is_held=True)

    def reply(_: Request) -> Reply:
        place.lose_ledger()
        return Reply(200)

    place.server.otherwise = reply
    assert place.carry_out(book).outcome == "completed"
    book.journal.close()
    place.bring_it_back()
    assert place.status(book.change) == "running"
    place.ingest()
    assert place.status(book.change) == "completed"
    assert kinds(place.ledger, book.change).count("applied") == 2


@pytest.mark.parametrize(("number", "before"), [(0, "alice"), (4, "Step 2")])
def test_an_altered_line_is_set_aside_and_said(place: Place, number: int, before: str) -> None:
    """What stands before it is taken; of what comes after, nobody knows how it ended, so the target is kept."""
    book = place.book(has_ledger=False)
    place.carry_out(book)
    book.journal.close()
    raw = book.journal.path.read_text().splitlines(keepends=True)
    raw[number] = raw[number].replace(before, "mallory")
    book.journal.path.write_text("".join(raw))
    said = place.ingest()
    assert f"line {number + 1} of {book.journal.path} is not as it was written" in said[-1]
    assert book.journal.path.with_suffix(".refused").exists()
    if number == 0:
        assert place.changes() == []
        return
    [change] = place.changes()
    assert place.status(change) == "rollback_failed"
    other = approved(place.ledger, banner())
    wanted = intent(other.digest)
    with pytest.raises(NotAllowed, match=f"held by {change}"):
        leases.start(place.ledger, other.change, wanted, targets=("production/orders",), now=NOW)


def test_a_forged_journal_is_refused(place: Place) -> None:
    """Whoever does not have the key writes nothing into the ledger."""
    book = place.book(has_ledger=False)
    line = book.journal.path.read_text()
    book.journal.close(suffix="")
    (place.journals / "0123456789abcdef.journal").write_text(line)  # a good line under another name
    assert "is not as it was written" in place.ingest()[0]
    assert place.changes() == []


def test_a_journal_by_a_key_that_is_not_known_here_is_kept_until_it_is(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be this process that lacks a key: nothing is set aside, and nobody is said to have altered it."""
    book = place.book(has_ledger=False)
    place.carry_out(book)
    book.journal.close()
    key = os.environ["CHANGEWINDOW_SEAL_KEY"]
    monkeypatch.setenv("CHANGEWINDOW_SEAL_KEY", "a-key-that-the-terminal-did-not-have")
    vars(place.ledger.seal).pop("keys", None)
    [kept] = place.ingest()
    assert kept.startswith(f"{book.journal.path} stays kept: its line 1 is sealed by key ")
    assert "Add that key behind the first one in the variable CHANGEWINDOW_SEAL_KEY" in kept
    assert (journals(place.journals), place.changes()) == ([book.journal.path], [])
    monkeypatch.setenv("CHANGEWINDOW_SEAL_KEY", key)
    vars(place.ledger.seal).pop("keys", None)
    assert place.ingest()[0].startswith("CHG-1001 was declared an emergency by alice")
    assert (journals(place.journals), place.status("CHG-1001")) == ([], "completed")


def test_a_journal_that_cannot_be_taken_in_stops_no_other(place: Place) -> None:
    """A later version has written it, or what it says is refused: it stays, and the next one is taken in."""
    unknown = Journal.create(place.journals, place.ledger.seal)
    unknown.write(RECORDED, NOW, {"manual": {"of": "a later version"}, "person": "alice"})
    unknown.close()
    os.utime(unknown.path, (0, 0))
    book = place.book(has_ledger=False)
    place.carry_out(book)
    book.journal.close()
    [said, kept] = place.ingest()
    assert said.startswith("CHG-1001 was declared an emergency by alice")
    assert kept.startswith(f"{unknown.path} cannot be taken in, and stays kept: ")
    assert journals(place.journals) == [unknown.path]


def test_a_ledger_that_flaps_takes_each_journal_once_and_says_so_once(place: Place) -> None:
    """It goes away before the second one of three, and once more before the third: nothing is lost, nor said twice."""
    for _ in range(3):
        book = place.book(has_ledger=False)
        place.carry_out(book)
        book.journal.close()
    looks = iter([False, True] * 2 + [False])

    def flapping() -> datetime:
        if next(looks):
            place.lose_ledger()
        return direct.now()

    wanted, told = Ingestion(place.ledger, flapping, lambda *_: "", Emergencies()), list[TakenIn]()
    for left in (2, 1, 0):
        told.append(take_in_all(wanted, place.journals))
        assert len(journals(place.journals)) == left
        if left:
            place.bring_it_back()
    assert [[news.partition(" ")[0] for news in each.news] for each in told] == [
        ["CHG-1001"],
        ["CHG-1002"],
        ["CHG-1003"],
    ]
    assert [len(each.kept) for each in told] == [1, 1, 0]
    assert "and those after it stay kept: " in told[0].kept[0]
    assert [kinds(place.ledger, change).count("declared") for change in place.changes()] == [1, 1, 1]
    assert {place.status(change) for change in place.changes()} == {"completed"}


@pytest.mark.parametrize("seconds", [0, 30])
def test_an_interrupt_rolls_back(place: Place, seconds: int) -> None:
    """While it is watched, or while a program of a step runs, which is killed."""
    watch = {"for": "30s", "every": "200ms"}
    book = place.book(has_ledger=False, watch=watch, steps=slow(place, seconds=seconds))
    hands = direct.hands(place.server.url)

    def interrupt() -> None:
        while place.did[-1:] != ["run-2"]:
            time.sleep(0.05)
        time.sleep(0.3)
        hands.stop.ask("interrupted by alice")

    Thread(target=interrupt, daemon=True).start()
    begun = time.monotonic()
    ending = place.carry_out(book, hands)
    assert time.monotonic() - begun < 20
    assert (ending.outcome, "interrupted by alice" in ending.reason) == ("rolled_back", True), ending
    assert place.did == ["run-1", "run-2", "undo-2", "undo-1"]


def test_an_abort_in_the_ledger_rolls_back(place: Place) -> None:
    """The terminal finds it within seconds."""
    book = place.book(is_held=True, watch={"for": "60s", "every": "200ms"})
    changes.abort(place.ledger, book.change, person="bob", reason="wrong host", now=direct.now())
    hands = direct.hands(place.server.url)
    with book.beating(hands.stop):
        ending = place.carry_out(book, hands)
    assert (ending.outcome, "aborted by bob: wrong host" in ending.reason) == ("rolled_back", True), ending
    assert place.status(book.change) == "rolled_back"


def test_a_held_target_is_not_touched(place: Place) -> None:
    """It is refused once nobody waits any longer, and that is on record."""
    other = approved(place.ledger, banner())
    leases.start(place.ledger, other.change, intent(other.digest), targets=("production/orders",), now=NOW)
    with pytest.raises(NotAllowed, match=f"production/orders is held by {other.change}"):
        place.book(is_held=True)
    assert (place.status(place.changes()[-1]), journals(place.journals), place.did) == ("refused", [], [])


def events_in(journal: Path, seal: Seal) -> int:
    """Return how many events a journal holds."""
    return len([line for line in content(journal, seal).lines if line.what == EVENT])


def killed(place: Place) -> None:
    """Kill a process that carries an emergency out, within its second step."""
    program = [sys.executable, "-m", "support.direct_program", str(place.folder), str(place.ledger.url)]
    process = subprocess.Popen([*program, place.server.url], cwd=TESTS)
    while not (found := journals(place.journals)) or events_in(found[0], place.ledger.seal) < 3:
        assert process.poll() is None
        time.sleep(0.05)
    process.kill()
    process.wait()
    while (left := Journal.take(found[0], place.ledger.seal)) is None:  # a program it was about to start has it yet
        time.sleep(0.05)
    left.close()


@pytest.mark.parametrize("outage", ["", "the ledger is down"])
def test_what_was_killed_in_the_middle_is_rolled_back(place: Place, outage: str) -> None:
    """By whoever resumes it from the journal: what it remembers is on the disk before a step acts."""
    if outage:
        place.lose_ledger()
    killed(place)
    if outage:
        place.bring_it_back()
    assert "the process that carried it out died" in place.ingest()[0]
    [path] = journals(place.journals)
    journal = Journal.take(path, place.ledger.seal)
    assert journal is not None
    book = Book(journal, place.ledger, now=direct.now, log=print)
    ending = resume(book, direct.hands(place.server.url))
    assert (ending.outcome, place.did) == ("rolled_back", ["run-1", "undo-2", "undo-1"]), ending
    assert place.status(book.change) == "rolled_back"


def test_housekeeping_takes_over_what_was_killed(place: Place) -> None:
    """Then the change has lost its run, and is rolled back like every other one; nothing is left to resume."""
    killed(place)
    [change] = place.changes()
    run = changes.get(place.ledger, change).run or ""
    assert leases.is_terminal_alive(place.ledger, run, direct.now())
    assert "it is rolled back" in place.ingest(takes_over=True)[0]
    assert not leases.is_terminal_alive(place.ledger, run, direct.now())
    assert (place.status(change), journals(place.journals)) == ("running", [])
    assert [orphan.id for orphan in orphaned(place.ledger, lambda *_: False, direct.now())] == [change]
