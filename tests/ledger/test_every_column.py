"""Every column of every table of the ledger: what somebody writes there is named, or gains nothing."""

import shutil
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Boolean, Integer, inspect

from changewindow import settings
from changewindow.errors import AlteredRow, BrokenChain, LockTaken, NotAllowed
from changewindow.ledger import (
    approvals,
    changes,
    feeds,
    findings,
    leases,
    looks,
    outbox,
    payloads,
    records,
    step_locks,
    stops,
    watches,
)
from changewindow.ledger.database import Ledger
from changewindow.ledger.events import Event, record
from changewindow.ledger.models import LINE, Base
from changewindow.ledger.moment import Moment
from changewindow.ledger.outbox import Outgoing
from changewindow.ledger.verification import verify_all
from changewindow.ledger.watches import Kept
from changewindow.policy.world_finding import WorldFinding
from changewindow.watch.progress import Progress
from servers.postgres import shared
from support.changes import NOW, approved, intent
from support.manual_changes import manual
from support.tampering import tamper
from support.tickets import banner

TARGETS = ("production/orders",)
HOUR = timedelta(hours=1)
KEY = "the-key-with-which-all-tests-seal"
GAINS_NOTHING = {
    "approvals.id": "it only orders what people are shown; what counts, and in which order, the events say",
    "leases.expires_at": "nothing is decided by it: a target is held until its change is closed, or it is released",
    "alembic_version.version_num": "it only says what the next upgrade adds, which gives no seals a second time",
}
"""Columns that `verify --all` does not compare, and why nobody gains by writing there; each has a test below."""


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a ledger with a row in every table, of a change that acts and one that is over; nothing guards events."""
    path = tmp_path_factory.mktemp("filled") / "ledger.db"
    ledger = Ledger(f"sqlite:///{path}")
    ledger.upgrade()
    done = started(ledger, "run-0", origin="tickets:a.yaml")
    changes.close(ledger, done, run="run-0", outcome="completed", reason="good", now=NOW)
    acting = started(ledger, "run-1", origin="tickets:b.yaml")
    step_locks.take(ledger, acting, "run-1/apply_1", now=NOW, is_forward=True)
    progress = Progress(since=NOW, begun=NOW, over=NOW + HOUR, at=NOW)
    watches.keep(ledger, [Kept(acting, "run-1", progress, NOW)])
    records.enter(ledger, manual("vi /etc/hosts"), {}, person="bob", now=NOW, origin="record_change/run-1")
    stops.stop(ledger, person="dora", reason="fire", now=NOW, until=NOW + HOUR)
    stops.lift(ledger, person="erik", now=NOW + timedelta(minutes=1))
    stops.stop(ledger, person="dora", reason="smoke", now=NOW, until=NOW + HOUR)
    edit = WorldFinding("change", "audit", "web-3:/etc/hosts", NOW, "edited", "nobody", services=("orders",))
    gap = WorldFinding("gap", "dns", "", NOW, "could not see", "it was stopped", until=NOW + HOUR)
    look = looks.Look("audit", NOW, NOW, {"seen": ["a"]})
    first, second = findings.write_pass(ledger, [look], [edit, gap], [], now=NOW)
    findings.tell(ledger, [first, second], "#deploys", now=NOW)
    accepted = findings.Settled(second, "accepted", "known", NOW + HOUR)
    findings.settle(ledger, [accepted], person="dora", now=NOW)
    card = Outgoing(acting, "card", "#deploys", "slack", "card", NOW, NOW, posting="card", posting_since=NOW, until=NOW)
    outbox.add(ledger, [card, Outgoing(LINE, "note", "#deploys", "slack", "stopped", NOW, NOW, text="⛔ STOPPED")])
    feeds.make(ledger, "olga", now=NOW)
    tamper(ledger)
    return path


def started(ledger: Ledger, run: str, origin: str | None = None) -> str:
    """Return a change that acts."""
    submitted = changes.submit(ledger, banner(), requester="alice", now=NOW, origin=origin)
    wanted = intent(submitted.digest, run)
    approvals.decide(ledger, submitted.change, intent(submitted.digest), person="bob", is_yes=True, now=NOW)
    leases.start(ledger, submitted.change, wanted, targets=TARGETS, now=NOW)
    record(ledger, Event(submitted.change, f"{run}/apply_1", NOW, payloads.Applied(run=run, step=1, name="Act")))
    return submitted.change


@pytest.fixture
def copied(filled: Path, tmp_path: Path) -> Ledger:
    """Return a copy of it, with its heads."""
    return copy_of(filled, tmp_path)


def copy_of(filled: Path, folder: Path) -> Ledger:
    """Copy a ledger with its heads."""
    path = folder / "ledger.db"
    places = settings.read({"CHANGEWINDOW_HEADS": str(folder / "heads"), "CHANGEWINDOW_SEAL_KEY": KEY})
    shutil.copy(filled, path)
    ledger = Ledger(f"sqlite:///{path}", lambda: places)
    ledger.heads.path.parent.mkdir(exist_ok=True)
    shutil.copy(Ledger(f"sqlite:///{filled}").heads.path, ledger.heads.path)
    return ledger


def columns_of(path: Path) -> list[str]:
    """Return every column that the database has, whether a model knows it or not."""
    found = inspect(Ledger(f"sqlite:///{path}").engine)
    return [f"{table}.{column['name']}" for table in found.get_table_names() for column in found.get_columns(table)]


KNOWN = sorted(f"{table.name}.{column.name}" for table in Base.metadata.tables.values() for column in table.columns)


def test_every_column_is_tried(filled: Path) -> None:
    """One that is added to the database is compared, or somebody says here why not."""
    assert sorted(columns_of(filled)) == sorted({*KNOWN, "alembic_version.version_num"})
    assert set(GAINS_NOTHING) <= set(columns_of(filled))


def test_verify_names_nothing_of_what_nobody_has_touched(copied: Ledger) -> None:
    """So whatever it names in the next tests was named for what they write."""
    assert verify_all(copied).altered == ()


@pytest.mark.parametrize("name", [name for name in KNOWN if name not in GAINS_NOTHING])
def test_verify_names_another_value(filled: Path, tmp_path: Path, name: str) -> None:
    """In each row that there is."""
    table, _, column = name.partition(".")
    rows = values_of(filled.parent, table, column)
    assert rows, f"{table} has no row that could be altered"
    for row, before in rows:
        ledger = copy_of(filled, tmp_path)
        statement = f"UPDATE {table} SET {column} = ? WHERE rowid = {row}"  # noqa: S608  from the models
        write(ledger, statement, other(table, column, before))
        assert verify_all(ledger).altered, f"{name} of row {row} was {before!r}, and is something else now"


@pytest.mark.parametrize(
    "table", [table for table in Base.metadata.tables if table not in {"turns", "watches", "outbox", "feeds"}]
)
def test_verify_names_a_row_that_is_gone(filled: Path, tmp_path: Path, table: str) -> None:
    """Each of them; that a lost lock or watch harms nobody is shown below; a lost message is told anew, a feed ends."""
    for row, _ in values_of(filled.parent, table, "rowid"):
        ledger = copy_of(filled, tmp_path)
        write(ledger, f"DELETE FROM {table} WHERE rowid = ?", row)  # noqa: S608  from the models
        assert verify_all(ledger).altered, f"row {row} of {table} is gone"


def values_of(folder: Path, table: str, column: str) -> list[tuple[int, object]]:
    """Return what stands in a column, by the number of the row."""
    with closing(sqlite3.connect(folder / "ledger.db")) as database:
        return database.execute(f"SELECT rowid, {column} FROM {table} ORDER BY rowid").fetchall()  # noqa: S608


def write(ledger: Ledger, statement: str, value: object) -> None:
    """Write past all functions."""
    with closing(sqlite3.connect(str(ledger.url.database))) as database, database:
        database.execute(statement, (value,))


def other(table: str, column: str, value: object) -> object:
    """Return another value that the column takes."""
    kind = Base.metadata.tables[table].columns[column].type
    if isinstance(kind, Moment):
        return "2001-02-03 04:05:06.000007"
    if isinstance(kind, Boolean):
        return 1 - int(str(value))
    return 7_000_000 + int(str(value or 0)) if isinstance(kind, Integer) else f"{value or ''}x"


def test_the_line_does_not_run_again_by_what_somebody_writes(copied: Ledger) -> None:
    """Neither lifted in its row, nor without its row, nor without its record; whoever rolls back is not held."""
    submitted = approved(copied, banner(services=["billing"]), valid=timedelta(days=1))
    wanted, billing = intent(submitted.digest, "run-2"), ("production/billing",)
    for statement in ("UPDATE stops SET lifted_at = at, lifted_by = ?", "DELETE FROM stops WHERE person != ?"):
        write(copied, statement, "x")
        with pytest.raises(NotAllowed, match="the line is stopped by dora"):
            leases.start(copied, submitted.change, wanted, targets=billing, now=NOW)
    for statement in ("DELETE FROM events WHERE number = ?", "DELETE FROM changes WHERE number = ?"):
        write(copied, statement, 0)
        with pytest.raises(BrokenChain, match=r"LINE: event . is missing"):
            leases.start(copied, submitted.change, wanted, targets=billing, now=NOW)
    leases.require_running(copied, "CHG-1002", run="run-1", now=NOW)
    with pytest.raises(BrokenChain, match="LINE: event 1 is missing"):
        stops.stop(copied, person="dora", reason="again", now=NOW, until=NOW + HOUR)


def test_a_value_that_cannot_be_read_ends_no_verification(copied: Ledger) -> None:
    """It is one more finding; the rest is looked at all the same."""
    write(copied, "UPDATE changes SET opens = ? WHERE number = 1001", "yesterday")
    write(copied, "UPDATE changes SET owner = ? WHERE number = 1002", "mallory")
    first, second = verify_all(copied).altered
    assert first.startswith("CHG-1001: its rows cannot be read: somebody has altered them (")
    assert second.startswith("CHG-1002: its owner is 'mallory'")


def test_a_lock_that_somebody_has_written_into_lets_nobody_act_beside_its_holder(copied: Ledger) -> None:
    """The holder stops at its next look; after the lifetime of a lock the undo has it, and not before."""
    token = values_of(Path(str(copied.url.database)).parent, "turns", "token")[0][1]
    held = step_locks.Held("CHG-1002", "run-1/apply_1", int(str(token)))
    assert step_locks.renew(copied, held, now=NOW)
    write(copied, "UPDATE turns SET holder = ?", None)
    assert not step_locks.renew(copied, held, now=NOW)
    with pytest.raises(LockTaken, match="before it was altered"):
        step_locks.take(copied, "CHG-1002", "run-1/undo_1", now=NOW)
    assert step_locks.take(copied, "CHG-1002", "run-1/undo_1", now=NOW + step_locks.LIFETIME).token != held.token


def test_a_lock_that_somebody_has_deleted_is_another_one(copied: Ledger) -> None:
    """Its holder stops, though it once had the first token."""
    held = step_locks.take(copied, "CHG-1001", "run-0/undo_1", now=NOW)
    write(copied, "DELETE FROM turns WHERE number != ?", 0)
    assert step_locks.take(copied, "CHG-1001", "run-0/undo_2", now=NOW).token != held.token
    assert not step_locks.renew(copied, held, now=NOW)


def test_a_lock_put_back_to_an_older_state_is_held_by_one_alone(copied: Ledger) -> None:
    """Its seal is right; who held it since has another token than whoever takes it then."""
    held = step_locks.take(copied, "CHG-1001", "run-0/undo_1", now=NOW)
    step_locks.release(copied, held)
    with closing(sqlite3.connect(str(copied.url.database))) as database:
        [older] = database.execute("SELECT token, seal FROM turns WHERE number = 1001").fetchall()
    since = step_locks.take(copied, "CHG-1001", "run-0/undo_1", now=NOW)
    with closing(sqlite3.connect(str(copied.url.database))) as database, database:
        free = "UPDATE turns SET token = ?, seal = ?, holder = NULL, until = NULL WHERE number = 1001"
        database.execute(free, older)
    step_locks.take(copied, "CHG-1001", "run-0/undo_1", now=NOW)
    assert not step_locks.renew(copied, since, now=NOW)


def test_a_watch_goes_on_from_no_progress_that_somebody_wrote(copied: Ledger) -> None:
    """It begins anew, as without any."""
    kept = watches.newest(copied, "CHG-1002")
    assert kept
    assert kept.run == "run-1"
    write(
        copied,
        "UPDATE watches SET progress = replace(progress, '\"decided\":null', ?)",
        '"decided":["pass","all is well"]',
    )
    with pytest.raises(AlteredRow, match="CHG-1002: the progress of its watch does not match its seal"):
        watches.newest(copied, "CHG-1002")
    write(copied, "DELETE FROM watches WHERE number != ?", 0)
    assert watches.newest(copied, "CHG-1002") is None


@pytest.mark.parametrize("until", ["2001-01-01 00:00:00.000000", "2999-01-01 00:00:00.000000"])
def test_the_end_of_a_lease_decides_nothing(copied: Ledger, until: str) -> None:
    """Who holds a target goes on holding it, and nobody else gets it."""
    stops.lift(copied, person="erik", now=NOW)
    submitted = approved(copied, banner(), valid=timedelta(days=1))
    write(copied, "UPDATE leases SET expires_at = ?", until)
    wanted = intent(submitted.digest, "run-2")
    with pytest.raises(NotAllowed, match="production/orders is held by CHG-1002"):
        leases.start(copied, submitted.change, wanted, targets=TARGETS, now=NOW)
    leases.require_running(copied, "CHG-1002", run="run-1", now=NOW)


def test_the_id_of_an_approval_decides_nothing(copied: Ledger) -> None:
    """The order of what people have said is that of their events."""
    submitted = approved(copied, banner(), valid=timedelta(days=1))
    write(copied, "UPDATE approvals SET id = 100 - id WHERE id > ?", 0)
    assert verify_all(copied).altered == ()
    stops.lift(copied, person="erik", now=NOW)
    with pytest.raises(NotAllowed, match="held by CHG-1002"):
        leases.start(copied, submitted.change, intent(submitted.digest), targets=TARGETS, now=NOW)


@pytest.mark.parametrize("version", ["0003", "0004", "x"])
def test_an_older_version_of_the_tables_gives_no_seals_a_second_time(copied: Ledger, version: str) -> None:
    """The next upgrade fails, and leaves everything as it is."""
    write(copied, "UPDATE changes SET head = ? WHERE number = 1001", None)
    write(copied, "UPDATE alembic_version SET version_num = ?", version)
    with pytest.raises(Exception, match=r"duplicate column|no seals|locate revision"):
        copied.upgrade()
    assert "CHG-1001" in "".join(verify_all(copied).altered)


def test_stops_that_come_meanwhile_are_never_taken_for_altered_ones() -> None:
    """Whoever asks what stops the line does so between two events, not within one."""
    ledger = Ledger(shared().fresh().database_url)
    ledger.upgrade()
    approved(ledger, banner())

    def stop_and_lift(place: int) -> None:
        at = NOW + timedelta(seconds=place)
        stops.stop(ledger, person="dora", reason="x", now=at, until=at + HOUR)
        stops.lift(ledger, person="erik", now=at)

    with ThreadPoolExecutor(6) as pool:
        writing = [pool.submit(stop_and_lift, place) for place in range(20)]
        reading = [pool.submit(stops.in_force, ledger, NOW) for _ in range(60)]
        assert [future.exception() for future in (*writing, *reading)] == [None] * 80
    assert verify_all(ledger).altered == ()


def test_events_that_come_meanwhile_are_never_taken_for_altered_ones() -> None:
    """Checks of one change ask for its text while others write what they have read; so does whoever verifies all."""
    ledger = Ledger(shared().fresh().database_url)
    ledger.upgrade()
    submitted = approved(ledger, banner(), valid=timedelta(days=1))
    applied = Event(submitted.change, "run-1/check_1", NOW, payloads.Applied(run="run-1", step=1, name="Act"))
    wanted = intent(submitted.digest)
    with ThreadPoolExecutor(8) as pool:
        writing = [pool.submit(record, ledger, applied) for _ in range(150)]
        reading = [pool.submit(leases.require_text, ledger, submitted.change, wanted, now=NOW) for _ in range(150)]
        looking = [pool.submit(verify_all, ledger) for _ in range(10)]
        assert [future.exception() for future in (*writing, *reading)] == [None] * 300
        assert [future.result().altered for future in looking] == [()] * 10
