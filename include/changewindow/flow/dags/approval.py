"""Asks people for their approvals, one after the other, as the policy says."""

from datetime import timedelta
from typing import Any

from airflow.providers.standard.exceptions import HITLTimeoutError
from airflow.sdk import Param
from airflow.sdk.bases.branch import BranchMixIn
from airflow.sdk.definitions.context import Context
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from changewindow.changes.approving import assessment_of, intent_of
from changewindow.changes.handover import Shown, Tried
from changewindow.changes.run_part import Part
from changewindow.documents.text import escaped
from changewindow.errors import ApprovalRefused, ChangeError
from changewindow.flow import approver_view
from changewindow.flow.noted import refused
from changewindow.flow.people import who_answered
from changewindow.flow.question import Question
from changewindow.flow.requested import handed, origin_of, shown_by_check
from changewindow.flow.runtime import ledger, log, now, policy
from changewindow.flow.xcoms import leave_note
from changewindow.ledger import approvals, changes
from changewindow.ledger.models import Change
from changewindow.policy.sign_off import PendingApproval
from changewindow.policy.standing import Intent

YES, NO = "Approve", "Reject"
REASON = Param(None, type=["null", "string"], maxLength=500, title="Reason", description="Why, if you reject it.")
UNPROVEN = ", **unverified**: no signature proves it, so that one person more has to approve"
AGAIN = {"retries": 20, "retry_delay": timedelta(seconds=1)}
"""A question whose answer does not count is asked again, as another try: of the same people, as Airflow wants it."""


class DoesNotCount(AirflowException):
    """An answer was given that does not count; the question is asked again."""


class Approve(Question, BranchMixIn):
    """Asks for one approval that a change still needs, and goes on to the next one or to `schedule`.

    The ledger says what is missing, so it may be cleared, retried or run late.
    """

    inherits_from_skipmixin = True

    def __init__(self, *, number: int, **options: Any) -> None:
        self.number = number
        super().__init__(options=[YES, NO], **{**AGAIN, **options})

    def execute(self, context: Context) -> Any:
        """Ask whoever is asked next; nobody when the change is approved."""
        shown = shown_by_check(context)
        change = shown.change
        try:
            stored, intent = _intent(shown)
            pending = approvals.asked(ledger(), change, intent, now=now())
        except ChangeError as error:
            raise refused(context, error) from error
        if pending is None or pending.given >= self.number:
            return self._go_on(context, pending)
        left = stored.closes - now()
        if left <= timedelta(0):
            why = f"{change}: its window has ended; run reslot_change to give it a new one."
            raise refused(context, ApprovalRefused(why))
        log.info("%s: %s", change, _who(pending))
        subject = f"{change}: approve? {shown.summary} ({_who(pending)})"
        try:
            body = approver_view.body(ledger(), shown, handed(context, Tried, "dry_run"))
        except ChangeError as error:
            raise refused(context, error) from error
        part = Part(run=origin_of(context), digest=shown.digest, while_in=("submitted",), given=pending.given)
        self.about = (change, part)
        unproven = "" if approvals.is_proven(ledger(), change) else UNPROVEN
        last = f"Requested by {escaped(stored.requester)}{unproven}. Digest `{intent.digest}`"
        return self.ask(context, subject, f"{body}\n\n{last}", people=pending.people, within=left)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Record the answer; ask again when it does not count."""
        shown = shown_by_check(context)
        change = shown.change
        if "verdict" in event:
            return self._asked_in_vain(context, shown, event)
        try:
            answer = super().execute_complete(context, event)
        except HITLTimeoutError as error:
            why = f"{change}: nobody approved it before its window ended."
            raise refused(context, ApprovalRefused(why)) from error
        person = who_answered(answer)
        is_yes = answer["chosen_options"] == [YES]
        reason = "" if is_yes else " ".join(str(answer["params_input"].get("reason") or "").split())
        try:
            pending = _decide(shown, person, is_yes=is_yes, reason=reason)
        except ApprovalRefused as error:
            stored = changes.get(ledger(), change)
            if stored.status in changes.WAITING and stored.digest == shown.digest:
                log.error("%s", error)
                raise DoesNotCount(f"{error} It is asked again.") from error
            raise refused(context, error) from error
        log.info("%s: %s by %s", change, answer["chosen_options"][0], person)
        done = f"approved by {person}" if is_yes else changes.get(ledger(), change).reason
        leave_note(context, f"{change}: {done}")
        if not is_yes:
            raise AirflowFailException(f"{change} was {done}.")
        return self._go_on(context, pending)

    def _asked_in_vain(self, context: Context, shown: Shown, event: dict[str, Any]) -> Any:
        """Go on if the text, or this level of it, was approved elsewhere; else end the request.

        Raises:
            DoesNotCount: this level still waits.
            AirflowFailException: what was asked about is over.
        """
        stored = changes.get(ledger(), shown.change)
        if stored.digest == shown.digest and stored.status == "approved":
            return self._go_on(context, None)
        if event["verdict"] == "over" and stored.digest == shown.digest and stored.status in changes.WAITING:
            return self._asked_again(context, shown)
        reason = event["reason"]
        leave_note(context, f"{shown.change}: {reason}")
        raise AirflowFailException(f"{shown.change}: {reason}. Nobody is asked any more.")

    def _asked_again(self, context: Context, shown: Shown) -> Any:
        """Go on to the next approval, once this one was given elsewhere."""
        try:
            _, intent = _intent(shown)
            pending = approvals.asked(ledger(), shown.change, intent, now=now())
        except ChangeError as error:
            raise refused(context, error) from error
        if pending is None or pending.given >= self.number:
            return self._go_on(context, pending)
        raise DoesNotCount(f"{shown.change}: {_who(pending)}. It is asked again.")

    def _go_on(self, context: Context, pending: PendingApproval | None) -> Any:
        """Branch to the next question, or to the end of all."""
        log.info("no further approval is needed" if pending is None else _who(pending))
        return self.do_branch(context, "schedule" if pending is None else f"approve_{self.number + 1}")


def _decide(shown: Shown, person: str, *, is_yes: bool, reason: str) -> PendingApproval | None:
    """Record a person's answer to what they were shown.

    Raises:
        ApprovalRefused: it does not count.
    """
    if not person:
        raise ApprovalRefused("The answer carries no name.")
    _, intent = _intent(shown)
    return approvals.decide(ledger(), shown.change, intent, person=person, is_yes=is_yes, now=now(), reason=reason)


def _intent(shown: Shown) -> tuple[Change, Intent]:
    """Return a change and who must approve its text, as the policy says now.

    Raises:
        ApprovalRefused: it has another text by now than the one that is shown here.
    """
    stored = changes.get(ledger(), shown.change)
    if stored.digest != shown.digest:
        raise ApprovalRefused(f"{stored.id} has a newer text than the one shown here; its own request asks for it.")
    return stored, intent_of(stored, assessment_of(ledger(), stored.id, policy()))


def _who(pending: PendingApproval) -> str:
    named = ", ".join(pending.people) or f"anybody but {', '.join(pending.excluded)}"
    return f"level {pending.required.level}: {pending.missing} of {pending.required.count} still asked, from {named}"
