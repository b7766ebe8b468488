"""The DAGs by which a person intervenes: cancel, abort, release, stop the line, move a change."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, BaseOperator, Param
from airflow.sdk.definitions.context import Context

from changewindow.changes import messages
from changewindow.changes.request import Request
from changewindow.flow.dags.request import Check, moment_of, pipeline
from changewindow.flow.noted import note, refusal_noted
from changewindow.flow.own_dag import ZONE, own_dag
from changewindow.flow.posting import post
from changewindow.flow.rights import require
from changewindow.flow.runtime import ledger, now, person_of
from changewindow.flow.weights import FIRST
from changewindow.ledger import changes, events, leases, stops
from changewindow.ledger.database import Ledger
from changewindow.ticket.reader import build_ticket

Do = Callable[[Ledger, dict[str, Any], str], str]
"""Acts on the ledger with the run's parameters, for a person; returns what was done."""
CHANGE = Param(type="string", pattern="^CHG-[1-9][0-9]*$", title="Change", description="Its id, like CHG-1042.")
REASON = Param(type="string", minLength=3, maxLength=500, title="Reason", description="Why, for the record.")


class Intervene(BaseOperator):
    """Does what a person asks for; its log says what was done, or why not."""

    def __init__(self, *, do: Do, **options: Any) -> None:
        super().__init__(**options)
        self.act = do

    def execute(self, context: Context) -> str:
        """Act for the person who triggered the run."""
        person = person_of(context)
        with refusal_noted(context, ValueError):
            require(context, self.dag_id)
            done = self.act(ledger(), dict(context["params"]), person)
        note(context, [f"{person}: {done}"])
        return done


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
        lifted = [sentence.removeprefix("the line is ") for sentence in stops.lift(here, person=person, now=at)]
        post(messages.message(f"▶️ THE LINE RUNS AGAIN, lifted by @{person}: {params['reason']}"), at)
        ended = f"the line runs again. Lifted: {'; '.join(lifted)}"
        return ended if lifted else "the line was not stopped; nothing had to be lifted"
    until = at + timedelta(hours=float(params["hours"]))
    stops.stop(here, person=person, reason=params["reason"], now=at, until=until)
    end, reason = f"until {until:%Y-%m-%d %H:%M} UTC", params["reason"]
    post(messages.message(f"⛔ THE LINE IS STOPPED {end} by @{person}: {reason}"), at)
    return f"no change starts and no step is applied {end}: {reason}"


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
