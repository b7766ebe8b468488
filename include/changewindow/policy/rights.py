"""Who may intervene: roll back, abort, cancel, move, release, stop the line.

Roles are Airflow's. Who may only look is an auditor (SimpleAuthManager: viewer). Who may trigger runs is a requester,
and an approver where approvals.yaml says so (user). Who may change Airflow's pools is an operator (op, admin).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import Field

from changewindow.documents.findings import Finding
from changewindow.documents.types import Duration, Model, Person, duration_text
from changewindow.policy.approvals import ANYBODY, OWNERS, persons_of
from changewindow.policy.sign_off import same_person

Act = Literal["accept", "abort", "cancel", "extend", "lift", "release", "reslot", "rollback", "stop"]
Groups = Mapping[str, tuple[str, ...]]
REQUESTER, APPROVERS, OPERATORS = "requester", "approvers", "operators"
INVOLVED = (REQUESTER, OWNERS, APPROVERS, OPERATORS)
FILE = "rights.yaml"
DOES: Mapping[Act, str] = {
    "accept": "accept a finding",
    "abort": "abort a change",
    "cancel": "cancel a change",
    "extend": "ask for a longer window",
    "lift": "let the line run again",
    "release": "release a target",
    "reslot": "move a change to another window",
    "rollback": "roll back a completed change",
    "stop": "stop the line",
}


class May(Model):
    """Whom each intervention is open to: words, groups of approvals.yaml, and persons."""

    abort: tuple[Person, ...] = (ANYBODY,)
    """Stopping is safe: what was applied is undone."""
    accept: tuple[Person, ...] = (OWNERS, OPERATORS)
    """Leaving a silent change as it is, until a day."""
    cancel: tuple[Person, ...] = INVOLVED
    """Ending what has not begun."""
    extend: tuple[Person, ...] = (ANYBODY,)
    """Somebody else has to agree."""
    lift: tuple[Person, ...] = (OPERATORS,)
    """Letting changes start again."""
    release: tuple[Person, ...] = (OPERATORS,)
    """Saying that a target is in order after a rollback that failed."""
    reslot: tuple[Person, ...] = INVOLVED
    """Another window, for which approvals may be kept."""
    rollback: tuple[Person, ...] = (OWNERS, APPROVERS, OPERATORS)
    """Undoing what was completed."""
    stop: tuple[Person, ...] = (ANYBODY,)
    """Keeping changes from starting."""


class Rights(Model):
    """Who counts as an operator, and who may intervene."""

    operators: tuple[Person, ...] = ()
    """Groups and persons, beside those to whom Airflow gives the role op or admin."""
    accept_for: Annotated[Duration, Field(gt=timedelta(0))] = timedelta(days=365)
    """The longest time for which a finding is accepted at once; then somebody looks at it again."""
    may: May = May()
    """Whom each intervention is open to."""


@dataclass(frozen=True)
class Involved:
    """The people of one change; of an intervention without a change, nobody."""

    requester: str = ""
    owners: tuple[str, ...] = ()
    approvers: tuple[str, ...] | None = ()
    """Whom its rule of approval names; None: anybody."""


@dataclass(frozen=True)
class Intervention:
    """What somebody wants to do."""

    act: Act
    person: str
    is_operator: bool
    """Whether Airflow holds them for one."""


def act_of(dag: str, params: Mapping[str, Any]) -> Act | None:
    """Return which intervention a run of one of our DAGs is, if it is any."""
    if dag == "stop_the_line":
        return "lift" if params.get("action") == "lift" else "stop"
    if dag.startswith("CHG-"):
        return "rollback" if params.get("mode") == "rollback" else None
    return BY_DAG.get(dag)


BY_DAG: Mapping[str, Act] = {
    "accept_finding": "accept",
    "abort_change": "abort",
    "cancel_change": "cancel",
    "extend_window": "extend",
    "release_target": "release",
    "reslot_change": "reslot",
}


def objection(rights: Rights, groups: Groups, wanted: Intervention, involved: Involved) -> Finding | None:
    """Return why somebody may not intervene, and who may; nothing if they may. The groups are those of approvals."""
    allowed = getattr(rights.may, wanted.act)
    people = {
        REQUESTER: (involved.requester,),
        OWNERS: persons_of(involved.owners, groups),
        APPROVERS: involved.approvers or (),
        OPERATORS: persons_of(rights.operators, groups),
    }
    is_open = ANYBODY in allowed or (APPROVERS in allowed and involved.approvers is None)
    named = [name for word in allowed for name in people.get(word, ())]
    named += persons_of(set(allowed) - people.keys(), groups)
    is_operator = wanted.is_operator and OPERATORS in allowed
    if is_open or is_operator or any(same_person(wanted.person, person) for person in named):
        return None
    who = _listed(allowed, people)
    sentence = f"{wanted.person} may not {DOES[wanted.act]}: `{wanted.act}` in {FILE} allows it to {who}"
    return Finding("rights", sentence, "Ask one of them.")


def why_not_until(rights: Rights, until: datetime, now: datetime) -> str:
    """Return why nothing is accepted until a moment, and what to do; an empty text if it may be."""
    if until <= now:
        return f"{until:%Y-%m-%d %H:%M} UTC has passed, so nothing was accepted. Name a later time."
    if until <= (latest := now + rights.accept_for):
        return ""
    days, rest = divmod(rights.accept_for, timedelta(days=1))
    longest = duration_text(rights.accept_for) if rest else f"{days} days"
    return (
        f"{until:%Y-%m-%d %H:%M} UTC is too far away, so nothing was accepted: `accept_for` in {FILE} allows {longest} "
        f"at once. Name a time up to {latest:%Y-%m-%d %H:%M} UTC, and accept it again then if the reason still holds."
    )


def _listed(allowed: Iterable[str], people: Mapping[str, tuple[str, ...]]) -> str:
    """Return who may, by word and name."""
    words = []
    for word in allowed:
        names = ", ".join(dict.fromkeys(name for name in people.get(word, ()) if name))
        words.append(f"{word} ({names})" if names else word)
    return ", ".join(words) or "nobody"
