"""What an emergency may skip, and what it owes afterwards, and by when."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from changewindow.documents.refusal import refusal
from changewindow.documents.types import ROOM, ConnectionName, Duration, Model, Person
from changewindow.policy.approvals import ANYBODY
from changewindow.ticket.window import Zone

FILE = "emergencies.yaml"


@dataclass(frozen=True)
class Deadlines:
    """By when what an emergency or a record owes is due."""

    approval: datetime
    review: datetime


class Repeated(Model):
    """From when on emergencies of one target are a habit."""

    count: int = Field(default=3, ge=2)
    """How many of them."""
    within: Duration = timedelta(days=30)
    """In how long."""


class DrillTarget(Model):
    """The harmless target of drills, and the one step that is done there."""

    commander: Person
    """Who stands for the incident commander, and reads the messages."""
    target: str = Field(pattern=r"^[a-z][a-z0-9-]*/[a-z][a-z0-9-]*$")
    """Where: environment/service, in staging or a service that nobody needs."""
    step: dict[str, Any]
    """What is done: a step of any kind, with its undo, that changes nothing."""
    works_when: dict[str, Any] | None = None
    """By what one sees that it works: a condition, as in a ticket."""
    unwatched_because: str = ""
    """Why there is none."""


class IncidentDesk(Model):
    """Where the incidents of emergencies are looked up, and opened."""

    kind: Literal["pagerduty", "opsgenie"]
    connection: ConnectionName
    """The Airflow Connection with the key of its API in the password; opening incidents needs one that may write."""
    service: str = Field(default="", max_length=200)
    """PagerDuty: the service on which incidents are opened, by its id or name; without it, none are."""
    team: str = Field(default="", max_length=200)
    """Opsgenie: the team that is called; without it, Opsgenie routes the alert."""
    within: Duration = Field(default=timedelta(seconds=5), gt=timedelta(0), le=timedelta(seconds=15))
    """How long it may take."""

    @model_validator(mode="after")
    def _names_what_it_knows(self) -> Self:
        foreign = "team" if self.kind == "pagerduty" else "service"
        if getattr(self, foreign):
            own = "service" if self.kind == "pagerduty" else "team"
            raise refusal(f"`{foreign}` means nothing to {self.kind}", f"Write `{own}`.")
        return self


class Emergencies(Model):
    """The deadlines after an emergency or a record, who is asked, and what is said of habits."""

    may_declare: tuple[Person, ...] = (ANYBODY,)
    """Groups of approvals.yaml and persons who may declare one; `anybody` who may trigger runs in Airflow."""
    approve_within: Duration = Field(default=timedelta(hours=24), gt=timedelta(0))
    """How long after it was declared or recorded the retroactive approval may take."""
    remind_after: tuple[Duration, ...] = Field((timedelta(hours=12), timedelta(hours=20)), max_length=10)
    """When whoever is asked is reminded; each before the deadline."""
    approvers: tuple[Person, ...] = (ANYBODY,)
    """Who may give it, besides those whose approval was skipped; `anybody` where nobody else is named. Never who asked,
    did or commanded."""
    escalate_to: tuple[Person, ...] = ()
    """Groups and persons who are told once it is overdue, and each day after."""
    room: str | None = Field(default=None, pattern=ROOM)
    """Where it is said that it is overdue; without one, in the room of the change."""
    review_within: Duration = Field(default=timedelta(days=7), gt=timedelta(0))
    """How long after the end of an emergency, a record, or a change that was rolled back its review may take."""
    held: Literal["wait", "take_over"] = "wait"
    """What becomes of another change that holds a target, where the form does not say: it is waited for, or aborted."""
    repeated: Repeated = Repeated()
    """From when on emergencies of one target are a finding."""
    zone: Zone = "UTC"
    """IANA time zone in which one looks for emergencies at the same hour of each week."""
    drill_every: Duration = Field(default=timedelta(days=45), gt=timedelta(0))
    """How old the last good drill may be."""

    incidents: IncidentDesk | None = None
    """Where their incidents are looked up and opened; None: they are taken as they are written."""
    drill: DrillTarget | None = None
    """What drills are done on; None: there are none."""

    def deadlines(self, now: datetime) -> Deadlines:
        """Return by when is due what is owed from now on."""
        return Deadlines(now + self.approve_within, now + self.review_within)

    @field_validator("remind_after")
    @classmethod
    def _before_the_deadline(cls, moments: tuple[timedelta, ...], info: ValidationInfo) -> tuple[timedelta, ...]:
        within = info.data.get("approve_within")
        if within is not None and any(moment >= within for moment in moments):
            raise refusal("a reminder would come at or after the deadline", "Shorten it, or lengthen `approve_within`.")
        return tuple(sorted(set(moments)))
