"""The table of verdicts: what one value, or a row of readings of one condition, does to a change."""

from typing import Any

import pytest

from changewindow.systems.measurement import Value
from changewindow.watch.judgement import Route
from changewindow.watch.verdict import judge
from support.readings import Read, Settings, condition, judging, routes

HIGH: Settings = {"fail": {"above": 0.01}}
OK: Settings = {"pass": {"equals": 200}}
BOTH: Settings = {"pass": {"below": 0.001}, "fail": {"above": 0.01}}
NAN, INFINITY = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("limits", "value", "means"),
    [
        pytest.param(HIGH, NAN, "invalid", id="Keptn: not a number is not below a limit"),
        pytest.param({"pass": {"below": 1}}, NAN, "invalid", id="Keptn: not a number is not good either"),
        pytest.param({"pass": {"between": [0, 1]}}, NAN, "invalid", id="not a number lies between nothing"),
        pytest.param({"fail": {"equals": 0}}, NAN, "invalid", id="not a number is not simply different from zero"),
        pytest.param({"pass": {"matches": ".*"}}, NAN, "invalid", id="not a number matches no expression"),
        pytest.param({"pass": {"above": 1}}, INFINITY, "invalid", id="infinity is not above a limit"),
        pytest.param(HIGH, -INFINITY, "invalid", id="minus infinity is not below a limit"),
        pytest.param(HIGH, 0.010001, "fail", id="just above the limit is bad"),
        pytest.param(HIGH, 0.01, "pass", id="exactly the limit is not above it"),
        pytest.param({"fail": {"below": 3}}, 3, "pass", id="exactly the limit is not below it"),
        pytest.param({"pass": {"below": 3}}, 3, "fail", id="exactly the limit is not good when good is below it"),
        pytest.param({"pass": {"between": [1, 2]}}, 1, "pass", id="the lower bound is included"),
        pytest.param({"pass": {"between": [1, 2]}}, 2.0, "pass", id="the upper bound is included"),
        pytest.param({"pass": {"between": [1, 2]}}, 2.000001, "fail", id="just above the upper bound is not"),
        pytest.param({"fail": {"above": 1, "below": 5}}, 6, "pass", id="all that is written must hold"),
        pytest.param(BOTH, 0.0, "pass", id="below the good limit is good"),
        pytest.param(BOTH, 0.005, "inconclusive", id="Argo: between good and bad is no success"),
        pytest.param(BOTH, 0.001, "inconclusive", id="exactly the good limit is undecided"),
        pytest.param(BOTH, 0.01, "inconclusive", id="exactly the bad limit is undecided"),
        pytest.param({"pass": {"above": 0}, "fail": {"above": 1}}, 2, "fail", id="good and bad at once is bad"),
        pytest.param(HIGH, "0.005", "invalid", id="text is no number, even if it reads like one"),
        pytest.param(HIGH, "", "invalid", id="empty text is no number"),
        pytest.param(HIGH, False, "invalid", id="false is not below a limit"),
        pytest.param(OK, "200", "invalid", id="text does not equal a number"),
        pytest.param({"pass": {"equals": "200"}}, 200, "invalid", id="a number does not equal text"),
        pytest.param({"pass": {"equals": 1}}, True, "fail", id="true is not 1"),
        pytest.param({"pass": {"equals": True}}, 1, "fail", id="1 is not true"),
        pytest.param({"pass": {"equals": False}}, 0, "fail", id="0 is not false"),
        pytest.param({"pass": {"equals": True}}, "true", "fail", id="the word true is not true"),
        pytest.param(
            {"fail": {"equals": "no"}}, False, "invalid", id="false is not the word no, and would never be bad"
        ),
        pytest.param({"fail": {"equals": 0}}, False, "invalid", id="false is not 0, and would never be bad"),
        pytest.param({"fail": {"equals": False}}, 0, "invalid", id="0 is not false, and would never be bad"),
        pytest.param({"fail": {"equals": False}}, False, "fail", id="false is bad"),
        pytest.param({"fail": {"equals": False}}, True, "pass", id="true is not bad"),
        pytest.param(OK, 200.0, "pass", id="a fraction without a fraction equals the whole number"),
        pytest.param(OK, 503, "fail", id="another status is bad"),
        pytest.param({"pass": {"matches": "v2"}}, "v2.1", "fail", id="an expression must match the whole text"),
        pytest.param({"pass": {"equals": "v2"}}, "V2", "fail", id="capitals count"),
        pytest.param({"fail": {"matches": "5.."}}, 500, "fail", id="a status matches an expression"),
        pytest.param({"fail": {"matches": "5.."}}, 500.0, "fail", id="a number matches as it is shown, without .0"),
        pytest.param({"fail": {"matches": "[1-9][0-9]*"}}, 3.0, "fail", id="and so does any whole one"),
        pytest.param({"pass": {"matches": "-?0"}}, -0.0, "pass", id="and zero"),
        pytest.param({"pass": {"matches": "0[.]5"}}, 0.5, "pass", id="a fraction matches with its point"),
        pytest.param({"fail": {"matches": "false|no"}}, False, "invalid", id="false is no text, and would not be bad"),
        pytest.param({"pass": {"matches": "(?i)true"}}, True, "invalid", id="true is no text either"),
    ],
)
def test_a_value_routes(limits: Settings, value: Value, means: str) -> None:
    """In the last sample a good value keeps the change, a bad one takes it back, and any other never keeps it."""
    asked = condition("c0", limits)
    verdict, cause = judge(asked.good, asked.bad, value)
    assert (cause or verdict) == means
    judgement = judging([limits])
    decided = [judgement.add([Read("c0", verdict, cause, value)], is_over=True) for _ in range(3)]
    assert decided[0] is None or decided[0][0] == means
    assert decided[-1] is not None
    assert decided[-1][0] == ("pass" if means == "pass" else "fail")


TWO: Settings = {"failures": 2}
OF_FIVE: Settings = {"failures": 3, "of": 5}
STREAK: Settings = {"passes": 3, "failures": 2}
CRITICAL: Settings = {"role": "critical", "failures": 5, "tolerate": {"no_data": 9}}


def patient(**tolerate: int) -> Settings:
    """Return settings that tolerate more, or less."""
    return {"tolerate": tolerate}


ROWS: list[Any] = [
    pytest.param("ggg|g", {}, "pass", id="good from the first to the last sample"),
    pytest.param("g" * 99, {}, None, id="however good, a watch does not end early"),
    pytest.param("b", {}, "fail", id="one bad reading is enough where nothing else is said"),
    pytest.param("g" * 99 + "b", {}, "fail", id="one bad among many good"),
    pytest.param("g" * 99 + "|b", {}, "fail", id="one bad in the last sample after many good"),
    pytest.param("gbgbgb", TWO, None, id="a good reading between begins the row anew"),
    pytest.param("gbgbb", TWO, "fail", id="two in a row after two alone"),
    pytest.param("bb|g", {"failures": 3}, "pass", id="recovered in time"),
    pytest.param("ggg|b", TWO, None, id="a first bad reading in the last sample proves nothing yet"),
    pytest.param("ggg|bg", TWO, "pass", id="recovered in overtime"),
    pytest.param("|bbbbg", {"failures": 5}, "pass", id="overtime is as patient as the condition"),
    pytest.param("ggg|bb", TWO, "fail", id="bad again in overtime"),
    pytest.param("bub", TWO, "fail", id="an unreachable source does not interrupt bad readings"),
    pytest.param("bnnb", TWO, "fail", id="bad readings on both sides of an outage count together"),
    pytest.param("nbnbn", {"failures": 9}, "fail", id="bad readings do not excuse unknown ones"),
    # among the last so many
    pytest.param("bgbgb", OF_FIVE, "fail", id="three bad of the last five"),
    pytest.param("bgbggb", OF_FIVE, None, id="the first of three bad ones has left the last five"),
    pytest.param("bgbggbgb", OF_FIVE, None, id="the window slides: two of the last five, always"),
    pytest.param("bgbggbb", OF_FIVE, "fail", id="the window slides: a third one enters"),
    pytest.param("bgggb", {"failures": 2, "of": 5}, "fail", id="the oldest of the last five still counts"),
    pytest.param("bggggb", {"failures": 2, "of": 5}, None, id="the sixth does not"),
    pytest.param("bgnngb", {"failures": 2, "of": 4}, "fail", id="unknown readings push no bad one out of the window"),
    pytest.param("bbb", OF_FIVE, "fail", id="three at once need no five"),
    pytest.param("bgbgg|g", OF_FIVE, "pass", id="two of the last five are forgiven at the end"),
    pytest.param("bgb", {"failures": 3, "of": 3}, None, id="three of the last three are three in a row"),
    # good in a row
    pytest.param("gg|g", STREAK, "pass", id="the streak is complete in the last sample"),
    pytest.param("bg|g", STREAK, None, id="the streak lacks one in the last sample"),
    pytest.param("bg|gg", STREAK, "pass", id="the streak is completed in overtime"),
    pytest.param("ggggg|b", STREAK, None, id="the streak is broken in the last sample by a bad reading"),
    pytest.param("ggggg|n", STREAK, None, id="the streak is broken in the last sample by an unknown one"),
    pytest.param("ggggg|bggg", STREAK, "pass", id="a streak broken at the end may be made anew"),
    pytest.param("ggggg|bggbg", STREAK, "fail", id="a streak broken twice uses up the patience"),
    # unknown
    pytest.param("nn|n", {}, "fail", id="Kayenta: no data from beginning to end is no success"),
    pytest.param("|" + "n" * 100, patient(no_data=99), "fail", id="Kayenta: nor with all the patience in the world"),
    pytest.param("uu", {}, None, id="Flagger: an outage of the metrics is not a bad value"),
    pytest.param("uu|g", {}, "pass", id="Flagger: an outage that is over in time is forgiven"),
    pytest.param("uuu", {}, "fail", id="Flagger: an outage that lasts is not"),
    pytest.param("ii", {}, None, id="undecided twice is tolerated"),
    pytest.param("ggg|iii", {}, "fail", id="Argo: undecided at the end is not promoted"),
    pytest.param("ggg|i", {}, None, id="undecided in the last sample waits"),
    pytest.param("ggg|ig", {}, "pass", id="undecided, then good in overtime"),
    pytest.param("s", patient(stale=0), "fail", id="stale is not tolerated when zero is allowed"),
    pytest.param("ggsss", {}, "fail", id="values from before the change do not count as good"),
    pytest.param("xx", {}, None, id="several series twice are tolerated"),
    pytest.param("xxx", {}, "fail", id="several series three times are not"),
    pytest.param("nu", {}, None, id="two causes, together as many as one of them may"),
    pytest.param("nun", {}, "fail", id="alternating causes count together"),
    pytest.param("nus", {}, "fail", id="three causes count together"),
    pytest.param("nunun", patient(unknown=9), "fail", id="alternating causes do not reset each other"),
    pytest.param("nu", patient(unknown=1), "fail", id="all together may be allowed less than each"),
    pytest.param("nnnuun", patient(no_data=5), "fail", id="together as many as the most patient cause allows"),
    pytest.param("nnnuu", patient(no_data=5), None, id="and not fewer"),
    pytest.param("gn" * 50, {}, None, id="every other reading unknown breaks no limit in a row"),
    pytest.param("gn" * 50 + "|g", {}, None, id="every other reading unknown is not good at the end"),
    pytest.param("gn" * 50 + "|ggg", {}, "fail", id="every other reading unknown is taken back at the end"),
    pytest.param("gngn|g", {}, "pass", id="as many unknown as may follow each other are never too many"),
    pytest.param("gngngnggggg|g", {}, "pass", id="exactly one unknown for three good is allowed"),
    pytest.param("gngngngggg|g", {}, None, id="one unknown for fewer than three good is not"),
    pytest.param("gngngngggg|gg", {}, "pass", id="a good reading in overtime makes up for it"),
    pytest.param("gngngnbbbbb|g", {"failures": 9}, None, id="bad readings do not make up for unknown ones"),
    # critical
    pytest.param("gb", CRITICAL, "fail", id="critical: at once, whatever failures says"),
    pytest.param("b", {**OF_FIVE, "role": "critical"}, "fail", id="critical: at once, whatever a window says"),
    pytest.param("n", CRITICAL, None, id="critical: one unknown reading is tolerated"),
    pytest.param("nn", CRITICAL, "fail", id="critical: a second is not, whatever the ticket tolerates"),
    pytest.param("ni", CRITICAL, "fail", id="critical: nor one with another cause"),
    pytest.param("ngn|g", CRITICAL, None, id="critical: unknown too often is not good at the end"),
    pytest.param("n", {"role": "critical", **patient(no_data=0)}, "fail", id="critical: not one where none is allowed"),
    # only observed
    pytest.param("g", {"role": "observe"}, "fail", id="what is only observed never passes alone"),
]


@pytest.mark.parametrize(("row", "settings", "route"), ROWS)
def test_a_row_routes(row: str, settings: Settings, route: Route | None) -> None:
    """The last reading of the row decides, and none before it."""
    *before, last = routes(judging([settings]), row)
    assert not any(before)
    assert (last and last[0]) == route
