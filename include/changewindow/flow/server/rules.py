"""The rules of the door: each says why a request may not go on, or nothing."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import TypeAdapter, ValidationError

from changewindow import settings
from changewindow.changes.housekeeping import KEPT, is_over
from changewindow.documents.text import spoken
from changewindow.errors import LedgerUnknown
from changewindow.flow.own_dag import ASKS, IN_ONES_NAME, LONG_AGO, OWN_DAGS, RELEASE
from changewindow.flow.server.asked import Asked, Refused, ours
from changewindow.flow.server.facts import Facts
from changewindow.flow.weights import STARTS
from changewindow.ledger.models import Change

Rule = Callable[[Asked, str, Facts], str | None]
"""Judges a request for one DAG of ours that it acts on."""
Whole = Callable[[Asked, Facts], str | None]
"""Judges a request as a whole, whether it names a DAG of ours or not."""
SKEW = timedelta(minutes=1)
"""How far the clock of a browser may be ahead."""
NEAR = timedelta(minutes=15)
"""How long before its window no dry run of a change begins."""
UNCOUNTED = "".join(chr(code) for code in range(128) if not chr(code).isalnum())
"""What Airflow leaves out at the end of a prefix."""
MOMENT = TypeAdapter(datetime)
"""Reads moments as Airflow's API does, numbers included."""
POOLS = {
    "default_pool": (4, "changes are applied and undone"),
    STARTS: (1, "changes begin: none starts without it"),
}
"""The pools of changes: how many slots each keeps, and what runs there."""
RESERVED = ("take_back_", ASKS)
"""How the ids of runs begin by which housekeeping rolls back, or asks for retroactive approvals."""


def free(_asked: Asked, _dag: str, _facts: Facts) -> None:
    """Let it happen; whatever becomes of it, the tasks and the ledger decide."""


def never(reason: str) -> Rule:
    """Return the rule that refuses, for this reason."""

    def refuse(_asked: Asked, dag: str, _facts: Facts) -> str:
        return f"{dag}: {reason}"

    return refuse


def pause(asked: Asked, dag: str, facts: Facts) -> str | None:
    """Refuse to pause a change that acts, because Airflow would neither go on with it nor take it back."""
    change = None if asked.fields.get("is_paused") is False else facts.change(dag)
    if change is None or change.status != "running":
        return None
    return f"{dag} acts now: paused, it would neither go on nor be rolled back. Run abort_change to end it."


def pause_own(asked: Asked, dag: str, _facts: Facts) -> str | None:
    """Refuse to pause what changes are ended, rolled back and released with."""
    if asked.fields.get("is_paused") is False:
        return None
    return f"{dag} is never paused: people and housekeeping end changes with it. To stop all starts, run stop_the_line."


def pause_many(asked: Asked, facts: Facts) -> str | None:
    """Refuse to pause by a pattern what may not be paused by its name."""
    if asked.fields.get("is_paused") is False:
        return None
    patterns = [(name, pattern) for name, pattern in asked.query.multi_items() if "pattern" in name]
    acting = filter(asked.person.may_see, facts.acting()) if patterns else ()
    for dag in [*sorted(OWN_DAGS), *acting] if patterns else []:
        for name, pattern in patterns:
            if _may_match(name, pattern, dag):
                return f"{name}={pattern} would pause {dag}, which is not paused now. Name your own DAGs more closely."
    return None


def delete_dag(_asked: Asked, dag: str, facts: Facts) -> str | None:
    """Refuse to delete a change that is not over, for its runs would go with it: the scheduler dies of that."""
    change, runs = facts.change(dag), facts.open_runs(dag)
    if runs:
        return f"{dag} has an open run, {runs[0]}. Wait for its end; to end the change now, run abort_change."
    if change is not None and not is_over(change, facts.now):
        why = (
            f"it is {spoken(change.status)}"
            if change.closed_at is None
            else f"it was {spoken(change.status)} less than {KEPT} ago"
        )
        return f"{dag} is not over: {why}. To end it, run cancel_change or abort_change; its file goes by itself."
    return None


def clear_own(asked: Asked, dag: str, _facts: Facts) -> str | None:
    """Refuse to do again, in the name of somebody else, what they did once, or were refused."""
    if asked.is_dry or dag not in IN_ONES_NAME:
        return None
    return f"{dag} does what somebody asked for, once and in their name. Trigger it anew, in yours."


def trigger(asked: Asked, dag: str, facts: Facts) -> str | None:
    """Refuse a run of somebody who may not, or one that stands in for a run which comes by itself, with its dates.

    Raises:
        Refused: Airflow does not show them the change that it is about, or the policy gives the right to others.
    """
    fields = asked.fields
    conf = fields["conf"] if isinstance(fields.get("conf"), dict) else {}
    held_by = facts.holder(str(conf.get("target"))) if dag == RELEASE else ""
    for change in ours([str(conf.get("change")), held_by]):
        if not asked.person.may_see(change):
            raise Refused(403, str(LedgerUnknown(change)))
    if reason := facts.why_not(dag, conf, asked.person):
        raise Refused(403, reason)
    if prefix := next((each for each in RESERVED if str(fields.get("dag_run_id") or "").startswith(each)), ""):
        return f"{dag}: runs called {prefix}… belong to housekeeping. Leave out dag_run_id."
    named = [name for name in ("data_interval_start", "data_interval_end", "partition_key") if fields.get(name)]
    if named:
        return f"{dag}: {named[0]} belongs to runs that come by themselves. Leave it out."
    for name in ("logical_date", "run_after"):
        if fields.get(name) and _is_later(fields[name], facts.now):
            return f"{dag}: {name} lies in the future, where the runs are that come by themselves. Leave it out."
        if fields.get(name) and _is_long_ago(fields[name]):
            return f"{dag}: {name} lies before {LONG_AGO.year}: such a run does nothing, and is green. Leave it out."
    return None


def trigger_change(asked: Asked, dag: str, facts: Facts) -> str | None:
    """Refuse what would take the place of the run in the window, or keep it waiting."""
    refused = trigger(asked, dag, facts)
    conf = asked.fields.get("conf")
    mode = conf.get("mode") if isinstance(conf, dict) else None
    date = asked.fields.get("logical_date")
    if refused or (mode == "rollback" and not date):
        return refused
    change = facts.change(dag)
    if change is not None and date and _moment(date) == change.opens:
        return f"{dag}: the start of its window belongs to the run that comes by itself. Leave out logical_date."
    if mode != "rollback" and (runs := facts.open_runs(dag)):
        return f"{dag} has an open run, {runs[0]}; one at a time. Wait for its end."
    if mode == "dry_run" and change is not None and _is_near(change, facts.now):
        return f"{dag}: its window is near, and a dry run would keep it waiting. `changewindow explain` only reads."
    return None


def pool(asked: Asked, _facts: Facts) -> str | None:
    """Refuse to take away the room in which changes run, without which nothing is undone."""
    for name, (fewest, what) in POOLS.items():
        for action, fields in _named(asked, name, "pool_name", "name", "pool"):
            slots = fields.get("slots")
            is_roomy = slots is None or (type(slots) is int and (slots == -1 or slots >= fewest))
            if action in {"DELETE", "delete"} or not is_roomy or fields.get("include_deferred") not in (None, False):
                return f"{name} is where {what}. Leave it {fewest} slots, without deferred tasks."
    return None


def connection(asked: Asked, _facts: Facts) -> str | None:
    """Refuse to lead the product to another ledger, or to none."""
    changed = _named(asked, settings.LEDGER_CONNECTION, "connection_id")
    if not changed or asked.fields.get("commit_on_success") is False:
        return None
    return f"{settings.LEDGER_CONNECTION} leads to the ledger of all changes. Change it on the host, not by the API."


def unknown(asked: Asked, _facts: Facts) -> str | None:
    """Refuse what nobody has decided about, unless it is to somebody else's DAG and speaks of none of ours."""
    is_elsewhere = "dag_id" in asked.parameters and not asked.speaks_of_ours
    if not asked.route or is_elsewhere:
        return None
    return f"Change Windows does not know {asked.key}, which may act on changes. Use a route that it knows."


def _may_match(name: str, pattern: str, dag: str) -> bool:
    """Return whether Airflow may take this DAG for one of those meant; if in doubt, it may."""
    terms = [term.strip().casefold() for term in pattern.split("|")]
    if "prefix" in name:
        return any(dag.casefold().startswith(term.rstrip(UNCOUNTED)) for term in terms)
    return "\\" in pattern or any(_is_like(dag.casefold(), term) for term in terms)


def _is_like(text: str, term: str) -> bool:
    """Return whether a term stands in a text, where % is for anything and _ for one letter."""
    places = set(range(len(text) + 1))
    for letter in term:
        if letter in "%~":
            places = set(range(min(places), len(text) + 1))
        else:
            places = {place + 1 for place in places if text[place : place + 1] == letter or letter == "_"}
            places &= set(range(len(text) + 1))
        if not places:
            return False
    return True


def _named(asked: Asked, name: str, *fields: str) -> list[tuple[str, Mapping[str, Any]]]:
    """Return what is done, by path or body, to an object of this name; with the fields it is to have."""
    done: list[tuple[str, Mapping[str, Any]]] = [(asked.method, {**asked.fields, **asked.parameters})]
    for action in filter(_is_fields, _list(asked.fields.get("actions"))):
        entities = (item if _is_fields(item) else {fields[-1]: item} for item in _list(action.get("entities")))
        done += [(str(action.get("action")), entity) for entity in entities]
    return [
        (action, given)
        for action, given in done
        if any(str(given.get(field)).casefold() == name.casefold() for field in fields)
    ]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _is_fields(value: Any) -> bool:
    return isinstance(value, dict)


def _is_near(change: Change, now: datetime) -> bool:
    return change.status == "approved" and change.opens - NEAR < now < change.closes


def _is_later(text: Any, now: datetime) -> bool:
    """Return whether a moment lies in the future; what cannot be read is none that Airflow would take."""
    moment = _moment(text)
    return moment is None or moment > now + SKEW


def _is_long_ago(text: Any) -> bool:
    moment = _moment(text)
    return moment is not None and moment <= LONG_AGO


def _moment(text: Any) -> datetime | None:
    try:
        moment = MOMENT.validate_python(text)
    except ValidationError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
