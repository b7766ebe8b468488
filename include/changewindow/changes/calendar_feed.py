"""Writes changes as an iCalendar file (RFC 5545) that calendar programs fetch again and again."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import icalendar

from changewindow.calendar.intervals import Interval
from changewindow.documents.text import spoken, visible
from changewindow.ledger.database import Ledger
from changewindow.ledger.planned import Newest, Planned, Wanted, newest_events, planned

BEFORE, AHEAD = timedelta(days=30), timedelta(days=180)
"""What a feed holds, around the present."""
MOST = 300
"""Changes in a feed; those to come before those that are over."""
EVERY = timedelta(minutes=15)
"""How often programs are asked to look again."""
STATES: Mapping[str, str] = {
    "submitted": "TENTATIVE",
    **dict.fromkeys(("cancelled", "rejected", "missed", "refused"), "CANCELLED"),
}
"""What calendars call our states; all others are confirmed: it is to happen, or has happened."""


def feed(
    ledger: Ledger,
    wanted: Wanted,
    *,
    numbers: frozenset[int] | None,
    now: datetime,
    link: Callable[[str], str],
    told: Callable[[str], str],
) -> bytes:
    """Return the changes around the present, only those with these numbers.

    `link` gives the address of one by its id, `told` what may be told of why it ended. What is the same is written in
    the same way, so that programs see what has changed.

    Raises:
        LedgerDown: the ledger does not answer.
    """
    coming = planned(ledger, Interval(now, now + AHEAD), wanted, numbers=numbers, limit=MOST)
    over = planned(ledger, Interval(now - BEFORE, now), wanted, numbers=numbers, limit=MOST - len(coming))
    changes = sorted({*over, *coming}, key=lambda change: (change.opens, change.number))
    newest = newest_events(ledger, [change.number for change in changes])
    return written(
        [(replace(change, reason=told(change.reason)), newest.get(change.number)) for change in changes], link
    )


def written(changes: Sequence[tuple[Planned, Newest | None]], link: Callable[[str], str]) -> bytes:
    """Return changes, each with its newest event, as an iCalendar file; times are in UTC."""
    file = icalendar.Calendar()
    for name, value in (
        ("prodid", "-//Change Windows//Calendar//EN"),
        ("version", "2.0"),
        ("calscale", "GREGORIAN"),
        ("name", "Change windows"),
        ("x-wr-calname", "Change windows"),
    ):
        file.add(name, value)
    file.add("refresh-interval", EVERY, parameters={"VALUE": "DURATION"})
    file.add("x-published-ttl", icalendar.vDuration(EVERY))
    for change, newest in changes:
        file.add_component(_event(change, newest, link(change.id)))
    return bytes(file.to_ical())


def uid(change: Planned) -> str:
    """Return what identifies a change for ever: its id, and when it was asked for, unlike in another ledger."""
    return f"{change.id}-{change.submitted_at:%Y%m%dT%H%M%S%fZ}@change-windows"


def _event(change: Planned, newest: Newest | None, link: str) -> icalendar.Event:
    event = icalendar.Event()
    changed_at = (newest.at if newest else change.submitted_at).replace(microsecond=0)
    event.add("uid", uid(change))
    for name in ("dtstamp", "last-modified"):
        event.add(name, changed_at)
    event.add("created", change.submitted_at.replace(microsecond=0))
    event.add("sequence", newest.sequence if newest else 0)
    event.add("dtstart", change.opens)
    if change.closes > change.opens:
        event.add("dtend", change.closes)
    state = spoken(change.status)
    event.add("summary", visible(f"{change.id} {state}: {change.summary}"))
    event.add("description", _description(change, state))
    event.add("status", STATES.get(change.status, "CONFIRMED"))
    event.add("categories", [state])
    event.add("transp", "TRANSPARENT")  # nobody is busy only because a change runs
    event.add("url", link)
    return event


def _description(change: Planned, state: str) -> str:
    facts = {"State": state, "Why": change.reason, "Targets": ", ".join(change.targets), "Owner": change.owner}
    return "\n".join(f"{name}: {visible(text)}" for name, text in facts.items() if text)
