"""What a click in Slack asks for, as what is done inside a transaction of the ledger."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from sqlalchemy.orm import Session

from changewindow.changes.approving import assessment_of, intent_of
from changewindow.changes.buttons import Action, Carried
from changewindow.changes.housekeeping import KEPT
from changewindow.changes.routing import KEEP, UNDO
from changewindow.changes.taking_over import objection_by_name
from changewindow.documents.model_file import Read
from changewindow.documents.text import spoken
from changewindow.errors import ApprovalRefused, BadPolicy
from changewindow.ledger import approvals, changes, presses, questions
from changewindow.ledger.approvals import Answer
from changewindow.ledger.database import Ledger
from changewindow.ledger.models import Change
from changewindow.notify.base import Reference
from changewindow.policy.messages import Messages
from changewindow.policy.model import Policy
from changewindow.policy.rights import Intervention

IN_SLACK = "a click in Slack"


@dataclass(frozen=True)
class Click:
    """A click as Slack tells it."""

    user: str
    """The Slack id of whoever clicked."""
    workspace: str
    """The id of their workspace."""
    action: Action
    value: str
    """What the button holds."""
    at: Reference
    """The message on which it stands."""
    id: str
    """What tells it from all other clicks."""
    moment: datetime


@dataclass(frozen=True)
class JudgedBy:
    """What a click is judged by."""

    ledger: Ledger
    policy: Callable[[], Policy]
    """Returns the policy as it is now; raises `BadPolicy`."""
    messages: Callable[[], Read[Messages]]
    workspace: str
    """The workspace in which our app is installed."""


@dataclass(frozen=True)
class Case:
    """A click of somebody who is known, on a message that is ours."""

    by: JudgedBy
    click: Click
    carried: Carried
    person: str
    messages: Messages
    now: datetime


def act_of(case: Case) -> presses.Act:
    """Return what does, inside a transaction, what a click asks for.

    Raises:
        ChangeError: it does not count.
    """
    if case.click.action in {"approve", "reject"}:
        return _answer(case)
    if case.carried.state == "waiting":
        return lambda session, row: _keep_or_not(case, session, row)
    if case.carried.state == "completed":
        return _roll_back(case)
    return _abort(case)


def _answer(case: Case) -> presses.Act:
    """Approve or reject, as the policy says now who may."""
    ledger, change, is_yes = case.by.ledger, case.carried.change, case.click.action == "approve"
    stored, assessment = changes.get(ledger, change), assessment_of(ledger, change, case.by.policy())
    if is_yes and not case.messages.may_approve(assessment.ticket.risk):
        raise ApprovalRefused(f"its risk is {assessment.ticket.risk}. Approve it under Required Actions in Airflow.")
    intent = replace(intent_of(stored, assessment), digest=case.carried.digest)
    answer = Answer(case.person, is_yes=is_yes, is_vetted=False)

    def act(session: Session, _row: Change) -> str:
        pending = approvals.decide_in(session, change, intent, answer, now=case.now)
        if not is_yes:
            return f"rejected by {case.person}. It will not run."
        if pending is None:
            return f"approved by {case.person}. Every approval is given."
        asked = ", ".join(pending.people) or f"anybody but {', '.join(pending.excluded)}"
        level = f"{pending.missing} at level '{pending.required.level}'"
        return f"approved by {case.person}. Still needed: {level}, from {asked}."

    return act


def _keep_or_not(case: Case, session: Session, row: Change) -> str:
    """Answer the question whether it is kept, if they are asked."""
    keeps = case.click.action == "keep"
    questions.answer_in(session, row, case.person, KEEP if keeps else UNDO, now=case.now)
    return f"{case.person} keeps it." if keeps else f"{case.person} rolls it back."


def _roll_back(case: Case) -> presses.Act:
    """Ask for a completed change to be rolled back, which a run of its own does."""
    _require_right(case, "rollback")

    def act(session: Session, row: Change) -> str:
        if row.status != "completed" or row.closed_at is None:
            raise ApprovalRefused(f"it is {spoken(row.status)} by now.")
        if row.closed_at + KEPT < case.now:
            raise ApprovalRefused("it was completed more than a day ago. Submit a ticket that undoes it.")
        presses.want_rollback_in(session, row, case.person, IN_SLACK, now=case.now)
        return f"{case.person} rolls it back; the rollback starts within seconds."

    return act


def _abort(case: Case) -> presses.Act:
    """End it, whatever it does."""
    _require_right(case, "abort")
    reason = f"{IN_SLACK} while it was {case.carried.state}"

    def act(session: Session, row: Change) -> str:
        if row.aborted:
            raise ApprovalRefused(f"it was {row.aborted}; it is being rolled back.")
        if case.carried.state == "watching" and row.status != "running":
            raise ApprovalRefused(f"it is {spoken(row.status)} by now.")
        ended = changes.abort_in(session, row.id, person=case.person, reason=reason, now=case.now)
        if ended == "cancelled":
            return f"aborted by {case.person}. It had touched nothing, and never runs."
        return f"aborted by {case.person}. It is being rolled back now."

    return act


def _require_right(case: Case, act: Literal["abort", "rollback"]) -> None:
    """Make sure that somebody may intervene, by their name and groups: Slack does not know Airflow's roles.

    Raises:
        ApprovalRefused: they may not.
    """
    rules: Policy | BadPolicy
    try:
        rules = case.by.policy()
    except BadPolicy as bad:
        rules = bad
    wanted = Intervention(act, case.person, is_operator=False)
    if finding := objection_by_name(case.by.ledger, rules, case.carried.change, wanted):
        raise ApprovalRefused(f"{finding.sentence}. {finding.remedy}")
