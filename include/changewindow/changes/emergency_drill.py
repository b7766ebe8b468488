"""Carries out a drill of an emergency: what is declared for it, how long each part took, and whether it went well."""

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from changewindow.changes.emergency_form import Emergency, emergency_of
from changewindow.changes.emergency_messages import DRILL
from changewindow.changes.messages import message
from changewindow.changes.owed import minute
from changewindow.documents.text import spoken
from changewindow.errors import BadPolicy, BadRequest
from changewindow.ledger import aftercare, changes, events
from changewindow.ledger.aftercare import HOUSEKEEPING, Word
from changewindow.ledger.database import Ledger
from changewindow.ledger.event_kinds import EventKind
from changewindow.ledger.events import Event
from changewindow.ledger.models import EventRow
from changewindow.ledger.payloads import Drilled
from changewindow.policy.approvals import ANYBODY
from changewindow.policy.model import Policy
from changewindow.policy.population import in_order

DRILLER = "emergency_drill"
"""Who declares a drill and carries it out."""
NOT_CONFIGURED = (
    "No drill is configured, so nothing is done. Name a harmless target in emergencies.yaml, like "
    "`drill: {commander: dora, target: staging/drill, step: {kind: command, run: ['true'], undo: ['true']}}`, "
    "with `works_when` or `unwatched_because`"
)
PARTS: dict[str, str] = {
    EventKind.DECLARED: "declared",
    EventKind.REMEMBERED: "first step begins",
    EventKind.APPLIED: "first step applied",
    EventKind.WATCHED: "watched",
    EventKind.CLOSED: "closed",
}
"""The parts of an emergency that are measured, by the event with which each ends."""


def emergency_of_drill(rules: Policy | BadPolicy, *, now: datetime) -> Emergency | None:
    """Return what a drill declares: what emergencies.yaml names, and nothing else; None where it names nothing.

    Whatever anybody gives to its run is of no meaning: a drill is owed by nobody, and counted nowhere.

    Raises:
        BadRequest: it cannot be declared so.
    """
    if isinstance(rules, BadPolicy):
        raise BadRequest(f"The policy cannot be read, so nobody knows what is drilled. {rules}")
    drill = rules.emergencies.drill
    if drill is None:
        return None
    form = {
        "broken": "nothing is: this is a drill",
        "commander": drill.commander,
        "agreed_how": "by emergencies.yaml",
        "target": drill.target,
        "step": json.dumps(drill.step),
        "works_when": json.dumps(drill.works_when) if drill.works_when else None,
        "unwatched_because": drill.unwatched_because,
    }
    may = rules.emergencies.model_copy(update={"may_declare": (ANYBODY,)})
    emergency = emergency_of(form, replace(rules, emergencies=may), person=DRILLER, now=now)
    return replace(emergency, declared=emergency.declared.model_copy(update={"is_drill": True}))


def took(rows: Iterable[EventRow], begun: datetime) -> dict[str, float]:
    """Return how many seconds after its begin each part of a drill had come to its end."""
    parts: dict[str, float] = {}
    for row in rows:
        if part := PARTS.get(row.kind):
            parts.setdefault(part, round((row.at - begun).total_seconds(), 3))
    return parts


def settle(ledger: Ledger, change: str, begun: datetime, now: datetime) -> Drilled:
    """End a drill that is closed, once: its approval is tried by whoever did it, then given; return how it went.

    It is good when it was completed, when its own word did not count, and when that of somebody else did.
    """
    if before := events.past(ledger, change, Drilled):
        return before[-1]
    wrong = [*_not_completed(ledger, change), *_not_approved(ledger, change, now)]
    rows = events.history(ledger, change)
    drilled = Drilled(good=not wrong, took=took(rows, begun), reason="; ".join(wrong))
    events.record(ledger, Event(change, DRILLER, now, drilled))
    return drilled


def text(change: str, drilled: Drilled) -> str:
    """Return the message that a drill has ended."""
    parts = [f"{part}: {seconds:.1f} s" for part, seconds in in_order(drilled.took)]
    if drilled.good:
        return message(f"{DRILL}🏁 {change} went well", f"After its begin: {', '.join(parts)}")
    remedy = "Find out why before the next emergency does: the log of `emergency_drill`"
    return message(f"{DRILL}🚨 {change} WENT BADLY: {drilled.reason}", f"After its begin: {', '.join(parts)}", remedy)


def stale(change: str, at: datetime) -> str:
    """Return the message that the last good drill is too old."""
    return message(
        f"⏰ DRILL OVERDUE: the last good one was {change}, {minute(at)}",
        "Trigger `emergency_drill`, and see why it does not run by itself: it may be paused.",
    )


def _not_completed(ledger: Ledger, change: str) -> list[str]:
    stored = changes.get(ledger, change)
    return [] if stored.status == "completed" else [f"it is {spoken(stored.status)}: {stored.reason}"]


def _not_approved(ledger: Ledger, change: str, now: datetime) -> list[str]:
    """Say what is wrong with the retroactive approval of a drill; nobody is bothered with it."""
    owed = aftercare.of_change(ledger, change)
    if owed is None or owed.due is None:
        return ["it owed no retroactive approval"]
    if owed.decision:
        return []
    own = Word(DRILLER, owed.digest, is_yes=True, reason="whether who did it may approve it")
    of_its_own = aftercare.decide(ledger, change, own, people=(), now=now)
    other = Word(HOUSEKEEPING, owed.digest, is_yes=True, reason="it was a drill")
    of_another = aftercare.decide(ledger, change, other, people=(), now=now)
    return [
        *(["who declared it could approve it"] if of_its_own.counts else []),
        *([] if of_another.counts else [f"it could not be approved: {of_another.why_not}"]),
    ]
