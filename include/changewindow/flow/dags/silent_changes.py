"""The DAG that finds the changes that nobody asked for: a red run, and a message to the owners of the service."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

from airflow.sdk import DAG
from airflow.sdk.definitions.context import Context
from airflow.sdk.exceptions import AirflowFailException

from changewindow import settings
from changewindow.changes import messages
from changewindow.changes.put_back import SHOWN, NotPutBack, actions, ticket_of
from changewindow.changes.silent_pass import of_the_world, text_of
from changewindow.collectors.base import CollectorBase
from changewindow.errors import BadPolicy, ChangeError
from changewindow.flow.own_dag import own_dag
from changewindow.flow.posting import post
from changewindow.flow.runtime import ledger, log, now
from changewindow.flow.triggerer.arguments import SilentArguments
from changewindow.flow.triggerer.silent_trigger import SilentTrigger
from changewindow.flow.waiting import Waiting
from changewindow.flow.xcoms import leave_note
from changewindow.ledger import findings
from changewindow.ledger.findings import Recorded
from changewindow.ledger.findings_search import Wanted
from changewindow.policy.collectors import FILE, load_collectors
from changewindow.policy.load import load_catalogue

DESCRIPTION = "Finds changes that nobody asked for, and tells the owners of the service. It only reads."
EVERY = timedelta(minutes=15)
NONE = (
    "No collector is configured, so nobody looks. Add some to {} of the policy: `changewindow kinds` lists them, "
    "`changewindow kinds git` shows one."
)
OTHERWISE = (
    "record what was done by hand: `changewindow record --finding NUMBER …`, or the DAG `record_change`",
    "accept until a day: the DAG `accept_finding`, with numbers, a reason and an end",
)
"""What can be done about any finding, beside taking it back."""
NOW = "Take each back (the log has the tickets), record it (`record_change`), or accept it (`accept_finding`)."
PASTE = "to take finding %s back, fill in every <blank> and paste this into the form of request_change:\n%s"


class FindSilentChanges(Waiting):
    """Looks without a worker, and says what is new."""

    def execute(self, context: Context) -> None:
        """Have the triggerer make a pass; without collectors, say how to add one."""
        folder = settings.read().policy
        loaded = load_collectors(folder)
        if wrong := loaded.mistakes(folder):
            raise _failed(context, ["The collectors cannot be read, so nobody looks.", *wrong])
        if not of_the_world(loaded.collectors):
            log.warning(NONE.format(FILE))
            leave_note(context, NONE.format(FILE))
            return
        self.wait_for(SilentTrigger.of(SilentArguments()), "looked")

    def looked(self, context: Context, event: dict[str, Any]) -> None:
        """Tell the owners of what is new; what a run could not tell before it died, the next one does.

        Raises:
            AirflowFailException: there is something new, or the pass could not be made.
        """
        if event["verdict"] == "fail":
            raise _failed(context, [event["reason"]])
        try:
            untold = findings.find(ledger(), Wanted(is_untold=True))
            collectors = load_collectors(settings.read().policy).collectors if untold else {}
            for services in dict.fromkeys(each.finding.services for each in untold):
                _tell([each for each in untold if each.finding.services == services], services, collectors)
        except ChangeError as error:
            raise _failed(context, [str(error)]) from error
        if not untold:
            leave_note(context, f"nothing new; asked: {', '.join(event['collectors'])}")
            return
        _write_tickets(untold, collectors)
        raise _failed(context, [f"new findings: {len(untold)}", NOW, *text_of(untold)])


def _tell(untold: Sequence[Recorded], services: tuple[str, ...], collectors: Mapping[str, CollectorBase]) -> None:
    head = f"🔎 SILENT CHANGES on {', '.join(services) or 'what belongs to no service'}: nobody announced this"
    owners = " ".join(f"@{owner}" for owner in _owners(services))
    ask = [f"{owners}: take it back, record it, or accept it"] if owners else []
    at = now()
    post(messages.message(head, *text_of(untold), *ask, *actions(untold, collectors), *OTHERWISE), at)
    findings.tell(ledger(), [each.number for each in untold], settings.ROOM, now=at)


def _write_tickets(untold: Sequence[Recorded], collectors: Mapping[str, CollectorBase]) -> None:
    """Write the tickets that take findings back into the log, to be pasted into the form of `request_change`."""
    with suppress(BadPolicy):  # then no change can be asked for, and the policy says so elsewhere
        services = load_catalogue(settings.read().policy)
        for recorded in untold[:SHOWN]:
            with suppress(NotPutBack):
                log.info(PASTE, recorded.number, ticket_of(recorded, collectors, services))


def _failed(context: Context, lines: Sequence[str]) -> AirflowFailException:
    """Leave in the note why the run is red, and return what makes it so."""
    leave_note(context, "\n".join(lines))
    return AirflowFailException("\n".join(lines))


def _owners(services: Sequence[str]) -> tuple[str, ...]:
    try:
        return load_catalogue(settings.read().policy).owners(services)
    except BadPolicy as bad:
        log.warning("who owns it is not known: %s", bad)
        return ()


def build_silent_changes_dag() -> DAG:
    """Return the DAG `silent_changes`."""
    with own_dag("silent_changes", DESCRIPTION, every=EVERY, at_once=1) as dag:
        FindSilentChanges(task_id="look", execution_timeout=timedelta(minutes=10))
    return dag
