"""Writes into the note of a run what became of it, so that the list of runs says it; no task can do that itself."""

import re
from typing import Any

from airflow.listeners import hookimpl
from airflow.models.xcom import XComModel
from sqlalchemy.orm import object_session

from changewindow.documents.text import escaped
from changewindow.flow.own_dag import OWN_DAGS
from changewindow.flow.xcoms import NOTE, REST

CHANGE = re.compile("CHG-[0-9]+")
LONGEST = 1000
"""Characters that Airflow keeps of a note."""


class Noter:
    """Listens to the ends of runs, in the scheduler; what it cannot write it leaves out."""

    @hookimpl
    def on_dag_run_success(self, dag_run: Any, msg: str) -> None:
        """Note how a green run ended."""
        note(dag_run)

    @hookimpl
    def on_dag_run_failed(self, dag_run: Any, msg: str) -> None:
        """Note why a run is red."""
        note(dag_run)


def note(dag_run: Any) -> None:
    """Add to the note of a run what its tasks left for it; what a person wrote stays."""
    session = object_session(dag_run)
    if session is None or not is_ours(dag_run.dag_id):
        return
    wanted = XComModel.get_many(run_id=dag_run.run_id, key=NOTE, dag_ids=dag_run.dag_id)
    rows = sorted(session.scalars(wanted), key=lambda row: row.timestamp)
    # Airflow shows notes as Markdown, and in what a task left may stand what somebody else has written.
    text = shortened(as_list(escaped(str(XComModel.deserialize_value(rows[-1]))))) if rows else ""
    before = dag_run.note or ""
    if text and text not in before:
        dag_run.note = shortened("\n\n".join(part for part in (before, text) if part))


def is_ours(dag: str) -> bool:
    """Return whether a DAG is one whose runs get a note from us."""
    return dag in OWN_DAGS or CHANGE.fullmatch(dag) is not None


def as_list(text: str) -> str:
    """Return a text of several lines with each below the first as an item: Markdown would join them."""
    first, *more = text.splitlines() or [""]
    items = (line.strip().removeprefix("\\- ") for line in more if line.strip())
    return "\n".join([first, *(f"- {item}" for item in items)])


def shortened(text: str) -> str:
    """Return a text that fits into a note: whole lines, and where the rest stands."""
    if len(text) <= LONGEST:
        return text
    room = LONGEST - len(REST) - 1
    return text[:room].rpartition("\n")[0][:room] + f"\n{REST}"
