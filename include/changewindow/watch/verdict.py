"""Decides what readings mean: pass, fail, inconclusive or error."""

import math
from typing import Literal, Protocol

from changewindow.systems.expressions import matches
from changewindow.systems.measurement import Cause, Value
from changewindow.watch.comparison import plain

Verdict = Literal["pass", "fail", "inconclusive", "error"]


class Limits(Protocol):
    """The comparisons of a condition; unset ones are None and everything set must hold."""

    @property
    def above(self) -> float | None: ...
    @property
    def below(self) -> float | None: ...
    @property
    def between(self) -> tuple[float, float] | None: ...
    @property
    def equals(self) -> bool | float | str | None: ...
    @property
    def matches(self) -> str | None: ...


class NotComparable(Exception):
    """The value is not of the type that the comparison needs."""


def judge(good: Limits | None, bad: Limits | None, value: Value) -> tuple[Verdict, Cause | None]:
    """Return what a value means, with the cause when it is an error.

    Bad wins over good. With only one of them given, everything else is its opposite; with both, a value that is
    neither is inconclusive. NaN, infinity, text where a number is needed, and true or false where text is, are always
    `invalid`.

    Raises:
        SourceError: `invalid`, an expression cannot be used.
    """
    if isinstance(value, float) and not math.isfinite(value):
        return "error", "invalid"
    if bad is not None and bad.equals is not None and isinstance(bad.equals, bool) != isinstance(value, bool):
        return "error", "invalid"  # true is neither 1 nor "yes": it would never be bad, whatever it is
    try:
        is_bad = bad is not None and holds(bad, value)
        is_good = good is not None and holds(good, value)
    except NotComparable:
        return "error", "invalid"
    if is_bad:
        return "fail", None
    if is_good or good is None:
        return "pass", None
    return ("fail" if bad is None else "inconclusive"), None


def holds(limits: Limits, value: Value) -> bool:
    """Return whether everything that is set holds for the value.

    Raises:
        NotComparable: the comparison needs a number or a text, and the value is not one.
        SourceError: `invalid`, an expression cannot be used.
    """
    if isinstance(value, bool | str):
        if limits.above is not None or limits.below is not None or limits.between is not None:
            raise NotComparable
    else:
        if limits.above is not None and not value > limits.above:
            return False
        if limits.below is not None and not value < limits.below:
            return False
        if limits.between is not None and not limits.between[0] <= value <= limits.between[1]:
            return False
    if limits.equals is not None and not _equal(limits.equals, value):
        return False
    if limits.matches is not None and isinstance(value, bool):
        raise NotComparable  # whether it is written true or True, one of the two would never match
    return limits.matches is None or matches(limits.matches, plain(value))


def _equal(wanted: Value, value: Value) -> bool:
    """Compare without letting true equal 1, or text equal a number."""
    number = (int, float)
    if isinstance(wanted, bool) or isinstance(value, bool):
        return wanted is value
    if isinstance(wanted, number) != isinstance(value, number):
        raise NotComparable
    return wanted == value


class Sampled(Protocol):
    """What the watch needs to know of a reading."""

    @property
    def condition(self) -> str: ...
    @property
    def verdict(self) -> Verdict: ...
    @property
    def value(self) -> Value | None: ...
    @property
    def cause(self) -> Cause | None: ...
    @property
    def account(self) -> str: ...
    def line(self) -> str: ...
