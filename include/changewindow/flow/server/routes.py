"""What may be done to our DAGs by the writing routes of Airflow's API: one table; what is not in it is refused."""

from collections.abc import Mapping
from dataclasses import dataclass

from changewindow.flow.server.answers import answer
from changewindow.flow.server.rules import (
    Rule,
    Whole,
    clear_own,
    connection,
    delete_dag,
    free,
    never,
    pause,
    pause_many,
    pause_own,
    pool,
    trigger,
    trigger_change,
)


@dataclass(frozen=True)
class Route:
    """What is asked before a request to this route goes on: for each change, for each other DAG of ours, and once."""

    change: Rule = free
    own: Rule = free
    whole: Whole | None = None


FREE = Route()
"""Only reads, or changes nothing that a change relies on."""
LIVED_THROUGH = Route()
"""Marked, cleared, answered, deleted: the tasks look at the ledger, and undo what was applied."""
EVIDENCE = "what its tasks left is evidence, and nobody writes it but they. To have it done again, trigger a new run."
HANDED_OVER = Route(never(EVIDENCE), never(EVIDENCE))
ONE_TASK = "a task of a run is not deleted alone, for the others ask for its state. Mark it, or the run, instead."
DATES = "its runs have no partitions and come once, in their window. Use reslot_change to give it another one."
NO_DATES = Route(never(DATES), never(DATES))
SHIPPED = "it comes with Change Windows. Remove its file on the host; Airflow forgets it then."
DAG, RUN = "/api/v2/dags/{dag_id}", "/api/v2/dags/{dag_id}/dagRuns/{dag_run_id}"
TASK, ASSET = f"{RUN}/taskInstances/{{task_id}}", "/api/v2/assets/{asset_id}"

TABLE: Mapping[str, Route] = {
    # The DAG itself.
    "PATCH /api/v2/dags": Route(whole=pause_many),
    f"PATCH {DAG}": Route(pause, pause_own),
    f"DELETE {DAG}": Route(delete_dag, never(SHIPPED)),
    f"POST {DAG}/favorite": FREE,
    f"POST {DAG}/unfavorite": FREE,
    "PUT /api/v2/parseDagFile/{file_token}": FREE,
    # Its runs.
    f"POST {DAG}/dagRuns": Route(trigger_change, trigger),
    f"POST {DAG}/dagRuns/list": FREE,
    f"PATCH {DAG}/dagRuns": LIVED_THROUGH,
    f"PATCH {RUN}": LIVED_THROUGH,
    f"DELETE {RUN}": LIVED_THROUGH,
    f"POST {RUN}/clear": Route(own=clear_own),
    f"POST {DAG}/clearDagRuns": Route(own=clear_own),
    f"POST {DAG}/clearPartitions": NO_DATES,
    "POST /api/v2/backfills": NO_DATES,
    "POST /api/v2/backfills/dry_run": FREE,
    "PUT /api/v2/backfills/{backfill_id}/pause": FREE,  # there is none of ours
    "PUT /api/v2/backfills/{backfill_id}/unpause": FREE,
    "PUT /api/v2/backfills/{backfill_id}/cancel": FREE,
    # Their tasks.
    f"POST {DAG}/clearTaskInstances": Route(own=clear_own),
    f"PATCH {RUN}/taskInstances": LIVED_THROUGH,
    f"PATCH {TASK}": LIVED_THROUGH,
    f"PATCH {TASK}/{{map_index}}": LIVED_THROUGH,
    f"PATCH {RUN}/taskGroupInstances/{{group_id}}": LIVED_THROUGH,
    f"PATCH {TASK}/{{map_index}}/hitlDetails": Route(own=answer),
    f"PATCH {TASK}/dry_run": FREE,
    f"PATCH {TASK}/{{map_index}}/dry_run": FREE,
    f"PATCH {RUN}/taskGroupInstances/{{group_id}}/dry_run": FREE,
    f"POST {RUN}/taskInstances/list": FREE,
    f"DELETE {TASK}": Route(never(ONE_TASK), never(ONE_TASK)),
    # What tasks hand over to each other.
    f"POST {TASK}/xcomEntries": HANDED_OVER,
    f"PATCH {TASK}/xcomEntries/{{xcom_key:path}}": HANDED_OVER,
    f"DELETE {TASK}/xcomEntries/{{xcom_key:path}}": HANDED_OVER,
    f"PUT {TASK}/state-store/{{key:path}}": HANDED_OVER,
    f"PATCH {TASK}/state-store/{{key:path}}": HANDED_OVER,
    f"DELETE {TASK}/state-store/{{key:path}}": HANDED_OVER,
    f"DELETE {TASK}/state-store": HANDED_OVER,
    # Assets: ours neither have nor wait for any.
    f"DELETE {DAG}/assets/queuedEvents": FREE,
    f"DELETE {DAG}/assets/{{asset_id}}/queuedEvents": FREE,
    f"DELETE {ASSET}/queuedEvents": FREE,
    f"POST {ASSET}/materialize": FREE,
    "POST /api/v2/assets/events": FREE,
    f"PUT {ASSET}/state-store/{{key:path}}": FREE,
    f"DELETE {ASSET}/state-store/{{key:path}}": FREE,
    f"DELETE {ASSET}/state-store": FREE,
    # What belongs to everybody.
    "POST /api/v2/connections": FREE,  # Airflow refuses one that exists
    "PATCH /api/v2/connections": Route(whole=connection),
    "PATCH /api/v2/connections/{connection_id}": Route(whole=connection),
    "DELETE /api/v2/connections/{connection_id}": Route(whole=connection),
    "POST /api/v2/connections/test": FREE,
    "POST /api/v2/connections/enqueue-test": Route(whole=connection),
    "POST /api/v2/connections/defaults": FREE,
    "POST /api/v2/pools": FREE,  # Airflow refuses one that exists
    "PATCH /api/v2/pools": Route(whole=pool),
    "PATCH /api/v2/pools/{pool_name:path}": Route(whole=pool),
    "DELETE /api/v2/pools/{pool_name:path}": Route(whole=pool),
    "POST /api/v2/variables": FREE,  # a change reads none
    "PATCH /api/v2/variables": FREE,
    "PATCH /api/v2/variables/{variable_key:path}": FREE,
    "DELETE /api/v2/variables/{variable_key:path}": FREE,
    "POST /ui/auth/token": FREE,
}
