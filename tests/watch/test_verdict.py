"""What readings mean."""

import pytest

from changewindow.systems.measurement import Value
from changewindow.watch.comparison import Comparison
from changewindow.watch.judgement import Allowed, Tally
from changewindow.watch.verdict import judge

HIGH, LOW = Comparison(above=0.01), Comparison(below=0.001)


@pytest.mark.parametrize(
    ("good", "bad", "value", "verdict"),
    [
        pytest.param(None, HIGH, 0.5, "fail", id="a value above its limit is bad"),
        pytest.param(None, HIGH, 0.01, "pass", id="a value at its limit is not above it"),
        pytest.param(LOW, None, 0.0, "pass", id="a value below its limit is good"),
        pytest.param(LOW, None, 0.001, "fail", id="a value at its limit is not below it"),
        pytest.param(LOW, HIGH, 0.005, "inconclusive", id="neither good nor bad is inconclusive"),
        pytest.param(Comparison(above=0), HIGH, 1.0, "fail", id="bad wins over good"),
        pytest.param(None, HIGH, float("nan"), "error", id="not a number never passes"),
        pytest.param(None, Comparison(below=1), float("inf"), "error", id="infinity never passes"),
        pytest.param(None, HIGH, "many", "error", id="text is no number"),
        pytest.param(Comparison(equals=1), None, True, "fail", id="true is not 1"),
        pytest.param(Comparison(equals="v2"), None, "v2", "pass", id="text equals text"),
        pytest.param(Comparison(matches="v2.*"), None, "v2.15.0", "pass", id="text matches an expression"),
        pytest.param(Comparison(between=(1, 2)), None, 2, "pass", id="bounds are included"),
        pytest.param(Comparison(equals=2**53 + 1), None, 2**53, "fail", id="a large number is not the one before it"),
        pytest.param(Comparison(equals=2**53 + 1), None, 2**53 + 1, "pass", id="a large number is itself"),
        pytest.param(None, Comparison(above=2**53), 2**53 + 1, "fail", id="a large number is above the one before it"),
        pytest.param(
            Comparison(between=(0, 2**53 + 1)), None, 2**53 + 2, "fail", id="a large bound is not the number after it"
        ),
    ],
)
def test_a_value_means(good: Comparison, bad: Comparison, value: float | str, verdict: str) -> None:
    """Each value has one of four meanings."""
    assert judge(good, bad, value)[0] == verdict


def test_a_large_limit_goes_exactly_through_json_and_text() -> None:
    """As a published change and a trigger hold it; a limit that a float holds is written as it always was."""
    limits = Comparison(between=(1, 2**53 + 1))
    assert limits.model_dump_json(exclude_none=True) == '{"between":[1.0,9007199254740993]}'
    assert Comparison.model_validate_json(limits.model_dump_json()) == limits
    assert limits.description("bytes") == "between 1 and 9007199254740993 bytes"


def test_a_reason_says_how_often_and_how_often_is_allowed() -> None:
    """Two bad readings in a row take the change back, with the numbers."""
    tally = Tally("Error rate", Allowed(2, 2, {}, 2))
    assert tally.add("fail", None, "0.5, bad when above 0.01") is None
    reason = tally.add("fail", None, "0.5, bad when above 0.01")
    assert reason == "Error rate is bad: 0.5, bad when above 0.01 (2 in a row, 1 allowed)"


def test_an_error_without_a_known_cause_is_not_tolerated() -> None:
    """What has no limit of its own is allowed never."""
    reason = Tally("Error rate", Allowed(2, 2, {"stale": 2}, 2)).add("error", None, "broken")
    assert reason == "Error rate is not known: error, broken (1 in a row, 0 allowed)"


ALIKE: tuple[Value, ...] = (True, False, 1, 0, 1.0, 0.0, "1", "0", "1.0", "true", "True", "false", "yes", "on", "")
"""Values that only look alike: as YAML writes them, and as JSON, SQL and programs give them."""


@pytest.mark.parametrize("wanted", ALIKE, ids=repr)
def test_what_only_looks_alike_is_not_equal(wanted: Value) -> None:
    """A number equals the same number, text the same text, and true and false themselves; nothing else ever passes."""
    kinds = (bool, str, (int, float))

    def is_of(value: Value) -> object:
        return next(kind for kind in kinds if isinstance(value, kind))

    limits = Comparison.model_validate({"equals": wanted})
    passing = [value for value in ALIKE if judge(limits, None, value)[0] == "pass"]
    assert [repr(value) for value in passing] == [
        repr(value) for value in ALIKE if is_of(value) is is_of(wanted) and value == wanted
    ]
    failing = [value for value in ALIKE if judge(None, limits, value)[0] == "pass"]
    assert all(is_of(value) is is_of(wanted) and value != wanted for value in failing)
