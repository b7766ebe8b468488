"""What holds for every kind of collector, found by its file."""

import importlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

import pytest
from pydantic import TypeAdapter, ValidationError

from changewindow import kinds
from changewindow.changes.asking_collectors import Asked
from changewindow.changes.silent import key_of
from changewindow.changes.silent_pass import make_pass, of_the_world
from changewindow.documents.text import UNSEEN
from changewindow.errors import ChangeError
from changewindow.ledger import findings
from changewindow.ledger.findings_search import Wanted
from changewindow.steps.base import StepBase
from changewindow.systems.collection import MOST, ON_ONE_LINE, VALUES, Collected, Span
from changewindow.systems.connection import Connection
from changewindow.systems.measurement import SourceError
from changewindow.ticket.model import AnyStep
from collector_fixtures import World
from support.ledgers import on_sqlite
from support.looking import collector, last, looked

COLLECTORS = kinds.modules("collectors")
STEP: TypeAdapter[StepBase] = TypeAdapter(AnyStep)
HOSTILE = "\x1b]0;owned\x07\x1b[2J\u202e\r" + "x" * 50_000


@pytest.fixture(params=COLLECTORS.values(), ids=COLLECTORS.keys())
def module(request: pytest.FixtureRequest) -> ModuleType:
    """Return each kind's module."""
    module: ModuleType = request.param
    return module


@pytest.fixture
def world(module: ModuleType, tmp_path: Path) -> Iterator[World]:
    """Return the world of each kind: see `collector_fixtures`."""
    (tmp_path / "world").mkdir()
    fixture = importlib.import_module(f"collector_fixtures.{module.__name__.rpartition('.')[2]}")
    with fixture.world(tmp_path / "world") as made:
        yield made


async def look(world: World, folder: Path, span: Span | None = None) -> Collected:
    """Return what the collector sees of its world."""
    collected = await looked(
        world.collector,
        *world.connections,
        folder=folder / "kept",
        span=span,
        our_changes=world.our_changes,
        kept=world.kept,
    )
    assert json.loads(json.dumps(world.kept)) == world.kept
    return collected


def test_its_example_is_valid_and_documented(module: ModuleType) -> None:
    """Whoever writes collectors.yaml can copy it."""
    assert collector(module.EXAMPLE).within > timedelta(0)
    assert module.__doc__


def test_an_unknown_field_is_refused(module: ModuleType) -> None:
    """A typing mistake is not ignored."""
    with pytest.raises(ValidationError):
        collector({**module.EXAMPLE, "servise": "orders"})


def test_it_survives_the_way_into_a_trigger(module: ModuleType) -> None:
    """It is handed on as JSON."""
    made = collector(module.EXAMPLE)
    assert collector(json.loads(made.model_dump_json())) == made


async def test_a_change_is_shown_with_who_and_when(world: World, tmp_path: Path) -> None:
    """Who is unknown where the kind cannot know it, and then the entry says why."""
    await look(world, tmp_path)
    began = datetime.now(UTC) - timedelta(seconds=1)  # most clocks of the world know no fractions
    made = world.change()
    collected = await look(world, tmp_path)
    (entry,) = [entry for entry in collected.entries if entry.object == made.object and made.what in entry.what]
    assert began <= entry.at <= datetime.now(UTC)
    assert made.by in entry.by
    assert bool(entry.by) == bool(made.by)
    assert entry.known_by
    assert (entry.place is not None) == bool(collector(world.collector).looks_at)


async def test_an_entry_is_known_again_and_put_back_by_a_step_or_for_a_reason_not(world: World, tmp_path: Path) -> None:
    """Who asks once more for what was seen takes it for no other change."""
    await look(world, tmp_path)
    made = world.change()
    first = await look(world, tmp_path)
    of_it = [entry for entry in first.entries if entry.object == made.object and made.what in entry.what]
    told = {key_of(entry) for entry in of_it}
    assert told
    for entry in of_it:
        back = collector(world.collector).put_back(entry)
        assert [STEP.validate_python(step) for step in back] if isinstance(back, list) else len(back) > 20
    assert told <= {key_of(entry) for entry in (await look(world, tmp_path)).entries}


def test_a_silent_change_is_found_in_the_next_pass_and_once(module: ModuleType, world: World, tmp_path: Path) -> None:
    """With who did it, or why nobody knows; a pass over the unchanged world finds nothing."""
    known = {connection.name: connection for connection in world.connections}

    async def connect(name: str) -> Connection:
        return known[name]

    ledger, looking = on_sqlite(tmp_path), collector({**world.collector, "service": "orders"})
    asked = Asked({"it": looking}, connect, tmp_path / "collected")
    if module.EXAMPLE["kind"] == "changes":
        assert of_the_world(asked.collectors) == {}
        return
    assert make_pass(ledger, asked, datetime.now(UTC)) == []
    made = world.change()
    make_pass(ledger, asked, datetime.now(UTC))
    found = [recorded.finding for recorded in findings.find(ledger, Wanted(service="orders"))]
    (silent,) = [finding for finding in found if finding.kind == "change" and finding.object == made.object]
    assert made.what in silent.what
    assert made.by in silent.by
    assert silent.by or silent.known_by
    assert silent.why == "no change acted on orders then"
    assert make_pass(ledger, asked, datetime.now(UTC)) == []


async def test_it_says_from_when_on_it_can_see(world: World, tmp_path: Path) -> None:
    """Asked for the last thirty years, it does not answer as if it had seen them."""
    span = last(timedelta(days=30 * 365))
    coverage = (await look(world, tmp_path, span)).coverage
    assert coverage.why
    assert coverage.unseen(span) or coverage.since == span.since


async def test_what_nobody_can_see_is_no_empty_answer(world: World, tmp_path: Path) -> None:
    """It raises, with a sentence and what to do."""
    with pytest.raises((SourceError, ChangeError)) as raised:
        await looked(world.blind, *world.connections, folder=tmp_path / "kept")
    assert ". " in str(raised.value)


async def test_nothing_in_its_entries_acts_or_is_endless(world: World, tmp_path: Path) -> None:
    """Whatever the world says is shown, and does nothing."""
    if not world.shows_from_the_first_look:
        await look(world, tmp_path)
    world.hostile(HOSTILE)
    collected = await look(world, tmp_path)
    assert any("owned" in entry.what + entry.object + entry.after for entry in collected.entries)
    for entry in collected.entries:
        for name, most in {**ON_ONE_LINE, **VALUES}.items():
            text = getattr(entry, name)
            assert len(text) <= most * 6
            assert not UNSEEN.search(text)


async def test_its_entries_lie_in_the_span_the_newest_first(world: World, tmp_path: Path) -> None:
    """And there are no more than anybody can read."""
    world.change()
    collected = await look(world, tmp_path)
    times = [entry.at for entry in collected.entries]
    assert times == sorted(times, reverse=True)
    assert len(times) <= MOST
    earlier = Span(datetime(2001, 1, 1, tzinfo=UTC), datetime(2001, 1, 2, tzinfo=UTC))
    assert (await look(world, tmp_path, earlier)).entries == ()
