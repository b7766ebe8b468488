"""The DAG by which somebody declares an emergency: its first step runs at once, and its change goes on from there."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from airflow.sdk import DAG, BaseOperator, BaseSensorOperator
from airflow.sdk.definitions.context import Context
from airflow.sdk.exceptions import AirflowFailException, AirflowRescheduleException, AirflowTaskTimeout
from airflow.sdk.execution_time.timeout import timeout

from changewindow.changes import emergency_messages
from changewindow.changes.emergency import declare
from changewindow.changes.emergency_form import Emergency, emergency_of
from changewindow.changes.owed import of_change
from changewindow.changes.step_lock import GRACE
from changewindow.documents.text import spoken
from changewindow.documents.types import duration_text
from changewindow.errors import BadPolicy, BadRequest, ChangeError, LedgerDown
from changewindow.flow import habits, incidents, notice, owed
from changewindow.flow.dags.emergency_form import DOCUMENT, form
from changewindow.flow.dags.interventions import tell_ended
from changewindow.flow.dags.retroactive import ask_after
from changewindow.flow.dags.urgent_gate import LONGEST_WAIT, SOON, pass_the_gate
from changewindow.flow.noted import refused
from changewindow.flow.own_dag import EMERGENCY, own_dag
from changewindow.flow.people import NOBODY
from changewindow.flow.posting import post
from changewindow.flow.publishing import publish_change
from changewindow.flow.requested import origin_of, page_of
from changewindow.flow.runtime import Run, ledger, log, now, person_of, policy
from changewindow.flow.tasks.steps import apply_step
from changewindow.flow.timetable import scheduled_run
from changewindow.flow.weights import FIRST
from changewindow.flow.xcoms import leave_note
from changewindow.ledger import changes, events, queries
from changewindow.ledger.payloads import ApplyFailed, Declared, Remembered, Started
from changewindow.ledger.step_locks import LIFETIME
from changewindow.policy.assessment import Assessment
from changewindow.policy.model import Policy
from changewindow.systems.context import Context as StepContext
from changewindow.ticket.model import Ticket
from changewindow.ticket.reader import build_ticket
from changewindow.ticket.revision import PublishedChange

PATIENCE = timedelta(minutes=10)
"""How long Airflow may take to begin the run of the change."""


class Act(BaseSensorOperator):
    """Declares an emergency, passes the gate, applies the first step, and publishes the change, which goes on.

    All of it is in the ledger: when it is tried again, it goes on where it was.
    """

    acting: StepContext | None = None

    def __init__(self, *, declares: "Declares | None" = None, **options: Any) -> None:
        super().__init__(**options)
        self.declares = declares or by_form

    def execute(self, context: Context) -> None:
        """Act for the person who triggered the run; while another change holds a target, come back in a second."""
        try:
            self._act(context)
        except LedgerDown:
            raise  # it is tried again
        except (ChangeError, ValueError) as error:
            raise refused(context, error) from error

    def _act(self, context: Context) -> None:
        rules = _rules()
        held = context["params"].get("held") or (rules.emergencies.held if isinstance(rules, Policy) else "wait")
        run = run_of(context, _declared(context, rules, self.declares))
        if isinstance(rules, Policy):
            run.assessment = Assessment(rules, run.ticket, run.change.data, run.change.id)
        is_new = not run.holder().is_run(run.id)
        if is_new:
            pass_the_gate(run, held, person_of(context))
        try:
            if is_new or not run.past(Remembered):
                self._apply(run)
        finally:  # whatever became of the step: from here on the run of the change watches, or rolls back
            publish_change(run.change.id)
        leave_note(context, _acts(context, run.change.id, run.ticket))

    def _apply(self, run: Run) -> None:
        """Apply the first step, for as long as its task in the change might take."""
        longest = run.ticket.steps[0].timeout + LIFETIME + timedelta(seconds=GRACE)
        try:
            with timeout(longest.total_seconds()):
                apply_step(run, 1, self)
        except AirflowTaskTimeout as late:
            sentence = f"{run.change.id}: its first step has not ended within {duration_text(longest)}."
            raise AirflowFailException(f"{sentence} Its own run rolls it back.") from late

    def on_kill(self) -> None:
        """Stop acting: Airflow wants this task to end."""
        if self.acting is not None:
            self.acting.stop()


class Follow(BaseSensorOperator):
    """Waits until the run of the change has begun: until then, this one is the run that acts."""

    def execute(self, context: Context) -> None:
        """Look, and come back in a second while there is none."""
        stored = queries.of_origin(ledger(), origin_of(context))
        if stored is None:
            raise AirflowFailException("Nothing was declared; the log of `act` says why.")
        if stored.run is None:
            raise AirflowFailException(f"{stored.id} is {spoken(stored.status)}: no run of it acts. {stored.reason}")
        if context["ti"].get_dr_count(dag_id=stored.id, run_ids=[stored.run]):
            log.info("the run %s of %s goes on", stored.run, stored.id)
        elif now() < stored.submitted_at + LONGEST_WAIT + PATIENCE:
            raise AirflowRescheduleException(now() + SOON)
        else:
            raise AirflowFailException(f"{stored.id}: Airflow has not begun its run. Housekeeping rolls it back.")


class Tell(BaseOperator):
    """Tells the room, and everybody whose approval was skipped, what was declared; nothing waits for it."""

    def execute(self, context: Context) -> None:
        """Post it, if there is anything to tell."""
        here = ledger()
        stored = queries.of_origin(here, origin_of(context))
        declarations = events.past(here, stored.id, Declared) if stored else []
        if stored is None or not declarations:
            return
        if not events.past(here, stored.id, Started):
            tell_ended(here, stored.id)
            return
        ticket, event = build_ticket(changes.revision(here, stored.id)), declarations[0]
        incidents.find(here, stored.id, ticket, opens=context["params"].get("declare_incident") is True)
        notice.tell(here, stored.id, link=page_of(context, stored.id))
        failed = events.past(here, stored.id, ApplyFailed)
        if not failed:
            text = emergency_messages.acting(stored.id, ticket, event)
            post(text, now(), ticket.post_change.notify, change=stored.id)
        owes = (f"owes: {part}" for part in of_change(here, stored.id, now()))
        found = habits.tell_of(here, stored.id, owed.rules())
        first = _failed(context, stored.id, failed[0]) if failed else _acts(context, stored.id, ticket)
        leave_note(context, "\n".join([first, *owes, *found]))


def run_of(context: Context, change: PublishedChange) -> Run:
    """Return the run of the change, as far as it is carried out here: the form's parameters are none of its own."""
    inside: Any = {**context, "run_id": scheduled_run(change.ticket.window.opens), "params": {}}
    return Run(change, inside)


def _acts(context: Context, change: str, ticket: Ticket) -> str:
    """Return what the note of the run that has declared a change says first: Airflow folds away all but one line."""
    return f"{change} acts, see {page_of(context, change)}: {ticket.summary}"


def _failed(context: Context, change: str, failed: ApplyFailed) -> str:
    reason = " ".join(failed.reason.split())
    return f"{change}: its first step failed, and it is rolled back, see {page_of(context, change)}: {reason}"


def _rules() -> Policy | BadPolicy:
    try:
        return policy()
    except BadPolicy as bad:
        log.warning("%s", bad)
        return bad


Declares = Callable[[Context, Policy | BadPolicy, datetime], tuple[Emergency, str]]
"""Returns what a run declares, and who declares it."""


def by_form(context: Context, rules: Policy | BadPolicy, at: datetime) -> tuple[Emergency, str]:
    """Return what the form of a run declares, under the name with which Airflow knows who triggered it.

    Raises:
        BadRequest: it cannot be declared so; names every mistake.
    """
    person = person_of(context)
    if person == NOBODY:
        raise BadRequest(f"Nobody is known to have triggered this run. Trigger {EMERGENCY} under your own name.")
    return emergency_of(dict(context["params"]), rules, person=person, now=at), person


def _declared(context: Context, rules: Policy | BadPolicy, declares: Declares) -> PublishedChange:
    """Return the change that this run has declared, now or at an earlier try.

    Raises:
        BadRequest: it cannot be declared so; names every mistake.
    """
    here, origin = ledger(), origin_of(context)
    stored = queries.of_origin(here, origin)
    if stored is None:
        at = now()
        emergency, person = declares(context, rules, at)
        submitted = declare(here, emergency, rules, person=person, now=at, origin=origin)
        log.info("%s is declared an emergency", submitted.change)
        return PublishedChange.of(submitted.change, emergency.made.data)
    return PublishedChange.of(stored.id, changes.text_of(here, stored.id, stored.digest))


def build_emergency_dag() -> DAG:
    """Return the DAG `emergency_change` with its form."""
    description = "Declare an emergency: what is to be done begins at once, and its approval is given afterwards."
    with own_dag(EMERGENCY, description, params=form(), document=DOCUMENT, weight=FIRST) as dag:
        act = Act(task_id="act", mode="reschedule", doc="declare it, pass the gate, apply the first step")
        follow = Follow(task_id="follow", mode="reschedule", trigger_rule="all_done")
        act >> [follow, Tell(task_id="tell", trigger_rule="all_done")]
        ask_after(follow)
    return dag
