"""What a value is compared with, and how numbers are shown with their unit."""

from typing import Annotated, Any, Literal, Self

from pydantic import (
    Field,
    PlainSerializer,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    field_validator,
    model_validator,
)

from changewindow.documents.refusal import refusal
from changewindow.documents.types import Expression, Model


def _exact(value: Any, parse: ValidatorFunctionWrapHandler) -> float:
    """Return a number; a whole one that a float would round stays what it is, like 9007199254740993."""
    number: float = parse(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value != number else number


Number = Annotated[
    float,
    Field(allow_inf_nan=False),
    WrapValidator(_exact),
    PlainSerializer(lambda number: number, return_type=int | float),
]


class Comparison(Model):
    """What a value is compared with; everything written must hold."""

    above: Number | None = None
    """The value is greater than this number."""
    below: Number | None = None
    """The value is less than this number."""
    between: tuple[Number, Number] | None = None
    """Lower and upper bound, both included."""
    equals: bool | Number | str | None = None
    """The value is this number, text, true or false."""
    matches: Expression | None = None
    """Regular expression (RE2) that must match the whole text; a whole number has no fraction there, like 500."""

    @field_validator("between")
    @classmethod
    def _goes_upwards(cls, between: tuple[float, float] | None) -> tuple[float, float] | None:
        if between and between[0] > between[1]:
            sentence = f"the lower bound {between[0]:g} is above the upper bound {between[1]:g}"
            raise refusal(sentence, "Write the lower one first.")
        return between

    @model_validator(mode="after")
    def _can_hold(self) -> Self:
        if not self.model_dump(exclude_none=True):
            raise refusal("it compares with nothing", "Write above, below, between, equals or matches.")
        if self.above is not None and self.below is not None and self.above >= self.below:
            sentence = f"nothing is above {self.above:g} and below {self.below:g} at once"
            raise refusal(sentence, "Correct the numbers: all comparisons must hold together.")
        return self

    def description(self, unit: str | None = None) -> str:
        """Return the comparison as text: `above 200 ms`."""
        limits = self.model_dump(exclude_none=True)
        return " and ".join(f"{word} {amount(plain(value), unit)}" for word, value in limits.items())

    def only(self, word: Literal["above", "below"]) -> float | None:
        """Return the number that a value must be above or below, if nothing else is written."""
        limits = self.model_dump(exclude_none=True)
        return limits[word] if list(limits) == [word] else None

    @property
    def is_of_numbers(self) -> bool:
        """Return whether it compares numbers."""
        return not isinstance(self.equals, bool | str) and self.matches is None


def amount(number: str, unit: str | None) -> str:
    """Return a number as text with its unit, if it has one."""
    return number if unit is None else f"{number}%" if unit == "%" else f"{number} {unit}"


def plain(value: object) -> str:
    """Return what a value is compared with as text: whole numbers without a fraction."""
    if isinstance(value, tuple):
        return " and ".join(map(plain, value))
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
