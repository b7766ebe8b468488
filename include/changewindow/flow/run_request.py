"""Triggers runs of our own DAGs; what they are triggered with is data."""

from collections.abc import Sequence

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator


class RunRequest(TriggerDagRunOperator):
    """Triggers a run; Airflow's own operator would render its parameters as templates."""

    template_fields: Sequence[str] = ()
