"""Draws the plan of a change as its DAG; asks about the role of a node, never about its change."""

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, BaseOperator, Param

from changewindow import settings
from changewindow.changes.publication import read
from changewindow.changes.step_lock import GRACE
from changewindow.documents.text import escaped
from changewindow.flow.own_dag import AGAIN, LONG_AGO
from changewindow.flow.tasks.close import Close
from changewindow.flow.tasks.gate import Gate
from changewindow.flow.tasks.messages import Announce, Report
from changewindow.flow.tasks.preflight import BaselineSensor, CheckSensor, Confirm, WindowSensor
from changewindow.flow.tasks.steps import Apply, Succeed, Verify
from changewindow.flow.tasks.undo import Undo
from changewindow.flow.tasks.watch import Watch
from changewindow.flow.timetable import ChangeWindowTimetable
from changewindow.flow.weights import options_of
from changewindow.ledger.seal import Seal
from changewindow.ledger.step_locks import LIFETIME
from changewindow.ticket.model import Parameter, Ticket
from changewindow.ticket.plan import Node, Role, plan
from changewindow.ticket.plan import markdown as plan_markdown
from changewindow.ticket.revision import PublishedChange

OPERATORS: dict[Role, type[BaseOperator]] = {
    "window": WindowSensor,
    "check": CheckSensor,
    "confirm": Confirm,
    "baseline": BaselineSensor,
    "gate": Gate,
    "announce": Announce,
    "apply": Apply,
    "watch": Watch,
    "undo": Undo,
    "verify": Verify,
    "succeed": Succeed,
    "close": Close,
    "report": Report,
}
BACK_OFF = {
    "retry_delay": timedelta(seconds=5),
    "retry_exponential_backoff": 2,
    "max_retry_delay": timedelta(minutes=1),
}
AT_ONCE = 16
"""How many runs of a change may be open: a rollback waits behind none. The ledger lets only one of them act."""
SOON = {"execution_timeout": timedelta(seconds=60)}
OPTIONS: dict[Role, dict[str, Any]] = {
    "window": AGAIN,
    "check": AGAIN,
    "confirm": AGAIN,
    "baseline": AGAIN,
    "gate": AGAIN,
    "announce": SOON,
    "watch": AGAIN,
    "verify": AGAIN,
    "succeed": AGAIN,
    "close": AGAIN,
    "report": SOON,
}


def published_dag(name: str) -> DAG:
    """Return the DAG of a published file, which is read as data.

    Raises:
        BadPublication: it is not what publishing writes.
    """
    return dag_of(read(settings.read().published / name, Seal()))


def build_dag(change_id: str, revision: str) -> DAG:
    """Return the DAG of an approved change; called by the files that versions up to 0.1.0 published."""
    return dag_of(PublishedChange(change_id, revision))


def dag_of(change: PublishedChange) -> DAG:
    """Return the DAG of an approved change."""
    ticket = change.ticket
    dag = DAG(
        dag_id=change.id,
        dag_display_name=f"{change.id} {ticket.summary}"[:200],
        description=ticket.summary,
        schedule=ChangeWindowTimetable(ticket.window.opens.isoformat(), ticket.window.closes.isoformat()),
        start_date=LONG_AGO,
        catchup=False,
        max_active_runs=AT_ONCE,
        tags=_tags(ticket),
        doc_md=_document(change, ticket),
        params=_params(ticket),
        default_args={"retries": 0, "owner": ticket.owner},
        is_paused_upon_creation=False,
        render_template_as_native_obj=False,
    )
    nodes = plan(ticket)
    tasks = {node.id: _task(dag, change, node) for node in nodes}
    for node in nodes:
        for before in node.after:
            tasks[before].set_downstream(tasks[node.id])
    tasks["close"].as_teardown(on_failure_fail_dagrun=True)
    tasks["report"].as_teardown()
    return dag


def _task(dag: DAG, change: PublishedChange, node: Node) -> BaseOperator:
    options = OPTIONS.get(node.role, {}) | options_of(node.role)
    if node.timeout:
        options["execution_timeout"] = node.timeout + LIFETIME + timedelta(seconds=GRACE)
    if node.retries:
        options |= {"retries": node.retries, **BACK_OFF}
    return OPERATORS[node.role](
        task_id=node.id, dag=dag, change=change, node=node, trigger_rule=node.rule, doc=node.text, **options
    )


def _tags(ticket: Ticket) -> list[str]:
    services = [f"service:{service}" for service in sorted(set(ticket.services))]
    return [*services, f"environment:{ticket.environment}", f"risk:{ticket.risk}", f"type:{ticket.type}"]


def _params(ticket: Ticket) -> dict[str, Param]:
    given = {name: _param(parameter) for name, parameter in ticket.parameters.items()}
    mode = Param(
        "run",
        type="string",
        enum=["run", "dry_run", "rollback"],
        description="run: within its window. dry_run: only reads. rollback: takes a completed change back.",
    )
    reason = Param(None, type=["null", "string"], maxLength=500, description="Why, for the record.")
    return {**given, "mode": mode, "reason": reason}


def _param(parameter: Parameter) -> Param:
    return Param(
        parameter.default,
        type=parameter.type,
        enum=list(parameter.choices),
        description=parameter.help or "Only these values are approved.",
    )


def _document(change: PublishedChange, ticket: Ticket) -> str:
    """Return the ticket as people read it, with the digest that was approved."""
    details = f"\n\n{escaped(ticket.details)}" if ticket.details else ""
    notes = f"\n\n**Rollback notes.** {escaped(ticket.rollback.notes)}" if ticket.rollback.notes else ""
    return f"{plan_markdown(change.id, ticket)}{details}{notes}\n\nDigest `{change.digest}`\n"
