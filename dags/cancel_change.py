"""The Airflow DAG by which a person cancels a change."""

from changewindow.flow.dags.interventions import CHANGE, REASON, build_intervention, cancel

dag = build_intervention(
    "cancel_change",
    "Cancel a change that has not acted; it never runs.",
    {"change": CHANGE, "reason": REASON},
    cancel,
)
