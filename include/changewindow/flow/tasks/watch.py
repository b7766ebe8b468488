"""The branching watch task: routes to `succeed` or to the first undo."""

import asyncio
import logging
from datetime import datetime, timedelta
from typing import Any, Literal

from airflow.sdk.bases.branch import BranchMixIn
from airflow.sdk.definitions.context import Context
from airflow.sdk.exceptions import AirflowFailException
from airflow.sdk.execution_time.hitl import upsert_hitl_detail

from changewindow.changes import messages, run_memory
from changewindow.changes.handover import Applied, Asked, Decision, Watching
from changewindow.changes.routing import KEEP, UNDO, by_answer, route_at_once, route_dry
from changewindow.changes.silencing import Silencing
from changewindow.documents.text import escaped
from changewindow.errors import ChangeError
from changewindow.flow.airflow_connection import of_ticket_in_trigger, past_in_trigger
from changewindow.flow.declared import declared
from changewindow.flow.people import assigned, who_answered
from changewindow.flow.posting import post
from changewindow.flow.published_text import require_text, require_text_of_run
from changewindow.flow.runtime import Run, log, now
from changewindow.flow.tasks.preflight import ask_once, log_line
from changewindow.flow.tasks.steps import ChangeOperator
from changewindow.flow.triggerer.arguments import WatchArguments
from changewindow.flow.triggers import WatchTrigger
from changewindow.ledger import payloads, questions, watches
from changewindow.ledger.watches import Kept
from changewindow.watch.watch import Decided, first_sample

SOON = timedelta(seconds=2)
"""How long it may take until a trigger runs: a first sample that is due by then is taken by the task."""
DECISIONS = {
    "succeed": (logging.INFO, "the change is kept"),
    "undo": (logging.WARNING, "the change is rolled back"),
    "nothing": (logging.INFO, "nothing to keep or to roll back"),
}
"""What the log says of each route, and how loudly."""


class Watch(ChangeOperator, BranchMixIn):
    """Watches until the change is proven good or must be rolled back, and routes by that."""

    inherits_from_skipmixin = True

    def do(self, run: Run) -> Any:
        """Decide at once what needs no watching; else watch without a worker."""
        steps = len(run.ticket.steps)
        if run.is_dry:
            require_text(run, forward=True)
            sample = ask_once(run.ticket.conditions, baselines=self._before(run), change=run.change.id)
            log.info("one sample, for the dry run: %s (%s)", sample.verdict, sample.reason)
            return self._route(run, route_dry(run, steps=steps, reason=sample.reason))
        decided = route_at_once(run, steps=steps, reason=run.params.get("reason"))
        if decided:
            return self._route(run, decided)
        require_text_of_run(run)
        if not run.ticket.conditions and (emergency := declared(run)):
            because = f"nothing is measured, as it was declared: {emergency.unwatched_because}"
            return self._route(run, Decision(route="succeed", reason=because))
        return self._begin(run)

    def judged(self, context: Context, event: dict[str, Any]) -> Any:
        """Take the trigger's verdict, or a person's answer."""
        run = Run(self.change, context)
        if "chosen_options" in event:
            event = self._answered(run, event)
        run.note(payloads.Watched(**event))
        event = self._overruled(run, event)
        try:
            require_text_of_run(run)
            is_ours = run_memory.is_ours(run)
        except ChangeError as error:
            raise AirflowFailException(str(error)) from error
        if not is_ours:
            raise AirflowFailException("This run does not hold the change any more; nothing is decided here.")
        if event["verdict"] == "ask":
            return self._ask(run, event["reason"])
        route: Literal["succeed", "undo"] = "succeed" if event["verdict"] == "pass" else "undo"
        return self._route(run, Decision(route=route, reason=event["reason"]))

    def _ask(self, run: Run, reason: str) -> Any:
        """Ask the people of the change whether it is kept, while the watch goes on."""
        people, asked = run.ticket.people, now()
        until = asked + run.ticket.watch.answer_within
        run.note(payloads.Asked(people=people, reason=reason, until=until))
        run.hand_over(Asked(reason=reason))
        upsert_hitl_detail(
            ti_id=run.context["ti"].id,
            options=[UNDO, KEEP],
            subject=f"{run.change.id}: too little is known. Keep the change?",
            body=f"{escaped(run.ticket.summary)}\n\n{escaped(reason)}\n\nThe watch goes on reading; what it finds bad "
            f"is rolled back at once. With no answer by {until:%H:%M} UTC the change is rolled back.",
            params={},
            assigned_users=assigned(people),
        )
        asking = messages.asking(run.change.id, run.ticket, reason)
        post(asking, asked, run.ticket.post_change.notify, change=run.change.id)
        watching = run_memory.legible(run, Watching, self.task_id)
        return self._read(run, watching.since if watching else now(), asked_until=until)

    def _answered(self, run: Run, event: dict[str, Any]) -> dict[str, Any]:
        """Record a person's answer; return what it decides."""
        person, chosen = who_answered(event), event["chosen_options"]
        asked = run_memory.legible(run, Asked, self.task_id)
        because = asked.reason if asked else "too little is known"
        given = self._first_answer(run, payloads.Answered(run=run.id, by=person, answer=tuple(chosen)))
        keeps = list(given.answer) == [KEEP]
        verdict, reason = by_answer(given.by, run.ticket.people, keeps=keeps, because=because)
        return {"verdict": verdict, "reason": reason}

    def _first_answer(self, run: Run, given: payloads.Answered) -> payloads.Answered:
        """Record an answer, unless the question has one already; return the one that counts."""
        actor = f"{run.id}/{self.task_id}"
        try:
            return questions.answer(run.ledger, run.change.id, given, actor=actor, now=now())
        except ChangeError as error:
            log.warning("whether somebody else has answered is not known: %s", error)
            run.note(given)
            return given

    def _overruled(self, run: Run, event: dict[str, Any]) -> dict[str, Any]:
        """Return what is decided, once nobody is asked any more: to roll it back, if somebody answered so just before.

        What has been recorded as counting is not passed over because the watch came to its end in the same second.
        """
        if event["verdict"] != "pass" or run.ticket.watch.when_unknown != "ask":
            return event
        try:
            given = questions.answers(run.ledger, run.change.id, run.id)
        except ChangeError as error:
            log.warning("whether somebody has answered is not known: %s", error)
            return event
        if given is None or list(given.answer) == [KEEP]:
            return event
        verdict, reason = by_answer(given.by, run.ticket.people, keeps=False, because=event["reason"])
        run.note(payloads.Watched(verdict=verdict, reason=reason))
        return {"verdict": verdict, "reason": reason}

    def _begin(self, run: Run) -> Any:
        watch, steps = run.ticket.watch, len(run.ticket.steps)
        since: datetime = now() + watch.settle
        run.note(payloads.Watching(since=since, seconds=watch.length.total_seconds()))
        run.hand_over(Watching(since=since))
        applied = run_memory.legible(run, Applied, f"apply_{steps}")
        return self._read(run, since, first_by=applied.at + watch.settle + watch.every if applied else None)

    def _read(
        self, run: Run, since: datetime, *, first_by: datetime | None = None, asked_until: datetime | None = None
    ) -> Any:
        """Read without a worker; what would be read too late by then is read here, and routes as if it were there."""
        watch = run.ticket.watch
        arguments = WatchArguments(
            change=run.change.id,
            run=run.id,
            conditions=run.ticket.conditions,
            since=since,
            length=watch.length,
            every=watch.every,
            at_first=watch.at_first,
            later=watch.later,
            unknown="ask" if watch.when_unknown == "ask" else "fail",
            first_by=first_by,
            asked_until=asked_until,
            before=self._before(run),
            silencing=Silencing.of(run.change.id, run.id, run.ticket),
        )
        trigger = WatchTrigger.of(arguments)
        decided = self._first(run, trigger) if first_by and first_by <= now() + SOON else None
        if decided:
            return self.judged(run.context, decided.as_json())
        self.wait_for(trigger, "judged")
        return None

    def _first(self, run: Run, trigger: WatchTrigger) -> Decided | None:
        """Take the first sample, and leave it for the trigger, which goes on from there; return what it decides."""
        reading = first_sample(trigger.soon(), of_ticket_in_trigger, log=log_line, past=past_in_trigger)
        progress, decided = asyncio.run(reading)
        try:
            watches.keep(run.ledger, [Kept(run.change.id, run.id, progress, now())])
        except ChangeError as error:
            log.warning("the first sample is not kept, so the trigger begins anew: %s", error)
        return decided

    def _before(self, run: Run) -> dict[str, list[float]]:
        return run_memory.baseline(run, run.ticket.conditions)

    def _route(self, run: Run, decided: Decision) -> Any:
        """Leave the decision for the other tasks, and branch."""
        level, sentence = DECISIONS[decided.route]
        log.log(level, "%s: %s", sentence, decided.reason)
        run.hand_over(decided)
        if not run.is_dry and decided.route != "nothing":
            run.note(payloads.WatchDecided(route=decided.route, reason=decided.reason))
        first_undo = f"undo_{len(run.ticket.steps)}"
        return self.do_branch(run.context, {"succeed": "succeed", "undo": first_undo}.get(decided.route))
