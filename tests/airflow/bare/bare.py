"""A bare Airflow DAG to measure against: as many tasks as a small change has, and nothing in them."""

from datetime import UTC, datetime
from typing import Any

from airflow.sdk import DAG, BaseOperator
from airflow.sdk.bases.branch import BranchMixIn
from bare_trigger import BareTrigger


class Nothing(BaseOperator):
    """Does nothing."""

    def execute(self, context: Any) -> None:
        """Do nothing."""


class BareWatch(BaseOperator, BranchMixIn):
    """The smallest deferrable branch."""

    inherits_from_skipmixin = True

    def execute(self, context: Any) -> None:
        """Wait without a worker."""
        conf = context["params"]
        self.defer(trigger=BareTrigger(conf["url"], conf["seconds"], conf["every"]), method_name="judged")

    def judged(self, context: Any, event: Any) -> Any:
        """Branch by what was seen."""
        return self.do_branch(context, "succeed" if event["good"] else "undo_1")


with DAG(
    "bare",
    start_date=datetime(2020, 1, 1, tzinfo=UTC),
    schedule=None,
    catchup=False,
    params={"url": "", "seconds": 3.0, "every": 1.0},
    is_paused_upon_creation=False,
) as dag:
    window, gate, announce, apply, succeed, undo, verify, close, report = (
        Nothing(task_id=name)
        for name in ("window", "gate", "announce", "apply_1", "succeed", "undo_1", "verify", "close", "report")
    )
    watch = BareWatch(task_id="watch", trigger_rule="all_done")
    window >> gate >> [announce, apply]
    apply >> watch >> [succeed, undo]
    undo >> verify
    [succeed, verify] >> close.as_teardown() >> report.as_teardown()
