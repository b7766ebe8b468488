"""Conditions are said as people read them."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from changewindow.documents.types import LONGEST, duration_text, parse_duration
from changewindow.watch.comparison import Comparison
from changewindow.watch.condition import Condition
from support.tickets import SOURCE


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"above": 0.01}, "above 0.01"),
        ({"below": 1, "above": 0}, "above 0 and below 1"),
        ({"between": [1, 2]}, "between 1 and 2"),
        ({"equals": True}, "equals true"),
        ({"equals": "v2"}, "equals v2"),
        ({"equals": 200}, "equals 200"),
        ({"equals": 123456789}, "equals 123456789"),
        ({"matches": "v2.*"}, "matches v2.*"),
    ],
)
def test_a_comparison_is_said(given: dict[str, Any], text: str) -> None:
    """In the words of the ticket, with the numbers as they were written."""
    assert Comparison.model_validate(given).description() == text


@pytest.mark.parametrize(
    ("limits", "text"),
    [
        ({"pass": {"equals": 200}}, "up: good when equals 200 [status of GET /banner at shop]"),
        ({"fail": {"above": 1}, "failures": 3}, "up: bad when above 1 [status of GET /banner at shop], 3 in a row"),
        (
            {"fail": {"above": 1}, "failures": 3, "of": 5, "passes": 2},
            "up: bad when above 1 [status of GET /banner at shop], 3 of the last 5, success needs 2 good in a row",
        ),
        (
            {"fail": {"above": 1}, "failures": 3, "role": "critical"},
            "up: bad when above 1 [status of GET /banner at shop], critical",
        ),
        (
            {"fail": {"above": 1}, "role": "observe"},
            "up: bad when above 1 [status of GET /banner at shop], only observed",
        ),
        (
            {"pass": {"below": 1}, "fail": {"above": 2}},
            "up: good when below 1, bad when above 2 [status of GET /banner at shop]",
        ),
    ],
)
def test_a_condition_is_said(limits: dict[str, Any], text: str) -> None:
    """What is good, what is bad, where it is read, and how often it has to be so."""
    assert Condition.model_validate({"name": "up", "source": SOURCE, **limits}).description() == text


@pytest.mark.parametrize("expression", ["(", "a{99999999999}", "(" * 5000 + ")" * 5000, "x" * 1001])
def test_an_expression_that_cannot_be_used_is_refused(expression: str) -> None:
    """Also one that would break the machine that reads it."""
    with pytest.raises(ValidationError):
        Comparison(matches=expression)


@pytest.mark.parametrize(
    ("written", "length"),
    [
        ("500ms", timedelta(milliseconds=500)),
        ("2.5s", timedelta(seconds=2.5)),
        ("15m", timedelta(minutes=15)),
        ("1h30m", timedelta(minutes=90)),
        ("1h 30m", timedelta(minutes=90)),
        (" 1d ", timedelta(days=1)),
        ("365d", LONGEST),
        ("0s", timedelta(0)),
    ],
)
def test_a_length_of_time_is_read(written: str, length: timedelta) -> None:
    """As operators write it."""
    assert parse_duration(written) == length


@pytest.mark.parametrize(
    "written", ["", " ", "5", 5, None, True, "1 m", "-5m", "5 minutes", "1h,30m", "٣m", "366d", "1e3s"]
)
def test_what_is_no_length_of_time_is_refused(written: Any) -> None:
    """Nothing is guessed; a space that swallows the number is no zero."""
    with pytest.raises(ValueError, match="Write it like 30s, 15m or 1h30m"):
        parse_duration(written)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.25, "0.25s"), (59.9999, "60s"), (60, "1m"), (90, "1m30s"), (5400, "1h30m"), (90_000, "25h")],
)
def test_a_length_of_time_is_said(seconds: float, text: str) -> None:
    """In the form in which it could be written."""
    assert duration_text(timedelta(seconds=seconds)) == text
