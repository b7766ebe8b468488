"""The rule for answers to questions of ours: they are asked already, and by everybody is meant who sees the change."""

from changewindow.errors import LedgerUnknown
from changewindow.flow.server.asked import Asked, Refused
from changewindow.flow.server.facts import Facts

NOTHING_ASKED = "{}: nothing is asked there now. See Required Actions for what is."


def answer(asked: Asked, dag: str, facts: Facts) -> None:
    """Refuse an answer about a change that Airflow does not show them; who is named may answer, as Airflow sees to it.

    An answer that comes before its question could wait here for it, and would then be judged by nobody. Whoever does
    not see the DAG hears of that from Airflow.

    Raises:
        Refused: nothing is asked yet, or it is put to everybody, which means everybody who may see the change.
    """
    run, task = asked.parameters["dag_run_id"], asked.parameters["task_id"]
    change = facts.asked_of_everybody(dag, run, task, person=asked.person.name)
    if change is None and asked.person.may_see(dag):
        raise Refused(404, NOTHING_ASKED.format(dag))
    if change and not asked.person.may_see(change):
        raise Refused(403, str(LedgerUnknown(change)))
