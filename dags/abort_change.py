"""The Airflow DAG by which a person aborts a change."""

from changewindow.flow.dags.interventions import CHANGE, REASON, abort, build_intervention

dag = build_intervention(
    "abort_change",
    "End a change whatever it does: forward steps stop at once, what was applied is undone.",
    {"change": CHANGE, "reason": REASON},
    abort,
)
