"""What the tasks of a run hand over to each other, and how it is read back from where any user may edit it."""

from typing import Any, ClassVar, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from changewindow.policy.outcome import Outcome


class Fact(BaseModel):
    """One thing that a task hands over under a key of its own; the version says which fields it has."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    key: ClassVar[str]
    bare: ClassVar[str | None] = None
    """The field whose value version 0.1.0 handed over alone; None: it handed over all fields, without a version."""
    version: Literal[1] = 1

    @property
    def full_key(self) -> str:
        """Return the key under which it is handed over."""
        return key_of(type(self), getattr(self, "step", 0))


F = TypeVar("F", bound=Fact)


class NotGood(Fact):
    """A task of the preflight was not good, and why."""

    key = "reason"
    bare = "reason"
    reason: str


class Refused(Fact):
    """The gate refused the run."""

    key = "refused"
    outcome: Outcome
    reason: str


class Passed(Fact):
    """The run is through the gate, with the fencing token of its leases."""

    key = "passed"
    token: int


class Baseline(Fact):
    """The readings before the change, by the name of their condition."""

    key = "before"
    bare = "readings"
    readings: dict[str, list[float]]


class NotStarted(Fact):
    """Apply was refused before it remembered or did anything, and it had never been tried before."""

    key = "not_started"


class Remembered(Fact):
    """What a step remembered before it acted."""

    key = "remembered"
    bare = "memory"
    memory: dict[str, Any]


class Applied(Fact):
    """A step was applied."""

    key = "applied"
    bare = "at"
    at: AwareDatetime


class Failed(Fact):
    """A step failed of its own accord: nothing of it is under way any more."""

    key = "failed"
    bare = "at"
    at: AwareDatetime


class Undone(Fact):
    """A step was undone."""

    key = "undone"
    bare = "at"
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
    bare = "since"
    since: AwareDatetime


class Asked(Fact):
    """People are asked whether the change is kept, and why."""

    key = "asked"
    reason: str


class Restored(Fact):
    """When everything was as before again."""

    key = "restored"
    bare = "at"
    at: AwareDatetime


class Closed(Fact):
    """How the run ended; it is no news when the run had ended before, or never held the change."""

    key = "outcome"
    outcome: Outcome
    reason: str
    at: AwareDatetime
    is_news: bool


class Thread(Fact):
    """The thread in which messages about the run are posted; None where the channel has no threads."""

    key = "thread"
    bare = "thread"
    thread: str | None


class Shown(Fact):
    """What a request shows to those who approve; the result of its task `check`."""

    key = "return_value"
    change: str
    digest: str
    summary: str
    plan: str
    warnings: str


class ExtensionAsked(Fact):
    """A later end that a person asks for, and who may approve it; the result of its task `check`."""

    key = "return_value"
    change: str
    closes: AwareDatetime
    people: tuple[str, ...]
    person: str


def key_of(fact: type[Fact], step: int = 0) -> str:
    """Return the key under which a fact, about a step if it names one, is handed over."""
    return f"{fact.key}_{step}" if "step" in fact.model_fields else fact.key


def dumped(fact: Fact) -> dict[str, Any]:
    """Return a fact as the JSON that is handed over."""
    return fact.model_dump(mode="json")


def parsed(fact: type[F], value: Any) -> F:
    """Return a fact from what was handed over, by this version or by 0.1.0.

    Raises:
        ValueError: it is neither.
    """
    is_versioned = isinstance(value, dict) and set(value) == set(fact.model_fields)
    try:
        return fact.model_validate(value if is_versioned or fact.bare is None else {fact.bare: value})
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False)[0]
        raise ValueError(f"{'.'.join(map(str, wrong['loc'])) or 'it'}: {wrong['msg']}") from error
