"""Decides whether a run may act now, and what would make it right: before it starts, and before every further step."""

from collections.abc import Callable, Iterator
from datetime import datetime

from changewindow.documents.findings import Finding
from changewindow.policy.approval_rules import approved, newest_text
from changewindow.policy.connection_rules import connections_serve
from changewindow.policy.decision import Answers, Decision, Satisfied
from changewindow.policy.preflight_rules import earlier_steps, may_repeat, preflight
from changewindow.policy.standing import Assessed, Case, Intent, Standing
from changewindow.policy.state_rules import (
    has_started,
    is_acting,
    may_roll_back,
    may_start,
    not_aborted,
    record_holds,
    targets_free,
)
from changewindow.policy.time_rules import calendar, collisions, line_runs, time_left, window_open

Rule = Callable[[Case], Answers]
"""Asks one thing; says every finding, or why nothing stands against the run."""
START: tuple[Rule, ...] = (
    record_holds,
    may_start,
    newest_text,
    approved,
    targets_free,
    window_open,
    time_left,
    line_runs,
    calendar,
    connections_serve,
    collisions,
    preflight,
)
ROLL_BACK: tuple[Rule, ...] = (may_roll_back, has_started, newest_text, targets_free)
"""A rollback depends on nothing that is measured, and on no approval, window or line."""
APPLY: tuple[Rule, ...] = (
    record_holds,
    is_acting,
    not_aborted,
    line_runs,
    newest_text,
    approved,
    earlier_steps,
    may_repeat,
    window_open,
    time_left,
    calendar,
    connections_serve,
)
UNDO: tuple[Rule, ...] = (is_acting,)
"""Undo asks nothing else: rolling back needs no fresh approval, no window and no line."""
OF_ITS_STATE = (may_start, may_roll_back, is_acting)
"""Where one of these stands against a run, no other rule is asked: what it could name would not help, or be refused."""

READ: tuple[Rule, ...] = (newest_text, approved, connections_serve)
"""Whoever may write the published files, or has asked for a change, has nothing run before it is approved, nor with
somebody else's connections."""


def decide(standing: Standing, intent: Intent, assessment: Assessed, now: datetime) -> Decision:
    """Return whether the run may do what it intends, with the answer of each rule that was asked."""
    answers = list(_answers(Case(standing, intent, assessment, now)))
    return Decision(
        tuple(answer for answer in answers if isinstance(answer, Finding)),
        tuple(answer for answer in answers if isinstance(answer, Satisfied)),
    )


def _answers(case: Case) -> Iterator[Finding | Satisfied]:
    for rule in _rules(case.intent):
        answers = list(rule(case))
        yield from answers
        if rule in OF_ITS_STATE and any(isinstance(answer, Finding) for answer in answers):
            return


def _rules(intent: Intent) -> tuple[Rule, ...]:
    """Return the rules that are asked of what a run intends."""
    if intent.act == "start":
        return ROLL_BACK if intent.mode == "rollback" else START
    if intent.act == "read":
        return (newest_text, has_started) if intent.mode == "rollback" else READ
    return APPLY if intent.act == "apply" else UNDO
