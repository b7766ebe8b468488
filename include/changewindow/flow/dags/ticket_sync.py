"""The DAG that reads tickets from a directory or a git repository and submits what is new or changed."""

import tempfile
from contextlib import ExitStack
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, BaseOperator
from airflow.sdk.definitions.context import Context
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from changewindow import settings
from changewindow.changes import ticket_sync
from changewindow.changes.approving import assessment_of, intent_of
from changewindow.changes.ticket_people import SIGNERS
from changewindow.changes.ticket_sync import Synced, Written
from changewindow.errors import ApprovalRefused, ChangeError, UnknownConnection
from changewindow.flow.airflow_connection import connection
from changewindow.flow.own_dag import own_dag
from changewindow.flow.run_request import MOST, RunRequest, run_request
from changewindow.flow.runtime import ledger, log, now, policy
from changewindow.ledger import approvals, queries
from changewindow.ledger.models import Change
from changewindow.policy.model import Policy

REQUEST = "request_change"


class Sync(BaseOperator):
    """Puts tickets that are new or changed into the ledger; returns the requests that have them approved."""

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Return, for each change that waits for approvals, what triggers its request.

        A run that died half-way is made up for by the next one: the id of a request is that of its text.
        """
        try:
            here, rules = ledger(), policy()
            with ExitStack() as stack:
                folder, name = self._place(stack)
                files = ticket_sync.tickets(folder, name, settings.read().policy / SIGNERS)
                synced = [ticket_sync.sync(here, rules, ticket, now=now()) for ticket in files]
        except ChangeError as error:
            log.error("%s", error)
            raise AirflowFailException(str(error)) from error
        for ticket in synced:
            self._report(ticket)
        context["ti"].xcom_push(key="wrong", value=[ticket.error for ticket in synced if ticket.error])
        read = [
            (ticket.written, queries.of_origin(here, ticket.written.origin)) for ticket in synced if not ticket.error
        ]
        waiting = [(written, change) for written, change in read if change and change.status == "submitted"]
        for written, change in waiting:
            self._count_the_merge(rules, written, change)
        return [run_request(context, REQUEST, run, {"change": change}) for run, change in _unasked(context, waiting)]

    def _place(self, stack: ExitStack) -> tuple[Path, str]:
        """Return the folder of tickets and its name: a fresh clone, or a directory of this host."""
        try:
            given = connection(settings.TICKETS_CONNECTION)
        except UnknownConnection:
            folder = settings.read().tickets
            if folder is None:
                raise AirflowSkipException(
                    f"No tickets to sync: create the git connection '{settings.TICKETS_CONNECTION}', or set "
                    "CHANGEWINDOW_TICKETS to a directory."
                ) from None
            return folder, folder.name
        workspace = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="changewindow-tickets-")))
        branch = str(given.extra.get("branch") or "main")
        ticket_sync.clone(given.host, branch, workspace / "tickets")
        return workspace / "tickets" / str(given.extra.get("folder") or ""), settings.TICKETS_CONNECTION

    def _report(self, ticket: Synced) -> None:
        if ticket.error:
            log.error("%s", ticket.error)
        elif ticket.taken is None:
            log.info("%s: nothing to do", ticket.written.origin)
        else:
            log.info(
                "%s is %s, written by %s", ticket.written.origin, ticket.taken.change, ticket.written.people.author
            )

    def _count_the_merge(self, rules: Policy, written: Written, change: Change) -> None:
        """Take the merge as the approval of who merged, if the policy says so and that is somebody else."""
        if not rules.approvals.merge_counts:
            return
        people = written.people
        if people.merger is None:
            log.warning("%s: its merge does not count as an approval: %s", change.id, people.unproven)
            return
        intent = intent_of(change, assessment_of(ledger(), change.id, rules))
        try:
            approvals.decide(ledger(), change.id, intent, person=people.merger, is_yes=True, now=now())
            log.info("%s: merged by %s, whose signature is good; it counts as an approval", change.id, people.merger)
        except ApprovalRefused as error:
            log.info("the merge does not count: %s", error)


def _unasked(context: Context, waiting: list[tuple[Written, Change]]) -> list[tuple[str, str]]:
    """Return the run and the change of each request; of very many, the first that have none yet."""
    named = [(f"sync_{change.id}_{change.digest[:12]}", change.id) for _, change in waiting]
    if len(named) <= MOST:
        return named
    has_none = (run for run in named if not context["ti"].get_dr_count(dag_id=REQUEST, run_ids=[run[0]]))
    return list(islice(has_none, MOST))


class Complain(BaseOperator):
    """Is red when a ticket could not be taken in."""

    def execute(self, context: Context) -> None:
        """Say which."""
        wrong = context["ti"].xcom_pull(task_ids="sync", key="wrong") or []
        if wrong:
            raise AirflowFailException("\n".join([f"{len(wrong)} tickets could not be taken in:", *wrong]))


def build_sync_dag() -> DAG:
    """Return the DAG `sync_tickets`."""
    description = "Reads tickets from a directory or a git repository and asks for what is new or changed."
    with own_dag("sync_tickets", description, every=timedelta(minutes=10), at_once=1) as dag:
        sync = Sync(task_id="sync", execution_timeout=timedelta(minutes=5))
        request = RunRequest.partial(task_id="request", skip_when_already_exists=True)
        request.expand_kwargs(sync.output)
        sync >> Complain(task_id="complain")
    return dag
