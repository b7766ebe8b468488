"""The DAG by which a person asks for a later end of a window, and somebody else says yes or no."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from airflow.providers.standard.exceptions import HITLTimeoutError
from airflow.sdk import DAG, BaseOperator, Param
from airflow.sdk.definitions.context import Context

from changewindow.changes.approving import assessment_of
from changewindow.changes.extensions import open_extensions
from changewindow.changes.run_part import Part
from changewindow.documents.findings import Finding
from changewindow.documents.text import escaped
from changewindow.errors import ApprovalRefused, ChangeError, LedgerDown, NotAllowed
from changewindow.flow.dags.interventions import CHANGE, REASON
from changewindow.flow.dags.request import moment_of
from changewindow.flow.noted import note, refusal_noted, why
from changewindow.flow.own_dag import ZONE, own_dag
from changewindow.flow.people import who_answered
from changewindow.flow.question import Question
from changewindow.flow.requested import origin_of
from changewindow.flow.rights import require
from changewindow.flow.runtime import ledger, log, now, person_of, policy
from changewindow.ledger import changes, events, payloads
from changewindow.ledger.extension import extend, later_end
from changewindow.policy.sign_off import same_person

YES, NO = "Extend", "Do not extend"


@dataclass(frozen=True)
class Extension:
    """A later end that a person asks for, and who may approve it."""

    change: str
    digest: str
    closes: datetime
    people: tuple[str, ...]
    person: str

    def asking(self, context: Context) -> payloads.ExtensionAsked:
        """Return it as the ledger keeps it."""
        return payloads.ExtensionAsked(
            run=origin_of(context),
            later=self.closes,
            reason=context["params"]["reason"],
            people=self.people,
            by=self.person,
            digest=self.digest,
        )


def extension_of(context: Context) -> Extension:
    """Return what a run asks for, as its form, the ledger and the policy say; no task hands it over.

    Raises:
        ChangeError: the window cannot be extended so.
    """
    params, person = context["params"], person_of(context)
    require(context, "extend_window")
    change = str(params["change"])
    stored = changes.get(ledger(), change)
    closes = later_end(stored, moment_of(params["end"]), now())
    needs = assessment_of(ledger(), change, policy()).needs
    named = {other for need in needs for other in need.people}
    people = sorted(other for other in named if not same_person(other, person))
    if named and not people:
        sentence = f"nobody but {person}, who asks for a longer window, may allow it"
        raise NotAllowed(change, [Finding("nobody_else", sentence, "Have somebody else ask for it.")])
    return Extension(change, stored.digest, closes, tuple(people), person)


def keep_asked(context: Context, asked: Extension) -> payloads.ExtensionAsked:
    """Let the ledger know what the run of a task asks for, once, however often it is tried; return it.

    Raises:
        LedgerDown: it does not know it.
    """
    asking = asked.asking(context)
    if asking != _open_request(context):
        events.record(ledger(), events.Event(asked.change, asked.person, now(), asking))
    return asking


@contextmanager
def refusal_kept(context: Context) -> Iterator[None]:
    """Let the ledger know why what a run has asked for is not allowed, unless nobody waits for that any more."""
    try:
        yield
    except ChangeError as error:
        change, run = str(context["params"]["change"]), origin_of(context)
        refused = payloads.ExtensionRefused(run=run, reason=why(error))
        try:
            if _open_request(context):
                events.record(ledger(), events.Event(change, run, now(), refused))
        except LedgerDown as down:
            log.warning("the ledger does not know that a longer window was refused: %s", down)
        raise


class CheckExtension(BaseOperator):
    """Makes sure that a window can be extended before anybody is asked."""

    def execute(self, context: Context) -> None:
        """Say for what, and who may approve it."""
        with refusal_noted(context):
            asked = extension_of(context)
            asking = keep_asked(context, asked)
        until = f"{asked.closes:%Y-%m-%d %H:%M} UTC"
        note(context, [f"{asked.person} asks for {asked.change} until {until}; {asking.whom} has to say yes"])


class ApproveExtension(Question):
    """Asks somebody else than who wants the extension."""

    def __init__(self, **options: Any) -> None:
        super().__init__(options=[YES, NO], **options)

    def execute(self, context: Context) -> Any:
        """Ask those who may approve the change; a task that died after it had extended the window asks nobody again."""
        with refusal_noted(context), refusal_kept(context):
            if done := _extended(context):
                note(context, [f"{context['params']['change']} may act until {done.later:%Y-%m-%d %H:%M} UTC already"])
                return None
            asked = extension_of(context)
            keep_asked(context, asked)  # `check` may have been marked as done before it ran
        stored = changes.get(ledger(), asked.change)
        subject = f"{asked.change}: extend its window to {asked.closes:%Y-%m-%d %H:%M} UTC? asked for by {asked.person}"
        until = f"It ends {stored.closes:%Y-%m-%d %H:%M} UTC so far."
        body = [stored.summary, until, f"Why: {context['params']['reason']}"]
        within = max(asked.closes - now(), timedelta(seconds=1))
        part = Part(run=origin_of(context), digest=asked.digest, while_in=(*changes.WAITING, "running"))
        self.about = (asked.change, part)
        return self.ask(context, subject, "\n\n".join(map(escaped, body)), people=asked.people, within=within)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Take the answer, and extend the window if it is yes."""
        with refusal_noted(context), refusal_kept(context):
            if "verdict" in event:
                change = context["params"]["change"]
                raise ApprovalRefused(f"{change}: {event['reason']}. Its window stays as it is.")
            answer = self._answer(context, event)
            asked = extension_of(context)
            person = _who_says_yes(answer, asked)
            asking = _open_request(context) or asked.asking(context)
            extend(ledger(), asked.change, asking, person=person, now=now())
        until = f"{asking.later:%Y-%m-%d %H:%M} UTC"
        note(context, [f"{asked.change} may act until {until}, as {person} allows: {asking.reason}"])
        return {"change": asked.change, "closes": asked.closes.isoformat(), "by": person}

    def _answer(self, context: Context, event: dict[str, Any]) -> Any:
        """Return the answer; that there is none is known before anything is asked of the window, which may be over.

        Raises:
            ApprovalRefused: nobody has answered.
        """
        try:
            return super().execute_complete(context, event)
        except HITLTimeoutError as error:
            raise ApprovalRefused("Nobody answered in time; the window stays as it is.") from error


def _extended(context: Context) -> payloads.Extended | None:
    """Return how a run has extended the window as it asks, if it has."""
    params, run = context["params"], origin_of(context)
    past = events.past(ledger(), str(params["change"]), payloads.Extended)
    return next((each for each in past if (each.run, each.later) == (run, moment_of(params["end"]))), None)


def _open_request(context: Context) -> payloads.ExtensionAsked | None:
    """Return what a run has asked for, as the ledger has it, while nobody has allowed or refused it."""
    asked = open_extensions(events.history(ledger(), str(context["params"]["change"])))
    return next((each for each in asked if each.run == origin_of(context)), None)


def _who_says_yes(answer: Any, asked: Extension) -> str:
    """Return the person who allows it.

    Raises:
        ApprovalRefused: nobody does who may.
    """
    person = who_answered(answer)
    if not person or same_person(person, asked.person):
        raise ApprovalRefused(f"{asked.person} asked for it; somebody else has to say yes. Ask again.")
    if asked.people and not any(same_person(person, other) for other in asked.people):
        raise ApprovalRefused(f"{person} may not approve it; ask {', '.join(asked.people)}.")
    if answer["chosen_options"] != [YES]:
        raise ApprovalRefused(f"{person} said no; the window stays as it is.")
    return person


def build_extend_dag() -> DAG:
    """Return the DAG `extend_window`."""
    end = Param(type="string", format="date-time", title="New end", description=ZONE)
    description = "Move the end of a change's window to a later time; somebody else has to approve it."
    params = {"change": CHANGE, "end": end, "reason": REASON}
    with own_dag("extend_window", description, params=params, at_once=256) as dag:
        CheckExtension(task_id="check") >> ApproveExtension(task_id="approve")
    return dag
