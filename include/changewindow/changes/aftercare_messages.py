"""The text of the messages about what is owed after an emergency, a record, or a change that was rolled back.

Those of a drill say so in their first word.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from changewindow.changes.aftercare_text import REVIEWS
from changewindow.changes.emergency_messages import drill, mentions
from changewindow.changes.messages import message
from changewindow.changes.owed import minute
from changewindow.documents.types import duration_text
from changewindow.ledger.payloads import RetroDecided, Reviewed
from changewindow.policy.aftercare import Aftercare, FollowUp

WHAT = {"emergency": "an emergency", "record": "done by hand"}


def approval_due(owed: Aftercare, now: datetime, *, people: Iterable[str] = (), link: str = "") -> str:
    """Return the message that a retroactive approval is still owed, to those who may give it."""
    return message(
        f"{_drill(owed)}⏰ APPROVAL OWED within {_left(owed.due, now)}: {owed.change} {owed.summary}",
        _what(owed),
        f"Owed by: {minute(owed.due)}",
        f"{mentions(people)}: {_approve(owed, link)}.",
    )


def approval_overdue(owed: Aftercare, now: datetime, *, people: Iterable[str] = (), link: str = "") -> str:
    """Return the message that nobody has approved it in time, to those to whom that is escalated."""
    return message(
        f"{_drill(owed)}🚨 APPROVAL OVERDUE by {_left(now, owed.due)}: {owed.change} {owed.summary}",
        _what(owed),
        f"Was owed by: {minute(owed.due)}",
        f"{mentions(people)}: {_approve(owed, link)}. An answer now is recorded as late.",
    )


def decided(owed: Aftercare, event: RetroDecided, *, person: str) -> str:
    """Return the message that a person has approved it afterwards, or not, or has said so in vain."""
    if not event.counts:
        word = "approval" if event.yes else "refusal"
        head, remedy = f"⚠️ DOES NOT COUNT: the {word} by @{person} of", [f"Why: {event.why_not}"]
    elif event.yes:
        head, remedy = f"☑️ APPROVED AFTERWARDS by @{person}:", []
    else:
        involved = mentions(owed.involved)
        head = f"⛔ NOT APPROVED AFTERWARDS by @{person}:"
        remedy = [
            f"{involved}: what ran stays until somebody rolls it back. Decide that together, and say so in the review."
        ]
    reason = [f"Reason: {event.reason}"] if event.reason else []
    return message(f"{_drill(owed)}{head} {owed.change} {owed.summary}", *reason, *remedy, _digest(event.digest))


def review_due(owed: Aftercare, now: datetime, *, people: Iterable[str] = ()) -> str:
    """Return the message that a review is owed, or overdue, to those who know what happened."""
    is_overdue = owed.is_review_overdue(now)
    head = f"🚨 REVIEW OVERDUE by {_left(now, owed.review_due)}" if is_overdue else "🔎 REVIEW OWED"
    remedy = "trigger the DAG `review_change`: what happened, from when to when, and who follows up on what by when"
    return message(
        f"{_drill(owed)}{head}: {owed.change} {owed.summary}",
        f"Why: {REVIEWS[owed.because]}",
        f"{'Was owed' if is_overdue else 'Owed'} by: {minute(owed.review_due)}",
        f"{mentions(people or owed.involved)}: {remedy}.",
    )


def reviewed(owed: Aftercare, event: Reviewed, *, person: str) -> str:
    """Return the message that a change was reviewed: what happened, and who follows up on what by when."""
    impact = f"{minute(event.impact_from)} to {minute(event.impact_to)}" if event.impact_from else "none"
    fields = {
        "Why not a normal change": event.why_not_normal,
        "What would have made it normal": event.what_would_be_normal,
        "Draft of a standard change": event.template,
    }
    return message(
        f"{_drill(owed)}📋 REVIEWED by @{person}: {owed.change} {owed.summary}",
        f"What happened: {event.what_happened}",
        f"Impact: {impact}",
        *(f"{name}: {text}" for name, text in fields.items() if text),
        *(f"Follow-up: {each.what} ({_by(each.owner, each.due)})" for each in event.follow_ups),
    )


def workaround_due(owed: Aftercare, now: datetime, *, people: Iterable[str] = (), undo: str = "") -> str:
    """Return the message that a temporary workaround has to go, with what would undo it."""
    until = owed.workaround_until or now
    late = f", {_left(now, until)} overdue" if now > until else ""
    how = undo or f"roll {owed.change} back, or ask for a change that replaces it"
    return message(
        f"{_drill(owed)}🩹 WORKAROUND STILL IN PLACE{late}: {owed.change} {owed.summary}",
        f"On: {', '.join(owed.targets)}",
        f"It had to be gone by: {minute(until)}",
        f"{mentions(people or owed.involved)}: {how}; then say so in the DAG `follow_up`.",
    )


def follow_up_due(owed: Aftercare, follow_up: FollowUp, *, people: Iterable[str] = ()) -> str:
    """Return the message that a follow-up is past its date, or nobody's."""
    whom = (follow_up.owner,) if follow_up.owner else tuple(people) or owed.involved
    wrong = f"OVERDUE since {minute(follow_up.due)}" if follow_up.due else "WITHOUT A DATE"
    head = f"FOLLOW-UP {wrong}" if follow_up.owner else "FOLLOW-UP WITHOUT OWNER"
    return message(
        f"{_drill(owed)}📌 {head}: {owed.change} {owed.summary}",
        f"What: {follow_up.number}. {follow_up.what}",
        f"{mentions(whom)}: say in the DAG `follow_up` that it is done, or who does it by when.",
    )


def habit(sentence: str, changes: Iterable[str], *, people: Iterable[str] = ()) -> str:
    """Return the message that emergencies of a target have become a habit; the sentence says how often."""
    return message(
        f"🔁 THIS IS NOT AN EMERGENCY, it is a habit: {sentence}",
        f"Changes: {', '.join(changes)}",
        f"{mentions(people)}: make it a standard change. `changewindow draft` writes one from what ran.",
    )


def _what(owed: Aftercare) -> str:
    incident = f"incident {owed.incident}" if owed.incident else "NO INCIDENT OPEN"
    did = f" | Done by: {owed.executor}" if owed.executor else ""
    commanded = f" | Commander: {owed.commander}" if owed.commander else ""
    return f"It was {WHAT.get(owed.because, owed.because)} ({incident}) on {', '.join(owed.targets)}{did}{commanded}"


def _approve(owed: Aftercare, link: str) -> str:
    shown = f" ({link})" if link else ""
    involved = " and ".join(owed.involved)
    return (
        f"look at what ran{shown} and answer under Required Actions in Airflow, DAG `retroactive_approval`; "
        f"{involved} cannot: they asked for it, did it or commanded it"
    )


def _digest(digest: str) -> str:
    return f"What ran: {digest[:12]}…"


def _by(owner: str, due: datetime | None) -> str:
    return f"{f'@{owner}' if owner else 'NO OWNER'}, {f'by {minute(due)}' if due else 'NO DATE'}"


def _left(later: datetime | None, earlier: datetime | None) -> str:
    """Return the time between two moments, to the minute."""
    if later is None or earlier is None or later <= earlier:
        return "less than a minute"
    minutes = (later - earlier) // timedelta(minutes=1)
    return duration_text(timedelta(minutes=minutes)) if minutes else "less than a minute"


def _drill(owed: Aftercare) -> str:
    return drill(is_drill=owed.is_drill)
