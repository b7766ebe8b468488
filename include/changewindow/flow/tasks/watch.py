"""The branching watch task: routes to `succeed` or to the first undo."""

from datetime import datetime
from typing import Any

from airflow.sdk.bases.branch import BranchMixIn
from airflow.sdk.definitions.context import Context
from airflow.sdk.exceptions import AirflowFailException
from airflow.sdk.execution_time.hitl import upsert_hitl_detail

from changewindow.changes import messages
from changewindow.documents.text import escaped
from changewindow.errors import ChangeError, LedgerDown
from changewindow.flow.people import assigned, who_answered
from changewindow.flow.runtime import Run, log, now
from changewindow.flow.tasks.messages import post
from changewindow.flow.tasks.preflight import ask_once
from changewindow.flow.tasks.steps import ChangeOperator
from changewindow.flow.triggers import WatchTrigger, dump
from changewindow.ledger import changes, payloads
from changewindow.policy.sign_off import same_person

UNDO, KEEP = "Take it back", "Keep it"


class Watch(ChangeOperator, BranchMixIn):
    """Watches until the change is proven good or must be taken back, and routes by that."""

    inherits_from_skipmixin = True

    def do(self, run: Run) -> Any:
        """Decide at once what needs no watching; else watch without a worker."""
        if run.is_dry:
            return self._dry(run)
        if not self._is_ours(run):
            return self._route(run, "nothing", "nothing was started in this run")
        aborted = self._aborted(run)
        if run.mode == "rollback":
            return self._route(run, "undo", str(run.params.get("reason") or "asked for by hand"))
        states, numbers = run.states(), range(1, len(run.ticket.actions) + 1)
        is_done = {f"apply_{one}": run.is_applied(one) for one in numbers}
        failed = [task for task, is_applied in is_done.items() if states.get(task) != "success" or not is_applied]
        started = [number for number in numbers if run.remembered(number) is not None]
        if not started:
            return self._route(run, "nothing", aborted or f"{', '.join(failed)}: no step started")
        if aborted:
            return self._route(run, "undo", aborted)
        if failed:
            named = ", ".join(
                f"{task} ({states.get(task)})" for task in failed if states.get(task) != "upstream_failed"
            )
            return self._route(run, "undo", f"{named or failed[0]} did not succeed; its log says why")
        return self._defer(run)

    def judged(self, context: Context, event: dict[str, Any]) -> Any:
        """Take the trigger's verdict, or a person's answer."""
        run = Run(self.change, context)
        if "chosen_options" in event:
            event = self._answered(run, event)
        run.note(payloads.Watched(**event))
        try:
            if not self._is_ours(run):
                raise AirflowFailException("This run does not hold the change any more; nothing is decided here.")
        except ChangeError as error:
            raise AirflowFailException(str(error)) from error
        if event["verdict"] == "ask":
            return self._ask(run, event["reason"])
        return self._route(run, "succeed" if event["verdict"] == "pass" else "undo", event["reason"])

    def _ask(self, run: Run, reason: str) -> None:
        """Ask the people of the change whether it is kept, while the watch goes on."""
        people, until = run.ticket.people, now() + run.ticket.watch.answer_within
        run.note(payloads.Asked(people=people, reason=reason, until=until))
        run.tell("asked", {"reason": reason})
        upsert_hitl_detail(
            ti_id=run.context["ti"].id,
            options=[UNDO, KEEP],
            subject=f"{run.change.id}: too little is known. Keep the change?",
            body=f"{escaped(run.ticket.summary)}\n\n{escaped(reason)}\n\nThe watch goes on reading; what it finds bad "
            f"is taken back at once. With no answer by {until:%H:%M} UTC the change is taken back.",
            params={},
            assigned_users=assigned(people),
        )
        post(messages.asking(run.change.id, run.ticket, reason), run.ticket.post_change.notify)
        self._read(run, datetime.fromisoformat(run.told(self.task_id, "since")), asked_until=until)

    def _answered(self, run: Run, event: dict[str, Any]) -> dict[str, Any]:
        """Return what a person's answer decides; who was not asked cannot keep the change."""
        person, chosen = who_answered(event), event["chosen_options"]
        asked = run.told(self.task_id, "asked")["reason"]
        run.note(payloads.Answered(by=person, answer=chosen))
        if not any(same_person(person, one) for one in run.ticket.people):
            named = ", ".join(run.ticket.people)
            return {"verdict": "fail", "reason": f"{person or 'nobody'} answered, {named} were asked; {asked}"}
        if chosen == [KEEP]:
            return {"verdict": "pass", "reason": f"{person} keeps it, though {asked}"}
        return {"verdict": "fail", "reason": f"{person} takes it back: {asked}"}

    def _defer(self, run: Run) -> None:
        watch = run.ticket.watch
        since: datetime = now() + watch.settle
        run.note(payloads.Watching(since=since, seconds=watch.length.total_seconds()))
        run.tell("since", since.isoformat())
        self._read(run, since)

    def _read(self, run: Run, since: datetime, *, asked_until: datetime | None = None) -> None:
        watch = run.ticket.watch
        trigger = WatchTrigger(
            change=run.change.id,
            run=run.id,
            conditions=dump(run.ticket.conditions),
            since=since.isoformat(),
            length=watch.length.total_seconds(),
            every=watch.every.total_seconds(),
            at_first=watch.at_first.total_seconds(),
            later=watch.later.total_seconds() if watch.later else None,
            unknown="ask" if watch.when_unknown == "ask" else "fail",
            asked_until=asked_until.isoformat() if asked_until else None,
            before=run.before(),
        )
        self.defer(trigger=trigger, method_name="judged")

    def _dry(self, run: Run) -> Any:
        """Read each condition once, so that a dry run shows that it can be read."""
        decided = ask_once(run.ticket.conditions, before=run.before(), change=run.change.id)
        log.info("one sample, for the dry run: %s (%s)", decided.verdict, decided.reason)
        states = run.states()
        failed = [task for task in sorted(self._apply_tasks(run)) if states.get(task) != "success"]
        if failed:
            return self._route(run, "nothing", f"dry run: {', '.join(failed)} failed")
        return self._route(run, "succeed", f"dry run: {decided.reason}")

    def _is_ours(self, run: Run) -> bool:
        """Return whether this run passed the gate and has not ended; without the ledger, whether the gate said so."""
        try:
            found = changes.get(run.ledger, run.change.id)
        except LedgerDown as down:
            log.warning("%s", down)
            return run.told("gate", "passed") is not None
        return found.status == "running" and found.run == run.id

    def _aborted(self, run: Run) -> str | None:
        """Return who aborted the change and why, as far as the ledger can say."""
        try:
            return changes.get(run.ledger, run.change.id).aborted
        except LedgerDown:
            return None

    def _apply_tasks(self, run: Run) -> list[str]:
        return [f"apply_{number}" for number in range(1, len(run.ticket.actions) + 1)]

    def _route(self, run: Run, route: str, reason: str) -> Any:
        """Leave the decision for the other tasks, and branch."""
        log.info("%s: %s", route, reason)
        run.tell("decision", {"route": route, "reason": reason})
        if not run.is_dry and route != "nothing":
            run.note(payloads.WatchDecided(route=route, reason=reason))
        first_undo = f"undo_{len(run.ticket.actions)}"
        return self.do_branch(run.context, {"succeed": "succeed", "undo": first_undo}.get(route))
