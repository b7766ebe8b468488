"""The Airflow DAG by which a person releases a target that a failed rollback has kept."""

from airflow.sdk import Param

from changewindow.flow.dags.interventions import REASON, build_intervention, release

TARGET = Param(type="string", pattern="^[^/ ]+/[^/ ]+$", title="Target", description="Like production/orders.")
dag = build_intervention(
    "release_target",
    "Release a target whose change could not be taken back, once a person has put it in order.",
    {"target": TARGET, "reason": REASON},
    release,
)
