"""The DAGs by which a person intervenes: cancel, abort, release, stop the line, extend a window, move a change."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from airflow.providers.standard.exceptions import HITLTimeoutError
from airflow.sdk import DAG, BaseOperator, Param
from airflow.sdk.definitions.context import Context
from airflow.sdk.exceptions import AirflowFailException

from changewindow.changes import messages
from changewindow.changes.approving import assessment_of
from changewindow.changes.request import Request
from changewindow.changes.run_part import Part
from changewindow.documents.findings import Finding
from changewindow.documents.text import escaped
from changewindow.errors import ChangeError, NotAllowed
from changewindow.flow.dags.request import Check, moment_of, pipeline
from changewindow.flow.own_dag import ZONE, own_dag
from changewindow.flow.people import who_answered
from changewindow.flow.posting import post
from changewindow.flow.question import Question
from changewindow.flow.requested import origin_of
from changewindow.flow.rights import require
from changewindow.flow.runtime import ledger, log, now, person_of, policy
from changewindow.flow.weights import FIRST
from changewindow.flow.xcoms import leave_note
from changewindow.ledger import changes, events, leases, stops
from changewindow.ledger.database import Ledger
from changewindow.policy.sign_off import same_person
from changewindow.ticket.reader import build_ticket

Do = Callable[[Ledger, dict[str, Any], str], str]
"""Acts on the ledger with the run's parameters, for a person; returns what was done."""
CHANGE = Param(type="string", pattern="^CHG-[1-9][0-9]*$", title="Change", description="Its id, like CHG-1042.")
REASON = Param(type="string", minLength=3, maxLength=500, title="Reason", description="Why, for the record.")
YES, NO = "Extend", "Do not extend"


class Intervene(BaseOperator):
    """Does what a person asks for; its log says what was done, or why not."""

    def __init__(self, *, do: Do, **options: Any) -> None:
        super().__init__(**options)
        self.act = do

    def execute(self, context: Context) -> str:
        """Act for the person who triggered the run."""
        person = person_of(context)
        try:
            require(context, self.dag_id)
            done = self.act(ledger(), dict(context["params"]), person)
        except (ChangeError, ValueError) as error:
            why = _why(error)
            log.error("%s", why)
            leave_note(context, why)
            raise AirflowFailException(why) from error
        log.info("%s: %s", person, done)
        leave_note(context, f"{person}: {done}")
        return done


def _why(error: Exception) -> str:
    """Return why a person's wish was refused, a line for each reason; nothing of it speaks of acting."""
    if isinstance(error, NotAllowed):
        return "\n".join(f"{error.change}: {reason}" for reason in error.reasons)
    return str(error)


def cancel(here: Ledger, params: dict[str, Any], person: str) -> str:
    """Cancel a change that waits, and tell its people."""
    changes.cancel(here, params["change"], person=person, reason=params["reason"], now=now())
    tell_ended(here, params["change"])
    return f"{params['change']} is cancelled"


def abort(here: Ledger, params: dict[str, Any], person: str) -> str:
    """End a change whatever it does; what was applied is undone by its own run."""
    done = changes.abort(here, params["change"], person=person, reason=params["reason"], now=now())
    if done == "cancelled":
        tell_ended(here, params["change"])
        return f"{params['change']} had not acted; it is cancelled"
    return f"{params['change']} stops now and is rolled back by its own run"


def release(here: Ledger, params: dict[str, Any], person: str) -> str:
    """Release a target that a failed rollback has kept."""
    at = now()
    change = leases.release(here, params["target"], person=person, reason=params["reason"], now=at)
    sentence = f"🔓 {params['target']}, held by {change}, was released by @{person}: {params['reason']}"
    post(messages.message(sentence), at, change=change)
    return f"{params['target']} is free; it was held by {change}"


def stop_the_line(here: Ledger, params: dict[str, Any], person: str) -> str:
    """Stop all starts, or lift every stop."""
    at = now()
    if params["action"] == "lift":
        lifted = stops.lift(here, person=person, now=at)
        post(messages.message(f"▶️ THE LINE RUNS AGAIN, lifted by @{person}: {params['reason']}"), at)
        ended = f"the line runs again. It is over that {'; '.join(lifted)}"
        return ended if lifted else "the line was not stopped; nothing had to be lifted"
    until = at + timedelta(hours=float(params["hours"]))
    stops.stop(here, person=person, reason=params["reason"], now=at, until=until)
    limits = f"until {until:%Y-%m-%d %H:%M} UTC by @{person}: {params['reason']}"
    post(messages.message(f"⛔ THE LINE IS STOPPED {limits}"), at)
    return f"no change starts and no step is applied {limits}"


class CheckMove(Check):
    """Gives a change another window; everything else stays as it is."""

    def request(self, context: Context) -> Request:
        """Return what the form says, in the change's own time zone."""
        require(context, "reslot_change")
        params = context["params"]
        ticket = build_ticket(changes.revision(ledger(), params["change"]))
        start, end = (moment_of(params[name]) for name in ("start", "end"))
        person, zone = person_of(context), ticket.window.zone
        return Request(person=person, change=params["change"], zone=zone, start=start, end=end)


@dataclass(frozen=True)
class Extension:
    """A later end that a person asks for, and who may approve it."""

    change: str
    digest: str
    closes: datetime
    people: tuple[str, ...]
    person: str


def extension_of(context: Context) -> Extension:
    """Return what a run asks for, as its form, the ledger and the policy say; no task hands it over.

    Raises:
        AirflowFailException: the window cannot be extended so.
    """
    params, person = context["params"], person_of(context)
    try:
        require(context, "extend_window")
        change, closes = str(params["change"]), moment_of(params["end"])
        stored = changes.get(ledger(), change)
        if closes is None or closes <= max(stored.closes, now()):
            sentence = f"its window ends {stored.closes:%Y-%m-%d %H:%M} UTC"
            raise NotAllowed(change, [Finding("not_later", sentence, "Name a later end than that.")])
        needs = assessment_of(ledger(), change, policy()).needs
    except (ChangeError, ValueError) as error:
        raise AirflowFailException(str(error)) from error
    people = sorted({other for need in needs for other in need.people if not same_person(other, person)})
    return Extension(change, stored.digest, closes, tuple(people), person)


class CheckExtension(BaseOperator):
    """Makes sure that a window can be extended before anybody is asked."""

    def execute(self, context: Context) -> None:
        """Say for what, and who may approve it."""
        asked = extension_of(context)
        log.info("%s asks for %s until %s", asked.person, asked.change, asked.closes)


class ApproveExtension(Question):
    """Asks somebody else than who wants the extension."""

    def __init__(self, **options: Any) -> None:
        super().__init__(options=[YES, NO], **options)

    def execute(self, context: Context) -> Any:
        """Ask those who may approve the change."""
        asked = extension_of(context)
        stored = changes.get(ledger(), asked.change)
        subject = f"{asked.change}: extend its window to {asked.closes:%Y-%m-%d %H:%M} UTC? asked for by {asked.person}"
        body = [stored.summary, f"It ends {stored.closes:%Y-%m-%d %H:%M} UTC so far.", str(context["params"]["reason"])]
        within = max(asked.closes - now(), timedelta(seconds=1))
        part = Part(run=origin_of(context), digest=asked.digest, while_in=(*changes.WAITING, "running"))
        self.about = (asked.change, part)
        return self.ask(context, subject, "\n\n".join(map(escaped, body)), people=asked.people, within=within)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Take the answer, and extend the window if it is yes."""
        if "verdict" in event:
            change = context["params"]["change"]
            raise AirflowFailException(f"{change}: {event['reason']}. Its window stays as it is.")
        asked = extension_of(context)
        try:
            answer = super().execute_complete(context, event)
        except HITLTimeoutError as error:
            raise AirflowFailException("Nobody answered in time; the window stays as it is.") from error
        person = who_answered(answer)
        if not person or same_person(person, asked.person):
            raise AirflowFailException(f"{asked.person} asked for it; somebody else has to say yes. Ask again.")
        if asked.people and not any(same_person(person, other) for other in asked.people):
            raise AirflowFailException(f"{person} may not approve it; ask {', '.join(asked.people)}.")
        if answer["chosen_options"] != [YES]:
            raise AirflowFailException(f"{person} said no; the window stays as it is.")
        closes, reason = asked.closes, context["params"]["reason"]
        try:
            changes.extend(ledger(), asked.change, closes, person=person, reason=reason, now=now())
        except ChangeError as error:
            raise AirflowFailException(str(error)) from error
        log.info("%s may act until %s, as %s allows", asked.change, closes, person)
        leave_note(context, f"{asked.change} may act until {closes:%Y-%m-%d %H:%M} UTC, as {person} allows: {reason}")
        return {"change": asked.change, "closes": asked.closes.isoformat(), "by": person}


def tell_ended(here: Ledger, change: str) -> None:
    """Post how a change ended that has no run to say so."""
    stored, ticket = changes.get(here, change), build_ticket(changes.revision(here, change))
    ending = messages.Ending(
        outcome=stored.status,  # type: ignore[arg-type]
        reason=stored.reason,
        started=None,
        ended=stored.closed_at or now(),
        head=events.head(here, change),
    )
    post(messages.ended(change, ticket, ending), ending.ended, ticket.post_change.notify, change=change)


def build_intervention(dag_id: str, description: str, params: dict[str, Param], do: Do) -> DAG:
    """Return a DAG of one task that does what a person asks for."""
    with own_dag(dag_id, description, params=params, weight=FIRST) as dag:
        Intervene(task_id=dag_id, do=do)
    return dag


def build_extend_dag() -> DAG:
    """Return the DAG `extend_window`."""
    end = Param(type="string", format="date-time", title="New end", description=ZONE)
    description = "Move the end of a change's window to a later time; somebody else has to approve it."
    with own_dag("extend_window", description, params={"change": CHANGE, "end": end, "reason": REASON}) as dag:
        CheckExtension(task_id="check") >> ApproveExtension(task_id="approve")
    return dag


def build_reslot_dag() -> DAG:
    """Return the DAG `reslot_change`."""
    moments = {
        name: Param(type="string", format="date-time", title=title, description=ZONE)
        for name, title in (("start", "New start"), ("end", "New end"))
    }
    description = "Give a change that was missed, refused or not yet run another window; nothing else changes."
    with own_dag("reslot_change", description, params={"change": CHANGE, **moments}) as dag:
        pipeline(CheckMove(task_id="check"), has_dry_run=False)
    return dag
