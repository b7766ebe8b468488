"""The DAG that rolls back, within seconds, the completed changes which people want back outside of Airflow."""

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG
from airflow.sdk.definitions.context import Context
from airflow.sdk.exceptions import AirflowFailException

from changewindow.errors import ChangeError
from changewindow.flow import wanted
from changewindow.flow.own_dag import WANTED, own_dag
from changewindow.flow.run_request import RunRequest
from changewindow.flow.runtime import ledger, now
from changewindow.flow.triggerer.arguments import WantedArguments
from changewindow.flow.triggerer.wanted_trigger import WantedTrigger
from changewindow.flow.waiting import Waiting
from changewindow.flow.weights import FIRST

DESCRIPTION = (
    "Begins the rollback of completed changes that people ask for by a click in Slack. One run is always open."
)
HOUR = timedelta(hours=1)


class WaitForWanted(Waiting):
    """Waits without a worker, for an hour at most, until a rollback is wanted; returns the runs that do it."""

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Return what triggers them; those that have a run already are not asked for again."""
        asked = self._requests(context)
        if not asked:
            named = self._requests(context, has_run=True)
            known = tuple((each["trigger_dag_id"], each["trigger_run_id"]) for each in named)
            self.wait_for(WantedTrigger.of(WantedArguments(until=now() + HOUR, known=known)), "woken")
        return asked

    def woken(self, context: Context, _event: dict[str, Any]) -> list[dict[str, Any]]:
        """Do the same, once there is something, or the hour is over."""
        return self._requests(context)

    def _requests(self, context: Context, *, has_run: bool = False) -> list[dict[str, Any]]:
        def runs(request: dict[str, Any]) -> int:
            named = {"dag_id": request["trigger_dag_id"], "run_ids": [request["trigger_run_id"]]}
            return int(context["ti"].get_dr_count(**named))

        try:
            return [each for each in wanted.requests(context, ledger()) if bool(runs(each)) is has_run]
        except ChangeError as error:
            raise AirflowFailException(str(error)) from error


def build_wanted_rollbacks_dag() -> DAG:
    """Return the DAG `wanted_rollbacks`."""
    with own_dag(WANTED, DESCRIPTION, every="@continuous", at_once=1, weight=FIRST) as dag:
        waited = WaitForWanted(task_id="wait")
        RunRequest.partial(task_id="take_back", skip_when_already_exists=True).expand_kwargs(waited.output)
    return dag
