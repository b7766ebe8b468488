"""What triggers carry in Airflow's database; the fields of version 0.1.0 keep their names and their form."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, PlainSerializer

from changewindow.changes.run_part import Part
from changewindow.changes.silencing import Silencing
from changewindow.watch.condition import Condition

FOR_TASK = "for_task"
"""Of an event, the id of the task that it is meant for; see `flow.waiting`."""
Moment = Annotated[AwareDatetime, PlainSerializer(datetime.isoformat)]
Seconds = Annotated[timedelta, PlainSerializer(timedelta.total_seconds)]


def dump(conditions: Sequence[Condition]) -> list[dict[str, Any]]:
    """Return conditions as a trigger can carry them; they name connections and hold no secret."""
    return [condition.model_dump(mode="json", by_alias=True, exclude_none=True) for condition in conditions]


Conditions = Annotated[tuple[Condition, ...], PlainSerializer(dump)]


class Arguments(BaseModel):
    """What all triggers carry; the version says which fields there are."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    version: Literal[1] = 1
    change: str | None = None
    """The change that a person may end; None in a rollback, which nobody aborts."""
    part: Part | None = None
    """What the run waits for the sake of; None: once it acts, and in what earlier versions have left."""


class WindowArguments(Arguments):
    """What is waited for until a window opens."""

    opens: Moment


class QuestionArguments(Arguments):
    """Which task asks people, and until when."""

    asks: UUID
    deadline: Moment


class OwedArguments(Arguments):
    """Which task asks people for the retroactive approval of which change, and until when."""

    asks: UUID
    owes: str
    deadline: Moment


class SilentArguments(Arguments):
    """Nothing: policy and ledger say what is looked at."""


class WantedArguments(Arguments):
    """Until when rollbacks are waited for, and those that are wanted already, as the change and its run."""

    until: Moment
    known: tuple[tuple[str, str], ...] = ()


class SendingArguments(Arguments):
    """Until when messages are sent; then another run goes on."""

    until: Moment


class RoomArguments(Arguments):
    """Until when there is a point in waiting for room."""

    deadline: Moment


class GoodArguments(Arguments):
    """What is to be good at once, for how long, and until when that is waited for."""

    asker: str | None
    """The change, also where nobody aborts it."""
    conditions: Conditions
    every: Seconds
    settle: Seconds
    deadline: Moment
    before: dict[str, list[float]]
    """The baseline, by the name of its condition."""
    silencing: Silencing | None = None
    """What is silenced meanwhile; None: nothing."""


class BaselineArguments(Arguments):
    """What the baseline is read from, and until when that may take."""

    conditions: Conditions
    deadline: Moment


class WatchArguments(Arguments):
    """What is watched, since when, for how long, and how often."""

    change: str
    run: str
    conditions: Conditions
    since: Moment
    length: Seconds
    every: Seconds
    at_first: Seconds
    later: Seconds | None
    """None: `every` to the end."""
    unknown: Literal["fail", "ask"]
    first_by: Moment | None = None
    """By when the first sample is due; None: an earlier version, or a later part of the watch, does not say."""
    asked_until: Moment | None = None
    """None: nobody is asked yet."""
    before: dict[str, list[float]]
    """The baseline, by the name of its condition."""
    silencing: Silencing | None = None
    """What is silenced meanwhile; None: nothing."""
