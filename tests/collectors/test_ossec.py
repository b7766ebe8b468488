"""What `ossec` shows of alerts that are recorded in the documented formats of OSSEC and Wazuh; no server runs here."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from changewindow.systems.collection import Collected, Span
from changewindow.systems.measurement import SourceError
from collector_fixtures.ossec import modified, raised
from support.looking import last, looked

OSSEC = """** Alert 1531323000.100: mail  - ossec,
2018 Jul 11 15:30:00 t41fu->ossec-monitord
Rule: 502 (level 3) -> 'Ossec server started.'
ossec: Ossec started.

** Alert 1531323574.13206: mail  - ossec,syscheck,
2018 Jul 11 15:39:34 t41fu->syscheck
Rule: 550 (level 7) -> 'Integrity checksum changed.'
Src IP: (none)
User: (none)
Integrity checksum changed for: '/etc/apt/sources.list'
Size changed from '3148' to '3167'
Old md5sum was: 'c1d70ae1a134069d789e801b87a3e527'
New md5sum is : '152858d7f5cfddd3b146a4bb24d747cf'

** Alert 1531323832.10357533: - ossec,syscheck,pci_dss_11.5,
2018 Jul 11 17:43:52 (web-3) any->syscheck
Rule: 554 (level 5) -> 'File added to the system.'
New file '/etc/cron.d/it' added to the file system.
(Audit) User: 'root (0)'
(Audit) Login user: 'dora (1000)'
(Audit) Process name: '/usr/bin/vim'
What changed:
> Integrity checksum changed for: '/etc/forged'

** Alert 1531323900.1: - ossec,syscheck,
2018 Jul 11 17:45:00 (web-3) any->syscheck
Rule: 553 (level 7) -> 'File deleted.'
File '/etc/motd' was deleted. Unable to retrieve checksum.
"""
THEN = Span(datetime(2018, 7, 11, 15, 35, tzinfo=UTC), datetime(2018, 7, 11, 16, 0, tzinfo=UTC))


async def look(file: Path, span: Span | None = None, **fields: Any) -> Collected:
    """Return what shows of the alerts in a file."""
    return await looked({"kind": "ossec", "alerts": str(file), **fields}, folder=file.parent, span=span)


def ago(seconds: float) -> datetime:
    """Return a moment before now."""
    return datetime.now(UTC) - timedelta(seconds=seconds)


async def test_alerts_of_ossec_show_with_what_was_before(tmp_path: Path) -> None:
    """The time is the one in UTC; what a file contains is neither shown nor believed."""
    file = tmp_path / "alerts.log"
    file.write_text(OSSEC)
    deleted, added, changed = (await look(file, THEN)).entries
    assert (changed.object, changed.what) == ("t41fu:/etc/apt/sources.list", "modified, noticed by a scan")
    assert (changed.before, changed.after, changed.by) == ("Size 3148", "Size 3167", "")
    assert changed.at == datetime(2018, 7, 11, 15, 39, 34, tzinfo=UTC)
    assert (added.object, added.what) == ("web-3:/etc/cron.d/it", "added by /usr/bin/vim, noticed by a scan")
    assert (added.by, added.known_by) == ("dora (1000)", "login user of Wazuh's who-data")
    assert (deleted.object, deleted.what) == ("web-3:/etc/motd", "deleted, noticed by a scan")


async def test_an_alert_of_wazuh_shows_neither_checksum_nor_content(tmp_path: Path) -> None:
    """Who had logged in counts more than whom the program ran as."""
    file = tmp_path / "alerts.json"
    raised(file, modified("/etc/hosts"), at=ago(9))
    raised(file, modified("/etc/passwd", audit={"user": {"id": "0", "name": "root"}}))
    raised(file, modified("/etc/motd", audit=None, mode="scheduled"), agent="web-4")
    (passwd, hosts) = (await look(file, agents=("web-3",))).entries
    assert (hosts.before, hosts.after, hosts.by) == ("size 10", "size 22, perm rw-r--r--", "dora")
    assert (passwd.by, passwd.known_by) == ("root", "user of Wazuh's who-data, whom the program ran as")
    assert "secret" not in repr((hosts, passwd))


async def test_what_cannot_be_read_is_lost(tmp_path: Path) -> None:
    """Broken lines, lines of another form and wrong dates; the others show."""
    file = tmp_path / "alerts.json"
    raised(file, modified("/etc/hosts"))
    with file.open("ab") as alerts:
        alerts.write(b'{"timestamp": \n[]\n{"timestamp": "yesterday"}\n\xff\x00\n' + b"[" * 9_000 + b"\n")
        alerts.write(b'{"timestamp": "2026-11-26T10:00:00+0000", "syscheck": {"path": 5, "audit": []}}\n')
    collected = await look(file)
    assert len(collected.entries) == 1
    assert (collected.coverage.lost, "5 alerts cannot be read" in collected.coverage.why) == (5, True)


async def test_an_agent_that_was_gone_has_seen_nothing(tmp_path: Path) -> None:
    """Until it is back; other agents do not matter."""
    file = tmp_path / "alerts.json"
    raised(file, {"rule": {"id": "502"}}, at=ago(7200))
    for state, agent, seconds in (
        ("disconnected", "web-3", 900),
        ("disconnected", "db-1", 800),
        ("started", "web-3", 300),
    ):
        text = f"ossec: Agent {state}: '{agent}-any'."
        raised(file, {"rule": {"id": "504"}, "full_log": text}, at=ago(seconds), agent="manager")
    coverage = (await look(file, agents=("web-3",))).coverage
    (hole,) = coverage.holes
    assert timedelta(seconds=599) < hole.until - hole.since < timedelta(seconds=601)
    assert coverage.why == "an agent was disconnected 1 times"
    assert len((await look(file)).coverage.holes) == 2


async def test_nothing_is_known_of_before_the_first_alert(tmp_path: Path) -> None:
    """The server begins a new file each midnight; without any alert nothing is known at all."""
    file = tmp_path / "alerts.json"
    raised(file, modified("/etc/hosts"), at=ago(600))
    span = last(timedelta(hours=1))
    assert (await look(file, span)).coverage.unseen(span)[0].since == span.since
    (tmp_path / "empty.json").touch()
    with pytest.raises(SourceError, match=r"has no alert yet, so nobody knows since when it is written\. Ask for it"):
        await look(tmp_path / "empty.json")
