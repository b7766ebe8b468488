"""Says what became of a change, from its events and its text: whether it was deployed, and whether that has failed."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from changewindow.documents.types import parse_duration
from changewindow.ledger.event_kinds import EventKind
from changewindow.steps.base import StepBase
from changewindow.ticket.model import Watch

DEPLOYED = ("completed", "rolled_back", "rollback_failed")
"""The outcomes of changes that have acted."""
STEP: timedelta = StepBase.model_fields["timeout"].default
ANSWER: timedelta = Watch.model_fields["answer_within"].default


@dataclass(frozen=True)
class Happened:
    """An event of a change."""

    kind: str
    at: datetime
    data: dict[str, Any]


@dataclass(frozen=True)
class Course:
    """How a change ran."""

    began: datetime
    ended: datetime
    """For the first time."""
    is_declared: bool
    has_failed: bool = False
    failing: datetime | None = None
    recovered: datetime | None = None


def course(events: Sequence[Happened]) -> Course | None:
    """Return how a change ran that was deployed, from what started and closed it; None: it was not, or as a drill only.

    What counts is the run that deployed it, not one that was refused before; and a later rollback, too.
    """
    began, ran = None, None
    real = [event for event in events if not event.data.get("is_dry")]
    for event in real:
        mode, outcome = event.data.get("mode"), event.data.get("outcome")
        if event.kind == EventKind.STARTED and ran is None and mode == "run":
            began = event.at
        elif event.kind == EventKind.STARTED and ran and mode == "rollback":
            ran = replace(ran, failing=ran.failing or event.at)
        elif event.kind == EventKind.CLOSED and began and outcome in DEPLOYED:
            ran = _closed(ran or Course(began, event.at, is_declared=_is_declared(real)), event)
    return None if any(event.data.get("is_drill") for event in real) else ran


def with_way_back(ran: Course, events: Sequence[Happened]) -> Course:
    """Return the course with the moment at which it was decided to take the change back: the first that says so."""
    moments = [event.at for event in events if event.at >= ran.began and _takes_back(event)]
    return replace(ran, failing=min([*moments, *([ran.failing] if ran.failing else [])], default=None))


def ticket_of(text: str | None) -> dict[str, Any]:
    """Return a text as it is stored; empty where the ledger has lost it, or somebody has spoiled it."""
    try:
        data = json.loads(text or "{}")
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}


def longest(ticket: dict[str, Any]) -> timedelta | None:
    """Return how long a ticket lets its steps and its watch take together; None where it does not say."""
    try:
        watch = ticket["watch"]
        asked = watch.get("answer_within", ANSWER) if watch.get("when_unknown") == "ask" else "0s"
        lengths = [step.get("timeout", STEP) for step in ticket["steps"]]
        return sum(map(parse_duration, (*lengths, watch["for"], watch.get("settle", "0s"), asked)), timedelta(0))
    except (KeyError, TypeError, AttributeError, ValueError):
        return None


def rollback_estimate(ticket: dict[str, Any]) -> timedelta | None:
    """Return how long a ticket says that its rollback takes; None where it does not say."""
    try:
        return parse_duration(ticket["rollback"]["estimate"])
    except (KeyError, TypeError, ValueError):
        return None


def _is_declared(events: Sequence[Happened]) -> bool:
    return any(event.kind == EventKind.DECLARED for event in events)


def _closed(ran: Course, event: Happened) -> Course:
    if event.data["outcome"] == "completed":
        return ran
    return replace(ran, has_failed=True, recovered=event.at if event.data["outcome"] == "rolled_back" else None)


def _takes_back(event: Happened) -> bool:
    """Return whether an event says so; the same kind of event tells of people's approvals."""
    return event.kind != EventKind.DECIDED or event.data.get("route") == "undo"
