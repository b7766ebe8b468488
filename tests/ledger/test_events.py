"""Events: appended, chained, never altered."""

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from changewindow.calendar import model
from changewindow.changes import publication
from changewindow.errors import BrokenChain, LedgerUnknown
from changewindow.ledger import changes, events, leases, queries, watches
from changewindow.ledger.database import Ledger
from changewindow.ledger.events import Event
from changewindow.ledger.payloads import Applied
from support.changes import NOW

TOO_LARGE = "CHG-99999999999999999999"


@pytest.fixture
def change(ledger: Ledger, ticket_data: dict[str, Any]) -> str:
    """Return a change with five events."""
    submitted = changes.submit(ledger, ticket_data, requester="alice", now=NOW)
    for number in range(4):
        events.record(ledger, Event(submitted.change, "run-1", NOW, Applied(step=number, name="Act")))
    return submitted.change


def alter(ledger: Ledger, statement: str) -> None:
    """Alter events as somebody does who owns the database."""
    with ledger.transaction() as session:
        for action in ("update", "delete"):
            session.execute(text(f"DROP TRIGGER append_only_{action}"))
        session.execute(text(statement))


def test_a_ledger_that_is_opened_again_has_its_statements_compiled(ledger: Ledger) -> None:
    """The API server opens it for every click."""
    again = Ledger(ledger.url.render_as_string(hide_password=False))
    assert again.engine is ledger.engine


@pytest.mark.parametrize("statement", ["UPDATE events SET actor = 'x'", "DELETE FROM events"])
def test_the_database_refuses_to_alter_events(ledger: Ledger, change: str, statement: str) -> None:
    """Not even our own connection can."""
    with pytest.raises(IntegrityError, match="never altered"), ledger.transaction() as session:
        session.execute(text(statement))
    events.verify(ledger, change)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET actor = 'mallory' WHERE sequence = 3",
        "UPDATE events SET data = '{}' WHERE sequence = 2",
        "UPDATE events SET at = '2030-01-01 00:00:00.000000' WHERE sequence = 5",
        "DELETE FROM events WHERE sequence = 2",
        "DELETE FROM events WHERE sequence = 1",
        "UPDATE events SET previous = hash WHERE sequence = 4",
    ],
)
def test_what_was_altered_is_found(ledger: Ledger, change: str, statement: str) -> None:
    """The chain breaks at the altered event."""
    alter(ledger, statement)
    with pytest.raises(BrokenChain, match="altered after it was written"):
        events.verify(ledger, change)


def test_24_writers_make_one_chain_without_a_gap(ledger: Ledger, change: str) -> None:
    """Simultaneous events stand one behind the other."""
    written = [Event(change, f"writer-{number}", NOW, Applied(step=number, name="Act")) for number in range(24)]
    with ThreadPoolExecutor(24) as pool:
        list(pool.map(lambda event: events.record(ledger, event), written))
    assert [row.sequence for row in events.history(ledger, change)] == list(range(1, 30))
    events.verify(ledger, change)


@pytest.mark.parametrize(
    "name",
    [
        "CHG-01001",
        "chg-1001",
        "CHG-1001 ",
        "CHG-1001\n",
        "CHG-+1001",
        "CHG-1_001",
        "CHG-\uff11\uff10\uff10\uff11",
        "CHG-\u0661\u0660\u0660\u0661",
        "CHG--1001",
        "CHG-CHG-1001",
        "1001",
        "CHG-0",
        TOO_LARGE,
    ],
    ids=ascii,
)
def test_a_change_has_one_name(ledger: Ledger, change: str, name: str) -> None:
    """Another way to write its number is no change, wherever an id is taken; many of them break no look-up."""
    assert change == "CHG-1001"
    for look in (changes.get, changes.revision, events.history, events.verify, watches.newest, leases.leases):
        with pytest.raises(LedgerUnknown, match="The ledger has no change"):
            look(ledger, name)
    assert queries.of_ids(ledger, [name]) == []
    assert not publication.IDENTITY.fullmatch(name)
    assert name == TOO_LARGE or not re.fullmatch(model.CHANGE, name)
