"""Which changes a page is asked for: what stands in the query of its address."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import get_args

from changewindow.errors import BadRequest
from changewindow.ledger import events
from changewindow.ledger.search import Wanted
from changewindow.policy.outcome import Outcome
from changewindow.ticket.model import Ticket
from changewindow.web.moments import moment
from changewindow.web.visit import Visit

LONGEST = 200
"""Characters of what may be looked for."""
GROUPS: Mapping[str, tuple[str, ...]] = {
    "open": ("submitted", "approved", "running"),
    "failed": ("rolled_back", "rollback_failed"),
    "not_done": ("refused", "missed", "rejected", "cancelled"),
}
"""States that are asked for together."""
STATES = ("submitted", "approved", "running", *get_args(Outcome), "recorded")
TYPES: tuple[str, ...] = get_args(Ticket.model_fields["type"].annotation)
RISKS: tuple[str, ...] = get_args(Ticket.model_fields["risk"].annotation)


@dataclass(frozen=True)
class Asked:
    """What somebody asks for; what is empty does not matter."""

    q: str = ""
    service: str = ""
    environment: str = ""
    state: str = ""
    type: str = ""
    risk: str = ""
    person: str = ""
    requester: str = ""
    owner: str = ""
    asked: str = ""
    """Asked for at this time, or later; with `until`, up to that."""
    until: str = ""
    ended: str = ""
    """Ended at this time, or later; with `ended_until`, up to that."""
    ended_until: str = ""
    since: str = ""
    """Anything has happened to it at this time, or later."""
    before: str = ""

    @property
    def query(self) -> dict[str, str]:
        """Return it as the query of an address, from the newest change on."""
        return {name: value for name, value in asdict(self).items() if value and name != "before"}

    @property
    def is_detailed(self) -> bool:
        """Return whether more is asked for than words, a state and a place."""
        return not self.query.keys() <= {"q", "state", "service", "environment"}

    @property
    def name(self) -> str | None:
        """Return the id of the one change that is meant, if what is looked for is an id."""
        name = self.q.strip().upper()
        return name if events.is_id(name) else None


def asked_of(visit: Visit) -> Asked:
    """Return what the query of an address asks for."""
    return Asked(**{field.name: given(visit, field.name) for field in fields(Asked)})


def given(visit: Visit, name: str) -> str:
    """Return what stands under a name in the query of an address: bounded, and without NUL, which no database takes."""
    return visit.request.query_params.get(name, "").replace("\0", "").strip()[:LONGEST]


def wanted(asked: Asked, visit: Visit) -> Wanted:
    """Return which changes are looked for, of those that who looks may see.

    Raises:
        BadRequest: a time, a state or a number is none; the sentence says how one is written.
    """
    at = visit.now, visit.zone
    return Wanted(
        asked_since=moment("Requested from", asked.asked, *at),
        until=moment("Requested up to", asked.until, *at, is_end=True),
        ended_since=moment("Ended from", asked.ended, *at),
        ended_until=moment("Ended up to", asked.ended_until, *at, is_end=True),
        since=moment("Last event since", asked.since, *at),
        service=asked.service or None,
        environment=asked.environment or None,
        outcomes=_states(asked.state),
        type=_one_of("type", asked.type, TYPES),
        risk=_one_of("risk", asked.risk, RISKS),
        person=asked.person or None,
        requester=asked.requester or None,
        owner=asked.owner or None,
        text=asked.q or None,
        before=_number(asked.before),
        numbers=visit.viewer.numbers,
    )


def _states(state: str) -> tuple[str, ...]:
    given = _one_of("state", state, (*GROUPS, *STATES))
    return GROUPS.get(state, (given,) if given else ())


def _one_of(name: str, given: str, known: tuple[str, ...]) -> str | None:
    if given and given not in known:
        raise BadRequest(f"There is no {name} '{given}'. Choose from {', '.join(known)}.")
    return given or None


def _number(change: str) -> int | None:
    if change and not events.is_id(change):
        raise BadRequest(f"Before: '{change}' is no change. Write one like CHG-1042.")
    return events.number(change) if change else None
