"""The edges of a running task: clock, connections, ledger, log, and what the tasks of a run hand over to each other."""

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from airflow.sdk.definitions.context import Context as AirflowContext

from changewindow import settings
from changewindow.changes import handover
from changewindow.changes.handover import F, Fact
from changewindow.changes.run_memory import Holder, applied_values
from changewindow.changes.step_lock import StepLock
from changewindow.documents import parameters
from changewindow.errors import BadPolicy, LedgerDown, LedgerUnknown, MemoryUnknown, SealKeyMissing
from changewindow.flow import xcoms
from changewindow.flow.airflow_connection import connection, of_ticket
from changewindow.flow.secrecy import SECRETS, clean
from changewindow.ledger import changes, events
from changewindow.ledger.database import Ledger
from changewindow.ledger.events import Event, P
from changewindow.ledger.payloads import Payload
from changewindow.ledger.spool import Spool
from changewindow.policy.assessment import Assessment
from changewindow.policy.load import load_policy
from changewindow.policy.model import Policy
from changewindow.policy.standing import Assessed, Intent, Mode
from changewindow.systems.context import Context, Ended
from changewindow.ticket.model import Ticket
from changewindow.ticket.revision import PublishedChange

log = logging.getLogger("changewindow")


def now() -> datetime:
    """Return the present, in UTC; the core gets it as an argument."""
    return datetime.now(UTC)


def ledger() -> Ledger:
    """Return the ledger behind the connection `changewindow_ledger`."""
    return Ledger(connection(settings.LEDGER_CONNECTION).database_url)


def policy() -> Policy:
    """Return the policy as its files are now.

    Raises:
        BadPolicy: it cannot be read.
    """
    places = settings.read()
    return load_policy(places.policy, places.templates)


def person_of(context: AirflowContext) -> str:
    """Return who triggered a run, as Airflow has authenticated them."""
    person: str | None = context["dag_run"].triggering_user_name
    return person or "unknown"


@dataclass
class Run:
    """One run of a change, seen from inside one of its tasks."""

    change: PublishedChange
    context: AirflowContext

    @property
    def id(self) -> str:
        """Return the run's id."""
        return str(self.context["run_id"])

    @property
    def task(self) -> str:
        """Return the id of the task that is running."""
        return str(self.context["ti"].task_id)

    @property
    def params(self) -> dict[str, Any]:
        """Return the run's parameters."""
        return dict(self.context["params"])

    @property
    def mode(self) -> Mode:
        """Return what the run is for."""
        mode: Mode = self.params.get("mode") or "run"
        return mode

    @property
    def is_dry(self) -> bool:
        """Return whether nothing may act."""
        return self.mode == "dry_run"

    @cached_property
    def values(self) -> dict[str, Any]:
        """Return what is chosen for parameters in place of their defaults; in a rollback, what was chosen for apply.

        Raises:
            MemoryUnknown: a rollback cannot read it now.
        """
        chosen = applied_values(self) if self.mode == "rollback" else self.params
        usual = parameters.defaults(self.change.data)
        return {name: chosen[name] for name in usual if chosen.get(name, usual[name]) != usual[name]}

    @cached_property
    def ticket(self) -> Ticket:
        """Return the ticket with this run's values.

        Raises:
            MemoryUnknown: a rollback cannot read them now.
        """
        return self.change.chosen(self.values)

    @cached_property
    def ledger(self) -> Ledger:
        """Return the ledger."""
        return ledger()

    @cached_property
    def spool(self) -> Spool:
        """Return the spool of this host."""
        return Spool(self.ledger, settings.read().spool)

    @cached_property
    def closes(self) -> datetime:
        """Return the end of the window; the ledger knows of an extension, without it the ticket's own end holds."""
        try:
            return changes.get(self.ledger, self.change.id).closes
        except (LedgerDown, LedgerUnknown) as error:
            log.warning("%s", error)
            return self.ticket.window.closes

    @cached_property
    def assessment(self) -> Assessment:
        """Return the assessment of this change by the policy of now.

        Raises:
            BadPolicy: the policy cannot be read.
        """
        return Assessment(policy(), self.ticket, self.change.data, self.change.id)

    @property
    def assessed(self) -> Assessed:
        """Return the same, or why the policy cannot be read; nothing for a rollback, to which no policy applies."""
        try:
            return None if self.mode == "rollback" else self.assessment
        except BadPolicy as bad:
            return bad

    @property
    def intent(self) -> Intent:
        """Return what this run is about to do; who must have approved it is the assessment's to say."""
        return Intent(
            self.id,
            self.change.digest,
            self.ticket.window.opens,
            self.closes,
            self.ticket.needs,
            self.mode,
            is_emergency=self.ticket.type == "emergency",
            values=self.values,
        )

    @property
    def step_lock(self) -> StepLock:
        """Return where turns to act are taken."""
        return StepLock(self.ledger, self.change.id, now, log.info)

    def step_context(self, number: int, *, apply_ended: Ended = "applied") -> Context:
        """Return what a step may use."""
        more: Any = {"dry_run": self.is_dry, "apply_ended": apply_ended, "secrets": SECRETS}
        return Context(self.change.id, number, of_ticket, log.info, **more)

    def event(self, payload: Payload) -> Event:
        """Return an event of this task, with the moment and the run."""
        return Event(self.change.id, f"{self.id}/{self.task}", now(), clean(payload, run=self.id, is_dry=self.is_dry))

    def record(self, payload: Payload) -> None:
        """Write an event; raises LedgerDown, for what must be written before acting."""
        self.spool.drain()
        events.record(self.ledger, self.event(payload))

    def note(self, payload: Payload) -> None:
        """Write an event now, or later when the ledger is down."""
        if not self.spool.record(self.event(payload)):
            log.warning("the ledger is down; the event '%s' waits in %s", payload.kind, self.spool.path)

    def past(self, of: type[P]) -> list[P]:
        """Return what events of a kind say, oldest first; of this run, or of every run in mode rollback."""
        return [payload for payload in self.recorded(of) if isinstance(payload, of)]

    def recorded(self, *of: type[Payload]) -> list[Payload]:
        """Return the same of some kinds, in the order in which they were written; see `events.recorded`."""
        written = events.recorded(self.ledger, self.change.id, *of)
        return [payload for payload in written if self.mode == "rollback" or payload.run == self.id]

    def hand_over(self, fact: Fact) -> None:
        """Leave something for the other tasks of this run; without a key for its seal, the ledger alone has it."""
        try:
            xcoms.leave(self.context, clean(fact))
        except SealKeyMissing as missing:
            log.warning("%s", missing)

    def handed(self, fact: type[F], task: str, step: int = 0) -> F | None:
        """Return what another task of this run handed over, or None when it did not.

        Raises:
            MemoryUnknown: what is there does not have the seal of that task; any user may have edited it.
        """
        try:
            return xcoms.take(self.context, fact, task, step)
        except (ValueError, SealKeyMissing) as error:
            key = handover.key_of(fact, step)
            raise self.unknown(f"what '{task}' handed over", f"Its XCom '{key}' is refused ({error})") from error

    def unknown(self, what: str, why: object) -> MemoryUnknown:
        """Return the error that says what is not known of this run."""
        return MemoryUnknown(self.change.id, what, why)

    def leave_note(self, text: str) -> None:
        """Leave what the note of the run is to say; the newest one counts."""
        xcoms.leave_note(self.context, text)

    def states(self) -> dict[str, str | None]:
        """Return the state of each task of this run by its id."""
        runs = self.context["ti"].get_task_states(dag_id=self.change.id, run_ids=[self.id])
        states: dict[str, str | None] = runs.get(self.id, {})
        return states

    def holder(self) -> Holder:
        """Return who holds the change, as the ledger knows it.

        Raises:
            LedgerDown: the ledger cannot be read.
        """
        change = changes.get(self.ledger, self.change.id)
        return Holder(change.status, change.run, change.aborted)

    @property
    def is_first_try(self) -> bool:
        """Return whether this task has never been started before in this run."""
        return bool(self.context["ti"].try_number == 1)

    @property
    def is_last_try(self) -> bool:
        """Return whether Airflow does not try this task again when it fails."""
        task_instance = self.context["ti"]
        return bool(task_instance.try_number > task_instance.max_tries)
