"""Ends the tasks by which people tell something: what was done, or why not, stands in the log and the run's note."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from airflow.sdk.definitions.context import Context
from airflow.sdk.exceptions import AirflowFailException

from changewindow.errors import ChangeError, NotAllowed
from changewindow.flow.runtime import log
from changewindow.flow.xcoms import leave_note


@contextmanager
def refusal_noted(context: Context, *more: type[Exception]) -> Iterator[None]:
    """Fail the task for what is raised on purpose, or is one of `more`, and leave why in the note of its run.

    Raises:
        AirflowFailException: it was refused; says every reason.
    """
    refusals: tuple[type[Exception], ...] = (ChangeError, *more)
    try:
        yield
    except refusals as error:
        raise refused(context, error) from error


def refused(context: Context, error: Exception) -> AirflowFailException:
    """Leave why something was refused in the log and in the note of the run; return what fails the task for good."""
    reasons = why(error)
    log.error("%s", reasons)
    leave_note(context, reasons)
    return AirflowFailException(reasons)


def why(error: Exception) -> str:
    """Return why a person's wish was refused, a line for each reason; nothing of it speaks of acting."""
    if isinstance(error, NotAllowed):
        return "\n".join(f"{error.change}: {reason}" for reason in error.reasons)
    return str(error)


def note(context: Context, lines: Sequence[str]) -> None:
    """Leave what was done in the log, and as the note of the run."""
    for line in lines:
        log.info("%s", line)
    leave_note(context, "\n".join(lines))
