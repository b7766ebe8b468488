"""Comparing with a baseline: what number is judged, and when there is none."""

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from changewindow.systems.connection import Connection
from changewindow.systems.measurement import Answer, SourceError
from changewindow.watch.baseline import Compare, Seen, mann_whitney
from changewindow.watch.baseline_readings import Baseline, exact, longest, take_baselines
from changewindow.watch.condition import Condition
from changewindow.watch.watch import Wanted, until_good
from support.recording_server import Request, recording_server

CONTROL = {"kind": "command", "run": ["control"]}
LOW = [0.010, 0.011, 0.009, 0.012, 0.010, 0.011, 0.010, 0.009, 0.012, 0.011]
HIGH = [0.031, 0.029, 0.030, 0.033, 0.028]


def compared(written: dict[str, Any], seen: dict[str, list[float]]) -> tuple[float | None, str]:
    """Return what is judged."""
    return Compare.model_validate(written).result(Seen(**seen))


@pytest.mark.parametrize(
    ("written", "seen", "number"),
    [
        pytest.param({"by": "difference"}, {"before": [1, 2, 9], "values": [5]}, 3, id="less the median of before"),
        pytest.param({"by": "ratio"}, {"before": [2, 2, 90], "values": [1, 5]}, 2.5, id="one outlier counts little"),
        pytest.param(
            {"by": "difference", "control": CONTROL}, {"values": [9, 5], "control": [1, 4]}, 1, id="the same moment"
        ),
        pytest.param({"by": "ratio", "control": CONTROL}, {"values": [6], "control": [4]}, 1.5, id="canary to stable"),
        pytest.param({"by": "rank"}, {"before": LOW, "values": HIGH}, 1.0, id="all are higher"),
        pytest.param({"by": "rank"}, {"before": HIGH, "values": LOW}, -1.0, id="all are lower"),
        pytest.param({"by": "rank"}, {"before": LOW, "values": LOW}, 0.0, id="the same as before"),
        pytest.param({"by": "rank"}, {"before": LOW, "values": [0.0105] * 8}, 0.0, id="a constant in the middle"),
        pytest.param({"by": "rank"}, {"before": [0] * 10, "values": [0] * 50}, 0.0, id="nothing but zeros"),
        pytest.param({"by": "rank"}, {"before": LOW, "values": HIGH[:2]}, None, id="two values prove nothing"),
        pytest.param(
            {"by": "rank", "control": CONTROL}, {"values": HIGH, "control": LOW[:5]}, 1.0, id="rank among the control"
        ),
    ],
)
def test_the_number_that_is_judged(written: dict[str, Any], seen: dict[str, list[float]], number: float | None) -> None:
    """It is how far the values are from the baseline."""
    assert compared(written, seen)[0] == (number if number is None else pytest.approx(number))


@pytest.mark.parametrize(
    ("written", "seen", "cause", "message"),
    [
        pytest.param(
            {"by": "ratio"},
            {"before": [0, 0], "values": [1]},
            "invalid",
            "1 against 0: there is no ratio to 0; compare by difference",
            id="nothing has a ratio to zero",
        ),
        pytest.param(
            {"by": "ratio"},
            {"before": [-2, -2], "values": [900]},
            "invalid",
            "900 against -2: there is no ratio to a number below 0; compare by difference",
            id="growing past zero looks like falling",
        ),
        pytest.param(
            {"by": "difference"},
            {"values": [1]},
            "no_data",
            "no baseline is known",
            id="before is not known",
        ),
        pytest.param(
            {"by": "rank"},
            {"values": [1]},
            "no_data",
            "no baseline is known",
            id="nor to be ranked among",
        ),
    ],
)
def test_there_is_no_number(written: dict[str, Any], seen: dict[str, list[float]], cause: str, message: str) -> None:
    """What cannot be compared is unknown, never good."""
    with pytest.raises(SourceError, match=f"^{message}$") as raised:
        compared(written, seen)
    assert raised.value.cause == cause


@pytest.mark.parametrize("value", [True, "1", float("nan"), float("inf")])
def test_only_numbers_are_compared(value: Any) -> None:
    """True, a text and NaN are no numbers, and are not kept as if they were."""
    seen = Seen(before=[1.0])
    with pytest.raises(SourceError, match="is not a number"):
        Compare(by="difference").see(seen, [value])
    assert seen.values == []


def test_too_few_values_are_not_yet_a_difference_and_say_so() -> None:
    """Four of a control group and four of ours can differ by chance once in 35 times, which is not significant."""
    result = compared({"by": "rank", "control": CONTROL}, {"values": HIGH[:4], "control": LOW[:4]})
    assert result == (None, "4 against 4 readings are too few to differ significantly")
    assert Compare.model_validate({"by": "rank", "control": CONTROL}).needed == 5
    assert Compare(by="rank").needed == 3
    assert Compare(by="rank", significance=1e-9, samples=3).needed > 300


@given(st.lists(st.integers(0, 20), min_size=3, max_size=12), st.lists(st.integers(0, 20), min_size=3, max_size=12))
def test_the_effect_is_how_much_more_often_a_value_is_higher_than_lower(here: list[int], there: list[int]) -> None:
    """The definition of the rank-biserial correlation; and exchanging the groups exchanges its sign."""
    pairs = [(ours > theirs) - (ours < theirs) for ours in here for theirs in there]
    effect, chance = mann_whitney(here, there)
    assert effect == pytest.approx(sum(pairs) / len(pairs))
    assert mann_whitney(there, here) == (pytest.approx(-effect), pytest.approx(chance, abs=1e-6))
    assert 0 < chance <= 1


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        pytest.param({"pass": {"equals": 1}}, "with a fraction. Write above, below or between", id="equal to a ratio"),
        pytest.param({"new": True}, "`new` says that there is no reading before the change", id="new, and before"),
        pytest.param({"weight": 0.5, "role": "critical"}, "no meaning with `role: critical`", id="light and critical"),
    ],
)
def test_a_condition_that_makes_no_sense_is_refused(changed: dict[str, Any], message: str) -> None:
    """It is found when the ticket is read."""
    asked = {"name": "it", "source": CONTROL, "compare": {"by": "ratio"}, "fail": {"above": 2}, **changed}
    with pytest.raises(ValidationError, match=message):
        Condition.model_validate(asked)


async def nowhere(name: str) -> Connection:
    """Know no connection; commands need none."""
    raise AssertionError(name)


def reading(file: Path, **compare: Any) -> Condition:
    """Return a condition that compares what stands in a file with before."""
    source = {"kind": "command", "run": ["cat", str(file)]}
    compare = {"by": "ratio", "samples": 3, "every": "10ms", **compare}
    asked = {"name": "it", "source": source, "compare": compare, "fail": {"above": 1.5}}
    return Condition.model_validate(asked)


async def taken(conditions: Sequence[Condition], patience: float = 2) -> list[Baseline]:
    """Take the baselines."""
    deadline = datetime.now(UTC) + timedelta(seconds=patience)
    return await take_baselines(conditions, nowhere, deadline=deadline, log=print)


async def test_a_baseline_has_as_many_readings_as_wanted(tmp_path: Path) -> None:
    """Each condition has its own number of them, and its own pace."""
    file = tmp_path / "value"
    file.write_text("2\n")
    many = reading(file, samples=5)
    few, other = await taken([reading(file), many])
    assert (few.values, other.values) == ([2.0] * 3, [2.0] * 5)
    assert few.unusable() is None
    assert longest([many, reading(file)]) == timedelta(milliseconds=50)


async def test_canary_and_stable_of_one_service_are_not_mixed_up(metrics: str) -> None:
    """Both read the growth of the same metric, and each remembers its own scrapes."""

    async def connect(name: str) -> Connection:
        return Connection(name, "http", host=metrics)

    grows = {"kind": "openmetrics", "connection": "shop", "metric": "errors_total", "read": "rate"}
    asked = {
        "name": "errors",
        "source": {**grows, "where": {"group": "canary"}},
        "compare": {"by": "ratio", "control": {**grows, "where": {"group": "stable"}}},
        "fail": {"above": 1.5},
    }
    wanted = Wanted((Condition.model_validate(asked),), timedelta(seconds=1), datetime.now(UTC))
    decided = await until_good(wanted, connect, log=print)
    assert decided.sample[0].value == pytest.approx(4, rel=0.2)


@pytest.fixture
def metrics() -> Iterator[str]:
    """Serve a counter of which the canary grows four times as fast as the stable group."""
    begun = time.monotonic()

    def grown(_: Request) -> tuple[int, str]:
        passed = time.monotonic() - begun
        lines = [f'errors_total{{group="{name}"}} {by * passed}' for name, by in (("canary", 400), ("stable", 100))]
        return 200, "\n".join(["# TYPE errors_total counter", *lines, ""])

    with recording_server(grown) as server:
        yield server.url


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(None, "it: 0 of 3 baseline readings: unreachable, ", id="the source is down"),
        pytest.param(
            "text\n",
            "it: 0 of 3 baseline readings: invalid, 'text' is not a number",
            id="it is text",
        ),
        pytest.param(
            "0\n",
            "it: the median of the baseline is 0, which has no ratio; compare by difference",
            id="it is zero",
        ),
        pytest.param(
            "-2\n",
            "it: the median of the baseline is -2, which has no ratio; compare by difference",
            id="it is below zero",
        ),
    ],
)
async def test_without_a_baseline_nothing_begins(tmp_path: Path, text: str | None, message: str) -> None:
    """The reason is known before the first step."""
    file = tmp_path / "value"
    if text is not None:
        file.write_text(text)
    (baseline,) = await taken([reading(file)], patience=5 if text in {"0\n", "-2\n"} else 0.05)
    assert (baseline.unusable() or "").startswith(message)


def test_what_may_be_more_is_no_baseline() -> None:
    """A count that has an end, and a quantile above all bounds, would make whatever comes look like before."""
    with pytest.raises(SourceError, match=r"^10 or more, which is no baseline \(no more are counted\)$") as raised:
        exact(Answer(10, datetime.now(UTC), "asked", "no more are counted", is_at_least=True))
    assert raised.value.cause == "invalid"


async def test_the_way_back_is_proven_against_before(tmp_path: Path) -> None:
    """Verification may ask whether everything is as it was."""
    file = tmp_path / "value"
    file.write_text("4\n")
    soon = datetime.now(UTC) + timedelta(milliseconds=50)
    wanted = Wanted((reading(file),), timedelta(milliseconds=20), soon, baselines={"it": [2.0, 2.0]})
    lines: list[str] = []
    assert (await until_good(wanted, nowhere, log=lines.append)).verdict == "fail"
    assert lines[0] == "FAIL it = 2, limit 1.5 (4 against 2)"
    file.write_text("3\n")
    assert (await until_good(wanted, nowhere, log=lines.append)).verdict == "pass"


async def test_a_source_that_has_to_be_there_may_say_anything(tmp_path: Path) -> None:
    """What the watch will ask is bad before the change, and that is fine; if nobody answers, it is not."""
    file = tmp_path / "value"
    file.write_text("4\n")
    asked = {"name": "it", "source": {"kind": "command", "run": ["cat", str(file)]}, "pass": {"below": 1}}
    wanted = Wanted((), timedelta(seconds=1), datetime.now(UTC), present=(Condition.model_validate(asked),))
    lines: list[str] = []
    assert (await until_good(wanted, nowhere, log=lines.append)).verdict == "pass"
    assert lines == ["BEFORE it = 4, limit 1"], "it alarms nobody"
    file.unlink()
    decided = await until_good(wanted, nowhere, log=print)
    assert decided.verdict == "fail"
    assert decided.reason.startswith("its source does not answer: ERROR it (unreachable)")


TEXT = "'many' is text, but the ticket compares it with something else: write numbers, true and false without quotes;"
NUMBER = (
    "4.0 is a number, but the ticket compares it with something else: write numbers, true and false without quotes;"
)


@pytest.mark.parametrize(
    ("printed", "asked", "reason"),
    [
        pytest.param("4", {"pass": {"above": 9}}, "", id="bad before the change is fine"),
        pytest.param("4", {"pass": {"below": 1}, "fail": {"above": 9}}, "", id="undecided before the change is fine"),
        pytest.param("many", {"pass": {"above": 9}}, TEXT, id="text where a number is compared"),
        pytest.param("many", {"pass": {"equals": 9}}, TEXT, id="text where a number is to be equalled"),
        pytest.param("4", {"pass": {"equals": "4"}}, NUMBER, id="a number where text is to be equalled"),
        pytest.param("4", {"fail": {"equals": "4"}}, NUMBER, id="a number where text would be bad"),
        pytest.param("4", {"fail": {"equals": True}}, NUMBER, id="a number where true would be bad"),
        pytest.param("many", {"role": "observe", "fail": {"above": 1}}, TEXT, id="text that is only observed"),
        pytest.param("NaN", {"fail": {"above": 1}}, "nan is not a number", id="not a number"),
        pytest.param(
            "many",
            {"compare": {"by": "ratio"}, "fail": {"above": 2}},
            "it has no baseline to be compared with",
            id="no baseline",
        ),
    ],
)
async def test_what_could_never_be_judged_does_not_begin(
    tmp_path: Path, printed: str, asked: dict[str, Any], reason: str
) -> None:
    """The watch would end undecided, so a change with such a condition has no way to be found good."""
    source = {"kind": "command", "run": ["echo", printed]}
    condition = Condition.model_validate({"name": "it", "source": source, **asked})
    wanted = Wanted((), timedelta(seconds=1), datetime.now(UTC), present=(condition,))
    decided = await until_good(wanted, nowhere, log=print)
    assert decided.verdict == ("fail" if reason else "pass")
    assert reason in decided.reason
    assert not reason or decided.reason.startswith(("it cannot be judged: ERROR it (invalid) ", reason))


def in_a_row(folder: Path, *values: int) -> Condition:
    """Return a condition that reads one value after the other, and 1 from then on."""
    left = folder / "left"
    left.write_text("".join(f"{value}\n" for value in values))
    program = 'test -s "$0" && head -n1 "$0" && sed -i 1d "$0" || echo 1'
    source = {"kind": "command", "run": ["sh", "-c", program, str(left)]}
    return Condition.model_validate({"name": "it", "source": source, "pass": {"equals": 1}})


async def test_what_has_to_settle_stays_good_from_the_last_bad_sample_on(tmp_path: Path) -> None:
    """Good once is not good; a bad sample begins the time anew."""
    settle, bad = timedelta(milliseconds=300), []
    every, deadline = timedelta(milliseconds=50), datetime.now(UTC) + timedelta(seconds=20)
    wanted = Wanted((in_a_row(tmp_path, 1, 1, 0, 1, 0),), every, deadline, settle=settle)
    decided = await until_good(wanted, nowhere, log=lambda line: "FAIL" in line and bad.append(datetime.now(UTC)))
    assert decided.verdict == "pass"
    assert len(bad) == 2
    assert datetime.now(UTC) - bad[-1] >= settle


async def test_what_does_not_settle_in_time_fails(tmp_path: Path) -> None:
    """Being good at the deadline is not enough."""
    every, deadline = timedelta(milliseconds=50), datetime.now(UTC) + timedelta(milliseconds=200)
    wanted = Wanted((in_a_row(tmp_path),), every, deadline, settle=timedelta(minutes=1))
    decided = await until_good(wanted, nowhere, log=print)
    assert (decided.verdict, decided.reason) == ("fail", "good, but not for 1m without a break")
