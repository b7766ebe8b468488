"""What has to be known of a change, and of its runs, to judge a request."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from airflow.models.dagrun import DagRun
from airflow.models.hitl import HITLDetail
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from airflow.utils.state import State
from sqlalchemy import select

from changewindow.errors import LedgerUnknown
from changewindow.flow import rights
from changewindow.flow.runtime import ledger
from changewindow.flow.server.asked import Person, ours
from changewindow.ledger import changes, leases, queries
from changewindow.ledger.models import Change


class Facts(Protocol):
    """What is so at the moment of a request; whatever cannot be looked up raises `LedgerDown`."""

    now: datetime

    def change(self, identity: str) -> Change | None:
        """Return what the ledger knows of a change; None if there is no such change."""

    def acting(self) -> list[str]:
        """Return the changes that act."""

    def holder(self, target: str) -> str:
        """Return the change that holds a target, or an empty text."""

    def asked_of_everybody(self, dag: str, run: str, task: str) -> str | None:
        """Return the change that a question to everybody is about; empty if it names people, None if there is none."""

    def open_runs(self, dag: str) -> list[str]:
        """Return the runs of a DAG that are queued or running."""

    def why_not(self, dag: str, params: Mapping[str, Any], person: Person) -> str:
        """Return why somebody may not run this DAG with these parameters, or an empty text."""


@dataclass
class Known:
    """The facts, as ledger and Airflow know them."""

    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def change(self, identity: str) -> Change | None:
        """Return what the ledger knows of a change; None if there is no such change."""
        try:
            return changes.get(ledger(), identity)
        except LedgerUnknown:
            return None

    def acting(self) -> list[str]:
        """Return the changes that act."""
        return [change.id for change in queries.with_status(ledger(), "running")]

    def holder(self, target: str) -> str:
        """Return the change that holds a target, or an empty text."""
        return leases.holder(ledger(), target)

    def asked_of_everybody(self, dag: str, run: str, task: str) -> str | None:
        """Return the change that a question to everybody is about; empty if it names people, None if there is none."""
        of_run = (TaskInstance.dag_id == DagRun.dag_id) & (TaskInstance.run_id == DagRun.run_id)
        is_it = (TaskInstance.dag_id == dag, TaskInstance.run_id == run, TaskInstance.task_id == task)
        asked = select(DagRun.conf, HITLDetail.assignees).join(TaskInstance, of_run)
        with create_session() as session:
            question = session.execute(
                asked.join(HITLDetail, HITLDetail.ti_id == TaskInstance.id).where(*is_it)
            ).first()
        if question is None:
            return None
        if question.assignees:
            return ""
        named = ours([str((question.conf or {}).get("change"))])
        change = None if named else queries.of_origin(ledger(), f"{dag}/{run}")
        return change.id if change else "".join(named)

    def open_runs(self, dag: str) -> list[str]:
        """Return the runs of a DAG that are queued or running."""
        is_open = select(DagRun.run_id).where(DagRun.dag_id == dag, DagRun.state.in_(State.unfinished_dr_states))
        with create_session() as session:
            return sorted(session.scalars(is_open))

    def why_not(self, dag: str, params: Mapping[str, Any], person: Person) -> str:
        """Return why somebody may not run this DAG with these parameters, or an empty text."""
        finding = rights.why_not(dag, params, person.name, is_operator=person.is_operator)
        return finding.reason if finding else ""
