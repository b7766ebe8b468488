"""A condition: one thing that is measured, with the comparisons that make it good or bad."""

from datetime import timedelta
from typing import Annotated, Literal, Self, get_args

from pydantic import Field, StringConstraints, model_validator

from changewindow.documents.refusal import refusal
from changewindow.documents.types import Duration, Line, Model, Name
from changewindow.sources.base import SourceBase
from changewindow.systems.measurement import Cause
from changewindow.watch.baseline import AnySource, Compare
from changewindow.watch.comparison import Comparison, amount, plain
from changewindow.watch.judgement import Allowed, Tally

UNIT = r"^[^\s\d][^\n]*$"


class Tolerance(Model):
    """How many readings may lack an answer, with no good one between, before that counts as too many."""

    inconclusive: int = Field(default=2, ge=0)
    """Readings that are neither good nor bad."""
    no_data: int = Field(default=2, ge=0)
    """The source answered, with nothing."""
    stale: int = Field(default=2, ge=0)
    """The newest value is older than the last step."""
    unreachable: int = Field(default=2, ge=0)
    """The source did not answer."""
    invalid: int = Field(default=2, ge=0)
    """Not a number, several values where one was asked, text where a number was expected."""
    unknown: int | None = Field(default=None, ge=0)
    """All of these together; by default as many as the most patient of them allows."""
    late: int = Field(default=5, ge=0)
    """The watch itself was not running; that is no fault of the service, and counts apart from the others."""

    @property
    def together(self) -> int:
        """Return how many unknown readings in a row are allowed, whatever they lack."""
        limits = (limit for cause, limit in self.causes.items() if cause != "late")
        return max(self.inconclusive, *limits) if self.unknown is None else self.unknown

    @property
    def causes(self) -> dict[str, int]:
        """Return how many readings in a row may lack a value, by cause."""
        return {cause: getattr(self, cause) for cause in get_args(Cause)}


class Condition(Model):
    """One thing that is measured and judged; `pass` says what is good, `fail` what is bad, or both."""

    name: Line
    """What is asked, in a few words."""
    service: Name | None = None
    """The service it is about; messages name it. Needed where a change has several."""
    unit: Annotated[str, StringConstraints(pattern=UNIT, max_length=20)] | None = None
    """What its numbers count, like ms, s, % or req/s; messages show values and limits with it."""
    source: AnySource
    """Where it is measured; `changewindow kinds` lists all kinds."""
    compare: Compare | None = None
    """Judges how far the value is from a baseline, instead of the value itself."""
    good: Comparison | None = Field(default=None, alias="pass")
    """Good when this holds; without `fail`, everything else is bad."""
    bad: Comparison | None = Field(default=None, alias="fail")
    """Bad when this holds; without `pass`, everything else is good."""
    failures: int = Field(default=1, ge=1)
    """How many bad readings take the change back: in a row, or with `of` among the last so many."""
    of: int | None = Field(default=None, ge=1)
    """Makes `failures: 3` with `of: 5` mean 3 bad ones of the last 5 that were good or bad."""
    passes: int = Field(default=1, ge=1)
    """How many good readings in a row, up to the watch's last sample, are needed for success."""
    role: Literal["critical", "normal", "observe"] = "normal"
    """How much it weighs in a watch: critical rolls back at the first bad or second unknown reading, observe never."""
    weight: float = Field(default=1.0, gt=0, le=1)
    """How much of a reason to roll back: the change is rolled back when the weights of those that hold add up to 1."""
    new: bool = False
    """Whether there is nothing to measure before the change: the gate does not ask for it."""
    tolerate: Tolerance = Tolerance()
    """How often in a row an answer may be missing or undecided."""
    timeout: Duration = Field(default=timedelta(seconds=5), gt=timedelta(0))
    """How long one reading may take."""

    @model_validator(mode="after")
    def _can_be_judged(self) -> Self:
        if self.good is None and self.bad is None:
            sentence = "neither `pass` nor `fail` is there, so nothing could be judged"
            raise refusal(sentence, "Write at least one of them.")
        if self.of is not None and self.of < self.failures:
            sentence = f"there are never {self.failures} bad readings among the last {self.of}"
            raise refusal(sentence, "Write `of` greater than `failures`, or leave it out.")
        return self

    @model_validator(mode="after")
    def _weighs_something(self) -> Self:
        if self.weight < 1 and self.role != "normal":
            raise refusal(f"`weight` has no meaning with `role: {self.role}`", "Remove one of them.")
        return self

    @model_validator(mode="after")
    def _compares_numbers(self) -> Self:
        if self.compare is None:
            return self
        if any(limit and (limit.equals is not None or limit.matches is not None) for limit in (self.good, self.bad)):
            raise refusal("what is compared becomes a number with a fraction", "Write above, below or between.")
        if self.new and self.compare.control is None:
            raise refusal(
                "`new` says that there is no reading before the change", "Remove it, or compare with a `control`."
            )
        return self

    @model_validator(mode="after")
    def _counts_something(self) -> Self:
        if self.unit and any(limit and not limit.is_of_numbers for limit in (self.good, self.bad)):
            raise refusal("`unit` says what numbers count, and here no numbers are compared", "Remove it.")
        return self

    @property
    def title(self) -> str:
        """Return its name, with its service unless the name says that already."""
        is_named = self.service is None or self.service in self.name
        return self.name if is_named else f"{self.service}: {self.name}"

    @property
    def unit_of_value(self) -> str | None:
        """Return the unit of what is judged: a ratio and a rank have none."""
        return None if self.compare and self.compare.by != "difference" else self.unit

    @property
    def decides(self) -> bool:
        """Return whether the watch depends on it; otherwise it is only observed."""
        return self.role != "observe"

    def tally(self) -> Tally:
        """Return what counts its readings in a watch."""
        return Tally(self.title, self.allowed, self.weight if self.decides else 0.0)

    @property
    def allowed(self) -> Allowed:
        """Return how often it may lack a good answer in a watch."""
        is_critical = self.role == "critical"
        early = self.compare.needed - 1 if self.compare else 0
        return Allowed(
            failures=1 if is_critical else self.failures,
            of=0 if is_critical else self.of or 0,
            passes=self.passes,
            inconclusive=self.tolerate.inconclusive + early,
            causes=self.tolerate.causes,
            unknown=(min(self.tolerate.together, 1) if is_critical else self.tolerate.together) + early,
        )

    @property
    def sources(self) -> tuple[SourceBase, ...]:
        """Return everything one reading asks: the source, and the control group it is compared with."""
        control = self.compare.control if self.compare else None
        return (self.source, control) if control else (self.source,)

    @property
    def needs_baseline(self) -> bool:
        """Return whether it is compared with a baseline from before the change."""
        return self.compare is not None and self.compare.control is None

    def limits(self) -> str:
        """Return what is good and what is bad as text: `bad when above 0.01`."""
        good = [f"good when {self.good.description(self.unit_of_value)}"] if self.good else []
        bad = [f"bad when {self.bad.description(self.unit_of_value)}"] if self.bad else []
        return ", ".join(good + bad)

    def limit(self) -> str:
        """Return what a value is held against, as text beside it: `limit 200 ms`."""
        if self.good and self.bad:
            return self.limits()
        highest = self.bad.only("above") if self.bad else self.good.only("below") if self.good else None
        lowest = self.bad.only("below") if self.bad else self.good.only("above") if self.good else None
        for word, bound in (("limit", highest), ("minimum", lowest)):
            if bound is not None:
                return f"{word} {amount(plain(bound), self.unit_of_value)}"
        return self.limits()

    def description(self) -> str:
        """Return the condition as text: `error rate: bad when above 0.01 [share of …], 2 in a row`."""
        compared = f", {self.compare.description()}" if self.compare else ""
        return f"{self.title}: {self.limits()} [{self.source.description()}]{compared}{self._weight()}"

    def _weight(self) -> str:
        """Return what it takes to roll the change back, or to keep it, where that is not the default."""
        if not self.decides:
            return ", only observed"
        row = f"{self.failures} of the last {self.of}" if self.of else f"{self.failures} in a row"
        parts = ["critical" if self.role == "critical" else row if self.failures > 1 else ""]
        parts.append(f"weight {self.weight:g}" if self.weight < 1 else "")
        parts.append(f"success needs {self.passes} good in a row" if self.passes > 1 else "")
        return "".join(f", {part}" for part in parts if part)
