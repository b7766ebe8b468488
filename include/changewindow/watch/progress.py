"""How far a watch is: what another process needs to take it over, and what people see of it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from changewindow.watch.baseline import Seen
from changewindow.watch.judgement import Decision, Judgement
from changewindow.watch.reading import Reading

RECENT = 60
"""How many values of each condition are kept for people to look at."""
LONGEST = 40
"""Characters that are kept of a value that is text."""


class Followed(BaseModel):
    """One condition as last seen."""

    name: str
    limits: str
    unit: str | None = None
    verdict: str = ""
    """Of the last reading; empty before the first one."""
    line: str = ""
    """The last reading, as in the log."""
    seen: Seen = Field(default_factory=Seen)
    """What its comparison needs."""
    recent: list[float | None] = []
    """The last values, oldest first; None where there was no number."""
    text: str = ""
    """The last value where it was none, like a version."""


class Progress(BaseModel):
    """A watch as far as it has come, after each of its samples."""

    since: datetime
    """The end of the last step with its time to settle."""
    begun: datetime
    """When the watch began to read."""
    over: datetime
    """When its length will have passed."""
    at: datetime
    """The last sample, or the beginning."""
    samples: int = 0
    is_handed_over: bool = False
    """Whether the task has taken the first sample, and no trigger has gone on from there yet."""
    decided: Decision | None = None
    """The verdict with its reason, once there is one."""
    asked_until: datetime | None = None
    """Until when a person may answer whether to keep the change."""
    counts: dict[str, Any] = {}
    """The counts of the judgement."""
    conditions: list[Followed] = []
    unwritten: list[dict[str, Any]] = []
    """Readings that are not yet in an event of the ledger, oldest first."""

    def snapshot(self) -> "Progress":
        """Return a copy that later samples do not change."""
        conditions = [
            followed.model_copy(update={"seen": followed.seen.model_copy(deep=True)}) for followed in self.conditions
        ]
        return self.model_copy(update={"conditions": conditions, "unwritten": [*self.unwritten]})

    def add(self, sample: Sequence[Reading], judgement: Judgement, at: datetime) -> None:
        """Add one sample that has been judged."""
        self.at = at
        self.samples += 1
        self.counts = judgement.counts()
        for followed, reading in zip(self.conditions, sample, strict=True):
            number = reading.value if isinstance(reading.value, int | float) else None
            followed.verdict, followed.line = reading.verdict, reading.line()
            followed.recent = [*followed.recent, number][-RECENT:]
            followed.text = "" if number is not None or reading.value is None else str(reading.value)[:LONGEST]
        self.unwritten += [{"sample": self.samples, **reading.as_json()} for reading in sample]
