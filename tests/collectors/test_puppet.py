"""What `puppet` shows of recorded events of PuppetDB, and of a recorded last_run_report.yaml: no Puppet runs here."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from changewindow.changes.silent import key_of
from changewindow.systems.collection import Collected, Span
from changewindow.systems.connection import Connection
from changewindow.systems.measurement import SourceError
from changewindow.systems.puppet_report import OF_REPORT
from collector_fixtures.puppet import PuppetDB, serving
from support.looking import last, looked

REPORT = """--- !ruby/object:Puppet::Transaction::Report
host: web-3.example.com
time: '{time}'
configuration_version: 1711021
environment: production
status: changed
resource_statuses:
  File[/etc/pool.ini]: !ruby/object:Puppet::Resource::Status
    title: "/etc/pool.ini"
    resource_type: File
    changed: true
    events:
    - !ruby/object:Puppet::Transaction::Event
      audited: false
      property: mode
      previous_value: '0600'
      desired_value: '0644'
      message: mode changed '0600' to '0644'
      name: !ruby/sym mode_changed
      status: success
      time: {time}
      corrective_change: true
    - !ruby/object:Puppet::Transaction::Event
      property: owner
      status: noop
      time: {time}
    - broken
  Service[orders]:
    title: orders
    resource_type: Service
    events: []
"""
"""As the agent of Puppet 8 writes it: https://www.puppet.com/docs/puppet/latest/format_report.html."""


@pytest.fixture
def known() -> Iterator[tuple[PuppetDB, Connection]]:
    """Return PuppetDB with its connection."""
    with serving() as running:
        yield running


async def look(connection: Connection, *, hours: int = 1) -> Collected:
    """Return what shows of the last hours."""
    asked = {"kind": "puppet", "puppetdb": connection.name}
    return await looked(asked, connection, folder=Path("unused"), span=last(timedelta(hours=hours)))


async def test_a_corrective_change_tells_that_somebody_else_was_there(known: tuple[PuppetDB, Connection]) -> None:
    """What Puppet did not do, such as a noop, is no entry."""
    database, connection = known
    database.changed(corrective_change=True, status="failure")
    database.changed(status="noop")
    (failed,) = (await look(connection)).entries
    assert failed.what == (
        "Puppet failed to change content: content changed '{sha256}aa'; declared in /etc/puppetlabs/code/pool.pp:7; "
        "environment production; it had been changed since the last run, by something other than Puppet"
    )
    assert (failed.before, failed.after) == ("{sha256}aa", "{sha256}bb")


async def test_pages_are_followed_and_what_is_missing_is_said(
    known: tuple[PuppetDB, Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events that cannot be read are counted, and how far back they are kept is said."""
    monkeypatch.setattr("changewindow.collectors.puppet.PAGE", 10)
    database, connection = known
    for number in range(25):
        database.changed(resource_title=str(number))
    database.events.append({"timestamp": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}"})
    collected = await look(connection, hours=24 * 30)
    assert len(collected.entries) == 26
    assert collected.coverage.lost == 1
    assert "PuppetDB's oldest event is of " in collected.coverage.why
    assert "1 events cannot be read" in collected.coverage.why
    database.events.clear()
    assert "no event at all" in (await look(connection)).coverage.why


async def test_what_a_long_run_did_early_counts_when_its_report_came(known: tuple[PuppetDB, Connection]) -> None:
    """PuppetDB has it only then; who asks every quarter of an hour would never see it. It is told once."""
    database, connection = known
    came = datetime.now(UTC) - timedelta(minutes=1)
    early = came - timedelta(minutes=40)
    database.changed(early, report_receive_time=came.isoformat())
    asked = {"kind": "puppet", "puppetdb": connection.name}
    looks = []
    for since in (early - timedelta(minutes=5), came - timedelta(minutes=14)):
        span = Span(since, datetime.now(UTC))
        looks.append((await looked(asked, connection, folder=Path("unused"), span=span)).entries[0])
    assert [abs(entry.at - at) < timedelta(seconds=1) for entry, at in zip(looks, (early, came), strict=True)] == [
        True
    ] * 2
    assert key_of(looks[0]) == key_of(looks[1])


async def test_the_report_of_a_host_knows_its_last_run_only(tmp_path: Path) -> None:
    """With the tags of Ruby, of which nothing is made; what came before is outside of the coverage."""
    report = tmp_path / "last_run_report.yaml"
    report.write_text(REPORT.format(time=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}+00:00"))
    collected = await looked({"kind": "puppet", "report": str(report)}, folder=tmp_path)
    (changed,) = collected.entries
    assert changed.object == "web-3.example.com:File[/etc/pool.ini]"
    assert changed.what.startswith("Puppet changed mode: mode changed '0600' to '0644'; catalog 1711021; it had been")
    assert (changed.before, changed.after, changed.known_by) == ("0600", "0644", OF_REPORT)
    assert collected.coverage.lost == 1
    assert "and none before; 1 events cannot be read" in collected.coverage.why
    assert collected.coverage.since > collected.coverage.until - timedelta(minutes=1)


FOLDED = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]


@pytest.mark.parametrize(
    "content",
    [
        "host: " + "[" * 200_000,
        "host: " + "{a: " * 100_000,
        "\n".join(["a0: &a0 [x]", *FOLDED, "host: web-3"]),
        "\n".join(["a0: &a0 {x: 1}", *(line.replace("[", "{<<: [").replace("]", "]}") for line in FOLDED)]),
        "host: &a [*a]",
    ],
    ids=["deep lists", "deep mappings", "aliases", "merged aliases", "itself"],
)
async def test_a_report_that_would_take_the_process_with_it_is_refused(content: str, tmp_path: Path) -> None:
    """Whoever is root on a host writes what he likes, and every change is watched by the process that reads it."""
    report = tmp_path / "report.yaml"
    report.write_text(content)
    with pytest.raises(SourceError, match="it lies deeper, or its aliases unfold to more, than a report of Puppet"):
        await looked({"kind": "puppet", "report": str(report)}, folder=tmp_path)


@pytest.mark.parametrize("content", ["", "[]", "--- !ruby/object:Kernel\nsystem: x\n", "{", "!!python/object:os.x {}"])
async def test_what_is_no_report_is_told(content: str, tmp_path: Path) -> None:
    """Whatever it is, nothing of it is run."""
    report = tmp_path / "report.yaml"
    report.write_text(content)
    with pytest.raises(SourceError, match=r"cannot be read: it is no report of Puppet\. Correct `report`"):
        await looked({"kind": "puppet", "report": str(report)}, folder=tmp_path)
