"""The gate's rules about the time: whether window, line, calendar and other changes let a change act now."""

from dataclasses import replace
from datetime import timedelta

from changewindow.calendar.text import length_text
from changewindow.documents.findings import Finding
from changewindow.documents.types import duration_text
from changewindow.errors import BadPolicy
from changewindow.policy.decision import Answers, Satisfied
from changewindow.policy.standing import Case


def window_open(case: Case) -> Answers:
    """Say whether the window has opened."""
    opens = case.intent.opens
    if case.now < opens:
        sentence = f"the window opens {opens:%Y-%m-%d %H:%M} UTC, in {_about(opens - case.now)}"
        yield Finding("too_early", sentence, "Wait for it.")
    else:
        yield Satisfied("window_open", f"the window has been open since {opens:%Y-%m-%d %H:%M} UTC")


def time_left(case: Case) -> Answers:
    """Say whether what is left to do, watch and rollback included, ends before the window does."""
    closes, needs = case.intent.closes, case.intent.needs - case.intent.done
    left = max(closes - case.now, timedelta(0))
    amount = f"the change needs {duration_text(needs)}, the window has {_about(left)} left"
    remedy = case.remedy("Run reslot_change to give it another one.")
    if not case.intent.is_late(case.now):
        yield Satisfied("time_left", amount)
    elif left:
        yield Finding("too_little_time", amount, remedy)
    else:
        yield Finding("late", f"the window ended {closes:%Y-%m-%d %H:%M} UTC", remedy)


def line_runs(case: Case) -> Answers:
    """Say whether the line is not stopped; an emergency goes on all the same."""
    stops = case.standing.stops
    if case.intent.is_emergency and stops:
        yield Satisfied("line_runs", f"{stops[0].sentence}; an emergency goes on all the same")
    elif stops:
        remedy = case.remedy("Trigger the change again when the line runs.")
        yield from (Finding("line_stopped", stop.sentence, remedy) for stop in stops)
    else:
        yield Satisfied("line_runs", "the line is not stopped")


def calendar(case: Case) -> Answers:
    """Say whether windows and freezes let it act, as the policy is now."""
    if isinstance(case.assessment, BadPolicy) and case.is_declared:
        yield Satisfied("calendar", "the policy cannot be read; an emergency may act whatever the calendar says")
    elif isinstance(case.assessment, BadPolicy):
        remedy = case.remedy("Correct the policy; `changewindow policy lint` shows the same.")
        for line in case.assessment.findings:
            yield Finding("policy_unreadable", f"the policy cannot be read: {line.rstrip('.')}", remedy)
    elif case.assessment is not None:
        findings = case.assessment.forbids(case.now, done=case.intent.done)
        yield from (replace(finding, remedy=case.remedy(finding.remedy)) for finding in findings)
        if case.intent.is_emergency and not findings:
            yield Satisfied("calendar", "an emergency may act whatever the calendar says")
        elif not findings:
            yield Satisfied("calendar", "no freeze holds, and the calendar's windows are open for all that it needs")


def collisions(case: Case) -> Answers:
    """Say whether no change that acts now stands against this one, as the policy is now."""
    if isinstance(case.assessment, BadPolicy) or case.assessment is None:
        return
    findings = case.assessment.collides(case.standing.acting)
    if findings and case.is_declared:
        yield Satisfied("collisions", f"{findings[0].sentence}; an emergency goes on all the same")
        return
    yield from findings
    if not findings:
        yield Satisfied("collisions", "no change that acts now collides with it")


def _about(length: timedelta) -> str:
    """Return a length of time as people say it: to the minute from an hour on, to the second below."""
    if length >= timedelta(hours=1):
        return length_text(length)
    return duration_text(timedelta(seconds=round(length.total_seconds())))
