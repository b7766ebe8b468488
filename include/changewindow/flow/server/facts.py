"""What has to be known of a change, and of its runs, to judge a request."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from airflow.models.dagrun import DagRun
from airflow.models.hitl import HITLDetail
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from airflow.utils.state import State
from sqlalchemy import select

from changewindow.changes.approving import assessment_of
from changewindow.errors import ChangeError, LedgerUnknown
from changewindow.flow import rights
from changewindow.flow.owed import rules
from changewindow.flow.own_dag import RETROACTIVE
from changewindow.flow.people import is_told_names
from changewindow.flow.runtime import ledger, log, policy
from changewindow.flow.server.asked import Person, ours
from changewindow.ledger import aftercare, changes, leases, queries
from changewindow.ledger.models import Change
from changewindow.policy.aftercare import who_may
from changewindow.policy.sign_off import same_person


class Facts(Protocol):
    """What is so at the moment of a request; whatever cannot be looked up raises `LedgerDown`."""

    now: datetime

    def change(self, identity: str) -> Change | None:
        """Return what the ledger knows of a change; None if there is no such change."""

    def acting(self) -> list[str]:
        """Return the changes that act."""

    def holder(self, target: str) -> str:
        """Return the change that holds a target, or an empty text."""

    def asked_of_everybody(self, dag: str, run: str, task: str, *, person: str) -> str | None:
        """Return the change that everybody is asked about; empty if people are named, None if nothing is asked."""

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

    def asked_of_everybody(self, dag: str, run: str, task: str, *, person: str) -> str | None:
        """Return the change that everybody is asked about; empty if people are named, None if nothing is asked."""
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
        made = None if named else queries.of_origin(ledger(), f"{dag}/{run}")
        change = made.id if made else "".join(named)
        return "" if change and _is_named(person, change, dag) else change

    def open_runs(self, dag: str) -> list[str]:
        """Return the runs of a DAG that are queued or running."""
        is_open = select(DagRun.run_id).where(DagRun.dag_id == dag, DagRun.state.in_(State.unfinished_dr_states))
        with create_session() as session:
            return sorted(session.scalars(is_open))

    def why_not(self, dag: str, params: Mapping[str, Any], person: Person) -> str:
        """Return why somebody may not run this DAG with these parameters, or an empty text."""
        finding = rights.why_not(dag, params, person.name, is_operator=person.is_operator)
        return finding.reason if finding else ""


def _is_named(person: str, change: str, dag: str) -> bool:
    """Return whether the policy asks somebody about a change by their name, where Airflow is told no names."""
    if is_told_names():
        return False
    try:
        people = _asked_afterwards(change) if dag == RETROACTIVE else _asked(change)
    except ChangeError as error:
        log.warning("whom the policy asks about %s is not known: %s", change, error)
        return False
    return any(same_person(person, name) for name in people)


def _asked(change: str) -> Iterable[str]:
    return [name for need in assessment_of(ledger(), change, policy()).needs for name in need.people]


def _asked_afterwards(change: str) -> Iterable[str]:
    owed, known = aftercare.of_change(ledger(), change), rules()
    return who_may(owed, known.emergencies, known.groups) if owed else ()
