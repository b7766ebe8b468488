"""What the tasks of a run hand over to each other, under seal, because any user may edit it on its way."""

from dataclasses import astuple, dataclass
from typing import Any, ClassVar, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from changewindow.ledger.seal import Seal
from changewindow.policy.outcome import Outcome


class Fact(BaseModel):
    """One thing that a task hands over under a key of its own; the version says which fields it has."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    key: ClassVar[str]
    version: Literal[1] = 1

    @property
    def full_key(self) -> str:
        """Return the key under which it is handed over."""
        return key_of(type(self), getattr(self, "step", 0))


F = TypeVar("F", bound=Fact)


class NotGood(Fact):
    """A task of the preflight was not good, or a step was not applied, and why."""

    key = "reason"
    reason: str


class Begun(Fact):
    """A run that somebody has triggered begins, and stands in for the one that comes by itself."""

    key = "begun"


class Over(Fact):
    """The run has no part in its change any more, and why: that is no refusal of the change."""

    key = "over"
    reason: str


class Refused(Fact):
    """The gate refused the run."""

    key = "refused"
    outcome: Outcome
    reason: str


class Passed(Fact):
    """The run is through the gate, with the fencing token of its leases, and with which text and values."""

    key = "passed"
    token: int
    digest: str | None = None
    """None: a version before 0.2.1 handed it over."""
    values: dict[str, Any] = {}


class Baseline(Fact):
    """The readings before the change, by the name of their condition."""

    key = "before"
    readings: dict[str, list[float]]


class NotStarted(Fact):
    """Apply was refused before it remembered or did anything, and it had never been tried before."""

    key = "not_started"


class Remembered(Fact):
    """What a step remembered before it acted."""

    key = "remembered"
    memory: dict[str, Any]


class Applied(Fact):
    """A step was applied."""

    key = "applied"
    at: AwareDatetime


class Failed(Fact):
    """A step failed of its own accord: nothing of it is under way any more."""

    key = "failed"
    at: AwareDatetime


class Undone(Fact):
    """A step was undone."""

    key = "undone"
    at: AwareDatetime
    step: int = 0


class Verified(Fact):
    """Everything was found to be as before the change."""

    key = "verified"
    at: AwareDatetime


class Decision(Fact):
    """Where the watch has sent the run, and why."""

    key = "decision"
    route: Literal["succeed", "undo", "nothing"]
    reason: str


class Watching(Fact):
    """Since when readings count."""

    key = "since"
    since: AwareDatetime


class Asked(Fact):
    """People are asked whether the change is kept, and why."""

    key = "asked"
    reason: str


class Restored(Fact):
    """When everything was as before again."""

    key = "restored"
    at: AwareDatetime


class Closed(Fact):
    """How the run ended; it is no news when the run had ended before, or never held the change."""

    key = "outcome"
    outcome: Outcome
    reason: str
    at: AwareDatetime
    is_news: bool


class Shown(Fact):
    """What a request shows to those who approve; the result of its task `check`."""

    key = "return_value"
    change: str
    digest: str
    summary: str
    plan: str
    warnings: str


class Tried(Fact):
    """What the dry run of a request has read, as Markdown."""

    key = "tried"
    text: str


def key_of(fact: type[Fact], step: int = 0) -> str:
    """Return the key under which a fact, about a step if it names one, is handed over."""
    return f"{fact.key}_{step}" if "step" in fact.model_fields else fact.key


@dataclass(frozen=True)
class Place:
    """Where something is handed over; its seal counts nowhere else."""

    dag: str
    run: str
    task: str
    key: str


def dumped(fact: Fact, seal: Seal, place: Place) -> dict[str, Any]:
    """Return a fact as the JSON that is handed over, with its seal.

    Raises:
        SealKeyMissing: there is no key.
    """
    value = fact.model_dump(mode="json")
    return {**value, SEAL: seal.of(PURPOSE, [*astuple(place), value])}


def parsed(fact: type[F], value: Any, seal: Seal, place: Place) -> F:
    """Return a fact that a task has handed over here.

    Raises:
        ValueError: no task has, or not this.
        SealKeyMissing: that cannot be checked, because there is no key.
    """
    fields, given = _split(value)
    if given is None:
        raise ValueError("it has no seal: somebody has edited it, or a version before 0.2 has left it")
    if not seal.holds(given, PURPOSE, [*astuple(place), fields]):
        raise ValueError("its seal is not that of a task of this run: somebody has edited it")
    return read(fact, fields)


def read(fact: type[F], value: Any) -> F:
    """Return a fact as somebody has left it, sealed or not: a hint, to be compared with the ledger.

    Raises:
        ValueError: it cannot be read.
    """
    try:
        return fact.model_validate(_split(value)[0])
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False)[0]
        raise ValueError(f"{'.'.join(map(str, wrong['loc'])) or 'it'}: {wrong['msg']}") from error


SEAL, PURPOSE = "seal", "handover"


def _split(value: Any) -> tuple[Any, str | None]:
    """Return what was handed over, and its seal if it has one."""
    if not isinstance(value, dict) or SEAL not in value:
        return value, None
    return {name: field for name, field in value.items() if name != SEAL}, str(value[SEAL])
