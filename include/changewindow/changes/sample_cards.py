"""Cards to try templates with: a change in each of its states, with something in every field that may be empty."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import cast

from changewindow.changes.card import (
    Card,
    CardApproval,
    CardCondition,
    CardEmergency,
    CardEnding,
    CardStep,
    CardWatch,
    State,
)

OPENS = datetime(2031, 3, 18, 14, 0, tzinfo=UTC)
WORST = CardCondition("p99 latency", "fail", "348 ms", "limit 200 ms", "▁▁▂▃▅▇█")
GOOD = replace(WORST, verdict="pass", value="148 ms", bars="▁▁▂▃▂▁▂")
WATCH = CardWatch(
    passed=timedelta(minutes=7),
    length=timedelta(minutes=15),
    samples=42,
    conditions=(WORST, CardCondition("error rate", "pass", "0.2%", "limit 1%", "▁▂▁▁▁▃▁")),
    worst=WORST,
)
STEPS = (
    CardStep(1, "Raise the limit", "set max_idle to 12", "set max_idle back to 8", "applied"),
    CardStep(2, "Release v2.15.0", "deploy orders:2.15.0", "deploy what was there before", "applying"),
    CardStep(3, "Tell the cache", "POST /flush", "nothing to undo"),
)
ENDING = CardEnding(
    reason="p99 latency is bad: 348 ms, limit 200 ms",
    started=OPENS + timedelta(minutes=2),
    ended=OPENS + timedelta(minutes=18),
    undone=OPENS + timedelta(minutes=17),
    restored=OPENS + timedelta(minutes=18),
    back_to=("'Release v2.15.0': orders:2.14.3",),
    validated=("p99 latency 148 ms, limit 200 ms", "error rate 0.2%, limit 1%"),
    follow_up=("Tell the storefront team that v2.15.0 is out",),
    head="9f" * 32,
    may_start=True,
)
EMERGENCY = CardEmergency(
    broken="no orders come in since 13:52",
    incident="PD-4711",
    commander="carol",
    executor="alice",
    agreed_at=OPENS - timedelta(minutes=3),
    agreed_how="in #incident-4711",
)
BASE = Card(
    change="CHG-1042",
    state="asked",
    digest="ab" * 32,
    sequence=7,
    since=OPENS,
    summary="Release orders v2.15.0, which reads its release notes from the new catalogue.",
    environment="production",
    services=("orders",),
    targets=("production/orders",),
    opens=OPENS,
    closes=OPENS + timedelta(hours=1),
    zone="Europe/Berlin",
    requester="dave",
    owner="alice",
    reviewer="bob",
    on_call="charlie",
    risk="medium",
    type="normal",
    steps=STEPS,
    rollback="deploy what was there before; set max_idle back to 8 (< 2 minutes)",
    approvals=(CardApproval("erin", is_yes=True, at=OPENS - timedelta(hours=5)),),
    links={
        "run": "https://airflow.example/dags/CHG-1042/runs/1",
        "log": "https://airflow.example/dags/CHG-1042/runs/1/tasks/close",
        "page": "https://airflow.example/changes/CHG-1042",
        "actions": "https://airflow.example/required_actions?dag_id=CHG-1042",
    },
)
ASKED = "1 of 2 approvals is missing, at level 'manager'. Ask bob or carol (under Required Actions in Airflow)."
OWED = ("review by 2031-03-25 14:18 UTC",)
SILENT = CardCondition("error rate", "error", "", "limit 1%", "▁▂▁▁▁▃▁   ")
ENDED = ("completed", "rolled_back", "rollback_failed", "refused", "missed", "rejected", "cancelled")


def sample(state: str, *, is_emergency: bool = False) -> Card:
    """Return the card of a change in a state."""
    emergency = EMERGENCY if is_emergency else None
    card = replace(BASE, state=cast("State", state), emergency=emergency, steps=_steps(state))
    if state in ENDED:
        owes = OWED if is_emergency or state in {"rolled_back", "rollback_failed"} else ()
        return replace(card, ending=ENDING, owes=owes)
    more: dict[str, Card] = {
        "asked": replace(card, waits_for=(ASKED,), asks=("bob", "carol"), until=OPENS + timedelta(minutes=30)),
        "scheduled": replace(card, waits_for=("it waits for its checks to be good: Health is up",)),
        "watching": replace(card, watch=WATCH),
        "waiting": replace(
            card,
            watch=replace(WATCH, worst=SILENT, conditions=(GOOD, SILENT)),
            asks=("alice", "bob", "charlie"),
            until=OPENS + timedelta(minutes=25),
            reason="error rate: no data for 3 readings, 2 allowed",
        ),
        "rolling_back": replace(card, reason=ENDING.reason, watch=WATCH),
        "recorded": replace(card, summary="Done by hand: restarted the pods", steps=(), approvals=()),
        "altered": replace(card, reason="event 7 does not match its seal. Restore the ledger from backup."),
    }
    return more.get(state, card)


def _steps(state: str) -> tuple[CardStep, ...]:
    first, second, third = STEPS
    if state == "running":
        return STEPS
    if state in {"completed", "watching", "waiting"}:
        return tuple(replace(step, state="applied") for step in STEPS)
    if state == "rolling_back":
        return first, replace(second, state="undoing"), third
    if state == "rolled_back":
        return replace(first, state="undone"), replace(second, state="undone", back_to="orders:2.14.3"), third
    if state == "rollback_failed":
        return replace(first, state="undone"), replace(second, state="undo failed"), third
    return tuple(replace(step, state="to come") for step in STEPS)
