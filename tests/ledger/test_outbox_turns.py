"""What is due in the outbox comes in turn: what waits for one channel keeps no other waiting."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from changewindow.ledger import outbox
from changewindow.ledger.models import LINE
from changewindow.ledger.outbox import Outgoing
from support import ledgers

NOW = datetime(2031, 3, 18, 14, 0, tzinfo=UTC)


def note(number: int, room: str, channel: str, *, is_loud: bool = False) -> Outgoing:
    """Return a note that has waited since a moment, the longer the smaller its number."""
    at = NOW - timedelta(hours=2) + timedelta(seconds=number)
    return Outgoing(LINE, "note", room, channel, f"note {number}", at, at, text="told", is_loud=is_loud)


@pytest.mark.parametrize("backend", ["sqlite", "postgres"])
def test_what_waits_for_a_channel_that_is_gone_starves_no_other(tmp_path: Path, backend: str) -> None:
    """However much of it there is, and however long it has waited; failures come first in each room."""
    ledger = ledgers.on_postgres() if backend == "postgres" else ledgers.on_sqlite(tmp_path)
    outbox.add(ledger, (note(number, "#deploys", "email 2", is_loud=True) for number in range(600)))
    outbox.add(ledger, [note(700, "#deploys", "slack"), note(701, "#ops", "slack"), note(702, "#ops", "slack")])
    outbox.add(ledger, [note(703, "#ops", "slack", is_loud=True)])
    due = [each for each in outbox.due(ledger, NOW) if each.channel == "slack"]
    assert [(each.room, each.name) for each in due] == [
        ("#ops", "note 703"),
        ("#deploys", "note 700"),
        ("#ops", "note 701"),
        ("#ops", "note 702"),
    ]
    assert len(outbox.due(ledger, NOW, most=2)) == 2 + 1 + 2
