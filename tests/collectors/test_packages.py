"""Packages of hosts: what their logs and databases show, and what they cannot."""

import gzip
import os
import shutil
import socket
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from changewindow.changes.silent import key_of
from changewindow.collectors.packages import EXAMPLE
from changewindow.systems.collection import Collected, Entry, Span
from changewindow.systems.connection import Connection
from changewindow.systems.hosts.debian_packages import order, package_changes
from changewindow.systems.measurement import SourceError
from servers.packages import Debian, Rpm
from servers.sshd import sshd
from support.looking import looked

HERE = {**EXAMPLE, "connection": None}
DAY = Span(datetime(2031, 3, 18, tzinfo=UTC), datetime(2031, 3, 19, tzinfo=UTC))


async def look(folder: Path, *connections: Connection, span: Span | None = None, **fields: Any) -> Collected:
    """Return what the collector sees."""
    kept = fields.pop("kept", None)
    settings = {**HERE, "within": "60s", **fields}
    return await looked(settings, *connections, folder=folder / "kept", span=span, kept=kept)


def brief(entry: Entry) -> tuple[str, str, str, str]:
    """Return the package, what was done, and its versions."""
    return entry.object.partition(":")[2], entry.what.split()[1], entry.before, entry.after


async def test_a_downgrade_and_a_removal_without_apt(tmp_path: Path) -> None:
    """What lists of installed packages never show."""
    debian = Debian(tmp_path / "world")
    debian.install("probe", "1.0")
    debian.install("probe", "0.9")
    debian.dpkg("--remove", "probe")
    entries = (await look(tmp_path, logs=str(debian.logs))).entries
    assert {brief(entry) for entry in entries} == {
        ("probe", "installed", "", "1.0"),
        ("probe", "downgraded", "1.0", "0.9"),
        ("probe", "removed", "0.9", ""),
    }
    known_by = {brief(entry)[1]: entry.known_by for entry in entries}
    assert known_by["installed"] == "apt records who gave a command only where sudo was used"


async def test_rotated_logs_are_read_and_the_oldest_says_how_far_back(tmp_path: Path) -> None:
    """Compressed or not; what ended before the span is only asked for its first line."""
    (tmp_path / "apt").mkdir()
    (tmp_path / "dpkg.log").write_text("2031-03-18 14:00:00 install late:all <none> 3\n")
    (tmp_path / "dpkg.log.1").write_text("2031-03-18 10:00:00 install early:all <none> 2\n")
    with gzip.open(tmp_path / "dpkg.log.2.gz", "wt") as log:
        log.write("2031-03-01 09:00:00 install oldest:all <none> 1\n2031-03-17 09:00:00 remove oldest:all 1 <none>\n")
    seconds = DAY.since.timestamp()
    os.utime(tmp_path / "dpkg.log.2.gz", (seconds - 60, seconds - 60))
    for name in ("dpkg.log", "dpkg.log.1"):
        os.utime(tmp_path / name, (seconds + 60, seconds + 60))
    collected = await look(tmp_path, logs=str(tmp_path), span=DAY)
    assert [brief(entry)[0] for entry in collected.entries] == ["late", "early"]
    assert collected.coverage.unseen(DAY) == ()
    year = Span(DAY.since - timedelta(days=365), DAY.until)
    coverage = (await look(tmp_path, logs=str(tmp_path), span=year)).coverage
    assert coverage.unseen(year) == (Span(year.since, coverage.since),)
    assert coverage.why.startswith("its oldest dpkg.log begins 2031-03-01 ")


async def test_a_host_behind_ssh_is_read_the_same_way(tmp_path: Path) -> None:
    """With an account that may read the logs; a clock that is right needs no correction."""
    debian = Debian(tmp_path / "world")
    debian.install("probe", "1.0", by=1)
    with sshd(tmp_path / "ssh") as server:
        collected = await look(tmp_path, server.connection("web_3"), logs=str(debian.logs), connection="web_3")
    (entry,) = collected.entries
    assert (entry.object, entry.by) == ("127.0.0.1:probe", "daemon")
    assert collected.coverage.clock_off == timedelta(0)


async def test_a_host_that_is_down_says_so(tmp_path: Path) -> None:
    """And what to look at."""
    down = Connection("web_3", "ssh", "127.0.0.1", 1, extra={"no_host_key_check": True})
    with pytest.raises(SourceError, match="No ssh server answers at"):
        await look(tmp_path, down, connection="web_3")


async def test_times_of_a_log_are_in_the_zone_of_the_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The logs have no zone: what `date` says there counts."""
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    for name, text in {"date": "exec /bin/date -u '+%s -0500'", "readlink": "exit 1"}.items():
        (bin_folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (bin_folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin_folder}:{os.environ['PATH']}")
    (tmp_path / "dpkg.log").write_text("2031-03-18 10:00:00 install probe:all <none> 2\n")
    os.utime(tmp_path / "dpkg.log", (DAY.until.timestamp(),) * 2)
    (entry,) = (await look(tmp_path, logs=str(tmp_path), span=DAY)).entries
    assert entry.at == datetime(2031, 3, 18, 15, 0, tzinfo=UTC)


async def test_a_package_that_is_installed_with_another_time_zone_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever calls dpkg chooses its zone; where the line stands in the log, he does not."""
    debian = Debian(tmp_path / "world")
    debian.install("probe", "1.0")
    monkeypatch.setenv("TZ", "Pacific/Honolulu")
    debian.install("hidden", "6.6")
    monkeypatch.delenv("TZ")
    [hidden] = [entry for entry in (await look(tmp_path, logs=str(debian.logs))).entries if "hidden" in entry.object]
    assert datetime.now(UTC) - hidden.at < timedelta(minutes=1)
    assert "(dated " in hidden.what
    assert " against the order of the log)" in hidden.what
    debian.install("later", "1.0")
    entries = (await look(tmp_path, logs=str(debian.logs))).entries
    [again] = [entry for entry in entries if "hidden" in entry.object]
    assert key_of(again) == key_of(hidden)


BERLIN = ZoneInfo("Europe/Berlin")
CHANGES = {
    "in the order of the log": ("02:50", "02:10"),
    "by the time that has passed": ("01:50", "02:10"),
}


@pytest.mark.parametrize("times", CHANGES.values(), ids=CHANGES.keys())
def test_the_hour_that_is_repeated_when_summer_ends_is_not_overlooked(times: tuple[str, str]) -> None:
    """A line of its second time would lie an hour before anybody asks for it."""
    lines = [f"2031-10-26 {time}:00 install probe:all <none> {time}" for time in times]
    now = datetime(2031, 10, 26, 1, 20, tzinfo=UTC)
    found = [*package_changes(lines, lambda local: local.replace(tzinfo=BERLIN).astimezone(UTC), now)][-1]
    assert now - timedelta(minutes=15) < found.at <= now
    assert found.earliest is not None
    assert found.earliest < found.at


async def test_rpm_shows_what_was_installed_and_later_also_what_is_gone(tmp_path: Path) -> None:
    """Its database holds the present only, so that removals are known from the first look on."""
    rpm = Rpm(tmp_path)
    fields: dict[str, Any] = {"manager": "rpm", "database": str(rpm.database), "kept": {}}
    rpm.install("stays", "1.0")
    rpm.install("goes", "1.0")
    first = await look(tmp_path, **fields)
    assert {brief(entry) for entry in first.entries} == {
        ("stays", "installed", "", "1.0-1"),
        ("goes", "installed", "", "1.0-1"),
    }
    assert first.coverage.why.startswith("removals, and versions of before, are only known from ")
    rpm.install("stays", "2.0")
    rpm.run("-e", "--justdb", "goes")
    for _ in range(2):  # asked again, the answer is the same
        later = [brief(entry) for entry in (await look(tmp_path, **fields)).entries]
        assert sorted(later) == [("goes", "removed,", "1.0-1", ""), ("stays", "upgraded", "1.0-1", "2.0-1")]


async def test_a_database_without_packages_is_no_answer(tmp_path: Path) -> None:
    """It is the wrong one."""
    Rpm(tmp_path)
    with pytest.raises(SourceError, match=f"rpm of {socket.gethostname()} knows no package. Correct `database`"):
        await look(tmp_path, manager="rpm", database=str(tmp_path / "empty"))


def test_versions_are_ordered_as_dpkg_does() -> None:
    """Whether it was a downgrade is not guessed."""
    chance = Random(7)  # noqa: S311  the same versions each time
    assert shutil.which("dpkg")

    def version() -> str:
        text = "1" + "".join(chance.choices("0129a.~+b", k=5))
        return text + (f"-{''.join(chance.choices('01~a.+', k=3))}" if chance.random() < 0.5 else "")

    for one, other in [(version(), version()) for _ in range(60)]:
        relation = {-1: "lt", 0: "eq", 1: "gt"}[order(one, other)]
        ran = subprocess.run(["dpkg", "--compare-versions", one, relation, other], capture_output=True, check=False)
        assert ran.returncode == 0, f"{one} {relation} {other}"
