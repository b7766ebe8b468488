"""Whoever owns the ledger's database writes into it: nothing that he has written starts a change, and all is found."""

import re
import sqlite3
from datetime import timedelta
from functools import cache
from pathlib import Path

import pytest

from changewindow.documents.canonical import canonical
from changewindow.errors import (
    AlreadySealed,
    AlteredText,
    ApprovalRefused,
    BrokenChain,
    NotAllowed,
    SealKeyMissing,
    UnknownSealKey,
)
from changewindow.ledger import approvals, changes, events, leases, payloads
from changewindow.ledger.chain import hash_of
from changewindow.ledger.database import Ledger
from changewindow.ledger.events import Event
from changewindow.ledger.models import EventRow
from changewindow.ledger.spool import Spool
from changewindow.ledger.verification import place_in_chain, verify_all
from support import ledgers
from support.changes import NOW, approved, intent
from support.tampering import tamper
from support.tickets import banner

TARGETS = ("production/orders",)
RUN = "run-1"
DAY = timedelta(days=1)
TABLES = ("events", "approvals", "revisions", "touched", "leases", "changes")


@pytest.fixture(params=["sqlite", "postgres"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Ledger:
    """Return a ledger on SQLite, and one on PostgreSQL."""
    return ledgers.on_sqlite(tmp_path) if request.param == "sqlite" else ledgers.on_postgres()


@cache
def acted(backend: str) -> Ledger:
    """Return a ledger with a change that has run to its end, one that is acting and one that waits for approval."""
    ledger = ledgers.new(backend)
    changes.close(ledger, started(ledger), run=RUN, outcome="completed", reason="good", now=NOW)
    started(ledger)
    changes.submit(ledger, banner(), requester="alice", now=NOW)
    return ledger


def started(ledger: Ledger) -> str:
    """Return a change that acts."""
    submitted = approved(ledger, banner())
    leases.start(ledger, submitted.change, intent(submitted.digest, RUN), targets=TARGETS, now=NOW)
    remembered = payloads.Remembered(run=RUN, step=1, name="Act", remembered={"was": "off"})
    events.record(ledger, Event(submitted.change, f"{RUN}/apply_1", NOW, remembered))
    return submitted.change


INSERT_APPROVAL = """
    INSERT INTO approvals (id, number, digest, person, role, is_yes, at, expires_at)
    SELECT 99, number, digest, 'mallory', 'peer', true, submitted_at, closes FROM changes WHERE number = 1003
"""
INSERT_TEXT = (
    "INSERT INTO revisions (number, digest, text, at) SELECT 1001, 'd', text, at FROM revisions WHERE number = 1002"
)
INSERT_LEASE = """
    INSERT INTO leases (target, number, token, run, taken_at, expires_at)
    SELECT 'test/x', number, token, run, taken_at, expires_at FROM leases
"""
INSERT_EVENT = """
    INSERT INTO events (number, sequence, at, kind, actor, data, previous, hash)
    SELECT number, sequence + 1, at, 'approved', 'bob', '{}', hash, previous FROM events
    WHERE number = 1003 AND sequence = 1
"""
WRITTEN = [
    pytest.param([INSERT_APPROVAL], "the yes of mallory to the text .* has no event", id="an inserted approval"),
    pytest.param(
        ["UPDATE approvals SET person = 'mallory' WHERE number = 1001"],
        "the yes of mallory to the text .* has no event",
        id="an altered approval",
    ),
    pytest.param(
        ["UPDATE approvals SET expires_at = '2099-01-01 00:00:00' WHERE number = 1001"],
        "the yes of bob .* counts until 2099-01-01 00:00 UTC, and its event says",
        id="an approval that counts longer",
    ),
    pytest.param(
        ["DELETE FROM approvals WHERE number = 1001"], "the yes of bob .* has an event and no row", id="a deleted one"
    ),
    pytest.param(
        ["UPDATE changes SET status = 'rolled_back' WHERE number = 1001"],
        "CHG-1001: its status is 'rolled_back', and its events say 'completed'",
        id="an altered outcome",
    ),
    pytest.param(
        ["UPDATE changes SET requester = 'mallory' WHERE number = 1003"],
        "its requester is 'mallory', and its events say 'alice'",
        id="an altered requester",
    ),
    pytest.param(
        ["UPDATE changes SET closes = '2099-01-01 00:00:00' WHERE number = 1003"],
        "its window is .* to 2099-01-01 00:00 UTC, and its events say",
        id="a longer window",
    ),
    pytest.param(
        ["UPDATE changes SET reason = 'all is well' WHERE number = 1001"],
        "its reason is 'all is well', and its events say 'good'",
        id="another reason",
    ),
    pytest.param(
        ["UPDATE changes SET closed_at = NULL WHERE number = 1001"],
        "its closed_at is not set, and its events say",
        id="an end that was taken back",
    ),
    pytest.param(
        ["UPDATE changes SET summary = 'Nothing of importance' WHERE number = 1003"],
        "its summary is 'Nothing of importance', and its text says",
        id="another summary",
    ),
    pytest.param(
        ["UPDATE changes SET owner = 'mallory' WHERE number = 1003"],
        "its owner is 'mallory', and its text says 'alice'",
        id="another owner",
    ),
    pytest.param(
        ["DELETE FROM touched WHERE number = 1003"],
        "it touches nothing, and its text says production/orders",
        id="a target that it is said not to touch",
    ),
    pytest.param(
        ["INSERT INTO touched (number, target) VALUES (1003, 'test/x')"],
        "it touches production/orders, test/x, and its text says production/orders",
        id="a target that it is said to touch",
    ),
    pytest.param([INSERT_LEASE], "its lease on test/x has no event", id="an inserted lease"),
    pytest.param(
        ["UPDATE leases SET token = 99"], "its lease on production/orders has no event", id="an altered lease"
    ),
    pytest.param(["DELETE FROM leases"], "its lease on production/orders is missing", id="a deleted lease"),
    pytest.param(
        ["UPDATE touched SET target = 'test/x' WHERE number = 1001"],
        "CHG-1001: it touches test/x, and its text says production/orders",
        id="altered targets",
    ),
    pytest.param([INSERT_TEXT], "its text d… has no event", id="an inserted text"),
    pytest.param(
        ["UPDATE revisions SET text = replace(text, 'low', 'high') WHERE number = 1001"],
        "CHG-1001: its text .* has another digest now: somebody has altered it",
        id="an altered text",
    ),
    pytest.param(
        ["DELETE FROM revisions WHERE number = 1001"],
        "CHG-1001: its text .* is missing, or has another digest now",
        id="a deleted text",
    ),
    pytest.param([INSERT_EVENT], "CHG-1003: event 2 does not match its hash", id="an inserted event"),
    pytest.param(
        ["UPDATE events SET actor = 'mallory' WHERE number = 1001 AND sequence = 2"],
        "CHG-1001: event 2 does not match its hash",
        id="an altered event",
    ),
    pytest.param(
        ["UPDATE events SET seal = NULL WHERE number = 1001 AND sequence = 3"],
        "CHG-1001: event 3 has no seal",
        id="an event without its seal",
    ),
    pytest.param(
        ["UPDATE events SET seal = (SELECT max(seal) FROM events WHERE number = 1002) WHERE number = 1001"],
        "CHG-1001: event . does not match its seal",
        id="the seal of another event",
    ),
    pytest.param(
        ["DELETE FROM events WHERE number = 1001 AND sequence = 2"],
        "CHG-1001: event 2 is missing",
        id="a deleted event",
    ),
    pytest.param(
        ["DELETE FROM events WHERE number = 1002 AND sequence > 4"],
        "CHG-1002: event 5 is missing, and every one up to 5: the end of the chain was cut off",
        id="a truncated chain",
    ),
    pytest.param(
        ["DELETE FROM events WHERE number = 1002 AND sequence > 4", "UPDATE changes SET head = NULL"],
        "the chain has no sealed head",
        id="a truncated chain without its head",
    ),
    pytest.param(
        ["UPDATE events SET seal = NULL", "UPDATE changes SET head = NULL"],
        "the chain has no sealed head",
        id="a ledger whose seals were taken away",
    ),
    pytest.param(
        [f"DELETE FROM {table} WHERE number = 1001" for table in TABLES],  # noqa: S608  constants
        "CHG-1001 is missing: somebody has deleted it, or emptied the ledger",
        id="a deleted change",
    ),
    pytest.param(
        [f"DELETE FROM {table}" for table in TABLES],  # noqa: S608  constants
        "CHG-1002 is missing: somebody has deleted it, or emptied the ledger",
        id="an emptied ledger",
    ),
]


@pytest.mark.parametrize("backend", ["sqlite", "postgres"])
@pytest.mark.parametrize(("statements", "finding"), WRITTEN)
def test_verify_names(backend: str, tmp_path: Path, statements: list[str], finding: str) -> None:
    """What was inserted, altered, deleted, truncated or emptied; before, nothing was found."""
    ledger = ledgers.copied(acted(backend), tmp_path)
    assert verify_all(ledger).altered == ()
    tamper(ledger, *statements)
    altered = "\n".join(verify_all(ledger).altered)
    assert re.search(finding, altered), altered


def test_an_inserted_approval_does_not_pass_the_gate(either: Ledger) -> None:
    """Nor does it count when somebody else says yes; a word without an event is refused with what to do."""
    submitted = changes.submit(either, banner(), requester="alice", now=NOW)
    tamper(
        either,
        INSERT_APPROVAL.replace("1003", "1001"),
        "UPDATE changes SET status = 'approved' WHERE number = 1001",
    )
    with pytest.raises(NotAllowed) as refused:
        leases.start(either, submitted.change, intent(submitted.digest, RUN), targets=TARGETS, now=NOW)
    codes = [finding.code for finding in refused.value.findings]
    assert codes == ["record_altered", "record_altered", "nobody_approved"]
    assert "its status is 'approved', and its events say 'submitted'" in str(refused.value)
    assert "run `changewindow verify --all`" in str(refused.value)
    with pytest.raises(ApprovalRefused, match=r"the yes of mallory .* has no event"):
        approvals.decide(either, submitted.change, intent(submitted.digest), person="bob", is_yes=True, now=NOW)


def test_an_approval_with_an_event_that_nobody_has_sealed_does_not_pass_the_gate(ledger: Ledger) -> None:
    """Its hash is right and it follows the one before; only a process of Change Windows can seal it."""
    submitted = changes.submit(ledger, banner(), requester="alice", now=NOW)
    [first] = events.history(ledger, submitted.change)
    decided = payloads.ApprovalDecided(digest=submitted.digest, level="peer", yes=True, expires=NOW + DAY)
    forged = EventRow(
        number=1001,
        sequence=2,
        at=NOW,
        kind="decided",
        actor="mallory",
        data=canonical(decided.as_data()),
        previous=first.hash,
    )
    forged.hash = hash_of(forged)
    for seal in (None, first.seal):
        with ledger.transaction() as session:
            forged.seal = seal
            if seal is None:
                session.merge(forged)
        if seal:
            tamper(ledger, f"UPDATE events SET seal = '{seal}' WHERE sequence = 2")  # noqa: S608  made here
        with pytest.raises(BrokenChain, match=r"event 2 (has no seal|does not match its seal)"):
            leases.start(ledger, submitted.change, intent(submitted.digest, RUN), targets=TARGETS, now=NOW)


def test_a_window_that_was_altered_in_row_and_text_does_not_pass_the_gate(ledger: Ledger) -> None:
    """Both say the same; the digest in the events says that it is another text."""
    submitted = approved(ledger, banner())
    tamper(
        ledger,
        "UPDATE changes SET closes = '2031-03-18 16:00:00'",
        "UPDATE revisions SET text = replace(text, '2031-03-18 15:00', '2031-03-18 16:00')",
    )
    with pytest.raises(NotAllowed, match="has another digest now: somebody has altered it"):
        leases.start(ledger, submitted.change, intent(submitted.digest, RUN), targets=TARGETS, now=NOW)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE changes SET requester = 'bob'",
        "UPDATE changes SET closes = '2099-01-01 00:00:00'",
        "UPDATE approvals SET expires_at = '2099-01-01 00:00:00'",
        "UPDATE changes SET aborted = NULL",
    ],
)
def test_what_acts_applies_no_further_step_once_its_record_is_altered(ledger: Ledger, statement: str) -> None:
    """But it is undone: that asks only whose run it is."""
    change = started(ledger)
    changes.abort(ledger, change, person="dora", reason="smoke", now=NOW)
    tamper(ledger, statement)
    forward = intent(changes.get(ledger, change).digest, RUN)
    with pytest.raises(NotAllowed, match=r"Somebody has written into|Wait for the end of the run"):
        leases.require_running(ledger, change, run=RUN, now=NOW, forward=forward)
    leases.require_running(ledger, change, run=RUN, now=NOW)


def test_what_undo_needs_is_not_taken_from_an_altered_event(ledger: Ledger) -> None:
    """Its seal is not that of what it says now."""
    change = started(ledger)
    tamper(ledger, "UPDATE events SET data = replace(data, 'off', 'on') WHERE kind = 'remembered'")
    with pytest.raises(BrokenChain, match="does not match its hash"):
        events.past(ledger, change, payloads.Remembered)


def test_a_cut_chain_is_named_though_it_goes_on(ledger: Ledger) -> None:
    """What is written afterwards does not cover it up."""
    change = started(ledger)
    tamper(ledger, "DELETE FROM events WHERE kind = 'remembered'")
    events.record(ledger, Event(change, f"{RUN}/apply_1", NOW, payloads.Applied(run=RUN, step=1, name="Act")))
    assert "is the last one, which the sealed head does not say" in "".join(verify_all(ledger).altered)


def test_a_chain_written_anew_from_an_older_copy_is_found_by_its_kept_heads(either: Ledger) -> None:
    """Seals and head are right; only the heads outside the ledger say that there was more."""
    change = started(either)
    with either.reading() as session:
        older = changes.known(session, change).head
    changes.close(either, change, run=RUN, outcome="completed", reason="good", now=NOW)
    tamper(
        either,
        "DELETE FROM events WHERE kind = 'closed'",
        f"UPDATE changes SET status = 'running', closed_at = NULL, head = '{older}'",  # noqa: S608  made here
    )
    [*_, finding] = verify_all(either).altered
    assert finding == "CHG-1001: event 6 was there, and is missing: the end of the chain was cut off."


def test_the_head_of_a_message_is_found_again(ledger: Ledger) -> None:
    """Whatever came after it; one that is not there says that the chain is another."""
    change = started(ledger)
    head = events.head(ledger, change)
    changes.close(ledger, change, run=RUN, outcome="completed", reason="good", now=NOW)
    assert (place_in_chain(ledger, change, head), place_in_chain(ledger, change, "0" * 64)) == (5, None)


def test_seals_that_were_taken_away_are_not_given_anew(tmp_path: Path) -> None:
    """Not by going back to the version before and upgrading once more."""
    path = tmp_path / "ledger.db"
    ledger = Ledger(f"sqlite:///{path}")
    ledger.upgrade()
    started(ledger)
    with sqlite3.connect(path) as database:
        for statement in (
            "ALTER TABLE events DROP COLUMN seal",
            "ALTER TABLE changes DROP COLUMN head",
            "UPDATE alembic_version SET version_num = '0003'",
        ):
            database.execute(statement)
    database.close()
    with pytest.raises(AlreadySealed, match="This ledger has no seals, and had some before"):
        ledger.upgrade()


def test_another_key_is_named(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process with another key neither starts nor verifies, and says which key it does not know."""
    submitted = approved(ledger, banner())
    monkeypatch.setenv("CHANGEWINDOW_SEAL_KEY", "the-key-of-somebody-else")
    other = Ledger(str(ledger.url))
    with pytest.raises(UnknownSealKey, match=r"event 1 is sealed by key [0-9a-f]{8}, which is not known here"):
        leases.start(other, submitted.change, intent(submitted.digest, RUN), targets=TARGETS, now=NOW)
    altered = "".join(verify_all(other).altered)
    assert "Add that key behind the first one in the variable CHANGEWINDOW_SEAL_KEY; every process" in altered
    assert "somebody" not in altered
    monkeypatch.setenv("CHANGEWINDOW_SEAL_KEY", "the-key-of-somebody-else,the-key-with-which-all-tests-seal")
    leases.start(Ledger(str(ledger.url)), submitted.change, intent(submitted.digest, RUN), targets=TARGETS, now=NOW)


def test_without_a_key_nothing_starts_and_events_wait(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As while the ledger is down."""
    submitted = approved(ledger, banner())
    monkeypatch.setenv("CHANGEWINDOW_SEAL_KEY", "")
    monkeypatch.setenv("CHANGEWINDOW_SEAL_KEY_FILE", "/nowhere/key")
    blind = Ledger(str(ledger.url))
    with pytest.raises(SealKeyMissing, match="Give every process of Change Windows the same"):
        leases.start(blind, submitted.change, intent(submitted.digest, RUN), targets=TARGETS, now=NOW)
    spool = Spool(blind, tmp_path / "spool.jsonl")
    assert not spool.record(Event(submitted.change, "x", NOW, payloads.Validated(reason="it is well")))
    monkeypatch.undo()
    assert Spool(ledger, tmp_path / "spool.jsonl").drain() == 1


def test_a_text_that_cannot_be_read_ends_neither_verify_nor_the_gate_with_a_traceback(ledger: Ledger) -> None:
    """It is one more finding, and a reason to refuse."""
    submitted = approved(ledger, banner())
    tamper(ledger, "UPDATE revisions SET text = 'x'")
    assert "has another digest now: somebody has altered it" in "\n".join(verify_all(ledger).altered)
    with pytest.raises(NotAllowed, match="has another digest now"):
        leases.start(ledger, submitted.change, intent(submitted.digest, RUN), targets=TARGETS, now=NOW)
    with pytest.raises(AlteredText, match="cannot be read"):
        changes.revision(ledger, submitted.change)
