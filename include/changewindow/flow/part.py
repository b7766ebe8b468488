"""Ends a run that has no part in its change any more, before it asks or acts: nobody is asked twice, or in vain."""

from typing import Any, NoReturn

from airflow.sdk.exceptions import AirflowFailException

from changewindow.changes.handover import Begun, Over
from changewindow.changes.run_memory import legible
from changewindow.changes.run_part import Part, why_over
from changewindow.errors import AlteredText, ChangeError
from changewindow.flow import xcoms
from changewindow.flow.runtime import Run, log
from changewindow.ledger import changes

OPEN = ["queued", "running"]
BEGINS = "window"
"""The first task of each run."""


def part_of(run: Run) -> Part | None:
    """Return what a run that has not acted yet waits for the sake of; None for a text that its change never had."""
    try:
        changes.text_of(run.ledger, run.change.id, run.change.digest)
    except AlteredText:
        return None  # the gate refuses it
    except ChangeError as error:
        log.warning("%s", error)
    return Part(run=run.id, digest=run.change.digest)


def require_part(run: Run) -> Part | None:
    """Return the part that a run which has not acted still has in its change; while nobody can say, it goes on.

    Raises:
        AirflowFailException: it has none, and says why.
    """
    if run.mode != "run":
        return None
    part = part_of(run)
    if part is None:
        return None
    try:
        reason = _moved(run) or why_over(part, changes.get(run.ledger, run.change.id)) or _stood_in_for(run)
    except ChangeError as error:
        log.warning("%s", error)  # the gate asks again, and refuses
        return part
    if reason:
        end(run, reason)
    return part


def require_part_still(run: Run, event: dict[str, Any] | None) -> None:
    """Make sure of the same by what a trigger has fired with.

    Raises:
        AirflowFailException: the part is over.
    """
    if event and event.get("verdict") == "over":
        end(run, event["reason"])


def require_no_end_before(run: Run, names: list[str]) -> None:
    """Make sure that no task before the gate has found the run's part to be over.

    Raises:
        AirflowFailException: one has.
    """
    over = next((over for name in names if (over := legible(run, Over, name))), None)
    if over:
        raise AirflowFailException(over.reason)


def end(run: Run, reason: str) -> NoReturn:
    """Leave for the gate and for `close` why the run ends, and fail."""
    run.hand_over(Over(reason=reason))
    sentence = f"{run.change.id}: {reason}. This run ends; it has touched nothing."
    log.error("%s", sentence)
    raise AirflowFailException(sentence)


def stands_in(run: Run) -> None:
    """Let the run that comes by itself know that somebody has triggered this one in its place."""
    if not _comes_by_itself(run):
        run.hand_over(Begun())


def _comes_by_itself(run: Run) -> bool:
    is_scheduled: bool = getattr(run.context.get("dag_run"), "run_type", None) == "scheduled"
    return is_scheduled


def _moved(run: Run) -> str:
    """Return that the window for which the run was made was moved, or an empty text."""
    begins = getattr(run.context.get("dag_run"), "data_interval_start", None)
    if begins is None or begins == run.ticket.window.opens:
        return ""
    return f"the window of {begins:%Y-%m-%d %H:%M} UTC, for which this run was made, was moved"


def _stood_in_for(run: Run) -> str:
    """Return which run that somebody has triggered stands in for the one that comes by itself, or an empty text.

    Of two such runs, neither waits for the other: runs that come by themselves stand in for nobody.
    """
    if not _comes_by_itself(run):
        return ""
    task_instance = run.context["ti"]
    known = task_instance.get_task_states(dag_id=run.change.id, task_ids=[BEGINS])
    for other in sorted(known):
        is_open = other != run.id and task_instance.get_dr_count(dag_id=run.change.id, run_ids=[other], states=OPEN)
        if is_open and xcoms.has_begun(run.context, other, BEGINS):
            return f"the run {other}, which somebody has triggered, stands in for this one"
    return ""
