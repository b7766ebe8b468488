"""A ledger of a busy week: a change in each of its states, emergencies, records, findings and stops."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from changewindow.cli.standalone import ROOT
from changewindow.ledger import approvals, changes, emergencies, findings, leases, looks, payloads, records, stops
from changewindow.ledger import watches as kept_watches
from changewindow.ledger.database import Ledger
from changewindow.ledger.events import Event, record
from changewindow.ledger.outbox import Outgoing, add
from changewindow.policy.check import Facts
from changewindow.policy.outcome import Outcome
from changewindow.policy.review import load_file
from changewindow.policy.sign_off import RequiredApproval
from changewindow.policy.standing import Intent
from changewindow.policy.world_finding import WorldFinding
from changewindow.ticket.reader import build_ticket
from changewindow.watch.progress import Followed, Progress
from support import ledgers
from support.changes import NOW
from support.declarations import declaration
from support.manual_changes import manual

PEER = (RequiredApproval("peer", 1, valid=timedelta(days=30)),)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
HOSTILE = (
    """<script>window.hacked=1</script>"><img src=x onerror=window.hacked=1> javascript:window.hacked=1 {{ 7*7 }} '"""
)
UNSEEN = "\u202egnp.exe\u202c\u200b\x07\x1b[31m"
"""Turns the text around, takes no room, rings, and colours a terminal."""
STATES = {
    "running": "CHG-1001",
    "submitted": "CHG-1002",
    "approved": "CHG-1003",
    "completed": "CHG-1004",
    "rolled_back": "CHG-1005",
    "rollback_failed": "CHG-1006",
    "refused": "CHG-1007",
    "missed": "CHG-1008",
    "rejected": "CHG-1009",
    "cancelled": "CHG-1010",
    "recorded": "CHG-1011",
    "emergency": "CHG-1012",
}
"""The change in each state; the emergency has been declared, and has not acted yet."""
OUTCOMES: tuple[Outcome, ...] = ("completed", "rolled_back", "rollback_failed", "refused", "missed")


def plain(text: str) -> str:
    """Return a text as it is."""
    return text


def hostile(text: str) -> str:
    """Return a text as somebody writes it who wants to take over the page."""
    return f"{text} {HOSTILE}"


@dataclass
class Week:
    """A week that is written into a ledger."""

    ledger: Ledger
    said: Callable[[str], str]
    """What people write where they may write what they want."""
    unseen: str = ""
    count: int = 0
    """Of tickets: each has a number of its own in its summary."""

    def free(self, text: str) -> str:
        """Return what stands where not even a form has looked at it."""
        return self.said(text) + self.unseen

    def ticket(self, opens: datetime, **changed: Any) -> dict[str, Any]:
        """Return the ticket of the example, with people's own words in each of its texts, for an hour."""
        data = example()
        self.count += 1
        data["summary"] = self.said(f"Release number {self.count}.")
        data["details"] = self.said("Built and tested.")
        data["preflight"]["confirmed"] = [self.said("Tested in staging"), "https://git.example.com/orders/pull/481"]
        data["rollback"]["notes"] = self.said("The service follows the branch.")
        data["post_change"]["follow_up"] = [self.said("Tell the storefront team")]
        data["parameters"]["version"]["help"] = self.said("The release to deploy")
        for step in data["steps"]:
            step["name"] = self.said(step["name"])
        for condition in (*data["validation"], *data["watch"]["conditions"], *data["preflight"]["checks"]):
            condition["name"] = self.said(condition["name"])
        data["window"] = {"start": f"{opens:%Y-%m-%d %H:%M}", "end": f"{opens + HOUR:%Y-%m-%d %H:%M}", "zone": "UTC"}
        return {**data, **changed}

    def submitted(self, opens: datetime, **changed: Any) -> changes.Submitted:
        """Return a change that waits for its approval."""
        at = min(opens, NOW) - 2 * HOUR
        return changes.submit(self.ledger, self.ticket(opens, **changed), requester="alice", now=at)

    def approved(self, opens: datetime, **changed: Any) -> changes.Submitted:
        """Return a change that waits for its window."""
        submitted = self.submitted(opens, **changed)
        self.decide(submitted, opens, is_yes=True)
        return submitted

    def decide(self, submitted: changes.Submitted, opens: datetime, *, is_yes: bool) -> None:
        """Say bob's yes or no."""
        at, reason = min(opens, NOW) - HOUR, "" if is_yes else self.free("Not on a release day")
        wanted = Intent("", submitted.digest, opens, opens + HOUR, timedelta(0), approvals=PEER)
        approvals.decide(self.ledger, submitted.change, wanted, person="bob", is_yes=is_yes, now=at, reason=reason)

    def start(self, submitted: changes.Submitted, opens: datetime) -> str:
        """Let an approved change act, with its first step applied; return it."""
        run, change = f"run-{submitted.change}", submitted.change
        wanted = Intent(run, submitted.digest, opens, opens + HOUR, timedelta(0), approvals=PEER)
        targets = build_ticket(changes.revision(self.ledger, change)).targets
        leases.start(self.ledger, change, wanted, targets=targets, now=opens + MINUTE)
        name = self.said("Merge the release")
        was: dict[str, Any] = {"run": run, "step": 1, "name": name}
        self.happened(change, opens + 2 * MINUTE, payloads.Remembered(**was, remembered={"commit": "9f" * 20}))
        self.happened(change, opens + 3 * MINUTE, payloads.Applied(**was))
        return change

    def watching(self, change: str, opens: datetime) -> Progress:
        """Let a change be watched for a minute of two."""
        since = opens + 3 * MINUTE
        limits, recent = "good below 0.2 s", [0.11, 0.12, None, 0.15, 0.14]
        names = ("p99 latency", "Health check returns 200")
        followed = [
            Followed(name=self.said(name), limits=limits, unit="s", verdict="pass", line="0.14 s", recent=recent)
            for name in names
        ]
        progress = Progress(
            since=since, begun=since, over=since + 8 * MINUTE, at=since + MINUTE, samples=5, conditions=followed
        )
        self.happened(change, since, payloads.Watching(run=f"run-{change}", since=since, seconds=480))
        readings = [
            {"sample": sample, "condition": each.name, "verdict": "pass", "value": value, "at": since.isoformat()}
            for sample, value in enumerate((0.11, 0.12, 0.14), 1)
            for each in followed
        ]
        self.happened(change, since + MINUTE, payloads.Read(run=f"run-{change}", readings=tuple(readings)))
        kept_watches.keep(self.ledger, [kept_watches.Kept(change, f"run-{change}", progress, since + MINUTE)])
        return progress

    def happened(self, change: str, at: datetime, payload: payloads.Payload, actor: str = "") -> None:
        """Write an event of a change."""
        record(self.ledger, Event(change, actor or f"run-{change}/apply_1", at, payload))

    def closed(self, opens: datetime, outcome: Outcome, **changed: Any) -> str:
        """Return a change that has ended."""
        if outcome in {"refused", "missed"}:
            change, run = self.approved(opens, **changed).change, None
        else:
            change = self.start(self.approved(opens, **changed), opens)
            run, progress = f"run-{change}", self.watching(change, opens)
            decided = ("pass" if outcome == "completed" else "fail", self.free("decided"))
            ended = progress.model_copy(update={"decided": decided})
            kept_watches.keep(self.ledger, [kept_watches.Kept(change, run, ended, opens + 9 * MINUTE)])
        if outcome in {"rolled_back", "rollback_failed"}:
            self._undone(change, opens + 10 * MINUTE, has_failed=outcome == "rollback_failed")
        reason = self.free(f"{outcome}: p99 latency")
        due = NOW + 24 * HOUR
        changes.close(
            self.ledger, change, run=run, outcome=outcome, reason=reason, now=opens + 20 * MINUTE, review_due=due
        )
        return change

    def _undone(self, change: str, at: datetime, *, has_failed: bool) -> None:
        run, name = f"run-{change}", self.said("Merge the release")
        self.happened(change, at, payloads.Undoing(run=run, step=1, name=name))
        if has_failed:
            self.happened(change, at, payloads.UndoFailed(run=run, step=1, name=name, reason=self.free("conflict")))
        else:
            self.happened(change, at, payloads.Undone(run=run, step=1, name=name, restored=self.free("v2.14.3")))


def fill(week: Week) -> None:
    """Write the week."""
    opened, ledger = NOW - 10 * MINUTE, week.ledger
    first = week.approved(opened)
    week.submitted(NOW + 5 * HOUR)
    week.approved(NOW + 3 * HOUR, services=["catalogue"])
    for days, outcome in enumerate(OUTCOMES, 1):
        service = {"services": ["search"]} if outcome == "rollback_failed" else {}
        week.closed(NOW - timedelta(days=days), outcome, **service)
    week.watching(week.start(first, opened), opened)
    rejected = week.submitted(NOW - timedelta(days=6))
    week.decide(rejected, NOW - timedelta(days=6), is_yes=False)
    cancelled = week.approved(NOW + timedelta(days=2))
    changes.cancel(ledger, cancelled.change, person="alice", reason=week.free("Not needed any more"), now=NOW - HOUR)
    _record(week)
    _emergency(week)
    _line(week)
    _world(week)
    card = Outgoing(first.change, "card", "#deploys", "slack", "card", opened, opened, problem=week.free("gone"))
    add(ledger, [card])


def _record(week: Week) -> None:
    made = manual(
        "kubectl rollout restart deployment/orders", week.said("vi /etc/hosts"), why=week.said("The pool was full")
    )
    records.enter(week.ledger, made, {}, person="bob", now=NOW - HOUR, origin="record_change/run-1")


def _emergency(week: Week) -> None:
    at = NOW - timedelta(days=1, hours=3)
    declared = declaration(at, broken=week.said("no orders come in"), incident="PD-4711", agreed_how=week.said("phone"))
    data = week.ticket(at - MINUTE, type="emergency", services=["payments"])
    emergencies.declare(week.ledger, data, declared, person="alice", now=at, origin="emergency_change/run-1")


def _line(week: Week) -> None:
    stops.stop(week.ledger, person="dora", reason=week.free("fire"), now=NOW - 9 * HOUR, until=NOW - 7 * HOUR)
    stops.lift(week.ledger, person="erik", now=NOW - 8 * HOUR)
    stops.stop(week.ledger, person="dora", reason=week.free("the network"), now=NOW - MINUTE, until=NOW + HOUR)


def _world(week: Week) -> None:
    """Let collectors have found something."""
    edit = WorldFinding(
        *("change", "audit", week.free("web-3:/etc/hosts"), NOW - HOUR, week.free("edited"), week.free("nobody")),
        before=week.free("fingerprint 11aa"),
        after=week.free("fingerprint 22bb"),
        by=week.free("eve"),
        known_by=week.free("login uid"),
        services=("orders",),
        environment="production",
    )
    gap = WorldFinding("gap", "dns", "", NOW - 2 * HOUR, "could not see", week.free("it was stopped"), until=NOW - HOUR)
    old = WorldFinding("change", "audit", "web-4:/etc/passwd", NOW - 3 * HOUR, "edited", "nobody", services=("orders",))
    look = looks.Look("audit", NOW - MINUTE, NOW - MINUTE, {"seen": ["a"]})
    numbers = findings.write_pass(week.ledger, [look], [edit, gap, old], [], now=NOW - MINUTE)
    accepted = findings.Settled(numbers[-1], "accepted", week.free("known"), NOW + HOUR)
    findings.settle(week.ledger, [accepted], person="dora", now=NOW)


@cache
def _data() -> str:
    return json.dumps(load_file(ROOT / "include/tickets/release.yaml", Facts(now=NOW)).data)


def example() -> dict[str, Any]:
    """Return the data of the example ticket."""
    data: dict[str, Any] = json.loads(_data())
    return data


@cache
def template(*, is_hostile: bool = False) -> Ledger:
    """Return a ledger of a busy week, for copies."""
    ledger = ledgers.new("sqlite")
    fill(Week(ledger, hostile, UNSEEN) if is_hostile else Week(ledger, plain))
    return ledger


def week_in(folder: Path, *, is_hostile: bool = False) -> Ledger:
    """Return a ledger of a busy week in a folder."""
    return ledgers.copied(template(is_hostile=is_hostile), folder)
