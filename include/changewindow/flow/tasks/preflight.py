"""Preflight: waits for the window, for each check, and for the owner's confirmation; holds no worker meanwhile."""

import asyncio
from datetime import timedelta
from typing import Any

from airflow.sdk import BaseSensorOperator
from airflow.sdk.definitions.context import Context
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from changewindow.changes import confirming, handover
from changewindow.changes.handover import NotGood
from changewindow.changes.silencing import Silencing
from changewindow.flow.airflow_connection import of_ticket_in_trigger, past_in_trigger
from changewindow.flow.part import part_of, require_part, require_part_still, stands_in
from changewindow.flow.people import who_answered
from changewindow.flow.published_text import require_text_to_ask
from changewindow.flow.question import Question
from changewindow.flow.runtime import Run, log, now
from changewindow.flow.triggerer.arguments import BaselineArguments, GoodArguments, WindowArguments
from changewindow.flow.triggers import BaselineTrigger, GoodTrigger, WindowTrigger
from changewindow.flow.waiting import Waiting
from changewindow.ledger.payloads import Baseline, Checked, Confirmed
from changewindow.policy.sign_off import same_person
from changewindow.ticket.plan import Node
from changewindow.ticket.revision import PublishedChange
from changewindow.watch.baseline_readings import longest
from changewindow.watch.condition import Condition
from changewindow.watch.reading import level_of
from changewindow.watch.watch import Baselines, Decided, Wanted, until_good

BETWEEN_CHECKS = timedelta(seconds=5)


class ChangeSensor(Waiting, BaseSensorOperator):
    """A task of a change that waits without a worker."""

    def __init__(self, *, change: PublishedChange, node: Node, **options: Any) -> None:
        super().__init__(**options)
        self.change = change
        self.node = node


class WindowSensor(ChangeSensor):
    """Waits until the window opens; a run that comes too late, or has no part in its change, goes no further."""

    def execute(self, context: Context) -> None:
        """Wait without a worker; dry runs and rollbacks need no window."""
        run = Run(self.change, context)
        if run.mode != "run":
            return
        part = require_part(run)
        stands_in(run)
        if now() < run.intent.opens:
            log.info("the window opens %s UTC", f"{run.intent.opens:%Y-%m-%d %H:%M:%S}")
            arguments = WindowArguments(change=self.change.id, part=part, opens=run.intent.opens)
            self.wait_for(WindowTrigger.of(arguments), "opened")
        _require_open(run)

    def opened(self, context: Context, event: Any = None) -> None:
        """Go on, if it is neither ended by a person nor too late already; the gate records it and asks again."""
        run = Run(self.change, context)
        require_part_still(run, event)
        if event and event["verdict"] == "fail":
            raise AirflowFailException(f"{event['reason']}. Nothing was touched.")
        require_part(run)
        _require_open(run)


class CheckSensor(ChangeSensor):
    """Waits until conditions are good at the same time, and fails when they are not in time."""

    is_forward = True
    """Whether it asks before the change acts: people may abort that, and a rollback does without."""

    def conditions(self, run: Run) -> tuple[Condition, ...]:
        """Return what must be good."""
        return (run.ticket.preflight.checks[self.node.number - 1],)

    def before(self, run: Run) -> Baselines:
        """Return the baseline: here, nothing was before."""
        return {}

    def within(self, run: Run) -> timedelta:
        """Return how long it may take."""
        return run.ticket.preflight.within

    def settle(self, run: Run) -> timedelta:
        """Return how long all must stay good."""
        return run.ticket.preflight.settle

    def silencing(self, run: Run) -> Silencing | None:
        """Return what is silenced meanwhile: nothing before the gate."""
        return None

    def execute(self, context: Context) -> None:
        """Ask once at once, and go on asking without a worker when that was not good, or has to settle."""
        run = Run(self.change, context)
        if self.is_forward and run.mode == "rollback":
            raise AirflowSkipException("mode is rollback: an incident or a bad reading is no reason to keep the change")
        require_text_to_ask(run, forward=self.is_forward)
        settle = self.settle(run)
        first = ask_once(self.conditions(run), baselines=self.before(run), change=self.change.id)
        if first.verdict == "pass" and not settle:
            self.good(run, first.as_json())
            return
        arguments = GoodArguments(
            change=self.change.id if self.is_forward else None,
            part=part_of(run) if self.is_forward and run.mode == "run" else None,
            asker=self.change.id,
            conditions=self.conditions(run),
            every=BETWEEN_CHECKS,
            settle=settle,
            deadline=now() + self.within(run) + settle,
            before=dict(self.before(run)),
            silencing=self.silencing(run),
        )
        self.wait_for(GoodTrigger.of(arguments), "decided")

    def decided(self, context: Context, event: dict[str, Any]) -> None:
        """Take the event of the trigger."""
        run = Run(self.change, context)
        require_part_still(run, event)
        if event["verdict"] != "pass":
            self.bad(run, event)
        self.good(run, event)

    def good(self, run: Run, event: dict[str, Any]) -> None:
        """Record that it is good."""
        run.note(Checked(**event))

    def bad(self, run: Run, event: dict[str, Any]) -> None:
        """Record that it is not, and fail."""
        run.note(Checked(**event))
        run.hand_over(NotGood(reason=event["reason"]))
        raise AirflowFailException(f"Not good in time: {event['reason']}. Nothing was touched.")


class BaselineSensor(ChangeSensor):
    """Takes the baseline with which the watch compares; without it nothing is touched."""

    def execute(self, context: Context) -> None:
        """Read without a worker."""
        run = Run(self.change, context)
        if run.mode == "rollback":
            raise AirflowSkipException("mode is rollback: the baseline is in the ledger")
        require_text_to_ask(run)
        compared = run.ticket.compared
        within = longest(compared) + run.ticket.preflight.within
        part = part_of(run) if run.mode == "run" else None
        arguments = BaselineArguments(change=self.change.id, part=part, conditions=compared, deadline=now() + within)
        self.wait_for(BaselineTrigger.of(arguments), "taken")

    def taken(self, context: Context, event: dict[str, Any]) -> None:
        """Keep it for the watch and for the record."""
        run = Run(self.change, context)
        require_part_still(run, event)
        if event["verdict"] != "pass":
            run.hand_over(NotGood(reason=event["reason"]))
            raise AirflowFailException(f"There is nothing to compare with: {event['reason']}. Nothing was touched.")
        run.hand_over(handover.Baseline(readings=event["before"]))
        run.note(Baseline(before=event["before"]))


class Confirm(Question):
    """Asks the owner to tick each item of the checklist that no machine can check; every tick carries their name."""

    def __init__(self, *, change: PublishedChange, node: Node, **options: Any) -> None:
        self.items = list(change.ticket.preflight.confirmed)
        super().__init__(options=self.items, multiple=True, **options)
        self.change = change

    def execute(self, context: Context) -> Any:
        """Ask, for as long as the change could still start."""
        run = Run(self.change, context)
        if run.mode != "run":
            raise AirflowSkipException(f"mode is {run.mode}: nobody needs to confirm")
        part = require_part(run)
        require_text_to_ask(run)
        self.about = (run.change.id, part) if part else None
        subject = f"{run.change.id}: confirm what no machine can check"
        page = str(context["ti"].log_url).partition("/tasks/")[0]
        body = confirming.body(run.change.id, run.ticket, self.change.data, run.values, page=page)
        within = max(run.intent.closes - run.intent.needs - now(), timedelta(seconds=1))
        return self.ask(context, subject, body, people=[run.ticket.owner], within=within)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Take the ticks; one that is missing fails the preflight."""
        run = Run(self.change, context)
        owner = run.ticket.owner
        require_part_still(run, event)
        if event.get("verdict") == "fail":
            raise _refused(run, event["reason"])
        if event.get("error_type") == "timeout":
            raise _refused(run, f"{owner} did not answer while the change could still start")
        answer = super().execute_complete(context, event)
        by = who_answered(answer) or "nobody"
        ticked = list(answer["chosen_options"])
        run.note(Confirmed(items=tuple(ticked), by=by))
        log.info("%s confirmed: %s", by, "; ".join(ticked) or "nothing")
        if not same_person(by, owner):
            raise _refused(run, f"{by} answered, and {owner} has to", "Clear this task to ask again")
        missing = [item for item in self.items if item not in ticked]
        if missing:
            raise _refused(run, f"{by} did not confirm: {'; '.join(missing)}")
        return answer


def _refused(run: Run, reason: str, then: str = "Nothing was touched") -> AirflowFailException:
    """Leave the reason for the gate; return what fails the task."""
    run.hand_over(NotGood(reason=reason))
    return AirflowFailException(f"{reason}. {then}.")


def _require_open(run: Run) -> None:
    if run.intent.is_late(now()):
        raise AirflowFailException("It is too late to start in this window; the gate says more. Nothing was touched.")
    log.info("the window is open until %s UTC", f"{run.intent.closes:%Y-%m-%d %H:%M:%S}")


def log_line(line: str) -> None:
    """Log a reading, as loudly as it is bad."""
    log.log(level_of(line), "%s", line)


def ask_once(
    conditions: tuple[Condition, ...],
    *,
    change: str,
    within: timedelta = timedelta(0),
    present: tuple[Condition, ...] = (),
    baselines: Baselines | None = None,
) -> Decided:
    """Read conditions now, from a worker; go on for `within` until all are good, and those `present` can be read."""
    wanted = Wanted(conditions, timedelta(seconds=1), now() + within, present, baselines or {}, change)
    return asyncio.run(until_good(wanted, of_ticket_in_trigger, log=log_line, past=past_in_trigger))
