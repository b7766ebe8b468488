"""The source journal, with the real journalctl on files that systemd-journal-remote has written."""

import asyncio
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from changewindow.cli.airflow_api import wait_for
from changewindow.sources.journal import EXAMPLE
from changewindow.watch.condition import Condition
from changewindow.watch.reading import Reading
from servers.journals import Entry, write
from support.ask_source import asked

ZERO = {"equals": 0}
ENTRIES = (
    (7000, "pool exhausted", 3, "orders.service"),
    (500, "started", 6, "orders.service"),
    (400, "pool exhausted: 20 of 20", 3, "orders.service"),
    (300, "out of memory", 2, "orders.service"),
    (200, "late", 4, "orders.service"),
    (100, "pool exhausted", 3, "billing.service"),
)
"""Seconds before now, message, priority and unit."""


def ago(seconds: float) -> datetime:
    """Return a moment before now."""
    return datetime.now(UTC) - timedelta(seconds=seconds)


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Return a journal file."""
    return write(tmp_path / "orders.journal", *(Entry(ago(seconds), *rest) for seconds, *rest in ENTRIES))


async def count(file: Path | None, since: datetime | None = None, good: Any = ZERO, **fields: Any) -> Reading:
    """Return the reading of the example, with some fields changed."""
    place = {"file": str(file)} if file else {}
    return await asked({**EXAMPLE, **place, **fields}, since=since, good=good, answer_within="60s")


@pytest.mark.parametrize(
    ("fields", "value"),
    [
        pytest.param({}, 2, id="errors of the last 15 minutes"),
        pytest.param({"priority": "crit"}, 1, id="only worse ones"),
        pytest.param({"priority": "info"}, 4, id="all of them"),
        pytest.param({"over": "350s"}, 1, id="of a shorter time"),
        pytest.param({"over": "3h"}, 3, id="of a longer time"),
        pytest.param({"matching": "pool exhausted"}, 1, id="with these words"),
        pytest.param({"matching": "^exhausted"}, 0, id="with none like that"),
        pytest.param({"unit": "billing.service"}, 1, id="of another unit"),
        pytest.param({"unit": "orders"}, 2, id="without the suffix"),
    ],
)
async def test_entries_are_counted(journal: Path, fields: dict[str, Any], value: int) -> None:
    """Of a unit, by priority, time and words."""
    reading = await count(journal, **fields)
    assert (reading.value, reading.cause) == (value, None), reading.detail
    assert ago(150) < reading.at < ago(99), "as new as the journal"


async def test_a_folder_of_journals_is_read_as_one(tmp_path: Path, journal: Path) -> None:
    """As systemd-journal-remote leaves it."""
    write(tmp_path / "other.journal", Entry(ago(5), "pool exhausted", 3))
    assert (await count(None, directory=str(tmp_path))).value == 3


async def test_it_counts_since_the_last_step(journal: Path) -> None:
    """What stood there before does not count."""
    reading = await count(journal, since=ago(350), over=None)
    assert (reading.value, reading.detail) == (1, "good when equals 0 (the last one: out of memory)")


async def test_what_stood_there_at_the_end_of_the_step_is_of_before(tmp_path: Path) -> None:
    """A microsecond decides."""
    at, newer = ago(50), Entry(ago(5), "of another", 3, "billing.service")
    file = write(tmp_path / "it.journal", Entry(at, "pool exhausted", 3), newer)
    assert (await count(file, since=at, over=None)).value == 0
    assert (await count(file, since=at - timedelta(microseconds=1), over=None)).value == 1


async def test_before_a_change_there_is_no_step_to_count_from(journal: Path) -> None:
    """The preflight needs a time to look back over."""
    reading = await count(journal, over=None)
    assert reading.cause == "invalid"
    assert reading.detail == "before a change there is no last step to count from; write `over`"


async def test_a_journal_to_which_nothing_comes_any_more_is_stale(journal: Path) -> None:
    """Its newest entry, of whatever unit, is older than the last step."""
    assert (await count(journal, since=ago(90))).cause == "stale"


@pytest.mark.parametrize(
    ("fields", "cause", "message"),
    [
        ({"unit": "ordrs.service"}, "no_data", "the journal has no entry of the unit 'ordrs.service' at all. Is it "),
        ({"file": "/nowhere/a.journal"}, "unreachable", "the journal cannot be read: Failed to open files: No such"),
        ({"file": "", "directory": "/nowhere"}, "unreachable", "the journal cannot be read: Failed to open /nowhere"),
    ],
)
async def test_nothing_found_is_not_always_good(
    journal: Path, fields: dict[str, Any], cause: str, message: str
) -> None:
    """A misspelt unit, and a journal that is not there."""
    reading = await asked({**EXAMPLE, "file": str(journal), **fields}, good=ZERO)
    assert (reading.value, reading.cause) == (None, cause)
    assert reading.detail.startswith(message)


async def test_a_damaged_journal_is_no_good_one(tmp_path: Path, journal: Path) -> None:
    """Journalctl skips it and ends well; what it complains of counts."""
    (tmp_path / "cut.journal").write_bytes(journal.read_bytes()[:3000])
    reading = await count(None, directory=str(tmp_path))
    assert reading.cause == "unreachable"
    assert "cut.journal is truncated, ignoring file" in reading.detail


async def test_who_may_not_read_is_told_the_group(journal: Path, tmp_path: Path, monkeypatch: Any) -> None:
    """Journalctl ends well and shows nothing."""
    program = tmp_path / "bin" / "journalctl"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho 'Hint: You are currently not seeing messages from other users.' >&2\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    reading = await count(journal)
    assert reading.cause == "unreachable"
    assert reading.detail.endswith("Is the path right, and is Airflow's user in the group systemd-journal?")


@pytest.mark.parametrize(
    "message", [b"pool \xff exhausted", "pool exhausted" + "x" * 100_000, "pool exhausted\nat line 2"]
)
async def test_a_message_of_any_form_is_searched(tmp_path: Path, message: str | bytes) -> None:
    """Bytes that are no text, long ones, and those of several lines."""
    file = write(tmp_path / "it.journal", Entry(ago(5), message, 3))
    reading = await count(file, matching="pool .*exhausted")
    assert reading.value == 1
    assert len(reading.detail) < 300


async def test_too_many_entries_to_search_or_to_count_are_no_good_ones(tmp_path: Path) -> None:
    """What is looked for may be older than the newest of them, and ten thousand may be a hundred thousand."""
    noise = (Entry(ago(50 - place / 1000), f"request {place}") for place in range(10_000))
    file = write(tmp_path / "it.journal", Entry(ago(60), "pool exhausted", 3), *noise)
    reading = await count(file, priority="info", matching="pool exhausted")
    assert (reading.value, reading.cause) == (None, "invalid")
    assert reading.detail.startswith("the unit has logged 10000 entries or more, too many to search. Ask for a more")
    assert (await count(file, matching="pool exhausted")).value == 1
    unknown = await count(file, priority="info", good={"below": 20_000})
    assert (unknown.verdict, unknown.cause) == ("error", "invalid")
    assert unknown.detail == "10000 or more, so limit 20000 cannot be judged (no more are counted)"
    assert (await count(file, priority="info", good={"below": 100})).verdict == "fail"


@pytest.mark.parametrize(("unit", "cause"), [("orders.service", "invalid"), ("other.service", None)])
async def test_entries_that_journald_has_suppressed_are_not_none(tmp_path: Path, unit: str, cause: str | None) -> None:
    """Its rate limit leaves out what a unit logs too fast, errors too; of another unit it says nothing of this one."""
    dropped = {"MESSAGE_ID": "a596d6fe7bfa4994828e72309e95d61e"}
    message = f"Suppressed 50 messages from {unit}"
    entries = Entry(ago(60), "request"), Entry(ago(30), message, unit="systemd-journald.service", fields=dropped)
    reading = await count(write(tmp_path / "it.journal", *entries))
    assert reading.cause == cause
    if cause:
        told = "0 or more, so good when equals 0 cannot be judged (journald has suppressed entries of orders.service)"
        assert reading.detail == told
    else:
        assert (reading.value, reading.verdict) == (0, "pass")


async def test_a_slow_journalctl_is_killed(tmp_path: Path, monkeypatch: Any) -> None:
    """It does not stay behind when nobody waits for the answer any more."""
    program, file = tmp_path / "journalctl", tmp_path / "pid"
    program.write_text(f"#!/bin/sh\necho $$ > {file}\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    reading = asyncio.create_task(count(None))
    await asyncio.to_thread(wait_for, lambda: file.exists() and file.read_text(), "its start")
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    number = file.read_text().strip()
    await asyncio.to_thread(wait_for, lambda: not _is_alive(number), "its end")


def _is_alive(number: str) -> bool:
    try:
        return Path(f"/proc/{number}/stat").read_text().split(")")[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize(
    "changed",
    [
        {"unit": "--file=x"},
        {"unit": "a b"},
        {"priority": "error"},
        {"file": "/a", "directory": "/b"},
        {"matching": "("},
    ],
)
def test_what_makes_no_sense_is_refused(changed: dict[str, str]) -> None:
    """When the ticket is read."""
    with pytest.raises(ValidationError):
        Condition.model_validate({"name": "it", "source": {**EXAMPLE, **changed}, "pass": ZERO})
