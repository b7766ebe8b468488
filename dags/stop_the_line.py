"""The Airflow DAG by which a person stops all changes, or lets them start again."""

from airflow.sdk import Param

from changewindow.flow.dags.interventions import REASON, build_intervention, stop_the_line

dag = build_intervention(
    "stop_the_line",
    "Stop the line: no change starts and no step is applied until the hours are over or somebody lifts it. "
    "What was applied can still be taken back, and emergency changes go on.",
    {
        "action": Param("stop", type="string", enum=["stop", "lift"], title="Action"),
        "reason": REASON,
        "hours": Param(
            4, type="number", exclusiveMinimum=0, maximum=720, title="Hours", description="Then it ends by itself."
        ),
    },
    stop_the_line,
)
