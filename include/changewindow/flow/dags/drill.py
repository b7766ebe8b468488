"""The DAG that drills an emergency each month: from the declaration to the approval, on what emergencies.yaml names."""

from datetime import datetime, timedelta

from airflow.sdk import DAG, BaseSensorOperator
from airflow.sdk.definitions.context import Context
from airflow.sdk.exceptions import AirflowFailException, AirflowRescheduleException, AirflowSkipException

from changewindow.changes.emergency_drill import DRILLER, NOT_CONFIGURED, emergency_of_drill, settle, text
from changewindow.changes.emergency_form import Emergency
from changewindow.errors import BadPolicy
from changewindow.flow.dags.emergency import Act, Follow, Tell
from changewindow.flow.own_dag import DRILL, own_dag
from changewindow.flow.posting import post
from changewindow.flow.requested import origin_of
from changewindow.flow.runtime import ledger, log, now
from changewindow.flow.weights import FIRST
from changewindow.flow.xcoms import leave_note
from changewindow.ledger import queries
from changewindow.policy.model import Policy

EVERY = timedelta(days=30)
SOON = timedelta(seconds=5)
PATIENCE = timedelta(hours=2)
"""How long the change of a drill may take."""
DOCUMENT = """\
Walks the whole way of an emergency on the harmless target that `drill` in emergencies.yaml names: it is declared, acts,
is watched and closed, its approval is tried by whoever did it and given by somebody else, and each part is measured.
Messages begin with DRILL; nobody is asked or chased. `changewindow report emergencies` shows the last good drill.
"""


class Settle(BaseSensorOperator):
    """Waits for the end of a drill's change, says how it went, and is red if it went badly."""

    def execute(self, context: Context) -> None:
        """Look, and come back in some seconds while it acts."""
        here = ledger()
        stored = queries.of_origin(here, origin_of(context))
        if stored is None:
            raise AirflowFailException("Nothing was declared; the log of `act` says why.")
        if stored.closed_at is None:
            if now() > stored.submitted_at + PATIENCE:
                raise AirflowFailException(f"{stored.id} does not come to its end. Look at its run.")
            raise AirflowRescheduleException(now() + SOON)
        drilled = settle(here, stored.id, context["dag_run"].start_date or stored.submitted_at, now())
        post(text(stored.id, drilled), now(), change=stored.id)
        leave_note(context, text(stored.id, drilled))
        if not drilled.good:
            raise AirflowFailException(f"The drill {stored.id} went badly: {drilled.reason}")


def by_policy(context: Context, rules: Policy | BadPolicy, at: datetime) -> tuple[Emergency, str]:
    """Return what a drill declares, and who; whatever was given to its run is of no meaning.

    Raises:
        AirflowSkipException: none is configured.
    """
    emergency = emergency_of_drill(rules, now=at)
    if emergency is None:
        log.warning("%s", NOT_CONFIGURED)
        leave_note(context, NOT_CONFIGURED)
        raise AirflowSkipException(NOT_CONFIGURED)
    return emergency, DRILLER


def build_drill_dag() -> DAG:
    """Return the DAG `emergency_drill`."""
    description = "Drills an emergency on a harmless target, measures each part, and says whether it went well."
    with own_dag(DRILL, description, every=EVERY, at_once=1, document=DOCUMENT, weight=FIRST) as dag:
        act = Act(task_id="act", mode="reschedule", declares=by_policy)
        follow = Follow(task_id="follow", mode="reschedule")
        act >> [follow, Tell(task_id="tell")]
        follow >> Settle(task_id="settle", mode="reschedule")
    return dag
