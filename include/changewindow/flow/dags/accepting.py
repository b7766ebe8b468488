"""The DAG by which a person leaves silent changes as they are until a day: who that is, Airflow has authenticated."""

from typing import Any

from airflow.sdk import DAG, Param

from changewindow.changes import messages
from changewindow.documents.moments import moment_of
from changewindow.errors import BadPolicy, OperatorError
from changewindow.flow.dags.interventions import REASON, Intervene
from changewindow.flow.own_dag import ZONE, own_dag
from changewindow.flow.posting import post
from changewindow.flow.runtime import log, now, policy
from changewindow.ledger import findings
from changewindow.ledger.database import Ledger
from changewindow.ledger.findings import Settled
from changewindow.policy.rights import Rights, why_not_until
from changewindow.policy.world_finding import numbers_in

DESCRIPTION = "Accept findings until a day: what nobody announced stays as it is, and is open again afterwards."
PARAMS = {
    "findings": Param(
        type="string",
        minLength=1,
        maxLength=1000,
        title="Findings",
        description="Their numbers, like 12, or 12, 13. 'changewindow findings' and the message list them.",
    ),
    "reason": REASON,
    "until": Param(
        type="string",
        format="date-time",
        title="Until",
        description="Then they are open again. At most a year ahead, or as long as 'accept_for' in rights.yaml allows. "
        + ZONE,
    ),
}


def accept(here: Ledger, params: dict[str, Any], person: str) -> str:
    """Accept findings, all or none, and tell the room.

    Raises:
        OperatorError: the end has passed or is too far away, or a finding is not open.
        ValueError: what is written is no number or no time.
    """
    at = now()
    until, reason = moment_of(str(params["until"]), at), str(params["reason"])
    if why := why_not_until(_rights(), until, at):
        raise OperatorError(why)
    wanted = [Settled(number, "accepted", reason, until) for number in numbers_in(params["findings"])]
    accepted = findings.settle(here, wanted, person=person, now=at)
    named = ", ".join(f"{each.number} ({each.finding.object or each.finding.collector})" for each in accepted)
    done = f"accepted until {until:%Y-%m-%d %H:%M} UTC: {'finding' if len(accepted) == 1 else 'findings'} {named}"
    post(messages.message(f"☑️ {done}, by @{person}: {reason}"), at)
    return done


def _rights() -> Rights:
    """Return the rights of the policy; while it cannot be read, those of none, as for who may accept."""
    try:
        return policy().rights
    except BadPolicy as bad:
        log.warning("%s", bad)
        return Rights()


def build_accept_dag() -> DAG:
    """Return the DAG `accept_finding`."""
    with own_dag("accept_finding", DESCRIPTION, params=PARAMS) as dag:
        Intervene(task_id="accept_finding", do=accept)
    return dag
