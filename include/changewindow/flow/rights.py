"""Holds who wants to intervene against the policy: at the door of the API server, and again in the run itself."""

from collections.abc import Mapping
from typing import Any

from airflow.sdk.definitions.context import Context

from changewindow.changes.taking_over import involved as involved_in
from changewindow.documents.findings import Finding
from changewindow.errors import BadPolicy, ChangeError, NotAllowed
from changewindow.flow.people import NOBODY, has_listed_roles, is_listed_operator
from changewindow.flow.runtime import ledger, log, person_of, policy
from changewindow.flow.wanted import wanted_by
from changewindow.ledger import changes, findings
from changewindow.policy.model import Policy
from changewindow.policy.rights import Intervention, Involved, Rights, act_of, objection
from changewindow.policy.world_finding import numbers_in

BY_CODE = "operator_triggered"
"""The type of runs that a DAG triggers. They carry the name of who triggered that one, or none."""


def why_not(dag: str, params: Mapping[str, Any], person: str, *, is_operator: bool) -> Finding | None:
    """Return why a person may not run one of our DAGs with these parameters; nothing if they may.

    Rolling back what acts, because its run died, is to abort it. While the policy cannot be read, what stops a change
    is open as by default, and the rest to operators.
    """
    act = act_of(dag, params)
    if act is None:
        return None
    change = dag if act == "rollback" else str(params.get("change") or "")
    if act == "rollback" and _acts(change):
        act = "abort"
    wanted = Intervention(act, person, is_operator)
    try:
        rules = policy()
    except BadPolicy as bad:
        log.warning("%s", bad)
        return objection(Rights(), {}, wanted, Involved())
    of_change = involved_in(ledger(), change, rules) if change else Involved()
    involved = _of_findings(params, rules) if act == "accept" else [of_change]
    objections = (objection(rules.rights, rules.approvals.groups, wanted, people) for people in involved)
    return next(filter(None, objections), None)


def require(context: Context, dag: str) -> None:
    """Let a run intervene for who triggered it.

    Airflow's roles are its API server's to say, which has asked for them at the door; here they are known from the list
    of SimpleAuthManager alone.

    Raises:
        NotAllowed: they may not.
    """
    is_by_code = context["dag_run"].run_type == BY_CODE
    if is_by_code and _acts(dag):
        return  # its run died, and housekeeping rolls it back
    person, params = person_of(context), context["params"]
    if is_by_code and act_of(dag, params) == "rollback":
        person = wanted_by(ledger(), dag) or person
    finding = why_not(dag, params, person, is_operator=_may_be_operator(person))
    if finding:
        named = params.get("change") or params.get("target") or params.get("findings") or dag
        raise NotAllowed(str(named), [finding])


def _of_findings(params: Mapping[str, Any], rules: Policy) -> list[Involved]:
    """Return who is involved in each finding that a run names; of one that is not known, nobody."""
    try:
        recorded = findings.numbered(ledger(), numbers_in(params.get("findings")))
    except (ChangeError, ValueError) as error:
        log.warning("who is involved in findings %r is not known: %s", params.get("findings"), error)
        return [Involved()]
    return [Involved(owners=rules.catalogue.owners(each.finding.services)) for each in recorded]


def _acts(change: str) -> bool:
    """Return whether a change acts, as far as that is known."""
    try:
        return changes.get(ledger(), change).status == "running"
    except ChangeError:
        return False


def _may_be_operator(person: str) -> bool:
    """Return whether the door may have let somebody pass as an operator."""
    return is_listed_operator(person) if has_listed_roles() else person != NOBODY
