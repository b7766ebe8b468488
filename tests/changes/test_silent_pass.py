"""A pass over many objects, as the ledger keeps it between two passes."""

import os
import time
import tracemalloc
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import pytest

from changewindow import settings
from changewindow.changes.asking_collectors import Asked
from changewindow.changes.look_around import look_around
from changewindow.changes.silent_pass import make_pass
from changewindow.changes.what_changed import Question
from changewindow.collectors.base import CollectorBase, CollectorContext
from changewindow.ledger import findings
from changewindow.ledger.database import Ledger
from changewindow.ledger.findings_search import Wanted
from changewindow.systems.collection import Collected, Coverage, Entry, Span
from changewindow.systems.connection import Connection
from changewindow.systems.remembered import compared
from support.ledgers import on_sqlite
from support.tampering import tamper

NOW = datetime(2031, 3, 18, 14, 0, tzinfo=UTC)
EVERY = timedelta(minutes=15)
WORLD: dict[str, str] = {}
"""What there is; each object with its secret value."""


class Snapshot(CollectorBase):
    """Compares what there is with what there was, as one for DNS or a file system does."""

    kind: Literal["snapshot"] = "snapshot"

    async def collect(self, span: Span, context: CollectorContext) -> Collected:
        """Say what differs, and keep what there is."""
        was, now = context.kept.get("objects", {}), {name: context.fingerprint(WORLD[name]) for name in WORLD}
        differing = [name for name in {*was, *now} if was.get(name) != now.get(name)] if was else []
        context.kept["objects"] = now
        entries = [
            Entry(span.until, name, "changed", was.get(name, ""), now.get(name, ""), known_by="a snapshot knows nobody")
            for name in differing
        ]
        return Collected(tuple(entries), Coverage(span.since, span.until, clock_off=timedelta(0)))


class Remembering(CollectorBase):
    """Says that something has changed, and not how, as one for a state of Terraform does."""

    kind: Literal["remembering"] = "remembering"

    async def collect(self, span: Span, context: CollectorContext) -> Collected:
        """Say what differs from the look before."""
        memory = compared(context.kept, WORLD, context.now(), is_all=True)
        entries = [
            Entry(at, each.object, f"changed {each.when}", known_as=each.when, known_by="nobody is known")
            for each in memory.differences
            if (at := each.at(span))
        ]
        return Collected(tuple(entries), memory.coverage(span, "changes"))


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """Return a ledger, and a world of 10,000 objects."""
    WORLD.clear()
    WORLD.update({f"web-3:/etc/file-{number}": f"secret {number}" for number in range(10_000)})
    return on_sqlite(tmp_path)


@pytest.fixture
def asked(tmp_path: Path) -> Asked:
    """Return who is asked."""

    async def nobody(name: str) -> Connection:
        raise AssertionError(name)

    return Asked({"files": Snapshot(service="orders")}, nobody, tmp_path / "collected")


def test_a_pass_over_an_unchanged_world_of_10000_objects_is_quick_and_small(ledger: Ledger, asked: Asked) -> None:
    """Nothing is found; the numbers are printed."""
    make_pass(ledger, asked, NOW)
    tracemalloc.start()
    began = time.perf_counter()
    assert make_pass(ledger, asked, NOW + EVERY) == []
    took, peak = time.perf_counter() - began, tracemalloc.get_traced_memory()[1] / (1 << 20)
    tracemalloc.stop()
    print(f"a pass over 10,000 unchanged objects takes {took:.2f} s and {peak:.1f} MiB")
    assert took < 30
    assert peak < 60


def test_one_of_10000_objects_that_differs_is_one_finding(ledger: Ledger, asked: Asked) -> None:
    """Its secret value is a fingerprint by a key of the ledger, the same in each pass."""
    make_pass(ledger, asked, NOW)
    WORLD["web-3:/etc/file-7"] = "another secret"
    [number] = make_pass(ledger, asked, NOW + EVERY)
    [recorded] = findings.find(ledger, Wanted())
    assert (recorded.number, recorded.finding.object) == (number, "web-3:/etc/file-7")
    assert recorded.finding.after.startswith("fingerprint ")
    assert make_pass(ledger, asked, NOW + 2 * EVERY) == []


def test_what_a_collector_keeps_goes_with_the_ledger_to_another_host(
    ledger: Ledger, asked: Asked, tmp_path: Path
) -> None:
    """Whichever triggerer makes the next pass compares with the last one."""
    make_pass(ledger, asked, NOW)
    WORLD["web-3:/etc/new"] = "x"
    there = replace(asked, folder=tmp_path / "another host")
    assert len(make_pass(ledger, there, NOW + EVERY)) == 1
    assert make_pass(ledger, asked, NOW + 2 * EVERY) == []


def test_whoever_deletes_how_far_a_collector_has_seen_is_found_out(ledger: Ledger, asked: Asked) -> None:
    """No first look hides what happened meanwhile."""
    make_pass(ledger, asked, NOW)
    tamper(ledger, "DELETE FROM looks")
    [_] = make_pass(ledger, asked, NOW + EVERY)
    [recorded] = findings.find(ledger, Wanted())
    assert (recorded.finding.kind, recorded.finding.collector) == ("gap", "files")
    assert "is missing: somebody has deleted it" in recorded.finding.why


def sealed_by(ledger: Ledger, *keys: str) -> Ledger:
    """Return the same ledger, for processes that have been given these keys."""
    environment = {**os.environ, "CHANGEWINDOW_SEAL_KEY": ",".join(keys)}
    return Ledger(ledger.url.render_as_string(hide_password=False), lambda: settings.read(environment))


def found(ledger: Ledger) -> list[str]:
    """Return what the findings are about, the newest first."""
    return [recorded.finding.object for recorded in findings.find(ledger, Wanted())]


OLD, NEW = "the-key-of-last-year", "the-key-of-this-year"


def test_a_new_key_of_the_seals_makes_nothing_look_changed(ledger: Ledger, asked: Asked) -> None:
    """What did change meanwhile is one finding, in the pass that sees both keys first and in those after it."""
    make_pass(sealed_by(ledger, OLD), asked, NOW)
    rotated = sealed_by(ledger, NEW, OLD)
    WORLD["web-3:/etc/file-7"] = "another secret"
    assert len(make_pass(rotated, asked, NOW + EVERY)) == 1
    assert make_pass(rotated, asked, NOW + 2 * EVERY) == []
    WORLD["web-3:/etc/file-8"] = "another secret"
    assert len(make_pass(rotated, asked, NOW + 3 * EVERY)) == 1
    assert found(ledger) == ["web-3:/etc/file-8", "web-3:/etc/file-7"]
    only_new = sealed_by(ledger, NEW)
    assert make_pass(only_new, asked, NOW + 4 * EVERY) == []


def test_a_collector_that_fails_while_the_key_is_new_goes_on_with_the_former_one(
    ledger: Ledger, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing that happened while it was blind is missed."""
    make_pass(sealed_by(ledger, OLD), asked, NOW)
    rotated = sealed_by(ledger, NEW, OLD)
    WORLD["web-3:/etc/file-7"] = "another secret"
    make_pass(rotated, replace(asked, limit=0), NOW + EVERY)
    make_pass(rotated, asked, NOW + 2 * EVERY)
    assert found(ledger) == ["web-3:/etc/file-7", ""]
    assert make_pass(rotated, asked, NOW + 3 * EVERY) == []


def test_without_the_former_key_a_pass_begins_anew_and_says_so(ledger: Ledger, asked: Asked) -> None:
    """One gap, and no finding for each of 10,000 objects."""
    make_pass(sealed_by(ledger, OLD), asked, NOW)
    only_new = sealed_by(ledger, NEW)
    assert len(make_pass(only_new, asked, NOW + EVERY)) == 1
    [recorded] = findings.find(ledger, Wanted())
    assert recorded.finding.kind == "gap"
    assert "Add that key behind the first one" in recorded.finding.why
    assert "somebody" not in recorded.finding.why
    assert make_pass(only_new, asked, NOW + 2 * EVERY) == []


def test_what_changed_and_a_pass_do_not_disturb_each_other(ledger: Ledger, asked: Asked) -> None:
    """Both keep what they saw on one machine, with fingerprints by keys of their own."""

    def entries(now: datetime) -> list[str]:
        question = Question(Span(now - EVERY, now))
        answer = look_around(question, asked.collectors, asked.connections, folder=asked.folder, ledger=lambda: ledger)
        return [line.entry.object for line in answer.lines]

    assert entries(NOW) == []
    make_pass(ledger, asked, NOW)
    assert entries(NOW) == []
    assert make_pass(ledger, asked, NOW + EVERY) == []
    WORLD["web-3:/etc/file-7"] = "another secret"
    assert entries(NOW + EVERY) == ["web-3:/etc/file-7"]
    assert len(make_pass(ledger, asked, NOW + 2 * EVERY)) == 1


def test_what_has_changed_in_no_way_that_shows_is_one_finding(ledger: Ledger, asked: Asked) -> None:
    """Though the look that saw it is a moment later than the end of the time that was asked for."""
    here = replace(asked, collectors={"state": Remembering()})
    make_pass(ledger, here, datetime.now(UTC))
    WORLD["web-3:/etc/file-7"] = "another secret"
    assert len(make_pass(ledger, here, datetime.now(UTC))) == 1
    assert make_pass(ledger, here, datetime.now(UTC)) == []
