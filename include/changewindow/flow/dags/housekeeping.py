"""The DAG that ends what nobody else will: it rolls back changes whose run died, or calls a person."""

from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, BaseOperator
from airflow.sdk.definitions.context import Context
from airflow.sdk.exceptions import AirflowFailException, AirflowRuntimeError

from changewindow import settings
from changewindow.changes import housekeeping
from changewindow.changes.direct_ingestion import Ingestion, folder_of, take_in_all
from changewindow.changes.earlier_publication import replace_earlier
from changewindow.errors import ChangeError, PlatformError
from changewindow.flow.bundle import require_bundle
from changewindow.flow.closing import closing_by_policy_of
from changewindow.flow.dags.chasing import chase
from changewindow.flow.dags.interventions import tell_ended
from changewindow.flow.owed import emergencies
from changewindow.flow.own_dag import DRILL, EMERGENCY, own_dag
from changewindow.flow.posting import post
from changewindow.flow.publishing import publish_change
from changewindow.flow.run_request import MOST, RunRequest, run_request
from changewindow.flow.runtime import ledger, log, now, policy
from changewindow.flow.weights import FIRST
from changewindow.ledger import changes
from changewindow.ledger.database import Ledger
from changewindow.ledger.spool import Spool

OPEN = ["queued", "running"]


class LookAfter(BaseOperator):
    """Looks after what was left; returns the runs that roll changes back."""

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Return, for each change whose run died, what triggers the run that rolls it back."""
        here, bundle = ledger(), settings.read().published
        Spool(here, settings.read().spool).drain()
        _take_in_journals(here)

        def is_alive(change: str, run: str | None) -> bool:
            return is_open(context, change, run) or is_being_declared(context, changes.get(here, change).origin)

        self._publish_missing(context, here, bundle)
        for change in housekeeping.missed(here, is_alive, now()):
            log.warning("%s: %s", change.id, change.reason)
            tell_ended(here, change.id)
        for asked in housekeeping.unanswered(here, partial(is_open, context), now()):
            log.warning("%s ended before anybody answered; the window stays as it is", asked)

        def is_paused(change: str) -> bool:
            try:
                return bool(context["ti"].get_dag(change).is_paused)
            except AirflowRuntimeError as error:
                log.warning("Airflow does not know the DAG of %s: %s", change, error)
                return False

        for identity in housekeeping.frozen(here, is_paused):
            log.error("%s is paused while it acts", identity)
            sentence = "is paused while it acts: it neither goes on nor is it rolled back. Unpause it now."
            post(f"🚨 {identity} {sentence}", now(), change=identity, is_loud=True)
        for path in housekeeping.stale(here, is_alive, bundle, now()):
            log.info("%s is over; its file is removed, its runs and logs stay", path.stem)
            path.unlink(missing_ok=True)
        orphaned = housekeeping.orphaned(here, is_alive, now())[:MOST]  # the others are found again in five minutes
        return [self._roll_back(context, change.id, change.run) for change in orphaned]

    def _publish_missing(self, context: Context, here: Ledger, bundle: Path) -> None:
        for identity in replace_earlier(here, bundle):
            log.info("%s was published by an earlier version; it is data now", identity)
        for identity in housekeeping.unpublished(here, bundle, now()):
            # Published while its first step is still being applied, its own run would take that for half done.
            if not is_being_declared(context, changes.get(here, identity).origin):
                self._publish(identity)

    def _publish(self, change: str) -> None:
        try:
            log.warning("the file of %s was missing or not ours; published again as %s", change, publish_change(change))
        except (ChangeError, ValueError) as error:
            log.error("%s cannot be published: %s", change, error)

    def _roll_back(self, context: Context, change: str, run: str | None) -> dict[str, Any]:
        if run is not None:
            log.error("run %s of %s died; the change is rolled back", run, change)
            sentence = f"its run {run} died. It is being rolled back now; a person has to look at it."
            post(f"🚨 {change}: {sentence}", now(), change=change, is_loud=True)
        conf = {"mode": "rollback", "reason": f"its run {run or 'that acted'} died"}
        return run_request(context, change, f"take_back_{now():%Y%m%dT%H%M%S}", conf)


def is_open(context: Context, dag: str, run: str | None) -> bool:
    """Return whether a run of a DAG is queued or running: this one, or any when none is named."""
    return bool(context["ti"].get_dr_count(dag_id=dag, states=OPEN, **({"run_ids": [run]} if run else {})))


def is_being_declared(context: Context, origin: str | None) -> bool:
    """Return whether the run is alive that has declared a change to be an emergency: it applies the first step."""
    dag, _, run = (origin or "").partition("/")
    return dag in {EMERGENCY, DRILL} and is_open(context, dag, run)


def _take_in_journals(here: Ledger) -> None:
    """Take in what was done from terminals of this host while the ledger was down; what died there is rolled back."""
    try:
        places = settings.read()
        ingestion = Ingestion(here, now, closing_by_policy_of(places.policy), emergencies(), takes_over=True)
        taken = take_in_all(ingestion, folder_of(places.spool))
        for sentence in (*taken.news, *taken.kept):
            log.warning("%s", sentence)
        for sentence in taken.news:  # what stays is found again in five minutes, and no room wants to read that
            post(f"📥 {sentence}", now())
    except (ChangeError, ValueError, OSError) as error:
        log.error("what was done from terminals cannot be taken in now; it stays kept. %s", error)


class CheckPolicy(BaseOperator):
    """Is red while the policy cannot be read, or Airflow does not read what is published; then no change starts."""

    def execute(self, context: Context) -> None:
        """Read the policy, and the templates of standard changes."""
        try:
            require_bundle()
            wrong = policy().standards.findings
        except PlatformError as error:
            log.error("%s", error)
            raise AirflowFailException(str(error)) from error
        if wrong:
            raise AirflowFailException(
                "\n".join(["Templates of standard changes are wrong; they approve nothing.", *wrong])
            )


def build_housekeeping_dag() -> DAG:
    """Return the DAG `housekeeping`."""
    description = (
        "Rolls back changes whose run died, records what was missed, chases what is owed, keeps files in order."
    )
    with own_dag("housekeeping", description, every=timedelta(minutes=5), at_once=1, weight=FIRST) as dag:
        look = LookAfter(task_id="look_after", execution_timeout=timedelta(minutes=4))
        RunRequest.partial(task_id="take_back", skip_when_already_exists=True).expand_kwargs(look.output)
        CheckPolicy(task_id="check_policy")
        chase()
    return dag
