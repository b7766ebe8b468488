"""Says how far a change has come, from nothing but its events, in whatever order they were written."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from changewindow.changes.card import CardApproval, State, StepState
from changewindow.ledger import payloads
from changewindow.ledger.events import payload
from changewindow.ledger.models import EventRow
from changewindow.ledger.payloads import Payload, Unknown

ACTING = frozenset({"running", "watching", "waiting", "rolling_back"})
"""States in which a run holds the targets."""


@dataclass(frozen=True)
class StepSeen:
    """How far a step is."""

    state: StepState
    back_to: str = ""


@dataclass(frozen=True)
class Course:
    """How far a change has come; what is said of a run is of the one that acts, or has acted last."""

    state: State
    since: datetime
    rest: State = "asked"
    """Where it is again if a run ends that has done nothing but read."""
    run: str = ""
    started: datetime | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    """What was chosen for its parameters."""
    steps: Mapping[int, StepSeen] = field(default_factory=dict)
    approvals: tuple[CardApproval, ...] = ()
    reason: str = ""
    asked: payloads.Asked | None = None
    readings: tuple[dict[str, Any], ...] = ()
    """The last sample of its watch."""
    undone: datetime | None = None
    """When the last step was undone."""
    restored: datetime | None = None
    is_by_hand: bool = False
    declared: payloads.Declared | None = None
    incident: payloads.IncidentSeen | None = None

    @property
    def is_acting(self) -> bool:
        """Return whether a run acts."""
        return self.state in ACTING


After = Callable[[Course, EventRow, Any], Course]


def course_of(rows: Iterable[EventRow]) -> Course:
    """Return how far a change has come, from its events, oldest first."""
    course = Course("asked", datetime.max.replace(tzinfo=UTC))
    for row in (row for row in rows if row.kind in TELLING):  # others, such as readings, a watch leaves by thousands
        event = payload(row)
        after = None if isinstance(event, Unknown) or event.is_dry else AFTER.get(type(event))
        course = after(course, row, event) if after else course
    return course


def _to(course: Course, row: EventRow, state: State, **more: Any) -> Course:
    """Return the course in a state, which it has been in since it came into it."""
    since = course.since if state == course.state else row.at
    return replace(course, state=state, since=since, **more)


def _while_acting(course: Course, row: EventRow, event: Payload, state: State, **more: Any) -> Course:
    """Do the same if the run that acts says so; another one, a dry run or one that is over, changes nothing."""
    return _to(course, row, state, **more) if course.is_acting and event.run in {"", course.run} else course


def _submitted(course: Course, row: EventRow, event: payloads.Submitted) -> Course:
    return Course("asked", row.at)


def _revised(course: Course, row: EventRow, event: payloads.Revised) -> Course:
    return Course("asked", row.at, approvals=course.approvals if event.keeps_approvals else ())


def _declared(course: Course, row: EventRow, event: payloads.Declared) -> Course:
    return _to(course, row, "starting", rest="starting", declared=event)


def _decided(course: Course, row: EventRow, event: payloads.ApprovalDecided) -> Course:
    return replace(course, approvals=(*course.approvals, CardApproval(row.actor, is_yes=event.yes, at=row.at)))


def _approved(course: Course, row: EventRow, event: Payload) -> Course:
    return _to(course, row, "scheduled", rest="scheduled") if course.state == "asked" else course


def _rejected(course: Course, row: EventRow, event: payloads.Rejected) -> Course:
    return _to(course, row, "rejected", reason=event.by(row.actor))


def _cancelled(course: Course, row: EventRow, event: payloads.Cancelled) -> Course:
    return _to(course, row, "cancelled", reason=f"cancelled by {row.actor}: {event.reason}", is_by_hand=True)


def _aborted(course: Course, row: EventRow, event: payloads.Aborted) -> Course:
    state: State = "rolling_back" if event.was == "running" else "cancelled"
    return _to(course, row, state, reason=f"aborted by {row.actor}: {event.reason}", is_by_hand=True)


def _before_the_gate(course: Course, row: EventRow, event: Payload) -> Course:
    if course.state not in {"scheduled", "refused", "starting"}:
        return course
    rest = course.rest if course.state == "starting" else course.state
    return replace(course, state="starting", since=row.at, rest=rest)


def _started(course: Course, row: EventRow, event: payloads.Started) -> Course:
    if event.mode == "rollback":
        asked_for = course.state == "completed"
        reason = "" if asked_for else course.reason
        return _to(course, row, "rolling_back", run=event.run, reason=reason, is_by_hand=asked_for, restored=None)
    begun = Course("running", row.at, run=event.run, started=row.at, values=event.values)
    return replace(begun, approvals=course.approvals, declared=course.declared, incident=course.incident)


def _step(state: StepState, course_state: State | None = None) -> After:
    def after(course: Course, row: EventRow, event: Any) -> Course:
        if event.run not in {"", course.run}:
            return course
        seen = StepSeen(state, getattr(event, "restored", ""))
        undone = row.at if state == "undone" else course.undone
        known = replace(course, steps={**course.steps, event.step: seen}, undone=undone)
        return _while_acting(known, row, event, course_state) if course_state else known

    return after


def _asked(course: Course, row: EventRow, event: payloads.Asked) -> Course:
    return _while_acting(course, row, event, "waiting", asked=event, reason=event.reason)


def _watched(course: Course, row: EventRow, event: payloads.Watched) -> Course:
    readings = event.readings or course.readings
    if event.verdict == "fail":
        return _while_acting(course, row, event, "rolling_back", reason=event.reason, readings=readings)
    return _while_acting(course, row, event, course.state, readings=readings)


def _routed(course: Course, row: EventRow, event: payloads.WatchDecided) -> Course:
    if event.route != "undo":
        return course
    return _while_acting(course, row, event, "rolling_back", reason=event.reason)


def _run_died(course: Course, row: EventRow, event: Payload) -> Course:
    return _to(course, row, "rolling_back", reason="its run died before it had recorded an end")


def _closed(course: Course, row: EventRow, event: payloads.Closed) -> Course:
    return _to(course, row, event.outcome, rest=event.outcome, reason=event.reason)


AFTER: Mapping[type[Payload], After] = {
    payloads.Submitted: _submitted,
    payloads.Revised: _revised,
    payloads.Recorded: lambda _, row, __: Course("recorded", row.at),
    payloads.Declared: _declared,
    payloads.IncidentSeen: lambda course, _, event: replace(course, incident=event),
    payloads.ApprovalDecided: _decided,
    payloads.Approved: _approved,
    payloads.Rejected: _rejected,
    payloads.Cancelled: _cancelled,
    payloads.Aborted: _aborted,
    payloads.Confirmed: _before_the_gate,
    payloads.Checked: _before_the_gate,
    payloads.Baseline: _before_the_gate,
    payloads.Started: _started,
    payloads.Remembered: _step("applying"),
    payloads.Applied: _step("applied"),
    payloads.Undoing: _step("undoing", "rolling_back"),
    payloads.Undone: _step("undone", "rolling_back"),
    payloads.UndoFailed: _step("undo failed", "rolling_back"),
    payloads.UndoStopped: _step("undo failed", "rolling_back"),
    payloads.Watching: lambda course, row, event: _while_acting(course, row, event, "watching"),
    payloads.Asked: _asked,
    payloads.Answered: lambda course, row, event: _while_acting(course, row, event, "watching"),
    payloads.Watched: _watched,
    payloads.WatchDecided: _routed,
    payloads.Verified: lambda course, row, _: replace(course, restored=row.at),
    payloads.RunDied: _run_died,
    payloads.Closed: _closed,
}
"""What an event makes of it; all others change nothing."""
TELLING = frozenset(payload.kind for payload in AFTER)
