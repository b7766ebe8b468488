"""Airflow DAGs of watches alone, each of a change of its own, that begin in the triggerer; for `bench_watches.py`."""

import os
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import DAG, BaseOperator
from airflow.triggers.base import StartTriggerArgs


class Watching(BaseOperator):
    """Watches one change, and is nothing besides."""

    start_from_trigger = True

    def __init__(self, *, change: int, **options: Any) -> None:
        super().__init__(**options)
        condition = {
            "name": "error rate",
            "source": {
                "kind": "prometheus",
                "connection": "prometheus",
                "query": f"sum(error_rate{{change='{change}'}})",
            },
            "fail": {"above": 0.5},
            "tolerate": {"unreachable": 1000},
        }
        arguments = {"change": f"CHG-{change}", "run": "bench", "conditions": [condition]}
        times = {"since": os.environ["BENCH_SINCE"], "length": 3600.0, "every": 10.0, "at_first": 0.0, "later": None}
        self.start_trigger_args = StartTriggerArgs(
            trigger_cls="changewindow.flow.triggers.WatchTrigger",
            trigger_kwargs={**arguments, **times, "unknown": "fail", "asked_until": None, "before": {}},
            next_method="execute",
        )

    def execute(self, context: Any, event: Any = None) -> None:
        """End."""


for group in range(int(os.environ["BENCH_WATCHES"]) // 20):
    with DAG(
        f"watches_{group}",
        start_date=datetime(2020, 1, 1, tzinfo=UTC),
        schedule=None,
        catchup=False,
        max_active_tasks=20,
        is_paused_upon_creation=False,
    ) as dag:
        for number in range(20):
            Watching(task_id=f"watch_{number}", change=20 * group + number + 1)
    globals()[dag.dag_id] = dag
