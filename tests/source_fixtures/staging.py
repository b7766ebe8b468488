"""An answer for `staging`: a change with the same steps completed there 30 hours ago, by a real ledger."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from changewindow.ledger import approvals, changes, leases
from changewindow.ledger.database import Ledger
from changewindow.policy.outcome import Outcome
from changewindow.policy.sign_off import RequiredApproval
from changewindow.settings import LEDGER_CONNECTION
from changewindow.sources.staging import EXAMPLE
from changewindow.systems.connection import Connection
from source_fixtures import Answers
from support.changes import intent
from support.tickets import banner

NEEDS = (RequiredApproval("peer", 1, valid=timedelta(days=99)),)
STEP: dict[str, Any] = {
    "name": "Deploy",
    "kind": "git_change",
    "connection": "orders_config",
    "merge": "release/{{ params.version }}",
    "into": "main",
}
CALL: dict[str, Any] = {
    "name": "Switch it on",
    "kind": "http_call",
    "connection": "orders",
    "path": "/flags",
    "body": {"on": True},
    "undo": {"path": "/flags", "body": {"on": False}},
}


def now() -> datetime:
    """Return the present; a test may run long after this module was read."""
    return datetime.now(UTC)


def ticket(
    environment: str, *steps: dict[str, Any], version: str = "v2", services: tuple[str, ...] = ("orders",)
) -> Any:
    """Return the data of a ticket."""
    window = {"zone": "UTC", "start": "2026-03-18 14:00", "end": "2031-03-18 15:00"}
    parameter = {"version": {"type": "string", "default": version}}
    changed = {"environment": environment, "steps": list(steps or (STEP, CALL)), "services": list(services)}
    return banner(**changed, window=window, parameters=parameter)


def begun(ledger: Ledger, data: dict[str, Any], hours: float, **values: Any) -> str:
    """Submit, approve and start a change so many hours ago, through the real gate; return its id."""
    when = now() - timedelta(hours=hours)
    submitted = changes.submit(ledger, data, requester="alice", now=when)
    times = {"opens": when - timedelta(days=1), "closes": when + timedelta(days=99), "approvals": NEEDS}
    wanted = intent(submitted.digest, f"run of {submitted.change}", values=values, **times)
    approvals.decide(ledger, submitted.change, wanted, person="bob", is_yes=True, now=when)
    targets = tuple(f"{data['environment']}/{name}" for name in data["services"])
    leases.start(ledger, submitted.change, wanted, targets=targets, now=when)
    return submitted.change


def ended(ledger: Ledger, data: dict[str, Any], hours: float, outcome: Outcome = "completed", **values: Any) -> str:
    """Let a change act, and end so many hours ago; it took six minutes."""
    change = begun(ledger, data, hours + 0.1, **values)
    when = now() - timedelta(hours=hours)
    changes.close(ledger, change, run=f"run of {change}", outcome=outcome, reason="p99 too high", now=when)
    return change


@contextmanager
def place(folder: Path) -> Iterator[Answers]:
    """Let it complete in staging with another connection, and ask for production."""
    ledger = Ledger(f"sqlite:///{folder / 'ledger.db'}")
    ledger.upgrade()
    ended(ledger, ticket("staging", {**STEP, "connection": "staging_config"}, CALL), 30)
    change = changes.submit(ledger, ticket("production"), requester="alice", now=now()).change
    known = Connection(LEDGER_CONNECTION, "sqlite", host=str(ledger.url.database))
    yield Answers(EXAMPLE, {"between": [29.9, 30.1]}, (known,), change=change)
