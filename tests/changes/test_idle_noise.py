"""Expected noise that nobody has needed for 90 days is named, as far as anybody has watched for so long."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from changewindow.changes.idle_noise import idle
from changewindow.cli.main import main
from changewindow.ledger import findings
from changewindow.ledger.database import Ledger
from changewindow.ledger.looks import Look
from changewindow.policy.collectors import load_collectors
from support.tampering import tamper

NOW = datetime.now(UTC)
COLLECTORS = """\
collectors:
  config: {kind: git, connection: orders_config}
  web-3: {kind: packages, connection: web_3}
expected:
  tuning: {owner: dora, reason: A robot tunes it, until: 2199-12-31, what: 'commit .*: Tune;.*'}
  upgrades: {owner: erik, reason: Unattended, until: 2199-12-31, collector: web-3}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a policy with two kinds of noise, the second of one collector."""
    made = tmp_path / "policy"
    made.mkdir()
    (made / "collectors.yaml").write_text(COLLECTORS)
    (made / "services.yaml").write_text("unlisted: allow\nservices: {}\n")
    (made / "approvals.yaml").write_text("rules: [{name: all, levels: [{name: peer, from: [anybody]}]}]\n")
    (made / "calendar.yaml").write_text("zone: UTC\ndefault: open\n")
    return made


def days(number: float) -> str:
    """Return the moment so many days ago, as looks keep it."""
    return (NOW - timedelta(days=number)).isoformat()


def write(ledger: Ledger, collector: str, *, until: float = 0, **noise: tuple[float, float | None]) -> None:
    """Write how far a collector has seen, and since when it watches for each noise, and when that hid something."""
    kept = {name: {"since": days(since), "last": days(last) if last else None} for name, (since, last) in noise.items()}
    at = NOW - timedelta(days=until)
    findings.write_pass(ledger, [Look(collector, at, at, {"noise": kept})], [], [], now=NOW)


CASES: dict[str, tuple[dict[str, dict[str, Any]], list[str]]] = {
    "both were needed lately": (
        {
            "config": {"tuning": (400, 3), "upgrades": (400, None)},
            "web-3": {"tuning": (400, None), "upgrades": (400, 89)},
        },
        [],
    ),
    "one was last needed 91 days ago": (
        {"config": {"tuning": (400, 91)}, "web-3": {"tuning": (400, None), "upgrades": (400, 1)}},
        ["tuning"],
    ),
    "neither was ever needed in 100 days": (
        {"config": {"tuning": (100, None)}, "web-3": {"tuning": (100, None), "upgrades": (100, None)}},
        ["tuning", "upgrades"],
    ),
    "it was written a week ago": ({"web-3": {"tuning": (7, None), "upgrades": (7, None)}}, []),
    "another collector is watched for it only since last week": (
        {"config": {"tuning": (400, None)}, "web-3": {"tuning": (7, None), "upgrades": (400, 1)}},
        [],
    ),
    "nobody has looked for the last 60 of 100 days": (
        {"config": {"until": 60, "tuning": (100, None)}, "web-3": {"tuning": (100, None), "upgrades": (100, 1)}},
        [],
    ),
    "it is not known of all collectors yet": (
        {"config": {}, "web-3": {"tuning": (400, None), "upgrades": (400, 1)}},
        [],
    ),
    "nobody has ever looked": ({}, []),
    "a collector that is gone needed it": (
        {
            "gone": {"tuning": (400, 1)},
            "config": {"tuning": (400, None)},
            "web-3": {"tuning": (400, None), "upgrades": (400, 1)},
        },
        ["tuning"],
    ),
}


@pytest.mark.parametrize(("seen", "expected"), CASES.values(), ids=CASES.keys())
def test_noise_that_nobody_needs_is_named(
    ledger: Ledger, folder: Path, seen: dict[str, dict[str, Any]], expected: list[str]
) -> None:
    """With its owner, in its line; whoever cannot know says nothing."""
    for collector, noise in seen.items():
        write(ledger, collector, **noise)
    named = list(idle(ledger, folder, load_collectors(folder), NOW))
    assert [finding.place[-1] for finding in named] == expected
    assert all(finding.is_warning and finding.line for finding in named)


def test_a_look_that_somebody_has_altered_says_nothing(ledger: Ledger, folder: Path) -> None:
    """Nobody has a rule removed that hides something by pretending that it does not."""
    write(ledger, "config", tuning=(100, None), upgrades=(100, None))
    write(ledger, "web-3", tuning=(100, None), upgrades=(100, None))
    tamper(ledger, "UPDATE looks SET seal = 'x' WHERE collector = 'web-3'")
    assert list(idle(ledger, folder, load_collectors(folder), NOW)) == []


def test_policy_lint_names_it_where_a_ledger_is_at_hand(
    ledger: Ledger, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A warning fails nothing; without a ledger it says that nobody knows."""
    write(ledger, "config", tuning=(100, None))
    write(ledger, "web-3", tuning=(100, None), upgrades=(100, 1))
    assert main(["policy", "lint", "--policy", str(folder), "--ledger", str(ledger.url)]) == 0
    [line] = [line for line in capsys.readouterr().out.splitlines() if "hidden nothing" in line]
    assert line == (
        f"{folder}/collectors.yaml:5: warning: expected.tuning: it has hidden nothing since {days(100)[:10]}, "
        "and was not needed for 90 days. Ask dora whether it still happens, and remove it if not. [expected]"
    )
    assert main(["policy", "lint", "--policy", str(folder), "--ledger", "/nowhere/ledger.db"]) == 0
    assert capsys.readouterr().err.startswith(
        "Whether all of `expected` in collectors.yaml is still needed is not known: There is no ledger at /nowhere/"
    )
