"""The smallest Airflow DAG there is: one task, which says when it began."""

import time
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import DAG, BaseOperator


class Begun(BaseOperator):
    """Says when it runs."""

    def execute(self, context: Any) -> float:
        """Return the moment."""
        return time.time()


with DAG(
    "one_task", start_date=datetime(2020, 1, 1, tzinfo=UTC), schedule=None, catchup=False, is_paused_upon_creation=False
) as dag:
    Begun(task_id="begun")
