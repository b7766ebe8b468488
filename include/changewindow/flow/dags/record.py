"""The DAG by which somebody tells what was done by hand: it lands in the ledger, and runs nothing."""

from typing import Any

from airflow.sdk import DAG, BaseOperator, Param
from airflow.sdk.definitions.context import Context

from changewindow.changes.record_form import LONGEST_PASTE, manual_change_of
from changewindow.changes.record_text import answer, recorded
from changewindow.changes.recording import Teller, enter
from changewindow.errors import BadRequest
from changewindow.flow.closing import closing_by
from changewindow.flow.dags.retroactive import ask_after
from changewindow.flow.noted import note, refusal_noted
from changewindow.flow.own_dag import RECORD, ZONE, own_dag
from changewindow.flow.people import NOBODY
from changewindow.flow.posting import post
from changewindow.flow.requested import origin_of
from changewindow.flow.runtime import ledger, now, person_of, policy
from changewindow.flow.secrecy import SECRETS

DOCUMENT = """\
Tell what was done by hand, after it was done: it lands in the ledger as a **record**, which nobody has approved and
which never runs. The findings of *Silent changes* that it explains by value are closed as `recorded`, if you may accept
them too (`accept` in rights.yaml: owners of the service, operators). Others stay open, and the note of the run says why
and who can close them; your record is kept in any case.

Paste the history of the shell (with its times, if it keeps any), what the terminal showed, or lines of the audit log
of Kubernetes. What looks like a secret is hidden before it is stored. `changewindow record --file` also reads
recordings of asciinema and of `script`.
"""


class RecordChange(BaseOperator):
    """Puts what somebody tells into the ledger, under the name with which Airflow knows them."""

    def execute(self, context: Context) -> None:
        """Record it, tell the room, and say which findings it has closed.

        Raises:
            AirflowFailException: it cannot be recorded; says every reason.
        """
        person, params = person_of(context), dict(context["params"])
        with refusal_noted(context):
            note(context, self._record(person, params, origin_of(context)))

    def _record(self, person: str, params: dict[str, Any], origin: str) -> list[str]:
        if person == NOBODY:
            raise BadRequest(f"Nobody is known to have triggered this run. Trigger {RECORD} under your own name.")
        at, here, rules = now(), ledger(), policy()
        told = manual_change_of(params, rules.catalogue, person=person, now=at)
        manual = told.hiding(SECRETS.line)  # those of connections that this process has used, too
        teller = Teller(person, closing_by(rules))
        owes = rules.emergencies.deadlines(at)
        outcome = enter(here, manual, teller, now=at, origin=origin, owes=owes)
        if outcome.is_new:
            post(recorded(outcome, manual, person), at, change=outcome.change)
        return answer(outcome, manual, person)


def build_record_dag() -> DAG:
    """Return the DAG `record_change` with its form."""
    description = "Tell what was done by hand; it is recorded, not approved, and closes the findings that it explains."
    with own_dag(RECORD, description, params=form(), document=DOCUMENT) as dag:
        ask_after(RecordChange(task_id="record"))
    return dag


def form() -> dict[str, Param]:
    """Return the parameters of `record_change`."""
    optional: dict[str, Any] = {"type": ["null", "string"]}
    moment = {**optional, "format": "date-time"}
    return {
        "targets": Param(
            type="string",
            minLength=1,
            maxLength=2000,
            title="Targets",
            description="As environment/service, like production/orders; several with commas between them.",
        ),
        "commands": Param(
            type="string",
            format="multiline",
            minLength=1,
            maxLength=LONGEST_PASTE,
            title="Commands",
            description="One on each line; or paste the history of a shell, a terminal, or Kubernetes' audit log.",
        ),
        "why": Param(type="string", minLength=3, maxLength=500, title="Why", description="In a sentence."),
        "start": Param(None, **moment, title="Start", description=f"Empty: the first command that has a time. {ZONE}"),
        "end": Param(None, **moment, title="End", description=f"Empty: the last that has one. {ZONE}"),
        "done_by": Param(
            None, **optional, maxLength=200, title="Done by", description="Who did it, if it was not you."
        ),
        "incident": Param(None, **optional, maxLength=200, title="Incident", description="Its id or address, if any."),
        "findings": Param(
            None,
            **optional,
            maxLength=500,
            title="Findings",
            description="Numbers of those that it explains, see 'changewindow findings'. Empty: all that it does.",
        ),
    }
