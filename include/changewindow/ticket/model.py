"""What a ticket may contain."""

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints, ValidationError, ValidationInfo, field_validator
from pydantic_core import InitErrorDetails

from changewindow.documents.refusal import refusal
from changewindow.documents.text import shown
from changewindow.documents.types import PARAMETER, ROOM, Duration, Line, Model, Name, Person, duration_text
from changewindow.kinds import AnyKind
from changewindow.silences.base import SilenceBase
from changewindow.steps.base import StepBase
from changewindow.ticket.window import Window
from changewindow.watch.condition import Condition

AnyStep = Annotated[StepBase, AnyKind("steps", "Step")]
AnySilence = Annotated[SilenceBase, AnyKind("silences", "Silence")]

TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
}
SHORTEST = timedelta(milliseconds=200)
TAKEN = {"mode", "reason"}
"""Every run has these parameters."""


def parse_parameter_name(value: str) -> str:
    """Return the name of a parameter unchanged.

    Raises:
        ValueError: every run has a parameter of that name already.
    """
    if value in TAKEN:
        raise refusal(f"every run already has a parameter '{value}'", "Choose another name.")
    return value


def _has_its_type(value: Any, info: ValidationInfo) -> Any:
    """Refuse a value that is not of the type its parameter says; true is no number."""
    wanted = info.data.get("type")
    if wanted and (not isinstance(value, TYPES[wanted]) or (wanted != "boolean" and isinstance(value, bool))):
        remedy = "Put it into quotes, or correct `type`." if wanted == "string" else "Correct the value or `type`."
        raise refusal(f"{shown(value)} is not of type {wanted}", remedy)
    return value


Value = Annotated[bool | int | float | str, AfterValidator(_has_its_type)]
ParameterName = Annotated[str, StringConstraints(pattern=PARAMETER), AfterValidator(parse_parameter_name)]


def _too_short(place: tuple[str, ...]) -> ValidationError:
    """Return what pydantic says of an empty list, for one that may be empty elsewhere."""
    counts = {"field_type": "Tuple", "min_length": 1, "actual_length": 0}
    error: InitErrorDetails = {"type": "too_short", "loc": place, "input": [], "ctx": counts}
    return ValidationError.from_exception_data("Ticket", [error])


class Parameter(Model):
    """A value that may be chosen when the change runs, within what was approved."""

    type: Literal["string", "integer", "number", "boolean"] = "string"
    """What its values are; text by default."""
    default: Value
    """The value of the scheduled run."""
    allowed: tuple[Value, ...] = Field(default=(), max_length=50)
    """All values that are approved; without it, only the default is."""
    help: str = ""
    """Shown in the form."""

    @field_validator("allowed")
    @classmethod
    def _includes_the_default(cls, allowed: tuple[Any, ...], info: ValidationInfo) -> tuple[Any, ...]:
        if allowed and "default" in info.data and info.data["default"] not in allowed:
            raise refusal(
                f"the default {shown(info.data['default'])} is not among the allowed values",
                "Add it, or choose another.",
            )
        return allowed

    @property
    def choices(self) -> tuple[Any, ...]:
        """Return all values that are approved."""
        return self.allowed or (self.default,)


class Preflight(Model):
    """What must hold before the first step."""

    checks: tuple[Condition, ...] = ()
    """Items a machine can check."""
    confirmed: tuple[Line, ...] = ()
    """Items the owner confirms by name when the window opens, like `Peer reviewed: <link>`."""
    within: Duration = timedelta(minutes=2)
    """How long a check may take to become good."""
    settle: Duration = timedelta(0)
    """How long a check must stay good; then the gate asks all of them once more, in one sample."""


class Watch(Model):
    """How the change is proven good, or found bad, after its last step."""

    length: Duration = Field(alias="for", gt=timedelta(0))
    """How long to watch."""
    every: Duration = timedelta(seconds=10)
    """Time from one sample to the next."""
    later: Duration | None = None
    """The same once `at_first` has passed; without it, `every` to the end."""
    at_first: Duration = timedelta(minutes=1)
    """How long samples are taken `every`, where `later` is written."""
    settle: Duration = timedelta(0)
    """Time from the last step until the first reading counts."""
    conditions: tuple[Condition, ...] = ()
    """The rollback triggers, beside the validation criteria."""
    when_unknown: Literal["undo", "ask"] = "undo"
    """When too little is known and nothing is bad: roll back, or ask owner, reviewer and on-call."""
    answer_within: Duration = timedelta(minutes=15)
    """How long they are asked, while the watch goes on; with no answer the change is rolled back."""

    @property
    def samples(self) -> int:
        """Return how many samples are taken, if none is late."""
        fast = min(self.at_first, self.length) if self.later else self.length
        return fast // self.every + (self.length - fast) // (self.later or self.every)

    @field_validator("every", "later")
    @classmethod
    def _lets_services_breathe(cls, every: timedelta | None) -> timedelta | None:
        if every is not None and every < SHORTEST:
            raise refusal(f"{duration_text(every)} is too often", "Write at least 200ms.")
        return every


class Rollback(Model):
    """How the change is rolled back; what is undone stands with each step."""

    estimate: Duration
    """How long the rollback takes, verification included."""
    verify: tuple[Condition, ...] = Field(json_schema_extra={"minItems": 1})
    """What proves that everything is as before."""
    within: Duration = timedelta(minutes=2)
    """How long verification may take to become good."""
    after_failure: Literal["go_on", "stop"] = "go_on"
    """When the undo of a step fails: undo the earlier steps all the same, or leave them for a person."""
    notes: str = ""
    """What a person needs to know to do it by hand."""
    by_hand: Line | None = None
    """Why nothing of it can be undone: a person is called then. Only a declared emergency says so."""


class PostChange(Model):
    """What happens when the change is over."""

    notify: str = Field(default="#deploys", pattern=ROOM)
    """Slack channel of the change's thread."""
    follow_up: tuple[Line, ...] = ()
    """What people still have to do, repeated in the last message."""


class Ticket(Model):
    """A request for one operational change."""

    summary: Line
    """One sentence: what is being changed and why."""
    details: str = ""
    """What the approver should know besides."""
    services: tuple[Name, ...] = Field(min_length=1)
    """The services affected."""
    environment: Name
    """Where: production, staging ..."""
    type: Literal["normal", "standard", "emergency"]
    """How it is approved: normal, standard or emergency."""
    risk: Literal["low", "medium", "high"]
    """How much could break: low, medium or high."""
    owner: Person
    """Who executes the change and is responsible for it."""
    reviewer: Person
    """Who stands by to help; not the owner."""
    on_call: Person | None = None
    """Who is on call during the window and knows about it."""
    window: Window
    """The time in which the change may act: zone, start and end."""
    parameters: dict[ParameterName, Parameter] = Field(
        default={}, max_length=20, json_schema_extra={"additionalProperties": False}
    )
    """Values usable in steps and conditions as {{ params.name }}."""
    preflight: Preflight = Preflight()
    """What machines check and people confirm before the first step."""
    steps: tuple[AnyStep, ...] = Field(min_length=1)
    """The execution steps, in order."""
    rollback: Rollback
    """The rollback: its estimate, and what proves that everything is as before."""
    validation: tuple[Condition, ...] = ()
    """The validation criteria: all must be good in the watch's last sample."""
    watch: Watch
    """How long the change is watched after its last step, and which limits roll it back."""
    silence: tuple[AnySilence, ...] = ()
    """The alerts of which nobody is told while the change runs, since it disturbs them."""
    post_change: PostChange = PostChange()
    """Where messages go, and what is left for people."""

    @field_validator("rollback")
    @classmethod
    def _is_proven(cls, rollback: Rollback, info: ValidationInfo) -> Rollback:
        # What was broken before is broken again after the undo of an emergency, so that nothing can prove it.
        if not rollback.verify and info.data.get("type") != "emergency":
            raise _too_short(("verify",))
        return rollback

    @property
    def people(self) -> tuple[str, ...]:
        """Return who is responsible for the change while it acts."""
        named = (self.owner, self.reviewer, self.on_call)
        return tuple(dict.fromkeys(person for person in named if person))

    @property
    def targets(self) -> tuple[str, ...]:
        """Return what the change touches, as `environment/service`."""
        return tuple(f"{self.environment}/{service}" for service in sorted(set(self.services)))

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """Return all conditions of the watch: its own and the validation criteria."""
        return self.watch.conditions + self.validation

    @property
    def compared(self) -> tuple[Condition, ...]:
        """Return all conditions that need a baseline."""
        return tuple(condition for condition in self.conditions + self.rollback.verify if condition.needs_baseline)

    @property
    def forward(self) -> timedelta:
        """Return the longest time from the first step to the end of the watch."""
        asked = self.watch.answer_within if self.watch.when_unknown == "ask" else timedelta(0)
        return sum((step.timeout for step in self.steps), self.watch.settle + self.watch.length + asked)

    @property
    def needs(self) -> timedelta:
        """Return the time that must be left in the window to start: steps, watch and rollback."""
        return self.forward + self.rollback.estimate
