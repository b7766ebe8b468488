"""Shows what people did in an Airflow, by its own audit log: runs, tasks, variables, connections, pools, DAGs.

The connection leads to Airflow's API server: with login and password it logs in, with a password alone that is the
token. Its account needs the right to read the audit log, and sees what it may see: entries of DAGs that it may not read
are left out by Airflow without a word. What tasks do themselves is no entry. Airflow keeps the log until somebody
cleans it; what was cleaned away is outside of the coverage. Values of variables and connections are not in it.
"""

import json
from datetime import datetime, timedelta
from typing import Any, Literal

from changewindow.collectors.base import CollectorBase, CollectorContext
from changewindow.documents.moments import utc
from changewindow.documents.types import ConnectionName
from changewindow.systems.airflow_audit_log import Rows, audit_log
from changewindow.systems.collection import MOST, Collected, Coverage, Entry, Span

EXAMPLE = {"kind": "airflow", "connection": "orders_airflow", "service": "orders"}
SLACK = timedelta(minutes=5)
"""How far its clock may be off before entries of the span are missed."""
BY = "the user who was logged in, by Airflow's audit log"
NOT_KNOWN = "Airflow's audit log names no user"
SHOWN = {"key", "connection_id", "pool_name", "name", "slots", "is_paused", "new_state", "state", "task_ids"}
SHOWN |= {"only_failed", "include_downstream", "include_upstream", "include_future", "include_past", "max_active_runs"}
"""Fields of a request whose values are no secrets; of others the name alone is shown."""
TEXTS = {
    "trigger_dag_run": "triggered a run",
    "cli_dag_trigger": "triggered a run",
    "clear_dag_run": "cleared a run",
    "patch_dag_run": "marked a run",
    "delete_dag_run": "deleted a run",
    "post_clear_task_instances": "cleared tasks",
    "patch_task_instance": "marked a task",
    "patch_task_group_instances": "marked a group of tasks",
    "patch_dag": "changed the DAG",
    "patch_dags": "changed DAGs",
    "delete_dag": "deleted the DAG",
    "post_variable": "created a variable",
    "patch_variable": "changed a variable",
    "delete_variable": "deleted a variable",
    "bulk_variables": "changed variables",
    "post_connection": "created a connection",
    "patch_connection": "changed a connection",
    "delete_connection": "deleted a connection",
    "bulk_connections": "changed connections",
    "post_pool": "created a pool",
    "patch_pool": "changed a pool",
    "delete_pool": "deleted a pool",
    "bulk_pools": "changed pools",
    "update_xcom_entry": "changed an XCom",
    "create_xcom_entry": "created an XCom",
    "update_hitl_detail": "answered a question",
}
"""What the most frequent events mean; others are shown by their name."""
NAMES = {"variable": "key", "connection": "connection_id", "pool": "pool_name"}
READS = ("/auth/token", "create_token", "login", "get_", "reparse_", "test_connection")
"""How events begin that change nothing."""


class Collector(CollectorBase):
    """The audit log of an Airflow."""

    kind: Literal["airflow"] = "airflow"
    connection: ConnectionName
    """The Airflow Connection of the API server, of type HTTP."""

    async def collect(self, span: Span, context: CollectorContext) -> Collected:
        """Read the log page by page, and how far back it goes."""
        log = await audit_log(context, self.connection)
        answer = await log.rows(span.since - SLACK, span.until + SLACK, MOST)
        oldest = _moment(await log.oldest())
        entries = [_entry(row) for row in answer.rows if not str(row.get("event") or "").startswith(READS)]
        return Collected(tuple(entry for entry in entries if entry), _coverage(span, answer, entries, oldest))


def _coverage(span: Span, answer: Rows, entries: list[Entry | None], oldest: datetime | None) -> Coverage:
    since, reasons, lost = span.since, [], len([entry for entry in entries if entry is None])
    if lost:
        reasons.append(f"{lost} rows of the log cannot be read")
    if oldest is None:
        since, reasons = span.until, [*reasons, "the log is empty, or none of it may be read"]
    elif oldest > span.since:
        since = min(oldest, span.until)
        reasons.append(f"the log begins at {oldest:%Y-%m-%d %H:%M} UTC: older rows were cleaned away, or never written")
    missing = answer.total - len(answer.rows)
    if missing > 0:
        times = [entry.at for entry in entries if entry]
        since, lost = min(max(since, min(times, default=span.until)), span.until), lost + missing
        reasons.append(f"Airflow counts {answer.total} rows and has shown {len(answer.rows)}, the latest")
    return Coverage(since, span.until, lost=lost, clock_off=answer.ahead, why="; ".join(reasons))


def _moment(text: Any) -> datetime | None:
    try:
        return utc(text) if text else None
    except ValueError:
        return None


def _entry(row: dict[str, Any]) -> Entry | None:
    at, event, owner = _moment(row.get("when")), str(row.get("event") or ""), str(row.get("owner") or "")
    if at is None or not event:
        return None
    details = _details(row.get("extra"))
    shown = ", ".join(f"{name} {json.dumps(value)}" if name in SHOWN else name for name, value in details.items())
    what = f"{TEXTS.get(event, event)}{f': {shown}' if shown else ''}"
    return Entry(at, _object(row, event, details), what, by=owner, known_by=BY if owner else NOT_KNOWN)


def _details(extra: Any) -> dict[str, Any]:
    """Return the fields of the request, as far as Airflow has written them down."""
    try:
        details = json.loads(extra or "{}")
    except (ValueError, TypeError, RecursionError):
        return {}
    return details if isinstance(details, dict) else {}


def _object(row: dict[str, Any], event: str, details: dict[str, Any]) -> str:
    for kind, name in NAMES.items():
        if kind in event:
            known = next((details[key] for key in (name, "name", f"{kind}_key") if details.get(key)), "")
            return f"Airflow {kind} {known}" if known and isinstance(known, str) else f"Airflow {kind}s"
    parts = [str(row[name]) for name in ("dag_id", "run_id", "task_id") if row.get(name)]
    return f"DAG {' '.join(parts)}" if parts else "Airflow"
