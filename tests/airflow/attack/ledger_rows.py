"""Owners of the database, who have no key: nothing starts by what they write, and `verify --all` names it."""

import re
import shutil
import sqlite3
import string
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from changewindow.cli.airflow_api import ENDED, wait_for
from changewindow.cli.main import main
from changewindow.ledger import changes, events
from changewindow.ledger.chain import hash_of
from changewindow.ledger.database import Ledger
from changewindow.ledger.models import EventRow
from support.attack import Ground
from support.real_airflow import RealAirflow, acts, ticket

LAST = "(select max(sequence) from events where number = $done)"
APPROVED = "update changes set status = 'approved' where number = $waiting"
YES = (
    "insert into approvals (number, digest, person, role, is_yes, at, expires_at) select number, digest, 'bob', "
    "'peer', 1, '2026-01-01 00:00:00.000000', '2099-01-01 00:00:00.000000' from changes where number = $waiting"
)
EVENT = (
    "insert into events (number, sequence, at, kind, actor, data, previous, hash, seal) select number, sequence + 1, "
    "at, 'approved', 'bob', '{}', hash, hash, seal from events where number = $waiting order by sequence desc limit 1"
)

STATEMENTS = {
    # What people have said.
    "an approval is inserted": YES,
    "an approval is given to another text": "update approvals set digest = 'x' where number = $approved",
    "an approval is given to another person": "update approvals set person = 'mallory' where number = $approved",
    "an approval is given to another change": "update approvals set number = $waiting where number = $approved",
    "an approval becomes a rejection": "update approvals set is_yes = 0 where number = $approved",
    "an approval counts for ever": "update approvals set expires_at = '2099-01-01 00:00:00.000000'",
    "an approval is of another level": "update approvals set role = 'second' where number = $approved",
    "an approval is deleted": "delete from approvals where number = $approved",
    "all approvals are deleted": "delete from approvals",
    # The changes.
    "a change is approved by its state": APPROVED,
    "a change that is done may run again": "update changes set status = 'approved', run = null where number = $done",
    "a change that acts is completed": "update changes set status = 'completed' where number = $acting",
    "a change has another requester": "update changes set requester = 'bob' where number = $waiting",
    "a change has another text": "update changes set digest = 'x' where number = $approved",
    "a change has an earlier window": "update changes set opens = '2026-01-01 00:00:00' where number = $approved",
    "a change has a longer window": "update changes set closes = '2099-01-01 00:00:00.000000' where number = $approved",
    "a change belongs to another run": "update changes set run = 'manual__x' where number = $acting",
    "a change is aborted by nobody": "update changes set aborted = 'by bob' where number = $acting",
    "the head of a change is taken away": "update changes set head = null where number = $done",
    "the head of a change is that of another one": (
        "update changes set head = (select head from changes where number = $waiting) where number = $done"
    ),
    "a change is deleted": "delete from changes where number = $done",
    "a change gets another number": "update changes set number = 5000 where number = $done",
    # Their texts.
    "a text is altered": "update revisions set text = replace(text, 'apply_1', 'evil_1') where number = $approved",
    "a text is exchanged for another one's": (
        "update revisions set text = (select text from revisions where number = $waiting) where number = $approved"
    ),
    "a text is inserted": "insert into revisions select number, 'd', text, at from revisions where number = $approved",
    "a text is deleted": "delete from revisions where number = $approved",
    # What they hold.
    "a lease is inserted": (
        "insert into leases select 'test/x', number, 99, run, taken_at, expires_at from leases where number = $acting"
    ),
    "a lease is deleted": "delete from leases where number = $acting",
    "a lease goes to another change": "update leases set number = $approved where number = $acting",
    "a lease is of another run": "update leases set run = 'manual__x' where number = $acting",
    "a lease was taken at another time": "update leases set taken_at = '2026-01-01 00:00:00.000000'",
    # What nobody acts by.
    "a change has another fencing token": "update changes set token = 1000 where number = $done",
    "a change comes from another file": "update changes set origin = 'tickets:x.yaml' where number = $waiting",
    "a change was submitted at another time": "update changes set submitted_at = opens where number = $waiting",
    "a text was written at another time": "update revisions set at = '2026-01-01 00:00:00' where number = $done",
    # What may act, how far watches are, and what stops the line.
    "a step lock is inserted": "insert into turns (number, token, is_revoked, is_forward) values ($waiting, 1, 0, 1)",
    "a step lock is taken from its holder": "update turns set holder = 'x', until = '2099-01-01 00:00:00.000000'",
    "a step lock is not to be revoked": "update turns set is_forward = 0, token = token + 1 where number = $done",
    "a watch has decided": (
        'update watches set progress = replace(progress, \'"samples"\', \'"samples":9,"x"\') where number = $acting'
    ),
    "a watch belongs to another run": "update watches set run = 'manual__x'",
    "a stop of the line is inserted": (
        "insert into stops (person, reason, at, expires_at) values "
        "('bob', 'x', '2026-01-01 00:00:00.000000', '2099-01-01 00:00:00.000000')"
    ),
    "the record of the line is deleted": "delete from events where number = 0; delete from changes where number = 0",
    "the record of the line is cut off": "delete from events where number = 0",
    "the record of the line is of a change": "update changes set status = 'approved' where number = 0",
    "a time that is none": "update changes set opens = 'yesterday' where number = $done",
    # Their events.
    "an event is inserted": EVENT,
    "an event says something else": "update events set data = '{}' where number = $done and sequence = $last",
    "an event is of another person": "update events set actor = 'bob' where number = $done and sequence = 1",
    "an event is of another kind": "update events set kind = 'approved' where number = $waiting and sequence = 1",
    "an event is of another time": "update events set at = '2026-01-01 00:00:00.000000' where number = $done",
    "an event belongs to another change": (
        "update events set number = $waiting, sequence = 9 where number = $done and sequence = 3"
    ),
    "the seal of an event is taken away": "update events set seal = null where number = $done and sequence = $last",
    "all seals are taken away": "update events set seal = null; update changes set head = null",
    "the seal of an event is that of another one": (
        "update events set seal = (select seal from events where number = $waiting and sequence = 1) "
        "where number = $done and sequence = 1"
    ),
    "the first event is deleted": "delete from events where number = $done and sequence = 1",
    "an event in the middle is deleted": "delete from events where number = $done and sequence = 3",
    "the last event is deleted": "delete from events where number = $done and sequence = $last",
    "all events of a change are deleted": "delete from events where number = $done",
    "a change is deleted with all its rows": (
        "delete from events where number = $done; delete from approvals where number = $done; "
        "delete from revisions where number = $done; delete from touched where number = $done; "
        "delete from changes where number = $done"
    ),
    "the ledger is emptied": (
        "delete from events; delete from approvals; delete from revisions; delete from leases; delete from touched; "
        "delete from changes"
    ),
}


def filled(ground: Ground, statement: str) -> str:
    """Return a statement with the numbers of the attacked changes."""
    names = ("acting", "waiting", "approved", "done")
    numbers = {name: ground.names[name].removeprefix("CHG-") for name in names}
    return string.Template(statement.replace("$last", LAST)).substitute(numbers)


@pytest.fixture
def copy(ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of the ledger, with what is kept of it outside the database, and without its guards."""
    path = tmp_path / "ledger.db"
    with (
        closing(sqlite3.connect(ground.airflow.place.home / "ledger.db")) as live,
        closing(sqlite3.connect(path)) as db,
    ):
        live.backup(db)
        for trigger in ("append_only_update", "append_only_delete"):
            db.execute(f"drop trigger if exists {trigger}")
    there = ground.airflow.ledger.heads.path
    monkeypatch.setenv("CHANGEWINDOW_HEADS", str(tmp_path / "heads"))
    here = Ledger(f"sqlite:///{path}").heads.path
    here.parent.mkdir(exist_ok=True)
    shutil.copy(there, here)
    return path


def verified(path: Path) -> int:
    """Return how `changewindow verify --all` ends."""
    return main(["verify", "--all", "--ledger", f"sqlite:///{path}"])


def test_an_untouched_ledger_verifies(copy: Path) -> None:
    """So that what is found below is found for what was done to it."""
    assert verified(copy) == 0


@pytest.mark.parametrize("name", STATEMENTS)
def test_verify_names_what_was_written_past_us(
    ground: Ground, copy: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Inserted, altered, deleted or cut off, in each table."""
    with closing(sqlite3.connect(copy)) as database:
        database.executescript(filled(ground, STATEMENTS[name]))
    assert verified(copy) == 1
    said = capsys.readouterr()
    assert re.search("CHG-|LINE", said.out + said.err)


def rewritten(database: sqlite3.Connection, number: int) -> None:
    """Write the events of a change anew from its first one on, as somebody without the key can: each hash fits."""
    database.row_factory = sqlite3.Row
    previous = "0" * 64
    for row in database.execute("select * from events where number = ? order by sequence", (number,)).fetchall():
        values = {**row, "at": datetime.fromisoformat(row["at"]).replace(tzinfo=UTC), "previous": previous}
        values["actor"] = "bob"
        previous = hash_of(EventRow(**values))
        change = "update events set actor = 'bob', previous = ?, hash = ? where number = ? and sequence = ?"
        database.execute(change, (values["previous"], previous, number, row["sequence"]))
    database.commit()


def test_a_chain_that_is_written_anew_is_found(ground: Ground, copy: Path) -> None:
    """Though every hash fits."""
    with closing(sqlite3.connect(copy)) as database:
        rewritten(database, int(ground.names["done"].removeprefix("CHG-")))
    assert verified(copy) == 1


def test_an_older_copy_of_the_ledger_is_found(ground: Ground, copy: Path, tmp_path: Path) -> None:
    """Whose chain, seals and head all hold; what was kept outside says that there was more."""
    older = tmp_path / "older.db"
    shutil.copy(copy, older)
    ledger = Ledger(f"sqlite:///{copy}")
    changes.cancel(ledger, ground.names["approved"], person="alice", reason="no", now=datetime.now(UTC))
    shutil.copy(older, copy)
    assert verified(copy) == 1


NO_YES = "delete from approvals where number = $waiting"
NOT_APPROVED = "update changes set status = 'submitted' where number = $waiting and status = 'approved'"
FORGERIES: dict[str, tuple[str, str]] = {
    "an approval in its table": (YES, NO_YES),
    "an approval and the state of the change": (f"{YES}; {APPROVED}", f"{NO_YES}; {NOT_APPROVED}"),
    "the state of the change alone": (APPROVED, NOT_APPROVED),
    "a state that is to be rolled back": (
        "update changes set status = 'running', run = null where number = $waiting",
        "update changes set status = 'submitted', run = null where number = $waiting and status = 'running'",
    ),
}
"""What is written into the ledger that is in use, and what takes it out again."""


@pytest.fixture(scope="module")
def forged(ground: Ground) -> Iterator[dict[str, str]]:
    """Approve changes in the tables of the ledger, have housekeeping publish what is approved, and put all back."""
    airflow, made = ground.airflow, {}
    opens = datetime.now(UTC) - timedelta(seconds=1)
    for place, name in enumerate(FORGERIES):
        data = {**ticket(ground.folder / f"forged_{place}"), "summary": f"{name} {opens}"}
        program = {"kind": "command", "run": ["touch", str(ground.folder / f"mark of {place}")]}
        touching = {"name": "touch", "source": program, "pass": {"equals": 1}}
        data["rollback"]["verify"] = [touching]
        data |= {"preflight": {"checks": [touching]}, "validation": [touching]}
        made[name] = airflow.submit(data, approved=False)
    for name, change in made.items():
        write(airflow, FORGERIES[name][0], change)
    airflow.does("housekeeping")
    airflow.does("housekeeping")
    yield made
    for name, change in made.items():
        write(airflow, FORGERIES[name][1], change)


def write(airflow: RealAirflow, statements: str, change: str) -> None:
    """Write about a change into the ledger that is in use."""
    with closing(sqlite3.connect(airflow.place.home / "ledger.db", timeout=30)) as database:
        database.executescript(string.Template(statements).substitute(waiting=change.removeprefix("CHG-")))


@pytest.mark.parametrize("name", FORGERIES)
def test_what_is_approved_in_the_database_alone_does_not_act(ground: Ground, forged: dict[str, str], name: str) -> None:
    """It is not published, or each of its runs is refused: no step, no undo and no condition of it runs."""
    change, airflow = forged[name], ground.airflow
    place = list(FORGERIES).index(name)
    if (airflow.bundle / f"{change}.json").exists():
        run = wait_for(lambda: airflow.run_of(change), "its run", 60)
        wait_for(lambda: airflow.alice.run(change, run)["state"] in ENDED, "the end of its run", 120)
    assert acts(ground.folder / f"forged_{place}") == []
    assert not (ground.folder / f"mark of {place}").exists()
    assert "started" not in {event.kind for event in events.history(airflow.ledger, change)}
