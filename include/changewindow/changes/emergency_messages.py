"""The text of the messages of emergencies, in the order in which they are posted: from the declaration to the review.

A drill's say so in their first word. What is told of deadlines afterwards is in `aftercare_messages`.
"""

import re
from collections.abc import Iterable
from dataclasses import replace

from changewindow.changes import messages
from changewindow.changes.messages import Ending, message, rollback_text
from changewindow.changes.owed import minute, owes
from changewindow.documents.types import PERSON
from changewindow.ledger.payloads import Declared, IncidentSeen
from changewindow.policy.aftercare import Aftercare
from changewindow.policy.outcome import Outcome
from changewindow.policy.sign_off import same_person
from changewindow.ticket.model import Ticket

USER = re.compile(PERSON)
DRILL = "🧪 DRILL, nothing is broken: "
NO_INCIDENT = "NONE OPEN; declare one (incident channel, PagerDuty)"


def declared(change: str, ticket: Ticket, event: Declared, *, person: str, seen: IncidentSeen | None = None) -> str:
    """Return the message that an emergency is declared, and who agreed; `seen` is what is known of its incident."""
    by_terminal = [f"Declared from a terminal, because {event.by_terminal}"] if event.by_terminal else []
    workaround = [f"Workaround: it has to be gone by {minute(event.workaround_until)}"] * bool(event.workaround_until)
    return message(
        f"{drill(is_drill=event.is_drill)}🚒 EMERGENCY: {change} {ticket.summary}",
        f"Broken: {event.broken}",
        f"Incident: {incident_text(event, seen)}",
        f"On: {', '.join(ticket.targets)}",
        f"Verbal approval: @{event.commander}, {minute(event.agreed_at)}{_how(event.agreed_how)}",
        f"Executor: @{event.executor} | Declared by: @{person}",
        *by_terminal,
        *workaround,
        f"Retroactive approval: owed by {minute(event.due)}",
    )


def incident_text(event: Declared, seen: IncidentSeen | None) -> str:
    """Return which incident it is for, and what PagerDuty or Opsgenie knows of it."""
    named = event.incident or NO_INCIDENT
    if seen is None:
        return named
    at = f" at {seen.product}" if seen.product else ""
    if seen.standing == "unreachable":
        none = f"{named}; as far as is known, none was opened for you{at}: {seen.reason}"
        return f"{named} (not looked up{at}: {seen.reason})" if event.incident else none
    if seen.standing == "unknown":
        return f"{named} ⚠️ UNKNOWN to {seen.product}; name the right one"
    address = f" {seen.address}" if seen.address and seen.address != event.incident else ""
    if seen.opened:
        return f"{seen.incident}, opened{at} just now{address}"
    title = f"{f': {seen.title}' if seen.title else ''}{address}"
    if seen.standing == "open":
        return f"{seen.incident} ({seen.product_status}{at}){title}"
    return f"{seen.incident} ⚠️ NOT OPEN ({seen.product_status}{at}){title}; name the right one"


def skipped(change: str, event: Declared, *, person: str, link: str = "") -> str:
    """Return the message to everybody whose approval, or whose rule, was skipped; empty where nothing was.

    It calls each of them by name, with the reason, and says where what runs is seen.
    """
    if not event.skipped:
        return ""
    involved = (person, event.executor, event.commander)  # whose word would not count afterwards
    people = dict.fromkeys(name for each in event.skipped for name in each.people)
    asked = [name for name in people if not any(same_person(name, other) for other in involved)]
    incident = f", incident {event.incident}" if event.incident else ""
    return message(
        f"{drill(is_drill=event.is_drill)}⏭️ SKIPPED by {change}, declared an emergency by @{person}{incident}",
        *(f"• {each.sentence}{_whose(each.people)}" for each in event.skipped),
        f"Why: {event.broken}",
        f"{mentions(asked)}: see what runs ({link or f'the DAG {change}'}), and say by {minute(event.due)} "
        "whether you agree: under Required Actions in Airflow, DAG `retroactive_approval`.",
    )


def acting(change: str, ticket: Ticket, event: Declared) -> str:
    """Return the message that it acts now: what it does, and how it is rolled back."""
    watched = f"Watched: {', '.join(condition.name for condition in ticket.conditions)}"
    if event.unwatched_because:
        watched = f"NOT WATCHED, because {event.unwatched_because}: @{event.executor}, look yourself"
    return message(
        f"{drill(is_drill=event.is_drill)}🔧 ACTING: {change} {ticket.summary}",
        f"Changes: {'; '.join(f'{step.name} ({step.does()})' for step in ticket.steps)}",
        rollback_text(ticket),
        watched,
        f"Executor: @{event.executor} | Commander: @{event.commander}",
    )


def ended(change: str, ticket: Ticket, ending: Ending, owed: Aftercare | None) -> str:
    """Return the message after a change: after an emergency, whether the service is restored; and what is owed now."""
    if owed is None:
        return messages.ended(change, ticket, ending)
    lines = messages.outcome_text(change, ticket, ending).splitlines()
    if owed.because == "emergency":
        lines = _of_an_emergency(change, ticket, ending, owed)
    owes_lines = (f"Owed: {part}" for part in owes(owed, ending.ended))
    return message(*lines, *owes_lines, *([f"Record: {ending.head}"] if ending.head else []))


def _of_an_emergency(change: str, ticket: Ticket, ending: Ending, owed: Aftercare) -> list[str]:
    head, *lines = messages.outcome_text(change, ticket, replace(ending, restored=None)).splitlines()
    if ending.outcome == "completed":
        head = f"✅ RESTORED: {change} {ticket.summary}"
    if ending.outcome == "rolled_back":
        lines = [line for line in lines if not line.startswith("Follow-up: ")]  # another emergency needs no ticket
    return [f"{drill(is_drill=owed.is_drill)}{head}", *lines, *_of_the_incident(ending.outcome, owed)]


def _of_the_incident(outcome: Outcome, owed: Aftercare) -> list[str]:
    if owed.is_drill:
        return []
    if outcome == "completed":
        where = f"incident {owed.incident}" if owed.incident else "the incident channel (no incident was open)"
        return [f"@{owed.commander}: say in {where} that service is restored."]
    incident = f"incident {owed.incident}" if owed.incident else "no incident is open"
    return [f"@{owed.commander}: IT IS STILL BROKEN ({incident}). Find another fix; each one is declared anew."]


def drill(*, is_drill: bool) -> str:
    """Return with what each message of a drill begins."""
    return DRILL if is_drill else ""


def mentions(people: Iterable[str], otherwise: str = "Everybody") -> str:
    """Return people as they are called in a room; who is known by no user name cannot be called."""
    return ", ".join(f"@{person}" if USER.fullmatch(person) else person for person in people) or otherwise


def _how(agreed: str) -> str:
    """Return how somebody agreed; that it was verbally, the line says already."""
    return "" if agreed == "verbally" else f", {agreed}"


def _whose(people: tuple[str, ...]) -> str:
    return f" ({mentions(people)})" if people else ""
