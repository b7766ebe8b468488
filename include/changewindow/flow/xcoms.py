"""Leaves facts for the other tasks of a run in Airflow's own store, under seal, and takes them from there."""

from typing import Any

from airflow.sdk.definitions.context import Context

from changewindow.changes import handover
from changewindow.changes.handover import F, Fact, Place
from changewindow.errors import SealKeyMissing
from changewindow.flow.secrecy import SECRETS
from changewindow.ledger.seal import Seal

NOTE = "note"
"""Under this key a task leaves what the note of its run is to say; the newest one counts."""
REST = "… the log says the rest"
"""Ends a note that is not all there is to say."""


def sealed(context: Context, fact: Fact) -> dict[str, Any]:
    """Return the JSON by which the task that runs hands a fact over.

    Raises:
        SealKeyMissing: there is no key.
    """
    task_instance = context["ti"]
    place = Place(task_instance.dag_id, str(context["run_id"]), task_instance.task_id, fact.full_key)
    return handover.dumped(fact, Seal(), place)


def leave(context: Context, fact: Fact) -> None:
    """Hand a fact over.

    Raises:
        SealKeyMissing: there is no key.
    """
    context["ti"].xcom_push(key=fact.full_key, value=sealed(context, fact))


def take(context: Context, fact: type[F], task: str, step: int = 0) -> F | None:
    """Return what a task has handed over, or None where it has not.

    Raises:
        ValueError: what is there was left by somebody else, or cannot be read; any user may write there.
        SealKeyMissing: there is no key.
    """
    key, task_instance = handover.key_of(fact, step), context["ti"]
    value = task_instance.xcom_pull(task_ids=task, key=key)
    place = Place(task_instance.dag_id, str(context["run_id"]), task, key)
    return None if value is None else handover.parsed(fact, value, Seal(), place)


def has_begun(context: Context, run: str, task: str) -> bool:
    """Return whether a task of another run of the same change has handed over that it begins; unknown is no."""
    task_instance, key = context["ti"], handover.key_of(handover.Begun)
    value = task_instance.xcom_pull(task_ids=task, key=key, run_id=run)
    try:
        return value is not None and bool(
            handover.parsed(handover.Begun, value, Seal(), Place(task_instance.dag_id, run, task, key))
        )
    except (ValueError, SealKeyMissing):
        return False


def leave_note(context: Context, text: str) -> None:
    """Leave what the note of a run is to say; the newest one counts."""
    context["ti"].xcom_push(key=NOTE, value="\n".join(map(SECRETS.line, text.splitlines())))
