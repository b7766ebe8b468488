"""Triggers runs that one of our tasks has asked for."""

from collections.abc import Sequence
from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk.definitions.context import Context
from airflow.sdk.exceptions import AirflowFailException

from changewindow.ledger.seal import Seal

PURPOSE = "run request"
MOST = 200
"""How many runs a task asks for at once: of more than `max_map_length`, 1024, Airflow triggers none at all."""


def run_request(context: Context, dag: str, run: str, conf: dict[str, Any]) -> dict[str, Any]:
    """Return what asks for a run of a DAG, under seal: any user may edit it on its way.

    Raises:
        SealKeyMissing: there is no key.
    """
    seal = Seal().of(PURPOSE, [str(context["run_id"]), dag, run, conf])
    return {"trigger_dag_id": dag, "trigger_run_id": run, "conf": conf, "seal": seal}


class RunRequest(TriggerDagRunOperator):
    """Triggers a run that a task before it has asked for; Airflow's own operator would render it as templates."""

    template_fields: Sequence[str] = ()

    def __init__(self, *, seal: str = "", **options: Any) -> None:
        super().__init__(**options)
        self.seal = seal

    def execute(self, context: Context) -> Any:
        """Trigger it, if it is what was asked for."""
        wanted = [str(context["run_id"]), self.trigger_dag_id, self.trigger_run_id, self.conf]
        if not Seal().holds(self.seal, PURPOSE, wanted):
            raise AirflowFailException(
                f"The request for a run of {self.trigger_dag_id} is refused: no task of this run has made it, somebody "
                "has edited its XCom. The next run asks again."
            )
        return super().execute(context)
