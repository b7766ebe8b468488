"""What the tasks of a request hand over to each other, and what those who approve are shown: the text of the ledger."""

from airflow.sdk.definitions.context import Context
from airflow.sdk.exceptions import AirflowFailException

from changewindow.changes import handover
from changewindow.changes.handover import F, Shown
from changewindow.errors import ChangeError, SealKeyMissing
from changewindow.flow.runtime import ledger, log
from changewindow.flow.xcoms import take
from changewindow.ledger import changes, queries
from changewindow.ledger.models import Change
from changewindow.ticket import plan
from changewindow.ticket.reader import build_ticket


def origin_of(context: Context) -> str:
    """Return how the ledger names the run that has asked for a change."""
    return f"{context['ti'].dag_id}/{context['run_id']}"


def page_of(context: Context, change: str) -> str:
    """Return the address at which Airflow shows a change: its DAG, with the run that acts."""
    return f"{str(context['ti'].log_url).partition('/dags/')[0]}/dags/{change}"


def handed(context: Context, fact: type[F], task: str) -> F | None:
    """Return what a task has handed over, or None where it has not: what somebody else has left is not taken."""
    try:
        return take(context, fact, task)
    except (ValueError, SealKeyMissing) as error:
        log.warning("what was left for others by '%s' is refused: %s", task, error)
        return None


def shown_by_check(context: Context) -> Shown:
    """Return what people are asked about: the change and digest that `check` took in, and the ledger's text of them.

    Raises:
        AirflowFailException: what `check` left was edited, or the text in the ledger was.
    """
    shown = handed(context, Shown, "check") or _same_as_in_the_ledger(context)
    try:
        ticket = build_ticket(changes.text_of(ledger(), shown.change, shown.digest))
    except ChangeError as error:
        raise AirflowFailException(str(error)) from error
    return shown.model_copy(update={"summary": ticket.summary, "plan": plan.markdown(shown.change, ticket)})


def _same_as_in_the_ledger(context: Context) -> Shown:
    """Return what a version before 0.2 has left without a seal, where the ledger says the same of this request.

    Raises:
        AirflowFailException: it says something else.
    """
    try:
        hint = handover.read(Shown, context["ti"].xcom_pull(task_ids="check"))
    except ValueError as error:
        raise AirflowFailException(f"The XCom of `check` cannot be read ({error}). Ask again in a new run.") from error
    stored = _asked_for(context)
    if stored is None or (stored.id, stored.digest) != (hint.change, hint.digest):
        raise AirflowFailException(
            f"The XCom of `check` is refused: it has no seal, and the ledger does not say that this request is for "
            f"{hint.change} with the text {hint.digest[:12]}…. Somebody has edited it; ask again in a new run."
        )
    return hint.model_copy(update={"warnings": "what `check` has warned of stands in its log"})


def _asked_for(context: Context) -> Change | None:
    """Return the change that this request is for, as its form and the ledger say."""
    named = context["params"].get("change")
    here = ledger()
    try:
        return changes.get(here, named) if named else queries.of_origin(here, origin_of(context))
    except ChangeError as error:
        raise AirflowFailException(str(error)) from error
