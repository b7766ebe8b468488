"""How far watches are, in the ledger."""

from datetime import timedelta
from typing import Any

import pytest

from changewindow.ledger import changes, events, watches
from changewindow.ledger.database import Ledger
from changewindow.ledger.payloads import Read
from changewindow.ledger.watches import BATCH, Kept
from changewindow.watch.baseline import Seen
from changewindow.watch.judgement import Judgement
from changewindow.watch.progress import Followed, Progress
from changewindow.watch.reading import Reading
from support.changes import NOW


@pytest.fixture
def change(ledger: Ledger, ticket_data: dict[str, Any]) -> str:
    """Return a change."""
    return changes.submit(ledger, ticket_data, requester="alice", now=NOW).change


def progress(readings: int, **changed: Any) -> Progress:
    """Return a progress with so many readings that no event has."""
    unwritten = [{"sample": number, "verdict": "pass"} for number in range(readings)]
    over = NOW + timedelta(minutes=5)
    return Progress(since=NOW, begun=NOW, over=over, at=NOW, samples=readings, unwritten=unwritten, **changed)


def read(ledger: Ledger, change: str) -> list[int]:
    """Return how many readings each event has."""
    return [len(read.readings) for read in events.past(ledger, change, Read)]


def test_what_was_kept_is_found(ledger: Ledger, change: str) -> None:
    """Nobody has watched before; then the newest progress is there, whole."""
    assert watches.newest(ledger, change) is None
    for samples in (1, 2):
        kept = Kept(change, "run-1", progress(samples), NOW)
        watches.keep(ledger, [kept])
    assert watches.newest(ledger, change) == kept


@pytest.mark.parametrize(
    ("kept", "written"),
    [
        pytest.param(progress(BATCH - 1), [], id="a few wait"),
        pytest.param(progress(BATCH), [BATCH], id="enough make an event"),
        pytest.param(progress(3, decided=("fail", "bad")), [3], id="a verdict writes the rest"),
        pytest.param(progress(0, decided=("fail", "bad")), [], id="no reading, no event"),
    ],
)
def test_readings_become_events(ledger: Ledger, change: str, kept: Progress, written: list[int]) -> None:
    """In batches, in the chain; what is written does not wait any more."""
    count = watches.keep(ledger, [Kept(change, "run-1", kept, NOW)])
    assert read(ledger, change) == written
    assert count == {change: sum(written)}
    newest = watches.newest(ledger, change)
    assert newest is not None
    assert len(newest.progress.unwritten) == len(kept.unwritten) - sum(written)
    events.verify(ledger, change)


def test_a_snapshot_stays_as_it_is() -> None:
    """While it is written, the watch goes on."""
    followed = Followed(name="it", limits="good when equals 1", seen=Seen(before=[1.0], values=[2.0]))
    progress = Progress(since=NOW, begun=NOW, over=NOW, at=NOW, conditions=[followed], unwritten=[{"sample": 1}])
    kept = progress.snapshot()
    before = kept.model_dump_json()
    reading = Reading("it", "pass", NOW, value=1.0)
    followed.seen.values[:] = [2.0, 3.0]
    progress.add([reading], Judgement([]), NOW)
    del progress.unwritten[:1]
    assert kept.model_dump_json() == before != progress.model_dump_json()
