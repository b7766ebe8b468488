"""Payloads of emergencies, and of what is owed afterwards: retroactive approval, review, follow-ups."""

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from changewindow.ledger.event_kinds import EventKind
from changewindow.ledger.payloads.base import Moment, Payload


class Skipped(BaseModel):
    """A rule that would have kept the change from starting as a normal one, and the people whose yes it asks for."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    code: str
    sentence: str
    people: tuple[str, ...] = ()


class Declared(Payload):
    """A person declared an emergency: this text may act without approval, and owes one afterwards."""

    kind: ClassVar = EventKind.DECLARED
    digest: str
    """Of what runs."""
    broken: str
    """What is broken."""
    incident: str = ""
    """Its id or address; empty: none was open."""
    commander: str
    """Who commands the incident and said yes."""
    agreed_at: Moment
    agreed_how: str
    """By phone, in the incident channel, at the desk."""
    executor: str
    """Who carries it out."""
    skipped: tuple[Skipped, ...]
    """What a normal change would have had to wait for, as it was found, and not as it was typed."""
    due: Moment
    """By when the retroactive approval is owed."""
    unwatched_because: str = ""
    """Why nothing was measured by which it could be undone; empty where it is watched."""
    workaround_until: Moment | None = None
    """When it has to be gone again; None: it is meant to stay."""
    is_drill: bool = False
    by_terminal: str = ""
    """Why it was declared from a terminal: what was down; empty where the form was used."""


class IncidentSeen(Payload):
    """The incident of an emergency was looked up or opened, at PagerDuty or Opsgenie."""

    kind: ClassVar = EventKind.INCIDENT_SEEN
    standing: Literal["open", "closed", "unknown", "unreachable"]
    """Unknown: there is no such incident there. Unreachable: that is not known; `reason` says why."""
    incident: str = ""
    """What the product calls it, or what was written; empty where none could be opened."""
    product: str = ""
    """Empty: none is configured."""
    title: str = ""
    product_status: str = ""
    """In the word of the product, such as `acknowledged`."""
    address: str = ""
    opened: bool = False
    """Whether it was opened for this emergency."""
    reason: str = ""


class RetroDecided(Payload):
    """A person's yes or no, given afterwards, to what ran or was recorded."""

    kind: ClassVar = EventKind.RETRO_DECIDED
    digest: str
    yes: bool
    counts: bool
    """Whether it settles what is owed."""
    why_not: str = ""
    """Why it does not count."""
    late: bool = False
    """Whether it does not count for nothing but that the deadline had passed."""
    reason: str = ""


class ReviewAsked(Payload):
    """A post-implementation review is owed."""

    kind: ClassVar = EventKind.REVIEW_ASKED
    because: Literal["emergency", "record", "rolled_back", "rollback_failed"]
    due: Moment


class FollowUp(BaseModel):
    """What somebody has to do by a day, so that it does not happen again."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    what: str
    owner: str = ""
    """Empty: nobody yet, which is chased."""
    due: Moment | None = None


class Reviewed(Payload):
    """The post-implementation review."""

    kind: ClassVar = EventKind.REVIEWED
    digest: str
    what_happened: str
    impact_from: Moment | None = None
    impact_to: Moment | None = None
    """None: no impact."""
    why_not_normal: str = ""
    """Why it could not be a normal change; only asked after an emergency or a record."""
    what_would_be_normal: str = ""
    """What would have made it one."""
    follow_ups: tuple[FollowUp, ...] = ()
    template: str = ""
    """Where the draft of a standard change lies that was written from it; empty: none was wanted."""


class Reminded(Payload):
    """People were told of what is owed; once for each of its moments."""

    kind: ClassVar = EventKind.REMINDED
    about: str
    """`approval`, `review`, `workaround`, `follow_up:N`, or `habit:KIND:TARGET`."""
    moment: Moment
    """The moment that had come: half the deadline, the deadline itself, and so on."""
    is_overdue: bool = False
    people: tuple[str, ...] = ()


class FollowedUp(Payload):
    """Something that was owed after a review, or a workaround, is done, or gets another owner or day."""

    kind: ClassVar = EventKind.FOLLOWED_UP
    about: str
    """`workaround`, or `follow_up:N`."""
    done: bool = True
    owner: str = ""
    due: Moment | None = None
    reason: str = ""


class Drilled(Payload):
    """A drill of an emergency came to its end, and what took how long."""

    kind: ClassVar = EventKind.DRILLED
    good: bool
    took: dict[str, float]
    """The seconds of each of its parts, by name."""
    reason: str = ""
