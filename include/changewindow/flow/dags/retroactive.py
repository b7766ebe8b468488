"""The DAG that asks somebody who was not involved to approve afterwards what ran: one question for each change."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from airflow.sdk import DAG, BaseOperator, Param
from airflow.sdk.definitions.context import Context
from airflow.sdk.exceptions import AirflowSkipException
from airflow.triggers.base import BaseTrigger

from changewindow.changes import aftercare_messages
from changewindow.errors import ChangeError, OperatorError
from changewindow.flow import aftercare_view
from changewindow.flow.dags.approval import AGAIN, DoesNotCount
from changewindow.flow.dags.interventions import CHANGE
from changewindow.flow.noted import refusal_noted, refused
from changewindow.flow.owed import room_of, rules
from changewindow.flow.own_dag import ASKS, RETROACTIVE, own_dag
from changewindow.flow.people import who_answered
from changewindow.flow.posting import post
from changewindow.flow.question import Question
from changewindow.flow.requested import origin_of, page_of
from changewindow.flow.run_request import MOST, RunRequest, run_request
from changewindow.flow.runtime import ledger, log, now
from changewindow.flow.triggerer.arguments import OwedArguments
from changewindow.flow.triggerer.owed_trigger import OwedTrigger
from changewindow.flow.weights import LAST, STARTS, weighing
from changewindow.flow.xcoms import leave_note
from changewindow.ledger import aftercare, queries
from changewindow.ledger.aftercare import Word
from changewindow.ledger.payloads import RetroDecided
from changewindow.policy.aftercare import Aftercare, nothing_owed, who_may, why_not_asked

YES, NO = "Approve", "Do not approve"
REASON = Param(None, type=["null", "string"], maxLength=500, title="Reason", description="Why, for the record.")
LONGEST = timedelta(days=60)
"""How long a question stays open; then housekeeping asks anew."""
ONE_MORE = "it is not proven who requested it, so that one person more has to agree"
OPEN = ["queued", "running"]
AT_ONCE = 100
"""About how many runs Airflow is asked at once."""


def requests(context: Context, owed: Aftercare | None) -> list[dict[str, Any]]:
    """Return what triggers the run that asks about a change; nothing where nobody is to be asked, or is already.

    Whether it was asked before makes no difference: the id of the run is the same, so that there is one at a time.
    """
    if owed is None or not owed.is_asked:
        return []
    run = f"{ASKS}{owed.change}"
    if context["ti"].get_dr_count(dag_id=RETROACTIVE, run_ids=[run], states=OPEN):
        return []
    return [run_request(context, RETROACTIVE, run, {"change": owed.change})]


def requests_of(context: Context, every: Iterable[Aftercare]) -> list[dict[str, Any]]:
    """Return the same of many changes, in few looks at Airflow's runs; of very many the first, and then the next."""
    asked = [owed for owed in every if owed.is_asked]
    wanted: list[dict[str, Any]] = []
    for place in range(0, len(asked), AT_ONCE):
        some = asked[place : place + AT_ONCE]
        runs = [f"{ASKS}{owed.change}" for owed in some]
        if context["ti"].get_dr_count(dag_id=RETROACTIVE, run_ids=runs, states=OPEN) < len(runs):
            wanted += [request for owed in some for request in requests(context, owed)]
        if len(wanted) >= MOST:
            log.warning("%s questions are opened now; the others in the next sweep", MOST)
            break
    return wanted[:MOST]


def ask_after(task: BaseOperator) -> None:
    """Have the retroactive approval of the change that a run has made asked for, after one of its tasks."""
    late: dict[str, Any] = {"pool": STARTS, **weighing(LAST)}
    wanted = Owing(task_id="owing", **late)
    task >> wanted
    RunRequest.partial(task_id="ask_for_approval", reset_dag_run=True, **late).expand_kwargs(wanted.output)


class Owing(BaseOperator):
    """Says whether the change that this run has made owes a retroactive approval."""

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Return what triggers the run that asks for it; what cannot be said now, housekeeping says later."""
        try:
            stored = queries.of_origin(ledger(), origin_of(context))
            return requests(context, aftercare.of_change(ledger(), stored.id) if stored else None)
        except ChangeError as error:
            log.warning("housekeeping asks for the retroactive approval: %s", error)
            return []


class Open(BaseOperator):
    """Opens the question about a change that a person names; of the run that asks itself, it returns nothing."""

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Return what triggers the run that asks.

        Raises:
            AirflowFailException: the change owes no retroactive approval.
        """
        if asked_about(context):
            return []
        change = str(context["params"]["change"])
        with refusal_noted(context):
            owed = aftercare.of_change(ledger(), change)
            if finding := why_not_asked(owed, change):
                raise OperatorError(f"{finding.sentence}. {finding.remedy}")
        leave_note(context, f"{change} is asked about in the run {ASKS}{change}: see Required Actions.")
        return requests(context, owed)


class Ask(Question):
    """Asks until it is settled: an answer that does not count is recorded, and the question is asked again."""

    def __init__(self, **options: Any) -> None:
        super().__init__(options=[YES, NO], **{**AGAIN, **options})
        self.owes = ""

    def execute(self, context: Context) -> Any:
        """Ask whoever may approve it; nobody when nothing is owed."""
        change = asked_about(context)
        if not change:
            raise AirflowSkipException("The question is asked in a run of its own.")
        try:
            owed = aftercare.of_change(ledger(), change)
            if owed is None or not owed.is_asked:
                return self._over(context, change)
            people = self._people(owed)
            body = aftercare_view.body(ledger(), owed, people, page=page_of(context, change))
        except ChangeError as error:
            raise refused(context, error) from error
        self.owes = change
        subject = f"{change}: approve afterwards? {owed.summary}"
        return self.ask(context, subject, body, people=people, within=LONGEST)

    def pointless(self, asks: UUID, deadline: datetime) -> BaseTrigger:
        """Return what fires once nobody is asked for it any more."""
        return OwedTrigger.of(OwedArguments(asks=asks, owes=self.owes, deadline=deadline))

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Record the answer; ask again when it settles nothing.

        Raises:
            DoesNotCount: it is asked again.
        """
        change = asked_about(context)
        if "verdict" in event:
            return self._over(context, change)
        answer = super().execute_complete(context, event)
        person, given = who_answered(answer), answer["params_input"] or {}
        if not person:
            raise DoesNotCount("The answer carries no name. It is asked again.")
        is_yes, reason = answer["chosen_options"] == [YES], " ".join(str(given.get("reason") or "").split())
        try:
            decided = self._decide(change, person, is_yes=is_yes, reason=reason)
            is_settled = not _known(change).is_asked
        except ChangeError as error:
            raise refused(context, error) from error
        if not is_settled:
            raise DoesNotCount(f"{change}: {decided.why_not or ONE_MORE}. It is asked again.")
        return self._over(context, change)

    def _decide(self, change: str, person: str, *, is_yes: bool, reason: str) -> RetroDecided:
        """Record a person's word about what they were shown, and tell the room; return what is recorded."""
        here, at = ledger(), now()
        owed = _known(change)
        word = Word(person, owed.digest, is_yes, reason)
        decided = aftercare.decide(here, change, word, people=self._people(owed), now=at)
        log.info("%s: %s by %s%s", change, YES if is_yes else NO, person, decided.why_not and f": {decided.why_not}")
        text = aftercare_messages.decided(owed, decided, person=person)
        post(text, at, room_of(here, owed), change=change)
        return decided

    def _people(self, owed: Aftercare) -> tuple[str, ...]:
        known = rules()
        return who_may(owed, known.emergencies, known.groups)

    def _over(self, context: Context, change: str) -> None:
        owed = aftercare.of_change(ledger(), change)
        decision = owed.decision if owed else None
        word = "approved afterwards" if decision and decision.is_yes else "not approved afterwards"
        late = ", late" if decision and decision.is_late else ""
        by = f"{word} by {decision.person}{late}" if decision else "nobody is asked for a retroactive approval any more"
        log.info("%s: %s", change, by)
        leave_note(context, f"{change}: {by}")


def asked_about(context: Context) -> str:
    """Return the change that a run asks about, as its id says, which nobody can edit; empty for one of a person."""
    run = str(context["run_id"])
    return run.removeprefix(ASKS) if run.startswith(ASKS) else ""


def _known(change: str) -> Aftercare:
    """Return what a change owes.

    Raises:
        OperatorError: it never owed anything.
    """
    owed = aftercare.of_change(ledger(), change)
    if owed is None:
        finding = nothing_owed(change)
        raise OperatorError(f"{finding.sentence}. {finding.remedy}")
    return owed


def build_retroactive_dag() -> DAG:
    """Return the DAG `retroactive_approval`."""
    description = (
        "Approve afterwards what ran as an emergency or was done by hand; never by who asked, did or commanded."
    )
    with own_dag(RETROACTIVE, description, params={"change": CHANGE}, at_once=256, document=DOCUMENT) as dag:
        opened = Open(task_id="open")
        RunRequest.partial(task_id="ask_there", reset_dag_run=True).expand_kwargs(opened.output)
        opened >> Ask(task_id="ask", params={"reason": REASON})
    return dag


DOCUMENT = f"""\
What ran as an **emergency**, or was done **by hand**, is approved afterwards by somebody who neither asked for it, nor
did it, nor commanded it: by those whose approval was skipped, or whom emergencies.yaml names, or else by anybody else.

The question opens by itself, in a run `{ASKS}CHG-…`, and stands under *Required Actions* until somebody settles it, or
somebody who was not involved has reviewed it. Answers that do not count are recorded with the reason; one after the
deadline is recorded as late.
Triggered by hand for a change, this DAG opens its question again, if it is owed.
"""
