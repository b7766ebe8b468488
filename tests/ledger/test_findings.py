"""Findings in the world: made once, told once, and open until somebody or the world settles them."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from changewindow.errors import BrokenChain, LedgerUnknown
from changewindow.ledger import events, findings, queries, search, stops
from changewindow.ledger.database import Ledger
from changewindow.ledger.findings import FindingOver, Settled, UnknownFinding
from changewindow.ledger.findings_search import Wanted
from changewindow.ledger.looks import Look, looks
from changewindow.ledger.verification import verify_all
from changewindow.policy.world_finding import WorldFinding
from support.changes import NOW
from support.ledgers import on_postgres, on_sqlite
from support.tampering import tamper

HOUR = timedelta(hours=1)
EDIT = WorldFinding("change", "audit", "web-3:/etc/hosts", NOW, "edited", "nobody", services=("orders", "billing"))
SHARED = WorldFinding("change", "audit", "web-3:/etc/motd", NOW, "edited", "nobody")
LOOK = Look("audit", NOW, NOW + timedelta(seconds=2), {"seen": ["a"], "kept": {"größe": 1.5}})


@pytest.fixture(params=["sqlite", "postgres"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Ledger:
    """Return an empty ledger."""
    return on_sqlite(tmp_path) if request.param == "sqlite" else on_postgres()


def test_a_pass_that_is_repeated_finds_nothing_twice(ledger: Ledger) -> None:
    """Its record begins with it, beside that of the line, and everything verifies."""
    assert findings.write_pass(ledger, [LOOK], [EDIT, SHARED, EDIT], [], now=NOW) == [1, 2]
    assert findings.write_pass(ledger, [LOOK], [SHARED, EDIT], [], now=NOW) == []
    assert looks(ledger) == {"audit": replace(LOOK, key=ledger.seal.newest)}
    assert [recorded.finding for recorded in findings.find(ledger, Wanted())] == [SHARED, EDIT]
    assert verify_all(ledger).altered == ()
    assert stops.in_force(ledger, NOW) == ()
    kinds = [row.kind for row in events.history(ledger, "FINDINGS")]
    assert kinds == ["looking_begun", "finding_made", "finding_made"]


def test_the_record_of_findings_is_no_change(ledger: Ledger) -> None:
    """Nobody finds it among changes, and no id of a change leads to it."""
    findings.write_pass(ledger, [LOOK], [EDIT], [], now=NOW)
    assert search.find(ledger, search.Wanted()) == []
    assert queries.begun(ledger) is None
    with pytest.raises(LedgerUnknown):
        events.history(ledger, "CHG-1")
    stops.stop(ledger, person="dora", reason="fire", now=NOW, until=NOW + HOUR)
    assert verify_all(ledger).altered == ()


@pytest.mark.parametrize(
    ("wanted", "objects"),
    [
        (Wanted(service="billing"), [SHARED, EDIT]),
        (Wanted(service="bill"), [SHARED]),
        (Wanted(state="accepted"), []),
        (Wanted(collector="dns"), []),
        (Wanted(is_untold=True), [SHARED, EDIT]),
    ],
)
def test_findings_are_looked_for(ledger: Ledger, wanted: Wanted, objects: list[WorldFinding]) -> None:
    """By service, by state, by collector, and whether their owner knows."""
    findings.write_pass(ledger, [LOOK], [EDIT, SHARED], [], now=NOW)
    assert [recorded.finding for recorded in findings.find(ledger, wanted)] == objects


def test_what_is_accepted_until_a_moment_is_open_again_afterwards(ledger: Ledger) -> None:
    """And its owner is told again."""
    [number] = findings.write_pass(ledger, [LOOK], [EDIT], [], now=NOW)
    findings.tell(ledger, [number], "#deploys", now=NOW)
    assert findings.find(ledger, Wanted(is_untold=True)) == []
    [accepted] = findings.settle(ledger, [Settled(number, "accepted", "known", NOW + HOUR)], person="dora", now=NOW)
    assert (accepted.state, accepted.person, accepted.expires_at) == ("accepted", "dora", NOW + HOUR)
    findings.write_pass(ledger, [LOOK], [EDIT], [], now=NOW + timedelta(minutes=59))
    assert findings.find(ledger, Wanted(is_untold=True)) == []
    assert findings.write_pass(ledger, [LOOK], [EDIT], [], now=NOW + HOUR) == []
    [again] = findings.find(ledger, Wanted(is_untold=True))
    assert (again.number, again.state, again.reason) == (number, "open", "its acceptance has ended")
    assert verify_all(ledger).altered == ()


def test_what_is_over_is_not_settled_again(ledger: Ledger) -> None:
    """Nor what is not there, and nothing beside it."""
    [number] = findings.write_pass(ledger, [LOOK], [EDIT], [], now=NOW)
    findings.write_pass(ledger, [], [], [Settled(number, "reverted", "changed back")], now=NOW)
    with pytest.raises(FindingOver, match="Finding 1 is reverted already, by silent_changes: changed back"):
        findings.settle(ledger, [Settled(number, "accepted", "known", NOW + HOUR)], person="dora", now=NOW)
    [another] = findings.write_pass(ledger, [], [SHARED], [], now=NOW)
    both = [Settled(each, "accepted", "known", NOW + HOUR) for each in (another, number)]
    with pytest.raises(FindingOver):
        findings.settle(ledger, both, person="dora", now=NOW)
    assert [recorded.state for recorded in findings.numbered(ledger, [another, number])] == ["open", "reverted"]
    with pytest.raises(UnknownFinding, match=r"no finding 7\. `changewindow findings` lists them"):
        findings.settle(ledger, [Settled(7, "accepted", "known", NOW + HOUR)], person="dora", now=NOW)


def test_a_pass_that_cannot_be_written_whole_is_not_written(ledger: Ledger) -> None:
    """The next one asks for the same time again."""
    large = Look("dns", NOW, NOW, {"kept": "x" * (9 << 20)})
    with pytest.raises(ValueError, match="what dns wants to keep is larger than 8 MiB"):
        findings.write_pass(ledger, [LOOK, large], [EDIT], [], now=NOW)
    assert (looks(ledger), findings.find(ledger, Wanted())) == ({}, [])


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("DELETE FROM looks", "is missing: somebody has deleted it"),
        ("UPDATE looks SET state = '{}'", "does not match its seal: somebody has inserted or altered it"),
    ],
)
def test_how_far_a_collector_has_seen_is_not_forgotten_by_what_somebody_writes(
    ledger: Ledger, statement: str, why: str
) -> None:
    """It is known that it had begun, so that no first look hides what happened meanwhile."""
    findings.write_pass(ledger, [LOOK], [], [], now=NOW)
    tamper(ledger, statement)
    assert looks(ledger) == {"audit": why}
    assert f"how far audit has seen {why}" in "".join(verify_all(ledger).altered)


def test_what_another_key_has_sealed_is_not_said_to_be_altered(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has that key only has to add it."""
    findings.write_pass(ledger, [LOOK], [], [], now=NOW)
    monkeypatch.setenv("CHANGEWINDOW_SEAL_KEY", "the-key-of-another-installation")
    why = looks(Ledger(ledger.url.render_as_string(hide_password=False)))["audit"]
    assert "is sealed by key " in str(why)
    assert "somebody" not in str(why)


def test_a_record_that_somebody_took_does_not_begin_anew(ledger: Ledger) -> None:
    """The next pass fails, and says why."""
    findings.write_pass(ledger, [LOOK], [EDIT], [], now=NOW)
    tamper(ledger, "DELETE FROM events WHERE number = -1", "DELETE FROM changes WHERE number = -1")
    with pytest.raises(BrokenChain, match="FINDINGS: event 1 is missing"):
        findings.write_pass(ledger, [LOOK], [], [], now=NOW)
    assert "FINDINGS is missing" in "".join(verify_all(ledger).altered)
