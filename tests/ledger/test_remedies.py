"""What is said to somebody who asks whether a change may start is true: no remedy is one that would be refused."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import cast

import pytest

from changewindow.documents.findings import Finding
from changewindow.ledger import approvals, changes, leases
from changewindow.ledger.database import Ledger
from changewindow.policy.load import load_policy
from changewindow.policy.standing import Intent, Mode
from support import busy
from support.changes import NOW, extended
from support.pages import FILES

POLICY = load_policy(*FILES)
STATES = {name: change for name, change in busy.STATES.items() if name != "recorded"}
CLOSED = ("completed", "rolled_back", "rollback_failed", "missed", "rejected", "cancelled")
DAY = timedelta(days=1)


def reslot(ledger: Ledger, change: str, now: datetime) -> None:
    """Give a change another window."""
    data = changes.revision(ledger, change)
    start, end = (f"{now + DAY + timedelta(hours=hours):%Y-%m-%d %H:%M}" for hours in (0, 1))
    window = {**data["window"], "start": start, "end": end}
    changes.revise(ledger, change, {**data, "window": window}, person="alice", now=now)


def extend(ledger: Ledger, change: str, now: datetime) -> None:
    """Move the end of its window."""
    extended(ledger, change, now + DAY * 30, now)


def cancel(ledger: Ledger, change: str, now: datetime) -> None:
    """Cancel it."""
    changes.cancel(ledger, change, person="alice", reason="not needed", now=now)


def roll_back(ledger: Ledger, change: str, now: datetime) -> None:
    """Ask its gate for a rollback."""
    assert leases.explain(ledger, change, POLICY, mode="rollback", now=now).may_act


def approve(ledger: Ledger, change: str, now: datetime) -> None:
    """Say somebody else's yes to it."""
    row = changes.get(ledger, change)
    wanted = Intent("", row.digest, row.opens, row.closes, timedelta(0), approvals=busy.PEER)
    approvals.decide(ledger, change, wanted, person="carol", is_yes=True, now=now)


DOORS: dict[str, Callable[[Ledger, str, datetime], None]] = {
    "reslot_change": reslot,
    "extend_window": extend,
    "cancel_change": cancel,
    "mode rollback": roll_back,
    "Ask": approve,
}
"""How what a remedy names is done; it raises what refuses it."""


def findings(ledger: Ledger, change: str, mode: str, now: datetime) -> tuple[Finding, ...]:
    """Return what stands against a change."""
    return leases.explain(ledger, change, POLICY, mode=cast("Mode", mode), now=now).findings


@pytest.mark.parametrize("later", [timedelta(0), DAY, 30 * DAY], ids=["now", "a day later", "a month later"])
@pytest.mark.parametrize("mode", ["run", "rollback"])
@pytest.mark.parametrize("state", STATES)
def test_whatever_a_remedy_names_is_not_refused(state: str, mode: str, later: timedelta, tmp_path: Path) -> None:
    """In each state, before its window and after."""
    now, change = NOW + later, STATES[state]
    ledger = busy.week_in(tmp_path)
    for finding in findings(ledger, change, mode, now):
        for number, door in enumerate(act for name, act in DOORS.items() if name in finding.remedy):
            folder = tmp_path / f"{finding.code}-{number}"
            folder.mkdir(exist_ok=True)
            door(busy.week_in(folder), change, now)


@pytest.mark.parametrize("state", CLOSED)
def test_a_closed_change_has_one_reason_and_one_remedy(state: str, tmp_path: Path) -> None:
    """Whatever else stands against it would not help: neither its window nor an approval."""
    ledger = busy.week_in(tmp_path)
    for now in (NOW, NOW + 30 * DAY):
        assert [finding.code for finding in findings(ledger, STATES[state], "run", now)] == ["closed"]


def test_a_run_that_died_is_told_nothing_but_to_roll_back(tmp_path: Path) -> None:
    """Another window would be refused."""
    ledger = busy.week_in(tmp_path)
    leases.orphan(ledger, STATES["running"], run="run-CHG-1001", now=NOW)
    told = findings(ledger, STATES["running"], "run", NOW + DAY)
    assert [finding.remedy for finding in told] == ["Run it in mode rollback; nothing else is possible."]
    roll_back(ledger, STATES["running"], NOW + DAY)
