"""The DAG that says what changed of late: all collectors at once, the answer in the note of its run and in its log."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from airflow.sdk import DAG, BaseOperator, Param
from airflow.sdk.definitions.context import Context

from changewindow import settings
from changewindow.changes.look_around import look_around
from changewindow.changes.time_line import Style, text_of
from changewindow.changes.what_changed import Question
from changewindow.documents.moments import moment_of
from changewindow.documents.text import hint
from changewindow.errors import ChangeError
from changewindow.flow.airflow_connection import connection
from changewindow.flow.fetched_connections import among, fetched
from changewindow.flow.noted import refusal_noted
from changewindow.flow.own_dag import own_dag
from changewindow.flow.runtime import log, now
from changewindow.flow.xcoms import REST, leave_note
from changewindow.ledger.database import Ledger
from changewindow.policy.collectors import FILE, collectors_of
from changewindow.policy.load import load_catalogue
from changewindow.policy.service_catalogue import Catalogue
from changewindow.settings import LEDGER_CONNECTION
from changewindow.systems.collection import Span

DESCRIPTION = "Says what changed of late, who explains it, and what nobody could see. It only reads."
LONGEST_NOTE = 12
"""Lines of the answer that the note holds; the log has all."""
OPTIONAL: dict[str, Any] = {"type": ["null", "string"]}
PARAMS = {
    "since": Param("2h", type="string", title="Since", description="How long ago, like 2h, or a time in UTC."),
    "service": Param(None, **OPTIONAL, title="Service", description="Only what concerns it; empty: everything."),
    "symptom": Param(None, **OPTIONAL, title="Symptom", description="The service that is ill: likely causes first."),
}


class Look(BaseOperator):
    """Asks all collectors, and says what they saw."""

    def execute(self, context: Context) -> None:
        """Write the answer into the log and the note.

        Raises:
            AirflowFailException: nobody can be asked.
        """
        params = context["params"]
        with refusal_noted(context, ValueError):
            lines = answer_to(dict(params), now())
        for line in lines:
            log.info("%s", line)
        leave_note(context, "\n".join(_beginning([line for line in lines if line])))


def _beginning(lines: list[str]) -> list[str]:
    """Return as much of an answer as a note holds, and where the rest stands."""
    return lines if len(lines) <= LONGEST_NOTE else [*lines[:LONGEST_NOTE], REST]


def answer_to(params: Mapping[str, Any], at: datetime) -> list[str]:
    """Return what changed until a moment, as lines.

    Raises:
        ChangeError, ValueError: nobody can be asked, or what is asked for makes no sense.
    """
    services = load_catalogue(settings.read().policy)
    service, symptom = (_service(name, str(params[name] or ""), services) for name in ("service", "symptom"))
    question = Question(Span(_since(str(params["since"]), at), at), services, service, symptom)
    collectors = collectors_of(settings.read().policy, services, question.service)
    answer = look_around(
        question,
        collectors,
        among(fetched(collectors.values()), FILE),
        folder=settings.read().collected,
        ledger=_ledger(),
    )
    return list(text_of(answer, Style(by_likelihood=bool(question.symptom))))


def _since(given: str, at: datetime) -> datetime:
    since = moment_of(given, at)
    if since >= at:
        raise ValueError(f"Since {given} is not in the past. Write a length of time like 2h, or an earlier time.")
    return since


def _service(field: str, given: str, catalogue: Catalogue) -> str:
    """Return a service; of one that is misspelt nothing would ever have changed."""
    if given and given not in catalogue.services:
        raise ValueError(f"{field}: services.yaml has no service '{given}'. {hint(given, catalogue.services)}")
    return given


def _ledger() -> Callable[[], Ledger]:
    """Return what opens the ledger, whose connection is fetched now: later a thread would have to ask Airflow."""
    try:
        return partial(Ledger, connection(LEDGER_CONNECTION).database_url)
    except ChangeError as error:
        return partial(_fail, error)


def _fail(error: ChangeError) -> Ledger:
    raise error


def build_what_changed_dag() -> DAG:
    """Return the DAG `what_changed`."""
    with own_dag("what_changed", DESCRIPTION, params=PARAMS) as dag:
        Look(task_id="look", execution_timeout=timedelta(minutes=1))
    return dag
