"""A ledger that version 0.1.0 wrote stays readable; it holds every kind of event that version knew."""

import shutil
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from changewindow.documents.canonical import canonical
from changewindow.errors import AlreadySealed, UnreadableEvent
from changewindow.ledger import changes, events, payloads, queries, stops, watches
from changewindow.ledger.chain import hash_of
from changewindow.ledger.database import Ledger
from changewindow.ledger.event_kinds import EventKind
from changewindow.ledger.events import Entry, Event
from changewindow.ledger.models import EventRow
from changewindow.ledger.payloads import Payload, Unknown
from changewindow.ledger.spool import Spool
from changewindow.ledger.verification import verify_all
from servers.postgres import shared
from support.changes import NOW
from support.tampering import tamper

HERE = Path(__file__).parent
LATER = {
    *(EventKind.MESSAGE_SENT, EventKind.MARKER_SENT, EventKind.MARKER_FAILED),
    *(EventKind.LINE_BEGUN, EventKind.LINE_STOPPED, EventKind.LINE_LIFTED),
    *(EventKind.RECORDED, EventKind.SILENCED, EventKind.SILENCE_ENDED, EventKind.SILENCE_FAILED),
    *(EventKind.LOOKING_BEGUN, EventKind.FINDING_MADE, EventKind.FINDING_CHANGED, EventKind.FINDING_TOLD),
    *(EventKind.DECLARED, EventKind.RETRO_DECIDED, EventKind.REVIEW_ASKED, EventKind.REVIEWED),
    *(EventKind.BUTTON_PRESSED, EventKind.ROLLBACK_WANTED, EventKind.EXTENSION_ASKED, EventKind.EXTENSION_REFUSED),
    *(EventKind.REMINDED, EventKind.FOLLOWED_UP, EventKind.DRILLED, EventKind.INCIDENT_SEEN, EventKind.APPLY_FAILED),
}
"""Kinds of event that came after the version that wrote the old ledger."""
HEADS = {
    "CHG-1001": "84cd6d35075bcc71dbd1dc88f52c79aac841a9fd13ccfed65da5063557df9ada",
    "CHG-1002": "654e90795b7dc9e74830f3c47bad0d3ab36b67b30aac133f6988b169638deac9",
    "CHG-1003": "2a8bc606f1797fb17c84ecf7fb7aca68cbb41721c93102cd488eaf22bc08a426",
    "CHG-1004": "3d202bffad4b8b97dd3f8d14ab17c182c23108f1c2a9875c0d61af31ff6baca0",
    "CHG-1005": "5647ce288dd266ec518f01abe21f5048af5b6484321c5d8390662bff89ea04e8",
    "CHG-1006": "1583dae9d453f3cf91c36e04742f06ceb22417332efe84c4034b5706005446b6",
}
"""The heads of the chains, as version 0.1.0 printed them."""


@pytest.fixture
def old(tmp_path: Path) -> Ledger:
    """Return the ledger that version 0.1.0 wrote, brought up to date."""
    path = tmp_path / "old.db"
    with sqlite3.connect(path) as database:
        database.executescript((HERE / "ledger_of_0_1_0.sql").read_text(encoding="utf-8"))
    database.close()
    ledger = Ledger(f"sqlite:///{path}")
    ledger.upgrade()
    return ledger


@pytest.mark.parametrize(("change", "head"), HEADS.items())
def test_its_chains_hold(old: Ledger, change: str, head: str) -> None:
    """Every link is right, and the head is the one that people may have written down."""
    assert events.verify(old, change) == head


def test_it_verifies_as_a_whole(old: Ledger) -> None:
    """Its events got no seals, but their heads did, so that nothing can be written among them; rows are as they say.

    The seventh head is that of the line's record, which begins as the ledger is brought up to date.
    """
    verified = verify_all(old)
    assert (verified.changes, verified.heads, verified.altered) == (6, 7, ())
    tamper(old, "UPDATE events SET actor = 'mallory' WHERE number = 1001 AND sequence = 3")
    assert ["CHG-1001: event 3 does not match its hash" in finding for finding in verify_all(old).altered] == [True]


def test_what_nobody_has_sealed_is_not_taken_for_old(old: Ledger) -> None:
    """Its hash is right, and it follows the last event of the version before."""
    last = events.history(old, "CHG-1005")[-1]
    forged = EventRow(number=1005, sequence=last.sequence + 1, at=NOW, kind="approved", actor="mallory", data="{}")
    forged.previous = last.hash
    forged.hash = hash_of(forged)
    with old.transaction() as session:
        session.add(forged)
    assert "which the sealed head does not say" in "".join(verify_all(old).altered)


def test_every_event_is_read_as_its_type_and_nothing_of_it_is_lost(old: Ledger) -> None:
    """Of each kind there is one; written again, it would be the same text."""
    rows = [row for change in HEADS for row in events.history(old, change)]
    known = set(EventKind) - LATER
    assert {row.kind for row in rows} == known
    read = [(row, events.payload(row)) for row in rows]
    assert {type(payload) for _, payload in read} == {shape for kind in known for shape in payloads.PAYLOADS[kind]}
    for row, payload in read:
        assert isinstance(payload, Payload)
        assert payload.kind == row.kind
        assert payload.version == 1
        assert canonical(payload.as_data()) == row.data


def test_what_decides_is_read(old: Ledger) -> None:
    """What a step remembered, the baseline, and the parameters of a start are what they were."""
    [remembered] = events.past(old, "CHG-1001", payloads.Remembered)
    assert (remembered.step, remembered.remembered) == (1, {"was": "off", "größe": None})
    [baseline] = events.past(old, "CHG-1001", payloads.Baseline)
    assert baseline.before == {"p99 latency": [0.11, 0.12, 0.108]}
    assert [(refused.reasons[1], refused.findings) for refused in events.past(old, "CHG-1003", payloads.Refused)] == [
        ("not good at the gate: Banner is off", ())
    ]
    acted = {change.change: change.values for change in queries.acted_on(old, ["production/orders"])}
    assert acted == {"CHG-1001": {"version": "v1"}, "CHG-1002": {}}
    assert changes.get(old, "CHG-1002").status == "rollback_failed"
    kept = watches.newest(old, "CHG-1001")
    assert kept is not None
    assert kept.progress.samples == 21


def test_both_decisions_are_told_apart(old: Ledger) -> None:
    """An approval and the decision of a watch are of the same kind, and of different types."""
    [approval] = events.past(old, "CHG-1001", payloads.ApprovalDecided)
    [watch] = events.past(old, "CHG-1001", payloads.WatchDecided)
    assert (approval.level, approval.yes, watch.route) == ("peer", True, "succeed")


def test_its_chains_go_on(old: Ledger) -> None:
    """A new event follows the old ones in the same chain."""
    head = events.record(old, Event("CHG-1001", "carol", NOW, payloads.Validated(reason="looked at it")))
    assert events.verify(old, "CHG-1001") == head


def test_what_its_spool_has_kept_is_written(old: Ledger, tmp_path: Path) -> None:
    """An event and an outcome, as they would have been written then."""
    kept = tmp_path / "spool.jsonl"
    shutil.copy(HERE / "spool_of_0_1_0.jsonl", kept)
    assert Spool(old, kept).drain() == 2
    undoing, closed = events.history(old, "CHG-1001")[-2:]
    assert (undoing.actor, undoing.data) == (
        "manual__9/undo_1",
        '{"name":"Switch it on","run":"manual__9","step":1}',
    )
    assert events.payload(closed) == payloads.Closed(outcome="rolled_back", reason="apply_1 failed")
    events.verify(old, "CHG-1001")


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        pytest.param("moon_landed", {"crew": 3}, id="a kind of a later version"),
        pytest.param("applied", {"version": 2, "steps": [1, 2]}, id="another form of a kind"),
    ],
)
def test_what_a_later_version_wrote_is_read_as_it_is(old: Ledger, kind: str, data: dict[str, object]) -> None:
    """History and chain stay readable after a step back to this version."""
    events.record_entry(old, Entry("CHG-1001", kind, "carol", NOW, data))
    row = events.history(old, "CHG-1001")[-1]
    assert events.payload(row) == Unknown(kind, data)
    events.verify(old, "CHG-1001")


def test_fields_of_a_later_version_are_passed_over(old: Ledger) -> None:
    """What this version knows of an event is read."""
    data = {"step": 1, "name": "x", "run": "r", "mood": "good"}
    events.record_entry(old, Entry("CHG-1002", "applied", "r/apply_1", NOW, data))
    assert events.past(old, "CHG-1002", payloads.Applied) == [payloads.Applied(run="r", step=1, name="x")]


def test_what_has_to_be_read_and_cannot_be_is_an_error(old: Ledger) -> None:
    """An undo must not take an event that it cannot read for none."""
    events.record_entry(old, Entry("CHG-1002", "remembered", "r", NOW, {"version": 2}))
    with pytest.raises(UnreadableEvent, match=r"cannot read event \d+ \(remembered\)"):
        events.past(old, "CHG-1002", payloads.Remembered)


def test_the_version_before_could_read_what_this_one_writes(old: Ledger) -> None:
    """Rows keep the form they had, so that nobody is stuck after a step back: no version, no empty fields."""
    events.record(old, Event("CHG-1001", "r/gate", NOW, payloads.Refused(run="r", outcome="refused", reasons=("no",))))
    with old.reading() as session:
        data = session.scalar(text("SELECT data FROM events WHERE number = 1001 ORDER BY sequence DESC LIMIT 1"))
    assert data == '{"outcome":"refused","reasons":["no"],"run":"r"}'


STOPPED = """
    INSERT INTO stops (person, reason, at, expires_at, lifted_by, lifted_at) VALUES
    ('dora', 'fire', '2031-03-18 10:00:00.000000', '2031-03-18 20:00:00.000000', 'erik', '2031-03-18 11:00:00.000000'),
    ('dora', 'smoke', '2031-03-18 13:00:00.000000', '2031-03-18 20:00:00.000000', NULL, NULL)
"""
LOCKED = "INSERT INTO turns (number, token, is_revoked, is_forward) VALUES (1001, 7, false, false)"


@pytest.fixture(params=["sqlite", "postgres"])
def before_the_line(request: pytest.FixtureRequest, tmp_path: Path) -> Ledger:
    """Return a ledger of the version before stops had events, with two of them, a lock, and a change."""
    is_sqlite = request.param == "sqlite"
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}" if is_sqlite else shared().fresh().database_url)
    ledger.upgrade("0004")
    with ledger.transaction() as session:
        columns = "number, summary, requester, status, reason, digest, opens, closes, submitted_at"
        moment = "'2031-03-18 14:00:00+00:00'" if not is_sqlite else "'2031-03-18 14:00:00.000000'"
        row = f"1001, 'x', 'alice', 'submitted', '', 'd', {moment}, {moment}, {moment}"
        change = f"INSERT INTO changes ({columns}) VALUES ({row})"  # noqa: S608  constants
        for statement in (change, STOPPED, LOCKED):
            session.execute(text(statement))
    return ledger


def test_stops_and_locks_of_before_get_events_and_seals(before_the_line: Ledger) -> None:
    """The line stays stopped, and whatever is written afterwards is found."""
    ledger = before_the_line
    ledger.upgrade()
    assert [stop.reason for stop in stops.in_force(ledger, NOW)] == ["smoke"]
    assert [row.kind for row in events.history(ledger, "LINE")] == [
        *("line_begun", "line_stopped", "line_lifted", "line_stopped")
    ]
    of_line = [finding for finding in verify_all(ledger).altered if finding.startswith("LINE") or "lock" in finding]
    assert of_line == []
    tamper(ledger, "UPDATE stops SET lifted_by = 'bob' WHERE id = 2", "UPDATE turns SET token = 8")
    assert [stop.reason for stop in stops.in_force(ledger, NOW)] == ["smoke"]
    assert "LINE: the stop 2 of dora: its lifted_by is not as its event says." in verify_all(ledger).altered
    assert stops.lift(ledger, person="erik", now=NOW)
    stops.stop(ledger, person="dora", reason="again", now=NOW, until=NOW + timedelta(hours=1))
    assert [stop.reason for stop in stops.in_force(ledger, NOW)] == ["again"]


def test_a_ledger_that_had_a_record_of_the_line_gets_no_new_one(before_the_line: Ledger) -> None:
    """Whoever takes everything back to the version before does not get what they have written then under seal."""
    ledger = before_the_line
    ledger.upgrade()
    tamper(
        ledger,
        *("DELETE FROM events WHERE number = 0", "DELETE FROM changes WHERE number = 0", "DELETE FROM stops"),
        *(f"ALTER TABLE {table} DROP COLUMN seal" for table in ("turns", "watches")),
        "UPDATE alembic_version SET version_num = '0004'",
    )
    with pytest.raises(AlreadySealed, match="had some before"):
        ledger.upgrade()
