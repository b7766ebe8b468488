"""What `aide` shows, with Debian's aide on a folder and a database of its own."""

import asyncio
import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from changewindow.systems.collection import Collected, Entry, Span
from changewindow.systems.measurement import SourceError
from collector_fixtures.aide import aide, kept, settings
from support.looking import last, looked


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    """Return what aide checks; its database is of two hours ago."""
    folder = kept(tmp_path)
    made = (datetime.now(UTC) - timedelta(hours=2)).timestamp()
    os.utime(tmp_path / "aide.db", (made, made))
    return folder


async def look(etc: Path, span: Span | None = None, **fields: Any) -> Collected:
    """Return what shows in its report."""
    given = {"kind": "aide", **settings(etc.parent), **fields}
    return await looked(given, folder=etc.parent / "kept", span=span)


def report(etc: Path, *, began: datetime | None = None, change: tuple[str, str] = ("", "")) -> None:
    """Leave the report of a check, as the daily one does, perhaps of another time."""
    text = aide(etc.parent, "--check").replace(*change)
    if began:
        text = re.sub(r"(?<=Start timestamp: )\S+ \S+", f"{began:%F %T}", text)
    (etc.parent / "aide.log").write_text(text)


def of(collected: Collected, file: Path) -> Entry:
    """Return the entry of a file."""
    (entry,) = [entry for entry in collected.entries if entry.object.endswith(f":{file}")]
    return entry


async def test_added_removed_and_changed_files_show(etc: Path) -> None:
    """Each at its ctime, also with an old date; no checksum is shown, and nobody is accused."""
    (etc / "hosts").write_text("127.0.0.1 evil\n")
    os.utime(etc / "hosts", (1_700_000_000, 1_700_000_000))
    (etc / "new").write_text("it\n")
    (etc / "motd").unlink()
    report(etc)
    collected = await look(etc)
    assert [of(collected, etc / name).what.split(":")[0] for name in ("hosts", "new", "motd")] == [
        "changed",
        "added",
        "removed",
    ]
    changed = of(collected, etc / "hosts")
    assert "Size 20" in changed.before
    assert "SHA256" in changed.what
    assert "SHA256" not in changed.before + changed.after
    assert datetime.now(UTC) - changed.at < timedelta(minutes=5)
    assert (changed.by, changed.known_by) == ("", "AIDE compares files, and does not know who changed them")


async def test_an_unchanged_folder_is_covered_from_the_database_to_the_check(etc: Path) -> None:
    """What happened after the check began, and before the database was made, nobody has seen."""
    report(etc, began=datetime.now(UTC) - timedelta(hours=1))
    span = last(timedelta(hours=3))
    collected = await look(etc, span)
    assert collected.entries == ()
    before, after = collected.coverage.unseen(span)
    assert timedelta(minutes=59) < before.until - span.since < timedelta(minutes=61)
    assert after.until == span.until
    assert "the database is of " in collected.coverage.why
    assert "the check began " in collected.coverage.why
    now = last(timedelta(hours=1))
    assert (await look(etc, now, check=True)).coverage.unseen(now) == ()


async def test_an_old_report_sees_nothing_of_the_last_hour(etc: Path) -> None:
    """An empty answer is not `nothing changed`."""
    report(etc, began=datetime(2020, 1, 1, tzinfo=UTC))
    span = last(timedelta(hours=1))
    assert (await look(etc, span)).coverage.unseen(span) == (span,)


async def test_without_the_date_of_the_database_nothing_is_covered(etc: Path) -> None:
    """It may have been made a minute ago."""
    report(etc)
    span = last(timedelta(hours=1))
    coverage = (await look(etc, span, database="/nowhere/aide.db")).coverage
    assert coverage.unseen(span) == (span,)
    assert coverage.why.startswith("since when AIDE can see is unknown: 'stat' on ")


async def test_files_that_the_report_counts_and_does_not_name_are_lost(etc: Path) -> None:
    """Its own count says how many there were."""
    (etc / "new").write_text("it\n")
    report(etc, change=("f+++++++++++++++++: ", "f+++"))
    coverage = (await look(etc)).coverage
    assert (coverage.lost, "1 files of the report cannot be read" in coverage.why) == (1, True)


@pytest.mark.parametrize("text", ["", "{}", "Start timestamp: yesterday\n", "AIDE found NO differences\n", "\0" * 9000])
async def test_what_is_no_whole_report_is_an_error(etc: Path, text: str) -> None:
    """One of a check that was killed, or in another format."""
    (etc.parent / "aide.log").write_text(text)
    with pytest.raises(
        SourceError, match=r"no whole report of AIDE on .*\. Has a check ended, and is its report_format"
    ):
        await look(etc)


async def test_a_file_of_a_package_is_named_with_it(tmp_path: Path) -> None:
    """An upgrade changes many."""
    (tmp_path / "aide.log").write_text(
        "Start timestamp: 2026-11-26 23:48:28 +0000 (AIDE 0.18.3)\n\nChanged entries:\n\n"
        "f > ... mc..H.. . : /usr/bin/dpkg\n\nDetailed information about changes:\n\nFile: /usr/bin/dpkg\n"
        " Ctime     : 2026-11-26 22:48:27 +0000        | 2026-11-26 23:18:28 +0000\n\nEnd timestamp: now\n"
    )
    hour = Span(datetime(2026, 11, 26, 23, tzinfo=UTC), datetime(2026, 11, 27, tzinfo=UTC))
    (entry,) = (await look(tmp_path / "etc", hour)).entries
    assert entry.what == "changed: Ctime; of package dpkg"
    assert entry.at == datetime(2026, 11, 26, 23, 18, 28, tzinfo=UTC)


async def test_a_difference_without_a_time_is_not_hidden(etc: Path) -> None:
    """A check begins after the time that was asked for."""
    (etc / "motd").unlink()
    etc.rename(etc.parent / "gone")
    entry = of(await look(etc, last(timedelta(seconds=1)), check=True), etc / "motd")
    assert entry.what == "removed, at some time before the check"


async def test_a_removal_is_told_at_the_same_time_whatever_happens_beside_it(etc: Path) -> None:
    """Each report names it until the database is made anew, and it is the same removal."""
    given, kept = {"kind": "aide", **settings(etc.parent)}, dict[str, Any]()
    (etc / "motd").unlink()
    report(etc)
    told = of(await looked(given, folder=etc.parent / "kept", kept=kept), etc / "motd")
    await asyncio.sleep(1.1)  # the ctime of a folder has seconds
    (etc / "new").write_text("it\n")
    report(etc)
    again = of(await looked(given, folder=etc.parent / "kept", kept=kept), etc / "motd")
    assert again.at == told.at
