"""The pipeline from a request to a scheduled change: check, dry run, approvals, schedule."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from airflow.sdk import DAG, BaseOperator, Param
from airflow.sdk.definitions.context import Context
from airflow.sdk.exceptions import AirflowTaskTimeout

from changewindow import settings
from changewindow.changes.form import LIKE
from changewindow.changes.handover import Shown, Tried
from changewindow.changes.looking import Look, listed
from changewindow.changes.request import Request, take_in
from changewindow.documents.moments import utc
from changewindow.documents.text import escaped, shown
from changewindow.errors import BadRequest, BadTicket
from changewindow.flow.airflow_connection import of_ticket
from changewindow.flow.dags.approval import REASON, Approve
from changewindow.flow.noted import refusal_noted
from changewindow.flow.own_dag import ZONE, own_dag
from changewindow.flow.publishing import publish_change
from changewindow.flow.requested import origin_of, shown_by_check
from changewindow.flow.runtime import ledger, log, now, person_of, policy
from changewindow.flow.secrecy import SECRETS
from changewindow.flow.tasks.preflight import ask_once
from changewindow.flow.xcoms import leave, leave_note, sealed
from changewindow.ledger import approvals, changes, stops
from changewindow.policy.approvals import MOST
from changewindow.policy.templates import choices_of
from changewindow.ticket import plan
from changewindow.ticket.reader import build_ticket


class Check(BaseOperator):
    """Asks the policy about what is requested and puts it into the ledger; every finding is reported at once."""

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the change, and the plan for the approver."""
        with refusal_noted(context):
            shown = self._take_in(self.request(context))
        leave_note(context, f"{shown.change} is asked for\n{shown.warnings}".strip())
        return sealed(context, shown)

    def request(self, context: Context) -> Request:
        """Return what the form says."""
        return replace(request_of(context["params"], person_of(context)), origin=origin_of(context))

    def _take_in(self, request: Request) -> Shown:
        """Put it into the ledger.

        Raises:
            BadTicket: with every finding.
        """
        here, rules = ledger(), policy()
        taken = take_in(here, rules, request, now=now())
        listed = [finding.text("ticket") for finding in taken.loaded.findings]
        if taken.change is None or taken.loaded.ticket is None:
            raise BadTicket(listed)
        stopped = [f"nothing starts now: {stop.sentence}" for stop in stops.in_force(here, now())]
        kept = [] if taken.is_new_text else ["the text is as it was; its approvals are kept"]
        warnings = [*listed, *stopped, *kept]
        for line in [*warnings, *rules.standards.findings]:
            log.warning("%s", line)
        shown = plan.text(taken.change, taken.loaded.ticket)
        log.info("%s is in the ledger, asked for by %s\n%s", taken.change, request.person, shown)
        summary = taken.loaded.ticket.summary
        return Shown(
            change=taken.change,
            digest=taken.digest,
            summary=summary,
            plan=plan.markdown(taken.change, taken.loaded.ticket),
            warnings="\n".join(warnings),
        )


class DryRun(BaseOperator):
    """Reads what each step would remember and each condition now, as far as nobody's approval is needed to look."""

    def execute(self, context: Context) -> str:
        """Return what was read; what cannot be read now is reported, and does not stop the request."""
        change = shown_by_check(context).change
        lines: list[str] = []
        try:
            ticket = build_ticket(changes.revision(ledger(), change))
            look = Look(change, ticket, policy().connections)
            for part in (look.at_connections(of_ticket), look.at_steps(of_ticket, log.info), self._conditions(look)):
                lines.extend(part)
        except (Exception, AirflowTaskTimeout) as error:  # noqa: BLE001  whatever a kind does here stops no request
            log.warning("the dry run broke off: %r", error)
            reason = SECRETS.line(f"{type(error).__name__}: {error}")
            lines.append(f"- the dry run broke off: {escaped(reason)}")
        text = "\n".join(lines)
        leave(context, Tried(text=text))
        return text

    def _conditions(self, look: Look) -> Iterator[str]:
        """Yield what the checks say now, and what is measured before the change of all that is asked after it."""
        asked, lines = look.askable()
        names = {check.name for check in look.ticket.preflight.checks}
        checks = tuple(condition for condition in asked if condition.name in names)
        later = tuple(condition for condition in asked if condition.name not in names)
        sample = ask_once(checks, change=look.change, present=later).sample if asked else ()
        now_good = [reading.line() for reading in sample[: len(checks)]]
        before = [reading.line_before() for reading in sample[len(checks) :]]
        lines = [*now_good, *before, *lines]
        yield from listed("conditions now", lines) if lines else ()


class Schedule(BaseOperator):
    """Writes the approved text as a DAG of its own, after building and serializing it once to see that it can be."""

    def execute(self, context: Context) -> str:
        """Return the path of the published file."""
        change = shown_by_check(context).change
        path = publish_change(change)
        opens = changes.get(ledger(), change).opens
        log.info("%s is published as %s; it starts %s UTC", change, path, f"{opens:%Y-%m-%d %H:%M}")
        approvers = ", ".join(approvals.approvers_of(ledger(), change, now())) or "the policy, as a standard change"
        leave_note(context, f"{change}: approved by {approvers}; its window opens {opens:%Y-%m-%d %H:%M} UTC")
        return path


def request_of(params: dict[str, Any], person: str) -> Request:
    """Return what the parameters of a run ask for."""
    given: dict[str, Any] = {
        name: params.get(name) or None for name in ("ticket", "standard", "values", "reviewer", "change")
    }
    return Request(
        person=person,
        start=moment_of(params.get("start")),
        end=moment_of(params.get("end")),
        zone=params.get("zone") or "UTC",
        **given,
    )


def moment_of(text: str | None) -> datetime | None:
    """Return a moment of the form, in UTC when it names no zone.

    Raises:
        BadRequest: it is none.
    """
    try:
        return utc(text) if text else None
    except ValueError as error:
        raise BadRequest(f"{shown(text)} is not {LIKE}. Correct it, and ask again.") from error


def pipeline(check: BaseOperator, *, has_dry_run: bool = True) -> None:
    """Add the tasks that follow a check, in the DAG that is being built."""
    schedule = Schedule(task_id="schedule", trigger_rule="none_failed_min_one_success")
    last = check
    if has_dry_run:
        last = DryRun(task_id="dry_run", execution_timeout=timedelta(minutes=5))
        check >> last
    for number in range(1, MOST + 2):  # one more, where nobody knows who requested it
        approve = Approve(task_id=f"approve_{number}", number=number, params={"reason": REASON})
        last >> approve >> schedule
        last = approve


def build_request_dag() -> DAG:
    """Return the DAG `request_change` with its form."""
    description = "Ask for a change; it is checked, approved by others, and published for its window."
    with own_dag("request_change", description, params=form(), at_once=64, document=DOCUMENT) as dag:
        pipeline(Check(task_id="check"))
    return dag


DOCUMENT = """\
Ask for a change: either a **standard change** of the catalogue with its parameters and window, or a whole **ticket** as
YAML (`changewindow new` writes one to start from). With `change`, an existing change gets the new text; alone, its
approval is asked for again.

`check` says everything that is wrong at once. `dry_run` reads what each step would find today. `approve` asks, level by
level, whom the policy names; see *Required Actions*. `schedule` publishes the change as a DAG of its own.
"""


def form() -> dict[str, Param]:
    """Return the parameters of `request_change`; Airflow opens the section of what names none."""
    folder = settings.read().templates
    templates = sorted(path.stem for path in folder.glob("*.yaml"))
    choices = f'As JSON, like {{"max_idle": 12}}. For {"; ".join(choices_of(folder))}.'
    optional = {"type": ["null", "string"]}
    date_time = {**optional, "format": "date-time", "section": "A standard change"}
    standard = {"section": "A standard change"}
    return {
        "ticket": Param(
            None,
            **optional,
            format="multiline",
            maxLength=1_000_000,
            title="Ticket",
            description="As YAML. 'changewindow new' writes one to start from, and 'changewindow lint' checks it.",
        ),
        "standard": Param(
            None,
            **optional,
            **standard,
            enum=[None, *templates],
            title="Standard change",
            description="From the catalogue.",
        ),
        "values": Param({}, type=["null", "object"], **standard, title="Parameters", description=choices),
        "start": Param(None, **date_time, title="Window start", description=ZONE),
        "end": Param(None, **date_time, title="Window end", description="By then everything is done."),
        "zone": Param("UTC", type="string", **standard, title="Zone", description="In which the window is shown."),
        "reviewer": Param(None, **optional, **standard, title="Reviewer", description="Who stands by."),
        "change": Param(
            None,
            **optional,
            section="An existing change",
            pattern="^CHG-[1-9][0-9]*$",
            title="Change",
            description="Give this change the text above; alone: ask for its approval again.",
        ),
    }
