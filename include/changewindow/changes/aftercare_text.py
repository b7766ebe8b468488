"""Says what the events of emergencies, and of what they owe afterwards, mean: sentences whose subject did it."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from changewindow.ledger import payloads
from changewindow.ledger.payloads import Payload
from changewindow.policy.habits import HABIT

REVIEWS = {
    "emergency": "it was an emergency",
    "record": "it was done by hand",
    "rolled_back": "it was rolled back",
    "rollback_failed": "its rollback failed",
}


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _declared(event: payloads.Declared) -> str:
    incident = f"incident {event.incident}" if event.incident else "NO INCIDENT OPEN"
    skipped = "; ".join(each.sentence for each in event.skipped) or "nothing"
    return (
        f"declared {'a drill of ' * event.is_drill}an emergency ({incident}): {event.broken}. {event.commander} agreed "
        f"{_minute(event.agreed_at)} ({event.agreed_how}), {event.executor} carries it out. Skipped: {skipped}. "
        f"Its approval is owed by {_minute(event.due)}"
    )


def _incident_seen(event: payloads.IncidentSeen) -> str:
    at = f" at {event.product}" if event.product else ""
    if event.standing == "unreachable":
        what = f"did not learn of the incident {event.incident}" if event.incident else "could not open an incident"
        return f"{what}{at}: {event.reason}"
    if event.standing == "unknown":
        return f"looked for the incident {event.incident}{at}: THERE IS NONE"
    title = f": {event.title}" if event.title else ""
    if event.opened:
        return f"opened the incident {event.incident}{at}{title}"
    status = event.product_status
    state = status if event.standing == "open" else f"NOT OPEN, {status}"
    return f"looked up the incident {event.incident}{at} ({state}){title}"


def _retro_decided(event: payloads.RetroDecided) -> str:
    word = "approved it afterwards" if event.yes else "did not approve it afterwards"
    because = f", because: {event.reason}" if event.reason else ""
    return f"{word}{because}{'' if event.counts else f'; that does not count: {event.why_not}'}"


def _reviewed(event: payloads.Reviewed) -> str:
    follow_ups = f"; {len(event.follow_ups)} follow-up{'s'[: len(event.follow_ups) != 1]}" if event.follow_ups else ""
    template = f"; drafted a standard change: {event.template}" if event.template else ""
    return f"reviewed it: {event.what_happened}{follow_ups}{template}"


def _reminded(event: payloads.Reminded) -> str:
    if event.about.startswith(HABIT):
        target = event.about.rpartition(":")[2]
        return f"told {', '.join(event.people) or 'everybody'} that emergencies of {target} have become a habit"
    about, _, number = event.about.partition(":")
    what = f"{about.replace('_', '-')}{f' {number}' if number else ''}"
    whom = ", ".join(event.people) or "everybody"
    return f"told {whom} that its {what} is {'overdue' if event.is_overdue else 'owed'}"


def _followed_up(event: payloads.FollowedUp) -> str:
    about, _, number = event.about.partition(":")
    what = f"{about.replace('_', '-')}{f' {number}' if number else ''}"
    moved = " and ".join(
        part for part in (event.owner and f"to {event.owner}", event.due and f"until {_minute(event.due)}") if part
    )
    because = f": {event.reason}" if event.reason else ""
    return f"said that its {what} is done{because}" if event.done else f"gave its {what} {moved or 'up'}{because}"


def _drilled(event: payloads.Drilled) -> str:
    took = ", ".join(f"{name} {seconds:.1f}s" for name, seconds in event.took.items())
    return f"ended the drill {'well' if event.good else 'badly'} ({took}){f': {event.reason}' if event.reason else ''}"


SENTENCES: dict[type[Payload], Callable[[Any], str]] = {
    payloads.Declared: _declared,
    payloads.IncidentSeen: _incident_seen,
    payloads.RetroDecided: _retro_decided,
    payloads.ReviewAsked: lambda event: f"asked for its review by {_minute(event.due)}, as {REVIEWS[event.because]}",
    payloads.Reviewed: _reviewed,
    payloads.Reminded: _reminded,
    payloads.FollowedUp: _followed_up,
    payloads.Drilled: _drilled,
}
