"""What the DAGs of Change Windows itself have in common, as opposed to those of changes."""

from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from airflow.sdk import DAG

from changewindow.flow.weights import FIRST, REST, STARTS, weighing

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
"""A run whose date lies before its DAG's start would do nothing and turn green."""

RELEASE = "release_target"
"""The DAG by which a person frees a target, whichever change holds it."""
INTERVENTIONS = frozenset(
    {
        *("abort_change", "accept_finding", "cancel_change", "extend_window"),
        *(RELEASE, "reslot_change", "stop_the_line"),
    }
)
"""The DAGs by which a person intervenes: each run does once what somebody asks for."""
RECORD = "record_change"
"""The DAG by which people tell what was done by hand; its run may be tried again, and tells it once."""
EMERGENCY, DRILL = "emergency_change", "emergency_drill"
"""The DAGs by which an emergency, or a drill of one, is declared; a run that is tried again declares it once."""
REVIEW, FOLLOW_UP = "review_change", "follow_up"
"""The DAGs by which people write what comes after a change; a run that is tried again writes it once."""
RETROACTIVE = "retroactive_approval"
"""The DAG by which people approve afterwards what ran: one run of it asks about each change."""
WANTED = "wanted_rollbacks"
"""The DAG that begins the rollbacks which people want outside of Airflow; one run of it is always open."""
MESSAGES = "messages"
"""The DAG that sends what is in the outbox; one run of it is always open."""
ASKS = "asks_about_"
"""How the ids of these runs begin; the change follows."""
OWN_DAGS = INTERVENTIONS | {
    *(DRILL, REVIEW, FOLLOW_UP, RETROACTIVE, WANTED, MESSAGES),
    *("housekeeping", EMERGENCY, RECORD, "request_change", "silent_changes", "sync_tickets", "what_changed"),
}
"""The DAGs that come with Change Windows."""
IN_ONES_NAME = INTERVENTIONS | {EMERGENCY, RECORD, REVIEW, FOLLOW_UP}
"""The DAGs whose runs do something in the name of who triggered them."""
AGAIN: dict[str, Any] = {"retries": 3, "retry_delay": timedelta(seconds=5)}
"""For tasks whose process dies, or that Airflow cannot start while its API server is away; a no of ours is final."""

ZONE = "In the time zone that Airflow shows you; over REST with its offset, or else in UTC."
"""What is said of every field for a moment: a browser turns it into UTC by itself."""


def own_dag(
    dag_id: str,
    description: str,
    *,
    params: dict[str, Any] | None = None,
    every: timedelta | Literal["@continuous"] | None = None,
    at_once: int = 16,
    document: str | None = None,
    weight: int = REST,
) -> DAG:
    """Return a DAG to add tasks to; `at_once` of its runs may be open, and each task has the `weight`.

    Only what goes first, because it leads to a rollback, uses the slots that are kept for that.
    """
    return DAG(
        dag_id=dag_id,
        dag_display_name=dag_id.replace("_", " ").capitalize(),
        description=description,
        schedule=every,
        start_date=LONG_AGO,
        catchup=False,
        max_active_runs=at_once,
        tags=["change-windows"],
        params=params or {},
        default_args={**AGAIN, **weighing(weight), **({} if weight == FIRST else {"pool": STARTS})},
        is_paused_upon_creation=False,
        doc_md=document or description,
    )
